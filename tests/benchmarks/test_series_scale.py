"""The benchmark of many series runs, on few; its table is what a user's table looks like."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.series_scale import main, write_table


def test_made_up_tables_hold_every_series(tmp_path: Path) -> None:
    write_table(tmp_path / "made.csv", 3, 50)
    rows = pd.read_csv(tmp_path / "made.csv")
    assert rows.groupby("name")["value"].count().tolist() == [50, 50, 50]
    assert rows["value"].std() > 1


@pytest.mark.slow
def test_small_sizes_are_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # Of a process of its own: Linux counts the memory of the process that starts another, which tests have made large.
    program = "import pathlib; from benchmarks.series_scale import measure; print(*measure(2, 400, pathlib.Path()))"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    series, batches, seconds, peak_megabytes = map(float, done.stdout.split())
    assert (series, batches) == (2, 1)
    assert seconds > 0
    assert 100 < peak_megabytes < 4000
    main((1, 3), 400)
    assert len([line for line in capsys.readouterr().out.splitlines() if line.startswith("│")]) == 2
