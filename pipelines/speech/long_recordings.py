"""Recordings of any length: the network hears windows that overlap, the search reads pieces between pauses."""

import heapq
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from models.decoding import Word
from models.decoding.search_stream import pause_frames

WINDOW_SECONDS = 30.0
CONTEXT_SECONDS = 4.0  # heard before and behind a window: with them the preset `small` has the whole's logits to 3e-4
PIECE_SECONDS = 20.0  # least of a piece that is searched by itself


class Transcript(NamedTuple):
    """What a recording says.

    Attributes:
        text: the most probable text.
        confidence: its share in the probability of all texts that were considered, in [0, 1]; of a recording that was
            searched in pieces, their geometric mean.
        words: the words, each with `text`, `start` and `end` in seconds, and `confidence` in [0, 1].
        alternatives: the next most probable texts, most probable first, as many as were asked for.
        notes: what is peculiar about the file, though it can be read.
    """

    text: str
    confidence: float
    words: list[Word]
    alternatives: list["Transcript"]
    notes: tuple[str, ...] = ()


class Window(NamedTuple):
    """Audio (samples,) that the network hears at once, of whose frames those in `counted` count."""

    audio: np.ndarray
    counted: slice


class Piece(NamedTuple):
    """Logits (frames, labels) from one pause to another, and how many frames of the recording are before."""

    start: int
    logits: np.ndarray


def windows(
    parts: Iterable[np.ndarray], sample_rate: int, frame_samples: int, seconds: float | None = None
) -> Iterator[Window]:
    """Yields a recording that comes in parts (samples,) as windows, each heard with some audio before and behind it.

    A window has so many seconds, by default `WINDOW_SECONDS`, beside its context; a recording of twice as much is one
    window.

    What counts of them, joined, is each frame of the recording once. What does not fill a frame at the end is left out.

    Example:
        >>> found = list(windows([np.zeros(8000 * 100)], 8000, 320))
        >>> [len(window.audio) / 8000 for window in found], [window.counted for window in found]
        ([34.0, 38.0, 44.0], [slice(0, 750, None), slice(100, 850, None), slice(100, None, None)])
    """
    frames, context = (
        round(each * sample_rate / frame_samples) for each in (seconds or WINDOW_SECONDS, CONTEXT_SECONDS)
    )
    held, first = np.zeros(0, np.float32), 0  # the audio from the context on, and frames of that
    for part in parts:
        held = np.concatenate([held, part])
        while len(held) > 2 * frames * frame_samples:
            end = first + frames
            yield Window(held[: (end + context) * frame_samples], slice(first, end))
            held, first = held[(end - context) * frame_samples :], context
    yield Window(held, slice(first, None))


class Pieces:
    """Cuts the logits of a recording at pauses, as they come; where there is no pause, there is no cut.

    A pause is `pause_frames`, in each frame of which the blank or a space is the most probable label. The cut is where
    half of it has passed, so it does not depend on what comes later.

    Args:
        alphabet: the characters of labels 1, 2, …
        frame_seconds: of a frame.
        minimum_seconds: least of a piece.
    """

    def __init__(self, alphabet: Sequence[str], frame_seconds: float, minimum_seconds: float) -> None:
        self._is_silent = np.array([True, *(character == " " for character in alphabet)])  # each label
        self._pause = pause_frames(frame_seconds)
        self._run_after_cut = self._pause - self._pause // 2
        self._minimum = max(self._pause, round(minimum_seconds / frame_seconds))
        self._start = self._seen = self._run = 0  # of the piece, frames of it, and how many of the last are silent
        self._held: list[np.ndarray] = []

    @property
    def open(self) -> Piece:
        """What no pause has ended yet."""
        return Piece(self._start, np.concatenate(self._held) if self._held else np.zeros((0, 0), np.float32))

    def feed(self, logits: np.ndarray) -> list[Piece]:
        """Returns the pieces that end in the next logits (frames, labels)."""
        ended = []
        for is_silent in self._is_silent[logits.argmax(axis=1)].tolist():
            self._seen += 1
            self._run = self._run + 1 if is_silent else 0
            if self._run >= self._pause and self._seen >= self._minimum:
                ended.append(self._seen - self._run_after_cut)
                self._seen = self._run = self._run_after_cut
        self._held.append(logits)
        if not ended:
            return []
        held, pieces, begin = np.concatenate(self._held), [], 0
        for frames in ended:
            pieces.append(Piece(self._start, held[begin : begin + frames]))
            begin, self._start = begin + frames, self._start + frames
        self._held = [held[begin:]]
        return pieces


def shifted(transcript: Transcript, seconds: float) -> Transcript:
    """Returns a transcript whose words, and those of its alternatives, come so many seconds later."""
    words = [word._replace(start=word.start + seconds, end=word.end + seconds) for word in transcript.words]
    others = [shifted(each, seconds) for each in transcript.alternatives]
    return transcript._replace(words=words, alternatives=others)


def joined(parts: Sequence[Transcript], separator: str, n_best: int = 1) -> Transcript:
    """Returns the transcript of parts that follow each other, with the most probable of their combinations.

    Example:
        >>> parts = [Transcript("a", 0.5, [], [Transcript("b", 0.4, [], [])]), Transcript("c", 0.9, [], [])]
        >>> best = joined(parts, " ", n_best=2)
        >>> best.text, best.alternatives[0].text, f"{best.confidence:.2f}"
        ('a c', 'b c', '0.67')
    """
    found: list[tuple[float, list[Transcript]]] = [(0.0, [])]  # logarithm of the probability, and the readings
    for part in parts:
        readings = [(math.log(max(each.confidence, 1e-300)), each) for each in (part, *part.alternatives)]
        grown = [(before + score, path, each) for before, path in found for score, each in readings]
        best = heapq.nlargest(n_best, grown, key=lambda each: each[0])
        found = [(score, [*path, each]) for score, path, each in best]
    whole = [
        Transcript(
            separator.join(each.text for each in path if each.text),
            math.exp(score / max(len(path), 1)),
            [word for each in path for word in each.words],
            [],
        )
        for score, path in found
    ]
    return whole[0]._replace(alternatives=whole[1:])
