"""The two loops over time that every recurrence shares: forward, and backward by the hand-derived gradient of a step.

The gates stay apart, an array each: XLA on CPU does not vectorise what reads columns of a wider array, and runs one
small product a gate on the thread that asks, where one large product would wake the others, at tens of µs a step.

TensorFlow runs a loop in a graph, at inference several steps in one iteration. Python runs it in eager mode, where
`tf.while_loop` would do the same at twice the time, for a single step, as in streaming, and where a layer is told to
`unroll`.
"""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

import tensorflow as tf
from tensorflow.python.ops import control_flow_util

from models.recurrence.recurrence import ExtendedRecurrence, Recurrence, Weights

Tensors = tuple[tf.Tensor, ...]


class _List:
    """What a `tf.TensorArray` is to TensorFlow's loop, to that of Python."""

    def __init__(self, size: int):
        self.elements: list[Any] = [None] * size

    def write(self, index: int, element: tf.Tensor) -> "_List":
        self.elements[index] = element
        return self

    def stack(self) -> tf.Tensor:
        return tf.stack(self.elements)


Histories = tuple[tf.TensorArray | _List, ...]


def forward(
    recurrence: Recurrence,
    projected: Tensors,
    initial_state: Tensors,
    weights: Weights,
    mask: tf.Tensor | None,
    dropout: tf.Tensor | None,
    zoneout: Tensors | None,
    keep: bool,
    unroll: bool = False,
    counted: tf.Tensor | None = None,
) -> tuple[Tensors, Tensors]:
    """Returns what the loop kept, and the last state, (batch, units) each.

    Kept are all states and what the steps saved, as `backward` needs them, (time + 1, batch, units) each, of which the
    first of the states is the initial one, the first of the saved zero; or, unless `keep`, the hidden state alone,
    (time, batch, units). The steps that are `counted` are run, by default all.
    """
    in_python, state_type = _in_python(projected[0], unroll), recurrence.state_type
    steps, units = _steps(projected[0], in_python), initial_state[-1].shape[-1]
    before_saving = (tf.zeros_like(initial_state[-1]),) * (recurrence.saved + weights.kept)
    if zoneout is not None:
        before_saving += tuple(map(tf.zeros_like, initial_state))
    mask = None if mask is None else mask[..., tf.newaxis]
    projected, mask, zoneout = (_elements(tensors, in_python) for tensors in (projected, mask, zoneout))

    stepwise = (projected, mask, zoneout)

    def advance(inputs: Any, state: Tensors) -> tuple[Tensors, Tensors]:
        projected, mask, zoneout = inputs  # of one step
        new_state, saved = recurrence.step(projected, state_type(*state), weights, dropout)
        if zoneout is not None:
            new_state, saved = _mixed(zoneout, new_state, state), (*saved, *new_state)
        if mask is not None:  # What a masked step computed may be anything: it must not meet a zero gradient as NaN.
            new_state = _where(mask, new_state, state)
            saved = _where(mask, saved, before_saving) if keep else saved
        return tuple(new_state), tuple(saved)

    def body(time: Any, state: Tensors, histories: Histories) -> Any:
        new_state, saved = advance(_each(stepwise, lambda tensor: tensor[time]), state)
        if not keep:  # Written in the loop alone, which is what converters to other formats know.
            return time + 1, new_state, _write(histories, time, new_state[:1])
        return time + 1, new_state, _write(histories, time + 1, (*new_state, *saved))

    def body_of_several(iteration: Any, state: Tensors, histories: Histories) -> Any:
        start, states = iteration * at_once, []
        # Those after the last repeat it, and do not count.
        times = tf.maximum(tf.minimum(start + tf.range(at_once), steps - 1), 0)
        inputs = _each(stepwise, lambda tensor: tf.unstack(tf.gather(tensor, times), at_once))
        for offset in range(at_once):
            state, _ = advance(_each(inputs, itemgetter(offset)), state)
            states.append(state)
        fields = [tf.stack(field) for field in zip(*states, strict=True)]  # (at_once, batch, units) each
        last = tf.minimum(at_once, steps - start) - 1
        return iteration + 1, _at(fields, last), _write(histories, iteration, fields[:1])

    # No array may be without elements: where nothing but the loop writes, one step is run, and does not count.
    size = steps if keep else _at_least(1, steps)
    at_once = 1 if keep or in_python or counted is not None or is_within_xla() else _steps_at_once(steps, units)
    if at_once > 1:
        size = (size + at_once - 1) // at_once  # of no negative numbers, which ONNX divides otherwise
    iterations = size if counted is None else counted
    first = (*initial_state, *before_saving) if keep else initial_state[:1]
    histories = _arrays(first, size + 1 if keep else size, in_python, at_once)
    if keep:
        histories = _write(histories, 0, first)
    last = initial_state
    if in_python:
        for time in range(iterations):
            _, last, histories = body(time, last, histories)
    else:
        _, last, histories = tf.while_loop(
            lambda time, *_: time < iterations,
            body if at_once == 1 else body_of_several,
            (0, last, histories),
            maximum_iterations=_unless_without_rows(iterations, initial_state[0], 0 if keep else 1),
        )
    kept = tuple(history.stack() for history in histories)
    may_be_none = not keep and counted is None and not (isinstance(steps, int) and steps)
    if at_once > 1:
        kept = tuple(map(_as_steps, kept))
    if at_once > 1 or may_be_none:
        kept = tuple(history[:steps] for history in kept)
    if may_be_none:
        last = tuple(tf.where(steps > 0, *pair) for pair in zip(last, initial_state, strict=True))
    return kept, last


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
    unroll: bool = False,
    counted: tf.Tensor | None = None,
) -> tuple[Tensors, Tensors]:
    """Returns the gradients of each projected gate (time + 1, batch, units), the last being zero, and of the state.

    After the gates' stands that of the hidden state where the recurrence is an extended one. The weights are given
    `Weights.transposed`. The steps that are `counted` are run, by default all.
    """
    in_python, state_type = _in_python(hidden_gradient, unroll), recurrence.state_type
    steps = _steps(hidden_gradient, in_python)
    no_gradient = (tf.zeros_like(last_gradient[-1]),) * recurrence.gates
    if isinstance(recurrence, ExtendedRecurrence):
        no_gradient += (tf.zeros_like(last_gradient[0]),)
    mask = None if mask is None else mask[..., tf.newaxis]
    hidden_gradient, mask, zoneout, states, saved = (
        _elements(tensors, in_python) for tensors in (hidden_gradient, mask, zoneout, states, saved)
    )
    unmixed = states
    if zoneout is not None:
        fields = len(last_gradient)
        saved, unmixed = saved[:-fields], saved[-fields:]

    def body(time: Any, gradient: Tensors, histories: Histories) -> Any:
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

    histories, initial_gradient = _write(_arrays(no_gradient, steps + 1, in_python), steps, no_gradient), last_gradient
    steps = steps if counted is None else counted
    if in_python:
        for time in reversed(range(steps)):
            _, initial_gradient, histories = body(time, initial_gradient, histories)
    else:
        _, initial_gradient, histories = tf.while_loop(
            lambda time, *_: time >= 0,
            body,
            (steps - 1, initial_gradient, histories),
            maximum_iterations=_unless_without_rows(steps, last_gradient[0], 0),
        )
    return tuple(history.stack() for history in histories), initial_gradient


PLAIN = forward, backward
# How many steps an iteration of a plain loop takes at most: TensorFlow's own work for it costs some small operations.
# Where the number of steps is unknown, as in exports, fewer: each of them makes the graphs of all signatures larger.
MOST_STEPS_AT_ONCE = 8
STEPS_AT_ONCE = 3
# From here on a step is so much work that, where their number is unknown, those run in vain cost more than is saved.
LEAST_UNITS_ONE_BY_ONE = 512


def is_within_xla() -> bool:
    """Whether XLA compiles the graph that is being traced, or one that it is a part of."""
    return control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())


def _steps_at_once(steps: Any, units: int) -> int:
    """How many steps an iteration of a plain loop takes: where their number is known, so many that few are too many."""
    if tf.is_tensor(steps):
        return STEPS_AT_ONCE if units < LEAST_UNITS_ONE_BY_ONE else 1
    numbers = range(min(max(steps, 1), MOST_STEPS_AT_ONCE // 2), MOST_STEPS_AT_ONCE + 1)
    return min(numbers, key=lambda number: (-steps % number, -number))


def _as_steps(history: tf.Tensor) -> tf.Tensor:
    """(iterations, at_once, batch, units) as (time, batch, units)."""
    return tf.reshape(history, tf.concat([[-1], tf.shape(history)[2:]], axis=0))


def _in_python(steps: tf.Tensor, unroll: bool) -> bool:
    """Whether Python runs the loop over steps (time, …)."""
    return unroll or steps.shape[0] == 1 or tf.executing_eagerly()


def _steps(tensor: tf.Tensor, in_python: bool) -> Any:
    """How many steps (time, …) has: a number where it is known."""
    if tensor.shape[0] is None and in_python:
        raise ValueError(
            "A loop over time is unrolled for a known number of steps. Give the input a shape with it, such as "
            f"`keras.Input((steps, features))`, or leave out `unroll=True`. Received: shape {tuple(tensor.shape)}."
        )
    return tf.shape(tensor)[0] if tensor.shape[0] is None else tensor.shape[0]


def _at_least(least: int, steps: Any) -> Any:
    return tf.maximum(least, steps) if tf.is_tensor(steps) else max(least, steps)


def _elements(tensors: Any, in_python: bool) -> Any:
    """Tensors (time, …), or one of them, at least one step long, as lists of steps for the loop of Python."""
    if isinstance(tensors, tuple):
        return tuple(_elements(tensor, in_python) for tensor in tensors)
    if tensors is None:
        return None
    if not tensors.shape[0]:  # XLA does not compile what reads from no steps, not even in a loop that never runs.
        missing = tf.maximum(1 - tf.shape(tensors)[0], 0)
        tensors = tf.pad(tensors, [[0, missing], *([0, 0] for _ in tensors.shape[1:])])
    return tf.unstack(tensors) if in_python else tensors


def _unless_without_rows(iterations: Any, rows: tf.Tensor, least: int) -> tf.Tensor:
    """As many iterations, and the least where there are no rows: a part of a batch too small to be divided."""
    return least + (iterations - least) * tf.minimum(tf.shape(rows)[0], 1)


def _each(stepwise: Any, function: Callable[[Any], Any]) -> Any:
    """The projected input, mask and zoneout, or those that there are, each through a function."""
    projected, mask, zoneout = stepwise
    return (
        tuple(map(function, projected)),
        None if mask is None else function(mask),
        None if zoneout is None else tuple(map(function, zoneout)),
    )


def _at(tensors: Sequence[tf.Tensor], time: tf.Tensor) -> Tensors:
    return tuple(tensor[time] for tensor in tensors)


def _where(mask: tf.Tensor, tensors: Sequence[tf.Tensor], others: Sequence[tf.Tensor]) -> Tensors:
    """Rows of the tensors where the mask (batch, 1) is True, of the others elsewhere."""
    return tuple(tf.where(mask, *pair) for pair in zip(tensors, others, strict=True))


def _mixed(shares: Sequence[tf.Tensor], tensors: Sequence[tf.Tensor], others: Sequence[tf.Tensor]) -> Tensors:
    """So much of the tensors, and the rest of the others; shares are numbers from 0 to 1 or bool."""
    shares = [tf.cast(share, tensor.dtype) for share, tensor in zip(shares, tensors, strict=True)]
    return tuple(
        share * tensor + (1 - share) * other for share, tensor, other in zip(shares, tensors, others, strict=True)
    )


def _arrays(elements: Sequence[tf.Tensor], size: Any, in_python: bool, at_once: int = 1) -> Histories:
    if in_python:
        return tuple(_List(size) for _ in elements)
    several = [at_once] if at_once > 1 else []
    return tuple(
        tf.TensorArray(element.dtype, size=size, element_shape=[*several, *element.shape]) for element in elements
    )


def _write(arrays: Histories, index: Any, elements: Sequence[tf.Tensor]) -> Histories:
    return tuple(array.write(index, element) for array, element in zip(arrays, elements, strict=True))
