"""Presets of the language model."""

from typing import Literal

from pydantic import Field

from pipelines.commands import TrainingCommand
from pipelines.nlp.language_model.network import NetworkConfiguration
from pipelines.nlp.language_model.sources import DataConfiguration
from pipelines.nlp.subwords import SubwordConfiguration
from pipelines.training import TrainingConfiguration


class LanguageModelConfiguration(TrainingCommand):
    """Everything that a training of a language model depends on."""

    task: Literal["language_model"] = Field("language_model", description="name of the task")
    data: DataConfiguration = DataConfiguration()
    vocabulary: SubwordConfiguration = SubwordConfiguration(size=4096)
    network: NetworkConfiguration = NetworkConfiguration()
    training: TrainingConfiguration = TrainingConfiguration()


_BIBLE = LanguageModelConfiguration(
    network=NetworkConfiguration(contexts=32_768),
    training=TrainingConfiguration(epochs=4, learning_rate=4e-3, warmup_share=0.03, weight_decay=0.03),
)
_ADDRESSES = _BIBLE.replace(
    data={"source": "state_of_the_union"},
    vocabulary={"size": 6000},
    network={"units": 640, "width": 320, "contexts": 65_536, "dropout": 0.25, "context_dropout": 0.6},
    training={"epochs": 5, "learning_rate": 3e-3},
)
_OWN = _BIBLE.replace(
    data={"source": "own", "batch_size": 16},
    network={"dropout": 0.3, "contexts": 0},
    training={"epochs": 20, "early_stopping_patience": 3},
)

PRESETS = {"language-model": _BIBLE, "language-model-large": _ADDRESSES, "own-language-model": _OWN}
"""Named configurations, the default first.

- `language-model`: the World English Bible, the last tenth of it for testing; 10 minutes on two CPU cores.
- `language-model-large`: the addresses on the state of the union, from 1990 on for testing; 1.61 bits per character
  (seed 0), 1.38 with adaptation and n-grams; about an hour on two CPU cores.
- `own-language-model`: a network for text of your own: `--data.path my.txt`, a folder, or a table with a text column.
"""
