"""Rated snippets: what is read, and that no split holds a near duplicate or a review's sentence of another."""

import io
import tarfile
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from rapidfuzz import fuzz

import data
from data.packages import fetch
from data.rated_snippets import ARCHIVE, FILES, PACKAGE, RatedSnippets, Snippet, read_snippets, split_snippets
from data.time_series import locate


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """An archive as the package has it, with three rows, of which one holds no text."""
    rows = b'\xef\xbb\xbf1_1\t-0.9\tBad &amp; worse\r\n1_2\t0.0\t...\r\n2_1\t0.0\tna\xc3\xafve "one"\r\n'
    with tarfile.open(tmp_path / ARCHIVE, "w:gz") as packed:
        member = tarfile.TarInfo(f"hutto_ICWSM_2014/{FILES['products']}")
        member.size = len(rows)
        packed.addfile(member, io.BytesIO(rows))
    return tmp_path / ARCHIVE


def test_rows_are_read_as_written(archive: Path) -> None:
    snippets = read_snippets(archive, FILES["products"])
    assert snippets == [Snippet("1_1", -0.9, "Bad & worse"), Snippet("2_1", 0.0, 'naïve "one"')]
    assert [snippet.label for snippet in snippets] == [0, -1]


def test_what_belongs_together_is_in_one_split() -> None:
    words = [*"abcdefghijklmn", "film", "plot", "actor", "bright"]
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(words, 8)) for _ in range(150)]
    texts += [text.upper() + "!!" for text in texts[:50]]
    snippets = [Snippet(f"{number // 3}_{number % 3}", 1.0, text) for number, text in enumerate(texts)]
    splits = split_snippets(snippets, "movies")
    where = {snippet: split for split, members in splits.items() for snippet in members}
    assert len(where) == len(snippets) and set(where.values()) == set(splits)
    for one, other in combinations(snippets, 2):
        together = one.key.split("_")[0] == other.key.split("_")[0]
        if together or fuzz.ratio(one.text.lower().rstrip("!"), other.text.lower().rstrip("!")) >= 80:
            assert where[one] == where[other]


@pytest.mark.slow
def test_the_published_set() -> None:
    published = {
        snippet.key: snippet for snippet in read_snippets(locate(fetch(PACKAGE), PACKAGE, ARCHIVE), FILES["movies"])
    }
    builder = data.prepare(RatedSnippets())
    examples = {split: list(builder.as_dataset(split=split).as_numpy_iterator()) for split in builder.info.splits}
    assert len(published) == sum(map(len, examples.values())) == 10_605
    shares = {split: len(members) / 10_605 for split, members in examples.items()}
    assert shares == pytest.approx({"train": 0.75, "validation": 0.1, "test": 0.15}, abs=0.01)
    labels = Counter()
    for example in (example for members in examples.values() for example in members):
        snippet = published[example["key"].decode()]
        assert example["text"].decode() == snippet.text and example["rating"] == np.float32(snippet.rating)
        assert example["label"] == {-1: 0, 0: -1, 1: 1}[int(np.sign(snippet.rating))]
        labels[int(example["label"])] += 1
    assert labels == {1: 5242, 0: 5326, -1: 37}  # as the authors count them
