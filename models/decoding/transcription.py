"""From logits to the texts that a prefix search finds, with the times of their words, in TensorFlow operations."""

from typing import NamedTuple

import tensorflow as tf

from models.decoding.graph_alignment import align_batch
from models.decoding.hot_word_table import HotWordTable
from models.decoding.prefix_search import PrefixSearch, trace
from models.decoding.words import Transcript, words_of_characters

NO_SCORE = tf.float32.min
"""The score that stands where a search has found fewer texts; minus infinity is no number of JSON."""


class NBest(NamedTuple):
    """The most probable texts of a batch of sequences, best first.

    Attributes:
        n_best: (batch, n_best) string, padded with "".
        n_best_scores: (batch, n_best) float32, their scores in nats, padded with `NO_SCORE`.
    """

    n_best: tf.Tensor
    n_best_scores: tf.Tensor

    @classmethod
    def of(cls, scores: tf.Tensor, texts: tf.Tensor) -> "NBest":
        """Returns texts and their scores (batch, n_best), best first, without those that were not found."""
        is_found = tf.math.is_finite(scores)
        return cls(tf.where(is_found, texts, ""), tf.where(is_found, tf.cast(scores, tf.float32), NO_SCORE))


def search_decode(
    search: PrefixSearch,
    logits: tf.Tensor,
    lengths: tf.Tensor,
    frame_seconds: float,
    n_best: int = 5,
    hot_words: HotWordTable | None = None,
) -> tuple[Transcript, NBest]:
    """Reads sequences as `beam_decode` reads each of them, inside an exported model; the confidence is a text's share.

    Args:
        search: knows the alphabet and the language model.
        logits: (batch, time, labels), any float type; label 0 is the blank.
        lengths: (batch,) integers, the true number of frames; later frames never matter.
        frame_seconds: the duration of a frame.
        n_best: how many texts to return; at most as many as the search has beams.
        hot_words: what each sequence prefers.

    Example:
        >>> search = PrefixSearch(["a", " "], beam_width=4)
        >>> logits = tf.math.log([[[0.6, 0.4, 0.0], [0.6, 0.4, 0.0]]])
        >>> found, others = search_decode(search, logits, tf.constant([2]), frame_seconds=0.04, n_best=2)
        >>> others.n_best.numpy().tolist(), f"{found.confidence.numpy()[0]:.2f}"
        ([[b'a', b'']], '0.64')
    """
    log_probabilities = tf.nn.log_softmax(tf.cast(logits, tf.float32))
    batch = tf.shape(logits)[0]
    beams, history = search.advance(search.initial_beams(batch, hot_words), log_probabilities, lengths, hot_words)
    _, scores = search.scores(beams, hot_words)
    best, places, confidence = ranked(scores, n_best)
    labels = trace(history, places)[1]  # (batch, n_best, time)
    texts = single_spaces(tf.strings.reduce_join(characters_of(search, labels), axis=2))

    written = tf.RaggedTensor.from_tensor(labels[:, 0])
    written = tf.ragged.boolean_mask(written, written != 0)  # the characters of the best text
    counts = tf.cast(written.row_lengths(), tf.int32)
    aligned = align_batch(log_probabilities, lengths, written.to_tensor(), counts)
    is_written = tf.sequence_mask(counts, tf.shape(aligned.begins)[1])
    begins, ends, certainty = (tf.boolean_mask(each, is_written) for each in aligned)
    rows, spoken = written.value_rowids(), written.flat_values
    words = words_of_characters(rows, spoken, begins, ends, certainty, batch, search.alphabet, frame_seconds)
    return Transcript(texts[:, 0], confidence, *words), NBest.of(best, texts)


def ranked(scores: tf.Tensor, n_best: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns the best of the scores (batch, beams), the beams that have them, and the share of the first (batch,)."""
    best, places = tf.math.top_k(scores, min(n_best, scores.shape[1]))
    return best, places, tf.cast(tf.exp(best[:, 0] - tf.reduce_logsumexp(scores, axis=1)), tf.float32)


def characters_of(search: PrefixSearch, labels: tf.Tensor) -> tf.Tensor:
    """Returns the characters that labels stand for; "" for 0."""
    return tf.gather(tf.constant(["", *search.alphabet], tf.string), labels)


def single_spaces(text: tf.Tensor) -> tf.Tensor:
    """Returns texts without superfluous spaces."""
    return tf.strings.regex_replace(tf.strings.regex_replace(text, " +", " "), "^ | $", "")
