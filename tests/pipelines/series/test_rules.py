"""What follows from a table, and the blend that forecasts count from."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.signal
import tensorflow as tf

from pipelines.series.calendar import COUNTED, DAY, MONTH, Clock
from pipelines.series.centers import differences, fit_blend
from pipelines.series.config import PRESETS
from pipelines.series.inputs import Inputs
from pipelines.series.network import NetworkConfiguration
from pipelines.series.regular import Columns
from pipelines.series.rules import find_seasons, is_open, rules
from pipelines.series.scaling import is_proportional
from pipelines.series.sources import open_source

WriteTable = Callable[[Path, pd.DataFrame], Path]


def waves(length: int, *seasons: int, noise: float = 0.3, slope: float = 0.0) -> np.ndarray:
    time, random = np.arange(length), np.random.default_rng(0)
    wave = sum(np.where(time % season < season / 2, 1.0, -1.0) for season in seasons)
    return wave + slope * time + random.normal(0, noise, length)


@pytest.mark.parametrize(
    ("clock", "seasons"),
    [
        (Clock(1800, "clock"), (48, 336)),
        (Clock(DAY, "clock"), (7,)),
        (Clock(DAY, "business"), (5,)),
        (Clock(7 * DAY, "clock"), (52,)),
        (Clock(MONTH, "month"), (12,)),
        (Clock(3 * MONTH, "month"), (4,)),
        (Clock(1, "clock", COUNTED), (37,)),
        (Clock(900, "business", "", tuple(day * DAY + 900 * n for day in range(5) for n in range(26))), (26,)),
    ],
)
@pytest.mark.parametrize("slope", [0.0, 0.01])
def test_seasons_are_found_and_nothing_else_is(clock: Clock, seasons: tuple[int, ...], slope: float) -> None:
    values = waves(20 * max(seasons), *seasons, slope=slope)
    values[5:9] = np.nan
    assert sorted(find_seasons([values], clock)) == sorted(seasons)
    random = np.random.default_rng(1).normal(size=len(values))
    assert find_seasons([random], clock) == find_seasons([np.cumsum(random)], clock) == ()


def test_a_season_that_was_not_seen_twice_is_none() -> None:
    assert find_seasons([waves(40, 24)], Clock(3600, "clock")) == ()


def settled(folder: Path, write_table: WriteTable, frame: pd.DataFrame) -> tuple:
    configuration = PRESETS["own"].replace(data={"path": str(write_table(folder / "loads.csv", frame))})
    return rules(configuration, open_source(configuration.data))


def test_settings_follow_from_the_training_period_alone(tmp_path: Path, write_table: WriteTable) -> None:
    frame = pd.DataFrame({"time": pd.date_range("2024", periods=2000, freq="h"), "x": waves(2000, 24)})
    found, lines = settled(tmp_path, write_table, frame)
    assert (found.network.season, found.network.lags, found.data.horizon) == ((24,), (1, 2, 3, 24), 24)
    assert (found.data.calendar, found.network.cycles) == ("clock", ("day", "week"))
    assert not is_open(found) and any(line.startswith("--network.season 24: ") for line in lines)
    changed = frame.assign(x=np.where(frame.index < 1400, frame["x"], waves(2000, 17)))
    assert settled(tmp_path, write_table, changed) == (found, lines)
    given = found.replace(network={"season": (3,), "lags": (-1,)})
    assert rules(given, open_source(found.data)).configuration.network.lags == (1, 2, 3)


def test_a_log_scale_is_for_changes_that_grow_with_the_level() -> None:
    random = np.random.default_rng(0).normal(size=(8, 200))
    growing, walking = np.exp(np.cumsum(0.02 + 0.03 * random, axis=1)), 20 + np.cumsum(0.5 + random, axis=1)
    assert all(is_proportional([each]) for each in growing) and is_proportional([*growing])
    assert not any(is_proportional([each]) for each in (*walking, 5 + random[0], growing[0] - growing[0, 0]))
    gaps = np.where(random[0] > 1, np.nan, growing[0])
    assert is_proportional([gaps]) and not is_proportional([np.full(9, np.nan)])


@pytest.mark.parametrize("length", [30, 60, 120])
def test_short_tables_get_settings_that_fit(tmp_path: Path, write_table: WriteTable, length: int) -> None:
    times = pd.date_range("1990", periods=length, freq="MS")
    found, _ = settled(tmp_path, write_table, pd.DataFrame({"time": times, "x": waves(length, 12)}))
    train = round(0.7 * length)
    assert found.data.calendar == "month"
    assert found.data.window + found.data.horizon < train and found.data.warm_up < found.data.window
    assert found.data.horizon <= 0.1 * length or found.data.horizon == 1
    assert 0.01 < found.network.adaptation_rate <= 0.3


def test_the_blend_continues_a_season_and_costs_little_for_a_random_walk() -> None:
    time = np.arange(1200)
    season = np.sin(2 * np.pi * time / 12) + np.cos(2 * np.pi * time / 6)
    values = np.stack([season, np.cumsum(np.random.default_rng(0).normal(size=1200))], axis=1)
    values = (values - values[:600].mean(0)) / values[:600].std(0)
    weights, left = fit_blend([(values[:600], np.ones((600, 2), bool))], 15, (12,))
    assert left[:, 0].max() < 0.02  # a season that never changes leaves nothing
    steps = np.arange(600, 1185)
    change = values[steps + 15, 1] - values[steps, 1]
    error = change - differences(values[:, 1], steps, 15, (12,)) @ weights[14, 1]
    assert np.mean(error**2) < 1.1 * np.mean(change**2)


def test_a_level_that_keeps_rising_is_not_pulled_back() -> None:
    """A training period that falls and recovers, as employment after 2008, seems to return to its mean."""
    end, ahead, errors, changes = 84, 9, [], []
    for seed in range(6):
        slopes = np.repeat([1.0, -2.5, 1.0], [24, 24, 72])
        values = np.cumsum(slopes + np.random.default_rng(seed).normal(0, 0.3, 120))[:, np.newaxis]
        values = (values - values[:end].mean()) / values[:end].std()
        inputs = Inputs(NetworkConfiguration(center=True, season=(), lags=(1,), cycles=()), Columns(("x",)), ahead)
        inputs.blend = fit_blend([(values[:end], np.ones((end, 1), bool))], ahead, ())[0]
        inputs.seen = np.stack([values[:end].min(0), values[:end].max(0)]).astype(np.float32)
        errors.append(values[end + ahead :] - centers_of(inputs, values)[end:, ahead - 1])
        changes.append(values[end + ahead :] - values[end:-ahead])
    assert np.mean(np.square(errors)) < np.mean(np.square(changes))  # those of the last value


def test_a_level_is_used_where_it_tells_what_comes() -> None:
    """Random walks go on from wherever they are; autoregressions return to their mean."""
    walks, returns = 0, 0
    for seed in range(10):
        noise = np.random.default_rng(seed).normal(size=300)
        returning = scipy.signal.lfilter([1], [1, -0.7], noise)
        for number, values in enumerate((np.cumsum(noise + 0.5), returning)):
            scaled = ((values - values.mean()) / values.std())[:, np.newaxis]
            used = fit_blend([(scaled, np.ones(scaled.shape, bool))], 10, ())[0][..., 1].any()
            walks, returns = walks + (used and number == 0), returns + (used and number == 1)
    assert walks < 5 and returns == 10


def centers_of(inputs: Inputs, values: np.ndarray) -> np.ndarray:
    """From where forecasts of one series (time, 1) count (origins, steps, 1)."""
    state = {
        "mean": tf.zeros((1, 1)),
        "deviation": tf.ones((1, 1)),
        "recent": tf.fill((1, inputs.remembered, 1), np.float32(np.nan)),
        "variance": tf.ones((1, 1)),
    }
    given = tf.constant(values[np.newaxis], tf.float32)
    times = tf.zeros(given.shape[:2], tf.int64)
    return inputs(given, tf.ones(given.shape, tf.bool), times, state, None).center[0].numpy()


def test_the_network_counts_from_what_the_blend_says() -> None:
    """Of weights for one season alone, the center is the value a season before: once more, by NumPy."""
    network = NetworkConfiguration(center=True, season=(5,), lags=(1,), cycles=())
    inputs = Inputs(network, Columns(("x",)), 7)
    weights = np.zeros((7, 1, 5), np.float32)
    weights[:, :, 3] = 1.0
    inputs.blend, inputs.seen = tf.constant(weights), tf.constant([[-np.inf], [np.inf]], tf.float32)
    values = np.random.default_rng(0).normal(size=(27, 1)).astype(np.float32)
    found = centers_of(inputs, values)
    for origin in range(5, 20):
        expected = [values[origin + ahead - 5 * -(-ahead // 5), 0] for ahead in range(1, 8)]
        np.testing.assert_allclose(found[origin, :, 0], expected, rtol=1e-5, atol=1e-6)
