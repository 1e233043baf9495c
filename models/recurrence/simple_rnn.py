"""The simple (Elman) recurrent network."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import tensorflow as tf

from models.recurrence.activations import ACTIVATIONS
from models.recurrence.scan import Weights


class SimpleRNNState(NamedTuple):
    """`hidden` (batch, units), the output."""

    hidden: tf.Tensor


@dataclass(frozen=True)
class SimpleRNNRecurrence:
    """The simple recurrent network: `h' = φ(x + h U)`.

    Elman 1990, https://doi.org/10.1207/s15516709cog1402_1. Going back a step multiplies the gradient by `U` and by the
    slope of φ, so over many steps it vanishes or explodes (Bengio et al. 1994, https://doi.org/10.1109/72.279181);
    layers start with an orthogonal `U`, which alone does neither.

    Args:
        activation: φ, a key of `models.recurrence.activations.ACTIVATIONS`.
    """

    state_type: ClassVar = SimpleRNNState

    activation: str = "tanh"

    def step(
        self, projected: tf.Tensor, state: SimpleRNNState, weights: Weights, dropout: tf.Tensor | None = None
    ) -> tuple[SimpleRNNState, tuple[tf.Tensor, ...]]:
        hidden = state.hidden if dropout is None else state.hidden * dropout
        activate = ACTIVATIONS[self.activation].value
        return SimpleRNNState(activate(projected + tf.matmul(hidden, weights.kernel))), ()

    def step_gradient(
        self,
        gradient: SimpleRNNState,
        saved: tuple[tf.Tensor, ...],
        state: SimpleRNNState,
        new_state: SimpleRNNState,
        weights: Weights,
        dropout: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, SimpleRNNState]:
        projected = gradient.hidden * ACTIVATIONS[self.activation].slope(new_state.hidden)
        hidden = tf.matmul(projected, weights.transposed)
        return projected, SimpleRNNState(hidden if dropout is None else hidden * dropout)

    def weight_gradients(
        self, gradient: tf.Tensor, saved: tuple[tf.Tensor, ...], hidden: tf.Tensor, weights: Weights
    ) -> Weights:
        return Weights(tf.matmul(hidden, gradient, transpose_a=True))
