"""A trained classifier, as it lies in a run folder."""

from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from pipelines.checkpoints import load_trained
from pipelines.nlp.sentiment.config import SentimentConfiguration
from pipelines.nlp.sentiment.data import READ_AT_ONCE, Sets
from pipelines.nlp.sentiment.model import Classifier
from pipelines.nlp.sentiment.words import Words
from pipelines.runs import Run

DESCRIPTION = "vocabulary.json"
CALIBRATION = "calibration.json"


class Description(NamedTuple):
    """What a classifier knows: the words of its `vocabulary`, its `labels`, and whether texts were `rated`."""

    vocabulary: tuple[str, ...]
    labels: tuple[str, ...]
    rated: bool

    @classmethod
    def of(cls, sets: Sets, vocabulary: Sequence[str]) -> "Description":
        """Describes what is learned from."""
        return cls(tuple(vocabulary), sets.labels, sets.rated)

    @classmethod
    def of_run(cls, run: Run) -> "Description":
        """Reads `vocabulary.json`."""
        values = run.read_json(DESCRIPTION)
        return cls(tuple(values["vocabulary"]), tuple(values["labels"]), values["rated"])


def build(configuration: SentimentConfiguration, description: Description) -> Classifier:
    """Returns an untrained classifier, its weights made."""
    keras.config.set_dtype_policy(configuration.training.dtype_policy)
    network = configuration.network
    words = Words(description.vocabulary, configuration.data.longest, network.pieces)
    return Classifier(network, words, description.labels, description.rated, configuration.seed).build_weights()


def load_classifier(run: Run) -> Classifier:
    """Returns the classifier of a finished run, with its trained weights and its calibration.

    Raises:
        RunError: the run was not trained to its end, or its weights do not fit the classifier.
    """
    configuration, description = run.read_configuration(SentimentConfiguration), Description.of_run(run)
    classifier = load_trained(run, lambda: build(configuration, description))
    classifier.temperature.assign(run.read_json(CALIBRATION)["temperature"])
    return classifier


def read_texts(classifier: Classifier, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Returns probabilities (texts, labels) and ratings (texts,) of texts of any number, some of them at a time."""
    order = np.argsort([len(text) for text in texts], kind="stable")  # so that little is padded
    parts = [order[start : start + READ_AT_ONCE] for start in range(0, len(order), READ_AT_ONCE)]
    said = [
        [each.numpy() for each in classifier.read(tf.constant([texts[number] for number in part]))] for part in parts
    ]
    probabilities, ratings = (np.concatenate(each) for each in zip(*said, strict=True))
    back = np.argsort(order, kind="stable")
    return probabilities[back], ratings[back]
