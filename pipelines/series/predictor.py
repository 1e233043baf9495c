"""Forecasts what comes after a table: a trained forecaster, from its run or its export."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from data.files import plain_suffix
from pipelines import commands
from pipelines.arguments import checked
from pipelines.configuration import ConfigurationError
from pipelines.predictors import BasePredictor
from pipelines.runs import Run
from pipelines.series import data
from pipelines.series.ahead import Ahead
from pipelines.series.anomalies import Anomaly, find_anomalies, truth_ahead
from pipelines.series.config import Description, SeriesConfiguration
from pipelines.series.explanation import WINDOWS, Influence
from pipelines.series.model import load_model
from pipelines.series.options import TableOptions
from pipelines.series.reconciliation import Method, reconciled
from pipelines.series.regular import Columns, Series, SeriesDataError, summary
from pipelines.series.serving import reading, signatures
from pipelines.series.sources import DataConfiguration, Source, derived, open_measured
from pipelines.series.streaming import READ, Reader, Stream, refuse_unknown
from pipelines.series.table_files import EXCEL, UserTable
from pipelines.served import Served

EXAMPLE = ("forecast", "CSV", "measurements.csv")

Tables: TypeAlias = UserTable | Sequence[UserTable]


class Predictor(BasePredictor, Ahead):
    """Forecasts series; stays ready for more.

    Args:
        run: what the network was trained for.
        model: its signatures.
    """

    def __init__(self, run: Run, model: Served) -> None:
        super().__init__(run, model)
        self.configuration = run.read_configuration(SeriesConfiguration)
        network, description = self.configuration.network, Description.of_run(run)
        counts = network.distribution == "negative_binomial"
        whole = description.columns.targets if counts else network.whole
        Ahead.__init__(self, model, description, self.configuration.data.horizon, network.quantile_levels, whole)

    @property
    def explained_steps(self) -> int:
        """Steps of a history that an explanation reads."""
        return WINDOWS * self.configuration.data.window

    @checked
    def forecast(
        self,
        tables: Tables,
        reading: Mapping[str, Any] | None = None,
        samples: int = 0,
        sums: Mapping[str, Sequence[str]] | None = None,
        reconciliation: Method = "mint",
        horizon: int | None = None,
        quantiles: float | Iterable[float] = (),
    ) -> pd.DataFrame | list[pd.DataFrame]:
        """Returns what comes after the last row of a table, or of each of several.

        Rows at the end that have values of known columns alone are the known future. A table is repaired as one of the
        training is, and each repair is printed on standard error. Messages count the rows of a data frame from 1.

        Args:
            tables: a data frame of pandas or Polars with a column of times or a `DatetimeIndex`; the path of a
                file, such as CSV, Parquet or Excel; its bytes, or the file, open for reading them; or a list of
                such tables.
            reading: `time`, `time_format`, `timezone`, `series` and `sheet`, as of `TableOptions`: how a table is read,
                where it is not as it was in training.
            samples: paths to draw of each series. The steps and targets of a path depend on each other as their errors
                did in the calibration, so that sums and the highest of a path are right; series are independent.
            sums: series that are the sum of others, such as `{"total": ["north", "south"]}`: their forecasts add up.
            reconciliation: how, see `reconciled`: `mint` or `bottom_up`.
            horizon: steps to forecast; columns whose future is known are needed for these alone. Default: those of the
                training, which are the most.
            quantiles: levels of the quantiles, or one, between the lowest and the highest of the training; linear
                between these. Default: those of the training.

        Returns:
            A row for each series, target and step ahead: `series`, `target`, `time`, `mean` and `quantile_0.5` and the
            like, and `sample_1` and so on, in the data's own units.

        Raises:
            SeriesDataError: a table cannot be used; the message names the row.
            ConfigurationError: `reading` does not fit the table, the run knows nothing of paths, or `horizon` or
                `quantiles` is more than it has learned.
        """
        levels = self.chosen_levels(quantiles)
        sources = [self.open(table, reading) for table in listed(tables)]
        found = [reconciled(each, sums or {}, reconciliation) for each in self.forecasts(sources, samples, horizon)]
        frames = [self.to_frame(forecasts, levels) for forecasts in found]
        return frames if is_several(tables) else frames[0]

    def answers(self, files: Sequence[str]) -> list[dict[str, Any]]:
        """Returns the answers as JSON holds them."""
        return [{"forecast": each.to_dict("records")} for each in self.forecast(list(files))]

    @checked
    def explain(self, tables: Tables, reading: Mapping[str, Any] | None = None) -> pd.DataFrame | list[pd.DataFrame]:
        """Returns what the forecast of a table looked at, or those of each of several.

        Each covariate, and each stretch of the past of the targets, is hidden once (occlusion).

        Args:
            tables: as of `forecast`.
            reading: as of `forecast`.

        Returns:
            A row for each series, target and input, the largest first: `series`, `target`, `input`, and in the target's
            units, as means over the horizon, the `change` of the median because the input is known, and its `size`.

        Raises:
            SeriesDataError: a table cannot be used; the message names the row.
        """
        frames = [self.to_influences(self.open(table, reading)) for table in listed(tables)]
        return frames if is_several(tables) else frames[0]

    def to_influences(self, source: Source) -> pd.DataFrame:
        """Returns what `explain` does, of an opened table."""
        return pd.DataFrame(self.influences(source, self.explained_steps), columns=list(Influence._fields))

    @checked
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

    @checked
    def stream(
        self, series: str = "", history: UserTable | None = None, reading: Mapping[str, Any] | None = None
    ) -> Stream:
        """Returns a stream that takes one row at a time, and forecasts after each.

        Args:
            series: its name. Default: that of the only series of the training, or of the history. One of unknown name
                needs a `history`, by which it is scaled.
            history: what came before, as a table of `forecast`; its known future is not read.
            reading: as of `forecast`, for the history and for the rows.

        Raises:
            ConfigurationError: the series is not known, and there is no history.
        """
        names, columns = self.description.names, self.description.columns
        configuration = self.table_configuration(reading)
        name = series or (names[0] if len(names) == 1 else "")

        def derive(source: Source) -> Source:
            return derived(source, configuration, columns)

        def selected(source: Source) -> Source:
            """Leaves out columns that the training did not have, unless columns are derived from them."""
            made = self.configuration.data.log_returns or self.configuration.data.neighbours
            return source if made else derive(source)

        before = None if history is None else selected(self.measured(history, reading))
        if before is None:
            refuse_unknown(name, names)
        else:
            found = [each.name for each in before.series]
            name = name or (found[0] if len(found) == 1 else "")
            if name not in found:
                raise SeriesDataError(
                    f"The history has no such series. Expected one of {', '.join(found)}. Name it: "
                    f"stream({found[0]!r}, history=…). Received: {name!r}"
                )

        def measured(frame: pd.DataFrame) -> Source:
            unnamed = not set(configuration.series) <= set(frame.columns) and not self.configuration.data.neighbours
            of_rows = {name: value for name, value in (reading or {}).items() if name != "sheet"}  # of the history
            return selected(self.measured(frame, of_rows, series=() if unnamed else configuration.series))

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

    def measured(
        self, table: UserTable, reading: Mapping[str, Any] | None = None, series: tuple[str, ...] | None = None
    ) -> Source:
        """Returns the series of a table as they were measured, before columns are derived from them.

        Args:
            table: as of `forecast`.
            reading: as of `forecast`.
            series: the columns that name series. Default: as `reading` or the training has it.
        """
        names, configuration = self.description.names, self.table_configuration(reading)
        if series is not None:
            configuration = configuration.replace(series=series)
        is_book = isinstance(table, str | Path) and plain_suffix(Path(table)) in EXCEL
        if not (is_book or (reading or {}).get("sheet")):  # only books have the sheet of the training
            configuration = configuration.replace(sheet="")
        learned = self.description
        source = open_measured(configuration, learned.columns, learned.clock, table, learned.known_offsets)
        if len(names) == 1 and not configuration.series:  # the one that was learned, whatever the file is called now
            source = source._replace(series=[source.series[0]._replace(name=names[0])])
        return source

    def table_configuration(self, reading: Mapping[str, Any] | None) -> DataConfiguration:
        """Returns how a table is read: as in training, but for `reading`."""
        changed = {name: value for name, value in TableOptions(**(reading or {})) if value}
        targets = self.configuration.data.targets or self.targets  # a built-in data set has its own by default
        return self.configuration.data.replace(source="table", path="", targets=targets, **changed)

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


def _until_measured(series: Series, columns: Columns) -> Series:
    """Returns a series without the steps of the future."""
    return data.divide(series, columns._replace(known=()), 0)[0]


def listed(tables: Tables) -> Sequence[UserTable]:
    """Returns one table or several as a list."""
    return tables if is_several(tables) else [tables]  # type: ignore[return-value]


def is_several(tables: Tables) -> bool:
    """Whether there is a list of tables, and not of rows, as of `to_dict("records")`."""
    return isinstance(tables, list | tuple) and not all(
        isinstance(each, Mapping) and not any(np.ndim(cell) for cell in each.values()) for each in tables or [()]
    )


def load(run: Run) -> Predictor:
    """Returns the predictor of a finished run."""
    forecaster = load_model(run)
    return Predictor(run, Served(signatures(forecaster) | {READ: reading(forecaster)}))
