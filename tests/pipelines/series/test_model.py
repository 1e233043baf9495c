"""The network: no leak, gaps, streams, units, and the decoders."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from pipelines.configuration import ConfigurationError
from pipelines.series import forecasting
from pipelines.series.calibration import fit_widening, widened
from pipelines.series.config import SeriesConfiguration
from pipelines.series.model import Forecaster, build
from pipelines.series.network import NetworkConfiguration
from pipelines.series.quantile_functions import quantile_function
from pipelines.series.regular import Columns
from pipelines.series.scaling import column_statistics, fit_scales, spreads
from pipelines.series.serving import start

COLUMNS = Columns(("load", "heat"), ("wind",), ("holiday",))
HORIZON, TIME = 5, 30
SMALL: dict[str, Any] = {
    "units": 6,
    "members": 2,
    "decoder_units": 4,
    "lags": (1, 7),
    "season": 7,
    "cycles": ("day",),
    "quantile_levels": (0.05, 0.1, 0.5, 0.9, 0.95),
}
KINDS = [
    {"recurrent": "gru"},
    {"recurrent": "lstm", "layers": 2},
    {"recurrent": "min_gru", "layers": 2, "distribution": "student_t"},
    {"recurrent": "simple_rnn", "relative": False, "volatility_decay": 0.8, "season": 0},
]


def forecaster(cumulative: bool = False, **network: Any) -> Forecaster:
    """With weights that let every input tell, and scales of the data."""
    configuration = SeriesConfiguration().replace(
        network=SMALL | network, data={"horizon": HORIZON, "log_returns": cumulative}
    )
    found = build(configuration, names=("north", "south"), columns=COLUMNS._asdict(), step_seconds=3600)
    random = np.random.default_rng(0)
    for weight in found.trainable_variables:
        weight.assign(random.normal(0, 0.4, weight.shape))
    values, observed, *_ = inputs()
    fit_scales(found, [(values[0, :20], observed[0, :20]), (values[1, :20], observed[1, :20])])
    return found


def inputs(time: int = TIME + HORIZON) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Two series with gaps, of different units."""
    random = np.random.default_rng(1)
    values = random.normal(0, 1, (2, time, 4)).cumsum(axis=1) * [1, 10, 0.1, 1] + [5, 1000, 0, 0]
    observed = random.random((2, time, 4)) > 0.2
    observed[..., 3] = True  # known ahead
    times = np.arange(time) * 3600 + np.array([[1_400_000_000], [1_500_000_400]])
    return values.astype(np.float32), observed, times, np.array([0, 1], np.int32)


def read(network: Forecaster, *arguments: Any, **options: Any) -> np.ndarray:
    return network.quantiles(network(*arguments, **options))[0].numpy()


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_after_an_origin_reaches_its_forecast(kind: dict[str, Any]) -> None:
    network, (values, observed, times, series) = forecaster(**kind), inputs()
    before = read(network, values, observed, times, series)
    assert before.shape == (2, TIME, HORIZON, 2, 5)
    for origin in (0, 3, 17, TIME - 1):
        changed, seen = values.copy(), observed.copy()
        changed[:, origin + 1 :, :3] = np.random.default_rng(2).normal(50, 9, changed[:, origin + 1 :, :3].shape)
        seen[:, origin + 1 :, :3] ^= True
        after = read(network, changed, seen, times, series)
        np.testing.assert_array_equal(after[:, : origin + 1], before[:, : origin + 1])
        if origin < TIME - 1:
            assert np.abs(after[:, origin + 1 :] - before[:, origin + 1 :]).max() > 1e-3


def test_a_known_column_is_read_ahead_and_others_are_not() -> None:
    network, (values, observed, times, series) = forecaster(), inputs()
    before = read(network, values, observed, times, series)
    values[:, TIME + 1, 3] += 1
    after = read(network, values, observed, times, series)
    changed = np.abs(after - before).max(axis=(0, 3, 4)) > 0  # (origins, horizon)
    expected = np.add.outer(np.arange(TIME), np.arange(1, HORIZON + 1)) == TIME + 1
    np.testing.assert_array_equal(changed, expected)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_values_that_were_not_observed_change_nothing(kind: dict[str, Any]) -> None:
    network, (values, observed, times, series) = forecaster(**kind), inputs()
    expected = read(network, values, observed, times, series)
    for other in (7e7, np.nan, np.inf):
        found = read(network, np.where(observed, values, np.float32(other)), observed, times, series)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_before_the_first_value_change_nothing(kind: dict[str, Any]) -> None:
    network, (values, observed, times, series) = forecaster(**kind), inputs()
    observed[:, 0] = True
    expected = read(network, values, observed, times, series)
    padded = [np.pad(values, [(0, 0), (9, 0), (0, 0)], constant_values=3), np.pad(observed, [(0, 0), (9, 0), (0, 0)])]
    found = read(network, *padded, np.pad(times, [(0, 0), (9, 0)]), series)
    np.testing.assert_allclose(found[:, 9:], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sizes", [[1] * TIME, [1, 9, 2, 18], [TIME]])
def test_a_stream_equals_the_whole(kind: dict[str, Any], sizes: list[int]) -> None:
    network, (values, observed, times, series) = forecaster(**kind), inputs()
    whole = read(network, values, observed, times, series)
    state, parts, start = network.initial_state(series), [], 0
    for size in sizes:
        chunk = slice(start, start + size + HORIZON)
        prediction = network(values[:, chunk], observed[:, chunk], times[:, chunk], state=state)
        parts.append(network.quantiles(prediction)[0])
        state, start = prediction.state, start + size
    np.testing.assert_allclose(tf.concat(parts, axis=1), whole, rtol=1e-4, atol=1e-4)


def test_some_origins_are_those_of_all() -> None:
    network, arguments = forecaster(), inputs()
    chosen = np.array([4, 0, 29], np.int32)
    expected = read(network, *arguments)[:, chosen]
    np.testing.assert_allclose(read(network, *arguments, origins=chosen), expected, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(forecasting.read(network, *arguments, chosen)[0], expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_forecasts_are_in_the_units_of_the_data(kind: dict[str, Any]) -> None:
    """Other units of the same series, and their forecasts are the same in those units."""
    network, (values, observed, times, series) = forecaster(**kind), inputs()
    expected = read(network, values, observed, times, series)
    factors, shifts = np.array([1.8, 4, 0.5, 3], np.float32), np.array([32, -9, 1, 2], np.float32)
    other = values * factors + shifts
    fit_scales(network, [(other[0, :20], observed[0, :20]), (other[1, :20], observed[1, :20])])
    found = read(network, other, observed, times, series)
    back = (found - shifts[:2, np.newaxis]) / factors[:2, np.newaxis]
    np.testing.assert_allclose(back, expected, rtol=2e-3, atol=2e-2)


def test_a_log_scale_forecasts_as_a_network_that_is_given_logarithms() -> None:
    values, observed, times, series = inputs()
    network = forecaster(adaptation_rate=0.2, log_scale=("heat",))
    lowest = values[:, :20, 1][observed[:, :20, 1]].min()
    logarithms = values.copy()
    logarithms[..., 1] = np.log(values[..., 1] / (lowest / 2))
    plain = forecaster(adaptation_rate=0.2)
    fit_scales(plain, [(logarithms[0, :20], observed[0, :20]), (logarithms[1, :20], observed[1, :20])])
    quantiles, mean = (each.numpy() for each in forecasting.read(network, values, observed, times, series))
    expected, plain_mean = (each.numpy() for each in forecasting.read(plain, logarithms, observed, times, series))
    np.testing.assert_allclose(quantiles[..., 0, :], expected[..., 0, :], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(mean[..., 0], plain_mean[..., 0], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(quantiles[..., 1, :], lowest / 2 * np.exp(expected[..., 1, :]), rtol=1e-4)
    probability = np.broadcast_to((np.arange(4000, dtype=np.float32) + 0.5) / 4000, (2, 4000))
    levels = np.broadcast_to(quantiles[:, -1, 2, 1, np.newaxis], (2, 4000, 5))
    drawn = quantile_function(tf.constant(levels), network.levels, tf.constant(probability))
    np.testing.assert_allclose(mean[:, -1, 2, 1], tf.reduce_mean(drawn, axis=1), rtol=1e-2)
    unknown = tf.constant(["east", "west"])
    for name in ("mean", "deviation"):  # of series that were not in the training
        found, same = (
            start(each, tf.constant(np.where(observed, data, np.nan)), unknown)[name]
            for each, data in ((network, values), (plain, logarithms))
        )
        np.testing.assert_allclose(found, same, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "network", [{"log_scale": ("wind",)}, {"log_scale": ("heat",), "distribution": "negative_binomial"}]
)
def test_a_log_scale_that_would_not_be_used_is_refused(network: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"network.log_scale.*Received: "):
        forecaster(**network)


def test_quantiles_do_not_cross_and_mean_lies_among_them() -> None:
    for kind in KINDS:
        network = forecaster(**kind)
        quantiles, mean = network.quantiles(network(*inputs()))
        assert (np.diff(quantiles.numpy()) >= -1e-3).all()
        assert (quantiles[..., 0] < mean).numpy().mean() > 0.95 and (mean < quantiles[..., -1]).numpy().mean() > 0.95


def test_members_are_averaged() -> None:
    network, arguments = forecaster(), inputs()
    prediction = network(*arguments)
    assert np.abs(prediction.parameters[0] - prediction.parameters[1]).max() > 0.1
    both = network.quantiles(prediction)[0]
    alone = [
        prediction.center[..., tf.newaxis]
        + prediction.scale[..., tf.newaxis] * network.distribution.quantiles(parameters)
        for parameters in prediction.parameters
    ]
    np.testing.assert_allclose(both, (alone[0] + alone[1]) / 2, rtol=1e-4, atol=1e-3)


def test_an_unknown_series_has_the_mean_embedding() -> None:
    network, (values, observed, times, _) = forecaster(), inputs()
    unknown = read(network, values, observed, times, np.array([2, 7], np.int32))
    assert np.abs(unknown - read(network, values, observed, times, np.array([0, 0], np.int32))).max() > 1e-3
    for member in network.members:
        member.embedding.assign(tf.repeat(tf.reduce_mean(member.embedding, axis=0, keepdims=True), 2, axis=0))
    for weight in (network.mean, network.deviation):
        weight.assign(tf.repeat(weight[-1:], 3, axis=0))
    expected = read(network, values, observed, times, np.array([0, 0], np.int32))
    np.testing.assert_allclose(unknown, expected, rtol=1e-5, atol=1e-4)


def test_truth_of_each_step() -> None:
    network, (values, observed, *_) = forecaster(), inputs()
    truth, known = network.truth(values, observed)
    assert truth.shape == (2, TIME, HORIZON, 2)
    for origin, step in ((0, 1), (12, 5), (29, 3)):
        np.testing.assert_array_equal(truth[:, origin, step - 1], values[:, origin + step, :2])
        np.testing.assert_array_equal(known[:, origin, step - 1], observed[:, origin + step, :2])
    summed, all_known = forecaster(cumulative=True, relative=False).truth(values, observed)
    np.testing.assert_allclose(summed[:, 12, 3], values[:, 13:17, :2].sum(axis=1), rtol=1e-5)
    np.testing.assert_array_equal(all_known[:, 12, 3], observed[:, 13:17, :2].all(axis=1))


def test_returns_relative_to_the_last_one_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"network.relative.*Received: True"):
        forecaster(cumulative=True)


def test_volatility_is_the_exponentially_weighted_one() -> None:
    network, (values, observed, times, series) = forecaster(relative=False, volatility_decay=0.9, season=0), inputs()
    scale = network(values, observed, times, series).scale.numpy()
    targets = (values - network.mean.numpy()[:2, np.newaxis])[..., :2] / network.deviation.numpy()[:2, np.newaxis, :2]
    variance = np.ones((2, 2))
    for step in range(TIME):
        moved = 0.9 * variance + 0.1 * targets[:, step] ** 2
        variance = np.where(observed[:, step, :2], moved, variance)
        volatility = np.sqrt(variance + 1e-4) * network.deviation.numpy()[:2, :2]
        np.testing.assert_allclose(scale[:, step], volatility[:, np.newaxis] * network.spread.numpy(), rtol=1e-3)


def test_statistics_are_those_of_what_was_observed() -> None:
    values, observed, *_ = inputs()
    values[0, :, 2] = 4.2
    mean, deviation = column_statistics(np.where(observed[0], values[0], 1e6), observed[0])
    for column in range(4):
        seen = values[0, observed[0, :, column], column]
        np.testing.assert_allclose(mean[column], seen.mean(), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(deviation[column], seen.std() if column != 2 else 1, rtol=1e-4)


@pytest.mark.parametrize(("relative", "cumulative"), [(True, False), (False, False), (False, True)])
def test_spreads_are_those_of_what_is_forecast(relative: bool, cumulative: bool) -> None:
    values, observed = inputs()[0][..., :2], inputs()[1][..., :2]
    values = (values - values.mean(1, keepdims=True)) / values.std(1, keepdims=True)
    found = spreads([(values[0], observed[0]), (values[1], observed[1])], 3, relative, cumulative)
    for steps in (1, 2, 3):
        for target in (0, 1):
            squares = []
            for series in (0, 1):
                for origin in range(TIME + HORIZON - steps):
                    path, seen = values[series, origin:, target], observed[series, origin:, target]
                    if cumulative and seen[1 : steps + 1].all():
                        squares.append(path[1 : steps + 1].sum() ** 2)
                    elif not cumulative and seen[steps] and (seen[0] or not relative):
                        squares.append((path[steps] - (path[0] if relative else 0)) ** 2)
            np.testing.assert_allclose(found[steps - 1, target], np.sqrt(np.mean(squares)), rtol=1e-4)


def test_calibrated_intervals_cover_what_they_should() -> None:
    random = np.random.default_rng(0)
    levels = (0.05, 0.1, 0.5, 0.9, 0.95)
    truth = random.standard_t(3, (4000, 2, 1)) * [[1.0], [3.0]]
    truth[::7] = np.nan
    quantiles = np.tile([-1.5, -1.0, 0.0, 1.0, 1.5], (4000, 2, 1, 1))
    factors = fit_widening(quantiles[:2000], truth[:2000], levels)
    assert factors.shape == (2, 1, 5)
    stretched = widened(tf.constant(quantiles[2000:]), factors, 2).numpy()
    assert (np.diff(stretched) >= 0).all()
    known = np.isfinite(truth[2000:])
    for low, high, share in ((0, 4, 0.9), (1, 3, 0.8)):
        inside = (truth[2000:] >= stretched[..., low]) & (truth[2000:] <= stretched[..., high])
        np.testing.assert_allclose(inside.sum(axis=0) / known.sum(axis=0), share, atol=0.03)
    np.testing.assert_array_equal(stretched[..., 2], 0)


def test_calibration_can_be_switched_off() -> None:
    network, arguments = forecaster(), inputs()
    plain = forecasting.read(network, *arguments)[0].numpy()
    network.widening.assign(np.full(network.widening.shape, 2.0))
    wide = forecasting.read(network, *arguments)[0].numpy()
    np.testing.assert_allclose(wide[..., 4] - wide[..., 2], 2 * (plain[..., 4] - plain[..., 2]), rtol=1e-2, atol=1e-2)
    with network.uncalibrated():
        np.testing.assert_array_equal(forecasting.read(network, *arguments)[0], plain)
    np.testing.assert_array_equal(forecasting.read(network, *arguments)[0], wide)


def test_a_network_of_a_misspelt_cycle_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="cycles"):
        NetworkConfiguration(cycles=("hour",))
