"""The best alignments of a batch of known labellings with the frames of recordings, in a TensorFlow graph."""

import math
from typing import NamedTuple

import tensorflow as tf

WINDOW = 256
"""How many states are followed: 64 characters before what is being said, and 64 after it. See `alignment.MARGIN`."""
BEHIND = 2**30  # higher than any state: that of the frames that do not count


class Aligned(NamedTuple):
    """Where labels (batch, labels) stand: `begins` the first frame of each, `ends` the frame after its last one.

    `certainty` is the logarithm of its probability at its best frame. Of labels that are padding they have no meaning.
    """

    begins: tf.Tensor
    ends: tf.Tensor
    certainty: tf.Tensor


def align_batch(
    log_probabilities: tf.Tensor, lengths: tf.Tensor, labels: tf.Tensor, counts: tf.Tensor, window: int = WINDOW
) -> Aligned:
    """Returns the most probable alignment (Viterbi) of each row, in time linear in its length.

    State 2 i + 1 is the label i, state 2 i the blank before it. As in `align`, only states near the best one are
    followed; here they are a window of fixed size, whose middle follows the best. Where the end was given up, all
    states are followed.

    Args:
        log_probabilities: (batch, time, labels), log softmax; label 0 is the blank.
        lengths: (batch,), the frames that count.
        labels: (batch, labels), of which as many count as
        counts: (batch,) says, at most one a frame.
        window: states that are followed.
    """
    log_probabilities = tf.cast(log_probabilities, tf.float64)
    lengths, labels, counts = (tf.cast(each, tf.int32) for each in (lengths, labels, counts))
    states = 2 * tf.shape(labels)[1] + 1
    path, is_found = _paths(log_probabilities, lengths, labels, counts, tf.minimum(window, states))
    path = tf.cond(
        tf.reduce_all(is_found), lambda: path, lambda: _paths(log_probabilities, lengths, labels, counts, states)[0]
    )
    own = 2 * tf.broadcast_to(tf.range(tf.shape(labels)[1]), tf.shape(labels)) + 1
    spoken = tf.gather(_with_blanks(labels), tf.minimum(path, states - 1), batch_dims=1)  # (batch, time)
    certainty = tf.gather(log_probabilities, spoken, batch_dims=2)
    batch, most = tf.unstack(tf.shape(labels))
    is_label = (path % 2 == 1) & (path < states)
    places = tf.where(is_label, tf.range(batch)[:, tf.newaxis] * most + path // 2, -1)
    best = tf.math.unsorted_segment_max(certainty, places, batch * most)
    return Aligned(
        tf.searchsorted(path, own, "left"),
        tf.searchsorted(path, own, "right"),
        tf.cast(tf.reshape(best, (batch, most)), tf.float32),
    )


@tf.function(reduce_retracing=True, autograph=False)  # which a graph holds once, though it is called with two windows
def _paths(
    log_probabilities: tf.Tensor, lengths: tf.Tensor, labels: tf.Tensor, counts: tf.Tensor, window: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the states (batch, time) of the best paths, and whether there is one (batch,) within the window."""
    batch, time = tf.shape(log_probabilities)[0], tf.shape(log_probabilities)[1]
    states, last = 2 * tf.shape(labels)[1] + 1, 2 * counts[:, tf.newaxis]
    extended = tf.pad(_with_blanks(labels), [[0, 0], [0, window]])
    # A label may follow the label before it without a blank, if different.
    skips = tf.pad(extended[:, 2:] != extended[:, :-2], [[0, 0], [2, 0]]) & (tf.range(states + window) % 2 == 1)
    frames = tf.transpose(log_probabilities, (1, 0, 2))  # (time, batch, labels)
    here = tf.range(window)

    def forward(
        at: tf.Tensor, first: tf.Tensor, scores: tf.Tensor, firsts: tf.TensorArray, steps: tf.TensorArray
    ) -> tuple:
        state = first[:, tf.newaxis] + here  # (batch, window)
        emitted = tf.gather(frames[at], tf.gather(extended, state, batch_dims=1), batch_dims=1)
        from_one = tf.pad(scores, [[0, 0], [1, 0]], constant_values=-math.inf)[:, :-1]
        from_two = tf.pad(scores, [[0, 0], [2, 0]], constant_values=-math.inf)[:, :-2]
        from_two = tf.where(tf.gather(skips, state, batch_dims=1), from_two, -math.inf)
        best = tf.maximum(scores, from_one)
        back = tf.where(from_two > best, 2, tf.cast(from_one > scores, tf.int32))
        best = tf.maximum(best, from_two) + tf.where(state <= last, emitted, -math.inf)
        counts_here = (at < lengths)[:, tf.newaxis]
        best, back = tf.where(counts_here, best, scores), tf.where(counts_here, back, 0)
        shift = tf.argmax(best, axis=1, output_type=tf.int32) - window // 2
        shift = tf.clip_by_value(shift, 0, states - window - first)[:, tf.newaxis]
        moved = tf.pad(best, [[0, 0], [0, window]], constant_values=-math.inf)
        moved = tf.gather(moved, here + shift, batch_dims=1)
        firsts, steps = firsts.write(at, first), steps.write(at, tf.cast(back, tf.int8))
        return at + 1, first + shift[:, 0], moved, firsts, steps

    begun = tf.fill((batch, window), tf.constant(-math.inf, tf.float64))
    begun = tf.where(here == 0, tf.zeros_like(begun), begun)
    arrays = tf.TensorArray(tf.int32, time, element_shape=(None,)), tf.TensorArray(tf.int8, time)
    _, first, scores, firsts, steps = tf.while_loop(
        lambda at, *_: at < time,
        forward,
        (0, tf.zeros((batch,), tf.int32), begun, *arrays),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None]), tf.TensorShape([None, None]), None, None),
        maximum_iterations=time,
    )
    ends = tf.concat([last, last - 1], axis=1)  # in a blank, or in the last label
    places = ends - first[:, tf.newaxis]
    is_within = (ends >= 0) & (places >= 0) & (places < window)
    ending = tf.gather(scores, tf.clip_by_value(places, 0, window - 1), batch_dims=1)
    ending = tf.where(is_within, ending, -math.inf)
    state = tf.gather(ends, tf.argmax(ending, axis=1), batch_dims=1)

    def back(at: tf.Tensor, state: tf.Tensor, path: tf.TensorArray) -> tuple:
        place = tf.clip_by_value(state - firsts.read(at), 0, window - 1)
        path = path.write(at, tf.where(at < lengths, state, BEHIND))
        return at - 1, state - tf.cast(tf.gather(steps.read(at), place, batch_dims=1), tf.int32), path

    *_, path = tf.while_loop(
        lambda at, *_: at >= 0,
        back,
        (time - 1, state, tf.TensorArray(tf.int32, time, element_shape=(None,))),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None]), None),
        maximum_iterations=time,
    )
    return tf.transpose(path.stack()), tf.reduce_any(tf.math.is_finite(ending), axis=1)


def _with_blanks(labels: tf.Tensor) -> tf.Tensor:
    """Returns labels (batch, n) as states (batch, 2 n + 1): blank, label, blank, …, blank."""
    paired = tf.stack([tf.zeros_like(labels), labels], axis=2)
    return tf.pad(tf.reshape(paired, (tf.shape(labels)[0], 2 * tf.shape(labels)[1])), [[0, 0], [0, 1]])
