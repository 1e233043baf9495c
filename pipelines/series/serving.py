"""What a server runs: a history in, quantiles and means of the steps ahead out, in stock TensorFlow operations."""

from typing import Any

import tensorflow as tf

from pipelines.series.calendar import Calendar, future_times
from pipelines.series.model import Forecaster, State
from pipelines.series.observations import finite

SMALLEST_DEVIATION = 1e-3  # of a history, beside that of training

Tensors = dict[str, tf.Tensor]


def served(forecaster: Forecaster, step_seconds: int, calendar: Calendar) -> tuple[tf.Module, dict[str, Any]]:
    """Returns a module that holds the weights, and the functions to serve by name.

    `serving_default` takes a `history` (batch, time, columns) in the data's own units, NaN where a value is missing,
    its `times` (batch, time) in seconds since 1970, the names `series` (batch,), and, where there are columns that are
    known in the future, these as `future` (batch, horizon, known). It returns `quantiles` (batch, horizon, levels),
    `mean` (batch, horizon), and the `times` of the steps ahead (batch, horizon). Several targets have a dimension of
    their own after the horizon. A shorter history than the others of a batch is preceded by rows of NaN.

    `initial_state` makes a state from the names `series`; `step` takes one `observation` (batch, columns), its `time`
    (batch,), and the state before it, and returns the same as `serving_default` and the state after it.
    """
    module = tf.Module()
    # The variables alone: a tracked Keras model would bring objects that a loader without Keras cannot make.
    module.served = [weight.value for weight in forecaster.variables]
    columns, known = len(forecaster.columns.all), len(forecaster.columns.known)
    future = {"future": tf.TensorSpec((None, forecaster.horizon, known), name="future")} if known else {}
    clock = (step_seconds, calendar)

    whole = tf.function(
        lambda history, times, series, **future: forecast(forecaster, clock, history, times, series, **future)
    )
    begin = tf.function(lambda series: _flat(forecaster.initial_state(number_of(forecaster, series))))
    step = tf.function(
        lambda observation, time, future=None, **state: stream(forecaster, clock, observation, time, state, future)
    )
    state = {
        name: tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype, name=name)
        for name, tensor in _flat(forecaster.initial_state(tf.constant([0]))).items()
    }
    names = tf.TensorSpec((None,), tf.string, name="series")
    return module, {
        "serving_default": whole.get_concrete_function(
            tf.TensorSpec((None, None, columns), name="history"),
            tf.TensorSpec((None, None), tf.int64, name="times"),
            names,
            **future,
        ),
        "initial_state": begin.get_concrete_function(names),
        "step": step.get_concrete_function(
            tf.TensorSpec((None, columns), name="observation"),
            tf.TensorSpec((None,), tf.int64, name="time"),
            **future,
            **state,
        ),
    }


def number_of(forecaster: Forecaster, series: tf.Tensor) -> tf.Tensor:
    """The number of each name (batch,); that of an unknown name is how many there are."""
    equal = series[:, tf.newaxis] == tf.constant(forecaster.names)
    number = tf.argmax(equal, axis=1, output_type=tf.int32)
    return tf.where(tf.reduce_any(equal, axis=1), number, len(forecaster.names))


def forecast(
    forecaster: Forecaster,
    clock: tuple[int, Calendar],
    history: tf.Tensor,
    times: tf.Tensor,
    series: tf.Tensor,
    future: tf.Tensor | None = None,
) -> Tensors:
    """Forecasts after the last step of each history."""
    steps = tf.shape(history)[1]
    message = "history: expected a step at least, (batch, time, columns). Give what came before. Received: steps"
    with tf.control_dependencies([tf.debugging.Assert(steps > 0, [message, steps])]):  # before anything else is tried
        return _forecast(forecaster, clock, history, times, start(forecaster, history, series), future)[0]


def start(forecaster: Forecaster, history: tf.Tensor, series: tf.Tensor) -> State:
    """The state before a history; a series of unknown name is scaled by what comes in it."""
    state = forecaster.initial_state(number_of(forecaster, series))
    unknown = (state["series"] == len(forecaster.names))[:, tf.newaxis]
    mean, deviation = _statistics(history, state["mean"], state["deviation"], forecaster.targets)
    state["mean"] = tf.where(unknown, mean, state["mean"])
    state["deviation"] = tf.where(unknown, deviation, state["deviation"])
    return state


def stream(
    forecaster: Forecaster,
    clock: tuple[int, Calendar],
    observation: tf.Tensor,
    time: tf.Tensor,
    state: Tensors,
    future: tf.Tensor | None = None,
) -> Tensors:
    """Takes one observation (batch, columns) and the state before it; returns the forecast and the state after it."""
    inputs = observation[:, tf.newaxis], time[:, tf.newaxis]
    answer, after = _forecast(forecaster, clock, *inputs, _nested(state, forecaster), future)
    return answer | _flat(after)


def _forecast(
    forecaster: Forecaster,
    clock: tuple[int, Calendar],
    history: tf.Tensor,
    times: tf.Tensor,
    state: State,
    future: tf.Tensor | None,
) -> tuple[Tensors, State]:
    ahead = future_times(times[:, -1], forecaster.horizon, *clock)
    batch, known = tf.shape(history)[0], len(forecaster.columns.known)
    unknown = tf.zeros((batch, forecaster.horizon, len(forecaster.columns.all) - known))
    rows = unknown if future is None else tf.concat([unknown, future], axis=-1)
    values = tf.concat([history, rows], axis=1)
    inputs = finite(values), tf.math.is_finite(values), tf.concat([times, ahead], axis=1)
    quantiles, mean, after = forecaster.forecast(*inputs, state, origins=tf.shape(history)[1:2] - 1)
    quantiles, mean = quantiles[:, 0], mean[:, 0]
    if forecaster.targets == 1:
        quantiles, mean = quantiles[:, :, 0], mean[:, :, 0]
    return {"quantiles": quantiles, "mean": mean, "times": ahead}, after


def _statistics(history: tf.Tensor, mean: tf.Tensor, deviation: tf.Tensor, targets: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and deviation (batch, columns) of histories; those given for columns that vary too little to tell.

    A target that never varied has a small deviation, so that it is forecast as it is; another column may yet vary.
    """
    observed = tf.math.is_finite(history)
    count = tf.maximum(tf.reduce_sum(tf.cast(observed, tf.float32), axis=1), 1.0)
    own_mean = tf.reduce_sum(finite(history), axis=1) / count
    squares = tf.where(observed, (history - own_mean[:, tf.newaxis]) ** 2, 0.0)
    own_deviation = tf.sqrt(tf.reduce_sum(squares, axis=1) / count)
    smallest = SMALLEST_DEVIATION * deviation
    is_target = tf.range(history.shape[-1]) < targets
    varies = (own_deviation > smallest) | (is_target & (count > 1))
    own_deviation = tf.maximum(own_deviation, smallest)
    return tf.where(count > 1, own_mean, mean), tf.where(varies, own_deviation, deviation)


def _flat(state: State) -> Tensors:
    """The network's state as named tensors, as a signature wants it."""
    recurrent = {
        f"recurrent_{member}_{layer}_{part}": tensor
        for member, layers in enumerate(state["recurrent"])
        for layer, parts in enumerate(layers)
        for part, tensor in enumerate(parts)
    }
    return {f"state_{name}": tensor for name, tensor in state.items() if name != "recurrent"} | recurrent


def _nested(tensors: Tensors, forecaster: Forecaster) -> State:
    """The network's state from its named tensors; inverse of `_flat`."""
    state = {name.removeprefix("state_"): tensor for name, tensor in tensors.items() if name.startswith("state_")}
    like = forecaster.initial_state(tensors["state_series"])["recurrent"]
    state["recurrent"] = [
        [
            [tensors[f"recurrent_{member}_{layer}_{part}"] for part in range(len(parts))]
            for layer, parts in enumerate(layers)
        ]
        for member, layers in enumerate(like)
    ]
    return state
