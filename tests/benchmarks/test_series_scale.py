"""The benchmark of many series runs, on few; its table is what a user's table looks like."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.series_scale import write_table


def test_made_up_tables_hold_every_series(tmp_path: Path) -> None:
    write_table(tmp_path / "made.csv", 3, 50)
    rows = pd.read_csv(tmp_path / "made.csv")
    assert rows.groupby("name")["value"].count().tolist() == [50, 50, 50]
    assert rows["value"].std() > 1


@pytest.mark.slow
def test_a_small_size_is_measured(tmp_path: Path) -> None:
    # Of a process of its own: Linux counts the memory of the process that starts another, which tests have made large.
    command = [sys.executable, "-m", "benchmarks.series_scale", "--sizes", "2", "--steps", "200", "--window", "24"]
    command += ["--horizon", "6"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    (row,) = [line.strip("│ ").split("│") for line in done.stdout.splitlines() if line.startswith("│")]
    series, batches, seconds, _, epoch, peak, forecast, forecast_peak = map(float, row)
    assert (series, batches) == (2, 2)
    assert 0 < epoch < seconds and forecast > 0
    assert 100 < peak < 4000 and 100 < forecast_peak < 4000
