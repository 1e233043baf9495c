"""Fashion-MNIST: small grey pictures of clothes, which the moving pictures here are made of."""

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from data.packages import Package, fetch
from data.splits import assign_split

PACKAGE = Package(
    "apt",
    "dataset-fashion-mnist",
    version="0.0~git20200523.55506a9-1",
    sha256="39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0",
    alternative="give videos of your own: --data.source folder --data.path FOLDER",
)
LICENSE = "MIT"
HOMEPAGE = "https://github.com/zalandoresearch/fashion-mnist"
CITATION = """\
@article{xiao2017fashion,
  author = {Xiao, Han and Rasul, Kashif and Vollgraf, Roland},
  title = {Fashion-{MNIST}: a novel image dataset for benchmarking machine learning algorithms},
  journal = {arXiv:1708.07747},
  year = {2017},
}
"""
LABELS = ("T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
SIDE = 28  # pixels

Split = Literal["train", "validation", "test"]
TRAINING_SHARES: Mapping[str, float] = {"train": 0.95, "validation": 0.05}  # of the source's training images


class FashionImages(NamedTuple):
    """`pixels` uint8 (images, 28, 28), 0 is the background, and `labels` uint8 (images,), places in `LABELS`."""

    pixels: np.ndarray
    labels: np.ndarray


def fashion_images(split: Split) -> FashionImages:
    """Returns the images of a split: about 57,000 for training, 3,000 for validation, and the source's 10,000 for test.

    Training and validation are parted by a hash of the pixels, so that equal images stay together.

    Raises:
        PackageError: The package cannot be had.
        ValueError: A file of it is damaged.
    """
    folder = fetch(PACKAGE) / "usr/share/datasets/fashion-mnist"
    if split == "test":
        return read_images(folder, "t10k")
    images = read_images(folder, "train")
    splits = [assign_split(each.tobytes().hex(), TRAINING_SHARES, salt="fashion_images") for each in images.pixels]
    chosen = np.array(splits) == split
    return FashionImages(images.pixels[chosen], images.labels[chosen])


def read_images(folder: Path, part: Literal["train", "t10k"]) -> FashionImages:
    """Returns the images and labels of a part of the source.

    Raises:
        ValueError: A file is damaged, or there are not as many labels as images.
    """
    images = FashionImages(
        read_idx(folder / f"{part}-images-idx3-ubyte.gz", 3), read_idx(folder / f"{part}-labels-idx1-ubyte.gz", 1)
    )
    if len(images.pixels) != len(images.labels):
        raise ValueError(
            f"There must be a label for each image; {_REMEDY.format(folder)}. "
            f"Received: {len(images.pixels)} images and {len(images.labels)} labels in {part}"
        )
    return images


def read_idx(path: Path, rank: int) -> np.ndarray:
    """Returns the uint8 array of an idx file, gzipped or not: two zeros, 8, rank, sizes (big-endian), the bytes.

    Raises:
        ValueError: The file is damaged, or holds something else.
    """
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
    except (OSError, EOFError) as error:
        raise ValueError(f"The file cannot be read; {_REMEDY.format(path.parent)}. Received: {error}") from error
    start = 4 + 4 * rank
    sizes = tuple(np.frombuffer(content[4:start], ">u4").astype(int))
    if content[:4] != bytes([0, 0, 8, rank]) or len(content) != start + np.prod(sizes):
        raise ValueError(
            f"The file should hold bytes in {rank} dimensions; {_REMEDY.format(path.parent)}. "
            f"Received: {path.name} of {len(content)} bytes, which begins with {content[:start].hex()}"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(sizes)


_REMEDY = "remove {}, and it is downloaded again"
