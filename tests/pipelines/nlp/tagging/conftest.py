"""Small files of tagged sentences for the tests of tagging."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.nlp.tagging.config import TaggingConfiguration
from pipelines.nlp.tagging.train import train
from pipelines.runs import Run

FIRST, LAST, PLACES = ("Ada", "Ben", "Cem"), ("Berg", "Lund", "Falk"), ("Ulm", "Bonn", "Kiel")


def sentences(number: int = 250, seed: int = 0) -> list[tuple[list[str], list[str]]]:
    """Sentences with a person and a place: the same name is a person in front of a verb, and a place behind `in`."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(number):
        name = str(random.choice([*LAST, *PLACES]))
        words = [str(random.choice(FIRST)), name, "sees", f"w{random.integers(40)}", "in", str(random.choice(PLACES))]
        words += [f"w{each}" for each in random.integers(0, 40, random.integers(0, 5))] + ["."]
        tags = ["B-PER", "I-PER", "O", "O", "O", "B-LOC"] + ["O"] * (len(words) - 6)
        found.append((words, tags))
    return found


def write(path: Path, rows: list[tuple[list[str], list[str]]]) -> Path:
    """Writes CoNLL columns."""
    text = "\n".join("".join(f"{word} {tag}\n" for word, tag in zip(*row, strict=True)) for row in rows)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tagged_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of sentences with names."""
    return write(tmp_path_factory.mktemp("tagging") / "names.conll", sentences())


@pytest.fixture(scope="session")
def experiment(tagged_file: Path) -> Callable[..., TaggingConfiguration]:
    """A function that returns a configuration which learns the names in seconds, with some changes."""

    def changed(**changes: Any) -> TaggingConfiguration:
        configuration = TaggingConfiguration().replace(
            data={"source": "own", "path": str(tagged_file), "batch_size": 16},
            network={"units": 8, "embedding": 16, "pieces": 100, "dropout": 0.1},
            training={"epochs": 4, "learning_rate": 0.03, "weight_average_decay": 0.0},
        )
        return configuration.replace(**changes)

    return changed


@pytest.fixture(scope="session")
def trained_run(experiment: Callable[..., TaggingConfiguration], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run, trained on the names."""
    configuration = experiment()
    run = Run.create("nlp", "names", configuration, tmp_path_factory.mktemp("runs"))
    train(run, configuration)
    return run
