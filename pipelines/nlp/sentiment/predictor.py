"""Classifies texts: a trained model of sentiment, from its run or its export."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from pipelines.arguments import checked
from pipelines.nlp.batches import by_length
from pipelines.nlp.sentiment.config import SentimentConfiguration
from pipelines.nlp.sentiment.model import OLD_DESCRIPTION, load_model
from pipelines.nlp.sentiment.serving import signatures
from pipelines.nlp.texts import checked_texts
from pipelines.predictors import BasePredictor
from pipelines.preparation import description_of
from pipelines.runs import Run
from pipelines.served import Served

EXAMPLE = ("classify", "TEXT", '"A good one!"')


class Classification(NamedTuple):
    """The answer to a text.

    Attributes:
        label: the most probable one; of a model of several labels all that apply, with commas between; of one of
            ratings alone "".
        probabilities: of each label by name, calibrated.
        rating: in the unit of the training texts; None where no ratings were learned.
        labels: those that apply.
    """

    label: str
    probabilities: dict[str, float]
    rating: float | None = None
    labels: tuple[str, ...] = ()


class Predictor(BasePredictor):
    """Classifies texts; stays ready for more.

    Attributes:
        labels: their names, in the order of the probabilities.
        multiple: whether a text may have several of them, or none.
        rated: whether texts are rated.
        columns: of a table that hold the texts.
        maximum_words: words of a text that are read; None: all of them.
    """

    def __init__(self, run: Run, model: Served) -> None:
        super().__init__(run, model)
        description = description_of(run, OLD_DESCRIPTION)
        configuration = run.read_configuration(SentimentConfiguration)
        data = configuration.data
        self.columns = self.columns_of(run)
        self.labels: tuple[str, ...] = tuple(description["labels"])
        self.multiple = bool(description.get("multiple"))
        self.rated = bool(description["rated"]) and configuration.network.rating_weight > 0
        self.maximum_words = None if data.too_long == "windows" else data.maximum_words

    @staticmethod
    def columns_of(run: Run) -> tuple[str, ...]:
        """Returns the columns of a table that hold the texts, without the model."""
        return run.read_configuration(SentimentConfiguration).data.text or ("text",)

    @checked
    def classify(self, texts: str | Iterable[str]) -> Classification | list[Classification]:
        """Returns the labels, the probabilities and the rating of a text, or those of each of several.

        A text without words gets an answer too, the same for all such texts.

        Args:
            texts: one; or any number of them, such as a list or a pandas column, which are read some at a time.

        Raises:
            ConfigurationError: one of them is not a string of UTF-8.
        """
        return self.classify_all([texts])[0] if isinstance(texts, str) else self.classify_all(list(texts))

    def classify_all(self, texts: Sequence[str]) -> list[Classification]:
        """Returns the answer to each of several texts, as `classify` does."""
        names = ["probabilities"] * bool(self.labels) + ["chosen"] * self.multiple + ["rating"] * self.rated

        def classified(batch: list[str]) -> Iterator[Classification]:
            answer = self._served("serving_default", text=batch)
            for row in zip(*(answer[name] for name in names), strict=True):
                yield self._classification(dict(zip(names, row, strict=True)))

        return by_length(checked_texts(texts), classified)

    def answers(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        """Returns the answers as JSON holds them."""
        return [each._asdict() for each in self.classify_all(texts)]

    def _classification(self, row: dict[str, np.ndarray]) -> Classification:
        probabilities = row.get("probabilities", np.zeros(0))
        chosen = row["chosen"] if "chosen" in row else probabilities == probabilities.max(initial=0)
        labels = [label for label, is_chosen in zip(self.labels, chosen, strict=True) if is_chosen]
        labels = labels if self.multiple else labels[:1]
        return Classification(
            ", ".join(labels),
            dict(zip(self.labels, probabilities.tolist(), strict=True)),
            float(row["rating"]) if "rating" in row else None,
            tuple(labels),
        )


def load(run: Run) -> Predictor:
    """Returns the predictor of a finished run."""
    return Predictor(run, Served(signatures(load_model(run))))
