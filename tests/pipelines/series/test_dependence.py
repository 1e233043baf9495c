"""Paths and calibration against series whose law is known."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from pipelines.series.calibration import fit_widening
from pipelines.series.dependence import draw_paths, fit_correlation
from pipelines.series.distributions import DISTRIBUTIONS
from pipelines.series.forecasting import Forecasted
from pipelines.series.train import spread_out

LEVELS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
HORIZON, PERSISTENCE = 8, 0.9
AHEAD = np.arange(1, HORIZON + 1)


def forecasts(origins: int, seed: int, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """The true quantiles (origins, horizon, 1, levels) of autoregressive series, and what came."""
    random = np.random.default_rng(seed)
    path = np.zeros(origins + HORIZON + 100)
    for step, shock in enumerate(random.normal(size=len(path) - 1), 1):
        path[step] = PERSISTENCE * path[step - 1] + shock
    path = path[100:]
    deviation = np.sqrt(np.cumsum(PERSISTENCE ** (2 * (AHEAD - 1))))
    steps = np.arange(origins)[:, np.newaxis]
    center = PERSISTENCE**AHEAD * path[steps]
    quantiles = center[..., np.newaxis] + noise * deviation[:, np.newaxis] * scipy.stats.norm.ppf(LEVELS)
    return quantiles[:, :, np.newaxis], path[steps + AHEAD][..., np.newaxis]


def covered(paths: np.ndarray, truth: np.ndarray) -> float:
    """How often the sum over the horizon lies within the 80 % of the sums of paths."""
    low, high = np.quantile(paths.sum(axis=(2, 3)), (0.1, 0.9), axis=1)
    total = truth.sum(axis=(1, 2))
    return float(((low <= total) & (total <= high)).mean())


def test_sums_of_paths_are_calibrated_and_those_of_independent_steps_are_not() -> None:
    correlation = fit_correlation(*forecasts(3000, seed=0), LEVELS)
    quantiles, truth = forecasts(1000, seed=1)
    normal = tf.random.stateless_normal((1000, 200, HORIZON), (0, 0))
    given = tf.constant(quantiles, tf.float32)
    assert 0.76 < covered(draw_paths(given, LEVELS, correlation, normal).numpy(), truth) < 0.84
    assert covered(draw_paths(given, LEVELS, np.eye(HORIZON), normal).numpy(), truth) < 0.6


def test_the_correlation_is_that_of_the_errors() -> None:
    """Of an autoregression, in closed form."""
    variance = np.cumsum(PERSISTENCE ** (2 * (AHEAD - 1)))
    apart = np.abs(AHEAD[:, np.newaxis] - AHEAD)
    expected = PERSISTENCE**apart * np.minimum.outer(variance, variance) / np.sqrt(np.outer(variance, variance))
    found = fit_correlation(*forecasts(6000, seed=2), LEVELS)
    np.testing.assert_allclose(found, expected, atol=0.08)
    few = fit_correlation(*forecasts(12, seed=3), LEVELS)  # fewer origins than could tell
    assert np.linalg.eigvalsh(few).min() > 0 and np.abs(np.diag(few) - 1).max() < 1e-9


def test_targets_that_err_together_are_drawn_together() -> None:
    random = np.random.default_rng(0)
    truth = random.normal(size=(500, 3, 1)) * [1.0, -1.0]
    truth[::5, :, 1] = np.nan
    quantiles = np.broadcast_to(scipy.stats.norm.ppf(LEVELS), (500, 3, 2, len(LEVELS)))
    correlation = fit_correlation(quantiles, truth, LEVELS)
    normal = tf.constant(random.normal(size=(1, 500, 6)), tf.float32)
    paths = draw_paths(tf.constant(quantiles[:1], tf.float32), LEVELS, correlation, normal).numpy()[0]
    assert np.corrcoef(paths[:, 0, 0], paths[:, 0, 1])[0, 1] < -0.9
    assert abs(np.corrcoef(paths[:, 0, 0], paths[:, 1, 0])[0, 1]) < 0.2


@pytest.mark.parametrize("origins", [10, 20, 50])
@pytest.mark.parametrize("noise", [0.6, 1.5], ids=["narrow", "wide"])
def test_few_origins_calibrate_on_average(origins: int, noise: float) -> None:
    """Ranges that were too narrow or too wide hold what they promise on what comes later."""
    held = []
    for seed in range(60):
        quantiles, truth = forecasts(origins + HORIZON + 60, seed, noise)
        factors = fit_widening(quantiles[:origins], truth[:origins], LEVELS)
        later = slice(origins + HORIZON, None)
        middle = quantiles[later, ..., 3]
        low, high = (middle + (quantiles[later, ..., place] - middle) * factors[..., place] for place in (1, 5))
        held.append(((low <= truth[later]) & (truth[later] <= high)).mean())
    assert 0.76 <= np.mean(held) <= 0.84


def test_few_stretches_move_ranges_that_are_about_right_less() -> None:
    """What comes later is covered better on average than by factors of what few neighbouring origins hold."""
    errors = []
    for seed in range(60):
        noise = np.exp(np.random.default_rng(seed).normal(0, 0.2))
        quantiles, truth = forecasts(10 + HORIZON + 200, seed, noise)
        later, held = slice(10 + HORIZON, None), []
        for stretches in ((10 + HORIZON) / HORIZON, np.inf):
            factors = fit_widening(quantiles[:10], truth[:10], LEVELS, stretches)
            middle = quantiles[later, ..., 3]
            low, high = (middle + (quantiles[later, ..., place] - middle) * factors[..., place] for place in (1, 5))
            held.append(((low <= truth[later]) & (truth[later] <= high)).mean())
        errors.append(np.abs(np.array(held) - 0.8))
    fewer, more = np.mean(errors, axis=0)
    assert fewer < 0.9 * more


@pytest.mark.parametrize("kind", ["negative_binomial", "zero_inflated"])
def test_ranges_that_are_right_are_not_stretched_though_many_truths_are_equal(kind: str) -> None:
    random, scale = np.random.default_rng(0), 2.0
    if kind == "negative_binomial":
        parameters, dispersion = [0.3, -0.5], np.log1p(np.exp(-0.5))
        mean = scale * np.log1p(np.exp(0.3))
        truth = random.negative_binomial(1 / dispersion, 1 / (1 + dispersion * mean), (4000, 1, 1)).astype(float)
    else:
        parameters = [0.3, -0.5, 0.2]
        truth = scale * np.log1p(np.exp(-0.5)) * random.lognormal(0, np.log1p(np.exp(0.2)), (4000, 1, 1))
        truth *= random.random((4000, 1, 1)) > 1 / (1 + np.exp(-0.3))
    assert 0.1 < (truth == 0).mean() < 0.9
    one = DISTRIBUTIONS[kind](LEVELS).quantiles(tf.constant(parameters), 0.0, scale)
    quantiles = scale * np.tile(one.numpy(), (4000, 1, 1, 1))
    forecaster = SimpleNamespace(
        network=SimpleNamespace(distribution=kind),
        targets=1,
        deviation=tf.fill((2, 1), scale),
        spread=tf.ones((1, 1)),
    )
    said = Forecasted(0, np.arange(4000), quantiles, truth, truth)
    spread = spread_out(cast(Any, forecaster), said)
    np.testing.assert_allclose(fit_widening(quantiles, spread, LEVELS), 1, atol=0.12)
