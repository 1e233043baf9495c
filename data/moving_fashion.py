"""Moving-Fashion-MNIST: two pieces of clothing that drift over a dark square and bounce off its walls."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from data.builder import Builder
from data.fashion_images import CITATION, HOMEPAGE, LICENSE, SIDE, Split, fashion_images

FRAMES, SIZE = 20, 64  # of a clip; pixels of a frame's side
OBJECTS = 2
SPEEDS = (2.0, 5.0)  # pixels a frame
CLIPS: Mapping[Split, int] = {"train": 1000, "validation": 200, "test": 500}
SEEDS: Mapping[Split, int] = {"train": 1, "validation": 2, "test": 3}  # which never change

_DESCRIPTION = """\
Clips of 20 grey frames of 64 × 64 pixels, each with two images of Fashion-MNIST that move at a constant speed of 2 to 5
pixels a frame and bounce off the walls; where they overlap, the brighter pixel is seen. Made after Moving MNIST
(Srivastava et al., "Unsupervised learning of video representations using LSTMs", 2015). The clips of the test split
are made of test images, those of the others of training images, no image in both.
"""


class MovingFashion(Builder, skip_registration=True):  # type: ignore[call-arg]
    """TFDS builder of Moving-Fashion-MNIST, its features named as those of `moving_mnist`.

    The validation and the test clips are fixed. A training that wants clips without end draws them with `draw_clip`.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Fashion-MNIST as of 2020-05-23."}  # noqa: RUF012  (TFDS declares it so)

    def _info(self) -> tfds.core.DatasetInfo:
        return self.info_of(
            {"image_sequence": tfds.features.Video(shape=(FRAMES, SIZE, SIZE, 1))},  # uint8
            description=_DESCRIPTION,
            homepage=HOMEPAGE,
            citation=CITATION,
            license=LICENSE,
        )

    def _splits(self) -> dict[str, Any]:
        return {split: self._generate_examples(split) for split in CLIPS}

    def _generate_examples(self, split: Split) -> Iterator[tuple[int, dict[str, Any]]]:
        pixels = fashion_images(split).pixels
        for number in range(CLIPS[split]):
            yield number, {"image_sequence": draw_clip(pixels, np.random.default_rng((SEEDS[split], number)))}


def draw_clip(pixels: np.ndarray, random: np.random.Generator, frames: int = FRAMES) -> np.ndarray:
    """Draws images, where they start and how they move, and returns the clip uint8 (frames, 64, 64, 1).

    Args:
        pixels: Images to draw from, uint8 (images, 28, 28), dark around.
        random: Decides everything.
        frames: Length of the clip.
    """
    chosen = pixels[random.integers(len(pixels), size=OBJECTS)]
    starts = random.uniform(0, SIZE - SIDE, (OBJECTS, 2))
    angles, speeds = random.uniform(0, 2 * np.pi, OBJECTS), random.uniform(*SPEEDS, OBJECTS)
    velocities = speeds[:, np.newaxis] * np.stack([np.sin(angles), np.cos(angles)], axis=1)
    times = np.arange(frames)[:, np.newaxis, np.newaxis]
    corners = np.rint(bounced(starts + times * velocities, SIZE - SIDE)).astype(int)  # (frames, objects, 2)
    return placed(chosen, corners)


def placed(images: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Returns a clip uint8 (frames, 64, 64, 1) of images (objects, side, side), the lightest of which is seen.

    Args:
        images: dark around.
        corners: where the first pixel of each is, whole numbers (frames, objects, 2).
    """
    clip, side = np.zeros((len(corners), SIZE, SIZE, 1), np.uint8), images.shape[1]
    for frame, places in zip(clip[..., 0], corners, strict=True):
        for image, (row, column) in zip(images, places, strict=True):
            window = frame[row : row + side, column : column + side]
            np.maximum(window, image, out=window)
    return clip


def bounced(positions: np.ndarray, room: float) -> np.ndarray:
    """Returns where a body is between the walls 0 and `room` that would be at `positions` if there were none.

    >>> bounced(np.array([3.0, 12.0, -4.0, 25.0]), 10).tolist()
    [3.0, 8.0, 4.0, 5.0]
    """
    return room - np.abs(np.mod(positions, 2 * room) - room)
