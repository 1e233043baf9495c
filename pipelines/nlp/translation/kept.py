"""What a translation must take over as it is: placeholders, tags, addresses, numbers, and terms that a user names.

The network copies them mostly, and not always. What is missing is put where the attention looked at it (as unknown
words in Luong et al. 2015, https://arxiv.org/abs/1410.8206).
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_PLACEHOLDER = re.compile(
    r"""
    </?[A-Za-z][^<>\s]*(?:\s[^<>]*)?>               # <b>, </a>, <br/>, <a href="…">
    | &\#?\w+;                                      # &nbsp;
    | \{\{[^{}]*\}\} | \$?\{[^{}\s]*\}              # {{ name }}, ${name}, {name}, {0}
    | %\(\w+\)[sdifr] | %\d+\$[sdif@] | %(?:\.\d+)?[sdifu@](?!\w) | %%   # %(name)s, %1$s, %s, %.2f
    | (?:https?|ftp)://[^\s<>"]*[^\s<>"'.,;:!?)\]]  # addresses
    | www\.[^\s<>"]*[^\s<>"'.,;:!?)\]]
    | [\w.+-]+@[\w-]+(?:\.[\w-]+)+
    | (?<![\w/])(?:~|\.{1,2})/[\w.+/-]*[\w/] | (?<![\w/])/[\w.+-]+/[\w.+/-]*[\w/]   # paths
    | (?<![\w-])--?[A-Za-z][\w-]*(?==|\b)(?<![-_])      # options
    | \$[A-Za-z_]\w*                                # variables
    | (?<![\w.,])\d+(?:[.,:/-]\d+)+(?!\w) | (?<![\w.,])\d{2,}(?!\w)   # 3.14, 12:30, 2024-01-31, 42
    """,
    re.VERBOSE,
)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)+")
_WORD = re.compile(r"\S+")
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
    for term in sorted(terms, key=len, reverse=True):
        for each in re.finditer(rf"(?<!\w){re.escape(term)}(?!\w)", source):
            if all(each.end() <= other.start or other.end <= each.start() for other in found):
                found.append(Kept(*each.span(), term))
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
    lacking: Sequence[Kept],
    weights: np.ndarray,
    pieces: tuple[Sequence[str], Sequence[str]],
) -> str:
    """Returns a translation with what it lacks: in place of the word that looked at it most, or where it would stand.

    Args:
        weights: of the attention, (target subwords, source subwords).
        pieces: the subwords of source and target, as text, whose spaces are those between words.
    """
    source_places, target_places = (
        _places(text, each) for text, each in zip((source, translation), pieces, strict=True)
    )
    spans = [each.span() for each in _WORD.finditer(translation)]
    words = [translation[start:end] for start, end in spans]
    kept_words = {each.text for each in to_keep(translation)} | {each.text for each in lacking}
    taken: set[int] = set()
    behind: dict[int, list[str]] = {}
    for each in lacking:
        columns = [place for place, (start, end) in enumerate(source_places) if start < each.end and end > each.start]
        looks = [
            weights[[place for place, span in enumerate(target_places) if span[0] < end and span[1] > start]][
                :, columns
            ]
            for start, end in spans
        ]
        shares = np.array([each.sum(axis=1).mean() if each.size else 0.0 for each in looks])
        free = [number for number in range(len(words)) if number not in taken and words[number] not in kept_words]
        best = max(free, key=lambda number: shares[number], default=None)
        if best is not None and shares[best] >= LOOKED_AT and not any(kept in words[best] for kept in kept_words):
            inside = _INSIDE.search(words[best])
            before, behind_it = (words[best][: inside.start()], words[best][inside.end() :]) if inside else ("", "")
            words[best] = before + each.text + behind_it
            taken.add(best)
        else:
            place = round(each.start / max(1, len(source)) * len(words))
            behind.setdefault(place, []).append(each.text)
    parts: list[str] = []
    for number in range(len(words) + 1):
        parts += behind.get(number, [])
        parts += words[number : number + 1]
    return " ".join(parts)


def _count(text: str, translation: str) -> int:
    if not _NUMBER.fullmatch(text):
        return len(
            re.findall(rf"(?<!\w){re.escape(text)}(?!\w)" if text[0].isalnum() else re.escape(text), translation)
        )
    digits = r"[.,\s]?".join(re.split(r"[.,]", text))
    return len(re.findall(rf"(?<!\d){digits}(?!\d)", translation))


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
