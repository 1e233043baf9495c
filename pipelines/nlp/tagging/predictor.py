"""Tags the words of texts: a trained tagger, from its run or its export."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from pipelines.arguments import checked
from pipelines.configuration import ConfigurationError
from pipelines.nlp.batches import by_length
from pipelines.nlp.tagged_files import Sentence, spans_of
from pipelines.nlp.tagging.model import load_model
from pipelines.nlp.tagging.serving import signatures
from pipelines.nlp.texts import checked_texts
from pipelines.predictors import BasePredictor
from pipelines.preparation import description_of
from pipelines.runs import Run
from pipelines.served import Served

PARTS = ("words", "tags", "starts", "ends", "probabilities")
EXAMPLE = ("tag", "TEXT", '"The jury praised the city."')


class Span(NamedTuple):
    """A labelled part of a text, from character `start` to before `end`.

    `probability` is that of its least certain word.
    """

    start: int
    end: int
    text: str
    label: str
    probability: float


class Tagging(NamedTuple):
    """The answer to a text: its `words`, the `tags` of them, and its labelled `spans`.

    Where the tags are those of spans (B-PER, I-PER, O), the spans are whole names, otherwise the words.
    """

    words: list[str]
    tags: list[str]
    spans: list[Span]


class Predictor(BasePredictor):
    """Tags texts; stays ready for more."""

    def __init__(self, run: Run, model: Served) -> None:
        super().__init__(run, model)
        self.tags: list[str] = description_of(run)["tags"]

    @checked
    def tag(self, texts: str | Iterable[str | Sequence[str]]) -> Tagging | list[Tagging]:
        """Returns the words of a text with their tags and spans, or those of each of several.

        Args:
            texts: one; or any number of them, each a string, or a list or array of words where you have divided it
                already. Then the places of spans are those in the words, joined by spaces.

        Raises:
            ConfigurationError: one of them is neither, or not of UTF-8.
        """
        if isinstance(texts, str):
            return self.tag_all([texts])[0]
        return self.tag_all([each.tolist() if isinstance(each, np.ndarray) else each for each in texts])

    def tag_all(self, texts: Sequence[str | Sequence[str]]) -> list[Tagging]:
        """Returns the answer to each of several texts, as `tag` does."""
        is_divided = all(isinstance(text, list | tuple) for text in texts)
        for each in texts if is_divided else [texts]:
            checked_texts(each)  # type: ignore[arg-type]  # which it is there to find out
        if is_divided and (empty := [place for place, words in enumerate(texts, start=1) if not all(words)]):
            raise ConfigurationError(
                "A word needs a character. Expected none that is empty. Leave it out, and its tag, too. "
                f"Received: an empty word in text {empty[0]}"
            )

        def answers(batch: list[str | Sequence[str]]) -> Iterator[Tagging]:
            given = {"words": tf.ragged.constant(batch, tf.string).to_tensor()} if is_divided else {"text": batch}
            found = self._served("words" if is_divided else "serving_default", **given)
            for text, *parts in zip(batch, *(found[part].tolist() for part in PARTS), strict=True):
                yield self._tagging(" ".join(text) if is_divided else str(text), *parts)

        return by_length(texts, answers)

    def answers(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        """Returns the answers as JSON holds them."""
        return [{"spans": [span._asdict() for span in each.spans]} for each in self.tag_all(texts)]

    def tags_of(self, sentences: Sequence[Sentence]) -> list[list[str]]:
        """Returns the tags of the words of sentences, for an evaluation."""
        return [each.tags for each in self.tag_all([each.words for each in sentences])]

    def _tagging(self, text: str, *parts: list[Any]) -> Tagging:
        words, tags, starts, ends, sure = parts  # as of `PARTS`
        names = [tag.decode() for tag, word in zip(tags, words, strict=True) if word]
        spans = [
            Span(starts[first], ends[last], text[starts[first] : ends[last]], label, min(sure[first : last + 1]))
            for first, last, label in spans_of(names, self.tags)
        ]
        return Tagging([word.decode() for word in words if word], names, spans)


def load(run: Run) -> Predictor:
    """Returns the predictor of a finished run."""
    return Predictor(run, Served(signatures(load_model(run))))
