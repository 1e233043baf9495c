"""How numbers, units, money and signs are written in a language, and how they are said."""

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import cache
from typing import NamedTuple

from babel import Locale
from babel.dates import get_month_names
from babel.lists import format_list
from babel.units import format_unit

from data import number_words
from data.languages import locale_of
from data.written_signs import (
    CROWNS,
    CURRENCIES,
    CURRENCIES_BEHIND,
    DEGREES_OR_ORDINALS,
    DOTTED_ORDINALS,
    JOINTS,
    LETTER_UNITS,
    MAGNITUDES,
    MAXIMUM_DIGITS,
    MINUS,
    MORE_SIGNS,
    NO_BREAK_SPACES,
    ORDINAL_SUFFIXES,
    SIGNS,
    UNITS,
    WITHOUT_SPACES,
)


class Reading(NamedTuple):
    """How a written form is said: `words`, or why that is not certain, `problem`; `note` is what to check."""

    words: str
    problem: str = ""
    note: str = ""


class WrittenForms:
    """What can be read aloud in a language, by the conventions of CLDR.

    Args:
        language: any name of a language; see `data.languages`.

    >>> forms = WrittenForms("de")
    >>> [forms.read(match).words for match in forms.number.finditer("1.299,99 € und 20 %")]
    ['eintausendzweihundertneunundneunzig Euro neunundneunzig Cent', 'zwanzig Prozent']
    """

    def __init__(self, language: str) -> None:
        self.language, self.locale = language, locale_of(language)
        self.base = self.locale.language if self.locale else ""
        self.units = dict(_units_of(self.locale)) if self.locale else {}
        self.currencies = dict(_currencies())
        if self.base in CROWNS:
            self.currencies |= dict.fromkeys(("kr", "kr."), (CROWNS[self.base], True))
        plus, minus, equals, times, at, self.dot = (SIGNS.get(self.base) or ",,,,,").split(",")
        self.signs = {"+": plus, "=": equals, "×": times, "@": at, **dict.fromkeys(MINUS, minus)}
        self.signs |= MORE_SIGNS.get(self.base, {})
        if self.locale:
            self.signs["&"] = format_list(["A", "B"], locale=self.locale).strip("AB ,").replace("\u200f", "")
        self._speaks = bool(number_words.cardinal(Decimal(1), language))
        self.number, self._shape, self._months = self._number_pattern(), self._shape_pattern(), self._month_names()

    def _shape_pattern(self) -> re.Pattern[str]:
        """Matches all that is one number by the separators of the language."""
        symbols = self.locale.number_symbols if self.locale else {}
        symbols = symbols.get("latn", symbols)
        decimal, group = re.escape(symbols.get("decimal", ".")), symbols.get("group", ",").replace("\u2019", "'")
        if self.locale and self.locale.territory in ("CH", "LI"):
            decimal = "[.,]"
        separator = f"(?:[{' ' if group.isspace() else re.escape(group)}{NO_BREAK_SPACES}]|[ ](?=0))"
        grouped = rf"\d{{1,3}}(?:{separator}\d{{3}})+|\d{{1,2}}(?:{separator}\d{{2}})+{separator}\d{{3}}"
        return re.compile(rf"(?:(?P<grouped>{grouped})|(?P<plain>\d+)|)(?:{decimal}(?P<fraction>\d+))?")

    def _number_pattern(self) -> re.Pattern[str]:
        """Matches digits with all that may belong to them: sign, money, separators, unit, ending."""
        space, never = f"[ {NO_BREAK_SPACES}]?", "(?!)"
        letters = [unit for unit in self.units if len(unit) == 1 and unit.isalpha() and unit not in LETTER_UNITS]
        units = [unit for unit in self.units if unit not in letters]
        prefixes = [sign for sign in self.currencies if sign not in CURRENCIES_BEHIND]
        masculine, feminine = ORDINAL_SUFFIXES.get(self.base, (never, never))
        decade, magnitude = never, never
        if self.base == "en":
            decade, magnitude = "(?<=0)'?s", f"(?(prefix){space}(?i:{_one_of(MAGNITUDES)})|{never})"
        spaced = rf"(?<!\d)\d{{1,3}}(?:[ {NO_BREAK_SPACES}]\d{{3}})+(?!\d)(?:[.,]\d+)?"
        joined = rf"(?:(?<![\w.,])[.,])?\d(?:[{re.escape(JOINTS)}]?\d)*"
        return re.compile(
            rf"(?P<sign>(?<![\w.,)])[+±{MINUS}])?(?:(?<!\w)(?P<prefix>{_one_of(prefixes)}){space})?"
            rf"(?P<digits>{spaced}|{joined})"
            rf"(?:{space}(?P<currency>{_one_of(self.currencies)})(?!\w)"
            rf"|(?P<decade>{decade})(?!\w)|(?P<magnitude>{magnitude})\b"
            rf"|(?:{space}(?P<unit>{_one_of(units)})|(?P<letter>{_one_of(letters)}))(?![\w'])"
            rf"|(?i:(?P<ordinal>{masculine or never})|(?P<feminine>{feminine or never}))(?!\w)"
            r"|(?P<suffix>[-:']?[^\W\d_]+))?"
            r"(?P<dot>\.(?=\s+(?P<next>\w+)))?"
        )

    def _month_names(self) -> set[str]:
        if not self.locale:
            return set()
        wide = [get_month_names("wide", context, self.locale) for context in ("format", "stand-alone")]
        short = [get_month_names("abbreviated", context, self.locale) for context in ("format", "stand-alone")]
        return {name.lower().strip(".") for names in (*wide, *short) for name in names.values()}

    def read(self, match: re.Match[str]) -> Reading:
        """Returns how a match of `number` is said."""
        shape = self._shape.fullmatch(match["digits"])
        if shape is None or not (shape["plain"] or shape["grouped"] or shape["fraction"]):
            return Reading("", "a date, time, range, or a number with the separators of another language")
        plain, fraction = shape["plain"] or "", shape["fraction"] or ""
        whole = re.sub(r"\D", "", shape["grouped"] or plain) or "0"
        number, decimals = Decimal(f"{whole}.{fraction}" if fraction else whole), len(fraction)
        if len(plain) > MAXIMUM_DIGITS or (match["sign"] == "+" and len(whole) > MAXIMUM_DIGITS):
            return Reading("", "an amount, a code or a telephone number")
        alone = not any(match[name] for name in ("currency", "unit", "letter", "prefix", "sign"))
        try:
            reading = self._read(match, number, decimals, plain, alone and not fraction)
        except KeyError:
            reading = Reading("")
        words = reading.words
        if match["sign"] and words:
            sign = self.signs.get(match["sign"], "")
            words = f"{sign} {words}" if sign else ""
        if not words and not reading.problem:
            unspoken = (
                f"no number words for the language {self.language!r}" if self.language else "no language is named"
            )
            return Reading("", "no words for it" if self._speaks else unspoken)
        # The full stop stays: with what follows it ends a sentence.
        return reading._replace(words=words)

    def _read(self, match: re.Match[str], number: Decimal, decimals: int, plain: str, alone: bool) -> Reading:
        language = self.language
        if match["currency"] or match["prefix"]:
            code, short = self.currencies[match["currency"] or match["prefix"]]
            if match["magnitude"]:  # as in $5 million
                words = number_words.cardinal(number, language, decimals)
                magnitude = MAGNITUDES[match["magnitude"].strip(f" {NO_BREAK_SPACES}").lower()]
                return Reading(f"{words} {magnitude} {number_words.currency_name(Decimal(2), code, language, short)}")
            if any(match[name] for name in ("unit", "letter", "suffix", "ordinal", "feminine", "decade")):
                return Reading("", "an amount of money with letters behind it")
            return Reading(number_words.money(number, code, language, decimals, short))
        if match["unit"] == "°" and self.base in DEGREES_OR_ORDINALS:
            return Reading("", "degrees or an ordinal")
        if match["unit"] or match["letter"]:
            return Reading(
                number_words.measure(number, self.units[match["unit"] or match["letter"]], language, decimals)
            )
        if match["ordinal"] or match["feminine"]:
            return Reading("" if decimals else number_words.ordinal(int(number), language, bool(match["feminine"])))
        if len(plain) > 1 and plain.startswith("0") and not decimals:
            return Reading(" ".join(number_words.cardinal(Decimal(digit), language) for digit in plain))
        words = (alone and len(plain) == 4 and number_words.year(int(number), language)) or ""
        words = words or number_words.cardinal(number, language, decimals)
        if match["decade"] and alone and number % 10 == 0 and number:
            return Reading(number_words.decade(int(number)))
        suffix = match["suffix"] or match["decade"] or match["magnitude"] or ""
        if suffix and words:
            return self._with_suffix(words, suffix, number, alone)
        if match["dot"] and alone and self.base in DOTTED_ORDINALS.split():
            following = match["next"]
            if following[0].islower() or following.lower() in self._months:
                return Reading("", "an ordinal, whose ending depends on the sentence")
            return Reading(words, note="read as a number at the end of a sentence")
        return Reading(words)

    def _with_suffix(self, words: str, suffix: str, number: Decimal, alone: bool) -> Reading:
        """A number with letters behind it: 90er, 3D, 1990-talet."""
        if self.base == "en":
            return Reading(f"{words} {suffix}")
        if self.base == "de" and suffix == "er" and alone:
            return Reading(f"{words}er")
        if self.base in WITHOUT_SPACES:
            return Reading(f"{words}{suffix}")
        if suffix[0] in "-'" and (len(suffix) > 5 or suffix[1].isupper()):
            return Reading(f"{words} {suffix}")
        if suffix.isupper() or not suffix.islower():
            return Reading(f"{words} {suffix}")
        return Reading("", "a number with an ending")

    def name_of_currency(self, sign: str) -> str:
        """Returns what the sign of a currency without an amount is called, such as that behind "5 million"."""
        code, short = self.currencies[sign]
        return number_words.currency_name(Decimal(5), code, self.language, short)


@cache
def forms_of(language: str) -> WrittenForms:
    """Returns the written forms of a language, made once."""
    return WrittenForms(language)


def _units_of(locale: Locale) -> Iterator[tuple[str, str]]:
    """Yields each way to write a unit, international or of a language, with CLDR's name of it."""
    for kind, units in UNITS.items():
        for unit in units.split():
            name, _, signs = unit.partition("=")
            name = f"{kind}-{name}"
            local = re.sub(r"[\d\s\u200e\u200f]", "", format_unit(5, name, "short", locale=locale)).rstrip(".")
            if len(local) > 1 or local.isascii():
                yield local, name
            for sign in filter(None, signs.split(",")):
                yield sign, name


def _currencies() -> Iterator[tuple[str, tuple[str, bool]]]:
    """Yields each code and sign of a currency with its code, and whether it is a sign, which names no country."""
    for pair in CURRENCIES.split():
        code, _, signs = pair.partition("=")
        yield code, (code, False)
        for sign in filter(None, signs.split(",")):
            yield sign, (code, True)


def _one_of(words: Iterable[str]) -> str:
    """Returns a pattern of one of some words, the longest first."""
    return "|".join(map(re.escape, sorted(words, key=len, reverse=True))) or "(?!)"
