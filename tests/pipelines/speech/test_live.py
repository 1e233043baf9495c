"""Live audio: what standard input and a microphone bring, in blocks."""

import io
import struct
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from pipelines.speech.audio_files import SpeechDataError
from pipelines.speech.live import microphone, standard_input

AUDIO = np.random.default_rng(0).integers(-9000, 9000, (3001, 2)).astype(np.int16)


def encoded(subtype: str, form: str = "WAV") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, AUDIO, 8000, subtype, format=form)
    return file.getvalue()


def heard(content: bytes, pcm_rate: int | None = None, begun: int = 12) -> tuple[int, np.ndarray]:
    live = standard_input(io.BytesIO(content[begun:]), content[:begun], pcm_rate)
    return live.rate, np.concatenate(list(live.blocks))


@pytest.mark.parametrize("size", [None, 0, 0xFFFFFFFF, 0x7FFFFFFF])
@pytest.mark.parametrize("form", ["WAV", "WAVEX"])
def test_a_wav_file_is_heard_whatever_size_it_states(form: str, size: int | None) -> None:
    content = encoded("PCM_16", form)
    if size is not None:
        place = content.index(b"data") + 4
        content = content[:place] + struct.pack("<I", size) + content[place + 4 :]
    else:
        content += b"LIST\4\0\0\0INFO"
    rate, samples = heard(content)
    assert rate == 8000
    np.testing.assert_array_equal(samples, AUDIO / 2**15)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_a_wav_file_may_have_any_samples(subtype: str) -> None:
    content = encoded(subtype)
    expected, rate = soundfile.read(io.BytesIO(content))
    assert rate == heard(content)[0]
    np.testing.assert_allclose(heard(content)[1], expected, atol=1e-7)


def test_raw_samples_are_heard_to_the_last_whole_one() -> None:
    rate, samples = heard(AUDIO[:, 0].astype("<i2").tobytes() + b"x", pcm_rate=16000)
    assert rate == 16000
    np.testing.assert_array_equal(samples[:, 0], AUDIO[:, 0] / 2**15)


def test_other_files_are_refused() -> None:
    for content in (b"no audio at all", b"RIFF", b"", encoded("ULAW")):
        with pytest.raises(SpeechDataError, match=r"Expected a WAV file of integers.*Received: "):
            heard(content)
    for content in (encoded("PCM_16"), encoded("PCM_16", "FLAC")):
        with pytest.raises(SpeechDataError, match=r"Leave out --pcm\. Received: "):
            heard(content, pcm_rate=8000)


def test_standard_input_without_samples_is_refused() -> None:
    header = encoded("PCM_16")[:44]
    for content, pcm_rate in ((b"", 8000), (b"x", 8000), (header, None), (header + b"x", None)):
        with pytest.raises(SpeechDataError, match=r"has ended without audio.*Received: [01] bytes"):
            heard(content, pcm_rate)


def test_a_microphone_is_heard_and_what_it_loses_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    class Device:
        """Calls back three times when it is opened, the last time with a report of lost audio."""

        def __init__(self, rate: int, size: int, channels: int, dtype: str, callback: Any) -> None:
            assert (rate, channels, dtype) == (44100, 1, "float32")
            for number in range(3):
                block = np.full((size, 1), number, np.float32)
                callback(block, size, None, SimpleNamespace(input_overflow=number == 2))
                block[:] = 99  # the device uses its memory again

        def __enter__(self) -> None:
            return None

        def __exit__(self, *_: object) -> None:
            return None

    device = SimpleNamespace(
        query_devices=lambda kind: {"default_samplerate": 44100.0}, InputStream=Device, PortAudioError=RuntimeError
    )
    monkeypatch.setitem(sys.modules, "sounddevice", device)
    monkeypatch.setattr("pipelines.speech.live.check_libraries", lambda *_: None)
    lost: list[int] = []
    audio = microphone(lambda: lost.append(1))
    blocks = [next(audio.blocks) for _ in range(3)]
    assert audio.rate == 44100 and [int(block[0, 0]) for block in blocks] == [0, 1, 2] and lost == [1]

    def none(kind: str) -> None:
        raise RuntimeError("no device")

    device.query_devices = none
    with pytest.raises(SpeechDataError, match=r"No microphone.*Received: no device"):
        microphone(lambda: None)
