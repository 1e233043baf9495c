"""The calendar in stock TensorFlow operations: the same in training, streaming and the exported model."""

import itertools
import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import tensorflow as tf

Calendar = Literal["clock", "business", "month"]
Cycle = Literal["day", "week", "year", "year_mirrored"]
DAY = 86_400  # seconds
MONTH = 2_629_746  # a twelfth of a year: the nominal length of a step of a month
MONTH_DAYS = np.arange("1700-01", "2401-01", dtype="datetime64[M]").astype("datetime64[D]").astype(np.int64)
PARTS = {MONTH // parts: parts for parts in (2, 3)}
"""Into how many parts steps that are shorter than a month divide it."""
SATURDAY = 2 * DAY  # 3 January 1970, the first one after time 0
WINTER_SOLSTICE = -10 * DAY  # 22 December 1969
MONDAY = -3 * DAY  # 29 December 1969
COUNTED = "counted"
"""In place of a zone: the times of a series only count its steps."""
SECONDS = {"day": DAY, "week": 7 * DAY, "year": 365.2425 * DAY, "year_mirrored": 365.2425 * DAY}
START = {"day": 0, "week": SATURDAY, "year": WINTER_SOLSTICE, "year_mirrored": WINTER_SOLSTICE}


class Clock(NamedTuple):
    """When steps are.

    Attributes:
        step_seconds: between two steps; of months so many times `MONTH`.
        calendar: as of `future_times`.
        zone: of the local time, as of `time_zone`; `COUNTED` where steps are only counted, "" where the times have
            none.
        slots: of business steps, when in a week they are: seconds since Monday, local time; none for the days from
            Monday to Friday. Of parts of months, on which days they are, such as 15 and 31 for its last one.
    """

    step_seconds: int
    calendar: Calendar
    zone: str = ""
    slots: tuple[int, ...] = ()


def calendar_features(times: tf.Tensor, cycles: Sequence[Cycle]) -> tf.Tensor:
    """Returns where in each cycle a time lies, as cosine and sine.

    Of `year_mirrored` there is the cosine alone: spring and autumn look alike, as the length of the day does. It is for
    data of less than two years, where a sine would tell apart seasons of which one has never been seen.

    Args:
        times: int64 (…,), seconds since 1970 in UTC, or in local time if the data are.
        cycles: any of `day`, `week`, `year`, `year_mirrored`.

    Returns:
        float32 (…, features), two features a cycle, one for a mirrored one.

    Example:
        >>> import numpy as np
        >>> calendar_features(tf.constant([0, 21_600]), ["day"]).numpy().round(3) + 0.0
        array([[1., 0.],
               [0., 1.]], dtype=float32)
    """
    features = []
    for cycle in cycles:
        # In integers: the seconds since 1970 have more digits than float32, and devices have no float64.
        seconds = int(SECONDS[cycle])
        position = tf.math.floormod(tf.cast(times, tf.int64) - START[cycle], seconds)
        angle = tf.cast(position, tf.float32) * (2 * math.pi / seconds)
        features += [tf.cos(angle)] if cycle == "year_mirrored" else [tf.cos(angle), tf.sin(angle)]
    if not features:
        return tf.zeros(tf.concat([tf.shape(times), [0]], axis=0))
    return tf.stack(features, axis=-1)


def step_text(step_seconds: int) -> str:
    """How long a step is, in words.

    >>> step_text(3600), step_text(MONTH), step_text(3 * MONTH), step_text(MONTH // 2)
    ('3600 seconds', '1 month', '3 months', '1/2 month')
    """
    months, rest = divmod(step_seconds, MONTH)
    if step_seconds in PARTS:
        return f"1/{PARTS[step_seconds]} month"
    return f"{step_seconds} seconds" if rest else f"{months} month{'s' * (months > 1)}"


def future_times(
    last: tf.Tensor, horizon: int, step_seconds: int, calendar: Calendar, zone: str = "", slots: Sequence[int] = ()
) -> tf.Tensor:
    """Returns the times (batch, horizon) that follow the `last` ones (batch,).

    Args:
        last: int64 (batch,), seconds since 1970.
        horizon: steps ahead.
        step_seconds: between two steps; of months so many times `MONTH`.
        calendar: `business`: steps of a day are weekdays, each at the time of day of the last one; shorter steps are at
            the `slots` of each week; holidays are not known. `month`: steps are on the days `slots` of each month; or
            on the same day, or on its last one where it has fewer days, or where the last time is the end of its month.
        zone: as of `Clock`.
        slots: as of `Clock`. None: shorter steps go on without a pause.

    Example:
        >>> friday = 1_362_096_000
        >>> ((future_times(tf.constant([friday]), 3, DAY, "business") - friday) // DAY).numpy().tolist()
        [[3, 4, 5]]
        >>> ((future_times(tf.constant([friday]), 3, MONTH, "month") - friday) // DAY).numpy().tolist()
        [[31, 61, 92]]
        >>> opening = [day * DAY + hour * 3600 for day in range(5) for hour in (9, 10)]
        >>> ahead = future_times(tf.constant([friday + 10 * 3600]), 3, 3600, "business", "", opening)
        >>> ((ahead - friday) // 3600).numpy().tolist()
        [[81, 82, 105]]
        >>> ahead = future_times(tf.constant([friday + 14 * DAY]), 3, MONTH // 2, "month", "", (15, 31))  # of March
        >>> ((ahead - friday) // DAY).numpy().tolist()
        [[30, 45, 60]]
    """
    last, steps = tf.cast(last, tf.int64), tf.range(1, horizon + 1, dtype=tf.int64)
    if calendar == "month" and slots:
        number = month_parts(last, slots)[:, tf.newaxis] + steps
        start, end = (tf.gather(MONTH_DAYS, number // len(slots) + after) for after in (0, 1))
        day = tf.minimum(tf.gather(tf.constant(slots, tf.int64), number % len(slots)), end - start)
        return (start + day - 1) * DAY + last[:, tf.newaxis] % DAY
    if calendar == "month":
        return _months_ahead(last[:, tf.newaxis], step_seconds // MONTH * steps)
    if calendar == "business" and slots:
        return _slots_ahead(last, steps, zone, slots)
    if calendar == "clock" or step_seconds != DAY:
        return last[:, tf.newaxis] + step_seconds * steps
    weekday = (last[:, tf.newaxis] // DAY + 3) % 7  # 0 is a Monday; 1 January 1970 was a Thursday
    weekday = tf.minimum(weekday, 4)  # a step on a weekend counts as the Friday before
    days_since_weekend = weekday + steps
    ahead = steps + 2 * (days_since_weekend // 5)
    weekend = tf.maximum((last[:, tf.newaxis] // DAY + 3) % 7 - 4, 0)
    return last[:, tf.newaxis] + DAY * (ahead - weekend)


def month_parts(times: Any, slots: Sequence[int] = ()) -> tf.Tensor:
    """Returns how many months, or parts of months whose days are the nearest of `slots`, times (…,) are after 1700.

    Example:
        >>> month_parts([0, 14 * DAY, 30 * DAY], (15, 31)).numpy() - 2 * 270 * 12
        array([0, 0, 1])
    """
    days = tf.cast(times, tf.int64) // DAY
    number = tf.searchsorted(MONTH_DAYS, tf.reshape(days, (-1,)), side="right", out_type=tf.int64) - 1
    number = tf.reshape(number, tf.shape(days))
    day = days - tf.gather(MONTH_DAYS, number) + 1
    borders = [(first + second) // 2 for first, second in itertools.pairwise(slots)]
    return number * max(len(slots), 1) + sum(tf.cast(day > border, tf.int64) for border in borders)


def time_zone(name: str) -> tzinfo:
    """Returns the zone of an IANA name, or of an offset.

    Raises:
        ValueError, ZoneInfoNotFoundError: there is no such zone.

    Example:
        >>> str(time_zone("Europe/Berlin")), str(time_zone("+05:30"))
        ('Europe/Berlin', 'UTC+05:30')
    """
    if re.fullmatch(r"[+-]\d\d:\d\d", name):
        sign, hours, minutes = name[0], int(name[1:3]), int(name[4:])
        return timezone((-1 if sign == "-" else 1) * timedelta(hours=hours, minutes=minutes))
    return ZoneInfo(name)


def local_times(times: tf.Tensor, zone: str) -> tf.Tensor:
    """Returns times as the clock of a zone shows them, int64 seconds; as they are where there is no zone.

    Example:
        >>> times = tf.constant([0, 1_720_000_000], tf.int64)
        >>> (local_times(times, "Europe/Berlin") - times).numpy() // 3600
        array([1, 2])
    """
    times = tf.cast(times, tf.int64)
    if zone in ("", COUNTED, "UTC"):
        return times
    changes, offsets = _offsets(zone)
    place = tf.searchsorted(tf.constant(changes), tf.reshape(times, (-1,)), side="right")
    return times + tf.reshape(tf.gather(tf.constant(offsets), place), tf.shape(times))


@lru_cache
def _offsets(zone: str) -> tuple[np.ndarray, np.ndarray]:
    """When the clock of a zone is set (changes,), and by how much it is ahead of UTC before and after each."""
    info, start = time_zone(zone), datetime(1950, 1, 1, tzinfo=UTC)

    def offset(moment: datetime) -> int:
        return round((info.utcoffset(moment.astimezone(info)) or timedelta()).total_seconds())

    changes, offsets = [], [offset(start)]
    for week in range(52 * 110):
        low, high = start + timedelta(weeks=week), start + timedelta(weeks=week + 1)
        if (after := offset(high)) != offsets[-1]:
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) / 2
                low, high = (middle, high) if offset(middle) == offsets[-1] else (low, middle)
            changes.append(round(high.timestamp()))
            offsets.append(after)
    return np.array(changes, np.int64), np.array(offsets, np.int64)


def _slots_ahead(last: tf.Tensor, steps: tf.Tensor, zone: str, slots: Sequence[int]) -> tf.Tensor:
    local = local_times(last, zone)
    week = tf.math.floordiv(local - MONDAY, 7 * DAY)
    within = local - MONDAY - week * 7 * DAY
    place = tf.searchsorted(tf.constant(slots, tf.int64), within, side="right", out_type=tf.int64)  # the next slot
    number = place[:, tf.newaxis] + steps - 1
    ahead = tf.gather(tf.constant(slots, tf.int64), number % len(slots))
    ahead += MONDAY + 7 * DAY * (week[:, tf.newaxis] + number // len(slots))
    if zone in ("", COUNTED, "UTC"):
        return ahead
    guess = 2 * ahead - local_times(ahead, zone)  # what the clock is ahead of UTC, told at a time some hours off
    return ahead - (local_times(guess, zone) - guess)


def _months_ahead(last: tf.Tensor, months: tf.Tensor) -> tf.Tensor:
    starts, lengths = tf.constant(MONTH_DAYS), tf.constant(np.diff(MONTH_DAYS))
    number = month_parts(last)
    day = last // DAY - tf.gather(starts, number)  # of the month, from 0
    length_ahead = tf.gather(lengths, number + months)
    day = tf.where(day + 1 == tf.gather(lengths, number), length_ahead - 1, tf.minimum(day, length_ahead - 1))
    return (tf.gather(starts, number + months) + day) * DAY + last % DAY
