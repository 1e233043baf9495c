"""Numbers in words: cardinals, decimals, ordinals, years, decades and amounts of money, in the languages of num2words.

A function returns "" where the words are not known for certain: it is better to ask than to teach wrong ones.
"""

import re
from decimal import Decimal
from functools import cache

from babel.numbers import format_decimal, get_currency_name
from babel.units import UnknownUnitError, format_unit
from num2words import CONVERTER_CLASSES, num2words

from data.languages import language_code, locale_of

YEARS = range(1100, 2100)  # numbers of four digits that are read as years where they stand alone
_YEAR_LANGUAGES = ("en", "de", "nl")  # that read years otherwise than numbers, and whose words num2words knows
# Whose names of money num2words knows; for others it has English ones. CLDR has names for all, without their parts.
_MONEY_LANGUAGES = ("en", "de", "fr", "es", "it", "nl", "pt", "ru", "uk", "pl", "be", "ca")
_FRACTION_LANGUAGES = ("ru", "uk", "be", "pl", "cs", "sk", "sl", "sr", "hu", "lt")  # of tenths and hundredths
# In which the last word of "US dollars" or "českých korun" is a name of money; the first one of "dollars canadiens".
_ADJECTIVE_FIRST = ("en", "cs", "sk", "sv", "da", "nb", "nn", "no", "fi", "et", "hu", "hr", "sl")
_ADJECTIVE_LAST = ("fr", "es", "it", "pt", "ro", "ca")
_MASCULINE_TO_FEMININE = {"es": ("o", "a"), "pt": ("o", "a"), "it": ("o", "a")}


@cache
def converter(language: str) -> str:
    """Returns what num2words calls a language; "" if it does not know it.

    >>> converter("EN"), converter("pt-BR"), converter("nb"), converter("xyz")
    ('en', 'pt_BR', 'no', '')
    """
    code = language_code(language).replace("-", "_")
    base = {"nb": "no", "nn": "no", "kk": "kz"}.get(code.split("_")[0], code.split("_")[0])
    return next((name for name in (code, base) if name in CONVERTER_CLASSES), "")


@cache
def cardinal(number: Decimal, language: str, decimals: int = 0) -> str:
    """Returns a number in words.

    Args:
        number: at least 0.
        language: any name of a language; see `data.languages`.
        decimals: digits behind the point, which a decimal number has: 1.50 has two.

    >>> cardinal(Decimal(1000), "en"), cardinal(Decimal("1.50"), "de", 2)
    ('one thousand', 'eins Komma fünf null')
    """
    if not decimals:
        return _convert(int(number), language)
    if point := _decimal_point(language):
        whole, _, fraction = f"{number:.{decimals}f}".partition(".")
        return " ".join(
            [_convert(int(whole), language), point, *(_convert(int(digit), language) for digit in fraction)]
        )
    known = language_code(language).split("-")[0] in _FRACTION_LANGUAGES and not str(number).endswith("0")
    return _convert(float(number), language) if known else ""


def ordinal(number: int, language: str, feminine: bool = False) -> str:
    """Returns an ordinal number in words.

    >>> ordinal(21, "en"), ordinal(2, "es", feminine=True)
    ('twenty-first', 'segunda')
    """
    words = _convert(number, language, to="ordinal")
    base = language_code(language).split("-")[0]
    if feminine and base == "fr":
        return {"premier": "première", "second": "seconde"}.get(words, words)
    if feminine:
        masculine, ending = _MASCULINE_TO_FEMININE.get(base, ("", ""))
        return " ".join(re.sub(f"{masculine}$", ending, word) for word in words.split()) if masculine else ""
    return words


def year(number: int, language: str) -> str:
    """Returns a year in words, in a language that reads years otherwise than numbers; else "".

    >>> year(1985, "en"), year(1985, "cs")
    ('nineteen eighty-five', '')
    """
    known = language_code(language).split("-")[0] in _YEAR_LANGUAGES
    return _convert(number, language, to="year") if known and number in YEARS else ""


def decade(number: int) -> str:
    """Returns the English words of a decade, from its first year or the two digits of one: 1990, 90.

    >>> decade(1990), decade(90), decade(2000)
    ('nineteen nineties', 'nineties', 'two thousands')
    """
    words = _convert(number, "en", to="year" if number in YEARS else "cardinal")
    return f"{words[:-1]}ies" if words.endswith("y") else f"{words}s"


def money(number: Decimal, currency: str, language: str, decimals: int = 0, plain: bool = True) -> str:
    """Returns an amount of money in words.

    Args:
        number: the amount, at least 0.
        currency: its code, such as EUR.
        language: any name of a language.
        decimals: digits behind the point.
        plain: whether the sign, such as $, names no country.

    >>> money(Decimal("5.20"), "USD", "en", 2), money(Decimal(1), "EUR", "de")
    ('five dollars twenty cents', 'ein Euro')
    """
    base, name = language_code(language).split("-")[0], converter(language)
    forms = getattr(CONVERTER_CLASSES.get(name), "CURRENCY_FORMS", {})
    if base in _MONEY_LANGUAGES and currency in forms and decimals in (0, 2) and plain:
        words = _convert(float(number), language, to="currency", currency=currency, separator="|")
        whole, _, cents = words.partition("|")
        if base == "en" and currency == "EUR" and number != 1:
            whole = re.sub("euro$", "euros", whole)
        parts = [whole] if number == int(number) else [whole, cents] if number > 1 else [cents]
        return " ".join(" ".join(parts).split())
    words, unit = cardinal(number, language), currency_name(number, currency, language, plain)
    return f"{words} {unit}" if words and unit and not decimals else ""


def currency_name(number: Decimal, currency: str, language: str, plain: bool = True) -> str:
    """Returns what so much of a currency is called.

    >>> currency_name(Decimal(5), "USD", "en"), currency_name(Decimal(5), "CZK", "cs")
    ('dollars', 'korun')
    """
    locale = locale_of(language)
    if locale is None or currency not in locale.currencies:
        return ""
    name = str(get_currency_name(currency, number, locale)).replace("\xa0", " ")
    if plain and locale.language in (*_ADJECTIVE_FIRST, *_ADJECTIVE_LAST):
        return name.split()[-1 if locale.language in _ADJECTIVE_FIRST else 0]
    return name


def measure(number: Decimal, unit: str, language: str, decimals: int = 0) -> str:
    """Returns a number with its unit in words, "" where CLDR has no name for it.

    Args:
        number: at least 0.
        unit: what CLDR calls it, such as length-kilometer.
        language: any name of a language.
        decimals: digits behind the point.

    >>> measure(Decimal(5), "speed-kilometer-per-hour", "fr"), measure(Decimal(1), "duration-minute", "de")
    ('cinq kilomètres par heure', 'eine Minute')
    """
    locale, words = locale_of(language), cardinal(number, language, decimals)
    if locale is None or not words:
        return ""
    try:
        written = format_unit(number, unit, "long", locale=locale)
    except UnknownUnitError:
        return ""
    digits = format_decimal(number, locale=locale)
    if digits not in written or re.search(r"[\d%٪°²³/]", written.replace(digits, "")):  # no name, only a sign
        return ""
    if words.endswith("eins") and locale.language == "de":  # German words for feminine units end in e
        words = words.removesuffix("s") + ("e" if written.endswith("e") else "")
    return written.replace(digits, words).replace("\xa0", " ")


@cache
def _decimal_point(language: str) -> str:
    """Returns the word between a number and its decimals, in a language that reads them digit by digit; else ""."""
    two, five, example = (_convert(number, language) for number in (2, 5, 2.25))
    digits = re.fullmatch(rf"{re.escape(two)} (\w+) {re.escape(two)} {re.escape(five)}", example)
    return digits[1] if digits and two else ""


@cache
def _convert(number: float, language: str, **options: str) -> str:
    """Returns what num2words makes of a number; "" where it does not know the language, the form, or the number."""
    name = converter(language)
    if not name:
        return ""
    try:
        return str(num2words(number, lang=name, **options)).strip().replace("etttusen", "ettusen")  # in Swedish
    except (NotImplementedError, TypeError, ValueError, OverflowError, KeyError, IndexError, AttributeError):
        return ""
