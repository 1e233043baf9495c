"""Shards: decoded once, whole or not at all, and a bounded memory however much is decoded."""

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from pipelines.video import shards
from pipelines.video.frames import DecodingConfiguration, VideoDataError
from pipelines.video.shards import Part
from pipelines.video.video_files import decode_timed

Square = Callable[..., np.ndarray]
Write = Callable[..., Path]


def test_a_video_is_decoded_once(
    tmp_path: Path, square: Square, write_video: Write, as_recorded: DecodingConfiguration
) -> None:
    path = write_video(tmp_path / "a.avi", square(20))
    assert shards.known(Part(path), as_recorded) is None
    shard = shards.decoded(Part(path), as_recorded)
    assert shard.frames == 20 and shard.seconds == pytest.approx(0.8)
    assert shards.known(Part(path), as_recorded) == shards.decoded(Part(path), as_recorded) == shard
    np.testing.assert_array_equal(
        shard.read(),
        np.stack([each.frame for each in decode_timed(path, 0.0, float("inf"), 0, as_recorded)]),
        strict=True,
    )
    np.testing.assert_array_equal(shard.read(3, 7), shard.read()[3:7])
    assert np.load(shard.path).flags["C_CONTIGUOUS"]


def test_another_video_configuration_or_part_is_decoded_anew(
    tmp_path: Path, square: Square, write_video: Write, as_recorded: DecodingConfiguration
) -> None:
    path = write_video(tmp_path / "a.avi", square(20))
    first = shards.decoded(Part(path), as_recorded)
    for change in ({"height": 12}, {"colour": "grey"}, {"frame_rate": 5.0}, {"fit": "pad"}):
        assert shards.decoded(Part(path), as_recorded.replace(**change)).path != first.path
    assert shards.decoded(Part(path, 0.2, 0.4), as_recorded).frames == 5
    write_video(path, square(20, seed=1))
    assert shards.known(Part(path), as_recorded) is None
    shard = shards.decoded(Part(path), as_recorded)
    np.testing.assert_array_equal(shard.read(), square(20, seed=1))


def test_copies_have_one_identity(tmp_path: Path, square: Square, write_video: Write) -> None:
    path = write_video(tmp_path / "a.avi", square(20))
    copy = tmp_path / "other" / "name.avi"
    copy.parent.mkdir()
    copy.write_bytes(path.read_bytes())
    assert shards.identity(copy) == shards.identity(path)
    assert shards.identity(write_video(tmp_path / "b.avi", square(20, seed=1))) != shards.identity(path)


def test_what_fails_halfway_leaves_nothing(
    cache: Path, tmp_path: Path, square: Square, write_video: Write, as_recorded: DecodingConfiguration
) -> None:
    path = write_video(tmp_path / "a.avi", square(20))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    for _ in range(2):
        with pytest.raises(VideoDataError, match="is truncated"):
            shards.decoded(Part(path), as_recorded)
    assert not [each for each in cache.rglob("*") if each.is_file()]


@pytest.mark.parametrize("length", [0, 60, 1000])  # nothing, in the header, in the frames
def test_a_damaged_shard_is_decoded_again(
    length: int,
    tmp_path: Path,
    square: Square,
    write_video: Write,
    as_recorded: DecodingConfiguration,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = write_video(tmp_path / "a.avi", square(20))
    shard = shards.decoded(Part(path), as_recorded)
    shard.path.write_bytes(shard.path.read_bytes()[:length])
    assert shards.decoded(Part(path), as_recorded) == shard
    said = capsys.readouterr().out
    assert str(shard.path) in said and "is damaged" in said and "decoding its video again" in said
    np.testing.assert_array_equal(shard.read(), square(20))
    assert shards.known(Part(path), as_recorded) == shard


def test_a_file_is_on_the_disk_before_it_has_its_name(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[tuple[str, int]] = []
    sync, rename = os.fsync, os.replace

    def synced(number: int) -> None:
        sync(number)
        done.append(("synced", os.fstat(number).st_size))

    def renamed(old: Path, new: Path) -> None:
        rename(old, new)
        done.append(("renamed", new.stat().st_size))

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    with shards.written(cache / "a") as file:
        file.write(b"12345")
    assert done == [("synced", 5), ("renamed", 5)]


def resident() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.slow
def test_memory_does_not_grow(tmp_path: Path, square: Square, write_video: Write) -> None:
    """A hundred and twenty clips are decoded and read; each one's frames would take a megabyte."""
    path = write_video(tmp_path / "a.avi", square(40))
    configuration = DecodingConfiguration(height=96, width=96)
    sizes = []
    for number in range(120):
        shard = shards.decoded(Part(path, end=1.6 + number / 1e6), configuration)
        assert shard.read(5, 21).shape == (16, 96, 96, 3)
        if number % 20 == 19:
            gc.collect()  # as often as Python would by itself: the decoder leaves cycles, and tests collect seldom
        if number in (39, 119):
            sizes.append(resident())
    assert sizes[1] - sizes[0] < 20e6  # 80 clips are 88 MB


def test_a_long_video_takes_no_more_memory(cache: Path) -> None:
    configuration = DecodingConfiguration(height=256, width=256)

    def frames() -> Iterator[np.ndarray]:
        for number in range(1500):
            yield np.full((256, 256, 3), number % 256, np.uint8)

    before = resident()
    shard = shards.write(cache / "long.npy", frames(), configuration)
    assert resident() - before < 30e6  # of 295 MB
    assert shard == shards.opened(shard.path)
    np.testing.assert_array_equal(shard.read(700, 701)[0, 0, 0], [700 % 256] * 3)
