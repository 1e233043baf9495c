"""A trained classifier, as it lies in a run folder, and its answers on a split."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from pipelines.preparation import built, trained_model
from pipelines.runs import Run
from pipelines.video.clip_classes.config import ClipClassesConfiguration
from pipelines.video.clip_classes.data import DataConfiguration, Examples, batches
from pipelines.video.clip_classes.model import Classifier


class Classified(NamedTuple):
    """A classifier's answers on the videos of a split."""

    labels: np.ndarray  # int32 (videos,)
    probabilities: np.ndarray  # (videos, classes), the mean over each video's clips
    evidence: np.ndarray  # (clips, time, classes), probabilities after each frame


def build(configuration: ClipClassesConfiguration, classes: Sequence[str]) -> Classifier:
    """Returns an untrained classifier, its weights made."""
    shape = configuration.data.frame_shape
    classifier = Classifier(configuration.network, shape, tuple(classes), configuration.seed)
    return built(classifier, tf.zeros((1, 1, *shape), tf.uint8))


def load_model(run: Run) -> Classifier:
    """Returns the classifier of a finished run, with its trained weights."""
    return trained_model(run, run.read_configuration(ClipClassesConfiguration), build, "classes.json", "classes")


def classify_split(classifier: Classifier, examples: Examples, configuration: DataConfiguration) -> Classified:
    """Runs a classifier over the clips of a split, one batch at a time."""
    evidence = np.concatenate([classifier.evidence(frames).numpy() for frames in batches(examples, configuration)])
    return Classified(*by_video(examples, evidence[:, -1]), evidence)


def by_video(examples: Examples, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the labels (videos,) and the mean probabilities (videos, classes) of clips (clips, classes)."""
    counts = np.bincount(examples.videos, minlength=len(examples.keys))
    sums = np.zeros((len(examples.keys), probabilities.shape[1]))
    np.add.at(sums, examples.videos, probabilities)
    labels = np.zeros(len(examples.keys), np.int32)
    labels[examples.videos] = examples.labels
    return labels, sums / counts[:, np.newaxis]
