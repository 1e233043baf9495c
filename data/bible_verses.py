"""Verses of the Bible in English and Spanish: the World English Bible and the Reina-Valera of 1909."""

import sys
from typing import Any

import tensorflow_datasets as tfds

from data.packages import fetch
from data.parallel_text import Pair, ParallelText, clear_splits
from data.sword_texts import ENGLISH, SPANISH, Verse, read_verses

# Books that repeat each other at length stay together in training: Law, history, Psalms, Isaiah and Jeremiah; the
# gospels; letters that share passages (Ephesians and Colossians, II Peter and Jude, those to Timothy and Titus). Of the
# others, test has of each part of the Bible (history, poetry, great and small prophets, Acts, letters of Paul, other
# letters, Revelation) the smallest book of at least 160 verses, and validation the one that is next in size.
# This was chosen by size and position alone, before anything was trained.
TEST = frozenset(
    ("Esther", "Ecclesiastes", "Daniel", "Hosea", "Acts", "II Corinthians", "Hebrews", "Revelation of John")
)
VALIDATION = frozenset(("Ruth", "Song of Solomon", "Lamentations", "Amos", "Galatians", "James"))

_DESCRIPTION = """\
Verses that the World English Bible and the Reina-Valera of 1909 both have, aligned by chapter and number. The split is
by whole books; verses of the training books that are nearly the same as a held-out one are left out, and so are those
whose lengths differ twofold: some chapters are numbered differently in the two.
"""
RV1909 = """\
@misc{rv1909,
  title = {Reina-Valera 1909},
  howpublished = {Debian package sword-text-sparv, from eBible.org},
}
"""
_CITATION = """\
@misc{web,
  title = {World English Bible},
  howpublished = {Debian package sword-text-web, from eBible.org},
}
"""


class BibleVerses(ParallelText):
    """TFDS builder of aligned verses, English and Spanish; a `group` is a book."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "World English Bible 426.0, Reina-Valera 1909 2.60."}  # noqa: RUF012  (TFDS declares it so)

    def _info(self) -> tfds.core.DatasetInfo:
        return self.text_info(
            ("en", "es"),
            description=_DESCRIPTION,
            homepage="https://ebible.org",
            citation=_CITATION + RV1909,
            license="public domain",
        )

    def _splits(self) -> dict[str, Any]:
        print("Reading and comparing 31,077 verses; this takes a minute or two, once.", file=sys.stderr, flush=True)
        pairs = align(list(read_verses(fetch(ENGLISH))), list(read_verses(fetch(SPANISH))))
        splits, left_out = clear_splits(split_by_book(pairs))
        self.info.metadata.update(left_out)
        return {name: self._generate_examples(members) for name, members in splits.items()}


def align(english: list[Verse], spanish: list[Verse]) -> list[Pair]:
    """Returns the verses that both have, in the order of the first.

    >>> english = [Verse("Ruth", 1, 1, "In the days"), Verse("Tobit", 1, 1, "The book")]
    >>> align(english, [Verse("Ruth", 1, 1, "Y aconteció")])
    [Pair(key='Ruth 1:1', group='Ruth', source='In the days', target='Y aconteció')]
    """
    texts = {verse[:3]: verse.text for verse in spanish}
    return [
        Pair(f"{verse.book} {verse.chapter}:{verse.number}", verse.book, verse.text, texts[verse[:3]])
        for verse in english
        if verse[:3] in texts
    ]


def split_by_book(pairs: list[Pair]) -> dict[str, list[Pair]]:
    """Returns the verses of each split."""
    splits: dict[str, list[Pair]] = {"train": [], "validation": [], "test": []}
    for pair in pairs:
        name = "test" if pair.group in TEST else "validation" if pair.group in VALIDATION else "train"
        splits[name].append(pair)
    return splits
