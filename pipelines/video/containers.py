"""Video files of any format and codec that FFmpeg knows, by PyAV: each frame with its own time, whole or refused."""

import heapq
import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from av.sidedata.sidedata import Type
from av.video.reformatter import VideoReformatter

from pipelines.hints import counted
from pipelines.video.frames import Timed, VideoDataError, resize
from pipelines.video.truncation import truncated

av.logging.set_level(None)  # what a file lacks is stated in our own errors

SEEK_FROM = 2.0
"""Seconds; what begins sooner is reached by decoding from the beginning."""

SEEK_MARGIN = 1.0
"""Seconds that are decoded before a start: formats without an index may miss the whole picture before it."""

OPTIONS = {"probesize": "50000000", "analyzeduration": "30000000"}
"""Bytes and microseconds in which streams without a header, cut anywhere, must show a first whole picture."""

GUESSED = ("mpegts", "mpeg", "avi", "dv")
"""Formats that do not state their length: FFmpeg takes it from what is there."""

WITHOUT_WHOLE = ("mpeg1video", "mpeg2video")
"""Codecs whose decoders show pictures, with errors, before a whole one."""

UNORDERED = ("avi",)
"""Formats without times at which frames are shown: these follow each other as packets do."""

TEXT = ("tty", "bin", "xbin", "adf", "idf")
"""Formats of text, which FFmpeg would draw."""

REMEDY = "Restore or convert it (ffmpeg -i IN -c:v libx264 OUT.mp4), or leave it out."

Notice = Callable[[str], None]


class Properties(NamedTuple):
    """What a file states about its video."""

    rate: float  # frames a second, the mean; 0: not stated
    seconds: float  # its length; 0: not stated
    size: tuple[int, int] = (0, 0)  # height and width as shown; (0, 0): not stated


def properties(path: Path) -> Properties:
    """Returns what a file states about its video, without decoding it."""
    with _opened(path) as (container, stream):
        rate = float(stream.average_rate or stream.guessed_rate or 0)
        seconds = (container.duration or 0) / av.time_base
        if stream.duration:
            seconds = float(stream.duration * stream.time_base)
        elif not seconds and rate and stream.frames:
            seconds = stream.frames / rate
        return Properties(rate, seconds, (stream.height, stream.width))


def container_frames(path: Path, start: float = 0.0, threads: int = 0, notice: Notice = print) -> Iterator[Timed]:
    """Yields the frames of a file, RGB as they are to be shown: upright, with square pixels.

    Times are those that players show: from the beginning of the file, by the time stamp of each frame. A start is
    sought, so the first frame is one at or before it.

    Args:
        threads: that decode; 0: as many as there are processors.

    Raises:
        VideoDataError: the file has no video, is truncated or damaged, or its codec is unknown.
    """
    for sought in (True, False) if start >= SEEK_FROM else (False,):
        with _opened(path) as (container, stream):
            stream.thread_type, stream.codec_context.thread_count = "AUTO", threads
            stream.codec_context.options = {"err_detect": "explode"}
            origin = (container.start_time or 0) / av.time_base
            if sought and not _sought(container, stream, start + origin):
                continue
            frames = _timed(path, container, stream, origin, notice, sought)
            first = next(frames, None)
            if first is not None and (first.time <= start or not sought):
                yield from itertools.chain([first], frames)
                return


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """Opens a file and its video stream."""
    try:
        container = av.open(f"file:{path.absolute()}", options=OPTIONS)
    except (av.FFmpegError, ValueError) as error:
        what = "cannot be opened: it is truncated, damaged, or no video"
        raise refused(path, what, f"{path.stat().st_size} bytes ({_reason(error)})") from error
    with container:
        pictures = [each for each in container.streams.video if not each.disposition & _COVER]
        if not any(each.codec_context for each in pictures) and truncated(path):
            raise refused(path, "is truncated", f"{path.stat().st_size} bytes")
        if not pictures:
            kinds = ", ".join(sorted({each.type for each in container.streams})) or "nothing"
            raise refused(path, "holds no video", f"{container.format.name} with {kinds}")
        if container.format.name in TEXT:
            raise refused(path, "holds no video", f"text ({container.format.long_name})")
        best = container.streams.best("video")
        stream = best if best in pictures else pictures[0]
        if stream.codec_context is None:
            raise refused(path, "cannot be decoded: FFmpeg does not know its codec", _codec(stream))
        yield container, stream


_COVER = av.stream.Disposition.attached_pic


def _sought(container: Any, stream: Any, time: float) -> bool:
    """Seeks the last whole picture before a time; False where times after it would be uncertain."""
    shuffled = container.format.name in UNORDERED and stream.codec_context.has_b_frames
    if container.duration is None or shuffled or stream.codec_context.name in WITHOUT_WHOLE:
        return False
    try:
        container.seek(int((time - SEEK_MARGIN) / stream.time_base), stream=stream, backward=True)
    except (av.FFmpegError, OverflowError):  # of more seconds than any file has
        return False
    return True


def _timed(
    path: Path, container: Any, stream: Any, origin: float, notice: Notice, sought: bool = False
) -> Iterator[Timed]:
    """The frames from the place that the container has reached to the end, each with its time."""
    rate = float(stream.average_rate or stream.guessed_rate or 25)
    reformatter, ratio = VideoReformatter(), stream.sample_aspect_ratio
    number, clock, last, held, backward = 0, -math.inf, -math.inf, None, 0
    for frame, stamp in _decoded(path, container, stream, notice):
        time = number / rate if stamp is None else float(stamp * stream.time_base) - origin
        if sought and stamp is None:
            return  # without times of their own, frames are counted from the beginning
        clock, backward = time, backward + (time < clock)
        if time <= last:  # joined recordings, clocks that are set, and more frames than a clock of milliseconds tells
            time = last + (held.duration if held else 1 / rate)
        stated = float(frame.duration * frame.time_base) if frame.duration else 1 / rate
        picture = upright(reformatter.reformat(frame, format="rgb24").to_ndarray(), frame, ratio)
        if held:
            yield held._replace(duration=time - held.time)
        held, last, number = Timed(time, picture, stated), time, number + 1
    if held:
        yield held
    if backward:
        notice(f"the clock goes backward, {counted(backward, 'time')}; the frames after it follow without a gap")
    if sought:
        return
    if not number:
        what = f"cannot be decoded: it is truncated, damaged, or FFmpeg cannot read its codec ({_codec(stream)})"
        raise refused(path, what, "0 frames")
    _refuse_truncated(path, container, stream, number, last + stated)


def _decoded(path: Path, container: Any, stream: Any, notice: Notice) -> Iterator[tuple[Any, int | None]]:
    """The frames as they are decoded, with time stamps: the first whole one, and all after it, which must be whole."""
    whole, passed, broken, last = 0, 0, "", 0.0
    unordered = container.format.name in UNORDERED  # it knows when packets are decoded, not when they are shown
    stamps: list[int] = []
    for packet in _packets(container, stream):
        try:
            frames = packet.decode() if isinstance(packet, av.Packet) else []
        except (av.FFmpegError, ValueError) as error:
            frames, packet = [], _reason(error)
        if not isinstance(packet, av.Packet):
            broken = broken or packet
        if unordered and isinstance(packet, av.Packet) and packet.size and packet.dts is not None:
            heapq.heappush(stamps, packet.dts)
        for frame in frames:
            stamp = heapq.heappop(stamps) if stamps else frame.pts
            if not whole and frame.is_corrupt:  # of a recording that begins between two whole pictures
                passed += 1
                continue
            if whole and (broken or frame.is_corrupt):
                raise refused(path, f"is damaged after {last:.6g} s", broken or "a frame with errors")
            if not whole and (broken or passed):
                notice("what comes before its first whole picture cannot be decoded and is passed over")
            whole, broken, last = whole + 1, "", frame.time or last
            yield frame, stamp
    if broken and whole:
        raise refused(path, "is truncated, or damaged at its end", f"{counted(whole, 'frame')}, then: {broken}")


def _packets(container: Any, stream: Any) -> Iterator[Any]:
    """The packets of a stream; at last a text if reading them failed."""
    packets = container.demux(stream)
    while True:
        try:
            yield next(packets)
        except StopIteration:
            return
        except (av.FFmpegError, ValueError) as error:
            yield _reason(error)
            return


def _refuse_truncated(path: Path, container: Any, stream: Any, frames: int, reached: float) -> None:
    """Refuses a file that is shorter than it states, unless all of its video has been read."""
    if not truncated(path) or (stream.frames and frames >= stream.frames):
        return
    stated = (container.duration or 0) / av.time_base
    if container.format.name in GUESSED or not stated or reached < stated - 0.75 * reached / max(frames, 1):
        of = f" of {stream.frames}" if stream.frames else ""
        raise refused(path, "is truncated", f"{frames}{of} frames, {reached:.6g} of {stated or math.nan:.6g} s")


def upright(picture: np.ndarray, frame: Any, ratio: Any) -> np.ndarray:
    """Returns a decoded picture as it is to be shown: turned and mirrored as its camera noted, with square pixels."""
    if ratio and ratio > 0 and ratio != 1:
        picture = resize(picture, (picture.shape[0], max(1, round(picture.shape[1] * ratio))))
    matrix = frame.side_data.get(Type.DISPLAYMATRIX)
    return picture if matrix is None else turned(picture, np.frombuffer(bytes(matrix), np.int32))


def turned(picture: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Returns a picture (height, width, …) turned and mirrored by a display matrix, nine numbers, by right angles.

    >>> turned(np.array([[1, 2, 3]]), np.array([0, 1, 0, -1, 0, 0, 0, 0, 1])).tolist()  # a quarter, clockwise
    [[1], [2], [3]]
    """
    right, down = (matrix[0], matrix[4])
    if abs(matrix[1]) > abs(matrix[0]):  # x becomes y
        picture, right, down = picture.swapaxes(0, 1), matrix[3], matrix[1]
    return picture[:: -1 if down < 0 else 1, :: -1 if right < 0 else 1]


def refused(path: Path, what: str, received: str, remedy: str = REMEDY) -> VideoDataError:
    """Returns the error that names a video and what is wrong with it."""
    return VideoDataError(f"{path} {what}; expected a whole video. {remedy} Received: {received}")


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).lower()


def _codec(stream: Any) -> str:
    """Name of a codec, or the four letters by which its file names it."""
    context = stream.codec_context
    return context.name if context is not None else "unknown"
