"""A trained forecaster, as it lies in a run folder."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from pipelines.preparation import built, description_of, trained_model
from pipelines.runs import Run
from pipelines.series.calendar import Calendar, Clock
from pipelines.series.config import SeriesConfiguration
from pipelines.series.data import Sets, Split, origins, with_validation
from pipelines.series.forecasting import read_on
from pipelines.series.model import Forecaster
from pipelines.series.regular import Columns

OLD_DESCRIPTION = "series.json"  # of runs of 0.1
CALIBRATION = "calibration.json"
SERIES_AT_ONCE = 32  # more, where they are short
STEPS_AT_ONCE = 1024


class Description(NamedTuple):
    """What a forecaster was trained on: the `names` of the series, their `columns`, `clock`, and `offsets`."""

    names: tuple[str, ...]
    columns: Columns
    clock: Clock
    offsets: Mapping[str, Sequence[float]] = {}

    @property
    def known_offsets(self) -> dict[str, Sequence[float]]:
        """What is taken away from the targets of each series that was learned."""
        known = dict(self.offsets) | {name: self.offsets.get(name, (0.0,)) for name in self.names}
        return known | ({"": known[self.names[0]]} if len(self.names) == 1 else {})  # whatever its file is called

    @classmethod
    def of(cls, sets: Sets, others: Mapping[str, Sequence[float]] | None = None) -> "Description":
        """Describes what is learned from; `others` is what is taken away from series that are not."""
        offsets = {each.name: np.atleast_1d(each.offset).tolist() for each in sets.series if np.any(each.offset)}
        offsets |= {name: list(each) for name, each in (others or {}).items()}
        return cls(tuple(each.name for each in sets.series), sets.columns, sets.clock, offsets)

    def to_json(self) -> dict[str, Any]:
        """Returns the arguments of `build`, as JSON has them."""
        columns = self.columns._asdict()
        if not self.columns.static:  # as runs wrote them that knew none
            del columns["static"]
        offsets = {"offsets": self.offsets} if self.offsets else {}
        return {"names": self.names, "columns": columns, **self.clock._asdict(), **offsets}

    @classmethod
    def of_run(cls, run: Run) -> "Description":
        """Reads what a run's forecaster was built from."""
        values = description_of(run, OLD_DESCRIPTION)
        columns = Columns(**{name: tuple(each) for name, each in values["columns"].items()})
        clock = _clock_of(run.read_configuration(SeriesConfiguration), **values)
        return cls(tuple(values["names"]), columns, clock, values.get("offsets", {}))


def learned_sets(configuration: SeriesConfiguration, sets: Sets) -> Sets:
    """Returns the series as a training divides them: with `fold_days` it learns from the validation period as well."""
    return with_validation(sets) if configuration.network.fold_days else sets


class Forecasted(NamedTuple):
    """The forecasts of one series from the `origins` (origins,) of a split, and what came."""

    series: int
    origins: np.ndarray
    quantiles: np.ndarray  # (origins, horizon, targets, levels)
    mean: np.ndarray  # (origins, horizon, targets)
    truth: np.ndarray  # (origins, horizon, targets), NaN where it is not known


def forecast_split(
    forecaster: Forecaster,
    sets: Sets,
    split: Split,
    window: int | None = None,
    stride: int = 1,
    chosen: Sequence[int] | None = None,
    adapting: bool = False,
) -> Iterator[Forecasted]:
    """Forecasts from the origins of a split, one series after another.

    Nothing after an origin reaches its forecast, for the encoder reads in one direction; only columns whose future is
    known are read ahead.

    Args:
        forecaster: for series with these columns.
        sets: the series; unknown names get the mean embedding.
        split: where the forecasts are.
        window: steps of history that are read before the first origin. Default: all of them.
        stride: every so many origins.
        chosen: numbers of the series. Default: all of them.
        adapting: intervals follow the errors up to each origin, as where a model serves.
    """
    numbers = range(len(sets.series)) if chosen is None else chosen
    found = {number: np.array(origins(sets, number, split, forecaster.horizon))[::stride] for number in numbers}
    numbers = [number for number in numbers if len(found[number])]
    lengths = [found[number][-1] - (0 if window is None else max(found[number][0] - window, 0)) for number in numbers]
    at_once = max(SERIES_AT_ONCE, SERIES_AT_ONCE * STEPS_AT_ONCE // (max(lengths, default=0) + forecaster.horizon + 1))
    for first in range(0, len(numbers), at_once):
        yield from _forecast_some(forecaster, sets, found, numbers[first : first + at_once], window, adapting)


def _forecast_some(
    forecaster: Forecaster,
    sets: Sets,
    steps: dict[int, np.ndarray],
    numbers: list[int],
    window: int | None,
    adapting: bool,
) -> Iterator[Forecasted]:
    """Series in one batch that end together; nothing was observed before the first step of the shorter ones."""
    ends = {number: steps[number][-1] + forecaster.horizon + 1 for number in numbers}
    starts = {number: 0 if window is None else max(0, steps[number][0] - window + 1) for number in numbers}
    time = max(ends[number] - starts[number] for number in numbers)

    def batch(arrays: list[np.ndarray]) -> np.ndarray:
        parts = []
        for number, array in zip(numbers, arrays, strict=True):
            part = array[starts[number] : ends[number]]
            parts.append(np.pad(part, [(time - len(part), 0), *[(0, 0)] * (part.ndim - 1)]))
        return np.stack(parts)

    series = [sets.series[number] for number in numbers]
    values, observed = batch([each.values for each in series]), batch([each.observed for each in series])
    names = np.array([forecaster.number_of(each.name) for each in series], np.int32)
    shifts = {number: time - ends[number] for number in numbers}
    wanted = np.unique(np.concatenate([steps[number] + shifts[number] for number in numbers]))
    inputs = (values, observed, batch([each.times for each in series]), names)
    quantiles, mean = read_parts(forecaster, inputs, wanted, adapting)  # (batch, wanted, horizon, targets, …)
    truth, known = forecaster.truth(values, observed)  # (batch, time, horizon, targets)
    truth = np.where(known, truth, np.nan)
    for row, number in enumerate(numbers):
        at = steps[number] + shifts[number]
        place = np.searchsorted(wanted, at)
        yield Forecasted(number, steps[number], quantiles[row, place], mean[row, place], truth[row, at])


def read_parts(
    forecaster: Forecaster,
    inputs: tuple[np.ndarray, ...],
    wanted: np.ndarray,
    adapting: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns quantiles and means after the `wanted` steps, some at a time: memory is bounded.

    Args:
        forecaster: what reads.
        inputs: `values`, `observed`, `times` and `series`, as of `forecasting.read`.
        wanted: (origins,), rising.
        adapting: as of `forecasting.forecast`.
    """
    *parts, series = inputs
    state = forecaster.initial_state(series)
    forecasts = []
    for start in range(0, parts[0].shape[1] - forecaster.horizon, STEPS_AT_ONCE):
        end = min(start + STEPS_AT_ONCE, parts[0].shape[1] - forecaster.horizon)
        values, observed, times = (part[:, start : end + forecaster.horizon] for part in parts)
        chosen = wanted[(start <= wanted) & (wanted < end)] - start
        quantiles, mean, state = read_on(forecaster, values, observed, times, state, chosen.astype(np.int32), adapting)
        forecasts.append((quantiles, mean))
    quantiles, mean = (np.concatenate(each, axis=1) for each in zip(*forecasts, strict=True))
    return quantiles, mean


def build(
    configuration: SeriesConfiguration,
    names: Sequence[str],
    columns: Mapping[str, Sequence[str]],
    step_seconds: int,
    **clock: Any,
) -> Forecaster:
    """Returns an untrained forecaster, its weights made; arguments as `Description.to_json` returns them."""
    horizon = configuration.data.horizon
    forecaster = Forecaster(
        configuration.network,
        Columns(**{kind: tuple(each) for kind, each in columns.items()}),
        tuple(names),
        horizon,
        _clock_of(configuration, step_seconds, **clock),
        cumulative=configuration.data.log_returns,
        seed=configuration.seed,
    )
    shape = (1, 1 + horizon, len(forecaster.columns.all))
    times, series = tf.zeros(shape[:2], tf.int64), tf.zeros((1,), tf.int32)
    return built(forecaster, tf.zeros(shape), tf.ones(shape, tf.bool), times, series)


def _clock_of(
    configuration: SeriesConfiguration,
    step_seconds: int,
    calendar: Calendar | None = None,
    zone: str = "",
    slots: Sequence[int] = (),
    **_: Any,
) -> Clock:
    """The clock of a description; before 0.2 it held the step alone, and days were those of UTC."""
    if calendar is None:
        assert configuration.data.calendar != "auto"  # which 0.1 did not have
        calendar = configuration.data.calendar
    return Clock(step_seconds, calendar, zone, tuple(slots))


def save_calibration(run: Run, forecaster: Forecaster) -> None:
    """Writes `calibration.json`.

    It holds by what quantiles are stretched, (horizon, targets, levels), and how errors depend on each other, (horizon
    · targets, horizon · targets).
    """
    run.write_json(CALIBRATION, {"widening": forecaster.widening.numpy(), "correlation": forecaster.correlation})


def load_model(run: Run) -> Forecaster:
    """Returns the forecaster of a finished run, with its trained weights and its calibration.

    Raises:
        RunError: the run was not trained to its end, or its weights do not fit the forecaster.
    """
    forecaster = trained_model(run, run.read_configuration(SeriesConfiguration), build, OLD_DESCRIPTION)
    calibration = run.read_json(CALIBRATION)
    forecaster.widening.assign(calibration["widening"])
    forecaster.correlation = np.array(calibration.get("correlation", np.zeros((0, 0))))
    return forecaster
