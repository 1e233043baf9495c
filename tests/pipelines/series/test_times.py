"""Times in zones, with offsets and without dates: the instants and the calendar that they were meant in."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipelines.series.calendar import DAY
from pipelines.series.regular import SeriesDataError
from pipelines.series.sources import DataConfiguration, open_source
from tests.pipelines.series.written_tables import DAYS, HOURS, MONTHS, N, read, written


@pytest.mark.parametrize(
    "times",
    [
        lambda: [f"{(20 + n // 2) % 24:02d}:{n % 2 * 30:02d}" for n in range(N)],
        lambda: pd.to_timedelta(np.arange(N) * 30, unit="min").astype(str),
        lambda: pd.to_timedelta(np.arange(N) * 30, unit="min"),
    ],
    ids=["over midnight", "as text", "durations"],
)
def test_a_clock_without_a_date_counts_from_1970(times: Callable[[], Any]) -> None:
    frame = pd.DataFrame({"time": times(), "x": np.arange(N) + 0.25})
    table, repairs = read(frame)
    np.testing.assert_array_equal(np.unique(np.diff(table.times)), [1800])
    assert any("times without a date" in repair.what for repair in repairs)


def test_years_and_quarters_beside_months_are_left_out() -> None:
    longer = ["2001", "2002", "2001 Q1", "2001 Q2"]
    table, (repair,) = read(written([*longer, *MONTHS.strftime("%Y %b")], "Title,x"))
    np.testing.assert_array_equal(table.times, MONTHS.as_unit("s").astype(np.int64))
    assert (repair.number, repair.first) == (4, "line 2")


def test_days_of_a_zone_are_those_of_its_calendar() -> None:
    days = pd.date_range("2024-03-20", periods=20, freq="D", tz="Europe/Berlin")
    for times in (days, [f"{day:%Y-%m-%dT%H:%M:%S%z}" for day in days]):
        table, _ = read(pd.DataFrame({"time": times, "x": 1.0}))
        assert (table.zone, set(np.diff(table.times))) == ("", {DAY})


@pytest.mark.parametrize("offset", ["+05:30", "-03:00"])
def test_days_with_one_offset_are_those_of_their_own_calendar(offset: str) -> None:
    for times in (DAYS.strftime(f"%Y-%m-%dT%H:%M:%S{offset}"), DAYS.strftime(f"%d.%m.%Y %H:%M {offset}")):
        table, _ = read(written(times))
        assert table.zone == ""
        np.testing.assert_array_equal(table.times, DAYS.as_unit("s").astype(np.int64))
    assert read(pd.Series(np.arange(N), DAYS.tz_localize(offset)))[0].times[0] == table.times[0]


@pytest.mark.parametrize(
    ("offset", "zone"),
    [("+02:00", "+02:00"), ("-05:00", "-05:00"), ("+05:30", "+05:30"), ("-03:30", "-03:30"), ("Z", "UTC")],
)
def test_hours_keep_their_offset(offset: str, zone: str) -> None:
    table, _ = read(written(HOURS.strftime(f"%Y-%m-%dT%H:%M:%S{offset}")))
    assert table.zone == zone
    instants = pd.to_datetime([f"{time}{offset}" for time in HOURS], utc=True)
    np.testing.assert_array_equal(table.times, instants.as_unit("s").astype(np.int64))


@pytest.mark.parametrize("frequency", ["h", "D"])
def test_seconds_since_1970_are_instants_in_any_zone(frequency: str) -> None:
    instants = pd.date_range(
        "2024-03-29", periods=N * 2, freq=frequency, tz="Europe/Berlin"
    )  # the clock is set forward
    epoch, named = (
        read(pd.DataFrame({"time": times, "x": np.arange(2.0 * N)}), timezone="Europe/Berlin")[0]
        for times in (instants.as_unit("s").astype(np.int64), instants)
    )
    np.testing.assert_array_equal(epoch.times, named.times)
    assert epoch.zone == named.zone


def test_days_of_a_place_in_utc_are_refused_with_its_zone_as_remedy() -> None:
    days = pd.date_range("2024-03-20", periods=N, freq="D", tz="Europe/Berlin").tz_convert("UTC")
    with pytest.raises(SeriesDataError, match=r"line 1: .*--data\.timezone Europe.*2024-03-19 23:00:00 UTC"):
        open_source(DataConfiguration(source="table", calendar="auto"), table=pd.Series(np.arange(N), days))


def test_an_empty_hour_that_a_clock_never_showed_is_left_out() -> None:
    text = "time,x\n2024-03-31 01:00,1\n2024-03-31 02:00,\n2024-03-31 03:00,3\n"
    table, (repair,) = read(text, timezone="Europe/Berlin")
    assert np.diff(table.times).tolist() == [3600] and repair.number == 1
