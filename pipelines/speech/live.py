"""Audio that comes as it is said, from a microphone or standard input, and its words as they settle."""

import queue
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from pipelines.speech.audio_files import SpeechDataError
from pipelines.speech.long_recordings import Transcript
from pipelines.speech.resampling import Resampler
from pipelines.speech.streaming import Stream
from unrolled_installation import check_libraries

BLOCK_SECONDS = 0.1  # of audio that is heard at once
PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE  # formats of WAV
_BYTES = {PCM: (1, 2, 3, 4), FLOAT: (4, 8)}  # of a sample, by format
_FILES = (b"RIFF", b"fLaC", b"OggS", b"ID3")  # what files of audio begin with


class LiveAudio(NamedTuple):
    """Audio that comes: `rate` samples a second, in `blocks` (samples,) or (samples, channels) in −1 … 1."""

    rate: int
    blocks: Iterator[np.ndarray]


def listen(
    stream: Stream, audio: LiveAudio, sample_rate: int, shown: Callable[[str], None] = lambda text: None
) -> Iterator[Transcript]:
    """Yields each utterance, with times since the beginning, as soon as a pause has ended it.

    Args:
        stream: of a predictor.
        audio: what is heard; Ctrl-C ends it as its end does.
        sample_rate: of the predictor.
        shown: is called with the text since the last utterance, after each block; its last words may still change.
    """
    resampler = Resampler(audio.rate, sample_rate)
    known = 0  # characters of the utterances that have ended
    with suppress(KeyboardInterrupt):
        for block in audio.blocks:
            samples = block.reshape(len(block), -1).mean(axis=1)
            text = stream.feed(resampler(samples))
            for utterance in stream.ended():
                known = len(text)
                yield utterance
            shown(text[known:])
    stream.feed(resampler(np.zeros(0, np.float32), is_last=True))
    yield from stream.ended()
    if (rest := stream.open()).text:
        yield rest


def microphone(lost: Callable[[], None]) -> LiveAudio:
    """Returns what the default microphone hears, until it is interrupted.

    Args:
        lost: is called when the device reports that it has dropped audio.

    Raises:
        ModuleNotFoundError: sounddevice is missing.
        SpeechDataError: there is no microphone, or PortAudio is missing.
    """
    check_libraries(["sounddevice"], "microphone")
    try:
        import sounddevice
    except OSError as error:  # PortAudio is missing
        raise _no_microphone(error) from error
    try:
        rate = int(sounddevice.query_devices(kind="input")["default_samplerate"])
    except (ValueError, sounddevice.PortAudioError) as error:
        raise _no_microphone(error) from error
    heard: queue.Queue[np.ndarray] = queue.Queue()

    def take(block: np.ndarray, frames: int, time: Any, status: Any) -> None:
        if status.input_overflow:
            lost()
        heard.put(block.copy())

    def blocks() -> Iterator[np.ndarray]:
        size = round(rate * BLOCK_SECONDS)
        try:
            with sounddevice.InputStream(rate, size, channels=1, dtype="float32", callback=take):
                while True:
                    yield heard.get()
        except sounddevice.PortAudioError as error:
            raise _no_microphone(error) from error

    return LiveAudio(rate, blocks())


def standard_input(source: BinaryIO, begun: bytes, pcm_rate: int | None) -> LiveAudio:
    """Returns what comes on standard input: 16-bit samples of one channel, or a WAV file.

    Args:
        source: standard input.
        begun: what has been read of it.
        pcm_rate: samples a second of raw samples. None: it is a WAV file.

    Raises:
        SpeechDataError: it is another kind of file; as its blocks come, that there is no audio in it.
    """
    if pcm_rate is not None:
        if begun.startswith(_FILES):
            raise SpeechDataError(
                "Standard input is a file with a header, no raw samples. Expected these with --pcm. Leave out --pcm. "
                f"Received: {begun[:4]!r}"
            )
        return LiveAudio(pcm_rate, _blocks(source, begun, pcm_rate, (PCM, 2, 1), None))
    header = _exactly(source, 12 - len(begun), begun)
    form = b""
    while header[:4] == b"RIFF" and len(chunk := _exactly(source, 8)) == 8:
        name, size = struct.unpack("<4sI", chunk)
        if name == b"data":
            break
        content = _exactly(source, size + size % 2)
        form = content if name == b"fmt " else form
    else:
        size = 0
    kind, channels, rate, _, _, bits = struct.unpack("<HHIIHH", form[:16].ljust(16, b"\0"))
    kind = struct.unpack("<H", form[24:26])[0] if kind == EXTENSIBLE and len(form) >= 26 else kind
    if bits % 8 or bits // 8 not in _BYTES.get(kind, ()) or not channels or not rate:
        raise SpeechDataError(
            "Standard input is no audio that can be heard as it comes. Expected a WAV file of integers or "
            "floats, or raw samples of 16 bits with --pcm RATE. Convert it: ffmpeg -i FILE -f wav -. "
            f"Received: format {kind}, {bits} bits"
        )
    known = size if 0 < size < 2**31 - 2**16 else None  # programs that write to a pipe put 0 or almost the largest
    return LiveAudio(rate, _blocks(source, b"", rate, (kind, bits // 8, channels), known))


def _blocks(
    source: BinaryIO, begun: bytes, rate: int, form: tuple[int, int, int], size: int | None
) -> Iterator[np.ndarray]:
    """Yields the samples (samples, channels) of `size` bytes, or all that come, of a format, bytes and channels."""
    kind, sample_bytes, channels = form
    width, is_empty = sample_bytes * channels, True
    step = round(rate * BLOCK_SECONDS) * width
    held = begun
    while True:
        wanted = step - len(held) if size is None else min(step - len(held), size)
        read = _exactly(source, max(0, wanted))
        size = None if size is None else size - len(read)
        held += read
        whole = len(held) - len(held) % width
        if whole:
            is_empty = False
            yield _decoded(held[:whole], kind, sample_bytes).reshape(-1, channels)
        held = held[whole:]
        if len(read) < wanted or size == 0:
            break
    if is_empty:
        raise SpeechDataError(
            "Standard input has ended without audio. Expected samples. See what the program before it reports. "
            f"Received: {len(held)} bytes of samples"
        )


def _decoded(content: bytes, kind: int, sample_bytes: int) -> np.ndarray:
    """Returns the samples (samples,) of bytes, in −1 … 1."""
    if kind == FLOAT:
        return np.frombuffer(content, f"<f{sample_bytes}")
    wide = np.zeros((len(content) // sample_bytes, 4), np.uint8)  # the highest bytes of 32 bits
    wide[:, -sample_bytes:] = np.frombuffer(content, np.uint8).reshape(-1, sample_bytes)
    if sample_bytes == 1:
        wide[:, -1] ^= 128  # samples of 8 bits have no sign
    return (wide.view("<i4")[:, 0] / 2**31).astype(np.float32)


def _exactly(source: BinaryIO, size: int, begun: bytes = b"") -> bytes:
    """Returns so many bytes more than what has begun, or all there are."""
    while size > 0 and (read := source.read(size)):
        begun, size = begun + read, size - len(read)
    return begun


def _no_microphone(error: Exception) -> SpeechDataError:
    return SpeechDataError(
        "No microphone can be opened. Expected an input device, and PortAudio, which Linux has as libportaudio2. "
        "Connect one, or pipe the audio: arecord -f S16_LE -r 16000 | unrolled transcribe -. "
        f"Received: {str(error).strip() or type(error).__name__}"
    )
