"""Baselines against formulas by hand and their libraries; no future reaches any of them."""

import sys

import numpy as np
import pytest
import scipy.stats

from pipelines.series import baselines
from pipelines.series.backtest import Forecasts, Task
from pipelines.series.baselines import Baseline, available, drift, last_value, moving_window, seasonal_naive
from pipelines.series.calendar import Clock
from pipelines.series.data import Sets
from pipelines.series.regular import Columns, Series

LEVELS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
HORIZON, SEASON, STEPS = 4, 6, 270
TRAIN_END, TEST_START = 200, 240


def series_of(target: np.ndarray, name: str = "one", prices: bool = False) -> Series:
    """A target, a column that runs before it, and a known column; hourly."""
    past = np.roll(target, -1) * 0.5
    known = np.cos(np.arange(len(target)))
    first = np.diff(np.log(target), prepend=np.log(target[0])) if prices else target
    values = np.stack([first, past, known], axis=1).astype(np.float32)
    times = 1_700_000_000 + 3600 * np.arange(len(target))
    return Series(name, times, values, np.ones(values.shape, bool), target[:, np.newaxis] if prices else None)


def task_of(*series: Series, log_returns: bool = False, season: int = SEASON) -> Task:
    count = len(series)
    columns = Columns(("target",), ("past",), ("known",))
    sets = Sets(list(series), columns, Clock(3600, "clock"), [TRAIN_END] * count, [TEST_START] * count, [])
    return Task(sets, range(count), "test", 0, HORIZON, LEVELS, season, log_returns)


@pytest.fixture(scope="module")
def wave() -> Task:
    """Two series with a season and noise."""
    generator = np.random.default_rng(0)
    steps = np.arange(STEPS)
    targets = [size * np.sin(2 * np.pi * steps / SEASON) + generator.normal(0, 0.3, STEPS).cumsum() for size in (1, 3)]
    return task_of(*(series_of(target, str(number)) for number, target in enumerate(targets)))


@pytest.fixture(scope="module")
def prices() -> Task:
    """A random walk of prices whose volatility doubles before the test period."""
    generator = np.random.default_rng(1)
    returns = generator.normal(0, np.where(np.arange(STEPS) < TRAIN_END, 0.01, 0.02))
    return task_of(series_of(50 * np.exp(returns.cumsum()), prices=True), log_returns=True, season=5)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "SHORTEST", 48)
    monkeypatch.setattr(baselines, "FITTED_SEASONS", 8)
    monkeypatch.setattr(baselines, "READ_SEASONS", 8)
    monkeypatch.setattr(baselines, "BOOSTING", {"max_iter": 30, "min_samples_leaf": 20, "random_state": 0})


def all_baselines(task: Task) -> dict[str, Baseline]:
    pytest.importorskip("statsforecast")
    return {name: forecast for name, (_, forecast) in available(task).items()}


def test_all_baselines_are_there(wave: Task, prices: Task) -> None:
    pytest.importorskip("statsforecast")
    pytest.importorskip("arch")
    naive = ["last value", "drift", "seasonal naive"]
    slow = ["gradient boosting", "AutoETS", "AutoARIMA"]
    assert list(available(wave)) == naive + slow
    assert list(available(wave, slow=False)) == naive
    assert list(available(prices)) == [*naive, "moving window", "GARCH(1, 1)", *slow]


@pytest.mark.slow
def test_every_baseline_forecasts_each_origin_with_quantiles_in_order(wave: Task, prices: Task) -> None:
    for task in (wave, prices):
        origins = task.origins()
        assert len(origins.step) == (STEPS - TEST_START - HORIZON + 1) * len(task.chosen)
        for name, forecast in all_baselines(task).items():
            said = forecast(task)
            assert said.quantiles.shape == (len(origins.step), HORIZON, len(LEVELS)), name
            assert said.mean.shape == (len(origins.step), HORIZON), name
            assert (np.diff(said.quantiles, axis=-1) >= 0).all(), name
            assert np.isfinite(said.quantiles).all(), name


def test_naive_points_by_hand(wave: Task) -> None:
    origins = wave.origins()
    for number in (0, 7, len(origins.step) - 1):
        path, step = wave.path(origins.series[number]), origins.step[number]
        slope = (path[TRAIN_END - 1] - path[0]) / (TRAIN_END - 1)
        by_hand: dict[Baseline, list[float]] = {
            last_value: [path[step]] * HORIZON,
            drift: [path[step] + ahead * slope for ahead in range(1, HORIZON + 1)],
            seasonal_naive: [path[step + ahead - SEASON] for ahead in range(1, HORIZON + 1)],
        }
        for forecast, points in by_hand.items():
            said = forecast(wave)
            assert said.mean[number] == pytest.approx(points)
            assert said.quantiles[number, :, LEVELS.index(0.5)] == pytest.approx(points)


def test_a_season_shorter_than_the_horizon_repeats_itself() -> None:
    """Nothing after the origin is taken for the season before."""
    task = task_of(series_of(np.random.default_rng(4).normal(size=STEPS)), season=3)
    path, step = task.path(0), task.origins().step
    assert seasonal_naive(task).mean == pytest.approx(np.stack([path[step + back] for back in (-2, -1, 0, -2)], axis=1))


def test_intervals_of_naive_rules_are_errors_of_training(wave: Task) -> None:
    path = wave.path(1)
    errors = np.array([path[step + 2] - path[step] for step in range(SEASON, TRAIN_END - HORIZON)])
    wanted = np.quantile(np.concatenate([errors, -errors]), LEVELS)
    said = last_value(wave)
    spread = (said.quantiles - said.mean[..., np.newaxis])[wave.origins().series == 1, 1]
    assert spread == pytest.approx(np.tile(wanted, (len(spread), 1)))


def test_forecasts_of_prices_are_log_returns(prices: Task) -> None:
    origins, level = prices.origins(), prices.sets.series[0].levels
    assert level is not None
    step = origins.step[3]
    assert origins.truth[3] == pytest.approx(np.log(level[step + 1 : step + 1 + HORIZON, 0] / level[step, 0]))
    assert last_value(prices).mean == pytest.approx(0)
    slope = np.log(level[TRAIN_END - 1, 0] / level[0, 0]) / (TRAIN_END - 1)
    assert drift(prices).mean[3] == pytest.approx(slope * np.arange(1, HORIZON + 1))


def test_the_moving_window_follows_volatility(prices: Task) -> None:
    said = moving_window(prices)
    width = said.quantiles[:, :, LEVELS.index(0.975)] / 1.959964  # standard deviation, (origins, horizon)
    assert width[:, 3] == pytest.approx(2 * width[:, 0])
    assert width[:, 0].mean() == pytest.approx(0.02, rel=0.2)
    path, step = prices.path(0), prices.origins().step
    candidates = [
        np.sqrt([np.mean(np.diff(path[last - window : last + 1]) ** 2) for last in step])
        for window in baselines.VOLATILITY_WINDOWS
    ]
    assert any(width[:, 0] == pytest.approx(candidate) for candidate in candidates)


def test_statsforecast_reads_what_it_was_fitted_on_as_it_says_itself() -> None:
    """At the first origin nothing is filtered beyond the fit: the same as its own prediction."""
    models = pytest.importorskip("statsforecast.models")
    generator = np.random.default_rng(2)
    task = task_of(series_of(generator.normal(size=STEPS).cumsum()), season=1)
    said = baselines.statistical("AutoETS", task)
    own = models.AutoETS(season_length=1).fit(task.path(0)[TEST_START - 48 : TEST_START]).predict(HORIZON, level=[80])
    assert said.mean[0] == pytest.approx(own["mean"], rel=1e-6)
    assert said.quantiles[0, :, LEVELS.index(0.1)] == pytest.approx(own["lo-80"], rel=1e-6)
    assert said.quantiles[0, :, LEVELS.index(0.9)] == pytest.approx(own["hi-80"], rel=1e-6)


def test_gradient_boosting_finds_what_a_covariate_foretells() -> None:
    """Noise that another column shows one step before it comes."""
    task = task_of(series_of(np.random.default_rng(3).normal(size=STEPS)))
    error = np.abs(task.origins().truth - baselines.boosting(task).mean).mean(axis=0)
    assert error[0] < 0.5
    assert error[1:].min() > 0.6


def test_gradient_boosting_reads_the_known_future() -> None:
    """The sign of the known column decides the target of the same step."""
    series = series_of(np.random.default_rng(5).normal(0, 0.1, STEPS))
    series.values[:, 2] = np.random.default_rng(6).normal(size=STEPS)
    series.values[:, 0] += np.sign(series.values[:, 2])
    task = task_of(series)
    error = np.abs(task.origins().truth - baselines.boosting(task).mean)
    assert error.mean() < 0.5  # without it, 1


def changed_after(task: Task, step: int) -> Task:
    """Everything after a step is different, but for the columns whose future is known."""
    series = []
    for one in task.sets.series:
        values, observed = one.values.copy(), one.observed.copy()
        values[step + 1 :, :2] = 1000 - 3 * values[step + 1 :, :2]
        observed[step + 3 :: 5, :2] = False
        levels = None if one.levels is None else np.where(np.arange(STEPS)[:, np.newaxis] > step, 7.0, one.levels)
        series.append(one._replace(values=values, observed=observed, levels=levels))
    return task._replace(sets=task.sets._replace(series=series))


@pytest.mark.parametrize("name", ["wave", "prices"])
def test_what_comes_after_an_origin_changes_no_forecast(name: str, request: pytest.FixtureRequest) -> None:
    """For each baseline: the forecasts up to the changed step stay bit by bit, later ones do not."""
    task: Task = request.getfixturevalue(name)
    step = TEST_START + 20
    other = changed_after(task, step)
    before = task.origins().step <= step
    for forecast in all_baselines(task).values():
        said, again = forecast(task), forecast(other)
        assert_equal_forecasts(said, again, before)
        if forecast is not last_value or not task.log_returns:  # which always says 0
            assert (said.mean[~before] != again.mean[~before]).any() or forecast in (drift, moving_window)


def assert_equal_forecasts(one: Forecasts, other: Forecasts, where: np.ndarray) -> None:
    np.testing.assert_array_equal(one.quantiles[where], other.quantiles[where])
    np.testing.assert_array_equal(one.mean[where], other.mean[where])


def test_garch_spreads_as_its_library_says(prices: Task) -> None:
    """The next step has the variance and the tails that `arch` forecasts; that it sees no future is shown above."""
    arch = pytest.importorskip("arch")
    said, steps = baselines.garch(prices).quantiles[:, 0], prices.steps(0)
    model = arch.arch_model(100 * np.diff(prices.path(0)), vol="GARCH", p=1, q=1, dist="t")
    fitted = model.fit(last_obs=steps[0], disp="off", show_warning=False)
    variance = fitted.forecast(horizon=1, start=steps[0] - 1, reindex=False).variance.to_numpy()[:, 0]
    freedom = fitted.params["nu"]
    half = np.sqrt(variance * (freedom - 2) / freedom) * scipy.stats.t.ppf(0.9, freedom) / 100
    np.testing.assert_allclose((said[:, 5] - said[:, 1]) / 2, half[: len(steps)], rtol=0.1)


def test_without_statsforecast_its_rows_are_left_out(
    wave: Task, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "statsforecast.models", None)
    assert "AutoETS" not in available(wave)
    assert "Install the extra `peers`" in capsys.readouterr().out


def test_scale_of_mase_is_of_training(wave: Task) -> None:
    path = wave.path(0)
    wanted = np.mean([abs(path[step] - path[step - SEASON]) for step in range(SEASON, TRAIN_END)])
    assert baselines.seasonal_error(wave, 0) == pytest.approx(wanted)
    assert np.isnan(baselines.seasonal_error(task_of(series_of(np.ones(STEPS))), 0))
