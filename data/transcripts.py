"""Transcripts of the built-in data sets as they are spoken, by the conventions of telephone prompts.

`spoken_text` is for all others.
"""

import re

from num2words import num2words

from data.spoken_text import words_of

# How `#`, `*`, and the dot of a web address are read aloud; other languages drop them with the punctuation.
SPOKEN_SYMBOLS: dict[str, dict[str, str]] = {
    "en": {"#": "pound", "*": "star", ".": "dot"},
    "cs": {"#": "křížek", "*": "hvězdička", ".": "tečka"},
}

_NOTE = re.compile(r"\[[^\]]*\]|<[^>]*>")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_WEB_ADDRESS = re.compile(r"\bwww(?:\.\w+)+", re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?<=\w\w)[.](?=\s|$)|[?!:;…\n]|\.\.+")


def normalise(text: str, language: str) -> str:
    """Return `text` as it is spoken: lower-case words with one space between them.

    Notes in square or angle brackets are not speech and are dropped. Numbers, `#` and `*` are spelled out: a
    number of up to three digits as a whole ("500" is "five hundred"), a longer one digit by digit, the way an
    extension or a code is read ("1234" is "one two three four"). Punctuation is dropped; an apostrophe
    inside a word stays.

    Args:
        text: A transcript in any writing.
        language: ISO 639-1 code such as "en" or "cs"; decides how numbers and symbols are read.

    Returns:
        The normalised text (Unicode NFC); "" if nothing in `text` is spoken.

    Raises:
        ValueError: `text` holds a number and `language` has no number words.

    >>> normalise("Press 2 or #, don't wait!", "en")
    "press two or pound don't wait"
    >>> normalise("[ascending tones]", "en")
    ''
    """
    text = _NOTE.sub(" ", text)
    symbols = SPOKEN_SYMBOLS.get(language, {})
    text = _WEB_ADDRESS.sub(
        lambda match: match[0].replace(".", f" {symbols.get('.', '')} ").replace("www", "w w w"), text
    )
    text = _NUMBER.sub(lambda match: f" {_number_words(match[0], language)} ", text)
    for symbol in "#*":
        text = text.replace(symbol, f" {symbols.get(symbol, '')} ")
    return words_of(text, language)


def parts(text: str, language: str, clauses: bool = True) -> list[str]:
    """Returns the sentences of `text`, and with `clauses` what commas separate in them, each normalised, once.

    A full stop after a single letter, as in "A.M.", ends no sentence.

    >>> parts("Login incorrect.  Mailbox, please?", "en")
    ['login incorrect', 'mailbox please', 'mailbox', 'please']
    """
    sentences = _SENTENCE_END.split(_NOTE.sub(" ", text))
    pieces = [*sentences, *(clause for sentence in sentences if clauses for clause in sentence.split(","))]
    normalised = (normalise(piece, language) for piece in pieces)
    return list(dict.fromkeys(piece for piece in normalised if piece))


def _number_words(number: str, language: str) -> str:
    """Spell out a number written in digits: "28.8", "500"; more than three digits one by one."""
    pieces = list(number) if "." not in number and len(number) > 3 else [number]
    try:
        return " ".join(num2words(piece if "." in piece else int(piece), lang=language) for piece in pieces)
    except NotImplementedError as error:
        raise ValueError(
            f"There are no number words for the language {language!r}: spell out the numbers in the "
            f"transcripts, or give a language that num2words knows. Received: {number!r}"
        ) from error
