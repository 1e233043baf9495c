# ruff: noqa: RUF001  (letters of many scripts)
"""Written text becomes what is spoken, by the conventions of its language, or it is a problem with a reason."""

import unicodedata

import pytest

from data.spoken_text import KEPT, MIXED, REMOVED, REPLACED, spoken_text

SPOKEN = {
    "en": {
        "1,000 dollars": "one thousand dollars",
        "$1,299.99": "one thousand two hundred and ninety nine dollars ninety nine cents",
        "$5 million, £2.5bn": "five million dollars two point five billion pounds",
        "€0.50 and US$5": "fifty cents and five dollars",
        "the 21ST of 2nd": "the twenty first of second",
        "the 1990s, the '90s": "the nineteen nineties the nineties",
        "in 1985 and 2005": "in nineteen eighty five and two thousand and five",
        "1,985 or 1,00,000": "one thousand nine hundred and eighty five or one hundred thousand",
        "20%, 5€": "twenty percent five euros",
        "5 million €": "five million euros",
        "AT&T": "at and t",
        "<|en|> <b>b</b>old %HESITATION #tag #1": "bold tag number one",
        "-5 °C + 3.14": "minus five degrees celsius plus three point one four",
        "100 km/h": "one hundred kilometers per hour",
        "a < b and b > c": "a less than b and b greater than c",
        "007": "zero zero seven",
        "3D MP3 8am": "three d mp three eight am",
        "a 3-year-old": "a three year old",
        "info@example.com": "info at example dot com",
        "1 000 000": "one million",
        "R&amp;D &#8364;5 &lt;noise&gt; № 5": "r and d five euros number five",
        "I owe 5. Then 6.": "i owe five then six",
    },
    "de": {
        "1.299,99 €": "eintausendzweihundertneunundneunzig euro neunundneunzig cent",
        "1.000 Euro": "eintausend euro",
        "1 € für 1 km in 1 min": "ein euro für ein kilometer in eine minute",
        "1,5 l": "eins komma fünf liter",
        "die 90er": "die neunziger",
        "STRASSE, Straße, ẞ": "strasse straße ß",
    },
    "fr": {
        "1 000 000 euros": "un million euros",
        "10,5 %": "dix virgule cinq pour cent",
        "le 1er, la 1ère, le 2e": "le premier la première le deuxième",
        "l’été": "l'été",
        "5 h": "cinq heures",
    },
    "cs": {"20 %": "dvacet procent", "1 000 Kč": "tisíc korun", "-5": "minus pět"},
    "es": {"1.º, 2ª": "primero segunda", "1.000 €": "mil euros"},
    "ru": {"5 км, 2,5": "пять километров две целых пять десятых", "№ 5, 2 руб.": "номер пять два рубля"},
    "tr": {"İSTANBUL %20, 5 TL": "istanbul yüzde yirmi beş türk lirası"},
    "de-CH": {"1'000.50": "eintausend komma fünf null"},
    "el": {"ΟΔΟΣ ΣΟΦΙΑΣ": "οδος σοφιας"},
    "fa": {"می\u200cخواهم ۵": "می\u200cخواهم پنج"},
    "ja": {"3月": "三月", "<ruby>漢字<rp>(</rp><rt>かんじ</rt></ruby>を読む": "漢字を読む"},
    "uk": {"м’ята, мʼята, м'ята": "м'ята м'ята м'ята"},
    "ca": {"col·legi": "col·legi"},
}
PROBLEMS = [
    ("at 10:30", "en", "10:30"),
    ("on 12/31/2024", "en", "12/31/2024"),
    ("1/2", "en", "1/2"),
    ("½ cup", "en", "½"),
    ("x²", "en", "²"),
    ("pages 5-10", "en", "5-10"),
    ("1.299,99", "en", "1.299,99"),
    ("1,299.99", "de", "1,299.99"),
    ("1,2,3", "en", "1,2,3"),
    ("call 5551234", "en", "5551234"),
    ("+420 123 456 789", "cs", "+420 123 456 789"),
    ("am 3. Mai", "de", "3"),
    ("3. května", "cs", "3"),
    ("1990-х", "ru", "1990-х"),
    ("5-kor", "hu", "5-kor"),
    ("https://example.org/a", "en", "https://example.org/a"),
    ("5", "", "5"),
    ("3,5", "tr", "3,5"),
    ("$5x", "en", "$5x"),
    ("il 2° posto", "it", "2°"),
]
CASES = [(written, language, said) for language, texts in SPOKEN.items() for written, said in texts.items()]


@pytest.mark.parametrize(("written", "language", "said"), CASES)
def test_what_is_spoken(written, language, said):
    spoken = spoken_text(written, language)
    assert (spoken.text, spoken.problems) == (said, [])
    assert spoken_text(said, language).text == said  # a second time changes nothing


@pytest.mark.parametrize(("written", "language", "problem"), PROBLEMS)
def test_what_cannot_be_spoken_rightly_is_a_problem(written, language, problem):
    """Nothing is read in part: a clock time is not two numbers."""
    assert [found for found, _ in spoken_text(written, language).problems] == [problem]


@pytest.mark.parametrize(
    ("written", "language", "said"),
    [
        ("“Don’t !”, SAID I – the well-known man...", "en", "Don't! SAID I the well-known man…"),
        ("Hello ,world. (yes), no?!", "en", "Hello, world. yes, no?"),
        ("'Hello,' said e.g. Mr. Smith, of the U.S.", "en", "Hello, said e.g. Mr. Smith, of the U.S."),
        ("20% [laughs] paid $5.  5 OK?", "en", "Twenty percent paid five dollars. Five OK?"),
        ("¿ Qué ? ¡No!", "es", "¿Qué? ¡No!"),
        ("« Oui », dit-il : non !", "fr", "Oui, dit-il: non!"),
        ("ＡＢ\u00adＣ 。", "ja", "ABC。"),
        ("… , !", "en", ""),
    ],
)
def test_case_and_punctuation_may_stay(written, language, said):
    spoken = spoken_text(written, language, punctuated=True)
    assert (spoken.text, spoken.problems) == (said, [])
    assert spoken_text(said, language, punctuated=True).text == said  # a second time changes nothing


@pytest.mark.parametrize("character", ["\u00ad", "\u200e", "\u200f", "\u202a", "\u2066", "\u2060", "\ufeff", "\x07"])
def test_invisible_characters_leave_a_word_whole(character):
    spoken = spoken_text(f"co{character}op", "en")
    assert spoken.text == "coop"
    assert [change.kind for change in spoken.changes] == [REMOVED]


@pytest.mark.parametrize("joiner", ["\u200c", "\u200d"])
def test_joiners_stay_between_letters_alone(joiner):
    assert spoken_text(f"ක්{joiner}ෂ", "si").text == f"ක්{joiner}ෂ"
    assert spoken_text(f"{joiner}ක {joiner} ෂ{joiner}", "si").text == "ක ෂ"


@pytest.mark.parametrize("emoji", ["❤️", "👍🏽", "👨‍👩‍👧", "🇨🇿", "1️⃣", "☺︎"])
def test_emoji_leave_nothing_behind_and_are_recorded(emoji):
    spoken = spoken_text(f"I {emoji} you", "en")
    assert spoken.text in ("i you", "i one you")
    assert any(change.kind == REMOVED for change in spoken.changes)


def test_compatibility_characters_have_one_form():
    spoken = spoken_text("ﬁne Ａ １２ ٣", "en")
    assert spoken.text == "fine a twelve three"
    assert ("ﬁ", "fi") in [(change.written, change.spoken) for change in spoken.changes if change.kind == REPLACED]
    assert spoken_text("น้ำ", "th").text == "น้ำ"  # not its parts, which nobody types


def test_turkish_letters_i():
    assert spoken_text("İI I\u0307", "tr").text == "i\u0131 i"
    assert spoken_text("İI", "az-Latn").text == "i\u0131"
    assert spoken_text("İI", "en").text == "ii"


def test_signs_and_notes_are_recorded_where_they_vanish():
    spoken = spoken_text("<unk> so [laughter] and/or *that*", "en")
    assert spoken.text == "so and or that"
    assert [change.written for change in spoken.changes if change.kind == REMOVED] == [
        "<unk>",
        "[laughter]",
        "/",
        "*",
        "*",
    ]
    assert spoken_text("20% & 5€", "xyz").text == ""  # no words are known: a problem, and signs recorded
    assert {change.written for change in spoken_text("a & b", "xyz").changes} == {"&"}


def test_abbreviations_roman_numerals_and_mixed_scripts_are_recorded():
    found = spoken_text("Dr. Smith, e.g. Louis XIV, saw a c\u0430t", "en").changes
    assert [change.written for change in found if change.kind == KEPT] == ["Dr.", "e.g.", "XIV"]
    assert [change.written for change in found if change.kind == MIXED] == ["c\u0430t"]
    assert not spoken_text("I will mix it, said she.", "en").changes
    found = spoken_text("au XIXe siècle (rires) {bruit}", "fr").changes
    assert {change.written for change in found if change.kind == KEPT} == {"XIXe", "(rires)", "{bruit}"}


@pytest.mark.parametrize(
    ("written", "label", "said"),
    [
        ("BOB: hello", "BOB:", "bob hello"),
        ("- Anna Smith: yes", "Anna Smith:", "anna smith yes"),
        (">> SPEAKER: go &gt;&gt; Stop", "SPEAKER:", "speaker go stop"),
        ("王：　你好", "王:", "王 你好"),
        ("he said: yes", None, "he said yes"),
        ("When all of this was over: peace", None, "when all of this was over peace"),
        ("a > b", None, "a greater than b"),
    ],
)
def test_labels_of_speakers_are_recorded_and_signs_of_captions_dropped(written, label, said):
    found = spoken_text(written, "en")
    assert found.text == said
    assert [change.written for change in found.changes if change.kind == KEPT] == [label] * (label is not None)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_the_form_of_accents_does_not_matter(form):
    said = "příliš žluťoučký kůň"
    assert spoken_text(unicodedata.normalize(form, said.upper()), "cs").text == unicodedata.normalize("NFC", said)
