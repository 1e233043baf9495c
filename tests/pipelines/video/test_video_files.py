"""Decoding: the right frames at the right times in the right shape, and each kind of bad file by name."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipelines.video.frames import DecodingConfiguration, Timed, VideoDataError, fit, resample
from pipelines.video.video_files import decode_timed

Square = Callable[..., np.ndarray]
Write = Callable[..., Path]


def decode(
    path: Path, configuration: DecodingConfiguration, start: float = 0.0, end: float = float("inf")
) -> list[np.ndarray]:
    return [each.frame for each in decode_timed(path, start, end, 0, configuration)]


def test_frames_of_a_lossless_file_are_those_written(
    tmp_path: Path, square: Square, write_video: Write, as_recorded: DecodingConfiguration
) -> None:
    frames = square(20)
    decoded = np.stack(decode(write_video(tmp_path / "a.avi", frames), as_recorded))
    np.testing.assert_array_equal(decoded, frames, strict=True)


@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".webm"])
def test_formats_that_people_have(
    ending: str, tmp_path: Path, square: Square, write_video: Write, as_recorded: DecodingConfiguration
) -> None:
    frames = square(20)
    decoded = np.stack(decode(write_video(tmp_path / f"a{ending}", frames), as_recorded))
    assert decoded.shape == frames.shape
    assert np.abs(decoded.astype(int) - frames).mean() < 20


def test_a_folder_of_images_is_read_in_the_order_of_the_numbers(
    tmp_path: Path, square: Square, as_recorded: DecodingConfiguration
) -> None:
    frames = square(12)
    for number, frame in enumerate(frames):
        cv2.imwrite(str(tmp_path / f"frame_{number}.png"), cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    (tmp_path / "notes.txt").write_text("no image")
    np.testing.assert_array_equal(np.stack(decode(tmp_path, as_recorded)), frames, strict=True)


@pytest.mark.parametrize(
    ("rate", "start", "end", "expected"),
    [
        (0.0, 0.2, 0.4, [2, 3]),
        (5.0, 0.0, 1.0, [0, 2, 4, 6, 8]),
        (20.0, 0.5, 0.7, [5, 5, 6, 6]),
        (4.0, 0.0, 99.0, [0, 2, 5, 7]),
    ],
)
def test_rate_start_and_end(
    rate: float, start: float, end: float, expected: list[int], tmp_path: Path, square: Square, write_video: Write
) -> None:
    frames = square(10)
    path = write_video(tmp_path / "a.avi", frames, rate=10.0)
    configuration = DecodingConfiguration(height=24, width=32, frame_rate=rate)
    np.testing.assert_array_equal(np.stack(decode(path, configuration, start, end)), frames[expected])


def test_resampling_equals_looking_at_a_clock() -> None:
    random = np.random.default_rng(0)
    for _ in range(200):
        rate, wanted, start = random.uniform(1, 60), random.uniform(1, 60), random.uniform(0, 2)
        shown = np.floor((start + np.arange(10_000) / wanted) * rate + min(1e-3 * rate, 0.25)).astype(int)
        frames = [Timed(number / rate, np.array(number), 1 / rate) for number in range(100)]
        found = [int(each.frame) for each in resample(frames, wanted, start)]
        assert found == shown[shown < 100].tolist()


@pytest.mark.parametrize("size", [(24, 32), (48, 64), (17, 90), (100, 9)])
def test_fitting_keeps_what_it_says(size: tuple[int, int]) -> None:
    """On a picture whose colours are its coordinates one sees which part of it is shown."""
    rows, columns = np.linspace(0, 250, size[0]), np.linspace(0, 250, size[1])
    frame = np.stack([*np.meshgrid(rows, columns, indexing="ij"), np.full(size, 200.0)], axis=-1).astype(np.uint8)
    stretched = fit(frame, DecodingConfiguration(height=20, width=20, fit="stretch"))
    cropped = fit(frame, DecodingConfiguration(height=20, width=20, fit="crop"))
    padded = fit(frame, DecodingConfiguration(height=20, width=20, fit="pad"))
    for each in (stretched, cropped, padded):
        assert each.shape == (20, 20, 3) and each.dtype == np.uint8
    assert np.ptp(stretched[..., 0]) > 200 and np.ptp(stretched[..., 1]) > 200 and stretched[..., 2].min() == 200
    # The shorter side is all there; of the longer one as much, from the middle.
    for axis in (0, 1):
        share = min(size) / size[axis]
        assert np.ptp(cropped[..., axis]) == pytest.approx(250 * share, abs=30)
        assert cropped[..., axis].mean() == pytest.approx(125, abs=20)
        assert (padded[..., 2] == 200).any(axis=1 - axis).sum() == max(1, round(20 * size[axis] / max(size)))
    assert cropped[..., 2].min() == 200
    grey = fit(frame, DecodingConfiguration(height=20, width=20, fit="stretch", colour="grey"))
    expected = stretched @ np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
    np.testing.assert_allclose(grey[..., 0], expected, atol=2)
    three = fit(grey, DecodingConfiguration(height=20, width=20))
    np.testing.assert_array_equal(three, grey.repeat(3, axis=2))


def broken_files(folder: Path, frames: np.ndarray, write_video: Write) -> dict[str, tuple[Path, str]]:
    """Files that cannot be used, and what is said about each."""
    avi = write_video(folder / "whole.avi", frames).read_bytes()
    mkv = write_video(folder / "whole.mkv", frames).read_bytes()
    mp4 = write_video(folder / "whole.mp4", frames).read_bytes()
    (folder / "truncated.avi").write_bytes(avi[: len(avi) // 2])
    (folder / "truncated.mkv").write_bytes(mkv[: len(mkv) // 2])
    (folder / "truncated.mp4").write_bytes(mp4[: len(mp4) // 2])
    (folder / "zero.mp4").write_bytes(b"")
    (folder / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(5000))
    (folder / "codec.avi").write_bytes(avi.replace(b"FFV1", b"QQQQ"))
    (folder / "no_images").mkdir()
    (folder / "damaged").mkdir()
    (folder / "damaged" / "1.png").write_bytes(b"no image")
    (folder / "sizes").mkdir()
    cv2.imwrite(str(folder / "sizes" / "1.png"), frames[0])
    cv2.imwrite(str(folder / "sizes" / "2.png"), frames[0][:10])
    said = {
        "truncated.avi": r"is truncated.*Received: \d+ (of 20 )?frames",
        "truncated.mkv": r"is truncated.*Received: \d+ (of 20 )?frames",
        "truncated.mp4": r"cannot be opened: it is truncated.*Received: \d+ bytes",
        "zero.mp4": "is empty.*Received: 0 bytes",
        "noise.mp4": "cannot be opened.*Received: 5000 bytes",
        "codec.avi": r"cannot be decoded.*codec.*ffmpeg -i",
        "missing.mp4": "does not exist.*Correct the path",
        "no_images": "holds no frame images",
        "damaged": r"1\.png cannot be decoded.*Received: 8 bytes",
        "sizes": "has frames of changing size.*Received: frame 2 of 32×10 after 32×24 pixels",
    }
    return {name: (folder / name, message) for name, message in said.items()}


def test_each_bad_file_is_named_with_a_remedy(
    tmp_path: Path,
    square: Square,
    write_video: Write,
    as_recorded: DecodingConfiguration,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for name, (path, message) in broken_files(tmp_path, square(20), write_video).items():
        with pytest.raises(VideoDataError, match=message) as refused:
            (decode(path, as_recorded))
        assert name in str(refused.value) and "Received: " in str(refused.value)
    assert capfd.readouterr().err == ""  # nor does OpenCV say it in its own words


def test_nothing_between_start_and_end(
    tmp_path: Path, square: Square, write_video: Write, as_recorded: DecodingConfiguration
) -> None:
    path = write_video(tmp_path / "a.avi", square(10))
    with pytest.raises(VideoDataError, match=r"holds no frame between 2 and 3 s.*Correct start and end"):
        (decode(path, as_recorded, 2.0, 3.0))
