"""Logits that come: of a recording that is read in parts, and of audio as it is said."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from models.decoding.search_stream import PAUSE_SECONDS
from pipelines import hints
from pipelines.predictors import BaseStream
from pipelines.runs import RunError
from pipelines.served import Served, initial_state
from pipelines.speech.audio_files import audio_of
from pipelines.speech.long_recordings import PIECE_SECONDS, Piece, Pieces, Transcript, joined

PIECES_WAITING = 30  # of a stream, some ten minutes: who asks for its utterances may never ask for the whole


class Decoding(Protocol):
    """What logits are decoded with: a `Predictor`."""

    alphabet: tuple[str, ...]
    separator: str
    frame_seconds: float
    frame_samples: int

    def decode_piece(self, piece: Piece, n_best: int, hot_words: Mapping[str, float]) -> Transcript:
        """Returns the transcript of a piece, with times in the whole recording."""


class Reading:
    """Transcribes the logits of one recording, as they come.

    Args:
        predictor: what they are decoded with.
        n_best: texts to return.
        hot_words: as of `Predictor.decode`.
        waiting: pieces that are decoded only when they are asked for, as they may never be.
    """

    def __init__(self, predictor: Decoding, n_best: int, hot_words: Mapping[str, float], waiting: int = 0) -> None:
        self._predictor, self._n_best, self._hot_words = predictor, n_best, hot_words
        self._pieces = Pieces(predictor.alphabet, predictor.frame_seconds, PIECE_SECONDS)
        self._most_waiting, self._waiting = waiting, list[Piece]()
        self._found: list[Transcript] = []
        self.seconds = 0.0  # that have been heard

    def feed(self, logits: np.ndarray) -> None:
        """Takes the next logits (frames, labels)."""
        self.seconds += len(logits) * self._predictor.frame_seconds
        self._waiting += self._pieces.feed(logits)
        while len(self._waiting) > self._most_waiting:
            self._found.append(self._transcript(self._waiting.pop(0)))

    def finish(self, notes: tuple[str, ...] = ()) -> Transcript:
        """Returns the transcript of all logits."""
        found = [*self._found, *map(self._transcript, [*self._waiting, self._pieces.open])]
        whole = found[0] if len(found) == 1 else joined(found, self._predictor.separator, self._n_best)
        return whole._replace(notes=notes)

    def _transcript(self, piece: Piece) -> Transcript:
        return self._predictor.decode_piece(piece, self._n_best, self._hot_words)


class Stream(BaseStream):
    """Transcribes audio as it comes.

    Args:
        predictor: whose stream it is.
        model: the signatures.
        hot_words: as of `Predictor.decode`.

    Raises:
        RunError: the network reads in both directions.
    """

    def __init__(self, predictor: Decoding, model: Served, hot_words: Mapping[str, float] | None = None) -> None:
        if "step_logits" not in model:
            raise RunError(
                "The network reads a recording in both directions, so it needs the whole of it. Expected one that "
                f"reads forwards. Train one: {hints.command('train', 'speech', 'streaming')}; or use transcribe. "
                "Received: network.bidirectional = True"
            )
        self._predictor, self._served, self._hot_words = predictor, model, hot_words or {}
        self._state: dict[str, Any] = initial_state(model)
        if self._hot_words and "initial_state_hot_words" in model:
            words, weights = [list(self._hot_words)], [list(self._hot_words.values())]
            self._state = model("initial_state_hot_words", streams=[0], hot_words=words, hot_word_weights=weights)
        self._rest = np.zeros(0, np.float32)  # samples that do not fill a frame yet
        self._reading = Reading(predictor, 1, self._hot_words, PIECES_WAITING)
        self._utterances = Pieces(predictor.alphabet, predictor.frame_seconds, PAUSE_SECONDS)
        self._ended: list[Piece] = []
        self._text, self._still_open = "", ""

    def feed(self, chunk: np.ndarray) -> str:
        """Takes the next samples at the predictor's `sample_rate`, as many as there are; returns the text so far.

        Its last words may still change. An export of before 0.2 has no search; its text is that of the best label of
        each frame, and only `ended` and `finish` decode with the language model.

        Args:
            chunk: (samples,) or (samples, channels), as an array of `Predictor.transcribe`.

        Raises:
            SpeechDataError: the chunk cannot be used.
            ConfigurationError: the stream has finished.
        """
        self._refuse_finished()
        samples = np.concatenate([self._rest, audio_of(chunk)])
        whole = len(samples) - len(samples) % self._predictor.frame_samples
        self._rest = samples[whole:]
        if whole:
            answer, self._state = self._served.step("step_logits", self._state, audio=samples[np.newaxis, :whole])
            self._reading.feed(answer["logits"][0])
            self._ended += self._utterances.feed(answer["logits"][0])
            self._text += answer["text"][0].decode()
            self._still_open = answer["open"][0].decode() if "open" in answer else ""
        return self._text + self._still_open

    def ended(self) -> list[Transcript]:
        """Returns the utterances that a pause has ended since the last call, with times since the stream began."""
        ended, self._ended = self._ended, []
        found = [self._predictor.decode_piece(piece, 1, self._hot_words) for piece in ended]
        return [utterance for utterance in found if utterance.text]

    def open(self) -> Transcript:
        """Returns the utterance that no pause has ended yet; its last words may still change."""
        return self._predictor.decode_piece(self._utterances.open, 1, self._hot_words)

    def finish(self) -> Transcript:
        """Returns the transcript of all that was fed, the same as `Predictor.transcribe` returns of the whole.

        As there, samples at the end that do not fill a frame (at most `frame_seconds`) are not heard.

        Raises:
            ConfigurationError: the stream has finished.
        """
        self._refuse_finished()
        self._finished = True
        return self._reading.finish()
