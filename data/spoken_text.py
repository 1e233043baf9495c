"""Written text as it is spoken: numbers and signs in words, one form of each character, every change recorded."""

import html
import re
import unicodedata
from functools import cache, lru_cache
from typing import NamedTuple

from data.languages import language_code
from data.written_forms import forms_of
from data.written_signs import NO_BREAK_SPACES

SPELLED, NUMBERED, REPLACED, REMOVED, KEPT, MIXED = (
    "spelled out",
    "numbers before a full stop, which may be ordinals",
    "replaced",
    "removed, not spoken",
    "kept as written, check how they are spoken",
    "words of two scripts, look-alike letters perhaps",
)
"""Kinds of changes, in the order in which a report names them."""

# Notes such as <unk>, <|en|>, %HESITATION and [laughter], and >> of captions, where another speaks; not "a < b".
_TAG = re.compile(r"<[^\W\d_][^<>\s]*>|</?\w+/?>|<\|[^<>|]*\|>|(?<!\S)%[A-Z_]{2,}(?!\S)|\[[^\[\]]*\]|>{2,}")
# How a word of HTML is read, which is written before it.
_READING = re.compile(r"<(rt|rp)\b[^<>]*>[^<>]*(</\1>)?", re.IGNORECASE)
_FORMAT = re.compile(r"</?(?:ruby|rb|b|i|u|em|strong|span|font|mark|small)\b[^<>]*>", re.IGNORECASE)
_APOSTROPHES = re.compile("(?<=[^\\W\\d_])['\u2018\u2019\u02bc\u2032\u00b4`\uff07\u02b9\u05f3](?=[^\\W\\d_])")
_ADDRESS = re.compile(
    r"(?:https?://)?\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+|(?:https?://|\bwww\.)[\w-]+(?:\.[\w-]+)*[^\s,;]*"
    r"|\b[\w-]+(?:\.[\w-]+)*\.(?:com|org|net|edu|gov|info|io)\b(?:/[^\s,;]*)?",
    re.IGNORECASE,
)
_ABBREVIATION = re.compile(
    r"\b(?:[^\W\d_]\.\s?){2,}|\b(?:Dr|Mr|Mrs|Ms|Prof|St|Jr|Sr)\.(?=\s)|\b[^\W\d_]{1,5}\.(?=,|\s+[a-z\u00df-\u00ff\d])"
)
_ROMAN = re.compile(r"\b(?=[IVXLC]{2})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})(?:e|er|[èe]me|[ºª])?\b")
_ASIDE = re.compile(r"\([^()]*\)|\{[^{}]*\}")  # a note perhaps, such as (laughs), and perhaps not
_LABEL = re.compile(r"[\s–—-]*([^\W\d_][^\s:]*(?: [^\s:]+){0,2}:)(?=\s)")  # BOB: or Dr. Who: of a speaker
_ENTITY = re.compile(r"&(?:#\d+|#x[\da-f]+|[a-z]+\d*);", re.IGNORECASE)  # of HTML
_INVISIBLE = {"Cf", "Cc", "Cs", "Co", "Cn"}
_JOINERS = "\u200c\u200d"
# Compatibility characters that are letters of their own all the same: am of Thai and Lao, whose parts nobody types.
_INTACT = "\u0e33\u0eb3"
_MIDDLE = "\u00b7\u05f4"  # inside a word these belong to it: Catalan l·l, Hebrew abbreviations
_SENTENCE_SIGNS = ".,?!:;…。、，！？；：।؟،؛՞"  # noqa: RUF001  (full-width)
_OPENING_SIGNS = "¿¡"
_PUNCTUATION = re.compile(rf"(\.(?!\w)|[{_SENTENCE_SIGNS[1:]}{_OPENING_SIGNS}])")  # not the first one of "e.g."
_HYPHENS = str.maketrans("\u2010\u2011", "--")
_LOUD = "#%&*@/\\_\u00a7\u2020\u2021\u2030\u2031"  # punctuation that is not silent
_WITHOUT_SPACES = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
_PLAIN = re.compile(r"[a-z ,?!']*[.]?")  # nothing to do but to drop the punctuation


class Change(NamedTuple):
    """What of a text was changed, or is worth a look: its kind, what was written, what became of it, and around it."""

    kind: str
    written: str
    spoken: str = ""
    context: str = ""


class SpokenText(NamedTuple):
    """A text as it is spoken, what was changed, and what cannot be spoken rightly: (written, reason) each."""

    text: str
    changes: list[Change]
    problems: list[tuple[str, str]]


def spoken_text(text: str, language: str, punctuated: bool = False) -> SpokenText:
    """Returns a text as lower-case words with one space between them, as a recogniser learns to write them.

    Numbers, money, units and signs are spelled out by the conventions of the language. Punctuation vanishes; an
    apostrophe inside a word stays. Notes, `[laughter]` or `<unk>`, vanish and are recorded, as everything is that
    another reader might want otherwise.

    Args:
        text: in any writing.
        language: any name of a language; see `data.languages`. "": unknown, so that numbers are problems.
        punctuated: keeps the case and the punctuation that belongs to sentences; see `punctuated_words`.

    >>> spoken_text("It's 20 % of $1,000!", "en").text
    "it's twenty percent of one thousand dollars"
    >>> spoken_text("at 10:30", "en").problems
    [('10:30', 'a date, time, range, or a number with the separators of another language')]
    """
    if _PLAIN.fullmatch(text):
        return SpokenText(punctuated_words(text) if punctuated else words_of(text, language), [], [])
    changes: list[Change] = []

    def unescaped(match: re.Match[str]) -> str:
        became = html.unescape(match[0])
        if became != match[0]:
            changes.append(Change(REPLACED, match[0], became))
        return became

    text = _characters(_ENTITY.sub(unescaped, text), changes)

    def dropped(match: re.Match[str]) -> str:
        changes.append(Change(REMOVED, match[0]))
        return "" if _FORMAT.fullmatch(match[0]) or _READING.fullmatch(match[0]) else " "

    for pattern in (_READING, _FORMAT, _TAG):
        text = pattern.sub(dropped, text)
    changes += [Change(KEPT, match[0]) for match in _ASIDE.finditer(text)]
    if (label := _LABEL.match(text)) and not label[1][0].islower():
        changes.append(Change(KEPT, label[1]))
    if not text.islower():  # whose full stops end sentences
        changes += [Change(KEPT, match[0].strip()) for match in _ABBREVIATION.finditer(text)]
    if not text.isupper():
        changes += [Change(KEPT, match[0]) for match in _ROMAN.finditer(text)]
    problems: list[tuple[str, str]] = []
    text = _addresses(text, language, changes, problems)
    text = _numbers(text, language, changes, problems, punctuated)
    text = _signs(text, language, changes)
    words = punctuated_words(text) if punctuated else words_of(text, language)
    if not words.isascii():
        changes += [Change(MIXED, word) for word in words.split() if _mixes_scripts(word)]
    return SpokenText(words, changes, problems)


@lru_cache(1 << 16)
def words_of(text: str, language: str = "") -> str:
    """Returns the words of a text that has no numbers and signs: lower-case letters and marks, apostrophes inside.

    >>> words_of("“Don’t!”, SAID I", "en")
    "don't said i"
    """
    return _words(lowered(_with_plain_apostrophes(text), language), _MIDDLE)


def punctuated_words(text: str) -> str:
    """Returns the words of such a text in their case, with the punctuation of sentences and hyphens inside words.

    One sign stands where several do, behind the word; quotation marks, brackets and dashes vanish.

    >>> punctuated_words("“Don’t !”, SAID I – the well-known man...")
    "Don't! SAID I the well-known man…"
    """
    text = re.sub(r"\.{2,}", "…", _with_plain_apostrophes(text).translate(_HYPHENS))
    text = _words(_PUNCTUATION.sub(r" \1 ", text), _MIDDLE + "-", _SENTENCE_SIGNS + _OPENING_SIGNS)
    text = re.sub(f" ([{_SENTENCE_SIGNS}])(?: [{_SENTENCE_SIGNS}])*", r"\1", f" {text}")
    return re.sub(f"([{_OPENING_SIGNS}]) ", r"\1", text).lstrip(f" {_SENTENCE_SIGNS}").rstrip(f" {_OPENING_SIGNS}")


def _with_plain_apostrophes(text: str) -> str:
    return _APOSTROPHES.sub("'", unicodedata.normalize("NFC", text)).replace("\u2019", "'")


def _words(text: str, inside: str, signs: str = "") -> str:
    """Returns letters, marks, what may stand `inside` a word, and `signs`, with one space for all else."""
    kept: list[str] = []
    for character in text:
        kind = unicodedata.category(character)[0]
        after_letter = kept and (kept[-1] not in " '")
        belongs = kind == "M" or character in _JOINERS + inside
        if kind == "L" or character in "'" + signs or (after_letter and belongs):
            kept.append(character)
        elif kind != "M" and character not in _JOINERS:
            kept.append(" ")
    words = (word.strip("'" + _JOINERS + inside) for word in "".join(kept).split())
    return unicodedata.normalize("NFC", " ".join(word for word in words if word))


def lowered(text: str, language: str) -> str:
    """Returns a text in lower case, with the two letters i of Turkish and Azeri and the final sigma of Greek.

    >>> lowered("İZMİR", "tr"), lowered("ΟΔΟΣ", "el")
    ('izmir', 'οδος')
    """
    if _base(language) in ("tr", "az"):
        text = text.replace("I\u0307", "i").replace("İ", "i").replace("I", "\u0131")
    return text.replace("İ", "i").lower()


@cache
def _base(language: str) -> str:
    return language_code(language).split("-")[0]


def _characters(text: str, changes: list[Change]) -> str:
    """Returns a text without invisible characters, with one form of each letter, digit and space."""
    if text.isascii() and text.isprintable():
        return text
    text = _APOSTROPHES.sub("'", unicodedata.normalize("NFC", text))
    written: list[str] = []
    for character in text:
        kind = unicodedata.category(character)
        became = character
        if character in _JOINERS:
            pass  # they stay between letters
        elif 0xFE00 <= ord(character) <= 0xFE0F or 0xE0100 <= ord(character) <= 0xE01EF or character == "\u0640":
            became = ""  # variation selectors; the Arabic stroke that stretches a word
        elif kind in _INVISIBLE and not character.isspace():
            became = " " if character == "\u200b" else ""  # the space of no width, between words
        elif kind == "Nd" and not character.isascii():
            became = str(unicodedata.decimal(character))
        elif character in "\u066b\u066c":
            became = ".,"["\u066b\u066c".index(character)]
        elif kind[0] == "M" and not (written and written[-1] and _carries(written[-1][-1])):
            became = ""  # a mark on no letter, such as that of a key cap
        elif kind == "No" and unicodedata.normalize("NFKC", character).isdecimal() and not _is_script(character):
            became = unicodedata.normalize("NFKC", character)  # a circled digit
        elif kind != "No" and character not in _INTACT + NO_BREAK_SPACES + "\u00b5\u00b4\u00a8\u2116\u2122\u2120ªº℃℉…":
            became = unicodedata.normalize("NFKC", character)
        if became != character and unicodedata.normalize("NFC", became) != character:
            name = unicodedata.name(character, "a control character").lower()
            shown = character if kind[0] in "LNPS" else f"U+{ord(character):04X} ({name})"
            changes.append(Change(REPLACED if became.strip() else REMOVED, shown, became))
        written.append(became)
    return unicodedata.normalize("NFC", "".join(written))


@lru_cache(1 << 16)
def _mixes_scripts(word: str) -> bool:
    """Whether a word has letters of two of the scripts whose letters look alike."""
    scripts = {unicodedata.name(letter, "").split(" ")[0] for letter in word}
    return not word.isascii() and len(scripts & {"LATIN", "CYRILLIC", "GREEK"}) > 1


def _carries(character: str) -> bool:
    return unicodedata.category(character)[0] in "LM" or character in _JOINERS


def _is_script(character: str) -> bool:
    """Whether a character stands above or below the line, which is not just another form of a digit."""
    return unicodedata.decomposition(character).startswith(("<super>", "<sub>", "<fraction>"))


def _numbers(text: str, language: str, changes: list[Change], problems: list[tuple[str, str]], punctuated: bool) -> str:
    if not any(character.isnumeric() for character in text):
        return text
    forms = forms_of(language)
    if _base(language) == "tr":  # which writes the sign before the number
        text = re.sub(r"%\s?(\d[\d.,]*\d|\d)", r"\1%", text)

    def read(match: re.Match[str]) -> str:
        written = match[0].removesuffix(".").strip()
        words, problem, note = forms.read(match)
        if problem:
            problems.append((written, problem))
            return " "
        changes.append(Change(NUMBERED if note else SPELLED, written, words_of(words, language)))
        before, after = text[match.start() - 1 : match.start()], text[match.end() : match.end() + 1]
        begins_sentence = text[: match.start()].rstrip()[-1:] in ("", *".?!…")
        if punctuated and begins_sentence:
            words = words[:1].upper() + words[1:]
        apart = ["" if _WITHOUT_SPACES.match(words) and not beside.isascii() else " " for beside in (before, after)]
        return f"{apart[0]}{words}{apart[1]}{'.' if match['dot'] else ''}"

    text = forms.number.sub(read, text)
    for character in text:
        if unicodedata.category(character) == "No":
            problems.append((character, "a fraction or a number above or below the line"))
    return text


def _addresses(text: str, language: str, changes: list[Change], problems: list[tuple[str, str]]) -> str:
    if "." not in text or not _ADDRESS.search(text):
        return text
    forms = forms_of(language)
    at = forms.signs.get("@", "")

    def read(match: re.Match[str]) -> str:
        written = match[0].rstrip(".!?:")
        if not forms.dot or ("@" in written and not at) or re.search(r"[/+\-_?=&\d]", written):
            problems.append((written, "an address, which is spelled in many ways"))
            return " "
        words = written.replace("www.", "w w w.").replace(".", f" {forms.dot} ").replace("@", f" {at} ")
        changes.append(Change(SPELLED, written, words_of(words, language)))
        return f" {words} {match[0][len(written) :]}"

    return _ADDRESS.sub(read, text)


def _signs(text: str, language: str, changes: list[Change]) -> str:
    """Returns a text with words in place of signs; those without are dropped, and recorded with what is around them."""
    if not any(_is_sign(character) for character in text):
        return text
    forms, words = forms_of(language), []
    for place, character in enumerate(text):
        if not _is_sign(character):
            words.append(character)
            continue
        said = "" if character == "#" and text[place + 1 : place + 2].isalpha() else forms.signs.get(character, "")
        if not said and character in forms.currencies:
            said = forms.name_of_currency(character)
        around = " ".join(text[max(0, place - 12) : place + 13].split())
        changes.append(Change(SPELLED, character, said) if said else Change(REMOVED, character, context=around))
        words.append(f" {said} ")
    return "".join(words)


@lru_cache(1 << 12)
def _is_sign(character: str) -> bool:
    """Whether a character is read aloud, or pictures something: signs and emoji, not punctuation, letters and marks."""
    kind = unicodedata.category(character)
    return character in _LOUD or (kind[0] == "S" and character not in "`\u00b4\u00a8")
