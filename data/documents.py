"""What every data set of whole documents has in common: its features, and the folder that it is prepared in."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow_datasets as tfds

from data.builder import Builder


class Document(NamedTuple):
    """A title and a text."""

    title: str
    text: str


class Documents(Builder, skip_registration=True):  # type: ignore[call-arg]
    """A TFDS builder of documents, prepared in our cache directory unless `data_dir` names another.

    The features of an example are its `number` in the order of its source (int64), its `title` and its `text`. The
    splits are `train`, `validation` and `test`, of whole documents, in this order of the source.
    """

    def documents_info(self, **about: Any) -> tfds.core.DatasetInfo:
        """Returns the `DatasetInfo` of documents.

        Args:
            about: Description, homepage, citation and license.
        """
        features = {
            "number": tfds.features.Scalar(np.int64),
            "title": tfds.features.Text(),
            "text": tfds.features.Text(),
        }
        return self.info_of(features, **about)

    def generators(self, splits: Mapping[str, Sequence[Document]]) -> dict[str, Any]:
        """Returns what `_splits` returns, of the documents of each split."""
        generators, number = {}, 0
        for split, documents in splits.items():
            generators[split] = self._generate_examples(documents, number)
            number += len(documents)
        return generators

    def _generate_examples(self, documents: Sequence[Document], number: int) -> Iterator[tuple[int, dict[str, Any]]]:
        for place, document in enumerate(documents, start=number):
            yield place, {"number": place, **document._asdict()}


def split_at_end(
    documents: Sequence[Document], validation_share: float, test_share: float
) -> dict[str, Sequence[Document]]:
    """Returns splits of whole documents: the last ones are for testing, those before them for validation.

    Each has as few documents as hold its share of all characters.

    >>> documents = [Document(title, 10 * title) for title in "abcdefghij"]
    >>> splits = split_at_end(documents, validation_share=0.05, test_share=0.15)
    >>> {name: "".join(document.title for document in split) for name, split in splits.items()}
    {'train': 'abcdefg', 'validation': 'h', 'test': 'ij'}
    """
    characters = sum(len(document.text) for document in documents)
    ends = [len(documents)]
    for share in (test_share, validation_share):
        start, held = ends[-1], 0
        while held < share * characters and start > 0:
            start -= 1
            held += len(documents[start].text)
        ends.append(start)
    end, test, validation = ends
    return {"train": documents[:validation], "validation": documents[validation:test], "test": documents[test:end]}
