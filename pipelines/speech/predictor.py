"""Transcribes recordings: a trained recogniser with its beam search, from its run or its export."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import models.decoding
from models.decoding import Hypothesis, Word
from pipelines import hints
from pipelines.arguments import checked, in_range
from pipelines.runs import Run, RunError
from pipelines.served import Served, initial_state
from pipelines.speech import HOT_WORD_WEIGHT
from pipelines.speech.audio_files import SpeechDataError, audio_of, load_audio, resample
from pipelines.speech.config import SpeechConfiguration
from pipelines.speech.decoder import load_decoder
from pipelines.speech.serving import signatures
from pipelines.speech.texts import normalise_text
from pipelines.speech.trained import alphabet_of_run, load_model

EXAMPLE = ("transcribe", "AUDIO", "recording.wav")
READ_AHEAD = 32  # recordings in memory at once, so that those of similar length share a batch
BATCH_SECONDS = 120.0  # of seconds of audio in a batch, padding included; a longer recording is a batch of its own

Audio = str | Path | np.ndarray
HotWords = Mapping[str, float] | Iterable[str]


class Transcript(NamedTuple):
    """What a recording says.

    Attributes:
        text: the most probable text.
        confidence: its share in the probability of all texts that were considered, in [0, 1].
        words: the words, each with `text`, `start` and `end` in seconds, and `confidence` in [0, 1].
        alternatives: the next most probable texts, most probable first, as many as were asked for.
    """

    text: str
    confidence: float
    words: list[Word]
    alternatives: list["Transcript"]


class Predictor:
    """Transcribes recordings; stays ready for more.

    Args:
        run: what the network was trained for.
        model: its signatures.
    """

    def __init__(self, run: Run, model: Served) -> None:
        configuration = run.read_configuration(SpeechConfiguration)
        self.sample_rate = configuration.features.sample_rate
        self.frame_samples, self.frame_seconds = configuration.frame_samples, configuration.frame_seconds
        self.alphabet = alphabet_of_run(run)
        self._data = configuration.data
        self._decoder = load_decoder(run)
        self._served = model

    @checked
    def transcribe(
        self,
        audio: Audio | Sequence[Audio],
        sample_rate: int | None = None,
        n_best: int = 1,
        hot_words: HotWords = (),
    ) -> Transcript | list[Transcript]:
        """Returns the transcript of a recording, or those of several.

        Args:
            audio: a file of any format that FFmpeg reads, or an array, (samples,) or (samples, channels), of
                floats in −1 … 1 or of signed integers; or a list of them. Channels are averaged.
            sample_rate: samples a second of the arrays, which are resampled; files have their own.
            n_best: texts to return; all but the best are in `alternatives`. There may be fewer.
            hot_words: words or phrases that are likely to be said, such as names. With a weight in nats each, above 0,
                that the text's score gains; without, each has `HOT_WORD_WEIGHT`.

        Raises:
            SpeechDataError: a recording or a hot word cannot be used, or an array comes without its sample rate.
        """
        recordings: Sequence[Audio] = [audio] if isinstance(audio, Audio) else audio
        self._refuse_bad_arguments(recordings, sample_rate, n_best)
        transcripts = list(self.transcribe_each(recordings, sample_rate, n_best, hot_words))
        return transcripts[0] if isinstance(audio, Audio) else transcripts

    def transcribe_each(
        self,
        recordings: Sequence[Audio],
        sample_rate: int | None = None,
        n_best: int = 1,
        hot_words: HotWords = (),
    ) -> Iterator[Transcript]:
        """Yields the transcripts in the order of the recordings, a few of which are in memory at once."""
        weights = self.hot_word_weights(hot_words)
        for start in range(0, len(recordings), READ_AHEAD):
            group = [self._load(each, sample_rate) for each in recordings[start : start + READ_AHEAD]]
            logits: dict[int, np.ndarray] = {}
            for places in self._batches([len(audio) for audio in group]):
                samples = max(len(group[place]) for place in places)
                padded = np.stack([np.pad(group[place], (0, samples - len(group[place]))) for place in places])
                answer = self._served("logits", audio=padded, lengths=[len(group[place]) for place in places])
                for place, frames, row in zip(places, answer["frames"], answer["logits"], strict=True):
                    logits[place] = row[:frames]
            for place in range(len(group)):
                yield self.decode(logits.pop(place), n_best, weights)

    def answers(self, files: Sequence[str]) -> list[dict[str, Any]]:
        """Returns the answers as JSON holds them."""
        return [
            {"text": each.text, "confidence": each.confidence, "words": [word._asdict() for word in each.words]}
            for each in self.transcribe_each(files)
        ]

    @checked
    def stream(self, hot_words: HotWords = ()) -> "Stream":
        """Returns a stream that takes audio at `sample_rate` as it comes; `hot_words` as of `transcribe`.

        Raises:
            RunError: the network reads in both directions.
            SpeechDataError: a hot word cannot be used.
        """
        return Stream(self, self._served, self.hot_word_weights(hot_words))

    def decode(self, logits: np.ndarray, n_best: int = 1, hot_words: Mapping[str, float] | None = None) -> Transcript:
        """Returns the transcript of the logits (frames, labels) of one recording."""
        found = self._decoder(logits, self.alphabet, self.frame_seconds, n_best, hot_words)
        best, *others = map(_transcript, found)
        return best._replace(alternatives=others)

    def hot_word_weights(self, hot_words: HotWords) -> dict[str, float]:
        """Returns the hot words as the recogniser writes them, each with its weight.

        Raises:
            SpeechDataError: one has characters that the recogniser never writes, or a weight that is not above 0.
        """
        weights = hot_words if isinstance(hot_words, Mapping) else dict.fromkeys(hot_words, HOT_WORD_WEIGHT)
        written = {normalise_text(self._data, word, f"hot word {word!r}"): weight for word, weight in weights.items()}
        try:
            models.decoding.HotWords(written, self.alphabet)
        except ValueError as error:
            raise SpeechDataError(str(error)) from None
        return written

    def _load(self, audio: Audio, sample_rate: int | None) -> np.ndarray:
        """Returns a recording (samples,) as the network hears it."""
        if isinstance(audio, str | Path):
            return load_audio(audio, self.sample_rate)
        assert sample_rate is not None
        return resample(audio_of(audio), sample_rate, self.sample_rate)

    def _batches(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """Yields the places of recordings of similar length, within `BATCH_SECONDS` with their padding."""
        limit = BATCH_SECONDS * self.sample_rate
        batch: list[int] = []
        for place in np.argsort(lengths, kind="stable").tolist():  # the last one is the longest
            if batch and (len(batch) + 1) * lengths[place] > limit:
                yield batch
                batch = []
            batch.append(place)
        yield batch

    def _refuse_bad_arguments(self, recordings: Sequence[Audio], sample_rate: int | None, n_best: int) -> None:
        if wrong := [each for each in recordings if not isinstance(each, Audio)]:
            raise SpeechDataError(
                "A recording is neither a file nor an array. Expected a path or a NumPy array. Convert it: "
                f"numpy.asarray(samples). Received: {type(wrong[0]).__name__}"
            )
        has_arrays = any(isinstance(each, np.ndarray) for each in recordings)
        if has_arrays and (sample_rate is None or sample_rate <= 0):
            raise SpeechDataError(
                "An array of audio needs its samples a second. Expected a positive sample_rate. Give it: "
                f"transcribe(audio, sample_rate=16000). Received: {sample_rate}"
            )
        if sample_rate is not None and not has_arrays:
            raise SpeechDataError(
                "The sample rate belongs to no array: a file has its own. Expected none. Leave it out. "
                f"Received: sample_rate={sample_rate}"
            )
        in_range("n_best", n_best, 1)


class Stream:
    """Transcribes audio as it comes.

    Args:
        predictor: whose stream it is.
        model: the signatures.
        hot_words: as of `Predictor.decode`.

    Raises:
        RunError: the network reads in both directions.
    """

    def __init__(self, predictor: Predictor, model: Served, hot_words: Mapping[str, float] | None = None) -> None:
        if "step_logits" not in model:
            raise RunError(
                "The network reads a recording in both directions, so it needs the whole of it. Expected one that "
                f"reads forwards. Train one: {hints.command('train', 'speech', 'streaming')}; or use transcribe. "
                "Received: network.bidirectional = True"
            )
        self._predictor, self._served, self._hot_words = predictor, model, hot_words
        self._state = initial_state(model)
        self._rest = np.zeros(0, np.float32)  # samples that do not fill a frame yet
        self._logits: list[np.ndarray] = []
        self._text = ""

    def feed(self, chunk: np.ndarray) -> str:
        """Takes the next samples at the predictor's `sample_rate`, as many as there are; returns the text so far.

        The text is that of the best label of each frame; `finish` decodes with the language model.

        Args:
            chunk: (samples,) or (samples, channels), as an array of `Predictor.transcribe`.

        Raises:
            SpeechDataError: the chunk cannot be used.
        """
        samples = np.concatenate([self._rest, audio_of(chunk)])
        whole = len(samples) - len(samples) % self._predictor.frame_samples
        self._rest = samples[whole:]
        if whole:
            answer = self._served("step_logits", audio=samples[np.newaxis, :whole], **self._state)
            self._logits.append(answer["logits"][0])
            self._text += answer["text"][0].decode()
            self._state = {name: answer[name] for name in self._state}
        return self._text

    def finish(self) -> Transcript:
        """Returns the transcript of all that was fed, the same as `Predictor.transcribe` returns of the whole.

        As there, samples at the end that do not fill a frame (at most `frame_seconds`) are not heard.
        """
        labels = len(self._predictor.alphabet) + 1
        logits = np.concatenate([np.zeros((0, labels), np.float32), *self._logits])
        return self._predictor.decode(logits, hot_words=self._hot_words)


def _transcript(hypothesis: Hypothesis) -> Transcript:
    return Transcript(hypothesis.text, hypothesis.confidence, hypothesis.words, [])


def load(run: Run) -> Predictor:
    """Returns the predictor of a finished run."""
    return Predictor(run, Served(signatures(load_model(run))))
