"""What the exports of both tasks refuse, in words instead of TensorFlow's own, and what they make of an empty batch."""

import tensorflow as tf

from pipelines.counting import counted


def checked(frames: tf.Tensor, height: int | None, width: int | None, channels: int) -> tf.Tensor:
    """Returns the frames of clips (batch, time, height, width, channel), which a graph refuses if they do not fit.

    Args:
        frames: of a batch of any size, 0 too.
        height: pixels of a frame; None: any.
        width: pixels of a frame; None: any.
        channels: numbers of a pixel.

    Raises:
        tf.errors.InvalidArgumentError: when the graph runs: a clip has no frame, or they are of another size.
    """
    sizes, received = (height, width, channels), tf.shape(frames)
    fits = tf.reduce_all(received[1:] > 0)
    for place, size in enumerate(sizes, start=2):
        if size is not None:
            fits &= received[place] == size
    pixels = "any size" if height is None else f"{height} × {width} pixels"
    message = (
        f"Expected at least one frame of each clip, each of {pixels} and {counted(channels, 'channel')}. "
        "Received (batch, time, height, width, channel):"
    )
    with tf.control_dependencies([tf.debugging.Assert(fits, [message, received], summarize=5)]):
        return tf.ensure_shape(tf.identity(frames), (None, None, *sizes))


def one_at_least(tensor: tf.Tensor) -> tf.Tensor:
    """Returns a tensor (batch, …) as it is, or a row of zeros if the batch is empty: convolutions refuse no clips.

    What is answered is cut to the batch again.
    """
    missing = tf.maximum(1 - tf.shape(tensor)[0], 0)
    return tf.pad(tensor, [[0, missing], *[[0, 0]] * (tensor.shape.rank - 1)])
