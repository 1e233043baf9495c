"""The user's table: its layout is found, and each of its columns gets its use."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pydantic
from pydantic import Field

from pipelines import hints
from pipelines.configuration import Configuration, ConfigurationError, Names, did_you_mean
from pipelines.series.calendar import Clock
from pipelines.series.categories import categories_of, one_hot
from pipelines.series.numbers import Numbers, comma_beside, may_be_thousands, numbers_of, uses_comma
from pipelines.series.options import FORMATS
from pipelines.series.periods import longer_periods
from pipelines.series.regular import Columns, Repair, SeriesDataError, Table
from pipelines.series.series_names import refuse_several_series, series_names, with_joined_series
from pipelines.series.table_files import UserTable, read_table
from pipelines.series.time_columns import find_time_columns, first_text, named_as_time
from pipelines.series.times import parse_times
from pipelines.series.wide import VALUE, lengthened, unmerged

COUNTERS = {"no", "nr", "id", "row", "index", "obs", "#", "rownames"}  # columns that count the rows are called
_DAYS = r"\d+(,\d+)?"
MAXIMUM_UNNAMED_TARGETS = 8
"""Columns that are forecast where none is named; of more, somebody must choose."""


class TableConfiguration(Configuration):
    """Which table to read, and what its columns are."""

    path: str = Field("", description=f"your table: {FORMATS}, also compressed, such as .csv.gz")
    sheet: str = Field("", description="sheet of an Excel file; default: the first")
    time: Names = Field((), description="column of times, or several that form one; default: detected")
    time_format: str = Field("", description="format of the times, such as %d/%m/%Y; default: detected")
    timezone: str = Field(
        "", description="time zone of times without one: such as Europe/Berlin, for its daylight saving, or +05:30"
    )
    series: Names = Field(
        (), description="column that names the series of each row, if there are several, or columns such as store item"
    )
    column_series: bool = Field(False, description="treat each column of numbers as a series")
    targets: Names = Field((), description="columns to forecast; default: all, if they are few")
    known: Names = Field((), description="columns known in the future too, such as holidays")
    past: Names = Field((), description="columns known up to now; default: all other columns of numbers")
    unused: Names = Field((), description="columns to leave out")
    missing_markers: tuple[float, ...] = Field((-9999.0,), description="numbers that stand for a missing value")
    duplicates: Literal["auto", "mean", "sum", "first", "last"] = Field(
        "auto", description="how to merge rows of one time; auto: their mean if they are few, otherwise an error"
    )

    @pydantic.field_validator("path", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        return str(value) if isinstance(value, Path) else value


def read_tables(
    configuration: TableConfiguration,
    table: UserTable | None = None,
    clock: Clock | None = None,
    trained: tuple[str, ...] | None = None,
) -> tuple[list[Table], tuple[str, ...], list[Repair]]:
    """Returns the rows of each series, the names of all columns of numbers, and what was repaired.

    Delimiter, decimal sign, layout and time column are found.

    Args:
        configuration: what the columns are.
        table: what to read. Default: the file that the configuration names.
        clock: of a training. Default: found.
        trained: columns of a training, which say what the categories of text are, such as `city=Rome`.

    Raises:
        ConfigurationError: there is no table, or a column that is not there.
        SeriesDataError: the file cannot be read, or a time or a number in it; the message names the row.
    """
    if table is None and not configuration.path:
        raise ConfigurationError(
            "data.path: the source `table` reads a file of yours, and none is named. Give one, such as CSV or Excel, "
            f"with a column of times: {hints.option('--data.path measurements.csv --data.targets load')}. "
            "Received: no path"
        )
    frame, path, repairs = read_table(
        configuration.path if table is None else table, configuration.time, configuration.sheet
    )
    if not configuration.series and (series := frame.attrs.get("series")):
        configuration = configuration.replace(series=(series,))
    frame, left_out = _without_empty_rows(frame, path.name)
    named = configuration.targets + configuration.known + configuration.past
    _refuse_unknown(configuration.series + configuration.time, tuple(frame.columns), str(path))
    frame, merged = unmerged(_with_points(frame), configuration.series)
    frame, joined = with_joined_series(frame, configuration.series)
    frame, series, given, widened = lengthened(frame, joined, configuration.time, named)
    if widened and named == ():
        named = (VALUE,)
    repairs += left_out + merged + widened
    series_column = (series,) * bool(series)
    asked = series_column + named + (configuration.unused if trained is None else ())
    _refuse_unknown(asked, tuple(frame.columns), str(path))
    time = given or find_time_columns(frame, named + series_column, path, series_column)
    frame, shortened = _without_longer_periods(frame, time, path.name)
    repairs += shortened
    names = series_names(frame, series, path)
    empty = frame.drop(columns=[*time, *series_column]).isna().all(axis=1).to_numpy()
    times = parse_times(frame[list(time)], names, configuration.time_format, configuration.timezone, path, clock, empty)
    frame, names, seconds = frame[times.kept], names[times.kept], times.seconds[times.kept]
    left = [column for column in frame.columns if column not in time + series_column + configuration.unused]
    left = [column for column in left if column not in configuration.series]
    if configuration.past:
        left = [column for column in left if column in named]
    covariates = configuration.known + configuration.past
    categories, of_categories = one_hot(frame[left], names, covariates, named, trained)
    left = [column for column in left if column not in categories.replaced]
    numbers, of_numbers = _numbers(frame[left], named, configuration.missing_markers, path, trained is not None)
    numbers |= categories.columns
    of_numbers += of_categories
    values = np.stack(list(numbers.values()), axis=1) if numbers else np.zeros((len(frame), 0))
    lines = frame.index.to_numpy(np.int64)
    rows = names.groupby(names, sort=False).indices.items()
    if not series and time and configuration.duplicates == "auto":
        refuse_several_series(frame, seconds, [name for name in left if name not in named], path)
    tables = [Table(str(name), seconds[at], values[at], lines[at], str(path), times.zone) for name, at in rows]
    columns = tuple(numbers)
    if configuration.column_series:
        tables, columns = _columns_as_series(tables, columns, configuration)
    return sorted(tables, key=lambda each: each.name), columns, repairs + times.repairs + of_numbers


def _columns_as_series(
    tables: list[Table], columns: tuple[str, ...], configuration: TableConfiguration
) -> tuple[list[Table], tuple[str, ...]]:
    """A series for each column of numbers that is known up to now; all of them have the known ones."""
    if configuration.past:
        raise ConfigurationError(
            "data.column_series: each column is a series, so none is a past covariate of another. Leave --data.past "
            f"out, or set --data.neighbours. Received: {', '.join(configuration.past)}"
        )
    known = [columns.index(name) for name in configuration.known]
    wanted = [name for name in columns if name not in configuration.known + configuration.unused]
    wanted = [name for name in wanted if name in configuration.targets] if configuration.targets else wanted
    several = len(tables) > 1
    found = [
        table._replace(
            name=f"{table.name} {name}" if several else name, values=table.values[:, [columns.index(name), *known]]
        )
        for table in tables
        for name in wanted
    ]
    return found, (VALUE, *configuration.known)


def choose_columns(
    configuration: TableConfiguration,
    names: tuple[str, ...],
    default_targets: tuple[str, ...],
    fixed: tuple[str, ...] = (),
) -> Columns:
    """Returns what each column is for: what is configured, and every other one a past covariate if none is.

    Where no target is named, a few columns without another use are all forecast, but for those that are `fixed`.

    Raises:
        ConfigurationError: no target is named among many columns, a column is not there, or has two uses.
    """
    targets = configuration.targets or default_targets
    if not targets:
        others = configuration.known + configuration.past + configuration.unused + fixed
        targets = tuple(name for name in names if name not in others)
        if not 0 < len(targets) <= MAXIMUM_UNNAMED_TARGETS:
            example = f"--data.targets {names[-1] if names else 'load'}"
            raise ConfigurationError(
                "data.targets: expected the columns to forecast. Name one or more: "
                f"{hints.option(example)}; if each column is a series of its "
                "own, set --data.column_series. Received: none, of the columns "
                f"{', '.join(names) or '(no column of numbers)'}"
            )
    known, named = (_expanded(each, names) for each in (configuration.known, configuration.past))
    uses = targets + known + named + configuration.unused + configuration.series + configuration.time
    if twice := [name for number, name in enumerate(uses) if name in uses[:number]]:
        raise ConfigurationError(
            f"data: a column has one use: targets, known, past, unused, series or time. Keep one. Received: {twice}"
        )
    _refuse_unknown(targets + known + named, names, "the data set")
    past = named or tuple(name for name in names if name not in uses)
    return Columns(targets, past, known)


def _expanded(columns: tuple[str, ...], names: tuple[str, ...]) -> tuple[str, ...]:
    """Columns of text as the columns of their categories."""
    found = ((column,) if column in names else categories_of(column, names) or (column,) for column in columns)
    return tuple(name for each in found for name in each)


def _without_empty_rows(frame: pd.DataFrame, file: str) -> tuple[pd.DataFrame, list[Repair]]:
    empty = frame.isna().all(axis=1).to_numpy()
    if not empty.any():
        return frame, []
    first = f"line {frame.index[np.argmax(empty)]}"
    return frame[~empty], [Repair("", "", f"empty lines of {file}: left out", int(empty.sum()), first)]


def _with_points(frame: pd.DataFrame) -> pd.DataFrame:
    """Times as numbers, such as the days of Excel, with a decimal point."""
    for name in filter(named_as_time, frame.columns):
        if re.fullmatch(_DAYS, first_text(frame[name])):
            cells = frame[name].dropna().astype(str)
            if cells.str.contains(",", regex=False).any() and cells.str.fullmatch(_DAYS).all():
                frame = frame.assign(**{name: frame[name].str.replace(",", ".", regex=False)})
    return frame


def _without_longer_periods(frame: pd.DataFrame, time: Sequence[str], file: str) -> tuple[pd.DataFrame, list[Repair]]:
    longer = longer_periods(frame[time[0]]) if len(time) == 1 else np.zeros(len(frame), bool)
    if not longer.any():
        return frame, []
    what = f"years or quarters of {file} beside shorter periods: left out"
    return frame[~longer], [Repair("", "", what, int(longer.sum()), f"line {frame.index[np.argmax(longer)]}")]


def _numbers(
    frame: pd.DataFrame, named: tuple[str, ...], markers: tuple[float, ...], path: Path, all_columns: bool = False
) -> tuple[dict[str, np.ndarray], list[Repair]]:
    """The columns of numbers, NaN where one is missing, and what became of the others."""
    numbers: dict[str, np.ndarray] = {}
    repairs: list[Repair] = []
    comma, delimiter = uses_comma(frame), str(frame.attrs.get("delimiter"))
    for name in map(str, frame.columns):
        column = frame[name]
        if pd.api.types.is_datetime64_any_dtype(column) and name not in named:
            repairs.append(Repair("", name, "column of times: left out", 1))
            continue
        found = numbers_of(column, comma if comma is not None else comma_beside(column, delimiter))
        if comma is None and delimiter != "," and not found.notes and may_be_thousands(column):
            found.notes.append("three decimals in each number: if these are thousands, write 1.234 as 1234")
        if not all_columns and name not in named and not (np.isfinite(found.values) | found.wrong).any():
            repairs.append(Repair("", name, "column without a value: left out", 1))
            continue
        counts_rows = name.startswith("Unnamed:") or (not all_columns and name.lower().strip(".") in COUNTERS)
        if name not in named and counts_rows and _counts(found.values):
            repairs.append(Repair("", name, "column that counts the rows: left out", 1))
        elif _is_text(column, found, name in named, path):
            repairs.append(Repair("", name, "column of text: left out", 1))
        else:
            repairs += [Repair("", name, note, int(column.notna().sum())) for note in found.notes]
            marked = np.isin(found.values, markers)
            if marked.any():
                what = f"{', '.join(f'{marker:g}' for marker in markers)}: taken as missing"
                first = f"line {frame.index[np.argmax(marked)]}"
                repairs.append(Repair("", name, what, int(marked.sum()), first))
            numbers[name] = np.where(marked, np.nan, found.values)
    if not numbers:
        for name in map(str, frame.columns):
            if frame[name].dropna().astype(str).str.contains(r"\d", regex=True).mean() > 0.5:
                _is_text(frame[name], numbers_of(frame[name], comma), True, path)
    return numbers, repairs


def _counts(values: np.ndarray) -> bool:
    """Whether it is an index that somebody's program wrote along, which has no name."""
    return bool((np.diff(values) == 1).all())


def _is_text(column: pd.Series, found: Numbers, wanted: bool, path: Path) -> bool:
    """Whether a column holds text; a few cells that are no numbers among many are refused."""
    if not found.wrong.any():
        return False
    if not wanted and (found.wrong.sum() > column.notna().sum() / 2 or not np.isfinite(found.values).any()):
        return True
    row = int(np.argmax(found.wrong))
    raise SeriesDataError(
        f"{path}, line {column.index[row]}, column {column.name!r}: expected a number, or nothing where it "
        f"is missing; {int(found.wrong.sum())} values are not. Correct them, or leave the column out, --data.unused "
        f"{str(column.name)!r}. Received: {str(column.iloc[row])!r}"
    )


def _refuse_unknown(wanted: Sequence[str], names: tuple[str, ...], where: str) -> None:
    if missing := [name for name in dict.fromkeys(wanted) if name not in names]:
        named = [*map(repr, missing)]
        raise ConfigurationError(
            f"There is no column {' and no column '.join(named)} in {where}. Expected some of: {', '.join(names)}."
            f"{did_you_mean(missing[0], names)} Correct the name, or add the column: a trained "
            f"network needs all columns of its training. Received: {', '.join(named)}"
        )
