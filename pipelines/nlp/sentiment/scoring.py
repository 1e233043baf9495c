"""Metrics with intervals: accuracy, F1, cross-entropy, calibration, and the errors of ratings."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pipelines.comparison import comparison as compared
from pipelines.evaluation import Metric, bootstrap
from pipelines.nlp.sentiment.labels import is_labelled

BINS = 10  # of confidence
UNEVEN = 0.8  # share of the commonest label, from which accuracy alone tells little


class Answers(NamedTuple):
    """Answers to the texts of a split, of the model or of a baseline; None where it gives none.

    `labels` int (texts,), or 0 and 1 where there are several, (texts, labels); `probabilities` (texts, labels);
    `ratings` (texts,).
    """

    labels: np.ndarray | None
    probabilities: np.ndarray | None = None
    ratings: np.ndarray | None = None


class Truth(NamedTuple):
    """The true `labels` and `ratings` of texts, as of `data.truth`."""

    labels: np.ndarray
    ratings: np.ndarray

    @property
    def labelled(self) -> np.ndarray:
        """Which texts have a label, or are known to have none of several, bool (texts,)."""
        return is_labelled(self.labels)

    @property
    def rated(self) -> np.ndarray:
        """Which texts have a rating, bool (texts,)."""
        return np.isfinite(self.ratings)


def metrics(answers: Answers, truth: Truth, labels: int) -> dict[str, Metric]:
    """Returns each metric that the answers allow, with its 95 % interval, by resampling texts."""
    found: dict[str, Metric] = {}
    if labels and answers.labels is not None:
        known = truth.labelled
        probabilities = None if answers.probabilities is None else answers.probabilities[known]
        score = _of_several if truth.labels.ndim == 2 else _of_one
        found = score(truth.labels[known], answers.labels[known], probabilities, labels)
    if answers.ratings is not None and (rated := truth.rated).any():
        ratings, true_ratings = answers.ratings[rated], truth.ratings[rated]
        found["mae"] = bootstrap(np.abs(ratings - true_ratings))
        found["rmse"] = bootstrap((ratings - true_ratings) ** 2, root_of_mean)
        if np.ptp(ratings) > 0:
            found["correlation"] = bootstrap((ratings, true_ratings), correlation)
    return found


def _of_one(
    true: np.ndarray, predicted: np.ndarray, probabilities: np.ndarray | None, labels: int
) -> dict[str, Metric]:
    """The metrics of one label a text, int (texts,)."""
    found = {
        "accuracy": bootstrap(true == predicted),
        "macro_f1": bootstrap((np.eye(labels)[true], np.eye(labels)[predicted]), macro_f1),
    }
    if probabilities is not None:
        found["cross_entropy"] = bootstrap(-np.log(probabilities[np.arange(len(true)), true] + 1e-30))
        found["calibration_error"] = bootstrap((probabilities.max(axis=1), true == predicted), calibration_error)
    return found


def _of_several(
    true: np.ndarray, predicted: np.ndarray, probabilities: np.ndarray | None, labels: int
) -> dict[str, Metric]:
    """The metrics of several labels a text, 0 and 1, (texts, labels)."""
    found = {
        "micro_f1": bootstrap((true, predicted), micro_f1),
        "macro_f1": bootstrap((true, predicted), macro_f1),
        "exact_accuracy": bootstrap((true == predicted).all(axis=1)),
    }
    if probabilities is not None:
        found["cross_entropy"] = bootstrap(-np.log(np.abs(1 - true - probabilities) + 1e-30).sum(axis=1))
    return found


def root_of_mean(squares: np.ndarray, axis: int) -> np.ndarray:
    """Returns the root of the mean of squares (samples, texts)."""
    return np.sqrt(squares.mean(axis=axis))


def micro_f1(truth: np.ndarray, predicted: np.ndarray, axis: int) -> np.ndarray:
    """Returns F1 of all decisions together, whatever their label; arguments as of `macro_f1`."""
    right = 2 * (truth * predicted).sum(axis=(axis, -1))
    return right / np.maximum((truth + predicted).sum(axis=(axis, -1)), 1)


def macro_f1(truth: np.ndarray, predicted: np.ndarray, axis: int) -> np.ndarray:
    """Returns the mean over the labels of F1; a label that is neither true nor predicted of any text counts as 0.

    Args:
        truth: 1 at each text's label or labels, (samples, texts, labels).
        predicted: 1 at each text's predicted ones, likewise.
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

    Where most texts have one label, macro F1 is compared, too; of several labels micro F1, of ratings the errors.

    >>> truth = Truth(np.zeros(30, int), np.full(30, np.nan))
    >>> comparison(Answers(np.zeros(30, int)), Answers(np.ones(30, int)), truth)
    'significantly worse than the model: accuracy difference -1.000 [-1.000, -1.000], p ≤ 0.002'
    """
    if model.labels is None:
        if model.ratings is None or other.ratings is None:
            return ""
        errors = [np.abs(each - truth.ratings)[truth.rated] for each in (model.ratings, other.ratings)]
        return compared(errors[0], errors[1], "MAE", higher_is_better=False)
    if other.labels is None:
        return ""
    known = truth.labelled
    true, ours, theirs = (each[known] for each in (truth.labels, model.labels, other.labels))

    def statistic(score: Callable[..., np.ndarray], number: int) -> Callable[..., np.ndarray]:
        return lambda counts, axis: score(counts[..., :number], counts[..., number:], axis)

    if true.ndim == 2:
        first, second = (np.concatenate([true, each], axis=1) for each in (ours, theirs))
        score = statistic(micro_f1, true.shape[1])
        return compared(first, second, "micro F1", higher_is_better=True, statistic=score)
    found = compared(ours == true, theirs == true, "accuracy", higher_is_better=True)
    number = 1 + int(max(each.max(initial=0) for each in (true, ours, theirs)))
    if not UNEVEN * len(true) < np.bincount(true).max(initial=0) < len(true):
        return found
    one_hot = np.eye(number)
    first, second = (np.concatenate([one_hot[true], one_hot[each]], axis=1) for each in (ours, theirs))
    score = statistic(macro_f1, number)
    return f"{found}; {compared(first, second, 'macro F1', higher_is_better=True, statistic=score)}"
