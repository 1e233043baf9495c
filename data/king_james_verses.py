"""The verses of `bible_verses` in the words of the King James Version: the same translations of other sources."""

from typing import Any

import tensorflow_datasets as tfds

import data
from data.bible_verses import RV1909, BibleVerses
from data.packages import fetch
from data.parallel_text import Pair, ParallelText, clear_splits
from data.sword_texts import KING_JAMES, Verse, read_verses

_DESCRIPTION = """\
The verses of the data set bible_verses, in the same splits, with the words of the King James Version on the English
side. Training verses that are nearly the same as a held-out one in this wording, or whose lengths differ twofold, are
left out, too.
"""
_CITATION = """\
@misc{kjv,
  title = {King James Version},
  howpublished = {Debian package sword-text-kjv, from eBible.org},
}
"""


class KingJamesVerses(ParallelText):
    """TFDS builder of aligned verses, King James Version and Spanish; a `group` is a book."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "King James Version 14.3, Reina-Valera 1909 2.60."}  # noqa: RUF012  (TFDS declares it so)

    def _info(self) -> tfds.core.DatasetInfo:
        return self.text_info(
            ("en", "es"),
            description=_DESCRIPTION,
            homepage="https://ebible.org",
            citation=_CITATION + RV1909,
            license="public domain; in the United Kingdom the King James Version is under Crown copyright",
        )

    def _splits(self) -> dict[str, Any]:
        verses = data.prepare(BibleVerses(data_dir=self._data_dir_root))
        english = list(read_verses(fetch(KING_JAMES)))
        splits, left_out = clear_splits(
            {split: reworded(_pairs(verses, split), english) for split in verses.info.splits}
        )
        self.info.metadata.update(left_out)
        return {name: self._generate_examples(members) for name, members in splits.items()}


def reworded(pairs: list[Pair], english: list[Verse]) -> list[Pair]:
    """Returns pairs with another wording of their sources, where there is one.

    >>> reworded([Pair("Ruth 1:1", "Ruth", "It happened", "Y aconteció")], [Verse("Ruth", 1, 1, "Now it came to pass")])
    [Pair(key='Ruth 1:1', group='Ruth', source='Now it came to pass', target='Y aconteció')]
    """
    texts = {f"{verse.book} {verse.chapter}:{verse.number}": verse.text for verse in english}
    return [pair._replace(source=texts[pair.key]) for pair in pairs if pair.key in texts]


def _pairs(builder: tfds.core.DatasetBuilder, split: str) -> list[Pair]:
    examples = builder.as_dataset(split=split, shuffle_files=False).as_numpy_iterator()
    return [Pair(*(example[name].decode() for name in ("key", "group", "en", "es"))) for example in examples]
