"""What follows from a table, and the blend that forecasts count from."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from pipelines.series.calendar import COUNTED, DAY, MONTH, Clock
from pipelines.series.centers import fit_blend
from pipelines.series.config import PRESETS
from pipelines.series.inputs import Inputs
from pipelines.series.network import NetworkConfiguration
from pipelines.series.regular import Columns
from pipelines.series.rules import find_seasons, is_open, rules
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


@pytest.mark.parametrize("length", [30, 60, 120])
def test_short_tables_get_settings_that_fit(tmp_path: Path, write_table: WriteTable, length: int) -> None:
    times = pd.date_range("1990", periods=length, freq="MS")
    found, _ = settled(tmp_path, write_table, pd.DataFrame({"time": times, "x": waves(length, 12)}))
    train = round(0.7 * length)
    assert found.data.calendar == "month"
    assert found.data.window + found.data.horizon < train and found.data.warm_up < found.data.window
    assert found.data.horizon <= 0.1 * length or found.data.horizon == 1


def test_the_blend_continues_a_season_and_is_nothing_for_a_random_walk() -> None:
    time = np.arange(600)
    season = np.sin(2 * np.pi * time / 12) + np.cos(2 * np.pi * time / 6)
    values = np.stack([season, np.cumsum(np.random.default_rng(0).normal(size=600))], axis=1)
    values = (values - values.mean(0)) / values.std(0)
    weights, left = fit_blend([(values, np.ones(values.shape, bool))], 15, (12,))
    assert left[:, 0].max() < 0.02  # a season that never changes leaves nothing
    assert not weights[:, 1].any()
    steps = np.sqrt(np.mean((values[15:, 1] - values[:-15, 1]) ** 2))
    np.testing.assert_allclose(left[14, 1], steps, rtol=0.1)


def test_the_network_counts_from_what_the_blend_says() -> None:
    """Of weights for one season alone, the center is the value a season before: once more, by NumPy."""
    network = NetworkConfiguration(center=True, season=(5,), lags=(1,), cycles=())
    inputs = Inputs(network, Columns(("x",)), 7)
    weights = np.zeros((7, 1, 5), np.float32)
    weights[:, :, 3] = 1.0
    inputs.blend = tf.constant(weights)
    values = np.random.default_rng(0).normal(size=(1, 27, 1)).astype(np.float32)
    state = {
        "mean": tf.zeros((1, 1)),
        "deviation": tf.ones((1, 1)),
        "recent": tf.fill((1, 5, 1), np.float32(np.nan)),
        "variance": tf.ones((1, 1)),
    }
    found = inputs(tf.constant(values), tf.ones(values.shape, tf.bool), tf.zeros((1, 27), tf.int64), state, None).center
    for origin in range(5, 20):
        expected = [values[0, origin + ahead - 5 * -(-ahead // 5), 0] for ahead in range(1, 8)]
        np.testing.assert_allclose(found[0, origin, :, 0], expected, rtol=1e-5, atol=1e-6)
