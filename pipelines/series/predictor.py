"""Forecasts what comes after a table: a trained forecaster, from its run or its export."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
import pydantic
from pydantic import Field

from pipelines import commands
from pipelines.configuration import Configuration, ConfigurationError
from pipelines.counting import counted
from pipelines.runs import Run
from pipelines.series import data
from pipelines.series.anomalies import Anomaly, find_anomalies, truth_ahead
from pipelines.series.config import SeriesConfiguration
from pipelines.series.prices import RETURNS
from pipelines.series.regular import Columns, Series, SeriesDataError, summary, time_text
from pipelines.series.serving import signatures
from pipelines.series.sources import DataConfiguration, Source, derived, open_measured
from pipelines.series.streaming import Reader, Stream, refuse_unknown
from pipelines.series.table_files import UserTable
from pipelines.series.trained import Description, load_model
from pipelines.served import Served

EXAMPLE = ("forecast", "CSV", "measurements.csv")
STEPS_IN_BATCH = 16_384  # of all series of a batch, padded to the longest

Tables: TypeAlias = UserTable | Sequence[UserTable]


class TableOptions(Configuration):
    """How a table is read, where it is not as it was in training."""

    time: tuple[str, ...] = Field((), description="its column of times, or several")
    time_format: str = Field("", description="how its times are written, such as %d/%m/%Y")
    timezone: str = Field("", description="zone of times without one, such as Europe/Berlin")
    series: str = Field("", description="its column that names the series of each row")

    @pydantic.field_validator("time", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


class Forecast(NamedTuple):
    """What comes after a series.

    Attributes:
        series: its history.
        times: int64 (horizon,), seconds since 1970 UTC.
        quantiles: (horizon, targets, levels), in the data's own units.
        mean: (horizon, targets).
        zone: of its times as they were written, see `time_text`.
    """

    series: Series
    times: np.ndarray
    quantiles: np.ndarray
    mean: np.ndarray
    zone: str = ""


class Predictor:
    """Forecasts series; stays ready for more.

    Args:
        run: what the network was trained for.
        model: its signatures.
    """

    def __init__(self, run: Run, model: Served) -> None:
        self.configuration = run.read_configuration(SeriesConfiguration)
        self.description = Description.of_run(run)
        self.levels = self.configuration.network.quantile_levels
        self.horizon = self.configuration.data.horizon
        self.targets = tuple(name.removesuffix(RETURNS) for name in self.description.columns.targets)
        self._model = model

    def forecast(self, tables: Tables, reading: Mapping[str, Any] | None = None) -> pd.DataFrame | list[pd.DataFrame]:
        """Returns what comes after the last row of a table, or of each of several.

        Rows at the end that have values of known columns alone are the known future. A table is repaired as one of the
        training is, and each repair is printed on standard error. Messages count the rows of a data frame from 1.

        Args:
            tables: a data frame of pandas or Polars with a column of times or a `DatetimeIndex`; the path of a CSV or
                Parquet file; an open binary file with CSV; or a list of such tables.
            reading: `time`, `time_format`, `timezone` and `series`, as of `TableOptions`: how a table is read, where it
                is not as it was in training.

        Returns:
            A row for each series, target and step ahead: `series`, `target`, `time`, `mean` and `quantile_0.5` and the
            like, in the data's own units.

        Raises:
            SeriesDataError: a table cannot be used; the message names the row.
            ConfigurationError: `reading` does not fit the table.
        """
        sources = [self.open(table, reading) for table in listed(tables)]
        frames = [self.to_frame(forecasts) for forecasts in self.forecasts(sources)]
        return frames if is_several(tables) else frames[0]

    def anomalies(
        self,
        tables: Tables,
        probability: float = 0.001,
        steps_before: int = 1,
        reading: Mapping[str, Any] | None = None,
    ) -> pd.DataFrame | list[pd.DataFrame]:
        """Returns the readings of a table that were improbable when they came, or those of each of several.

        Args:
            tables: as of `forecast`.
            probability: readings at least as far out, on either side, are at most so probable.
            steps_before: so many steps before a reading the forecast was made that it is compared with.
            reading: as of `forecast`.

        Returns:
            A row for each: `series`, `time`, `target`, `value`, `low` and `high` of its interval, `probability`.

        Raises:
            SeriesDataError: a table cannot be used; the message names the row.
            ConfigurationError: `probability` or `steps_before` is out of range.
        """
        sources = [self.open(table, reading) for table in listed(tables)]
        frames = [self.to_anomalies(each, probability, steps_before) for each in sources]
        return frames if is_several(tables) else frames[0]

    def stream(
        self, series: str = "", history: UserTable | None = None, reading: Mapping[str, Any] | None = None
    ) -> Stream:
        """Returns a stream that takes one row at a time, and forecasts after each.

        Args:
            series: its name. Default: that of the only series of the training. One of unknown name needs a `history`,
                by which it is scaled.
            history: what came before, as a table of `forecast`; its known future is not read.
            reading: as of `forecast`, for the history and for the rows.

        Raises:
            ConfigurationError: the series is not known, and there is no history.
        """
        names, columns = self.description.names, self.description.columns
        name = series or (names[0] if len(names) == 1 else "")

        def derive(source: Source) -> Source:
            return derived(source, self.table_configuration(reading), columns)

        def selected(source: Source) -> Source:
            """Leaves out columns that the training did not have, unless columns are derived from them."""
            made = self.configuration.data.log_returns or self.configuration.data.neighbours
            return source if made else derive(source)

        before = None if history is None else selected(self.measured(history, reading))
        if before is None:
            refuse_unknown(name, names)
        elif name not in (found := [each.name for each in before.series]):
            raise SeriesDataError(
                f"The history has no such series. Expected one of {', '.join(found)}. Name one of them. Received: "
                f"{name!r}"
            )

        def measured(frame: pd.DataFrame) -> Source:
            configured = self.table_configuration(reading).series
            unnamed = configured and configured not in frame.columns and not self.configuration.data.neighbours
            return selected(self.measured(frame, reading, series="" if unnamed else configured))

        def to_frame(history: Series, times: np.ndarray, quantiles: np.ndarray, mean: np.ndarray, zone: str) -> Any:
            return self.to_frame([self.in_units(history, times, quantiles, mean)._replace(zone=zone)])

        scaled_by = None
        if before is not None:
            before = before._replace(series=[_until_measured(each, before.columns) for each in before.series])
            scaled_by = next(each for each in derive(before).series if each.name == name)
        reader = Reader(self._model, columns, self.horizon, name, scaled_by)
        clock = self.description.clock
        return Stream(reader, columns, clock, self.horizon, name, measured, derive, to_frame, before)

    def open(self, table: UserTable, reading: Mapping[str, Any] | None = None) -> Source:
        """Returns the series of a table, with the columns of the training, and prints its repairs.

        Args:
            table: as of `forecast`.
            reading: as of `forecast`.
        """
        source = derived(self.measured(table, reading), self.table_configuration(reading), self.description.columns)
        for line in summary(source.repairs):
            commands.report_done(f"Repaired: {line}")
        return source

    def measured(self, table: UserTable, reading: Mapping[str, Any] | None = None, series: str | None = None) -> Source:
        """Returns the series of a table as they were measured, before columns are derived from them.

        Args:
            table: as of `forecast`.
            reading: as of `forecast`.
            series: the column that names series. Default: as `reading` or the training has it.
        """
        names, configuration = self.description.names, self.table_configuration(reading)
        if series is not None:
            configuration = configuration.replace(series=series)
        source = open_measured(configuration, self.description.columns, self.description.clock, table)
        if len(names) == 1 and not configuration.series:  # the one that was learned, whatever the file is called now
            source = source._replace(series=[source.series[0]._replace(name=names[0])])
        return source

    def table_configuration(self, reading: Mapping[str, Any] | None) -> DataConfiguration:
        """Returns how a table is read: as in training, but for `reading`."""
        changed = {name: value for name, value in TableOptions(**(reading or {})) if value}
        targets = self.configuration.data.targets or self.targets  # an embedded data set has its own by default
        return self.configuration.data.replace(source="table", path="", targets=targets, **changed)

    def forecasts(self, sources: Sequence[Source]) -> list[list[Forecast]]:
        """Returns what comes after each series of opened tables; series of similar lengths are forecast together."""
        columns, zones = self.description.columns, []
        histories, futures = [], []
        for source in sources:
            for series in source.series:
                history, future = data.divide(series, columns, self.horizon)
                self._report(series, history)
                histories.append(history)
                futures.append(future)
                zones.append(source.clock.zone)
        found: dict[int, Forecast] = {}
        for batch in batches([len(history.times) for history in histories]):
            answers = self._ask([histories[place] for place in batch], [futures[place] for place in batch])
            found |= {place: each._replace(zone=zones[place]) for place, each in zip(batch, answers, strict=True)}
        in_order = iter([found[place] for place in range(len(found))])
        return [[next(in_order) for _ in source.series] for source in sources]

    def to_anomalies(self, source: Source, probability: float, steps_before: int) -> pd.DataFrame:
        """Returns the anomalies of an opened table; arguments as of `anomalies`."""
        if not 0 < probability < 1:
            raise ConfigurationError(
                f"The probability of an anomaly lies between 0 and 1. Give such as 0.001. Received: {probability:g}"
            )
        if not 1 <= steps_before <= self.horizon:
            raise ConfigurationError(
                f"steps_before: the network forecasts {self.horizon} steps. Give 1 to {self.horizon}. "
                f"Received: {steps_before}"
            )
        anomalies: list[Anomaly] = []
        columns, cumulative = self.description.columns, self.configuration.data.log_returns
        for series in source.series:
            history, _ = data.divide(series, columns._replace(known=()), self.horizon)
            if not len(history.times):
                continue
            reader = Reader(self._model, columns, self.horizon, history.name, history)
            quantiles = np.concatenate([part["quantiles"][:, steps_before - 1] for part in reader.read(history)])
            truth = truth_ahead(history, len(columns.targets), steps_before, cumulative)
            anomalies += find_anomalies(
                history, columns, quantiles, self.levels, truth, steps_before, probability, source.clock.zone
            )
        return pd.DataFrame(anomalies, columns=list(Anomaly._fields))

    def to_frame(self, forecasts: Sequence[Forecast]) -> pd.DataFrame:
        """Returns a row for each series, target and step ahead: its time, mean and quantiles."""
        rows = [
            {
                "series": each.series.name,
                "target": target,
                "time": time_text(time, each.zone),
                "mean": each.mean[step, number],
            }
            | {f"quantile_{level:g}": each.quantiles[step, number, index] for index, level in enumerate(self.levels)}
            for each in forecasts
            for number, target in enumerate(self.targets)
            for step, time in enumerate(each.times)
        ]
        return pd.DataFrame(rows)

    def in_units(self, history: Series, times: np.ndarray, quantiles: np.ndarray, mean: np.ndarray) -> Forecast:
        """Returns a forecast in the units of the table: of log returns since the last price, the prices."""
        if history.levels is not None:
            last = _last_prices(history, self.targets)
            quantiles, mean = last[:, np.newaxis] * np.exp(quantiles), last * np.exp(mean)
        return Forecast(history, times, quantiles, mean)

    def _ask(self, histories: Sequence[Series], futures: Sequence[np.ndarray]) -> list[Forecast]:
        """Forecasts series in one batch; shorter histories begin with rows of NaN."""
        time = max(len(history.times) for history in histories)
        values = np.full((len(histories), time, len(self.description.columns.all)), np.nan, np.float32)
        times = np.zeros((len(histories), time), np.int64)
        for row, history in enumerate(histories):
            start = time - len(history.times)
            values[row, start:] = np.where(history.observed, history.values, np.nan)
            times[row, start:] = history.times
        future = {"future": np.stack(futures)} if self.description.columns.known else {}
        names = [history.name for history in histories]
        answer = self._model("serving_default", history=values, times=times, series=names, **future)
        shape = (len(histories), self.horizon, len(self.targets))
        quantiles, mean = answer["quantiles"].reshape(*shape, len(self.levels)), answer["mean"].reshape(shape)
        return [
            self.in_units(history, answer["times"][row], quantiles[row], mean[row])
            for row, history in enumerate(histories)
        ]

    def _report(self, series: Series, history: Series) -> None:
        """Reports what a user may not expect of a forecast; refuses a series of which nothing is known."""
        targets, names = ", ".join(self.description.columns.targets), self.description.names
        if not len(history.times):
            raise SeriesDataError(
                f"The series {series.name!r} has no value, so there is nothing to forecast from; expected some of "
                f"{targets}. Give the rows that were measured. Received: {len(series.times)} rows without any"
            )
        if series.name not in names:
            commands.report_done(
                f"The series {series.name!r} was not in the training; it is forecast as their average, on the scale of "
                f"its own {counted(len(history.times), 'step')}."
            )
        if (after := len(series.times) - len(history.times)) and not self.description.columns.known:
            last = time_text(history.times[-1])
            commands.report_done(
                f"{series.name}: {counted(after, 'row')} without values after {last}: the forecast begins there."
            )


def batches(lengths: Sequence[int]) -> list[list[int]]:
    """Returns the places of series, those of similar lengths together, each batch of bounded size.

    Example:
        >>> batches([5, STEPS_IN_BATCH, 4])
        [[2, 0], [1]]
    """
    found: list[list[int]] = []
    for place in sorted(range(len(lengths)), key=lambda place: lengths[place]):
        if found and (len(found[-1]) + 1) * lengths[place] <= STEPS_IN_BATCH:
            found[-1].append(place)
        else:
            found.append([place])
    return found


def _until_measured(series: Series, columns: Columns) -> Series:
    """Returns a series without the steps of the future."""
    return data.divide(series, columns._replace(known=()), 0)[0]


def _last_prices(history: Series, targets: Sequence[str]) -> np.ndarray:
    """Returns the last price of each target, (targets,)."""
    assert history.levels is not None
    known = np.isfinite(history.levels)
    if not known.any(axis=0).all():
        lacking = [name for name, each in zip(targets, known.any(axis=0), strict=True) if not each]
        raise SeriesDataError(
            f"The series {history.name!r} has no price of {', '.join(lacking)} to forecast from. Expected one at "
            f"least. Give rows with prices. Received: {len(history.times)} rows without any"
        )
    latest = len(known) - 1 - np.argmax(known[::-1], axis=0)
    return history.levels[latest, np.arange(len(targets))]


def listed(tables: Tables) -> Sequence[UserTable]:
    """Returns one table or several as a list."""
    return tables if isinstance(tables, list | tuple) else [tables]


def is_several(tables: Tables) -> bool:
    """Whether there is a list of tables."""
    return isinstance(tables, list | tuple)


def load(run: Run) -> Predictor:
    """Returns the predictor of a finished run."""
    return Predictor(run, Served(signatures(load_model(run))))
