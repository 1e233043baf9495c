"""Numbers as people write them: with a decimal comma, thousands, units and signs; and yes and no."""

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd

MISSING = frozenset(
    (
        *("na", "n/a", "n.a.", "#n/a", "nan", "-nan", "<na>", "null", "(null)", "#null!", "none", "nil"),
        *("nat", "m", "k.a.", "n/d", "nd", "n.d.", "n.v.", "s/d", "s.d.", "#n/d", "#nv", "missing", "unknown"),
        *("unavailable", "invalid", "error", "tbd", "#div/0!", "#value!", "#ref!", "#num!", "#name?"),
        *("#spill!", "#wert!", "#valor!", "no data", "not available", "not applicable", "keine angabe"),
        "no value",
    )
)
"""What stands for a missing number, in small letters, beside signs alone such as `-` or `***`."""
WORDS = {
    **dict.fromkeys(("yes", "true", "y", "t", "on", "ja", "oui", "sí", "si", "sim", "open", "wahr"), 1.0),
    **dict.fromkeys(("no", "false", "n", "f", "off", "nein", "non", "não", "nao", "closed", "falsch"), 0.0),
}
_SIGNS = r"R\$|[$€£¥₹₽₩₺¢%‰°]|\b(?:USD|EUR|GBP|CHF|JPY|CNY|INR|BRL|CAD|AUD|SEK|NOK|DKK|PLN)\b|^(?:kr|Rs)\b\.?"
SAMPLED = 100  # cells that mostly tell how a column is written
FEWEST_SMALL = 3  # numbers below a thousand that show how others are written
EXACT = 2.0**53  # whole numbers up to here are doubles of their own
_ROUNDED = "whole numbers above 2^53: rounded to what double precision holds"
_MULTIPLES = {
    **{"k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12},
    **dict.fromkeys(("thousand", "thousands", "tsd", "千"), 1e3),
    **{"万": 1e4, "萬": 1e4, "lakh": 1e5, "crore": 1e7, "亿": 1e8, "億": 1e8},
    **dict.fromkeys(("million", "millions", "mn", "mio", "mln"), 1e6),
    **dict.fromkeys(("billion", "billions", "bn", "mrd", "mld"), 1e9),
    **dict.fromkeys(("trillion", "trillions", "tn"), 1e12),
}
_PLAIN = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
_GROUPS = {
    ",": re.compile(r"[-+]?[1-9]\d{0,2}(,\d{2,3})*,\d{3}(\.\d*)?"),  # 12,34,567 in India
    ".": re.compile(r"[-+]?[1-9]\d{0,2}(\.\d{3})+(,\d*)?"),
}


_OTHER_DIGIT = re.compile(r"(?=[^\x00-\x7f])[\d\u066b\u066c\uff0c\uff0e]")


class Numbers(NamedTuple):
    """A column as numbers.

    Attributes:
        values: float64 (rows,), NaN where missing or where `wrong`.
        wrong: bool (rows,), where a cell is no number.
        notes: what was left out or replaced.
    """

    values: np.ndarray
    wrong: np.ndarray
    notes: list[str]


def with_ascii_digits(text: str) -> str:
    """Returns a text with the digits and decimal signs of other scripts as those of ASCII.

    Example:
        >>> with_ascii_digits("३.५")  # Devanagari
        '3.5'
    """
    return text.translate(_digits()) if _OTHER_DIGIT.search(text) else text


@lru_cache
def _digits() -> dict[int, str]:
    digits = {code: str(unicodedata.decimal(chr(code))) for code in range(0x80, 0x20000) if chr(code).isdecimal()}
    return digits | {0x66B: ".", 0x66C: "’", 0xFF0E: ".", 0xFF0C: ","}  # decimal signs and thousands


def numbers_of(column: pd.Series, comma: bool | None = None) -> Numbers:
    """Returns a column of text as numbers.

    Args:
        column: cells of text, or what else a data frame holds.
        comma: the decimal sign is a comma, where the column alone does not tell. Default: it is a point.

    Example:
        >>> numbers_of(pd.Series(["5.000,00", "-12,5 €", "n/a"])).values
        array([5000. ,  -12.5,    nan])
        >>> numbers_of(pd.Series(["yes", "no", "yes"])).values
        array([1., 0., 1.])
    """
    if pd.api.types.is_numeric_dtype(column):  # and bool
        if pd.api.types.is_complex_dtype(column):
            imaginary = column.to_numpy().imag != 0
            return Numbers(np.where(imaginary, np.nan, column.to_numpy().real), imaginary, [])
        values = column.astype(np.float64).to_numpy(na_value=np.nan)
        rounded = pd.api.types.is_integer_dtype(column) and (np.abs(values) > EXACT).any()
        return Numbers(values, np.zeros(len(values), bool), [_ROUNDED] * bool(rounded))
    missing = column.isna().to_numpy()
    if column.dtype.kind == "m":
        seconds = column.dt.total_seconds().to_numpy(np.float64, na_value=np.nan)
        return Numbers(seconds, np.zeros(len(seconds), bool), ["durations: read as seconds"])
    values = pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    left = np.isnan(values) & ~missing
    if comma is None and _has_thousands(column):
        comma = True
    if comma and not left.all():  # 5.000 may be five thousand
        left = ~missing
    large = column[np.abs(values) > EXACT].astype(str).str.strip()
    notes = [_ROUNDED] * bool(large.str.fullmatch(r"[-+]?\d+").any())
    if not left.any():
        return Numbers(values, left, notes)
    text = column[left].astype(str).str.strip()
    empty = text.str.lower().isin(MISSING) | ~text.str.contains(r"[^\W_]|∞")
    text, place = text[~empty], np.flatnonzero(left)[~empty.to_numpy()]
    wrong = np.zeros(len(values), bool)
    if not len(text):
        return Numbers(np.where(left, np.nan, values), wrong, [])
    words = text.str.lower().map(WORDS)
    if words.notna().all() and not np.isfinite(values[~left]).any():
        values[place] = words
        return Numbers(values, wrong, ["words such as yes and no: read as 1 and 0"])
    text, multiple = _multiplied(text, bool(np.isfinite(values[~left]).any()))
    notes += ["multiples such as 1.2M: written out"] * bool((multiple != 1).any())
    if (limits := text.str.match(r"[<>≤≥~≈]\s?\d")).any():
        text = text.str.lstrip("<>≤≥~≈ ")
        notes.append(f"limits such as <0.5 ({int(limits.sum())} of them): read as the limit")
    cleaned, signs = _without_signs(text)
    if bare := int(np.isfinite(values[~left]).sum()):  # 0.5 beside 47 % may mean a half
        signs = [f"{note}; numbers without them: {bare}" for note in signs]
    plain, more = _pointed(cleaned, comma)
    found = multiple * pd.to_numeric(plain.where(plain.str.fullmatch(_PLAIN)), errors="coerce").to_numpy(np.float64)
    values[left] = np.nan
    values[place] = found
    wrong[place] = np.isnan(found)
    return Numbers(values, wrong, notes + signs + more)


def uses_comma(frame: pd.DataFrame) -> bool | None:
    """Returns whether numbers of a table have decimal commas, None where no cell tells.

    Example:
        >>> uses_comma(pd.DataFrame({"a": ["1,5", "2"], "b": ["5.000", "6.000"]}))
        True
    """
    with_comma = with_point = 0
    for name in range(frame.shape[1]):
        column = frame.iloc[:100, name]
        if not pd.api.types.is_numeric_dtype(column):
            cells = column.dropna().astype(str).str.strip().str.replace(_SIGNS, "", regex=True).str.strip()
            with_comma += int(cells.str.fullmatch(r"[-+]?(\d{1,3}(\.\d{3})+|\d*),(\d{1,2}|\d{4,})").sum())
            with_comma += int(cells.str.fullmatch(r"[-+]?(0|\d{4,}),\d+").sum())
            with_point += int(cells.str.fullmatch(r"[-+]?(\d{1,3}(,\d{3})+|\d*)\.(\d{1,2}|\d{4,})").sum())
            with_point += int(cells.str.fullmatch(r"[-+]?(0|\d{4,})\.\d+").sum())
    return None if with_comma == with_point == 0 else with_comma > with_point


def comma_beside(column: pd.Series, delimiter: str) -> bool | None:
    """Returns whether commas in a column are decimal, where no cell of its table tells, and None where nothing does.

    Programs write semicolons between cells where the decimal sign is a comma.

    Example:
        >>> column = pd.Series(["1,100", "1,125"])
        >>> comma_beside(column, ";"), comma_beside(column, ",")
        (True, None)
    """
    is_number = delimiter == ";" and not pd.api.types.is_numeric_dtype(column)
    cells = column.head(SAMPLED).dropna().astype(str) if is_number else pd.Series(dtype=str)
    return True if cells.str.fullmatch(r"\s*[-+]?\d{1,3},\d{3}\s*").any() else None


def may_be_thousands(column: pd.Series) -> bool:
    """Whether three digits follow the one sign in each number, before which stands no zero, and no fourth digit.

    Example:
        >>> [may_be_thousands(pd.Series(["1.100", other])) for other in ("-21.125", "0.125", "2.5")]
        [True, False, False]
    """
    if pd.api.types.is_numeric_dtype(column):
        return False
    for cells in (column.head(SAMPLED), column):
        text = cells.dropna().astype(str).str.strip()
        text = text[text.str.contains(r"\d", regex=True)]
        if not text.str.fullmatch(r"[-+]?[1-9]\d{0,2}[.,]\d{3}").all():
            return False
    return bool(len(text))


def _has_thousands(column: pd.Series) -> bool:
    """Whether points separate thousands: 900 beside 1.000, and no number with another number of digits behind one.

    Decimals that are cut at zeros have one or two digits more often than none.
    """
    for cells in (column.head(SAMPLED), column):
        text = cells.dropna().astype(str).str.strip()
        has_point = text.str.contains(".", regex=False)
        if not text[has_point].str.fullmatch(_GROUPS["."]).all():
            return False
    small = text[~has_point]
    return bool(has_point.any() and small.str.fullmatch(r"-?\d{1,3}").all() and small.nunique() >= FEWEST_SMALL)


def _multiplied(text: pd.Series, beside_numbers: bool) -> tuple[pd.Series, np.ndarray]:
    """Returns cells such as 1.2M and 850K without their letter, and what it multiplies them by.

    The same letter in all cells, and no number without one, may be a unit, such as K, but for the millions and billions
    that stand at their number.
    """
    words = "|".join(name for name in _MULTIPLES if name not in "kKMBT")
    parts = text.str.extract(rf"^(.*\d)([kKMBT]|\s?(?:{words})\.?)$")
    parts[1] = parts[1].str.strip(" .")
    kinds = set(parts[1].dropna())
    if not kinds or (len(kinds) < 2 and not kinds & {"M", "B"} and parts[1].notna().all() and not beside_numbers):
        return text, np.ones(len(text))
    return parts[0].where(parts[0].notna(), text), parts[1].map(_MULTIPLES).fillna(1.0).to_numpy(np.float64)


def _without_signs(text: pd.Series) -> tuple[pd.Series, list[str]]:
    """Returns cells without currencies, percent signs, units, flags, and spaces within numbers."""
    notes = []
    if text.str.findall(_SIGNS).map("".join).loc[lambda found: found != ""].nunique() > 1:
        return text, []  # $5 beside €5 would not be the same number
    text = text.str.replace(r"^[\u2212\u2012\u2013\ufe63\uff0d]", "-", regex=True)
    text = text.str.replace(r"(?<=\d)[dD](?=[-+]?\d+$)|\s?[×x*]\s?10\^(?=[-+]?\d+$)", "e", regex=True)  # of Fortran
    without = text.str.replace(_SIGNS, "", regex=True).str.strip()
    without = without.str.replace(r"^\((.*\d.*)\)$", r"-\1", regex=True)
    without = without.str.replace(r"^([\d.,\s'’]+)-$", r"-\1", regex=True)  # as accountants write a minus
    without = without.str.replace(r"^([-+])\s+", r"\1", regex=True)
    without = without.str.replace(r"(?<=\d)[\s'’_\u00a0\u202f](?=\d{3}(\D|$))", "", regex=True)
    signs = sorted({sign for cell in text[without != text].head(1000) for sign in re.findall(_SIGNS, cell)})
    units = without.str.extract(
        r"^[-+]?[\d.,]*\d[\d.,]*(?:[eE][-+]?\d+)?\s*([^\d\s.,][^\d¼-¾⅐-⅞]*)(?<![¼-¾⅐-⅞])$", expand=False
    )
    kinds = units.dropna().unique()
    is_flag = all(re.fullmatch(r"[a-z*†]{1,2}|\([a-z]\)", kind.strip()) for kind in kinds) and units.isna().any()
    if len(kinds) and (len(kinds) == 1 or is_flag):  # kW beside MW would not be the same number
        number = without.str.extract(r"^([-+]?[\d.,]*\d[\d.,]*(?:[eE][-+]?\d+)?)\s*[^\d\s.,][^\d]*$", expand=False)
        without = number.where(units.notna(), without)
        signs += [str(kind).strip() for kind in kinds]
    if signs:
        notes.append(f"signs and units ({', '.join(signs[:5])}): left out of the numbers")
    return without, notes


def _pointed(text: pd.Series, comma: bool | None) -> tuple[pd.Series, list[str]]:
    """Returns numbers with a decimal point and no thousands."""
    has_comma, has_point = text.str.contains(",", regex=False), text.str.contains(".", regex=False)
    both = text[has_comma & has_point]
    if len(both):
        last_is_comma = (both.str.rfind(",") > both.str.rfind(".")).all()
        decimal = "," if last_is_comma else "."
    elif (text.str.count(",") > 1).any():
        decimal = "."
    elif (text.str.count(r"\.") > 1).any():
        decimal = ","
    elif has_comma.any() and comma is None:
        # 1,234 in all cells is a thousand; one cell with another number of digits tells a decimal comma.
        decimal = "." if text[has_comma].map(lambda cell: bool(_GROUPS[","].fullmatch(cell))).all() else ","
        if decimal == "." and text[has_comma].str.match(r"[-+]?0,").any():
            decimal = ","
    elif comma is None:
        return text, []
    else:
        decimal = "," if comma else "."
    group = "." if decimal == "," else ","
    grouped = text.str.contains(group, regex=False)
    if decimal == "," and comma and not has_comma.any() and grouped.any():
        regular = text[grouped].map(lambda cell: bool(_GROUPS["."].fullmatch(cell))).all()
        if not regular:  # 20.5 beside columns with commas
            return text, []
    is_group = text.map(lambda cell: bool(_GROUPS[group].fullmatch(cell))) if grouped.any() else grouped
    notes = [f"separators of thousands ({group}): left out of the numbers"] if is_group.any() else []
    pointed = text.where(~is_group, text.str.replace(group, "", regex=False))
    return pointed.str.replace(",", ".", regex=False) if decimal == "," else pointed, notes
