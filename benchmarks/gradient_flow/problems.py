"""The adding and the copy problem: what is asked at the end was said at the beginning."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

SYMBOLS, COPIED = 8, 10
TOLERANCE = 0.04
"""A sum counts as right within so much (Hochreiter and Schmidhuber 1997, section 5.4)."""

Batch = tuple[tf.Tensor, tf.Tensor]


class Problem(NamedTuple):
    """A problem that any length can be given to.

    `batch(length, rows, seed)` draws inputs and targets from two whole numbers; `accuracy(targets, outputs)` and `loss`
    as Keras takes them; `outputs` numbers answer, at every step if `every_step`, else at the end; `answer(length)` is
    the number of steps, at the end, that hold the answer; `naive(length)` is the loss of who remembers nothing.
    """

    name: str
    description: str
    batch: Callable[[int, int, tf.Tensor], Batch]
    outputs: int
    every_step: bool
    loss: Callable[[], keras.losses.Loss]
    accuracy: Callable[[Any, Any], Any]
    naive: Callable[[int], float]
    naive_accuracy: float
    answer: int

    def weights(self, targets: np.ndarray) -> np.ndarray | None:
        """Sample weights (batch, time) that count only the steps of the answer; None where there are no others."""
        if not self.every_step:
            return None
        weights = np.zeros(targets.shape, np.float32)
        weights[:, -self.answer :] = 1
        return weights


def adding_batch(length: int, rows: int, seed: tf.Tensor) -> Batch:
    """Returns inputs (rows, length, 2), a number and whether it counts, and the sum (rows, 1) of the two that count.

    One number counts in each half of the sequence (Le et al. 2015, https://arxiv.org/abs/1504.00941, section 4.1).

    Example:
        >>> inputs, total = adding_batch(length=10, rows=3, seed=[1, 2])
        >>> bool(np.allclose(tf.reduce_sum(inputs[..., 0] * inputs[..., 1], axis=1), total[:, 0]))
        True
    """
    seeds = tf.random.split(seed, 3)
    numbers = tf.random.stateless_uniform((rows, length), seeds[0])
    first = tf.random.stateless_uniform((rows,), seeds[1], 0, length // 2, tf.int32)
    second = tf.random.stateless_uniform((rows,), seeds[2], length // 2, length, tf.int32)
    counts = tf.one_hot(first, length) + tf.one_hot(second, length)  # (rows, length)
    return tf.stack([numbers, counts], axis=-1), tf.reduce_sum(numbers * counts, axis=1, keepdims=True)


def copy_batch(length: int, rows: int, seed: tf.Tensor) -> Batch:
    """Returns inputs (rows, length + 20, 10), one-hot, and symbols (rows, length + 20) to answer with.

    Ten of eight symbols, `length` steps of which all but the last are blank and the last asks for the answer, ten
    blanks; the answer is blank but at the last ten steps, the symbols in their order (Arjovsky et al. 2016,
    https://arxiv.org/abs/1511.06464, section 5.1).

    Example:
        >>> inputs, symbols = copy_batch(length=5, rows=1, seed=[1, 2])
        >>> read = tf.argmax(inputs, axis=-1)[0].numpy()
        >>> read.shape, bool(np.all(read[:10] == symbols[0, -10:])), read[10:].tolist()
        ((25,), True, [0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    """
    symbols = tf.random.stateless_uniform((rows, COPIED), seed, 1, SYMBOLS + 1, tf.int32)
    blank, ask = tf.zeros((rows, length - 1), tf.int32), tf.fill((rows, 1), SYMBOLS + 1)
    end = tf.zeros((rows, COPIED), tf.int32)
    read = tf.concat([symbols, blank, ask, end], axis=1)
    return tf.one_hot(read, SYMBOLS + 2), tf.concat([end, blank, end[:, :1], symbols], axis=1)


def near(targets: Any, outputs: Any) -> Any:
    """Of every row, whether the sum is right to 0.04."""
    return tf.cast(tf.abs(targets - outputs) < TOLERANCE, tf.float32)


def recalled(symbols: Any, logits: Any) -> Any:
    """Of every row, the share of the ten symbols that is right."""
    answer = tf.argmax(logits[:, -COPIED:], axis=-1, output_type=tf.int32)
    right = tf.equal(answer, tf.cast(symbols[:, -COPIED:], tf.int32))
    return tf.reduce_mean(tf.cast(right, tf.float32), axis=1)


ADDING = Problem(
    name="adding",
    description=(
        "Random numbers between 0 and 1, of which two are marked, one in each half of the sequence; their sum is asked "
        "at the end. Always answering 1 gives a mean squared error of 1/6 = 0.167, and is right to "
        f"{TOLERANCE} in 8 % of the rows. Accuracy: the share of sums that are right to {TOLERANCE}."
    ),
    batch=adding_batch,
    outputs=1,
    every_step=False,
    loss=keras.losses.MeanSquaredError,
    accuracy=near,
    naive=lambda length: 1 / 6,
    naive_accuracy=1 - (1 - TOLERANCE) ** 2,  # the sum's density is a triangle with its peak at 1
    answer=1,
)
COPY = Problem(
    name="copy",
    description=(
        "Ten symbols, of eight kinds; then as many blank steps as the length says; then a sign that asks for the ten "
        "symbols in their order. Who remembers nothing answers blank while it is right and any symbol when asked: a "
        "cross entropy of 10 log 8 / (length + 20), and one symbol of eight right. Accuracy: the share of the ten "
        "symbols that is right. The loss counts all steps; the gradients shown are those of the answer alone, the last "
        "ten steps."
    ),
    batch=copy_batch,
    outputs=SYMBOLS + 2,
    every_step=True,
    loss=lambda: keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    accuracy=recalled,
    naive=lambda length: COPIED * math.log(SYMBOLS) / (length + 2 * COPIED),
    naive_accuracy=1 / SYMBOLS,
    answer=COPIED,
)
PROBLEMS = {problem.name: problem for problem in (ADDING, COPY)}
