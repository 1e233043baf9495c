"""Texts that go on where a prompt ends: drawn subword by subword, or the most probable ones that a beam finds."""

import codecs
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from pipelines.nlp.language_model.data import BOUNDARY
from pipelines.nlp.language_model.model import LanguageModel, State
from pipelines.nlp.language_model.sampling import Options, SamplingConfiguration, choose
from pipelines.nlp.subwords import PADDING, Subwords

REMEMBERED = 64  # subwords back to which the repetition penalty looks


class Begun(NamedTuple):
    """Texts under way: `logits` of what comes next (batch, size), `state`, and what was `written` last (batch, 64)."""

    logits: tf.Tensor
    state: State
    written: tf.Tensor


def begin(model: LanguageModel, numbers: tf.Tensor, lengths: tf.Tensor) -> Begun:
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
    places = lengths[:, tf.newaxis] + 1 + tf.range(REMEMBERED)  # (batch, 64)
    return Begun(model.logits(last), state, tf.gather(before, places, batch_dims=1))


def go_on(model: LanguageModel, begun: Begun, numbers: tf.Tensor) -> Begun:
    """Appends one subword to each text, int32 (batch,)."""
    outputs, state = model.outputs(numbers[:, tf.newaxis], begun.state)
    written = tf.concat([begun.written[:, 1:], numbers[:, tf.newaxis]], axis=1)
    return Begun(model.logits(outputs[:, 0]), state, written)


def generate(model: LanguageModel, begun: Begun, options: Options, length: tf.Tensor) -> tf.Tensor:
    """Returns what is drawn after prompts, int32 (batch, at most length); nothing counts after a text's end.

    All in the graph: the same subwords as `stream` draws.
    """

    def goes_on(step: tf.Tensor, open_rows: tf.Tensor, *_: object) -> tf.Tensor:
        return (step < length) & tf.reduce_any(open_rows)

    def draw(step: tf.Tensor, open_rows: tf.Tensor, begun: Begun, drawn: tf.TensorArray) -> tuple:
        numbers = choose(begun.logits, begun.written, options, step)
        open_rows &= numbers != BOUNDARY
        drawn = drawn.write(step, tf.where(open_rows, numbers, PADDING))
        return step + 1, open_rows, go_on(model, begun, numbers), drawn

    rows = tf.shape(begun.logits)[0]
    drawn = tf.TensorArray(tf.int32, 0, dynamic_size=True, element_shape=(None,))
    state = 0, tf.ones((rows,), tf.bool), begun, drawn
    step, _, _, drawn = tf.while_loop(goes_on, draw, state)
    return tf.transpose(tf.cond(step > 0, drawn.stack, lambda: tf.zeros((0, rows), tf.int32)))


def stream(
    model: LanguageModel, subwords: Subwords, prompt: str, configuration: SamplingConfiguration
) -> Iterator[str]:
    """Yields what comes after a prompt as it is drawn, whole characters at a time."""
    encoded = subwords.encode(tf.constant([prompt])).to_tensor()
    begun = begin(model, encoded, tf.shape(encoded)[1:])
    options = Options.of(configuration)

    @tf.function(reduce_retracing=True)
    def draw(begun: Begun, step: tf.Tensor) -> tuple[tf.Tensor, Begun]:
        numbers = choose(begun.logits, begun.written, options, step)
        return numbers, go_on(model, begun, numbers)

    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for step in range(configuration.length):
        numbers, begun = draw(begun, tf.constant(step))
        number = int(numbers[0])
        if number == BOUNDARY:
            break
        if text := decoder.decode(subwords.pieces[number]):
            yield text
    if text := decoder.decode(b"", final=True):
        yield text


def search(
    model: LanguageModel, subwords: Subwords, prompt: str, length: int, beam_width: int = 4
) -> list[tuple[str, float]]:
    """Returns the most probable texts that a beam finds after a prompt, best first, with their log probabilities.

    A text that ends stays in the beam; the beam is exact if it is wide enough to hold every text.

    Args:
        model: the network.
        subwords: its vocabulary.
        prompt: what comes before.
        length: subwords at most.
        beam_width: texts that are kept after each step.
    """
    encoded = subwords.encode(tf.constant([prompt])).to_tensor()
    begun = begin(model, encoded, tf.shape(encoded)[1:])
    advance = tf.function(lambda begun, numbers: go_on(model, begun, numbers), reduce_retracing=True)
    texts: list[list[int]] = [[]]
    scores, ended = np.zeros(1), np.zeros(1, bool)
    for _ in range(length):
        following = tf.nn.log_softmax(begun.logits).numpy().astype(np.float64)  # (texts, size)
        following[ended] = -np.inf
        following[ended, PADDING] = 0.0  # an ended text goes on with nothing, in one way
        candidates = (scores[:, np.newaxis] + following).ravel()
        best = np.argsort(-candidates, kind="stable")[:beam_width]
        best = best[np.isfinite(candidates[best])]
        rows, numbers = np.divmod(best, following.shape[1])
        texts = [[*texts[row], int(number)] for row, number in zip(rows, numbers, strict=True)]
        scores, ended = candidates[best], ended[rows] | (numbers == BOUNDARY)
        if ended.all():
            break
        chosen = tf.nest.map_structure(lambda tensor, rows=rows: tf.gather(tensor, rows), begun)
        begun = advance(chosen, tf.constant(numbers, tf.int32))
    return [(decode(subwords, text), float(score)) for text, score in zip(texts, scores, strict=True)]


def decode(subwords: Subwords, numbers: Sequence[int] | np.ndarray) -> str:
    """Returns the text of subwords; reserved numbers are passed over."""
    return subwords.decode(tf.constant(np.asarray(numbers, np.int32)[np.newaxis])).numpy()[0].decode()
