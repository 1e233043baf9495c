"""One member of a forecaster and its sizes: a recurrent encoder of the past, and a decoder for each step ahead."""

from typing import Annotated, Any, Literal, Self

import keras
import pydantic
import tensorflow as tf
from pydantic import Field

import models
from pipelines.configuration import Configuration, ConfigurationError
from pipelines.series.calendar import Cycle
from pipelines.series.calibration import mirrored
from pipelines.series.distributions import POSITIVE, Distribution

FROM_TABLE = -1
"""In place of a setting: it follows from the table, see `pipelines.series.rules`."""


def _or_from_table(smallest: int) -> pydantic.AfterValidator:
    """A check of a number, which may be `FROM_TABLE`."""

    def check(value: float) -> float:
        if value != FROM_TABLE and value < smallest:
            raise ValueError(f"expected at least {smallest}, or {FROM_TABLE} to follow from the table")
        return value

    return pydantic.AfterValidator(check)


FromZero = Annotated[int, _or_from_table(0)]
FromOne = Annotated[int, _or_from_table(1)]
FromTwo = Annotated[int, _or_from_table(2)]


class NetworkConfiguration(Configuration):
    """Sizes and parts of the network."""

    recurrent: Literal["simple_rnn", "lstm", "gru", "min_gru", "min_lstm"] = Field("gru", description="recurrent layer")
    units: FromOne = Field(48, description="units of a recurrent layer; -1: from the table")
    layers: int = Field(1, ge=1, le=8, description="recurrent layers")
    members: int = Field(1, ge=1, le=20, description="networks in the ensemble; their quantiles are averaged")
    distribution: Literal["auto", "quantiles", "student_t", "negative_binomial", "zero_inflated"] = Field(
        "quantiles",
        description="predicted distribution of a value; the last two suit counts and amounts that are often zero; "
        "auto: from the training period",
    )
    log_scale: tuple[str, ...] = Field(
        (),
        description="targets that are forecast on a log scale, so that ranges grow with the level; auto: from the "
        "training period",
    )
    whole: tuple[str, ...] = Field((), description="targets whose quantiles are whole numbers; auto: from the table")
    quantile_levels: tuple[float, ...] = Field(
        (0.025, 0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95, 0.975),
        description="quantile levels, including the median 0.5",
    )
    decoder: Literal["direct", "autoregressive"] = Field(
        "direct",
        description="predict all steps at once, or one by one from sampled paths; the latter reads no past columns",
    )
    paths: int = Field(100, ge=2, description="paths that the autoregressive decoder samples")
    relative: bool = Field(True, description="predict differences from the last value")
    center: bool = Field(
        False,
        description="predict differences from a blend of the last value and earlier seasons instead, where that helps "
        "at the end of the training period",
    )
    lags: tuple[FromZero, ...] = Field(
        (1, 24), description="steps back whose differences are inputs; -1: from the table"
    )
    season: tuple[FromOne, ...] = Field(
        (24,), description="the decoder sees the value one season before each step; 0: off; -1: from the table"
    )
    cycles: tuple[Literal["auto", Cycle], ...] = Field(
        ("day",), description="cycles of the calendar that are inputs; auto: from the table"
    )
    bounded: bool = Field(False, description="keep forecasts within the limits seen in the training period, such as 0")
    floor: float | None = Field(None, description="lower limit of forecasts, regardless of the training period")
    ceiling: float | None = Field(None, description="upper limit of forecasts, regardless of the training period")
    volatility_decay: float = Field(
        0.0, ge=0, lt=1, description="decay per step of the moving volatility by which targets are scaled; 0: off"
    )
    embedding: int = Field(4, ge=1, description="size of the embedding of a series")
    decoder_units: int = Field(16, ge=1, description="units of the decoder for each step of the horizon")
    skip: bool = Field(False, description="input the last step directly into the decoder, without dropout")
    dropout: float = Field(0.1, ge=0, lt=1, description="dropout before each layer, one mask for the whole window")
    recurrent_dropout: float = Field(0.0, ge=0, lt=1, description="dropout of the hidden state, one mask for all steps")
    noise: float = Field(0.0, ge=0, description="standard deviation of noise added to scaled inputs in training")
    calibrate: bool = Field(True, description="calibrate the intervals to their coverage in validation")
    fold_days: int = Field(
        0,
        ge=0,
        description="cross-validation: each member is validated and calibrated on stretches of this many days that it "
        "leaves out of training, and the validation period is learned from, too; 0: use the validation period",
    )

    adaptation_rate: Annotated[float, _or_from_table(0)] = Field(
        0.0,
        le=1,
        description="rate at which intervals adapt to the errors since training; 0: not at all; -1: from the table",
    )

    @pydantic.field_validator("season", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        seasons = (value,) if isinstance(value, int) else value
        return tuple(each for each in seasons if each) if isinstance(seasons, tuple | list) else value

    @property
    def has_bounds(self) -> bool:
        """Whether forecasts may have a floor or a ceiling."""
        return self.bounded or self.floor is not None or self.ceiling is not None

    @pydantic.model_validator(mode="after")
    def _adaptation_needs_steps_and_intervals(self) -> Self:
        if self.adaptation_rate > 0 and self.decoder == "autoregressive":
            raise ValueError(
                "adaptation_rate needs the decoder `direct`: paths would have to be drawn after each step. Set "
                f"adaptation_rate to 0. Received: decoder {self.decoder!r}, adaptation_rate {self.adaptation_rate:g}"
            )
        # Levels without the median are refused by the distribution.
        if self.adaptation_rate > 0 and 0.5 in self.quantile_levels and not mirrored(self.quantile_levels):
            raise ValueError(
                "adaptation_rate needs a central interval, two levels as far from 0.5, such as 0.1 and 0.9. Add one, "
                f"or set adaptation_rate to 0. Received: quantile_levels {self.quantile_levels}"
            )
        return self

    @pydantic.model_validator(mode="after")
    def _floor_is_below_ceiling(self) -> Self:
        if self.floor is not None and self.ceiling is not None and self.floor >= self.ceiling:
            raise ValueError(
                f"floor lies below ceiling. Correct one of them. Received: floor {self.floor:g}, ceiling "
                f"{self.ceiling:g}"
            )
        return self

    @pydantic.model_validator(mode="after")
    def _folds_need_members(self) -> Self:
        if self.fold_days and self.members < 2:
            raise ValueError(
                "fold_days needs two members at least, so that each stretch is learned by one. Raise members, or set "
                f"fold_days to 0. Received: members {self.members}, fold_days {self.fold_days}"
            )
        if self.fold_days and self.decoder == "autoregressive":
            raise ValueError(
                "fold_days needs the decoder `direct`: paths are drawn from all members together. Set fold_days to 0. "
                f"Received: decoder {self.decoder!r}, fold_days {self.fold_days}"
            )
        return self


def refuse_unused(network: NetworkConfiguration, targets: tuple[str, ...], cumulative: bool) -> None:
    """Refuses settings that the forecaster of some targets would not use.

    Args:
        network: of the forecaster.
        targets: names of the columns.
        cumulative: whether sums of the targets are forecast, as of log returns.

    Raises:
        ConfigurationError: one of them is set.
    """
    if cumulative and network.relative:
        raise ConfigurationError(
            "network.relative: forecasts of returns are sums of those to come, not differences from the last one. "
            "Add --network.no_relative. Received: True"
        )
    if cumulative and network.distribution in POSITIVE:
        raise ConfigurationError(
            "network.distribution: returns may be negative. Expected quantiles or student_t. Name one of them. "
            f"Received: {network.distribution}"
        )
    if network.center and not network.relative:
        raise ConfigurationError(
            "network.center: forecasts that are no differences from the last value have no center. Add "
            "--network.no_center. Received: True"
        )
    if cumulative and network.adaptation_rate:
        raise ConfigurationError(
            "network.adaptation_rate: intervals of returns over several steps do not adapt. Set it to 0. "
            f"Received: {network.adaptation_rate:g}"
        )
    chosen = network.log_scale
    if unknown := [name for name in chosen if name not in targets]:
        raise ConfigurationError(
            f"network.log_scale: expected some of the targets, {', '.join(targets)}. Name one of them. "
            f"Received: {', '.join(unknown)}"
        )
    if chosen and (cumulative or network.distribution in POSITIVE or network.decoder == "autoregressive"):
        raise ConfigurationError(
            "network.log_scale: expected values as they are, quantiles or student_t, and the decoder direct. Leave it "
            f"out, or change these. Received: --data.{'' if cumulative else 'no_'}log_returns, --network.distribution "
            f"{network.distribution}, --network.decoder {network.decoder}"
        )


class Member(keras.layers.Layer):
    """An encoder and a direct decoder of all steps ahead.

    Args:
        network: sizes and parts of the network.
        series: number of series that have an embedding.
        horizon: steps ahead.
        targets: values to forecast at each of them.
        distribution: what the decoder says of each value.
        seed: of dropout.
    """

    def __init__(
        self,
        network: NetworkConfiguration,
        series: int,
        horizon: int,
        targets: int,
        distribution: Distribution,
        seed: int,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.series = series
        self.embedding = self.add_weight(
            shape=(series, network.embedding), initializer="random_normal", name="embedding"
        )
        layer_options = {"recurrent_dropout": network.recurrent_dropout} if network.recurrent_dropout else {}
        self.projection = keras.layers.Dense(network.units, name="projection")
        self.encoder = models.Stack(
            network.recurrent,
            network.units,
            depth=network.layers,
            residual=network.layers > 1,
            dropout=network.dropout,
            layer_options=layer_options,
            seed=seed,
            return_sequences=True,
            return_state=True,
            name="encoder",
        )
        self.dropout = keras.layers.SpatialDropout1D(network.dropout, seed=seed)
        self.skip = network.skip
        self.decoder = DirectDecoder(network.decoder_units, horizon, targets, distribution, name="decoder")

    def call(
        self,
        inputs: tf.Tensor,
        ahead: tf.Tensor,
        series: tf.Tensor,
        mask: tf.Tensor,
        state: list[list[tf.Tensor]],
        origins: tf.Tensor,
        training: bool = False,
    ) -> tuple[tf.Tensor, list[list[tf.Tensor]]]:
        """Returns parameters (batch, origins, horizon, targets, parameters), and the state after the last step.

        Args:
            inputs: (batch, time, features).
            ahead: (batch, origins, horizon, features), what is known of the steps ahead.
            series: int32 (batch,); the number of series itself stands for an unknown one.
            mask: bool (batch, time); where it is False the step does not count.
            state: of each recurrent layer.
            origins: int32 (origins,), steps after which to decode.
            training: dropout is on.
        """
        known = tf.gather(self.embedding.value, tf.minimum(series, self.series - 1))
        average = tf.reduce_mean(self.embedding.value, axis=0)
        embedded = tf.where(series[:, tf.newaxis] < self.series, known, average)[:, tf.newaxis]  # (batch, 1, embedding)
        hidden = tf.concat([inputs, tf.repeat(embedded, tf.shape(inputs)[1], axis=1)], axis=-1)
        hidden = self.projection(hidden)
        hidden, new_state = self.encoder(hidden, initial_state=state, mask=mask, training=training)
        hidden = self.dropout(tf.gather(hidden, origins, axis=1), training=training)
        if self.skip:
            hidden = tf.concat([hidden, tf.gather(inputs, origins, axis=1)], axis=-1)
        return self.decoder(hidden, ahead), new_state

    def initial_state(self, batch: Any) -> list[list[tf.Tensor]]:
        """The state of each recurrent layer before the first step."""
        return self.encoder.initial_state(batch)


class DirectDecoder(keras.layers.Layer):
    """Parameters of all steps ahead at once from the encoder's context.

        local_{t,h} = relu(W_h c_t + V x_{t+h} + b_h),   parameters_{t,h} = U_h local_{t,h} + d_h

    A small context for each step ahead, as in MQ-RNN (Wen et al. 2017, https://arxiv.org/abs/1711.11053), with what is
    known of that step.

    Args:
        units: of each local context.
        horizon: steps ahead.
        targets: values to forecast at each of them.
        distribution: whose parameters they are; training begins with its standard form.
    """

    def __init__(self, units: int, horizon: int, targets: int, distribution: Distribution, **options: Any) -> None:
        super().__init__(**options)
        self.supports_masking = True  # what is decoded where no step counts is looked at by nobody
        self.units, self.horizon, self.targets, self.distribution = units, horizon, targets, distribution
        self.local = keras.layers.Dense(horizon * units, name="local")
        self.known = keras.layers.Dense(units, use_bias=False, name="known")

    def build(self, context_shape: Any, ahead_shape: Any) -> None:
        self.local.build(context_shape)
        self.known.build(ahead_shape)
        outputs = self.targets * self.distribution.parameters
        initializer = keras.initializers.VarianceScaling(0.1)
        shape = (self.horizon, self.units, outputs)
        self.kernel = self.add_weight(shape=shape, initializer=initializer, name="kernel")
        self.bias = self.add_weight(shape=(self.horizon, outputs), initializer=self._start, name="bias")

    def call(self, context: tf.Tensor, ahead: tf.Tensor) -> tf.Tensor:
        """Returns (batch, time, horizon, targets, parameters) of (batch, time, units) and what is known ahead."""
        batch, time = tf.shape(context)[0], tf.shape(context)[1]
        local = tf.reshape(self.local(context), (batch, time, self.horizon, self.units))
        local = tf.nn.relu(local + self.known(ahead))
        found = tf.einsum("bthu,huo->btho", local, tf.cast(self.kernel, local.dtype)) + tf.cast(self.bias, local.dtype)
        return tf.reshape(found, (batch, time, self.horizon, self.targets, self.distribution.parameters))

    def _start(self, shape: Any, dtype: Any = None) -> tf.Tensor:
        return tf.tile(tf.constant([self.distribution.start], dtype), (self.horizon, self.targets))
