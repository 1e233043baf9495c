"""Layouts other than a row a time: times in the names of columns, such as months beside a year, and merged cells."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from pipelines.series.regular import Repair
from pipelines.series.time_columns import first_text, is_numeric, named_as_time
from pipelines.series.time_formats import is_like_time
from pipelines.series.time_notations import month_number, number_reader

VALUE = "value"  # the column that the cells become
FEWEST_TIMES = 3  # names of columns that make a table wide
FEWEST_COUNTED = 12  # the same, of names that only count
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
    for what, form, parts in _parts_of_years(columns):
        year = next((name for name in columns if name not in parts and _holds_years(frame[name])), "")
        is_other = what == "quarters" and year and not series and frame[year].duplicated().any()  # Q1 may be a sensor
        if year and not is_other:
            return _within_years(frame, series, year, what, form, parts)
    if (days := _days(columns)) and (date := _date_column(frame, columns, time)):
        return _within_months(frame, series, date, days)
    if (hours := _hours(columns)) and (date := _date_column(frame, columns, time)):
        return _within_days(frame, series, date, hours)
    times = [name for name in columns if is_like_time(name)] or _numbers_of_times(columns)
    if len(times) >= FEWEST_TIMES and len(times) > len(columns) / 2:
        return _times(frame, series, times)
    if (steps := _counted([name for name in columns if is_numeric(frame[name])])) and (
        name := series or _identifier(frame, steps)
    ):
        return _times(frame.rename(columns=steps), name, list(steps.values()))
    return frame, series, tuple(time), []


def unmerged(frame: pd.DataFrame, series: Sequence[str]) -> tuple[pd.DataFrame, list[Repair]]:
    """Fills the cells that were merged with the one above them: below the name of a series, a year or a date.

    Example:
        >>> unmerged(pd.DataFrame({"year": ["2023", None, None], "month": [1, 2, 3]}), ())[0]["year"].tolist()
        ['2023', '2023', '2023']
    """
    repairs = []
    for name in frame.columns:
        empty = frame[name].isna()
        if (name in series or named_as_time(name)) and empty.mean() > 0.5 and not empty.iloc[0]:
            frame = frame.assign(**{name: frame[name].ffill()})
            what = "empty cells below a name or a time: merged with it"
            repairs.append(Repair("", str(name), what, int(empty.sum()), f"line {frame.index[np.argmax(empty)]}"))
    return frame, repairs


def _parts_of_years(columns: Sequence[str]) -> list[tuple[str, str, dict[str, int]]]:
    """What divides years, how its number is written behind one, and the numbers by the names of columns."""
    months = {name: number for name in columns if (number := month_number(name.strip(". ")))}
    found = [("months", "-{}", months)] if sorted(months.values()) == list(range(1, 13)) else []
    for what, form, pattern, counts in (
        ("quarters", "Q{}", r"(?:Q|quarter) ?([1-4])", (4,)),
        ("weeks", "-W{}", r"(?:W|KW|week) ?(\d\d?)", (52, 53)),
    ):
        parts = {name: int(match[1]) for name in columns if (match := re.fullmatch(pattern, name, re.IGNORECASE))}
        if len(parts) in counts and sorted(parts.values()) == list(range(1, len(parts) + 1)):
            found.append((what, form, parts))
    return found


def _within_years(
    frame: pd.DataFrame, series: str, year: str, what: str, form: str, parts: dict[str, int]
) -> tuple[pd.DataFrame, str, tuple[str, ...], list[Repair]]:
    told = _told(len(parts), what)
    if left := [str(name) for name in frame.columns if name not in (year, series, *parts)]:
        told.append(Repair("", "", f"columns beside the {what}: left out", len(left), ", ".join(left)))
    long = _melted(frame, [name for name in (year, series) if name], list(parts), "part")
    if what == "weeks":  # few years have 53
        long = long[long[VALUE].notna()]
    long["time"] = long[year].astype(str).str.replace(r"\.0+$", "", regex=True) + long["part"].map(parts).map(
        form.format
    )
    return long[[*([series] if series else []), "time", VALUE]], series, ("time",), told


def _within_months(
    frame: pd.DataFrame, series: str, month: str, days: dict[str, int]
) -> tuple[pd.DataFrame, str, tuple[str, ...], list[Repair]]:
    long = _melted(frame, [name for name in (month, series) if name], list(days), "day")
    long = long[long[VALUE].notna()]  # no month has them all
    long["time"] = long[month].astype(str).str[:7] + "-" + long["day"].map(days).map("{:02d}".format)
    told = _told(len(days), "days of the month")
    return long[[*([series] if series else []), "time", VALUE]], series, ("time",), told


def _within_days(
    frame: pd.DataFrame, series: str, date: str, hours: dict[str, int]
) -> tuple[pd.DataFrame, str, tuple[str, ...], list[Repair]]:
    long = _melted(frame, [name for name in (date, series) if name], list(hours), "minute of the day")
    clock = long["minute of the day"].map(hours)
    clock = (clock // 60).astype(str).str.zfill(2) + ":" + (clock % 60).astype(str).str.zfill(2)
    long["minute of the day"] = clock
    return long, series, (date, "minute of the day"), _told(len(hours), "times of the day")


def _times(
    frame: pd.DataFrame, series: str, times: Sequence[str]
) -> tuple[pd.DataFrame, str, tuple[str, ...], list[Repair]]:
    others = [str(name) for name in frame.columns if name not in times]
    if len(others) == 1 and all(re.fullmatch(r"\d{4}", each) for each in times):
        months = frame[others[0]].astype(str).map(lambda name: month_number(name.strip(". ")))
        if sorted(months) == list(range(1, 13)):  # a row a month, a column a year
            long = _melted(frame.assign(month=months), ["month"], times, "year").sort_values(["year", "month"])
            long["time"] = long["year"] + "-" + long["month"].astype(str)
            return long[["time", VALUE]], series, ("time",), _told(len(times), "years")
    unique = [name for name in others if frame[name].notna().all() and not frame[name].duplicated().any()]
    series = series or (unique[0] if unique else "")
    if not series and len(frame) > 1:
        joined = (
            frame[others].astype(str).where(frame[others].notna(), "").agg(" ".join, axis=1)
            if others
            else pd.Series("", frame.index)
        )
        series = "series"
        frame = frame.assign(series=joined.str.strip() if joined.is_unique else [f"row {line}" for line in frame.index])
        others.append(series)
    told = _told(len(times), "times")
    if left := [name for name in others if name != series]:
        told.append(Repair("", "", "columns that say more about a series: left out", len(left), ", ".join(left)))
    return _melted(frame, [series] if series else [], times, "time"), series, ("time",), told


def _melted(frame: pd.DataFrame, kept: Sequence[str], melted: Sequence[str], name: str) -> pd.DataFrame:
    """A row for each cell, in the order of the lines, whose numbers stay the index."""
    long = frame.rename_axis("line").reset_index().melt(["line", *kept], list(melted), name, VALUE)
    place = {column: number for number, column in enumerate(melted)}
    long = long.assign(place=long[name].map(place)).sort_values(["line", "place"], kind="stable")
    return long.set_index("line").rename_axis(None).drop(columns="place")


def _told(number: int, what: str) -> list[Repair]:
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


def _days(columns: Sequence[str]) -> dict[str, int]:
    """Days of the month by the names of columns, where these are all of 1 to 31."""
    found = {name: int(match[1]) for name in columns if (match := re.fullmatch(r"(?:d|day)?[ _]?(\d\d?)", name, re.I))}
    return found if sorted(found.values()) == list(range(1, 32)) else {}


def _counted(columns: Sequence[str]) -> dict[str, str]:
    """The numbers in the names of most columns, such as d_1, d_2, d_3, where these count without a gap."""
    found = {name: match for name in columns if (match := re.fullmatch(r"([^\W\d]+)(\d+)", name))}
    numbers = [int(match[2]) for match in found.values()]
    counts = len(found) >= FEWEST_COUNTED and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    of_one_name = len({match[1] for match in found.values()}) == 1
    return {name: match[2] for name, match in found.items()} if counts and of_one_name else {}


def _identifier(frame: pd.DataFrame, steps: Mapping[str, str]) -> str:
    """The column of words that names each row, "" if there is none or another one holds times."""
    others = [str(name) for name in frame.columns if name not in steps]
    if len(others) > len(steps) / 2 or any(
        named_as_time(name) or is_like_time(first_text(frame[name])) for name in others
    ):
        return ""
    return next((name for name in others if not is_numeric(frame[name]) and frame[name].is_unique), "")


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
