"""Texts that are continued, subword by subword, in stock TensorFlow operations."""

from typing import NamedTuple

import tensorflow as tf

from pipelines.nlp.language_model.data import BOUNDARY
from pipelines.nlp.language_model.model import LanguageModel, State
from pipelines.nlp.language_model.sampling import Options, sample
from pipelines.nlp.subwords import PADDING

REMEMBERED = 256  # subwords back to which the choice of the next one looks


class Continuation(NamedTuple):
    """Texts that are being continued.

    Attributes:
        logits: of the next subword (batch, size).
        state: of the network.
        written: the last subwords, int32 (batch, 256).
    """

    logits: tf.Tensor
    state: State
    written: tf.Tensor


def prefill(model: LanguageModel, numbers: tf.Tensor, lengths: tf.Tensor) -> Continuation:
    """Reads prompts.

    Args:
        model: the network.
        numbers: of their subwords, int32 (batch, time), anything behind their ends.
        lengths: int32 (batch,), how many each has.
    """
    batch = tf.shape(numbers)[0]
    numbers = tf.concat([tf.fill((batch, 1), BOUNDARY), numbers], axis=1)
    outputs, state = model.outputs(numbers, lengths=lengths + 1)
    last = tf.gather(outputs, lengths, batch_dims=1)  # (batch, width)
    before = tf.concat([tf.fill((batch, REMEMBERED), PADDING), numbers], axis=1)
    places = lengths[:, tf.newaxis] + 1 + tf.range(REMEMBERED)  # (batch, 256)
    return Continuation(model.logits(last), state, tf.gather(before, places, batch_dims=1))


def advance(model: LanguageModel, state: State, written: tf.Tensor, numbers: tf.Tensor) -> Continuation:
    """Appends one subword to each text, int32 (batch,), after `written` (batch, 256)."""
    outputs, state = model.outputs(numbers[:, tf.newaxis], state)
    written = tf.concat([written[:, 1:], numbers[:, tf.newaxis]], axis=1)
    return Continuation(model.logits(outputs[:, 0]), state, written)


def generate(model: LanguageModel, begun: Continuation, options: Options, length: tf.Tensor) -> tf.Tensor:
    """Returns what is drawn after prompts, int32 (batch, at most length); after a text's end there is padding.

    All in the graph: the same subwords as `sample` and `advance` give one after the other.

    Args:
        model: the network.
        begun: what `prefill` made of the prompts.
        options: how to choose.
        length: subwords at most, int32 (batch,) or a scalar.
    """

    def unfinished(step: tf.Tensor, open_rows: tf.Tensor, *_: object) -> tf.Tensor:
        return tf.reduce_any(open_rows)

    def draw(step: tf.Tensor, open_rows: tf.Tensor, begun: Continuation, drawn: tf.TensorArray) -> tuple:
        numbers = sample(begun.logits, begun.written, options, step)
        open_rows &= numbers != BOUNDARY
        drawn = drawn.write(step, tf.where(open_rows, numbers, PADDING))
        return step + 1, open_rows & (step + 1 < length), advance(model, begun.state, begun.written, numbers), drawn

    rows = tf.shape(begun.logits)[0]
    drawn = tf.TensorArray(tf.int32, 0, dynamic_size=True, element_shape=(None,))
    state = 0, tf.broadcast_to(length > 0, (rows,)), begun, drawn
    step, _, _, drawn = tf.while_loop(unfinished, draw, state)
    return tf.transpose(tf.cond(step > 0, drawn.stack, lambda: tf.zeros((0, rows), tf.int32)))
