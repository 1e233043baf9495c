"""The two loops over time that every recurrence shares: forward, and backward by the hand-derived gradient of a step.

The gates stay apart, an array each: XLA on CPU does not vectorise what reads columns of a wider array, and runs one
small product a gate on the thread that asks, where one large product would wake the others, at tens of µs a step.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from models.recurrence.recurrence import ExtendedRecurrence, Recurrence, Weights

Tensors = tuple[tf.Tensor, ...]


def forward(
    recurrence: Recurrence,
    projected: Tensors,
    initial_state: Tensors,
    weights: Weights,
    mask: tf.Tensor | None,
    dropout: tf.Tensor | None,
    zoneout: Tensors | None,
    keep: bool,
) -> tuple[Tensors, Tensors]:
    """Returns what the loop kept, (time + 1, batch, units) each, and the last state, (batch, units) each.

    Kept are all states and what the steps saved, as `backward` needs them, or, unless `keep`, the hidden state alone.
    The first of the states is the initial one, the first of the saved is zero: no array is ever without elements.
    """
    steps, state_type = tf.shape(projected[0])[0], recurrence.state_type
    projected, mask = tuple(map(_one_step_at_least, projected)), _one_step_at_least(mask)
    before_saving = (tf.zeros_like(initial_state[-1]),) * (recurrence.saved + weights.kept)
    if zoneout is not None:
        zoneout = tuple(map(_one_step_at_least, zoneout))
        before_saving += tuple(map(tf.zeros_like, initial_state))

    def body(time: tf.Tensor, state: Tensors, histories: tuple[tf.TensorArray, ...]) -> Any:
        new_state, saved = recurrence.step(_at(projected, time), state_type(*state), weights, dropout)
        if zoneout is not None:
            new_state, saved = _mixed(_at(zoneout, time), new_state, state), (*saved, *new_state)
        if mask is not None:  # What a masked step computed may be anything: it must not meet a zero gradient as NaN.
            new_state = _where(mask[time], new_state, state)
            saved = _where(mask[time], saved, before_saving) if keep else saved
        kept = (*new_state, *saved) if keep else new_state[:1]
        return time + 1, tuple(new_state), _write(histories, time + 1, kept)

    first = (*initial_state, *before_saving) if keep else initial_state[:1]
    _, last, histories = tf.while_loop(
        lambda time, *_: time < steps,
        body,
        (0, initial_state, _write(_arrays(first, steps + 1), 0, first)),
        maximum_iterations=_iterations(initial_state[0], steps),
    )
    return tuple(history.stack() for history in histories), last


def backward(
    recurrence: Recurrence,
    hidden_gradient: tf.Tensor,
    last_gradient: Tensors,
    states: Tensors,
    saved: Tensors,
    weights: Weights,
    mask: tf.Tensor | None,
    dropout: tf.Tensor | None,
    zoneout: Tensors | None,
) -> tuple[Tensors, Tensors]:
    """Returns the gradients of each projected gate (time + 1, batch, units), the last being zero, and of the state.

    After the gates' stands that of the hidden state where the recurrence is an extended one. The weights are given
    `Weights.transposed`.
    """
    steps, state_type = tf.shape(hidden_gradient)[0], recurrence.state_type
    hidden_gradient, mask = _one_step_at_least(hidden_gradient), _one_step_at_least(mask)
    no_gradient = (tf.zeros_like(last_gradient[-1]),) * recurrence.gates
    if isinstance(recurrence, ExtendedRecurrence):
        no_gradient += (tf.zeros_like(last_gradient[0]),)
    unmixed = states
    if zoneout is not None:
        zoneout, fields = tuple(map(_one_step_at_least, zoneout)), len(last_gradient)
        saved, unmixed = saved[:-fields], saved[-fields:]

    def body(time: tf.Tensor, gradient: Tensors, histories: tuple[tf.TensorArray, ...]) -> Any:
        gradient = (gradient[0] + hidden_gradient[time], *gradient[1:])
        before, after = state_type(*_at(states, time)), state_type(*_at(unmixed, time + 1))
        arriving = (
            gradient if zoneout is None else _mixed(_at(zoneout, time), gradient, tuple(map(tf.zeros_like, gradient)))
        )
        projected_gradient, new_gradient = recurrence.step_gradient(
            state_type(*arriving), _at(saved, time + 1), before, after, weights, dropout
        )
        if zoneout is not None:
            new_gradient = tuple(map(tf.add, new_gradient, map(tf.subtract, gradient, arriving)))
        if mask is not None:
            projected_gradient = _where(mask[time], projected_gradient, no_gradient)
            new_gradient = _where(mask[time], new_gradient, gradient)
        return time - 1, tuple(new_gradient), _write(histories, time, projected_gradient)

    _, initial_gradient, histories = tf.while_loop(
        lambda time, *_: time >= 0,
        body,
        (steps - 1, last_gradient, _write(_arrays(no_gradient, steps + 1), steps, no_gradient)),
        maximum_iterations=_iterations(last_gradient[0], steps),
    )
    return tuple(history.stack() for history in histories), initial_gradient


# One trace for each shape that is known when the graph is made: relaxed shapes would lose the number of units.
PLAIN = forward, backward
COMPILED = tuple(tf.function(function, jit_compile=True, autograph=False) for function in PLAIN)


def _one_step_at_least(tensor: tf.Tensor | None) -> tf.Tensor | None:
    """XLA does not compile what reads from no steps, not even in a loop that never runs."""
    if tensor is None or tensor.shape[0]:
        return tensor
    missing = tf.maximum(1 - tf.shape(tensor)[0], 0)
    return tf.pad(tensor, [[0, missing], *([0, 0] for _ in tensor.shape[1:])])


def _iterations(rows: tf.Tensor, steps: tf.Tensor) -> tf.Tensor:
    """All steps, and none where there are no rows: the part of a batch that was too small to be divided."""
    return steps * tf.minimum(tf.shape(rows)[0], 1)


def _at(tensors: Sequence[tf.Tensor], time: tf.Tensor) -> Tensors:
    return tuple(tensor[time] for tensor in tensors)


def _where(mask: tf.Tensor, tensors: Sequence[tf.Tensor], others: Sequence[tf.Tensor]) -> Tensors:
    """Rows of the tensors where the mask (batch) is True, of the others elsewhere."""
    return tuple(tf.where(mask[:, tf.newaxis], *pair) for pair in zip(tensors, others, strict=True))


def _mixed(shares: Sequence[tf.Tensor], tensors: Sequence[tf.Tensor], others: Sequence[tf.Tensor]) -> Tensors:
    """So much of the tensors, and the rest of the others; shares are numbers from 0 to 1 or bool."""
    shares = [tf.cast(share, tensor.dtype) for share, tensor in zip(shares, tensors, strict=True)]
    return tuple(
        share * tensor + (1 - share) * other for share, tensor, other in zip(shares, tensors, others, strict=True)
    )


def _arrays(elements: Sequence[tf.Tensor], size: tf.Tensor) -> tuple[tf.TensorArray, ...]:
    return tuple(tf.TensorArray(element.dtype, size=size, element_shape=element.shape) for element in elements)


def _write(
    arrays: Sequence[tf.TensorArray], index: int | tf.Tensor, elements: Sequence[tf.Tensor]
) -> tuple[tf.TensorArray, ...]:
    return tuple(array.write(index, element) for array, element in zip(arrays, elements, strict=True))
