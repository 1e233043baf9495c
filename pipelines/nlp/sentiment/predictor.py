"""Classifies texts: a trained model of sentiment, from its run or its export."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from pipelines.arguments import checked
from pipelines.nlp.sentiment.config import SentimentConfiguration
from pipelines.nlp.sentiment.serving import signatures
from pipelines.nlp.sentiment.trained import OLD_DESCRIPTION, load_model
from pipelines.nlp.texts import checked_texts, in_batches
from pipelines.preparation import description_of
from pipelines.runs import Run
from pipelines.served import Served

EXAMPLE = ("classify", "TEXT", '"A good one!"')


class Classification(NamedTuple):
    """The answer to a text.

    Attributes:
        label: the most probable one.
        probabilities: of each label by name, calibrated.
        rating: in the unit of the training texts; None where no ratings were learned.
    """

    label: str
    probabilities: dict[str, float]
    rating: float | None = None


class Predictor:
    """Classifies texts; stays ready for more.

    Args:
        run: what the network was trained for.
        model: its signatures.

    Attributes:
        labels: their names, in the order of the probabilities.
        maximum_words: words of a text that are read; the rest is ignored.
    """

    def __init__(self, run: Run, model: Served) -> None:
        self.run = run
        self.labels: tuple[str, ...] = tuple(description_of(run, OLD_DESCRIPTION)["labels"])
        self.maximum_words = run.read_configuration(SentimentConfiguration).data.maximum_words
        self._served = model

    @checked
    def classify(self, texts: str | Iterable[str]) -> Classification | list[Classification]:
        """Returns the label, the probabilities and the rating of a text, or those of each of several.

        Of a longer text the first `maximum_words` words are read. A text without words gets an answer too, the same
        for all such texts.

        Args:
            texts: one; or any number of them, such as a list or a pandas column, which are read some at a time.

        Raises:
            ConfigurationError: one of them is not a string of UTF-8.
        """
        return self.classify_all([texts])[0] if isinstance(texts, str) else self.classify_all(list(texts))

    def classify_all(self, texts: Sequence[str]) -> list[Classification]:
        """Returns the answer to each of several texts, as `classify` does."""
        texts = checked_texts(texts)
        if not texts:
            return []
        probabilities, *ratings = in_batches(self._read, texts)
        rating = ratings[0].tolist() if ratings else [None] * len(texts)
        return [
            Classification(
                self.labels[int(np.argmax(row))], dict(zip(self.labels, row.tolist(), strict=True)), rating[number]
            )
            for number, row in enumerate(probabilities)
        ]

    def answers(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        """Returns the answers as JSON holds them."""
        return [each._asdict() for each in self.classify_all(texts)]

    def _read(self, texts: Sequence[str]) -> list[np.ndarray]:
        answer = self._served("serving_default", text=texts)
        return [answer[name] for name in ("probabilities", "rating") if name in answer]


def load(run: Run) -> Predictor:
    """Returns the predictor of a finished run."""
    return Predictor(run, Served(signatures(load_model(run))))
