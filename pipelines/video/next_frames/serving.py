"""What a server runs: frames in, the next frames out, in stock TensorFlow operations."""

import math

import tensorflow as tf

from pipelines.served import Signature, Tensors, for_any_batch, required
from pipelines.video.next_frames.data import DataConfiguration
from pipelines.video.next_frames.model import FrameForecaster
from pipelines.video.serving import fitted

MOST_PIXELS = 2**28
"""Of all frames that are forecast at once: a gigabyte."""


def signatures(forecaster: FrameForecaster, data: DataConfiguration) -> dict[str, Signature]:
    """Returns the functions to serve by name.

    `serving_default` takes `frames`, uint8 (batch, time, height, width, channel) of any size, at least one of each
    clip, and returns as many frames after them as in training, `future`, uint8 (batch, future, height, width, channel).
    `roll_out` also takes `length`, int32 (batch,): how many frames to forecast; behind a shorter future there is black.

        answer = tf.saved_model.load(folder).signatures["serving_default"]
        answer(frames=tf.constant(frames))["future"]
    """
    frames = tf.TensorSpec((None, None, None, None, None), tf.uint8)

    @for_any_batch
    def whole(frames: tf.Tensor) -> Tensors:
        forecasts = forecaster(_fitted(frames, data), future=data.future_frames)
        return {"future": _as_uint8(forecasts[:, -data.future_frames :])}

    @for_any_batch
    def forecast(frames: tf.Tensor, length: tf.Tensor) -> Tensors:
        forecasts = forecaster.roll_out(_fitted(frames, data), tf.maximum(tf.reduce_max(length), 1))
        counts = tf.sequence_mask(length, tf.shape(forecasts)[1])[:, :, tf.newaxis, tf.newaxis, tf.newaxis]
        return {"future": _as_uint8(tf.where(counts, forecasts, 0.0))}

    def roll_out(frames: tf.Tensor, length: tf.Tensor) -> Tensors:
        batch = tf.shape(frames)[0]
        most = MOST_PIXELS // math.prod(data.frame_shape) // tf.maximum(batch, 1)
        message = (
            "length: expected one frame of the future at least, for each clip, and no more in all than memory takes. "
            "Give another one. Received:"
        )
        fits = (length > 0) & (length <= most) & tf.equal(tf.size(length), batch)
        return forecast(frames=frames, length=required(length, fits, message, length))

    return {
        "serving_default": Signature(whole, {"frames": frames}),
        "roll_out": Signature(roll_out, {"frames": frames, "length": tf.TensorSpec((None,), tf.int32)}),
    }


def _fitted(frames: tf.Tensor, data: DataConfiguration) -> tf.Tensor:
    """Returns frames from 0 to 1 in the network's size."""
    return tf.cast(fitted(frames, data), tf.float32) / 255


def _as_uint8(frames: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.round(255 * frames), tf.uint8)
