"""Forecasts one step after another: paths are drawn, each going on from what it drew.

The network learns the distribution of the next step alone; of several steps ahead, the quantiles are those of the paths
(DeepAR: Salinas et al. 2020, https://doi.org/10.1016/j.ijforecast.2019.07.001).
"""

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from pipelines.series.model import Forecaster, State


class Next(NamedTuple):
    """What is said of the next step: `parameters` (batch, targets, parameters) of each member, and their units."""

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
        state, said, _ = carried
        uniform = tf.tile(tf.gather(_stratified(horizon, count, targets), step - 1), (tf.size(origins) * batch, 1))
        member = tf.tile(tf.range(count) % len(said.parameters), (tf.size(origins) * batch,))
        chosen = tf.gather(tf.stack(said.parameters, axis=1), member, batch_dims=1)
        center, scale = said.center, said.scale
        drawn = center + scale * forecaster.distribution.sample(chosen, uniform, center, scale)  # (paths, targets)
        row, following = ahead(values, step), ahead(values, step + 1)
        row = tf.concat([drawn, row[:, targets:]], axis=1)
        seen = tf.concat([tf.ones_like(drawn, tf.bool), ahead(observed, step)[:, targets:]], axis=1)
        pairs = (row, following), (seen, ahead(observed, step + 1)), (ahead(times, step), ahead(times, step + 1))
        return *_advance(forecaster, [tf.stack(pair, axis=1) for pair in pairs], state), drawn

    state, said = tf.nest.map_structure(starts, states)
    paths = tf.scan(draw, tf.range(1, horizon + 1), (state, said, tf.zeros_like(said.center)))[2]  # (horizon, paths, …)
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
