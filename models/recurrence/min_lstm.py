"""Minimal long short-term memory, whose gates see the input alone."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import tensorflow as tf


class MinLSTMState(NamedTuple):
    """`hidden` (batch, units), the output and the memory in one."""

    hidden: tf.Tensor


@dataclass(frozen=True)
class MinLSTMRecurrence:
    """Minimal long short-term memory: two gates share out one whole between the old state and a candidate.

    With `x` projected to three blocks and `h` the state before the step:

        f = σ(x_f)    i = σ(x_i)    g = φ(x_g)    h' = f / (f + i) ⊙ h + i / (f + i) ⊙ g

    The step is linear in `h`, so `linear_recurrence` gives all steps at once.

    Feng et al. 2024, https://arxiv.org/abs/2410.01201, section 3.2.

    Args:
        activation: φ, any function of a tensor; the paper's section 3.2 has none.

    Example:
        >>> import tensorflow as tf
        >>> from models.recurrence import MinLSTMRecurrence, MinLSTMState
        >>> state = MinLSTMRecurrence().step(tf.constant([[0.0, 0.0, 4.0]]), MinLSTMState(tf.constant([[2.0]])))
        >>> state.hidden.numpy().tolist()
        [[3.0]]
    """

    state_type: ClassVar = MinLSTMState
    blocks: ClassVar = 3

    activation: Callable[[tf.Tensor], tf.Tensor] = tf.identity

    def coefficients(self, projected: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The decay and the increment (…, units) of the state, from the projected input (…, 3 · units)."""
        forget, enter, candidate = tf.split(projected, 3, axis=-1)
        # f / (f + i) as σ(log f − log i): no division, and right where both gates vanish.
        share = tf.nn.softplus(-enter) - tf.nn.softplus(-forget)
        return tf.sigmoid(share), tf.sigmoid(-share) * self.activation(candidate)

    def step(self, projected: tf.Tensor, state: MinLSTMState) -> MinLSTMState:
        decay, increment = self.coefficients(projected)
        return MinLSTMState(decay * state.hidden + increment)
