"""Memory and time of a training and a forecast against the size of the table: `python -m benchmarks.series_scale`.

Each size is a process of its own, the command that users type, on a table of made-up series. Many short series:
`--sizes 1 10000 100000 --steps 60 --window 24 --horizon 6`; one long: `--sizes 1 --steps 1000000`.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import tyro
from rich.console import Console
from rich.table import Table

BATCH = 32
PASSES = 3  # an epoch reads so many times as many steps as there are
SERIES_AT_ONCE = 1000  # written
MOST_BATCHES = 300  # of an epoch, whose rate is known by then


class Measured(NamedTuple):
    """What a training of so many batches took, its epoch with the validation, and a forecast of all series."""

    series: int
    batches: int
    seconds: float
    epoch_seconds: float
    peak_megabytes: float
    forecast_seconds: float
    forecast_megabytes: float


def write_table(path: Path, series: int, steps: int) -> None:
    """Writes hourly series with a daily cycle and noise, a row a step."""
    generator = np.random.default_rng(0)
    times = pd.date_range("2020-01-01", periods=steps, freq="h").strftime("%Y-%m-%d %H:%M").to_numpy()
    cycle = np.sin(2 * np.pi * np.arange(steps) / 24)
    for first in range(0, series, SERIES_AT_ONCE):
        count = min(SERIES_AT_ONCE, series - first)
        values = cycle * generator.uniform(1, 5, (count, 1)) + generator.normal(size=(count, steps))
        names = np.repeat([f"series {number}" for number in range(first, first + count)], steps)
        rows = pd.DataFrame({"time": np.tile(times, count), "name": names, "value": values.ravel().round(3)})
        rows.to_csv(path, mode="a", header=first == 0, index=False)


def measure(series: int, steps: int, folder: Path, window: int = 96, horizon: int = 24) -> Measured:
    """Trains on so many series, and forecasts all of them, each in a process of its own."""
    table = folder / f"{series}.csv"
    write_table(table, series, steps)
    batches = min(max(1, round(PASSES * series * steps / (BATCH * window))), MOST_BATCHES)
    settings = {
        "data.path": table,
        "data.series": "name",
        "data.targets": "value",
        "data.window": window,
        "data.horizon": horizon,
        "data.warm_up": window // 4,
        "data.batch_size": BATCH,
        "training.epochs": 1,
        "steps_per_epoch": batches,
    }
    runs = folder / f"runs of {series}"
    trained = _timed(["train", "series", "own", *(part for each in settings.items() for part in _option(*each))], runs)
    timing = json.loads((runs / "series" / "latest" / "timing.json").read_text())
    forecast = _timed(["forecast", str(table), "--output", str(folder / f"forecasts of {series}")], runs)
    return Measured(series, batches, trained[0], timing["seconds"], trained[1], *forecast)


def _option(name: str, value: object) -> tuple[str, str]:
    return f"--{name}", str(value)


def _timed(arguments: Sequence[str], runs: Path) -> tuple[float, float]:
    """Returns the seconds and the peak memory in MB of a command."""
    command = [sys.executable, "-m", "pipelines", *arguments]
    started = time.perf_counter()
    process = subprocess.Popen(command, env=os.environ | {"UNROLLED_RUNS": str(runs)}, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if status:
        raise RuntimeError(f"A command failed; its message is above. Received: {' '.join(command)}")
    return seconds, usage.ru_maxrss / 1024  # Linux counts kilobytes


def main(sizes: tuple[int, ...] = (1, 250, 500, 1000), steps: int = 1000, window: int = 96, horizon: int = 24) -> None:
    """Measures memory and time of trainings and forecasts.

    Args:
        sizes: numbers of series; the first one shows what a process takes anyway.
        steps: of each series.
        window: steps of history in a training window.
        horizon: steps to forecast.
    """
    heads = ("series", "batches", "training, s", "beyond the first row, s a series", "of it the epoch, s", "peak, MB")
    table = Table(*heads, "forecast, s", "peak, MB")
    with tempfile.TemporaryDirectory() as folder:
        measured = [measure(series, steps, Path(folder), window, horizon) for series in sizes]
    for each in measured:
        beyond = (each.seconds - measured[0].seconds) / max(each.series - measured[0].series, 1)
        found = f"{each.seconds:.1f}", f"{beyond:.4f}", f"{each.epoch_seconds:.1f}", f"{each.peak_megabytes:.0f}"
        forecast = f"{each.forecast_seconds:.1f}", f"{each.forecast_megabytes:.0f}"
        table.add_row(f"{each.series}", f"{each.batches}", *found, *forecast)
    Console(width=160).print(table)


if __name__ == "__main__":
    tyro.cli(main)
