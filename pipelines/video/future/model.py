"""The forecaster: frames in, the next frames out, each made from the one before."""

from collections.abc import Iterator
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from pipelines.video.future.heads import MotionHead, PixelHead
from pipelines.video.future.motion import likeness, matched
from pipelines.video.future.network import Core, NetworkConfiguration, State, each_frame

HEADS = {"motion": MotionHead, "pixels": PixelHead}


class Moment(NamedTuple):
    """Where a forecast stands.

    Attributes:
        last: the frame that was forecast last, (batch, rows, columns, channels).
        before: the frame before it.
        state: the core's, which has seen all frames but the last.
    """

    last: tf.Tensor
    before: tf.Tensor
    state: State


class FrameForecaster(keras.Model):
    """An encoder–forecaster: recurrent layers watch a clip, and then what they forecast themselves.

    While it watches it forecasts the next frame, too, after each one: so it learns from them all.

    Args:
        network: sizes and parts of the network.
        seed: of the weights.
    """

    def __init__(self, network: NetworkConfiguration, channels: int, seed: int = 0) -> None:
        super().__init__(name="frame_forecaster", autocast=False)
        self.network = network
        keras.utils.set_random_seed(seed)
        self.core = Core(network, name="core")
        self.head = HEADS[network.head](network, channels, name="head")

    def call(
        self,
        frames: tf.Tensor,
        future: int,
        truth: tf.Tensor | None = None,
        shown: tf.Tensor | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """Forecasts the next frame after each given one, and then the rest of the future.

        Args:
            frames: (batch, time, rows, columns, channels), from 0 to 1.
            future: how many frames to forecast after the last one.
            truth: (batch, future, rows, columns, channels), what comes.
            shown: bool (batch, future), of which frames the truth is watched instead of the forecast.
            training: whether this is part of a training step.

        Returns:
            (batch, time − 1 + future, rows, columns, channels), of which the last `future` come after the clip.
        """
        watched, moment = self._watch(frames, training)
        forecasts = [watched]
        for step in range(future - 1):
            if truth is not None and shown is not None:
                is_shown = shown[:, step, tf.newaxis, tf.newaxis, tf.newaxis]
                moment = moment._replace(last=tf.where(is_shown, truth[:, step], moment.last))
            moment = self._go_on(moment, training)
            forecasts.append(moment.last[:, tf.newaxis])
        return tf.concat(forecasts, axis=1)

    def _watch(self, frames: tf.Tensor, training: bool) -> tuple[tf.Tensor, Moment]:
        """The next frame after each given one, as forecast, and the moment after the last of them."""
        before = tf.concat([frames[:, :1], frames[:, :-1]], axis=1)
        alike = each_frame(self._alike, frames, before)
        seen = each_frame(self._seen, frames, before, alike)
        maps, state = self.core(seen, training=training)
        watched = each_frame(self.head, tf.concat([maps, seen], axis=-1), frames, alike)
        return watched, Moment(watched[:, -1], frames[:, -1], state)

    def _go_on(self, moment: Moment, training: bool) -> Moment:
        """The moment a frame later."""
        alike = self._alike(moment.last, moment.before)
        seen = self._seen(moment.last, moment.before, alike)
        maps, state = self.core.step(seen, moment.state, training)
        return Moment(self.head(tf.concat([maps, seen], axis=-1), moment.last, alike), moment.last, state)

    def _alike(self, frames: tf.Tensor, before: tf.Tensor) -> tf.Tensor:
        """How alike the patches of frames are to those of the frame before each, unmoved where nobody asks."""
        network = self.network
        return likeness(frames, before, network.patch, network.reach if network.matching or network.inertia else 0)

    def _seen(self, frames: tf.Tensor, before: tf.Tensor, alike: tf.Tensor) -> tf.Tensor:
        """What the core sees of frames: their patches, those of the frame before each, how they match, and where."""
        network, dtype = self.network, self.core.compute_dtype
        seen = [tf.nn.space_to_depth(tf.cast(each, dtype), network.patch) for each in (frames, before)]
        if network.matching:
            seen.append(tf.cast(matched(alike, network.matching), dtype))
        if network.coordinates:
            sides = (tf.linspace(-1.0, 1.0, side) for side in tf.unstack(tf.shape(seen[0])[1:3]))
            places = tf.cast(tf.stack(tf.meshgrid(*sides, indexing="ij"), axis=-1), dtype)  # (rows, columns, 2)
            seen.append(tf.zeros_like(seen[0][..., :1]) + places)
        return tf.concat(seen, axis=-1)

    def forecast(self, frames: np.ndarray, future: int) -> np.ndarray:
        """Returns the frames after those of clips, float32 from 0 to 1.

        Args:
            frames: uint8 (batch, time, rows, columns, channels).
            future: how many.
        """
        return np.stack(list(self.frames_after(frames, future)), axis=1)

    def frames_after(self, frames: np.ndarray, future: int) -> Iterator[np.ndarray]:
        """Yields what `forecast` returns frame by frame, (batch, rows, columns, channels), as soon as each is known."""
        moment = self._first_moment(tf.convert_to_tensor(frames))
        yield moment.last.numpy()
        for _ in range(future - 1):
            moment = self._next_moment(moment)
            yield moment.last.numpy()

    @tf.function(reduce_retracing=True)
    def _first_moment(self, frames: tf.Tensor) -> Moment:
        return self._watch(tf.cast(frames, tf.float32) / 255, training=False)[1]

    @tf.function(reduce_retracing=True)
    def _next_moment(self, moment: Moment) -> Moment:
        return self._go_on(moment, training=False)
