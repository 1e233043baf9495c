"""The network: scaled values and the calendar in, a distribution of each step of the horizon out, at every step."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from pipelines.preparation import built, trained_model
from pipelines.runs import Run
from pipelines.series.calendar import Clock
from pipelines.series.calibration import held_out_by, no_adaptation, widened
from pipelines.series.centers import blend_size
from pipelines.series.config import OLD_DESCRIPTION, Description, SeriesConfiguration
from pipelines.series.distributions import DISTRIBUTIONS, POSITIVE, ROUNDING
from pipelines.series.inputs import Inputs, from_log_scale, to_log_scale
from pipelines.series.network import Member, NetworkConfiguration, refuse_unused
from pipelines.series.quantile_functions import mean_weights
from pipelines.series.regular import Columns

State = dict[str, Any]

CALIBRATION = "calibration.json"


class Prediction(NamedTuple):
    """What each member says of each step ahead, in units of `scale` from `center`, and the `state` to go on from."""

    parameters: list[tf.Tensor]  # (batch, origins, horizon, targets, parameters) each
    center: tf.Tensor  # (batch, origins, horizon or 1, targets)
    scale: tf.Tensor  # (batch, origins, horizon, targets)
    state: State
    values: tf.Tensor  # (batch, time + steps, columns), as the network reads them


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
        clock: of the steps.
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
        clock: Clock,
        cumulative: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__(name="forecaster", autocast=False)
        refuse_unused(network, columns.targets, cumulative)
        self.cumulative, self.clock = cumulative, clock
        self.network, self.columns, self.names, self.horizon = network, columns, names, horizon
        self._numbers = {name: number for number, name in enumerate(names)}
        self.targets = len(columns.targets)
        self.preprocessing = Inputs(network, columns, self.steps, clock.zone)
        self.distribution = DISTRIBUTIONS[network.distribution](network.quantile_levels)
        width, ahead, of_targets = len(columns.all), (self.steps, self.targets), (self.targets,)
        self.mean = self._kept("mean", (len(names) + 1, width), 0.0)
        self.deviation = self._kept("deviation", (len(names) + 1, width), 1.0)
        self.spread = self._kept("spread", ahead, 1.0)
        if network.center:
            self.blend = self._kept("blend", (*ahead, blend_size(len(network.season))), 0.0)
            self.seen = self._kept("seen", (2, width), 0.0)
            self.preprocessing.blend, self.preprocessing.seen = self.blend, self.seen
        if network.log_scale:
            self.log_start = self._kept("log_start", of_targets, 0.0)
        if network.has_bounds:
            self.floor = self._kept("floor", of_targets, -np.inf)
            self.ceiling = self._kept("ceiling", of_targets, np.inf)
        self.widening = self._kept("widening", (horizon, self.targets, len(self.levels)), 1.0)
        # The last time that was learned from (seconds since 1970); earlier errors were too small to adapt to.
        self.learned_until = self._kept("learned_until", (len(names) + 1,), np.iinfo(np.int64).min, "int64")
        self.shares = self._kept("shares", (network.members,), 1 / network.members)
        self.traced: dict[tuple[bool, bool], Any] = {}  # by `forecasting.read_on`
        self.bounding = True  # see `unbounded`
        self.is_static = np.array([name in columns.static for name in columns.all])
        whole = [network.distribution == "negative_binomial" or name in network.whole for name in columns.targets]
        self.whole = np.array(whole)
        self.correlation = np.zeros((0, 0))  # see `dependence`; not known of runs that did not fit it
        keras.utils.set_random_seed(seed)
        self.noise = keras.layers.GaussianNoise(network.noise, seed=seed)
        sizes = len(names), self.steps, self.targets
        self.members = [
            Member(network, *sizes, self.distribution, 100 * seed + index, name=f"member_{index}")
            for index in range(network.members)
        ]

    def _kept(self, name: str, shape: tuple[int, ...], start: float, dtype: str | None = None) -> Any:
        """Returns a weight that is not trained, but fitted, all of it equal at first."""
        initial = keras.initializers.Constant(start)
        return self.add_weight(shape=shape, dtype=dtype, initializer=initial, trainable=False, name=name)

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
        return self._numbers.get(name, len(self.names))

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
        values = self.scaled(values)
        features = self.preprocessing(values, observed, times, state, origins)
        past = self.noise(features.past, training=training)
        origins = tf.range(tf.shape(past)[1]) if origins is None else origins
        parameters, recurrent = [], []
        for member, before in zip(self.members, state["recurrent"], strict=True):
            found, after = member(
                past, features.ahead, state["series"], features.started, before, origins, training=training
            )
            parameters.append(tf.cast(found, tf.float32))
            recurrent.append(after)

        center, mean, deviation = features.center, *self._target_scales(state)
        if self.cumulative:
            steps = tf.range(1.0, self.steps + 1.0)[:, tf.newaxis]  # the mean of a sum grows with the steps
            center, mean = tf.repeat(center, self.steps, axis=2), mean * steps
        scale = tf.gather(features.volatility, origins, axis=1)[:, :, tf.newaxis] * self.spread * deviation
        new_state = {**state, "recent": features.recent, "variance": features.variance, "recurrent": recurrent}
        return Prediction(parameters, center * deviation + mean, scale, new_state, values)

    def scaled(self, values: tf.Tensor) -> tf.Tensor:
        """Returns values (…, columns), or those of the targets alone, as the network reads them."""
        if not self.network.log_scale:
            return values
        targets = to_log_scale(values[..., : self.targets], tf.convert_to_tensor(self.log_start))
        return tf.concat([targets, values[..., self.targets :]], axis=-1)

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

        Both are in the data's own units, those of `log_scale` on their scale.
        """
        weighted = list(zip(prediction.parameters, tf.unstack(self.shares), strict=True))
        scale = prediction.scale
        center = tf.broadcast_to(prediction.center, tf.shape(scale))
        standard = tf.add_n([share * self.distribution.quantiles(each, center, scale) for each, share in weighted])
        mean = tf.add_n([share * self.distribution.mean(each, center, scale) for each, share in weighted])
        quantiles = widened(standard, self.widening, self.levels.index(0.5))
        return center[..., tf.newaxis] + scale[..., tf.newaxis] * quantiles, center + scale * mean

    def in_units(self, quantiles: tf.Tensor, mean: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns quantiles (…, targets, levels) and means (…, targets) in the data's own units and bounds."""
        if self.network.log_scale:
            start = tf.convert_to_tensor(self.log_start)
            quantiles = from_log_scale(quantiles, start[:, tf.newaxis])
            weights = mean_weights(np.array(self.levels)).astype(np.float32)
            mean = tf.where(start > 0, tf.reduce_sum(quantiles * weights, axis=-1), mean)
        return self.within_bounds(quantiles, mean)

    def within_bounds(self, quantiles: tf.Tensor, mean: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns quantiles (…, targets, levels) and means (…, targets) as the targets may be.

        None is below the floor or above the ceiling, and quantiles of counts are whole.
        """
        if not self.bounding:
            return quantiles, mean
        if self.whole.any():
            counts = self.network.distribution == "negative_binomial"
            rounded = tf.math.ceil(quantiles - ROUNDING) if counts else tf.round(quantiles)
            quantiles = tf.where(self.whole[:, np.newaxis], rounded, quantiles)
        if self.network.distribution in POSITIVE:
            quantiles, mean = tf.maximum(quantiles, 0.0), tf.maximum(mean, 0.0)
        if not self.network.has_bounds:
            return quantiles, mean
        floor, ceiling = tf.convert_to_tensor(self.floor), tf.convert_to_tensor(self.ceiling)
        quantiles = tf.clip_by_value(quantiles, floor[:, tf.newaxis], ceiling[:, tf.newaxis])
        return quantiles, tf.clip_by_value(mean, floor, ceiling)

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
            "recent": tf.fill((batch, self.preprocessing.remembered, len(self.columns.all)), np.float32(np.nan)),
            "variance": tf.ones((batch, self.targets)),
            "recurrent": [member.initial_state(batch) for member in self.members],
        }

    def uncalibrated(self) -> AbstractContextManager[None]:
        """Within it, quantiles are as the network gives them, not calibrated."""
        return _assigned(self.widening, np.ones(self.widening.shape))

    def alone(self, member: int) -> AbstractContextManager[None]:
        """Within it, one member speaks for all, in the decoder of all steps at once."""
        return _assigned(self.shares, np.eye(len(self.members))[member])

    @contextmanager
    def compiling(self) -> Iterator[None]:
        """Within it, graphs that are traced for known shapes compile the encoders' loops."""
        layers = [layer for member in self.members for layer in member.encoder.recurrent]
        before = [layer.jit_compile for layer in layers]
        for layer in layers:
            layer.jit_compile = True
        try:
            yield
        finally:
            for layer, setting in zip(layers, before, strict=True):
                layer.jit_compile = setting

    @contextmanager
    def unbounded(self) -> Iterator[None]:
        """Within it, quantiles and means are neither bounded nor rounded."""
        self.bounding = False
        try:
            yield
        finally:
            self.bounding = True

    def _target_scales(self, state: State) -> list[tf.Tensor]:
        """Returns mean and deviation of the targets (batch, 1, 1, targets)."""
        return [state[name][:, tf.newaxis, tf.newaxis, : self.targets] for name in ("mean", "deviation")]


@contextmanager
def _assigned(weight: keras.Variable, value: np.ndarray) -> Iterator[None]:
    """Within it, a weight has another value."""
    before = weight.numpy()
    weight.assign(value)
    try:
        yield
    finally:
        weight.assign(before)


def build(configuration: SeriesConfiguration, **description: Any) -> Forecaster:
    """Returns an untrained forecaster, its weights made; arguments as `Description.to_json` returns them."""
    horizon, known = configuration.data.horizon, Description.from_json(configuration, **description)
    forecaster = Forecaster(
        configuration.network,
        known.columns,
        known.names,
        horizon,
        known.clock,
        cumulative=configuration.data.log_returns,
        seed=configuration.seed,
    )
    shape = (1, 1 + horizon, len(forecaster.columns.all))
    times, series = tf.zeros(shape[:2], tf.int64), tf.zeros((1,), tf.int32)
    return built(forecaster, tf.zeros(shape), tf.ones(shape, tf.bool), times, series)


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
