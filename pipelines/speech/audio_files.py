"""The user's own audio, of any format, rate and number of channels."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import librosa
import numpy as np
import soundfile

SILENCE = 2e-4  # a recording that never spans more than this is silent; 16-bit audio has steps of 3e-5
BLOCK = 16384  # samples read at once while looking for the first sound
MAXIMUM_AMPLITUDE = 2.0  # a little over 1 happens in float files; much over it are samples that were never scaled
_OGG_PAGE = 27 + 255 + 255 * 255  # bytes in the largest page
_REMEDY = "Restore or convert the file (to wav or flac), or leave it out."


class SpeechDataError(ValueError):
    """Recordings or transcripts that cannot be used; the message names file and row, and says what to do."""


def load_audio(path: str | Path, sample_rate: int) -> np.ndarray:
    """Returns a recording (samples,), float32 in −1 … 1, mono, at `sample_rate`.

    Args:
        path: a file of any format that libsndfile reads (wav, flac, ogg, mp3 …), of any rate, mono or more.
        sample_rate: wanted samples a second.

    Raises:
        SpeechDataError: the file is missing, unreadable, truncated, empty, silent, far beyond −1 … 1, or holds NaN or
            infinity.

    Example:
        >>> import tempfile, numpy as np, soundfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     soundfile.write(f"{folder}/a.wav", np.sin(np.arange(16000) / 9), 16000)
        ...     load_audio(f"{folder}/a.wav", 8000).shape
        (8000,)
    """
    path = Path(path)
    with _opened(path) as file:
        audio = _mono(file.read(dtype="float32", always_2d=True))  # (samples,)
        _refuse_if(len(audio) < file.frames, path, "is truncated", f"{len(audio)} of {file.frames} samples")
        _refuse_unusable(audio, path)
        _refuse_if(np.ptp(audio) < SILENCE, path, "is silent", f"{len(audio)} samples without sound")
        rate = file.samplerate
    return resample(audio, rate, sample_rate)


def audio_of(samples: np.ndarray) -> np.ndarray:
    """Returns an array of audio as this package has it: (samples,), float32 in −1 … 1, mono.

    Args:
        samples: (samples,) or (samples, channels), floats in −1 … 1, or signed integers of their whole range.

    Raises:
        SpeechDataError: it has another shape or type, samples far beyond −1 … 1, NaN or infinity.

    Example:
        >>> audio_of(np.array([[16384, 0], [-16384, 0]], np.int16))
        array([ 0.25, -0.25], dtype=float32)
    """
    samples = np.asarray(samples)
    is_audio = samples.dtype.kind in "fi" and samples.ndim in (1, 2)
    if not is_audio or (samples.ndim == 2 and samples.shape[1] > max(samples.shape[0], 1)):
        raise SpeechDataError(
            "An array of audio has another shape or type. Expected floats or signed integers, (samples,) or "
            f"(samples, channels). Convert or transpose it. Received: {samples.dtype} {samples.shape}"
        )
    scale = float(-np.iinfo(samples.dtype).min) if samples.dtype.kind == "i" else 1.0
    audio = (samples / scale).astype(np.float32)
    audio = _mono(audio) if audio.ndim == 2 else audio
    _refuse_unusable(audio, "The array")
    return audio


def refuse_unreadable(path: str | Path) -> None:
    """Raises what `load_audio` would, as far as that shows without decoding the whole file."""
    count_samples(path, 1)


def count_samples(path: str | Path, sample_rate: int) -> int:
    """Returns how many samples `load_audio` will give, without decoding the whole file.

    The header, the first sound and the end of the file are read, so what is unreadable, truncated, empty or
    silent is refused here as `load_audio` would. Damage in the middle shows only when it is decoded.

    Args:
        path: a file, as for `load_audio`.
        sample_rate: wanted samples a second.

    Raises:
        SpeechDataError: as for `load_audio`.
    """
    path = Path(path)
    with _opened(path) as file:
        frames, may_hold_nan = file.frames, file.subtype in ("FLOAT", "DOUBLE")
        lowest, highest = np.inf, -np.inf
        while (highest - lowest < SILENCE or may_hold_nan) and len(block := file.read(BLOCK, always_2d=True)):
            audio = _mono(block)
            _refuse_unusable(audio, path)
            lowest, highest = min(lowest, audio.min()), max(highest, audio.max())
        _refuse_if(highest - lowest < SILENCE, path, "is silent", f"{frames} samples without sound")
        rate = file.samplerate
    with _opened(path) as file:  # anew: libsndfile may miss the end of a Vorbis file that it has read from
        file.seek(frames - 1)
        _refuse_if(len(file.read(1)) == 0, path, "is truncated", f"fewer samples than {frames}, its header's")
    return resampled_length(frames, rate, sample_rate)


def resample(audio: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """Returns audio (samples,) of `rate` samples a second with `wanted` samples a second, float32."""
    if rate == wanted or not audio.size:
        return audio.astype(np.float32, copy=False)
    return librosa.resample(audio.astype(np.float32), orig_sr=rate, target_sr=wanted, res_type="soxr_hq")


def resampled_length(samples: int, rate: int, wanted: int) -> int:
    """Returns the length of what `resample` makes of so many samples.

    >>> resampled_length(16001, 16000, 8000)
    8001
    """
    return int(np.ceil(samples * (wanted / rate)))  # librosa rounds this very product up


@contextmanager
def _opened(path: Path) -> Iterator[soundfile.SoundFile]:
    """Opens a file that exists, holds samples, and is whole as far as its container says."""
    _refuse_if(path.is_dir(), path, "is a folder", "a folder", "Name the files in it.")
    _refuse_if(not path.is_file(), path, "does not exist", "no file of this name", "Correct the path.")
    _refuse_if(path.stat().st_size == 0, path, "is empty", "0 bytes")
    try:
        missing = _missing_bytes(path)
        _refuse_if(missing > 0, path, "is truncated", f"a file that lacks {missing} bytes")
        _refuse_if(not _last_ogg_page_is_last(path), path, "is truncated", "Ogg without its last page")
        with soundfile.SoundFile(path) as file:
            _refuse_if(file.frames == 0, path, "is empty", "0 samples")
            yield file
    except (RuntimeError, TypeError, OSError) as error:  # of libsndfile; TypeError for files without a header
        message = str(error).strip() or "no readable samples"
        raise _error(path, "cannot be decoded: it is damaged, truncated or no audio", message) from error


def _mono(audio: np.ndarray) -> np.ndarray:
    """Averages the channels of audio (samples, channels)."""
    return audio.mean(axis=1)  # as librosa.to_mono, which refuses NaN before the file can be named


def _refuse_unusable(audio: np.ndarray, path: str | Path) -> None:
    _refuse_if(not np.isfinite(audio).all(), path, "holds NaN or infinity", "samples that are no numbers")
    peak = np.abs(audio).max(initial=0.0)
    remedy = "Scale its samples to −1 … 1: those of 16 bits by 1/32768."
    _refuse_if(peak > MAXIMUM_AMPLITUDE, path, "is louder than audio can be", f"a sample of {peak:.5g}", remedy)


def _refuse_if(refuse: bool, path: str | Path, what: str, received: str, remedy: str = _REMEDY) -> None:
    if refuse:
        raise _error(path, what, received, remedy)


def _error(path: str | Path, what: str, received: str, remedy: str = _REMEDY) -> SpeechDataError:
    return SpeechDataError(f"{path} {what}; expected a whole recording of speech. {remedy} Received: {received}")


def _missing_bytes(path: Path) -> int:
    """Bytes that a wav header promises and the file lacks: libsndfile reads what is there without a word."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(12)[:4] != b"RIFF":
            return 0
        while len(header := file.read(8)) == 8:
            name, length = struct.unpack("<4sI", header)
            if name == b"data":
                unknown = length >= 0x7FFFF000  # written by a program that could not go back to the header
                return 0 if unknown else max(0, length - (size - file.tell()))
            file.seek(length + length % 2, 1)  # chunks start at even bytes
    return 0


def _last_ogg_page_is_last(path: Path) -> bool:
    """Whether an Ogg file ends with the page marked as its last (RFC 3533); true for other files."""
    with path.open("rb") as file:
        if file.read(4) != b"OggS":
            return True
        file.seek(max(0, path.stat().st_size - _OGG_PAGE))
        tail = file.read()
    page = tail[tail.rfind(b"OggS") :]
    if len(page) < 27 or len(page) < 27 + page[26]:  # 27 bytes, then a table of so many segment lengths
        return False
    is_whole = len(page) >= 27 + page[26] + sum(page[27 : 27 + page[26]])
    return is_whole and bool(page[5] & 4)  # the flag "end of stream"
