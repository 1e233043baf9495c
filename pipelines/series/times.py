"""Times as people write them, as seconds since 1970 UTC."""

import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd

from pipelines.configuration import ConfigurationError
from pipelines.series.regular import Repair, SeriesDataError

NAMES = ("time", "date", "datetime", "timestamp", "date time", "ds", "day", "hour", "month", "week", "utc", "index")
DATES = ("%d.%m.%Y", "%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d.%m.%y", "%d %b %Y", "%b %d, %Y")
CLOCKS = ("", " %H:%M:%S", " %H:%M", " %I:%M:%S %p", " %I:%M %p", "T%H:%M:%S")
PARTS = {"year", "month", "day", "hour", "minute", "second"}
_DAY = re.compile(r"\d{1,4}[-/.]\d{1,2}([-/.]\d{1,4})?([ T]|$)")
_CLOCK = re.compile(r"\d{1,2}:\d\d(:\d\d)?")
_OFFSET = re.compile(r"\d:\d\d.*?\s*(Z|UTC|GMT|[+-]\d\d:?\d\d)$")


def find_time_columns(frame: pd.DataFrame, others: Sequence[str], path: Path) -> tuple[str, ...]:
    """The column of the times: by its name, or the first one whose first value is a time and no number.

    Where it holds days only, and another column holds hours such as 15:00, it is both.

    Args:
        frame: the table.
        others: columns that are known to be something else.
        path: its file, for the message.
    """
    candidates = [str(name) for name in frame.columns if name not in others]
    by_name = sorted((name for name in candidates if _plain(name) in NAMES), key=lambda name: NAMES.index(_plain(name)))
    by_content = [name for name in candidates if _DAY.match(_first(frame[name]))]
    found = [name for name in by_name if name in by_content] + by_content + by_name
    if not found:
        raise SeriesDataError(
            f"{path} has no column of times that can be told; expected one such as 2024-01-31 15:00. Name it: "
            f"--data.time. Received: the columns {', '.join(candidates)}"
        )
    clocks = [name for name in candidates if _CLOCK.fullmatch(_first(frame[name]))]
    return (found[0], clocks[0]) if clocks and ":" not in _first(frame[found[0]]) else (found[0],)


def parse_times(
    columns: pd.DataFrame, names: pd.Series, time_format: str, timezone: str, path: Path
) -> tuple[np.ndarray, str, list[Repair]]:
    """Returns the times of rows as int64 seconds since 1970 UTC (rows,), their zone, "" if they have none, and repairs.

    Times with an offset, such as +02:00, are what they say. Those without are in `timezone`, or in UTC. Where a clock
    is set back, the first of two equal times of a series is the one of the summer.

    Args:
        columns: the column of the times; or several, of which `year`, `month`, `day` … are added up and others joined.
        names: of each row's series.
        time_format: how they are written; found if "".
        timezone: IANA name; "" for UTC.
        path: their file, for messages.

    Raises:
        SeriesDataError: a time is missing or unreadable, can be read in two ways, or only some have an offset.
        ConfigurationError: there is no such zone.
    """
    written = _joined(columns)
    if (missing := written.isna()).any():
        _refuse(written, missing, path, "the time is missing")
    repairs: list[Repair] = []
    if pd.api.types.is_datetime64_any_dtype(written):
        moments = written
    elif time_format:
        moments = _parsed(written.astype(str).str.strip(), time_format, path)
    elif pd.api.types.is_numeric_dtype(written):
        moments = _from_numbers(written, path)
    else:
        moments = _from_text(written.astype(str).str.strip(), path, repairs)
    zone = timezone if moments.dt.tz is None else getattr(moments.dt.tz, "key", "UTC")
    if moments.dt.tz is None:
        moments = _localised(moments, names, timezone, path) if timezone else moments.dt.tz_localize("UTC")
    moments = moments.dt.tz_convert("UTC").dt.as_unit("ns")
    fractions = moments.astype(np.int64) % 1_000_000_000 != 0
    if fractions.any():
        _refuse(written, fractions, path, "the time has fractions of a second, and steps are whole seconds or more")
    return moments.dt.as_unit("s").astype(np.int64).to_numpy(), zone, repairs


def _joined(columns: pd.DataFrame) -> pd.Series:
    if columns.shape[1] == 1:
        return columns.iloc[:, 0]
    plain = columns.rename(columns=_plain)
    if set(plain.columns) <= PARTS:
        return pd.to_datetime(plain, errors="coerce")
    return columns.astype(str).agg(" ".join, axis=1).where(columns.notna().all(axis=1))


def _from_numbers(written: pd.Series, path: Path) -> pd.Series:
    """Days as 20240131, or seconds or milliseconds since 1970."""
    smallest, largest = written.min(), written.max()
    if smallest >= 19000101 and largest <= 21001231:
        return _parsed(written.astype(np.int64).astype(str), "%Y%m%d", path)
    for unit, scale in (("s", 1), ("ms", 1000)):
        if 1e8 * scale <= smallest and largest < 1e10 * scale:
            return pd.to_datetime(written, unit=unit)
    raise SeriesDataError(
        f"{path}, column {written.name!r}: numbers from {smallest:g} to {largest:g} are no times; expected text such "
        "as 2024-01-31 15:00, or seconds or milliseconds since 1970. Write times, or name another column, --data.time. "
        f"Received: {written.iloc[0]!r}"
    )


def _from_text(written: pd.Series, path: Path, repairs: list[Repair]) -> pd.Series:
    offsets = written.str.extract(_OFFSET, expand=False)
    if offsets.notna().any():
        some = offsets.isna()
        if some.any():
            _refuse(written, some, path, "times with and without a zone are mixed, and this one has none")
        if (kinds := sorted(offsets.unique())) and len(kinds) > 1:
            what = f"times in the zones {', '.join(kinds)}: converted to UTC"
            repairs.append(Repair("", str(written.name), what, len(written)))
        return _parsed(written, "ISO8601", path, utc=True)
    if re.match(r"\d{4}-\d", written.iloc[0]):
        return _parsed(written, "ISO8601", path)
    formats = [date + clock for date, clock in itertools.product(DATES, CLOCKS)]
    first = written.iloc[:1]
    possible = [each for each in formats if pd.to_datetime(first, format=each, errors="coerce").notna().all()]
    if not possible:
        _refuse(written, written.index == written.index[0], path, "the time cannot be read")
    read = {each: pd.to_datetime(written, format=each, errors="coerce") for each in possible}
    fewest = min(moments.isna().sum() for moments in read.values())
    best = {each: moments for each, moments in read.items() if moments.isna().sum() == fewest}
    chosen, moments = next(iter(best.items()))
    if fewest:
        _refuse(written, moments.isna(), path, f"the time cannot be read as {chosen}")
    if any(not other.equals(moments) for other in best.values()):
        raise SeriesDataError(
            f"{path}, column {written.name!r}: the times can be read in several ways, {' and '.join(best)}; expected "
            f"one. Say which: --data.time_format {chosen}. Received: {written.iloc[0]!r}"
        )
    return moments


def _parsed(written: pd.Series, time_format: str, path: Path, utc: bool = False) -> pd.Series:
    moments = pd.to_datetime(written, format=time_format, errors="coerce", utc=utc)
    if (wrong := moments.isna()).any():
        _refuse(written, wrong, path, f"the time cannot be read as {time_format}")
    return moments


def _localised(moments: pd.Series, names: pd.Series, timezone: str, path: Path) -> pd.Series:
    """Times of a clock that is set twice a year."""
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError):
        raise ConfigurationError(
            f"data.timezone: there is no such zone; expected an IANA name such as Europe/Berlin. Received: {timezone!r}"
        ) from None
    rows = pd.DataFrame({"moment": moments, "name": names})
    local = moments.dt.tz_localize(zone, ambiguous=~rows.duplicated().to_numpy(), nonexistent="NaT")
    if (skipped := local.isna()).any():
        _refuse(moments, skipped, path, f"the clock of {timezone} was set forward and never showed this time")
    return local


def _refuse(written: pd.Series, wrong: pd.Series | np.ndarray, path: Path, problem: str) -> None:
    row = int(np.argmax(np.asarray(wrong)))
    raise SeriesDataError(
        f"{path}, line {written.index[row]}, column {str(written.name)!r}: {problem}; expected all as one "
        "of 2024-01-31 15:00, 31.01.2024 15:00:00, 2024-01-31T15:00:00+02:00, … Correct the row, or say how times are "
        f"written, --data.time_format. Received: {written.iloc[row]!r}, and {int(np.sum(wrong)) - 1} more rows like it"
    )


def _first(column: pd.Series) -> str:
    """The first value as text, "" for numbers."""
    values = column.dropna()
    return "" if values.empty or pd.api.types.is_numeric_dtype(column) else str(values.iloc[0]).strip()


def _plain(name: object) -> str:
    return re.sub(r"[\s_]+", " ", str(name)).strip().lower()
