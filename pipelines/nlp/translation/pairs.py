"""Pairs of sentences: what a pair is, which ones cannot be used, and where two files of lines stop to fit together."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.files import plain_suffix
from pipelines.nlp.text_files import FileConfiguration, TextDataError, read_lines, read_text
from pipelines.nlp.text_tables import read_rows
from pipelines.nlp.texts import SHORT
from pipelines.nlp.translation.memories import read_memory
from pipelines.subtitles import ENDINGS, cues_of

SHOWN = 60  # characters of a line in a message
_SIGNS = re.compile(r"\d+|[?!]")  # that a translation mostly keeps


class Pair(NamedTuple):
    """A sentence in two languages; `where` it is from, such as `en.txt, line 3`."""

    where: str
    source: str
    target: str


class LeftOut(NamedTuple):
    """A pair that cannot be used, and why."""

    where: str
    reason: str


def read_files(source: Path, target: Path, encoding: str = "") -> list[Pair]:
    """Returns the pairs of two files, of which each line, or each subtitle, is the translation of the other's.

    Raises:
        TextDataError: a file cannot be read, or they have different numbers of lines; the message names the first line
            from which they seem to be shifted.
    """
    sources, targets = (_parts(path, encoding) for path in (source, target))
    if len(sources) != len(targets):
        raise _misaligned(source, target, sources, targets)
    lines = enumerate(zip(sources, targets, strict=True), start=1)
    return [Pair(f"{source.name} and {target.name}, line {line}", *texts) for line, texts in lines]


def _parts(path: Path, encoding: str) -> list[str]:
    """The lines of a file, or the texts of subtitles."""
    if plain_suffix(path) in ENDINGS:
        text = read_text(path, encoding)
        if not (cues := cues_of(text)) and text.strip():
            raise TextDataError(
                f"{path} has no subtitles that are read. Expected times such as 00:00:01,500 --> 00:00:02,000 before "
                f"each. Convert it to .srt, or rename it, if it has a sentence a line. Received: {SHORT.repr(text)}"
            )
        return [cue.text for cue in cues]
    return read_lines(path, encoding)


def read_table(
    path: Path,
    source_column: str,
    target_column: str,
    languages: tuple[str, str] = ("en", "es"),
    files: FileConfiguration | None = None,
) -> list[Pair]:
    """Returns the pairs of two columns of a table, or of a translator's file: TMX, XLIFF, PO, TS."""
    if (found := read_memory(path, languages)) is not None:
        return [Pair(*each) for each in found]
    return [Pair(row.where, *row.values) for row in read_rows(path, (source_column, target_column), files=files)]


def identities(pairs: Iterable[Pair]) -> list[str]:
    """Returns what tells each pair from others, of any version of a file."""
    return [f"{pair.source}\n{pair.target}" for pair in pairs]


def usable(pairs: Iterable[Pair]) -> tuple[list[Pair], list[LeftOut]]:
    """Returns the pairs with text on both sides, and those without.

    >>> usable([Pair("line 1", "one", "uno"), Pair("line 2", "two", " ")])[1]
    [LeftOut(where='line 2', reason='the target is empty')]
    """
    good, left_out = [], []
    for pair in pairs:
        empty = [name for name in ("source", "target") if not getattr(pair, name).strip()]
        if empty:
            left_out.append(
                LeftOut(pair.where, f"the {' and the '.join(empty)} {'is' * (len(empty) < 2) or 'are'} empty")
            )
        else:
            good.append(pair)
    return good, left_out


def first_misfit(sources: Sequence[str], targets: Sequence[str]) -> int:
    """Returns the first line, from 1, from which two files of unequally many lines seem to be shifted.

    Before that line each stands beside its own number, after it as many lines further as one file is longer. The line
    is the one that makes all such pairs fit best: in their lengths, their numbers, and in what asks or exclaims.

    >>> first_misfit(["a", "bbbb", "cccccccc", "d", "eeee"], ["a", "bbbb", "d", "eeee"])
    3
    """
    shift = len(targets) - len(sources)
    if shift < 0:
        return first_misfit(targets, sources)
    if not sources:
        return 1
    lengths = [np.log1p([len(line.strip()) for line in lines]) for lines in (sources, targets)]
    straight, shifted = lengths[1][: len(sources)] - lengths[0], lengths[1][shift:] - lengths[0]
    # One language is longer than the other.
    usual = np.median(np.concatenate([straight[: len(straight) // 2 + 1], shifted[len(shifted) // 2 :]]))
    before = np.abs(straight - usual) + differing_signs(sources, targets[: len(sources)])
    after = np.abs(shifted - usual) + differing_signs(sources, targets[shift:])
    cost = np.concatenate([[0], np.cumsum(before)]) + np.concatenate([[0], np.cumsum(after[::-1])])[::-1]
    return int(np.argmin(cost)) + 1


def differing_signs(sources: Sequence[str], targets: Sequence[str]) -> np.ndarray:
    """Returns 1.0 for each line whose numbers and marks are not those of the other side's, else 0.0: (lines,)."""
    lines = zip(sources, targets, strict=True)
    return np.array([_SIGNS.findall(source) != _SIGNS.findall(target) for source, target in lines], float)


def _misaligned(source: Path, target: Path, sources: Sequence[str], targets: Sequence[str]) -> TextDataError:
    line = first_misfit(sources, targets)

    def shown(lines: Sequence[str]) -> str:
        return repr(lines[line - 1][:SHOWN]) if line <= len(lines) else "nothing"

    return TextDataError(
        f"{source} and {target} do not fit together: expected as many lines in each, a line the translation of the "
        f"other's. The first suspicious one is line {line}: {shown(sources)} beside {shown(targets)}. Find "
        "where they part, there or some lines before, add or remove lines until they fit again, and leave a line empty "
        f"that has no translation. Received: {len(sources)} and {len(targets)} lines"
    )
