"""How the next subword is chosen, by temperature, top-k, top-p and a penalty; in stock TensorFlow operations."""

from typing import NamedTuple

import tensorflow as tf

from pipelines.nlp.language_model.options import LONGEST_NGRAM, SamplingConfiguration
from pipelines.nlp.subwords import RESERVED

RULED_OUT = -1e9  # logit
PENALISED = 64  # subwords back to which the repetition penalty looks


class Options(NamedTuple):
    """The same as tensors: numbers (batch,), one for each text, or scalars."""

    temperature: tf.Tensor
    top_k: tf.Tensor
    top_p: tf.Tensor
    repetition_penalty: tf.Tensor
    no_repeat_ngram: tf.Tensor
    seed: tf.Tensor

    @classmethod
    def of(cls, configuration: SamplingConfiguration) -> "Options":
        """The options of a configuration."""
        return cls(
            tf.constant(configuration.temperature),
            tf.constant(configuration.top_k),
            tf.constant(configuration.top_p),
            tf.constant(configuration.repetition_penalty),
            tf.constant(configuration.no_repeat_ngram),
            tf.constant(configuration.seed),
        )


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
