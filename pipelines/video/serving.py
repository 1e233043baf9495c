"""What the exports of both tasks refuse, in words instead of TensorFlow's own."""

import tensorflow as tf

from pipelines.counting import counted
from pipelines.served import required


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
    return tf.ensure_shape(required(frames, fits, message, received), (None, None, *sizes))
