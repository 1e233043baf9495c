"""Opens audio files: libsndfile where it counts and seeks exactly, FFmpeg (by PyAV) for all other kinds."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import av
import numpy as np
import soundfile

from pipelines.speech.audio_containers import (
    LENGTH_TOLERANCE,
    UNKNOWN_LENGTH,
    XING_TOLERANCE,
    behind_the_samples,
    is_joined,
    missing_bytes,
    no_audio,
    wav_without_length,
    xing_missing,
)

BLOCK = 16384  # samples a channel decoded at once
PREROLL_SECONDS = 1.0  # decoded and thrown away before a piece, because a decoder needs what came before
MAXIMUM_BAD_PACKETS = 0.05  # share of the packets that may be undecodable, as where two files were joined
_EXACT = (b"RIFF", b"RIFX", b"RF64", b"FORM", b"fLaC", b"OggS", b".snd", b"dns.", b"caff", b"NIST", b"riff")
_INEXACT = (
    "GSM610",
    "MPEG_LAYER_I",
    "MPEG_LAYER_II",
    "MPEG_LAYER_III",
)  # subtypes that libsndfile cannot seek or count
_ONLY_LIBSNDFILE = (".htk", ".mat", ".xi", ".sds")  # kinds that FFmpeg does not read
_LENGTHS = re.compile(r"(?:Data Size|riff|Riff size) *: (\d+) \(should be (\d+)\)")  # in libsndfile's log
_RAW = (".raw", ".pcm", ".sln", ".s16", ".dat", ".bin", ".vox", ".ulaw", ".alaw", ".ul", ".al", ".gsm", ".g729",
        ".sw", ".sb", ".uw", ".ub")  # fmt: skip
_SAMPLES_ALONE = re.compile(r"alaw|mulaw|[fsu]\d+(be|le)?")  # names of FFmpeg, which takes 44,100 a second for granted
_WITHOUT_HEADER = "Samples alone do not tell their rate and type; give them a header: `ffmpeg -f s16le -ar 16000 -i …`."
_REMEDY = "Restore or convert the file (to wav or flac), or leave it out."


class SpeechDataError(ValueError):
    """Recordings or transcripts that cannot be used; the message names file and row, and says what to do."""


class AudioFile(Protocol):
    """An open audio file.

    Attributes:
        rate: samples a second.
        frames: samples a channel; None where only decoding tells.
        may_hold_nan: whether its samples are floats.
        notes: what is peculiar about the file, though it can be read.
    """

    rate: int
    frames: int | None
    may_hold_nan: bool
    notes: list[str]

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        """Yields the samples from `start` to `stop` (None: the end), float32 (samples, channels), in blocks."""


@contextmanager
def open_audio(path: Path) -> Iterator[AudioFile]:
    """Opens an audio file, or the audio of a video, that is whole as far as its container says.

    Raises:
        SpeechDataError: it is missing, empty, truncated or no audio, or cannot be decoded.
    """
    refuse_if(path.is_dir(), path, "is a folder", "a folder", "Name the files in it.")
    is_address = re.match(r"(?!file:)[a-z][a-z\d+.-]+:/", str(path), re.IGNORECASE) and not path.exists()
    refuse_if(bool(is_address), path, "is on the network", "an address", "Download it, and name the file.")
    refuse_if(not path.is_file(), path, "does not exist", "no file of this name", "Correct the path.")
    refuse_if(path.stat().st_size == 0, path, "is empty", "0 bytes")
    try:
        missing = missing_bytes(path)
        refuse_if(missing > 0, path, "is truncated", f"a file that lacks {missing} or more bytes")
        if kind := no_audio(path):
            raise audio_error(path, "cannot be decoded: it is not audio", kind, "Name a recording.")
        file: AudioFile = _SoundFile(path) if _is_exact(path) else _MediaFile(path)
        if wav_without_length(path):
            file.notes.append("its header tells no length; it is read to the end of the file")
        if behind := behind_the_samples(path):
            file.notes.append(behind)
        refuse_if(file.frames == 0, path, "is empty", "0 samples")
        yield file
    except (RuntimeError, TypeError, OSError) as error:  # of libsndfile and FFmpeg
        message = str(error).strip() or "no readable samples"
        remedy = _WITHOUT_HEADER if path.suffix.lower() in _RAW else _REMEDY
        raise audio_error(path, "cannot be decoded: it is damaged, truncated or no audio", message, remedy) from error


def refuse_if(refuse: bool, path: str | Path, what: str, received: str, remedy: str = _REMEDY) -> None:
    """Raises what `audio_error` returns if `refuse`."""
    if refuse:
        raise audio_error(path, what, received, remedy)


def audio_error(path: str | Path, what: str, received: str, remedy: str = _REMEDY) -> SpeechDataError:
    """Returns the error for a recording that cannot be used."""
    return SpeechDataError(f"{path} {what}; expected a whole recording of speech. {remedy} Received: {received}")


def _is_exact(path: Path) -> bool:
    """Whether libsndfile can read a file, and counts and seeks its samples exactly."""
    with path.open("rb") as content:
        is_known = content.read(4).startswith(_EXACT) or path.suffix.lower() in _ONLY_LIBSNDFILE
    if not is_known or wav_without_length(path) or is_joined(path):
        return False
    try:
        info = soundfile.info(path)
    except (RuntimeError, TypeError):
        return False
    return info.subtype not in _INEXACT and 0 <= info.frames < UNKNOWN_LENGTH


class _SoundFile:
    """A file that libsndfile reads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        info = soundfile.info(path)
        self.rate: int = info.samplerate
        self.frames: int | None = info.frames
        self.may_hold_nan = info.subtype in ("FLOAT", "DOUBLE")
        for promised, there in _LENGTHS.findall(info.extra_info):  # of AU, W64 and RF64; others are known by now
            missing = int(promised) - int(there)
            is_short = missing > LENGTH_TOLERANCE and int(promised) < UNKNOWN_LENGTH
            refuse_if(is_short, path, "is truncated", f"a file that lacks {missing} bytes")
        self.notes: list[str] = []

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        # Opened anew each time: libsndfile may miss the end of a Vorbis file that it has read from.
        with soundfile.SoundFile(self._path) as file:
            stop = file.frames if stop is None else min(stop, file.frames)
            position = file.seek(min(start, file.frames)) if file.seekable() else 0
            while position < stop:
                block = file.read(min(BLOCK, stop - position), dtype="float32", always_2d=True)
                refuse_if(not len(block), self._path, "is truncated", f"{position} of {file.frames} samples")
                position += len(block)
                if position > start:
                    yield block[start - position :]


class _MediaFile:
    """A file that FFmpeg reads: its best audio track, at the rate and with the channels that it begins with."""

    may_hold_nan = True

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._opened() as (_, stream):
            self.rate: int = stream.rate
            self.frames: int | None = None  # most headers state a guess; decoding tells
            xing = xing_missing(path)
            if xing is not None and abs(xing) <= XING_TOLERANCE and stream.duration:
                self.frames = round(float(stream.duration * stream.time_base) * self.rate)
            self.notes: list[str] = []

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        if self.frames is not None:
            stop = self.frames if stop is None else min(stop, self.frames)
        position = 0  # of the next sample
        convert = _Converter(self.rate)
        for frame, place in self._frames(start):
            position = position if place is None else place
            for block in convert(frame):  # (samples, channels)
                first, position = position, position + len(block)
                block = block[max(0, start - first) : None if stop is None else max(0, stop - first)]
                if len(block):
                    yield block
            if stop is not None and position >= stop:
                return
        received = f"{position} of {self.frames} samples"
        refuse_if(self.frames is not None and position < (stop or 0), self._path, "is truncated or damaged", received)

    def _frames(self, start: int) -> Iterator[tuple[Any, int | None]]:
        """Yields frames from a second before the sample `start`, the first of them after a jump with its place."""
        origin, jumped, packets, bad = None, False, 0, 0
        with self._opened() as (container, stream):
            for packet in container.demux(stream):
                if origin is not None and packet.pts is not None:
                    end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                    if end - origin < start / self.rate - PREROLL_SECONDS:
                        jumped = True
                        continue
                if jumped:
                    stream.codec_context.flush_buffers()
                packets += 1
                try:
                    frames = packet.decode()
                except av.error.InvalidDataError:
                    bad += 1
                    continue
                for frame in frames:
                    origin = frame.time if origin is None else origin
                    yield frame, round((frame.time - origin) * self.rate) if jumped else None
                    jumped = False
        if bad:
            counts = f"{bad} of {packets} packets cannot be decoded"
            refuse_if(bad > 1 + MAXIMUM_BAD_PACKETS * packets, self._path, "is damaged", counts)
            self.notes.append(f"{counts}; they are left out")

    @contextmanager
    def _opened(self) -> Iterator[tuple[Any, Any]]:
        try:
            # The prefix keeps a name with a colon from being read as an address.
            with av.open(f"file:{self._path}", metadata_errors="replace") as container:
                has_audio = bool(container.streams.audio)
                if _SAMPLES_ALONE.fullmatch(container.format.name):
                    raise RuntimeError("samples without a header")
                if not has_audio and (container.format.name == "tty" or self._path.suffix.lower() in _RAW):
                    raise RuntimeError("no format that is known")  # FFmpeg has guessed from a few bytes
                if not has_audio:
                    kinds = ", ".join(stream.type for stream in container.streams) or "nothing"
                    raise audio_error(self._path, "holds no audio", f"tracks of {kinds}", "Name a recording.")
                stream: Any = container.streams.best("audio")
                if stream is None:
                    raise RuntimeError("a track of audio without channels")
                if stream.codec_context is None:
                    raise RuntimeError("a track of audio in a codec that cannot be decoded")
                yield container, stream
        except av.error.FFmpegError as error:
            raise RuntimeError(error.strerror) from error


class _Converter:
    """Makes arrays of FFmpeg's frames, at one rate and with the channels of the first, whatever follows."""

    def __init__(self, rate: int) -> None:
        self._rate, self._layout = rate, ""
        self._source: tuple[str, str, int] | None = None
        self._resampler: Any = None

    def __call__(self, frame: Any) -> Iterator[np.ndarray]:
        source = (frame.format.name, frame.layout.name, frame.rate)
        if source != self._source:
            self._layout = self._layout or frame.layout.name
            self._resampler = av.AudioResampler("fltp", self._layout, self._rate)
            self._source = source
        frame.pts = None  # the resampler would fill gaps
        for converted in self._resampler.resample(frame):
            yield converted.to_ndarray().T  # from (channels, samples)
