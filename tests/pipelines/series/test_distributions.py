"""Distributions against SciPy, by their properties, and by learning from samples."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from pipelines.series.distributions import (
    DISTRIBUTIONS,
    NegativeBinomial,
    Quantiles,
    StudentT,
    ZeroOrMore,
)
from pipelines.series.quantile_functions import probability_below, quantile_function

LEVELS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
PARAMETERS = np.random.default_rng(0).normal(0, 3, (50, 7)).astype(np.float32)


def test_quantiles_never_cross_and_keep_their_median() -> None:
    quantiles = Quantiles(LEVELS).quantiles(tf.constant(PARAMETERS * 10)).numpy()
    assert (np.diff(quantiles) >= 0).all()
    np.testing.assert_array_equal(quantiles[:, 3], PARAMETERS[:, 3] * 10)


def test_pinball_loss_is_that_of_its_definition() -> None:
    distribution = Quantiles(LEVELS)
    values = np.random.default_rng(1).normal(0, 5, 50).astype(np.float32)
    quantiles = distribution.quantiles(tf.constant(PARAMETERS)).numpy()
    expected = [
        2
        * np.mean([level * (y - q) if y >= q else (1 - level) * (q - y) for level, q in zip(LEVELS, row, strict=True)])
        for y, row in zip(values, quantiles, strict=True)
    ]
    np.testing.assert_allclose(distribution.loss(tf.constant(PARAMETERS), tf.constant(values)), expected, rtol=1e-5)


def test_student_t_is_that_of_scipy() -> None:
    distribution, parameters = StudentT(LEVELS), PARAMETERS[:, :3].astype(np.float64)
    location, scale = parameters[:, 0], np.log1p(np.exp(parameters[:, 1])) + 1e-3
    freedom = 1 / (1e-3 + 0.449 / (1 + np.exp(-parameters[:, 2])))
    exact = scipy.stats.t(freedom, location, scale)
    values = np.random.default_rng(2).normal(0, 4, 50).astype(np.float32)
    loss = distribution.loss(tf.constant(PARAMETERS[:, :3]), tf.constant(values))
    np.testing.assert_allclose(loss, -exact.logpdf(values), rtol=2e-4, atol=2e-4)
    expected = np.stack([exact.ppf(level) for level in LEVELS], axis=-1)
    np.testing.assert_allclose(distribution.quantiles(tf.constant(PARAMETERS[:, :3])), expected, rtol=2e-3, atol=2e-3)
    np.testing.assert_allclose(distribution.mean(tf.constant(PARAMETERS[:, :3])), exact.mean(), rtol=1e-5)


@pytest.mark.parametrize("name", ["quantiles", "student_t"])
def test_training_starts_at_about_the_standard_normal(name: str) -> None:
    distribution = DISTRIBUTIONS[name](LEVELS)
    start = tf.constant(distribution.start)
    assert start.shape == (distribution.parameters,)
    tolerance = 1e-4 if name == "quantiles" else 0.2  # the t begins with heavier tails
    np.testing.assert_allclose(distribution.quantiles(start), scipy.stats.norm.ppf(LEVELS), atol=tolerance)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["quantiles", "student_t"])
def test_the_loss_is_least_at_the_true_quantiles(name: str) -> None:
    """Fitted to a sample by gradient descent, quantiles are those of the sample: the loss is proper."""
    distribution = DISTRIBUTIONS[name](LEVELS)
    sample = scipy.stats.t(4, 1.5, 0.7).rvs(4000, random_state=0).astype(np.float32)
    parameters = tf.Variable(distribution.start)
    optimizer = tf.keras.optimizers.Adam(0.05)
    for _ in range(300):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(distribution.loss(tf.repeat(parameters[tf.newaxis], 4000, axis=0), sample))
        optimizer.apply_gradients([(tape.gradient(loss, parameters), parameters)])
    np.testing.assert_allclose(distribution.quantiles(parameters), np.quantile(sample, LEVELS), atol=0.08)
    np.testing.assert_allclose(distribution.mean(parameters), sample.mean(), atol=0.05)


@pytest.mark.parametrize("scale", [1.0, 5.0])
def test_counts_are_those_of_scipy(scale: float) -> None:
    random = np.random.default_rng(4)
    parameters = random.normal((1.0, -1.0), (3, 2), (400, 2)).astype(np.float32)
    center = random.uniform(0, 20, 400).astype(np.float32)
    mean = scale * (np.logaddexp(0, center / scale + parameters[:, 0].astype(np.float64)) + 1e-4)
    mean, dispersion = np.maximum(mean, 0.01), np.clip(np.logaddexp(0, parameters[:, 1].astype(np.float64)), 1e-3, 30)
    exact = scipy.stats.nbinom(1 / dispersion, 1 / (1 + dispersion * mean))
    counts = exact.rvs(random_state=random)
    context = tf.constant(parameters), tf.constant(center), tf.constant(scale)
    distribution = NegativeBinomial(LEVELS)
    loss = distribution.loss(context[0], (counts - center) / np.float32(scale), *context[1:])
    np.testing.assert_allclose(loss, -exact.logpmf(counts), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(center + scale * distribution.mean(*context), mean, rtol=1e-4, atol=1e-4)
    quantiles = np.ceil(center[:, np.newaxis] + scale * distribution.quantiles(*context).numpy() - 1e-4)
    for place, level in enumerate(LEVELS):  # a count whose probability includes the level, but for what is rounded
        assert (exact.cdf(quantiles[:, place]) >= level - 0.01).all()
        assert (exact.cdf(quantiles[:, place] - 1) <= level + 0.01).all()


def test_zero_or_more_is_a_mixture_of_scipys() -> None:
    random = np.random.default_rng(5)
    parameters = random.normal(0, 1, (200, 3)).astype(np.float32)
    zero = 1 / (1 + np.exp(-parameters[:, 0].astype(np.float64)))
    spread = np.clip(np.logaddexp(0, parameters[:, 2].astype(np.float64)), 0.05, 2.5)
    above = scipy.stats.lognorm(spread, scale=np.logaddexp(0, parameters[:, 1].astype(np.float64)) + 1e-4)
    distribution, given = ZeroOrMore(LEVELS), tf.constant(parameters)
    values = above.rvs(random_state=random).astype(np.float32)
    np.testing.assert_allclose(distribution.loss(given, values), -np.log1p(-zero) - above.logpdf(values), rtol=1e-3)
    np.testing.assert_allclose(distribution.loss(given, 0 * values), -np.log(zero), rtol=1e-4)
    np.testing.assert_allclose(distribution.mean(given), (1 - zero) * above.mean(), rtol=1e-4)
    expected = np.stack([above.ppf(np.clip((level - zero) / (1 - zero), 0, 1)) for level in LEVELS], axis=-1)
    np.testing.assert_allclose(np.maximum(distribution.quantiles(given), 0), expected, rtol=2e-3, atol=1e-4)


def test_mean_is_the_integral_of_the_quantile_function() -> None:
    parameters = tf.constant(PARAMETERS[:3])
    quantiles = Quantiles(LEVELS).quantiles(parameters)
    for row, mean in zip(quantiles, Quantiles(LEVELS).mean(parameters).numpy(), strict=True):
        grid = np.linspace(0.5e-5, 1 - 0.5e-5, 100_000)
        values = quantile_function(tf.repeat(row[tf.newaxis], grid.size, 0), LEVELS, tf.constant(grid, tf.float32))
        np.testing.assert_allclose(np.mean(values.numpy()), mean, atol=2e-3)


def test_probability_is_the_inverse_of_the_quantile_function() -> None:
    quantiles = Quantiles(LEVELS).quantiles(tf.constant(PARAMETERS))
    probability = np.random.default_rng(3).uniform(0.001, 0.999, 50).astype(np.float32)
    values = quantile_function(quantiles, LEVELS, tf.constant(probability)).numpy()
    np.testing.assert_allclose(probability_below(quantiles.numpy(), LEVELS, values), probability, atol=1e-4)
    assert (
        np.diff(probability_below(np.repeat(quantiles.numpy()[:1], 99, 0), LEVELS, np.linspace(-50, 50, 99))) >= 0
    ).all()


@pytest.mark.parametrize("levels", [(), (0.5,), (0.1, 0.9), (0.9, 0.5, 0.1), (0.1, 0.5, 1.0), (0.1, 0.5)])
def test_levels_that_cannot_be_used_are_refused(levels: tuple[float, ...]) -> None:
    for distribution in DISTRIBUTIONS.values():
        with pytest.raises(ValueError, match=r"levels rise between 0 and 1 and surround the median.*Received: \("):
            distribution(levels)
