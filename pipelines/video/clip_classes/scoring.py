"""How well the classes of videos are told: accuracy, macro F1 and cross-entropy with intervals, and comparisons."""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

from pipelines.comparison import RESAMPLINGS
from pipelines.comparison import comparison as compared
from pipelines.evaluation import Metric, bootstrap

SMALLEST = 1e-7  # probability in a cross-entropy, so that one blunder does not make it infinite


def metrics(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, Metric]:
    """Returns accuracy, macro F1 and cross-entropy (nats) with 95 % intervals, by resampling videos.

    Macro F1 is the mean of the F1 of all classes that are there or were named, each as important as the others.

    Args:
        labels: the true classes, (videos,).
        probabilities: (videos, classes).

    Example:
        >>> found = metrics(np.array([0, 1, 1, 0]), np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.5, 0.5]]))
        >>> found["accuracy"].value, round(found["macro_f1"].value, 4)
        (0.75, 0.7333)
    """
    said = probabilities.argmax(axis=1)

    def macro_f1(truth: NDArray[np.floating], named: NDArray[np.floating], axis: int) -> NDArray[np.floating]:
        scores = np.full((probabilities.shape[1], len(truth)), np.nan)
        for label, row in enumerate(scores):
            both = (truth == label).sum(axis) + (named == label).sum(axis)
            right = ((truth == label) & (named == label)).sum(axis)
            np.divide(2 * right, both, out=row, where=both > 0)
        return np.nanmean(scores, axis=0)

    return {
        "accuracy": bootstrap(said == labels, samples=RESAMPLINGS),
        "macro_f1": bootstrap((labels, said), macro_f1, samples=RESAMPLINGS),
        "cross_entropy": bootstrap(losses(labels, probabilities), samples=RESAMPLINGS),
    }


def losses(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Returns the cross-entropy of each video, in nats, (videos,)."""
    truth = np.take_along_axis(probabilities, labels[:, np.newaxis], axis=1)[:, 0]
    return -np.log(np.maximum(truth, SMALLEST))


def comparison(labels: np.ndarray, model: np.ndarray, others: np.ndarray) -> str:
    """Says how sure it is that others' classes of the same videos are right less, or more, often than the model's.

    Args:
        labels: the true classes, (videos,).
        model: the model's, (videos,).
        others: those of a baseline, (videos,).

    Example:
        >>> comparison(np.zeros(30), np.zeros(30), np.ones(30))
        'significantly worse than the model: accuracy difference -1.000 [-1.000, -1.000], p ≤ 0.002'
    """
    return compared(model == labels, others == labels, "accuracy", higher_is_better=True)


def confusions(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Returns how often each true class (rows) was taken for each class (columns)."""
    return confusion_matrix(labels, probabilities.argmax(axis=1), labels=range(probabilities.shape[1]))
