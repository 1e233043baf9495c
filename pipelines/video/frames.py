"""Frames: what videos are decoded to, when each is shown, and how pictures of any size and range become those."""

import io
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
from pydantic import Field

from pipelines.configuration import Configuration

TOLERANCE = 1e-3
"""Seconds by which times may differ that were written with few digits: many files and lists know milliseconds only."""

DEPTHS = (8, 10, 12, 14, 16)
"""Bits of the cameras there are."""


Size = tuple[int, int]

_PARSING = threading.Lock()

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # what a file lacks is stated in our own errors


Frames = Path | str | np.ndarray
"""A video that is read in place: a path, or frames, uint8 (time, height, width, channels)."""
Video = Path | str | bytes | io.IOBase | np.ndarray
"""What a predictor takes for a video: a path, the content of a file, an open file, or frames."""


class VideoDataError(ValueError):
    """Videos or labels that cannot be used; the message names file, row and remedy."""


class DecodingConfiguration(Configuration):
    """What videos are decoded to."""

    height: int = Field(64, ge=1, le=4096, description="size of a frame in pixels")
    width: int = Field(64, ge=1, le=4096, description="size of a frame in pixels")
    colour: Literal["grey", "rgb"] = Field("rgb", description="one channel or three")
    fit: Literal["crop", "pad", "stretch"] = Field(
        "crop", description="crop to the shape, add black borders, or stretch"
    )
    frame_rate: float = Field(0.0, ge=0, description="frames a second; 0: as recorded")
    image_rate: float = Field(25.0, gt=0, description="frames a second of image folders, stacks and arrays")
    array_channels: int = Field(
        0, ge=0, le=512, description="channels of arrays, kept as they are; 0: convert to the colour setting"
    )
    layout: str = Field(
        "",
        pattern="^[NTHWCnthwc]*$",
        description="axes of arrays, such as NTHWC or TNHW (videos, time, height, width, channels); default: detected",
    )
    variable: str = Field("", description="name of the array in a file that holds several")
    value_range: tuple[float, float] | None = Field(
        None, description="values of black and white in arrays and images of more than 8 bits; default: detected"
    )

    @property
    def channels(self) -> int:
        """Numbers of a pixel."""
        return self.array_channels or (1 if self.colour == "grey" else 3)

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        return self.height, self.width, self.channels


class Timed(NamedTuple):
    """A frame, uint8 (height, width, channels), shown from `time` on for `duration`, both in seconds."""

    time: float
    frame: np.ndarray
    duration: float


def resample(
    frames: Iterable[Timed], frame_rate: float = 0.0, start: float = 0.0, end: float = float("inf")
) -> Iterator[Timed]:
    """Yields the frames of a part; or what is shown at each tick of a clock, left out or repeated, never mixed.

    Args:
        frames: in the order of their times, the first one at or before `start` unless the video begins later.
        frame_rate: ticks a second, from `start` on; 0: the frames whose own times are in the part. A part that lies
            within one long frame has that one.
        start: seconds.
        end: seconds; nothing at or after it.

    >>> shown = [Timed(number / 10, np.array(number), 0.1) for number in range(4)]
    >>> [int(each.frame) for each in resample(shown, 20, end=0.25)], [int(each.frame) for each in resample(shown, 5)]
    ([0, 0, 1, 1, 2], [0, 2])
    >>> [each.time for each in resample(shown, start=0.1, end=0.3)]
    [0.1, 0.2]
    """
    ticks, held, found = 0, None, False
    for each in frames:
        slack = min(TOLERANCE, each.duration / 4)
        if each.time >= end - slack:
            break
        if frame_rate:
            while held is not None and (time := start + ticks / frame_rate) < each.time - slack:
                yield Timed(time, held.frame, 1 / frame_rate)
                ticks += 1
        elif each.time >= start - slack:
            yield each
            found = True
        held = each
    if held is None:
        return
    last = min(end, held.time + held.duration)
    slack = min(TOLERANCE, held.duration / 4)
    if not frame_rate and not found and last > start + slack:
        yield Timed(start, held.frame, last - start)
    while frame_rate and (time := start + ticks / frame_rate) < last - slack:
        yield Timed(time, held.frame, 1 / frame_rate)
        ticks += 1


def fit(frame: np.ndarray, configuration: DecodingConfiguration) -> np.ndarray:
    """Returns a frame of any size, uint8 (height, width, channels), as configured; grey becomes RGB, or RGB grey.

    Raises:
        VideoDataError: it has another number of channels than the arrays that are configured.
    """
    frame = _coloured(frame, configuration)
    wanted = configuration.height, configuration.width
    if frame.shape[:2] == wanted:
        return np.ascontiguousarray(frame)
    (top, left), part, (above, before), size = fitting(frame.shape[:2], wanted, configuration.fit)
    resized = resize(frame[top : top + part[0], left : left + part[1]], size)
    if size == wanted:
        return resized
    padded = np.zeros((*wanted, frame.shape[2]), np.uint8)
    padded[above : above + size[0], before : before + size[1]] = resized
    return padded


def fitting(given: Size, wanted: Size, how: str) -> tuple[Size, Size, Size, Size]:
    """Returns which part of a picture is resized to what, and where in the result that lies.

    Returns:
        Top and left of the part, its height and width, top and left in the result, height and width there.

    >>> fitting((30, 40), (10, 10), "crop"), fitting((30, 40), (12, 12), "pad")
    (((0, 5), (30, 30), (0, 0), (10, 10)), ((0, 0), (30, 40), (1, 0), (9, 12)))
    """
    if how == "stretch":
        return (0, 0), given, (0, 0), wanted
    scales = wanted[0] / given[0], wanted[1] / given[1]
    if how == "crop":
        scale = max(scales)
        part = tuple(max(1, min(old, round(new / scale))) for new, old in zip(wanted, given, strict=True))
        return ((given[0] - part[0]) // 2, (given[1] - part[1]) // 2), (part[0], part[1]), (0, 0), wanted
    scale = min(scales)
    size = tuple(max(1, min(new, round(old * scale))) for new, old in zip(wanted, given, strict=True))
    return (0, 0), given, ((wanted[0] - size[0]) // 2, (wanted[1] - size[1]) // 2), (size[0], size[1])


def fitted(frames: np.ndarray, configuration: DecodingConfiguration) -> Iterator[np.ndarray]:
    """Yields the frames of an array, uint8 (time, height, width, channels) of any size, as configured.

    Raises:
        VideoDataError: it is another array.
    """
    allowed = (configuration.array_channels,) if configuration.array_channels else (1, 3)
    if frames.ndim != 4 or frames.dtype != np.uint8 or frames.shape[3] not in allowed or 0 in frames.shape[1:]:
        raise VideoDataError(
            "An array of frames has another shape or type. Expected uint8 (time, height, width, "
            f"{' or '.join(map(str, allowed))}). Convert it; np.stack makes one of a list of frames. "
            f"Received: {frames.dtype} {frames.shape}"
        )
    return (fit(frame, configuration) for frame in frames)


def refuse_other(video: object) -> None:
    """Refuses what a predictor does not take for a video, such as an element of a list.

    Raises:
        VideoDataError: it is neither a file nor an array.
    """
    if not isinstance(video, Video):
        raise VideoDataError(
            "A video of another type. Expected a path, the content of a file as bytes, a file that is open for reading "
            "them, or an array, uint8 (time, height, width, channels). Convert it, "
            f"np.asarray a tensor, np.stack a list of frames. Received: {type(video).__name__}"
        )


def resize(frame: np.ndarray, size: Size) -> np.ndarray:
    """Returns a frame, uint8 (height, width, channels), of another size: means of areas where it shrinks."""
    shrinks = size[0] * size[1] < frame.shape[0] * frame.shape[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = cv2.resize(np.ascontiguousarray(frame), size[::-1], interpolation=interpolation)
    return resized.reshape(*size, frame.shape[2])  # OpenCV drops a single channel


def depth_range(largest: float) -> tuple[float, float]:
    """Returns black and white of whole numbers up to the largest: those of the camera with the fewest bits for it.

    >>> depth_range(4000), depth_range(200)
    ((0.0, 4095.0), (0.0, 255.0))
    """
    bits = next((bits for bits in DEPTHS if largest < 2**bits), max(32, int(largest).bit_length()))
    return 0.0, float(2**bits - 1)


def to_uint8(values: np.ndarray, value_range: tuple[float, float]) -> tuple[np.ndarray, int]:
    """Returns values as uint8, black to white over a range, and how many lay outside of it or were missing (NaN).

    >>> to_uint8(np.array([0.0, 0.5, 1.0, 3.0, np.nan]), (0.0, 1.0))
    (array([  0, 128, 255, 255,   0], dtype=uint8), 2)
    """
    low, high = value_range
    numbers = np.asarray(values, np.float64)
    outside = np.count_nonzero(~((numbers >= low) & (numbers <= high)))
    shares = np.nan_to_num((numbers - low) / (high - low), nan=0.0, posinf=1.0, neginf=0.0)
    return np.floor(255 * np.clip(shares, 0, 1) + 0.5).astype(np.uint8), int(outside)


def to_rgb(frames: np.ndarray) -> np.ndarray:
    """Returns frames (…, height, width, channels), uint8 or from 0 to 1, as uint8 (…, height, width, 3).

    Of three channels or more, the first three are red, green and blue; of fewer, the first one is grey.
    """
    frames = frames if frames.dtype == np.uint8 else np.rint(255 * np.clip(frames, 0, 1)).astype(np.uint8)
    return frames[..., :3] if frames.shape[-1] >= 3 else frames[..., :1].repeat(3, axis=-1)


def _coloured(frame: np.ndarray, configuration: DecodingConfiguration) -> np.ndarray:
    """The frame in the configured channels."""
    given, wanted = frame.shape[2], configuration.channels
    if given == wanted:
        return frame
    if given == 3 and wanted == 1:
        return cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)[..., np.newaxis]
    if given == 1 and not configuration.array_channels:
        return frame.repeat(3, axis=2)
    raise VideoDataError(
        f"Frames have another number of channels; expected {wanted}. Set --data.array_channels {given} to keep all of "
        f"them (the frames of other files have 3), or convert the file. Received: {given} channels"
    )


def load_array(path: Path) -> Any:
    """Opens a file of NumPy from any thread: npy as an array that stays on the disk, npz as its arrays by name.

    NumPy parses the headers as Python, and the parser of Python 3.11 raises `SystemError` now and then where two
    threads enter it (https://github.com/python/cpython/issues/106905). So one thread opens files at a time, and tries
    again if a thread of another library was in the parser.
    """
    with _PARSING:
        for _ in range(9):
            with suppress(SystemError):
                return _load_array(path)
        return _load_array(path)


def _load_array(path: Path) -> Any:
    loaded = np.load(path, mmap_mode="r")
    if isinstance(loaded, np.ndarray):
        return loaded
    with loaded:
        found = {}
        for name in loaded:
            with suppress(ValueError):  # objects beside the numbers, such as labels, which are not unpickled
                found[name] = loaded[name]
        return found
