"""The loops over time, compiled by XLA for few lengths."""

import inspect
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from models.recurrence.loop import PLAIN, Tensors

# One trace for each shape that is known when the graph is made: relaxed shapes would lose the number of units.
_COMPILED = tuple(tf.function(function, jit_compile=True, autograph=False) for function in PLAIN)
# The lengths that are compiled where the number of steps is unknown until the graph runs.
LENGTHS = (16, *(64 << power for power in range(25)))


def _of_few_lengths(number: int, *stepwise: str) -> Callable[..., tuple[Tensors, Tensors]]:
    """Returns a compiled loop that is called as the plain one, and meets few lengths.

    Args:
        number: of the loop in `PLAIN`.
        stepwise: names of its arguments that have a part for each step, the first of which is never missing.
    """
    signature = inspect.signature(PLAIN[number])

    def call(*arguments: Any, **options: Any) -> tuple[Tensors, Tensors]:
        bound = signature.bind(*arguments, **options)
        bound.apply_defaults()
        given = bound.arguments
        given["counted"], padding = _padding(tf.nest.flatten(given[stepwise[0]])[0])
        given.update({name: _padded(given[name], padding) for name in stepwise})
        found, state = _COMPILED[number](*bound.args)
        return _shortened(found, padding), state

    return call


COMPILED = (
    _of_few_lengths(0, "projected", "mask", "zoneout"),
    _of_few_lengths(1, "hidden_gradient", "states", "saved", "mask", "zoneout"),
)


def _padding(tensor: tf.Tensor) -> tuple[tf.Tensor | None, tf.Tensor | None]:
    """How many steps count of (time, …), and how many are missing to the next of `LENGTHS`; None where both are known.

    XLA compiles once for each shape. So where the number of steps is known only when the graph runs, the compiled loop
    gets arrays of few lengths and the number of steps to run: hundreds of lengths cost a handful of compilations, and
    the loop takes not a step more.
    """
    if tensor.shape[0] is not None:
        return None, None
    steps = tf.shape(tensor)[0]
    lengths = tf.constant(LENGTHS)
    return steps, lengths[tf.searchsorted(lengths, [steps])[0]] - steps


def _padded(tensors: Any, padding: tf.Tensor | None) -> Any:
    def pad(tensor: tf.Tensor) -> tf.Tensor:
        padded = tf.pad(tensor, [[0, padding], *([0, 0] for _ in tensor.shape[1:])])
        return tf.ensure_shape(padded, (None, *tensor.shape[1:]))

    return tensors if padding is None else tf.nest.map_structure(lambda its: None if its is None else pad(its), tensors)


def _shortened(tensors: Tensors, padding: tf.Tensor | None) -> Tensors:
    return tensors if padding is None else tuple(tensor[: tf.shape(tensor)[0] - padding] for tensor in tensors)
