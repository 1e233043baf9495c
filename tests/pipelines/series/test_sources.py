"""Sources: the user's table and the built-in data sets become the same regular series."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines.configuration import ConfigurationError
from pipelines.series.calendar import Clock
from pipelines.series.regular import Columns, Repair, Series, SeriesDataError
from pipelines.series.sources import DataConfiguration, open_source, with_neighbours

Configure = Callable[..., DataConfiguration]
MakeFrame = Callable[..., pd.DataFrame]
WriteTable = Callable[[Path, pd.DataFrame], Path]


def test_columns_are_in_the_order_of_their_uses(
    tmp_path: Path, make_frame: MakeFrame, write_table: WriteTable, configure: Configure
) -> None:
    frame = make_frame(50)
    source = open_source(configure(write_table(tmp_path / "loads.csv", frame)))
    assert source.columns == Columns(("load",), ("heat",), ("holiday",))
    assert (source.clock.step_seconds, source.repairs) == (3600, [])
    for series in source.series:
        rows = frame[frame["name"] == series.name]
        np.testing.assert_allclose(series.values, rows[["load", "heat", "holiday"]], rtol=1e-6)


def test_shuffled_rows_give_the_same_series(
    tmp_path: Path, make_frame: MakeFrame, write_table: WriteTable, configure: Configure
) -> None:
    frame = make_frame(50)
    ordered = open_source(configure(write_table(tmp_path / "ordered.csv", frame)))
    shuffled = open_source(configure(write_table(tmp_path / "shuffled.csv", frame.sample(frac=1, random_state=0))))
    for one, other in zip(ordered.series, shuffled.series, strict=True):
        assert one.name == other.name
        for part, same in zip(one[1:4], other[1:4], strict=True):
            np.testing.assert_array_equal(part, same)
    assert [repair.what for repair in shuffled.repairs] == ["rows that are earlier than one before: sorted"] * 2


def test_neighbours_are_the_columns_of_all_series() -> None:
    random = np.random.default_rng(0)
    columns = Columns(("load",), ("heat",), ("holiday",))
    series = [
        Series(name, np.arange(9), random.normal(size=(9, 3)).astype(np.float32), random.random((9, 3)) < 0.5)
        for name in ("north", "south")
    ]
    together, names = with_neighbours(series, columns)
    assert names.past == ("heat", "load@north", "heat@north", "load@south", "heat@south")
    assert (names.targets, names.known) == (columns.targets, columns.known)
    for part in ("values", "observed"):
        north, south = (getattr(each, part) for each in series)
        for own, found in zip((north, south), (getattr(each, part) for each in together), strict=True):
            np.testing.assert_array_equal(
                found, np.concatenate([own[:, :2], north[:, :2], south[:, :2], own[:, 2:]], axis=1)
            )
    with pytest.raises(SeriesDataError, match=r"'south' has other times than 'north'.*--data.neighbours"):
        with_neighbours([series[0], series[1].cut(0, 8)], columns)


def test_a_column_of_the_training_that_is_missing_is_named(
    tmp_path: Path, make_frame: MakeFrame, write_table: WriteTable, configure: Configure
) -> None:
    frame = make_frame(50)
    trained = open_source(configure(write_table(tmp_path / "all.csv", frame))).columns
    less = configure(write_table(tmp_path / "less.csv", frame.drop(columns="heat")))
    with pytest.raises(SeriesDataError, match=r"trained with columns .*: heat; expected load, heat, holiday"):
        open_source(less, trained)
    more = configure(write_table(tmp_path / "more.csv", frame.assign(extra=1.0)[[*frame.columns[::-1], "extra"][::-1]]))
    source = open_source(more, trained)
    assert source.columns == trained
    assert source.repairs == [Repair("", "extra", "columns that the training did not have: left out", 1)]
    np.testing.assert_allclose(source.series[0].values[:, 1], frame["heat"][:50], rtol=1e-6)
    # What the training left out need not be there.
    unread = open_source(more.replace(unused=("note",), path=str(tmp_path / "all.csv")), trained)
    assert unread.columns == trained
    # A network that was trained on prices forecasts the same prices of another file.
    prices = configure(tmp_path / "all.csv", log_returns=True)
    returns = open_source(prices).columns
    assert returns.targets == ("load_log_return",)
    assert open_source(prices.replace(targets=()), returns).columns == returns


def test_all_columns_that_are_missing_are_named(
    tmp_path: Path, make_frame: MakeFrame, write_table: WriteTable, configure: Configure
) -> None:
    less = configure(write_table(tmp_path / "less.csv", make_frame(50).drop(columns=["load", "holiday"])))
    with pytest.raises(
        ConfigurationError, match=r"no column 'load' and no column 'holiday' in .*Received: 'load', 'holiday'"
    ):
        open_source(less)


@pytest.mark.parametrize(
    "setting", [{"path": "loads.csv"}, {"sheet": "Data"}, {"timezone": "Asia/Tokyo"}, {"column_series": True}]
)
def test_a_setting_of_a_table_that_would_not_be_read_is_refused(setting: dict[str, object]) -> None:
    (name, value), *_ = setting.items()
    with pytest.raises(
        ConfigurationError, match=rf"data\.{name}: .*--data.source table.*Received: 'hourly_weather' and {value!r}"
    ):
        open_source(DataConfiguration(**setting))


@pytest.mark.slow
def test_embedded_weather() -> None:
    source = open_source(DataConfiguration())
    assert [series.name for series in source.series] == ["EWR", "JFK", "LGA"]
    assert source.columns.targets == ("temperature",)
    assert source.clock.step_seconds == 3600
    assert {len(series.times) for series in source.series} == {8730}
    added = [repair.number for repair in source.repairs if repair.what.startswith("steps without a row")]
    assert added == [8730 - 8703, 8730 - 8706, 8730 - 8706]


@pytest.mark.slow
def test_embedded_stocks() -> None:
    source = open_source(DataConfiguration(source="daily_stocks", calendar="business", log_returns=True))
    assert source.columns.targets == ("adjusted_close_log_return",)
    assert source.clock.step_seconds == 86400
    assert [len(series.times) for series in source.series] == [3270, 196, 2148, 3270, 3270]


def test_a_meter_far_from_zero_keeps_its_small_steps() -> None:
    """In single precision a tenth beside a hundred million would be lost."""
    times = pd.date_range("2024-01-01", periods=200, freq="h")
    meter = 1e8 + 0.1 * np.random.default_rng(0).integers(0, 9, 200).cumsum()
    frame = pd.DataFrame({"time": times, "meter": meter})
    configuration = DataConfiguration(source="table", targets=("meter",))
    source = open_source(configuration, table=frame)
    (series,) = source.series
    np.testing.assert_allclose(series.with_offset(series.values.astype(np.float64))[:, 0], meter, atol=1e-4)
    later = open_source(configuration, source.columns, source.clock, frame.tail(1), {"": series.offset})
    np.testing.assert_allclose(later.series[0].values, series.values[-1:])
    plain = open_source(configuration, table=frame.assign(meter=meter - 1e8)).series[0]
    assert plain.offset == 0.0


@pytest.mark.parametrize(
    ("zone", "trained", "said"),
    [
        ("Europe/Berlin", "", "times of Europe/Berlin, though .* without a zone if"),
        ("", "Europe/Berlin", "times without a zone, though .* --data.timezone names their zone"),
        ("UTC", "", ""),
        ("", "UTC", ""),
        ("Asia/Tokyo", "Europe/Berlin", ""),
    ],
)
def test_a_zone_that_only_the_training_or_the_table_has_is_reported(zone: str, trained: str, said: str) -> None:
    times = pd.date_range("2024-01-01", periods=9, freq="h", tz=zone or None)
    source = open_source(
        DataConfiguration(source="table"),
        Columns(("x",)),
        Clock(3600, "clock", trained),
        pd.Series(1.0, times, name="x"),
    )
    assert [bool(re.match(said, each.what)) for each in source.repairs] == [True] * bool(said)
