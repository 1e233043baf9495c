"""Memory and time of a training against the number of its series: `python -m benchmarks.series_scale`.

Each size is a process of its own, the command that users type, on a table of made-up series.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import tyro
from rich.console import Console
from rich.table import Table

BATCH, WINDOW, HORIZON = 32, 96, 24
PASSES = 3  # an epoch reads so many times as many steps as there are


class Measured(NamedTuple):
    """What a training took."""

    series: int
    batches: int
    seconds: float
    peak_megabytes: float


def write_table(path: Path, series: int, steps: int) -> None:
    """Writes hourly series with a daily cycle and noise, a row a step."""
    generator = np.random.default_rng(0)
    times = pd.date_range("2020-01-01", periods=steps, freq="h")
    cycle = np.sin(2 * np.pi * np.arange(steps) / 24)
    for number in range(series):
        values = cycle * generator.uniform(1, 5) + generator.normal(size=steps)
        rows = pd.DataFrame({"time": times, "name": f"series {number}", "value": values.round(3)})
        rows.to_csv(path, mode="a", header=number == 0, index=False)


def measure(series: int, steps: int, folder: Path) -> Measured:
    """Trains on so many series in a process of its own."""
    table = folder / f"{series}.csv"
    write_table(table, series, steps)
    batches = max(1, round(PASSES * series * steps / (BATCH * WINDOW)))
    settings = {
        "data.path": table,
        "data.series": "name",
        "data.targets": "value",
        "data.window": WINDOW,
        "data.horizon": HORIZON,
        "data.batch_size": BATCH,
        "training.epochs": 1,
        "steps_per_epoch": batches,
    }
    options = [part for name, value in settings.items() for part in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "pipelines", "train", "series", "own", *options]
    environment = os.environ | {"UNROLLED_RUNS": str(folder / "runs")}
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if status:
        raise RuntimeError(f"A training failed; its message is above. Received: {' '.join(map(str, command))}")
    return Measured(series, batches, seconds, usage.ru_maxrss / 1024)  # Linux counts kilobytes


def main(sizes: tuple[int, ...] = (1, 250, 500, 1000), steps: int = 1000) -> None:
    """Measures memory and time of trainings.

    Args:
        sizes: numbers of series; the first one shows what a process takes anyway.
        steps: of each series.
    """
    table = Table("series", "batches", "seconds", "seconds a series, beyond the first row", "peak memory, MB")
    with tempfile.TemporaryDirectory() as folder:
        measured = [measure(series, steps, Path(folder)) for series in sizes]
    for each in measured:
        beyond = (each.seconds - measured[0].seconds) / max(each.series - measured[0].series, 1)
        found = f"{each.seconds:.1f}", f"{beyond:.4f}", f"{each.peak_megabytes:.0f}"
        table.add_row(f"{each.series}", f"{each.batches}", *found)
    Console().print(table)


if __name__ == "__main__":
    tyro.cli(main)
