"""A trained tagger, as it lies in a run folder."""

from collections.abc import Sequence

import tensorflow as tf

from pipelines.nlp.tagging.config import TaggingConfiguration
from pipelines.nlp.tagging.model import Tagger
from pipelines.preparation import trained_model
from pipelines.runs import Run


def build(configuration: TaggingConfiguration, vocabulary: Sequence[str], tags: Sequence[str]) -> Tagger:
    """Returns an untrained tagger, its weights made."""
    tagger = Tagger(configuration.network, vocabulary, tags, configuration.seed)
    tagger.tag(tf.ragged.constant([["a"]]))
    return tagger


def load_model(run: Run) -> Tagger:
    """Returns the tagger of a finished run, with its trained weights."""
    return trained_model(run, run.read_configuration(TaggingConfiguration), build)
