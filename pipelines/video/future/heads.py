"""What is made of the recurrent maps: the next frame, from pixels that move and pixels that are new."""

from typing import Any

import keras
import tensorflow as tf

from pipelines.video.future.network import NetworkConfiguration


class PixelHead(keras.layers.Layer):
    """Forecasts each pixel: recurrent maps and the last frame in, the next frame out.

    Args:
        network: sizes and parts of the network.
        channels: of a frame.
        **kwargs: what every Keras layer takes.
    """

    def __init__(self, network: NetworkConfiguration, channels: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.network, self.channels = network, channels
        self.hidden = keras.layers.Conv2D(network.decoder_filters, 3, padding="same", activation="relu", name="hidden")
        self.output_layer = keras.layers.Conv2D(self.outputs, 1, dtype="float32", name="output")

    @property
    def outputs(self) -> int:
        """Numbers that are forecast of each patch."""
        return self.network.patch**2 * self.channels

    def build(self, maps_shape: Any, *_: Any) -> None:
        self.hidden.build(maps_shape)
        self.output_layer.build((*maps_shape[:-1], self.network.decoder_filters))

    def call(self, maps: tf.Tensor, frames: tf.Tensor) -> tf.Tensor:
        """Returns the next frames (batch, rows, columns, channels), from 0 to 1."""
        del frames
        return tf.nn.depth_to_space(tf.sigmoid(self.output_layer(self.hidden(maps))), self.network.patch)


class MotionHead(PixelHead):
    """Forecasts how pixels move: each pixel of the next frame is a mixture of pixels that moved there and a new one.

    A movement of a patch is a distribution over displacements of at most `reach` pixels, the product of one over rows
    and one over columns; what moves there is the mean over it. Beside its movements each pixel may take a new value,
    and a softmax weighs them all:

        next[p] = w_0[p] new[p] + sum over movements m of w_m[p] sum over i, j of r_m[i] c_m[j] last[p + (i, j)]

    After the dynamic neural advection of Finn, Goodfellow and Levine 2016, https://arxiv.org/abs/1605.07157, with
    separable kernels as of Niklaus, Mai and Liu 2017, https://arxiv.org/abs/1708.01692.
    """

    @property
    def outputs(self) -> int:
        network = self.network
        movements = network.movements * 2 * (2 * network.reach + 1)
        return movements + network.patch**2 * (network.movements + 1 + self.channels)

    def call(self, maps: tf.Tensor, frames: tf.Tensor) -> tf.Tensor:
        patch, movements, span = self.network.patch, self.network.movements, 2 * self.network.reach + 1
        sizes = [movements * span, movements * span, patch**2 * (movements + 1), patch**2 * self.channels]
        rows, columns, weights, new = tf.split(self.output_layer(self.hidden(maps)), sizes, axis=-1)
        grid = tf.shape(maps)[:3]

        def kernels(logits: tf.Tensor) -> tf.Tensor:  # (batch, grid rows, grid columns, movements, span)
            return tf.nn.softmax(tf.reshape(logits, tf.concat([grid, [movements, span]], axis=0)))

        moved = displaced(tf.cast(frames, tf.float32), kernels(rows), kernels(columns), patch)
        new = tf.nn.depth_to_space(tf.sigmoid(new), patch)
        weights = tf.nn.softmax(tf.nn.depth_to_space(weights, patch))  # (batch, rows, columns, movements + 1)
        sources = tf.stack(
            [*tf.unstack(moved, axis=1), new], axis=-1
        )  # (batch, rows, columns, channels, movements + 1)
        return tf.reduce_sum(sources * weights[..., tf.newaxis, :], axis=-1)


def displaced(frames: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor, patch: int) -> tf.Tensor:
    """Moves the pixels of frames, those of each patch by its own distributions over displacements.

    Args:
        frames: (batch, rows, columns, channels).
        rows: (batch, patches, patches, movements, span), of an odd span, whose middle is no displacement.
        columns: likewise.
        patch: side of a patch, in pixels.

    Returns:
        (batch, movements, rows, columns, channels); outside of the frame all is 0.
    """
    span, movements, channels = rows.shape[-1], rows.shape[-2], frames.shape[-1]
    reach, side = span // 2, patch + span - 1
    padded = tf.pad(frames, [[0, 0], [reach, reach], [reach, reach], [0, 0]])
    size, stride = [1, side, side, 1], [1, patch, patch, 1]
    around = tf.image.extract_patches(padded, size, stride, [1, 1, 1, 1], "VALID")
    grid = tf.shape(around)[:3]
    around = tf.reshape(around, (-1, side, side, channels))  # (patches of all frames, …)

    def bands(kernels: tf.Tensor) -> tf.Tensor:  # (patches of all frames, movements, patch, side)
        kernels = tf.reshape(kernels, (-1, movements, span))
        return tf.stack([tf.pad(kernels, [[0, 0], [0, 0], [at, patch - 1 - at]]) for at in range(patch)], axis=2)

    # As matrix products, which are several times faster than sums over shifted frames.
    moved = tf.einsum("nyxc,nmqx->nmyqc", around, bands(columns))
    moved = tf.einsum("nmyqc,nmpy->nmpqc", moved, bands(rows))
    moved = tf.reshape(moved, tf.concat([grid, [movements, patch, patch, channels]], axis=0))
    moved = tf.transpose(moved, (0, 3, 1, 4, 2, 5, 6))
    return tf.reshape(moved, [grid[0], movements, *frames.shape[1:]])
