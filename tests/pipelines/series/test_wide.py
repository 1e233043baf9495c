"""Wide tables, whose columns are times, and cells that were merged, become rows."""

import io

import numpy as np
import pandas as pd
import pytest

from pipelines.series.calendar import COUNTED, DAY
from pipelines.series.user_tables import TableConfiguration, read_tables
from tests.pipelines.series.written_tables import BODY, DAYS, HOURS, MONTHS, N, read, wide, written


def test_wide_tables_become_rows() -> None:
    values = np.arange(N).reshape(-1, 12)
    months = wide({"Year": range(1962, 1966)} | {f"{time:%b}": values[:, time.month - 1] for time in MONTHS[:12]})
    table, _ = read(months)
    np.testing.assert_array_equal(table.times, MONTHS.as_unit("s").astype(np.int64))
    np.testing.assert_array_equal(table.values[:, 0], np.arange(N))
    values = np.arange(N).reshape(2, 24)
    hours = wide({"Date": ["2024-01-30", "2024-01-31"]} | {f"H{hour + 1}": values[:, hour] for hour in range(24)})
    table, _ = read(hours)
    np.testing.assert_array_equal(table.times, HOURS.as_unit("s").astype(np.int64))
    np.testing.assert_array_equal(table.values[:, 0], np.arange(N))
    years = "Country,Code,1960,1961,1962\nAruba,ABW,1,2,3\nChad,TCD,4,..,6\n"
    tables, names, _ = read_tables(TableConfiguration(), io.BytesIO(years.encode()))
    assert names == ("value",) and [each.name for each in tables] == ["Aruba", "Chad"]
    np.testing.assert_array_equal(tables[1].values[:, 0], [4, np.nan, 6])


def parts_of_years(head: str, form: str, counts: int) -> str:
    years = range(2015, 2021)
    rows = [",".join([f"{year}", *(f"{year}.{n:02d}" for n in range(1, counts + 1))]) for year in years]
    return "\n".join([",".join([head, *(form.format(n) for n in range(1, counts + 1))]), *rows]) + "\n"


def test_quarters_weeks_and_years_may_be_columns() -> None:
    for form, counts, times in (
        ("Q{}", 4, pd.date_range("2015", "2020-12-31", freq="QS")),
        ("W{:02d}", 52, None),
    ):
        table, _ = read(parts_of_years("year", form, counts))
        expected = [float(f"{year}.{n:02d}") for year in range(2015, 2021) for n in range(1, counts + 1)]
        np.testing.assert_array_equal(table.values[:, 0], expected)
        if times is not None:
            np.testing.assert_array_equal(table.times, times.as_unit("s").astype(np.int64))
        else:
            assert (table.times % (7 * DAY) == 4 * DAY).all()  # Mondays
    head = ",".join(["month", *map(str, range(1962, 1966))])
    rows = [f"{t:%B}," + ",".join(str(12 * year + t.month - 1) for year in range(4)) for t in MONTHS[:12]]
    table, _ = read("\n".join([head, *rows]) + "\n")
    np.testing.assert_array_equal(table.times, MONTHS.as_unit("s").astype(np.int64))
    np.testing.assert_array_equal(table.values[:, 0], np.arange(N))
    days = [[f"{t:%Y-%m}", *(n if n <= t.days_in_month else "" for n in range(1, 32))] for t in MONTHS]
    table, _ = read(wide(dict(zip(["month", *map(str, range(1, 32))], zip(*days, strict=True), strict=True))))
    np.testing.assert_array_equal(np.unique(np.diff(table.times)), [DAY])
    assert table.values[:, 0].tolist() == [time.day for time in pd.to_datetime(table.times, unit="s")]


@pytest.mark.parametrize("head", ["id,item,d_{}", "V1,V{}"])
def test_columns_that_only_count_are_steps(head: str) -> None:
    first, *others = head.split(",")
    names = [first, *others[:-1], *(others[-1].format(n) for n in range(2, N + 2))]
    rows = "".join(f"{name}," * (len(others)) + ",".join(map(str, range(N))) + "\n" for name in "ab")
    tables, names, _ = read_tables(TableConfiguration(), io.BytesIO((",".join(names) + "\n" + rows).encode()))
    assert [table.name for table in tables] == ["a", "b"] and names == ("value",)
    for table in tables:
        assert table.zone == COUNTED
        np.testing.assert_array_equal(table.values[:, 0], np.arange(N))


def test_cells_that_were_merged_are_those_above() -> None:
    months = [f"{t.year if t.month == 1 else ''},{t:%b}" for t in MONTHS]
    table, repairs = read(written(months, "year,month,x"))
    np.testing.assert_array_equal(table.times, MONTHS.as_unit("s").astype(np.int64))
    assert repairs[0].what.startswith("empty cells below") and repairs[0].number == N - N // 12
    rows = [f"{'' if n % 24 else 'ab'[n // 24]},{DAYS[n % 24]:%Y-%m-%d}" for n in range(N)]
    tables, _, _ = read_tables(TableConfiguration(series="region"), io.BytesIO(written(rows, "region,t,x").encode()))
    assert [(table.name, len(table.times)) for table in tables] == [("a", 24), ("b", 24)]
    _, names, _ = read_tables(
        TableConfiguration(), io.BytesIO((",N,,S,\nday,a,b,a,b\n" + BODY.replace(",", ",1,2,3,")).encode())
    )
    assert names == ("N a", "N b", "S a", "S b")
