"""Small videos of a square that drifts, and a forecaster that has learned to go on with them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.video.next_frames.config import NextFramesConfiguration
from tests.pipelines.video.fixtures import fixtures_of

SIDE = 16


def drifting(seed: int, frames: int = 10) -> np.ndarray:
    """A bright square that moves by one or two pixels a frame over joined sides, grey uint8 (frames, 16, 16)."""
    random = np.random.default_rng(seed)
    start, velocity = random.integers(SIDE, size=2), random.integers(1, 3, size=2)
    pictures = np.zeros((frames, SIDE, SIDE), np.uint8)
    for number, picture in enumerate(pictures):
        rows, columns = ((each + np.arange(5)) % SIDE for each in start + number * velocity)
        picture[np.ix_(rows, columns)] = 220
    return pictures


def write_corpus(save_clip: Callable[..., Path], folder: Path, held_out_seed: int = 0) -> Path:
    """Writes 12 videos and a CSV of them: 8 train, 2 each validate and test.

    Args:
        save_clip: writes grey frames to a file.
        folder: where.
        held_out_seed: of the videos of validation and test; training is the same for every one.
    """
    rows = ["path,label,split"]
    for number in range(12):
        split = ("train", "train", "train", "train", "validation", "test")[number // 2]
        split = "train" if number < 8 else split
        seed = number if split == "train" else 1000 * held_out_seed + number
        save_clip(folder / f"{number}.avi", drifting(seed))
        rows.append(f"{number}.avi,,{split}")
    (folder / "list.csv").write_text("\n".join(rows) + "\n")
    return folder / "list.csv"


def tiny_configuration(path: Path, **changes: Any) -> NextFramesConfiguration:
    """A network that learns something in seconds."""
    data = {"source": "csv", "path": str(path), "height": SIDE, "width": SIDE, "clip_frames": 8, "future_frames": 3}
    configuration = NextFramesConfiguration().replace(
        data=data | {"batch_size": 4},
        network={"patch": 4, "filters": (8,), "decoder_filters": 8, "reach": 2},
        training={"epochs": 2, "learning_rate": 0.01},
        steps_per_epoch=25,
    )
    return configuration.replace(**changes)


cache, make_corpus, configure, corpus, experiment, trained_run = fixtures_of(write_corpus, tiny_configuration)


@pytest.fixture(scope="session")
def drift() -> Callable[..., np.ndarray]:
    """`drifting`."""
    return drifting
