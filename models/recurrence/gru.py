"""The gated recurrent unit, with the reset gate before or after the recurrent product."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import tensorflow as tf

from models.recurrence.activations import ACTIVATIONS
from models.recurrence.scan import Weights


class GRUState(NamedTuple):
    """`hidden` (batch, units), the output."""

    hidden: tf.Tensor


@dataclass(frozen=True)
class GRURecurrence:
    """The gated recurrent unit: one gate mixes the old state with a candidate, another resets what the candidate sees.

    With `x` projected to three blocks, `h` the state before the step and `b` the recurrent bias:

        z = σ(x_z + h U_z + b_z)    r = σ(x_r + h U_r + b_r)
        g = φ(x_g + r ⊙ (h U_g + b_g))    with `reset_after`, as cuDNN computes it,
        g = φ(x_g + (r ⊙ h) U_g)          without, as first published,
        h' = z ⊙ h + (1 − z) ⊙ g

    Cho et al. 2014, https://arxiv.org/abs/1406.1078. Where `z` is near 1 the state, and its gradient, pass unchanged.

    Args:
        activation: φ, a key of `models.recurrence.activations.ACTIVATIONS`.
        recurrent_activation: σ, likewise.
        reset_after: apply the reset gate after the recurrent product.
    """

    state_type: ClassVar = GRUState

    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"
    reset_after: bool = True

    def step(
        self, projected: tf.Tensor, state: GRUState, weights: Weights, dropout: tf.Tensor | None = None
    ) -> tuple[GRUState, tuple[tf.Tensor, ...]]:
        activate, gate = ACTIVATIONS[self.activation].value, ACTIVATIONS[self.recurrent_activation].value
        hidden = state.hidden if dropout is None else state.hidden * dropout
        update, reset, candidate = tf.split(projected, 3, axis=-1)  # three of (batch, units)
        if self.reset_after:
            recurrent = tf.matmul(hidden, weights.kernel)  # (batch, 3 · units)
            if weights.bias is not None:
                recurrent += weights.bias
            recurrent_update, recurrent_reset, inner = tf.split(recurrent, 3, axis=-1)
            update, reset = gate(update + recurrent_update), gate(reset + recurrent_reset)
            candidate = activate(candidate + reset * inner)
        else:
            units = hidden.shape[-1]
            gates = tf.matmul(hidden, weights.kernel[:, : 2 * units])  # (batch, 2 · units)
            recurrent_update, recurrent_reset = tf.split(gates, 2, axis=-1)
            update, reset = gate(update + recurrent_update), gate(reset + recurrent_reset)
            inner = reset * hidden
            candidate = activate(candidate + tf.matmul(inner, weights.kernel[:, 2 * units :]))
        new_hidden = update * state.hidden + (1 - update) * candidate
        return GRUState(new_hidden), (update, reset, candidate, inner)

    def step_gradient(
        self,
        gradient: GRUState,
        saved: tuple[tf.Tensor, ...],
        state: GRUState,
        new_state: GRUState,
        weights: Weights,
        dropout: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, GRUState]:
        slope, gate_slope = ACTIVATIONS[self.activation].slope, ACTIVATIONS[self.recurrent_activation].slope
        update, reset, candidate, inner = saved
        update_gradient = gradient.hidden * (state.hidden - candidate) * gate_slope(update)
        candidate_gradient = gradient.hidden * (1 - update) * slope(candidate)
        if self.reset_after:
            reset_gradient = candidate_gradient * inner * gate_slope(reset)
            recurrent = tf.concat([update_gradient, reset_gradient, candidate_gradient * reset], axis=-1)
            hidden = tf.matmul(recurrent, weights.transposed)
        else:
            units = update.shape[-1]
            gate_kernel, candidate_kernel = tf.split(weights.transposed, [2 * units, units])
            inner_gradient = tf.matmul(candidate_gradient, candidate_kernel)
            dropped = state.hidden if dropout is None else state.hidden * dropout
            reset_gradient = inner_gradient * dropped * gate_slope(reset)
            gates = tf.concat([update_gradient, reset_gradient], axis=-1)
            hidden = tf.matmul(gates, gate_kernel) + inner_gradient * reset
        hidden = hidden if dropout is None else hidden * dropout
        projected = tf.concat([update_gradient, reset_gradient, candidate_gradient], axis=-1)  # (batch, 3 · units)
        return projected, GRUState(hidden + gradient.hidden * update)

    def weight_gradients(
        self, gradient: tf.Tensor, saved: tuple[tf.Tensor, ...], hidden: tf.Tensor, weights: Weights
    ) -> Weights:
        _, reset, _, inner = saved
        gates, candidate = gradient[:, : -reset.shape[-1]], gradient[:, -reset.shape[-1] :]
        if not self.reset_after:
            kernels = [tf.matmul(hidden, gates, transpose_a=True), tf.matmul(inner, candidate, transpose_a=True)]
            return Weights(tf.concat(kernels, axis=-1))
        recurrent = tf.concat([gates, candidate * reset], axis=-1)
        bias = None if weights.bias is None else tf.reduce_sum(recurrent, axis=0)
        return Weights(tf.matmul(hidden, recurrent, transpose_a=True), bias)
