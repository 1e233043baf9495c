"""A film whose frames tell their number, as it is encoded and read in the tests of files."""

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from pipelines.video.frames import DecodingConfiguration, Timed
from pipelines.video.video_files import decode_timed

FRAMES, RATE, HEIGHT, WIDTH = 12, 25, 48, 64
DECODING = DecodingConfiguration(height=HEIGHT, width=WIDTH)


def pictures(count: int = FRAMES, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """A bright bar that grows from the left, a step each frame: its width tells the number of a frame."""
    frames = np.full((count, height, width, 3), 30, np.uint8)
    for number, frame in enumerate(frames):
        frame[:, : round((number + 1) * width / (count + 1))] = 220
    return frames


def numbers(frames: list[Timed], count: int = FRAMES) -> list[int]:
    """Which of the pictures each frame is, by the share of it that is bright."""
    return [round((each.frame.mean(axis=2) > 125).mean() * (count + 1)) - 1 for each in frames]


def read(path: Path, start: float = 0.0, end: float = float("inf"), **settings: Any) -> list[Timed]:
    return list(decode_timed(path, start, end, 0, DECODING.replace(**settings), 1, lambda text: None))


def encode(
    path: Path,
    codec: str,
    pixels: str = "yuv420p",
    times: list[int] | None = None,
    size: tuple[int, int] = (HEIGHT, WIDTH),
    format: str | None = None,
    options: Mapping[str, str] = {},
    container: Mapping[str, str] = {},
    count: int = FRAMES,
) -> Path:
    """Writes the pictures; `times` are milliseconds. Default: 25 frames a second."""
    try:
        with av.open(str(path), "w", format=format, options=dict(container)) as file:
            stream = file.add_stream(codec, rate=RATE, options={"threads": "1", **options})
            stream.height, stream.width = size
            stream.pix_fmt = pixels
            if codec != "libsvtav1":
                stream.bit_rate = 4_000_000
            if times is not None:
                stream.codec_context.time_base = Fraction(1, 1000)
            for number, picture in enumerate(pictures(count, *size)):
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                if times is not None:
                    frame.pts, frame.time_base = times[number], Fraction(1, 1000)
                file.mux(stream.encode(frame))
            file.mux(stream.encode())
    except (av.codec.codec.UnknownCodecError, av.EncoderNotFoundError):
        pytest.skip(f"this build of PyAV has no encoder {codec}")
    return path


def depth(largest: int) -> np.ndarray:
    """Grey pictures, uint16 (frames, height, width), from 0 to the largest value."""
    return (pictures()[..., 0].astype(float) / 220 * largest).astype(np.uint16)
