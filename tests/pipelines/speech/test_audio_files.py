"""Audio files of any format and rate: what is read of them, and the error for each kind of broken file."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile

from pipelines.speech.audio_files import SpeechDataError, examine, load_audio

WriteTone = Callable[..., Path]


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3"])
@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (16000, 2), (44100, 1)])
def test_audio_of_any_format_is_the_same_tone(
    tmp_path: Path, write_tone: WriteTone, ending: str, rate: int, channels: int
) -> None:
    path = write_tone(tmp_path / f"tone.{ending}", 0.5, rate, hertz=1000.0, channels=channels)
    audio = load_audio(path, 8000)
    assert audio.dtype == np.float32
    assert audio.shape == (examine(path, 8000).samples,)
    assert audio.size == pytest.approx(4000, abs=1)
    middle = audio[500:3500]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(middle.size)))
    assert np.argmax(spectrum) * 8000 / middle.size == pytest.approx(1000, abs=3)
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.4 / np.sqrt(2), rel=0.1)


def test_wav_at_the_wanted_rate_is_read_unchanged(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).integers(-30000, 30000, 777).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", samples, 8000)
    np.testing.assert_array_equal(load_audio(tmp_path / "a.wav", 8000), samples / np.float32(32768))


def test_stereo_is_averaged(tmp_path: Path) -> None:
    left, right = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 500)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], 1), 8000, subtype="FLOAT")
    np.testing.assert_allclose(load_audio(tmp_path / "a.wav", 8000), (left + right) / 2, atol=1e-7)


def broken_file(folder: Path, kind: str, write_tone: WriteTone) -> Path:
    path = folder / f"broken.{kind.split()[-1]}"
    tone = np.sin(np.arange(40000) / 5).astype(np.float32)
    match kind.split()[0]:
        case "truncated":
            write_tone(path, 5.0)
            content = path.read_bytes()
            path.write_bytes(content[: len(content) * 3 // 5])
        case "garbage":
            path.write_bytes(b"this is no audio at all, whatever its name says")
        case "nothing":
            path.write_bytes(b"")
        case "empty":
            soundfile.write(path, np.zeros(0, np.float32), 8000)
        case "silent":
            soundfile.write(path, np.zeros(40000, np.float32), 8000)
        case "not-a-number":
            tone[30000] = np.nan
            soundfile.write(path, tone, 8000, subtype="FLOAT")
        case "infinite":
            tone[-1] = np.inf
            soundfile.write(path, tone, 8000, subtype="DOUBLE")
        case "unscaled":
            soundfile.write(path, 30000 * tone, 8000, subtype="FLOAT")
        case "undecodable":  # FFmpeg has no decoder of 36 bits
            write_tone(path, 0.5)
            content = path.read_bytes()
            path.write_bytes(content[:32] + bytes([5, 0, 36, 0]) + content[36:])
        case "folder":
            path.mkdir()
    return path


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("truncated wav", "is truncated"),
        ("truncated flac", "truncated"),
        ("truncated ogg", "is truncated"),
        ("truncated mp3", "is truncated"),
        ("truncated aiff", "is truncated"),
        ("truncated au", "is truncated"),
        ("truncated caf", "is truncated"),
        ("truncated w64", "is truncated"),
        ("truncated rf64", "is truncated"),
        ("garbage wav", "cannot be decoded"),
        ("garbage mp3", "cannot be decoded"),
        ("garbage raw", "cannot be decoded"),
        ("undecodable wav", "in a codec that cannot be decoded"),
        ("nothing wav", "is empty"),
        ("empty wav", "is empty"),
        ("empty flac", "is empty"),
        ("silent wav", "is silent"),
        ("silent mp3", "is silent"),
        ("not-a-number wav", "holds NaN or infinity"),
        ("infinite wav", "holds NaN or infinity"),
        ("unscaled wav", "is louder than audio can be"),
        ("folder wav", "is a folder"),
        ("missing wav", "does not exist"),
    ],
)
@pytest.mark.parametrize("function", [load_audio, examine])
def test_broken_file_is_refused_by_name(
    tmp_path: Path, write_tone: WriteTone, kind: str, what: str, function: Callable[..., Any]
) -> None:
    path = broken_file(tmp_path, kind, write_tone)
    with pytest.raises(SpeechDataError) as caught:
        function(path, 8000)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert what in message
    assert "expected a whole recording" in message
    assert message.count("Received: ") == 1


def test_wav_of_unknown_length_is_not_truncated(tmp_path: Path, write_tone: WriteTone) -> None:
    path = write_tone(tmp_path / "piped.wav")
    content = bytearray(path.read_bytes())
    start = content.index(b"data")
    content[start + 4 : start + 8] = content[4:8] = b"\xff\xff\xff\xff"  # as programs write into a pipe
    path.write_bytes(content)
    assert load_audio(path, 8000).size == 4000


def test_of_two_wav_files_in_one_the_second_is_named(tmp_path: Path, write_tone: WriteTone) -> None:
    path = write_tone(tmp_path / "a.wav")
    content = path.read_bytes()
    path.write_bytes(content * 2)
    assert examine(path, 8000) == (4000, ["another WAV file follows in the file, which is not read"])
    path.write_bytes(content[:40] + (1000).to_bytes(4, "little") + content[44:])  # of the 8000 bytes of samples
    samples, (note,) = examine(path, 8000)
    assert samples == 500 and note.endswith("; 7000 bytes are not read")
    path.write_bytes(content + b"LIST" + (9000).to_bytes(4, "little") + bytes(9000))
    assert examine(path, 8000) == (4000, [])


@pytest.mark.parametrize("ending", ["flac", "ogg", "mp3"])
def test_whole_files_of_any_length_pass(tmp_path: Path, ending: str) -> None:
    random = np.random.default_rng(0)
    for samples in (3, 255, 256, 1151, 1152, 9000, *range(20000, 30000, 512)):
        bursts = random.normal(scale=0.3, size=samples) * (np.sin(np.arange(samples) / 1500) >= 0)
        path = tmp_path / f"{samples}.{ending}"
        soundfile.write(path, bursts, 22050)
        assert examine(path, 22050).samples == load_audio(path, 22050).size == samples


@pytest.mark.parametrize("right", [-1.0, -0.999])
def test_of_channels_that_cancel_each_other_out_the_loudest_is_read(tmp_path: Path, right: float) -> None:
    tone = 0.5 * np.sin(np.arange(8000) / 5)
    soundfile.write(tmp_path / "a.wav", np.stack([tone, right * tone], 1), 8000, subtype="FLOAT")
    np.testing.assert_allclose(load_audio(tmp_path / "a.wav", 8000), tone, atol=1e-6)
    assert examine(tmp_path / "a.wav", 8000) == (8000, ["the channels cancel each other out; the loudest is read"])


@pytest.mark.parametrize("channels", [2, 6, 8])
def test_one_channel_of_speech_is_averaged_with_silent_ones(tmp_path: Path, channels: int) -> None:
    samples = np.zeros((8000, channels))
    samples[:, channels // 2] = 0.5 * np.sin(np.arange(8000) / 5)
    soundfile.write(tmp_path / "a.wav", samples, 8000, subtype="FLOAT")
    np.testing.assert_allclose(load_audio(tmp_path / "a.wav", 8000), samples.mean(axis=1), atol=1e-6)
    assert not examine(tmp_path / "a.wav", 8000).notes


def test_pieces_of_a_recording(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 8000).astype(np.float32)
    samples[:2000] = 0  # a piece may be silent where the whole is not
    path = tmp_path / "a.wav"
    soundfile.write(path, samples, 8000, subtype="FLOAT")
    np.testing.assert_array_equal(load_audio(path, 8000, 0.5, 0.25), samples[4000:6000])
    np.testing.assert_array_equal(load_audio(path, 8000, 0.75), samples[6000:])
    np.testing.assert_array_equal(load_audio(path, 8000, duration=0.5), samples[:4000])
    assert len(load_audio(path, 8000, 0.75, 0.3)) == 2000  # lists round
    assert examine(path, 8000, duration=2.0) == (8000, ["shorter than its list says; it is read to the end"])
    for function in (load_audio, examine):
        with pytest.raises(SpeechDataError, match=r"a\.wav ends before the piece from 0\.75 s.*Received: 2000"):
            function(path, 8000, 0.75, 0.5)
        with pytest.raises(SpeechDataError, match=r"a\.wav ends before the piece from 3 s; .*Received: 0 samples"):
            function(path, 8000, 3.0)
        with pytest.raises(SpeechDataError, match="is silent"):
            function(path, 8000, 0.0, 0.2)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"<!DOCTYPE html><html><title>404</title></html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"\x89PNG\r\n\x1a\n" + bytes(200), "a picture"),
        (b"%PDF-1.7\n", "a PDF"),
        (b"PK\x03\x04" + bytes(200), "an archive"),
        (b"MThd\0\0\0\6" + bytes(200), "MIDI"),
        (b"Not Found: the recording\nthat you asked for", "text"),
        (b"NIST_1A\n   1024\nsample_coding -s26 pcm,embedded-shorten-v2.00\nend_head\n" + bytes(900), "sph2pipe"),
        (np.random.default_rng(0).integers(-9000, 9000, 40000).astype("<i2").tobytes(), "ffmpeg -f s16le"),
    ],
)
def test_what_is_no_audio_is_named(tmp_path: Path, content: bytes, kind: str) -> None:
    path = tmp_path / "a.raw"
    path.write_bytes(content)
    for function in (load_audio, examine):
        with pytest.raises(SpeechDataError, match=rf"a\.raw cannot be decoded.*{re.escape(kind)}"):
            function(path, 8000)


@pytest.mark.parametrize("ending", ["al", "ul", "sw", "ub"])
def test_the_rate_of_samples_without_a_header_is_not_guessed(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    path.write_bytes(np.random.default_rng(0).integers(0, 256, 40000, np.uint8).tobytes())
    with pytest.raises(
        SpeechDataError, match=r"cannot be decoded.*ffmpeg -f s16le.*Received: samples without a header"
    ):
        load_audio(path, 8000)


def test_a_video_without_sound_is_named(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        image = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        stream.width = stream.height = 32
        container.mux([*stream.encode(image), *stream.encode()])
    with pytest.raises(SpeechDataError, match=r"a\.mp4 holds no audio.*Received: tracks of video"):
        examine(tmp_path / "a.mp4", 8000)


def test_looking_at_a_file_does_not_read_it_whole(
    tmp_path: Path, write_tone: WriteTone, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_tone(tmp_path / "long.flac", seconds=60)
    decoded = []
    original = soundfile.SoundFile.read

    def counting(self: soundfile.SoundFile, *arguments: Any, **named: Any) -> np.ndarray:
        decoded.append(original(self, *arguments, **named))
        return decoded[-1]

    monkeypatch.setattr(soundfile.SoundFile, "read", counting)
    assert examine(path, 8000).samples == 480000
    assert sum(len(block) for block in decoded) < 48000
