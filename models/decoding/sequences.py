"""Beam search for the most probable sequence that a decoder writes number by number, in a TensorFlow graph."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

_IMPOSSIBLE = -1e30  # as a logarithm; minus infinity would make NaN where it is multiplied by zero


class Found(NamedTuple):
    """The best sequence of each row: `numbers` (batch, time) without its end, padded with the end; `score` (batch,).

    A row in which no sequence can end within its limit has none, and the score −inf. Of several sequences for each row,
    the best first, both have one dimension more: (batch, sequences, time) and (batch, sequences).
    """

    numbers: tf.Tensor
    score: tf.Tensor


def search_sequences(
    step: Callable[[tf.Tensor, Any], tuple[tf.Tensor, Any]],
    state: Any,
    start: int,
    end: int,
    limits: tf.Tensor,
    beam_width: int | tf.Tensor = 4,
    length_exponent: float = 1.0,
    n_best: int | tf.Tensor | None = None,
) -> Found:
    """Searches the sequence of the highest score, with n the length of y and its end,

        score(y) = log P(y) / ((5 + n) / 6) ^ length_exponent

    Without normalisation (exponent 0) short sequences win, since each further number costs probability (Wu et al. 2016,
    https://arxiv.org/abs/1609.08144, section 7).

    After each step the `beam_width` most probable beginnings stay; each of them may also end there. A row is done when
    no beginning can beat what it has found, or at its limit; what other rows there are, and their limits, never changes
    it. With as many beams as there are beginnings the search is exact.

    Args:
        step: `step(previous, state)`, given int32 (rows,) and a state, returns the logarithms of the probabilities of
            what comes next (rows, numbers), and the state after. It is called in a loop, with batch · beam_width rows,
            the beams of a row of the batch after each other.
        state: before the first step: any structure of tensors (batch, …). What is the same for all beams and never
            changes, an encoder's outputs say, better reaches `step` by itself, repeated `beam_width` times.
        start: what precedes the first number.
        end: the number that ends a sequence.
        limits: integers (batch,), each row's longest sequence, its end included; a row whose limit is 0 gets the empty
            sequence, with score 0.
        beam_width: beginnings that stay; or those of each row, int32 (batch,), known only when the graph runs. `step`
            is then called with as many beams for each row as the widest search has.
        length_exponent: at least 0.
        n_best: how many sequences of each row to return, a number or a scalar tensor, at least 1. Default: one, without
            a dimension of its own.

    Raises:
        ValueError: a setting is out of range.
        InvalidArgumentError: the `beam_width` is, which is known only when the graph runs.

    Example:
        Number 1 ends a sequence; 2 is likely once, then the end.

        >>> first, later = tf.math.log([[0.1, 0.3, 0.6]]), tf.math.log([[0.1, 0.7, 0.2]])
        >>> step = lambda previous, state: (tf.where(previous[:, tf.newaxis] == 0, first, later), state)
        >>> found = search_sequences(step, (), 0, 1, tf.constant([5]), length_exponent=0.0)
        >>> found.numbers.numpy().tolist(), f"{tf.exp(found.score).numpy()[0]:.2f}"
        ([[2]], '0.42')
    """
    width = None if tf.is_tensor(beam_width) else int(beam_width)
    widths = beam_width
    if width is None:
        fits = tf.reduce_all(widths >= 1)
        message = "A beam search needs a beam_width of at least 1 for each row. Received:"
        with tf.control_dependencies([tf.debugging.Assert(fits, [message, widths])]):
            beam_width = tf.reduce_max(tf.concat([tf.reshape(widths, (-1,)), [1]], axis=0))
    is_kept = tf.range(beam_width) < tf.reshape(widths, (-1, 1))  # (batch or 1, beams)
    if length_exponent < 0 or (width is not None and width < 1):
        raise ValueError(
            "A beam search needs a beam_width of at least 1 and a length_exponent of at least 0. "
            f"Received: beam_width={width}, length_exponent={length_exponent}"
        )
    limits = tf.cast(limits, tf.int32)
    batch = tf.shape(limits)[0]
    rows = batch * beam_width

    def penalty(length: tf.Tensor) -> tf.Tensor:
        return ((5.0 + tf.cast(length, tf.float32)) / 6.0) ** length_exponent

    def advance(
        time: tf.Tensor,
        beams: tf.Tensor,  # (batch, beams, time), the beginnings
        total: tf.Tensor,  # (batch, beams), their log probabilities
        state: Any,
        best: Found,
        done: tf.Tensor,  # (batch,)
    ) -> tuple[Any, ...]:
        previous = tf.fill((rows,), start) if beams.shape[2] == 0 else tf.reshape(beams[:, :, -1], (rows,))
        log_probabilities, state = step(previous, state)
        numbers = tf.shape(log_probabilities)[1]
        log_probabilities = tf.reshape(tf.cast(log_probabilities, tf.float32), (batch, beam_width, numbers))
        candidates = total[:, :, tf.newaxis] + log_probabilities  # (batch, beams, numbers)

        ended = candidates[:, :, end] / penalty(time + 1)  # (batch, beams)
        is_none = done[:, tf.newaxis] | (candidates[:, :, end] <= 0.5 * _IMPOSSIBLE)
        ended = tf.where(is_none, 2 * _IMPOSSIBLE, ended)
        score, first = tf.math.top_k(tf.concat([best.score, ended], axis=1), sequences)  # of equal ones the earlier
        best = Found(tf.gather(tf.concat([best.numbers, beams], axis=1), first, batch_dims=1), score)

        goes_on = tf.where(tf.range(numbers) == end, _IMPOSSIBLE, candidates)
        total, places = tf.math.top_k(tf.reshape(goes_on, (batch, beam_width * numbers)), beam_width)
        total = tf.where(is_kept, total, _IMPOSSIBLE)
        parents, written = places // numbers, places % numbers  # (batch, beams)
        beams = tf.concat([tf.gather(beams, parents, batch_dims=1), written[:, :, tf.newaxis]], axis=2)
        origins = tf.reshape(tf.range(batch)[:, tf.newaxis] * beam_width + parents, (rows,))
        state = tf.nest.map_structure(lambda tensor: tf.gather(tensor, origins), state)

        # A log probability only falls, and a penalty is largest at the limit.
        done |= (time + 1 >= limits) | (best.score[:, -1] >= total[:, 0] / penalty(limits))
        best = best._replace(numbers=tf.pad(best.numbers, [[0, 0], [0, 0], [0, 1]], constant_values=end))
        return time + 1, beams, total, state, best, done

    sequences = 1 if n_best is None else n_best
    nothing = tf.where(
        tf.range(sequences) > 0, 2 * _IMPOSSIBLE, tf.where(limits < 1, 0.0, 2 * _IMPOSSIBLE)[:, tf.newaxis]
    )
    only_first = tf.one_hot(tf.zeros((batch,), tf.int32), beam_width, on_value=0.0, off_value=_IMPOSSIBLE)
    begun = advance(
        tf.constant(0),
        tf.zeros((batch, beam_width, 0), tf.int32),
        only_first,
        tf.nest.map_structure(lambda tensor: tf.repeat(tensor, beam_width, axis=0), state),
        Found(tf.zeros((batch, sequences, 0), tf.int32), nothing),
        limits < 1,
    )
    invariants = tf.nest.map_structure(lambda tensor: tensor.shape, begun)
    *_, best, _ = tf.while_loop(
        lambda *loop: ~tf.reduce_all(loop[-1]),
        advance,
        begun,
        shape_invariants=(
            invariants[0],
            tf.TensorShape([None, width, None]),
            tf.TensorShape([None, width]),
            tf.nest.map_structure(lambda tensor: tf.TensorShape([None, *tensor.shape[1:]]), begun[3]),
            Found(tf.TensorShape([None, None, None]), tf.TensorShape([None, None])),
            tf.TensorShape([None]),
        ),
    )
    # Where no end had any probability within the limit, there is no sequence.
    score = tf.where(best.score <= _IMPOSSIBLE, -math.inf, best.score)
    found = tf.where(tf.math.is_finite(score)[..., tf.newaxis], best.numbers, end)
    longest = tf.reduce_max(tf.reduce_sum(tf.cast(found != end, tf.int32), axis=2))
    found = found[..., :longest]
    return Found(found[:, 0], score[:, 0]) if n_best is None else Found(found, score)
