"""Calibration: intervals get the coverage that they had where nothing was learned, and follow later errors."""

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

FEW = 20  # origins, of which a step ahead speaks as loudly for itself as all steps together do
PRIOR = 3  # stretches as long as the horizon for which the quantiles as they are speak
FACTORS = 1e-3, 100.0  # within which intervals are stretched: one without a width cannot become right


def fit_widening(
    quantiles: np.ndarray, truth: np.ndarray, levels: Sequence[float], stretches: float = np.inf
) -> np.ndarray:
    """Returns by what to stretch the quantiles at each level, so that central intervals cover what they should.

    For an interval from level l to 1 − l around the median m, the score of a truth y is how far out it lies in units of
    that side of the interval; the factor is the (1 − 2 l) quantile of the scores:

        s = max((y − m) / (q_{1−l} − m), (m − y) / (m − q_l))

    Conformalised quantile regression (Romano et al. 2019, https://arxiv.org/abs/1905.03222), with scores in
    units of the width. Of n scores the one of rank (1 − 2 l) (n + 1) is taken, which a further score stays below with
    the probability 1 − 2 l. With few origins the scores of all steps ahead speak together: the logarithm of a step's
    factor counts n / (n + 20) beside that of all of them. Neighbouring origins share their truths: if these fill the
    horizon s times, there are about s independent scores. So the logarithm of each factor is multiplied by s / (s + 3),
    as if there had been three more stretches where the quantiles were right. A level whose mirror image is not among
    the levels is not stretched.

    Args:
        quantiles: (origins, …, levels).
        truth: (origins, …), NaN where it is not known.
        levels: of the quantiles, rising, the median among them.
        stretches: how many times the known truths fill the horizon.

    Returns:
        Factors (…, levels).

    Example:
        >>> quantiles = np.tile([-1.0, 0.0, 1.0], (99, 1))
        >>> fit_widening(quantiles, np.linspace(-4, 4, 99), (0.25, 0.5, 0.75)).round(2)
        array([2.04, 1.  , 2.04])
    """
    middle = quantiles[..., levels.index(0.5)]
    factors = np.ones(quantiles.shape[1:])
    for low, high in mirrored(levels):
        with np.errstate(divide="ignore", invalid="ignore"):
            above = (truth - middle) / (quantiles[..., high] - middle)
            below = (middle - truth) / (middle - quantiles[..., low])
        scores = np.where(np.isfinite(truth), np.fmax(above, below), np.nan)
        coverage = 1 - 2 * levels[low]
        each = _quantile(scores, coverage)  # (…,)
        if scores.ndim > 1:
            steps = scores.shape[1]
            together = _quantile(np.swapaxes(scores, 0, 1).reshape(-1, *scores.shape[2:]), coverage)
            counts = np.isfinite(scores).sum(axis=0)
            share = counts / (counts + FEW) if steps > 1 else 1.0
            each = each**share * together ** (1 - share)
        factors[..., low] = factors[..., high] = each ** (1 / (1 + PRIOR / stretches))
    return factors


def _quantile(scores: np.ndarray, share: float) -> np.ndarray:
    """The quantile of scores (origins, …) at the rank share · (n + 1), at most the highest; 1 where there are none."""
    scores = np.where(np.isposinf(scores), np.finfo(np.float32).max, scores)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # all of them missing
        found = np.nanquantile(scores, share, axis=0, method="weibull")
    return np.where(np.isfinite(found), np.clip(found, *FACTORS), 1.0)


def mirrored(levels: Sequence[float]) -> list[tuple[int, int]]:
    """Returns the places of the two levels of each central interval, the widest first.

    Example:
        >>> mirrored((0.1, 0.2, 0.5, 0.9))
        [(0, 3)]
    """
    below = levels[: levels.index(0.5)]
    return [
        (low, high)
        for low, level in enumerate(below)
        for high, other in enumerate(levels)
        if np.isclose(other, 1 - level)
    ]


def held_out_by(times: Any, fold_days: int, members: int) -> Any:
    """Returns the number of the member that does not learn to forecast the values of these times.

    Stretches of `fold_days` days go round the members, so that each season has values that a member never learned
    (cross-conformal prediction: Vovk 2015, https://doi.org/10.1007/s10472-013-9368-4). The last weeks before the test
    period, alone, would calibrate for their own season.

    Args:
        times: int64, seconds since 1970, any shape.
        fold_days: length of a stretch.
        members: how many.

    Example:
        >>> held_out_by(np.array([0, 86_400, 172_800]), 1, 2).tolist()
        [0, 1, 0]
    """
    return times // (fold_days * 86_400) % members


def widened(quantiles: tf.Tensor, widening: Any, median: int) -> tf.Tensor:
    """Stretches quantiles (…, levels) away from their median by factors (…, levels); they still do not cross."""
    middle = quantiles[..., median : median + 1]
    distances = tf.unstack((quantiles - middle) * tf.convert_to_tensor(widening), axis=-1)
    for index in range(median + 1, len(distances)):
        distances[index] = tf.maximum(distances[index], distances[index - 1])
    for index in reversed(range(median)):
        distances[index] = tf.minimum(distances[index], distances[index + 1])
    return middle + tf.stack(distances, axis=-1)


class Adaptation(NamedTuple):
    """What is remembered from one step to the next.

    Attributes:
        due: (batch, horizon, horizon, targets, levels), the forecasts of the last `horizon` steps, the newest last;
            NaN before the first.
        stretch: (batch, targets, intervals), the logarithm of what each central interval is stretched by.
    """

    due: tf.Tensor
    stretch: tf.Tensor


def no_adaptation(batch: tf.Tensor, horizon: int, targets: int, levels: Sequence[float]) -> Adaptation:
    """Nothing is remembered: before the first step."""
    due = tf.fill((batch, horizon, horizon, targets, len(levels)), np.float32(np.nan))
    return Adaptation(due, tf.zeros((batch, targets, len(mirrored(levels)))))


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

    When a value comes, the forecasts of it that were made 1, 2, … steps before are due. The central intervals of
    coverage c were missed by a share e of them, and their factor f moves, so that in the long run they cover c:

        log f ← log f + rate · (e − (1 − c))

    Adaptive conformal inference (Gibbs and Candès 2021, https://arxiv.org/abs/2106.00170), as tracking of a quantile of
    scores (Angelopoulos et al. 2023, https://arxiv.org/abs/2307.16895). All steps ahead share a factor: what makes
    them err more, such as a livelier time, is common to them, and each alone says little.

    Args:
        quantiles: (batch, time, horizon, targets, levels), forecast after each step, not adapted.
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
    started_only = tf.where(started[:, :, tf.newaxis, tf.newaxis, tf.newaxis], quantiles, np.float32(np.nan))
    forecasts = tf.concat([before.due, started_only], axis=1)  # (batch, horizon + time, horizon, targets, levels)
    due = tf.stack(
        [forecasts[:, horizon - ahead : horizon - ahead + time, ahead - 1] for ahead in range(1, horizon + 1)], axis=2
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
        known = tf.cast(valid, tf.float32)
        missed = known * (tf.cast(far > tf.exp(stretch)[:, tf.newaxis], tf.float32) - allowed)
        return stretch + rate * tf.math.divide_no_nan(tf.reduce_sum(missed, axis=1), tf.reduce_sum(known, axis=1))

    steps = tuple(tf.transpose(tensor, (1, 0, 2, 3, 4)) for tensor in (score, counts))
    stretches = tf.transpose(tf.scan(learn, steps, before.stretch), (1, 0, 2, 3))  # after each step
    factors = tf.concat([tf.exp(stretches), tf.ones_like(stretches[..., :1])], axis=-1)
    of_level = np.full(len(levels), len(intervals))  # the last factor, 1, is that of the others
    of_level[lows] = of_level[highs] = np.arange(len(intervals))
    adapted = widened(quantiles, tf.gather(factors, of_level, axis=-1)[:, :, tf.newaxis], median)
    return adapted, Adaptation(forecasts[:, -horizon:], stretches[:, -1])
