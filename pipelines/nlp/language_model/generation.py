"""Texts that are continued, subword by subword: drawn in stock TensorFlow operations, or searched with a beam."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf
from scipy.special import log_softmax

from pipelines.nlp.language_model.data import BOUNDARY
from pipelines.nlp.language_model.model import LanguageModel, State
from pipelines.nlp.language_model.network import LONGEST_NGRAM
from pipelines.nlp.subwords import PADDING, RESERVED
from pipelines.served import Served

REMEMBERED = 256  # subwords back to which the choice of the next one looks
PENALISED = 64  # subwords back to which the repetition penalty looks
RULED_OUT = -1e9  # logit


class Options(NamedTuple):
    """A `SamplingConfiguration` as tensors: numbers (batch,), one for each text, or scalars."""

    temperature: tf.Tensor
    top_k: tf.Tensor
    top_p: tf.Tensor
    repetition_penalty: tf.Tensor
    no_repeat_ngram: tf.Tensor
    seed: tf.Tensor


def sample(logits: tf.Tensor, written: tf.Tensor, options: Options, step: tf.Tensor) -> tf.Tensor:
    """Returns the next subword of each text, int32 (batch,).

    Args:
        logits: (batch, size).
        written: the last subwords, int32 (batch, any number).
        options: how to choose.
        step: which subword of the text it is, as an option; the same step and seed choose the same.
    """
    logits = narrowed(logits, written, options)
    rows = tf.shape(logits)[:1]
    seeds = tf.stack([tf.broadcast_to(each, rows) for each in (options.seed, step)], axis=1)

    def draw(row: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        return tf.random.stateless_categorical(row[0][tf.newaxis], 1, row[1], dtype=tf.int32)[0, 0]

    # Each row by itself, so that a text is the same wherever it stands in a batch.
    drawn = tf.map_fn(draw, (logits, seeds), fn_output_signature=tf.int32)
    return tf.where(options.temperature > 0, drawn, tf.argmax(logits, axis=-1, output_type=tf.int32))


def narrowed(logits: tf.Tensor, written: tf.Tensor, options: Options) -> tf.Tensor:
    """Returns the logits (batch, size) of what may be chosen, after temperature and penalty; others are ruled out.

    What would repeat a stretch of `no_repeat_ngram` subwords is ruled out (Paulus et al. 2018,
    https://arxiv.org/abs/1705.04304). Of the others, first what was written lately becomes less probable (Keskar et
    al. 2019, https://arxiv.org/abs/1909.05858), then the temperature counts, then of what is left the `top_k` most
    probable subwords stay (Fan et al. 2018, https://arxiv.org/abs/1805.04833), then as few of these as have the share
    `top_p` (Holtzman et al. 2020, https://arxiv.org/abs/1904.09751).
    """
    size = tf.shape(logits)[1]
    temperature, top_k, top_p, penalty = (tf.reshape(each, (-1, 1)) for each in options[:4])
    ngram = tf.broadcast_to(options.no_repeat_ngram, tf.shape(written)[:1])
    logits = tf.cond(tf.reduce_any(ngram > 0), lambda: _without_repeats(logits, written, ngram), lambda: logits)
    logits = tf.nn.log_softmax(logits)
    penalised = tf.reduce_max(tf.one_hot(written[:, -PENALISED:], size), axis=1) > 0  # (batch, size)
    logits = tf.where(penalised, logits * penalty, logits)
    logits -= tf.reduce_max(logits, axis=-1, keepdims=True)  # the highest stays finite, however low the temperature
    temperature = tf.where(temperature > 0, tf.maximum(temperature, 1e-30), 1.0)
    logits = tf.maximum(logits / temperature, RULED_OUT)
    ordered = tf.sort(logits, direction="DESCENDING")  # (batch, size)
    most = tf.where(top_k > 0, tf.minimum(top_k, size), size)
    among = tf.where(tf.range(size) < most, ordered, RULED_OUT)
    shares = tf.nn.softmax(among)
    before = tf.cumsum(shares, axis=-1, exclusive=True)
    count = tf.reduce_sum(tf.cast((before < top_p) & (tf.range(size) < most), tf.int32), axis=-1)  # (batch,)
    least = tf.gather(ordered, tf.maximum(count, 1) - 1, batch_dims=1)[:, tf.newaxis]
    return tf.where(logits >= least, logits, RULED_OUT)


def _without_repeats(logits: tf.Tensor, written: tf.Tensor, ngram: tf.Tensor) -> tf.Tensor:
    """Rules out what would end a stretch of `ngram` (batch,) subwords that was written before; 0: nothing."""
    time = tf.shape(written)[1]
    before = tf.pad(written, [[0, 0], [LONGEST_NGRAM, 0]])
    alike, length = tf.ones_like(written, tf.bool), tf.zeros_like(written)
    for back in range(1, LONGEST_NGRAM):  # how many subwords before each are those at the end
        last = before[:, LONGEST_NGRAM + time - back, tf.newaxis]
        alike &= (before[:, LONGEST_NGRAM - back : LONGEST_NGRAM - back + time] == last) & (last >= RESERVED)
        length += tf.cast(alike, tf.int32)
    ngram = ngram[:, tf.newaxis]
    repeats = (ngram > 0) & (length >= ngram - 1) & (written >= RESERVED)
    rows = tf.where(repeats)  # (repeats, 2)
    places = tf.stack([tf.cast(rows[:, 0], tf.int32), tf.gather_nd(written, rows)], axis=1)
    counts = tf.scatter_nd(places, tf.ones(tf.shape(places)[:1]), tf.shape(logits))
    return tf.where(counts > 0, RULED_OUT, logits)


class Continuation(NamedTuple):
    """Texts that are being continued: the `logits` of the next subword (batch, size), the `state` of the network, and
    the last subwords `written`, int32 (batch, 256)."""

    logits: tf.Tensor
    state: State
    written: tf.Tensor


def prefill(model: LanguageModel, numbers: tf.Tensor, lengths: tf.Tensor) -> Continuation:
    """Reads prompts: numbers of subwords, int32 (batch, time), of which `lengths`, int32 (batch,), count."""
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


class Candidate(NamedTuple):
    """A continuation that a beam has found: its `text`, which follows the prompt, and `log_probability`, in nats."""

    text: str
    log_probability: float


def beam_search(served: Served, prompt: str, length: int, beam_width: int) -> list[Candidate]:
    """Returns the most probable continuations that a beam finds, the best first.

    A text that ends stays in the beam. The beam is exact if it is wide enough to hold every text.
    """
    found = served("prefill", prompt=[prompt])
    texts, scores, ended = [b""], np.zeros(1), np.zeros(1, bool)
    for _ in range(length):
        following = log_softmax(found.pop("logits").astype(np.float64), axis=1)  # (texts, size)
        following[ended] = -np.inf
        following[ended, PADDING] = 0.0  # an ended text has one continuation, which is empty
        candidates = (scores[:, np.newaxis] + following).ravel()
        best = np.argsort(-candidates, kind="stable")[:beam_width]
        best = best[np.isfinite(candidates[best])]
        rows, numbers = np.divmod(best, following.shape[1])
        scores, ended = candidates[best], ended[rows] | (numbers == BOUNDARY)
        found = served("advance", number=numbers, **{name: values[rows] for name, values in found.items()})
        texts = [texts[row] + piece for row, piece in zip(rows, found.pop("piece"), strict=True)]
        if ended.all():
            break
    return [Candidate(text.decode("utf-8", "replace"), float(score)) for text, score in zip(texts, scores, strict=True)]
