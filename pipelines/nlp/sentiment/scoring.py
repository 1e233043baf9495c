"""Metrics with intervals: accuracy, F1, cross-entropy, calibration, and the errors of ratings."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, logit

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


def fit_temperature(probabilities: Any, labels: np.ndarray) -> float:
    """Returns the temperature that minimises the cross-entropy of probabilities (examples, labels).

    Args:
        labels: as of `truth`; −1, which does not count, for none.

    >>> sure = np.tile([[0.99, 0.01]], (10, 1))
    >>> round(fit_temperature(sure, np.array([0, 1] + [0] * 8)), 1)  # right in 9 of 10: ln 99 / ln 9
    2.1
    """
    logits, labels = labelled_logits(probabilities, labels)
    if not logits.size:
        return 1.0

    def loss(logarithm: float) -> float:
        return cross_entropy(logits / np.exp(logarithm), labels)

    return float(np.exp(minimize_scalar(loss, bounds=(-2.0, 3.0), method="bounded").x))


def labelled_logits(probabilities: Any, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the logarithms of probabilities, or the log odds where texts may have several labels, of labelled texts.

    Returns:
        Logits (labelled, labels), and the labels of these examples.
    """
    known = is_labelled(labels)
    shares = np.asarray(probabilities, np.float64)[known]
    return logit(np.clip(shares, 1e-7, 1 - 1e-7)) if labels.ndim == 2 else np.log(shares + 1e-30), labels[known]


def fit_thresholds(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns for each label the threshold of its probability with the highest F1, (labels,); 0.5 if no text has it.

    Args:
        probabilities: (texts, labels).
        labels: 1 at the labels of each text, (texts, labels); −1, which does not count, where they are unknown.

    >>> fit_thresholds(np.array([[0.1], [0.2], [0.4], [0.3]]), np.array([[0], [0], [1], [1]])).tolist()
    [0.25]
    """
    thresholds = np.full(labels.shape[1], 0.5)
    known = is_labelled(labels)
    for place, (shares, truth_of) in enumerate(zip(probabilities[known].T, labels[known].T, strict=True)):
        order = np.argsort(-shares, kind="stable")
        ordered = np.append(shares[order], 0.0)
        f1 = 2 * np.cumsum(truth_of[order]) / (np.arange(1, len(order) + 1) + truth_of.sum())
        f1 = np.where(ordered[:-1] > ordered[1:], f1, 0)  # equal ones stay together
        if truth_of.any():
            best = int(f1.argmax())
            thresholds[place] = (ordered[best] + ordered[best + 1]) / 2
    return thresholds


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Returns the mean cross-entropy of labels under logits (examples, labels), in nats.

    Args:
        logits: before the softmax; or before the sigmoid, where labels are several.
        labels: int (examples,); or 0 or 1, (examples, labels), whose cross-entropies are added up.
    """
    if labels.ndim == 2:
        return float(np.mean(np.sum(np.logaddexp(0, np.where(labels == 1, -logits, logits)), axis=1)))
    return float(-np.mean(log_softmax(logits, axis=-1)[np.arange(len(labels)), labels]))
