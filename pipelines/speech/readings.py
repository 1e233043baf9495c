"""What several readers make of the recordings of a split, which pass through memory one batch at a time."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from pipelines.speech.batching import batches
from pipelines.speech.model import Recogniser
from pipelines.speech.sources import Source


class Transcribed(NamedTuple):
    """A recording with what the network made of it: `logits` (frames, labels) of its true length, and greedy text."""

    key: str
    text: str
    audio: np.ndarray
    logits: np.ndarray
    greedy: str


Reader = Callable[[Transcribed], str]
PICTURED_SECONDS = 4.0  # long enough for a picture


class Readings(NamedTuple):
    """The texts of a split, in the order of its recordings, and the seconds of work and of audio.

    Attributes:
        keys: of the recordings.
        references: the true transcripts.
        texts: what each reader wrote.
        reader_seconds: work of each reader, without the network.
        network_seconds: work of the network.
        audio_seconds: length of all recordings.
        example: the one recording that is kept, to be drawn.
    """

    keys: list[str]
    references: list[str]
    texts: dict[str, list[str]]
    reader_seconds: dict[str, float]
    network_seconds: float
    audio_seconds: float
    example: Transcribed


def read_all(recordings: Iterable[Transcribed], readers: Mapping[str, Reader], sample_rate: int) -> Readings:
    """Lets each reader read each recording; at least one recording is needed."""
    keys: list[str] = []
    references: list[str] = []
    texts: dict[str, list[str]] = {name: [] for name in readers}
    reader_seconds = dict.fromkeys(readers, 0.0)
    network_seconds = audio_seconds = 0.0
    example = None
    started = time.perf_counter()
    for recording in recordings:  # the network works when its next batch is asked for
        network_seconds += time.perf_counter() - started
        for name, read in readers.items():
            started = time.perf_counter()
            texts[name].append(read(recording))
            reader_seconds[name] += time.perf_counter() - started
        keys.append(recording.key)
        references.append(recording.text)
        audio_seconds += len(recording.audio) / sample_rate
        example = recording if example is None else better_example(example, recording, sample_rate)
        started = time.perf_counter()
    if example is None:
        raise ValueError("There is nothing to read. Expected at least one recording. Received: none")
    return Readings(keys, references, texts, reader_seconds, network_seconds, audio_seconds, example)


def better_example(before: Transcribed, recording: Transcribed, sample_rate: int) -> Transcribed:
    """Returns which of two recordings to draw: the first of at least `PICTURED_SECONDS`, else the longer one."""
    enough = PICTURED_SECONDS * sample_rate
    return recording if len(before.audio) < min(len(recording.audio), enough) else before


def transcribe_split(
    recogniser: Recogniser, source: Source, split: str, keys: Collection[str] | None = None
) -> Iterator[Transcribed]:
    """Runs the network over the recordings of a split, all or those of some keys, one batch at a time."""
    for batch in batches(source, split, recogniser.alphabet, keys):
        results = [tensor.numpy() for tensor in recogniser.read(batch["audio"], batch["audio_lengths"])]
        known = [batch[name].numpy() for name in ("key", "text", "audio", "audio_lengths")]
        for key, text, audio, samples, logits, frames, greedy in zip(*known, *results, strict=True):
            yield Transcribed(key.decode(), text.decode(), audio[:samples], logits[:frames], greedy.decode())
