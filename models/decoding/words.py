"""From the characters of a batch of texts to their words, with times and confidence, in TensorFlow operations."""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf


class Transcript(NamedTuple):
    """What a batch of sequences says: one row a sequence, words padded with "" and 0.

    Attributes:
        text: (batch,) UTF-8 string, the words joined by one space.
        confidence: (batch,) float32 in [0, 1]. Of `greedy_decode` the geometric mean of the confidences of the
            characters of the words, each the probability of its label at its best frame; of `search_decode` the share
            of the text in the probability of all texts in the final beam.
        words: (batch, max_words) string.
        word_starts: as of `Words`.
        word_ends: as of `Words`.
        word_confidences: as of `Words`.
    """

    text: tf.Tensor
    confidence: tf.Tensor
    words: tf.Tensor
    word_starts: tf.Tensor
    word_ends: tf.Tensor
    word_confidences: tf.Tensor


class Words(NamedTuple):
    """The words of a batch of texts, each tensor (batch, max_words), padded with "" and 0.

    Attributes:
        words: string.
        word_starts: float32 seconds, where the first frame of the first character begins.
        word_ends: float32 seconds, where the last frame of the last character ends.
        word_confidences: float32, the geometric mean of the confidences of the characters.
    """

    words: tf.Tensor
    word_starts: tf.Tensor
    word_ends: tf.Tensor
    word_confidences: tf.Tensor


def words_of_characters(
    rows: tf.Tensor,
    labels: tf.Tensor,
    begins: tf.Tensor,
    ends: tf.Tensor,
    certainty: tf.Tensor,
    batch: tf.Tensor,
    alphabet: Sequence[str],
    frame_seconds: float,
) -> Words:
    """Divides characters at the spaces.

    Args:
        rows: (characters,) int64, the row of the batch of each character, never falling.
        labels: (characters,), label i + 1 is `alphabet[i]`.
        begins: (characters,), the first frame of each.
        ends: (characters,), the frame after its last one.
        certainty: (characters,), the logarithm of its confidence.
        batch: how many rows there are.
        alphabet: the characters.
        frame_seconds: the duration of a frame.
    """
    characters = tf.gather(tf.constant(["", *alphabet], tf.string), labels)
    spaces = characters == " "
    first_of_row = rows != tf.pad(rows, [[1, 0]], constant_values=-1)[:-1]
    begins_word = ~spaces & (first_of_row | tf.pad(spaces, [[1, 0]])[:-1])
    word_rows = tf.boolean_mask(rows, begins_word)  # (words,)
    count = tf.size(word_rows)
    word_of_character = tf.where(spaces, -1, tf.cumsum(tf.cast(begins_word, tf.int32)) - 1)
    words = tf.strings.unsorted_segment_join(
        tf.boolean_mask(characters, ~spaces), tf.boolean_mask(word_of_character, ~spaces), count
    )
    starts = tf.cast(tf.boolean_mask(begins, begins_word), tf.float32) * frame_seconds
    word_ends = tf.cast(tf.math.unsorted_segment_max(ends, word_of_character, count), tf.float32) * frame_seconds
    confidences = tf.exp(tf.math.unsorted_segment_mean(certainty, word_of_character, count))

    def dense(values: tf.Tensor, padding: str | float) -> tf.Tensor:
        """(words,) -> (batch, max_words)"""
        return tf.RaggedTensor.from_value_rowids(values, word_rows, tf.cast(batch, tf.int64)).to_tensor(padding)

    return Words(dense(words, ""), dense(starts, 0.0), dense(word_ends, 0.0), dense(confidences, 0.0))
