"""Word vectors: what is read is what stands in the file, and near words have near vectors."""

import json
from pathlib import Path

import numpy as np
import pytest

from data import word_vectors
from data.word_vectors import DIMENSIONS, read_vectors

WORDS = ["the", ",", '"', "film\\s", "é", "dull"]


@pytest.fixture
def numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[float]]:
    """A small file in the package's format: after the numbers of a word stand its norm and its rank."""
    random = np.random.default_rng(0)
    numbers = {word: [*random.normal(size=DIMENSIONS).round(6).tolist(), 1.5, rank] for rank, word in enumerate(WORDS)}
    text = json.dumps({"dimensions": DIMENSIONS, "words": WORDS, "vectors": numbers, "unkVector": [0.0]})
    (tmp_path / word_vectors.FILE).write_text(text.replace(", ", ",").replace(": ", ":"), encoding="utf-8")
    monkeypatch.setattr(word_vectors, "fetch", lambda package: tmp_path)
    return numbers


def test_vectors_are_those_of_the_file(numbers: dict[str, list[float]]) -> None:
    vectors = read_vectors(len(WORDS))
    assert list(vectors) == WORDS
    for word, vector in vectors.items():
        np.testing.assert_array_equal(vector, np.float32(numbers[word][:DIMENSIONS]))


def test_the_commonest_and_those_that_are_wanted(numbers: dict[str, list[float]]) -> None:
    assert list(read_vectors(2, {"dull", "é", "unheard"})) == ["the", ",", "é", "dull"]


@pytest.mark.slow
def test_near_words_have_near_vectors() -> None:
    vectors = read_vectors(1000, {"terrible", "horrible", "charming", "delightful", "carburetor"})
    units = {word: vector / np.linalg.norm(vector) for word, vector in vectors.items()}
    for one, other in (("terrible", "horrible"), ("charming", "delightful")):
        assert units[one] @ units[other] > 0.5 > units[one] @ units["carburetor"]
