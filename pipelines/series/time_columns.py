"""Which columns of a table hold its times."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.series.periods import are_dotted_months, longer_periods
from pipelines.series.regular import SeriesDataError
from pipelines.series.time_formats import is_like_time
from pipelines.series.time_notations import DURATION, number_reader

NAMES = (
    *("time", "date", "datetime", "timestamp", "date time", "ds", "period", "day", "hour", "month", "quarter", "week"),
    *("yearmonth", "yearweek", "yyyymmdd", "year month", "year week", "yyyymm", "yyyyww"),
    *("wk", "yw", "year", "utc", "datum", "zeit", "zeitpunkt", "zeitstempel", "fecha", "epoch", "index", "step"),
    *("t", "jahr"),
)
PARTS = {
    "year": ("year", "yr", "yyyy", "jahr", "año", "année", "annee", "ano", "anno", "jaar", "rok", "år", "год", "年"),
    "quarter": ("quarter", "qtr", "quartal", "trimestre", "kwartaal", "kvartal"),
    "month": (
        "month",
        "mon",
        "mo",
        "mm",
        "mnth",
        "monat",
        "mes",
        "mois",
        "mese",
        "mês",
        "maand",
        "månad",
        "месяц",
        "月",
    ),
    "week": ("week", "wk", "kw", "woche", "isoweek", "semaine", "semana", "settimana", "vecka", "uge", "неделя", "週"),
    "day": ("day", "dd", "dy", "tag", "day of month", "jour", "día", "dia", "giorno", "dag", "dzień", "день", "日"),
    "yearday": ("doy", "day of year", "yday", "julian day"),
    "hour": ("hour", "hr", "hh", "stunde", "heure", "hora", "ora", "uur", "час", "時"),
    "minute": ("minute", "min", "minuto", "minuut"),
    "second": ("second", "sec", "seconde", "segundo", "sekunde"),
}
"""What a column of numbers that is a part of the time may be called."""
WITHIN_DAY = re.compile(
    r"(time|hhmm|uhrzeit|hour|hr|hh|he|stunde|settlement period|period|interval|slot|sp|hour ending|heure|hora)s?\b.*"
)
FEWEST_COUNTED = 10  # rows that show that a column only counts
CLOCK = re.compile(r"\d{1,2}\.\d\d\.\d\d|\d{1,2}:\d\d(:\d\d(\.\d+)?)?( ?[AaPp][Mm])?|\d{1,2} ?[AaPp][Mm]")
HOUR = re.compile(r"(?:HE|H)?[ _]?(\d{1,6})(?: ?h)?(?: ?[-–] ?\d{1,2}(?: ?h)?)?", re.IGNORECASE)
"""Hours such as 7, HE07, 7h, or 07-08."""
WORDS = {"time", "date", "datetime", "timestamp", "datum", "fecha", "zeitpunkt", "zeitstempel"}


def find_time_columns(
    frame: pd.DataFrame, others: Sequence[str], path: Path, series: Sequence[str] = ()
) -> tuple[str, ...]:
    """The column of the times, or several that give it together; none where rows are in their order only.

    It is the first one that holds times, those of the names in `NAMES` before others; or columns such as year and
    month; or numbers under such a name. Where it holds days only, and another column holds hours, it is both.

    Args:
        frame: the table.
        others: columns that are known to be something else.
        path: its file, for the message.
        series: those of them that name the series of each row.
    """
    candidates = [str(name) for name in frame.columns if name not in others]
    by_name = sorted((name for name in candidates if _rank(name) < len(NAMES)), key=_rank)
    by_content = [name for name in candidates if _is_time(frame[name], name)]
    found = [name for name in by_name if name in by_content] + by_content
    found.sort(key=lambda name: bool(CLOCK.fullmatch(first_text(frame[name]))))  # 18.00.00 looks like a date
    if found and part_of_time(found[0]) == "month" and (parts := _parts_of(frame, candidates)):  # 01-January
        return parts
    if found:
        within = _within_day(frame, found[0], [name for name in candidates if name != found[0]], series)
        return (found[0], within) if within else (found[0],)
    if parts := _parts_of(frame, candidates):
        return parts
    for exactly in (False, True):
        for name in by_name:
            if _holds_times(frame[name], exactly):
                within = _within_day(frame, name, [each for each in candidates if each != name], series)
                return (name, within) if within else (name,)
    for name in candidates[:1]:  # a first column of years, dates in digits, or seconds since 1970
        numbers = pd.to_numeric(frame[name], errors="coerce").astype(np.float64).to_numpy()
        if len(numbers) > 1 and (np.diff(numbers) > 0).all() and number_reader(numbers, named=False):
            return (name,)
    for name in [*by_name, *candidates[:1]]:
        if DURATION.fullmatch(first_text(frame[name])) or _rises_evenly(frame[name], len(candidates)):
            return (name,)
    words = [name for name in candidates if first_text(frame[name]) and not is_numeric(frame[name])]
    looks = [name for name in by_name if name in words]
    if looks or len(words) == len(candidates):
        example = f", with {first_text(frame[looks[0]])!r} as {looks[0]}" if looks else ""
        raise SeriesDataError(
            f"{path} has no recognisable column of times; expected one such as 2024-01-31 15:00. Name it: "
            f"--data.time. Received: the columns {', '.join(candidates)}{example}"
        )
    return ()


def _rises_evenly(column: pd.Series, columns: int) -> bool:
    """Whether a column beside others only counts, in equal steps without one exception: seconds, days, samples."""
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    return columns > 1 and len(numbers) >= FEWEST_COUNTED and equal_steps(numbers) is not None


def equal_steps(numbers: np.ndarray) -> np.ndarray | None:
    """Returns the number of each step of a column that counts in equal steps, None where it does not.

    Example:
        >>> equal_steps(np.array([0.5, 0.6, 0.7, 0.9])), equal_steps(np.array([1.0, 4.0, 9.0]))
        (array([0, 1, 2, 4]), None)
    """
    distances = np.diff(np.unique(numbers))
    if not len(distances) or not np.isfinite(numbers).all():
        return None
    steps = (numbers - numbers.min()) / np.median(distances)
    is_even = np.abs(steps - np.round(steps)).max() < 0.01 and np.median(distances) < 2 * distances.min()
    return np.round(steps).astype(np.int64) if is_even and rises(np.round(steps)) else None


def _holds_times(column: pd.Series, exactly: bool = False) -> bool:
    """Whether a column of numbers holds times, or counts the steps."""
    numbers = pd.to_numeric(column, errors="coerce").astype(np.float64)
    if numbers.isna().all():
        return False
    values = numbers.dropna().to_numpy()
    whole = bool((values % 1 == 0).all())
    return number_reader(values) is not None or (exactly and whole and rises(values) and len(np.unique(values)) > 1)


def _within_day(frame: pd.DataFrame, date: str, candidates: Sequence[str], series: Sequence[str]) -> str:
    """The column that says when within the day, "" where the date does.

    Clocks of another name, such as a sunrise, say so only where nothing else tells the rows of a date apart.
    """
    first = first_text(frame[date])
    if isinstance(frame[date].dtype, pd.PeriodDtype):
        return ""
    if pd.api.types.is_datetime64_any_dtype(frame[date]) and frame[date].dt.time.nunique() > 1:
        return ""
    if ":" in first and not re.search(r"[T ]00:00(:00)?$", first):
        return ""
    repeats = frame.duplicated([date, *series]).any()
    if ":" in first and not repeats:
        return ""
    clocks = [name for name in candidates if CLOCK.fullmatch(first_text(frame[name]))]
    named = [name for name in candidates if WITHIN_DAY.fullmatch(_plain(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)))]
    for name in named:
        if name in clocks:
            return name
        numbers = hours_of(frame[name])
        if repeats and numbers.notna().all() and (numbers % 1 == 0).all() and numbers.between(0, 240_000).all():
            return name
    return clocks[0] if clocks and repeats else ""


def hours_of(column: pd.Series) -> pd.Series:
    """Returns the numbers of a column that counts within the day, NaN where it does not."""
    if is_numeric(column):
        return pd.to_numeric(column, errors="coerce")
    text = column.astype(str).str.strip()
    return pd.to_numeric(text.where(text.str.fullmatch(HOUR)).str.extract(r"(\d+)", expand=False))


def _parts_of(frame: pd.DataFrame, candidates: Sequence[str]) -> tuple[str, ...]:
    """Columns such as year and month, in the order of `PARTS`; none where they give no time."""
    found = {kind: name for name in reversed(candidates) if (kind := part_of_time(name))}
    if "year" not in found or not _holds_times(frame[found["year"]]):
        return ()
    if "month" not in found and "yearday" not in found:
        found.pop("day", None)
    parts = [found[kind] for kind in PARTS if kind in found]
    distinct = frame[parts].drop_duplicates()
    return tuple(parts) if len(distinct) > frame[found["year"]].nunique() or len(parts) == 1 else (found["year"],)


def _rank(name: str) -> int:
    """The place of a column's name, or of a word in it, among those of times."""
    plain = _plain(name)
    if plain in NAMES:
        return NAMES.index(plain)
    words = [word for word in re.split(r"[^\w]+", plain) if word in WORDS]
    return len(NAMES) - 1 if words else len(NAMES)


def _is_time(column: pd.Series, name: str) -> bool:
    is_time = pd.api.types.is_datetime64_any_dtype(column) or pd.api.types.is_timedelta64_dtype(column)
    if is_time or isinstance(column.dtype, pd.PeriodDtype):
        return True
    is_text_of_times = is_like_time(first_text(column), named_as_time(name)) or are_dotted_months(column)
    return is_text_of_times or bool(longer_periods(column).any())


def named_as_time(name: str) -> bool:
    """Returns whether a column is called as times are."""
    return _rank(name) < len(NAMES)


def part_of_time(name: str) -> str | None:
    """Returns which part of the time a column is called, if any."""
    return next((kind for kind, names in PARTS.items() if _plain(name) in names), None)


def rises(values: np.ndarray) -> bool:
    """Returns whether most neighbours are equally far apart."""
    distances = np.diff(np.unique(values))
    return len(distances) > 0 and float((distances == np.median(distances)).mean()) > 0.5


def is_numeric(column: pd.Series) -> bool:
    """Returns whether the first values of a column are numbers, or text that holds numbers."""
    return bool(pd.to_numeric(column.dropna().head(100), errors="coerce").notna().all())


def first_text(column: pd.Series) -> str:
    """The first value as text, "" for numbers."""
    values = column.dropna()
    return "" if values.empty or pd.api.types.is_numeric_dtype(column) else str(values.iloc[0]).strip()


def _plain(name: object) -> str:
    return re.sub(r"[\s_<>]+", " ", str(name)).strip().lower()
