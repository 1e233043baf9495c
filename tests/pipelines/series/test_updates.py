"""A run that is trained on with more rows keeps its settings, and is tested on what it has not learned."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from pipelines.runs import Run
from pipelines.series.config import PRESETS
from pipelines.series.regular import SeriesDataError
from pipelines.series.train import prepare
from pipelines.series.updates import as_before

MakeFrame = Callable[..., pd.DataFrame]
WriteTable = Callable[[Path, pd.DataFrame], Path]


def test_a_longer_table_keeps_the_settings_of_its_run(
    trained_run: Run, tmp_path: Path, make_frame: MakeFrame, write_table: WriteTable
) -> None:
    path = write_table(tmp_path / "longer.csv", make_frame(400))
    wanted = PRESETS["own"].replace(data={"path": str(path)}, initialise=trained_run.folder)
    then, now = trained_run.read_configuration(type(wanted)), as_before(wanted)
    assert now.data == then.data.replace(path=str(path), calendar="auto" if then.data.calendar == "auto" else "clock")
    assert (now.network.season, now.network.lags, now.network.units) == (
        then.network.season,
        then.network.lags,
        then.network.units,
    )
    assert now.training == wanted.training
    sets = prepare(wanted).sets
    assert sets.columns.targets == ("load",)
    assert len(sets.series[0].times) == 400
    named = wanted.replace(data={"targets": ("load",)})
    assert as_before(named) == named


def test_a_test_on_what_the_run_has_learned_is_refused(
    trained_run: Run, tmp_path: Path, make_frame: MakeFrame, write_table: WriteTable
) -> None:
    path = write_table(tmp_path / "same.csv", make_frame())
    wanted = PRESETS["own"].replace(data={"path": str(path)}, initialise=trained_run.folder)
    assert prepare(wanted).sets.train_end == [210, 210]
    with pytest.raises(SeriesDataError, match=r"'north' until 2024-01-09 17:00:00, and .* begin at 2024-01-09 15:00"):
        prepare(wanted.replace(data={"held_out": "63"}))
