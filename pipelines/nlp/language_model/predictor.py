"""Continues texts, and tells how probable they are: a trained language model, from its run or its export."""

import codecs
from collections.abc import Iterable, Iterator, Sequence, Set
from typing import Any, NamedTuple

import numpy as np

from pipelines import served
from pipelines.arguments import checked, in_range
from pipelines.configuration import ConfigurationError
from pipelines.nlp.batches import by_length
from pipelines.nlp.language_model.data import BOUNDARY
from pipelines.nlp.language_model.generation import Candidate, beam_search
from pipelines.nlp.language_model.model import load_model
from pipelines.nlp.language_model.network import LONGEST_TEXT, MOST_SAMPLES, WIDEST_BEAM, SamplingConfiguration
from pipelines.nlp.language_model.serving import signatures
from pipelines.nlp.texts import checked_texts
from pipelines.predictors import BasePredictor, BaseStream
from pipelines.runs import Run
from pipelines.served import Served

EXAMPLE = ("generate", "PROMPT", '"In the beginning"')


class Score(NamedTuple):
    """How probable a text is.

    Attributes:
        log_probability: of a document that begins with the text, in nats.
        bits_per_character: its negative, in bits, by the characters of the text; 0 for a text without any.
    """

    log_probability: float
    bits_per_character: float


class Predictor(BasePredictor):
    """Continues and scores texts; stays ready for more."""

    @checked
    def generate(
        self,
        prompt: str | Iterable[str] = "",
        *,
        length: int = 200,
        temperature: float = 0.8,
        top_k: int = 0,
        top_p: float = 0.95,
        repetition_penalty: float = 1.0,
        no_repeat_ngram: int = 0,
        seed: int = 0,
        stop: str | Iterable[str] | Set[str] = (),
        samples: int = 1,
        stream: bool = False,
    ) -> str | list[str] | list[list[str]] | Iterator[str]:
        """Returns what follows a prompt, without the prompt itself, or what follows each of several.

        The same seed gives the same text, whether it is generated alone, among others or as a stream::

            for piece in unrolled.load("language-model").generate("In the beginning", stream=True):
                print(piece, end="")

        Args:
            prompt: what the text begins with; "": nothing. Or several of them.
            length: subwords at most, of about four characters each, up to 100,000; a text may end before.
            temperature: below 1: more predictable, above 1: more varied; 0: always the most probable subword.
            top_k: number of most probable subwords to choose from; 0: all.
            top_p: choose among the most probable subwords that have this share of the probability.
            repetition_penalty: from 1, which is none; makes what was written lately less probable.
            no_repeat_ngram: no stretch of so many subwords is written a second time; 0: any may be.
            seed: of the draws; of several samples, the first one's.
            stop: the text ends before any of these strings.
            samples: how many texts follow each prompt, up to 1,000, with seeds one after the other; of more than one a
                list.
            stream: return an iterator of pieces, each as soon as it is drawn; of one prompt.

        Raises:
            ConfigurationError: an argument is out of range, or a prompt is not a string of UTF-8.
        """
        sampling = SamplingConfiguration(
            length=length,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            repetition_penalty=repetition_penalty,
            no_repeat_ngram=no_repeat_ngram,
            seed=seed,
        )
        stops = _checked_stops([stop] if isinstance(stop, str) else stop)
        in_range("samples", samples, 1, 1 if stream else MOST_SAMPLES)
        if not isinstance(prompt, str):
            prompts = checked_texts(prompt)
            if stream:
                raise ConfigurationError(
                    "One text at a time is streamed. Expected a prompt. Stream them one after the other, or leave out "
                    f"stream=True. Received: {len(prompts)} prompts"
                )
            return self._sampled(prompts, sampling, stops, samples)
        return self.pieces(prompt, sampling, stops) if stream else self._sampled([prompt], sampling, stops, samples)[0]

    def _sampled(
        self, prompts: Sequence[str], sampling: SamplingConfiguration, stop: Sequence[str], samples: int
    ) -> list[Any]:
        drawn = [self.continuations(prompts, each, stop) for each in sampling.seeded(samples)]
        return drawn[0] if samples == 1 else [list(texts) for texts in zip(*drawn, strict=True)]

    @checked
    def score(self, texts: str | Iterable[str]) -> Score | list[Score]:
        """Returns how probable a text is, or each of several; the end of the text is not counted.

        Args:
            texts: one; or any number of them, such as a list or a pandas column.

        Raises:
            ConfigurationError: a text is not a string of UTF-8.
        """
        several = checked_texts([texts] if isinstance(texts, str) else texts)

        def scored(batch: list[str]) -> Iterator[Score]:
            answer = self._served("serving_default", text=batch)
            return map(Score, answer["log_probability"].tolist(), answer["bits_per_character"].tolist())

        scores = by_length(several, scored)
        return scores[0] if isinstance(texts, str) else scores

    def stream(self) -> "Stream":
        """Returns a stream that scores a text while it is being written."""
        return Stream(self._served)

    @checked
    def most_probable(self, prompt: str = "", *, length: int = 200, beam: int = 4) -> list[Candidate]:
        """Returns the most probable continuations of a prompt that a beam finds, the best first.

        Args:
            prompt: what the text begins with.
            length: subwords at most.
            beam: candidates that are kept after each subword, up to 1,000; more find better ones, and take longer.

        Raises:
            ConfigurationError: the prompt is not a string of UTF-8, or a number is below 1.
        """
        in_range("beam", beam, 1, WIDEST_BEAM)
        in_range("length", length, 1, LONGEST_TEXT)
        return beam_search(self._served, checked_texts([prompt])[0], length, beam)

    def continuations(
        self, prompts: Sequence[str], sampling: SamplingConfiguration, stop: Sequence[str] = ()
    ) -> list[str]:
        """Returns what follows each of several prompts, as `generate` does."""
        prompts = checked_texts(prompts)
        if stop:  # as soon as it is there, nothing more is drawn
            return ["".join(self.pieces(prompt, sampling, stop)) for prompt in prompts]

        def continued(batch: list[str]) -> list[str]:
            answer = self._served("generate", prompt=batch, **self._options("generate", sampling, len(batch)))
            return [text.decode() for text in answer["text"]]

        return by_length(prompts, continued)

    def pieces(self, prompt: str, sampling: SamplingConfiguration, stop: Sequence[str] = ()) -> Iterator[str]:
        """Returns an iterator of what follows a prompt, whole characters as soon as they are drawn."""
        drawn = self._pieces(checked_texts([prompt])[0], sampling)  # which refuses now, not when the first is asked for
        return until(drawn, stop) if stop else drawn

    def _pieces(self, prompt: str, sampling: SamplingConfiguration) -> Iterator[str]:
        options = self._options("sample", sampling, 1)
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        begun = self._served("prefill", prompt=[prompt])
        for step in range(sampling.length):
            logits = begun.pop("logits")
            number = self._served("sample", logits=logits, written=begun["written"], step=[step], **options)["number"]
            if number[0] == BOUNDARY:
                break
            begun = self._served("advance", number=number, **begun)
            if text := decoder.decode(begun.pop("piece")[0]):
                yield text
        if text := decoder.decode(b"", final=True):
            yield text

    def _options(self, name: str, sampling: SamplingConfiguration, rows: int) -> dict[str, list[Any]]:
        """The options of a signature for each row; exports from before n-grams were blocked do without that one."""
        known = self._served.inputs(name)
        if sampling.no_repeat_ngram and "no_repeat_ngram" not in known:
            raise ConfigurationError(
                "The export is older than no_repeat_ngram. Expected none. Export the run again, or leave it out. "
                f"Received: {sampling.no_repeat_ngram}"
            )
        return {option: [value] * rows for option, value in sampling if option in known}


def until(pieces: Iterable[str], stop: Sequence[str]) -> Iterator[str]:
    """Yields pieces up to the first of some strings, which may be spread over several.

    Example:
        >>> "".join(until(["one. Tw", "o. T", "hree"], ["Three", "Twx"]))
        'one. Two. '
    """
    held = ""
    for piece in pieces:
        held += piece
        found = [(held.find(each) + len(each), held.find(each)) for each in stop if each in held]
        if found:  # the one that ends first, as if characters came one by one
            yield held[: min(found)[1]]
            return
        # What may begin one of them waits.
        kept = max(
            (size for each in stop for size in range(1, min(len(each), len(held) + 1)) if held.endswith(each[:size])),
            default=0,
        )
        if len(held) > kept:
            yield held[: len(held) - kept]
            held = held[len(held) - kept :]
    yield held


def _checked_stops(stop: Iterable[str]) -> list[str]:
    stops = checked_texts(stop)
    if not all(stops):
        raise ConfigurationError(
            f"An empty string to stop at would end every text at once. Expected characters. Leave it out. "
            f"Received: {stops}"
        )
    return stops


class Stream(BaseStream):
    """Scores a text piece by piece."""

    def __init__(self, model: Served) -> None:
        self._stream = served.Stream(model)
        self._log_probability, self._characters = 0.0, 0

    @checked
    def feed(self, text: str) -> float:
        """Takes the next piece of the text, cut anywhere, and returns the log probability of what it has read more.

        It reads up to the last white space; the word behind that waits for its end.

        Raises:
            ConfigurationError: the piece is not a string of UTF-8, or the stream has finished.
        """
        self._refuse_finished()
        checked_texts([text])
        self._characters += len(text)
        return self._read(text, final=False)

    def finish(self) -> Score:
        """Returns how probable the whole text is.

        Raises:
            ConfigurationError: the stream has finished.
        """
        self._refuse_finished()
        self._finished = True
        self._read("", final=True)
        bits = -self._log_probability / np.log(2)
        return Score(self._log_probability, float(bits / self._characters) if self._characters else 0.0)

    def _read(self, text: str, final: bool) -> float:
        added = float(self._stream.step(text=[text], final=[final])["log_probability"][0])
        self._log_probability += added
        return added


def load(run: Run) -> Predictor:
    """Returns the predictor of a finished run."""
    return Predictor(run, Served(signatures(load_model(run))))
