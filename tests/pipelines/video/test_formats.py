"""A table of the kinds of file that people have, made here by the encoder: each is read whole, with its own times."""

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from pipelines.video.frames import VideoDataError
from pipelines.video.truncation import truncated
from pipelines.video.video_files import decode_timed, is_video
from tests.pipelines.video.bars import DECODING, FRAMES, RATE, encode, numbers, pictures, read

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


def test_frames_faster_than_the_clock_of_a_file_are_no_step_backward(tmp_path: Path) -> None:
    """Matroska counts milliseconds."""
    path, notices = encode(tmp_path / "fast.mkv", "libx264", times=[number // 3 for number in range(FRAMES)]), []
    frames = list(decode_timed(path, 0.0, float("inf"), 0, DECODING, 1, notices.append))
    assert numbers(frames) == list(range(FRAMES)) and not notices
