"""Activations whose derivative follows from their output alone, so that a scan need not keep their input."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf


class Activation(NamedTuple):
    """An activation `y = f(x)` and its slope `f'(x)`, written as a function of `y`."""

    value: Callable[[tf.Tensor], tf.Tensor]
    slope: Callable[[tf.Tensor], tf.Tensor]


ACTIVATIONS = {
    "tanh": Activation(tf.tanh, lambda y: 1 - y * y),
    "sigmoid": Activation(tf.sigmoid, lambda y: y * (1 - y)),
    "relu": Activation(tf.nn.relu, lambda y: tf.cast(y > 0, y.dtype)),
    "linear": Activation(tf.identity, tf.ones_like),
    "softsign": Activation(tf.nn.softsign, lambda y: tf.square(1 - tf.abs(y))),
    "hard_sigmoid": Activation(
        lambda x: tf.nn.relu6(x + 3) / 6,
        lambda y: tf.cast((y > 0) & (y < 1), y.dtype) / 6,
    ),
}
