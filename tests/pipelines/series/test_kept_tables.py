"""A table in memory that is trained on: what is kept of it is read as the table itself, wherever the run is moved."""

import io
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import unrolled
from pipelines.configuration import ConfigurationError
from pipelines.run_files import release_lock
from pipelines.runs import Run
from pipelines.series import train
from pipelines.series.config import SeriesConfiguration
from pipelines.series.kept_tables import keep
from pipelines.series.regular import SeriesDataError
from pipelines.series.user_tables import TableConfiguration, read_tables

HOURS = pd.date_range("2026-01-01", periods=6, freq="h")
LOAD = pd.Series([1.5, 2.0, np.nan, 4.0, 5.0, 2**24 + 1.0])
TABLES: dict[str, Any] = {
    "index of times": pd.DataFrame({"load": LOAD.to_numpy()}, index=HOURS),
    "zone": pd.DataFrame({"load": LOAD.to_numpy()}, index=HOURS.tz_localize("Europe/Berlin")),
    "periods": pd.DataFrame({"load": LOAD.to_numpy()}, index=HOURS.to_period("M") + np.arange(6)),
    "years": pd.DataFrame({"load": LOAD.to_numpy()}, index=range(2001, 2007)),
    "series": pd.Series(LOAD.to_numpy(), HOURS, name="load"),
    "several types": pd.DataFrame({"time": HOURS, "load": [1, "2", None, 3.5, "4,000", Decimal(5)]}, dtype=object),
    "categories": pd.DataFrame({"time": HOURS, "shop": pd.Categorical(list("ababab")), "load": LOAD}),
    "levels": pd.DataFrame({("load", "a"): LOAD.to_numpy(), ("load", "b"): 1.0}, index=HOURS),
    "durations": pd.DataFrame({"time": HOURS - HOURS[0], "load": LOAD}),
    "Arrow": pa.table({"time": HOURS, "load": LOAD}),
    "array": np.arange(12.0).reshape(6, 2),
    "open file": b"time;load\n01.02.2026;1,5\n02.02.2026;2,5\n03.02.2026;3\n",
}


@pytest.mark.parametrize("name", TABLES)
def test_it_is_read_as_the_table_itself(name: str, tmp_path: Path) -> None:
    table = TABLES[name]
    configuration = TableConfiguration(series="shop" if name == "categories" else ())
    path = keep(io.BytesIO(table) if isinstance(table, bytes) else table, configuration, tmp_path)
    expected, columns, _ = read_tables(configuration, io.BytesIO(table) if isinstance(table, bytes) else table)
    found, same, _ = read_tables(configuration.replace(path=str(path)))
    assert same == columns
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.times, other.times)
        np.testing.assert_array_equal(one.values, other.values)
        assert one.zone == other.zone


@pytest.mark.parametrize("settings", [TABLES["zone"], {"frame": TABLES["zone"], "targets": "load", "horizon": 3}])
def test_a_run_keeps_what_it_learned_from(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNROLLED_RUNS", str(tmp_path / "runs"))
    trained: list[SeriesConfiguration] = []
    monkeypatch.setattr(train, "train", lambda run, configuration: trained.append(configuration))
    run = unrolled.train("series", preset="own", data=settings)
    if isinstance(settings, dict):
        assert (trained[0].data.targets, trained[0].data.horizon) == (("load",), 3)
    release_lock(run.folder)  # as if the process had ended
    moved = Run.open(shutil.move(run.folder, tmp_path / "moved"))
    unrolled.train("series", resume=moved)
    path = Path(trained[1].data.path)
    assert path.is_relative_to(moved.folder)
    assert trained[1] == trained[0].replace(data={"path": str(path)})
    assert len(read_tables(trained[1].data)[0][0].times) == len(HOURS)


@pytest.mark.parametrize(
    ("task", "settings", "error", "message"),
    [
        ("series", {"frame": TABLES["zone"], "path": "a.csv"}, ConfigurationError, "Expected one of both.*'a.csv'"),
        ("series", pd.DataFrame(), SeriesDataError, "no rows"),
        ("series", 3, SeriesDataError, "not a table.*Received: int"),
        ("series", "a.csv", ConfigurationError, "dictionary of settings.*Received: 'a.csv'"),
        ("speech", TABLES["zone"], ConfigurationError, r"^data: expected a dictionary.*Received: \S+"),
    ],
)
def test_what_is_no_table_leaves_no_run(
    task: str, settings: Any, error: type, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNROLLED_RUNS", str(tmp_path / "runs"))
    with pytest.raises(error, match=message):
        unrolled.train(task, preset="own", data=settings)
    assert not list(tmp_path.rglob("configuration.json"))
