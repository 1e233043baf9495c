"""Moving MNIST's own file, by the protocol of the papers: clips are drawn to learn from, and the file is the test."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from data.fashion_images import fashion_images, read_idx
from data.moving_fashion import CLIPS, OBJECTS, SEEDS, SIZE, placed
from data.splits import assign_split
from pipelines.video import arrays
from pipelines.video.containers import refused
from pipelines.video.frames import DecodingConfiguration, VideoDataError

FILE = "mnist_test_seq.npy"
DIGITS = ("train-images-idx3-ubyte.gz", "train-images-idx3-ubyte", "train-images.idx3-ubyte")
LAYOUT = "TNHW"
SPEED = 0.1  # of the way that a digit has, a frame
SHARES = {"train": 0.95, "validation": 0.05}  # of the digits

Draw = Callable[[np.random.Generator], np.ndarray]
Read = Callable[[int], np.ndarray]


def files(path: Path) -> tuple[Path, Path | None]:
    """Returns the file of Moving MNIST, and that of MNIST's training digits in the same folder or one below, if any.

    Raises:
        VideoDataError: the file is not there.
    """
    file = path / FILE if path.is_dir() else path
    if not file.is_file():
        raise refused(file, "does not exist", str(path), f"Name {FILE}, or the folder that holds it.")
    found = (each for name in DIGITS for each in sorted(file.parent.rglob(name)))
    return file, next(found, None)


def clips(path: Path, configuration: DecodingConfiguration, frames: int) -> tuple[Draw, dict[str, tuple[int, Read]]]:
    """Returns what draws training clips, and of each split the number of its fixed clips and their reader.

    As in the papers, training clips are drawn from MNIST's training digits without end, and all clips of the file are
    the test. Validation clips are drawn of digits that training never shows. Without the digits, pieces of clothing
    take their place, which is reported.

    Args:
        path: the file, or its folder.
        configuration: its layout; default: frames first.
        frames: of a clip, the first ones.

    Raises:
        VideoDataError: a file is not there, damaged, or holds something else.
    """
    file, digits = files(path)
    stated = configuration.replace(layout=configuration.layout or LAYOUT, variable="")
    with arrays.opened(file, stated) as stored:
        shape = tuple(stored.size(axis) for axis in "THWC")
        if shape[1:] != (SIZE, SIZE, 1) or shape[0] < frames or stored.array.dtype != np.uint8:
            received = f"{stored.array.dtype} {tuple(stored.array.shape)}, layout {stated.layout}"
            what = f"does not hold clips of {frames} frames of {SIZE} × {SIZE} pixels"
            raise refused(file, what, received, "Take Moving MNIST's own file: uint8 (20, 10000, 64, 64).")
        total = stored.size("N")

    def test(number: int) -> np.ndarray:
        with arrays.opened(file, stated) as stored:
            return np.stack([stored.frame(number, time) for time in range(frames)])

    if digits is None:
        print(
            f"{DIGITS[0]} is not beside {file.name}: training clips are drawn of Fashion-MNIST's clothes instead of "
            "MNIST's digits, so that the figures do not compare with those of papers.",
            flush=True,
        )
        pixels = {split: fashion_images(split).pixels for split in SHARES}  # type: ignore[arg-type]
    else:
        pixels = _digits(digits)

    def fixed(split: str, number: int) -> np.ndarray:
        return draw_clip(pixels[split], np.random.default_rng((SEEDS[split], number)), frames)  # type: ignore[index]

    sets = {split: (CLIPS[split], partial(fixed, split)) for split in SHARES}  # type: ignore[index]
    return lambda random: draw_clip(pixels["train"], random, frames), sets | {"test": (total, test)}


def draw_clip(pixels: np.ndarray, random: np.random.Generator, frames: int) -> np.ndarray:
    """Returns a clip of two images, uint8 (frames, 64, 64, 1), that move and bounce as in Moving MNIST's own file.

    They move by a tenth of their way a frame, in any direction. What would pass a wall stays there for a frame.

    Args:
        pixels: images to draw from, uint8 (images, side, side).
    """
    places, angles = random.uniform(size=(OBJECTS, 2)), random.uniform(0, 2 * np.pi, OBJECTS)
    velocities = SPEED * np.stack([np.sin(angles), np.cos(angles)], axis=1)
    chosen = pixels[random.integers(len(pixels), size=OBJECTS)]
    corners = []
    for _ in range(frames):
        places = places + velocities
        outside = (places <= 0) | (places >= 1)
        places, velocities = np.clip(places, 0, 1), np.where(outside, -velocities, velocities)
        corners.append(((SIZE - pixels.shape[1]) * places).astype(int))
    return placed(chosen, np.array(corners))


def _digits(path: Path) -> dict[str, np.ndarray]:
    try:
        pixels = read_idx(path, 3)
    except ValueError as error:
        raise VideoDataError(
            f"{path} cannot be read; expected MNIST's images. Restore it, or remove it. Received: {error}"
        ) from error
    splits = np.array([assign_split(each.tobytes().hex(), SHARES, salt="moving_mnist") for each in pixels])
    found = {split: pixels[splits == split] for split in SHARES}
    if not all(map(len, found.values())):
        raise refused(path, "holds too few images", f"{len(pixels)}", "Take MNIST's own file of 60,000.")
    return found
