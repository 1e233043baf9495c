"""Transcripts are normalised to what is spoken, once and for all."""

import unicodedata

import pytest

from data.transcripts import normalise, parts

ENGLISH = {
    "Press 1 or 2; otherwise, press *.": "press one or two otherwise press star",
    "enter # or just # to exit": "enter pound or just pound to exit",
    "[ascending tones]": "",
    "<beep ascending>": "",
    "at [@]": "at",
    "Don't say \u2018o\u2019clock\u2019!": "don't say o'clock",
    "A.M.": "a m",
    "Re-enter   your\tname...": "re enter your name",
    "dial 600, extension 1234": "dial six hundred extension one two three four",
    "28.8 kilobit": "twenty eight point eight kilobit",
    "3D": "three d",
    "visit www.example.org.": "visit w w w dot example dot org",
    "...": "",
}
CZECH = {
    "Stiskni 2 nebo #!": "stiskni dva nebo křížek",
    "Poseidon 737.": "poseidon sedmset třicet sedm",
    "PŘÍLIŠ ŽLUŤOUČKÝ": "příliš žluťoučký",
}
CASES = [(raw, "en", spoken) for raw, spoken in ENGLISH.items()] + [(raw, "cs", said) for raw, said in CZECH.items()]


@pytest.mark.parametrize(("raw", "language", "spoken"), CASES)
def test_normalise(raw, language, spoken):
    assert normalise(raw, language) == spoken
    assert normalise(spoken, language) == spoken  # a second time changes nothing


def test_decomposed_letters_are_composed():
    assert normalise(unicodedata.normalize("NFD", "Žluťoučký kůň"), "cs") == "žluťoučký kůň"


def test_number_in_a_language_without_number_words():
    assert normalise("Blah blah!", "xx") == "blah blah"
    with pytest.raises(ValueError, match=r"no number words for the language 'xx'.*Received: '5'"):
        normalise("Blah 5", "xx")


def test_parts():
    text = "Hello, world.  It is 8 A.M. now... [beep] Goodbye!"
    sentences = ["hello world", "it is eight a m now", "goodbye"]
    assert parts(text, "en", clauses=False) == sentences
    assert parts(text, "en") == [*sentences, "hello", "world"]
