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


def heard(content: bytes, pcm_rate: int | None = None, begun: int = 12) -> tuple[int, np.ndarray]:
    live = standard_input(io.BytesIO(content[begun:]), content[:begun], pcm_rate)
    return live.rate, np.concatenate(list(live.blocks))


@pytest.mark.parametrize("size", [None, 0, 0xFFFFFFFF, 0x7FFFFFFF])
@pytest.mark.parametrize("form", ["WAV", "WAVEX"])
def test_a_wav_file_is_heard_whatever_size_it_states(form: str, size: int | None) -> None:
    file = io.BytesIO()
    soundfile.write(file, AUDIO, 8000, "PCM_16", format=form)
    content = file.getvalue()
    if size is not None:
        place = content.index(b"data") + 4
        content = content[:place] + struct.pack("<I", size) + content[place + 4 :]
    else:
        content += b"LIST\4\0\0\0INFO"
    rate, samples = heard(content)
    assert rate == 8000
    np.testing.assert_array_equal(samples, AUDIO)


def test_raw_samples_are_heard_to_the_last_whole_one() -> None:
    rate, samples = heard(AUDIO[:, 0].astype("<i2").tobytes() + b"x", pcm_rate=16000)
    assert rate == 16000
    np.testing.assert_array_equal(samples[:, 0], AUDIO[:, 0])


def test_other_files_are_refused() -> None:
    file = io.BytesIO()
    soundfile.write(file, AUDIO, 8000, "FLOAT", format="WAV")
    for content in (b"no audio at all", b"RIFF", b"", file.getvalue()):
        with pytest.raises(SpeechDataError, match=r"Expected a WAV file of 16 bits.*Received: "):
            heard(content)


def test_a_microphone_is_heard_and_what_it_loses_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    class Device:
        """Calls back three times when it is opened, the last time with a report of lost audio."""

        def __init__(self, rate: int, size: int, channels: int, dtype: str, callback: Any) -> None:
            assert (rate, channels, dtype) == (44100, 1, "int16")
            for number in range(3):
                block = np.full((size, 1), number, np.int16)
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
