"""Metrics with intervals: accuracy, F1, cross-entropy, calibration, and the errors of ratings."""

from typing import NamedTuple

import numpy as np

from pipelines.comparison import comparison as compared
from pipelines.evaluation import Metric, bootstrap

BINS = 10  # of confidence
UNEVEN = 0.8  # share of the commonest label, from which accuracy alone says little


class Answers(NamedTuple):
    """Answers to the texts of a split, of the model or of a baseline; None where it gives none.

    `labels` int (texts,), `probabilities` (texts, labels), `ratings` (texts,).
    """

    labels: np.ndarray
    probabilities: np.ndarray | None = None
    ratings: np.ndarray | None = None


class Truth(NamedTuple):
    """The true `labels` of texts, int (texts,), −1 for none, and `ratings` (texts,), NaN for none."""

    labels: np.ndarray
    ratings: np.ndarray

    @property
    def labelled(self) -> np.ndarray:
        """Which texts have a label, bool (texts,)."""
        return self.labels >= 0

    @property
    def rated(self) -> np.ndarray:
        """Which texts have a rating, bool (texts,)."""
        return np.isfinite(self.ratings)


def metrics(answers: Answers, truth: Truth, labels: int) -> dict[str, Metric]:
    """Returns each metric that the answers allow, with its 95 % interval, by resampling texts.

    Args:
        answers: to the texts.
        truth: of the same texts.
        labels: how many there are.
    """
    known = truth.labelled
    true, predicted = truth.labels[known], answers.labels[known]
    found = {
        "accuracy": bootstrap(true == predicted),
        "macro_f1": bootstrap((np.eye(labels)[true], np.eye(labels)[predicted]), macro_f1),
    }
    if answers.probabilities is not None:
        probabilities = answers.probabilities[known]
        found["cross_entropy"] = bootstrap(-np.log(probabilities[np.arange(len(true)), true] + 1e-30))
        found["calibration_error"] = bootstrap((probabilities.max(axis=1), true == predicted), calibration_error)
    if answers.ratings is not None and (rated := truth.rated).any():
        ratings, true_ratings = answers.ratings[rated], truth.ratings[rated]
        found["mae"] = bootstrap(np.abs(ratings - true_ratings))
        if np.ptp(ratings) > 0:
            found["correlation"] = bootstrap((ratings, true_ratings), correlation)
    return found


def macro_f1(truth: np.ndarray, predicted: np.ndarray, axis: int) -> np.ndarray:
    """Returns the mean over the labels of F1; a label that is neither true nor predicted of any text counts as 0.

    Args:
        truth: 1 at each text's label, (samples, texts, labels).
        predicted: 1 at each text's predicted label, likewise.
        axis: of the texts.
    """
    right = 2 * (truth * predicted).sum(axis=axis)
    return (right / np.maximum(truth.sum(axis=axis) + predicted.sum(axis=axis), 1)).mean(axis=-1)


def calibration_error(confidence: np.ndarray, right: np.ndarray, axis: int) -> np.ndarray:
    """Returns by how much confidence and accuracy differ, on average over ten equal bins of confidence.

    (Naeini et al. 2015, https://ojs.aaai.org/index.php/AAAI/article/view/9602.)

    Args:
        confidence: probability of the predicted label, (samples, texts).
        right: whether it was true.
        axis: of the texts.
    """
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [np.abs(np.where(bins == number, confidence - right, 0).sum(axis=axis)) for number in range(BINS)]
    return np.sum(gaps, axis=0) / confidence.shape[axis]


def correlation(first: np.ndarray, second: np.ndarray, axis: int) -> np.ndarray:
    """Returns Pearson's correlation of (samples, texts)."""
    first = first - first.mean(axis=axis, keepdims=True)
    second = second - second.mean(axis=axis, keepdims=True)
    spread = np.sqrt((first**2).sum(axis=axis) * (second**2).sum(axis=axis))
    return (first * second).sum(axis=axis) / np.maximum(spread, 1e-30)


def comparison(model: Answers, other: Answers, truth: Truth) -> str:
    """Returns in words whether others' answers to the same texts are right less or more often than the model's.

    Where most texts have one label, macro F1 is compared, too.

    >>> truth = Truth(np.zeros(30, int), np.full(30, np.nan))
    >>> comparison(Answers(np.zeros(30, int)), Answers(np.ones(30, int)), truth)
    'significantly worse than the model: accuracy difference -1.000 [-1.000, -1.000], p ≤ 0.002'
    """
    known = truth.labelled
    true, ours, theirs = (each.labels[known] for each in (truth, model, other))
    found = compared(ours == true, theirs == true, "accuracy", higher_is_better=True)
    number = 1 + int(max(each.max(initial=0) for each in (true, ours, theirs)))
    if not UNEVEN * len(true) < np.bincount(true).max(initial=0) < len(true):
        return found

    def statistic(counts: np.ndarray, axis: int) -> np.ndarray:
        return macro_f1(counts[..., :number], counts[..., number:], axis)

    one_hot = np.eye(number)
    first, second = (np.concatenate([one_hot[true], one_hot[each]], axis=1) for each in (ours, theirs))
    return f"{found}; {compared(first, second, 'macro F1', higher_is_better=True, statistic=statistic)}"
