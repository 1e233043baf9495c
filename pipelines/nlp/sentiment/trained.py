"""A trained classifier, as it lies in a run folder, and its answers to texts."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from pipelines.nlp.sentiment.config import SentimentConfiguration
from pipelines.nlp.sentiment.model import Classifier
from pipelines.nlp.sentiment.words import Words
from pipelines.nlp.texts import in_batches
from pipelines.preparation import trained_model
from pipelines.runs import Run

OLD_DESCRIPTION = "vocabulary.json"  # where 0.1.0 wrote what `build` takes
CALIBRATION = "calibration.json"


def build(
    configuration: SentimentConfiguration, vocabulary: Sequence[str], labels: Sequence[str], rated: bool
) -> Classifier:
    """Returns an untrained classifier, its weights made.

    Args:
        configuration: of the run.
        vocabulary: the known words.
        labels: their names.
        rated: whether there are ratings.
    """
    network = configuration.network
    words = Words(vocabulary, configuration.data.maximum_words, network.pieces)
    return Classifier(network, words, tuple(labels), rated, configuration.seed).build_weights()


def load_model(run: Run) -> Classifier:
    """Returns the classifier of a finished run, with its trained weights and its calibration.

    Raises:
        RunError: the run was not trained to its end, or its weights do not fit the classifier.
    """
    classifier = trained_model(run, run.read_configuration(SentimentConfiguration), build, OLD_DESCRIPTION)
    classifier.temperature.assign(run.read_json(CALIBRATION)["temperature"])
    return classifier


def read_texts(classifier: Classifier, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Returns probabilities (texts, labels) and ratings (texts,), NaN without any, of texts of any number."""
    probabilities, ratings = in_batches(
        lambda part: [each.numpy() for each in classifier.read(tf.constant(part))], texts
    )
    return probabilities, ratings
