"""Videos of any format, and folders of frame images, decoded to frames of one size, colour and rate."""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from pydantic import Field

from pipelines.configuration import Configuration

# What a file lacks is said in our own errors. FFmpeg's level is read with the first video, OpenCV's at its import.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
if "OPENCV_LOG_LEVEL" not in os.environ:
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

VIDEO_ENDINGS = (
    *(".3gp", ".avi", ".flv", ".gif", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".webm"),
    ".wmv",
)
IMAGE_ENDINGS = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
WHOLE = 0.98  # a file with a smaller share of the frames that its header promises is truncated
ESTIMATE = 2  # frames by which the header of a whole file may be wrong
ROUNDING = 1e-3  # of a frame: times written with few digits mean the frame that they are nearest to
_REMEDY = "Restore or convert it (to mp4 or avi), or leave it out."


class VideoDataError(ValueError):
    """Videos or labels that cannot be used; the message names file and row, and says what to do."""


class DecodingConfiguration(Configuration):
    """What videos are decoded to."""

    height: int = Field(64, ge=1, le=4096, description="pixels of a frame")
    width: int = Field(64, ge=1, le=4096, description="pixels of a frame")
    colour: Literal["grey", "rgb"] = Field("rgb", description="one channel or three")
    fit: Literal["crop", "pad", "stretch"] = Field(
        "crop", description="cut off what does not fit the shape, show all with black borders, or change the shape"
    )
    frame_rate: float = Field(0.0, ge=0, description="frames a second; 0: as recorded")
    image_rate: float = Field(25.0, gt=0, description="frames a second of folders of images, which do not say it")

    @property
    def channels(self) -> int:
        """Numbers of a pixel."""
        return 1 if self.colour == "grey" else 3

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        return self.height, self.width, self.channels


def decode(
    path: str | Path, configuration: DecodingConfiguration, start: float = 0.0, end: float = float("inf")
) -> Iterator[np.ndarray]:
    """Yields the frames of a video, each uint8 (height, width, channels); one at a time is held in memory.

    Args:
        path: a file that OpenCV reads, or a folder of frame images, in the order of the numbers in their names.
        configuration: what the frames are to be.
        start: seconds from the beginning.
        end: seconds from the beginning; what lies after the video's end is not missed.

    Raises:
        VideoDataError: the video is missing, empty, truncated, of a codec that OpenCV cannot read, or damaged; its
            frames change their size; or nothing lies between start and end.

    Example:
        >>> import tempfile, cv2, numpy as np
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for number in range(3):
        ...         _ = cv2.imwrite(f"{folder}/{number}.png", np.full((48, 96, 3), number, np.uint8))
        ...     frames = list(decode(folder, DecodingConfiguration(height=8, width=8, colour="grey")))
        >>> len(frames), frames[2].shape, int(frames[2].max())
        (3, (8, 8, 1), 2)
    """
    path = Path(path)
    refuse_missing(path)
    rate = _recorded_rate(path, configuration)
    first = int(start * rate + ROUNDING)
    frames = _of_one_size(_images(path, first) if path.is_dir() else _file(path, first), path, first)
    count = 0
    for frame in resample(frames, rate, configuration.frame_rate, start, end, first):
        yield fit(frame, configuration)
        count += 1
    if not count:
        span = "" if (start, end) == (0, float("inf")) else f" between {start:g} and {end:g} s"
        raise _error(path, f"holds no frame{span}", "0 frames", _REMEDY if not span else "Correct start and end.")


def rate_of(path: Path, configuration: DecodingConfiguration) -> float:
    """Returns how many frames `decode` yields for a second of a video."""
    return configuration.frame_rate or _recorded_rate(path, configuration)


def resample(
    frames: Iterable[np.ndarray],
    rate: float,
    wanted: float,
    start: float = 0.0,
    end: float = float("inf"),
    first: int = 0,
) -> Iterator[np.ndarray]:
    """Yields what is to be seen at each tick of a clock: a frame is left out or repeated, never mixed.

    Args:
        frames: of `rate` a second.
        rate: frames a second.
        wanted: frames a second; 0: as they are.
        start: seconds; the first tick.
        end: seconds; no tick at or after it.
        first: number of the first of the frames in the whole video, not after the one that is shown at the start.

    >>> list(resample(range(8), 25, 12.5)), list(resample(range(3), 10, 20, end=0.25))
    ([0, 2, 4, 6], [0, 0, 1, 1, 2])
    """
    ticks, last = 0, end - ROUNDING / rate
    for number, frame in enumerate(frames, first):
        time = start + ticks / (wanted or rate)
        while time < last and int(time * rate + ROUNDING) == number:
            yield frame
            ticks += 1
            time = start + ticks / (wanted or rate)
        if time >= last:
            return


def fit(frame: np.ndarray, configuration: DecodingConfiguration) -> np.ndarray:
    """Returns a frame of any size, uint8 (height, width, 1 or 3), grey or RGB, as configured."""
    if frame.shape[2] == 3 and configuration.colour == "grey":
        frame = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)[..., np.newaxis]
    elif frame.shape[2] == 1 and configuration.colour == "rgb":
        frame = frame.repeat(3, axis=2)
    wanted = configuration.height, configuration.width
    if frame.shape[:2] == wanted:
        return np.ascontiguousarray(frame)
    scales = [new / old for new, old in zip(wanted, frame.shape, strict=False)]
    if configuration.fit == "stretch":
        return _resize(frame, wanted)
    if configuration.fit == "crop":
        scale = max(scales)
        # The part that has the wanted shape, from the middle.
        size = [max(1, min(old, round(new / scale))) for new, old in zip(wanted, frame.shape, strict=False)]
        top, left = [(old - part) // 2 for old, part in zip(frame.shape, size, strict=False)]
        return _resize(frame[top : top + size[0], left : left + size[1]], wanted)
    scale = min(scales)
    size = [max(1, min(new, round(old * scale))) for new, old in zip(wanted, frame.shape, strict=False)]
    top, left = [(new - part) // 2 for new, part in zip(wanted, size, strict=True)]
    padded = np.zeros(configuration.frame_shape, np.uint8)
    padded[top : top + size[0], left : left + size[1]] = _resize(frame, (size[0], size[1]))
    return padded


def fitted(frames: np.ndarray, configuration: DecodingConfiguration) -> Iterator[np.ndarray]:
    """Yields the frames of an array, uint8 (time, height, width, 1 or 3) of any size, as configured.

    Raises:
        VideoDataError: it is another array.
    """
    if frames.ndim != 4 or frames.dtype != np.uint8 or frames.shape[3] not in (1, 3):
        raise VideoDataError(
            "An array of frames has another shape or type. Expected uint8 (time, height, width, 1 or 3). Convert it. "
            f"Received: {frames.dtype} {frames.shape}"
        )
    return (fit(frame, configuration) for frame in frames)


def refuse_missing(path: Path) -> None:
    """Raises `VideoDataError` if there is nothing of this name, or nothing in it."""
    if not path.exists():
        raise _error(path, "does not exist", "no file or folder of this name", "Correct the path.")
    if path.is_file() and path.stat().st_size == 0:
        raise _error(path, "is empty", "0 bytes")
    if path.is_dir() and not images_of(path):
        if inside := next((each for each in sorted(path.rglob("*")) if each.suffix.lower() in VIDEO_ENDINGS), None):
            remedy = "Move the videos out of the folder, beside it, or give each one's own path."
            raise _error(path, "holds videos instead of frame images", str(inside.relative_to(path)), remedy)
        raise _error(path, "holds no frame images", "0 files that end as images do", "Put frames there, or remove it.")


def images_of(folder: Path) -> list[Path]:
    """Returns the images of a folder in the order of the numbers in their names, frame_2 before frame_10."""
    images = [path for path in folder.iterdir() if path.suffix.lower() in IMAGE_ENDINGS and path.name[0] != "."]
    return sorted(images, key=lambda path: natural_key(path.name))


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Returns what sorts names as people do: by the numbers in them.

    >>> sorted(["b10", "b9", "a11"], key=natural_key)
    ['a11', 'b9', 'b10']
    """
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name) if part]


def _file(path: Path, first: int) -> Iterator[np.ndarray]:
    """The frames of a file from the first one wanted on, RGB, of whatever size."""
    capture = _opened(path)
    try:
        promised, rate = capture.get(cv2.CAP_PROP_FRAME_COUNT), capture.get(cv2.CAP_PROP_FPS)
        count, seconds = 0, 0.0
        while True:
            seconds = max(seconds, capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
            if not capture.grab():
                break
            count += 1
            if count > first:  # the others are passed over, but not sought: OpenCV may miss the place
                found, frame = capture.retrieve()
                if not found:
                    break
                yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
    finally:
        capture.release()
    if not count:
        raise _error(path, "cannot be decoded: it is damaged, or of a codec that OpenCV cannot read", "0 frames")
    # Where the rate varies, the number of frames is an estimate of the header, but not the time.
    reached = max(count, seconds * rate + 1)
    if promised > 0 and reached < WHOLE * promised and promised - reached > ESTIMATE:
        raise _error(path, "is truncated", f"{count} of {promised:.0f} frames")


def _images(folder: Path, first: int) -> Iterator[np.ndarray]:
    """The frames of a folder from the first one wanted on, RGB, of whatever size."""
    for path in images_of(folder)[first:]:
        data = np.fromfile(path, np.uint8)
        frame = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
        if frame is None:
            raise _error(path, "cannot be decoded: it is empty, damaged or no image", f"{len(data)} bytes")
        yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)


def _of_one_size(frames: Iterable[np.ndarray], path: Path, first: int) -> Iterator[np.ndarray]:
    size = None
    for number, frame in enumerate(frames, first):
        if size is not None and frame.shape[:2] != size:
            received = f"frame {number + 1} of {frame.shape[1]}×{frame.shape[0]} after {size[1]}×{size[0]} pixels"
            raise _error(path, "has frames of changing size", received, "Cut it there, or convert it to one size.")
        size = frame.shape[:2]
        yield frame


def _recorded_rate(path: Path, configuration: DecodingConfiguration) -> float:
    if path.is_dir():
        return configuration.image_rate
    capture = _opened(path)
    rate = capture.get(cv2.CAP_PROP_FPS)
    capture.release()
    return rate if np.isfinite(rate) and rate > 0 else configuration.image_rate  # of those that do not say it


def _opened(path: Path) -> cv2.VideoCapture:
    capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        capture.release()
        what = "cannot be opened: it is truncated, damaged, no video, or of a codec that OpenCV cannot read"
        raise _error(path, what, f"{path.stat().st_size} bytes")
    return capture


def _resize(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    shrinks = size[0] * size[1] < frame.shape[0] * frame.shape[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = cv2.resize(np.ascontiguousarray(frame), size[::-1], interpolation=interpolation)
    return resized.reshape(*size, frame.shape[2])  # OpenCV drops a single channel


def _error(path: Path, what: str, received: str, remedy: str = _REMEDY) -> VideoDataError:
    return VideoDataError(f"{path} {what}; expected a whole video. {remedy} Received: {received}")
