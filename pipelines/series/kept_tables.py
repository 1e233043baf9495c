"""Tables in memory that are trained on: each is kept as a file in its run's folder."""

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from pipelines.series.table_files import read_table
from pipelines.series.user_tables import TableConfiguration

NAME = "table.parquet"


def keep(table: Any, configuration: TableConfiguration, folder: Path) -> Path:
    """Writes a table into a folder, so that it is read there as it would be in memory, and returns the file's path.

    Args:
        table: what `read_table` reads: a frame of pandas, Polars or Arrow, an array, or an open binary file.
        configuration: how it is read.
        folder: of the run.

    Raises:
        SeriesDataError: the table cannot be read, or has no rows.
    """
    frame = read_table(table, configuration.time, configuration.sheet).frame
    path = folder / NAME
    frame.assign(**{name: _of_one_type(frame[name]) for name in frame}).to_parquet(path, index=False)
    return path


def _of_one_type(column: pd.Series) -> pd.Series:
    """Returns a column that Parquet can hold; values of several types become text, as in CSV."""
    try:
        pa.Array.from_pandas(column)
    except pa.ArrowException:
        return column.astype(str).where(column.notna())
    return column
