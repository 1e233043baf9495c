"""The gated recurrent unit, with the reset gate before or after the recurrent product."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import tensorflow as tf

from models.recurrence.activations import ACTIVATIONS
from models.recurrence.recurrence import Weights, gates_apart


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

    With gains, the products are normalised, those of `z` and `r` together: `N(h U_z, h U_r)` and `N(h U_g)` (Ba et al.
    2016, https://arxiv.org/abs/1607.06450).

    Cho et al. 2014, https://arxiv.org/abs/1406.1078. Where `z` is near 1 the state, and its gradient, pass unchanged.

    Args:
        activation: φ, a key of `models.recurrence.activations.ACTIVATIONS`.
        recurrent_activation: σ, likewise.
        reset_after: apply the reset gate after the recurrent product.
    """

    state_type: ClassVar = GRUState
    gates: ClassVar = 3
    saved: ClassVar = 4
    groups: ClassVar = (2, 1)

    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"
    reset_after: bool = True

    def step(
        self, projected: Sequence[tf.Tensor], state: GRUState, weights: Weights, dropout: tf.Tensor | None = None
    ) -> tuple[GRUState, Sequence[tf.Tensor]]:
        activate, gate = ACTIVATIONS[self.activation].value, ACTIVATIONS[self.recurrent_activation].value
        hidden = state.hidden if dropout is None else state.hidden * dropout
        projected = gates_apart(projected, self.gates)
        if self.reset_after:
            products, kept = weights.product(hidden)
            recurrent = gates_apart(products, self.gates)
            update, reset = gate(projected[0] + recurrent[0]), gate(projected[1] + recurrent[1])
            inner = recurrent[2]
            candidate = activate(projected[2] + reset * inner)
        else:
            kernels, kept = gates_apart(weights.kernels, self.gates), ()
            update, reset = (gate(projected[k] + tf.matmul(hidden, kernels[k])) for k in (0, 1))
            inner = reset * hidden
            candidate = activate(projected[2] + tf.matmul(inner, kernels[2]))
        new_hidden = candidate + update * (state.hidden - candidate)
        return GRUState(new_hidden), (update, reset, candidate, inner, *kept)

    def step_gradient(
        self,
        gradient: GRUState,
        saved: Sequence[tf.Tensor],
        state: GRUState,
        new_state: GRUState,
        weights: Weights,
        dropout: tf.Tensor | None = None,
    ) -> tuple[Sequence[tf.Tensor], GRUState]:
        slope, gate_slope = ACTIVATIONS[self.activation].slope, ACTIVATIONS[self.recurrent_activation].slope
        update, reset, candidate, inner, *kept = saved
        update_gradient = gradient.hidden * (state.hidden - candidate) * gate_slope(update)
        candidate_gradient = gradient.hidden * (1 - update) * slope(candidate)
        if self.reset_after:
            reset_gradient = candidate_gradient * inner * gate_slope(reset)
            hidden = weights.product_gradient((update_gradient, reset_gradient, candidate_gradient * reset), kept)
        else:
            *gate_kernels, candidate_kernel = weights.kernels
            inner_gradient = tf.matmul(candidate_gradient, candidate_kernel)
            dropped = state.hidden if dropout is None else state.hidden * dropout
            reset_gradient = inner_gradient * dropped * gate_slope(reset)
            hidden = Weights(gate_kernels).product_gradient((update_gradient, reset_gradient), kept)
            hidden += inner_gradient * reset
        hidden = hidden if dropout is None else hidden * dropout
        projected = (update_gradient, reset_gradient, candidate_gradient)
        return projected, GRUState(hidden + gradient.hidden * update)

    def products(
        self, gradient: Sequence[tf.Tensor], saved: Sequence[tf.Tensor], hidden: tf.Tensor
    ) -> tuple[Sequence[tf.Tensor], Sequence[tf.Tensor]]:
        update_gradient, reset_gradient, candidate_gradient = gradient
        _, reset, _, inner, *_ = saved
        if not self.reset_after:
            return (hidden, hidden, inner), gradient
        return (hidden,) * self.gates, (update_gradient, reset_gradient, candidate_gradient * reset)
