"""The user's table: CSV or Parquet, a row for each time, in the layouts that people have, ETT and Jena among them."""

import contextlib
import difflib
import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field

from pipelines.configuration import Configuration, ConfigurationError
from pipelines.series.regular import Columns, Repair, SeriesDataError, Table
from pipelines.series.times import find_time_columns, parse_times

MISSING = ["?", "-"]  # beside what pandas knows, such as NA, nan and null
SAMPLE_LINES = 100  # that the delimiter and the decimal sign are told from


class TableConfiguration(Configuration):
    """Which table to read, and what its columns are."""

    path: str = Field("", description="your table: .csv, .csv.gz or .parquet")
    time: tuple[str, ...] = Field((), description="column of the times, or several that give it together; found")
    time_format: str = Field("", description="how the times are written, such as %d/%m/%Y; found")
    timezone: str = Field("", description="zone of times without one, if its clock is ever set, such as Europe/Berlin")
    series: str = Field("", description="column that names the series of each row, if there are several")
    targets: tuple[str, ...] = Field((), description="columns to forecast")
    known: tuple[str, ...] = Field((), description="columns known in the future too, such as holidays")
    past: tuple[str, ...] = Field((), description="columns known up to now; all other columns of numbers")
    unused: tuple[str, ...] = Field((), description="columns to leave out")
    missing_markers: tuple[float, ...] = Field((-9999.0,), description="numbers that say that a value is missing")


def read_tables(configuration: TableConfiguration) -> tuple[list[Table], tuple[str, ...], list[Repair]]:
    """Returns the rows of each series, the names of all columns of numbers, and what was repaired.

    Delimiter, decimal sign and time column are found.

    Raises:
        ConfigurationError: the configuration names no file, or a column that is not there.
        SeriesDataError: the file cannot be read, or a time or a number in it; the message names the row.
    """
    if not configuration.path:
        raise ConfigurationError(
            "data.path: a table of your own is wanted, but not where it is. Give a CSV or Parquet file with a column "
            'of times: ARGS="--data.path measurements.csv --data.targets load". Received: no path'
        )
    path = Path(configuration.path).expanduser()
    frame, repairs = _without_empty_rows(_read(path), path.name)
    named = configuration.targets + configuration.known + configuration.past
    series_column = (configuration.series,) * bool(configuration.series)
    _refuse_unknown(configuration.time + series_column + named + configuration.unused, tuple(frame.columns), str(path))
    time = configuration.time or find_time_columns(frame, named + series_column, path)
    names = _series_names(frame, configuration.series, path)
    times, zone, of_times = parse_times(
        frame[list(time)], names, configuration.time_format, configuration.timezone, path
    )
    left = [column for column in frame.columns if column not in time + series_column + configuration.unused]
    if configuration.past:
        left = [column for column in left if column in named]
    numbers, of_numbers = _numbers(frame[left], named, configuration.missing_markers, path)
    values = np.array([*numbers.values()]).reshape(len(numbers), len(frame)).T  # (rows, columns)
    lines = frame.index.to_numpy()
    tables = [
        Table(str(name), times[rows], values[rows], lines[rows], str(path), zone)
        for name, rows in sorted(frame.groupby(names).indices.items())
    ]
    return tables, tuple(numbers), repairs + of_times + of_numbers


def choose_columns(
    configuration: TableConfiguration, names: tuple[str, ...], default_targets: tuple[str, ...]
) -> Columns:
    """Returns what each column is for: what is configured, and every other one a past covariate if none is.

    Raises:
        ConfigurationError: no target is given, a column is not there, or has two uses.
    """
    targets = configuration.targets or default_targets
    if not targets:
        raise ConfigurationError(
            "data.targets: expected the columns to forecast. Name one or more: "
            f'ARGS="--data.targets {names[-1] if names else "load"}". Received: none, of the columns {", ".join(names)}'
        )
    uses = targets + configuration.known + configuration.past + configuration.unused
    _refuse_unknown(targets + configuration.known + configuration.past, names, "the data set")
    if twice := [name for number, name in enumerate(uses) if name in uses[:number]]:
        raise ConfigurationError(
            f"data: a column has one use: targets, known, past or unused. Keep one of them. Received: {twice}"
        )
    past = configuration.past or tuple(name for name in names if name not in uses)
    return Columns(targets, past, configuration.known)


def _read(path: Path) -> pd.DataFrame:
    """The file as it is, columns' names as text without spaces around them; the index is the line in the file."""
    if not path.is_file():
        raise SeriesDataError(
            f"{path} is no file; expected a table, CSV or Parquet. Correct --data.path. Received: {path}"
        )
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            frame = pd.read_parquet(path)
            if not isinstance(frame.index, pd.RangeIndex):  # the times, as a rule
                frame = frame.reset_index()
            frame.index += 1
            names = pd.Series(frame.columns)
        else:
            delimiter, decimal = _dialect(path)
            head = pd.read_csv(path, sep=delimiter, header=None, nrows=1, dtype=str, encoding="utf-8-sig")
            frame = pd.read_csv(
                path,
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
            names = head.iloc[0].dropna().str.strip()  # as they are: pandas gives a second of one name another one
    except UnicodeDecodeError as error:
        raise SeriesDataError(
            f"{path} is not UTF-8. Convert it: iconv -f LATIN1 -t UTF-8 {path.name} > utf8.csv. Received: {error}"
        ) from None
    except (ValueError, OSError, EOFError, zlib.error) as error:  # what pandas, Arrow and gzip say of a damaged file
        raise SeriesDataError(
            f"{path} cannot be read; expected a table with the names of its columns in the first line and as many "
            f"values in each other. Restore or correct it. Received: {str(error).strip()}"
        ) from None
    _refuse_twice(names, path)
    frame.columns = [str(name).strip() for name in frame.columns]
    if frame.empty:
        raise SeriesDataError(f"{path} has no rows; expected one for each time. Received: an empty table")
    return frame


def _refuse_twice(names: pd.Series, path: Path) -> None:
    if names.duplicated().any():
        raise SeriesDataError(
            f"{path}: several columns have one name; expected a name of its own for each. Rename or remove one. "
            f"Received: {names[names.duplicated()].iloc[0]!r} more than once"
        )


def _dialect(path: Path) -> tuple[str, str]:
    """The delimiter and the decimal sign of a CSV file, told from its first lines."""
    with _opened(path) as file:
        lines = [line.rstrip("\r\n") for line, _ in zip(file, range(SAMPLE_LINES), strict=False)]
    delimiter = max(",;\t|", key="".join(lines[:1]).count)
    cells = [cell.strip() for line in lines[1:] for cell in line.split(delimiter)] if delimiter != "," else []
    with_comma = sum(bool(re.fullmatch(r"[+-]?\d*,\d+", cell)) for cell in cells)
    with_point = sum(bool(re.fullmatch(r"[+-]?\d*\.\d+", cell)) for cell in cells)
    return delimiter, "," if with_comma > with_point else "."


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8-sig") as file:
        yield file


def _without_empty_rows(frame: pd.DataFrame, file: str) -> tuple[pd.DataFrame, list[Repair]]:
    empty = frame.isna().all(axis=1).to_numpy()
    if not empty.any():
        return frame, []
    first = f"line {frame.index[np.argmax(empty)]}"
    return frame[~empty], [Repair("", "", f"empty lines of {file}: left out", int(empty.sum()), first)]


def _series_names(frame: pd.DataFrame, column: str, path: Path) -> pd.Series:
    """Of each row the name of its series, which is the file's if no column says it."""
    if not column:
        return pd.Series(path.name.split(".")[0], frame.index)
    if (missing := frame[column].isna()).any():
        raise SeriesDataError(
            f"{path}, line {frame.index[np.argmax(missing)]}: the row belongs to no series; expected a name in the "
            f"column {column!r}. Name it, or remove the row. Received: nothing"
        )
    return frame[column].astype(str)


def _numbers(
    frame: pd.DataFrame, named: tuple[str, ...], markers: tuple[float, ...], path: Path
) -> tuple[dict[str, np.ndarray], list[Repair]]:
    """The columns of numbers, NaN where one is missing, and what became of the others."""
    numbers: dict[str, np.ndarray] = {}
    repairs = []
    for name in map(str, frame.columns):
        column = frame[name]
        if name not in named and name.startswith("Unnamed:") and _counts(column):
            repairs.append(Repair("", name, "column that counts the rows: left out", 1))
        elif (values := _as_numbers(column, name in named, path)) is None:
            repairs.append(Repair("", name, "column of text: left out", 1))
        else:
            marked = np.isin(values, markers)
            if marked.any():
                what = f"{', '.join(f'{marker:g}' for marker in markers)}: taken as missing"
                first = f"line {frame.index[np.argmax(marked)]}"
                repairs.append(Repair("", name, what, int(marked.sum()), first))
            numbers[name] = np.where(marked, np.nan, values)
    return numbers, repairs


def _counts(column: pd.Series) -> bool:
    """Whether it is an index that somebody's program wrote along, which has no name."""
    return pd.api.types.is_numeric_dtype(column) and bool((column.diff()[1:] == 1).all())


def _as_numbers(column: pd.Series, wanted: bool, path: Path) -> np.ndarray | None:
    """The values as float64, or None for text; a few that are no numbers among many are refused."""
    if pd.api.types.is_datetime64_any_dtype(column) and not wanted:
        return None
    if pd.api.types.is_numeric_dtype(column):  # and bool
        return column.astype(np.float64).to_numpy(na_value=np.nan)
    numbers = pd.to_numeric(column, errors="coerce")
    wrong = (numbers.isna() & column.notna()).to_numpy()
    if not wrong.any():
        return numbers.to_numpy(np.float64, na_value=np.nan)
    if not wanted and wrong.sum() > column.notna().sum() / 2:
        return None
    row = int(np.argmax(wrong))
    raise SeriesDataError(
        f"{path}, line {column.index[row]}, column {column.name!r}: expected a number, or nothing where it "
        f"is missing, and no separators of thousands; {int(wrong.sum())} values are none. Correct them, or leave the "
        f"column out, --data.unused {str(column.name)!r}. Received: {column.iloc[row]!r}"
    )


def _refuse_unknown(wanted: Sequence[str], names: tuple[str, ...], where: str) -> None:
    for name in wanted:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
            raise ConfigurationError(
                f"There is no column {name!r} in {where}. Expected some of: {', '.join(names)}."
                f"{f' Did you mean {near[0]!r}?' if near else ''} Correct the name, or add the column: a trained "
                f"network needs all columns of its training. Received: {name!r}"
            )
