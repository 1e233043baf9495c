"""The clock of a series: which steps its times take, and which come next."""

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipelines.series.calendar import DAY, MONTH, future_times
from pipelines.series.cleaning import regularise
from pipelines.series.clocks import find_clock
from pipelines.series.regular import Columns, Table
from pipelines.series.sources import DataConfiguration, open_source
from tests.pipelines.series.written_tables import DAYS, HOURS, N


def clock_of(times: pd.DatetimeIndex | list[pd.Timestamp], zone: str = "") -> Any:
    seconds = pd.DatetimeIndex(times).as_unit("s").astype(np.int64).to_numpy()
    return find_clock([Table("a", seconds, np.zeros((len(times), 1)), np.arange(len(times)), "a.csv", zone)], "auto")[0]


def test_clocks_are_found() -> None:
    assert clock_of(HOURS)[:2] == (3600, "clock")
    assert clock_of(DAYS)[:2] == (DAY, "clock")
    assert clock_of(pd.bdate_range("2024-01-01", periods=60))[:2] == (DAY, "business")
    assert clock_of(pd.date_range("2020-01-31", periods=30, freq="ME"))[:2] == (MONTH, "month")
    assert clock_of(pd.date_range("1950", periods=30, freq="YS"))[:2] == (12 * MONTH, "month")
    assert clock_of(pd.date_range("2020-01-01", periods=30, freq="7D"))[:2] == (7 * DAY, "clock")
    trading = [
        time
        for time in pd.date_range("2024-01-01", periods=40 * 96, freq="15min")
        if time.weekday() < 5 and "09:30" <= f"{time:%H:%M}" <= "15:45"
    ]
    found = clock_of(trading)
    assert found[:2] == (900, "business")
    assert found.slots == tuple(day * DAY + 9 * 3600 + 1800 + 900 * n for day in range(5) for n in range(26))
    hours, days = (pd.DatetimeIndex(each).as_unit("s").astype(np.int64) for each in (HOURS, DAYS))
    both = [
        Table(each, seconds.to_numpy(), np.zeros((N, 1)), np.arange(N), "a.csv")
        for each, seconds in {"a": hours, "b": days}.items()
    ]
    assert find_clock(both, "auto")[0][:2] == (3600, "clock")  # and not the midnights of working days
    late = [time + timedelta(seconds=(7 * n) % 13) for n, time in enumerate(HOURS)]
    assert clock_of(late)[:2] == (3600, "clock")


@pytest.mark.parametrize("days", [(6, 0, 1, 2, 3), (0, 1, 2, 3, 4, 5), (1, 2, 3, 4, 5, 6)])
def test_working_days_of_any_week_are_no_gaps(days: tuple[int, ...]) -> None:
    dates = pd.date_range("2023-01-01", periods=200)
    worked = dates[dates.day_of_week.isin(days)]
    clock = clock_of(worked[:100])
    assert clock[:2] == (DAY, "business")
    ahead = future_times(worked[99:100].as_unit("s").astype(np.int64), 20, *clock)[0]
    np.testing.assert_array_equal(ahead, worked[100:120].as_unit("s").astype(np.int64))


@pytest.mark.parametrize("frequency", ["BME", "BMS", "BQE", "WOM-3FRI", pd.offsets.LastWeekOfMonth(weekday=4)])
def test_the_last_or_first_working_days_are_months(frequency: Any) -> None:
    assert clock_of(pd.date_range("2010-01-01", periods=60, freq=frequency)).calendar == "month"


def parts_of_months(days: tuple[int, ...]) -> list[pd.Timestamp]:
    months = pd.date_range("2023-03-01", periods=30, freq="MS")
    return [month + pd.Timedelta(days=min(day, month.days_in_month) - 1) for month in months for day in days]


@pytest.mark.parametrize(
    "times",
    [
        *map(parts_of_months, [(1, 15), (1, 16), (15, 31), (15, 30), (1, 11, 21), (10, 20, 31)]),
        [time for time in pd.date_range("2023-01-02", periods=200) if time.weekday() in (0, 2, 4)],
    ],
)
def test_parts_of_months_and_days_of_weeks_are_steps(times: list[pd.Timestamp]) -> None:
    """Without a gap, and going on as they came; a row that lacks is added."""
    clock = clock_of(times[:36])
    seconds = pd.DatetimeIndex(times).as_unit("s").astype(np.int64).to_numpy()
    np.testing.assert_array_equal(future_times(seconds[35:36], 24, *clock)[0], seconds[36:60])
    if clock.calendar == "month":
        rows = Table("a", np.delete(seconds, 20), np.ones((len(seconds) - 1, 1)), np.arange(1, len(seconds)), "a.csv")
        (series,), _, _ = regularise([rows], Columns(("x",)), *clock[1::-1], slots=clock.slots)
        np.testing.assert_array_equal(series.times, seconds)
        assert np.flatnonzero(~series.observed).tolist() == [20]


@pytest.mark.parametrize(("first", "weeks"), [("2015-02-28", (4, 5, 4)), ("2015-02-01", (4, 4, 5))])
def test_the_periods_of_retailers_are_months(first: str, weeks: tuple[int, ...]) -> None:
    days = np.cumsum([0, *(7 * weeks[n % 3] for n in range(N - 1))])
    frame = pd.DataFrame({"time": pd.Timestamp(first) + pd.to_timedelta(days, unit="D"), "x": np.arange(N) + 0.25})
    source = open_source(DataConfiguration(source="table", calendar="auto"), table=frame)
    assert source.clock[:2] == (MONTH, "month")
    expected = pd.date_range("2015-02-01", periods=N, freq="MS").as_unit("s").astype(np.int64)
    np.testing.assert_array_equal(source.series[0].times, expected)
    np.testing.assert_array_equal(source.series[0].values[:, 0], np.arange(N) + 0.25)
    assert any("four and five weeks" in repair.what for repair in source.repairs)
