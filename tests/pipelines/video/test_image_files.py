"""Images as frames: every kind is read as it is shown, and what is missing or damaged is named."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image, ImageOps

from pipelines.video.frames import VideoDataError
from pipelines.video.image_files import animated_frames, read_image
from pipelines.video.shards import Part, decoded
from pipelines.video.video_files import is_video
from tests.pipelines.video.bars import DECODING, FRAMES, depth, numbers, pictures, read


@pytest.mark.parametrize("ending", ["gif", "png", "webp", "avif"])
def test_still_images_of_kinds_that_may_move_are_frames(ending: str, tmp_path: Path) -> None:
    for number, picture in enumerate(pictures()):
        Image.fromarray(picture).save(tmp_path / f"{number}.{ending}")
        assert not is_video(tmp_path / f"{number}.{ending}")
    assert numbers(read(tmp_path)) == list(range(FRAMES))
    moving = tmp_path / "moving"
    moving.mkdir()
    first, *others = (Image.fromarray(each) for each in pictures())
    first.save(moving / f"1.{ending}", save_all=True, append_images=others, duration=40)
    assert is_video(moving / f"1.{ending}")
    with pytest.raises(VideoDataError, match="holds videos instead of frame images"):
        read(moving)


def test_images_may_be_named_by_the_time_before_and_after(tmp_path: Path) -> None:
    for number, picture in enumerate(pictures()):
        Image.fromarray(picture).save(tmp_path / f"t{number - 3}.png")
    assert numbers(read(tmp_path)) == list(range(FRAMES))


@pytest.mark.parametrize(
    "save",
    [
        lambda path, each: Image.fromarray(each).save(path.with_suffix(".jfif"), format="jpeg"),
        lambda path, each: Image.fromarray(each).save(path.with_suffix(".pnm"), format="ppm"),
        lambda path, each: tifffile.imwrite(path, (each / 255).astype(np.float16), photometric="rgb"),
        lambda path, each: tifffile.imwrite(
            path, 257 * (255 - each[..., 0].astype(np.uint16)), photometric="miniswhite"
        ),
    ],
    ids=["jfif", "pnm", "float16.tif", "white-is-zero-16-bit.tif"],
)
def test_images_of_every_kind_are_read_as_stacks_of_them_are(
    save: Callable[[Path, np.ndarray], Any], tmp_path: Path
) -> None:
    for number, picture in enumerate(pictures()):
        save(tmp_path / f"{number}.tif", picture)
    frames = read(tmp_path)
    assert numbers(frames) == list(range(FRAMES))
    assert frames[-1].frame.max() >= 200 and frames[0].frame.min() <= 40


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "avif", "moving.png", "moving.webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_turned_as_the_camera_was_held(orientation: int, ending: str, tmp_path: Path) -> None:
    picture = np.zeros((32, 48, 3), np.uint8)
    picture[:16, :24], picture[16:, :24] = (240, 20, 20), (20, 20, 240)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    path = tmp_path / f"image.{ending}"
    moves = {"save_all": True, "append_images": [Image.fromarray(picture[::-1])]} if "moving" in ending else {}
    Image.fromarray(picture).save(path, exif=exif, quality=100, **moves)
    with Image.open(path) as image:
        image.seek(1 if moves else 0)
        expected = np.array(ImageOps.exif_transpose(image).convert("RGB"), int)
    shown = list(animated_frames(path))[1].frame if moves else read_image(path)
    assert shown.shape == expected.shape and np.abs(shown - expected).mean() < 3


def test_images_of_changing_depth_are_refused(tmp_path: Path) -> None:
    Image.fromarray(pictures()[0, ..., 0]).save(tmp_path / "0.png")
    Image.fromarray(depth(4095)[1]).save(tmp_path / "1.png")
    with pytest.raises(VideoDataError, match=r"changing depth.*Received: image 2 of uint16 after uint8"):
        read(tmp_path)


def test_images_of_12_bits_fill_the_range(tmp_path: Path) -> None:
    for number, picture in enumerate(depth(4095)):
        Image.fromarray(picture).save(tmp_path / f"{number}.png")
    assert numbers(read(tmp_path)) == list(range(FRAMES))
    stated = read(tmp_path, value_range=(0.0, 65535.0))
    assert stated[-1].frame.max() < 20


def test_a_missing_image_is_noticed(tmp_path: Path) -> None:
    for number, picture in enumerate(pictures()):
        if number != 5:
            Image.fromarray(picture).save(tmp_path / f"frame_{number:03}.png")
    shard = decoded(Part(tmp_path), DECODING)
    assert shard.notices == ("1 image missing in the sequence, number 5",)
    for number in (3, 7, 8, 9, 10, 11):
        (tmp_path / f"frame_{number:03}.png").unlink()
    shard = decoded(Part(tmp_path), DECODING)
    assert shard.notices == ("2 images missing in the sequence, number 3, 5",)


def test_an_image_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    for ending in ("jpg", "png"):
        folder = tmp_path / ending
        folder.mkdir()
        path = folder / f"1.{ending}"
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
        with pytest.raises(VideoDataError, match="truncated"):
            read(folder)
