"""Tables as users have them: CSV and Parquet files, streams of CSV, and data frames of pandas or Polars."""

import gzip
import io
import re
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import pandas as pd

from pipelines.series.regular import SeriesDataError

UserTable: TypeAlias = pd.DataFrame | str | Path | BinaryIO
"""What can be read as a table: a data frame of pandas, or one of Polars; a path; or an open binary file with CSV."""

FRAME = Path("the data frame")  # in messages
MISSING = ["?", "-"]  # beside what pandas knows, such as NA, nan and null
SAMPLE_LINES = 100  # that the delimiter and the decimal sign are told from


def read_table(table: UserTable, time: Sequence[str] = ()) -> tuple[pd.DataFrame, Path]:
    """Returns a table as it is, and its path or what messages call it.

    Names of columns are text without spaces around them. The index is the line in the file; rows of a data frame or a
    Parquet file are counted from 1.

    Args:
        table: what to read.
        time: the column of times, if it is known: so a data frame's index of times is called if it has no name.

    Raises:
        SeriesDataError: the table cannot be read, or has no rows.

    Example:
        >>> frame, name = read_table(pd.DataFrame({" load ": [1.0, 2.0]}))
        >>> frame.columns.tolist(), frame.index.tolist(), str(name)
        (['load'], [1, 2], 'the data frame')
    """
    convert = getattr(table, "to_pandas", None)
    table = convert() if convert else table
    try:
        if isinstance(table, pd.DataFrame):
            path, frame = FRAME, _from_frame(table, time)
            names = pd.Series(frame.columns)
        elif not isinstance(table, str | Path):
            content = table.read()
            path = Path(str(getattr(table, "name", "<table>")))
            frame, names = _from_csv(lambda: io.BytesIO(content))
        elif not (path := Path(table).expanduser()).is_file():
            raise SeriesDataError(
                f"{path} is no file; expected a table, CSV or Parquet. Correct its path. Received: {path}"
            )
        elif path.suffix.lower() in (".parquet", ".pq"):
            frame = _from_frame(pd.read_parquet(path), time)
            names = pd.Series(frame.columns)
        else:
            frame, names = _from_csv(partial(gzip.open if path.suffix == ".gz" else open, path, "rb"))
    except UnicodeDecodeError as error:
        raise SeriesDataError(
            f"{path} is not UTF-8. Convert it: iconv -f LATIN1 -t UTF-8 {path.name} > utf8.csv. Received: {error}"
        ) from None
    except SeriesDataError:
        raise
    except (ValueError, OSError, EOFError, zlib.error) as error:  # what pandas, Arrow and gzip raise on a damaged file
        raise SeriesDataError(
            f"{path} cannot be read; expected a table with the names of its columns in the first line and as many "
            f"values in each other. Restore or correct it. Received: {str(error).strip()}"
        ) from None
    _refuse_twice(names, path)
    frame.columns = pd.Index([str(name).strip() for name in frame.columns])
    if frame.empty:
        raise SeriesDataError(f"{path} has no rows; expected one for each time. Received: an empty table")
    return frame, path


def _from_frame(frame: pd.DataFrame, time: Sequence[str]) -> pd.DataFrame:
    """Returns a copy with the index as columns, unless it counts the rows."""
    if isinstance(frame.index, pd.DatetimeIndex | pd.PeriodIndex) and frame.index.name is None:
        frame = frame.rename_axis(time[0] if len(time) == 1 and time[0] not in frame.columns else "time")
    counts_rows = frame.index.name is None and frame.index.nlevels == 1 and pd.api.types.is_integer_dtype(frame.index)
    frame = frame.reset_index(drop=counts_rows)
    frame.index += 1
    return frame


def _from_csv(opened: Callable[[], Any]) -> tuple[pd.DataFrame, pd.Series]:
    """Returns the rows of a CSV file, and its columns' names as they are: pandas renames the second of one name."""
    delimiter, decimal = _dialect(opened)
    with opened() as file:
        head = pd.read_csv(file, sep=delimiter, header=None, nrows=1, dtype=str, encoding="utf-8-sig")
    with opened() as file:
        frame = pd.read_csv(
            file,
            sep=delimiter,
            decimal=decimal,
            encoding="utf-8-sig",
            skip_blank_lines=False,  # so that a row's number is its line in the file
            skipinitialspace=True,
            index_col=False,
            low_memory=False,
            na_values=MISSING,
        )
    frame.index += 2  # the first line names the columns
    return frame, head.iloc[0].dropna().str.strip()


def _dialect(opened: Callable[[], Any]) -> tuple[str, str]:
    """Returns the delimiter and the decimal sign of a CSV file, told from its first lines."""
    with io.TextIOWrapper(opened(), encoding="utf-8-sig") as file:
        lines = [line.rstrip("\r\n") for line, _ in zip(file, range(SAMPLE_LINES), strict=False)]
    delimiter = max(",;\t|", key="".join(lines[:1]).count)
    cells = [cell.strip() for line in lines[1:] for cell in line.split(delimiter)] if delimiter != "," else []
    with_comma = sum(bool(re.fullmatch(r"[+-]?\d*,\d+", cell)) for cell in cells)
    with_point = sum(bool(re.fullmatch(r"[+-]?\d*\.\d+", cell)) for cell in cells)
    return delimiter, "," if with_comma > with_point else "."


def _refuse_twice(names: pd.Series, path: Path) -> None:
    if names.duplicated().any():
        raise SeriesDataError(
            f"{path}: several columns have one name; expected a name of its own for each. Rename or remove one. "
            f"Received: {names[names.duplicated()].iloc[0]!r} more than once"
        )
