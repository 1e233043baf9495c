"""A recurrence of maps over time, whose products are convolutions, with back-propagation through time derived by hand.

As in `scan`, the backward loop carries only what depends on time, and the gradient of every kernel is one filter
gradient over all steps after the loop. The loops are plain TensorFlow's: on CPU, XLA takes some thirty times as long
for a training step of convolutions. What stands between two convolutions is for the recurrence to compile.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, Protocol

import tensorflow as tf

from models.recurrence.scan import ScanResult, refuse_second_derivative

Tensors = Sequence[tf.Tensor]
Arrays = tuple[tf.TensorArray, ...]


class ConvolutionalRecurrence(Protocol):
    """One recurrence of maps (batch, height, width, channels).

    States and weights are tensors in named tuples, which may be nested.
    """

    @property
    def output(self) -> int:
        """Which tensor of the state, in the order of `tf.nest.flatten`, is the output."""

    @property
    def saved(self) -> Sequence[int]:
        """The channels, in multiples of the output's, of each map that `step` saves."""

    @property
    def products(self) -> Sequence[int]:
        """The channels, in multiples of the output's, of each map whose gradient `step_gradient` returns."""

    def step(
        self, projected: tf.Tensor, state: Any, weights: Any, dropout: tf.Tensor | None = None
    ) -> tuple[Any, Tensors]:
        """Returns the new state and what `step_gradient` will need."""

    def step_gradient(
        self, gradient: Any, saved: Tensors, state: Any, new_state: Any, weights: Any, dropout: tf.Tensor | None = None
    ) -> tuple[Tensors, Any]:
        """Returns the gradients of what the convolutions gave, and of the state before the step."""

    def argument_gradients(
        self, gradients: Tensors, states: Any, saved: Tensors, weights: Any, dropout: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, Any]:
        """Returns the gradients of the projected inputs and of the weights.

        All tensors are (time, batch, height, width, channels): `gradients` as `step_gradient` returned them, what the
        steps saved, and the states, the initial one first, which are one more.
        """


def convolutional_scan(
    recurrence: ConvolutionalRecurrence,
    projected: tf.Tensor,
    initial_state: Any,
    weights: Any,
    mask: tf.Tensor | None = None,
    dropout: tf.Tensor | None = None,
    keep: bool = True,
) -> ScanResult:
    """Runs a recurrence of maps over time.

    Args:
        recurrence: the step to run.
        projected: the input's convolution plus bias, (time, batch, height, width, channels); any number of steps.
        initial_state: the recurrence's state before the first step, maps (batch, height, width, units).
        weights: the recurrence's weights.
        mask: bool (time, batch); where False the state passes on unchanged; the projected input must be finite there
            too. None: every step counts.
        dropout: factors (batch, height, width, units) on the hidden state that enters the recurrent convolution, the
            same at every step. None: no dropout.
        keep: keep what the gradient needs. Without it, for inference, a gradient that is asked for all the same runs
            the loop a second time.

    Returns:
        The output after every step (time, batch, height, width, units), and the last state. First derivatives reach
        every argument but `mask` and `dropout`; second derivatives raise `NotImplementedError`.

    Example:
        >>> import tensorflow as tf
        >>> from models.recurrence import ConvLSTMRecurrence, ConvLSTMWeights, LSTMState, convolutional_scan
        >>> maps, weights = tf.zeros((1, 4, 4, 2)), ConvLSTMWeights(tf.ones((3, 3, 2, 8)))
        >>> result = convolutional_scan(ConvLSTMRecurrence(), tf.zeros((5, 1, 4, 4, 8)), LSTMState(maps, maps), weights)
        >>> result.hidden.shape
        TensorShape([5, 1, 4, 4, 2])
    """
    arguments = (projected, initial_state, weights)

    # tf.custom_gradient wants tensors as positional arguments; mask and dropout get no gradient and are closed over.
    @tf.custom_gradient
    def differentiable(*flat: tf.Tensor) -> Any:
        # Without the stop, a tape would record the loop itself as well, and have it keep everything.
        projected, state, weights = tf.nest.pack_sequence_as(arguments, [tf.stop_gradient(tensor) for tensor in flat])
        forward = partial(_forward, recurrence, projected, state, weights, mask, dropout)
        hidden, last, *kept = forward(keep)

        def gradient(*output_gradients: tf.Tensor) -> Any:
            # A second derivative would silently take what was saved for constant: refuse it. The inputs are passed
            # only so that the tape sees that the gradient depends on them.
            @tf.custom_gradient
            def once(*_: tf.Tensor) -> Any:
                hidden_gradient, *last_gradient = map(tf.stop_gradient, output_gradients)
                last_gradient = tf.nest.pack_sequence_as(state, last_gradient)
                states, saved = kept if keep else forward(True)[2:]
                gradients, state_gradient = _backward(
                    recurrence, hidden_gradient, last_gradient, states, saved, weights, mask, dropout
                )
                projected_gradient, weight_gradients = recurrence.argument_gradients(
                    gradients, tf.nest.pack_sequence_as(state, states), saved, weights, dropout
                )
                found = (projected_gradient, state_gradient, weight_gradients)
                return tf.nest.flatten(found), partial(refuse_second_derivative, recurrence)

            return once(*output_gradients, *flat)

        return (hidden, *tf.nest.flatten(last)), gradient

    hidden, *state = differentiable(*tf.nest.flatten(arguments))
    return ScanResult(hidden, tf.nest.pack_sequence_as(initial_state, state))


def _forward(
    recurrence: ConvolutionalRecurrence,
    projected: tf.Tensor,
    initial_state: Any,
    weights: Any,
    mask: tf.Tensor | None,
    dropout: tf.Tensor | None,
    keep: bool,
) -> tuple[tf.Tensor, Any, Tensors, Tensors]:
    """Returns the output after every step (time, batch, …) and the last state.

    To `keep` adds what the gradient needs: all states, the initial one first, and what the steps saved.
    """
    steps = _steps(projected)
    flat_state = tf.nest.flatten(initial_state)
    first = (*flat_state, *_zeros(flat_state[recurrence.output], recurrence.saved))

    def body(time: tf.Tensor, state: Any, histories: Arrays) -> Any:
        new_state, saved = recurrence.step(projected[time], state, weights, dropout)
        if mask is not None:
            new_state = _where(mask[time], new_state, state)
        if not keep:  # Written in the loop alone, which is what converters to other formats know.
            return time + 1, new_state, _write(histories, time, [tf.nest.flatten(new_state)[recurrence.output]])
        return time + 1, new_state, _write(histories, time + 1, (*tf.nest.flatten(new_state), *saved))

    _, last, histories = tf.while_loop(
        lambda time, *_: time < steps,
        body,
        (
            0,
            initial_state,
            _write(_arrays(first, steps + 1), 0, first) if keep else _arrays([flat_state[recurrence.output]], steps),
        ),
        maximum_iterations=steps,
    )
    stacked = [history.stack() for history in histories]
    if not keep:
        return stacked[0], last, [], []
    states, saved = stacked[: len(flat_state)], [tensor[1:] for tensor in stacked[len(flat_state) :]]
    return states[recurrence.output][1:], last, states, saved


def _backward(
    recurrence: ConvolutionalRecurrence,
    hidden_gradient: tf.Tensor,
    last_gradient: Any,
    states: Tensors,
    saved: Tensors,
    weights: Any,
    mask: tf.Tensor | None,
    dropout: tf.Tensor | None,
) -> tuple[Tensors, Any]:
    """Returns the gradients of what the convolutions gave (time, batch, …), and of the initial state."""
    steps, output = _steps(hidden_gradient), recurrence.output
    no_gradient = _zeros(tf.nest.flatten(last_gradient)[output], recurrence.products)

    def state_at(time: tf.Tensor) -> Any:
        return tf.nest.pack_sequence_as(last_gradient, [field[time] for field in states])

    def body(time: tf.Tensor, gradient: Any, histories: Arrays) -> Any:
        flat = tf.nest.flatten(gradient)
        flat[output] += hidden_gradient[time]
        gradient = tf.nest.pack_sequence_as(gradient, flat)
        its_saved = [tensor[time] for tensor in saved]
        products, new_gradient = recurrence.step_gradient(
            gradient, its_saved, state_at(time), state_at(time + 1), weights, dropout
        )
        if mask is not None:
            products = _where(mask[time], tuple(products), no_gradient)
            new_gradient = _where(mask[time], new_gradient, gradient)
        return time - 1, new_gradient, _write(histories, time, products)

    _, initial_gradient, histories = tf.while_loop(
        lambda time, *_: time >= 0,
        body,
        (steps - 1, last_gradient, _write(_arrays(no_gradient, steps + 1), steps, no_gradient)),
        maximum_iterations=steps,
    )
    return tuple(history.stack()[:-1] for history in histories), initial_gradient


def _steps(tensor: tf.Tensor) -> int | tf.Tensor:
    return tf.shape(tensor)[0] if tensor.shape[0] is None else tensor.shape[0]


def _zeros(like: tf.Tensor, multiples: Sequence[int]) -> tuple[tf.Tensor, ...]:
    """Zeros with so many times the channels."""
    zeros = tf.zeros_like(like)
    return tuple(tf.concat([zeros] * multiple, axis=-1) for multiple in multiples)


def _where(mask: tf.Tensor, maps: Any, others: Any) -> Any:
    """Rows of the maps where the mask (batch) is True, of the others elsewhere."""
    mask = mask[:, tf.newaxis, tf.newaxis, tf.newaxis]
    return tf.nest.map_structure(partial(tf.where, mask), maps, others)


def _arrays(elements: Tensors, size: int | tf.Tensor) -> Arrays:
    """An array for each tensor, of elements like it."""
    return tuple(tf.TensorArray(tensor.dtype, size, element_shape=tensor.shape) for tensor in elements)


def _write(arrays: Arrays, index: int | tf.Tensor, elements: Tensors) -> Arrays:
    return tuple(array.write(index, element) for array, element in zip(arrays, elements, strict=True))
