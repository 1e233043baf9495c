"""Batches of sequences of similar length, in training and in answers: little is padded, few programs are compiled."""

from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from itertools import islice
from typing import TypeVar

import numpy as np
import tensorflow as tf

Item = TypeVar("Item")
Text = TypeVar("Text", bound=Sized)
Answer = TypeVar("Answer")

SPREAD = 0.3  # of a length by which sequences in one batch may differ, so that batches differ from epoch to epoch
SHORTEST = 24  # length that batches are padded to at least
TEXTS_AT_ONCE = 32  # that are read side by side
DIVIDED_AT_ONCE = 1000  # texts that are divided into words together, so that memory is bounded
STRETCH, SLACK = 2, 40  # by how much, and how many characters beyond, a text may be longer than the shortest beside it


def draw_batches(lengths: np.ndarray, batch_size: int, seed: int, epoch: int) -> np.ndarray:
    """Returns the batches of an epoch, the same each time, of sequences of similar length: int32 (batches, batch).

    Each sequence is in one of them. The last batch is filled up with others, so that all are of one size.
    """
    random = np.random.default_rng((seed, epoch))
    order = np.argsort(lengths * random.uniform(1 - SPREAD, 1 + SPREAD, len(lengths)))
    number_of_batches = -(-len(order) // batch_size)
    order = np.concatenate([order, random.choice(order, number_of_batches * batch_size - len(order))])
    return random.permutation(order.reshape(number_of_batches, batch_size)).astype(np.int32)


def padded_length(length: tf.Tensor, maximum: int) -> tf.Tensor:
    """Returns the length that a batch is padded to: one of a few, multiples of 8, further and further apart.

    Args:
        length: of the longest sequence, int32, at most `maximum`.
        maximum: length of the longest sequence in any batch.

    Example:
        >>> [int(padded_length(length, 400)) for length in (3, 25, 100, 400)]
        [24, 40, 144, 496]
    """
    lengths = [SHORTEST]
    while lengths[-1] < maximum:
        lengths.append(-(-3 * lengths[-1] // 16) * 8)  # half as much again
    return tf.constant(lengths, tf.int32)[tf.searchsorted(tf.constant(lengths, tf.int32), [length])[0]]


def batches_by_length(texts: Sequence[Sized]) -> Iterator[list[int]]:
    """Yields the places of texts, or of lists of words, those of similar length together, so that little is padded.

    A text never waits for one that is much longer.

    Example:
        >>> list(batches_by_length(["abc", "a", "ab", 99 * "a"]))
        [[1, 2, 0], [3]]
    """
    batch: list[int] = []
    for place in sorted(range(len(texts)), key=lambda place: len(texts[place])):
        if batch and (len(batch) == TEXTS_AT_ONCE or len(texts[place]) > STRETCH * len(texts[batch[0]]) + SLACK):
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def by_length(texts: Sequence[Text], answer: Callable[[list[Text]], Iterable[Answer]]) -> list[Answer]:
    """Returns the answer to each of some texts, in their order; texts of similar lengths are read together.

    Example:
        >>> by_length(["abc", "a", "ab"], lambda batch: [len(text) for text in batch])
        [3, 1, 2]
    """
    found: dict[int, Answer] = {}
    for places in batches_by_length(texts):
        found |= zip(places, answer([texts[place] for place in places]), strict=True)
    return [found[place] for place in range(len(texts))]


def some_at_a_time(items: Iterable[Item], number: int = DIVIDED_AT_ONCE) -> Iterator[list[Item]]:
    """Yields the items in lists of a number of them, the last of which may be shorter.

    >>> list(some_at_a_time("abc", 2))
    [['a', 'b'], ['c']]
    """
    remaining = iter(items)
    return iter(lambda: list(islice(remaining, number)), [])
