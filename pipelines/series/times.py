"""The times of a table's rows, as seconds since 1970 UTC."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd

from pipelines.configuration import ConfigurationError
from pipelines.series.calendar import COUNTED, DAY, Clock
from pipelines.series.regular import Repair, SeriesDataError
from pipelines.series.time_formats import is_like_time, number_reader, read_times, refuse

NAMES = (
    *("time", "date", "datetime", "timestamp", "date time", "ds", "period", "day", "hour", "month", "quarter", "week"),
    *("year", "utc", "datum", "zeit", "zeitpunkt", "zeitstempel", "fecha", "epoch", "index", "step", "t", "jahr"),
)
PARTS = {
    "year": ("year", "yr", "yyyy", "jahr", "año", "année"),
    "quarter": ("quarter", "qtr", "quartal"),
    "month": ("month", "mon", "mo", "mm", "monat", "mes", "mois"),
    "week": ("week", "kw", "woche", "isoweek"),
    "day": ("day", "dd", "tag", "day of month"),
    "yearday": ("doy", "day of year", "yday", "julian day"),
    "hour": ("hour", "hr", "hh", "stunde"),
    "minute": ("minute", "min"),
    "second": ("second", "sec"),
}
"""What a column of numbers that is a part of the time may be called."""
WITHIN_DAY = re.compile(r"(hour|hr|he|stunde|settlement period|period|interval|slot|sp|hour ending|heure|hora)s?\b.*")
SLOTS = (24, 48, 96, 144, 288, 1440)  # in a day, that a column may count
_CLOCK = re.compile(r"\d{1,2}:\d\d(:\d\d(\.\d+)?)?( ?[AaPp][Mm])?")


class Times(NamedTuple):
    """When the rows of a table are.

    Attributes:
        seconds: int64 (rows,), since 1970 UTC; where rows are only counted, their numbers.
        zone: IANA name, `COUNTED`, or "" where the times have none.
        kept: bool (rows,), False for rows that are left out.
        repairs: what was decided.
    """

    seconds: np.ndarray
    zone: str
    kept: np.ndarray
    repairs: list[Repair]


def find_time_columns(frame: pd.DataFrame, others: Sequence[str], path: Path) -> tuple[str, ...]:
    """The column of the times, or several that give it together; none where rows are in their order only.

    It is the first one that holds times, those of the names in `NAMES` before others; or columns such as year and
    month; or numbers under such a name. Where it holds days only, and another column holds hours, it is both.

    Args:
        frame: the table.
        others: columns that are known to be something else.
        path: its file, for the message.
    """
    candidates = [str(name) for name in frame.columns if name not in others]
    by_name = sorted((name for name in candidates if _rank(name) < len(NAMES)), key=_rank)
    by_content = [name for name in candidates if is_like_time(_first(frame[name])) or _is_time(frame[name])]
    found = [name for name in by_name if name in by_content] + by_content
    if found:
        within = _within_day(frame, found[0], [name for name in candidates if name != found[0]])
        return (found[0], within) if within else (found[0],)
    if parts := _parts_of(frame, candidates):
        return parts
    for name in by_name:
        if _holds_times(frame[name], exactly=True):
            return (name,)
    for name in candidates[:1]:  # a first column of years, dates in digits, or seconds since 1970
        numbers = pd.to_numeric(frame[name], errors="coerce").astype(np.float64).to_numpy()
        if len(numbers) > 1 and (np.diff(numbers) > 0).all() and number_reader(numbers, named=False):
            return (name,)
    words = [name for name in candidates if _first(frame[name]) and not _is_numeric(frame[name])]
    looks = [name for name in by_name if name in words]
    if looks or len(words) == len(candidates):
        raise SeriesDataError(
            f"{path} has no column of times that can be told; expected one such as 2024-01-31 15:00. Name it: "
            f"--data.time. Received: the columns {', '.join(candidates)}"
        )
    return ()


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
        timezone: IANA name; "" for UTC.
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
    if not columns.shape[1]:
        what = "no column of times: the rows of each series are steps in their order"
        return Times(names.groupby(names).cumcount().to_numpy(np.int64), COUNTED, kept, [Repair("", "", what, 1)])
    written, added, repairs = _joined(columns, path)
    if (missing := written.isna()).any():
        refuse(written, missing, path, "the time is missing")
    if _only_counts(written, time_format) if clock is None else clock.zone == COUNTED:
        what = "whole numbers that are no times: steps in their order"
        numbers = pd.to_numeric(written).to_numpy(np.float64).astype(np.int64)
        return Times(numbers, COUNTED, kept, [Repair("", str(written.name), what, len(written))])
    moments, more = read_times(written, time_format, path)
    moments = moments + added
    if moments.dt.tz is not None:
        zone = timezone or getattr(moments.dt.tz, "key", None) or str(moments.dt.tz)
        zone = zone if _is_zone(zone) else "UTC"
        local = moments.dt.tz_convert(zone).dt.tz_localize(None)
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


def _checked_zone(timezone: str) -> None:
    if not _is_zone(timezone):
        raise ConfigurationError(
            f"data.timezone: there is no such zone; expected an IANA name such as Europe/Berlin. Received: {timezone!r}"
        )


def _is_zone(name: str) -> bool:
    try:
        return bool(ZoneInfo(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False


def _is_daily(local: pd.Series) -> bool:
    """Whether all times are at one time of the day, days or more apart."""
    times = local.to_numpy().astype("datetime64[s]").astype(np.int64)
    times = np.unique(times)
    return len(times) > 1 and len(np.unique(times % DAY)) == 1


def _localised(moments: pd.Series, names: pd.Series, timezone: str) -> tuple[pd.Series, np.ndarray]:
    """Times of a clock that is set twice a year, and where it never showed one."""
    rows = pd.DataFrame({"moment": moments, "name": names})
    local = moments.dt.tz_localize(ZoneInfo(timezone), ambiguous=~rows.duplicated().to_numpy(), nonexistent="NaT")
    return local, local.isna().to_numpy()


def _joined(columns: pd.DataFrame, path: Path) -> tuple[pd.Series, pd.Series, list[Repair]]:
    """One column of several, what to add to it, and what was decided."""
    nothing = pd.Series(pd.Timedelta(0), columns.index)
    if columns.shape[1] == 1:
        return columns.iloc[:, 0], nothing, []
    kinds = [_part(str(name)) for name in columns.columns]
    if "year" in kinds and None not in kinds:
        parts = columns.set_axis(kinds, axis=1)
        if parts["year"].astype(str).str.fullmatch(r"\s*\d{4}(\.0+)?\s*").all():
            return *_added(parts), []
    first, second = columns.iloc[:, 0], columns.iloc[:, 1]
    if columns.shape[1] == 2 and _is_numeric(second) and not _CLOCK.fullmatch(_first(second)):
        added, repairs = _added_slots(first, pd.to_numeric(second), path)
        return first, added, repairs
    return columns.astype(str).agg(" ".join, axis=1).where(columns.notna().all(axis=1)), nothing, []


def _added(parts: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """The date that year, quarter, month, week and day give, and the time within it."""
    filled = parts.notna().all(axis=1)
    numbers = parts.drop(columns=[name for name in ("month",) if not _is_numeric(parts[name])] if "month" in parts else [])
    numbers = numbers.apply(pd.to_numeric, errors="coerce").fillna(1).astype(np.int64)
    text = numbers["year"].astype(str)
    if "week" in parts:
        written = text + "-W" + numbers["week"].astype(str).str.zfill(2)
    elif "yearday" in parts:
        written = pd.to_datetime(text + numbers["yearday"].astype(str).str.zfill(3), format="%Y%j", errors="coerce")
    else:
        month = numbers["quarter"] * 3 - 2 if "quarter" in parts else pd.Series(1, parts.index)
        if "month" in parts:
            words = not _is_numeric(parts["month"])
            month = read_times(text + " " + parts["month"], "", Path("")).moments.dt.month if words else numbers["month"]
        day = numbers["day"] if "day" in parts else pd.Series(1, parts.index)
        written = text + "-" + month.astype(str).str.zfill(2) + "-" + day.astype(str).str.zfill(2)
    added = sum(
        (pd.to_timedelta(numbers[name], unit=name) for name in ("hour", "minute", "second") if name in parts),
        pd.Series(pd.Timedelta(0), parts.index),
    )
    return written.where(filled).rename(" ".join(parts.columns)), added


def _added_slots(dates: pd.Series, slots: pd.Series, path: Path) -> tuple[pd.Series, list[Repair]]:
    """The time within the day that a column counts: hours from 0 or from 1, or other equal parts of the day."""
    if slots.isna().any() or (slots % 1 != 0).any():
        refuse(slots, slots.isna() | (slots % 1 != 0), path, "this counts no hours or other parts of a day")
    low, high = int(slots.min()), int(slots.max())
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
    numbers = pd.to_numeric(written, errors="coerce").astype(np.float64)
    if numbers.isna().any() or (numbers % 1 != 0).any():
        return False
    values = numbers.to_numpy()
    return number_reader(values, str(written.name).lower() != "index") is None and _rises(values)


def _rises(values: np.ndarray) -> bool:
    distances = np.diff(np.unique(values))
    return len(distances) > 0 and float((distances == np.median(distances)).mean()) > 0.5


def _holds_times(column: pd.Series, exactly: bool = False) -> bool:
    """Whether a column of numbers holds times, or counts the steps."""
    numbers = pd.to_numeric(column, errors="coerce").astype(np.float64)
    if numbers.isna().all():
        return False
    values = numbers.dropna().to_numpy()
    whole = bool((values % 1 == 0).all())
    return number_reader(values) is not None or (exactly and whole and _rises(values) and len(np.unique(values)) > 1)


def _within_day(frame: pd.DataFrame, date: str, candidates: Sequence[str]) -> str:
    """The column that says when within the day, "" where the date does."""
    first = _first(frame[date])
    if isinstance(frame[date].dtype, pd.PeriodDtype):
        return ""
    if _is_time(frame[date]) and frame[date].dt.time.nunique() > 1:
        return ""
    if ":" in first and not re.search(r"[T ]00:00(:00)?$", first):
        return ""
    if not frame[date].duplicated().any() and not any(_CLOCK.fullmatch(_first(frame[name])) for name in candidates):
        return ""
    if ":" in first and frame[date].nunique() == len(frame):
        return ""
    for name in candidates:
        if _CLOCK.fullmatch(_first(frame[name])):
            return name
    for name in candidates:
        if WITHIN_DAY.fullmatch(_plain(name)) and _is_numeric(frame[name]):
            numbers = pd.to_numeric(frame[name], errors="coerce")
            if numbers.notna().all() and (numbers % 1 == 0).all() and numbers.between(0, 2400).all():
                return name
    return ""


def _parts_of(frame: pd.DataFrame, candidates: Sequence[str]) -> tuple[str, ...]:
    """Columns such as year and month, in the order of `PARTS`; none where they give no time."""
    found = {kind: name for name in reversed(candidates) if (kind := _part(name))}
    if "year" not in found or not _holds_times(frame[found["year"]]):
        return ()
    if "month" not in found and "yearday" not in found:
        found.pop("day", None)
    parts = [found[kind] for kind in PARTS if kind in found]
    distinct = frame[parts].drop_duplicates()
    return tuple(parts) if len(distinct) > frame[found["year"]].nunique() or len(parts) == 1 else (found["year"],)


def _part(name: str) -> str | None:
    return next((kind for kind, names in PARTS.items() if _plain(name) in names), None)


def _rank(name: str) -> int:
    """The place of a column's name, or of a word in it, among those of times."""
    plain = _plain(name)
    if plain in NAMES:
        return NAMES.index(plain)
    words = [word for word in re.split(r"[^\w]+", plain) if word in NAMES[:4]]
    return len(NAMES) - 1 if words else len(NAMES)


def _is_time(column: pd.Series) -> bool:
    return pd.api.types.is_datetime64_any_dtype(column) or isinstance(column.dtype, pd.PeriodDtype)


def _is_numeric(column: pd.Series) -> bool:
    return bool(pd.to_numeric(column.dropna().head(100), errors="coerce").notna().all())


def _first(column: pd.Series) -> str:
    """The first value as text, "" for numbers."""
    values = column.dropna()
    return "" if values.empty or pd.api.types.is_numeric_dtype(column) else str(values.iloc[0]).strip()


def _plain(name: object) -> str:
    return re.sub(r"[\s_]+", " ", str(name)).strip().lower()
