"""Where series come from: the built-in data sets and the user's table, on regular time steps."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import tensorflow_datasets as tfds
from pydantic import Field

import data
from data.daily_stocks import DailyStocks
from data.hourly_weather import HourlyWeather
from pipelines.configuration import ConfigurationError
from pipelines.series.calendar import COUNTED, DAY, Calendar, Clock
from pipelines.series.cleaning import regularise
from pipelines.series.clocks import find_clock, retail_months
from pipelines.series.network import FromOne, FromTwo, FromZero
from pipelines.series.prices import RETURNS, returns_of
from pipelines.series.regular import Columns, Repair, Series, SeriesDataError, Table
from pipelines.series.table_files import UserTable
from pipelines.series.user_tables import TableConfiguration, choose_columns, read_tables

UNKNOWN_COLUMN = "columns that the training did not have: left out"
OF_TABLES = ("path", "sheet", "time", "time_format", "timezone", "series", "column_series", "missing_markers")
"""Settings of the user's own table, which data sets do not have."""


class DataConfiguration(TableConfiguration):
    """Which series to learn from, how they are split by time, and how they are cut into windows."""

    source: Literal["hourly_weather", "daily_stocks", "table"] = Field(
        "hourly_weather", description="built-in data set, or a table of your own"
    )
    calendar: Literal["auto", Calendar] = Field(
        "clock",
        description="clock: steps of equal length; business: working days or hours, whose pauses are not gaps; month: "
        "months or parts of them; auto: detected",
    )
    log_returns: bool = Field(False, description="the targets are prices; forecast their log returns")
    neighbours: bool = Field(False, description="each series sees the past of all others; all need the same times")
    split: Literal["common", "each"] = Field(
        "common", description="common: the same dates split all series; each: the same shares of its own steps"
    )
    validation_fraction: float = Field(
        0.1, gt=0, lt=0.5, description="share of the steps in the validation period, which precedes the test period"
    )
    test_fraction: float = Field(0.2, gt=0, lt=0.5, description="share of the steps in the test period, the last ones")
    held_out: str = Field(
        "",
        description="test period: the number of its steps, such as 720, or its start, such as 2024-10-01 (UTC); "
        "default: as test_fraction",
    )
    horizon: FromOne = Field(24, description="steps to forecast; here and in the next three, -1: from the table")
    window: FromTwo = Field(192, description="steps of history in a training window")
    warm_up: FromZero = Field(24, description="steps at the start of a window that do not count in the loss")
    batch_size: FromOne = Field(32, description="windows in a batch")


Offsets: TypeAlias = Mapping[str, Sequence[float]]
"""What is taken away from the targets of each series, by its name, "" for all others."""


class Source(NamedTuple):
    """Opened series on regular time steps, NaN where values are missing; see `Series`."""

    series: list[Series]
    columns: Columns
    clock: Clock
    repairs: list[Repair]


def open_source(
    configuration: DataConfiguration,
    trained: Columns | None = None,
    clock: Clock | None = None,
    table: UserTable | None = None,
    offsets: Offsets | None = None,
) -> Source:
    """Returns the configured series on regular time steps, downloaded and prepared if that has not been done.

    Args:
        configuration: which series.
        trained: the columns of a training, for whose network the series are meant; others are left out.
        clock: of a training.
        table: the user's table. Default: the file that the configuration names.
        offsets: of a training, see `Series.offset`. Default: found.

    Raises:
        ConfigurationError: a setting does not fit the data, such as a column that is not there.
        SeriesDataError: the series cannot be used, or lack a column of the training.
    """
    return derived(open_measured(configuration, trained, clock, table, offsets), configuration, trained)


def open_measured(
    configuration: DataConfiguration,
    trained: Columns | None = None,
    clock: Clock | None = None,
    table: UserTable | None = None,
    offsets: Offsets | None = None,
) -> Source:
    """Returns the series as `open_source` does, with the columns that were measured, before any are derived."""
    if configuration.source != "table":
        _refuse_settings_of_tables(configuration)
    default: tuple[str, ...]
    match configuration.source:
        case "hourly_weather":
            tables, names, repairs = _dataset(HourlyWeather(), {"impossible_wind_speeds": "wind_speed"})
            default = ("temperature",)
        case "daily_stocks":
            tables, names, repairs = _dataset(DailyStocks())
            default = ("adjusted_close",)
        case "table":
            tables, names, repairs = read_tables(configuration, table, clock, trained.all if trained else None)
            default = tuple(name.removesuffix(RETURNS) for name in trained.targets) if trained else ()
    fixed = {} if configuration.targets + default else _fixed(names, tables)
    columns = choose_columns(configuration, names, default, tuple(fixed))
    if trained is not None and (lacking := [name for name in trained.static if name not in names]):
        columns, names, tables, more = _without_static(columns, names, tables, lacking)
        repairs = repairs + more
    if constant := [name for name in columns.past if fixed.get(name, 2) < 2 and name not in configuration.past]:
        columns = columns._replace(past=tuple(name for name in columns.past if name not in constant))
        repairs = repairs + [Repair("", name, "column that never changes: left out", 1) for name in constant]
    numbers = [names.index(column) for column in columns.all]
    tables = [each._replace(values=each.values[:, numbers]) for each in tables]
    if trained is None:
        columns = columns._replace(static=static_columns(tables, columns))
    if configuration.calendar in ("auto", "month"):
        tables, found = retail_months(tables)
        repairs = repairs + found
    if clock is None:
        clock, found = find_clock(tables, configuration.calendar)
        repairs = repairs + found
    else:
        repairs = repairs + _other_zone(tables[0].zone, clock)
    step, duplicates = clock.step_seconds, configuration.duplicates
    offsets = {"": [0.0]} if configuration.log_returns else offsets  # prices themselves are kept in double precision
    series, _, more = regularise(tables, columns, clock.calendar, step, duplicates, offsets, clock.slots)
    # What a table has is how its times are shown; what the training had is how the network reads them.
    return Source(series, columns, clock._replace(zone=tables[0].zone), repairs + more)


def _refuse_settings_of_tables(configuration: DataConfiguration) -> None:
    """Refuses settings that a built-in data set has no use for, so that none is dropped."""
    defaults = DataConfiguration()
    for name in OF_TABLES:
        if (value := getattr(configuration, name)) != getattr(defaults, name):
            raise ConfigurationError(
                f"data.{name}: it is for a table of your own, but another source is wanted. Write --data.source table, "
                f"as the preset `own` does, or leave --data.{name} out. Received: {configuration.source!r} "
                f"and {value!r}"
            )


def _other_zone(zone: str, trained: Clock) -> list[Repair]:
    """What to report where only one of a table and the training has a zone: the network may read other hours."""
    if trained.calendar == "month" or trained.step_seconds % DAY == 0 or COUNTED in (zone, trained.zone):
        return []
    if zone and not trained.zone and zone != "UTC":
        what = (
            f"times of {zone}, though those of the training had no zone, which count as UTC: write them without a zone "
            "if they are of the same clock"
        )
        return [Repair("", "", what, 1)]
    if trained.zone and not zone and trained.zone != "UTC":
        what = f"times without a zone, though the training had {trained.zone}: UTC; --data.timezone names their zone"
        return [Repair("", "", what, 1)]
    return []


def static_columns(tables: Sequence[Table], columns: Columns) -> tuple[str, ...]:
    """Returns the covariates that have one value in each series, and not the same in all of them."""
    fixed = _fixed(columns.all, tables, some=False)
    return tuple(name for name in columns.all[len(columns.targets) :] if fixed.get(name, 0) > 1)


def _fixed(names: Sequence[str], tables: Sequence[Table], some: bool = True) -> dict[str, int]:
    """Columns that never change within a series, such as the number of a station, and how many values they have.

    With `some`, none where no column changes: one of them is what somebody wants to forecast.
    """
    found = {}
    for number, name in enumerate(names):
        values = [each[np.isfinite(each)] for each in (table.values[:, number] for table in tables)]
        if all((each == each[:1]).all() for each in values):
            found[name] = len({float(each[0]) for each in values if len(each)})
    return {} if some and len(found) == len(names) else found


def _without_static(
    columns: Columns, names: tuple[str, ...], tables: list[Table], lacking: Sequence[str]
) -> tuple[Columns, tuple[str, ...], list[Table], list[Repair]]:
    """Adds static covariates of a training that a table does not tell, without a value."""
    tables = [
        each._replace(values=np.pad(each.values, [(0, 0), (0, len(lacking))], constant_values=np.nan))
        for each in tables
    ]
    what = "column of the series that is not in the table: taken as the average of the training"
    repairs = [Repair("", name, what, 1) for name in lacking]
    return columns._replace(past=(*columns.past, *lacking)), (*names, *lacking), tables, repairs


def derived(source: Source, configuration: DataConfiguration, trained: Columns | None = None) -> Source:
    """Returns measured series with the columns that are derived from them; arguments as of `open_source`."""
    series, columns = source.series, source.columns
    if configuration.log_returns:
        series, columns = returns_of(series, columns)
    if configuration.neighbours:
        series, columns = with_neighbours(series, columns)
    source = source._replace(series=series, columns=columns)
    return source if trained is None else _as_trained(source, trained)


def with_neighbours(series: Sequence[Series], columns: Columns) -> tuple[list[Series], Columns]:
    """Adds the targets and past covariates of all series, called `column@series`, to the past covariates of each.

    Its own are among them, so that a column means the same for every series.

    Raises:
        SeriesDataError: the series do not have the same times.
    """
    for each in series:
        if not np.array_equal(each.times, series[0].times):
            raise SeriesDataError(
                f"The series {each.name!r} has other times than {series[0].name!r}; expected the same, for the past of "
                "one belongs to the forecast of the other. Cut them to their common period, or take away "
                f"--data.neighbours. Received: {len(each.times)} and {len(series[0].times)} steps"
            )
    own = columns.targets + columns.past
    width = len(own)
    values = np.concatenate([each.values[:, :width] for each in series], axis=1)  # (time, series · width)
    observed = np.concatenate([each.observed[:, :width] for each in series], axis=1)
    together = [
        each._replace(
            values=np.concatenate([each.values[:, :width], values, each.values[:, width:]], axis=1),
            observed=np.concatenate([each.observed[:, :width], observed, each.observed[:, width:]], axis=1),
        )
        for each in series
    ]
    names = tuple(f"{column}@{each.name}" for each in series for column in own)
    return together, columns._replace(past=columns.past + names)


def _dataset(
    builder: tfds.core.DatasetBuilder, left_out: dict[str, str] | None = None
) -> tuple[list[Table], tuple[str, ...], list[Repair]]:
    """The rows of a built-in data set, and what its builder left out: columns by the name of their count."""
    builder = data.prepare(builder)
    tables = [
        Table(
            example["name"].decode(),
            example["times"],
            example["values"],
            np.arange(1, len(example["times"]) + 1),
            f"the data set {builder.name}",
        )
        for example in builder.as_dataset(split="series").as_numpy_iterator()
    ]
    repairs = [
        Repair("", column, "impossible values: taken as missing", builder.info.metadata[name])
        for name, column in (left_out or {}).items()
    ]
    return sorted(tables), tuple(builder.info.metadata["columns"]), repairs


def _as_trained(source: Source, trained: Columns) -> Source:
    """The columns of a training, in their order."""
    names = source.columns.all
    if lacking := [column for column in trained.all if column not in names]:
        raise SeriesDataError(
            f"The network was trained with columns that are not in the data: {', '.join(lacking)}; expected "
            f"{', '.join(trained.all)}. Add them, as numbers, or train again without them. Received: {', '.join(names)}"
        )
    numbers = [names.index(column) for column in trained.all]
    repairs = [Repair("", column, UNKNOWN_COLUMN, 1) for column in names if column not in trained.all]
    series = [
        each._replace(values=each.values[:, numbers], observed=each.observed[:, numbers]) for each in source.series
    ]
    return source._replace(series=series, columns=trained, repairs=source.repairs + repairs)
