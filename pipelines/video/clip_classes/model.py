"""The network: each frame is encoded alone, a recurrent stack reads the frames in order, each step names a class."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

import models
from pipelines.preparation import built, trained_model
from pipelines.runs import Run
from pipelines.video.clip_classes.config import ClipClassesConfiguration
from pipelines.video.clip_classes.network import NetworkConfiguration, frame_encoder


class State(NamedTuple):
    """What a stream remembers between frames."""

    frame: tf.Tensor  # the last frame, (batch, height, width, channels), in −1 … 1
    seen: tf.Tensor  # whether there was one, bool (batch,)
    recurrent: Any  # of each layer, tensors (batch, units)


class Scores(NamedTuple):
    """`logits` (batch, time, classes) after each frame, and the `state` to go on from."""

    logits: tf.Tensor
    state: State


class Classifier(keras.Model):
    """Frames in, the evidence for each class after each frame out.

    The network reads in one direction, so frames may come one at a time, with the state passed on; the logits are the
    same as for the whole clip, and frames behind the length of a clip cannot reach them. With `differences` a frame is
    seen together with its difference from the one before, of which the first has none; the state keeps the last frame.
    """

    def __init__(
        self, network: NetworkConfiguration, frame_shape: tuple[int, int, int], classes: tuple[str, ...], seed: int = 0
    ) -> None:
        super().__init__(name="classifier", autocast=False)
        keras.utils.set_random_seed(seed)
        self.network, self.frame_shape, self.classes = network, frame_shape, classes
        self.encoder = frame_encoder(network, frame_shape, network.differences)
        self.stack = models.Stack(
            network.recurrent,
            network.units,
            network.layers,
            dropout=network.dropout,
            seed=seed,
            return_sequences=True,
            return_state=True,
            name="stack",
        )
        self.output_layer = keras.layers.Dense(len(classes), dtype="float32", name="classes")

    def call(
        self, frames: tf.Tensor, lengths: tf.Tensor | None = None, state: State | None = None, training: bool = False
    ) -> Scores:
        """Returns the logits after each frame of uint8 (batch, time, height, width, channels), after `state`.

        Args:
            frames: at least one.
            lengths: int32 (batch,), how many count. Default: all.
            state: what `initial_state(batch)` or the call before returned. Default: nothing was seen.
            training: apply dropout.
        """
        if state is None:
            state = self.initial_state(tf.shape(frames)[0])
        pictures = scaled(frames, self.compute_dtype)
        seen_before = tf.reshape(state.seen, (-1, 1, 1, 1, 1))
        first = tf.where(seen_before, state.frame[:, tf.newaxis], pictures[:, :1])
        before = tf.concat([first, pictures[:, :-1]], axis=1)
        shown = tf.concat([pictures, pictures - before], axis=-1) if self.network.differences else pictures
        encoded = encode(self.encoder, shown, training)  # (batch, time, features)
        mask = None if lengths is None else tf.sequence_mask(lengths, tf.shape(frames)[1])
        hidden, recurrent = self.stack(encoded, initial_state=state.recurrent, mask=mask, training=training)
        last, seen = pictures[:, -1], tf.ones_like(state.seen)
        if lengths is not None:
            counts = tf.reshape(lengths > 0, (-1, 1, 1, 1))
            last = tf.where(counts, tf.gather(pictures, tf.maximum(lengths - 1, 0), batch_dims=1), state.frame)
            seen = state.seen | (lengths > 0)
        return Scores(self.output_layer(hidden), State(last, seen, recurrent))

    @tf.function(reduce_retracing=True, autograph=False)
    def evidence(self, frames: tf.Tensor) -> tf.Tensor:
        """Returns the probability of each class after each frame, (batch, time, classes); `frames` as of `call`.

        It is traced for the classifier, not for each validation.
        """
        return tf.nn.softmax(self(frames).logits)

    def initial_state(self, batch: Any) -> State:
        """The state before the first frame."""
        frame = tf.zeros((batch, *self.frame_shape), self.compute_dtype)
        return State(frame, tf.zeros((batch,), tf.bool), self.stack.initial_state(batch))


class PictureClassifier(keras.Model):
    """A baseline: the same encoder of one picture of a clip, which knows nothing of time."""

    def __init__(
        self, network: NetworkConfiguration, frame_shape: tuple[int, int, int], classes: tuple[str, ...], seed: int = 0
    ) -> None:
        super().__init__(name="picture_classifier", autocast=False)
        keras.utils.set_random_seed(seed)
        self.encoder = frame_encoder(network, frame_shape, differences=False)
        self.output_layer = keras.layers.Dense(len(classes), dtype="float32", name="classes")

    def call(self, pictures: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns logits (batch, classes) of pictures (batch, height, width, channels) in 0 … 255."""
        return self.output_layer(self.encoder(scaled(pictures, self.compute_dtype), training=training))


def scaled(frames: tf.Tensor, dtype: str) -> tf.Tensor:
    """Returns frames of 0 … 255 in −1 … 1."""
    return tf.cast(frames, dtype) / 127.5 - 1


def encode(encoder: keras.Model, frames: tf.Tensor, training: bool) -> tf.Tensor:
    """Encodes each frame of (batch, time, height, width, channels) alone, to (batch, time, features)."""
    shape = tf.shape(frames)
    alone = tf.reshape(frames, (-1, *frames.shape[2:]))  # (batch · time, height, width, channels)
    encoded = encoder(alone, training=training)
    return tf.reshape(encoded, (shape[0], shape[1], encoded.shape[-1]))


def build(configuration: ClipClassesConfiguration, classes: Sequence[str]) -> Classifier:
    """Returns an untrained classifier, its weights made."""
    shape = configuration.data.frame_shape
    classifier = Classifier(configuration.network, shape, tuple(classes), configuration.seed)
    return built(classifier, tf.zeros((1, 1, *shape), tf.uint8))


def load_model(run: Run) -> Classifier:
    """Returns the classifier of a finished run, with its trained weights."""
    return trained_model(run, run.read_configuration(ClipClassesConfiguration), build, "classes.json", "classes")
