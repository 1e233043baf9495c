"""The World English Bible, book by book."""

from collections.abc import Iterable
from itertools import groupby
from typing import Any

import tensorflow_datasets as tfds

from data.documents import Document, Documents, split_at_end
from data.packages import fetch
from data.sword_texts import ENGLISH, Verse, read_verses

VALIDATION_SHARE, TEST_SHARE = 0.02, 0.1  # of the characters: John, of which Matthew, Mark and Luke tell least; Acts on

_DESCRIPTION = """\
The World English Bible with the apocrypha, 82 books in modern English: 4.8 million characters. A verse is a line, an
empty line parts chapters. The last tenth of the characters, by whole books in canonical order, is the test split (Acts
to Revelation); the book before, John, is the validation split.
"""
_CITATION = """\
@misc{world-english-bible,
  title = {The World English Bible},
  howpublished = {Debian package sword-text-web, from https://ebible.org/web},
}
"""


class BibleText(Documents):
    """TFDS builder of the World English Bible; preparing it takes about a minute."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "World English Bible 426.0."}  # noqa: RUF012  (TFDS declares it so)

    def _info(self) -> tfds.core.DatasetInfo:
        return self.documents_info(
            description=_DESCRIPTION,
            homepage="https://ebible.org/web",
            citation=_CITATION,
            license="public domain",
        )

    def _splits(self) -> dict[str, Any]:
        books = join_books(read_verses(fetch(ENGLISH)))
        return self.generators(split_at_end(books, VALIDATION_SHARE, TEST_SHARE))


def join_books(verses: Iterable[Verse]) -> list[Document]:
    """Returns the books that verses make: a line a verse, an empty line between two chapters.

    >>> verses = [Verse("Ruth", 1, 1, "Once."), Verse("Ruth", 1, 2, "Then."), Verse("Ruth", 2, 1, "Later.")]
    >>> join_books(verses)
    [Document(title='Ruth', text='Once.\\nThen.\\n\\nLater.\\n')]
    """
    books = []
    for book, its_verses in groupby(verses, lambda verse: verse.book):
        chapters = groupby(its_verses, lambda verse: verse.chapter)
        books.append(
            Document(book, "\n".join("".join(f"{each.text}\n" for each in chapter) for _, chapter in chapters))
        )
    return books
