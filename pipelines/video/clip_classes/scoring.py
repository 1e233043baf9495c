"""How well the classes of videos are told: accuracy, macro F1 and cross-entropy with intervals, and comparisons."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

from pipelines.comparison import RESAMPLINGS
from pipelines.comparison import comparison as compared
from pipelines.evaluation import FEWEST, Metric, bootstrap
from pipelines.video.clip_classes.data import DataConfiguration, Examples, batches
from pipelines.video.clip_classes.model import Classifier

TOP = 5  # classes among which the right one is enough
Z = 1.959964  # standard deviations of a 95 % interval
SMALLEST = 1e-7  # probability in a cross-entropy, so that one blunder does not make it infinite


def metrics(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, Metric]:
    """Returns accuracy, top-5 accuracy of more classes, macro F1 and cross-entropy (nats) with 95 % intervals.

    Macro F1 is the mean of the F1 of all classes that are there or were named, each as important as the others. The
    intervals of shares are Wilson's, which stay honest for few videos and where all answers are right; the others come
    from resampling videos, and are left out where there are fewer than `pipelines.evaluation.FEWEST`.

    Example:
        >>> found = metrics(np.array([0, 1, 1, 0]), np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.5, 0.5]]))
        >>> found["accuracy"].value, round(found["macro_f1"].value, 4)
        (0.75, 0.7333)
    """
    predicted = probabilities.argmax(axis=1)

    def macro_f1(truth: NDArray[np.floating], named: NDArray[np.floating], axis: int) -> NDArray[np.floating]:
        scores = np.full((probabilities.shape[1], len(truth)), np.nan)
        for label, row in enumerate(scores):
            both = (truth == label).sum(axis) + (named == label).sum(axis)
            right = ((truth == label) & (named == label)).sum(axis)
            np.divide(2 * right, both, out=row, where=both > 0)
        return np.nanmean(scores, axis=0)

    found = {"accuracy": wilson(predicted == labels)}
    if probabilities.shape[1] > TOP:
        best = np.argpartition(-probabilities, TOP - 1, axis=1)[:, :TOP]
        found["top_5_accuracy"] = wilson((best == labels[:, np.newaxis]).any(axis=1))
    found["macro_f1"] = bootstrap((labels, predicted), macro_f1, samples=RESAMPLINGS)
    found["cross_entropy"] = bootstrap(losses(labels, probabilities), samples=RESAMPLINGS)
    if len(labels) < FEWEST:
        found |= {name: Metric(found[name].value) for name in ("macro_f1", "cross_entropy")}
    return found


def wilson(right: np.ndarray) -> Metric:
    """Returns the share of what is right with its 95 % interval (Wilson, JASA 22, 1927).

    >>> wilson(np.ones(9, bool)), wilson(np.array([True, False]))
    (Metric(value=1.0, low=0.70..., high=1.0), Metric(value=0.5, low=0.09..., high=0.90...))
    """
    count, share = len(right), float(np.mean(right))
    centre, spread = share + Z**2 / (2 * count), Z * np.sqrt(share * (1 - share) / count + Z**2 / (4 * count**2))
    low, high = (centre - spread) / (1 + Z**2 / count), (centre + spread) / (1 + Z**2 / count)
    return Metric(share, max(0.0, round(float(low), 12)), min(1.0, round(float(high), 12)))


def by_class(counts: np.ndarray, classes: Sequence[str]) -> list[list[object]]:
    """Returns for each class its videos, and precision, recall and F1 in words, from the confusions.

    >>> by_class(np.array([[3, 1], [0, 2]]), ["run", "walk"])
    [['run', 4, '1.00', '0.75', '0.86'], ['walk', 2, '0.67', '1.00', '0.80']]
    """
    rows: list[list[object]] = []
    for place, name in enumerate(classes):
        right, true, predicted = counts[place, place], counts[place].sum(), counts[:, place].sum()
        shares = [right / predicted if predicted else None, right / true if true else None]
        shares.append(2 * right / (true + predicted) if true + predicted else None)
        rows.append([name, int(true), *("" if share is None else f"{share:.2f}" for share in shares)])
    return rows


def losses(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Returns the cross-entropy of each video, in nats, (videos,)."""
    truth = np.take_along_axis(probabilities, labels[:, np.newaxis], axis=1)[:, 0]
    return -np.log(np.maximum(truth, SMALLEST))


def comparison(labels: np.ndarray, model: np.ndarray, others: np.ndarray) -> str:
    """Returns in words how surely others' classes of the same videos are right less, or more, often than the model's.

    Example:
        >>> comparison(np.zeros(30), np.zeros(30), np.ones(30))
        'significantly worse than the model: accuracy difference -1.000 [-1.000, -1.000], p ≤ 0.002'
    """
    return compared(model == labels, others == labels, "accuracy", higher_is_better=True)


def confusions(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Returns how often each true class (rows) was taken for each class (columns)."""
    return confusion_matrix(labels, probabilities.argmax(axis=1), labels=range(probabilities.shape[1]))


class Classified(NamedTuple):
    """A classifier's answers on the videos of a split."""

    labels: np.ndarray  # int32 (videos,)
    probabilities: np.ndarray  # (videos, classes), the mean over each video's clips
    evidence: np.ndarray  # (clips, time, classes), probabilities after each frame


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
