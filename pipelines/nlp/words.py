"""From texts to words and their places, and from words to numbers, in a TensorFlow graph, for training and serving."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import tensorflow as tf

from pipelines.nlp.texts import SPACELESS
from pipelines.nlp.unicode_forms import INVISIBLE, folded

LONGEST = 4  # characters of a piece
_SPACE, _WORD = r"\s\p{Z}\p{Cc}", r"\p{L}\p{M}\p{N}\p{Cf}"
# A sign with its marks, and signs that joiners or flags make one emoji of.
_MARKS = r"[\p{M}\x{1F3FB}-\x{1F3FF}\x{200E}\x{200F}\x{E0020}-\x{E007F}]*"
_SIGN = rf"(?:[\x{{1F1E6}}-\x{{1F1FF}}]{{2}}|[^{_WORD} '’`.,:/@&_-]){_MARKS}"
_DIVISIONS = (  # spaces between words, and nothing else, so that each word is found again in its text
    (f"[{_SPACE}]+", " "),
    (r"(\.{2,}|-{2,}|'{2,}|`{2,})", r" \1 "),
    (rf"({_SIGN}(?:\x{{200D}}{_SIGN})*)", r" \1 "),
    (rf"({SPACELESS}\p{{M}}*)", r" \1 "),
    (r"(^| )(['’`,:/&_])([^ '`])", r"\1\2 \3"),
    (r"([^ ,:/&_`-])([,:/&_`-])( |$)", r"\1 \2\3"),
)
_TAIL = r"^(.*?[^.'’])(n['’]t|['’]\p{L}*|\.)$"
_SHAPES = ((r"\p{N}+", "0"), (r"[\p{Lu}\p{Lt}]+", "X"), (r"[\p{Ll}\p{Lo}\p{Lm}\p{M}]+", "x"))
_SPELLINGS = ((r"\p{N}", "0"), ("[‘’]", "'"), ("[“”„«»]|``|''", '"'), ("[–—]", "--"))  # one for each sign


class Division(NamedTuple):
    """The words of texts, strings (batch, words), and their first character and that behind the last, ragged int32."""

    words: tf.RaggedTensor
    starts: tf.RaggedTensor
    ends: tf.RaggedTensor


class Words(tf.Module):
    """A vocabulary, and the numbers of every word, known or not: its own, and those of its pieces and its shape.

    Pieces are the first and the last one to four characters, and the shape tells capitals, small letters and digits;
    each is hashed into a number, so that a new word has something in common with known ones.

    Args:
        vocabulary: the known words, as `spelled` spells them; the first has the number 1.
        pieces: how many numbers pieces share.

    Example:
        >>> words = Words(["mr.", "it"], pieces=100)
        >>> print(words.divide(["Mr. Grün's car (50%)."]).words.to_list()[0][1].decode())
        Grün's
        >>> words.divide(["So it is, Mr. X."]).ends.to_list()
        [[2, 5, 8, 9, 13, 15, 16]]
        >>> words.encode(["MR.", "New"])[:, 0].numpy()
        array([1, 0], dtype=int32)
    """

    def __init__(self, vocabulary: Sequence[str], pieces: int) -> None:
        super().__init__()
        self.vocabulary, self.pieces = tuple(vocabulary) or ("",), pieces  # a table must not be empty
        self.size = 1 + len(self.vocabulary) + pieces
        keys, numbers = tf.constant(self.vocabulary), tf.range(1, 1 + len(self.vocabulary))
        self.table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, numbers), 0)

    def encode(self, words: tf.Tensor) -> tf.Tensor:
        """Returns the numbers of words (words,), int32 (words, 10), of which the first is 0 for an unknown word."""
        words = folded(words)
        spelling = spelled(words)
        ends = [
            tf.strings.regex_replace(spelling, pattern, r"\1")
            for size in range(1, 1 + LONGEST)
            for pattern in (f"(?s)^(.{{{size}}}).*$", f"(?s)^.*(.{{{size}}})$")
        ]
        parts = [tf.strings.join([str(kind), part]) for kind, part in enumerate([*ends, replaced(words, _SHAPES)])]
        hashed = tf.strings.to_hash_bucket_fast(tf.stack(parts, axis=1), self.pieces)
        first = 1 + len(self.vocabulary)
        return tf.concat([self.table.lookup(spelling)[:, tf.newaxis], first + tf.cast(hashed, tf.int32)], axis=1)

    def divide(self, texts: tf.Tensor) -> Division:
        """Divides texts (batch,) at spaces and signs; a point or an apostrophe stays in a word known with it.

        What is invisible is no word by itself.
        """
        texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8")
        words = tf.strings.split(replaced(texts, _DIVISIONS))
        for _ in range(2):  # the second time for what precedes a full stop
            flat, tails = words.flat_values, tf.strings.regex_replace(words.flat_values, _TAIL, r"\2")
            whole = tf.strings.regex_full_match(tails, r".*\p{L}.*") & (self.table.lookup(spelled(tails)) == 0)
            whole |= self.table.lookup(spelled(flat)) > 0
            parted = tf.where(whole, flat, tf.strings.regex_replace(flat, _TAIL, r"\1 \2"))
            words = tf.strings.split(words.with_flat_values(parted)).merge_dims(1, 2)
        characters = tf.strings.unicode_split(texts, "UTF-8")
        seen = ~tf.strings.regex_full_match(characters.flat_values, f"[{_SPACE}]")
        places = tf.boolean_mask(tf.ragged.range(characters.row_lengths()).flat_values, seen)
        ends = tf.cumsum(tf.strings.length(words.flat_values, "UTF8_CHAR"))
        starts = tf.concat([[0], ends], axis=0)[:-1]
        parts = [tf.cast(each, tf.int32) for each in (tf.gather(places, starts), tf.gather(places, ends - 1) + 1)]
        visible = words.with_flat_values(~tf.strings.regex_full_match(words.flat_values, f"{INVISIBLE}+"))
        division = words, words.with_flat_values(parts[0]), words.with_flat_values(parts[1])
        return Division(*(tf.ragged.boolean_mask(part, visible) for part in division))


def places_of(words: tf.RaggedTensor) -> Division:
    """Returns words (batch, words) as a division of the text that they are when they are joined by spaces."""
    lengths = tf.strings.length(words.flat_values, "UTF8_CHAR")
    before = tf.cumsum(1 + lengths, exclusive=True)
    starts = before - tf.gather(tf.concat([before, [0]], axis=0), tf.gather(words.row_starts(), words.value_rowids()))
    return Division(words, words.with_flat_values(starts), words.with_flat_values(starts + lengths))


def spelled(words: tf.Tensor) -> tf.Tensor:
    """Returns words (words,) as the vocabulary has them: lower case, one form of each letter and sign, 0 for digits."""
    return tf.strings.lower(replaced(folded(words), _SPELLINGS), encoding="utf-8")


def replaced(texts: tf.Tensor, patterns: Iterable[tuple[str, str]]) -> tf.Tensor:
    """Returns texts (batch,) in which each pattern is replaced, one after the other."""
    for pattern, replacement in patterns:
        texts = tf.strings.regex_replace(texts, pattern, replacement)
    return texts


def learn_vocabulary(words: Sequence[str], maximum_size: int, minimum_count: int) -> list[str]:
    """Returns the commonest spellings of words, of equal ones the alphabetically first."""
    counts = Counter(spelled(tf.constant(words, tf.string)).numpy().tolist())
    return commonest(counts, maximum_size, minimum_count)


def commonest(counts: Mapping[bytes, int], maximum_size: int, minimum_count: int) -> list[str]:
    """Returns the commonest words that were counted, of equal ones the alphabetically first.

    >>> commonest({b"a": 2, b"c": 3, b"b": 2, b"d": 1}, 3, 2)
    ['c', 'a', 'b']
    """
    common = sorted((-count, word) for word, count in counts.items() if count >= minimum_count)
    return [word.decode() for _, word in common[:maximum_size]]
