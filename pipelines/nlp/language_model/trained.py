"""A trained language model, as it lies in a run folder."""

from collections.abc import Sequence

import tensorflow as tf

from pipelines.nlp.language_model.config import LanguageModelConfiguration
from pipelines.nlp.language_model.model import LanguageModel
from pipelines.nlp.subwords import Subwords
from pipelines.preparation import trained_model
from pipelines.runs import Run

OLD_VOCABULARY = "vocabulary.json"  # where 0.1.0 wrote the subwords


def build(configuration: LanguageModelConfiguration, vocabulary: Sequence[str]) -> LanguageModel:
    """Returns an untrained language model, its weights made."""
    subwords, rows = Subwords(vocabulary), configuration.data.batch_size
    model = LanguageModel(configuration.network, subwords, rows, configuration.seed)
    model.build()
    model(tf.zeros((1, 1), tf.int32))
    return model


def load_model(run: Run) -> LanguageModel:
    """Returns the language model of a finished run, with its trained weights."""
    return trained_model(run, run.read_configuration(LanguageModelConfiguration), build, OLD_VOCABULARY, "vocabulary")
