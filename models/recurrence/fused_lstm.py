"""Long short-term memory as one stock operation of TensorFlow for all steps, fast where a step is little work."""

from functools import partial
from typing import Any

import tensorflow as tf

from models.recurrence.lstm import LSTMRecurrence, LSTMState
from models.recurrence.scan import refuse_second_derivative

RECURRENCE = LSTMRecurrence()
"""What the operation computes: tanh and sigmoid, in float32 on a CPU; neither XLA nor other formats know it."""


def fused_lstm(
    inputs: tf.Tensor, state: LSTMState, kernel: tf.Tensor, recurrent_kernel: tf.Tensor, bias: tf.Tensor | None
) -> tuple[tf.Tensor, LSTMState]:
    """Runs `LSTMRecurrence()` over inputs (time, batch, features).

    Args:
        inputs: the input, float32.
        state: before the first step.
        kernel: (features, 4 · units), the gates side by side.
        recurrent_kernel: (units, 4 · units).
        bias: (4 · units), or None.

    Returns:
        The hidden state after every step (time, batch, units), and the last state. First derivatives reach all
        arguments; second derivatives raise `NotImplementedError`.

    Example:
        >>> import tensorflow as tf
        >>> from models.recurrence import LSTMState
        >>> from models.recurrence.fused_lstm import fused_lstm
        >>> zeros = tf.zeros((1, 2))
        >>> hidden, _ = fused_lstm(tf.ones((3, 1, 4)), LSTMState(zeros, zeros), tf.ones((4, 8)), tf.ones((2, 8)), None)
        >>> hidden.shape
        TensorShape([3, 1, 2])
    """
    bias = tf.zeros_like(kernel[0]) if bias is None else tf.convert_to_tensor(bias)
    hidden, cells = _fused(inputs, *state, tf.concat([kernel, recurrent_kernel], axis=0), bias)

    def last(steps: tf.Tensor, before: tf.Tensor) -> tf.Tensor:
        """That after the last step; the state before where there are no steps."""
        return tf.concat([before[tf.newaxis], steps[-1:]], axis=0)[-1]

    return hidden, LSTMState(last(hidden, state.hidden), last(cells, state.cell))


@tf.custom_gradient
def _fused(inputs: tf.Tensor, hidden: tf.Tensor, cell: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> Any:
    """The hidden state and the cell after every step; the gradient that TensorFlow registers is that of other gates."""
    no_peephole = tf.zeros_like(bias[: bias.shape[0] // 4])
    arguments = {
        "seq_len_max": tf.shape(inputs, tf.int64)[0],
        "x": inputs,
        "cs_prev": cell,
        "h_prev": hidden,
        "w": kernel,
        **dict.fromkeys(("wci", "wcf", "wco"), no_peephole),
        "b": bias,
        "use_peephole": False,
    }
    outputs = tf.raw_ops.BlockLSTMV2(**arguments, cell_clip=0.0)

    def gradient(hidden_gradient: tf.Tensor, cell_gradient: tf.Tensor) -> Any:
        @tf.custom_gradient
        def once(*given: tf.Tensor) -> Any:
            found = tf.raw_ops.BlockLSTMGradV2(**arguments, **outputs._asdict(), h_grad=given[0], cs_grad=given[1])
            gradients = found.x_grad, found.h_prev_grad, found.cs_prev_grad, found.w_grad, found.b_grad
            return gradients, partial(refuse_second_derivative, RECURRENCE)

        return once(hidden_gradient, cell_gradient, inputs, hidden, cell, kernel, bias)

    return (outputs.h, outputs.cs), gradient
