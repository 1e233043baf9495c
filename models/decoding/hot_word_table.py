"""Words that a search in a graph prefers; see `HotWords` for what they add to a score."""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf


class HotWordTable(NamedTuple):
    """The hot words of each row of a batch.

    What a text ends in is told by `matches` (batch, beams, words, characters), true where the end of the text, from the
    beginning of one of its words on, is the hot word up to that character.

    Attributes:
        labels: (batch, words, characters) int32, padded with 0.
        weights: (batch, words) float64, what each adds, in nats.

    Example:
        >>> table = HotWordTable.of(tf.constant([["ab", ""]]), tf.constant([[3.0, 0.0]]), ["a", "b", " "])
        >>> table.labels.numpy().tolist(), table.weights.numpy().tolist()
        ([[[1, 2, 0], [0, 0, 0], [0, 0, 0]]], [[3.0, 0.0, 0.0]])
    """

    labels: tf.Tensor
    weights: tf.Tensor

    @classmethod
    def of(cls, words: tf.Tensor, weights: tf.Tensor, alphabet: Sequence[str]) -> "HotWordTable":
        """Returns the table of words (batch, words), strings padded with "", and their weights (batch, words).

        A character that is not of the alphabet has the label −1, which no text has. There is some padding always, since
        JSON loses the shapes of tensors without elements.
        """
        codes = tf.strings.unicode_decode(words, "UTF-8").to_tensor(0)  # (batch, words, characters)
        known = tf.constant([0, *map(ord, alphabet)], tf.int32)
        is_known = codes[..., tf.newaxis] == known  # the first is that of the padding
        labels = tf.where(tf.reduce_any(is_known, axis=-1), tf.argmax(is_known, axis=-1, output_type=tf.int32), -1)
        weights = tf.pad(tf.cast(weights, tf.float64), [[0, 0], [0, 1]])
        return cls(tf.pad(labels, [[0, 0], [0, 1], [0, 1]]), weights)

    @classmethod
    def empty(cls, batch: tf.Tensor) -> "HotWordTable":
        """Returns the table of rows that prefer nothing."""
        return cls(tf.zeros((batch, 1, 1), tf.int32), tf.zeros((batch, 1), tf.float64))

    def begun(self, matches: tf.Tensor) -> tf.Tensor:
        """Returns what texts have earned with what they end in, (batch, beams)."""
        return tf.reduce_max(tf.where(matches, self._earned()[:, tf.newaxis], 0.0), axis=(-2, -1))

    def kept(self, matches: tf.Tensor) -> tf.Tensor:
        """Returns what texts keep if their last word ends here, (batch, beams)."""
        lengths = tf.reduce_sum(tf.cast(self.labels != 0, tf.int32), axis=2)
        is_last = tf.range(tf.shape(self.labels)[2]) == lengths[..., tf.newaxis] - 1  # (batch, words, characters)
        whole = matches & is_last[:, tf.newaxis]
        return tf.reduce_max(tf.where(whole, self.weights[:, tf.newaxis, :, tf.newaxis], 0.0), axis=(-2, -1))

    def goes_on(self, matches: tf.Tensor, begins_word: tf.Tensor) -> tf.Tensor:
        """Returns where a next character, if it is the right one, would match; `begins_word` is (batch, beams)."""
        first = tf.broadcast_to(begins_word[..., tf.newaxis, tf.newaxis], tf.shape(matches[..., :1]))
        return tf.concat([first, matches[..., :-1]], axis=3)

    def next(self, goes_on: tf.Tensor, label: tf.Tensor) -> tf.Tensor:
        """Returns the matches after labels (batch, beams)."""
        return goes_on & (self.labels[:, tf.newaxis] == label[..., tf.newaxis, tf.newaxis])

    def gains(self, matches: tf.Tensor, goes_on: tf.Tensor, labels: tf.Tensor, space: int) -> tf.Tensor:
        """Returns what each of labels (batch, n) adds to the score of texts, (batch, beams, n)."""
        is_next = self.labels[:, tf.newaxis] == labels[:, :, tf.newaxis, tf.newaxis]  # (batch, n, words, characters)
        reached = goes_on[:, :, tf.newaxis] & is_next[:, tf.newaxis]  # (batch, beams, n, words, characters)
        after = tf.reduce_max(tf.where(reached, self._earned()[:, tf.newaxis, tf.newaxis], 0.0), axis=(-2, -1))
        kept = tf.where(labels[:, tf.newaxis] == space, self.kept(matches)[..., tf.newaxis], 0.0)
        return kept + after - self.begun(matches)[..., tf.newaxis]

    def _earned(self) -> tf.Tensor:
        """Returns what each beginning of a hot word has earned, (batch, words, characters)."""
        lengths = tf.cast(tf.reduce_sum(tf.cast(self.labels != 0, tf.int32), axis=2), tf.float64)  # (batch, words)
        part = tf.cast(1 + tf.range(tf.shape(self.labels)[2]), tf.float64) / tf.maximum(lengths, 1.0)[..., tf.newaxis]
        return self.weights[..., tf.newaxis] * tf.minimum(part, 1.0)
