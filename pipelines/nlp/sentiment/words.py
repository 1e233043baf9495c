"""From text to the numbers of words and of their pieces, in a TensorFlow graph, for training and serving alike."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from pipelines.nlp.batches import some_at_a_time
from pipelines.nlp.texts import SPACELESS
from pipelines.nlp.unicode_forms import folded, folded_strings
from pipelines.nlp.words import commonest, replaced

PADDING, UNKNOWN, RESERVED = 0, 1, 2
MOST_PIECES = 24  # of a word that count
PIECE_LENGTHS = (3, 4, 5)  # characters, those that mark the word's ends among them
_REPLACED = (  # by what; the pattern comes first
    (r"[\s\p{Z}\p{Cc}]+", " "),
    ("[\u2018\u2019\u02bc]", "'"),
    ("''", '"'),
    (r"([^\p{L}\p{M}\p{N}\p{Cf}' ])", r" \1 "),  # signs stand alone, and so do emoji
    (f"({SPACELESS})", r" \1 "),  # character by character
    (r"(^| )'+|'+( |$)", r"\1 \2"),  # quotes around words
    (r"(n't|'(?:s|re|ve|ll|d|m))( |$)", r" \1\2"),  # English: a negation is a word
)


class Encoded(NamedTuple):
    """Texts as numbers: `words` int32 (batch, time), `pieces` int32 (batch, time, pieces), 0 at padding.

    `lengths` int32 (batch,) are the numbers of words that are read, `whole_lengths` those of all words.
    """

    words: tf.Tensor
    pieces: tf.Tensor
    lengths: tf.Tensor
    whole_lengths: tf.Tensor


class Words(tf.Module):
    """A vocabulary of words, and the pieces of every word, known or not.

    Pieces are the strings of 3 to 5 characters of a word with its ends marked, as in fastText (Bojanowski et al. 2017,
    https://arxiv.org/abs/1607.04606), each hashed into a number, so that related and new words have something in
    common.

    Args:
        vocabulary: the known words; the first has the number 2.
        maximum_words: words of a text that are read at once.
        pieces: numbers of pieces, from 1; 0: none.
        whole: whether longer texts are read in several windows; else the rest is cut off.

    Example:
        >>> words = Words(["good", "not"], maximum_words=3)
        >>> words(["Not GOOD, mate!", "", "good"]).words.numpy()
        array([[3, 2, 1],
               [0, 0, 0],
               [2, 0, 0]], dtype=int32)
    """

    def __init__(
        self, vocabulary: Sequence[str], maximum_words: int = 400, pieces: int = 0, whole: bool = False
    ) -> None:
        super().__init__()
        self.whole = whole
        self.vocabulary, self.maximum_words, self.pieces = tuple(vocabulary), maximum_words, pieces
        # Two words that 0.1.0 told apart may have one form; its number is that of the commoner one.
        numbers = {word: number for number, word in reversed([*enumerate(folded_strings(self.vocabulary), RESERVED)])}
        self.table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                tf.constant([*numbers], tf.string), tf.constant([*numbers.values()], tf.int32)
            ),
            UNKNOWN,
        )

    @property
    def size(self) -> int:
        """How many numbers of words there are."""
        return RESERVED + len(self.vocabulary)

    def __call__(self, texts: tf.Tensor, start: tf.Tensor | None = None) -> Encoded:
        """Returns strings (batch,) as numbers.

        Args:
            start: where in a longer text to begin, from 0 to 1, float32 (batch,). Default: at its first word.
        """
        divided = divide(texts)
        whole_lengths = tf.cast(divided.row_lengths(), tf.int32)
        if start is None:
            return self._encoded(divided[:, : self.maximum_words], whole_lengths)
        more = tf.maximum(whole_lengths - self.maximum_words + 1, 1)  # places to begin at
        first = tf.minimum(tf.cast(start * tf.cast(more, tf.float32), tf.int32), more - 1)  # (batch,)
        lengths = tf.minimum(whole_lengths, self.maximum_words)
        places = tf.ragged.range(lengths).flat_values  # of the words that are read, each in its text
        begins = tf.cast(divided.row_starts(), tf.int32) + first
        read = tf.gather(divided.flat_values, tf.repeat(begins, lengths) + places)
        return self._encoded(tf.RaggedTensor.from_row_lengths(read, lengths), whole_lengths)

    def windows(self, texts: tf.Tensor) -> tuple[Encoded, tf.Tensor]:
        """Returns the windows of strings (batch,), one at least of each, and the string of each, int32 (windows,)."""
        divided = divide(texts)
        lengths = tf.cast(divided.row_lengths(), tf.int32)
        counts = tf.maximum(-(-lengths // self.maximum_words), 1)
        owners = tf.repeat(tf.range(tf.size(lengths)), counts)
        firsts = tf.ragged.range(counts).flat_values * self.maximum_words
        sizes = tf.minimum(tf.gather(lengths, owners) - firsts, self.maximum_words)
        return self._encoded(tf.RaggedTensor.from_row_lengths(divided.flat_values, sizes), sizes), owners

    def _encoded(self, words: tf.RaggedTensor, whole_lengths: tf.Tensor) -> Encoded:
        numbers = tf.ragged.map_flat_values(self.table.lookup, words).to_tensor(PADDING)
        return Encoded(numbers, self._pieces(words), tf.cast(words.row_lengths(), tf.int32), whole_lengths)

    def _pieces(self, words: tf.RaggedTensor) -> tf.Tensor:
        if not self.pieces:
            return tf.zeros((words.nrows(), words.bounding_shape()[1], 0), tf.int32)
        characters = tf.strings.unicode_split(tf.strings.join(["<", words.flat_values, ">"]), "UTF-8")
        pieces = tf.strings.ngrams(characters, PIECE_LENGTHS, separator="")[:, :MOST_PIECES]
        hashed = tf.ragged.map_flat_values(tf.strings.to_hash_bucket_fast, pieces, self.pieces)
        numbers = 1 + tf.cast(hashed.to_tensor(-1, shape=(None, MOST_PIECES)), tf.int32)
        return words.with_flat_values(numbers).to_tensor(PADDING)


def divide(texts: tf.Tensor) -> tf.RaggedTensor:
    """Divides strings (batch,) into words in small letters, whatever the script; what is no UTF-8 becomes U+FFFD.

    Neither the Unicode form of a text nor invisible characters change its words.

    >>> divide(["It isn't “fine” 😀!"]).to_list()
    [[b'it', b'is', b"n't", b'\\xe2\\x80\\x9c', b'fine', b'\\xe2\\x80\\x9d', b'\\xf0\\x9f\\x98\\x80', b'!']]
    """
    texts = tf.strings.lower(folded(texts), encoding="utf-8")
    return tf.strings.split(tf.convert_to_tensor(replaced(texts, _REPLACED)))  # at runs of spaces


def count_words(texts: Sequence[str]) -> np.ndarray:
    """Returns the number of words of each text, int64 (texts,).

    >>> count_words(["Not good.", ""])
    array([3, 0])
    """
    lengths = (divide(tf.constant(some)).row_lengths() for some in some_at_a_time(texts))
    return np.concatenate([np.zeros(0, np.int64), *lengths])


def learn_vocabulary(texts: Iterable[str], maximum_size: int, minimum_count: int) -> list[str]:
    """Returns the commonest words of texts, of equal ones the alphabetically first."""
    counts = Counter[bytes]()
    for some in some_at_a_time(texts):
        counts.update(divide(tf.constant(some)).flat_values.numpy().tolist())
    return commonest(counts, maximum_size, minimum_count)
