"""Languages are known by any of their names, and numbers are never said in another language's words."""

from decimal import Decimal

import pytest
from num2words import CONVERTER_CLASSES

from data.languages import language_code
from data.number_words import cardinal, money


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("EN", "en"),
        ("en_us", "en-US"),
        ("eng", "en"),
        ("GER", "de"),
        ("deu", "de"),
        ("Czech", "cs"),
        ("zh-hans", "zh-Hans"),
    ],
)
def test_every_name_of_a_language_is_one_code(given, code):
    assert language_code(given) == code == language_code(code)


def test_a_slip_is_answered_with_the_nearest_name():
    with pytest.raises(ValueError, match=r"perhaps german.*Received: 'Germann'"):
        language_code("Germann")


@pytest.mark.parametrize("language", sorted(CONVERTER_CLASSES))
def test_decimals_are_said_or_unknown_in_every_language(language):
    """What num2words gets wrong, such as a comma without a word, or fifty for five tenths, is left unsaid."""
    words = cardinal(Decimal("2.5"), language, 1)
    assert not set(words) & set(",.0123456789")
    assert words != cardinal(Decimal(2), language) or not words


@pytest.mark.parametrize("language", ["hu", "ro", "sv", "cs", "fi", "tr"])
def test_money_has_no_english_name_in_another_language(language):
    assert "dollars" not in money(Decimal(5), "USD", language)
    assert money(Decimal(5), "USD", language)
