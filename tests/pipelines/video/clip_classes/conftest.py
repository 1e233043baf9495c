"""Small videos whose class is the direction of a square, and a classifier that has learned to tell it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.video.clip_classes.config import ClipClassesConfiguration
from tests.pipelines.video.fixtures import fixtures_of

SIDE = 16


def moving(right: bool, frames: int, seed: int) -> np.ndarray:
    """A bright square that moves two pixels a frame over joined sides, grey uint8 (frames, 16, 16)."""
    random = np.random.default_rng(seed)
    pictures = np.repeat(random.integers(0, 40, (1, SIDE, SIDE), np.uint8), frames, axis=0)
    row, column = random.integers(0, SIDE - 5), random.integers(SIDE)
    for number, picture in enumerate(pictures):
        places = (column + (2 if right else -2) * number + np.arange(5)) % SIDE
        picture[row : row + 5, places] = 230
    return pictures


def write_corpus(
    save_clip: Callable[..., Path], folder: Path, videos: int = 48, frames: int = 12, held_out_seed: int = 0
) -> Path:
    """Writes videos of two directions and a CSV of them: 4 of 6 in train, 1 each in validation and test.

    Args:
        save_clip: writes grey frames to a file.
        folder: where.
        held_out_seed: of the videos of validation and test; training is the same for every one.
    """
    folder.mkdir(parents=True)
    rows = ["path,label,split"]
    for number in range(videos):
        split = ("train", "train", "train", "train", "validation", "test")[number // 2 % 6]
        seed = number if split == "train" else 1000 * held_out_seed + number
        save_clip(folder / f"{number}.avi", moving(bool(number % 2), frames, seed))
        rows.append(f"{number}.avi,{'right' if number % 2 else 'left'},{split}")
    (folder / "list.csv").write_text("\n".join(rows) + "\n")
    return folder / "list.csv"


def tiny_configuration(path: Path, **changes: Any) -> ClipClassesConfiguration:
    """A network that learns the direction in seconds."""
    configuration = ClipClassesConfiguration().replace(
        data={
            "source": "csv",
            "path": str(path),
            "height": SIDE,
            "width": SIDE,
            "clip_frames": 6,
            "batch_size": 16,
        },
        network={"filters": 4, "stages": 2, "features": 12, "units": 12, "dropout": 0.0},
        training={"epochs": 2, "learning_rate": 0.01},
        steps_per_epoch=60,
        baseline_steps=20,
    )
    return configuration.replace(**changes)


cache, make_corpus, configure, corpus, experiment, trained_run = fixtures_of(write_corpus, tiny_configuration)


@pytest.fixture(scope="session")
def move() -> Callable[..., np.ndarray]:
    """`moving`."""
    return moving
