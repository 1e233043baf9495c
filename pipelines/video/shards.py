"""Decoded once: each video's frames in one file of the cache, read from there in any order without decoding again."""

import hashlib
import json
import math
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from data.packages import cache_directory
from pipelines.video.arrays import is_array
from pipelines.video.frames import DecodingConfiguration, load_array
from pipelines.video.image_files import images_of
from pipelines.video.video_files import decode_timed, refuse_missing

FORMAT = 4  # counted up when the same video and configuration would give other frames
SAMPLED_BYTES = 1 << 20  # of a file's beginning and end, which tell it from others


class Shard(NamedTuple):
    """The decoded frames of one video."""

    path: Path  # a file of NumPy, uint8 (frames, height, width, channels)
    frames: int  # how many there are
    seconds: float = 0.0  # of the video that they show; 0: unknown
    notices: tuple[str, ...] = ()  # what was passed over or changed

    def read(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Returns some frames, uint8 (frames, height, width, channels); the others stay on the disk."""
        return np.array(load_array(self.path)[start:stop])


class Part(NamedTuple):
    """A video, or a part of one."""

    path: Path  # a file or a folder of images
    start: float = 0.0  # seconds
    end: float = math.inf  # seconds; infinite: to the end
    item: int = 0  # which video of a file that holds several


def known(part: Part, configuration: DecodingConfiguration) -> Shard | None:
    """Returns the shard of a video that was decoded before; None otherwise."""
    refuse_missing(part.path)
    return opened(_target(part, configuration))


def decoded(
    part: Part,
    configuration: DecodingConfiguration,
    threads: int = 0,
    reached: Callable[[float], None] = lambda seconds: None,
) -> Shard:
    """Returns the shard of a video, which appears at once and whole, however often this is interrupted.

    Args:
        threads: that decode it; 0: as many as there are processors.
        reached: is told the seconds of the part that are done, frame by frame.

    Raises:
        VideoDataError: as of `decode_timed`.
    """
    if there := known(part, configuration):
        return there
    target, seconds, notices = _target(part, configuration), 0.0, list[str]()

    def frames() -> Iterator[np.ndarray]:
        nonlocal seconds
        for each in decode_timed(*part, configuration, threads, notices.append):
            yield each.frame
            seconds = each.time + each.duration - part.start
            reached(seconds)

    shard = write(target, frames(), configuration)
    with written(target.with_suffix(".json")) as file:
        file.write(json.dumps({"seconds": seconds, "notices": notices}).encode())
    return shard._replace(seconds=seconds, notices=tuple(notices))


def _target(part: Part, configuration: DecodingConfiguration) -> Path:
    return shard_path(identity(part.path), changed(part.path), decoding_key(configuration), *part[1:])


def write(target: Path, frames: Iterable[np.ndarray], configuration: DecodingConfiguration) -> Shard:
    """Writes a shard, one frame at a time, and returns it."""
    count = 0
    with written(target) as file:
        _write_header(file, count, configuration)
        for frame in frames:
            file.write(frame.tobytes())
            count += 1
        file.seek(0)
        _write_header(file, count, configuration)  # as long as the first: NumPy leaves room for the number
    return Shard(target, count)


@contextmanager
def written(target: Path) -> Iterator[BinaryIO]:
    """Opens a file of the cache to be written; it appears at once and whole, or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # so that not even a power cut leaves a renamed file that is cut short
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def opened(path: Path) -> Shard | None:
    """Returns a shard that was written before; None if there is none, or if it is damaged, which is reported."""
    beside = path.with_suffix(".json")
    try:
        shard = Shard(path, len(load_array(path)))
        if beside.exists():
            values = json.loads(beside.read_text(encoding="utf-8"))
            shard = shard._replace(seconds=values["seconds"], notices=tuple(values["notices"]))
        return shard
    except FileNotFoundError:
        return None
    except (ValueError, EOFError) as error:  # what NumPy raises for a file that is cut short, or empty
        print(f"{path} is damaged ({error}): decoding its video again.", flush=True)
        return None


def shard_path(*parts: object) -> Path:
    """Returns where the shard is that belongs to these values."""
    name = _digest(repr((FORMAT, *parts)).encode())
    return cache_directory() / "videos" / name[:2] / f"{name}.npy"


def decoding_key(configuration: DecodingConfiguration) -> tuple[object, ...]:
    """Returns all that the frames depend on besides the video."""
    return tuple(getattr(configuration, name) for name in DecodingConfiguration.model_fields)


def identity(path: Path) -> str:
    """Returns a text that is the same for copies of a video, wherever they lie and whatever they are called.

    Of large files it takes the beginning, the end and the size; of a folder, all of its images or chunks.
    """
    if path.is_dir():
        files = _files(path)
        return str(remembered(("images", str(path.absolute()), changed(path)), lambda: _identity_of_several(files)))
    size = path.stat().st_size
    with path.open("rb") as file:
        beginning = file.read(SAMPLED_BYTES)
        file.seek(max(0, size - SAMPLED_BYTES))
        return _digest(size.to_bytes(8, "big") + beginning + file.read())


def remembered(key: tuple[object, ...], compute: Callable[[], Any]) -> Any:
    """Returns a value, computed once for each key and kept in the cache as JSON."""
    path = shard_path(*key).with_suffix(".json")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        value = compute()
        with written(path) as file:
            file.write(json.dumps(value).encode())
        return value


def _identity_of_several(files: list[Path]) -> str:
    return _digest(repr([len(files), *map(identity, files)]).encode())


def _files(path: Path) -> list[Path]:
    """The images of a folder, or the chunks of an array."""
    return sorted(each for each in path.rglob("*") if each.is_file()) if is_array(path) else images_of(path)


def changed(path: Path) -> list[tuple[str, int, int]]:
    """Returns name, size and time of the last change of each file."""
    files = _files(path) if path.is_dir() else [path]
    return [(file.name, (status := file.stat()).st_size, status.st_mtime_ns) for file in files]


def _write_header(file: BinaryIO, count: int, configuration: DecodingConfiguration) -> None:
    shape = (count, *configuration.frame_shape)
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
