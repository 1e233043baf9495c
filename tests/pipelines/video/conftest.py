"""Small real video files for the tests of the video pipeline."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipelines.video.frames import DecodingConfiguration

CODECS = {".avi": "FFV1", ".mp4": "mp4v", ".mkv": "MJPG", ".webm": "VP80"}  # the first of them loses nothing


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own for each test, so that everything is decoded anew."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("UNROLLED_CACHE", str(folder))
    return folder


def moving_square(frames: int, size: tuple[int, int] = (24, 32), seed: int = 0) -> np.ndarray:
    """A white square that moves over a dark picture, uint8 RGB (frames, height, width, 3)."""
    pictures = np.repeat(np.random.default_rng(seed).integers(0, 60, (1, *size, 3), np.uint8), frames, axis=0)
    for number, picture in enumerate(pictures):
        left = number % (size[1] - 6)
        picture[8:14, left : left + 6] = 255
    return pictures


def save_video(path: Path, frames: np.ndarray, rate: float = 25.0) -> Path:
    """Writes frames, uint8 RGB, with the codec of the name's ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(
        str(path), cv2.VideoWriter_fourcc(*CODECS[path.suffix]), rate, (frames.shape[2], frames.shape[1])
    )
    assert writer.isOpened()
    for frame in frames:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()
    return path


@pytest.fixture(scope="session")
def square() -> Callable[..., np.ndarray]:
    """`moving_square`."""
    return moving_square


@pytest.fixture(scope="session")
def write_video() -> Callable[..., Path]:
    """`save_video`."""
    return save_video


def save_grey(path: Path, frames: np.ndarray) -> Path:
    """Writes grey frames, uint8 (frames, height, width), without loss."""
    return save_video(path, np.repeat(frames[..., np.newaxis], 3, axis=-1), rate=10.0)


@pytest.fixture(scope="session")
def save_clip() -> Callable[..., Path]:
    """`save_grey`."""
    return save_grey


@pytest.fixture(scope="session")
def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of what is made once, for all tests of a task."""
    return tmp_path_factory.mktemp("session_cache")


@pytest.fixture
def as_recorded() -> DecodingConfiguration:
    """The size, colour and rate of `moving_square`."""
    return DecodingConfiguration(height=24, width=32)
