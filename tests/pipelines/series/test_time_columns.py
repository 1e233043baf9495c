"""Which columns of a table hold the time, together or alone, and what of them only counts."""

import io
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipelines.series.calendar import COUNTED
from pipelines.series.user_tables import TableConfiguration, read_tables
from tests.pipelines.series.written_tables import DAYS, HOURS, MONTHS, N, read, written

COUNTING: dict[str, Callable[[], Iterable[Any]]] = {
    "seconds,x": lambda: np.arange(N) / 2,
    "t,x": lambda: np.round(np.arange(N) * 0.01, 2),
    "mjd,x": lambda: 60_000 + np.arange(N),
    "JD,x": lambda: 2_460_000.5 + np.arange(N),
}


@pytest.mark.parametrize("head", COUNTING)
def test_a_column_that_only_counts_is_no_target(head: str) -> None:
    table, repairs = read(written(COUNTING[head](), head))
    assert table.zone == COUNTED
    np.testing.assert_array_equal(np.unique(np.diff(table.times)), [1])
    np.testing.assert_array_equal(table.values, np.arange(N)[:, np.newaxis] + 0.25)
    assert any("steps in their order" in repair.what for repair in repairs)


PARTS = {
    "year and quarter": (pd.date_range("2001", periods=N, freq="QS"), "year,quarter", "{0.year}.0,{0.quarter}.0"),
    "year and Q": (pd.date_range("2001", periods=N, freq="QS"), "year,quarter", "{0.year},Q{0.quarter}"),
    "year, number and name of the month": (MONTHS, "year,month", "{0.year},{0:%m}-{0:%B}"),
    "year and month": (MONTHS, "Year,Month", "{0.year},{0.month}"),
    "year and name of the month": (MONTHS, "Year,Month", "{0.year},{0:%B}"),
    "year and day": (pd.date_range("2023-02-03", periods=N), "year,doy", "{0.year},{0.dayofyear}"),
    "date and hour": (HOURS, "date,hour", "{0:%d/%m/%Y},{0.hour}"),
    "date and hour from 1": (HOURS, "date,Hour Ending", "{0:%Y-%m-%d},{1}"),
    "date and period": (
        pd.date_range("2024-01-30", periods=2 * N, freq="30min"),
        "SETTLEMENT_DATE,SETTLEMENT_PERIOD",
        "{0:%d-%b-%Y},{2}",
    ),
    "date and period in one word": (
        pd.date_range("2024-01-30", periods=2 * N, freq="30min"),
        "SettlementDate,SettlementPeriod",
        "{0:%Y-%m-%d},{2}",
    ),
    "parts of two letters": (HOURS, "YEAR,MO,DY,HR", "{0.year},{0.month},{0.day},{0.hour}"),
    "year and W": (pd.date_range("2024", periods=N, freq="7D"), "année,semaine", "{0.year},W{0.week:02d}"),
    "date and clock with points": (HOURS, "Date,Time", "{0:%d/%m/%Y},{0:%H.%M.%S}"),
    "digits of both with seconds": (HOURS, "<DATE>,<TIME>", "{0:%Y%m%d},{0:%H%M%S}"),
    "date and clock": (HOURS, "day,clock", "{0:%d.%m.%Y},{0:%H:%M}"),
    "digits of both": (HOURS, "date,time", "{0:%Y%m%d},{0:%H%M}"),
    "date and name of the hour": (HOURS, "date,hour", "{0:%Y-%m-%d},HE{1:02d}"),
    "date and hour from to": (HOURS, "date,hour", "{0:%Y-%m-%d},{0:%H}-{1:02d}"),
    "date and h": (HOURS, "date,hour", "{0:%Y-%m-%d},{0.hour}h"),
    "date and hour of a.m. and p.m.": (HOURS, "date,hour", "{0:%Y-%m-%d},{0:%I %p}"),
}


@pytest.mark.parametrize("name", PARTS)
def test_columns_that_give_the_time_together_are_found(name: str) -> None:
    meant, head, form = PARTS[name]
    rows = [form.format(time, time.hour + 1, 1 + 2 * time.hour + time.minute // 30) for time in meant]
    table, _ = read(written(rows, head + ",x"))
    np.testing.assert_array_equal(table.times, meant.as_unit("s").astype(np.int64))
    assert table.values.shape[1] == 1


def test_rows_without_times_are_counted() -> None:
    for text in (
        "x,y\n5,1\n3,2\n4,9\n",
        "index,x\n7,5\n8,3\n9,4\n",
        written(["2024-01-01 00:00:00.00", "2024-01-01 00:00:00.02"]),
    ):
        table, repairs = read(text)
        assert table.zone == COUNTED and (np.diff(table.times) == 1).all()
        assert "steps in their order" in repairs[-1].what


@pytest.mark.parametrize("head", ["date,sunrise,x", "date,hour,sunrise,x", "date,city,sunrise,x"])
def test_a_clock_that_is_not_when_the_row_was_measured_is_no_time(head: str) -> None:
    times = HOURS if "hour" in head else DAYS
    cells = {"hour": "{0:%H}", "city": "{2}", "sunrise": "08:{1:02d}", "date": "{0:%Y-%m-%d}"}
    form = ",".join(cells[name] for name in head.split(",")[:-1])
    cities = ("Rome", "Oslo") if "city" in head else ("",)
    rows = [form.format(time, number, city) for city in cities for number, time in enumerate(times)]
    tables, _, repairs = read_tables(
        TableConfiguration(series="city" if "city" in head else ""), io.BytesIO(written(rows, head).encode())
    )
    for table in tables:
        np.testing.assert_array_equal(table.times, times.as_unit("s").astype(np.int64))
    assert [each.column for each in repairs] == ["sunrise"]


def test_durations_are_seconds_in_whatever_unit_they_are_kept() -> None:
    for unit in ("s", "us", "ns"):
        durations = pd.to_timedelta(np.arange(N), unit="h").as_unit(unit)
        table, (repair,) = read(pd.DataFrame({"time": DAYS, "x": durations}))
        np.testing.assert_array_equal(table.values[:, 0], np.arange(N) * 3600.0)
        assert repair.what == "durations: read as seconds"
