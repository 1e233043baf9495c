"""What is made of the recurrent maps: the next frame, from pixels that move and pixels that are new."""

from typing import Any

import keras
import tensorflow as tf

from pipelines.video.next_frames.motion import displaced, matched
from pipelines.video.next_frames.network import NetworkConfiguration

INERTIA_WIDTH, INERTIA_SHARPNESS = 3, 20.0  # of the matching that finds how things go on moving
SMALLEST_CHANCE = 1e-2  # of a displacement, so that the network can decide otherwise, as where things bounce


class PixelHead(keras.layers.Layer):
    """Forecasts each pixel: recurrent maps and the last frame in, the next frame out."""

    def __init__(self, network: NetworkConfiguration, channels: int, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)  # pixels, and how alike they are, need all their digits
        self.network, self.channels = network, channels
        self.hidden = keras.layers.Conv2D(network.decoder_filters, 3, padding="same", activation="relu", name="hidden")
        self.output_layer = keras.layers.Conv2D(
            self.outputs, 1, bias_initializer=self.first_biases, dtype="float32", name="output"
        )

    @property
    def outputs(self) -> int:
        """Numbers that are forecast of each patch."""
        return self.network.patch**2 * self.channels

    def first_biases(self, shape: Any, dtype: Any = None) -> tf.Tensor:
        """Biases of the outputs, to begin with."""
        return tf.zeros(shape, dtype)

    def build(self, maps_shape: Any, *_: Any) -> None:
        self.hidden.build(maps_shape)
        self.output_layer.build((*maps_shape[:-1], self.network.decoder_filters))

    def call(self, maps: tf.Tensor, frames: tf.Tensor, similarity: tf.Tensor, moved_on: tf.Tensor) -> tf.Tensor:
        """Returns the frames after some, from 0 to 1; the others are as `similarities` and `continued` return them."""
        del frames, similarity, moved_on
        return tf.nn.depth_to_space(tf.sigmoid(self.output_layer(self.hidden(maps))), self.network.patch)


class MotionHead(PixelHead):
    """Forecasts how pixels move: each pixel of the next frame is a mixture of pixels that moved there and a new one.

    A movement of a patch is a distribution over displacements of at most `reach` pixels, the product of one over rows
    and one over columns; what moves there is the mean over it. Beside its movements each pixel may take a new value,
    and a softmax weighs them all:

        next[p] = w_0[p] new[p] + sum over movements m of w_m[p] sum over i, j of r_m[i] c_m[j] last[p + (i, j)]

    With inertia the network forecasts how the distributions differ from those of what just moved there, as matched: it
    begins as one that lets everything go on.

    After the dynamic neural advection of Finn, Goodfellow and Levine 2016, https://arxiv.org/abs/1605.07157, with
    separable kernels as of Niklaus, Mai and Liu 2017, https://arxiv.org/abs/1708.01692.
    """

    @property
    def outputs(self) -> int:
        network = self.network
        movements = network.movements * 2 * (2 * network.reach + 1)
        return movements + network.patch**2 * (self.sources + self.channels)

    @property
    def sources(self) -> int:
        """Pictures that are mixed: of each movement, the new one, and with flow the last frame and where it flows."""
        return self.network.movements + 1 + 2 * self.network.flow

    def first_biases(self, shape: Any, dtype: Any = None) -> tf.Tensor:
        network = self.network
        unmoved = 0.0 if network.inertia else network.stillness  # with inertia the matching finds where things go
        still = unmoved * tf.one_hot(network.reach, 2 * network.reach + 1)
        moved = [network.stillness / 2] * network.movements + [0.0]  # rather than new
        moved += [network.stillness] * 2 * network.flow
        others = tf.zeros((network.patch**2 * self.channels,))
        biases = [tf.tile(still, [2 * network.movements]), tf.tile(moved, [network.patch**2]), others]
        return tf.cast(tf.concat(biases, axis=0), dtype)

    def call(self, maps: tf.Tensor, frames: tf.Tensor, similarity: tf.Tensor, moved_on: tf.Tensor) -> tf.Tensor:
        patch, movements, span = self.network.patch, self.network.movements, 2 * self.network.reach + 1
        sizes = [movements * span, movements * span, patch**2 * self.sources, patch**2 * self.channels]
        rows, columns, weights, new = tf.split(self.output_layer(self.hidden(maps)), sizes, axis=-1)
        grid = tf.shape(maps)[:3]

        def by_movement(logits: tf.Tensor) -> tf.Tensor:  # (batch, grid rows, grid columns, movements, span)
            return tf.reshape(logits, tf.concat([grid, [movements, span]], axis=0))

        rows, columns = by_movement(rows), by_movement(columns)
        if self.network.inertia:
            chances = matched(similarity, (INERTIA_WIDTH,), INERTIA_SHARPNESS)
            usual = tf.math.log(chances + SMALLEST_CHANCE)[..., tf.newaxis, :]
            rows, columns = rows + usual[..., :span], columns + usual[..., span:]
        moved = displaced(frames, tf.nn.softmax(rows), tf.nn.softmax(columns), patch)
        new = tf.nn.depth_to_space(tf.sigmoid(new), patch)
        # A softmax over so few numbers is several times faster as sums over pictures.
        weights = tf.unstack(tf.nn.depth_to_space(weights, patch), axis=-1)  # of each source (batch, rows, columns)
        if self.network.flow:
            better = moved_on[..., -1]
            weights[-2:] = weights[-2] - tf.nn.softplus(better), weights[-1] - tf.nn.softplus(-better)
        highest = tf.stop_gradient(tf.reduce_max(tf.stack(weights), axis=0))
        weights = [tf.exp(weight - highest)[..., tf.newaxis] for weight in weights]
        sources = [*tf.unstack(moved, axis=1), new]  # each (batch, rows, columns, channels)
        if self.network.flow:
            sources += [frames, moved_on[..., :-1]]
        mixed = tf.add_n([source * weight for source, weight in zip(sources, weights, strict=True)])
        return mixed / tf.add_n(weights)
