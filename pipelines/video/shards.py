"""Decoded once: each video's frames in one file of the cache, read from there in any order without decoding again."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from data.packages import cache_directory
from pipelines.video.video_files import DecodingConfiguration, decode, images_of, refuse_missing

FORMAT = 1  # counted up when the same video and configuration would give other frames
SAMPLED_BYTES = 1 << 20  # of a file's beginning and end, which tell it from others


class Shard(NamedTuple):
    """The decoded frames of one video.

    Attributes:
        path: a file of NumPy, uint8 (frames, height, width, channels).
        frames: how many there are.
    """

    path: Path
    frames: int

    def read(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Returns some frames, uint8 (frames, height, width, channels); the others stay on the disk."""
        return np.array(np.load(self.path, mmap_mode="r")[start:stop])


def decoded(
    path: Path, configuration: DecodingConfiguration, start: float = 0.0, end: float = float("inf")
) -> tuple[Shard, bool]:
    """Returns the shard of a video, and whether it had to be decoded now; arguments and errors are those of `decode`.

    The shard appears at once and whole, however often this is interrupted.
    """
    refuse_missing(path)
    parts = (identity(path), _changed(path), decoding_key(configuration), start, end)
    target = shard_path(*parts)
    if known := opened(target):
        return known, False
    return write(target, decode(path, configuration, start, end), configuration), True


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
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # so that not even a power cut leaves a renamed file that is cut short
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def opened(path: Path) -> Shard | None:
    """Returns a shard that was written before; None if there is none, or if it is damaged, which is said."""
    try:
        return Shard(path, len(np.load(path, mmap_mode="r")))
    except FileNotFoundError:
        return None
    except (ValueError, EOFError) as error:  # what NumPy says of a file that is cut short, or empty
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

    Of large files it takes the beginning, the end and the size. Of a folder of images: the first, the middle and the
    last image, and their number.
    """
    if path.is_dir():
        images = images_of(path)
        chosen = [images[number * (len(images) - 1) // 2] for number in range(3)]
        return _digest(repr([len(images), *map(identity, chosen)]).encode())
    size = path.stat().st_size
    with path.open("rb") as file:
        beginning = file.read(SAMPLED_BYTES)
        file.seek(max(0, size - SAMPLED_BYTES))
        return _digest(size.to_bytes(8, "big") + beginning + file.read())


def _changed(path: Path) -> list[tuple[str, int, int]]:
    """Name, size and time of the last change of each file."""
    files = images_of(path) if path.is_dir() else [path]
    return [(file.name, (status := file.stat()).st_size, status.st_mtime_ns) for file in files]


def _write_header(file: BinaryIO, count: int, configuration: DecodingConfiguration) -> None:
    shape = (count, *configuration.frame_shape)
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
