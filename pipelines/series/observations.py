"""What the network reads of observations: values without gaps, and how volatile the targets are."""

import numpy as np
import tensorflow as tf

from models.recurrence import linear_recurrence

SMALLEST_VARIANCE = 1e-4  # of a volatile target, beside that of training


def finite(tensor: tf.Tensor) -> tf.Tensor:
    """Zero for what is not known."""
    return tf.where(tf.math.is_finite(tensor), tensor, tf.zeros_like(tensor))


def has_started(observed: tf.Tensor, recent: tf.Tensor) -> tf.Tensor:
    """Whether a value of a series was observed at a step or before it.

    Args:
        observed: bool (batch, time, columns).
        recent: (batch, steps, columns), what `fill` returned of the last steps before these.

    Returns:
        bool (batch, time).
    """
    before = tf.reduce_any(tf.math.is_finite(recent[:, -1]), axis=-1, keepdims=True)  # (batch, 1)
    return before | (tf.cumsum(tf.cast(tf.reduce_any(observed, axis=-1), tf.int32), axis=1) > 0)


def fill(values: tf.Tensor, observed: tf.Tensor, recent: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Puts the last observed value wherever one is missing.

    Args:
        values: (batch, time, columns), 0 where nothing was observed.
        observed: bool, of the same shape.
        recent: (batch, steps, columns), what this returned of the last steps before these.

    Returns:
        The recent values and these, NaN before the first of a series (batch, steps + time, columns); and whether each
        step counts (batch, time), see `has_started`.
    """
    missing = tf.cast(~observed, values.dtype)
    filled = linear_recurrence(missing, values, finite(recent[:, -1])).hidden
    counts = has_started(observed, recent)
    filled = tf.where(counts[..., tf.newaxis], filled, np.float32(np.nan))
    return tf.concat([recent, filled], axis=1), counts


def volatility(
    values: tf.Tensor, observed: tf.Tensor, variance: tf.Tensor, decay: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """The exponentially weighted volatility, σ² ← decay σ² + (1 − decay) value², where a value was observed.

    Args:
        values: (batch, time, targets).
        observed: bool, of the same shape.
        variance: (batch, targets), before the first step.
        decay: of the variance, a step; 0: the volatility is 1 all the time.

    Returns:
        The volatility (batch, time, targets), and the last variance.
    """
    if not decay:
        return tf.ones_like(values), variance
    seen = tf.cast(observed, values.dtype)
    variances, last = linear_recurrence(1 - (1 - decay) * seen, (1 - decay) * values**2 * seen, variance)
    return tf.sqrt(variances + SMALLEST_VARIANCE), last
