"""A table of the kinds of file that people have, made here by the encoder: each is read whole, with its own times."""

import struct
import sys
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import h5py
import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image, ImageOps
from scipy.io import netcdf_file

from pipelines.video.frames import DecodingConfiguration, Timed, VideoDataError
from pipelines.video.image_files import animated_frames, read_image
from pipelines.video.shards import Part, decoded
from pipelines.video.truncation import truncated
from pipelines.video.video_files import decode_timed, is_video, videos_in
from pipelines.video.video_folders import unlabelled_entries

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


H265 = {"x265-params": "log-level=none"}
DV = (576, 720)

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    # MPEG-4 and QuickTime
    "h264.mp4": ("libx264", {}),
    "h264-b-frames.mp4": ("libx264", {"options": {"bf": "3", "g": "6"}}),
    "h264-faststart.mp4": ("libx264", {"container": {"movflags": "faststart"}}),
    "h264-fragments.mp4": ("libx264", {"container": {"movflags": "frag_keyframe+empty_moov"}}),
    "h264-10-bit.mp4": ("libx264", {"pixels": "yuv420p10le"}),
    "h264-444.mp4": ("libx264", {"pixels": "yuv444p"}),
    "h264.m4v": ("libx264", {"format": "mp4"}),
    "h264.f4v": ("libx264", {}),
    "h264.3gp": ("libx264", {}),
    "hevc.mp4": ("libx265", {"options": H265}),
    "hevc.mov": ("libx265", {"options": H265}),
    "av1.mp4": ("libsvtav1", {"options": {"preset": "12"}}),
    "vp9.mp4": ("libvpx-vp9", {}),
    "mpeg4.mp4": ("mpeg4", {}),
    "prores.mov": ("prores_ks", {"pixels": "yuv422p10le"}),
    "mjpeg.mov": ("mjpeg", {"pixels": "yuvj420p"}),
    "png.mov": ("png", {"pixels": "rgb24"}),
    "jpeg2000.mov": ("jpeg2000", {}),
    "rle.mov": ("qtrle", {"pixels": "rgb24"}),
    "mpeg4.3gp": ("mpeg4", {}),
    "android.3gpp": ("libx264", {"format": "3gp"}),
    "archival.mj2": ("jpeg2000", {"format": "mov"}),
    # Matroska and WebM
    "h264.mkv": ("libx264", {}),
    "hevc.mkv": ("libx265", {"options": H265}),
    "av1.mkv": ("libsvtav1", {"options": {"preset": "12"}}),
    "ffv1.mkv": ("ffv1", {}),
    "ffv1-16-bit.mkv": ("ffv1", {"pixels": "gray16le"}),
    "vp8.webm": ("libvpx", {}),
    "vp9.webm": ("libvpx-vp9", {}),
    "live.mkv": ("libx264", {"container": {"live": "1"}}),
    # AVI
    "mpeg4.avi": ("mpeg4", {}),
    "msmpeg4.avi": ("msmpeg4", {}),
    "h264.avi": ("libx264", {}),
    "mjpeg.avi": ("mjpeg", {"pixels": "yuvj420p"}),
    "raw.avi": ("rawvideo", {"pixels": "bgr24"}),
    "huffyuv.avi": ("huffyuv", {"pixels": "rgb24"}),
    "utvideo.avi": ("utvideo", {}),
    "cinepak.avi": ("cinepak", {"pixels": "rgb24"}),
    "ffv1.avi": ("ffv1", {}),
    # broadcast, discs and cameras
    "h264.ts": ("libx264", {}),
    "hevc.ts": ("libx265", {"options": H265}),
    "mpeg2.ts": ("mpeg2video", {}),
    "h264.m2ts": ("libx264", {"format": "mpegts", "container": {"mpegts_m2ts_mode": "1"}}),
    "h264.mts": ("libx264", {"format": "mpegts"}),
    "mpeg2.vob": ("mpeg2video", {"format": "vob"}),
    "mpeg1.mpg": ("mpeg1video", {}),
    "mpeg2.mpg": ("mpeg2video", {}),
    "mpeg2.mxf": ("mpeg2video", {}),
    "pal.dv": ("dvvideo", {"size": DV}),
    "camera.dav": ("libx264", {"format": "mpegts"}),
    # streams without a container, and others
    "h264.264": ("libx264", {"format": "h264"}),
    "hevc.h265": ("libx265", {"format": "hevc", "options": H265}),
    "av1.obu": ("libsvtav1", {"format": "obu", "options": {"preset": "12"}}),
    "vp8.ivf": ("libvpx", {}),
    "camera.mjpeg": ("mjpeg", {"format": "mjpeg", "pixels": "yuvj420p"}),
    "flash.flv": ("flv", {}),
    "h264.flv": ("libx264", {}),
    "windows.wmv": ("wmv2", {}),
    "windows.asf": ("wmv1", {}),
    "any.nut": ("ffv1", {}),
    # images that move
    "small.gif": ("gif", {"pixels": "rgb8"}),
    "moving.avif": ("libsvtav1", {"options": {"preset": "12"}}),
    "moving.apng": ("apng", {"pixels": "rgb24", "format": "apng"}),
    # named as what they are shown as
    "film.gif": ("libx264", {"format": "mp4"}),
    "sticker.webp": ("libvpx-vp9", {"format": "webm"}),
    "gif.mp4": ("gif", {"pixels": "rgb8", "format": "gif"}),
}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_has_its_frames_at_their_times(name: str, tmp_path: Path) -> None:
    codec, arguments = KINDS[name]
    path = encode(tmp_path / name, codec, **arguments)
    assert is_video(path)
    frames = read(path)
    assert numbers(frames) == list(range(FRAMES))
    np.testing.assert_allclose([each.time for each in frames], np.arange(FRAMES) / RATE, atol=2e-3)
    assert frames[-1].time + frames[-1].duration == pytest.approx(FRAMES / RATE, abs=0.01)
    assert not truncated(path)
    part = read(path, 0.16, 0.32)
    assert numbers(part) == [4, 5, 6, 7]


@pytest.mark.parametrize("name", ["phone.mp4", "screen.mkv", "screen.webm", "phone.mov", "phone.ts"])
def test_of_a_variable_rate_each_frame_has_its_own_time(name: str, tmp_path: Path) -> None:
    """Thirty a second, then ten: what `start`, `end` and a rate mean, by a clock beside the file."""
    times = [*range(0, 1000, 40), *range(1000, 3000, 120)]
    codec = "libvpx-vp9" if name.endswith("webm") else "libx264"
    path = encode(tmp_path / name, codec, times=times, count=len(times), options={"g": "10"})
    frames = read(path)
    np.testing.assert_allclose([each.time for each in frames], np.array(times) / 1000, atol=2e-3)
    inside = [number for number, time in enumerate(times) if 1500 <= time < 2500]
    assert numbers(read(path, 1.5, 2.5), len(times)) == inside
    clock = [sum(time <= 1000 * tick + 1 for time in times) - 1 for tick in np.arange(0.5, 2.5, 0.1)]
    assert numbers(read(path, 0.5, 2.5, frame_rate=10.0), len(times)) == clock


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.ts", "a.webm", "a.264", "a.mpg"])
def test_a_part_that_is_sought_equals_the_same_part_of_the_whole(name: str, tmp_path: Path) -> None:
    codec = {"webm": "libvpx-vp9", "mpg": "mpeg2video"}.get(name[2:], "libx264")
    path = encode(tmp_path / name, codec, count=150, options={"g": "25"}, size=(32, 32))
    whole = read(path)
    for start, end in ((3.0, 3.4), (4.04, 5.0), (5.9, 9.0)):
        part = read(path, start, end)
        expected = [each for each in whole if start - 1e-3 <= each.time < end - 1e-3]
        np.testing.assert_allclose([each.time for each in part], [each.time for each in expected], atol=1e-9)
        np.testing.assert_array_equal([each.frame for each in part], [each.frame for each in expected])


def test_a_stream_copy_is_whole(tmp_path: Path) -> None:
    """As `ffmpeg -ss 0.7 -c copy` writes it: from the last whole picture on, of which an edit list shows some."""
    source = encode(tmp_path / "a.mp4", "libx264", count=50, options={"g": "15", "bf": "0", "sc_threshold": "0"})
    copy = tmp_path / "copy.mp4"
    options = {"use_editlist": "1", "avoid_negative_ts": "disabled"}
    with av.open(str(source)) as given, av.open(str(copy), "w", options=options) as file:
        stream = given.streams.video[0]
        target = file.add_stream_from_template(stream)
        for packet in given.demux(stream):
            if packet.dts is None or packet.pts * packet.time_base < 0.6:
                continue
            for name in ("pts", "dts"):
                setattr(packet, name, getattr(packet, name) - int(Fraction(7, 10) / packet.time_base))
            packet.stream = target
            file.mux(packet)
    frames = read(copy)
    assert len(frames) >= 32 and not truncated(copy)
    assert numbers(frames, 50)[-1] == 49


@pytest.mark.parametrize(
    ("degrees", "matrix"),
    [(90, (0, 1, -1, 0)), (180, (-1, 0, 0, -1)), (270, (0, -1, 1, 0)), ("mirrored", (-1, 0, 0, 1))],
)
def test_frames_are_turned_as_the_camera_was_held(
    degrees: int | str, matrix: tuple[int, int, int, int], tmp_path: Path
) -> None:
    path = encode(tmp_path / "a.mp4", "libx264")
    content = bytearray(path.read_bytes())
    place = content.index(b"tkhd") + 4 + 40  # version, times, track, length, layer, volume: then nine numbers
    a, b, c, d = (value << 16 for value in matrix)
    content[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    upright = pictures()[-1]
    expected = upright[:, ::-1] if degrees == "mirrored" else np.rot90(upright, -int(degrees) // 90)
    shape = {"height": expected.shape[0], "width": expected.shape[1]}
    np.testing.assert_allclose(read(path, **shape)[-1].frame, expected, atol=60)
    assert np.abs(read(path, **shape)[-1].frame.astype(int) - expected).mean() < 6


@pytest.mark.parametrize(
    "name",
    [
        *("h264-faststart.mp4", "h264-fragments.mp4", "h264.mkv", "vp9.webm", "mpeg4.avi", "h264.ts", "flash.flv"),
        *("pal.dv", "windows.wmv", "small.gif", "h264.mp4", "moving.apng", "mpeg2.mpg", "raw.avi"),
    ],
)
def test_what_is_cut_short_is_refused(name: str, tmp_path: Path) -> None:
    codec, arguments = KINDS[name]
    path = encode(tmp_path / name, codec, **arguments)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3 + 1])
    with pytest.raises(VideoDataError, match=r"truncated.*Received"):
        read(path)


def test_what_is_cut_within_its_index_is_truncated(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", "libx264")
    content = path.read_bytes()
    for end in range(content.index(b"moov") + 8, content.index(b"stsz"), 50):
        path.write_bytes(content[:end])
        with pytest.raises(VideoDataError, match="truncated"):
            read(path)


@pytest.mark.parametrize("name", ["h264-b-frames.mp4", "h264.mkv"])
def test_what_is_overwritten_in_the_middle_is_refused(name: str, tmp_path: Path) -> None:
    codec, arguments = KINDS[name]
    path = encode(tmp_path / name, codec, count=100, **{**arguments, "options": {"g": "100"}})
    content = bytearray(path.read_bytes())
    place = len(content) // 2
    content[place : place + 300] = bytes(300)
    path.write_bytes(content)
    with pytest.raises(VideoDataError, match=r"damaged|truncated"):
        read(path)


def test_a_path_with_a_colon_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encode(tmp_path / "a.mp4", "libx264").rename(tmp_path / "2026-01-01T12:30:00.mp4")
    monkeypatch.chdir(tmp_path)
    assert len(read(Path("2026-01-01T12:30:00.mp4"))) == FRAMES


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("aac", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        file.mux(stream.encode(frame))
        file.mux(stream.encode())
    with pytest.raises(VideoDataError, match=r"holds no video.*with audio"):
        read(path)


@pytest.mark.parametrize(
    ("name", "text"),
    [(f"a.{kind}", "How are you?\n" * 900) for kind in ("txt", "nfo", "ans")]
    + [("a.bin", "a\x07" * 2000), ("a.idf", "\x041.4" + "a" * 9000)],
)
def test_text_that_ffmpeg_would_draw_is_no_video(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(VideoDataError, match=r"holds no video.*text \("):
        read(tmp_path / name)


def depth(largest: int) -> np.ndarray:
    """Grey pictures, uint16 (frames, height, width), from 0 to the largest value."""
    return (pictures()[..., 0].astype(float) / 220 * largest).astype(np.uint16)


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
    with pytest.raises(VideoDataError, match=r"no video number 3.*3 videos"):
        list(decode_timed(path, 0, 9, 3, DECODING))


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


def test_frames_faster_than_the_clock_of_a_file_are_no_step_backward(tmp_path: Path) -> None:
    """Matroska counts milliseconds."""
    path, notices = encode(tmp_path / "fast.mkv", "libx264", times=[number // 3 for number in range(FRAMES)]), []
    frames = list(decode_timed(path, 0.0, float("inf"), 0, DECODING, 1, notices.append))
    assert numbers(frames) == list(range(FRAMES)) and not notices


def test_images_of_12_bits_fill_the_range(tmp_path: Path) -> None:
    for number, picture in enumerate(depth(4095)):
        Image.fromarray(picture).save(tmp_path / f"{number}.png")
    assert numbers(read(tmp_path)) == list(range(FRAMES))
    stated = read(tmp_path, value_range=(0.0, 65535.0))
    assert stated[-1].frame.max() < 20


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
    with pytest.raises(VideoDataError, match=r"has no video number 2.*Leave the number out"):
        list(decode_timed(encode(tmp_path / "one.mp4", "libx264"), 0.0, 1.0, 2, DECODING))
    with pytest.raises(VideoDataError, match=r"--data.array_channels 4"):
        read(tmp_path / "channels.npy")


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
