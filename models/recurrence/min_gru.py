"""The minimal gated recurrent unit, whose gates see the input alone."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import tensorflow as tf


class MinGRUState(NamedTuple):
    """`hidden` (batch, units), the output."""

    hidden: tf.Tensor


@dataclass(frozen=True)
class MinGRURecurrence:
    """The minimal gated recurrent unit: one gate mixes the old state with a candidate, and neither sees the state.

    With `x` projected to two blocks and `h` the state before the step:

        z = σ(x_z)    g = φ(x_g)    h' = (1 − z) ⊙ h + z ⊙ g

    The step is linear in `h`, so `linear_recurrence` gives all steps at once.

    Feng et al. 2024, https://arxiv.org/abs/2410.01201, section 3.1.

    Args:
        activation: φ, any function of a tensor; the paper's section 3.1 has none.

    Example:
        >>> import tensorflow as tf
        >>> from models.recurrence import MinGRURecurrence, MinGRUState
        >>> state = MinGRURecurrence().step(tf.constant([[0.0, 4.0]]), MinGRUState(tf.constant([[2.0]])))
        >>> state.hidden.numpy().tolist()
        [[3.0]]
    """

    state_type: ClassVar = MinGRUState
    blocks: ClassVar = 2

    activation: Callable[[tf.Tensor], tf.Tensor] = tf.identity

    def coefficients(self, projected: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The decay and the increment (…, units) of the state, from the projected input (…, 2 · units)."""
        update, candidate = tf.split(projected, 2, axis=-1)
        # 1 − σ(x) as σ(−x): exact where the gate is nearly open.
        return tf.sigmoid(-update), tf.sigmoid(update) * self.activation(candidate)

    def step(self, projected: tf.Tensor, state: MinGRUState) -> MinGRUState:
        decay, increment = self.coefficients(projected)
        return MinGRUState(decay * state.hidden + increment)
