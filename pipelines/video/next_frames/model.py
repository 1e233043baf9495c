"""The forecaster: frames in, the next frames out, each made from the one before."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from pipelines.preparation import built, trained_model
from pipelines.runs import Run
from pipelines.video.next_frames.config import NextFramesConfiguration
from pipelines.video.next_frames.heads import MotionHead, PixelHead
from pipelines.video.next_frames.motion import continued, matched, similarities
from pipelines.video.next_frames.network import Core, NetworkConfiguration, State, each_frame

HEADS = {"motion": MotionHead, "pixels": PixelHead}


class Rollout(NamedTuple):
    """Where a forecast stands."""

    last: tf.Tensor  # the frame that was forecast last, (batch, rows, columns, channels)
    before: tf.Tensor  # the frame before it
    state: State  # the core's, which has seen all frames but the last


class FrameForecaster(keras.Model):
    """An encoder–forecaster: recurrent layers watch a clip, and then what they forecast themselves.

    While it watches it forecasts the next frame, too, after each one: so it learns from them all.
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
        truth_mask: tf.Tensor | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """Forecasts the next frame after each given one, and then the rest of the future.

        Args:
            frames: (batch, time, rows, columns, channels), from 0 to 1.
            future: how many frames to forecast after the last one.
            truth: (batch, future, rows, columns, channels), what comes.
            truth_mask: bool (batch, future), of which frames the truth is watched instead of the forecast.
            training: whether this is part of a training step.

        Returns:
            (batch, time − 1 + future, rows, columns, channels), of which the last `future` come after the clip.
        """
        watched, rollout = self._encode(frames, training)
        forecasts = [watched]
        for step in range(future - 1):
            if truth is not None and truth_mask is not None:
                is_true = truth_mask[:, step, tf.newaxis, tf.newaxis, tf.newaxis]
                rollout = rollout._replace(last=tf.where(is_true, truth[:, step], rollout.last))
            rollout = self._step(rollout, training)
            forecasts.append(rollout.last[:, tf.newaxis])
        return tf.concat(forecasts, axis=1)

    def _encode(self, frames: tf.Tensor, training: bool) -> tuple[tf.Tensor, Rollout]:
        """The next frame after each given one, as forecast, and the rollout after the last of them."""
        before = tf.concat([frames[:, :1], frames[:, :-1]], axis=1)
        similarity = each_frame(self._similarity, frames, before)
        moved_on = each_frame(self._moved_on, frames, before)
        seen = each_frame(self._seen, frames, before, similarity, moved_on)
        maps, state = self.core(seen, training=training)
        watched = each_frame(self.head, tf.concat([maps, seen], axis=-1), frames, similarity, moved_on)
        return watched, Rollout(watched[:, -1], frames[:, -1], state)

    def _step(self, rollout: Rollout, training: bool) -> Rollout:
        """The rollout a frame later."""
        similarity = self._similarity(rollout.last, rollout.before)
        moved_on = self._moved_on(rollout.last, rollout.before)
        seen = self._seen(rollout.last, rollout.before, similarity, moved_on)
        maps, state = self.core.step(seen, rollout.state, training)
        following = self.head(tf.concat([maps, seen], axis=-1), rollout.last, similarity, moved_on)
        return Rollout(following, rollout.last, state)

    def _similarity(self, frames: tf.Tensor, before: tf.Tensor) -> tf.Tensor:
        """Returns how similar the patches of frames are to those of the frame before each; unmoved where not needed."""
        network = self.network
        return similarities(frames, before, network.patch, network.reach if network.matching or network.inertia else 0)

    def _moved_on(self, frames: tf.Tensor, before: tf.Tensor) -> tf.Tensor:
        """Returns what `continued` does of frames and those before each; no channels where not needed."""
        return continued(frames, before) if self.network.flow else frames[..., :0]

    def _seen(self, frames: tf.Tensor, before: tf.Tensor, similarity: tf.Tensor, moved_on: tf.Tensor) -> tf.Tensor:
        """What the core sees of frames: their patches, those of the frame before each, how they match, and where."""
        network, dtype = self.network, self.core.compute_dtype
        seen = [tf.nn.space_to_depth(tf.cast(each, dtype), network.patch) for each in (frames, before, moved_on)]
        if network.matching:
            seen.append(tf.cast(matched(similarity, network.matching), dtype))
        if network.coordinates:
            sides = (tf.linspace(-1.0, 1.0, side) for side in tf.unstack(tf.shape(seen[0])[1:3]))
            places = tf.cast(tf.stack(tf.meshgrid(*sides, indexing="ij"), axis=-1), dtype)  # (rows, columns, 2)
            seen.append(tf.zeros_like(seen[0][..., :1]) + places)
        return tf.concat(seen, axis=-1)

    def roll_out(self, frames: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
        """Returns the frames after those given, of which the graph does not know how many there are.

        Args:
            frames: (batch, time, rows, columns, channels), from 0 to 1.
            length: int32, 1 at least.

        Returns:
            (batch, length, rows, columns, channels).
        """
        _, first = self._encode(frames, training=False)
        forecasts = tf.TensorArray(tf.float32, size=length, element_shape=first.last.shape).write(0, first.last)

        def step(number: tf.Tensor, rollout: Rollout, forecasts: tf.TensorArray) -> tuple[Any, ...]:
            rollout = self._step(rollout, training=False)
            return number + 1, rollout, forecasts.write(number, rollout.last)

        _, _, forecasts = tf.while_loop(lambda number, *_: number < length, step, (1, first, forecasts))
        return tf.transpose(forecasts.stack(), (1, 0, 2, 3, 4))

    def forecast(self, frames: np.ndarray, future: int) -> np.ndarray:
        """Returns the frames after clips, uint8 (batch, time, rows, columns, channels), as float32 from 0 to 1."""
        return np.stack(list(self.frames_after(frames, future)), axis=1)

    def frames_after(self, frames: np.ndarray, future: int) -> Iterator[np.ndarray]:
        """Yields what `forecast` returns frame by frame, (batch, rows, columns, channels), as soon as each is known."""
        rollout = self._first(tf.convert_to_tensor(frames))
        yield rollout.last.numpy()
        for _ in range(future - 1):
            rollout = self._next(rollout)
            yield rollout.last.numpy()

    @tf.function(reduce_retracing=True, autograph=False)
    def _first(self, frames: tf.Tensor) -> Rollout:
        return self._encode(tf.cast(frames, tf.float32) / 255, training=False)[1]

    @tf.function(reduce_retracing=True, autograph=False)
    def _next(self, rollout: Rollout) -> Rollout:
        return self._step(rollout, training=False)


def build(configuration: NextFramesConfiguration) -> FrameForecaster:
    """Returns an untrained forecaster, its weights made."""
    data = configuration.data
    forecaster = FrameForecaster(configuration.network, data.channels, configuration.seed)
    return built(forecaster, tf.zeros((1, 1, *data.frame_shape)), future=1)


def load_model(run: Run) -> FrameForecaster:
    """Returns the forecaster of a finished run, with its trained weights."""
    return trained_model(run, run.read_configuration(NextFramesConfiguration), build)
