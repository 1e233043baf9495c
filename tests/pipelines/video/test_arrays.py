"""Stacks of images and arrays as programs store them: each has its frames, in their order and range."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy.io import netcdf_file

from pipelines.video.frames import VideoDataError
from pipelines.video.shards import Part, decoded
from pipelines.video.video_files import decode_timed, is_video, videos_in
from pipelines.video.video_folders import unlabelled_entries
from tests.pipelines.video.bars import DECODING, FRAMES, HEIGHT, RATE, WIDTH, depth, encode, numbers, pictures, read


def append_pages(path: Path) -> None:
    for number, picture in enumerate(pictures()):
        tifffile.imwrite(path, picture, append=number > 0, photometric="rgb")


def write_with_poster(path: Path) -> None:
    """The first picture is shown by what cannot play, and no part of the film."""
    poster, *frames = (Image.fromarray(each) for each in (pictures()[3], *pictures()))
    poster.save(path, format="PNG", save_all=True, append_images=frames, duration=40, default_image=True)


def append_with_thumbnail(path: Path) -> None:
    append_pages(path)
    tifffile.imwrite(path, pictures()[0, ::4, ::4], append=True, photometric="rgb")


def save_with_palette(path: Path) -> None:
    first, *others = (Image.fromarray(each).quantize(8) for each in pictures())
    first.save(path, save_all=True, append_images=others)


def save_with_objects(path: Path) -> None:
    np.savez(path, frames=pictures(), names=np.array(["bar", None], object))


def transparent(path: Path) -> None:
    opaque = np.full((*pictures().shape[:3], 1), 255, np.uint8)
    tifffile.imwrite(path, np.concatenate([pictures(), opaque], axis=-1), photometric="rgb")


STORED: dict[str, Callable[[Path], Any]] = {
    "stack.tif": lambda path: tifffile.imwrite(path, pictures()[..., 0], photometric="minisblack"),
    "stack-packed.tiff": lambda path: tifffile.imwrite(path, pictures()[..., 0], compression="zlib"),
    "stack-colour.tif": lambda path: tifffile.imwrite(path, pictures(), photometric="rgb"),
    "stack-12-bit.tif": lambda path: tifffile.imwrite(path, depth(4095), photometric="minisblack"),
    "stack-imagej.tif": lambda path: tifffile.imwrite(path, depth(60000), imagej=True),
    "stack-appended.tif": append_pages,
    "stack-with-thumbnail.tif": append_with_thumbnail,
    "stack-palette.tif": save_with_palette,
    "stack-channels-first.ome.tif": lambda path: tifffile.imwrite(
        path, np.moveaxis(pictures(), -1, 0), metadata={"axes": "CTYX"}, photometric="minisblack"
    ),
    "with-objects.npz": save_with_objects,
    "stack-white-is-zero.tif": lambda path: tifffile.imwrite(path, 255 - pictures()[..., 0], photometric="miniswhite"),
    "stack-planes.tif": lambda path: tifffile.imwrite(
        path, pictures().transpose(0, 3, 1, 2), photometric="rgb", planarconfig="separate"
    ),
    "stack-transparent.tif": transparent,
    "microscope.lsm": lambda path: tifffile.imwrite(path, depth(4095), photometric="minisblack"),
    "large.btf": lambda path: tifffile.imwrite(path, pictures()[..., 0], bigtiff=True, photometric="minisblack"),
    "poster.png": write_with_poster,
    "moving.webp": lambda path: Image.fromarray(pictures()[0]).save(
        path,
        save_all=True,
        append_images=[Image.fromarray(each) for each in pictures()[1:]],
        duration=40,
        lossless=True,
    ),
    "frames.npy": lambda path: np.save(path, pictures()),
    "grey.npy": lambda path: np.save(path, pictures()[..., 0]),
    "planes.npy": lambda path: np.save(path, pictures().transpose(0, 3, 1, 2)),
    "floats.npy": lambda path: np.save(path, pictures().astype(np.float32) / 255),
    "bools.npy": lambda path: np.save(path, pictures()[..., 0] > 125),
    "one.npz": lambda path: np.savez_compressed(path, video=pictures(), label=np.array(3)),
}


def stored_hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["clips/frames"] = depth(16383)
        file["label"] = 3


def stored_netcdf(path: Path) -> None:
    with netcdf_file(path, "w") as file:
        for name, size in (("lat", HEIGHT), ("lon", WIDTH), ("time", FRAMES)):
            file.createDimension(name, size)
        variable = file.createVariable("rain", "h", ("lat", "time", "lon"))
        variable[:] = pictures()[..., 0].transpose(1, 0, 2).astype(np.int16)
        variable.scale_factor = 1 / 255


def stored_with_gaps(path: Path) -> None:
    """One value is missing in one frame, and the axes have names of which only the time's is known."""
    with h5py.File(path, "w") as file:
        stored = file.create_dataset("rain", data=pictures()[..., 0].transpose(1, 2, 0))
        stored[0, -1, 3] = 255
        stored.attrs["missing_value"] = np.uint8(255)
        for axis, name in zip(stored.dims, ("northing", "easting", "time"), strict=True):
            axis.label = name


def stored_unsigned(path: Path) -> None:
    """As satellites' files are: more than 15 bits in a format without unsigned types."""
    with netcdf_file(path, "w") as file:
        for name, size in (("time", FRAMES), ("y", HEIGHT), ("x", WIDTH)):
            file.createDimension(name, size)
        variable = file.createVariable("radiance", "h", ("time", "y", "x"))
        variable[:] = depth(60000).view(np.int16)
        variable._Unsigned = "true"
        variable._FillValue = np.int16(-1)


STORED |= {
    "satellite.nc": stored_unsigned,
    "data.h5": stored_hdf5,
    "rain.nc": stored_netcdf,
    "gaps.h5": stored_with_gaps,
}


@pytest.mark.parametrize("name", STORED)
def test_stacks_and_arrays_have_their_frames_and_range(name: str, tmp_path: Path) -> None:
    STORED[name](tmp_path / name)
    frames = read(tmp_path / name)
    assert numbers(frames) == list(range(FRAMES))
    np.testing.assert_allclose([each.time for each in frames], np.arange(FRAMES) / RATE, atol=1e-9)
    assert frames[-1].frame.max() >= 200 and frames[0].frame.min() <= 40  # not 0 to 15 of 255


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_the_positions_of_a_microscope_are_videos(compression: str | None, tmp_path: Path) -> None:
    path = tmp_path / "cells.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as writer:
        for stack in (pictures()[..., 0], pictures()[:5, ..., 0], pictures()[::-1, ..., 0]):
            writer.write(stack, metadata={"axes": "TYX"}, compression=compression)
        writer.write(pictures()[0, ::4, ::4, 0], metadata={"axes": "YX"})  # an overview
    assert videos_in(path, DECODING) == 3
    found = [numbers(list(decode_timed(path, 0, 9, item, DECODING, 1, lambda text: None))) for item in range(3)]
    assert found == [list(range(FRAMES)), list(range(5)), list(range(FRAMES))[::-1]]
    for item in (3, -1):
        with pytest.raises(VideoDataError, match=rf"no video number {item}.*3 videos"):
            list(decode_timed(path, 0, 9, item, DECODING))


@pytest.mark.parametrize("name", ["rain.zarr", "plain", "group.zarr", "packed.zarr.zip"])
@pytest.mark.parametrize("version", [2, 3])
def test_zarr_stores_are_read_as_other_arrays(name: str, version: int, tmp_path: Path) -> None:
    """Beside each other they are videos, too, and no folders of images; a value is missing."""
    zarr = pytest.importorskip("zarr")
    path = tmp_path / "clips" / name
    path.parent.mkdir()
    opened = zarr.storage.ZipStore(path, mode="w") if name.endswith("zip") else str(path)
    values = pictures()[..., 0].astype(np.int16).transpose(1, 0, 2)
    values[0, -1, 3] = -1
    names, attributes = ("lat", "time", "lon"), {"scale_factor": 1 / 255, "_FillValue": -1}
    if version == 2:
        attributes = {**attributes, "_ARRAY_DIMENSIONS": names}
    if name.startswith("group"):
        zarr.open_group(opened, mode="w", zarr_format=version)
    stored = zarr.create_array(
        opened,
        name="rain" if name.startswith("group") else None,
        data=values,
        chunks=(HEIGHT, 5, WIDTH),
        zarr_format=version,
        attributes=attributes,
        **({"dimension_names": names} if version == 3 else {}),
    )
    assert stored.shape == values.shape
    if name.endswith("zip"):
        opened.close()
    assert is_video(path)
    frames = read(path)
    assert numbers(frames) == list(range(FRAMES))
    assert frames[-1].frame.max() >= 200 and frames[0].frame.min() <= 40
    shard = decoded(Part(path), DECODING)
    assert len(shard.notices) == 2 and shard.notices[1].startswith("1 values are missing")
    (entry,) = unlabelled_entries(path.parent).entries
    assert entry.path == path


@pytest.mark.parametrize("version", [2, 3])
def test_microscopes_name_the_axes_of_zarr_stores(version: int, tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    path = tmp_path / "cells.zarr"
    group = zarr.open_group(str(path), mode="w", zarr_format=version)
    group.create_array("0", data=pictures()[:, np.newaxis, np.newaxis, ..., 0])
    axes = [{"name": name} for name in "tczyx"]
    images = {"multiscales": [{"axes": axes, "datasets": [{"path": "0"}]}]}
    group.attrs.update(images if version == 2 else {"ome": images})
    assert numbers(read(path)) == list(range(FRAMES))


def damaged_zarr(path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    zarr.create_array(str(path), data=pictures()[..., 0], chunks=(1, HEIGHT, WIDTH))
    chunk = sorted(each for each in (path / "c").rglob("*") if each.is_file())[5]
    chunk.write_bytes(chunk.read_bytes()[:20])


def damaged_hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        stored = file.create_dataset("x", data=pictures(), chunks=(1, HEIGHT, WIDTH, 3), fletcher32=True)
        place = stored.id.get_chunk_info(5).byte_offset
    content = bytearray(path.read_bytes())
    content[place : place + 9] = bytes(9)
    path.write_bytes(content)


def damaged_npz(path: Path) -> None:
    np.savez(path, frames=pictures())
    content = bytearray(path.read_bytes())
    content[5000:5009] = bytes(9)
    path.write_bytes(content)


def cut_npz(path: Path) -> None:
    np.savez(path, frames=pictures())
    path.write_bytes(path.read_bytes()[:-9000])


@pytest.mark.parametrize(
    ("name", "damage"),
    [("a.zarr", damaged_zarr), ("a.h5", damaged_hdf5), ("a.npz", damaged_npz), ("cut.npz", cut_npz)],
    ids=["a.zarr", "a.h5", "a.npz", "cut.npz"],
)
def test_damaged_arrays_are_refused(name: str, damage: Callable[[Path], None], tmp_path: Path) -> None:
    damage(tmp_path / name)
    with pytest.raises(VideoDataError, match=r"truncated, damaged.*Received: \d+ bytes"):
        read(tmp_path / name)


def test_a_zarr_store_needs_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zarr", None)
    (tmp_path / "rain.zarr").mkdir()
    (tmp_path / "rain.zarr" / ".zarray").write_text("{}")
    with pytest.raises(VideoDataError, match=r"rain.zarr is a Zarr store.*pip install 'unrolled\[zarr\]'"):
        read(tmp_path / "rain.zarr")


def test_what_cannot_be_told_is_asked_for(tmp_path: Path) -> None:
    np.save(tmp_path / "range.npy", pictures()[..., 0] / 7.0)
    np.save(tmp_path / "layout.npy", pictures().repeat(2, axis=-1))
    np.save(tmp_path / "image.npy", pictures()[0])
    np.save(tmp_path / "frames_last.npy", pictures()[..., 0].transpose(1, 2, 0))
    np.savez(tmp_path / "several.npz", a=pictures(), b=pictures())
    np.save(tmp_path / "channels.npy", pictures().repeat(2, axis=-1)[..., :4])
    np.save(tmp_path / "complex.npy", pictures()[..., 0] * 1j)
    np.save(tmp_path / "no_pixels.npy", pictures()[:, :, :0])
    with pytest.raises(VideoDataError, match=r"range of the values is unclear.*--data.value_range 4\.\d+ 31"):
        read(tmp_path / "range.npy")
    assert read(tmp_path / "range.npy", value_range=(0.0, 32.0))[-1].frame.max() > 240
    with pytest.raises(VideoDataError, match=r"--data.layout, such as NTHW"):
        read(tmp_path / "layout.npy")
    with pytest.raises(VideoDataError, match=r"--data.layout, such as HWT \(frames last\) or HWC \(one frame\)"):
        read(tmp_path / "image.npy")
    assert decoded(Part(tmp_path / "frames_last.npy"), DECODING).notices == (
        "taken for 48 frames of 64 × 12 pixels. If they are not, state --data.layout",
    )
    assert numbers(read(tmp_path / "frames_last.npy", layout="HWT")) == list(range(FRAMES))
    six = read(tmp_path / "layout.npy", layout="THWC", array_channels=6)
    assert six[0].frame.shape == (HEIGHT, WIDTH, 6)
    with pytest.raises(VideoDataError, match=r"--data.variable"):
        read(tmp_path / "several.npz")
    assert len(read(tmp_path / "several.npz", variable="b", layout="thwc")) == FRAMES
    with pytest.raises(VideoDataError, match=r"no real numbers.*Received: the array of type complex128"):
        read(tmp_path / "complex.npy")
    with pytest.raises(VideoDataError, match=r"holds no frame.*Received: the array of shape \(12, 48, 0, 3\)"):
        read(tmp_path / "no_pixels.npy")
    for item in (2, -1):
        with pytest.raises(VideoDataError, match=rf"has no video number {item}.*Correct the number, or leave it out"):
            list(decode_timed(encode(tmp_path / "one.mp4", "libx264"), 0.0, 1.0, item, DECODING))
    with pytest.raises(VideoDataError, match=r"--data.array_channels 4"):
        read(tmp_path / "channels.npy")
