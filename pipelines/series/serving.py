"""What a server runs: a history in, quantiles and means of the steps ahead out, in stock TensorFlow operations."""

from functools import partial

import numpy as np
import tensorflow as tf

from pipelines import served
from pipelines.series import forecasting
from pipelines.series.calendar import future_times
from pipelines.series.dependence import draw_paths
from pipelines.series.inputs import finite
from pipelines.series.model import Forecaster, State
from pipelines.served import Signature, Tensors, required

HASHES = 2**62  # of names

SMALLEST_DEVIATION = 1e-3  # of a history, beside that of training
YEAR_10000 = 253_402_300_800  # seconds since 1970
MOST_DRAWN = 2**26  # numbers of the paths of a batch


def signatures(forecaster: Forecaster) -> dict[str, Signature]:
    """Returns the functions to serve by name.

    `serving_default` takes a `history` (batch, time, columns) in the data's own units, NaN where a value is missing,
    its `times` (batch, time) in seconds since 1970, how many steps count, `lengths` (batch,), the names `series`
    (batch,), and, where there are columns that are
    known in the future, these as `future` (batch, horizon, known). It returns `quantiles` (batch, horizon, levels),
    `mean` (batch, horizon), and the `times` of the steps ahead (batch, horizon). Several targets have a dimension of
    their own after the horizon. What stands behind the end of a shorter history, or as NaN before its first value, does
    not count.

    `initial_state` makes a state from the names `series`; `history_state` also takes the `history` and its `lengths`,
    by which a series of unknown name is scaled. `step` takes one `observation` (batch, columns), its `time` (batch,),
    and the state before it, and returns the same as `serving_default` and the state after it. `steps` takes several
    `observations` (batch, time, columns) and their `times`; its quantiles (batch, time, horizon, levels) and means are
    those after each of them, and `future` follows the last of them.

    `paths` takes what `serving_default` does, how many `samples` (batch,) to draw, and a `seed` (batch,); of both the
    first counts. It also returns `paths` (batch, samples, horizon), whose steps and targets depend on each other as
    their errors did where nothing was learned. Runs before 0.2 have none.
    """
    columns, known = len(forecaster.columns.all), len(forecaster.columns.known)
    history = {"history": tf.TensorSpec((None, None, columns))}
    times, lengths = {"times": tf.TensorSpec((None, None), tf.int64)}, {"lengths": tf.TensorSpec((None,), tf.int32)}
    series = {"series": tf.TensorSpec((None,), tf.string)}
    future = {"future": tf.TensorSpec((None, forecaster.horizon, known))} if known else {}
    state = served.specifications(flat(forecaster.initial_state(tf.constant([0]))))
    one = {"observation": tf.TensorSpec((None, columns)), "time": tf.TensorSpec((None,), tf.int64)}
    several = {"observations": tf.TensorSpec((None, None, columns)), **times}
    drawn = {"samples": tf.TensorSpec((None,), tf.int32), "seed": tf.TensorSpec((None,), tf.int32)}
    paths = Signature(partial(sample, forecaster), history | times | lengths | series | drawn | future)
    return ({"paths": paths} if len(forecaster.correlation) else {}) | {
        "serving_default": Signature(partial(forecast, forecaster), history | times | lengths | series | future),
        "initial_state": Signature(
            lambda series: flat(forecaster.initial_state(number_of(forecaster, series))), dict(series)
        ),
        "history_state": Signature(
            lambda history, lengths, series: flat(start(forecaster, _at_the_end(history, lengths), series)),
            history | lengths | series,
        ),
        "step": Signature(partial(step, forecaster), one | future | state),
        "steps": Signature(partial(steps, forecaster), several | future | state),
    }


def reading(forecaster: Forecaster) -> Signature:
    """Returns what reads a part of a long history in memory: as `steps`, but it gives the state alone.

    XLA compiles its loops, which takes seconds: for a part that is as long each time.
    """
    columns, known, time = len(forecaster.columns.all), len(forecaster.columns.known), forecasting.STEPS_AT_ONCE
    state = flat(forecaster.initial_state(tf.constant([0])))

    def read(observations: tf.Tensor, times: tf.Tensor, future: tf.Tensor | None = None, **state: tf.Tensor) -> Tensors:
        with forecaster.compiling():
            last = tf.constant([time - 1])
            return flat(_forecast(forecaster, observations, times, nested(state, forecaster), future, last)[1])

    inputs = {"observations": tf.TensorSpec((1, time, columns)), "times": tf.TensorSpec((1, time), tf.int64)}
    future = {"future": tf.TensorSpec((1, forecaster.horizon, known))} if known else {}
    return Signature(read, inputs | future | served.specifications(state, streams=1))


def number_of(forecaster: Forecaster, series: tf.Tensor) -> tf.Tensor:
    """The number of each name (batch,); that of an unknown name is how many there are.

    Names are found by their hashes, in a time that hardly grows with their number.
    """
    known = len(forecaster.names)
    with tf.init_scope():
        hashes = tf.strings.to_hash_bucket_fast(forecaster.names, HASHES).numpy()
    order = np.argsort(hashes, kind="stable")
    place = tf.searchsorted(tf.constant(hashes[order]), tf.strings.to_hash_bucket_fast(series, HASHES))
    number = tf.gather(tf.constant(order, tf.int32), tf.minimum(place, known - 1))
    return tf.where(tf.gather(tf.constant(forecaster.names), number) == series, number, known)


def forecast(
    forecaster: Forecaster,
    history: tf.Tensor,
    times: tf.Tensor,
    lengths: tf.Tensor,
    series: tf.Tensor,
    future: tf.Tensor | None = None,
) -> Tensors:
    """Forecasts after the last step of each history (batch, time, columns), of which `lengths` (batch,) steps count."""
    history = _at_the_end(history, lengths)
    times = _rising(_at_the_end(times, lengths, "times"), history)
    return _last(forecaster, history, times, start(forecaster, history, series), future)[0]


def sample(
    forecaster: Forecaster,
    history: tf.Tensor,
    times: tf.Tensor,
    lengths: tf.Tensor,
    series: tf.Tensor,
    samples: tf.Tensor,
    seed: tf.Tensor,
    future: tf.Tensor | None = None,
) -> Tensors:
    """As `forecast`, with as many paths as the first of `samples` says, drawn by the first `seed`."""
    with forecaster.unbounded():  # a path between two whole quantiles would be rounded twice
        answer = forecast(forecaster, history, times, lengths, series, future)
    horizon, targets, levels = forecaster.horizon, forecaster.targets, len(forecaster.levels)
    quantiles = tf.reshape(answer["quantiles"], (-1, horizon, targets, levels))
    bounded, mean = forecaster.within_bounds(quantiles, tf.reshape(answer["mean"], (-1, horizon, targets)))
    answer["quantiles"] = tf.reshape(bounded, tf.shape(answer["quantiles"]))
    answer["mean"] = tf.reshape(mean, tf.shape(answer["mean"]))
    most = MOST_DRAWN // (horizon * targets) // tf.maximum(tf.shape(quantiles)[0], 1)
    message = "samples: expected at least 1, and no more in all than memory takes. Received, and the most:"
    fits = (samples >= 1) & (samples <= most)
    samples = required(samples, fits, message, tf.stack([tf.reduce_max(samples), most]))
    shape = tf.stack([tf.shape(quantiles)[0], samples[0], horizon * targets])
    normal = tf.random.stateless_normal(shape, tf.stack([seed[0], 0]))
    paths = draw_paths(quantiles, forecaster.levels, forecaster.correlation, normal)
    paths = forecaster.within_bounds(paths[..., tf.newaxis], paths)[0][..., 0]
    return answer | {"paths": paths[..., 0] if targets == 1 else paths}


def start(forecaster: Forecaster, history: tf.Tensor, series: tf.Tensor) -> State:
    """The state before a history; a series of unknown name is scaled by what comes in it."""
    history = _not_infinite(history)
    state = forecaster.initial_state(number_of(forecaster, series))
    unknown = (state["series"] == len(forecaster.names))[:, tf.newaxis] & ~forecaster.is_static
    mean, deviation = _statistics(forecaster.scaled(history), state["mean"], state["deviation"], forecaster.targets)
    state["mean"] = tf.where(unknown, mean, state["mean"])
    state["deviation"] = tf.where(unknown, deviation, state["deviation"])
    return state


def step(
    forecaster: Forecaster, observation: tf.Tensor, time: tf.Tensor, future: tf.Tensor | None = None, **state: tf.Tensor
) -> Tensors:
    """Takes one observation (batch, columns) and the state before it; returns the forecast and the state after it."""
    inputs = observation[:, tf.newaxis], _in_seconds(time)[:, tf.newaxis]
    answer, after = _last(forecaster, *inputs, nested(state, forecaster), future, tf.constant([0]))
    return answer | flat(after)


def steps(
    forecaster: Forecaster,
    observations: tf.Tensor,
    times: tf.Tensor,
    future: tf.Tensor | None = None,
    **state: tf.Tensor,
) -> Tensors:
    """Takes observations (batch, time, columns); returns the forecasts after each, and the state after the last."""
    origins = tf.range(tf.shape(observations)[1])
    times = _rising(times, observations)
    answer, after = _forecast(forecaster, observations, times, nested(state, forecaster), future, origins)
    return answer | flat(after)


def _at_the_end(values: tf.Tensor, lengths: tf.Tensor, name: str = "history") -> tf.Tensor:
    """Returns values (batch, time, …) of which the first `lengths` (batch,) stand last, behind NaN or 0."""
    values = tf.convert_to_tensor(values)
    batch, time = tf.shape(values)[0], tf.shape(values)[1]
    fits = tf.equal(tf.size(lengths), batch) & tf.reduce_all((lengths > 0) & (lengths <= time))
    message = (
        f"lengths: expected from 1 to the steps of the {name}, for each series. Give what came before, as many times "
        "as values. Received:"
    )
    lengths = required(lengths, fits, message, lengths)
    places = tf.range(time) - (time - lengths)[:, tf.newaxis]  # (batch, time)
    moved = tf.gather(values, tf.maximum(places, 0), batch_dims=1)
    before = tf.reshape(places < 0, tf.concat([tf.shape(places), tf.ones((values.shape.rank - 2,), tf.int32)], axis=0))
    return tf.where(before, tf.constant(float("nan") if values.dtype.is_floating else 0, values.dtype), moved)


def _rising(times: tf.Tensor, history: tf.Tensor) -> tf.Tensor:
    """Refuses times (batch, time) that do not rise after the first value of a history (batch, time, columns)."""
    begun = tf.cumsum(tf.cast(tf.reduce_any(tf.math.is_finite(history), axis=2), tf.int32), axis=1) > 0
    falls = begun[:, :-1] & (times[:, 1:] <= times[:, :-1])
    message = (
        "times: expected later ones from step to step. Sort the history, and give its `lengths`. Received series, "
        "counted from 0, that do not rise:"
    )
    return _in_seconds(required(times, ~falls, message, tf.where(tf.reduce_any(falls, axis=1))[:, 0]))


def _in_seconds(times: tf.Tensor) -> tf.Tensor:
    """Refuses times of any shape that are milliseconds: as many seconds as one of 1978 has lead to the year 10000."""
    message = (
        "times: expected seconds since 1970, no milliseconds, before the year 10000. Convert them. Received up to:"
    )
    return required(times, times < YEAR_10000, message, tf.reduce_max(times))


def _not_infinite(values: tf.Tensor) -> tf.Tensor:
    """Refuses infinite values (batch, time, columns) of a history, of observations, or of the future."""
    is_infinite = tf.math.is_inf(values)
    message = (
        "history, observations, future: expected finite values, and NaN where one is missing. Correct them. Received "
        "columns, counted from 0, with infinite values:"
    )
    return required(values, ~is_infinite, message, tf.where(tf.reduce_any(is_infinite, axis=[0, 1]))[:, 0])


def _last(
    forecaster: Forecaster,
    history: tf.Tensor,
    times: tf.Tensor,
    state: State,
    future: tf.Tensor | None,
    origins: tf.Tensor | None = None,
) -> tuple[Tensors, State]:
    """Returns the forecast after the last step of each history, and the state after it."""
    answer, after = _forecast(forecaster, history, times, state, future, origins)
    return answer | {name: answer[name][:, 0] for name in ("quantiles", "mean")}, after


def _forecast(
    forecaster: Forecaster,
    history: tf.Tensor,
    times: tf.Tensor,
    state: State,
    future: tf.Tensor | None,
    origins: tf.Tensor | None,
) -> tuple[Tensors, State]:
    """Returns quantiles and means (batch, origins, …), the `times` after the last step, and the state after it.

    Without `origins`, the last step is the only one.
    """
    ahead = future_times(times[:, -1], forecaster.horizon, *forecaster.clock)
    batch, known = tf.shape(history)[0], len(forecaster.columns.known)
    unknown = tf.zeros((batch, forecaster.horizon, len(forecaster.columns.all) - known))
    rows = unknown if future is None else tf.concat([unknown, future], axis=-1)
    values = _not_infinite(tf.concat([history, rows], axis=1))
    inputs = finite(values), tf.math.is_finite(values), tf.concat([times, ahead], axis=1)
    if origins is None:
        quantiles, mean, after = forecasting.forecast_last(forecaster, *inputs, state)
    else:
        quantiles, mean, after = forecasting.forecast(forecaster, *inputs, state, origins)
    if forecaster.targets == 1:
        quantiles, mean = quantiles[:, :, :, 0], mean[:, :, :, 0]
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


def flat(state: State) -> Tensors:
    """The network's state as named tensors, as a signature wants it."""
    tensors = {f"state_{name}": tensor for name, tensor in state.items() if name != "recurrent"}
    for member, layers in enumerate(state["recurrent"]):
        tensors |= served.flat(layers, f"recurrent_{member}")
    return tensors


def nested(tensors: Tensors, forecaster: Forecaster) -> State:
    """The network's state from its named tensors; inverse of `flat`."""
    state = {name.removeprefix("state_"): tensor for name, tensor in tensors.items() if name.startswith("state_")}
    like = forecaster.initial_state(tensors["state_series"])["recurrent"]
    state["recurrent"] = [served.nested(tensors, f"recurrent_{member}", layers) for member, layers in enumerate(like)]
    return state
