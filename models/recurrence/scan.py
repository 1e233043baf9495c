"""The time loop that every recurrence shares, with back-propagation through time derived by hand.

The forward loop keeps what the gradient needs; the backward loop carries only what depends on time, the gradient of
the state; the gradient of every weight is one matrix product over all time steps after the loop. Only stock TensorFlow
operations are used, so a SavedModel that contains a scan needs nothing of ours.
"""

from functools import partial
from typing import Any, ClassVar, NamedTuple, Protocol

import tensorflow as tf


class Weights(NamedTuple):
    """What multiplies and shifts the hidden state: `kernel` (units, gates · units), `bias` (gates · units) or None.

    `transposed` (gates · units, units) is the kernel laid out for the gradient: made once before the backward loop,
    since a small product with a transposed matrix is four times slower.
    """

    kernel: tf.Tensor
    bias: tf.Tensor | None = None
    transposed: tf.Tensor | None = None


class Recurrence(Protocol):
    """One recurrence: a pure step, the gradient of that step, and the gradient of its weights.

    A state is a named tuple of tensors (batch, units) whose first field is `hidden`, the layer's output.
    """

    state_type: ClassVar[Any]

    def step(self, projected: tf.Tensor, state: Any, weights: Weights, dropout: tf.Tensor | None) -> tuple[Any, Any]:
        """Returns the new state and a tuple of tensors (batch, …) that `step_gradient` will need."""

    def step_gradient(
        self, gradient: Any, saved: Any, state: Any, new_state: Any, weights: Weights, dropout: tf.Tensor | None
    ) -> tuple[tf.Tensor, Any]:
        """Returns the gradients of the projected input (batch, gates · units) and of the state before the step."""

    def weight_gradients(self, gradient: tf.Tensor, saved: Any, hidden: tf.Tensor, weights: Weights) -> Weights:
        """Returns the gradients of the weights from all steps at once; every argument has one row a step and example.

        `hidden` is the hidden state before each step, dropout applied.
        """


class ScanResult(NamedTuple):
    """`hidden` (time, batch, units) after every step, and the last `state`."""

    hidden: tf.Tensor
    state: Any


def scan(
    recurrence: Recurrence,
    projected: tf.Tensor,
    initial_state: Any,
    weights: Weights,
    mask: tf.Tensor | None = None,
    dropout: tf.Tensor | None = None,
    compiled: bool = False,
) -> ScanResult:
    """Runs a recurrence over time.

    Args:
        recurrence: the step to run, hashable.
        projected: the input times the input kernel plus bias (time, batch, gates · units); at least one step.
        initial_state: the recurrence's state before the first step, tensors (batch, units).
        weights: the recurrent weights.
        mask: bool (time, batch); where False the state passes on unchanged. None: every step counts.
        dropout: factors (batch, units) on the hidden state that enters the recurrent product, the same at every
            step (Gal and Ghahramani 2016, https://arxiv.org/abs/1512.05287). None: no dropout.
        compiled: compile the loop with XLA, once for each shape that is met. For training; an exported graph stays
            plain.

    Returns:
        The hidden state after every step and the last state. First derivatives reach every floating argument but
        `dropout`; second derivatives raise `NotImplementedError`.

    Example:
        >>> import tensorflow as tf
        >>> from models.recurrence import SimpleRNNRecurrence, SimpleRNNState, Weights, scan
        >>> zeros, identity = tf.zeros((1, 2)), tf.eye(2)
        >>> result = scan(SimpleRNNRecurrence("linear"), tf.ones((3, 1, 2)), SimpleRNNState(zeros), Weights(identity))
        >>> result.hidden[:, 0, 0].numpy().tolist()
        [1.0, 2.0, 3.0]
    """
    run = _compiled_scan if compiled else _scan
    hidden, *state = run(recurrence, projected, tuple(initial_state), weights, mask, dropout)
    return ScanResult(hidden, type(initial_state)(*state))


def _scan(
    recurrence: Recurrence,
    projected: tf.Tensor,
    initial_state: tuple[tf.Tensor, ...],
    weights: Weights,
    mask: tf.Tensor | None,
    dropout: tf.Tensor | None,
) -> tuple[tf.Tensor, ...]:
    has_bias, state_size = weights.bias is not None, len(initial_state)

    # tf.custom_gradient wants tensors as positional arguments; mask and dropout get no gradient and are closed over.
    @tf.custom_gradient
    def differentiable(projected: tf.Tensor, *arguments: tf.Tensor) -> Any:
        state, packed = arguments[:state_size], Weights(*arguments[state_size:])
        hidden, last, states, saved = _forward(recurrence, projected, state, packed, mask, dropout)

        def gradient(hidden_gradient: tf.Tensor, *last_gradient: tf.Tensor) -> Any:
            # A second derivative would silently take the saved tensors for constants: refuse it. The inputs are passed
            # only so that the tape sees that the gradient depends on them.
            @tf.custom_gradient
            def once(*_: tf.Tensor) -> Any:
                gradients = _backward(
                    recurrence, hidden_gradient, last_gradient, state, states, saved, packed, mask, dropout
                )
                return gradients, partial(_refuse_second_derivative, recurrence)

            return once(hidden_gradient, *last_gradient, projected, *arguments)

        return (hidden, *last), gradient

    return differentiable(projected, *initial_state, *weights[: 2 if has_bias else 1])


# One trace for each shape that is known when the graph is made: relaxed shapes would lose the number of units.
_compiled_scan = tf.function(_scan, jit_compile=True, autograph=False)


def _forward(
    recurrence: Recurrence,
    projected: tf.Tensor,
    initial_state: tuple[tf.Tensor, ...],
    weights: Weights,
    mask: tf.Tensor | None,
    dropout: tf.Tensor | None,
) -> tuple[tf.Tensor, tuple[tf.Tensor, ...], tuple[tf.Tensor, ...], tuple[tf.Tensor, ...]]:
    """The forward loop; returns hidden, last state, the state after every step, and what the steps saved."""
    steps, state_type = tf.shape(projected)[0], recurrence.state_type
    _, saved_once = recurrence.step(projected[0], state_type(*initial_state), weights, dropout)
    histories = tuple(_array(steps, tensor) for tensor in (*initial_state, *saved_once))

    def body(time: tf.Tensor, state: tuple[tf.Tensor, ...], histories: tuple[tf.TensorArray, ...]) -> Any:
        new_state, saved = recurrence.step(projected[time], state_type(*state), weights, dropout)
        if mask is not None:
            keep = mask[time][:, tf.newaxis]  # (batch, 1)
            new_state = tuple(tf.where(keep, new, old) for new, old in zip(new_state, state, strict=True))
        written = (*new_state, *saved)
        histories = tuple(history.write(time, tensor) for history, tensor in zip(histories, written, strict=True))
        return time + 1, tuple(new_state), histories

    _, last, histories = tf.while_loop(
        lambda time, *_: time < steps, body, (0, tuple(initial_state), histories), maximum_iterations=steps
    )
    stacked = tuple(history.stack() for history in histories)  # (time, batch, …) each
    states, saved = stacked[: len(initial_state)], stacked[len(initial_state) :]
    return states[0], last, states, saved


def _backward(
    recurrence: Recurrence,
    hidden_gradient: tf.Tensor,
    last_gradient: tuple[tf.Tensor, ...],
    initial_state: tuple[tf.Tensor, ...],
    states: tuple[tf.Tensor, ...],
    saved: tuple[tf.Tensor, ...],
    weights: Weights,
    mask: tf.Tensor | None,
    dropout: tf.Tensor | None,
) -> tuple[tf.Tensor, ...]:
    """The backward loop, then the weights; returns gradients of projected, initial state and weights, in this order."""
    steps, state_type = tf.shape(hidden_gradient)[0], recurrence.state_type
    weights = weights._replace(transposed=tf.transpose(weights.kernel))
    previous = tuple(
        tf.concat([first[tf.newaxis], state[:-1]], axis=0) for first, state in zip(initial_state, states, strict=True)
    )

    def at(tensors: tuple[tf.Tensor, ...], time: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return tuple(tensor[time] for tensor in tensors)

    def body(time: tf.Tensor, gradient: tuple[tf.Tensor, ...], history: tf.TensorArray) -> Any:
        gradient = (gradient[0] + hidden_gradient[time], *gradient[1:])
        before, after = state_type(*at(previous, time)), state_type(*at(states, time))
        projected_gradient, new_gradient = recurrence.step_gradient(
            state_type(*gradient), at(saved, time), before, after, weights, dropout
        )
        if mask is not None:
            keep = mask[time][:, tf.newaxis]
            projected_gradient = tf.where(keep, projected_gradient, tf.zeros_like(projected_gradient))
            new_gradient = tuple(tf.where(keep, new, old) for new, old in zip(new_gradient, gradient, strict=True))
        return time - 1, tuple(new_gradient), history.write(time, projected_gradient)

    gates = weights.kernel.shape[1]
    history = tf.TensorArray(hidden_gradient.dtype, size=steps, element_shape=(hidden_gradient.shape[1], gates))
    _, initial_gradient, history = tf.while_loop(
        lambda time, *_: time >= 0, body, (steps - 1, tuple(last_gradient), history), maximum_iterations=steps
    )
    projected_gradient = history.stack()  # (time, batch, gates · units)

    def rows(tensor: tf.Tensor) -> tf.Tensor:
        return tf.reshape(tensor, (-1, tensor.shape[-1]))  # (time · batch, …)

    hidden = previous[0] if dropout is None else previous[0] * dropout
    weight_gradients = recurrence.weight_gradients(
        rows(projected_gradient), tuple(map(rows, saved)), rows(hidden), weights
    )
    return projected_gradient, *initial_gradient, *(weight for weight in weight_gradients if weight is not None)


def _refuse_second_derivative(recurrence: Recurrence, *_: tf.Tensor) -> Any:
    raise NotImplementedError(
        "A second derivative was asked of a recurrent layer, whose gradient is derived by hand and can be taken once. "
        f"Use the layer of the same name in keras.layers where second derivatives are needed. Received: {recurrence}."
    )


def _array(steps: tf.Tensor, element: tf.Tensor) -> tf.TensorArray:
    return tf.TensorArray(element.dtype, size=steps, element_shape=element.shape)
