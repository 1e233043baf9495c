"""Wide tables, whose times stand in the names of columns: months beside a year, hours beside a date, or all times."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipelines.series.regular import Repair
from pipelines.series.time_notations import is_like_time, month_number
from pipelines.series.time_numbers import number_reader

VALUE = "value"  # the column that the cells become
FEWEST_TIMES = 3  # names of columns that make a table wide
_HOUR = re.compile(r"(?:h|hour|he|hr|stunde|t)?[ _]?(\d{1,4})(?::(\d\d))?(?::00)?", re.IGNORECASE)


def lengthened(
    frame: pd.DataFrame, series: str, time: Sequence[str], named: Sequence[str]
) -> tuple[pd.DataFrame, str, tuple[str, ...], list[Repair]]:
    """Returns a wide table with a row for each time, or any other table as it is.

    Args:
        frame: the table.
        series: the column that names series, "" if none is known.
        time: columns of the time, if they are known.
        named: columns that are known to be something else.

    Returns:
        The table; the column that names its series; its columns of times; what was done.

    Example:
        >>> frame = pd.DataFrame({"Country": ["Aland"], "1960": [1.0], "1961": [2.0], "1962": [3.0]}, index=[2])
        >>> long, series, time, _ = lengthened(frame, "", (), ())
        >>> long["time"].tolist(), long["value"].tolist(), series, time
        (['1960', '1961', '1962'], [1.0, 2.0, 3.0], 'Country', ('time',))
    """
    columns = [str(name) for name in frame.columns]
    if set(named) & set(columns) or not columns:
        return frame, series, tuple(time), []
    months = {name: number for name in columns if (number := month_number(name.strip(". ")))}
    if sorted(months.values()) == list(range(1, 13)):
        return _months(frame, series, months)
    if (hours := _hours(columns)) and (date := _date_column(frame, columns, time)):
        return _within_days(frame, series, date, hours)
    times = [name for name in columns if is_like_time(name)] or _numbers_of_times(columns)
    if len(times) >= FEWEST_TIMES and len(times) > len(columns) / 2:
        return _times(frame, series, times)
    return frame, series, tuple(time), []


def _months(
    frame: pd.DataFrame, series: str, months: dict[str, int]
) -> tuple[pd.DataFrame, str, tuple[str, ...], list[Repair]]:
    year = next((str(name) for name in frame.columns if name not in months and _holds_years(frame[name])), "")
    if not year:
        return frame, series, (), []
    kept = [name for name in (year, series) if name]
    long = _melted(frame, kept, list(months), "month")
    long["month"] = long["month"].map(months)
    long["time"] = long[year].astype(str).str.replace(r"\.0+$", "", regex=True) + "-" + long["month"].astype(str)
    return long[[*([series] if series else []), "time", VALUE]], series, ("time",), _told(frame, len(months), "months")


def _within_days(
    frame: pd.DataFrame, series: str, date: str, hours: dict[str, int]
) -> tuple[pd.DataFrame, str, tuple[str, ...], list[Repair]]:
    long = _melted(frame, [name for name in (date, series) if name], list(hours), "minute of the day")
    clock = long["minute of the day"].map(hours)
    clock = (clock // 60).astype(str).str.zfill(2) + ":" + (clock % 60).astype(str).str.zfill(2)
    long["minute of the day"] = clock
    return long, series, (date, "minute of the day"), _told(frame, len(hours), "times of the day")


def _times(
    frame: pd.DataFrame, series: str, times: Sequence[str]
) -> tuple[pd.DataFrame, str, tuple[str, ...], list[Repair]]:
    others = [str(name) for name in frame.columns if name not in times]
    unique = [name for name in others if frame[name].notna().all() and not frame[name].duplicated().any()]
    series = series or (unique[0] if unique else "")
    if not series and len(frame) > 1:
        joined = frame[others].astype(str).agg(" ".join, axis=1) if others else pd.Series("", frame.index)
        series = "series"
        frame = frame.assign(series=joined if joined.is_unique else [f"row {line}" for line in frame.index])
        others.append(series)
    told = _told(frame, len(times), "times")
    if left := [name for name in others if name != series]:
        told.append(Repair("", "", "columns that say more about a series: left out", len(left), ", ".join(left)))
    return _melted(frame, [series] if series else [], times, "time"), series, ("time",), told


def _melted(frame: pd.DataFrame, kept: Sequence[str], melted: Sequence[str], name: str) -> pd.DataFrame:
    """A row for each cell, in the order of the lines, whose numbers stay the index."""
    long = frame.rename_axis("line").reset_index().melt(["line", *kept], list(melted), name, VALUE)
    place = {column: number for number, column in enumerate(melted)}
    long = long.assign(place=long[name].map(place)).sort_values(["line", "place"], kind="stable")
    return long.set_index("line").rename_axis(None).drop(columns="place")


def _told(frame: pd.DataFrame, number: int, what: str) -> list[Repair]:
    return [Repair("", "", f"columns that are {what}: made rows, their cells the column {VALUE!r}", number)]


def _hours(columns: Sequence[str]) -> dict[str, int]:
    """Minutes of the day by the names of columns, where these are all hours or other equal parts of the day."""
    found = {name: match for name in columns if (match := _HOUR.fullmatch(name.strip()))}
    clocks = all(match[2] for match in found.values())
    numbers = [int(match[1]) * 60 + int(match[2]) if clocks else int(match[1]) for match in found.values()]
    if len(found) not in (24, 48, 96, 144, 288):
        return {}
    minutes = 1440 // len(found)
    if clocks:
        first = 0 if 0 in numbers else minutes
        regular = sorted(numbers) == list(range(first, 1440 + first, minutes))
        return dict(zip(found, (number - first for number in numbers), strict=True)) if regular else {}
    first = min(numbers)
    regular = first in (0, 1) and sorted(numbers) == list(range(first, first + len(found)))
    return dict(zip(found, ((number - first) * minutes for number in numbers), strict=True)) if regular else {}


def _date_column(frame: pd.DataFrame, columns: Sequence[str], time: Sequence[str]) -> str:
    if time:
        return time[0]
    for name in columns:
        values = frame[name].dropna()
        if len(values) and (is_like_time(str(values.iloc[0])) or pd.api.types.is_datetime64_any_dtype(values)):
            return name
    return ""


def _holds_years(column: pd.Series) -> bool:
    numbers = pd.to_numeric(column, errors="coerce").astype(np.float64).dropna().to_numpy()
    found = number_reader(numbers) if len(numbers) == len(column) else None
    return bool(found and found[0] == "years")


def _numbers_of_times(columns: Sequence[str]) -> list[str]:
    """Names that are years or digits of dates, in rising or falling order."""
    digits = [name for name in columns if re.fullmatch(r"(X|x|Y|y)?\d{4,14}(\.0)?( \[YR\d{4}\])?", name)]
    numbers = np.array([float(re.findall(r"\d+", name)[0]) for name in digits])
    if len(numbers) < FEWEST_TIMES or number_reader(numbers, named=False) is None:
        return []
    return digits if (np.diff(numbers) > 0).all() or (np.diff(numbers) < 0).all() else []
