"""LibriSpeech's preset on made-up recordings of its shape, and what follows for all of it.

`python -m benchmarks.speech_scale`. The recordings are noise of 2 to 35 seconds, stored as TFDS stores LibriSpeech.
Each number of them is a process of its own: what one more costs is the difference.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
import tyro
from rich.console import Console
from rich.table import Table

from benchmarks.worker import largest_size
from pipelines.optimization import TrainingConfiguration, TrainingStep
from pipelines.speech import data
from pipelines.speech.config import PRESETS
from pipelines.speech.model import build
from pipelines.speech.sources import librispeech_dataset
from pipelines.speech.train import batch_loss

ALL, RATE = 281_241, 16000  # recordings of all three sets of training: https://www.openslr.org/12
SHORTEST, MEAN, SPREAD, LONGEST = 2.0, 12.3, 4.0, 35.0  # seconds
WORDS = ["THE", "OF", "AND", "TO", "HE", "WAS", "THAT", "HIS", "HAD", "WITH", "FOR", "YOU", "BUT", "NOT", "SHE"]
WORDS_A_SECOND = 2.7
STEPS = 3

Made = Callable[[int], np.ndarray]


def write_librispeech(folder: Path, recordings: Mapping[str, int], made: Made, shards: int | None = None) -> None:
    """Prepares recordings as TFDS prepares LibriSpeech.

    Args:
        folder: of TFDS.
        recordings: how many, by split.
        made: returns the samples of one, by its number.
        shards: files of a split. Default: as many as TFDS makes.
    """

    def examples(split: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for number in range(recordings[split]):
            samples = made(number)
            words = np.random.default_rng(number).choice(WORDS, max(1, round(len(samples) / RATE * WORDS_A_SECOND)))
            key = f"{split}-{number:06d}"
            about = {"id": key, "speaker_id": 1, "chapter_id": 1}
            yield key, {"speech": samples, "text": " ".join(words), **about}

    builder: Any = tfds.builder("librispeech", data_dir=folder)
    builder._split_generators = lambda manager: {split: examples(split) for split in recordings}
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(num_shards=shards))


def noise(number: int) -> np.ndarray:
    """Returns noise as loud and as long as a recording of LibriSpeech."""
    random = np.random.default_rng(number)
    seconds = np.clip(random.normal(MEAN, SPREAD), SHORTEST, LONGEST)
    return (1500 * random.standard_normal(round(seconds * RATE))).astype(np.int16)


def measure(folder: Path, batch_seconds: float) -> dict[str, float]:
    """Returns seconds and megabytes of opening the recordings, of their batches, and of steps of training."""
    configuration = PRESETS["librispeech"].replace(data={"batch_seconds": batch_seconds})
    source, before = librispeech_dataset(RATE, data_dir=folder), largest_size()
    started = time.perf_counter()
    utterances = source.utterances("train")
    found = {"opening": time.perf_counter() - started, "opening_megabytes": largest_size() - before}
    found["hours"] = sum(each.samples for each in utterances) / RATE / 3600
    alphabet = tuple(sorted({letter for each in utterances for letter in each.text}))
    speech = data.Speech(source, None, {"train": utterances}, frozenset(), alphabet, [])
    batches = data.training_batches(speech, configuration.data, configuration.augmentation, RATE, 0, 1, 60)
    started, heard = time.perf_counter(), 0.0
    for batch in islice(batches, 12):
        heard += float(tf.reduce_sum(batch["audio_lengths"])) / RATE
    found["reading"] = (time.perf_counter() - started) / heard
    recogniser = build(configuration, alphabet)
    step = TrainingStep(
        recogniser,
        lambda batch, training: batch_loss(recogniser, batch, training),
        TrainingConfiguration(),
        1000,
        batches.element_spec,
    )
    longest = max(islice(batches, 12), key=lambda batch: batch["audio"].shape[1])
    step(longest)  # which compiles
    started = time.perf_counter()
    for _ in range(STEPS):
        step(longest)
        step.means()
    seconds = float(tf.reduce_sum(longest["audio_lengths"])) / RATE
    found["learning"] = (time.perf_counter() - started) / STEPS / seconds
    return found | {"peak_megabytes": largest_size()}


def main(sizes: tuple[int, int] = (300, 1200), batch_seconds: float = 40.0) -> None:
    """Prints what each number of recordings takes, and what follows for all of LibriSpeech.

    Args:
        sizes: two numbers of recordings.
        batch_seconds: of audio in a batch; the preset's 320 are for a GPU.
    """
    heads = "recordings", "hours", "MB on disk", "opening, s", "its memory, MB", "batches, s an hour of audio"
    table = Table(*heads, "learning, s an hour of audio", "peak, MB")
    rows = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            write_librispeech(Path(folder), {"train_clean100": size, "dev_clean": 1, "test_clean": 1}, noise)
            disk = sum(path.stat().st_size for path in Path(folder).rglob("*-train*")) / 1e6
            program = (
                "import json; from pathlib import Path; from benchmarks.speech_scale import measure; "
                f"print('RESULT' + json.dumps(measure(Path({folder!r}), {batch_seconds})))"
            )
            done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True)
            rows.append({"recordings": size, "disk": disk, **json.loads(done.stdout.partition("RESULT")[2])})
    small, large = rows
    more = ALL - large["recordings"]
    one = {name: (large[name] - small[name]) / (large["recordings"] - small["recordings"]) for name in large}
    rates = {name: large[name] for name in ("reading", "learning")}
    rows.append({name: large[name] + more * max(0.0, one[name]) for name in large} | rates)
    for row in rows:
        cells = [f"{row[name]:.0f}" for name in ("recordings", "hours", "disk", "opening", "opening_megabytes")]
        speeds = [f"{3600 * row[name]:.0f}" for name in ("reading", "learning")]
        table.add_row(*cells, *speeds, f"{row['peak_megabytes']:.0f}")
    Console(width=160).print(table)


if __name__ == "__main__":
    tyro.cli(main)
