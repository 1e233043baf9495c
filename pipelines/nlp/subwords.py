"""Subwords: a vocabulary learned from text; encoding and decoding in a TensorFlow graph, of any text, without loss."""

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

import numpy as np
import tensorflow as tf
from pydantic import Field
from tokenizers import Tokenizer, models, trainers

from pipelines.configuration import Configuration
from pipelines.nlp.batches import DIVIDED_AT_ONCE, some_at_a_time

PADDING, START, END = range(3)
RESERVED = 3
"""Numbers that no text is encoded as: `PADDING`, `START` and `END`, which decode to nothing."""
BYTES = 256

_SPACE = r"\s\x0b\p{Z}"
_LETTERS = r"[\p{L}\p{M}]+"
_WORD = rf" ?{_LETTERS}(?:['\x{{2019}}]{_LETTERS})*| ?\p{{N}}+| ?[^{_SPACE}\p{{L}}\p{{M}}\p{{N}}]+|[{_SPACE}]"
_BETWEEN_WORDS = b"\xff"  # is in no valid UTF-8


class SubwordConfiguration(Configuration):
    """How subwords are learned."""

    RENAMED: ClassVar = {"fewest": "minimum_count"}

    size: int = Field(4000, ge=RESERVED + BYTES, description="maximum size of the vocabulary")
    minimum_count: int = Field(2, ge=1, description="minimum number of occurrences of a subword in the training texts")


class Subwords(tf.Module):
    """A vocabulary of subwords.

    A text is divided into words: letters, digits, or other signs that stand together, each with the space before it;
    every other white space is a word of its own. A word is read from the left, each time the longest subword that fits
    ("WordPiece"; Schuster and Nakajima, "Japanese and Korean voice search", 2012). Subwords are strings of bytes, and
    each single byte is one, so that nothing is unknown: what the training has never seen, such as an emoji, is spelled
    byte by byte. Joined together the subwords are the text again, exactly; only bytes that are no UTF-8 become U+FFFD.

    Args:
        pieces: the subwords after the reserved numbers, in their order, as `to_json` returns them: each character of a
            string is a byte of the UTF-8 text (Latin-1).

    Example:
        >>> subwords = Subwords.learn(["low lower lowest", "new newer newest"], SubwordConfiguration(size=270))
        >>> numbers = subwords.encode(tf.constant(["the newest"]))
        >>> [piece.decode() for piece in subwords.pieces_of(numbers).to_list()[0]]
        ['t', 'h', 'e', ' ne', 'west']
        >>> subwords.decode(numbers).numpy()[0].decode()
        'the newest'
    """

    def __init__(self, pieces: Sequence[str]) -> None:
        super().__init__(name="subwords")
        strings = [piece.encode("latin-1") for piece in pieces]
        if missing := BYTES - len({string for string in strings if len(string) == 1}):
            raise ValueError(
                "A vocabulary of subwords holds every byte, so that any text can be encoded. Take one that "
                f"Subwords.learn made. Received: {len(pieces)} subwords, {missing} bytes missing"
            )
        self.size = RESERVED + len(pieces)
        """Numbers in the vocabulary, the reserved ones too."""
        self.pieces = [b""] * RESERVED + strings
        self.longest = max(map(len, strings))  # bytes
        numbers = tf.range(RESERVED, self.size)
        initializer = tf.lookup.KeyValueTensorInitializer(tf.constant(strings), numbers)
        self.table = tf.lookup.StaticHashTable(initializer, default_value=-1)

    @classmethod
    def learn(cls, texts: Iterable[str], configuration: SubwordConfiguration) -> "Subwords":
        """Learns the subwords of texts by merging pairs that are frequent, within words (Sennrich et al. 2016,
        https://arxiv.org/abs/1508.07909). The same texts give the same subwords.
        """
        tokenizer = Tokenizer(
            models.WordPiece(unk_token="", continuing_subword_prefix="", max_input_chars_per_word=2**31)
        )
        trainer = trainers.WordPieceTrainer(
            vocab_size=configuration.size - RESERVED,
            min_frequency=configuration.minimum_count,
            initial_alphabet=[chr(byte) for byte in range(BYTES)],
            continuing_subword_prefix="",
            show_progress=False,
        )
        # Divided by our own graph, not by the library, so that it learns of the words that it will be asked for.
        words = (
            word.decode("latin-1") for each in some_at_a_time(texts) for word in split_words(each).flat_values.numpy()
        )
        tokenizer.train_from_iterator(words, trainer)
        vocabulary = tokenizer.get_vocab()
        return cls(sorted(vocabulary, key=vocabulary.__getitem__))

    def to_json(self) -> list[str]:
        """Returns what makes the same vocabulary again: `Subwords(pieces)`."""
        return [piece.decode("latin-1") for piece in self.pieces[RESERVED:]]

    def encode(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Returns the numbers of the subwords of texts (batch,), int32 (batch, subwords); of "" there are none."""
        words = split_words(texts)  # (batch, words)
        distinct, places = tf.unique(words.values)
        numbers = tf.gather(self._longest_matches(distinct), places)  # (words, subwords)
        return words.with_values(numbers).merge_dims(1, 2)

    def encode_each(
        self, texts: Iterable[str], form: Callable[[tf.Tensor], tf.Tensor], at_once: int = DIVIDED_AT_ONCE
    ) -> list[np.ndarray]:
        """Returns the numbers of the subwords of each text, int32 (subwords,).

        Args:
            texts: any number of them.
            form: returns texts (batch,) in the form that they are read in, such as `canonical`.
            at_once: texts that are divided together; words that several of them have are divided once.
        """
        numbers: list[np.ndarray] = []
        for some in some_at_a_time(texts, at_once):
            ragged = self.encode(form(tf.constant(some)))
            numbers += np.split(ragged.flat_values.numpy(), ragged.row_splits.numpy()[1:-1])
        return numbers

    def decode(self, numbers: tf.Tensor | tf.RaggedTensor) -> tf.Tensor:
        """Returns the texts (batch,) of numbers (batch, subwords); reserved numbers are passed over."""
        joined = tf.strings.reduce_join(self.pieces_of(numbers), axis=1)
        return tf.strings.unicode_transcode(joined, "UTF-8", "UTF-8", errors="replace")

    def pieces_of(self, numbers: tf.Tensor | tf.RaggedTensor) -> tf.Tensor | tf.RaggedTensor:
        """Returns the subwords of numbers of any shape, as bytes, the reserved ones empty."""
        return tf.gather(tf.constant(self.pieces), numbers)

    def halves(self) -> list[np.ndarray]:
        """Returns for each number the pairs of numbers that spell the same, int32 (pairs, 2), cut between characters.

        >>> subwords = Subwords([*map(chr, range(256)), "he", "the"])
        >>> [[subwords.pieces[half] for half in pair] for pair in subwords.halves()[-1]]
        [[b't', b'he']]
        """
        numbers = {piece: number for number, piece in enumerate(self.pieces) if piece}
        halves = []
        for piece in self.pieces:
            cuts = [cut for cut in range(1, len(piece)) if not 0x80 <= piece[cut] < 0xC0]  # a byte that goes on
            pairs = [(numbers.get(piece[:cut]), numbers.get(piece[cut:])) for cut in cuts]
            halves.append(np.array([pair for pair in pairs if None not in pair], np.int32).reshape(-1, 2))
        return halves

    def _longest_matches(self, words: tf.Tensor) -> tf.RaggedTensor:
        """The numbers (words, subwords) of words (words,)."""
        sizes = tf.range(1, self.longest + 1)
        lengths = tf.strings.length(words)  # (words,), bytes

        def match(begin: tf.Tensor, numbers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            shape = (tf.size(words), self.longest)
            starts, widths = tf.broadcast_to(begin[:, tf.newaxis], shape), tf.broadcast_to(sizes, shape)
            # A substring that would reach beyond its word ends with it.
            known = self.table.lookup(tf.strings.substr(words[:, tf.newaxis], starts, widths))  # (words, longest)
            width = tf.reduce_max(tf.where(known >= 0, widths, 0), axis=1)  # 0 at the end of the word
            number = tf.reduce_max(tf.where(widths == width[:, tf.newaxis], known, -1), axis=1)
            return tf.minimum(begin + width, lengths), tf.concat([numbers, number[:, tf.newaxis]], axis=1)

        state = tf.zeros_like(lengths), tf.zeros((tf.size(words), 0), tf.int32)
        _, numbers = tf.while_loop(
            lambda begin, _: tf.reduce_any(begin < lengths),
            match,
            state,
            shape_invariants=(tf.TensorShape([None]), tf.TensorShape([None, None])),
        )
        return tf.ragged.boolean_mask(numbers, numbers >= 0)


def split_words(texts: tf.Tensor) -> tf.RaggedTensor:
    """Divides texts (batch,) into words (batch, words) that are the text again when they are joined.

    >>> [word.decode() for word in split_words(tf.constant(["He said: “Don't!”  "])).to_list()[0]]
    ['He', ' said', ':', ' “', "Don't", '!”', ' ', ' ']
    """
    valid = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")
    words = tf.strings.split(tf.strings.regex_replace(valid, _WORD, b"\\0" + _BETWEEN_WORDS), _BETWEEN_WORDS)
    return tf.ragged.boolean_mask(words, words != "")  # after the last one
