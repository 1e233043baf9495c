"""What a decoder says of a value to come: quantiles that cannot cross, Student's t, a count, or zero and more."""

import math
from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

import numpy as np
import scipy.stats
import tensorflow as tf

from pipelines.series.quantile_functions import check_levels, mean_weights, quantile_function

LIGHTEST_TAIL, HEAVIEST_TAIL = 1e-3, 0.45  # one over the degrees of freedom; the variance is finite below 0.5
TAIL_KNOTS = 512  # linear interpolation between so many leaves an error of about 1e-4
SMALLEST_SCALE = 1e-3
COUNT_KNOTS = (1e-2, 1e4, 128), (1e-3, 30.0, 64)
"""Means and dispersions between which quantiles of counts are interpolated; beyond them they are those at the end."""
LOGARITHMIC_SPREADS = 0.05, 2.5
ROUNDING = 1e-4  # of a number in single precision
Part: TypeAlias = tf.Tensor | float


class Distribution(Protocol):
    """A family of distributions of a standardised value, each given by so many `parameters`.

    A standardised value v stands for center + scale · v (…,) in the data's own units. Only a family with a place of its
    own for zero looks at these.
    """

    parameters: int

    @property
    def start(self) -> Sequence[float]:
        """Parameters of about the standard normal distribution, from which a training begins."""

    def loss(self, parameters: tf.Tensor, values: tf.Tensor, center: Part = 0.0, scale: Part = 1.0) -> tf.Tensor:
        """The loss (…,) of parameters (…, parameters) where `values` (…,) came."""

    def quantiles(self, parameters: tf.Tensor, center: Part = 0.0, scale: Part = 1.0) -> tf.Tensor:
        """The quantiles (…, levels), which never decrease."""

    def mean(self, parameters: tf.Tensor, center: Part = 0.0, scale: Part = 1.0) -> tf.Tensor:
        """The expected value (…,)."""

    def sample(self, parameters: tf.Tensor, uniform: tf.Tensor, center: Part = 0.0, scale: Part = 1.0) -> tf.Tensor:
        """Values (…,) from numbers (…,) that are uniform in 0 … 1."""


class Quantiles:
    """Quantiles at fixed levels, learned by the pinball loss (Koenker and Bassett 1978).

        q_m = p_m,   q_{i+1} = q_i + softplus(p_{i+1}) above the median m,   q_{i−1} = q_i − softplus(p_{i−1}) below

        loss = 2 / L · Σ_i max(l_i (y − q_i), (l_i − 1) (y − q_i))

    Between the levels the quantile function is linear, beyond them the tails are exponential. The loss is about the
    continuous ranked probability score.

    Args:
        levels: in rising order, the median 0.5 among them.

    Raises:
        ValueError: the levels are not in order, or lack the median.

    Example:
        >>> quantiles = Quantiles((0.1, 0.5, 0.9))
        >>> quantiles.quantiles(tf.constant([0.0, 1.0, 0.0])).numpy().round(3)
        array([0.307, 1.   , 1.693], dtype=float32)
    """

    def __init__(self, levels: Sequence[float]) -> None:
        check_levels(levels)
        self.levels = tuple(levels)
        self.median = self.levels.index(0.5)
        self.parameters = len(self.levels)
        steps = np.diff(scipy.stats.norm.ppf(self.levels))
        self.start = np.insert(np.log(np.expm1(steps)), self.median, 0.0).tolist()  # inverse of softplus
        self.mean_weights = mean_weights(np.array(levels))

    def loss(self, parameters: tf.Tensor, values: tf.Tensor, center: Part = 0.0, scale: Part = 1.0) -> tf.Tensor:
        error = values[..., tf.newaxis] - self.quantiles(parameters)
        levels = tf.constant(self.levels, error.dtype)
        return 2 * tf.reduce_mean(tf.maximum(levels * error, (levels - 1) * error), axis=-1)

    def quantiles(self, parameters: tf.Tensor, center: Part = 0.0, scale: Part = 1.0) -> tf.Tensor:
        below, median, above = tf.split(parameters, [self.median, 1, self.parameters - self.median - 1], axis=-1)
        below = median - tf.cumsum(tf.nn.softplus(below), axis=-1, reverse=True)
        above = median + tf.cumsum(tf.nn.softplus(above), axis=-1)
        return tf.concat([below, median, above], axis=-1)

    def mean(self, parameters: tf.Tensor, center: Part = 0.0, scale: Part = 1.0) -> tf.Tensor:
        return tf.reduce_sum(self.quantiles(parameters) * self.mean_weights.astype(np.float32), axis=-1)

    def sample(self, parameters: tf.Tensor, uniform: tf.Tensor, center: Part = 0.0, scale: Part = 1.0) -> tf.Tensor:
        return quantile_function(self.quantiles(parameters), self.levels, uniform)


class StudentT:
    """Student's t with a location, a scale and its degrees of freedom, learned by maximum likelihood.

        loss = ln B(ν/2, 1/2) + ln(ν)/2 + ln σ + (ν + 1)/2 · ln(1 + z²/ν),   z = (y − μ)/σ

    with parameters μ, softplus⁻¹(σ) and, as a logit, 1/ν between 0.001 and 0.45 (DeepAR: Salinas et al. 2020,
    https://doi.org/10.1016/j.ijforecast.2019.07.001).

    Args:
        levels: of the quantiles that are asked for.

    Example:
        >>> t = StudentT((0.1, 0.5, 0.9))
        >>> t.quantiles(tf.constant([2.0, 0.0, 0.0])).numpy().round(2)
        array([0.96, 2.  , 3.04], dtype=float32)
    """

    parameters = 3

    def __init__(self, levels: Sequence[float]) -> None:
        check_levels(levels)
        self.levels = tuple(levels)
        knots = np.linspace(LIGHTEST_TAIL, HEAVIEST_TAIL, TAIL_KNOTS)
        table = scipy.stats.t.ppf(np.array(levels), 1 / knots[:, np.newaxis])  # (knots, levels)
        self.table = table.astype(np.float32)
        self.start = [0.0, math.log(math.expm1(1.0)), -2.0]

    def loss(self, parameters: tf.Tensor, values: tf.Tensor, center: Part = 0.0, scale: Part = 1.0) -> tf.Tensor:
        location, width, tail = self._parts(parameters)
        freedom = 1 / tail
        half = tf.fill(tf.shape(freedom), tf.constant(0.5, freedom.dtype))
        normaliser = tf.math.lbeta(tf.stack([freedom / 2, half], axis=-1)) + tf.math.log(freedom) / 2
        distance = (values - location) / width
        return normaliser + tf.math.log(width) + (freedom + 1) / 2 * tf.math.log1p(distance**2 * tail)

    def quantiles(self, parameters: tf.Tensor, center: Part = 0.0, scale: Part = 1.0) -> tf.Tensor:
        location, width, tail = (part[..., tf.newaxis] for part in self._parts(parameters))
        position = (tail - LIGHTEST_TAIL) / (HEAVIEST_TAIL - LIGHTEST_TAIL) * (TAIL_KNOTS - 1)
        knot = tf.clip_by_value(tf.floor(position), 0, TAIL_KNOTS - 2)
        index = tf.cast(knot[..., 0], tf.int32)
        lower, upper = tf.gather(self.table, index), tf.gather(self.table, index + 1)  # (…, levels)
        return location + width * (lower + (position - knot) * (upper - lower))

    def mean(self, parameters: tf.Tensor, center: Part = 0.0, scale: Part = 1.0) -> tf.Tensor:
        return self._parts(parameters)[0]

    def sample(self, parameters: tf.Tensor, uniform: tf.Tensor, center: Part = 0.0, scale: Part = 1.0) -> tf.Tensor:
        return quantile_function(self.quantiles(parameters), self.levels, uniform)

    def _parts(self, parameters: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Location, scale, and one over the degrees of freedom."""
        location, scale, tail = tf.unstack(parameters, axis=-1)
        scale = tf.nn.softplus(scale) + SMALLEST_SCALE
        return location, scale, LIGHTEST_TAIL + (HEAVIEST_TAIL - LIGHTEST_TAIL) * tf.sigmoid(tail)


class NegativeBinomial:
    """A count, learned by maximum likelihood: variance μ + α μ² (DeepAR, as `StudentT`).

        loss = ln Γ(r) + ln Γ(k + 1) − ln Γ(k + r) − r ln(r / (r + μ)) − k ln(μ / (r + μ)),   r = 1/α

    with parameters p and softplus⁻¹(α), and μ = scale · softplus(center / scale + p). A quantile at level l is
    continuous: its ceiling is the smallest count k of F(k) ≥ l, and between k − 1 and k it is linear in l.

    Args:
        levels: of the quantiles that are asked for.

    Example:
        >>> counts = NegativeBinomial((0.1, 0.5, 0.9))
        >>> np.ceil(counts.quantiles(tf.constant([3.0, -7.0]))).tolist()  # α of nearly 0: Poisson's distribution
        [1.0, 3.0, 5.0]
    """

    parameters = 2
    start: Sequence[float] = (0.0, -1.0)

    def __init__(self, levels: Sequence[float]) -> None:
        check_levels(levels)
        self.levels = tuple(levels)
        means, dispersions = (np.geomspace(*knots)[:, np.newaxis] for knots in COUNT_KNOTS)
        exact = scipy.stats.nbinom(1 / dispersions, 1 / (1 + dispersions * means[:, np.newaxis]))
        counts = exact.ppf(np.array(levels))  # (means, dispersions, levels)
        below, there = exact.cdf(counts - 1), exact.pmf(counts)
        counts += np.clip((np.array(levels) - below) / there, 0, 1) - 1
        self.table = ((counts - exact.mean()) / exact.std()).astype(np.float32)

    def loss(self, parameters: tf.Tensor, values: tf.Tensor, center: Part = 0.0, scale: Part = 1.0) -> tf.Tensor:
        counts = tf.cast(tf.maximum(center + scale * values, 0.0), tf.float64)
        mean, dispersion = (tf.cast(part, tf.float64) for part in self._parts(parameters, center, scale))
        size = 1 / dispersion
        choices = tf.math.lgamma(size) + tf.math.lgamma(counts + 1) - tf.math.lgamma(counts + size)
        loss = choices + size * tf.math.log1p(mean * dispersion) + counts * tf.math.log1p(size / mean)
        return tf.cast(loss, parameters.dtype)

    def quantiles(self, parameters: tf.Tensor, center: Part = 0.0, scale: Part = 1.0) -> tf.Tensor:
        mean, dispersion = self._parts(parameters, center, scale)
        (row, rows), (column, columns) = (
            _knot(part, *knots) for part, knots in zip((mean, dispersion), COUNT_KNOTS, strict=True)
        )
        table = tf.reshape(tf.constant(self.table), (-1, len(self.levels)))
        width = self.table.shape[1]
        corners = [tf.gather(table, (row + below) * width + column + right) for below in (0, 1) for right in (0, 1)]
        upper, lower = (first + columns * (second - first) for first, second in (corners[:2], corners[2:]))
        deviation = tf.sqrt(mean + dispersion * mean**2)[..., tf.newaxis]
        counts = mean[..., tf.newaxis] + deviation * (upper + rows * (lower - upper))
        return (counts - _last_axis(center)) / _last_axis(scale)

    def mean(self, parameters: tf.Tensor, center: Part = 0.0, scale: Part = 1.0) -> tf.Tensor:
        return (self._parts(parameters, center, scale)[0] - center) / scale

    def sample(self, parameters: tf.Tensor, uniform: tf.Tensor, center: Part = 0.0, scale: Part = 1.0) -> tf.Tensor:
        drawn = quantile_function(self.quantiles(parameters, center, scale), self.levels, uniform)
        return (tf.maximum(tf.math.ceil(center + scale * drawn - ROUNDING), 0.0) - center) / scale

    def _parts(self, parameters: tf.Tensor, center: Part, scale: Part) -> tuple[tf.Tensor, tf.Tensor]:
        """Mean and dispersion."""
        location, dispersion = tf.unstack(parameters, axis=-1)
        (least, *_), (smallest, largest, _) = COUNT_KNOTS
        mean = tf.maximum(_positive(location, center, scale), least)
        return mean, tf.clip_by_value(tf.nn.softplus(dispersion), smallest, largest)


class ZeroOrMore:
    """Exactly zero with a probability π, else log-normal: rain, or the sales of what is seldom sold, by likelihood.

        loss = −ln π at zero, else −ln(1 − π) + ln(y σ √(2 π)) + (ln y − ln m)² / (2 σ²)

    with parameters logit(π), p and softplus⁻¹(σ), and m = scale · softplus(center / scale + p). A quantile at a level l
    below π stands for zero, and is scale · (l / π − 1): so ranges can be stretched, before they are cut at zero.

    Args:
        levels: of the quantiles that are asked for.

    Example:
        >>> amounts = ZeroOrMore((0.1, 0.5, 0.9))
        >>> amounts.quantiles(tf.constant([0.0, 3.0, 0.0])).numpy().round(1).tolist()  # half of them zero
        [-0.8, 0.0, 5.4]
    """

    parameters = 3
    start: Sequence[float] = (0.0, 0.0, 0.5)

    def __init__(self, levels: Sequence[float]) -> None:
        check_levels(levels)
        self.levels = tuple(levels)

    def loss(self, parameters: tf.Tensor, values: tf.Tensor, center: Part = 0.0, scale: Part = 1.0) -> tf.Tensor:
        zero, median, spread = self._parts(parameters, center, scale)
        amounts = center + scale * values
        is_zero = amounts <= ROUNDING * scale
        logarithm = tf.math.log(tf.where(is_zero, tf.ones_like(amounts), amounts))
        distance = (logarithm - tf.math.log(median)) / spread
        density = logarithm - tf.math.log(tf.ones_like(amounts) * scale)  # of the standardised value
        density += tf.math.log(spread) + 0.5 * distance**2 + 0.5 * math.log(2 * math.pi)
        return tf.where(is_zero, tf.nn.softplus(-zero), tf.nn.softplus(zero) + density)

    def quantiles(self, parameters: tf.Tensor, center: Part = 0.0, scale: Part = 1.0) -> tf.Tensor:
        zero, median, spread = (part[..., tf.newaxis] for part in self._parts(parameters, center, scale))
        share = tf.sigmoid(zero)
        above = (tf.constant(self.levels) - share) / tf.maximum(1 - share, 1e-6)
        normal = tf.math.ndtri(tf.clip_by_value(above, 1e-6, 1 - 1e-6))
        below = _last_axis(scale) * (tf.constant(self.levels) / tf.maximum(share, 1e-6) - 1)
        amounts = tf.where(above > 0, median * tf.exp(spread * normal), tf.minimum(below, 0.0))
        return (amounts - _last_axis(center)) / _last_axis(scale)

    def mean(self, parameters: tf.Tensor, center: Part = 0.0, scale: Part = 1.0) -> tf.Tensor:
        zero, median, spread = self._parts(parameters, center, scale)
        return (tf.sigmoid(-zero) * median * tf.exp(spread**2 / 2) - center) / scale

    def sample(self, parameters: tf.Tensor, uniform: tf.Tensor, center: Part = 0.0, scale: Part = 1.0) -> tf.Tensor:
        drawn = quantile_function(self.quantiles(parameters, center, scale), self.levels, uniform)
        return (tf.maximum(center + scale * drawn, 0.0) - center) / scale

    def _parts(self, parameters: tf.Tensor, center: Part, scale: Part) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The logit of zero, and the median and the logarithmic spread of what is more."""
        zero, location, spread = tf.unstack(parameters, axis=-1)
        spread = tf.clip_by_value(tf.nn.softplus(spread), *LOGARITHMIC_SPREADS)
        return zero, _positive(location, center, scale), spread


DISTRIBUTIONS: dict[str, Callable[[Sequence[float]], Distribution]] = {
    "quantiles": Quantiles,
    "student_t": StudentT,
    "negative_binomial": NegativeBinomial,
    "zero_inflated": ZeroOrMore,
}


POSITIVE = ("negative_binomial", "zero_inflated")
"""Distributions without a negative value."""


def _positive(location: tf.Tensor, center: Part, scale: Part) -> tf.Tensor:
    """About center + scale · location, but always above zero."""
    return scale * (tf.nn.softplus(center / scale + location) + ROUNDING)


def _last_axis(part: Part) -> Part:
    return part[..., tf.newaxis] if isinstance(part, tf.Tensor) else part


def _knot(value: tf.Tensor, first: float, last: float, knots: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The knot below a value, of some in equal ratios, and how far behind it, from 0 to 1 (…, 1)."""
    position = tf.math.log(value / first) / math.log(last / first) * (knots - 1)
    position = tf.clip_by_value(position, 0.0, knots - 1.0)
    knot = tf.minimum(tf.floor(position), knots - 2)
    return tf.cast(knot, tf.int32), (position - knot)[..., tf.newaxis]
