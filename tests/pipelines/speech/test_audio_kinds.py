"""Some fifty kinds of audio file, made here: each is read with the right number of samples, or named as what it is."""

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile

from pipelines.speech.audio_files import SpeechDataError, examine, load_audio

RATE, SAMPLES = 16000, 20000
Write = Callable[[Path], None]


def sweep(rate: int = RATE) -> np.ndarray:
    """A tone that rises from 300 to 1500 Hz, so that each moment differs from the others."""
    time = np.arange(round(SAMPLES * rate / RATE)) / rate
    return (0.4 * np.sin(2 * np.pi * (300 * time + 480 * time**2))).astype(np.float32)


def by_ffmpeg(codec: str, form: str, rate: int = RATE, channels: int = 1, video: bool = False, **options: str) -> Write:
    """A function that writes the sweep with an encoder and a container of FFmpeg."""

    def write(path: Path) -> None:
        layout = {1: "mono", 2: "stereo", 6: "5.1"}[channels]
        of_stream = {name: value for name, value in options.items() if name in ("qscale", "flags", "b")}
        of_container = {name: value for name, value in options.items() if name not in of_stream}
        with av.open(str(path), "w", format=form, options=of_container) as container:
            if video:
                picture: Any = container.add_stream("mpeg4", rate=25)
                picture.width = picture.height = 32
                picture.pix_fmt = "yuv420p"
            stream: Any = container.add_stream(codec, rate=rate, options=of_stream, layout=layout)
            if video:
                image = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
                container.mux(picture.encode(image))
                container.mux(picture.encode())
            whole = av.AudioFrame.from_ndarray(np.stack([sweep(rate)] * channels), format="fltp", layout=layout)
            whole.sample_rate, whole.pts, whole.time_base = rate, 0, Fraction(1, rate)
            size = stream.codec_context.frame_size or 1024
            resampler = av.AudioResampler(stream.codec_context.format, layout, rate, frame_size=size)
            for frame in (*resampler.resample(whole), *resampler.resample(None)):
                container.mux(stream.encode(frame))
            container.mux(stream.encode())

    return write


def by_libsndfile(
    form: str, subtype: str | None = None, rate: int = RATE, channels: int = 1, endian: str = "FILE"
) -> Write:
    """A function that writes the sweep with libsndfile."""

    def write(path: Path) -> None:
        samples = np.stack([sweep(rate)] * channels, axis=1)
        with path.open("wb") as file:
            soundfile.write(file, samples, rate, format=form, subtype=subtype, endian=endian)

    return write


def changed(write: Write, change: Callable[[bytes], bytes]) -> Write:
    """A function that writes a file, and changes its bytes."""

    def write_changed(path: Path) -> None:
        write(path)
        path.write_bytes(change(path.read_bytes()))

    return write_changed


def with_lengths(length: int) -> Callable[[bytes], bytes]:
    """Writes a length into the header of a WAV file, as programs do that cannot know it."""

    def change(content: bytes) -> bytes:
        place = content.index(b"data")
        field = struct.pack("<I", length)
        return content[:4] + field + content[8 : place + 4] + field + content[place + 8 :]

    return change


def without_flac_total(content: bytes) -> bytes:
    return content[:21] + bytes([content[21] & 0xF0]) + bytes(4) + content[26:]


def with_odd_chunk(content: bytes) -> bytes:
    place = content.index(b"data")
    return content[:place] + b"LIST" + struct.pack("<I", 5) + b"INFOx\0" + content[place:]


def without_ogg_end(content: bytes) -> bytes:
    """Clears the end mark of the last page, as a stream that is recorded live has none; and its checksum with it."""
    place = content.rfind(b"OggS")
    page = bytearray(content[place:])
    page[5] &= ~4
    page[22:26] = bytes(4)
    checksum = 0
    for byte in page:
        checksum ^= byte << 24
        for _ in range(8):
            checksum = ((checksum << 1) ^ (0x04C11DB7 if checksum & 0x80000000 else 0)) & 0xFFFFFFFF
    page[22:26] = struct.pack("<I", checksum)
    return content[:place] + bytes(page)


MP3 = by_ffmpeg("libmp3lame", "mp3")
PLAIN = by_ffmpeg("libmp3lame", "mp3", write_xing="0", id3v2_version="0")
WAV = by_libsndfile("WAV")
FRAME = 2304  # samples that a codec without gapless information adds at both ends together: two of its frames
# name: (how it is written, its rate, how often the sweep follows itself, samples that may be added to each)
KINDS: dict[str, tuple[Write, int, int, int]] = {
    "wav of 8 bits": (by_libsndfile("WAV", "PCM_U8"), RATE, 1, 0),
    "wav of 16 bits": (WAV, RATE, 1, 0),
    "wav of 24 bits": (by_libsndfile("WAV", "PCM_24"), RATE, 1, 0),
    "wav of 32 bits": (by_libsndfile("WAV", "PCM_32"), RATE, 1, 0),
    "wav of floats": (by_libsndfile("WAV", "FLOAT"), RATE, 1, 0),
    "wav of doubles": (by_libsndfile("WAV", "DOUBLE"), RATE, 1, 0),
    "wav of a telephone, mu-law": (by_libsndfile("WAV", "ULAW", 8000), 8000, 1, 0),
    "wav of a telephone, A-law": (by_libsndfile("WAV", "ALAW", 8000), 8000, 1, 0),
    "wav of voicemail, GSM": (by_libsndfile("WAV", "GSM610", 8000), 8000, 1, 320),
    "wav, IMA ADPCM": (by_libsndfile("WAV", "IMA_ADPCM"), RATE, 1, 1024),
    "wav, Microsoft ADPCM": (by_libsndfile("WAV", "MS_ADPCM"), RATE, 1, 1024),
    "wav, NMS ADPCM": (by_libsndfile("WAV", "NMS_ADPCM_32", 8000), 8000, 1, 160),
    "wav with MP3 inside": (by_ffmpeg("libmp3lame", "wav"), RATE, 1, FRAME),
    "wav, extensible": (by_libsndfile("WAVEX", "PCM_24", 44100), 44100, 1, 0),
    "wav, big-endian": (by_libsndfile("WAV", endian="BIG"), RATE, 1, 0),
    "wav of six channels": (by_libsndfile("WAV", channels=6), RATE, 1, 0),
    "wav of a recorder that was killed": (changed(WAV, with_lengths(0)), RATE, 1, 0),
    "wav from a pipe": (changed(WAV, with_lengths(0xFFFFFFFF)), RATE, 1, 0),
    "wav from a pipe of sox": (changed(WAV, with_lengths(0x7FFFF000)), RATE, 1, 0),
    "wav from a pipe of arecord": (changed(WAV, with_lengths(0x80000000)), RATE, 1, 0),
    "wav with a chunk of odd length": (changed(WAV, with_odd_chunk), RATE, 1, 0),
    "wav with a tag behind": (changed(WAV, lambda content: content + b"TAG" + bytes(125)), RATE, 1, 0),
    "rf64": (by_libsndfile("RF64"), RATE, 1, 0),
    "w64": (by_libsndfile("W64"), RATE, 1, 0),
    "aiff": (by_libsndfile("AIFF", rate=22050), 22050, 1, 0),
    "au, mu-law": (by_libsndfile("AU", "ULAW", 8000), 8000, 1, 0),
    "au, G.721": (by_libsndfile("AU", "G721_32", 8000), 8000, 1, 160),
    "caf, Apple Lossless": (by_libsndfile("CAF", "ALAC_16"), RATE, 1, 0),
    "sph": (by_libsndfile("NIST"), RATE, 1, 0),
    "voc": (by_ffmpeg("pcm_s16le", "voc"), RATE, 1, 0),
    "flac": (by_libsndfile("FLAC", rate=44100, channels=2), 44100, 1, 0),
    "flac from a pipe": (changed(by_libsndfile("FLAC"), without_flac_total), RATE, 1, 0),
    "ogg vorbis": (by_libsndfile("OGG", "VORBIS", 48000), 48000, 1, 0),
    "ogg vorbis of a stream without end": (changed(by_libsndfile("OGG"), without_ogg_end), RATE, 1, 0),
    "ogg vorbis, two joined": (changed(by_libsndfile("OGG"), lambda content: content * 2), RATE, 2, FRAME),
    "ogg flac": (by_ffmpeg("flac", "ogg"), RATE, 1, 0),
    "opus": (by_libsndfile("OGG", "OPUS", 48000), 48000, 1, 0),
    "opus, two joined": (changed(by_ffmpeg("libopus", "ogg", 48000), lambda content: content * 2), 48000, 2, 0),
    "webm": (by_ffmpeg("libopus", "webm", 48000), 48000, 1, 0),
    "webm from a browser, live": (by_ffmpeg("libopus", "webm", 48000, live="1"), 48000, 1, 0),
    "mp3": (MP3, RATE, 1, 0),
    "mp3 of 8 kHz, stereo": (by_ffmpeg("libmp3lame", "mp3", 8000, 2), 8000, 1, 0),
    "mp3 without its first frame": (PLAIN, RATE, 1, FRAME),
    "mp3 of variable rate without Xing": (
        by_ffmpeg("libmp3lame", "mp3", write_xing="0", qscale="4", flags="+qscale"), RATE, 1, FRAME,
    ),
    "mp3, two joined": (changed(MP3, lambda content: content * 2), RATE, 2, FRAME),
    "mp3 without its first frame, two joined": (changed(PLAIN, lambda content: content * 2), RATE, 2, FRAME),
    "mp2": (by_ffmpeg("mp2", "mp2"), RATE, 1, FRAME),
    "m4a": (by_ffmpeg("aac", "ipod"), RATE, 1, 1024),
    "m4a in pieces": (by_ffmpeg("aac", "mp4", movflags="frag_keyframe+empty_moov"), RATE, 1, 2048),
    "m4a of six channels": (by_ffmpeg("aac", "ipod", 48000, 6), 48000, 1, 1024),
    "m4a, Apple Lossless": (by_ffmpeg("alac", "ipod"), RATE, 1, 0),
    "aac": (by_ffmpeg("aac", "adts"), RATE, 1, 2048),
    "aac, two joined": (changed(by_ffmpeg("aac", "adts"), lambda content: content * 2), RATE, 2, 2048),
    "amr": (by_ffmpeg("libopencore_amrnb", "amr", 8000), 8000, 1, 320),
    "wma": (by_ffmpeg("wmav2", "asf", 44100, b="64000"), 44100, 1, 8192),
    "ac3": (by_ffmpeg("ac3", "ac3", 48000), 48000, 1, 3072),
    "g722": (by_ffmpeg("g722", "g722"), RATE, 1, 2),
    "wv": (by_ffmpeg("wavpack", "wv"), RATE, 1, 0),
    "tta": (by_ffmpeg("tta", "tta"), RATE, 1, 0),
    "mp4 with pictures": (by_ffmpeg("aac", "mp4", video=True), RATE, 1, 1024),
    "mkv with pictures": (by_ffmpeg("flac", "matroska", video=True), RATE, 1, 0),
    "mov with pictures": (by_ffmpeg("pcm_s16le", "mov", video=True), RATE, 1, 0),
    "avi with pictures": (by_ffmpeg("pcm_s16le", "avi", video=True), RATE, 1, 0),
    "3gp of a telephone": (by_ffmpeg("libopencore_amrnb", "3gp", 8000, video=True), 8000, 1, 320),
    "flv": (by_ffmpeg("aac", "flv"), RATE, 1, 2048),
    "ts": (by_ffmpeg("aac", "mpegts", 48000), 48000, 1, 2048),
}  # fmt: skip
# The encoder drops what fills no frame, and an edit list counts milliseconds.
MISSING = {"wma": 2048, "3gp of a telephone": 16}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_read_whole(tmp_path: Path, kind: str) -> None:
    write, rate, times, added = KINDS[kind]
    path = tmp_path / ("recording.g722" if kind == "g722" else "recording")  # only its name tells that kind
    write(path)
    audio = load_audio(path, rate)
    assert examine(path, rate).samples == len(audio)
    expected = np.concatenate([sweep(rate)] * times)
    assert -MISSING.get(kind, 0) <= len(audio) - len(expected) <= added * times
    if times == 1:
        expected = expected[: len(audio)]
        correlation = np.correlate(audio, expected[4000:-4000], mode="valid")
        delay = int(np.argmax(correlation)) - 4000
        heard = audio[delay + 4000 :][: len(expected) - 8000]
        assert -MISSING.get(kind, 0) <= delay <= max(added, 32)
        assert np.corrcoef(heard, expected[4000:-4000])[0, 1] > 0.94
        assert np.std(heard) == pytest.approx(np.std(expected), rel=0.2)
    piece = load_audio(path, rate, 0.9, 0.2)  # sought or skipped to, and the same as in the whole
    start = round(0.9 * rate)
    np.testing.assert_allclose(piece, audio[start : start + len(piece)], atol=1e-3)
    assert examine(path, rate, 0.9, 0.2).samples == len(piece) == round(0.2 * rate)


@pytest.mark.parametrize("kind", ["wma", "avi with pictures"])
def test_a_file_cut_in_half_is_truncated(tmp_path: Path, kind: str) -> None:
    write, rate, _, _ = KINDS[kind]
    changed(write, lambda content: content[: len(content) // 2])(tmp_path / "recording")
    with pytest.raises(SpeechDataError, match="is truncated"):
        examine(tmp_path / "recording", rate)
