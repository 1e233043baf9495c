"""Small tables of opinions for the tests of sentiment."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.nlp.sentiment.config import SentimentConfiguration
from pipelines.runs import Run

WORDS = {
    "bad": ("awful", "dull", "lame"),
    "fine": ("decent", "solid", "usual"),
    "great": ("superb", "lovely", "bright"),
}
RATINGS = {"bad": -2.0, "fine": 0.5, "great": 3.0}


def opinions(number: int = 240, seed: int = 0) -> list[tuple[str, str, float]]:
    """Texts with their label and rating: one word of many decides."""
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(number):
        label = str(random.choice(list(WORDS)))
        words = [f"w{number}" for number in random.integers(0, 40, random.integers(2, 9))]
        words.insert(int(random.integers(len(words) + 1)), str(random.choice(WORDS[label])))
        rows.append((" ".join(words), label, RATINGS[label] + float(random.normal(0, 0.1))))
    return rows


def write(path: Path, rows: Sequence[Sequence[object]], heads: Sequence[str] = ("review", "stars", "score")) -> Path:
    """Writes a CSV file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([heads, *rows])
    return path


@pytest.fixture(scope="session")
def make_opinions() -> Callable[..., list[tuple[str, str, float]]]:
    """`opinions`."""
    return opinions


@pytest.fixture(scope="session")
def write_table() -> Callable[..., Path]:
    """`write`."""
    return write


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of opinions."""
    return write(tmp_path_factory.mktemp("sentiment") / "opinions.csv", opinions())


@pytest.fixture(scope="session")
def experiment(table: Path) -> Callable[..., SentimentConfiguration]:
    """A function that returns a configuration which learns the opinions in seconds, with some changes."""

    def changed(**changes: Any) -> SentimentConfiguration:
        configuration = SentimentConfiguration().replace(
            data={"source": "own", "path": str(table), "text": "review", "label": "stars", "rating": "score"},
            network={"units": 8, "embedding": 8, "pieces": 50, "members": 1, "minimum_count": 1, "word_dropout": 0.1},
            training={"epochs": 3, "learning_rate": 0.02, "weight_average_decay": 0.0},
        )
        configuration = configuration.replace(network={"embedding_dropout": 0.1, "dropout": 0.1})
        return configuration.replace(**changes)

    return changed


@pytest.fixture(scope="session")
def trained_run(experiment: Callable[..., SentimentConfiguration], train_tiny: Callable[..., Run]) -> Run:
    """A finished run, trained on the opinions."""
    return train_tiny(experiment())
