"""Forecasts by a forecaster: all steps at once or by paths, calibrated, adapted to recent errors; and of a split.

Where the network learns the distribution of the next step alone, paths are drawn, each going on from what it drew; of
several steps ahead, the quantiles are those of the paths (DeepAR: Salinas et al. 2020,
https://doi.org/10.1016/j.ijforecast.2019.07.001).
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from pipelines.series.calibration import Adaptation, adapt, widened
from pipelines.series.data import Sets, Split, origins
from pipelines.series.inputs import has_started
from pipelines.series.model import Forecaster, State

STEPS_AT_ONCE = 4096  # of a long history
SERIES_AT_ONCE = 32  # more, where they are short
STEPS_IN_MEMORY = 1024  # of series that are evaluated


def forecast(
    forecaster: Forecaster,
    values: tf.Tensor,
    observed: tf.Tensor,
    times: tf.Tensor,
    state: State,
    origins: tf.Tensor,
    adapting: bool = True,
) -> tuple[tf.Tensor, tf.Tensor, State]:
    """Returns quantiles and means as `Forecaster.quantiles` does, and the state after the last step of the history.

    Args:
        forecaster: the network.
        values: (batch, time + horizon, columns); this and the next four as of `Forecaster.call`.
        observed: of `values`.
        times: of `values`.
        state: before the first step.
        origins: steps after which to forecast.
        adapting: intervals follow the errors up to each origin, where the network is configured so.
    """
    network, levels = forecaster.network, forecaster.levels
    if network.decoder == "autoregressive":
        quantiles, mean, state = forecast_paths(forecaster, values, observed, times, state, origins)
        quantiles = widened(quantiles, forecaster.widening, levels.index(0.5))
        return *forecaster.within_bounds(quantiles, mean), state
    if not (adapting and network.adaptation_rate):
        prediction = forecaster(values, observed, times, state=state, origins=origins)
        return *forecaster.in_units(*forecaster.quantiles(prediction)), prediction.state
    time = tf.shape(values)[1] - forecaster.horizon
    is_new = times[:, :time] > state["learned_until"][:, tf.newaxis]
    counts = observed[:, :time, : forecaster.targets] & is_new[..., tf.newaxis]
    # Where no error teaches anything, the forecasts that are not due yet are enough.
    not_due = tf.minimum(tf.reduce_min(origins), tf.maximum(time - forecaster.horizon, 0))
    first = tf.where(tf.reduce_any(counts), 0, not_due)
    prediction = forecaster(values, observed, times, state=state, origins=tf.range(first, time))
    quantiles, mean = forecaster.quantiles(prediction)
    started = has_started(observed[:, :time], state["recent"])[:, first:]
    before = Adaptation(state["due"], state["stretch"])
    truth = prediction.values[:, first:time, : forecaster.targets]
    quantiles, after = adapt(quantiles, truth, counts[:, first:], started, before, levels, network.adaptation_rate)
    quantiles, mean = (tf.gather(tensor, origins - first, axis=1) for tensor in (quantiles, mean))
    return *forecaster.in_units(quantiles, mean), prediction.state | after._asdict()


def forecast_last(
    forecaster: Forecaster, values: tf.Tensor, observed: tf.Tensor, times: tf.Tensor, state: State
) -> tuple[tf.Tensor, tf.Tensor, State]:
    """As `forecast`, after the last step alone; a long history is read some steps at a time, so memory is bounded."""
    time = tf.shape(values)[1] - forecaster.horizon

    def read_part(first: tf.Tensor, before: tuple[tf.Tensor, tf.Tensor, State]) -> tuple[tf.Tensor, Any]:
        end = tf.minimum(first + STEPS_AT_ONCE, time)
        part = slice(first, end + forecaster.horizon)
        last = (end - 1 - first)[tf.newaxis]
        after = forecast(forecaster, values[:, part], observed[:, part], times[:, part], before[-1], last)
        pairs = zip(tf.nest.flatten(after), tf.nest.flatten(before), strict=True)
        shaped = [tf.ensure_shape(new, (None, *old.shape[1:])) for new, old in pairs]
        return end, tf.nest.pack_sequence_as(before, shaped)

    mean = tf.zeros((tf.shape(values)[0], 1, forecaster.horizon, forecaster.targets))
    start = tf.repeat(mean[..., tf.newaxis], len(forecaster.levels), axis=-1), mean, state
    shapes = tf.nest.map_structure(lambda one: tf.TensorShape((None, *one.shape[1:])), start)
    return tf.while_loop(lambda first, _: first < time, read_part, (0, start), (tf.TensorShape(()), shapes))[1]


def read(forecaster: Forecaster, *inputs: Any) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns quantiles and means after every step of whole histories: `values`, `observed`, `times`, `series`.

    A fifth input, `origins`, chooses steps.
    """
    values, observed, times, series, *origins = inputs
    chosen = origins[0] if origins else tf.range(tf.shape(values)[1] - forecaster.horizon)
    return read_on(forecaster, values, observed, times, forecaster.initial_state(series), chosen)[:2]


def read_on(forecaster: Forecaster, *inputs: Any, adapting: bool = True) -> tuple[tf.Tensor, tf.Tensor, State]:
    """As `forecast`, whose arguments these are; traced once for all sizes, then fast."""
    kind = adapting, forecaster.bounding
    if kind not in forecaster.traced:
        columns = len(forecaster.columns.all)
        start = forecaster.initial_state(tf.zeros((1,), tf.int32))
        specification = [
            tf.TensorSpec((None, None, columns)),
            tf.TensorSpec((None, None, columns), tf.bool),
            tf.TensorSpec((None, None), tf.int64),
            tf.nest.map_structure(lambda one: tf.TensorSpec((None, *one.shape[1:]), one.dtype), start),
            tf.TensorSpec((None,), tf.int32),
        ]
        function = partial(forecast, forecaster, adapting=adapting)
        forecaster.traced[kind] = tf.function(function, specification, autograph=False)
    return forecaster.traced[kind](*inputs)


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
    steps = max(lengths, default=0) + forecaster.horizon + 1
    at_once = max(SERIES_AT_ONCE, SERIES_AT_ONCE * STEPS_IN_MEMORY // steps)
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
    forecaster: Forecaster, inputs: tuple[np.ndarray, ...], wanted: np.ndarray, adapting: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Returns quantiles and means after the `wanted` steps, some at a time: memory is bounded.

    Args:
        forecaster: what reads.
        inputs: `values`, `observed`, `times` and `series`, as of `read`.
        wanted: (origins,), rising.
        adapting: as of `forecast`.
    """
    *parts, series = inputs
    state = forecaster.initial_state(series)
    forecasts = []
    for start in range(0, parts[0].shape[1] - forecaster.horizon, STEPS_IN_MEMORY):
        end = min(start + STEPS_IN_MEMORY, parts[0].shape[1] - forecaster.horizon)
        values, observed, times = (part[:, start : end + forecaster.horizon] for part in parts)
        chosen = (wanted[(start <= wanted) & (wanted < end)] - start).astype(np.int32)
        quantiles, mean, state = read_on(forecaster, values, observed, times, state, chosen, adapting=adapting)
        forecasts.append((quantiles, mean))
    quantiles, mean = (np.concatenate(each, axis=1) for each in zip(*forecasts, strict=True))
    return quantiles, mean


class Next(NamedTuple):
    """The forecast of the next step: `parameters` (batch, targets, parameters) of each member, and their units."""

    parameters: list[tf.Tensor]
    center: tf.Tensor  # (batch, targets)
    scale: tf.Tensor  # (batch, targets)


def forecast_paths(
    forecaster: Forecaster, values: tf.Tensor, observed: tf.Tensor, times: tf.Tensor, state: State, origins: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, State]:
    """Returns quantiles (batch, origins, horizon, targets, levels), means (batch, origins, horizon, targets), and the
    state after the last step of the history; arguments as of `Forecaster.call`, with `horizon` rows of the future.

    Every origin draws the same random numbers, so that a stream, a batch and a single series get the same forecast.
    """
    horizon, targets, count = forecaster.horizon, forecaster.targets, forecaster.network.paths
    batch, time = tf.shape(values)[0], tf.shape(values)[1] - horizon

    def after(carried: Any, step: tf.Tensor) -> Any:
        rows = tf.stack([step, step + 1])
        chunk = [tf.gather(tensor, rows, axis=1) for tensor in (values, observed, times)]
        return _advance(forecaster, chunk, carried[0])

    parameters = tf.zeros((batch, targets, forecaster.distribution.parameters))
    nothing = Next([parameters] * len(forecaster.members), tf.zeros((batch, targets)), tf.zeros((batch, targets)))
    states = tf.scan(after, tf.range(time), (state, nothing))  # (time, batch, …)
    last = tf.nest.map_structure(lambda tensor: tensor[-1], states[0])

    def starts(tensor: tf.Tensor) -> tf.Tensor:
        """What was there after each origin, once for each path: (origins · batch · paths, …)."""
        tensor = tf.gather(tensor, origins)  # (origins, batch, …)
        return tf.repeat(tf.reshape(tensor, (-1, *tensor.shape[2:])), count, axis=0)

    def ahead(tensor: tf.Tensor, steps: tf.Tensor) -> tf.Tensor:
        """The rows so many steps after each origin (origins · batch · paths, …)."""
        rows = tf.gather(tensor, tf.minimum(origins + steps, tf.shape(tensor)[1] - 1), axis=1)
        rows = tf.reshape(tf.transpose(rows, (1, 0, *range(2, len(rows.shape)))), (-1, *rows.shape[2:]))
        return tf.repeat(rows, count, axis=0)

    def draw(carried: Any, step: tf.Tensor) -> Any:
        state, drawn_from, _ = carried
        uniform = tf.tile(tf.gather(_stratified(horizon, count, targets), step - 1), (tf.size(origins) * batch, 1))
        member = tf.tile(tf.range(count) % len(drawn_from.parameters), (tf.size(origins) * batch,))
        chosen = tf.gather(tf.stack(drawn_from.parameters, axis=1), member, batch_dims=1)
        center, scale = drawn_from.center, drawn_from.scale
        drawn = center + scale * forecaster.distribution.sample(chosen, uniform, center, scale)  # (paths, targets)
        row, following = ahead(values, step), ahead(values, step + 1)
        row = tf.concat([drawn, row[:, targets:]], axis=1)
        seen = tf.concat([tf.ones_like(drawn, tf.bool), ahead(observed, step)[:, targets:]], axis=1)
        pairs = (row, following), (seen, ahead(observed, step + 1)), (ahead(times, step), ahead(times, step + 1))
        return *_advance(forecaster, [tf.stack(pair, axis=1) for pair in pairs], state), drawn

    state, drawn_from = tf.nest.map_structure(starts, states)
    begin = state, drawn_from, tf.zeros_like(drawn_from.center)
    *_, paths = tf.scan(draw, tf.range(1, horizon + 1), begin)  # (horizon, paths, …)
    paths = tf.reshape(paths, (horizon, tf.size(origins), batch, count, targets))
    paths = tf.transpose(paths, (2, 1, 0, 4, 3))  # (batch, origins, horizon, targets, paths)
    if forecaster.cumulative:
        paths = tf.cumsum(paths, axis=2)
    return _quantiles(paths, forecaster.levels), tf.reduce_mean(paths, axis=-1), last


def _advance(forecaster: Forecaster, chunk: list[tf.Tensor], state: State) -> tuple[State, Next]:
    """Reads the first of two rows of values, observed, times (batch, 2, …), and of the second what is known ahead."""
    prediction = forecaster(*chunk, state=state)
    parameters = [each[:, 0, 0] for each in prediction.parameters]
    return prediction.state, Next(parameters, prediction.center[:, 0, 0], prediction.scale[:, 0, 0])


def _stratified(horizon: int, count: int, targets: int) -> np.ndarray:
    """Numbers (horizon, paths, targets) in 0 … 1, of which one lies in each of as many equal parts as there are paths.

    Latin hypercube sampling (McKay et al. 1979, https://doi.org/10.2307/1268522): quantiles need fewer paths.
    """
    random = np.random.default_rng(0)
    orders = random.permuted(np.tile(np.arange(count)[:, np.newaxis], (horizon, 1, targets)), axis=1)
    return ((orders + 0.5) / count).astype(np.float32)


def _quantiles(paths: tf.Tensor, levels: tuple[float, ...]) -> tf.Tensor:
    """The quantiles (…, levels) of samples (…, paths), linear between two of them."""
    paths = tf.sort(paths, axis=-1)
    count = paths.shape[-1]
    position = np.clip(np.array(levels) * count - 0.5, 0, count - 1)  # a sample stands for the middle of its part
    low = np.minimum(position.astype(np.int32), count - 2)
    lower, upper = tf.gather(paths, low, axis=-1), tf.gather(paths, low + 1, axis=-1)
    return lower + (position - low).astype(np.float32) * (upper - lower)
