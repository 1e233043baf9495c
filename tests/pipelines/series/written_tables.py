"""Times and plain tables that the tests of readers write, and how they read them."""

import io
from collections.abc import Iterable
from typing import Any

import pandas as pd

from pipelines.series.regular import Repair, Table
from pipelines.series.user_tables import TableConfiguration, read_tables

N = 48
HOURS = pd.date_range("2024-01-30", periods=N, freq="h")  # over the end of a month
DAYS = pd.date_range("2023-12-20", periods=N, freq="D")
MONTHS = pd.date_range("1962-01-01", periods=N, freq="MS")
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


def written(times: Iterable[Any], head: str = "time,x", delimiter: str = ",") -> str:
    return "\n".join([head, *(f"{time}{delimiter}{number}.25" for number, time in enumerate(times))]) + "\n"


def read(table: Any, **options: Any) -> tuple[Table, list[Repair]]:
    (found,), _, repairs = read_tables(
        TableConfiguration(**options), io.BytesIO(table.encode()) if isinstance(table, str) else table
    )
    return found, repairs


PLAIN = written(DAYS.strftime("%Y-%m-%d"))
BODY = PLAIN.partition("\n")[2]


def wide(columns: dict[str, Any]) -> str:
    return pd.DataFrame(columns).to_csv(index=False)
