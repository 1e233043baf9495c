"""The simple (Elman) recurrent network."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import tensorflow as tf

from models.recurrence.activations import ACTIVATIONS
from models.recurrence.recurrence import Weights


class SimpleRNNState(NamedTuple):
    """`hidden` (batch, units), the output."""

    hidden: tf.Tensor


@dataclass(frozen=True)
class SimpleRNNRecurrence:
    """The simple recurrent network: `h' = φ(x + h U)`.

    Elman 1990, https://doi.org/10.1207/s15516709cog1402_1. Going back a step multiplies the gradient by `U` and by the
    slope of φ, so over many steps it vanishes or explodes (Bengio et al. 1994, https://doi.org/10.1109/72.279181);
    layers start with an orthogonal `U`, which alone does neither.

    With gains, the product is normalised, `N(h U)` (Ba et al. 2016, https://arxiv.org/abs/1607.06450, whose simple
    network normalises the sum `x + h U`; input and state apart, as in their LSTM, leave each its own scale).

    Args:
        activation: φ, a key of `models.recurrence.activations.ACTIVATIONS`.
    """

    state_type: ClassVar = SimpleRNNState
    gates: ClassVar = 1
    saved: ClassVar = 0
    groups: ClassVar = (1,)

    activation: str = "tanh"

    def step(
        self, projected: Sequence[tf.Tensor], state: SimpleRNNState, weights: Weights, dropout: tf.Tensor | None = None
    ) -> tuple[SimpleRNNState, Sequence[tf.Tensor]]:
        hidden = state.hidden if dropout is None else state.hidden * dropout
        (recurrent,), kept = weights.product(hidden)
        return SimpleRNNState(ACTIVATIONS[self.activation].value(projected[0] + recurrent)), kept

    def step_gradient(
        self,
        gradient: SimpleRNNState,
        saved: Sequence[tf.Tensor],
        state: SimpleRNNState,
        new_state: SimpleRNNState,
        weights: Weights,
        dropout: tf.Tensor | None = None,
    ) -> tuple[Sequence[tf.Tensor], SimpleRNNState]:
        projected = (gradient.hidden * ACTIVATIONS[self.activation].slope(new_state.hidden),)
        hidden = weights.product_gradient(projected, saved)
        return projected, SimpleRNNState(hidden if dropout is None else hidden * dropout)

    def products(
        self, gradient: Sequence[tf.Tensor], saved: Sequence[tf.Tensor], hidden: tf.Tensor
    ) -> tuple[Sequence[tf.Tensor], Sequence[tf.Tensor]]:
        return (hidden,), gradient
