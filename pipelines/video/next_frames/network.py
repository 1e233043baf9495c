"""The recurrent core of a forecaster: levels of convolutional LSTMs, each of half the resolution of the one before."""

from typing import Any, Literal, TypeAlias

import keras
import tensorflow as tf
from pydantic import Field

import models
from pipelines.configuration import Configuration

State: TypeAlias = list[list[tf.Tensor]]  # of each layer


class NetworkConfiguration(Configuration):
    """Sizes and parts of the network."""

    recurrent: Literal["conv_lstm", "spatiotemporal_lstm"] = Field("conv_lstm", description="recurrent layer")
    patch: int = Field(4, ge=1, description="side of the square patches of the first level, in pixels")
    filters: tuple[int, ...] = Field(
        (32, 64), min_length=1, description="channels of each level; each level halves height and width"
    )
    depth: int = Field(1, ge=1, description="recurrent layers of a level")
    kernel: int = Field(3, ge=1, description="side of the square kernels")
    head: Literal["motion", "pixels"] = Field(
        "motion", description="what the network forecasts: motion of the last frame's pixels, or the pixels themselves"
    )
    matching: tuple[int, ...] = Field(
        (1, 3),
        description="sizes, in patches, of the squares that are matched with the previous frame as further input",
    )
    coordinates: bool = Field(True, description="input the position of each patch in the frame; not with data.crop")
    movements: int = Field(2, ge=1, description="movements that one patch can mix, as where one object passes another")
    stillness: float = Field(0.0, ge=0, description="initial preference for the pixels of the last frame; 0: none")
    inertia: bool = Field(
        False, description="before training, the network continues the matched motion of the last two frames"
    )
    flow: bool = Field(
        False,
        description="also mix in the last frame, and where optical flow takes it, each where it was better before; "
        "with the head pixels, it is an input only",
    )
    reach: int = Field(5, ge=1, description="largest movement in each direction, in pixels")
    decoder_filters: int = Field(64, ge=1, description="channels between the recurrent maps and the forecast")

    @property
    def unused(self) -> list[str]:
        """Settings that differ from their defaults and mean nothing to the head."""
        names = ["movements", "stillness", "inertia"] + ["reach"] * (not self.matching)
        default = NetworkConfiguration()
        changed = [f"network.{each}" for each in names if getattr(self, each) != getattr(default, each)]
        return changed if self.head == "pixels" else []


class Core(keras.layers.Layer):
    """Levels of recurrent layers, from fine to coarse: frames in, the maps of all levels out, side by side.

    The coarser a level, the farther a kernel reaches: on the second level of patches of 4 pixels, 3 places are 24
    pixels.
    """

    def __init__(self, network: NetworkConfiguration, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.network = network
        self.coarser = [
            keras.layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu", name=f"coarser_{level}")
            for level, filters in enumerate(network.filters[1:], start=1)
        ]
        self.levels = [_level(network, filters, level) for level, filters in enumerate(network.filters)]

    def build(self, frames_shape: Any) -> None:
        batch, time, rows, columns, channels = frames_shape
        for level, layers in enumerate(self.levels):
            if level:
                self.coarser[level - 1].build((batch, rows, columns, channels))
                rows, columns, channels = -(-rows // 2), -(-columns // 2), self.network.filters[level]
            for layer in layers:
                layer.build((batch, time, rows, columns, channels))
                if self.network.recurrent == "conv_lstm":  # which may learn from squares of the frames to come
                    layer.input_spec = keras.layers.InputSpec(ndim=5)
                channels = self.network.filters[level]

    def call(self, maps: tf.Tensor, state: State | None = None, training: bool = False) -> tuple[tf.Tensor, State]:
        """Reads some frames.

        Args:
            maps: (batch, time, rows, columns, channels).

        Returns:
            The maps of all levels after each frame (batch, time, rows, columns, all filters), and the new state.
        """
        found, new_state, number = [], [], 0
        for level, layers in enumerate(self.levels):
            if level:
                maps = each_frame(self.coarser[level - 1], maps)
            for layer in layers:
                before = self._zeros(layer, maps) if state is None else state[number]
                maps, *after = layer(maps, initial_state=before, training=training)
                new_state.append(after)
                number += 1
            found.append(self._to_finest(maps, level))
        return tf.concat(found, axis=-1), new_state

    def step(self, maps: tf.Tensor, state: State, training: bool = False) -> tuple[tf.Tensor, State]:
        """Reads one frame (batch, rows, columns, channels): what `call` does with it."""
        found, new_state, number = [], [], 0
        for level, layers in enumerate(self.levels):
            if level:
                maps = self.coarser[level - 1](maps)
            for layer in layers:
                maps, after = layer.step(maps, state[number], training)
                new_state.append(after)
                number += 1
            found.append(self._to_finest(maps, level))
        return tf.concat(found, axis=-1), new_state

    def _zeros(self, layer: keras.layers.Layer, maps: tf.Tensor) -> list[tf.Tensor]:
        """The state before the first frame, for maps of this size, which may not be that of the layer's first ones."""
        zeros = tf.zeros((tf.shape(maps)[0], *maps.shape[2:4], layer.filters), layer.compute_dtype)
        return [zeros] * (2 if self.network.recurrent == "conv_lstm" else 2 * self.network.depth + 1)

    def _to_finest(self, maps: tf.Tensor, level: int) -> tf.Tensor:
        """Repeats each place of a coarse map as often as the finest level has places there."""
        return tf.repeat(tf.repeat(maps, 2**level, axis=-3), 2**level, axis=-2)


def _level(network: NetworkConfiguration, filters: int, level: int) -> list[keras.layers.Layer]:
    options = {"return_sequences": True, "return_state": True}
    if network.recurrent == "spatiotemporal_lstm":
        name = f"spatiotemporal_lstm_{level}"
        return [models.SpatiotemporalLSTM(filters, network.kernel, network.depth, name=name, **options)]
    return [
        models.ConvLSTM2D(filters, network.kernel, padding="same", name=f"conv_lstm_{level}_{layer}", **options)
        for layer in range(network.depth)
    ]


def each_frame(function: Any, *maps: tf.Tensor) -> tf.Tensor:
    """What a function of maps (batch, …) makes of those of each frame (batch, time, …)."""
    flat = function(*(tf.reshape(each, (-1, *each.shape[2:])) for each in maps))
    return tf.reshape(flat, (-1, tf.shape(maps[0])[1], *flat.shape[1:]))
