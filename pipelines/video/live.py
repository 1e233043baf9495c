"""Frames of cameras, network streams and pipes, one at a time as they come, each with its time."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2

from pipelines.video.containers import upright
from pipelines.video.frames import Timed, VideoDataError

PIPE = "-"
OPTIONS = {"rtsp_transport": "tcp"}  # which other protocols ignore
PATIENCE = 10.0  # seconds without an answer or a frame, after which a stream has ended
USUAL_RATE = 25.0  # frames a second, of streams that state none


def is_live(name: str) -> bool:
    """Returns whether a name is that of a camera, an address or standard input, not of a file.

    >>> [is_live(name) for name in ("0", "rtsp://camera/1", "-", "clip.mp4", "/videos/0.mp4")]
    [True, True, True, False, False]
    """
    return name == PIPE or "://" in name or (name.isdecimal() and not Path(name).exists())


def live_frames(name: str) -> Iterator[Timed]:
    """Yields RGB frames until the stream ends; nothing of it is kept. Times count from its first frame.

    What cannot be decoded is passed over, as a player does it.

    Args:
        name: number of a camera, address that FFmpeg knows (rtsp, rtmp, http, udp, srt), or `-`: standard input, of a
            format that needs no seeking (MPEG-TS, Matroska, fragmented mp4, Y4M, Motion JPEG).

    Raises:
        VideoDataError: it cannot be opened, or holds no video.
    """
    yield from _camera(int(name)) if name.isdecimal() else _stream(name)


def _camera(number: int) -> Iterator[Timed]:
    camera = cv2.VideoCapture(number)
    try:
        if not camera.isOpened():
            raise _refused(f"The camera {number}", "no camera of this number, or another program uses it")
        stated = camera.get(cv2.CAP_PROP_FPS)
        duration, started = 1 / stated if stated > 0 else 1 / USUAL_RATE, time.monotonic()
        while (read := camera.read())[0]:
            yield Timed(time.monotonic() - started, cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB), duration)
    finally:
        camera.release()


def _stream(name: str) -> Iterator[Timed]:
    what = "Standard input" if name == PIPE else name
    source: Any = sys.stdin.buffer if name == PIPE else name
    try:
        container = av.open(source, options=OPTIONS, timeout=None if name == PIPE else PATIENCE)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise _refused(what, str(getattr(error, "strerror", None) or error)) from error
    with container:
        if not container.streams.video:
            raise _refused(what, "no video in it")
        stream = container.streams.video[0]
        rate, first, last = float(stream.average_rate or stream.guessed_rate or USUAL_RATE), None, 0.0
        for frame in _decoded(container, stream):
            stamp = frame.time if frame.time is not None else (0.0 if first is None else first + last + 1 / rate)
            first = stamp if first is None else first
            if stamp - first < last:  # the clock was set, or the stream began anew
                first = stamp - last - 1 / rate
            last = stamp - first
            yield Timed(last, upright(frame.to_ndarray(format="rgb24"), frame, stream.sample_aspect_ratio), 1 / rate)


def _decoded(container: Any, stream: Any) -> Iterator[Any]:
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.FFmpegError, OSError):  # it ended, or the connection is lost
            return
        try:
            frames = packet.decode()
        except (av.FFmpegError, ValueError):
            continue
        yield from (frame for frame in frames if not frame.is_corrupt)


def _refused(what: str, received: str) -> VideoDataError:
    return VideoDataError(
        f"{what} cannot be read; expected a camera, an address of a video stream, or a video on standard input. Check "
        f"that it is there and allowed. Received: {received}"
    )
