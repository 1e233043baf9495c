"""WAV files in a graph, as people have them, beside libsndfile."""

import io
import struct

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from pipelines.speech.wav import decode_wav

RATE = 8000
SAMPLES = np.random.default_rng(0).integers(-32768, 32768, (301, 2)).astype(np.int16)
FORMAT = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16)
MONO = SAMPLES[:, 0].astype("<i2").tobytes()


@pytest.fixture(scope="module")
def decode():
    return tf.function(lambda file: decode_wav(file, RATE), input_signature=[tf.TensorSpec((), tf.string)])


def chunk(name: bytes, content: bytes, size: int | None = None) -> bytes:
    length = len(content) if size is None else size
    return name + struct.pack("<I", length) + content + b"\0" * (len(content) % 2)


def riff(*chunks: bytes, size: int | None = None) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


def written(samples: np.ndarray, subtype: str = "PCM_16", form: str = "WAV", rate: int = RATE) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, subtype, format=form)
    return file.getvalue()


@pytest.mark.parametrize("form", ["WAV", "WAVEX"])
@pytest.mark.parametrize("samples", [SAMPLES, SAMPLES[:, 0], SAMPLES[:0, 0]], ids=["stereo", "mono", "none"])
def test_files_of_16_bits_are_read_as_libsndfile_reads_them(decode, form, samples):
    file = written(samples, form=form)
    expected = soundfile.read(io.BytesIO(file), dtype="float32", always_2d=True)[0].mean(axis=1)
    np.testing.assert_allclose(decode(file), expected, atol=1e-7)


@pytest.mark.parametrize(
    "file",
    [
        riff(chunk(b"LIST", b"odd"), FORMAT, chunk(b"data", MONO)),
        riff(FORMAT, chunk(b"LIST", b"odd"), chunk(b"fact", b"1234"), chunk(b"data", MONO)),
        riff(FORMAT, chunk(b"data", MONO), chunk(b"LIST", b"title")),
        riff(FORMAT, chunk(b"data", MONO, 0xFFFFFFFF), size=0xFFFFFFFF),
        riff(FORMAT, chunk(b"data", MONO, 0x7FFFF000), size=0),
        riff(FORMAT, chunk(b"data", MONO, 0), size=0),
        riff(FORMAT, chunk(b"data", b"", 0), MONO, b"\1"),
    ],
    ids=["chunk before", "chunks between", "chunk behind", "a pipe", "another pipe", "killed", "half a sample"],
)
def test_chunks_and_sizes_may_be_as_programs_leave_them(decode, file):
    np.testing.assert_array_equal(decode(file), SAMPLES[:, 0] / np.float32(32768))


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (b"", "expected the bytes of a WAV file"),
        (b"RIFF", "expected the bytes of a WAV file"),
        (b"\0" * 100, "expected the bytes of a WAV file"),
        (b"ID3" + b"\xff" * 500, "expected the bytes of a WAV file"),
        (riff(FORMAT), "expected the bytes of a WAV file"),
        (riff(chunk(b"data", MONO)), "expected the bytes of a WAV file"),
        (riff(b"fmt "), "expected the bytes of a WAV file"),
        (riff(chunk(b"LIST", b"", 0xFFFFFFFF)), "expected the bytes of a WAV file"),
        (b"RF64" + riff(FORMAT, chunk(b"data", MONO))[4:], "expected the bytes of a WAV file"),
        (written(SAMPLES, "PCM_24"), r"PCM \(format 1\) of 16 bits.*\[1 24 2\]"),
        (written(SAMPLES, "PCM_U8"), r"PCM \(format 1\) of 16 bits.*\[1 8 2\]"),
        (written(SAMPLES, "FLOAT"), r"PCM \(format 1\) of 16 bits.*\[3 32 2\]"),
        (written(SAMPLES, "FLOAT", "WAVEX"), r"PCM \(format 1\) of 16 bits.*\[3 32 2\]"),
        (written(SAMPLES, "ULAW"), r"PCM \(format 1\) of 16 bits.*\[7 8 2\]"),
        (written(SAMPLES, rate=44100), r"Expected 8000 samples a second.*44100"),
        (riff(FORMAT.replace(b"\1\0\1\0", b"\1\0\0\0", 1), chunk(b"data", MONO)), r"16 bits.*\[1 16 0\]"),
    ],
)
def test_other_files_are_refused_in_words(decode, file, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        decode(file)
