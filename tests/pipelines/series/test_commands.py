"""The commands as a user types them: what they print, what they write, and what they say when something is wrong."""

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines import commands
from pipelines import train as train_command
from pipelines.runs import Run
from pipelines.series import train
from pipelines.series.config import PRESETS, SeriesConfiguration
from tests.pipelines.conftest import unlearned

pytestmark = pytest.mark.usefixtures("there")

Capture = pytest.CaptureFixture[str]

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def later(make_frame: Callable[..., pd.DataFrame], there: Path) -> pd.DataFrame:
    """A table that ends with four hours of which only the holidays are known."""
    frame = make_frame(seed=5)
    frame.loc[frame.groupby("name").cumcount() >= 296, ["load", "heat"]] = np.nan
    frame.to_csv("later.csv", index=False)
    return frame


def forecast(arguments: list[str]) -> None:
    commands.answer("forecast", arguments)


def test_forecast_prints_and_writes_what_comes(later: pd.DataFrame, trained_run: Run, capsys: Capture) -> None:
    commands.answer("forecast", ["later.csv"])
    printed, done = capsys.readouterr()
    assert "north: load" in printed and "south: load" in printed
    assert re.search(r"│ 2024-01-13 08:00:00 │ \d", printed), "the hour after the last one"
    assert "Wrote forecast.csv, forecast.png" in done and "Wrote" not in printed
    rows = pd.read_csv("forecast.csv")
    assert rows["series"].tolist() == ["north"] * 4 + ["south"] * 4
    assert rows["time"].tolist()[:4] == [f"2024-01-13 {hour:02d}:00:00" for hour in range(8, 12)]
    quantiles = rows.filter(like="quantile_")
    assert next(iter(quantiles.columns)) == "quantile_0.025"
    assert (np.diff(quantiles.to_numpy(), axis=1) >= 0).all()
    wave = np.sin(2 * np.pi * np.arange(296, 300) / 24)
    np.testing.assert_allclose(rows["quantile_0.5"], np.concatenate([10 + wave, 20 + wave]), atol=0.5)
    assert Path("forecast.png").read_bytes().startswith(b"\x89PNG")


def test_an_output_is_a_folder_or_a_csv_and_never_the_table(
    later: pd.DataFrame, refused: Callable[..., str], capsys: Capture
) -> None:
    forecast(["later.csv", "--output", "new/next.csv", "--anomalies"])
    assert {path.name for path in Path("new").iterdir()} == {"next.csv", "next.png", "next_anomalies.csv"}
    capsys.readouterr()
    Path("note.txt").write_text("mine")
    for output in ("next.parquet", "next.json", "next.ods", "note.txt"):
        assert "Expected a folder, or a file such as" in refused(forecast, ["later.csv", "--output", output])
    later.to_csv("forecast.csv", index=False)
    before = Path("forecast.csv").read_bytes()
    for arguments in (["forecast.csv"], ["forecast.csv", "--output", "./forecast.csv"]):
        assert "would overwrite the table" in refused(forecast, arguments)
    assert Path("forecast.csv").read_bytes() == before
    for option in (["--steps_before", "2"], ["--reconciliation", "bottom_up"]):
        assert re.search(r"needs (anomalies|sums)", refused(forecast, ["later.csv", *option]))


def test_fewer_steps_and_chosen_quantiles(later: pd.DataFrame, capsys: Capture, refused: Callable[..., str]) -> None:
    forecast(["later.csv", "--horizon", "3", "--quantiles", "0.05", "0.85", "--output", "next.csv"])
    assert re.search(r"time +┃ 0.05 quantile ┃ 0.85 quantile ┃", capsys.readouterr().out)
    rows = pd.read_csv("next.csv")
    assert rows.groupby("series").size().tolist() == [3, 3]
    assert rows.filter(like="quantile_").columns.tolist() == ["quantile_0.05", "quantile_0.85"]
    assert "at most 0.975" in refused(forecast, ["later.csv", "--quantiles", "0.5", "0.99"])


def test_json_and_standard_input(later: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """The same numbers as those of the file, one object a line and nothing else; no file is written."""
    commands.answer("forecast", ["later.csv", "--output", "written"])
    expected = pd.read_csv("written/forecast.csv")
    later.loc[200, "load"] += 5
    later.to_csv("later.csv", index=False)
    expected_anomaly = str(later["time"][200])
    capsys.readouterr()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(Path("later.csv").read_bytes())))
    commands.answer("forecast", ["-", "--format", "json", "--anomalies"])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    forecasts = pd.DataFrame([row for row in rows if "value" not in row])
    assert forecasts.columns.tolist() == expected.columns.tolist()
    assert forecasts[["series", "time"]].equals(expected[["series", "time"]])
    np.testing.assert_allclose(forecasts["mean"][4:], expected["mean"][4:], rtol=1e-5)
    assert expected_anomaly in [row["time"] for row in rows if "value" in row]
    assert not Path("forecast.csv").exists()


def test_the_old_name_of_an_option_is_told_the_new_one(capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        commands.answer("forecast", ["later.csv", "--unlikely", "0.1"])
    assert "Expected 'anomaly_probability'" in capsys.readouterr().err


def test_anomalies_are_found_and_only_they(later: pd.DataFrame, capsys: Capture) -> None:
    later.loc[200, "load"] += 5
    later.to_csv("later.csv", index=False)
    commands.answer("forecast", ["later.csv", "--anomalies", "--output", "found"])
    printed, done = capsys.readouterr()
    rows = pd.read_csv("found/anomalies.csv")
    strange = rows[(rows["series"] == "north") & (rows["time"] == str(later["time"][200]))]
    assert len(strange) == 1
    assert strange["value"].item() == pytest.approx(later["load"][200])
    assert strange["probability"].item() < 0.001
    assert strange["low"].item() < strange["high"].item() < strange["value"].item()
    assert strange["low"].item() < strange["expected"].item() < strange["high"].item()
    assert strange["columns"].item() == "load"
    assert "above the range" in strange["reason"].item() and "load changed more" in strange["reason"].item()
    assert len(rows) < 12, "of 592 readings"
    assert f"{len(rows)} readings were less probable than 0.001" in done
    assert str(later["time"][200]) in printed
    assert {path.name for path in Path("found").iterdir()} == {"forecast.csv", "forecast.png", "anomalies.csv"}


def test_anomalies_of_a_forecast_made_earlier(
    later: pd.DataFrame, capsys: Capture, refused: Callable[..., str]
) -> None:
    commands.answer("forecast", ["later.csv", "--anomalies", "--steps_before", "4", "--anomaly_probability", "0.2"])
    assert re.search(r"\d+ readings were less probable than 0.2", capsys.readouterr().err)
    message = refused(forecast, ["later.csv", "--anomalies", "--steps_before", "5"])
    assert "forecasts 4 steps" in message


def test_an_unknown_series_is_forecast_and_named(later: pd.DataFrame, capsys: Capture) -> None:
    later.replace({"name": {"south": "east"}}).to_csv("later.csv", index=False)
    commands.answer("forecast", ["later.csv"])
    assert "'east' was not in the training" in capsys.readouterr().err
    rows = pd.read_csv("forecast.csv").set_index("series")
    np.testing.assert_allclose(rows.loc["east", "quantile_0.5"], 20, atol=3)


def test_the_name_of_the_file_changes_no_forecast(
    there: Path, make_frame: Callable[..., pd.DataFrame], experiment: Callable[..., SeriesConfiguration]
) -> None:
    frame = make_frame(names=("north",)).drop(columns=["name", "heat", "holiday"])
    frame.to_csv("loads.csv", index=False)
    data = {"path": "loads.csv", "series": "", "known": (), "timezone": "Europe/Berlin"}
    configuration = experiment(data=data)
    run = Run.create("series", "alone", configuration, there / "runs")
    with unlearned(train):
        train.train(run, configuration)
    frame.to_csv("moved.csv", index=False)
    for name in ("loads", "moved"):
        commands.answer("forecast", [f"{name}.csv", "--run", str(run.folder), "--output", name])
    assert Path("loads/forecast.csv").read_text() == Path("moved/forecast.csv").read_text()
    rows = pd.read_csv("moved/forecast.csv")
    assert set(rows["series"]) == {"loads"}
    assert rows["time"][0] == "2024-01-13 12:00:00+01:00", "as the clock of the table shows it"


def test_rows_without_values_at_the_end_are_said(
    there: Path,
    later: pd.DataFrame,
    experiment: Callable[..., SeriesConfiguration],
    capsys: Capture,
    refused: Callable[..., str],
) -> None:
    configuration = experiment(data={"known": (), "past": ("heat",)})
    run = Run.create("series", "unknowing", configuration, there / "runs")
    with unlearned(train):
        train.train(run, configuration)
    commands.answer("forecast", ["later.csv", "--run", str(run.folder)])
    assert "north: 4 rows without values after 2024-01-13 07:00:00" in capsys.readouterr().err
    later.assign(load=np.nan, heat=np.nan).to_csv("nothing.csv", index=False)
    message = refused(forecast, ["nothing.csv", "--run", str(run.folder)])
    assert "'north' has no value, so there is nothing to forecast from" in message


def test_days_that_can_be_read_in_two_ways_are_read_as_it_is_said(
    later: pd.DataFrame, refused: Callable[..., str]
) -> None:
    written = later["time"].dt.strftime("%d/%m/%Y %H:%M")
    later.assign(time=written)[later["time"].dt.date == date(2024, 1, 2)].to_csv("written.csv", index=False)
    message = refused(forecast, ["written.csv"])
    assert "--data.time_format '%d/%m/%Y %H:%M'" in message
    later.assign(time=written).to_csv("written.csv", index=False)
    commands.answer("forecast", ["written.csv", "--data.time_format", "%d/%m/%Y %H:%M"])
    assert pd.read_csv("forecast.csv")["time"][0] == "2024-01-13 08:00:00"


def test_bad_tables_are_refused_by_name(later: pd.DataFrame, refused: Callable[..., str]) -> None:
    later.drop(columns="heat").to_csv("without.csv", index=False)
    assert "heat" in refused(forecast, ["without.csv"])
    later.groupby("name").head(296).to_csv("past.csv", index=False)
    assert re.search(r"'holiday'.*not given for all.*4 steps", refused(forecast, ["past.csv"]))
    assert "missing.csv" in refused(forecast, ["missing.csv"])
    assert "Expected one file" in refused(forecast, [])
    assert "Expected one file" in refused(forecast, ["later.csv", "past.csv"])
    assert not Path("forecast.csv").exists()


@pytest.mark.parametrize("command", [forecast, commands.evaluate, commands.export])
def test_a_bad_run_is_refused(
    command: Callable[[list[str]], None], later: pd.DataFrame, there: Path, refused: Callable[..., str]
) -> None:
    files = ["later.csv"] if command is forecast else ["series"]
    assert "no such folder" in refused(command, [*files, "--run", "nowhere"])
    assert "not a run" in refused(command, [*files, "--run", str(there)])


def test_training_of_a_table_says_what_it_learns_from(
    table: Path,
    there: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
    refused: Callable[..., str],
) -> None:
    monkeypatch.setenv("UNROLLED_RUNS", str(there / "runs"))
    options = (
        f"own --data.path {table} --data.targets load --data.series name --data.window 24 --data.horizon 4 "
        "--data.warm_up 4 --data.batch_size 4 --network.units 4 --network.members 1 --steps_per_epoch 2 "
        "--training.epochs 1"
    ).split()
    train_command.train(["series", *options])
    printed = capsys.readouterr().out
    assert (
        "Learning from 2 series (north, south) of targets load; past heat, holiday; a step is 3600 seconds." in printed
    )
    assert f"Wrote {Run.latest('series').folder}" in printed
    assert "unrolled evaluate series" in printed
    message = refused(train_command.train, ["series", *options[:2], str(there / "missing.csv"), *options[3:]])
    assert "missing.csv" in message


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_whole(preset: str) -> None:
    configuration = PRESETS[preset]
    assert SeriesConfiguration.from_json(configuration.to_json()) == configuration
    follows_from_the_table = configuration.data.window == -1
    assert follows_from_the_table or configuration.data.warm_up < configuration.data.window
    assert configuration.network.relative != configuration.data.log_returns


def test_commands_run_as_modules_and_only_our_lines_are_seen(there: Path) -> None:
    command = [sys.executable, "-m", "pipelines", "forecast", str(there / "missing.csv")]
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    environment["PYTHONPATH"] = str(REPOSITORY)
    done = subprocess.run(command, cwd=there, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if line]
    assert len(lines) == 1 and lines[0].startswith("Error: ") and "missing.csv" in lines[0]
