"""The user's own audio, of any format, rate and number of channels."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipelines.speech.audio_decoders import AudioFile, open_audio, refuse_if
from pipelines.speech.audio_decoders import SpeechDataError as SpeechDataError
from pipelines.speech.resampling import Resampler, resample, resampled_length

SILENCE = 2e-4  # a recording that never spans more than this is silent; 16-bit audio has steps of 3e-5
MAXIMUM_AMPLITUDE = 2.0  # a little over 1 happens in float files; much over it are samples that were never scaled
CANCELLED = 0.01  # channels whose mean has less than this share of the loudest one's energy cancel each other out
CANCELS = "the channels cancel each other out; the loudest is read"
ROUNDING_SECONDS = 0.1  # by which a list may place the end of a piece beyond the end of its recording
PART_SECONDS = 60.0  # of a recording in memory at once, where it is read part by part


class Examined(NamedTuple):
    """What is known of a recording that can be used: its `samples` at the wanted rate, and `notes` on its file."""

    samples: int
    notes: list[str]


def load_audio(
    path: str | Path,
    sample_rate: int,
    offset: float = 0.0,
    duration: float | None = None,
    channel: int | None = None,
) -> np.ndarray:
    """Returns a recording or a piece of it (samples,), float32 in −1 … 1, mono, at `sample_rate`.

    Channels are averaged. Where they cancel each other out, the loudest one is taken.

    Args:
        path: a file of any format that FFmpeg or libsndfile reads (wav, flac, ogg, mp3, m4a, webm …), of any rate and
            number of channels; of a video, its sound.
        sample_rate: wanted samples a second.
        offset: seconds before the piece.
        duration: seconds of the piece. None: to the end.
        channel: the place of the only channel to read, from 0. None: all.

    Raises:
        SpeechDataError: the file is missing, unreadable, truncated, empty, silent, far beyond −1 … 1, or holds NaN or
            infinity; or the piece has no length, or lies beyond its end; or the channel is not there.

    Example:
        >>> import tempfile, numpy as np, soundfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     soundfile.write(f"{folder}/a.wav", np.sin(np.arange(16000) / 9), 16000)
        ...     load_audio(f"{folder}/a.wav", 8000).shape, load_audio(f"{folder}/a.wav", 8000, 0.25, 0.5).shape
        ((8000,), (4000,))
    """
    path = Path(path)
    with open_audio(path) as file:
        start, stop = _piece(path, file, offset, duration)
        audio, mixer = _mixed(path, _of_channel(path, file.blocks(start, stop), channel))
        _refuse_short(path, file, start, stop, len(audio))
        mixer.refuse_silent()
    return resample(audio, file.rate, sample_rate)


def read_audio(path: str | Path, sample_rate: int, notes: list[str]) -> Iterator[np.ndarray]:
    """Yields a recording of any length in parts (samples,), of which `PART_SECONDS` are in memory at once.

    Joined, they are what `load_audio` returns; channels that cancel each other out are looked for in each part.

    Args:
        path: a file, as for `load_audio`.
        sample_rate: wanted samples a second.
        notes: what is peculiar about the file is added here.

    Raises:
        SpeechDataError: as for `load_audio`; damage behind the first part when that is reached.
    """
    path = Path(path)
    with open_audio(path) as file:
        resampler = Resampler(file.rate, sample_rate)
        is_silent, cancels = None, False
        for blocks, is_last in _parts(file):
            audio, mixer = _mixed(path, blocks)
            is_silent = mixer.is_silent and is_silent is not False
            cancels = cancels or mixer.loudest is not None
            if is_last:
                mixer.refuse_silent(is_silent)
            yield resampler(audio, is_last)
        refuse_if(is_silent is None, path, "is empty", "0 samples")
        notes += file.notes
        if cancels:
            notes.append(CANCELS)


def examine(
    path: str | Path,
    sample_rate: int,
    offset: float = 0.0,
    duration: float | None = None,
    channel: int | None = None,
) -> Examined:
    """Returns how many samples `load_audio` will give, and what is peculiar about the file.

    Of files whose header tells their length exactly, the header, the first sound and the end are read; others are
    decoded. What is unreadable, truncated, empty or silent is refused here as `load_audio` would. Damage in the middle
    may show only when it is loaded.

    Args:
        path: a file, as for `load_audio`.
        sample_rate: wanted samples a second.
        offset: as for `load_audio`.
        duration: as for `load_audio`.
        channel: as for `load_audio`.

    Raises:
        SpeechDataError: as for `load_audio`.
    """
    path = Path(path)
    with open_audio(path) as file:
        start, stop = _piece(path, file, offset, duration)
        mixer = _Mixer(path)
        for block in _of_channel(path, file.blocks(start, stop), channel):
            mixer(block)
            if file.frames is not None and not file.may_hold_nan and mixer.hears:
                break
        length = mixer.samples
        if file.frames is not None:
            length = max(0, min(file.frames, file.frames if stop is None else stop) - start)
            for _ in file.blocks(start + length - 1, start + length) if length else ():
                pass  # refuses a file that ends before
        _refuse_short(path, file, start, stop, length)
        mixer.refuse_silent()
        notes = list(file.notes)
        if mixer.loudest is not None:
            notes.append(CANCELS)
        if stop is not None and stop - start - length > ROUNDING_SECONDS * file.rate:
            notes.append("shorter than its list says; it is read to the end")
    return Examined(resampled_length(length, file.rate, sample_rate), notes)


def rate_of(path: str | Path) -> int:
    """Returns the samples a second of a file; see `load_audio` for its errors."""
    with open_audio(Path(path)) as file:
        return file.rate


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
    if samples.dtype == np.int64 and np.abs(samples).max(initial=0) <= 1:
        samples = samples.astype(np.float32)  # floats that JSON has written as integers, such as silence
    is_audio = samples.dtype.kind in "fi" and samples.dtype != np.int64 and samples.ndim in (1, 2)
    if not is_audio or (samples.ndim == 2 and samples.shape[1] > max(samples.shape[0], 1)):
        raise SpeechDataError(
            "An array of audio has another shape or type. Expected floats in −1 … 1 or signed integers of at most 32 "
            "bits, (samples,) or (samples, channels). Convert it (16-bit samples: samples.astype(numpy.int16)) or "
            f"transpose it. Received: {samples.dtype} {samples.shape}"
        )
    scale = float(-np.iinfo(samples.dtype).min) if samples.dtype.kind == "i" else 1.0
    audio = (samples / scale).astype(np.float32)
    audio = _mono(audio) if audio.ndim == 2 else audio
    _refuse_unusable(audio, "The array")
    return audio


def _of_channel(path: Path, blocks: Iterable[np.ndarray], channel: int | None) -> Iterator[np.ndarray]:
    """Yields blocks with one channel of several; what has one alone is the same for all."""
    for block in blocks:
        channels = block.shape[1]
        if channel is not None and channels > 1:
            remedy = "Correct the channel in the list."
            refuse_if(channel >= channels, path, f"has no channel {channel + 1}", f"{channels} channels", remedy)
            block = block[:, [channel]]
        yield block


def _piece(path: Path, file: AudioFile, offset: float, duration: float | None) -> tuple[int, int | None]:
    no_length = duration is not None and duration <= 0
    refuse_if(no_length, path, f"has a piece at {offset:g} s without length", f"{duration} s", "Correct its times.")
    start = round(offset * file.rate)
    return start, None if duration is None else start + max(1, round(duration * file.rate))


def _parts(file: AudioFile) -> Iterator[tuple[list[np.ndarray], bool]]:
    """Yields a file's blocks in parts of `PART_SECONDS`, and whether there is none behind."""
    part: list[np.ndarray] = []
    for block in file.blocks():
        if sum(map(len, part)) >= PART_SECONDS * file.rate:
            yield part, False
            part = []
        part.append(block)
    if part:
        yield part, True


def _mixed(path: Path, blocks: Iterable[np.ndarray]) -> tuple[np.ndarray, "_Mixer"]:
    """Returns the mean of the channels (samples,), or the loudest where they cancel each other out."""
    blocks, mixer = list(blocks), _Mixer(path)
    audio = np.concatenate([np.zeros(0, np.float32), *map(mixer, blocks)])
    if (loudest := mixer.loudest) is not None:
        audio = np.concatenate([block[:, loudest] for block in blocks])
    return audio, mixer


def _refuse_short(path: Path, file: AudioFile, start: int, stop: int | None, length: int) -> None:
    """Refuses a piece of which so many samples are there, if that is none or if there is less than was asked for."""
    place = f"{start / file.rate:g} s" + ("" if stop is None else f" to {stop / file.rate:g} s")
    beyond = start > 0 and (length <= 0 or (stop is not None and stop - start - length > ROUNDING_SECONDS * file.rate))
    remedy = "Correct the place, or restore the file."
    refuse_if(beyond, path, f"ends before the piece from {place}", f"{max(0, length)} samples of the piece", remedy)
    refuse_if(length <= 0, path, "is empty", "0 samples")


def _mono(audio: np.ndarray) -> np.ndarray:
    """Averages the channels of audio (samples, channels)."""
    return audio.mean(axis=1)  # as librosa.to_mono, which refuses NaN before the file can be named


def _refuse_unusable(audio: np.ndarray, path: str | Path) -> None:
    refuse_if(not np.isfinite(audio).all(), path, "holds NaN or infinity", "samples that are no numbers")
    peak = np.abs(audio).max(initial=0.0)
    remedy = "Scale its samples to −1 … 1: those of 16 bits by 1/32768."
    refuse_if(peak > MAXIMUM_AMPLITUDE, path, "is louder than audio can be", f"a sample of {peak:.5g}", remedy)


class _Mixer:
    """Averages the channels of a recording, block by block, and watches for what makes it useless."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.samples = 0
        self._lowest, self._highest = np.array(np.inf), np.array(-np.inf)  # of each channel, then of their mean
        self._energy = np.zeros(1)

    def __call__(self, block: np.ndarray) -> np.ndarray:
        """Returns the mean (samples,) of a block (samples, channels).

        Raises:
            SpeechDataError: it holds NaN or infinity, or samples that were never scaled.
        """
        _refuse_unusable(block, self._path)
        mean = _mono(block)
        channels = np.column_stack([block, mean])
        self.samples += len(mean)
        self._lowest = np.minimum(self._lowest, channels.min(axis=0))
        self._highest = np.maximum(self._highest, channels.max(axis=0))
        self._energy = self._energy + np.sum(channels**2, axis=0, dtype=np.float64)
        return mean

    @property
    def loudest(self) -> int | None:
        """The channel to read instead of the mean, in which the channels cancel each other out; None: the mean."""
        *channels, mean = self._energy
        if not channels or mean >= CANCELLED * max(channels):
            return None
        loudest = int(np.argmax(channels))
        return loudest if self._sounds(loudest) else None

    @property
    def hears(self) -> bool:
        """Whether there has been a sound in the mean, in which the channels do not cancel each other out."""
        return self.loudest is None and self._sounds(-1)

    @property
    def is_silent(self) -> bool:
        """Whether there has been no sound."""
        return self.loudest is None and not self._sounds(-1)

    def refuse_silent(self, is_silent: bool | None = None) -> None:
        """Raises `SpeechDataError` if there has been no sound, in a part before either (`is_silent`)."""
        refuse = self.is_silent if is_silent is None else is_silent
        refuse_if(refuse, self._path, "is silent", f"{self.samples} samples without sound")

    def _sounds(self, channel: int) -> bool:
        return bool(self._highest[channel] - self._lowest[channel] >= SILENCE)
