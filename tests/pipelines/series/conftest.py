"""Small tables for the tests of series."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipelines.runs import Run
from pipelines.series.config import SeriesConfiguration
from pipelines.series.sources import DataConfiguration


def series_frame(
    steps: int = 300, names: tuple[str, ...] = ("north", "south"), seed: int = 0, step: str = "1h"
) -> pd.DataFrame:
    """Hourly waves with noise: columns `time`, `name`, `load`, `heat`, and `holiday`, which is known in the future."""
    random = np.random.default_rng(seed)
    times = pd.date_range("2024-01-01", periods=steps, freq=step)
    frames = []
    for number, name in enumerate(names):
        load = 10 * (number + 1) + np.sin(2 * np.pi * np.arange(steps) / 24) + random.normal(0, 0.1, steps)
        frame = pd.DataFrame({"time": times, "name": name, "load": load, "heat": random.normal(20, 3, steps)})
        frames.append(frame.assign(holiday=(times.day_of_week == 6).astype(float)))
    return pd.concat(frames, ignore_index=True)


def write(path: Path, frame: pd.DataFrame) -> Path:
    """Writes a table, of the format that the file's ending says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False)
    return path


def table_configuration(path: Path, **changes: Any) -> DataConfiguration:
    """Both series of `series_frame`, cut into short windows."""
    configuration = DataConfiguration(
        source="table",
        path=str(path),
        targets=("load",),
        series="name",
        known=("holiday",),
        window=24,
        horizon=4,
        warm_up=4,
        batch_size=8,
    )
    return configuration.replace(**changes)


@pytest.fixture(scope="session")
def make_frame() -> Callable[..., pd.DataFrame]:
    """`series_frame`."""
    return series_frame


@pytest.fixture(scope="session")
def write_table() -> Callable[[Path, pd.DataFrame], Path]:
    """`write`."""
    return write


@pytest.fixture(scope="session")
def configure() -> Callable[..., DataConfiguration]:
    """`table_configuration`."""
    return table_configuration


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both series of `series_frame`."""
    return write(tmp_path_factory.mktemp("series") / "waves.csv", series_frame())


@pytest.fixture(scope="session")
def experiment(table: Path) -> Callable[..., SeriesConfiguration]:
    """A function that returns a configuration which learns the waves in seconds, with some changes."""

    def changed(**changes: Any) -> SeriesConfiguration:
        network = {"units": 12, "members": 1, "decoder_units": 8, "dropout": 0.0, "recurrent_dropout": 0.0}
        configuration = SeriesConfiguration().replace(
            data=table_configuration(table).model_dump(),
            network=network,
            training={"epochs": 2, "learning_rate": 0.01},
            steps_per_epoch=60,
        )
        return configuration.replace(**changes)

    return changed


@pytest.fixture(scope="session")
def trained_run(experiment: Callable[..., SeriesConfiguration], train_tiny: Callable[..., Run]) -> Run:
    """A finished run, trained on the waves."""
    return train_tiny(experiment())
