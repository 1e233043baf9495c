"""Moving MNIST's own file, in its own shape: it is the test, and training clips are drawn of digits."""

import struct
from pathlib import Path

import numpy as np
import pytest

from data.fashion_images import FashionImages
from pipelines.configuration import ConfigurationError
from pipelines.video.frames import VideoDataError
from pipelines.video.next_frames import data, moving_mnist
from pipelines.video.next_frames.data import DataConfiguration


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file with 12 clips of 20 frames, and 100 digits, each of one brightness: an even one in training."""
    folder = tmp_path_factory.mktemp("moving_mnist")
    clips = np.random.default_rng(0).integers(0, 256, (20, 12, 64, 64), np.uint8)
    np.save(folder / "mnist_test_seq.npy", clips)
    digits = np.zeros((100, 28, 28), np.uint8) + np.arange(100, 200, dtype=np.uint8)[:, np.newaxis, np.newaxis]
    (folder / "train-images-idx3-ubyte").write_bytes(struct.pack(">4i", 0x803, *digits.shape) + digits.tobytes())
    return folder


def configured(path: Path, **settings: object) -> DataConfiguration:
    return DataConfiguration(source="moving_mnist", path=str(path), **settings)


def test_the_file_is_the_test_and_digits_are_learned(folder: Path) -> None:
    stored = np.load(folder / "mnist_test_seq.npy")
    for path in (folder, folder / "mnist_test_seq.npy"):
        configuration = configured(path)
        sets = data.load(configuration)
        np.testing.assert_array_equal(
            np.concatenate(list(data.fixed_batches(sets, "test")))[..., 0], stored.swapaxes(0, 1)
        )
        assert len(sets.videos["test"]) == 12
        seen = {}
        for split in ("train", "validation"):
            (clips, *_) = data.fixed_batches(sets, split, 16)
            assert clips.shape == (16, 20, 64, 64, 1)
            seen[split] = set(np.unique(clips)) - {0}
        (batch,) = data.training_batches(sets, configuration, 0, 0).take(1).as_numpy_iterator()
        assert batch["frames"].shape == (8, 20, 64, 64, 1)
        seen["train"] |= set(np.unique(batch["frames"])) - {0}
        assert seen["train"] and seen["validation"] and not seen["train"] & seen["validation"]


def test_digits_move_by_a_tenth_of_their_way_and_bounce() -> None:
    for seed in range(20):
        clip = moving_mnist.draw_clip(np.full((1, 28, 28), 9, np.uint8), np.random.default_rng(seed), 60)[..., 0]
        # The box around both: its upper edge is that of the upper one, which moves by 3.6 pixels at most.
        tops = np.array([np.flatnonzero(frame.any(axis=1))[0] for frame in clip])
        assert (np.abs(np.diff(tops)) <= 4).all() and tops.min() >= 0 and tops.max() <= 36
        assert tops.min() == 0  # within 60 frames


def test_without_digits_clothes_are_learned(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mnist_test_seq.npy").write_bytes((folder / "mnist_test_seq.npy").read_bytes())
    clothes = FashionImages(np.full((3, 28, 28), 7, np.uint8), np.zeros(3, np.uint8))
    monkeypatch.setattr(moving_mnist, "fashion_images", lambda split: clothes)
    data.load(configured(tmp_path))
    assert "figures do not compare with those of papers" in capsys.readouterr().out


def test_what_is_not_moving_mnist_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(VideoDataError, match=r"does not exist.*Name mnist_test_seq\.npy, or the folder"):
        data.load(configured(tmp_path))
    np.save(tmp_path / "mnist_test_seq.npy", np.zeros((20, 3, 32, 32), np.uint8))
    with pytest.raises(VideoDataError, match=r"does not hold clips of 20 frames.*Received: uint8 \(20, 3, 32, 32\)"):
        data.load(configured(tmp_path))
    with pytest.raises(VideoDataError, match="does not hold clips of 30 frames"):
        data.load(configured(folder, clip_frames=30))
    with pytest.raises(ConfigurationError, match=r"grey frames of 64 × 64.*Received: \(32, 64, 1\)"):
        data.load(configured(folder, height=32))
    with pytest.raises(ConfigurationError, match=r"needs no root.*data.root out"):
        data.load(configured(folder, root="elsewhere"))
