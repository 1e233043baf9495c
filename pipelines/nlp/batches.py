"""Batches of sequences of similar length: little is padded, and few programs are compiled."""

import numpy as np
import tensorflow as tf

SPREAD = 0.3  # of a length by which sequences in one batch may differ, so that batches differ from epoch to epoch
SHORTEST = 24  # length that batches are padded to at least


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
