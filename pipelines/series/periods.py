"""Years, halves, quarters, months and weeks as people write them: 2010Q1, KW 5/2024, Jan-50, FY19/20."""

import re

import numpy as np
import pandas as pd

from pipelines.series.regular import Repair
from pipelines.series.time_notations import LETTERS, YEARS, full_years, month_number

WEEKS = re.compile(r"week|woche|semaine|semana|settimana|\bkw\b|\bwk\b", re.IGNORECASE)  # in a column's name
_GAP = r"[-–/.:, '_]*"
_FOUR = r"(?:1[5-9]|20|21)\d\d"
_YEAR = rf"(?:FY ?)?'?({_FOUR}|\d\d)[年년]?"
_NUMBERS = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "first": 1, "second": 2, "third": 3, "fourth": 4}
_NUMBER = rf"第?(\d\d?|{'|'.join(sorted(_NUMBERS, key=len, reverse=True))})(?:st|nd|rd|th|er|re|[eºª°.])?"
_UNITS = {
    "q": "q|t|qtr|quarter|quartal|kwartaal|kwartał|kvartal|trim|trimestre|trimester|кв|квартал|季度|分기",
    "h": "h|s|hy|half|sem|semester|semestre|halbjahr",
    "w": "w|s|kw|wk|week|woche|sem|semaine|settimana|semana|vecka|uge|周|週|주",
    "m": "월|月",
}
"""What the number of a part of the year stands beside; S1 and S2 are halves, S27 is a week."""
_MOST = {"q": 4, "h": 2, "w": 53, "m": 12}
_YEAR_FIRST = {**_UNITS, "q": _UNITS["q"] + "|k", "w": _UNITS["w"] + "|v|u", "m": _UNITS["m"] + "|m"}
_UNIT = rf"({'|'.join(_UNITS.values())})\.?"
_PARTS: tuple[tuple[str, str], ...] = (  # a pattern, and what its groups are: u the unit and p the number of the part
    (r"(\d{4})-?W(\d\d)-?([1-7])", "ywd"),
    (r"(I{1,3}|IV)[- /.]+(\d{4})", "qy"),
    (r"(\d{4})[- /.]+(I{1,3}|IV)", "yq"),
    (rf"{_YEAR}{_GAP}({'|'.join(_YEAR_FIRST.values())})\.?{_GAP}{_NUMBER}", "yup"),
    (rf"({_FOUR})[年년]?{_GAP}{_NUMBER}{_GAP}{_UNIT}", "ypu"),
    (rf"{_UNIT}{_GAP}{_NUMBER}{_GAP}{_YEAR}", "upy"),
    (rf"{_NUMBER}{_GAP}{_UNIT}{_GAP}({_FOUR})", "puy"),
    (rf"([1-4])(q|h)[- /']*{_YEAR}", "puy"),
)
YEAR_MONTH = r"((?:1[5-9]|20|21)\d\d):(0[1-9]|1[0-2])"  # of Gretl and EViews, which looks like a duration
_DOTTED = rf"(?:0[1-9]|1[0-2])\.{_FOUR}|{_FOUR}\.(?:0[1-9]|1[0-2])"  # looks like a number
_PERIODS: tuple[tuple[str, str], ...] = (
    (r"(?:FY ?)?(\d{4})(?:\.0+)?", "y"),
    (r"FY ?'?(\d\d)", "y"),
    (r"FY ?'?(\d\d)[-/–](\d\d)", "yf"),
    (r"(\d{4}):([1-4])", "yq"),
    *_PARTS,
    (r"(?:FY ?)?(\d{4})[-/–](\d\d|\d{4})", "yf"),
    (r"(\d{4})[-/. ](\d\d?)", "ym"),
    (YEAR_MONTH, "ym"),
    (r"(\d\d?)[-/. ](\d{4})", "my"),
    (LETTERS + r"\.?[-/ ,'’]*(\d{4}|\d\d)", "ny"),
    (LETTERS + r"\.? ?[-–] ?[^\W\d_]{3,12}\.? +(\d{4})", "ny"),
    (r"(\d{4}|\d\d)[-/, ]*" + LETTERS + r"\.?", "yn"),
    (r"(0?[1-9]|1[0-2])/(\d\d)", "my"),
)
_SCALES = (rf"{_FOUR}", rf"{_FOUR}[- ]?Q[1-4]", rf"{_FOUR}[- ]?(?:{LETTERS}|M?\d\d?)")  # years, quarters, months


def is_period(text: str, named: bool = False) -> bool:
    """Returns whether a text is a part of a year.

    Args:
        text: such as 2010Q1.
        named: it is known to be a time, so that a year of two digits is enough.

    Example:
        >>> [is_period(text) for text in ("2010Q1", "KW 5/2024", "1er trimestre 2024", "T1-24")]
        [True, True, True, False]
    """
    sure = named or re.search(r"\d{4}", text) or re.match(r"[qh][1-4]|[1-4]q", text, re.IGNORECASE)
    patterns = _PERIODS if named and re.search(r"[^\d.]", text) else _PARTS
    return bool(sure and any(re.fullmatch(pattern, text, re.IGNORECASE) for pattern, _ in patterns))


def are_dotted_months(column: pd.Series) -> bool:
    """Returns whether a column of text holds months such as 01.2024, which could be taken for numbers."""
    if pd.api.types.is_numeric_dtype(column) or not re.fullmatch(_DOTTED, _first(column)):
        return False
    return bool(column.astype(str).str.strip().str.fullmatch(_DOTTED).all())


def longer_periods(column: pd.Series) -> np.ndarray:
    """Returns which rows of a column are years or quarters beside shorter periods, as statistical offices publish them.

    Example:
        >>> longer_periods(pd.Series(["2023", "2023 Q1", "2023 JAN", "2023 FEB"])).tolist()
        [True, True, False, False]
    """
    if not any(re.fullmatch(scale, _first(column), re.IGNORECASE) for scale in _SCALES):
        return np.zeros(len(column), bool)
    text = column.astype(str).str.strip()
    found = np.stack([text.str.fullmatch(scale, case=False).to_numpy(bool) for scale in _SCALES])
    if not found.any(axis=0).all() or found.any(axis=1).sum() < 2:
        return np.zeros(len(text), bool)
    return ~found[np.flatnonzero(found.any(axis=1))[-1]]


def _first(column: pd.Series) -> str:
    return str(column.iloc[0]).strip() if len(column) else ""


def periods_of(written: pd.Series) -> tuple[pd.Series, list[Repair]] | None:
    """Returns a column of years or their parts as the first day of each, and what was decided; None if it is none."""
    for pattern, groups in _PERIODS:
        if re.fullmatch(pattern, written.iloc[0], re.IGNORECASE) and (found := _read(written, pattern, groups)):
            return found
    return None


def _read(written: pd.Series, pattern: str, groups: str) -> tuple[pd.Series, list[Repair]] | None:
    parts = written.str.extract(f"(?i)^{pattern}$")
    if parts.isna().any(axis=None):
        return None
    found = dict(zip(groups, (parts[number] for number in range(parts.shape[1])), strict=True))
    if groups in ("yn", "my") and found["y"].str.len().max() == 2 and found["y"].between("01", "31").all():
        return None  # 01-Jan and 01/02 may be days
    year = full_years(found["y"])
    if "f" in found and ((found["f"].astype(int) - year - 1) % 100).any():  # no year and the one after it
        return None
    number = next((found[key] for key in "pqmwn" if key in found), pd.Series("1", written.index))
    number = (
        number.map(month_number)
        if "n" in found
        else number.str.lower().map(lambda each: _NUMBERS.get(each) or int(each))
    )
    unit, repairs = next((key for key in "qmwn" if key in found), "y"), []
    if "u" in found:
        fitting = [
            key
            for key, names in _YEAR_FIRST.items()
            if number.max() <= _MOST[key] and found["u"].str.fullmatch(names, case=False).all()
        ]
        if not fitting:
            return None
        unit = fitting[0]
    elif unit == "m" and WEEKS.search(str(written.name)):
        unit = "w"
    elif unit == "m" and year.nunique() > 2 and set(number) == {1, 2, 3, 4}:
        unit = "q"
        what = "years with a number from 1 to 4: read as quarters"
        repairs = [Repair("", str(written.name), what, len(written))]
    if number.min() < 1 or number.max() > _MOST.get(unit, 12) or not year.isin(YEARS).all():
        return None
    if unit == "w":
        text = year.astype(str) + "-W" + number.astype(str).str.zfill(2) + "-" + found.get("d", "1")
        moments = pd.to_datetime(text, format="%G-W%V-%u", errors="coerce")
        return None if moments.isna().any() else (moments, repairs)
    month = (number - 1) * {"q": 3, "h": 6}.get(unit, 1)
    months = (12 * (year - 1970) + month).to_numpy().astype("datetime64[M]").astype("datetime64[s]")
    return pd.Series(months, written.index), repairs
