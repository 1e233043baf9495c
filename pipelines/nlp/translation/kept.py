"""What a translation must take over as it is: placeholders, tags, addresses, numbers, and terms that a user names.

The network copies them mostly, and not always. What is missing is put where the attention looked at it (as unknown
words in Luong et al. 2015, https://arxiv.org/abs/1410.8206).
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipelines.nlp.texts import SPACELESS

_ADDRESS = r"[^\s<>\"\u3000-\u303f\uff01-\uff0f]*[^\s<>\"'.,;:!?)\]\u3000-\u303f\uff01-\uff0f]"
_LETTER = rf"(?!{SPACELESS})\w"  # of a word that others stand apart from
_PLACEHOLDER = re.compile(
    rf"""
    </?[A-Za-z][^<>\s]*(?:\s[^<>]*)?>               # <b>, </a>, <br/>, <a href="…">
    | &\#?\w+;                                      # &nbsp;
    | \{{\{{\{{?[^{{}}]*\}}\}}\}}? | [$%\#]?\{{[^{{}}\s]*\}}  # {{{{ name }}}}, ${{name}}, %{{name}}, {{name}}, {{0}}
    | %\(\w+\)[\d.]*[sdifr]                         # %(name)s
    | %(?:\d+\$)?[-+0]*\d*(?:\.\d+)?(?:hh?|ll?|[jtz])?[sdifuxXcegopn@](?!\w)   # %s, %1$s, %.2f, %5ld
    | %L?\d\d?(?!\w) | %%                           # %1 of Qt
    | (?:https?|ftp)://{_ADDRESS} | www\.{_ADDRESS}
    | (?<!(?!{SPACELESS})[\w.+-])(?:(?!{SPACELESS})[\w.+-])+@[\w-]+(?:\.(?:{_LETTER}|-)+)+
    | (?<![\w/])(?:~|\.{{1,2}})/[\w.+/-]*[\w/] | (?<![\w/])/[\w.+-]+/[\w.+/-]*[\w/]   # paths
    | (?<![\w-])--?[A-Za-z][\w-]*(?==|\b)(?<![-_])  # options
    | \$[A-Za-z_]\w*                                # variables
    | \d{{4}}-\d\d-\d\dT\d\d:[\d:.]*\d(?:Z|[+-]\d\d:?\d\d)?\b
    | (?<!{_LETTER})(?<![.,])(?<!\d[:/-])(?:\d{{1,3}}(?:[\ \u00a0\u202f]\d{{3}})+ | \d+(?:[.,:/-]\d+)+ | \d{{2,}})
      (?!{_LETTER}|[.,:/-]\d)                       # 1 000 000, 3.14, 12:30, 2024-01-31, 42
    """,
    re.VERBOSE,
)
_NUMBER = re.compile(r"\d+(?:[.,\s]\d+)*")
_GROUPED = r"[.,\s'’\u066c]?"  # between thousands, or nothing
_WORD = re.compile(rf"{SPACELESS}|(?:(?!{SPACELESS})\S)+")
_INSIDE = re.compile(r"\w.*\w|\w", re.DOTALL)  # of a word, without the signs around it
LOOKED_AT = 0.15  # share of the attention by which a word of the translation is taken for the missing one


class Kept(NamedTuple):
    """Something to keep: its `text`, from character `start` to before `end` of the source."""

    start: int
    end: int
    text: str


def to_keep(source: str, terms: Sequence[str] = (), placeholders: bool = True) -> list[Kept]:
    """Returns what a translation of a text must hold, in the order of the text; nothing overlaps.

    Args:
        terms: words or phrases that stay as they are, where they stand as whole words.
        placeholders: whether placeholders, tags, addresses, paths, options and numbers of two digits or more count.

    Example:
        >>> [each.text for each in to_keep("Open <b>{name}</b> at https://a.org/x, 42 times.", ["Open"])]
        ['Open', '<b>', '{name}', '</b>', 'https://a.org/x', '42']
    """
    found = [Kept(*each.span(), each.group()) for each in _PLACEHOLDER.finditer(source)] if placeholders else []
    for term in sorted(filter(None, terms), key=len, reverse=True):
        for each in re.finditer(_whole(term), source):
            if all(each.end() <= other.start or other.end <= each.start() for other in found):
                found.append(Kept(*each.span(), each.group()))
    return sorted(found)


def missing(kept: Sequence[Kept], translation: str) -> list[Kept]:
    """Returns what a translation lacks, as often as it lacks it; a number may have another decimal sign.

    Example:
        >>> [each.text for each in missing(to_keep("{a} or {a}, 3.14 and 42"), "{a} y 3,14")]
        ['{a}', '42']
    """
    lacking, held = [], Counter[str]()
    for each in kept:
        held[each.text] += 1
        if _count(each.text, translation) < held[each.text]:
            lacking.append(each)
    return lacking


def restored(
    source: str,
    translation: str,
    kept: Sequence[Kept],
    weights: np.ndarray,
    pieces: tuple[Sequence[str], Sequence[str]],
) -> str:
    """Returns a translation with what it lacks: in place of the word that looked at it most, or where it would stand.

    Nothing that is kept is replaced, nor is a character of a script without spaces, which may be a part of a word.

    Args:
        kept: what the translation must hold, as of `to_keep`.
        weights: of the attention, (target subwords, source subwords).
        pieces: the subwords of source and target, as text, whose spaces are those between words.
    """
    source_places, target_places = (
        _places(text, each) for text, each in zip((source, translation), pieces, strict=True)
    )
    spans = [each.span() for each in _WORD.finditer(translation)]
    words = [translation[start:end] for start, end in spans]
    held = [each[:2] for each in to_keep(translation, [each.text for each in kept])]
    taken = {number for number, span in enumerate(spans) if any(_overlap(span, each) for each in held)}
    behind: dict[int, list[str]] = {}
    for each in missing(kept, translation):
        columns = [place for place, span in enumerate(source_places) if _overlap(span, each[:2])]
        rows = [[place for place, other in enumerate(target_places) if _overlap(other, span)] for span in spans]
        shares = np.array([weights[some][:, columns].sum(axis=1).mean() if some and columns else 0.0 for some in rows])
        free = [number for number in range(len(words)) if number not in taken]
        best = max(free, key=lambda number: shares[number], default=None)
        if best is None or shares[best] < LOOKED_AT:
            behind.setdefault(round(each.start / max(1, len(source)) * len(words)), []).append(each.text)
        elif re.match(SPACELESS, words[best]):
            behind.setdefault(best + 1, []).append(each.text)
        else:
            inside = _INSIDE.search(words[best])
            before, behind_it = (words[best][: inside.start()], words[best][inside.end() :]) if inside else ("", "")
            words[best] = before + each.text + behind_it
            taken.add(best)
    found, last = "", 0
    for number, (start, end) in enumerate([*spans, (len(translation),) * 2]):
        found += translation[last:start]
        for text in behind.get(number, []):
            found += " " * bool(re.search(rf"(?!{SPACELESS})\S$", found)) + text
        word = words[number] if number < len(words) else ""
        found += " " * (number in behind and bool(re.match(rf"(?!{SPACELESS})\S", word))) + word
        last = end
    return found


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _whole(text: str) -> str:
    """Returns the pattern of a text as whole words; those of scripts without spaces have no ends to be seen."""
    before, after = ("" if re.match(SPACELESS, each) else _LETTER for each in (text[0], text[-1]))
    inside = re.sub("['’]", "['’]", re.escape(text))
    return f"(?<!{before})" * bool(before) + inside + f"(?!{after})" * bool(after)


def plain(text: str) -> str:
    """Returns a text as the network reads it: composed, with single spaces."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def _count(text: str, translation: str) -> int:
    """How often a translation holds a text; a number as another language writes it, too."""
    if share := re.fullmatch(r"%(\d+)", text):  # of Qt, or a share as Turkish writes it
        return len(re.findall(rf"%{share[1]}(?!\d)|(?<!\d){share[1]}\s?%", translation))
    if not _NUMBER.fullmatch(text):
        return len(re.findall(_whole(text) if text[0].isalnum() else re.escape(text), translation))
    first, *others = re.split(r"[.,\s]", _plain_digits(text))
    number = re.sub(r"(?<=\d)(?=(?:\d{3})+$)", lambda _: _GROUPED, first)
    number += "".join((_GROUPED if len(each) == 3 else r"[.,\u066b]") + each for each in others)
    return len(re.findall(rf"(?<!\d){number}(?!\d)", _plain_digits(translation)))


def _plain_digits(text: str) -> str:
    return re.sub(r"\d", lambda each: str(unicodedata.digit(each.group())), text)


def _places(text: str, pieces: Sequence[str]) -> list[tuple[int, int]]:
    """Where each subword stands in a text; one that is not found there, such as the end, is nowhere."""
    places, at = [], 0
    for piece in pieces:
        plain = piece.strip()
        start = text.find(plain, at) if plain else -1
        if start < 0 or start > at + len(piece) + 4:
            places.append((-1, -1))
            continue
        at = start + len(plain)
        places.append((start, at))
    return places
