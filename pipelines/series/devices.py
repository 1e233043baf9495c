"""A forecaster of series on devices: an observation in, a new forecast out."""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from pipelines.devices import MOST_STEPS, Ask, DeviceModel, followed, stepped
from pipelines.runs import Run
from pipelines.series import data, forecasting
from pipelines.series.config import SeriesConfiguration
from pipelines.series.inputs import finite
from pipelines.series.model import load_model
from pipelines.series.serving import flat, nested
from pipelines.served import Tensors, arrays


def device_model(run: Run) -> DeviceModel:
    """Returns the step of a run's forecaster."""
    configuration, forecaster = run.read_configuration(SeriesConfiguration).data, load_model(run)
    horizon, columns, known = forecaster.horizon, len(forecaster.columns.all), len(forecaster.columns.known)
    levels = np.array(forecaster.levels)

    def step(observation: tf.Tensor, times: tf.Tensor, future: tf.Tensor | None = None, **state: tf.Tensor) -> Tensors:
        rows = tf.zeros((1, horizon, columns - known))
        rows = rows if future is None else tf.concat([rows, future], axis=-1)
        values = tf.concat([observation[:, tf.newaxis], rows], axis=1)
        inputs = finite(values), tf.math.is_finite(values), times
        quantiles, mean, after = forecasting.forecast(forecaster, *inputs, nested(state, forecaster), tf.constant([0]))
        return stepped({"quantiles": quantiles[:, 0], "mean": mean[:, 0]}, flat(after))

    def score(ask: Ask) -> float:
        sets = data.load(configuration, forecaster.columns)
        losses = []
        for index, series in enumerate(sets.series):
            origins = list(data.origins(sets, index, "test", horizon))[: MOST_STEPS // len(sets.series)]
            if not origins:
                continue
            first = max(0, origins[0] - configuration.window)
            values = np.where(series.observed, series.values, np.nan).astype(np.float32)

            def inputs(steps: range, values: np.ndarray = values, times: np.ndarray = series.times) -> Iterator[dict]:
                for at in steps:
                    ahead = {"future": values[np.newaxis, at + 1 : at + 1 + horizon, columns - known :]}
                    now = {"observation": values[np.newaxis, at], "times": times[np.newaxis, at : at + 1 + horizon]}
                    yield now | (ahead if known else {})

            number = forecaster.number_of(series.name)
            state = {name: array[number : number + 1] for name, array in states.items()}
            answers = list(followed(ask, state, inputs(range(first, origins[-1] + 1))))[origins[0] - first :]
            truth, observed = forecaster.truth(finite(values[np.newaxis]), np.isfinite(values)[np.newaxis])
            truth = np.where(observed, truth, np.nan)[0, origins]  # (origins, horizon, targets)
            errors = truth[..., np.newaxis] - np.stack([answer["quantiles"][0] for answer in answers])
            losses.append(np.maximum(levels * errors, (levels - 1) * errors).reshape(-1))
        return float(np.nanmean(np.concatenate(losses)))

    names = tf.range(len(forecaster.names) + 1)
    states = arrays(flat(forecaster.initial_state(names)))
    ahead = {"future": tf.TensorSpec((1, horizon, known))} if known else {}
    times = {"times": tf.TensorSpec((1, 1 + horizon), tf.int64)}
    inputs_of_step = {"observation": tf.TensorSpec((1, columns)), **times, **ahead}
    about = (
        f"A step takes an `observation`, float32 (1, {columns}), NaN where a value is missing, and `times`, int64 "
        f"(1, {1 + horizon}), seconds since 1970 UTC: its own, and those of the steps ahead"
        + (f"; `future`, float32 (1, {horizon}, {known}), holds the columns known ahead" if known else "")
        + f". It returns `quantiles` (1, {horizon}, {forecaster.targets}, {len(levels)}) and `mean` (1, {horizon}, "
        f"{forecaster.targets}). The rows of the initial state are those of the known series, in the order above; the "
        "last one is of any other."
    )
    return DeviceModel(step, inputs_of_step, states, "mean quantile loss", score, about)
