"""The times of a table's rows, as seconds since 1970 UTC."""

from datetime import datetime, tzinfo
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfoNotFoundError

import numpy as np
import pandas as pd

from pipelines.configuration import ConfigurationError
from pipelines.series.calendar import COUNTED, DAY, Clock, time_zone
from pipelines.series.periods import are_dotted_months
from pipelines.series.regular import Repair, SeriesDataError
from pipelines.series.time_columns import (
    CLOCK,
    equal_steps,
    first_text,
    hours_of,
    is_numeric,
    named_as_time,
    part_of_time,
    rises,
)
from pipelines.series.time_formats import is_like_time, read_times, refuse
from pipelines.series.time_notations import number_reader

_PLACE = r"\s\(?([A-Z][A-Za-z_]+/[A-Za-z_/-]+)\)?$"  # a zone behind the time, such as Europe/Berlin
SLOTS = (24, 48, 96, 144, 288, 1440)  # in a day, that a column may count


class Times(NamedTuple):
    """When the rows of a table are.

    Attributes:
        seconds: int64 (rows,), since 1970 UTC; where rows are only counted, their numbers.
        zone: as of `time_zone`, `COUNTED`, or "" where the times have none.
        kept: bool (rows,), False for rows that are left out.
        repairs: what was decided.
    """

    seconds: np.ndarray
    zone: str
    kept: np.ndarray
    repairs: list[Repair]


def parse_times(
    columns: pd.DataFrame,
    names: pd.Series,
    time_format: str,
    timezone: str,
    path: Path,
    clock: Clock | None = None,
    empty: np.ndarray | None = None,
) -> Times:
    """Returns the times of rows.

    Times with an offset, such as +02:00, are what they say. Those without are in `timezone`, or in UTC. Where a clock
    is set back, the first of two equal times of a series is the one of the summer. Days, and what is longer, are those
    of the local calendar: they have no zone.

    Args:
        columns: the column of the time, or several: of which parts such as `year` and `month` are added up, a column
            that counts within the day is added to its date, and others are joined. None: rows count from 0 in each
            series.
        names: of each row's series.
        time_format: how they are written; found if "".
        timezone: as of `time_zone`; "" for UTC.
        path: their file, for messages.
        clock: of a training. Default: found.
        empty: bool (rows,), where a row holds no value; it may have a time that the clock never showed. Default: none.

    Raises:
        SeriesDataError: a time is missing or unreadable, can be read in two ways, or only some have an offset.
        ConfigurationError: there is no such zone.
    """
    if timezone:
        _checked_zone(timezone)
    kept = np.ones(len(names), bool)
    if not columns.shape[1] and clock is not None and clock.zone != COUNTED and clock.step_seconds > 1:
        raise SeriesDataError(
            f"{path.name}: no column holds the time, by which the run knows its seasons. Expected it as in training, "
            f"such as a column time. Add it. Received: {len(names)} rows without a time"
        )
    if not columns.shape[1]:
        _refuse_settings_of_times(time_format, timezone)
        what = "no column of times: the rows of each series are steps in their order"
        return Times(names.groupby(names).cumcount().to_numpy(np.int64), COUNTED, kept, [Repair("", "", what, 1)])
    written, added, repairs = _joined(columns, path)
    if (missing := written.isna()).any():
        refuse(written, missing, path, "the time is missing")
    if _only_counts(written, time_format) if clock is None else clock.zone == COUNTED:
        _refuse_settings_of_times(time_format, timezone)
        what = "numbers that are not times: taken as steps in their order"
        numbers = pd.to_numeric(written).to_numpy(np.float64)
        steps = equal_steps(numbers) if (numbers % 1).any() else numbers.astype(np.int64)
        if steps is None:
            refuse(written, numbers % 1 != 0, path, "numbers with a fraction count no equal steps")
            raise AssertionError
        return Times(steps, COUNTED, kept, [Repair("", str(written.name), what, len(written))])
    places = written.astype(str).str.extract(_PLACE, expand=False) if is_like_time(first_text(written)) else written[:0]
    if not timezone and len(places) and places.nunique(dropna=False) == 1 and _is_zone(str(places.iloc[0])):
        timezone, written = str(places.iloc[0]), written.str.replace(_PLACE, "", regex=True)
    moments, more = read_times(written, time_format, path, timezone)
    moments = moments + added
    if moments.dt.tz is not None:
        zone = timezone or _zone_name(moments.dt.tz)
        local = moments.dt.tz_convert(time_zone(timezone) if timezone else moments.dt.tz).dt.tz_localize(None)
    else:
        zone, local = timezone, moments
    if _is_daily(local) if clock is None else clock.calendar == "month" or clock.step_seconds % DAY == 0:
        zone, moments = "", local
    elif moments.dt.tz is None:
        moments, gone = _localised(moments, names, timezone) if timezone else (moments, kept & False)
        kept = ~gone
        if (wrong := gone & ~(kept & False if empty is None else empty)).any():
            refuse(written, wrong, path, f"the clock of {timezone} was set forward and never showed this time")
        if gone.any():
            what = f"empty rows at times that the clock of {timezone} never showed, for it was set forward: left out"
            repairs.append(Repair("", str(written.name), what, int(gone.sum()), f"line {written.index[gone.argmax()]}"))
    if moments.dt.tz is not None:
        moments = moments.dt.tz_convert("UTC").dt.tz_localize(None)
    exact = moments.to_numpy().astype("datetime64[ns]" if str(moments.dtype).endswith("[ns]") else "datetime64[ms]")
    rounded = (exact + np.timedelta64(500, "ms")).astype("datetime64[s]")
    odd = (exact != rounded) & kept
    if odd.any():
        distances = np.diff(np.unique(exact))
        if len(distances) and np.median(distances) < np.timedelta64(1, "s"):
            what = "steps shorter than a second: rows are steps in their order"
            order = pd.Series(exact).groupby(names.to_numpy()).rank(method="dense").to_numpy(np.int64) - 1
            return Times(order, COUNTED, kept, [*repairs, *more, Repair("", str(written.name), what, len(order))])
        first = f"line {written.index[np.argmax(odd)]}"
        repairs.append(Repair("", str(written.name), "times rounded to whole seconds", int(odd.sum()), first))
    seconds = np.where(kept, rounded.astype(np.int64), 0)
    return Times(seconds, zone, kept, repairs + more)


def _refuse_settings_of_times(time_format: str, timezone: str) -> None:
    if time_format or timezone:
        name = "time_format" if time_format else "timezone"
        raise ConfigurationError(
            f"data.{name}: the rows are steps in their order, for no column holds times. Name the column, --data.time, "
            f"or leave --data.{name} out. Received: {time_format or timezone!r}"
        )


def _checked_zone(timezone: str) -> None:
    if not _is_zone(timezone):
        raise ConfigurationError(
            f"data.timezone: there is no such zone; expected an IANA name such as Europe/Berlin, or an "
            f"offset such as +05:30. Received: {timezone!r}"
        )


def _is_zone(name: str) -> bool:
    try:
        return bool(time_zone(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False


def _zone_name(zone: tzinfo) -> str:
    """Returns the IANA name of a zone, or its offset where it has none."""
    name = getattr(zone, "key", None) or str(zone)
    return name if _is_zone(name) else datetime(1970, 1, 1, tzinfo=zone).isoformat()[-len("+00:00") :]


def _is_daily(local: pd.Series) -> bool:
    """Whether all times are at one time of the day, days or more apart."""
    times = local.to_numpy().astype("datetime64[s]").astype(np.int64)
    return bool(len(times) and times.min() < times.max() and (times % DAY == times[0] % DAY).all())


def _localised(moments: pd.Series, names: pd.Series, timezone: str) -> tuple[pd.Series, np.ndarray]:
    """Times of a clock that is set twice a year, and where it never showed one."""
    rows = pd.DataFrame({"moment": moments, "name": names})
    local = moments.dt.tz_localize(time_zone(timezone), ambiguous=~rows.duplicated().to_numpy(), nonexistent="NaT")
    return local, local.isna().to_numpy()


def _joined(columns: pd.DataFrame, path: Path) -> tuple[pd.Series, pd.Series, list[Repair]]:
    """One column of several, what to add to it, and what was decided."""
    nothing = pd.Series(pd.Timedelta(0), columns.index)
    if columns.shape[1] == 1:
        return columns.iloc[:, 0], nothing, []
    kinds = [part_of_time(str(name)) for name in columns.columns]
    if "year" in kinds and None not in kinds:
        parts = columns.set_axis(kinds, axis=1)
        if parts["year"].astype(str).str.fullmatch(r"\s*\d{4}(\.0+)?\s*").all():
            return *_added(parts), []
    first, second = columns.iloc[:, 0], columns.iloc[:, 1]
    if columns.shape[1] == 2 and hours_of(second).notna().all() and not CLOCK.fullmatch(first_text(second)):
        added, repairs = _added_slots(hours_of(second), path)
        return first, added, repairs
    together = columns.astype(str).agg(" ".join, axis=1).where(columns.notna().all(axis=1))
    return together.rename(" ".join(map(str, columns.columns))), nothing, []


def _added(parts: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """The date that year, quarter, month, week and day give, and the time within it."""
    filled = parts.notna().all(axis=1)
    for name in {"quarter", "week"} & set(parts):  # such as Q1 and W05
        parts = parts.assign(**{name: parts[name].astype(str).str.extract(r"(\d+)", expand=False)})
    named_months = "month" in parts and not is_numeric(parts["month"])
    if named_months:  # such as 01-January
        parts = parts.assign(month=parts["month"].astype(str).str.replace(r"^\d+\W+(?=\w)", "", regex=True))
    numbers = parts.drop(columns="month") if named_months else parts
    numbers = numbers.apply(pd.to_numeric, errors="coerce").fillna(1).astype(np.int64)
    text = numbers["year"].astype(str)
    if "week" in parts:
        written = text + "-W" + numbers["week"].astype(str).str.zfill(2)
    elif "yearday" in parts:
        written = pd.to_datetime(text + numbers["yearday"].astype(str).str.zfill(3), format="%Y%j", errors="coerce")
    else:
        month = numbers["quarter"] * 3 - 2 if "quarter" in parts else pd.Series(1, parts.index)
        if "month" in parts:
            named = text + " " + parts["month"].astype(str)
            month = read_times(named, "", Path("")).moments.dt.month if named_months else numbers["month"]
        day = numbers["day"] if "day" in parts else pd.Series(1, parts.index)
        written = text + "-" + month.astype(str).str.zfill(2) + "-" + day.astype(str).str.zfill(2)
    added = sum(
        (pd.to_timedelta(numbers[name], unit=name) for name in ("hour", "minute", "second") if name in parts),
        pd.Series(pd.Timedelta(0), parts.index),
    )
    return written.where(filled).rename(" ".join(parts.columns)), added


def _added_slots(slots: pd.Series, path: Path) -> tuple[pd.Series, list[Repair]]:
    """The time within the day that a column counts: hours from 0 or from 1, or other equal parts of the day."""
    if slots.isna().any() or (slots % 1 != 0).any():
        refuse(slots, slots.isna() | (slots % 1 != 0), path, "this counts no hours or other parts of a day")
    low, high = int(slots.min()), int(slots.max())
    if high > 2400 and (slots % 10_000 < 6000).all():  # 153000 is half past three
        return pd.to_timedelta(slots // 10_000 * 3600 + slots // 100 % 100 * 60 + slots % 100, unit="s"), []
    if low >= 100 or (high >= 100 and high in (2300, 2345, 2350, 2355, 2400)):  # 1530 is half past three
        return pd.to_timedelta(slots // 100 * 60 + slots % 100, unit="min"), []
    from_one = low >= 1
    many = next((each for each in SLOTS if high <= each - (not from_one)), None)
    if low == 0 and high == 24:
        return pd.to_timedelta(slots, unit="h"), []
    if many is None:
        refuse(slots, slots == high, path, "this counts no hours or other parts of a day")
        raise AssertionError
    minutes = DAY // 60 // many
    repairs = []
    if from_one:
        what = f"parts of the day counted from 1: the first begins at 00:00, each has {minutes} minutes"
        repairs.append(Repair("", str(slots.name), what, len(slots)))
    return pd.to_timedelta((slots - from_one) * minutes, unit="min"), repairs


def _only_counts(written: pd.Series, time_format: str) -> bool:
    """Whether a column holds numbers that rise evenly and are no times."""
    if time_format or pd.api.types.is_datetime64_any_dtype(written) or isinstance(written.dtype, pd.PeriodDtype):
        return False
    if pd.api.types.is_timedelta64_dtype(written):
        return False
    if not is_numeric(written) or are_dotted_months(written):
        return False
    values = pd.to_numeric(written, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    name = str(written.name)
    if np.isnan(values).any() or number_reader(values, name.lower() != "index" and named_as_time(name)) is not None:
        return False
    return rises(values) if (values % 1 == 0).all() else equal_steps(values) is not None
