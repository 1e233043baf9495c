"""Paths that are drawn one step after another."""

from typing import Any

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from pipelines.series import forecasting
from pipelines.series.config import SeriesConfiguration
from pipelines.series.model import Forecaster, build
from pipelines.series.regular import Columns

COLUMNS = Columns(("load", "heat"), ("wind",), ("holiday",))
HORIZON, TIME = 4, 12
LEVELS = (0.05, 0.1, 0.5, 0.9, 0.95)
MANY_LEVELS = tuple(index / 50 for index in range(1, 50))  # so many that lines between them are near the normal


def forecaster(lively: bool = True, cumulative: bool = False, **network: Any) -> Forecaster:
    sizes = {
        "decoder": "autoregressive",
        "paths": 40,
        "units": 5,
        "members": 2,
        "decoder_units": 4,
        "lags": (1, 3),
        "season": 3,
        "quantile_levels": LEVELS,
    }
    configuration = SeriesConfiguration().replace(
        network=sizes | network, data={"horizon": HORIZON, "log_returns": cumulative}
    )
    found = build(configuration, names=("north", "south"), columns=COLUMNS._asdict(), step_seconds=3600)
    random = np.random.default_rng(0)
    for weight in found.trainable_variables:
        if lively:
            weight.assign(random.normal(0, 0.4, weight.shape))
        elif "bias" not in weight.path:
            weight.assign(np.zeros(weight.shape))
    return found


def inputs() -> tuple[np.ndarray, ...]:
    random = np.random.default_rng(1)
    values = random.normal(0, 1, (2, TIME + HORIZON, 4)).astype(np.float32)
    observed = random.random(values.shape) > 0.2
    observed[..., 3] = True
    times = np.tile(np.arange(TIME + HORIZON) * 3600, (2, 1))
    return values, observed, times, np.array([0, 1], np.int32)


@pytest.mark.slow
def test_a_network_that_knows_nothing_walks_at_random() -> None:
    """With no weights but the start of training, each step adds a standard normal to the last value."""
    network, (values, _, times, series) = forecaster(lively=False, paths=2000, quantile_levels=MANY_LEVELS), inputs()
    observed = np.ones(values.shape, bool)
    origins = np.array([3, 8], np.int32)
    quantiles, mean = forecasting.read(network, values, observed, times, series, origins)
    assert quantiles.shape == (2, 2, HORIZON, 2, 49)
    last = values[:, origins, np.newaxis, :2]
    np.testing.assert_allclose(mean, np.repeat(last, HORIZON, axis=2), atol=0.1)
    steps = np.sqrt(np.arange(1, HORIZON + 1))[:, np.newaxis, np.newaxis]
    expected = last[..., np.newaxis] + steps * scipy.stats.norm.ppf(MANY_LEVELS)
    np.testing.assert_allclose(quantiles, expected, atol=0.2)


@pytest.mark.slow
def test_sums_of_independent_returns() -> None:
    network = forecaster(
        lively=False, cumulative=True, relative=False, season=0, paths=2000, quantile_levels=MANY_LEVELS
    )
    values, _, times, series = inputs()
    quantiles, _ = forecasting.read(
        network, values, np.ones(values.shape, bool), times, series, np.array([5], np.int32)
    )
    steps = np.sqrt(np.arange(1, HORIZON + 1))[:, np.newaxis, np.newaxis]
    np.testing.assert_allclose(
        quantiles[0, 0], steps * scipy.stats.norm.ppf(MANY_LEVELS) + np.zeros((1, 2, 1)), atol=0.2
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", [{}, {"recurrent": "lstm", "distribution": "student_t", "volatility_decay": 0.9}])
def test_nothing_after_an_origin_and_no_past_column_reaches_a_forecast(kind: dict[str, Any]) -> None:
    network, (values, observed, times, series) = forecaster(**kind), inputs()
    before = forecasting.read(network, values, observed, times, series)[0].numpy()
    assert before.shape == (2, TIME, HORIZON, 2, 5)
    assert (np.diff(before) >= 0).all()
    changed = values.copy()
    changed[:, 6:, :2] += 9
    changed[..., 2] -= 7
    after = forecasting.read(network, changed, observed, times, series)[0].numpy()
    np.testing.assert_allclose(after[:, :6], before[:, :6], rtol=1e-4, atol=1e-4)
    assert np.abs(after[:, 7:] - before[:, 7:]).max() > 0.1
    changed = values.copy()
    changed[:, 8, 3] += 3  # known ahead
    after = forecasting.read(network, changed, observed, times, series)[0].numpy()
    np.testing.assert_allclose(after[:, :4], before[:, :4], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(after[:, 5, :2], before[:, 5, :2], rtol=1e-4, atol=1e-4)
    assert np.abs(after[:, 5, 2:] - before[:, 5, 2:]).max() > 1e-2


@pytest.mark.slow
def test_a_stream_equals_the_whole() -> None:
    network, (values, observed, times, series) = forecaster(), inputs()
    whole = forecasting.read(network, values, observed, times, series)[0].numpy()
    state = network.initial_state(tf.constant(series))
    for step in range(TIME):
        chunk = slice(step, step + 1 + HORIZON)
        quantiles, _, state = forecasting.forecast(
            network, values[:, chunk], observed[:, chunk], times[:, chunk], state, tf.constant([0])
        )
        np.testing.assert_allclose(quantiles[:, 0], whole[:, step], rtol=1e-4, atol=1e-4)
