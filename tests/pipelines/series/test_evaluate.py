"""The evaluation as a user types it: what it prints and writes, what can be chosen, what it refuses."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines import commands
from pipelines.configuration import ConfigurationError
from pipelines.evaluation import Evaluation
from pipelines.runs import Run
from pipelines.series import baselines, data, evaluate
from pipelines.series.backtest import backtest
from pipelines.series.config import PRESETS
from pipelines.series.model import load_model
from pipelines.series.regular import SeriesDataError
from pipelines.series.train import train

COVERAGES = ["coverage_50", "coverage_80", "coverage_95"]
METRICS = ["mae", "rmse", "mase", "smape", "pinball", "crps", *COVERAGES, "mae_1", "skill"]
NAIVE = ["last value", "drift", "seasonal naive"]
Write = Callable[[Path, pd.DataFrame], Path]
Make = Callable[..., pd.DataFrame]


@pytest.fixture(scope="module")
def table(make_frame: Make, write_table: Write, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two series with a holiday column, and two hours of the test period without a measurement."""
    frame = make_frame()
    frame.loc[[280, 281], "load"] = np.nan
    return write_table(tmp_path_factory.mktemp("table") / "load.csv", frame)


@pytest.fixture(scope="module")
def run(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Trained for some seconds."""
    configuration = PRESETS["own"].replace(
        data={
            "path": str(table),
            "targets": ("load", "heat"),
            "series": "name",
            "known": ("holiday",),
            "window": 24,
            "horizon": 4,
            "warm_up": 4,
            "batch_size": 8,
        },
        network={"units": 4, "members": 1, "decoder_units": 4},
        training={"epochs": 1},
        steps_per_epoch=5,
        reported="north",
    )
    run = Run.create("series", "own", configuration, tmp_path_factory.mktemp("runs"))
    train(run, configuration)
    return run


@pytest.fixture(scope="module")
def evaluated(run: Run) -> Evaluation:
    """Of the test split, without the baselines that take long."""
    return evaluate.evaluate(run, slow_baselines=False)


@pytest.mark.slow
def test_evaluation_writes_table_and_page(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    commands.evaluate(["series", "--run", str(run.folder), "--no-slow_baselines"])
    printed = capsys.readouterr().out
    assert f"Wrote {run.folder}/evaluation.json and report.html" in printed
    assert "unrolled export series" in printed

    content = run.read_json("evaluation.json")
    assert content.keys() == {"split", "examples", "rows"}
    assert (content["split"], content["examples"]) == ("test", 300 - 240 - 4 + 1)  # of the one series that is reported
    assert [row["name"] for row in content["rows"]] == ["model", "without adaptation", "without calibration", *NAIVE]
    for row in content["rows"]:
        assert list(row["metrics"]) == METRICS
        for name, metric in row["metrics"].items():
            assert metric.keys() == {"value", "low", "high"}
            assert metric["low"] <= metric["value"] <= metric["high"], name
    assert content["rows"][0]["notes"].startswith(
        "forecasts of load, north; 8 of 228 truths were not measured and are not scored; "
    )
    assert "the model" not in content["rows"][0]["notes"]
    for row in content["rows"][1:]:
        has_its_medians = row["name"].startswith("without")
        for metric, is_compared in (("MAE", not has_its_medians), ("CRPS", True)):
            found = re.search(rf"(worse|better|different) .*Diebold–Mariano test of {metric}, p", row["notes"])
            assert bool(found) == is_compared, row
    assert (run.folder / "report.html").exists()
    assert (run.folder / "forecasts.png").exists()


@pytest.mark.slow
def test_the_models_row_is_its_backtest(run: Run, evaluated: Evaluation) -> None:
    forecaster = load_model(run)
    configuration = run.read_configuration(type(PRESETS["own"]))
    sets = data.load(configuration.data)
    task = evaluate.task_of(configuration, sets, "test", "", "")
    error = np.abs(task.origins().truth - backtest(forecaster, task).quantiles[..., task.levels.index(0.5)])
    assert evaluated.rows[0].metrics["mae"].value == pytest.approx(np.nanmean(error))
    still = np.abs(task.origins().truth - baselines.last_value(task).mean)
    assert evaluated.rows[0].metrics["skill"].value == pytest.approx(1 - np.nanmean(error) / np.nanmean(still))


@pytest.mark.slow
def test_another_series_target_or_split_replaces_nothing(run: Run, evaluated: Evaluation) -> None:
    for arguments, name, examples in (
        (["--series", "all"], "test-all", 114),
        (["--series", "south", "--target", "heat"], "test-south-heat", 57),
        (["--split", "validation"], "validation", 27),
    ):
        commands.evaluate(["series", "--run", str(run.folder), "--no-slow_baselines", *arguments])
        content = run.read_json(f"evaluation-{name}.json")
        assert (content["split"], content["examples"]) == (name, examples)
        assert (run.folder / f"report-{name}.html").exists()
    now = Evaluation.from_json(run.read_json("evaluation.json"))
    assert [row.metrics for row in now.rows] == [row.metrics for row in evaluated.rows]


@pytest.mark.parametrize(("option", "names"), [("series", "north, south"), ("target", "load, heat")])
def test_what_is_not_there_is_refused_with_what_is(run: Run, option: str, names: str) -> None:
    with pytest.raises(ConfigurationError, match=f"There is no such {option}. Expected one of: {names}. Received: 'x'"):
        evaluate.evaluate(run, **{option: "x"})


def test_series_too_short_to_be_scored_are_named(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    configuration = run.read_configuration(type(PRESETS["own"]))
    sets = data.load(configuration.data)
    task = evaluate.task_of(configuration, sets._replace(validation_end=[240, 297]), "test", "all", "")
    assert task.chosen == [0]
    assert "Left out: south: the test split is shorter than the horizon, 4 steps." in capsys.readouterr().out
    with pytest.raises(SeriesDataError, match=r"nothing to score.* Received: north, south"):
        evaluate.task_of(configuration, sets._replace(validation_end=[298, 297]), "test", "all", "")


def test_a_column_that_is_missing_now_is_named(run: Run, table: Path, make_frame: Make, write_table: Write) -> None:
    text = table.read_text(encoding="utf-8")
    try:
        write_table(table, make_frame().drop(columns="heat"))
        with pytest.raises(ConfigurationError, match="There is no column 'heat'"):
            evaluate.evaluate(run, slow_baselines=False)
    finally:
        table.write_text(text, encoding="utf-8")


def test_the_future_of_the_table_changes_no_forecast(run: Run, table: Path, write_table: Write) -> None:
    """From the file on: other measurements after an hour of the test period, the same forecasts up to it."""
    configuration = run.read_configuration(type(PRESETS["own"]))
    forecaster = load_model(run)
    text = table.read_text(encoding="utf-8")
    task = evaluate.task_of(configuration, data.load(configuration.data), "test", "all", "")
    try:
        frame = pd.read_csv(table)
        later = frame["time"] > str(pd.Timestamp(task.sets.series[0].times[260], unit="s"))
        assert later.sum() == 2 * 39
        frame.loc[later, ["load", "heat"]] = 99 - 3 * frame.loc[later, ["load", "heat"]]
        write_table(table, frame)
        other = evaluate.task_of(configuration, data.load(configuration.data), "test", "all", "")
    finally:
        table.write_text(text, encoding="utf-8")
    before = task.origins().step <= 260
    assert 0 < before.sum() < len(before)
    naive = [row[1] for row in baselines.available(task, False).values()]
    for forecast in (partial(backtest, forecaster), *naive):
        said, again = forecast(task), forecast(other)
        np.testing.assert_array_equal(said.quantiles[before], again.quantiles[before])
        np.testing.assert_array_equal(said.mean[before], again.mean[before])
    assert (task.origins().truth[~before] != other.origins().truth[~before]).any()
