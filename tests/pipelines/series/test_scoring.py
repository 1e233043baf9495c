"""Losses against definitions and closed forms, intervals that know dependence, the size and power of the test."""

import numpy as np
import pytest
import scipy.integrate
import scipy.stats

from pipelines.evaluation import Metric, bootstrap
from pipelines.series.backtest import Forecasts, Origins
from pipelines.series.scoring import (
    best_baseline,
    by_time,
    compare,
    crps_of_quantiles,
    diebold_mariano,
    losses,
    metrics,
    pinball_losses,
    verdict,
)

LEVELS = (0.025, 0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95, 0.975)


def forecasts_of(distribution: scipy.stats.rv_continuous, shape: tuple[int, int] = (3, 2)) -> Forecasts:
    """The same distribution at each origin and step."""
    return Forecasts(np.tile(distribution.ppf(LEVELS), (*shape, 1)), np.full(shape, float(distribution.mean())))


def origins_of(truth: np.ndarray, times: np.ndarray | None = None) -> Origins:
    """An origin a row."""
    count = np.arange(len(truth))
    return Origins(np.zeros_like(count), count, count if times is None else times, truth)


def autoregressive(count: int, memory: float, generator: np.random.Generator) -> np.ndarray:
    """x(t) = memory · x(t − 1) + noise."""
    noise = generator.normal(size=count + 200)
    series = np.zeros_like(noise)
    for step in range(1, len(noise)):
        series[step] = memory * series[step - 1] + noise[step]
    return series[200:]


@pytest.mark.parametrize("distribution", [scipy.stats.norm(1, 2), scipy.stats.t(4, 1, 2), scipy.stats.uniform(-1, 3)])
def test_crps_comes_close_to_its_definition(distribution: scipy.stats.rv_continuous) -> None:
    """∫ (F(x) − 1[x ≥ truth])² dx, of each truth by numerical integration, then the mean over truths that come so."""
    truths = distribution.ppf((np.arange(40) + 0.5) / 40)
    exact = [
        scipy.integrate.quad(lambda x: distribution.cdf(x) ** 2, -60, truth)[0]
        + scipy.integrate.quad(lambda x: distribution.sf(x) ** 2, truth, 60)[0]
        for truth in truths
    ]
    quantiles = np.tile(distribution.ppf(LEVELS), (40, 1, 1))
    found = crps_of_quantiles(quantiles, truths[:, np.newaxis], LEVELS)[:, 0]
    assert np.mean(found) == pytest.approx(np.mean(exact), rel=0.02)
    assert found == pytest.approx(np.array(exact), rel=0.15)


def test_crps_of_the_normal_has_a_closed_form_that_many_levels_reach() -> None:
    """σ (z (2 Φ(z) − 1) + 2 φ(z) − 1 / √π), Gneiting and Raftery 2007."""
    levels = (np.arange(2000) + 0.5) / 2000
    z = np.linspace(-3, 3, 13)
    exact = z * (2 * scipy.stats.norm.cdf(z) - 1) + 2 * scipy.stats.norm.pdf(z) - 1 / np.sqrt(np.pi)
    quantiles = np.tile(5 + 2 * scipy.stats.norm.ppf(levels), (13, 1, 1))
    assert crps_of_quantiles(quantiles, 5 + 2 * z[:, np.newaxis], levels)[:, 0] == pytest.approx(2 * exact, abs=2e-3)


def test_a_certain_forecast_has_its_absolute_error_as_crps() -> None:
    truth = np.array([[3.0, -1.0]])
    assert crps_of_quantiles(np.full((1, 2, len(LEVELS)), 0.5), truth, LEVELS) == pytest.approx(np.abs(truth - 0.5))


def test_pinball_loss_is_least_for_the_true_quantile() -> None:
    sample = np.random.default_rng(0).gamma(2.0, size=4001)
    for level in (0.1, 0.5, 0.9):
        candidates = np.linspace(0, 8, 801)
        mean = pinball_losses(candidates[np.newaxis, np.newaxis], sample[:, np.newaxis], [level] * 801).mean(
            axis=(0, 1)
        )
        assert candidates[mean.argmin()] == pytest.approx(np.quantile(sample, level), abs=0.011)


def test_losses_by_hand() -> None:
    """One origin, two steps, the second not measured; median 2, mean 3, truth 6."""
    levels = (0.1, 0.25, 0.5, 0.75, 0.9)
    quantiles = np.tile([0.0, 1.0, 2.0, 5.0, 7.0], (1, 2, 1))
    found = losses(Forecasts(quantiles, np.full((1, 2), 3.0)), np.array([[6.0, np.nan]]), levels, np.array([8.0]))
    by_hand = {
        "mae": 4.0,
        "rmse": 9.0,
        "mase": 0.5,
        "smape": 100.0,
        "pinball": (0.6 + 1.25 + 2.0 + 0.75 + 0.1) / 5,
        "coverage_50": 0.0,
        "coverage_80": 1.0,
    }
    for name, value in by_hand.items():
        assert found[name][0, 0] == pytest.approx(value), name
    assert all(np.isnan(loss[0, 1:]).all() for loss in found.values())
    assert "coverage_95" not in found  # those levels are not there
    assert found["mae_1"].tolist() == [[4.0]]


def test_smape_of_prices_is_the_same_in_prices_and_in_returns() -> None:
    last, truth, median = 80.0, 100.0, 90.0
    quantiles = np.full((1, 1, len(LEVELS)), np.log(median / last))
    found = losses(Forecasts(quantiles, quantiles[..., 0]), np.log([[truth / last]]), LEVELS, np.ones(1), True)
    assert found["smape"][0, 0] == pytest.approx(200 * 10 / 190)


def test_direction_counts_only_where_something_was_said_and_happened() -> None:
    median = np.array([0.1, 0.1, -0.1, 0.0, 0.1, 0.1])
    truth = np.array([0.2, -0.2, -0.3, 0.1, 0.0, np.nan])
    quantiles = np.repeat(median[:, np.newaxis, np.newaxis], len(LEVELS), axis=2)
    found = losses(Forecasts(quantiles, median[:, np.newaxis]), truth[:, np.newaxis], LEVELS, np.ones(6), True)
    assert np.isnan(found["direction"][3:]).all()
    assert found["direction"][:3, 0].tolist() == [1, 0, 1]


def test_metrics_are_means_of_what_is_measured() -> None:
    generator = np.random.default_rng(1)
    truth = generator.normal(size=(400, 3))
    truth[5:40, 1] = np.nan
    said = forecasts_of(scipy.stats.norm(), truth.shape)
    found = losses(said, truth, LEVELS, np.full(400, 2.0))
    naive = losses(said._replace(quantiles=said.quantiles + 1), truth, LEVELS, np.full(400, 2.0))
    table = metrics(found, naive, origins_of(truth))
    assert table["mae"].value == pytest.approx(np.nanmean(np.abs(truth)))
    assert table["rmse"].value == pytest.approx(np.sqrt(np.nanmean(truth**2)))
    assert table["mase"].value == pytest.approx(table["mae"].value / 2)
    assert table["mae_1"].value == pytest.approx(np.abs(truth[:, 0]).mean())
    assert table["skill"].value == pytest.approx(1 - np.nanmean(np.abs(truth)) / np.nanmean(np.abs(truth - 1)))
    for percent in (50, 80, 95):
        metric = table[f"coverage_{percent}"]
        assert metric.low is not None
        assert metric.high is not None
        assert metric.low <= percent / 100 <= metric.high
    assert table.pop("smape") == (200, 200, 200)  # of a median of 0, whatever comes
    for metric in table.values():
        assert metric.low is not None
        assert metric.high is not None
        assert metric.low < metric.value < metric.high


def test_truths_that_were_not_measured_change_no_metric() -> None:
    truth = np.random.default_rng(2).normal(size=(60, 2))
    said = forecasts_of(scipy.stats.norm(), truth.shape)
    truth[50:] = np.nan
    part = Forecasts(said.quantiles[:50], said.mean[:50])
    whole_losses, part_losses = losses(said, truth, LEVELS, np.ones(60)), losses(part, truth[:50], LEVELS, np.ones(50))
    for name, loss in whole_losses.items():
        sums, counts = by_time(loss, np.arange(60))
        assert sums.sum() / counts.sum() == pytest.approx(np.nanmean(part_losses[name]))


def test_intervals_of_dependent_errors_hold_the_truth_where_independent_ones_do_not() -> None:
    """100 series with memory: blocks hold the mean of the process about as often as they say, single draws far less."""
    generator = np.random.default_rng(3)
    held = {1: 0, 25: 0}
    for _ in range(100):
        series = autoregressive(500, 0.8, generator)
        for block in held:
            metric = bootstrap(series, samples=200, block=block)
            assert metric.low is not None
            assert metric.high is not None
            held[block] += metric.low <= 0 <= metric.high
    assert held[1] < 65
    assert held[25] > 82


def test_metrics_of_neighbours_that_err_together_are_less_certain() -> None:
    """The same errors, six in a row alike or in any order."""
    generator = np.random.default_rng(11)
    together = np.repeat(generator.normal(size=(60, 3)), 6, axis=0)
    widths = []
    for truth in (together, generator.permutation(together)):
        found = losses(forecasts_of(scipy.stats.norm(), truth.shape), truth, LEVELS, np.ones(360))
        low, high = metrics(found, found, origins_of(truth))["mae"][1:]
        assert low is not None
        assert high is not None
        widths.append(high - low)
    assert widths[0] > 1.5 * widths[1]


def test_series_of_one_time_are_resampled_together() -> None:
    """A copy of a series adds nothing that could make its interval narrower."""
    truth = np.random.default_rng(4).normal(size=(200, 2))
    said = forecasts_of(scipy.stats.norm(), truth.shape)
    found = losses(said, truth, LEVELS, np.ones(200))
    twice = {name: np.concatenate([loss, loss]) for name, loss in found.items()}
    times = np.arange(200)
    alone = metrics(found, found, origins_of(truth))
    copied = metrics(twice, twice, origins_of(np.concatenate([truth, truth]), np.concatenate([times, times])))
    for name, metric in alone.items():
        assert copied[name] == pytest.approx(metric), name


def test_the_test_rejects_equal_forecasts_about_as_rarely_as_it_says() -> None:
    """Differences of h-step errors under the null: a moving average of h terms, whose mean is zero."""
    generator = np.random.default_rng(5)
    for horizon, trials in ((1, 1500), (5, 1500)):
        noise = generator.normal(size=(trials, 300 + horizon - 1))
        differences = np.stack([noise[:, lag : lag + 300] for lag in range(horizon)]).sum(axis=0)
        ps = [diebold_mariano(row, np.zeros(300), horizon).p for row in differences]
        assert np.mean(np.array(ps) < 0.05) == pytest.approx(0.05, abs=0.025), horizon


def test_without_knowing_the_horizon_the_test_would_reject_far_too_often() -> None:
    noise = np.random.default_rng(6).normal(size=(400, 304))
    differences = np.stack([noise[:, lag : lag + 300] for lag in range(5)]).sum(axis=0)
    naive = [diebold_mariano(row, np.zeros(300), 1).p for row in differences]
    assert np.mean(np.array(naive) < 0.05) > 0.2


def test_the_test_finds_a_real_difference() -> None:
    generator = np.random.default_rng(7)
    first, second = np.abs(generator.normal(size=(2, 400)))
    worse = diebold_mariano(first + 0.3, second, 4)
    assert worse.p < 0.01
    assert worse.statistic > 0
    better = diebold_mariano(second, first + 0.3, 4)
    assert (better.difference, better.statistic, better.p) == (-worse.difference, -worse.statistic, worse.p)


def test_at_one_step_the_test_is_a_t_test() -> None:
    differences = np.random.default_rng(8).normal(0.2, size=50)
    peer = scipy.stats.ttest_1samp(differences, 0)
    found = diebold_mariano(differences, np.zeros(50), 1)
    assert (found.statistic, found.p) == pytest.approx((peer.statistic, peer.pvalue))


def test_the_test_of_equal_losses_and_of_too_few() -> None:
    equal = np.random.default_rng(9).normal(size=30)
    assert diebold_mariano(equal, equal, 3) == (0, 0, 1)
    assert np.isnan(diebold_mariano(equal[:3], equal[:3] + 1, 3).p)
    assert (
        verdict(diebold_mariano(equal[:3], equal[:3] + 1, 3), "MAE") == "too few origins to compare it with the model"
    )
    missing = np.where(np.arange(30) % 2, np.nan, equal)
    assert diebold_mariano(missing, np.zeros(30), 1) == diebold_mariano(equal[::2], np.zeros(15), 1)


def test_rows_are_compared_by_time_and_by_step() -> None:
    generator = np.random.default_rng(10)
    ours, theirs = generator.normal(size=(2, 90, 4)) ** 2
    origins = origins_of(ours, np.repeat(np.arange(45), 2)[::-1])
    mean = (ours - theirs).reshape(45, 2, 4).mean(axis=1)[::-1]  # two series a time
    assert compare(ours, theirs, origins) == pytest.approx(diebold_mariano(mean.mean(axis=1), np.zeros(45), 4))
    assert compare(ours, theirs, origins, 2) == pytest.approx(diebold_mariano(mean[:, 1], np.zeros(45), 2))


def test_the_best_baseline_is_none_of_our_rows() -> None:
    ours = {name: {"crps": Metric(value)} for name, value in (("model", 1), ("without calibration", 0))}
    rows = ours | {"without adaptation": {"crps": Metric(0)}, "drift": {"crps": Metric(3)}}
    assert best_baseline(rows | {"last value": {"crps": Metric(2)}}, "crps") == "last value"
