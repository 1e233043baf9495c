"""What is forecast: origins, truths and prices; the model in one pass, step by step, and blind for the future."""

from functools import partial

import numpy as np
import pytest
import tensorflow as tf

from pipelines.series import forecasting
from pipelines.series.backtest import Forecasts, Task, backtest, refitted
from pipelines.series.baselines import last_value
from pipelines.series.calendar import Clock
from pipelines.series.config import SeriesConfiguration
from pipelines.series.data import Sets, Split
from pipelines.series.evaluate import recalibrated_backtest
from pipelines.series.model import Forecaster, NetworkConfiguration
from pipelines.series.regular import Columns, Series

HORIZON, STEPS, TRAIN_END, TEST_START = 3, 60, 36, 44
COLUMNS = Columns(("first", "second"), ("past",), ("known",))


def make_series(name: str, seed: int, steps: int = STEPS) -> Series:
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(steps, 4)).cumsum(axis=0).astype(np.float32)
    times = 1_700_000_000 + 3600 * np.arange(steps)
    return Series(name, times, values, generator.random((steps, 4)) > 0.1)


def task_of(series: list[Series], target: int = 0) -> Task:
    count = len(series)
    sets = Sets(series, COLUMNS, Clock(3600, "clock"), [TRAIN_END] * count, [TEST_START] * count, [])
    return Task(sets, range(count), "test", target, HORIZON, (0.1, 0.5, 0.9), 24)


@pytest.fixture(scope="module")
def forecaster() -> Forecaster:
    """A network whose weights are all random, so that each input counts."""
    network = NetworkConfiguration(
        units=5,
        quantile_levels=(0.1, 0.5, 0.9),
        lags=(1, 2),
        season=4,
        members=2,
        cycles=("day", "week"),
        adaptation_rate=0.1,
    )
    made = Forecaster(network, COLUMNS, ("one", "two"), HORIZON, Clock(3600, "clock"))
    one = make_series("one", 0)
    forecasting.read(made, one.values[np.newaxis], one.observed[np.newaxis], one.times[np.newaxis], tf.constant([0]))
    generator = np.random.default_rng(1)
    for weight in made.trainable_weights:
        weight.assign(generator.normal(0, 0.4, weight.shape))
    return made


@pytest.fixture(scope="module")
def series() -> list[Series]:
    """The second one is longer."""
    return [make_series("one", 2), make_series("two", 3, STEPS + 9)]


def test_origins_and_their_truth(series: list[Series]) -> None:
    """From the last step before the test period to the last one with all its targets in the series."""
    task = task_of(series, target=1)
    origins = task.origins()
    for number, one in enumerate(series):
        mine = origins.series == number
        assert origins.step[mine].tolist() == list(range(TEST_START - 1, len(one.times) - HORIZON))
        assert (origins.time[mine] == one.times[origins.step[mine]]).all()
        for step, truth in zip(origins.step[mine], origins.truth[mine], strict=True):
            for ahead, value in enumerate(truth, start=1):
                wanted = one.values[step + ahead, 1] if one.observed[step + ahead, 1] else np.nan
                assert value == pytest.approx(wanted, nan_ok=True)
    assert np.isnan(origins.truth).any()


@pytest.mark.slow
def test_a_stride_takes_every_so_many_origins(forecaster: Forecaster, series: list[Series]) -> None:
    every = task_of(series)
    some = every._replace(stride=5)
    chosen = np.concatenate([np.flatnonzero(every.origins().series == index)[::5] for index in every.chosen])
    np.testing.assert_array_equal(some.origins().step, every.origins().step[chosen])
    np.testing.assert_allclose(backtest(forecaster, some).mean, backtest(forecaster, every).mean[chosen], rtol=1e-5)


@pytest.mark.parametrize("split", ["validation", "test"])
def test_what_is_fitted_again_sees_nothing_that_came_later(series: list[Series], split: Split) -> None:
    """All origins once, in their order; what comes after a stretch is not there; the fit comes right before it."""
    task = task_of(series)._replace(split=split, refit=4)
    seen = []

    def forecast(stretch: Task) -> Forecasts:
        for index in stretch.chosen:
            steps, end = stretch.steps(index), stretch.sets.train_end[index]
            assert len(stretch.sets.series[index].times) == steps[-1] + HORIZON + 1
            before = end if split == "validation" else stretch.sets.validation_end[index]
            assert steps[0] == before - 1 and end - before == (TRAIN_END - TEST_START) * (split == "test")
        seen.append(stretch)
        return last_value(stretch)

    again, once = refitted(task, forecast), last_value(task)
    assert len(seen) == max(-(-len(task.steps(index)) // 4) for index in task.chosen)
    np.testing.assert_array_equal(again.mean, once.mean)  # which is not fitted; its ranges are
    first = task.origins().step < task.steps(0)[4]
    np.testing.assert_array_equal(again.quantiles[first], once.quantiles[first])
    assert split == "validation" or not np.allclose(again.quantiles, once.quantiles)


def test_calibration_fitted_again_moves_ranges_alone(forecaster: Forecaster, series: list[Series]) -> None:
    task = task_of(series)._replace(refit=5)
    model = partial(recalibrated_backtest, forecaster, SeriesConfiguration())
    again, once = refitted(task, model), backtest(forecaster, task)
    np.testing.assert_allclose(again.quantiles[..., 1], once.quantiles[..., 1], rtol=1e-4, atol=1e-4)
    assert not np.allclose(again.quantiles[..., 0], once.quantiles[..., 0])
    assert (forecaster.widening.numpy() == 1).all()


def test_one_pass_equals_a_forecast_from_each_origin(forecaster: Forecaster, series: list[Series]) -> None:
    """Each origin anew, from the history up to it and the known column of the horizon, all else being zero."""
    task = task_of(series, target=1)
    origins, said = task.origins(), backtest(forecaster, task)
    assert said.quantiles.shape == (len(origins.step), HORIZON, 3)
    for number in (0, 5, len(origins.step) - 1):
        one, step = series[origins.series[number]], origins.step[number]
        values, observed = (part[: step + 1 + HORIZON].copy() for part in (one.values, one.observed))
        values[step + 1 :, :3], observed[step + 1 :, :3] = 0, False
        times = one.times[: step + 1 + HORIZON]
        inputs = (part[np.newaxis] for part in (values, observed, times))
        quantiles, mean = forecasting.read(forecaster, *inputs, tf.constant([origins.series[number]], tf.int32))
        assert said.quantiles[number] == pytest.approx(quantiles[0, -1, :, 1].numpy(), rel=1e-4, abs=1e-4)
        assert said.mean[number] == pytest.approx(mean[0, -1, :, 1].numpy(), rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("change", [np.nan, 1e6])
def test_what_comes_after_an_origin_changes_no_forecast(
    forecaster: Forecaster, series: list[Series], change: float
) -> None:
    """Every value after a step but the known column; later forecasts do change, so the test sees something."""
    step = TEST_START + 4
    changed = []
    for one in series:
        values, observed = one.values.copy(), one.observed.copy()
        values[step + 1 :, :3] = np.nan_to_num(change)
        observed[step + 1 :, :3] = not np.isnan(change)
        changed.append(one._replace(values=values, observed=observed))
    origins = task_of(series).origins()
    before = origins.step <= step
    said, again = backtest(forecaster, task_of(series)), backtest(forecaster, task_of(changed))
    np.testing.assert_array_equal(said.quantiles[before], again.quantiles[before])
    np.testing.assert_array_equal(said.mean[before], again.mean[before])
    assert (said.mean[~before] != again.mean[~before]).all(axis=1).any()


def test_series_of_any_length_are_forecast_alone_as_together(
    forecaster: Forecaster, series: list[Series], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Equally long ones pass in batches; the forecasts keep the order of the origins."""
    monkeypatch.setattr("pipelines.series.forecasting.SERIES_AT_ONCE", 2)
    several = [series[0], series[1], *(make_series("two", seed) for seed in (5, 6))]
    together = backtest(forecaster, task_of(several))
    alone = [backtest(forecaster, task_of([one])) for one in several]
    assert together.mean == pytest.approx(np.concatenate([said.mean for said in alone]), rel=1e-4, abs=1e-4)
    assert len(task_of(several).origins().step) == len(together.mean)


def test_series_are_found_by_name_and_unknown_ones_are_average(forecaster: Forecaster, series: list[Series]) -> None:
    one = series[0]
    by_name = {name: backtest(forecaster, task_of([one._replace(name=name)])).mean for name in ("one", "two", "new")}
    together = backtest(forecaster, task_of([one, one])).mean[: len(by_name["one"])]
    assert by_name["one"] == pytest.approx(together, rel=1e-6, abs=1e-6)  # float32, in another batch
    assert not np.allclose(by_name["one"], by_name["two"])
    assert not np.allclose(by_name["new"], by_name["one"])


def test_truths_of_prices_are_log_returns_from_the_origin(series: list[Series]) -> None:
    """Also where a day is missing in between: the price after it says how far it went."""
    levels = np.exp(np.random.default_rng(4).normal(size=(STEPS, 2)).cumsum(axis=0))
    one = series[0]._replace(levels=levels)
    task = task_of([one])._replace(log_returns=True)
    origins = task.origins()
    step = origins.step[2]
    wanted = np.log(levels[step + 1 : step + 1 + HORIZON, 0] / levels[step, 0])
    observed = one.observed[step + 1 : step + 1 + HORIZON, 0]
    assert origins.truth[2] == pytest.approx(np.where(observed, wanted, np.nan), nan_ok=True)
