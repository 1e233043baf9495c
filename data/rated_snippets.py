"""Short English texts rated by people from very negative to very positive: movies, tweets, products, editorials."""

import html
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow_datasets as tfds

from data.builder import Builder
from data.packages import Package, fetch
from data.splits import assign_split, group_alike
from data.time_series import locate

PACKAGE = Package(
    "pip",
    "vaderSentiment",
    version="3.3.2",
    sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
    arguments=("--no-binary", "vaderSentiment"),
    alternative="give a table of your own, with the preset `own-sentiment`",
)
ARCHIVE = "hutto_ICWSM_2014.tar.gz"
FILES = {
    "movies": "movieReviewSnippets_GroundTruth.txt",
    "tweets": "tweets_GroundTruth.txt",
    "products": "amazonReviewSnippets_GroundTruth.txt",
    "editorials": "nytEditorialSnippets_GroundTruth.txt",
}
CONTENTS = {
    "movies": "Sentences of movie reviews on rottentomatoes.com.",
    "tweets": "Tweets, and texts in the manner of tweets, some of them contrived.",
    "products": "Sentences of customers' reviews of five electronic products.",
    "editorials": "Sentences of opinion pieces of the New York Times.",
}
LABELS = ("negative", "positive")
SHARES = {"train": 0.75, "validation": 0.1, "test": 0.15}

_DESCRIPTION = """\
Short English texts with the mean rating that some twenty people gave them, from -4, extremely negative, to 4, extremely
positive. The label is the sign of the rating; a few texts are rated exactly 0 and have none. Near duplicates, and the
sentences of one review or article, are all in one split.
"""
_CITATION = """\
@inproceedings{hutto2014vader,
  author = {Hutto, C. J. and Gilbert, Eric},
  title = {{VADER}: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text},
  booktitle = {Eighth International Conference on Weblogs and Social Media (ICWSM-14)},
  year = {2014},
}
"""


class Snippet(NamedTuple):
    """A text with its `key`, unique in its set, and its mean `rating`."""

    key: str
    rating: float
    text: str

    @property
    def label(self) -> int:
        """The place of the rating's sign in LABELS; -1, which TFDS takes for no label, if it is 0."""
        return -1 if self.rating == 0 else int(self.rating > 0)


class RatedSnippets(Builder, skip_registration=True):  # type: ignore[call-arg]
    """TFDS builder of the rated texts; the configurations are `movies` (the default) and the other keys of FILES.

    An example has `key`, `text`, `rating` and `label`, -1 where the rating is exactly 0.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "vaderSentiment 3.3.2."}  # noqa: RUF012  (TFDS declares it so)
    BUILDER_CONFIGS = [  # noqa: RUF012
        tfds.core.BuilderConfig(name=name, description=CONTENTS[name]) for name in FILES
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "key": tfds.features.Text(),
            "text": tfds.features.Text(),
            "rating": tfds.features.Scalar(np.float32),
            "label": tfds.features.ClassLabel(names=LABELS),
        }
        return self.info_of(
            features,
            supervised_keys=("text", "label"),
            description=_DESCRIPTION,
            homepage="https://github.com/cjhutto/vaderSentiment",
            citation=_CITATION,
            license="MIT",
        )

    def _splits(self) -> dict[str, Any]:
        name = self.builder_config.name
        splits = split_snippets(read_snippets(locate(fetch(PACKAGE), PACKAGE, ARCHIVE), FILES[name]), name)
        return {split: self._generate_examples(members) for split, members in splits.items()}

    def _generate_examples(self, snippets: list[Snippet]) -> Iterator[tuple[str, dict[str, Any]]]:
        for snippet in snippets:
            yield snippet.key, snippet._asdict() | {"label": snippet.label}


def read_snippets(archive: Path, file_name: str) -> list[Snippet]:
    """Returns the texts of a set, without a few that hold no letter or digit, and with HTML's entities as characters.

    Args:
        archive: The data within the package, whose tables have the rows `key, rating, text`, parted by tabs.
        file_name: One of FILES.
    """
    with tarfile.open(archive) as packed:
        file = packed.extractfile(f"{archive.name.partition('.')[0]}/{file_name}")
        assert file is not None
        rows = [line.split("\t") for line in file.read().decode("utf-8-sig").split("\r\n") if line]
    snippets = [Snippet(key, float(rating), html.unescape(text).strip()) for key, rating, text in rows]
    return [snippet for snippet in snippets if any(character.isalnum() for character in snippet.text)]


def split_snippets(snippets: list[Snippet], name: str) -> dict[str, list[Snippet]]:
    """Returns the texts of each split: near duplicates are in one, and what comes from one review or article.

    Args:
        snippets: Those of a set. A key such as 12_3 is the third sentence of the twelfth review.
        name: Of the set, so that each is cut independently.
    """
    sources = [snippet.key.partition("_")[0] for snippet in snippets]
    splits: dict[str, list[Snippet]] = {split: [] for split in SHARES}
    for snippet, group in zip(snippets, group_alike([each.text for each in snippets], sources), strict=True):
        splits[assign_split(group, SHARES, f"rated_snippets-{name}-")].append(snippet)
    return splits
