"""Distributions that are given by some of their quantiles: linear between them, exponential beyond."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf


def quantile_function(quantiles: tf.Tensor, levels: Sequence[float], probability: tf.Tensor) -> tf.Tensor:
    """The values (…,) below which others lie with `probability` (…,), from quantiles (…, levels) at some levels."""
    known = tf.constant(levels, quantiles.dtype)
    upper = tf.clip_by_value(tf.searchsorted(known, tf.reshape(probability, (-1,))), 1, len(levels) - 1)
    upper = tf.reshape(upper, tf.shape(probability))
    low, high = (tf.gather(quantiles, index, batch_dims=len(probability.shape)) for index in (upper - 1, upper))
    low_level, high_level = tf.gather(known, upper - 1), tf.gather(known, upper)
    inside = low + (high - low) * (probability - low_level) / (high_level - low_level)
    first, last = _tail_widths(quantiles, levels)
    below = quantiles[..., 0] + first * tf.math.log(tf.maximum(probability, 1e-12) / levels[0])
    above = quantiles[..., -1] - last * tf.math.log(tf.maximum(1 - probability, 1e-12) / (1 - levels[-1]))
    return tf.where(probability < levels[0], below, tf.where(probability > levels[-1], above, inside))


def probability_below(quantiles: np.ndarray, levels: Sequence[float], values: np.ndarray) -> np.ndarray:
    """How probable it was that a value comes below `values` (…,): the inverse of `quantile_function`, by NumPy.

    Example:
        >>> levels = (0.1, 0.2, 0.5, 0.8, 0.9)
        >>> probability_below(np.array([[-2.0, -1.0, 0.0, 1.0, 2.0]] * 3), levels, np.array([-3.0, 0.5, 3.0]))
        array([0.05, 0.65, 0.95])
    """
    known = np.array(levels)
    flat = quantiles.reshape(-1, len(known)).astype(np.float64)
    answers = np.array([np.interp(value, row, known) for row, value in zip(flat, values.ravel(), strict=True)])
    answers = answers.reshape(values.shape)
    first, last = _tail_widths(quantiles.astype(np.float64), levels)
    with np.errstate(divide="ignore", invalid="ignore"):
        below = levels[0] * np.exp((values - quantiles[..., 0]) / first)
        above = 1 - (1 - levels[-1]) * np.exp((quantiles[..., -1] - values) / last)
    return np.where(values < quantiles[..., 0], below, np.where(values > quantiles[..., -1], above, answers))


def quantiles_between(quantiles: np.ndarray, levels: Sequence[float], wanted: Sequence[float]) -> np.ndarray:
    """Returns the quantiles (…, wanted) at levels that lie between the known ones, as `quantile_function` has them.

    Example:
        >>> quantiles_between(np.array([-2.0, 0.0, 1.0]), (0.1, 0.5, 0.9), (0.1, 0.3, 0.8)).tolist()
        [-2.0, -1.0, 0.75]
    """
    upper = np.clip(np.searchsorted(levels, wanted), 1, len(levels) - 1)
    low, high = np.take(levels, upper - 1), np.take(levels, upper)
    share = (np.array(wanted) - low) / (high - low)
    return quantiles[..., upper - 1] * (1 - share) + quantiles[..., upper] * share


def check_levels(levels: Sequence[float]) -> None:
    """Raises `ValueError` unless the levels rise between 0 and 1, with the median among them."""
    rising = all(low < high for low, high in zip((0.0, *levels), (*levels, 1.0), strict=True))
    if not rising or 0.5 not in levels or levels[0] == 0.5 or levels[-1] == 0.5:
        raise ValueError(
            "Quantile levels rise between 0 and 1 and surround the median, such as 0.1 0.5 0.9. Received: "
            f"{tuple(levels)}"
        )


def _tail_widths(quantiles: Any, levels: Sequence[float]) -> tuple[Any, Any]:
    """The means of the exponential tails, such that each passes through the two outermost quantiles of its side."""
    first = (quantiles[..., 1] - quantiles[..., 0]) / np.log(levels[1] / levels[0])
    last = (quantiles[..., -1] - quantiles[..., -2]) / np.log((1 - levels[-2]) / (1 - levels[-1]))
    return first, last


def mean_weights(levels: np.ndarray) -> np.ndarray:
    """The expected value of a quantile function as a weighted sum of the quantiles: ∫ Q(p) dp."""
    weights = np.zeros(len(levels))
    weights[:-1] += np.diff(levels) / 2
    weights[1:] += np.diff(levels) / 2
    # Of an exponential tail the mean lies its width beyond the outermost quantile.
    outer = levels[0], 1 - levels[-1]
    widths = 1 / np.log(levels[1] / levels[0]), 1 / np.log((1 - levels[-2]) / (1 - levels[-1]))
    weights[[0, 1]] += outer[0] * np.array([1 + widths[0], -widths[0]])
    weights[[-1, -2]] += outer[1] * np.array([1 + widths[1], -widths[1]])
    return weights
