"""One column of times as people write them: dates, periods, numbers."""

import itertools
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipelines.series.regular import Repair, SeriesDataError
from pipelines.series.time_numbers import YEARS, number_reader

DATES = (
    *("%Y-%m-%d", "%d.%m.%Y", "%Y/%m/%d", "%Y.%m.%d", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y%m%d"),
    *("%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%d-%m-%y", "%m-%d-%y"),
)
CLOCKS = (
    *("", " %H:%M:%S", " %H:%M", " %I:%M:%S %p", " %I:%M %p", " %H:%M:%S.%f", " %H.%M", " %H%M", " %H%M%S", " %H"),
    *(" %I %p", "-%H.%M.%S", " %I:%M:%S.%f %p"),
)
ZONES = {
    **{"UTC": 0, "GMT": 0, "Z": 0, "WET": 0, "WEST": 1, "BST": 1, "CET": 1, "MEZ": 1, "CEST": 2, "MESZ": 2, "EET": 2},
    **{"EEST": 3, "MSK": 3, "JST": 9, "AEST": 10, "AEDT": 11, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7},
    **{"MDT": -6, "PST": -8, "PDT": -7},
}
MONTHS = tuple(
    names.split()
    for names in (
        *(
            "january januar janvier enero gennaio",
            "february februar février fevrier febrero",
            "march märz mars marzo mrz",
        ),
        *("april avril abril aprile", "may mai mayo maggio", "june juni juin junio", "july juli juillet julio luglio"),
        *("august août aout agosto", "september septembre septiembre sept", "october oktober octobre octubre ottobre"),
        *("november novembre noviembre", "december dezember décembre decembre diciembre"),
    )
)
YEARS_AHEAD = 20  # a year of two digits further on belongs to the century before
_LETTERS = r"([^\W\d_]{3,12})"
_PERIODS: tuple[tuple[str, str], ...] = (  # a pattern, and what its groups are
    (r"(?:FY ?)?(\d{4})(?:\.0+)?", "y"),
    (r"(\d{4})[- /]?Q([1-4])", "yq"),
    (r"Q([1-4])[- /']*(\d{4})", "qy"),
    (r"([1-4])\.?Q[- /']*(\d{4})", "qy"),
    (r"(\d{4})[- /]?W(\d\d?)", "yw"),
    (r"(?:W|KW|week) ?(\d\d?)[- /]+(\d{4})", "wy"),
    (r"(\d{4})[- /]?M(\d\d?)", "ym"),
    (r"(\d{4})[-/. ](\d\d?)", "ym"),
    (r"(\d\d?)[-/. ](\d{4})", "my"),
    (_LETTERS + r"\.?[-/ ,'’]+(\d{4}|\d\d)", "ny"),
    (r"(\d{4})[-/ ]+" + _LETTERS + r"\.?", "yn"),
)
_WEEKDAY = r"(?i)^(?:(?:mon|tues?|wed|wednes|thu|thurs?|fri|sat|satur|sun)(?:day)?|mo|di|mi|do|fr|sa|so)\.?,?\s+"
_OFFSET = re.compile(r"\d:\d\d.*?\s*(Z|[+-]\d\d:?\d\d)$")
_LIKE_TIME = re.compile(
    r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T_-].*)?|\d{4}[-/ ]?[QWM]\d{1,2}(-\d)?|Q[1-4][- /']*\d{4}|[1-4]Q[- /]*\d{4}"
    r"|\d{4}[-/]\d{1,2}|\d{1,2}/\d{4}|\d{8}[T ]\d{2,6}Z?|(?:FY ?)\d{4}|(W|KW|week) ?\d\d?[- /]+\d{4}",
    re.IGNORECASE,
)


class Moments(NamedTuple):
    """Times as they were read, and how that was decided where it says something.

    Attributes:
        moments: datetime64, with a zone where the times have one.
        repairs: what was decided.
    """

    moments: pd.Series
    repairs: list[Repair]


def is_like_time(text: str) -> bool:
    """Whether a text is a time and no number or name.

    Example:
        >>> [is_like_time(text) for text in ("2024-01-31 15:00", "2010Q1", "Jan-50", "May", "12.5")]
        [True, True, True, False, False]
    """
    if _LIKE_TIME.fullmatch(text):
        return True
    words = re.findall(r"[^\W\d_]{3,}", text)
    return bool(len(text) < 40 and re.search(r"\d", text) and any(map(month_number, words)))


def read_times(written: pd.Series, time_format: str, path: Path, named: bool = True) -> Moments:
    """Returns a column as times.

    Args:
        written: text, numbers, or times already.
        time_format: how they are written; found if "".
        path: their file, for messages.
        named: the column is known to hold times, so that numbers may be days since 1900 as Excel counts them.

    Raises:
        SeriesDataError: a time is unreadable, or can be read in two ways.
    """
    if isinstance(written.dtype, pd.PeriodDtype):
        return Moments(written.dt.to_timestamp(), [])
    if pd.api.types.is_datetime64_any_dtype(written):
        return Moments(written, [])
    text = written.astype(str).str.strip()
    if time_format:
        return Moments(_parsed(text, time_format, path), [])
    numbers = pd.to_numeric(written, errors="coerce").astype(np.float64)
    if numbers.notna().all():
        return _from_numbers(written, numbers, path, named)
    return _from_text(text, path)


def refuse(written: pd.Series, wrong: pd.Series | np.ndarray, path: Path, problem: str) -> None:
    """Refuses the first row of those that are wrong.

    Raises:
        SeriesDataError: always.
    """
    row = int(np.argmax(np.asarray(wrong)))
    value = written.iloc[row]
    more = int(np.sum(wrong)) - 1
    raise SeriesDataError(
        f"{path}, line {written.index[row]}, column {str(written.name)!r}: {problem}; expected all as one "
        "of 2024-01-31 15:00, 31.01.2024 15:00:00, 2024-01-31T15:00:00+02:00, 2024Q1, Jan 2024, … Correct the row, or "
        f"say how times are written, --data.time_format. Received: {getattr(value, 'item', lambda: value)()!r}, and "
        f"{more} more rows like it"
    )


def _from_numbers(written: pd.Series, numbers: pd.Series, path: Path, named: bool) -> Moments:
    values = numbers.to_numpy()
    if (found := number_reader(values, named)) is None:
        raise SeriesDataError(
            f"{path}, column {written.name!r}: numbers from {values.min():g} to {values.max():g} are not times; "
            "expected text such as 2024-01-31 15:00, years, seconds, milliseconds, microseconds or nanoseconds since "
            "1970, or the days of Excel. Write times, or name another column, --data.time. Received: "
            f"{str(written.iloc[0])!r}"
        )
    kind, convert = found
    exact = written.astype(np.int64).to_numpy() if pd.api.types.is_integer_dtype(written) else None
    if exact is None and "since 1970" in kind and (whole := written.astype(str).str.fullmatch(r"\d+")).all():
        exact = written.astype(np.int64).to_numpy() if whole.all() else None
    repairs = []
    if "Excel" in kind or "fraction" in kind:
        repairs.append(Repair("", str(written.name), f"times as {kind}: read as dates", len(written)))
    return Moments(pd.Series(convert(values if exact is None else exact), written.index, name=written.name), repairs)


def _from_text(written: pd.Series, path: Path) -> Moments:
    name, repairs = str(written.name), []
    for pattern, groups in _PERIODS:
        is_first = re.fullmatch(pattern, written.iloc[0], re.IGNORECASE)
        if is_first and (moments := _from_periods(written, pattern, groups)) is not None:
            return Moments(moments, [])
    text = written.str.replace(_WEEKDAY, "", regex=True)
    text = text.str.replace("_", " ", regex=False).str.replace(r"(?<=\d)[,T\s]+(?=\d\d?:)", " ", regex=True)
    text = text.str.replace(r"(?<=\d)[T ](?=\d)", " ", regex=True).str.replace(r"(:\d\d),(\d)", r"\1.\2", regex=True)
    text = text.str.replace(r"^(\d{4})(\d\d)(\d\d) ?(\d\d)(\d\d)(\d\d)?Z$", r"\1-\2-\3 \4:\5:\6Z", regex=True)
    text = _with_month_numbers(text.str.replace(":Z", ":00Z", regex=False))
    text = (
        text.str.replace(r"\s*\b(UTC|GMT)?([+-]\d\d)$", r"\2:00", regex=True)
        if _has(text, r":\d\d.*[+-]\d\d$")
        else text
    )
    zones = text.str.extract(r":\d\d.*?\s*\b([A-Z]{1,4})$", expand=False)
    if zones.notna().any() and zones.dropna().isin(list(ZONES)).all():
        offsets = zones.map(ZONES).map(lambda hours: "" if pd.isna(hours) else f"{int(hours):+03d}:00")
        text = text.str.replace(r"\s*\b[A-Z]{1,4}$", "", regex=True) + offsets
    end_of_day = text.str.contains(r" 24:00(?::00)?", regex=True)
    if end_of_day.any():
        text = text.str.replace(r" 24:00", " 00:00", regex=True)
        repairs.append(Repair("", name, "times at 24:00: read as 00:00 of the next day", int(end_of_day.sum())))
    moments, more = _from_dates(text, written, path)
    if end_of_day.any():
        moments = moments + pd.to_timedelta(end_of_day.astype(int), unit="D")
    return Moments(moments, repairs + more)


def _has(text: pd.Series, pattern: str) -> bool:
    return bool(text.head(100).str.contains(pattern, regex=True).any())


def _from_periods(written: pd.Series, pattern: str, groups: str) -> pd.Series | None:
    """Years, quarters, months or weeks as their first day; None if one cell is none."""
    parts = written.str.extract(f"(?i)^{pattern}$")
    if parts.isna().any(axis=None):
        return None
    found = dict(zip(groups, (parts[number] for number in range(parts.shape[1])), strict=True))
    year = _full_years(found["y"])
    if "w" in found:
        text = year.astype(str) + "-W" + found["w"].str.zfill(2) + "-1"
        moments = pd.to_datetime(text, format="%G-W%V-%u", errors="coerce")
    else:
        month: pd.Series = pd.Series(1, written.index)
        if "q" in found:
            month = found["q"].astype(int) * 3 - 2
        elif "m" in found:
            month = found["m"].astype(int)
        elif "n" in found:
            month = found["n"].map(month_number)
        if not month.between(1, 12).all() or not year.isin(YEARS).all():
            return None
        moments = pd.Series((12 * (year - 1970) + month - 1).to_numpy().astype("datetime64[M]").astype("datetime64[s]"))
        moments.index = written.index
    return None if moments.isna().any() else moments


def _full_years(written: pd.Series) -> pd.Series:
    """Years of four digits; of two, those that do not lie far ahead."""
    years = written.astype(int)
    if written.str.len().max() > 2:
        return years
    this = pd.Timestamp.now().year
    return years + np.where(2000 + years > this + YEARS_AHEAD, 1900, 2000)


def month_number(name: str) -> int:
    """Returns the number of a month from its name or the first letters of it, 0 if it is none.

    Example:
        >>> [month_number(name) for name in ("Jan", "Dezember", "sept", "Marina")]
        [1, 12, 9, 0]
    """
    plain = name.lower()
    found = (number for number, names in enumerate(MONTHS, 1) if any(each.startswith(plain) for each in names))
    return next(found, 0) if len(plain) >= 3 else 0


def _with_month_numbers(text: pd.Series) -> pd.Series:
    """Dates with names of months as year-month-day."""
    day_first = text.str.extract(rf"^(\d\d?)\.?[-/ ]*{_LETTERS}\.?[-/, ]+(\d{{4}}|\d\d)\b(.*)$")
    month_first = text.str.extract(rf"^{_LETTERS}\.? +(\d\d?)(?:st|nd|rd|th)?,? +(\d{{4}})\b(.*)$")
    year_first = text.str.extract(rf"^(\d{{4}})[-/ ]{_LETTERS}[-/ ](\d\d?)\b(.*)$")
    for parts, (day, month, year) in ((day_first, (0, 1, 2)), (month_first, (1, 0, 2)), (year_first, (2, 1, 0))):
        if parts.notna().all(axis=None):
            months = parts[month].map(month_number)
            if months.all():
                date = _full_years(parts[year]).astype(str) + "-" + months.astype(str).str.zfill(2)
                return (
                    date + "-" + parts[day].str.zfill(2) + parts[3].str.replace(r"^,?\s*", " ", regex=True).str.rstrip()
                )
    return text


def _from_dates(text: pd.Series, written: pd.Series, path: Path) -> tuple[pd.Series, list[Repair]]:
    name = str(written.name)
    offsets = text.str.extract(_OFFSET, expand=False)
    if offsets.notna().any():
        if (some := offsets.isna()).any():
            refuse(written, some, path, "times with and without a zone are mixed, and this one has none")
        moments = pd.to_datetime(text, format="ISO8601", errors="coerce", utc=True)
        if moments.isna().any():  # the zone stands behind a date that is not as ISO writes it
            plain, _ = _from_dates(text.str.replace(r"\s*(Z|[+-]\d\d:?\d\d)$", "", regex=True), written, path)
            sign = offsets.str[0].map({"-": -1}).fillna(1)
            minutes = offsets.replace("Z", "+00:00").str.replace(":", "").str[1:]
            shift = sign * (minutes.str[:2].astype(int) * 60 + minutes.str[2:].astype(int))
            moments = (plain - pd.to_timedelta(shift, unit="min")).dt.tz_localize("UTC")
        kinds = sorted(offsets.unique())
        if len(kinds) > 1:  # days of a clock that was set
            plain = text.str.replace(r"\s*[+-]\d\d:?\d\d$", "", regex=True)
            local = pd.to_datetime(plain, errors="coerce")
            if local.nunique() > 1 and (local - local.dt.normalize()).nunique(dropna=False) == 1:
                return local, []
        what = f"times in the zones {', '.join(kinds)}: converted to UTC"
        return moments, [Repair("", name, what, len(text))] if len(kinds) > 1 else []
    if re.match(r"\d{4}-\d", text.iloc[0]):
        moments = pd.to_datetime(text, format="ISO8601", errors="coerce")
        if moments.notna().all():
            return moments, []
    formats = [date + clock for date, clock in itertools.product(DATES, CLOCKS)]
    first = text.iloc[:1]
    possible = [each for each in formats if pd.to_datetime(first, format=each, errors="coerce").notna().all()]
    if not possible:
        refuse(written, np.arange(len(text)) == 0, path, "the time cannot be read")
    read = {each: _filled(text, each) for each in possible}
    fewest = min(moments.isna().sum() for moments in read.values())
    best = {each: moments for each, moments in read.items() if moments.isna().sum() == fewest}
    chosen, moments = next(iter(best.items()))
    if fewest:
        refuse(written, moments.isna(), path, f"the time cannot be read as {chosen}")
    if all(other.equals(moments) for other in best.values()):
        return _of_this_century(moments, chosen), []
    regular = {each: _regularity(other) for each, other in best.items()}
    steady = [each for each, share in regular.items() if share == 1]
    if len(steady) == 1 and len(text) > 2:
        others = " and ".join(each for each in best if each != steady[0])
        what = f"times that could be read as {others} too: read as {steady[0]}, with which all steps are equal"
        return _of_this_century(best[steady[0]], steady[0]), [Repair("", name, what, len(text))]
    raise SeriesDataError(
        f"{path}, column {written.name!r}: the times can be read in several ways, {' and '.join(best)}; expected "
        f"one. Say which: --data.time_format {chosen!r}. Received: {written.iloc[0]!r}"
    )


def _filled(text: pd.Series, form: str) -> pd.Series:
    """Times in a format; midnight may be written as a date alone, and whole seconds without a fraction."""
    moments = pd.to_datetime(text, format=form, errors="coerce")
    date = next(each for each in sorted(DATES, key=len, reverse=True) if form.startswith(each))
    if form != date or moments.isna().any():
        for clock in CLOCKS:
            if not (missing := moments.isna()).any():
                break
            moments = moments.where(~missing, pd.to_datetime(text.where(missing), format=date + clock, errors="coerce"))
    return moments


def _regularity(moments: pd.Series) -> float:
    """The share of the commonest distance between neighbours, in months where all times are of one day of the month."""
    times = np.unique(moments.to_numpy())
    months = times.astype("datetime64[M]")
    if len(np.unique(times - months.astype(times.dtype))) == 1:
        times = months
    counts = np.unique(np.diff(times), return_counts=True)[1]
    return float(counts.max() / counts.sum()) if len(counts) else 1.0


def _of_this_century(moments: pd.Series, form: str) -> pd.Series:
    """Of years of two digits those that lie far ahead are of the century before."""
    if "%y" not in form:
        return moments
    far = moments > pd.Timestamp.now() + pd.DateOffset(years=YEARS_AHEAD)
    return moments.where(~far, moments - pd.DateOffset(years=100)) if far.any() else moments


def _parsed(text: pd.Series, time_format: str, path: Path) -> pd.Series:
    moments = pd.to_datetime(text, format=time_format, errors="coerce")
    if (wrong := moments.isna()).any():
        refuse(text, wrong, path, f"the time cannot be read as {time_format}")
    return moments
