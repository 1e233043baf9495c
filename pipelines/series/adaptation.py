"""Intervals that follow the errors of late: wider after misses, narrower after hits."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from pipelines.series.calibration import mirrored, widened


class Adaptation(NamedTuple):
    """What is remembered from one step to the next.

    Attributes:
        due: (batch, horizon, horizon, targets, levels), the forecasts of the last `horizon` steps, the newest last;
            NaN before the first.
        stretch: (batch, horizon, targets, intervals), the logarithm of what each central interval is stretched by.
    """

    due: tf.Tensor
    stretch: tf.Tensor


def no_adaptation(batch: tf.Tensor, horizon: int, targets: int, levels: Sequence[float]) -> Adaptation:
    """Nothing is remembered: before the first step."""
    due = tf.fill((batch, horizon, horizon, targets, len(levels)), np.float32(np.nan))
    return Adaptation(due, tf.zeros((batch, horizon, targets, len(mirrored(levels)))))


def adapt(
    quantiles: tf.Tensor,
    truth: tf.Tensor,
    counts: tf.Tensor,
    started: tf.Tensor,
    before: Adaptation,
    levels: Sequence[float],
    rate: float,
) -> tuple[tf.Tensor, Adaptation]:
    """Stretches the intervals of each step's forecast by what the values up to that step taught.

    When a value comes, the forecast of it that was made h steps before is due. The central interval of coverage c at
    step h ahead was missed (e = 1) or hit (e = 0), and its factor f_h moves, so that in the long run it covers c:

        log f_h ← log f_h + rate · (e − (1 − c))

    Adaptive conformal inference (Gibbs and Candès 2021, https://arxiv.org/abs/2106.00170), as tracking of a quantile of
    scores (Angelopoulos et al. 2023, https://arxiv.org/abs/2307.16895).

    Args:
        quantiles: (batch, time, horizon, targets, levels), said after each step, not adapted.
        truth: (batch, time, targets), what came at each step.
        counts: bool (batch, time, targets); where it is False the value teaches nothing.
        started: bool (batch, time); where it is False the series has not started, and forecasts of it do not count.
        before: what was remembered before these steps.
        levels: of the quantiles, rising, the median among them.
        rate: how fast factors move.

    Returns:
        The quantiles, stretched, and what is remembered after these steps.
    """
    horizon, targets = quantiles.shape[2:4]
    time, median = tf.shape(quantiles)[1], levels.index(0.5)
    truth, counts = (tf.ensure_shape(tensor, (None, None, targets)) for tensor in (truth, counts))
    intervals = mirrored(levels)
    lows, highs = (list(each) for each in zip(*intervals, strict=True))
    judged = tf.where(started[:, :, tf.newaxis, tf.newaxis, tf.newaxis], quantiles, np.float32(np.nan))
    said = tf.concat([before.due, judged], axis=1)  # (batch, horizon + time, horizon, targets, levels)
    due = tf.stack(
        [said[:, horizon - ahead : horizon - ahead + time, ahead - 1] for ahead in range(1, horizon + 1)], axis=2
    )
    middle = due[..., median : median + 1]
    error = truth[:, :, tf.newaxis, :, tf.newaxis] - middle  # (batch, time, horizon, targets, 1)
    # How far out the value lies, in units of its side of the interval.
    above = error / tf.maximum(tf.gather(due, highs, axis=-1) - middle, 1e-9)
    below = -error / tf.maximum(middle - tf.gather(due, lows, axis=-1), 1e-9)
    score = tf.maximum(above, below)  # (batch, time, horizon, targets, intervals)
    counts = counts[:, :, tf.newaxis, :, tf.newaxis] & tf.math.is_finite(score)
    allowed = tf.constant([2 * levels[low] for low in lows])  # share of misses

    def learn(stretch: tf.Tensor, step: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        far, valid = step
        return stretch + tf.where(valid, rate * (tf.cast(far > tf.exp(stretch), tf.float32) - allowed), 0.0)

    steps = tuple(tf.transpose(tensor, (1, 0, 2, 3, 4)) for tensor in (score, counts))
    stretches = tf.transpose(tf.scan(learn, steps, before.stretch), (1, 0, 2, 3, 4))  # after each step
    factors = tf.concat([tf.exp(stretches), tf.ones_like(stretches[..., :1])], axis=-1)
    of_level = np.full(len(levels), len(intervals))  # the last factor, 1, is that of the others
    of_level[lows] = of_level[highs] = np.arange(len(intervals))
    adapted = widened(quantiles, tf.gather(factors, of_level, axis=-1), median)
    return adapted, Adaptation(said[:, -horizon:], stretches[:, -1])
