"""The user's table: CSV or Parquet, a row for each time, in the layouts that people have, ETT and Jena among them."""

import difflib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import Field

from pipelines.configuration import Configuration, ConfigurationError
from pipelines.series.regular import Columns, Repair, SeriesDataError, Table
from pipelines.series.table_files import UserTable, read_table
from pipelines.series.times import find_time_columns, parse_times

MAXIMUM_UNNAMED_TARGETS = 8
"""Columns that are forecast where none is named; of more, somebody must choose."""


class TableConfiguration(Configuration):
    """Which table to read, and what its columns are."""

    path: str = Field("", description="your table: .csv, .csv.gz or .parquet")
    time: tuple[str, ...] = Field((), description="column of the times, or several that give it together; found")
    time_format: str = Field("", description="how the times are written, such as %d/%m/%Y; found")
    timezone: str = Field("", description="zone of times without one, if its clock is ever set, such as Europe/Berlin")
    series: str = Field("", description="column that names the series of each row, if there are several")
    targets: tuple[str, ...] = Field((), description="columns to forecast; all, if they are few")
    known: tuple[str, ...] = Field((), description="columns known in the future too, such as holidays")
    past: tuple[str, ...] = Field((), description="columns known up to now; all other columns of numbers")
    unused: tuple[str, ...] = Field((), description="columns to leave out")
    missing_markers: tuple[float, ...] = Field((-9999.0,), description="numbers that say that a value is missing")


def read_tables(
    configuration: TableConfiguration, table: UserTable | None = None
) -> tuple[list[Table], tuple[str, ...], list[Repair]]:
    """Returns the rows of each series, the names of all columns of numbers, and what was repaired.

    Delimiter, decimal sign and time column are found.

    Args:
        configuration: what the columns are.
        table: what to read. Default: the file that the configuration names.

    Raises:
        ConfigurationError: there is no table, or a column that is not there.
        SeriesDataError: the file cannot be read, or a time or a number in it; the message names the row.
    """
    if table is None and not configuration.path:
        raise ConfigurationError(
            "data.path: a table of your own is wanted, but not where it is. Give a CSV or Parquet file with a column "
            'of times: ARGS="--data.path measurements.csv --data.targets load". Received: no path'
        )
    frame, path = read_table(configuration.path if table is None else table, configuration.time)
    frame, repairs = _without_empty_rows(frame, path.name)
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

    Where no target is named, a few columns without another use are all forecast.

    Raises:
        ConfigurationError: no target is named among many columns, a column is not there, or has two uses.
    """
    targets = configuration.targets or default_targets
    if not targets:
        others = configuration.known + configuration.past + configuration.unused
        targets = tuple(name for name in names if name not in others)
        if not 0 < len(targets) <= MAXIMUM_UNNAMED_TARGETS:
            raise ConfigurationError(
                "data.targets: expected the columns to forecast. Name one or more: "
                f'--data.targets {names[-1] if names else "load"} (make: ARGS="…"). Received: none, of the columns '
                f"{', '.join(names) or '(no column of numbers)'}"
            )
    uses = targets + configuration.known + configuration.past + configuration.unused
    _refuse_unknown(targets + configuration.known + configuration.past, names, "the data set")
    if twice := [name for number, name in enumerate(uses) if name in uses[:number]]:
        raise ConfigurationError(
            f"data: a column has one use: targets, known, past or unused. Keep one of them. Received: {twice}"
        )
    past = configuration.past or tuple(name for name in names if name not in uses)
    return Columns(targets, past, configuration.known)


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
