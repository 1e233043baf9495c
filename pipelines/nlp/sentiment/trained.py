"""A trained classifier, as it lies in a run folder, and its answers to texts."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from pipelines.nlp.batches import by_length
from pipelines.nlp.sentiment.config import SentimentConfiguration
from pipelines.nlp.sentiment.model import Classifier
from pipelines.nlp.sentiment.words import Words
from pipelines.preparation import trained_model
from pipelines.runs import Run

OLD_DESCRIPTION = "vocabulary.json"  # where 0.1.0 wrote what `build` takes
CALIBRATION = "calibration.json"


def build(
    configuration: SentimentConfiguration,
    vocabulary: Sequence[str],
    labels: Sequence[str],
    rated: bool,
    multiple: bool = False,
) -> Classifier:
    """Returns an untrained classifier, its weights made."""
    network, data = configuration.network, configuration.data
    words = Words(vocabulary, data.maximum_words, network.pieces, data.too_long == "windows")
    return Classifier(network, words, tuple(labels), rated, configuration.seed, multiple).build_weights()


def load_model(run: Run) -> Classifier:
    """Returns the classifier of a finished run, with its trained weights and its calibration."""
    classifier = trained_model(run, run.read_configuration(SentimentConfiguration), build, OLD_DESCRIPTION)
    calibration = run.read_json(CALIBRATION)
    classifier.temperature.assign(calibration["temperature"])
    if classifier.multiple:
        classifier.thresholds.assign(calibration["thresholds"])
    return classifier


def read_texts(classifier: Classifier, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Returns probabilities (texts, labels) and ratings (texts,), NaN without any, of any number of texts."""
    found = by_length(
        texts, lambda part: zip(*(each.numpy() for each in classifier.read(tf.constant(part))), strict=True)
    )
    probabilities, ratings = (np.stack(each) for each in zip(*found, strict=True))
    return probabilities, ratings
