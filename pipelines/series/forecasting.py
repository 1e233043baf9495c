"""Forecasts by a forecaster: all steps at once or by paths, calibrated, and adapted to recent errors."""

from functools import partial
from typing import Any

import tensorflow as tf

from pipelines.series.calibration import Adaptation, adapt, widened
from pipelines.series.inputs import has_started
from pipelines.series.model import Forecaster, State
from pipelines.series.sampling import forecast_paths

STEPS_AT_ONCE = 4096  # of a long history


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
    truth = forecaster.scaled(values[:, first:time, : forecaster.targets])
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


def read_on(
    forecaster: Forecaster,
    values: tf.Tensor,
    observed: tf.Tensor,
    times: tf.Tensor,
    state: State,
    origins: tf.Tensor,
    adapting: bool = True,
) -> tuple[tf.Tensor, tf.Tensor, State]:
    """As `forecast`; traced once for all sizes, then fast."""
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
        forecaster.traced[kind] = tf.function(function, specification)
    return forecaster.traced[kind](values, observed, times, state, origins)
