"""What each column of a table is: a target, the name of a series, or nothing that is learned."""

import io

import numpy as np
import pandas as pd
import pytest

from pipelines.series.regular import SeriesDataError
from pipelines.series.sources import DataConfiguration, open_source
from pipelines.series.user_tables import TableConfiguration, read_tables
from tests.pipelines.series.written_tables import DAYS, N, read, wide


def test_columns_that_count_the_rows_or_never_change_are_left_out() -> None:
    frame = pd.DataFrame({"No": range(1, N + 1), "station": 44, "time": DAYS, "x": np.arange(N) ** 2})
    source = open_source(DataConfiguration(source="table"), table=frame)
    assert source.columns.targets == ("x",)
    assert [(repair.column, repair.what.split(":")[0]) for repair in source.repairs] == [
        ("No", "column that counts the rows"),
        ("station", "column that never changes"),
    ]


def test_columns_of_words_for_missing_values_are_left_out() -> None:
    rest = {"state": ["unknown"] * N, "status": ["ok", *["error"] * (N - 1)]}
    _, names, repairs = read_tables(TableConfiguration(), pd.DataFrame({"time": DAYS, "x": np.arange(N)} | rest))
    assert names == ("x",)
    assert [repair.what for repair in repairs] == ["column without a value: left out", "column of text: left out"]


def test_columns_that_only_tell_series_apart_are_no_targets() -> None:
    rows = [(day, code, place, n**2) for place, code in ((7, "a"), (9, "b")) for n, day in enumerate(DAYS)]
    frame = pd.DataFrame(rows, columns=["time", "code", "place", "x"]).assign(name=lambda each: each["code"] * 2)
    columns = open_source(DataConfiguration(source="table", series=("name",)), table=frame).columns
    assert columns.targets == ("x",)
    assert set(columns.static) == {"place", "code=a", "code=b"}


def test_a_series_may_lack_one_of_its_names() -> None:
    frame = pd.DataFrame(
        {"state": [None] * N + ["x"] * N, "country": ["DE"] * N + ["FR"] * N, "time": [*DAYS] * 2, "y": 1}
    )
    tables, _, _ = read_tables(TableConfiguration(series=("state", "country")), frame)
    assert [table.name for table in tables] == ["DE", "x FR"]


def test_each_column_may_be_a_series() -> None:
    text = wide({"time": DAYS, "holiday": 0} | {f"s{number}": number for number in range(12)})
    tables, names, _ = read_tables(
        TableConfiguration(column_series=True, known=("holiday",)), io.BytesIO(text.encode())
    )
    assert names == ("value", "holiday") and len(tables) == 12
    assert {each.name: each.values[0].tolist() for each in tables}["s7"] == [7, 0]


def test_whole_numbers_that_name_series_stay_whole() -> None:
    rows = "".join(f"{time},{name},1\n" for name in (1, 20) for time in DAYS)
    tables, _, _ = read_tables(TableConfiguration(series="id"), io.BytesIO(f"time,id,x\n{rows}\n".encode()))
    assert [each.name for each in tables] == ["1", "20"]
    frame = pd.DataFrame({"time": DAYS, "id": [1.0] * N, "x": 1})
    assert read(frame, series="id")[0].name == "1"


def test_several_columns_name_series_together() -> None:
    rows = [(day, store, item, 0.25) for store in (1, 2) for item in ("a", "b") for day in DAYS]
    frame = pd.DataFrame(rows, columns=["time", "store", "item", "sold"])
    with pytest.raises(
        SeriesDataError, match=r"the columns 'store' and 'item' tell apart.*--data\.series 'store' 'item'"
    ):
        read_tables(TableConfiguration(), frame)
    tables, names, _ = read_tables(TableConfiguration(series=("store", "item")), frame)
    assert [table.name for table in tables] == ["1 a", "1 b", "2 a", "2 b"]
    assert names == ("sold",)
