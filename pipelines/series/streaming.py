"""Reads a series on and on: a forecast after each step, in constant time."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import tensorflow as tf

from pipelines import commands
from pipelines.arguments import checked
from pipelines.configuration import ConfigurationError
from pipelines.predictors import BaseStream
from pipelines.series.calendar import Clock, future_times, month_parts
from pipelines.series.cleaning import INFINITE
from pipelines.series.regular import Columns, Series, SeriesDataError, summary, time_text
from pipelines.series.sources import UNKNOWN_COLUMN, Source
from pipelines.series.table_files import FRAME
from pipelines.served import Served

STEPS_AT_ONCE = 1024
LONG = 65_536  # steps from which on to compile what reads them takes less time than it saves
READ = "read"
"""The signature that reads a part of a long history, of a predictor in memory; see `serving.reading`."""
REMEMBERED = 600  # rows that log returns are made of; what is older has a weight below 1e-15 in their volatility

Row: TypeAlias = Mapping[str, Any] | pd.Series | pd.DataFrame


class Reader:
    """Reads the steps of a series by the signature `steps`.

    Args:
        model: the signatures.
        columns: of the series.
        horizon: steps ahead.
        name: of the series.
        history: by which a series of unknown name is scaled, if there is one.
    """

    def __init__(self, model: Served, columns: Columns, horizon: int, name: str, history: Series | None = None) -> None:
        self._model, self._columns, self._horizon = model, columns, horizon
        if history is None:
            self._state = model("initial_state", series=[name])
        else:
            lengths = lengths_of(model, "history_state", [len(history.times)])
            self._state = model("history_state", history=_values(history)[np.newaxis], series=[name], **lengths)

    def read(self, series: Series, future: np.ndarray | None = None, first: int = 0) -> Iterator[dict[str, np.ndarray]]:
        """Yields `quantiles` (time, horizon, targets, levels), `mean` and the next `times`, some steps at a time.

        Args:
            series: the next steps.
            future: (horizon, known), what is known of the steps after them. Default: nothing.
            first: of the steps, those before it having been read.
        """
        targets = len(self._columns.targets)
        for answer in self._ask("steps", range(first, len(series.times), STEPS_AT_ONCE), series, future):
            shape = (answer["mean"].shape[1], self._horizon, targets)
            yield {
                "quantiles": answer["quantiles"].reshape(*shape, -1),
                "mean": answer["mean"].reshape(shape),
                "times": answer["times"][0],
            }

    def read_last(self, series: Series, future: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Returns what `read` yields last; a long history is read by what XLA compiles, where the model is in memory.

        Args:
            series: the next steps.
            future: as of `read`.
        """
        first = 0
        if is_compiled(self._model, len(series.times)):
            size = self._model.inputs(READ)["times"].shape[1]
            first = (len(series.times) - 1) // size * size
            for _ in self._ask(READ, range(0, first, size), series, future):
                pass
        return [*self.read(series, future, first)][-1]

    def _ask(
        self, signature: str, starts: range, series: Series, future: np.ndarray | None
    ) -> Iterator[dict[str, np.ndarray]]:
        """Yields what a signature answers of each part of the steps, and keeps the state."""
        values, known = _values(series), len(self._columns.known)
        if future is None:
            future = np.full((self._horizon, known), np.nan, np.float32)
        ahead = np.concatenate([values[:, values.shape[1] - known :], future])
        for start in starts:
            end = min(start + starts.step, len(values))
            inputs = {"observations": values[np.newaxis, start:end], "times": series.times[np.newaxis, start:end]}
            if known:
                inputs["future"] = ahead[np.newaxis, end : end + self._horizon]
            answer = self._model(signature, **inputs, **self._state)
            self._state = {name: answer.pop(name) for name in self._state}
            yield answer


def is_compiled(model: Served, steps: int) -> bool:
    """Whether a history of so many steps is read by what XLA compiles."""
    return steps >= LONG and READ in model


class Stream(BaseStream):
    """Forecasts after each row of one series.

    Args:
        reader: reads the series.
        columns: of the training.
        clock: of its steps.
        horizon: steps ahead.
        name: of the series.
        measured: returns the series of a data frame as they were measured.
        derived: returns them with the columns of the training.
        to_frame: returns the forecast of a history from `times`, `quantiles`, `mean` and the zone of its times.
        history: what came before, as `measured` returns it.
    """

    def __init__(
        self,
        reader: Reader,
        columns: Columns,
        clock: Clock,
        horizon: int,
        name: str,
        measured: Callable[[pd.DataFrame], Source],
        derived: Callable[[Source], Source],
        to_frame: Callable[..., pd.DataFrame],
        history: Source | None = None,
    ) -> None:
        self._reader, self._columns, self._clock, self._horizon, self._name = reader, columns, clock, horizon, name
        self._measured, self._derived, self._to_frame = measured, derived, to_frame
        self._before: dict[str, Series] = {}
        self._answer: pd.DataFrame | None = None
        self._reported: set[str] = set()
        if history is not None:
            self._read(history, None)

    @checked
    def feed(self, row: Row, future: pd.DataFrame | Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Takes what was measured at the next step, and returns the forecast after it, as `Predictor.forecast` does.

        Steps that were left out are taken as missing. What else is repaired is printed on standard error, each kind
        once.

        Args:
            row: a dictionary, or a row of a data frame, with its time; where series see the past of their neighbours, a
                data frame with a row for each series.
            future: a data frame or a dictionary of the columns that are known in the future, the next `horizon` steps
                of each in their order.

        Raises:
            SeriesDataError: the row cannot be read, holds an infinite value, is not after the last one, or `future` is
                not whole; or a dictionary has a column that the training did not have.
            ConfigurationError: the stream has finished.
        """
        self._refuse_finished()
        return self._read(self._source(row), self._known(future))

    def finish(self) -> pd.DataFrame:
        """Returns the forecast after the last row.

        Raises:
            SeriesDataError: there was no row.
            ConfigurationError: the stream has finished.
        """
        self._refuse_finished()
        if self._answer is None:
            raise SeriesDataError("The stream has no row. Expected one at least. Feed some first. Received: 0 rows")
        self._finished = True
        return self._answer

    def _read(self, source: Source, future: np.ndarray | None) -> pd.DataFrame:
        joined = [self._joined(series) for series in source.series]
        new = len(joined[0].times) - len(self._before[self._name].times if self._before else ())
        derived = self._derived(source._replace(series=joined))
        history = next(series for series in derived.series if series.name == self._name)
        end = len(history.times)
        last = self._reader.read_last(history.cut(end - new, end), future)
        kept = 1 if history.levels is None else REMEMBERED
        self._before = {each.name: each.cut(max(0, len(each.times) - kept), len(each.times)) for each in joined}
        self._answer = self._to_frame(
            history, last["times"], last["quantiles"][-1], last["mean"][-1], source.clock.zone
        )
        return self._answer

    def _source(self, row: Row) -> Source:
        """Returns the series of a row, the one of this stream among them."""
        if isinstance(row, pd.DataFrame):
            frame = row
        else:
            frame = pd.DataFrame([row if isinstance(row, pd.Series) else dict(row)]).infer_objects()
            if isinstance(row, pd.Series) and not isinstance(frame.index, pd.DatetimeIndex):
                frame = frame.reset_index(drop=True)
        source = self._measured(frame)
        self._report(source, isinstance(row, Mapping))
        if [each.name for each in source.series] == [FRAME.name]:  # no column names it
            source = source._replace(series=[source.series[0]._replace(name=self._name)])
        names = [each.name for each in source.series]
        if self._name not in names or (self._before and set(names) != set(self._before)):
            expected = ", ".join(self._before) or self._name
            raise SeriesDataError(
                f"The row is of another series. Expected {expected}. Give the rows of each series to a stream of its "
                f"own. Received: {', '.join(names)}"
            )
        width = next(iter(self._before.values())).values.shape[1] if self._before else len(source.columns.all)
        if len(source.columns.all) != width:
            raise SeriesDataError(
                f"The row has other columns than the rows before. Expected {width}. Give the same ones each time. "
                f"Received: {', '.join(source.columns.all)}"
            )
        return source

    def _report(self, source: Source, is_written: bool) -> None:
        """Refuses what no measured row holds, and reports other repairs once."""
        refused = {INFINITE: "infinite values; expected finite numbers, and None where one is missing"}
        if is_written:  # for this stream, and not a line of a table
            refused[UNKNOWN_COLUMN] = (
                f"a column that the training did not have; expected {', '.join(self._columns.all)}"
            )
        for what, problem in refused.items():
            if found := sorted({repair.column for repair in source.repairs if repair.what == what}):
                raise SeriesDataError(
                    f"The row has {problem}. Correct it or leave it out. Received: {', '.join(found)}"
                )
        for line in summary(source.repairs):
            if line not in self._reported:
                self._reported.add(line)
                commands.report_done(f"Repaired: {line}")

    def _joined(self, series: Series) -> Series:
        """Returns what is remembered of a series, missing steps, and new ones."""
        if series.name not in self._before:
            return series
        before = self._before[series.name]
        missing = missing_steps(int(before.times[-1]), int(series.times[0]), self._clock, series.name)
        gap = np.full((len(missing), before.values.shape[1]), np.nan, np.float32)
        values = np.concatenate([before.values, gap, series.values])
        times = np.concatenate([before.times, missing, series.times])
        return Series(series.name, times, values, np.isfinite(values), offset=before.offset)

    def _known(self, future: pd.DataFrame | Mapping[str, Any] | None) -> np.ndarray | None:
        if not (known := self._columns.known):
            if future is not None:
                raise SeriesDataError(
                    "The network knows no column of the future. Expected none. Leave `future` out. "
                    f"Received: {', '.join(map(str, future))}"
                )
            return None
        given = pd.DataFrame() if future is None else pd.DataFrame(future)
        if set(known) <= set(given.columns) and len(given) == self._horizon:
            values = given[list(known)].apply(pd.to_numeric, errors="coerce").to_numpy(np.float32)
            if np.isfinite(values).all():
                return values
        raise SeriesDataError(
            f"`future` needs the columns {', '.join(known)} of the next {self._horizon} steps, as numbers. Give all of "
            f"them. Received: {len(given)} steps of {', '.join(map(str, given.columns)) or 'no column'}"
        )


def lengths_of(model: Served, signature: str, lengths: list[int]) -> dict[str, list[int]]:
    """Returns the input `lengths` of a signature; none of an earlier export, which does not take it."""
    return {"lengths": lengths} if "lengths" in model.inputs(signature) else {}


def missing_steps(last: int, time: int, clock: Clock, name: str) -> np.ndarray:
    """Returns the times of the steps between the last one and the next that came.

    Args:
        last: seconds since 1970.
        time: of the next step.
        clock: of the steps.
        name: of the series, for messages.

    Raises:
        SeriesDataError: the time is not after the last one, or beside the clock.

    Example:
        >>> missing_steps(0, 10_800, Clock(3600, "clock"), "a")
        array([3600, 7200])
    """
    problem = ""
    ahead = np.zeros(0, np.int64)
    if time <= last:
        problem = "is not after the last one"
    elif clock.calendar != "business":  # there, rows are steps in their order
        count = (time - last) // clock.step_seconds + 1
        ahead = future_times(tf.constant([last]), count, *clock)[0].numpy()
        if clock.calendar == "month":
            ahead = ahead[month_parts(ahead, clock.slots) < month_parts(time, clock.slots)]
        elif (time - last) % clock.step_seconds:
            problem = f"is beside the clock, which has a step every {clock.step_seconds} seconds"
        else:
            ahead = ahead[ahead < time]
    if problem:
        raise SeriesDataError(
            f"The time of a row of the series {name!r} {problem}. Expected a step after {time_text(last)} UTC. Sort or "
            f"round the rows. Received: {time_text(time)} UTC"
        )
    return ahead


def refuse_unknown(name: str, names: tuple[str, ...]) -> None:
    """Refuses a stream of an unknown series without a history.

    Raises:
        ConfigurationError: the name is not among those of the training.
    """
    if name not in names:
        raise ConfigurationError(
            f"The series is not one of the training, and nothing says its scale. Expected one of {', '.join(names)}, "
            f"or a history of it. Give `history`. Received: {name!r}"
        )


def _values(series: Series) -> np.ndarray:
    """Returns values (time, columns), NaN where they were not observed."""
    return np.where(series.observed, series.values, np.nan).astype(np.float32)
