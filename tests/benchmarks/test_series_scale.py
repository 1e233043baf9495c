"""The benchmark of many series runs, on few; its table is what a user's table looks like."""

from pathlib import Path

import pandas as pd
import pytest

from benchmarks.series_scale import main, measure, write_table


def test_made_up_tables_hold_every_series(tmp_path: Path) -> None:
    write_table(tmp_path / "made.csv", 3, 50)
    rows = pd.read_csv(tmp_path / "made.csv")
    assert rows.groupby("name")["value"].count().tolist() == [50, 50, 50]
    assert rows["value"].std() > 1


@pytest.mark.slow
def test_small_sizes_are_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = measure(2, 400, tmp_path)
    assert (one.series, one.batches) == (2, 1)
    assert one.seconds > 0
    assert 100 < one.peak_megabytes < 4000
    main((1, 3), 400)
    assert len([line for line in capsys.readouterr().out.splitlines() if line.startswith("│")]) == 2
