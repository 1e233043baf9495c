"""Small real audio files for the tests of speech recognition, and a recogniser that has learned to read tones."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from pipelines.runs import Run
from pipelines.speech.config import SpeechConfiguration

RATE = 8000
HERTZ = {"a": 500.0, "b": 900.0, "c": 1500.0, "d": 2400.0, "e": 3300.0, "A": 1150.0, ".": 2850.0}
SECONDS = 0.1  # that a character takes; a space is silent


@pytest.fixture
def write_tone() -> Callable[..., Path]:
    """A function that writes a tone with some noise, of any format that the name's ending says."""

    def write(path: Path, seconds: float = 0.5, rate: int = 8000, hertz: float = 440.0, channels: int = 1) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        time = np.arange(round(seconds * rate)) / rate
        noise = np.random.default_rng(0).normal(scale=0.002, size=(time.size, channels))
        tone = 0.4 * np.sin(2 * np.pi * hertz * time)[:, np.newaxis] + noise  # (samples, channels)
        soundfile.write(path, tone.astype(np.float32), rate)
        return path

    return write


@pytest.fixture
def folder(tmp_path: Path, write_tone: Callable[..., Path]) -> Path:
    """Four recordings in a folder `clips`, of 0.1 to 0.4 seconds."""
    for number in range(4):
        write_tone(tmp_path / "clips" / f"{number}.wav", 0.1 * (number + 1))
    return tmp_path


def speak(text: str, seed: int = 0) -> np.ndarray:
    """A language of tones: each letter has a frequency of its own, and swells and fades within a tenth of a second."""
    time = np.arange(round(RATE * SECONDS)) / RATE
    swell = 0.5 * np.sin(np.pi * time / SECONDS) ** 2
    tones = [swell * np.sin(2 * np.pi * HERTZ.get(character, 0.0) * time) for character in text]
    return (np.concatenate(tones) + np.random.default_rng(seed).normal(0, 0.003, time.size * len(text))).astype(
        np.float32
    )


def manifest_of(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Writes a manifest, a row a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_corpus(
    folder: Path,
    recordings: int = 40,
    maximum_characters: int = 8,
    letters: str = "abcd",
    held_out_letters: str = "",
    held_out_seed: int = 0,
) -> Path:
    """Writes random words, spoken in tones, and a manifest of them: 4 of 6 in train, 1 each in validation and test.

    Args:
        maximum_characters: of a recording, spaces included.
        held_out_letters: of validation and test. "": the same.
        held_out_seed: of what is said in validation and test; training is the same for every one.
    """
    folder.mkdir(parents=True)
    rows: list[dict[str, Any]] = []
    known: set[str] = set()
    for number in range(recordings):
        split = ("train", "train", "train", "train", "validation", "test")[number % 6]
        random = np.random.default_rng((number, 0 if split == "train" else held_out_seed))
        spoken = list(letters if split == "train" else held_out_letters or letters)
        while True:
            words = ["".join(random.choice(spoken, random.integers(2, 5))) for _ in range(1 + maximum_characters // 4)]
            text = " ".join(words)[: random.integers(3, maximum_characters + 1)].strip()
            if text not in known:
                break
        known.add(text)
        soundfile.write(folder / f"{number}.wav", speak(text, number), RATE)
        rows.append({"audio_filepath": f"{number}.wav", "text": text, "split": split})
    return manifest_of(folder / "all.jsonl", rows)


def tiny_configuration(manifest: Path, **changes: Any) -> SpeechConfiguration:
    """A network that learns the tones in seconds."""
    configuration = SpeechConfiguration().replace(
        data={"source": "manifest", "path": str(manifest), "batch_seconds": 6.4},
        augmentation={"speed": 0.0, "gain_decibels": 0.0, "noise_share": 0.0},
        spec_augment={"frequency_masks": 0, "time_masks_a_second": 0.0},
        features={"mel_bands": 16},
        network={"units": 8, "layers": 1, "filters": 2, "subsampling": 2, "dropout": 0.0},
        training={"epochs": 2, "learning_rate": 0.02},
        decoding={"beam_width": 8, "language_model_order": 3},
        steps_per_epoch=70,
    )
    return configuration.replace(**changes)


@pytest.fixture(scope="session")
def read_recordings() -> Callable[..., list[tuple[str, str, np.ndarray]]]:
    """A function from the recordings of a source to key, text and audio of each."""

    def read(recordings: tf.data.Dataset) -> list[tuple[str, str, np.ndarray]]:
        examples = recordings.as_numpy_iterator()
        return [(example["key"].decode(), example["text"].decode(), example["audio"]) for example in examples]

    return read


@pytest.fixture(scope="session")
def write_manifest() -> Callable[..., Path]:
    """`manifest_of`."""
    return manifest_of


@pytest.fixture(scope="session")
def make_corpus() -> Callable[..., Path]:
    """`write_corpus`."""
    return write_corpus


@pytest.fixture(scope="session")
def configure() -> Callable[..., SpeechConfiguration]:
    """`tiny_configuration`."""
    return tiny_configuration


@pytest.fixture(scope="session")
def say() -> Callable[..., np.ndarray]:
    """`speak`."""
    return speak


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manifest of forty recordings in tones."""
    return write_corpus(tmp_path_factory.mktemp("corpus") / "tones")


@pytest.fixture(scope="session")
def experiment(corpus: Path) -> Callable[..., SpeechConfiguration]:
    """`tiny_configuration` of the corpus."""
    return partial(tiny_configuration, corpus)


@pytest.fixture(scope="session")
def trained_run(experiment: Callable[..., SpeechConfiguration], train_tiny: Callable[..., Run]) -> Run:
    """A finished run, trained on the corpus."""
    return train_tiny(experiment())
