"""Pictures of clothes under eight motions, for learning what a clip shows: the class is in the motion alone."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import cv2
import numpy as np
import tensorflow_datasets as tfds

from data.builder import Builder
from data.fashion_images import CITATION, HOMEPAGE, LICENSE, SIDE, Split, fashion_images

MOTIONS = ("right", "left", "down", "up", "clockwise", "counterclockwise", "closer", "away")
FRAMES, SIZE = 16, 40  # of a clip; pixels of a frame's side
SCALES = (0.5, 1.1)  # of the picture, smallest and largest
# What the motions change a frame: pixels, degrees, natural logarithms of the scale.
SPEEDS = {"shift": (1.0, 3.0), "turn": (4.0, 12.0), "zoom": (0.02, 0.05)}
CLIPS: Mapping[Split, int] = {"train": 800, "validation": 800, "test": 2000}
SEEDS: Mapping[Split, int] = {"train": 1, "validation": 2, "test": 3}  # which never change

_DESCRIPTION = """\
Clips of 16 grey frames of 40 × 40 pixels: an image of Fashion-MNIST drifts right, left, down or up, turns clockwise or
counterclockwise, comes closer or goes away, at a random constant speed. The motion is synthetic. A single frame tells
nothing about the class. The clips of the test split are made of test images, those of the others of training images, no
image in both.
"""


class Poses(NamedTuple):
    """Where and how a picture is seen: each (frames,).

    Attributes:
        rows: of its middle, in pixels, on a frame whose top and bottom are joined.
        columns: of its middle, in pixels, on a frame whose sides are joined.
        angles: degrees, clockwise.
        scales: within `SCALES`.
    """

    rows: np.ndarray
    columns: np.ndarray
    angles: np.ndarray
    scales: np.ndarray


class MotionClips(Builder, skip_registration=True):  # type: ignore[call-arg]
    """TFDS builder of the eight motions: `video` uint8 (16, 40, 40, 1) and `label`, each motion equally often.

    The clips are fixed. A training that wants clips without end draws them with `draw_clip`.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Fashion-MNIST as of 2020-05-23."}  # noqa: RUF012  (TFDS declares it so)

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "video": tfds.features.Tensor(
                shape=(FRAMES, SIZE, SIZE, 1), dtype=np.uint8, encoding=tfds.features.Encoding.BYTES
            ),
            "label": tfds.features.ClassLabel(names=MOTIONS),
        }
        return self.info_of(
            features,
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
            label = number % len(MOTIONS)
            clip = draw_clip(pixels, label, np.random.default_rng((SEEDS[split], number)))
            yield number, {"video": clip, "label": label}


def draw_clip(pixels: np.ndarray, label: int, random: np.random.Generator, frames: int = FRAMES) -> np.ndarray:
    """Draws an image and its poses, and returns the clip uint8 (frames, 40, 40, 1).

    Args:
        pixels: Images to draw from, uint8 (images, 28, 28), dark around.
        label: The motion, a place in `MOTIONS`.
        random: Decides everything else.
        frames: Length of the clip.
    """
    image = pixels[random.integers(len(pixels))]
    poses = draw_poses(label, random, frames)
    return np.stack([_seen(image, *pose) for pose in zip(*poses, strict=True)])[..., np.newaxis]


def draw_poses(label: int, random: np.random.Generator, frames: int = FRAMES) -> Poses:
    """Draws the poses of a clip.

    Each coordinate of a pose runs on a circle: what leaves the frame on one side enters on the other, and what comes
    closer than the largest scale is seen far away again. It starts anywhere on the circle with equal probability and,
    if it is the motion's, moves on at constant speed. So it is anywhere with equal probability at every frame, in every
    class, independently of the other coordinates: a single frame tells nothing about the motion. No motion in one
    direction could do so without joined ends, for the mean of its coordinate would drift.

    Args:
        label: The motion, a place in `MOTIONS`.
        random: Decides everything else.
        frames: Length of the clip.
    """
    kind = ("shift", "shift", "turn", "zoom")[label // 2]
    speed = random.uniform(*SPEEDS[kind]) * (-1 if label % 2 else 1)
    low, high = np.log(SCALES)
    circles = np.array([SIZE, SIZE, 360.0, high - low])  # rows, columns, angles, logarithms of the scales
    velocity = np.zeros(4)
    velocity[(1, 0, 2, 3)[label // 2]] = speed
    starts = random.uniform(0, circles)
    places = np.mod(starts + np.arange(frames)[:, np.newaxis] * velocity, circles)  # (frames, 4)
    return Poses(places[:, 0], places[:, 1], places[:, 2], np.exp(low + places[:, 3]))


def _seen(image: np.ndarray, row: float, column: float, angle: float, scale: float) -> np.ndarray:
    """The image (28, 28) in a pose, as a frame uint8 (40, 40)."""
    (top, below), (left, beside) = (divmod(place, 1.0) for place in (row, column))
    # First about the middle of the frame, where all of it fits, then by whole pixels around the joined sides.
    matrix = np.array(cv2.getRotationMatrix2D(((SIDE - 1) / 2, (SIDE - 1) / 2), -angle, scale), np.float64)
    matrix[:, 2] += np.array([beside, below]) + (SIZE - SIDE) / 2
    frame = cv2.warpAffine(image, matrix, (SIZE, SIZE), flags=cv2.INTER_LINEAR)
    first, second = ((SIZE // 2 - int(place)) % SIZE for place in (top, left))
    return np.tile(frame, (2, 2))[first : first + SIZE, second : second + SIZE]
