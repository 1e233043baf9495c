"""Presets of translation."""

from typing import Literal

from pydantic import Field

from pipelines.nlp.subwords import SubwordConfiguration
from pipelines.nlp.translation.network import NetworkConfiguration, SearchConfiguration
from pipelines.nlp.translation.sources import DataConfiguration
from pipelines.tasks import TaskCommand
from pipelines.training import TrainingConfiguration


class TranslationConfiguration(TaskCommand):
    """Everything that a training of a translator depends on."""

    task: Literal["translation"] = "translation"
    data: DataConfiguration = DataConfiguration()
    subwords: SubwordConfiguration = SubwordConfiguration()
    shared_subwords: bool = Field(False, description="one vocabulary, and one embedding, for both languages")
    network: NetworkConfiguration = NetworkConfiguration()
    search: SearchConfiguration = SearchConfiguration()
    training: TrainingConfiguration = TrainingConfiguration()


_TRANSLATION = TranslationConfiguration(
    training=TrainingConfiguration(epochs=6, learning_rate=3e-3, weight_average_decay=0.995),
)
_OWN = _TRANSLATION.replace(data={"source": "files", "languages": ("source", "target")}, shared_subwords=True)

PRESETS = {"translation": _TRANSLATION, "own-translation": _OWN}
