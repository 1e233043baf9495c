"""Which clock a table's steps follow: told from its times."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from pipelines.series.calendar import COUNTED, DAY, MONDAY, MONTH, PARTS, Calendar, Clock, local_times, step_text
from pipelines.series.cleaning import commonest_step
from pipelines.series.regular import Repair, Table

FEWEST_WEEKENDS = 3  # that show that nothing happens on them
RARE = 0.3  # of the commonest time of the week: what is rarer is no slot
WORKING_DAYS = [0, 1, 2, 3, 4]  # from Monday on
FIRST_DAYS, LAST_DAYS = np.timedelta64(4, "D"), np.timedelta64(5, "D")  # of a month, among which a working one is
ROUND = (*(1, 2, 5, 10, 15, 20, 30), *(60 * each for each in (1, 2, 5, 10, 15, 20, 30)), *(3600, 7200, 10_800))
SHORTEST_MONTH, FEWEST_MONTHS = 28 * DAY, 3
MOSTLY, BESIDE = 0.8, 4  # share of months or weeks that are alike, and days between those of one part of them
SHARE_WITHOUT_PAUSE = 0.8  # of the times of the day; below it there are pauses


def find_clock(tables: Sequence[Table], calendar: str) -> tuple[Clock, list[Repair]]:
    """Returns the clock of tables, and what was found.

    Months have equal days of the month, and halves and thirds of months about equal ones; business days leave out the
    same days of each week, and business hours have pauses at the same times of each day.

    Args:
        tables: the rows of each series.
        calendar: of the steps, or "auto".

    Example:
        >>> days = np.arange(100)
        >>> times = DAY * days[(days + 3) % 7 < 5]
        >>> table = Table("a", times, np.zeros((len(times), 1)), days, "a.csv")
        >>> find_clock([table], "auto")[0]
        Clock(step_seconds=86400, calendar='business', zone='', slots=())
    """
    zone = tables[0].zone if tables else ""
    times = [table.times if (np.diff(table.times) > 0).all() else np.unique(table.times) for table in tables]
    found: list[Repair] = []
    chosen: Calendar = "clock"
    step_seconds: int | None = None
    slots: tuple[int, ...] = ()
    if calendar == "auto":
        together = np.unique(np.concatenate(times)) if len(times) > 1 else times[0] if times else np.zeros(0, np.int64)
        if zone != COUNTED and _is_monthly(times):
            chosen = "month"
        elif zone != COUNTED and (slots := _parts_of_months(together)):
            chosen, step_seconds = "month", MONTH // len(slots)
        elif zone != COUNTED and _has_pauses(times, together, zone):
            chosen = "business"
            what = "steps on working days or hours only: pauses are not gaps; --data.calendar clock fills them"
            found.append(Repair("", "", what, 1))
    else:
        chosen = calendar  # type: ignore[assignment]
    if step_seconds is None:
        months = [each.astype("datetime64[s]").astype("datetime64[M]").astype(np.int64) for each in times]
        step_seconds = MONTH * commonest_step(months) if chosen == "month" else _usual_step(times)
    if chosen == "business" and DAY < step_seconds < 7 * DAY:  # such as Monday, Wednesday and Friday
        step_seconds = DAY
    slots = _slots(times, zone) if chosen == "business" and step_seconds <= DAY else slots
    days = [slot // DAY for slot in slots]
    if chosen == "business" and step_seconds == DAY and (days == WORKING_DAYS or len(set(days)) < len(days)):
        slots = ()
    return Clock(step_seconds, chosen, zone, slots), found


def retail_months(tables: Sequence[Table]) -> tuple[list[Table], list[Repair]]:
    """Turns periods of four and five weeks, as retailers count them, into the months in which most of them lie.

    Their times are the last days of the periods, or the first ones where these are Sundays or Mondays.

    Example:
        >>> days = np.cumsum([0, 28, 28, 35, 28, 28, 35])  # from Sunday, 1 February 2015 on
        >>> times = 1_422_748_800 + DAY * days
        >>> (table,), _ = retail_months([Table("a", times, np.zeros((7, 1)), days, "a.csv")])
        >>> table.times.astype("datetime64[s]").astype("datetime64[M]")[[0, 3, 6]].astype(str).tolist()
        ['2015-02', '2015-05', '2015-08']
    """
    moved = []
    for table in tables:
        gaps = set(np.diff(np.unique(table.times)).tolist())
        if table.zone == COUNTED or not {28 * DAY, 35 * DAY} <= gaps <= {28 * DAY, 35 * DAY, 42 * DAY}:
            return list(tables), []
        begins = (table.times[0] - MONDAY) // DAY % 7 in (6, 0)
        months = (table.times + (14 if begins else -14) * DAY).astype("datetime64[s]").astype("datetime64[M]")
        plain = table.times.astype("datetime64[s]").astype("datetime64[M]")
        if len(np.unique(plain)) == len(np.unique(table.times)) or (np.diff(np.unique(months)).astype(int) != 1).any():
            return list(tables), []
        moved.append(table._replace(times=months.astype("datetime64[s]").astype(np.int64)))
    what = "times of periods of four and five weeks: taken as the months in which most of them lie"
    return moved, [Repair("", "", what, sum(len(table.times) for table in tables))] if moved else []


def clock_text(clock: Clock) -> str:
    """Returns in words what a step is.

    Example:
        >>> clock_text(Clock(3600, "clock", "Europe/Berlin")), clock_text(Clock(DAY, "business"))
        ('3600 seconds (Europe/Berlin)', '86400 seconds, working days')
    """
    if clock.zone == COUNTED:
        return "a row"
    text = step_text(clock.step_seconds)
    if clock.calendar == "business":
        text += ", working hours" if clock.step_seconds < DAY else ", working days"
    return text + f" ({clock.zone})" * bool(clock.zone)


def _usual_step(times: Sequence[np.ndarray]) -> int:
    """The commonest distance; of readings that come a little early or late, the round one beside their median."""
    step = commonest_step(times)
    median = float(np.median(np.concatenate([np.diff(each) for each in times])))
    for near in ROUND:
        if step != near and abs(near - median) < 0.02 * median:
            beside = [np.abs((each + near // 2) % near - near // 2).max() for each in times if len(each)]
            if max(beside) < near / 4:
                return near
    return step


def _is_monthly(times: Sequence[np.ndarray]) -> bool:
    """Whether all times of a series are of one day of the month, or all of its last day."""
    seen = 0
    for each in times:
        days = each.astype("datetime64[s]")
        months = days.astype("datetime64[M]")
        of_month = days - months.astype("datetime64[s]")
        left = (months + 1).astype("datetime64[s]") - days
        one_day = bool((of_month == of_month[:1]).all() or (left == left[:1]).all())
        if not one_day and len(np.unique(np.diff(each))) > 1:  # the first or last working day, or the third Friday
            one_day = bool((of_month < FIRST_DAYS).all() or (left <= LAST_DAYS).all())
            of_one_weekday = len(np.unique(each // DAY % 7)) == 1
            one_day |= of_one_weekday and min(np.ptp(of_month), np.ptp(left)) < np.timedelta64(7, "D")
        if not one_day or len(np.unique(months)) < len(each):
            return False
        seen = max(seen, len(each))
        if len(each) > 1 and np.diff(each).min() < SHORTEST_MONTH:
            return False
    return seen >= FEWEST_MONTHS


def _parts_of_months(times: np.ndarray) -> tuple[int, ...]:
    """The days of the month of rows that divide it in two or three, a last one as 31; none for other rows."""
    if len(times) < 2 or len(np.unique(np.diff(times))) < 2:
        return ()
    days = times.astype("datetime64[s]").astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    _, first, counts = np.unique(months, return_index=True, return_counts=True)
    parts = int(np.bincount(counts).argmax())
    full = first[counts == parts]
    if parts not in PARTS.values() or len(full) < FEWEST_MONTHS or (counts[1:-1] == parts).mean() < MOSTLY:
        return ()
    rows = full[:, np.newaxis] + np.arange(parts)
    day = (days[rows] - months[rows].astype("datetime64[D]")).astype(int) + 1  # (months, parts)
    left = ((months[rows[:, -1]] + 1).astype("datetime64[D]") - days[rows[:, -1]]).astype(int)
    if max(*np.ptp(day[:, :-1], axis=0), min(np.ptp(day[:, -1]), np.ptp(left))) > BESIDE:
        return ()
    slots = [int(np.bincount(each).argmax()) for each in day.T]
    ends = (left == 1).mean() >= (day[:, -1] == slots[-1]).mean()
    return (*slots[:-1], 31 if ends else slots[-1])


def _has_pauses(times: Sequence[np.ndarray], together: np.ndarray, zone: str) -> bool:
    if not any(len(each) > 1 for each in times):
        return False
    step = commonest_step(times)
    if step > 6 * DAY or (DAY % step if step < DAY else step % DAY):
        return False
    local = local_times(tf.constant(together), zone).numpy()
    weekday = (local - MONDAY) // DAY % 7
    weeks = len(np.unique((local - MONDAY) // (7 * DAY)))
    counts = np.bincount(weekday, minlength=7)
    rare = counts < 0.02 * counts.max()
    if weeks > FEWEST_WEEKENDS and rare.any():
        return step <= DAY or bool(counts.sum() > MOSTLY * weeks * (~rare).sum())
    days = len(np.unique(local // DAY))
    if step >= DAY or days < FEWEST_WEEKENDS:
        return False
    of_day, counts = np.unique(local % DAY, return_counts=True)
    is_usual = counts > RARE * counts.max()
    usual = of_day[is_usual]
    if counts[is_usual].sum() < MOSTLY * counts.sum():  # hours of one series, days of another
        return False
    present = counts.sum() / max(len(usual) * days, 1)
    return bool(len(usual) <= SHARE_WITHOUT_PAUSE * DAY / step and present > 0.5 and (np.diff(usual) % step == 0).all())


def _slots(times: Sequence[np.ndarray], zone: str) -> tuple[int, ...]:
    """When steps are within a week: the usual times of the day on each of the usual weekdays."""
    local = local_times(tf.constant(np.concatenate(times)), zone).numpy()

    def usual(values: np.ndarray) -> np.ndarray:
        found, counts = np.unique(values, return_counts=True)
        return found[counts > RARE * counts.max()]

    days, of_day = usual((local - MONDAY) // DAY % 7), usual(local % DAY)
    return tuple(int(day * DAY + second) for day in days for second in of_day)
