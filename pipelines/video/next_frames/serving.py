"""What a server runs: frames in, the next frames out, in stock TensorFlow operations."""

import math

import tensorflow as tf

from pipelines.served import Signature, Tensors, one_at_least, required
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

    def whole(frames: tf.Tensor) -> Tensors:
        given, batch = _fitted(frames, data)
        forecasts = forecaster(given, future=data.future_frames)[:, -data.future_frames :]
        return {"future": _as_uint8(forecasts)[:batch]}

    def roll_out(frames: tf.Tensor, length: tf.Tensor) -> Tensors:
        given, batch = _fitted(frames, data)
        most = MOST_PIXELS // math.prod(data.frame_shape) // tf.maximum(batch, 1)
        message = (
            "length: expected one frame of the future at least, for each clip, and no more in all than memory takes. "
            "Give another one. Received:"
        )
        fits = (length > 0) & (length <= most) & tf.equal(tf.size(length), batch)
        length = required(length, fits, message, length)
        forecasts = forecaster.roll_out(given, tf.reduce_max(tf.concat([length, [1]], axis=0)))[:batch]
        counts = tf.sequence_mask(length, tf.shape(forecasts)[1])[:, :, tf.newaxis, tf.newaxis, tf.newaxis]
        return {"future": _as_uint8(tf.where(counts, forecasts, 0.0))}

    return {
        "serving_default": Signature(whole, {"frames": frames}),
        "roll_out": Signature(roll_out, {"frames": frames, "length": tf.TensorSpec((None,), tf.int32)}),
    }


def _fitted(frames: tf.Tensor, data: DataConfiguration) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns frames from 0 to 1 in the network's size, one clip at least, and how many clips there were."""
    given = one_at_least(fitted(frames, data))
    return tf.cast(given, tf.float32) / 255, tf.shape(frames)[0]


def _as_uint8(frames: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.round(255 * frames), tf.uint8)
