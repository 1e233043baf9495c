"""The forecaster: frames in, the next frames out, each made from the one before."""

import keras
import numpy as np
import tensorflow as tf

from pipelines.video.future.heads import MotionHead, PixelHead
from pipelines.video.future.motion import matched
from pipelines.video.future.network import Core, NetworkConfiguration, each_frame

HEADS = {"motion": MotionHead, "pixels": PixelHead}


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
        before = tf.concat([frames[:, :1], frames[:, :-1]], axis=1)
        seen = each_frame(self._seen, frames, before)
        maps, state = self.core(seen, training=training)
        watched = each_frame(self.head, tf.concat([maps, seen], axis=-1), frames)
        forecasts, before, last = [watched], frames[:, -1], watched[:, -1]
        for step in range(future - 1):
            if truth is not None and shown is not None:
                last = tf.where(shown[:, step, tf.newaxis, tf.newaxis, tf.newaxis], truth[:, step], last)
            seen = self._seen(last, before)
            maps, state = self.core.step(seen, state, training)
            before, last = last, self.head(tf.concat([maps, seen], axis=-1), last)
            forecasts.append(last[:, tf.newaxis])
        return tf.concat(forecasts, axis=1)

    def _seen(self, frames: tf.Tensor, before: tf.Tensor) -> tf.Tensor:
        """What the core sees of frames: their patches, those of the frame before each, how they match, and where."""
        network, dtype = self.network, self.core.compute_dtype
        seen = [tf.nn.space_to_depth(tf.cast(each, dtype), network.patch) for each in (frames, before)]
        if network.matching:
            seen.append(tf.cast(matched(frames, before, network.patch, network.reach, network.matching), dtype))
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
        return self._future(tf.convert_to_tensor(frames), future).numpy()

    @tf.function(reduce_retracing=True)
    def _future(self, frames: tf.Tensor, future: int) -> tf.Tensor:
        return self(tf.cast(frames, tf.float32) / 255, future=future)[:, -future:]
