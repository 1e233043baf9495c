"""The predictor: run and export, frames and files, batches and streams answer alike; and what it refuses."""

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipelines.configuration import ConfigurationError
from pipelines.run_files import plain
from pipelines.runs import Run
from pipelines.series.config import SeriesConfiguration
from pipelines.series.predictor import Predictor, load
from pipelines.series.regular import SeriesDataError
from pipelines.series.train import train

Both = tuple[Predictor, Predictor]
Make = Callable[..., pd.DataFrame]
ENDS = 296  # from here on, holidays alone are known


@pytest.fixture(scope="module")
def both(trained_run: Run, loaded_both_ways: Callable[[Run], tuple[Any, Any]]) -> Both:
    """The predictors of the run and of its export."""
    return loaded_both_ways(trained_run)


@pytest.fixture
def frame(make_frame: Make) -> pd.DataFrame:
    """Two series that end with four hours of which only the holidays are known; `south` begins later."""
    frame = make_frame(seed=5)
    steps = frame.groupby("name").cumcount()
    frame.loc[steps >= ENDS, ["load", "heat"]] = np.nan
    return frame[(frame["name"] == "north") | (steps >= 100)]


def assert_same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(found, expected, rtol=1e-5, atol=1e-5, check_exact=False)


def test_run_and_export_answer_alike(both: Both, frame: pd.DataFrame) -> None:
    frame.loc[frame.index[200], "load"] += 5
    from_run, from_export = (predictor.forecast(frame) for predictor in both)
    assert_same(from_export, from_run)
    assert from_run["series"].tolist() == ["north"] * 4 + ["south"] * 4
    wave = np.sin(2 * np.pi * np.arange(ENDS, 300) / 24)
    np.testing.assert_allclose(from_run["quantile_0.5"], np.concatenate([10 + wave, 20 + wave]), atol=0.5)
    odd, same = (predictor.anomalies(frame, probability=0.01, steps_before=2) for predictor in both)
    assert_same(same, odd)
    assert str(frame["time"].iloc[200]) in odd.loc[odd["series"] == "north", "time"].tolist()


def test_a_run_on_embedded_data_reads_the_users_table(
    both: Both, trained_run: Run, frame: pd.DataFrame, tmp_path: Path
) -> None:
    """Its configuration names past columns, and leaves the target to the data set."""
    copy = Run.open(shutil.copytree(trained_run.folder, tmp_path / "copy"))
    configuration = copy.read_json("configuration.json")
    assert configuration["data"]["targets"] == ["load"]
    configuration["data"] |= {"targets": [], "past": ["heat"]}
    copy.write_json("configuration.json", configuration)
    assert_same(load(copy).forecast(frame), both[0].forecast(frame))


def test_a_frame_is_read_as_its_file(both: Both, frame: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "later.csv"
    frame.to_csv(path, index=False)
    expected = both[0].forecast(str(path))

    class Polars:
        def to_pandas(self) -> pd.DataFrame:
            return frame

    before = frame.copy()
    renamed = frame.rename(columns={"time": "when", "name": "place"})
    for table in (frame, frame.set_index("time"), frame.set_index("time").rename_axis(None), Polars(), path):
        assert_same(both[0].forecast(table), expected)
    assert_same(both[0].forecast(renamed, {"time": "when", "series": "place"}), expected)
    assert_same(both[0].forecast(frame.convert_dtypes()), expected)
    assert_same(both[0].forecast(frame.to_dict("records")), expected)
    with path.open("rb") as file:
        assert_same(both[0].forecast(file), expected)
    of_a_book = copy.copy(both[0])
    of_a_book.configuration = both[0].configuration.replace(data={"sheet": "Data"})
    assert_same(of_a_book.forecast(path), expected)
    pd.testing.assert_frame_equal(frame, before)


def test_a_batch_is_forecast_as_one_by_one(both: Both, frame: pd.DataFrame) -> None:
    """The shorter series is padded in a batch, and is alone here."""
    together = both[0].forecast(frame)
    tables = [frame[frame["name"] == name] for name in ("north", "south")]
    listed = both[0].forecast(tables)
    assert [type(each) for each in listed] == [pd.DataFrame] * 2
    for table, each in zip(tables, listed, strict=True):
        assert_same(each, both[0].forecast(table))
    assert_same(pd.concat(listed, ignore_index=True), together)
    assert both[0].forecast([]) == []
    assert len(both[0].anomalies(tables)) == 2


def test_fewer_steps_and_other_quantiles_are_those_of_the_whole_forecast(both: Both, frame: pd.DataFrame) -> None:
    """What is known of the steps beyond is not needed, and changes nothing."""
    steps = frame.groupby("name").cumcount()
    for predictor in both:
        whole = predictor.forecast(frame, samples=3)
        expected = whole.groupby("series").head(2).reset_index(drop=True)
        assert_same(predictor.forecast(frame[steps < ENDS + 2], samples=3, horizon=2), expected)
        found = predictor.forecast(frame, quantiles=np.array([0.9, 0.35, 0.975]))
        assert found.filter(like="quantile_").columns.tolist() == ["quantile_0.9", "quantile_0.35", "quantile_0.975"]
        between = (whole["quantile_0.3"] + whole["quantile_0.4"]) / 2
        np.testing.assert_allclose(found["quantile_0.35"], between, rtol=1e-6)
        assert_same(
            found[["mean", "quantile_0.9", "quantile_0.975"]], whole[["mean", "quantile_0.9", "quantile_0.975"]]
        )
    assert predictor.forecast([frame, frame], quantiles=0.5)[1].columns.tolist()[-2:] == ["mean", "quantile_0.5"]
    with pytest.raises(SeriesDataError, match=r"all of the 3 steps.*Received: 2 steps"):
        predictor.forecast(frame[steps < ENDS + 2], horizon=3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"horizon": 5}, r"forecasts 4 steps\. Expected 1 to 4\..*train again.*--data.horizon 5.*Received: 5"),
        ({"horizon": 0}, "Expected 1 to 4.*Received: 0"),
        ({"horizon": 2.5}, "horizon: expected int or None.*Received: 2.5"),
        ({"quantiles": 0.99}, "quantiles: expected at least 0.025 and at most 0.975.*Received: 0.99"),
        ({"quantiles": [10, 90]}, "quantiles: .*Received: 10"),
        ({"quantiles": [0.1, "high"]}, "quantiles: expected levels.*Received: 'high'"),
        ({"quantiles": [float("nan")]}, "quantiles: .*Received: nan"),
    ],
)
def test_no_more_is_forecast_than_was_learned(
    both: Both, frame: pd.DataFrame, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        both[0].forecast(frame, **arguments)


def test_a_long_series_read_in_parts_is_forecast_as_at_once(
    both: Both, trained_run: Run, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = both[0].forecast(frame)
    monkeypatch.setattr("pipelines.series.forecasting.STEPS_AT_ONCE", 50)
    assert_same(load(trained_run).forecast(frame), whole)
    monkeypatch.setattr("pipelines.series.streaming.LONG", 100)  # from so many steps on, XLA compiles what reads them
    assert_same(load(trained_run).forecast(frame), whole)


def test_a_stream_forecasts_as_the_whole_table(both: Both, frame: pd.DataFrame) -> None:
    series = frame[(frame["name"] == "south")].set_index("time")
    series = series.drop(series.index[150:153])  # hours that are left out
    expected = both[0].forecast(series.reset_index())
    measured, future = series[: len(series) - 4], series[["holiday"]][-4:]
    for predictor in both:
        stream = predictor.stream(history=measured[:-60])  # of one series
        for time, row in measured[-60:].iterrows():
            values: Any = row if time.hour % 2 else {"time": str(time), **row.drop("name")}
            found = stream.feed(values, future)
        assert_same(stream.finish(), found)
        assert_same(found, expected)
    alone = both[0].stream("south")
    for _, row in measured.iterrows():
        found = alone.feed(row, future)
    assert_same(found, expected)


def test_a_stream_refuses_what_does_not_fit(both: Both, frame: pd.DataFrame) -> None:
    stream, future = both[0].stream("north"), {"holiday": [0.0] * 4}
    row = frame.iloc[5].drop("name")
    with pytest.raises(SeriesDataError, match="no row"):
        stream.finish()
    with pytest.raises(SeriesDataError, match=r"columns holiday of the next 4 steps.*Received: 0 steps"):
        stream.feed(row)
    before = stream.feed(row, future)
    with pytest.raises(SeriesDataError, match=r"not after the last one.*Received: 2024-01-01 05:00:00"):
        stream.feed(row, future)
    with pytest.raises(SeriesDataError, match="beside the clock"):
        stream.feed({**row, "time": "2024-01-01 06:30"}, future)
    for wrong in ({**row, "heat": np.inf}, row.replace({row["heat"]: -np.inf}), {**row, "heat": "Infinity"}):
        with pytest.raises(SeriesDataError, match=r"infinite values; expected finite numbers.*Received: heat$"):
            stream.feed(wrong, future)
    with pytest.raises(
        SeriesDataError, match=r"training did not have; expected load, heat, holiday\..*Received: haet$"
    ):
        stream.feed({**row, "haet": 1.0}, future)
    with pytest.raises(SeriesDataError, match=r"another series. Expected north.*Received: south"):
        stream.feed(frame.iloc[-1], future)
    with pytest.raises(SeriesDataError, match=r"not in the data: heat;"):
        stream.feed(row.drop("heat"), future)
    with pytest.raises(SeriesDataError, match="no column holds the time"):
        stream.feed(row.drop("time"), future)
    with pytest.raises(SeriesDataError, match="no column holds the time"):
        both[0].forecast(frame.drop(columns="time"))
    assert_same(stream.finish(), before)
    for late in (lambda: stream.feed(row, future), stream.finish):
        with pytest.raises(ConfigurationError, match=r"The stream has finished.*Open another one"):
            late()
    with pytest.raises(ConfigurationError, match=r"Expected one of north, south.*Received: 'east'"):
        both[0].stream("east")
    with pytest.raises(SeriesDataError, match=r"no such series.*'east'"):
        both[0].stream("east", frame)
    with pytest.raises(SeriesDataError, match=r"Name it: stream\('north', history=…\). Received: ''"):
        both[0].stream(history=frame)


def test_a_stream_reports_what_it_leaves_out_of_the_rows_of_a_table_once(
    both: Both, frame: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    stream, future = both[0].stream("north"), {"holiday": [0.0] * 4}
    for number in (5, 6):
        stream.feed(pd.concat([frame.iloc[number], pd.Series({"sensor": 7.5})]), future)
    assert capsys.readouterr().err.count("columns that the training did not have: left out (sensor)") == 1


def test_a_frame_has_the_repairs_and_messages_of_a_file(
    both: Both, frame: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    both[0].forecast(frame.sample(frac=1, random_state=0).assign(note="a"))
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "rows that are earlier than one before: sorted" in printed.err and "column of text: left out" in printed.err
    with pytest.raises(SeriesDataError, match=r"not in the data: heat;"):
        both[0].forecast(frame.drop(columns="heat"))
    wrong = frame.astype({"load": object})
    wrong.iloc[2, wrong.columns.get_loc("load")] = "many"
    with pytest.raises(SeriesDataError, match=r"the data frame, line 3, column 'load'.*Received: 'many'"):
        both[0].forecast(wrong)
    with pytest.raises(SeriesDataError, match="has no rows"):
        both[0].forecast(frame[:0])
    with pytest.raises(SeriesDataError, match="several columns have one name"):
        both[0].forecast(pd.concat([frame, frame[["load"]]], axis=1))
    with pytest.raises(SeriesDataError, match=r"missing\.csv does not exist"):
        both[0].forecast("missing.csv")
    with pytest.raises(ConfigurationError, match="Did you mean 'time_format'"):
        both[0].forecast(frame, {"time_formt": "%Y"})


def test_what_cannot_be_meant_is_refused(both: Both, frame: pd.DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigurationError, match=r"samples: .*memory.*at most \d+"):
        both[0].forecast(frame, samples=2**40)
    for table, message in (("time,load\n1,2\n", r"StringIO.*Received: .{,40}$"), ("https://a.org/b.csv", "Download")):
        with pytest.raises(SeriesDataError, match=message):
            both[0].forecast(table)
    both[0].forecast(frame.assign(load=np.nan))
    assert "north: 296 rows without any value of load" in capsys.readouterr().err


@pytest.mark.parametrize("options", [{"probability": 1.0}, {"steps_before": 5}, {"steps_before": 0}])
def test_anomalies_out_of_range_are_refused(both: Both, frame: pd.DataFrame, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="Received: "):
        both[0].anomalies(frame, **options)


@pytest.mark.slow
def test_prices_and_neighbours_stream_as_the_whole_table(
    experiment: Callable[..., SeriesConfiguration],
    loaded_both_ways: Callable[[Run], tuple[Any, Any]],
    make_frame: Make,
    tmp_path: Path,
) -> None:
    configuration = experiment(
        data={"known": (), "log_returns": True, "neighbours": True, "past": ("heat",)},
        network={"relative": False},
        steps_per_epoch=2,
        training={"epochs": 1},
    )
    run = Run.create("series", "prices", configuration, tmp_path / "runs")
    train(run, configuration)
    frame = make_frame(seed=7, steps=120)
    for predictor in loaded_both_ways(run):
        expected = predictor.forecast(frame)
        stream = predictor.stream("south")
        for _, rows in frame.groupby("time"):
            found = stream.feed(rows)
        assert_same(found, expected[expected["series"] == "south"].reset_index(drop=True))
        assert found["quantile_0.5"].between(17, 23).all()


def test_paths_keep_to_the_ranges_and_run_and_export_draw_the_same(both: Both, frame: pd.DataFrame) -> None:
    from_run, from_export = (predictor.forecast(frame, samples=400) for predictor in both)
    assert_same(from_export, from_run)
    plain = both[0].forecast(frame)
    assert_same(from_run[plain.columns], plain)
    drawn = from_run.filter(like="sample_").to_numpy()
    assert drawn.shape == (8, 400)
    outside = (drawn < from_run[["quantile_0.1"]].to_numpy()) | (drawn > from_run[["quantile_0.9"]].to_numpy())
    np.testing.assert_allclose(outside.mean(axis=1), 0.2, atol=0.08)
    with pytest.raises(ConfigurationError, match=r"samples: expected 0 or more.*Received: -1"):
        both[0].forecast(frame, samples=-1)


def test_an_explanation_is_what_hiding_changes(both: Both, frame: pd.DataFrame) -> None:
    """A jump in the last value moves the forecast most; what a covariate does is what a table without it shows."""
    frame.loc[frame[frame["name"] == "north"].index[ENDS - 1], "load"] += 5
    odd, same = (predictor.explain(frame) for predictor in both)
    assert_same(same, odd)
    north = odd[odd["series"] == "north"].set_index("input")
    assert north["size"].is_monotonic_decreasing and (north["size"] >= north["change"].abs() - 1e-6).all()
    assert north.index[0] == "load, the last step" and {"heat", "holiday"} < set(north.index)
    read = frame.groupby("name").tail(100)  # the steps that an explanation reads, and four of the future
    before, after = (both[0].forecast(each) for each in (read, read.assign(heat=np.nan)))
    change = (before["quantile_0.5"] - after["quantile_0.5"])[before["series"] == "north"].mean()
    np.testing.assert_allclose(north.loc["heat", "change"], change, atol=1e-3)


def test_a_job_has_the_same_answers(both: Both, frame: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False)
    (found,) = json.loads(json.dumps(plain(both[0].answers([str(path)]))))
    expected = both[0].forecast(path)
    assert pd.DataFrame(found["forecast"])["series"].tolist() == expected["series"].tolist()
    np.testing.assert_allclose(pd.DataFrame(found["forecast"])["mean"], expected["mean"])
