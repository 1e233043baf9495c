"""Transcribes recordings: a trained recogniser with its beam search, from its run or its export."""

import io
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from numbers import Real
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import models.decoding
from data.files import as_path
from models.decoding import Hypothesis
from pipelines.arguments import checked, in_range
from pipelines.predictors import BasePredictor
from pipelines.runs import Run
from pipelines.served import Served, TooLarge
from pipelines.speech import HOT_WORD_WEIGHT
from pipelines.speech.audio_files import SpeechDataError, audio_of, read_audio
from pipelines.speech.config import SpeechConfiguration
from pipelines.speech.decoder import load_decoder
from pipelines.speech.long_recordings import CONTEXT_SECONDS, Piece, Window, shifted, windows
from pipelines.speech.long_recordings import Transcript as Transcript
from pipelines.speech.model import alphabet_of_run, load_model
from pipelines.speech.resampling import resample
from pipelines.speech.serving import signatures
from pipelines.speech.streaming import Reading, Stream
from pipelines.speech.texts import normalise_text

EXAMPLE = ("transcribe", "AUDIO", "recording.wav")
READ_AHEAD = 32  # windows in memory at once, so that those of similar length share a batch
LOWEST_RATE, HIGHEST_RATE = 1000, 1_000_000  # of samples; 16 is meant in kHz
BATCH_SECONDS = 240.0  # of audio in a batch, padding included

Audio = str | Path | bytes | io.IOBase | np.ndarray
HotWords = str | Mapping[str, float] | Iterable[str] | Set[str]


class Predictor(BasePredictor):
    """Transcribes recordings; stays ready for more.

    Args:
        run: what the network was trained for.
        model: its signatures.

    Attributes:
        sample_rate: samples a second of what a stream takes.
        decoder: the beam search; replace it for another width, or other weights.
    """

    def __init__(self, run: Run, model: Served) -> None:
        super().__init__(run, model)
        configuration = run.read_configuration(SpeechConfiguration)
        self.sample_rate = configuration.features.sample_rate
        self.frame_samples, self.frame_seconds = configuration.frame_samples, configuration.frame_seconds
        self._clock = self.sample_rate, self.frame_samples
        self.alphabet = alphabet_of_run(run)
        self.separator = " " if " " in self.alphabet else ""  # of words
        self._data = configuration.data
        self.decoder = load_decoder(run)

    @checked
    def transcribe(
        self,
        audio: Audio | Iterable[Audio],
        sample_rate: float | None = None,
        n_best: int = 1,
        hot_words: HotWords = (),
    ) -> Transcript | list[Transcript]:
        """Returns the transcript of a recording, or those of several.

        Args:
            audio: a file of any format that FFmpeg reads: its path, its content as bytes, or the file, open for reading
                bytes; or an array, (samples,) or (samples, channels), of floats in −1 … 1 or of signed integers; or
                several of them. Channels are averaged.
            sample_rate: samples a second of the arrays, a whole number; they are resampled. Files have their own.
            n_best: texts to return; all but the best are in `alternatives`. There may be fewer.
            hot_words: word, phrase or several, likely to be said, such as names. With a weight in nats each, above 0,
                that the text's score gains; without, each has `HOT_WORD_WEIGHT`.

        Raises:
            SpeechDataError: a recording or a hot word cannot be used, or an array comes without its sample rate.
        """
        recordings: Sequence[Audio] = [audio] if isinstance(audio, Audio) else list(audio)
        self._refuse_bad_arguments(recordings, sample_rate, n_best)
        rate = None if sample_rate is None else int(sample_rate)
        transcripts = list(self.transcribe_each(recordings, rate, n_best, hot_words))
        return transcripts[0] if isinstance(audio, Audio) else transcripts

    def transcribe_each(
        self,
        recordings: Sequence[Audio],
        sample_rate: int | None = None,
        n_best: int = 1,
        hot_words: HotWords = (),
    ) -> Iterator[Transcript]:
        """Yields the transcripts in the order of the recordings; see `transcribe`, and `try_each`."""
        for answer in self.try_each(recordings, sample_rate, n_best, hot_words):
            if isinstance(answer, SpeechDataError):
                raise answer
            yield answer

    def try_each(
        self,
        recordings: Sequence[Audio],
        sample_rate: int | None = None,
        n_best: int = 1,
        hot_words: HotWords = (),
        progress: Callable[[int, float], None] = lambda place, seconds: None,
    ) -> Iterator[Transcript | SpeechDataError]:
        """Yields the transcript of each recording, or why it has none, in their order.

        Memory holds a few minutes of audio at once, however long the recordings. Long ones are cut at pauses.

        Args:
            recordings: as of `transcribe`.
            sample_rate: as of `transcribe`.
            n_best: as of `transcribe`.
            hot_words: as of `transcribe`.
            progress: is called with the place of a recording, and how many seconds of it have been heard.
        """
        weights = self.hot_word_weights(hot_words)
        heard = self._windows(recordings, sample_rate)
        reading: Reading | None = None
        while batch := list(itertools.islice(heard, READ_AHEAD)):
            logits = self._logits([each.window.audio for each in batch])
            for each, rows in zip(batch, logits, strict=True):
                reading = reading or Reading(self, n_best, weights)
                reading.feed(rows[each.window.counted])
                progress(each.place, reading.seconds)
                if each.end is not None:
                    yield each.end if isinstance(each.end, SpeechDataError) else reading.finish(each.end)
                    reading = None

    @property
    def streams(self) -> bool:
        """Whether the network can hear audio as it comes."""
        return "step_logits" in self._served

    def answers(self, files: Sequence[str]) -> list[dict[str, Any]]:
        """Returns the answers as JSON holds them."""
        return [
            {"text": each.text, "confidence": each.confidence, "words": [word._asdict() for word in each.words]}
            for each in self.transcribe_each(files)
        ]

    @checked
    def stream(self, hot_words: HotWords = ()) -> Stream:
        """Returns a stream that takes audio at `sample_rate` as it comes; `hot_words` as of `transcribe`.

        Raises:
            RunError: the network reads in both directions.
            SpeechDataError: a hot word cannot be used.
        """
        return Stream(self, self._served, self.hot_word_weights(hot_words))

    def decode(self, logits: np.ndarray, n_best: int = 1, hot_words: Mapping[str, float] | None = None) -> Transcript:
        """Returns the transcript of the logits (frames, labels) of one recording."""
        found = self.decoder(logits, self.alphabet, self.frame_seconds, n_best, hot_words)
        best, *others = map(_transcript, found)
        return best._replace(alternatives=others)

    def decode_piece(self, piece: Piece, n_best: int, hot_words: Mapping[str, float]) -> Transcript:
        """Returns the transcript of a piece, with times in the whole recording."""
        logits = piece.logits.reshape(-1, len(self.alphabet) + 1)
        return shifted(self.decode(logits, n_best, hot_words), piece.start * self.frame_seconds)

    def hot_word_weights(self, hot_words: HotWords) -> dict[str, float]:
        """Returns the hot words as the recogniser writes them, each with its weight.

        Raises:
            SpeechDataError: one has characters that the recogniser never writes, or a weight that is not above 0.
        """
        if isinstance(hot_words, Mapping):
            weights = list(hot_words.items())
        else:
            each = [hot_words] if isinstance(hot_words, str) else hot_words
            weights = [(word, HOT_WORD_WEIGHT) for word in each]
        if wrong := [
            (word, weight)
            for word, weight in weights
            if not isinstance(word, str) or not isinstance(weight, Real) or isinstance(weight, bool)
        ]:
            raise SpeechDataError(
                "A hot word is a text, and its weight a number of nats. Correct it: hot_words={'ada': 5}. "
                f"Received: {wrong[0]!r}"
            )
        written: dict[str, float] = {}
        given: dict[str, str] = {}  # how each was written
        for word, weight in weights:
            spelling = normalise_text(self._data, word, f"hot word {word!r}")
            if not spelling:
                raise SpeechDataError(
                    "A hot word has nothing that is said. Expected letters. Leave it out, or write it as it is said. "
                    f"Received: {word!r}"
                )
            if spelling in written and written[spelling] != weight:
                raise SpeechDataError(
                    f"The hot word {spelling!r} has two weights. Expected one. Leave out one. "
                    f"Received: {word!r}: {weight}, {given[spelling]!r}: {written[spelling]}"
                )
            written[spelling], given[spelling] = weight, word
        try:
            models.decoding.HotWords(written, self.alphabet)
        except ValueError as error:
            raise SpeechDataError(str(error)) from None
        return written

    def _windows(self, recordings: Sequence[Audio], sample_rate: int | None) -> Iterator["_Heard"]:
        """Yields the windows of all recordings, and what each ends with."""
        for place, audio in enumerate(recordings):
            notes: list[str] = []
            before = Window(np.zeros(0, np.float32), slice(0))
            end: tuple[str, ...] | SpeechDataError
            try:
                for number, window in enumerate(windows(self._read(audio, sample_rate, notes), *self._clock)):
                    if number:
                        yield _Heard(place, before)
                    before = window
                end = tuple(notes)
            except SpeechDataError as error:
                end = error
            yield _Heard(place, before, end)

    def _read(self, audio: Audio, sample_rate: int | None, notes: list[str]) -> Iterator[np.ndarray]:
        """Yields a recording as the network hears it, in parts (samples,)."""
        if not isinstance(audio, np.ndarray):
            with as_path(audio, "The recording", SpeechDataError) as path:
                yield from read_audio(path, self.sample_rate, notes)
        else:
            assert sample_rate is not None
            if not audio.size:
                raise SpeechDataError(
                    "The array is empty. Expected samples of audio. Leave it out. "
                    f"Received: {audio.dtype} {audio.shape}"
                )
            if audio.dtype == np.int32 and 0 < np.ptp(audio) < 2**16:  # −90 dB as 32 bits: never heard
                raise SpeechDataError(
                    "An array of 32-bit samples is as quiet as one of 16 bits that was converted. Expected its whole "
                    "range. Convert it: samples.astype(numpy.int16). Received: samples of at most "
                    f"{max(abs(int(audio.min())), int(audio.max()))}"
                )
            yield resample(audio_of(audio), sample_rate, self.sample_rate)

    def _logits(self, group: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Returns the logits (frames, labels) of recordings (samples,), those of similar length in one batch."""
        found: dict[int, np.ndarray] = {}
        for places in self._batches([len(audio) for audio in group]):
            found.update(zip(places, self._logits_at_once([group[place] for place in places]), strict=True))
        return [found[place] for place in range(len(group))]

    def _logits_at_once(self, batch: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Returns the logits (frames, labels) of a batch, which is divided if a server takes less in one request."""
        samples = max(map(len, batch))
        padded = np.stack([np.pad(audio, (0, samples - len(audio))) for audio in batch])
        try:
            answer = self._served("logits", audio=padded, lengths=list(map(len, batch)))
        except TooLarge:
            if (middle := len(batch) // 2) > 0:
                return self._logits_at_once(batch[:middle]) + self._logits_at_once(batch[middle:])
            if (quarter := samples / self.sample_rate / 4) < CONTEXT_SECONDS:  # a part would not be shorter
                raise
            parts = windows(batch, *self._clock, quarter)
            return [np.concatenate([self._logits_at_once([part.audio])[0][part.counted] for part in parts])]
        return [row[:frames] for frames, row in zip(answer["frames"], answer["logits"], strict=True)]

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

    def _refuse_bad_arguments(self, recordings: Sequence[Audio], sample_rate: float | None, n_best: int) -> None:
        if wrong := [each for each in recordings if not isinstance(each, Audio)]:
            raise SpeechDataError(
                "A recording is neither a file nor an array. Expected a path, bytes, or a NumPy array and its rate: "
                "transcribe(numpy.asarray(samples), sample_rate=16000). Convert it, or write it to a file. "
                f"Received: {type(wrong[0]).__name__}"
            )
        if "" in [each for each in recordings if isinstance(each, str)]:
            raise SpeechDataError("A path is empty. Expected that of a recording. Name it. Received: ''")
        has_arrays = any(isinstance(each, np.ndarray) for each in recordings)
        usable = sample_rate is not None and LOWEST_RATE <= sample_rate <= HIGHEST_RATE and sample_rate % 1 == 0
        if has_arrays and not usable:
            what = (
                "An array of audio does not tell its sample rate"
                if sample_rate is None
                else "No audio has this sample rate"
            )
            raise SpeechDataError(
                f"{what}. Expected samples a second, a whole number, {LOWEST_RATE} to {HIGHEST_RATE}. "
                f"Give it: transcribe(audio, sample_rate=16000). Received: sample_rate={sample_rate}"
            )
        if sample_rate is not None and not has_arrays:
            raise SpeechDataError(
                "The sample rate belongs to no array: a file has its own. Expected none. Leave it out. "
                f"Received: sample_rate={sample_rate}"
            )
        in_range("n_best", n_best, 1)


class _Heard(NamedTuple):
    """A window of the recording at some place; of the last also the notes on its file, or why there is no more."""

    place: int
    window: Window
    end: tuple[str, ...] | SpeechDataError | None = None


def _transcript(hypothesis: Hypothesis) -> Transcript:
    return Transcript(hypothesis.text, hypothesis.confidence, hypothesis.words, [])


def load(run: Run) -> Predictor:
    """Returns the predictor of a finished run."""
    return Predictor(run, Served(signatures(load_model(run), load_decoder(run))))
