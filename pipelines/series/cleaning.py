"""Regular time steps: what is irregular is found, and repaired by a stated rule and counted, or refused by name.

The rule: rows are sorted, identical rows are taken once, and steps without a row get one without values. A missing
value becomes the last one before it, never one after it; before the first one it is the mean of the training period.
`Series.observed` keeps what was measured apart from what was filled.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from pipelines.series.calendar import DAY, MONTH, Calendar, future_times, month_parts, step_text
from pipelines.series.regular import Columns, Repair, Series, SeriesDataError, Table, time_text

SMALLEST = 1e-30  # largest number of a column
LARGEST = float(np.finfo(np.float32).max)
MARKERS = "--data.missing_markers"
FAR = 100  # so many interquartile ranges from the median a value is named as a probable mistake
RARE_DUPLICATES = 0.01  # of the rows: so many different rows of one time are averaged without being asked to
EPSILON = float(np.finfo(np.float32).eps)
INFINITE = "infinite values: taken as missing"
LOST = 0.01  # share of a common change, that may be lost in single precision
FEWEST_STEPS_PRESENT = 0.5  # below it the steps of a series are no steps of its clock


def regularise(
    tables: Sequence[Table],
    columns: Columns,
    calendar: Calendar,
    step_seconds: int | None = None,
    duplicates: str = "auto",
    offsets: Mapping[str, Sequence[float]] | None = None,
    slots: Sequence[int] = (),
) -> tuple[list[Series], int, list[Repair]]:
    """Puts rows on regular time steps, NaN where one is missing.

    Args:
        tables: the rows of each series.
        columns: names of their columns.
        calendar: "clock" for equal distances in time; "business" for rows in their order, whatever lies between;
            "month" for one in each month, quarter or year.
        step_seconds: the distance in time; found, as the commonest one, if not given.
        duplicates: what different rows of one time become: their `mean` or `sum`, the `first` or the `last`; `auto`:
            their mean where they are at most 1 % of the rows.
        offsets: what is taken away from the targets of each series, by its name, "" for all others. Default: found.
        slots: of parts of months, as of `Clock`.

    Returns:
        The series, the seconds between two steps, and what was repaired.

    Raises:
        SeriesDataError: many rows of one time differ, a time is beside the clock, or most steps are missing.
    """
    repairs: list[Repair] = []
    tables = [_sorted(_finite(table, columns, repairs), repairs, duplicates) for table in tables]
    for table in tables:
        _name_outliers(table, columns, repairs)
    unit = MONTH if calendar == "month" else 1
    step_seconds = step_seconds or unit * commonest_step([_ticks(table, calendar, slots) for table in tables])
    if calendar != "business":
        tables = [_in_steps(table, step_seconds, calendar, slots, repairs) for table in tables]
    series = []
    for table in tables:
        known = (offsets or {}).get(table.name, (offsets or {}).get(""))
        offset = _offsets(table, columns) if known is None else np.asarray(known)
        values = table.values.copy()
        values[:, : len(columns.targets)] -= offset
        observed = np.isfinite(table.values)
        series.append(
            Series(table.name, table.times, values.astype(np.float32), observed, offset=offset if offset.any() else 0.0)
        )
    return series, step_seconds, repairs


def commonest_step(times: Sequence[np.ndarray]) -> int:
    """The commonest distance between neighbours in sorted times, over all series; the shorter one of two.

    >>> commonest_step([np.array([0, 60, 120, 300]), np.array([0, 60])])
    60
    """
    distances, counts = np.unique(np.concatenate([np.diff(each) for each in times]), return_counts=True)
    if not len(distances):
        raise SeriesDataError(
            "There is no series of two rows or more; expected a row for each time. Give longer series"
            + ", or, if the rows belong to one series, leave out --data.series" * (len(times) > 1)
            + f". Received: {sum(map(len, times))} rows in {len(times)} series"
        )
    return int(distances[np.argmax(counts)])


def fill(series: Series, columns: Columns, train_end: int) -> tuple[Series, list[Repair]]:
    """Fills each missing value with the last one before it, and before the first one with the mean of training.

    Args:
        series: regular, NaN where missing.
        columns: names of its columns.
        train_end: the first step that is not training. A mean over more would tell of the future.

    Example:
        >>> values = np.array([[np.nan], [1.0], [3.0], [np.nan], [9.0]], np.float32)
        >>> series = Series("a", np.arange(5), values, np.isfinite(values))
        >>> fill(series, Columns(("x",)), train_end=4)[0].values.ravel()
        array([2., 1., 3., 3., 9.], dtype=float32)
    """
    if series.observed.all() and series.levels is None:
        return series, []
    latest = _latest(series.observed)
    known = np.where(series.observed, series.values, 0)[:train_end].sum(axis=0, dtype=np.float64)
    mean = known / np.maximum(series.observed[:train_end].sum(axis=0), 1)  # (columns,), 0 where there is no value
    filled = np.where(latest >= 0, np.take_along_axis(series.values, np.maximum(latest, 0), axis=0), mean)
    repairs = []
    for number, column in enumerate(columns.all):
        missing = np.flatnonzero(~series.observed[:, number])
        if len(missing):
            what = "missing values: the last value before, or before the first the mean of the training period"
            repairs.append(Repair(series.name, column, what, len(missing), time_text(series.times[missing[0]])))
    levels = series.levels
    if levels is not None:
        levels = np.take_along_axis(levels, np.maximum(_latest(np.isfinite(levels)), 0), axis=0)
    return series._replace(values=filled.astype(np.float32), levels=levels), repairs


def _latest(observed: np.ndarray) -> np.ndarray:
    """At each step the last step of each column that was observed, −1 if there was none yet: (time, columns)."""
    steps = np.arange(len(observed))[:, np.newaxis]
    return np.maximum.accumulate(np.where(observed, steps, -1), axis=0)


def _in_steps(
    table: Table, step_seconds: int, calendar: Calendar, slots: Sequence[int], repairs: list[Repair]
) -> Table:
    """The rows on the steps of a calendar; nearly all tables have them there."""
    if calendar == "clock" and (np.diff(table.times) == step_seconds).all():
        return table
    return _on_clock(_snapped(table, step_seconds, calendar, repairs), step_seconds, calendar, slots, repairs)


def _finite(table: Table, columns: Columns, repairs: list[Repair]) -> Table:
    sizes = np.abs(table.values)
    infinite = sizes > LARGEST
    if not infinite.any() and not ((sizes > 0) & (sizes < SMALLEST)).any():
        return table
    for number in np.flatnonzero(infinite.any(axis=0)):
        rows = np.flatnonzero(infinite[:, number])
        first = f"line {table.lines[rows[0]]}"
        repairs.append(Repair(table.name, columns.all[number], INFINITE, len(rows), first))
    highest = np.abs(table.values).max(axis=0, initial=0, where=np.isfinite(table.values))
    for number in np.flatnonzero((highest > 0) & (highest < SMALLEST)):
        raise SeriesDataError(
            f"{table.file}: the numbers of {columns.all[number]!r} are smaller than single precision holds; expected "
            f"some of at least {SMALLEST:g}. Use a smaller unit, so that they become larger. Received: "
            f"{highest[number]:g} at most"
        )
    return table._replace(values=np.where(infinite, np.nan, table.values))


def _name_outliers(table: Table, columns: Columns, repairs: list[Repair]) -> None:
    """Names what lies so far from everything else that it is rather a mistake, such as −9999 for a missing value."""
    for number, column in enumerate(columns.all):
        values = table.values[:, number]
        ordered = np.sort(values)  # NaN last
        if (marker := _marker(ordered)) is not None:
            what = f"values {marker:g}, far from all others: kept; if they mark missing ones, set {MARKERS} {marker:g}"
            at = np.flatnonzero(values == marker)
            repairs.append(Repair(table.name, column, what, len(at), f"line {table.lines[at[0]]}: {marker:g}"))
            continue
        if not len(ordered) or np.isnan(ordered[0]) or ordered[-1] - ordered[0] <= FAR * _inner_range(ordered):
            continue
        lower, middle, upper = np.nanquantile(values, (0.25, 0.5, 0.75))
        far = np.flatnonzero((np.abs(values - middle) > FAR * (upper - lower)) & (upper > lower))
        if len(far):
            what = f"values more than {FAR} interquartile ranges from the median: kept; empty those that are mistakes"
            first = f"line {table.lines[far[0]]}: {values[far[0]]:g}"
            repairs.append(Repair(table.name, column, what, len(far), first))


def _marker(ordered: np.ndarray) -> float | None:
    """The lowest or highest number, if it is written in nines and farther from the others than these from each other.

    Args:
        ordered: numbers, NaN last.

    Example:
        >>> _marker(np.array([-999.0, -999.0, 3.5, 21.0])), _marker(np.array([7.0, 8.0, 9.0]))
        (-999.0, None)
    """
    known = ordered[: np.searchsorted(ordered, np.inf)]
    for marker in known[[0, -1]] if len(known) else ():
        if re.fullmatch(r"-?9{2,}(\.9*)?", f"{marker:.10g}"):
            rest = known[known != marker]
            if len(rest) > 1 and np.abs(rest - marker).min() > max(np.ptp(rest), np.abs(rest).max()):
                return float(marker)
    return None


def _inner_range(ordered: np.ndarray) -> float:
    """At most the interquartile range, by the values within it; NaN if one is missing."""
    last = len(ordered) - 1
    return float(ordered[3 * last // 4] - ordered[-(-last // 4)])


def _offsets(table: Table, columns: Columns) -> np.ndarray:
    """A level (targets,) of each target whose changes are so small beside it that single precision would lose some."""
    found = np.zeros(len(columns.targets))
    for number in range(len(found)):
        values = table.values[np.isfinite(table.values[:, number]), number]
        steps = np.abs(np.diff(values))
        steps = steps[steps > 0]
        lost = np.abs(values).max(initial=0) * EPSILON / LOST
        if len(steps) and lost > steps.min() and lost > np.median(steps):
            found[number] = np.round(np.median(values))
    return found


def _sorted(table: Table, repairs: list[Repair], duplicates: str) -> Table:
    """The rows in the order of time, those of one time once."""
    if (np.diff(table.times) > 0).all():
        return table
    unsorted = np.flatnonzero(table.times < np.maximum.accumulate(table.times))
    if len(unsorted):
        first = f"line {table.lines[unsorted[0]]}"
        repairs.append(Repair(table.name, "", "rows that are earlier than one before: sorted", len(unsorted), first))
    order = np.argsort(table.times, kind="stable")
    table = table._replace(times=table.times[order], values=table.values[order], lines=table.lines[order])
    repeated = np.flatnonzero(np.diff(table.times) == 0) + 1  # each the same time as the row before
    if not len(repeated):
        return table
    row, before = table.values[repeated], table.values[repeated - 1]  # (repeated, columns)
    equal = ((row == before) | (np.isnan(row) & np.isnan(before))).all(axis=1)
    if not equal.all():
        return _merged(table, repeated[~equal], repairs, duplicates)
    first = f"line {table.lines[repeated[0]]}"
    repairs.append(Repair(table.name, "", "rows that repeat another one: taken once", len(repeated), first))
    kept = np.setdiff1d(np.arange(len(table.times)), repeated)
    return table._replace(times=table.times[kept], values=table.values[kept], lines=table.lines[kept])


def _merged(table: Table, different: np.ndarray, repairs: list[Repair], rule: str) -> Table:
    """Different rows of one time as one, by a rule; a missing value is none of those that are merged."""
    times, lines, second = table.times, table.lines, different[0]
    if rule == "auto" and len(different) > RARE_DUPLICATES * len(times):
        raise SeriesDataError(
            f"{table.file}, lines {lines[second - 1]} and {lines[second]} have the same time and different values; "
            "expected one row a time. If a clock was set back there, name its zone, such as --data.timezone "
            "Europe/Berlin; if they belong to different series, name the column that says which, --data.series; "
            "otherwise remove one, or say what they become, --data.duplicates mean. Received: "
            f"{time_text(times[second])} UTC twice in the series {table.name!r}"
        )
    rule = "mean" if rule == "auto" else rule
    starts = np.flatnonzero(np.diff(times, prepend=times[0] - 1))
    known = np.isfinite(table.values)
    if rule in ("mean", "sum"):
        values = np.add.reduceat(np.where(known, table.values, 0.0), starts)
        counts = np.add.reduceat(known.astype(np.int64), starts)
        values = np.where(counts > 0, values / (np.maximum(counts, 1) if rule == "mean" else 1), np.nan)
    else:
        ends = np.append(starts[1:], len(times)) - 1
        values = table.values[starts if rule == "first" else ends]
    names = {"mean": "their mean", "sum": "their sum", "first": "the first of them", "last": "the last of them"}
    first = f"lines {lines[second - 1]} and {lines[second]}"
    remedy = "--data.duplicates"
    if not table.zone and (times % DAY).any():
        remedy += "; if a clock was set back there, --data.timezone names its zone and keeps both"
    what = f"rows of the same time and different values: {names[rule]} ({remedy})"
    repairs.append(Repair(table.name, "", what, len(times) - len(starts), first))
    return table._replace(times=times[starts], values=values, lines=lines[starts])


def _snapped(table: Table, step_seconds: int, calendar: Calendar, repairs: list[Repair]) -> Table:
    """The rows on the nearest steps, where all are less than a quarter of a step beside one."""
    if calendar == "month" or not len(table.times):
        return table
    phases, counts = np.unique(table.times % step_seconds, return_counts=True)
    phase = phases[np.argmax(counts)] if counts.max() > len(table.times) / 2 else 0
    beside = (table.times - phase + step_seconds // 2) % step_seconds - step_seconds // 2
    far = np.abs(beside).max()
    late = np.count_nonzero(beside) > len(beside) / 2  # a clock that is never exact, and not one mistaken row
    if not far or far >= step_seconds / (4 if late else 100):
        return table
    times = table.times - beside
    if not np.diff(times).all():
        return table
    first = f"line {table.lines[np.flatnonzero(beside)[0]]}"
    what = f"times up to {far} seconds beside the clock: moved to its next step"
    repairs.append(Repair(table.name, "", what, int(np.count_nonzero(beside)), first))
    return table._replace(times=times)


def _ticks(table: Table, calendar: Calendar, slots: Sequence[int]) -> np.ndarray:
    """The times as the calendar counts them (rows,): in months or parts of months, or in seconds."""
    if calendar != "month":
        return table.times
    months = month_parts(table.times, slots).numpy()
    if not np.diff(months).all():
        first = int(np.argmin(np.diff(months)))
        two = slice(first, first + 2)
        lines, times = " and ".join(map(str, table.lines[two])), " and ".join(map(time_text, table.times[two]))
        raise SeriesDataError(
            f"{table.file}, lines {lines} are of one month, or of one part of it; expected one row for each. Sum or "
            f"average them, or leave out --data.calendar month. Received: {times} in the series {table.name!r}"
        )
    return months


def _on_clock(
    table: Table, step_seconds: int, calendar: Calendar, slots: Sequence[int], repairs: list[Repair]
) -> Table:
    """The rows on the steps of a calendar, with rows of NaN for steps that have none."""
    ticks = _ticks(table, calendar, slots)
    step = max(step_seconds // MONTH, 1) if calendar == "month" else step_seconds
    phases, counts = np.unique(ticks % step, return_counts=True)
    phase = phases[np.argmax(counts)]
    beside = np.flatnonzero(ticks % step != phase)
    if len(beside):
        of_days = step_seconds % DAY == 0 and not ((ticks - phase) % 3600).any()
        days = "if they are the days of a place, name its zone, such as --data.timezone Europe/Berlin; " * of_days
        raise SeriesDataError(
            f"{table.file}, line {table.lines[beside[0]]}: the time is beside the clock of the series, which has a "
            f"step every {step_text(step_seconds)}; so are {len(beside) - 1} more. Round or resample the times; {days}"
            "if rows are steps in their order, such as trading days, set --data.calendar business; if they are of "
            "months, quarters or years, --data.calendar month. Received: "
            f"{time_text(table.times[beside[0]])} UTC in the series {table.name!r}"
        )
    first = table.times[0]
    positions = (ticks - ticks[0]) // step
    steps = int(positions[-1]) + 1
    if len(positions) < FEWEST_STEPS_PRESENT * steps:
        raise SeriesDataError(
            f"{table.file}: the series {table.name!r} has a row for {len(positions)} of its {steps} steps of "
            f"{step_text(step_seconds)}; expected at least {FEWEST_STEPS_PRESENT:.0%}. Give all series the same "
            "distance in time, or cut the part with the gap off. Received: rows from "
            f"{time_text(first)} to {time_text(table.times[-1])} UTC"
        )
    if steps == len(positions):
        return table
    times = np.append(first, future_times(tf.constant([first]), steps - 1, step_seconds, calendar, "", slots)[0])
    times[positions] = table.times
    values = np.full((steps, table.values.shape[1]), np.nan)
    values[positions] = table.values
    lines = np.zeros(steps, np.int64)
    lines[positions] = table.lines
    missing = time_text(times[np.argmin(np.isin(np.arange(steps), positions))])
    what = "steps without a row: added, without values"
    repairs.append(Repair(table.name, "", what, steps - len(positions), missing))
    return table._replace(times=times, values=values, lines=lines)
