"""Long short-term memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import tensorflow as tf

from models.recurrence.activations import ACTIVATIONS
from models.recurrence.recurrence import Weights, gates_apart


class LSTMState(NamedTuple):
    """`hidden`, the output, and `cell`, the memory: (batch, units) each."""

    hidden: tf.Tensor
    cell: tf.Tensor


@dataclass(frozen=True)
class LSTMRecurrence:
    """Long short-term memory: gates decide what the cell takes in, keeps and shows.

    With `x` projected to four blocks and `h`, `c` the state before the step:

        i = σ(x_i + h U_i)    f = σ(x_f + h U_f)    g = φ(x_g + h U_g)    o = σ(x_o + h U_o)
        c' = f ⊙ c + i ⊙ g    h' = o ⊙ φ(c')

    The gradient travels along `c` multiplied by `f` alone, so it neither vanishes nor explodes while the gate is open;
    layers start with a forget bias of 1 for that reason (Jozefowicz et al. 2015,
    https://proceedings.mlr.press/v37/jozefowicz15.html).

    Hochreiter and Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735; forget gate by Gers et al. 2000,
    https://doi.org/10.1162/089976600300015015.

    Args:
        activation: φ, a key of `models.recurrence.activations.ACTIVATIONS`.
        recurrent_activation: σ, likewise.
    """

    state_type: ClassVar = LSTMState
    gates: ClassVar = 4
    saved: ClassVar = 4
    groups: ClassVar = (4,)

    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"

    def step(
        self, projected: Sequence[tf.Tensor], state: LSTMState, weights: Weights, dropout: tf.Tensor | None = None
    ) -> tuple[LSTMState, Sequence[tf.Tensor]]:
        activate, gate = ACTIVATIONS[self.activation].value, ACTIVATIONS[self.recurrent_activation].value
        hidden = state.hidden if dropout is None else state.hidden * dropout
        recurrent, kept = weights.product(hidden)
        blocks = [x + h for x, h in zip(projected, recurrent, strict=True)]
        enter, forget, candidate, show = gates_apart(blocks, self.gates)
        enter, forget, candidate, show = gate(enter), gate(forget), activate(candidate), gate(show)
        cell = forget * state.cell + enter * candidate
        return LSTMState(show * activate(cell), cell), (enter, forget, candidate, show, *kept)

    def step_gradient(
        self,
        gradient: LSTMState,
        saved: Sequence[tf.Tensor],
        state: LSTMState,
        new_state: LSTMState,
        weights: Weights,
        dropout: tf.Tensor | None = None,
    ) -> tuple[Sequence[tf.Tensor], LSTMState]:
        (activate, slope), gate_slope = ACTIVATIONS[self.activation], ACTIVATIONS[self.recurrent_activation].slope
        enter, forget, candidate, show, *kept = saved
        shown = activate(new_state.cell)
        cell = gradient.cell + gradient.hidden * show * slope(shown)
        projected = (
            cell * candidate * gate_slope(enter),
            cell * state.cell * gate_slope(forget),
            cell * enter * slope(candidate),
            gradient.hidden * shown * gate_slope(show),
        )
        hidden = weights.product_gradient(projected, kept)
        return projected, LSTMState(hidden if dropout is None else hidden * dropout, cell * forget)

    def products(
        self, gradient: Sequence[tf.Tensor], saved: Sequence[tf.Tensor], hidden: tf.Tensor
    ) -> tuple[Sequence[tf.Tensor], Sequence[tf.Tensor]]:
        return (hidden,) * self.gates, gradient
