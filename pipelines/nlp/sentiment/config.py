"""Presets of the task sentiment."""

from typing import ClassVar, Literal

from pydantic import Field

from pipelines.commands import TrainingCommand
from pipelines.configuration import Configuration
from pipelines.nlp.sentiment.network import NetworkConfiguration
from pipelines.nlp.sentiment.sources import DataConfiguration
from pipelines.training import TrainingConfiguration


class PretrainingConfiguration(Configuration):
    """The texts on which the recurrent stacks are pre-trained as language models."""

    RENAMED: ClassVar = {"fewest": "minimum_count"}

    texts: tuple[Literal["training", "bible", "addresses"], ...] = Field(
        (),
        description="the training split's own texts, the World English Bible, the addresses on the state of the union",
    )
    minimum_count: int = Field(5, ge=1, description="times that a word must occur there to be known")
    training: TrainingConfiguration = TrainingConfiguration(epochs=4, learning_rate=3e-3)


class SentimentConfiguration(TrainingCommand):
    """Everything that a training of sentiment depends on."""

    task: Literal["sentiment"] = Field("sentiment", description="name of the task")
    data: DataConfiguration = DataConfiguration()
    network: NetworkConfiguration = NetworkConfiguration()
    pretraining: PretrainingConfiguration = PretrainingConfiguration()
    training: TrainingConfiguration = TrainingConfiguration(
        epochs=6, learning_rate=3e-3, weight_decay=1e-2, weight_average_decay=0.99
    )


_SENTIMENT = SentimentConfiguration(network=NetworkConfiguration(members=4, units=48, embedding=48))
_LARGE = _SENTIMENT.replace(network={"members": 8, "units": 64, "embedding": 64, "lexicon": True, "vectors": 20_000})
_OWN = _SENTIMENT.replace(data={"source": "own"}, network={"members": 1, "units": 64, "embedding": 64})

PRESETS = {"sentiment": _SENTIMENT, "sentiment-large": _LARGE, "own-sentiment": _OWN}
"""Named configurations, the default first.

- `sentiment`: movie snippets, label and rating; four members; under ten minutes on two CPU cores.
- `sentiment-large`: eight wider members that also know VADER's lexicon and GloVe's vectors of words.
- `own-sentiment`: as `sentiment`, with one member, for texts of your own: `--data.path reviews.csv --data.text review
  --data.label stars`.
"""
