"""Fashion-MNIST: its files, its splits, and what is said of damaged ones."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from data import fashion_images as module
from data.fashion_images import PACKAGE, fashion_images, read_images


def write_idx(path: Path, array: np.ndarray) -> None:
    head = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    path.write_bytes(gzip.compress(head + array.tobytes()))


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A small package, whose first and last training images are equal."""
    folder = tmp_path / "usr/share/datasets/fashion-mnist"
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    for part, number in (("train", 200), ("t10k", 10)):
        pixels = random.integers(256, size=(number, 28, 28), dtype=np.uint8)
        pixels[-1] = pixels[0]
        write_idx(folder / f"{part}-images-idx3-ubyte.gz", pixels)
        write_idx(folder / f"{part}-labels-idx1-ubyte.gz", (np.arange(number) % 10).astype(np.uint8))
    monkeypatch.setattr(module, "fetch", lambda package: tmp_path)
    return folder


def test_every_training_image_is_in_one_split_with_its_label(folder):
    train, validation = fashion_images("train"), fashion_images("validation")
    assert len(train.pixels) + len(validation.pixels) == 200 and len(validation.pixels) > 0
    source = read_images(folder, "train")
    for part in (train, validation):
        assert len(part.pixels) == len(part.labels)
    labelled = {
        (image.tobytes(), int(label)) for part in (train, validation) for image, label in zip(*part, strict=True)
    }
    assert labelled == {(image.tobytes(), int(label)) for image, label in zip(*source, strict=True)}
    assert len(fashion_images("test").pixels) == 10


def test_equal_images_stay_together(folder):
    train, validation = (
        {image.tobytes() for image in fashion_images(split).pixels} for split in module.TRAINING_SHARES
    )
    assert not train & validation


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:100]),
        lambda path: path.write_bytes(b""),
        lambda path: write_idx(path, np.zeros((3, 28), np.uint8)),
        lambda path: path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-1])),
        lambda path: write_idx(path, np.zeros((199, 28, 28), np.uint8)),
        lambda path: path.unlink(),
    ],
)
def test_damaged_files_are_named(folder, damage):
    damage(folder / "train-images-idx3-ubyte.gz")
    with pytest.raises(ValueError, match=r"remove .*fashion-mnist, and it is downloaded again.*Received: "):
        fashion_images("train")


@pytest.mark.slow
def test_the_real_package():
    test = fashion_images("test")
    assert test.pixels.shape == (10_000, 28, 28) and PACKAGE.manager == "apt"
    np.testing.assert_array_equal(np.bincount(test.labels), np.full(10, 1000))  # as its authors say
    train, validation = fashion_images("train"), fashion_images("validation")
    assert len(train.pixels) + len(validation.pixels) == 60_000
