"""What the exports of both tasks refuse and how they fit frames, in stock TensorFlow operations."""

import tensorflow as tf

from pipelines.hints import counted
from pipelines.served import required
from pipelines.video.frames import DecodingConfiguration


def fitted(frames: tf.Tensor, data: DecodingConfiguration) -> tf.Tensor:
    """Returns the frames of clips (batch, time, height, width, channel) in the network's size, uint8.

    They are cropped, padded or stretched as in training (`frames.fit`), to within a step of rounding.

    Args:
        frames: uint8, of a batch of any size, 0 too, and frames of any size.
        data: what videos are decoded to.

    Raises:
        tf.errors.InvalidArgumentError: when the graph runs: a clip has no frame, or other channels.
    """
    height, width, channels = data.frame_shape
    received = tf.shape(frames)
    message = (
        f"frames: expected at least one frame of each clip, each of any size and {counted(channels, 'channel')}. "
        "Received (batch, time, height, width, channel):"
    )
    fits = tf.reduce_all(received[1:] > 0) & (received[4] == channels)
    frames = tf.ensure_shape(required(frames, fits, message, received), (None, None, None, None, channels))
    flat = tf.reshape(frames, tf.concat([[-1], received[2:4], [channels]], axis=0))
    alike = tf.reduce_all(received[2:4] == (height, width))
    flat = tf.cond(alike, lambda: flat, lambda: _fitted(flat, data))
    return tf.reshape(flat, (received[0], received[1], height, width, channels))


def _fitted(frames: tf.Tensor, data: DecodingConfiguration) -> tf.Tensor:
    """Frames (frames, height, width, channel) of another size, as `frames.fitting` and `frames.resize` fit them."""
    wanted = tf.constant([data.height, data.width])
    given = tf.shape(frames)[1:3]
    scales = tf.cast(wanted, tf.float64) / tf.cast(given, tf.float64)

    def rounded(sizes: tf.Tensor, most: tf.Tensor) -> tf.Tensor:
        return tf.clip_by_value(tf.cast(tf.round(sizes), tf.int32), 1, most)

    part, size = given, wanted
    if data.fit == "crop":
        part = rounded(tf.cast(wanted, tf.float64) / tf.reduce_max(scales), given)
    elif data.fit == "pad":
        size = rounded(tf.cast(given, tf.float64) * tf.reduce_min(scales), wanted)
    top, left = tf.unstack((given - part) // 2)
    pixels = tf.cast(frames[:, top : top + part[0], left : left + part[1]], tf.float32)
    shrinks = tf.reduce_prod(size) < tf.reduce_prod(part)
    resized = tf.cond(
        shrinks, lambda: _means_of_areas(pixels, part, size), lambda: tf.image.resize(pixels, size, "bilinear")
    )
    resized = tf.cast(tf.round(tf.clip_by_value(resized, 0, 255)), tf.uint8)
    before = (wanted - size) // 2
    margins = tf.stack([before, wanted - size - before], axis=1)  # (height and width, before and after)
    return tf.pad(resized, tf.concat([[[0, 0]], margins, [[0, 0]]], axis=0))


def _means_of_areas(pixels: tf.Tensor, given: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
    """Each pixel as the mean of the area that it covers in the larger picture, by two products of matrices."""

    def weights(old: tf.Tensor, new: tf.Tensor) -> tf.Tensor:  # (new, old), each row sums to 1
        edges = tf.cast(tf.range(new + 1), tf.float32) * tf.cast(old, tf.float32) / tf.cast(new, tf.float32)
        places = tf.cast(tf.range(old), tf.float32)
        covered = tf.minimum(edges[1:, tf.newaxis], places + 1) - tf.maximum(edges[:-1, tf.newaxis], places)
        covered = tf.maximum(covered, 0)
        return covered / tf.reduce_sum(covered, axis=1, keepdims=True)

    rows = tf.einsum("yh,fhwc->fywc", weights(given[0], wanted[0]), pixels)
    return tf.einsum("xw,fywc->fyxc", weights(given[1], wanted[1]), rows)
