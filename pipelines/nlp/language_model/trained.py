"""A trained language model, as it lies in a run folder."""

import keras
import tensorflow as tf

from pipelines.checkpoints import load_trained
from pipelines.nlp.language_model.config import LanguageModelConfiguration
from pipelines.nlp.language_model.model import LanguageModel
from pipelines.nlp.subwords import Subwords
from pipelines.runs import Run

VOCABULARY = "vocabulary.json"


def build(configuration: LanguageModelConfiguration, size: int) -> LanguageModel:
    """Returns an untrained language model for a vocabulary of that size, its weights made."""
    keras.config.set_dtype_policy(configuration.training.dtype_policy)
    model = LanguageModel(configuration.network, size, configuration.data.batch_size, configuration.seed)
    model.build()
    model(tf.zeros((1, 1), tf.int32))
    return model


def load_subwords(run: Run) -> Subwords:
    """Returns the vocabulary of a run."""
    return Subwords(run.read_json(VOCABULARY))


def load_language_model(run: Run) -> tuple[LanguageModel, Subwords]:
    """Returns the language model of a finished run, with its trained weights, and its vocabulary.

    Raises:
        RunError: the run was not trained to its end, or its weights do not fit the network.
    """
    configuration, subwords = run.read_configuration(LanguageModelConfiguration), load_subwords(run)
    return load_trained(run, lambda: build(configuration, subwords.size)), subwords
