"""One column of times as people write them: dates, periods, numbers."""

import itertools
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipelines import hints
from pipelines.series.calendar import DAY
from pipelines.series.periods import YEAR_MONTH, are_dotted_months, is_period, periods_of
from pipelines.series.regular import Repair, SeriesDataError
from pipelines.series.time_notations import (
    DURATION,
    MONTHS,
    SAMPLED,
    YEARS_AHEAD,
    month_number,
    number_reader,
    plain,
    without_words,
)
from pipelines.series.zone_names import with_offsets

DATES = (
    *(
        "%Y-%m-%d",
        "%d.%m.%Y",
        "%Y/%m/%d",
        "%Y.%m.%d",
        "%d/%m/%Y",
        "%m/%d/%Y",
        "%d-%m-%Y",
        "%m-%d-%Y",
        "%Y%m%d",
        "%Y-%j",
    ),
    *("%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%d-%m-%y", "%m-%d-%y"),
)
CLOCKS = (
    *(
        "",
        " %H:%M:%S",
        " %H:%M",
        " %I:%M:%S %p",
        " %I:%M %p",
        " %H:%M:%S.%f",
        " %H.%M",
        " %H.%M.%S",
        " %H%M",
        " %H%M%S",
        " %H",
    ),
    *(" %I %p", "-%H.%M.%S", " %I:%M:%S.%f %p"),
)
MOSTLY_DISTINCT = 0.5  # share of distinct texts, above which each row is read
_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?")
_LIKE_TIME = re.compile(
    r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}\.?([ T_:,-].*)?|\d{4}[-/]\d{1,4}( [\d:]+)?|(0?[1-9]|1[0-2])[-/](1[5-9]|20|21)\d\d"
    r"|(1[5-9]|20|21)\d\d:\d\d?|\d{8}[T _:-]\d{2,6}Z?|FY ?'?(\d{4}|\d\d)([-/–]\d\d(\d\d)?)?"
    r"|\d{4}\. ?\d\d?\. ?\d\d?\..*|\d{4}\s*[年년].*",
    re.IGNORECASE,
)
_OFFSET = re.compile(r"\d:\d\d.*?\s*(Z|[+-]\d\d:?\d\d)$")


class Moments(NamedTuple):
    """Times as they were read, and how that was decided where it says something.

    Attributes:
        moments: datetime64, with a zone where the times have one.
        repairs: what was decided.
    """

    moments: pd.Series
    repairs: list[Repair]


def is_like_time(text: str, named: bool = False) -> bool:
    """Whether a text is a time and no number or name.

    Args:
        text: a cell, or a column's name.
        named: it is known to be a time, so that W5-24 is one.

    Example:
        >>> [is_like_time(text) for text in ("2024-01-31 15:00", "2010Q1", "Jan-50", "May", "12.5")]
        [True, True, True, False, False]
    """
    if len(text) > 80 or not re.search(r"\d", text):
        return False
    if is_period(text, named) or _LIKE_TIME.fullmatch(text) or _LIKE_TIME.fullmatch(without_words(text)):
        return True
    words = re.findall(r"[^\W\d_]{3,}", text)
    english = {names[0][:3] for names in MONTHS}
    dated = re.search(r"\d{4}|\d\D+\d|[^\W\d_][-/']\d\d$", text) or {word.lower()[:3] for word in words} & english
    return bool(dated and any(map(month_number, words)))


def read_times(written: pd.Series, time_format: str, path: Path, named: bool = True, timezone: str = "") -> Moments:
    """Returns a column as times.

    Args:
        written: text, numbers, or times already.
        time_format: how they are written; found if "".
        path: their file, for messages.
        named: the column is known to hold times, so that numbers may be days since 1900 as Excel counts them.
        timezone: whose abbreviations, such as IST, may stand behind times; with one, seconds since 1970 are UTC.

    Raises:
        SeriesDataError: a time is unreadable, or can be read in two ways.
    """
    if (are_periods := isinstance(written.dtype, pd.PeriodDtype)) or pd.api.types.is_datetime64_any_dtype(written):
        what = f"times, and no text: --data.time_format {time_format} does not count"
        repairs = [Repair("", str(written.name), what, len(written))] if time_format else []
        return Moments(written.dt.to_timestamp() if are_periods else written, repairs)
    if pd.api.types.is_timedelta64_dtype(written):
        return _from_durations(written, written)
    text = written.astype(str).str.strip()
    if time_format:
        return Moments(_parsed(text, time_format, path), [])
    if not are_dotted_months(text) and pd.to_numeric(written.head(SAMPLED), errors="coerce").notna().all():
        numbers = pd.to_numeric(written, errors="coerce").astype(np.float64)
        if numbers.notna().all():
            return _from_numbers(written, numbers, path, named, timezone)
    durations = DURATION.fullmatch(text.iloc[0]) and not text.str.fullmatch(YEAR_MONTH).all()
    if durations and text.str.fullmatch(DURATION).all():
        parts = text.str.extract(DURATION).fillna("0").astype(np.float64)
        return _from_durations(written, pd.to_timedelta(parts @ [DAY, 3600.0, 60.0, 1.0], unit="s"))
    return _from_distinct(text, timezone, path)


def refuse(written: pd.Series, wrong: pd.Series | np.ndarray, path: Path, problem: str) -> None:
    """Refuses the first row of those that are wrong.

    Raises:
        SeriesDataError: always.
    """
    row = int(np.argmax(np.asarray(wrong)))
    value = written.iloc[row]
    more = int(np.sum(wrong)) - 1
    others = f", and {hints.counted(more, 'more row')} like it" if more else ""
    raise SeriesDataError(
        f"{path}, line {written.index[row]}, column {str(written.name)!r}: {problem}; expected all as one "
        "of 2024-01-31 15:00, 31.01.2024 15:00:00, 2024-01-31T15:00:00+02:00, 2024Q1, Jan 2024, … Correct the row, or "
        f"say how times are written, --data.time_format. Received: {getattr(value, 'item', lambda: value)()!r}"
        f"{others}"
    )


def _from_numbers(written: pd.Series, numbers: pd.Series, path: Path, named: bool, timezone: str) -> Moments:
    values = numbers.to_numpy()
    if (found := number_reader(values, named)) is None:
        raise SeriesDataError(
            f"{path}, column {written.name!r}: numbers from {values.min():g} to {values.max():g} are not times; "
            "expected text such as 2024-01-31 15:00, years, seconds, milliseconds, microseconds or nanoseconds since "
            "1970, the days of Excel, or ticks of .NET. Write times, or name another column, --data.time. Received: "
            f"{str(written.iloc[0])!r}"
        )
    kind, convert = found
    exact = written.astype(np.int64).to_numpy() if pd.api.types.is_integer_dtype(written) else None
    if exact is None and " since " in kind and written.astype(str).str.fullmatch(r"\d+").all():
        exact = written.astype(np.int64).to_numpy()
    repairs = []
    if any(each in kind for each in ("Excel", "fraction", "ticks")):
        repairs.append(Repair("", str(written.name), f"times as {kind}: read as dates", len(written)))
    moments = pd.Series(convert(values if exact is None else exact), written.index, name=written.name)
    return Moments(moments.dt.tz_localize("UTC") if timezone and kind.endswith("since 1970") else moments, repairs)


def _from_durations(written: pd.Series, durations: pd.Series) -> Moments:
    """Times of a clock without a date, each fall of which by more than half a day begins the next day."""
    falls = (durations.diff() < -pd.Timedelta("12h")).cumsum()
    moments = pd.Timestamp(0) + durations + pd.to_timedelta(falls, unit="D")
    what = "times without a date: counted from 1970-01-01 on"
    return Moments(moments, [Repair("", str(written.name), what, len(written))])


def _from_distinct(written: pd.Series, timezone: str, path: Path) -> Moments:
    """Reads each text once: tables of many series repeat their times."""
    first = ~written.duplicated()
    if first.mean() > MOSTLY_DISTINCT:
        return _from_text(written, timezone, path)
    found = _from_text(written[first], timezone, path)
    return found._replace(moments=written.map(pd.Series(found.moments.array, written[first])))


def _from_text(written: pd.Series, timezone: str, path: Path) -> Moments:
    name = str(written.name)
    if _ISO.fullmatch(written.iloc[0]) and written.str.fullmatch(_ISO).all():  # the usual case, and fast
        moments = pd.to_datetime(written, format="ISO8601", errors="coerce")
        if moments.notna().all():
            return Moments(moments, [])
    if (periods := periods_of(written)) is not None:
        return Moments(*periods)
    text, repairs = with_offsets(plain(written), timezone, path)
    leap = text.str.contains(r":\d\d:60\b", regex=True)
    if leap.any():
        text = text.str.replace(r"(:\d\d):60\b", r"\1:59", regex=True)
        repairs.append(Repair("", name, "leap seconds: read as the second after them", int(leap.sum())))
    end_of_day = text.str.contains(r" 24[:.]?00", regex=True)
    if end_of_day.any():
        text = text.str.replace(r" 24([:.]?00)", r" 00\1", regex=True)
        repairs.append(Repair("", name, "times at 24:00: read as 00:00 of the next day", int(end_of_day.sum())))
    moments, more = _from_dates(text, written, path, timezone)
    if end_of_day.any():
        moments = moments + pd.to_timedelta(end_of_day.astype(int), unit="D")
    if leap.any():
        moments = moments + pd.to_timedelta(leap.astype(int), unit="s")
    return Moments(moments, repairs + more)


def _from_dates(text: pd.Series, written: pd.Series, path: Path, timezone: str = "") -> tuple[pd.Series, list[Repair]]:
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
        if len(kinds) == 1:
            return moments.dt.tz_convert(pd.Timestamp(f"2000-01-01T00:00{kinds[0]}").tz), []
        plain = text.str.replace(r"\s*[+-]\d\d:?\d\d$", "", regex=True)
        local = pd.to_datetime(plain, errors="coerce")
        if local.nunique() > 1 and (local - local.dt.normalize()).nunique(dropna=False) == 1:
            return local, []  # days of a clock that was set
        zone = timezone or "UTC; --data.timezone names the zone whose hours they follow"
        return moments, [Repair("", name, f"times in the zones {', '.join(kinds)}: converted to {zone}", len(text))]
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
    as_written = {each: moments for each, moments in best.items() if moments.iloc[0].strftime(each) == text.iloc[0]}
    best = as_written or best  # 0010 is no hour, minute and second
    chosen, moments = next(iter(best.items()))
    if fewest:
        refuse(written, moments.isna(), path, f"the time cannot be read as {chosen}")
    if all(other.equals(moments) for other in best.values()):
        return _of_this_century(moments, chosen), []
    regular = {each: _regularity(other) for each, other in best.items()}
    steady = [each for each, share in regular.items() if share == 1]
    steady = steady or [each for each, other in best.items() if other.is_monotonic_increasing]
    if len(steady) == 1 and len(text) > 2:
        others = " and ".join(each for each in best if each != steady[0])
        reason = "all steps are equal" if regular[steady[0]] == 1 else "the rows are in order"
        what = f"times that could be read as {others} too: read as {steady[0]}, with which {reason}"
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
    try:
        moments = pd.to_datetime(text, format=time_format, errors="coerce")
    except ValueError as error:  # of the format itself
        raise SeriesDataError(
            f"The format of times cannot be used: {error}. Expected such as %d/%m/%Y. Correct it, --data.time_format. "
            f"Received: {time_format!r}"
        ) from None
    if (wrong := moments.isna()).any():
        refuse(text, wrong, path, f"the time cannot be read as {time_format}")
    return moments
