"""A trained classifier, as it lies in a run folder, and what it says of a split."""

from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from pipelines.checkpoints import load_trained
from pipelines.runs import Run
from pipelines.video.classification.config import ClassificationConfiguration
from pipelines.video.classification.data import DataConfiguration, Examples, Sets, batches
from pipelines.video.classification.model import Classifier
from pipelines.video.video_files import VideoDataError

CLASSES = "classes.json"


class Judged(NamedTuple):
    """What a classifier said of the videos of a split.

    Attributes:
        labels: int32 (videos,).
        probabilities: (videos, classes), the mean over each video's clips.
        evidence: (clips, time, classes), probabilities after each frame.
    """

    labels: np.ndarray
    probabilities: np.ndarray
    evidence: np.ndarray


def build(configuration: ClassificationConfiguration, classes: tuple[str, ...]) -> Classifier:
    """Returns an untrained classifier, its weights made."""
    keras.config.set_dtype_policy(configuration.training.dtype_policy)
    shape = configuration.data.frame_shape
    classifier = Classifier(configuration.network, shape, classes, configuration.seed)
    classifier(tf.zeros((1, 1, *shape), tf.uint8))
    return classifier


def load_classifier(run: Run) -> Classifier:
    """Returns the classifier of a finished run, with its trained weights.

    Raises:
        RunError: the run was not trained to its end, or its weights do not fit the classifier.
    """

    def untrained() -> Classifier:
        return build(run.read_configuration(ClassificationConfiguration), tuple(run.read_json(CLASSES)))

    return load_trained(run, untrained)


def check_classes(run: Run, sets: Sets) -> None:
    """Refuses clips of other classes than those of a run.

    Raises:
        VideoDataError: the classes have changed.
    """
    if (run.folder / CLASSES).exists() and (known := run.read_json(CLASSES)) != list(sets.classes):
        raise VideoDataError(
            f"The videos have changed since the run started. Expected the classes {', '.join(known)}. Restore them, or "
            f"start a new run, without RESUME=1. Received: {', '.join(sets.classes)}"
        )


def judge(classifier: Classifier, examples: Examples, configuration: DataConfiguration) -> Judged:
    """Runs a classifier over the clips of a split, one batch at a time."""
    evidence = np.concatenate([classifier.evidence(frames).numpy() for frames in batches(examples, configuration)])
    return Judged(*by_video(examples, evidence[:, -1]), evidence)


def by_video(examples: Examples, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the labels (videos,) and the mean probabilities (videos, classes) of clips (clips, classes)."""
    counts = np.bincount(examples.videos, minlength=len(examples.keys))
    sums = np.zeros((len(examples.keys), probabilities.shape[1]))
    np.add.at(sums, examples.videos, probabilities)
    labels = np.zeros(len(examples.keys), np.int32)
    labels[examples.videos] = examples.labels
    return labels, sums / counts[:, np.newaxis]
