"""The convolutions of a recurrence: of its inputs, all steps at once, and of its state, with their gradients."""

from collections.abc import Callable
from functools import cache
from typing import Any

import tensorflow as tf


def input_convolution(maps: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor | None, **options: Any) -> tf.Tensor:
    """The convolution plus bias of maps (…, height, width, channels), all steps and rows of the batch at once.

    Args:
        options: those of `tf.nn.convolution`; default stride 1 and zeros around the maps, which keeps their size.
    """
    flat = tf.reshape(maps, (-1, *maps.shape[-3:]))
    projected = tf.nn.convolution(flat, kernel, **{"padding": "SAME", **options})
    projected = projected if bias is None else tf.nn.bias_add(projected, bias)
    shaped = tf.reshape(projected, tf.concat([tf.shape(maps)[:-3], projected.shape[1:]], axis=0))
    return tf.ensure_shape(shaped, (*maps.shape[:-3], *projected.shape[1:]))


def convolution(maps: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """The maps (batch, height, width, inputs) convolved with (rows, columns, inputs, outputs), zeros around them.

    Computed in the kernel's dtype; the result has that of the maps.
    """
    return tf.cast(tf.nn.conv2d(tf.cast(maps, kernel.dtype), kernel, 1, "SAME"), maps.dtype)


def convolution_gradient(gradient: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """The gradient of the maps from that of their convolution."""
    shape = tf.concat([tf.shape(gradient)[:-1], kernel.shape[2:3]], axis=0)
    maps = tf.nn.conv2d_transpose(tf.cast(gradient, kernel.dtype), kernel, shape, 1, "SAME")
    return tf.cast(tf.ensure_shape(maps, (*gradient.shape[:-1], kernel.shape[2])), gradient.dtype)


def kernel_gradient(maps: tf.Tensor, gradient: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """The gradient of the kernel over all steps at once; maps and gradient are (time, batch, height, width, …)."""

    def rows(tensor: tf.Tensor) -> tf.Tensor:
        return tf.cast(tf.reshape(tensor, (-1, *tensor.shape[2:])), kernel.dtype)  # (time · batch, height, width, …)

    return tf.raw_ops.Conv2DBackpropFilter(
        input=rows(maps),
        filter_sizes=kernel.shape.as_list(),
        out_backprop=rows(gradient),
        strides=[1, 1, 1, 1],
        padding="SAME",
    )


def elementwise(function: Callable[..., Any], compiled: bool) -> Callable[..., Any]:
    """The function, compiled by XLA if wanted: what a plain graph would do in a pass over memory for each operation."""
    return _compiled(function) if compiled else function


@cache
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    return tf.function(function, jit_compile=True, autograph=False)
