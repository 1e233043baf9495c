"""A trained translator, as it lies in a run folder."""

from collections.abc import Sequence

import tensorflow as tf

from pipelines.nlp.subwords import Subwords
from pipelines.nlp.translation.config import TranslationConfiguration
from pipelines.nlp.translation.model import Translator
from pipelines.preparation import built, trained_model
from pipelines.runs import Run

OLD_DESCRIPTION = "subwords.json"  # of 0.1


def build(
    configuration: TranslationConfiguration, source: Sequence[str], target: Sequence[str] | None = None
) -> Translator:
    """Returns an untrained translator, its weights made.

    Args:
        target: those of the target. Default: the source's, and one embedding for both.
    """
    sources = Subwords(source)
    targets = sources if target is None else Subwords(target)
    translator = Translator(configuration.network, sources, targets, configuration.seed)
    built(translator, tf.ones((1, 2), tf.int32), tf.ones((1, 2), tf.int32))
    translator.logits(tf.zeros((1, 1, configuration.network.units)))
    return translator


def load_model(run: Run) -> Translator:
    """Returns the translator of a finished run, with its trained weights."""
    return trained_model(run, run.read_configuration(TranslationConfiguration), build, OLD_DESCRIPTION)
