"""The network: scaled values and the calendar in, a distribution of each step of the horizon out, at every step."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from pipelines.configuration import ConfigurationError
from pipelines.series.adaptation import Adaptation, adapt, no_adaptation
from pipelines.series.calendar import calendar_features
from pipelines.series.calibration import held_out_by, widened
from pipelines.series.distributions import DISTRIBUTIONS
from pipelines.series.network import Member, NetworkConfiguration
from pipelines.series.observations import fill, finite, has_begun, volatility
from pipelines.series.regular import Columns
from pipelines.series.sampling import forecast_paths
from pipelines.series.scaling import column_statistics, spreads

State = dict[str, Any]


class Prediction(NamedTuple):
    """What each member says of each step ahead, in units of `scale` from `center`, and the `state` to go on from."""

    parameters: list[tf.Tensor]  # (batch, origins, horizon, targets, parameters) each
    center: tf.Tensor  # (batch, origins, 1, targets)
    scale: tf.Tensor  # (batch, origins, horizon, targets)
    state: State


class Forecaster(keras.Model):
    """Observations in, a distribution of the steps ahead out, at every step of the history.

    Every step is an origin of forecasts ("forking sequences", Wen et al. 2017, https://arxiv.org/abs/1711.11053). The
    network sees no value after an origin but the known columns. What is missing is filled here, by the last observed
    value, and a mask says so: training, a stream and an exported model cannot differ in it.

    Args:
        network: sizes and parts of the network.
        columns: names of the columns of a series: targets, past and known ones, in this order.
        names: of the series. Others get the mean embedding.
        horizon: steps to forecast.
        cumulative: forecast the sum of the targets from the next step on, as of log returns: a return over h steps.
        seed: of weights and dropout.

    Raises:
        ConfigurationError: the network cannot be relative to the last value and cumulative, nor the latter and
            adaptive.
    """

    def __init__(
        self,
        network: NetworkConfiguration,
        columns: Columns,
        names: tuple[str, ...],
        horizon: int,
        cumulative: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__(name="forecaster", autocast=False)
        if cumulative and network.relative:
            raise ConfigurationError(
                "network.relative: forecasts of returns are sums of those to come, not differences from the last one. "
                "Add --network.no_relative. Received: True"
            )
        if cumulative and network.adaptation_rate:
            raise ConfigurationError(
                "network.adaptation_rate: intervals of returns over several steps do not adapt. Set it to 0. "
                f"Received: {network.adaptation_rate:g}"
            )
        self.cumulative = cumulative
        self.network, self.columns, self.names, self.horizon = network, columns, names, horizon
        self.targets = len(columns.targets)
        self.remembered = max(1, network.season, *network.lags)  # steps
        self.distribution = DISTRIBUTIONS[network.distribution](network.quantile_levels)
        width, ones = len(columns.all), {"initializer": "ones", "trainable": False}
        self.mean = self.add_weight(shape=(len(names) + 1, width), initializer="zeros", trainable=False, name="mean")
        self.deviation = self.add_weight(shape=(len(names) + 1, width), name="deviation", **ones)
        self.spread = self.add_weight(shape=(self.steps, self.targets), name="spread", **ones)
        self.widening = self.add_weight(shape=(horizon, self.targets, len(self.levels)), name="widening", **ones)
        # The last time that was learned from (seconds since 1970); earlier errors were too small to adapt to.
        self.learned_until = self.add_weight(
            shape=(len(names) + 1,),
            dtype="int64",
            initializer=keras.initializers.Constant(np.iinfo(np.int64).min),
            trainable=False,
            name="learned_until",
        )
        self.shares = self.add_weight(
            shape=(network.members,),
            initializer=keras.initializers.Constant(1 / network.members),
            trainable=False,
            name="shares",
        )
        self.traced: dict[bool, Any] = {}  # of `read_on`
        keras.utils.set_random_seed(seed)
        self.noise = keras.layers.GaussianNoise(network.noise, seed=seed)
        self.members = [
            Member(
                network,
                len(names),
                self.steps,
                self.targets,
                self.distribution,
                100 * seed + index,
                name=f"member_{index}",
            )
            for index in range(network.members)
        ]

    @property
    def steps(self) -> int:
        """Steps ahead that the decoder speaks of at once."""
        return self.horizon if self.network.decoder == "direct" else 1

    @property
    def levels(self) -> tuple[float, ...]:
        """Levels of the quantiles."""
        return self.network.quantile_levels

    def learns(self, member: int, times: Any) -> Any:
        """Whether a member learns to forecast the values of `times`, int64 of any shape."""
        network = self.network
        return not network.fold_days or held_out_by(times, network.fold_days, network.members) != member

    def number_of(self, name: str) -> int:
        """The number of a series; of an unknown one how many are known."""
        return self.names.index(name) if name in self.names else len(self.names)

    def call(
        self,
        values: tf.Tensor,
        observed: tf.Tensor,
        times: tf.Tensor,
        series: tf.Tensor | None = None,
        state: State | None = None,
        training: bool = False,
        origins: tf.Tensor | None = None,
    ) -> Prediction:
        """Returns forecasts after each step, or after some.

        Args:
            values: (batch, time + steps, columns). Of the last `steps` rows, the future, only the known columns are
                read.
            observed: bool, of the same shape; where it is False the value does not count. Rows before the first value
                of a series change nothing.
            times: int64 (batch, time + steps), seconds since 1970.
            series: int32 (batch,), numbers of `names`; not needed with a state.
            state: what an earlier call returned, of the steps before these.
            training: dropout and noise are on.
            origins: int32 (origins,), steps after which to forecast. Default: all of them.
        """
        state = self.initial_state(series) if state is None else state
        time = tf.shape(values)[1] - self.steps
        if self.network.decoder == "autoregressive":
            observed = tf.logical_and(observed, self._kinds() != "past")  # which nobody draws
        mean, deviation = state["mean"][:, tf.newaxis], state["deviation"][:, tf.newaxis]
        values = tf.where(observed, (values - mean) / deviation, tf.zeros_like(values))
        history, counts = fill(values[:, :time], observed[:, :time], state["recent"])
        filled = finite(history[:, self.remembered :])  # (batch, time, columns)
        # One after the other: sliced at once, the width would not be known beforehand.
        targets, seen = (tensor[:, :time][..., : self.targets] for tensor in (values, observed))
        volatile, variance = volatility(targets, seen, state["variance"], self.network.volatility_decay)

        calendar = calendar_features(times, self.network.cycles)  # (batch, time + steps, features)
        differences = [
            finite(filled - history[:, self.remembered - lag : self.remembered - lag + time])
            for lag in self.network.lags
        ]
        inputs = [filled, tf.cast(observed[:, :time], filled.dtype), *differences, calendar[:, :time]]
        if self.network.volatility_decay:
            inputs.append(tf.math.log(volatile))
        inputs = self.noise(tf.concat(inputs, axis=-1), training=training)

        origins = tf.range(time) if origins is None else origins
        center = tf.gather(filled[..., : self.targets], origins, axis=1)[:, :, tf.newaxis]
        ahead = self._ahead(values, calendar, origins)
        if self.network.season:
            ahead = tf.concat([ahead, finite(self._season(history, origins) - center)], axis=-1)
        if not self.network.relative:
            center = tf.zeros_like(center)
        parameters, recurrent = [], []
        for member, before in zip(self.members, state["recurrent"], strict=True):
            found, after = member(inputs, ahead, state["series"], counts, before, origins, training=training)
            parameters.append(tf.cast(found, tf.float32))
            recurrent.append(after)

        target_mean, target_deviation = (
            state[name][:, tf.newaxis, tf.newaxis, : self.targets] for name in ("mean", "deviation")
        )
        if self.cumulative:
            steps = tf.range(1.0, self.steps + 1.0)[:, tf.newaxis]  # the mean of a sum grows with the steps
            center, target_mean = tf.repeat(center, self.steps, axis=2), target_mean * steps
        scale = tf.gather(volatile, origins, axis=1)[:, :, tf.newaxis] * self.spread * target_deviation
        new_state = {**state, "recent": history[:, -self.remembered :], "variance": variance, "recurrent": recurrent}
        return Prediction(parameters, center * target_deviation + target_mean, scale, new_state)

    def truth(self, values: tf.Tensor, observed: tf.Tensor, steps: int | None = None) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns what comes after each step (batch, time, steps, targets), and where it is known.

        Args:
            values: (batch, time + steps, columns).
            observed: bool, of the same shape.
            steps: how many ahead. Default: the horizon.
        """
        steps = self.horizon if steps is None else steps

        def ahead(tensor: tf.Tensor) -> tf.Tensor:
            return tf.signal.frame(tensor[:, 1:, : self.targets], steps, 1, axis=1)

        known = ahead(tf.cast(observed, tf.int32))
        if not self.cumulative:
            return ahead(values), known > 0
        return tf.cumsum(ahead(values), axis=2), tf.math.cumprod(known, axis=2) > 0

    def quantiles(self, prediction: Prediction) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns quantiles (batch, origins, horizon, targets, levels) and means (batch, origins, horizon, targets).

        Both are in the data's own units.
        """
        said = list(zip(prediction.parameters, tf.unstack(self.shares), strict=True))
        standard = tf.add_n([share * self.distribution.quantiles(each) for each, share in said])
        mean = tf.add_n([share * self.distribution.mean(each) for each, share in said])
        quantiles = widened(standard, self.widening, self.levels.index(0.5))
        center, scale = prediction.center, prediction.scale
        return center[..., tf.newaxis] + scale[..., tf.newaxis] * quantiles, center + scale * mean

    def read(
        self,
        values: tf.Tensor,
        observed: tf.Tensor,
        times: tf.Tensor,
        series: tf.Tensor,
        origins: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns quantiles and means after every step of a history, or some."""
        origins = tf.range(tf.shape(values)[1] - self.horizon) if origins is None else origins
        return self.read_on(values, observed, times, self.initial_state(series), origins)[:2]

    def read_on(
        self,
        values: tf.Tensor,
        observed: tf.Tensor,
        times: tf.Tensor,
        state: State,
        origins: tf.Tensor,
        adapting: bool = True,
    ) -> tuple[tf.Tensor, tf.Tensor, State]:
        """As `forecast`; traced once for all sizes, then fast."""
        if adapting not in self.traced:
            columns = len(self.columns.all)
            start = self.initial_state(tf.zeros((1,), tf.int32))
            specification = [
                tf.TensorSpec((None, None, columns)),
                tf.TensorSpec((None, None, columns), tf.bool),
                tf.TensorSpec((None, None), tf.int64),
                tf.nest.map_structure(lambda one: tf.TensorSpec((None, *one.shape[1:]), one.dtype), start),
                tf.TensorSpec((None,), tf.int32),
            ]
            self.traced[adapting] = tf.function(partial(self.forecast, adapting=adapting), specification)
        return self.traced[adapting](values, observed, times, state, origins)

    def forecast(
        self,
        values: tf.Tensor,
        observed: tf.Tensor,
        times: tf.Tensor,
        state: State,
        origins: tf.Tensor,
        adapting: bool = True,
    ) -> tuple[tf.Tensor, tf.Tensor, State]:
        """Returns quantiles and means as `quantiles` does, and the state after the last step of the history.

        Args:
            values: (batch, time + horizon, columns); the others as of `call`.
            adapting: intervals follow the errors up to each origin, where the network is configured so.
        """
        if self.network.decoder == "autoregressive":
            quantiles, mean, state = forecast_paths(self, values, observed, times, state, origins)
            return widened(quantiles, self.widening, self.levels.index(0.5)), mean, state
        if not (adapting and self.network.adaptation_rate):
            prediction = self(values, observed, times, state=state, origins=origins)
            return *self.quantiles(prediction), prediction.state
        time = tf.shape(values)[1] - self.horizon
        prediction = self(values, observed, times, state=state, origins=tf.range(time))
        quantiles, mean = self.quantiles(prediction)
        is_new = times[:, :time] > state["learned_until"][:, tf.newaxis]
        counts = observed[:, :time, : self.targets] & is_new[..., tf.newaxis]
        begun = has_begun(observed[:, :time], state["recent"])
        before, rate = Adaptation(state["due"], state["stretch"]), self.network.adaptation_rate
        quantiles, after = adapt(quantiles, values[:, :time, : self.targets], counts, begun, before, self.levels, rate)
        quantiles, mean = (tf.gather(tensor, origins, axis=1) for tensor in (quantiles, mean))
        return quantiles, mean, prediction.state | after._asdict()

    def fit_scales(self, histories: list[tuple[np.ndarray, np.ndarray]]) -> None:
        """Fits the scales on values and observed (time, columns) of each series: those of the training split alone."""
        statistics = [column_statistics(values, observed) for values, observed in histories]
        mean, deviation = (np.stack(each) for each in zip(*statistics, strict=True))  # (series, columns)
        self.mean.assign(np.concatenate([mean, mean.mean(0, keepdims=True)]))
        self.deviation.assign(np.concatenate([deviation, deviation.mean(0, keepdims=True)]))
        chosen = slice(self.targets)
        scaled = [
            (((values - center) / scale)[:, chosen], observed[:, chosen])
            for (values, observed), center, scale in zip(histories, mean, deviation, strict=True)
        ]
        self.spread.assign(spreads(scaled, self.steps, self.network.relative, self.cumulative))

    def initial_state(self, series: tf.Tensor) -> State:
        """The state before the first step of series (batch,), given as numbers of `names`."""
        series = tf.minimum(tf.cast(series, tf.int32), len(self.names))
        batch = tf.shape(series)[0]
        adaptation = {}
        if self.network.adaptation_rate:
            adaptation = no_adaptation(batch, self.horizon, self.targets, self.levels)._asdict()
            adaptation["learned_until"] = tf.gather(self.learned_until.value, series)
        return {
            **adaptation,
            "series": series,
            "mean": tf.gather(self.mean.value, series),
            "deviation": tf.gather(self.deviation.value, series),
            "recent": tf.fill((batch, self.remembered, len(self.columns.all)), np.float32(np.nan)),
            "variance": tf.ones((batch, self.targets)),
            "recurrent": [member.initial_state(batch) for member in self.members],
        }

    @contextmanager
    def uncalibrated(self) -> Iterator[None]:
        """Within it, quantiles are as the network gives them, not calibrated."""
        calibrated = self.widening.numpy()
        self.widening.assign(np.ones_like(calibrated))
        try:
            yield
        finally:
            self.widening.assign(calibrated)

    @contextmanager
    def alone(self, member: int) -> Iterator[None]:
        """Within it, one member speaks for all, in the decoder of all steps at once."""
        shares = self.shares.numpy()
        self.shares.assign(np.eye(len(shares))[member])
        try:
            yield
        finally:
            self.shares.assign(shares)

    def _kinds(self) -> np.ndarray:
        """Of each column what it is, as `Columns` names it."""
        return np.array([kind for kind, names in self.columns._asdict().items() for _ in names])

    def _ahead(self, values: tf.Tensor, calendar: tf.Tensor, origins: tf.Tensor) -> tf.Tensor:
        """The calendar and the known columns of each step ahead (batch, origins, horizon, features)."""
        known = values[..., len(self.columns.all) - len(self.columns.known) :]
        steps = origins[:, tf.newaxis] + tf.range(1, self.steps + 1)  # (origins, steps)
        return tf.gather(tf.concat([calendar, known], axis=-1), steps, axis=1)

    def _season(self, history: tf.Tensor, origins: tf.Tensor) -> tf.Tensor:
        """The last target a whole number of seasons before each step ahead (batch, origins, horizon, targets)."""
        season = self.network.season
        steps = origins[:, tf.newaxis] + self.remembered + 1 - season + tf.range(self.steps) % season
        return tf.gather(history[..., : self.targets], steps, axis=1)
