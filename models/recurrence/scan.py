"""A recurrence over time, with back-propagation through time derived by hand.

The forward loop keeps what the gradient needs; the backward loop carries only what depends on time, the gradient of
the state; the gradient of every weight is one matrix product over all time steps after the loop. Only stock TensorFlow
operations are used, so a SavedModel that contains a scan needs nothing of ours.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import tensorflow as tf

from models.recurrence import loop
from models.recurrence.compiled import COMPILED
from models.recurrence.normalization import gain_gradients
from models.recurrence.recurrence import ExtendedRecurrence, Recurrence, Weights


class ScanResult(NamedTuple):
    """`hidden` (time, batch, units) after every step, and the last `state`."""

    hidden: tf.Tensor
    state: Any


def scan(
    recurrence: Recurrence,
    projected: Sequence[tf.Tensor],
    initial_state: Any,
    weights: Weights,
    mask: tf.Tensor | None = None,
    dropout: tf.Tensor | None = None,
    compiled: bool = False,
    keep: bool = True,
    zoneout: Sequence[tf.Tensor] | None = None,
    unroll: bool = False,
    differentiable_twice: bool = False,
) -> ScanResult:
    """Runs a recurrence over time.

    What belongs to the gates is given apart, one tensor a gate, or as a single tensor that holds all of them side by
    side in its last axis: apart is faster where the loop is compiled, side by side where it is not.

    Args:
        recurrence: the step to run, hashable.
        projected: the input times the input kernel plus bias, (time, batch, units) a gate; any number of steps.
        initial_state: the recurrence's state before the first step, tensors (batch, units).
        weights: the recurrent weights.
        mask: bool (time, batch); where False the state passes on unchanged, whatever the input holds. None: every
            step counts.
        dropout: factors (batch, units) on the hidden state that enters the recurrent product, the same at every
            step (Gal and Ghahramani 2016, https://arxiv.org/abs/1512.05287). None: no dropout.
        compiled: compile the loop with XLA, once for each shape that is met. An exported graph stays plain.
        keep: keep what the gradient needs. Without it, for inference, a gradient that is asked for all the same runs
            the loop a second time.
        zoneout: for each field of the state how much of it a step renews, (time, batch, units) or (time, 1, 1): 1 or
            True where it takes its new value, 0 or False where it keeps the old (Krueger et al. 2017,
            https://arxiv.org/abs/1606.01305). None: every step renews all.
        unroll: write the steps, whose number must be known, one after the other into the graph, without a loop.
        differentiable_twice: leave the gradient to TensorFlow, which can derive it again, as often as wanted, and
            takes more time and memory; never compiled.

    Returns:
        The hidden state after every step and the last state, in the initial state's dtype. The loop is computed in
        float32 at least, the large products of the weights' gradients in the weights' dtype. First derivatives reach
        every floating argument but `dropout` and `zoneout`; second derivatives raise `NotImplementedError` unless
        `differentiable_twice`.

    Raises:
        TypeError: the inputs are no list, or the state is not of the recurrence's type.

    Example:
        >>> import tensorflow as tf
        >>> from models.recurrence import SimpleRNNRecurrence, SimpleRNNState, Weights, scan
        >>> zeros, identity = tf.zeros((1, 2)), Weights([tf.eye(2)])
        >>> result = scan(SimpleRNNRecurrence("linear"), [tf.ones((3, 1, 2))], SimpleRNNState(zeros), identity)
        >>> result.hidden[:, 0, 0].numpy().tolist()
        [1.0, 2.0, 3.0]
    """
    _check(recurrence, projected, initial_state)
    dtype, product_dtype = initial_state[0].dtype, weights.kernels[0].dtype
    precise = tf.float32 if dtype.size < 4 else dtype  # XLA's products on CPU are slower in bfloat16 than in float32.
    arguments: Any = tf.nest.map_structure(
        lambda tensor: tf.cast(tensor, precise), (tuple(projected), tuple(initial_state), Weights(*map(tuple, weights)))
    )
    dropout = None if dropout is None else tf.cast(dropout, precise)
    zoneout = None if zoneout is None else tuple(zoneout)
    forward, backward = COMPILED if compiled else loop.PLAIN

    def finish(hidden: tf.Tensor, last: Sequence[tf.Tensor]) -> ScanResult:
        return ScanResult(tf.cast(hidden, dtype), type(initial_state)(*(tf.cast(field, dtype) for field in last)))

    if differentiable_twice:
        sequences, state, parameters = arguments
        (hidden,), last = loop.forward(
            recurrence, sequences, state, parameters, mask, dropout, zoneout, keep=False, unroll=unroll
        )
        return finish(hidden, last)

    # tf.custom_gradient wants tensors as positional arguments; mask and dropout get no gradient and are closed over.
    @tf.custom_gradient
    def differentiable(*flat: tf.Tensor) -> Any:
        # Without the stop, a tape would record the loop itself as well, and have it keep everything.
        projected, state, weights = tf.nest.pack_sequence_as(arguments, [tf.stop_gradient(tensor) for tensor in flat])
        kept, last = forward(recurrence, projected, state, weights, mask, dropout, zoneout, keep, unroll)

        def gradient(*output_gradients: tf.Tensor) -> Any:
            # A second derivative would silently take the saved tensors for constants: refuse it. The inputs are passed
            # only so that the tape sees that the gradient depends on them.
            @tf.custom_gradient
            def once(*_: tf.Tensor) -> Any:
                hidden_gradient, *last_gradient = map(tf.stop_gradient, output_gradients)
                around = mask, dropout, zoneout
                everything = kept
                if not keep:
                    everything, _ = forward(recurrence, projected, state, weights, *around, True, unroll)
                states, saved = everything[: len(state)], everything[len(state) :]
                # Once, since a small product with a transposed matrix is four times slower; not by XLA, which is slow.
                transposed = weights.transposed(recurrence.gates)
                gradients, state_gradient = backward(
                    recurrence, hidden_gradient, tuple(last_gradient), states, saved, transposed, *around, unroll
                )
                gradients = tuple(gradient[:-1] for gradient in gradients)
                found = (
                    _laid_out_as(projected, gradients[: recurrence.gates]),
                    state_gradient,
                    _weight_gradients(recurrence, gradients, states, saved, weights, *around, product_dtype),
                )
                return tf.nest.flatten(found), partial(refuse_second_derivative, recurrence)

            return once(*output_gradients, *flat)

        return (kept[0][1:] if keep else kept[0], *last), gradient

    hidden, *last = differentiable(*tf.nest.flatten(arguments))
    return finish(hidden, last)


def _check(recurrence: Recurrence, projected: Any, initial_state: Any) -> None:
    """Refuses a tensor in place of a sequence of tensors: it would be taken apart along its first axis."""
    state_type = recurrence.state_type
    if not isinstance(projected, list | tuple) or not isinstance(initial_state, state_type):
        raise TypeError(
            f"A scan takes a list of projected inputs, one a gate or a single one for all, and a "
            f"{state_type.__name__}. Wrap what is given: scan(recurrence, [projected], {state_type.__name__}(…), "
            f"weights). Received: {type(projected).__name__}, {type(initial_state).__name__}."
        )


def _weight_gradients(
    recurrence: Recurrence,
    gradients: Sequence[tf.Tensor],
    states: Sequence[tf.Tensor],
    saved: Sequence[tf.Tensor],
    weights: Weights,
    mask: tf.Tensor | None,
    dropout: tf.Tensor | None,
    zoneout: Sequence[tf.Tensor] | None,
    product_dtype: tf.DType,
) -> Weights:
    """The gradient of every weight, over all steps at once, from those of the steps (time, batch, units)."""

    def counted(tensor: tf.Tensor) -> tf.Tensor:
        """Zeros at masked steps, where a state may be anything."""
        return tensor if mask is None else tf.where(mask[..., tf.newaxis], tensor, tf.zeros_like(tensor))

    hidden = counted(states[0][:-1])
    saved = tuple(tensor[1:] for tensor in saved)
    factors, products = recurrence.products(
        gradients[: recurrence.gates], saved, hidden if dropout is None else hidden * dropout
    )
    kept = saved[recurrence.saved : recurrence.saved + weights.kept]
    inner = weights.before_normalization(products, kept)
    found = Weights(
        kernels=_laid_out_as(weights.kernels, _kernel_gradients(factors, inner, product_dtype)),
        biases=_laid_out_as(weights.biases, [tf.reduce_sum(gradient, axis=(0, 1)) for gradient in products]),
        gains=gain_gradients(products, kept, weights.gains),
    )
    if not isinstance(recurrence, ExtendedRecurrence):
        return found
    before = (counted(field[:-1]) for field in states)
    after = (counted(field[1:]) for field in states) if zoneout is None else saved[-len(states) :]
    state_type = recurrence.state_type
    others = recurrence.other_gradients(gradients, saved, state_type(*before), state_type(*after), weights)
    return found._replace(**others)


def _kernel_gradients(factors: Sequence[tf.Tensor], gradients: Sequence[tf.Tensor], dtype: tf.DType) -> list[tf.Tensor]:
    """One large product a gate over all steps; outside of XLA, whose large products take twice as long."""

    def rows(tensor: tf.Tensor) -> tf.Tensor:
        return tf.cast(tf.reshape(tensor, (-1, tensor.shape[-1])), dtype)  # (time · batch, units)

    return [
        tf.cast(tf.matmul(rows(factor), rows(gradient), transpose_a=True), gradient.dtype)
        for factor, gradient in zip(factors, gradients, strict=True)
    ]


def _laid_out_as(given: Sequence[tf.Tensor], gates: Sequence[tf.Tensor]) -> Sequence[tf.Tensor]:
    """The gates as tensors like the given ones: none, one with the gates side by side, or one for each gate."""
    return [tf.concat(gates, axis=-1)] if len(given) == 1 else gates[: len(given)]


def refuse_second_derivative(recurrence: object, *_: tf.Tensor) -> Any:
    raise NotImplementedError(
        "A derivative in forward mode or a second derivative was asked of a recurrent layer, whose gradient is derived "
        "by hand and can be taken once, backwards. "
        "Where second derivatives are needed, give the layer `differentiable_twice=True`, or use the layer of the same "
        f"name in keras.layers. Received: {recurrence}."
    )
