"""Small pairs of sentences for the tests of translation: numbers, spoken in English and in Spanish."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.nlp.translation.config import PRESETS, TranslationConfiguration
from pipelines.runs import Run

WORDS = {
    "one": "uno",
    "two": "dos",
    "three": "tres",
    "four": "cuatro",
    "five": "cinco",
    "six": "seis",
    "seven": "siete",
    "eight": "ocho",
    "nine": "nueve",
    "ten": "diez",
}


def spoken_numbers(count: int = 1200) -> tuple[list[str], list[str]]:
    """Sentences such as “Two, nine and ten.” and their translations, word by word."""
    random = np.random.default_rng(0)
    sentences = []
    for _ in range(count):
        words = random.choice(list(WORDS), random.integers(2, 6)).tolist()
        sides = []
        for translated, last in ((words, " and "), ([WORDS[word] for word in words], " y ")):
            text = ", ".join(translated[:-1]) + last + translated[-1] + "."
            sides.append(text[:1].upper() + text[1:])
        sentences.append(sides)
    sources, targets = zip(*sentences, strict=True)
    return list(sources), list(targets)


@pytest.fixture(scope="session")
def numbers() -> tuple[list[str], list[str]]:
    """`spoken_numbers`."""
    return spoken_numbers()


@pytest.fixture(scope="session")
def pair_files(numbers: tuple[list[str], list[str]], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """`numbers` in two files."""
    folder = tmp_path_factory.mktemp("pairs")
    paths = folder / "en.txt", folder / "es.txt"
    for path, lines in zip(paths, numbers, strict=True):
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return paths


@pytest.fixture(scope="session")
def experiment(pair_files: tuple[Path, Path]) -> Callable[..., TranslationConfiguration]:
    """A function that returns a configuration which learns the numbers in seconds, with some changes."""

    def changed(**changes: Any) -> TranslationConfiguration:
        configuration = PRESETS["own-translation"].replace(
            data={
                "source_path": str(pair_files[0]),
                "target_path": str(pair_files[1]),
                "batch_tokens": 300,
                "similarity": 1,  # the numbers differ by a word
                "validation_fraction": 0.1,
                "test_fraction": 0.1,
            },
            subwords={"size": 330},
            network={
                "units": 32,
                "encoder_layers": 1,
                "attention_units": 16,
                "dropout": 0.0,
                "output_dropout": 0.0,
                "label_smoothing": 0.0,
                "compiled": False,
            },
            search={"beam_width": 2},
            training={"epochs": 3, "learning_rate": 0.02, "weight_average_decay": 0.9},
        )
        return configuration.replace(**changes)

    return changed


@pytest.fixture(scope="session")
def trained_run(experiment: Callable[..., TranslationConfiguration], train_tiny: Callable[..., Run]) -> Run:
    """A finished run, trained on the numbers."""
    return train_tiny(experiment())
