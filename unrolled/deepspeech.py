"""The Python interface of Mozilla's DeepSpeech 0.9 over a recogniser of ours: change the import, keep the program.

    from unrolled.deepspeech import Model            # before: from deepspeech import Model

    model = Model("exports/speech-own")
    stream = model.createStream()
    stream.feedAudioContent(samples)                 # int16, at model.sampleRate()
    stream.intermediateDecode()
    stream.finishStream()

See docs/deepspeech.md for what differs.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import unrolled
from pipelines.arguments import checked, in_range
from pipelines.configuration import ConfigurationError
from pipelines.speech.long_recordings import joined
from serving import client

Audio = np.ndarray | bytes


class TokenMetadata(NamedTuple):
    """A character, the frame in which it starts, and that time in seconds."""

    text: str
    timestep: int
    start_time: float


class CandidateTranscript(NamedTuple):
    """A reading: its characters, and its share in the probability of all readings, in [0, 1]."""

    tokens: list[TokenMetadata]
    confidence: float


class Metadata(NamedTuple):
    """The readings of a recording, the most probable first."""

    transcripts: list[CandidateTranscript]


class Model:
    """A recogniser with the methods of `deepspeech.Model`.

    Args:
        aModelPath: an export, `exports/NAME`; a run's folder; "speech", the latest run; or the URL of a server, or of
            a model on it, `http://HOST:PORT/NAME`. Default of the name: its only recogniser.

    Raises:
        ConfigurationError: it is a file of DeepSpeech, whose weights fit no network of ours, or there is none.
        RunError: the server cannot be reached, refuses the token, or has no recogniser or several.
    """

    @checked
    def __init__(self, aModelPath: str | Path) -> None:
        path = str(aModelPath)
        if path.endswith((".pbmm", ".pb", ".tflite", ".scorer")):
            raise ConfigurationError(
                "A file of DeepSpeech is no model of ours. Expected the folder of an export. Train on the CSV files "
                f"that DeepSpeech was trained on: unrolled train speech own --data.path train.csv. Received: {path!r}"
            )
        self._predictor = client.connect(path, task="speech") if "://" in path else unrolled.load(path)
        if not hasattr(self._predictor, "transcribe"):
            raise ConfigurationError(
                "The model does not transcribe. Expected one of the task speech. Name such an export. "
                f"Received: {path!r}"
            )
        self._hot_words: dict[str, float] = {}

    def sampleRate(self) -> int:
        """Returns how many samples a second all audio has."""
        return self._predictor.sample_rate

    def beamWidth(self) -> int:
        """Returns how many readings are kept at each frame."""
        return self._predictor.decoder.beam_width

    @checked
    def setBeamWidth(self, beam_width: int) -> int:
        """Sets how many readings are kept at each frame."""
        in_range("beam_width", beam_width, 1)
        self._set(beam_width=beam_width)
        return 0

    @checked
    def setScorerAlphaBeta(self, alpha: float, beta: float) -> int:
        """Sets the weight of the language model, and the bonus of each character (DeepSpeech: of each word)."""
        in_range("alpha", alpha, 0)
        self._set(language_model_weight=alpha, insertion_bonus=beta)
        return 0

    def enableExternalScorer(self, scorer_path: str) -> int:
        """Refuses a file of DeepSpeech: a recogniser brings its language model along."""
        raise ConfigurationError(
            "A scorer of DeepSpeech fits no recogniser of ours, which has a language model of its own. Expected none. "
            "Leave the call out; for texts of your own: unrolled evaluate speech --decoding.texts texts.txt. "
            f"Received: {str(scorer_path)!r}"
        )

    def disableExternalScorer(self) -> int:
        """Lets the network alone decide, without its language model."""
        self._set(language_model=None)
        return 0

    @checked
    def addHotWord(self, word: str, boost: float) -> int:
        """Prefers a word; its boost is what the text's score gains, in nats, above 0."""
        self._predictor.hot_word_weights({word: boost})
        self._hot_words[word] = boost
        return 0

    @checked
    def eraseHotWord(self, word: str) -> int:
        """No longer prefers a word."""
        if word not in self._hot_words:
            known = ", ".join(self._hot_words) or "none: add it first"
            raise ConfigurationError(f"The word is no hot word. Expected one of: {known}. Received: {word!r}")
        del self._hot_words[word]
        return 0

    def clearHotWords(self) -> int:
        """No longer prefers any word."""
        self._hot_words.clear()
        return 0

    @checked
    def stt(self, audio_buffer: Audio) -> str:
        """Returns the text of a recording, int16 (samples,)."""
        return self._transcribe(audio_buffer, 1).text

    @checked
    def sttWithMetadata(self, audio_buffer: Audio, num_results: int = 1) -> Metadata:
        """Returns the readings of a recording, at most `num_results`."""
        best = self._transcribe(audio_buffer, num_results)
        return Metadata([self._candidate(each) for each in (best, *best.alternatives)])

    def createStream(self) -> "Stream":
        """Returns a stream.

        Raises:
            RunError: the network reads in both directions; the error names the preset that streams.
        """
        stream = self._predictor.stream(hot_words=self._hot_words)
        return Stream(stream, self._candidate, self._predictor.separator)

    def _transcribe(self, audio: Audio, num_results: int) -> Any:
        return self._predictor.transcribe(samples(audio), self.sampleRate(), num_results, self._hot_words)

    def _set(self, **changes: Any) -> None:
        self._predictor.decoder = self._predictor.decoder._replace(**changes)

    def _candidate(self, transcript: Any) -> CandidateTranscript:
        tokens = [
            TokenMetadata(character, round(start / self._predictor.frame_seconds), start)
            for character, start in characters(transcript.words)
        ]
        return CandidateTranscript(tokens, transcript.confidence)


class Stream:
    """A stream with the methods of `deepspeech.Stream`; see `Model.createStream`."""

    def __init__(self, stream: Any, candidate: Callable[[Any], CandidateTranscript], separator: str) -> None:
        self._stream, self._candidate, self._separator = stream, candidate, separator
        self._ended: list[Any] = []

    @checked
    def feedAudioContent(self, audio_buffer: Audio) -> None:
        """Takes the next samples, int16 (samples,)."""
        self._open().feed(samples(audio_buffer))

    def intermediateDecode(self) -> str:
        """Returns the text so far; its last words may still change."""
        return self._so_far().text

    def intermediateDecodeWithMetadata(self, num_results: int = 1) -> Metadata:
        """Returns the best reading so far."""
        self._refuse_several(num_results)
        return Metadata([self._candidate(self._so_far())])

    def finishStream(self) -> str:
        """Returns the text of all that was fed, and ends the stream."""
        return self._finish().text

    def finishStreamWithMetadata(self, num_results: int = 1) -> Metadata:
        """Returns the best reading of all that was fed, and ends the stream."""
        self._refuse_several(num_results)
        return Metadata([self._candidate(self._finish())])

    def freeStream(self) -> None:
        """Ends the stream without an answer."""
        self._open()
        self._stream = None

    def _finish(self) -> Any:
        transcript, self._stream = self._open().finish(), None
        return transcript

    def _so_far(self) -> Any:
        stream = self._open()
        self._ended += stream.ended()
        return joined([*self._ended, stream.open()], self._separator, 1)

    def _open(self) -> Any:
        if self._stream is None:
            raise RuntimeError("Stream object is not valid. Trying to feed an already finished stream?")
        return self._stream

    def _refuse_several(self, num_results: int) -> None:
        if num_results != 1:
            raise ConfigurationError(
                "A stream has one reading. Expected num_results=1. For several, keep the samples, and ask "
                f"Model.sttWithMetadata. Received: {num_results!r}"
            )


def samples(audio: Audio) -> np.ndarray:
    """Returns samples as an array; bytes hold 16-bit ones.

    Raises:
        ConfigurationError: the bytes end within a sample.
    """
    if not isinstance(audio, bytes):
        return audio
    if len(audio) % 2:
        raise ConfigurationError(
            f"audio_buffer: expected two bytes for each sample, int16. Pass whole samples. Received: {len(audio)} bytes"
        )
    return np.frombuffer(audio, np.int16)


def characters(words: Any) -> Iterator[tuple[str, float]]:
    """Yields characters with their starts in seconds: a word's time is shared out evenly among its characters.

    Example:
        >>> from models.decoding import Word
        >>> list(characters([Word("ab", 0.5, 1.0, 0.9), Word("c", 2.0, 2.5, 0.8)]))
        [('a', 0.5), ('b', 0.75), (' ', 1.0), ('c', 2.0)]
    """
    before = None
    for word in words:
        if before is not None:
            yield " ", before.end
        for place, character in enumerate(word.text):
            yield character, word.start + place * (word.end - word.start) / len(word.text)
        before = word
