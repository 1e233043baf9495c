"""Regular time steps: each irregularity is repaired by the stated rule and counted, or refused by name."""

import numpy as np
import pytest

from pipelines.series.calendar import MONTH
from pipelines.series.cleaning import fill, regularise
from pipelines.series.regular import Columns, Repair, Series, SeriesDataError, Table

COLUMNS = Columns(("load",), ("heat",))
HOUR = 3600


def table(times: list[int], values: list[list[float]], name: str = "north") -> Table:
    """Rows at hours, the first one in line 2 of its file."""
    seconds = HOUR * np.array(times, np.int64)
    return Table(name, seconds, np.array(values, np.float64), np.arange(2, 2 + len(times)), "loads.csv")


def test_regular_rows_stay_as_they_are() -> None:
    rows = table([5, 6, 7], [[1, 10], [2, 20], [3, 30]])
    (series,), step, repairs = regularise([rows], COLUMNS, "clock")
    assert (step, repairs) == (HOUR, [])
    np.testing.assert_array_equal(series.values, rows.values)
    np.testing.assert_array_equal(series.times, rows.times)
    assert series.observed.all()
    assert series.values.dtype == np.float32


def test_unsorted_repeated_missing_and_infinite_are_repaired_and_counted() -> None:
    rows = table(
        [0, 1, 3, 2, 3, 6, 7, 8], [[0, 0], [1, 1], [3, 3], [2, np.nan], [3, 3], [6, -np.inf], [7, np.inf], [np.nan, 8]]
    )
    (series,), _, repairs = regularise([rows], COLUMNS, "clock")
    np.testing.assert_array_equal(series.times // HOUR, np.arange(9))
    np.testing.assert_array_equal(series.values[:, 0], [0, 1, 2, 3, np.nan, np.nan, 6, 7, np.nan])
    np.testing.assert_array_equal(series.values[:, 1], [0, 1, np.nan, 3, np.nan, np.nan, np.nan, np.nan, 8])
    np.testing.assert_array_equal(series.observed, np.isfinite(series.values))
    assert repairs == [
        Repair("north", "heat", "infinite values: taken as missing", 2, "line 7"),
        Repair("north", "", "rows that are earlier than one before: sorted", 1, "line 5"),
        Repair("north", "", "rows that repeat another one: taken once", 1, "line 6"),
        Repair("north", "", "steps without a row: added, without values", 2, "1970-01-01 04:00:00"),
    ]


@pytest.mark.parametrize("mistake", [1e30, -9999.0])
def test_what_is_far_from_everything_else_is_kept_and_named(mistake: float) -> None:
    random = np.random.default_rng(0)
    load, rare = 20 + 5 * random.standard_normal(100), (random.random(100) < 0.05) * 1000.0  # mostly zero
    rows = np.stack([load, rare], axis=1)
    assert regularise([table(range(100), rows)], COLUMNS, "clock")[2] == []
    rows[70, 0] = mistake
    (series,), _, (repair,) = regularise([table(range(100), rows)], COLUMNS, "clock")
    assert series.values[70, 0] == np.float32(mistake)
    assert (repair.column, repair.number, repair.first) == ("load", 1, f"line 72: {mistake:g}")


def test_numbers_that_may_mark_missing_values_are_kept_and_named() -> None:
    rows = table(range(100), [[20.0 + each % 7, 5.0] for each in range(100)])
    rows.values[70, 0] = -999
    (series,), _, (repair,) = regularise([rows], COLUMNS, "clock")
    assert series.values[70, 0] == -999
    assert (repair.column, repair.first) == ("load", "line 72: -999")
    assert repair.what.endswith("set --data.missing_markers -999")


def test_rows_that_repeat_with_the_same_gap_are_taken_once() -> None:
    rows = table([0, 1, 1, 2], [[0, 1], [1, np.nan], [1, np.nan], [2, 1]])
    assert regularise([rows], COLUMNS, "clock")[2][0].number == 1


@pytest.mark.parametrize("other", [[1.5, 1], [1, np.nan]])
def test_different_rows_of_one_time_are_refused(other: list[float]) -> None:
    rows = table([0, 1, 2, 1], [[0, 0], [1, 1], [2, 2], other])
    with pytest.raises(SeriesDataError) as caught:
        regularise([rows], COLUMNS, "clock")
    message = str(caught.value)
    assert message.startswith("loads.csv, lines 3 and 5 have the same time and different values")
    assert "--data.timezone" in message and "--data.series" in message
    assert message.endswith("Received: 1970-01-01 01:00:00 UTC twice in the series 'north'")


@pytest.mark.parametrize(("hours", "zone", "named"), [(1, "", True), (1, "Europe/Berlin", False), (24, "", False)])
def test_rows_that_are_averaged_name_the_zone_of_a_clock_that_was_set_back(hours: int, zone: str, named: bool) -> None:
    times = [hours * each for each in sorted([*range(200), 3])]
    rows = table(times, [[float(each), 1.0] for each in range(201)])._replace(zone=zone)
    (series,), _, (repair,) = regularise([rows], COLUMNS, "clock")
    assert series.values[3, 0] == 3.5
    assert ("a clock was set back there, --data.timezone names its zone" in repair.what) == named


def test_the_commonest_distance_over_all_series_is_the_step() -> None:
    dense = table([0, 1, 2, 3, 4], [[1, 1]] * 5)
    sparse = table([0, 2, 3, 5], [[1, 1]] * 4, "south")
    series, step, repairs = regularise([sparse, dense], COLUMNS, "clock")
    assert step == HOUR
    assert [len(each.times) for each in series] == [6, 5]
    assert [(repair.series, repair.number) for repair in repairs] == [("south", 2)]


def test_a_time_beside_the_clock_is_refused() -> None:
    rows = table([0, 1, 2, 3, 4], [[1, 1]] * 5)
    rows.times[3] += 60
    with pytest.raises(
        SeriesDataError, match=r"loads.csv, line 5: .* every 3600 s.*calendar business.*calendar month.*03:01:00"
    ):
        regularise([rows], COLUMNS, "clock")


def test_a_series_of_another_step_is_refused() -> None:
    daily = table([0, 24, 48], [[1, 1]] * 3, "daily")
    hourly = table(list(range(9)), [[1, 1]] * 9)
    with pytest.raises(SeriesDataError, match=r"'daily' has a row for 3 of its 49 steps of 3600 s"):
        regularise([hourly, daily], COLUMNS, "clock")


def test_business_days_have_no_gaps() -> None:
    rows = table([0, 24, 96, 120], [[1, 1]] * 4)  # Friday, a weekend, Monday
    (series,), step, repairs = regularise([rows], COLUMNS, "business")
    np.testing.assert_array_equal(series.times, rows.times)
    assert (step, repairs) == (24 * HOUR, [])


def of_months(*dates: str) -> Table:
    times = np.array(dates, "datetime64[s]").astype(np.int64)
    return Table("sales", times, np.ones((len(dates), 2)), np.arange(2, 2 + len(dates)), "sales.csv")


def test_months_are_steps_though_they_are_not_equally_long() -> None:
    rows = of_months("2023-12-31", "2024-01-31", "2024-03-31", "2024-04-30")
    (series,), step, repairs = regularise([rows], COLUMNS, "month")
    assert step == MONTH
    expected = ["2023-12-31", "2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"]
    np.testing.assert_array_equal(series.times.astype("datetime64[s]"), np.array(expected, "datetime64[s]"))
    assert [(repair.number, repair.first) for repair in repairs] == [(1, "2024-02-29 00:00:00")]
    quarters = of_months("2023-01-15", "2023-04-15", "2023-07-15", "2024-01-15")
    (series,), step, _ = regularise([quarters], COLUMNS, "month")
    assert (step, len(series.times)) == (3 * MONTH, 5)


def test_two_rows_of_one_month_are_refused() -> None:
    with pytest.raises(SeriesDataError, match=r"sales.csv, lines 3 and 4 are of one month.*2024-02-01 .* 2024-02-29 "):
        regularise([of_months("2024-01-01", "2024-02-01", "2024-02-29")], COLUMNS, "month")


def test_one_row_has_no_step() -> None:
    with pytest.raises(SeriesDataError, match=r"Received: 2 rows in 2 series"):
        regularise([table([0], [[1, 1]]), table([0], [[1, 1]], "south")], COLUMNS, "clock")


def test_filling_never_looks_ahead() -> None:
    random = np.random.default_rng(0)
    values = np.where(random.random((60, 2)) < 0.4, np.nan, random.normal(size=(60, 2))).astype(np.float32)
    values[:7, 0] = np.nan
    series = Series("north", np.arange(60), values, np.isfinite(values))
    filled, repairs = fill(series, COLUMNS, train_end=40)
    for column in range(2):
        expected = np.nanmean(values[:40, column])
        for step in range(60):
            expected = expected if np.isnan(values[step, column]) else values[step, column]
            assert filled.values[step, column] == pytest.approx(expected, rel=1e-6)
    np.testing.assert_array_equal(filled.observed, series.observed)
    assert [(repair.column, repair.number) for repair in repairs] == [
        (name, int(np.isnan(values[:, number]).sum())) for number, name in enumerate(COLUMNS.all)
    ]

    changed = values.copy()
    changed[40:] = np.where(random.random((20, 2)) < 0.5, np.nan, 100)
    future_changed = fill(Series("north", np.arange(60), changed, np.isfinite(changed)), COLUMNS, train_end=40)[0]
    np.testing.assert_array_equal(future_changed.values[:40], filled.values[:40])


def test_a_column_without_any_value_is_zero_and_counted() -> None:
    values = np.array([[1, np.nan], [2, np.nan]], np.float32)
    filled, repairs = fill(Series("north", np.arange(2), values, np.isfinite(values)), COLUMNS, train_end=2)
    np.testing.assert_array_equal(filled.values[:, 1], 0)
    assert [(repair.column, repair.number, repair.first) for repair in repairs] == [("heat", 2, "1970-01-01 00:00:00")]
