"""Long short-term memory."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import tensorflow as tf

from models.recurrence.activations import ACTIVATIONS
from models.recurrence.scan import Weights


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

    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"

    def step(
        self, projected: tf.Tensor, state: LSTMState, weights: Weights, dropout: tf.Tensor | None = None
    ) -> tuple[LSTMState, tuple[tf.Tensor, ...]]:
        activate, gate = ACTIVATIONS[self.activation].value, ACTIVATIONS[self.recurrent_activation].value
        hidden = state.hidden if dropout is None else state.hidden * dropout
        blocks = tf.split(projected + tf.matmul(hidden, weights.kernel), 4, axis=-1)  # four of (batch, units)
        input_gate, forget_gate, candidate, output_gate = (
            gate(blocks[0]),
            gate(blocks[1]),
            activate(blocks[2]),
            gate(blocks[3]),
        )
        cell = forget_gate * state.cell + input_gate * candidate
        saved = (input_gate, forget_gate, candidate, output_gate)
        return LSTMState(output_gate * activate(cell), cell), saved

    def step_gradient(
        self,
        gradient: LSTMState,
        saved: tuple[tf.Tensor, ...],
        state: LSTMState,
        new_state: LSTMState,
        weights: Weights,
        dropout: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, LSTMState]:
        (activate, slope), gate_slope = ACTIVATIONS[self.activation], ACTIVATIONS[self.recurrent_activation].slope
        input_gate, forget_gate, candidate, output_gate = saved
        shown = activate(new_state.cell)
        cell = gradient.cell + gradient.hidden * output_gate * slope(shown)
        projected = tf.concat(
            [
                cell * candidate * gate_slope(input_gate),
                cell * state.cell * gate_slope(forget_gate),
                cell * input_gate * slope(candidate),
                gradient.hidden * shown * gate_slope(output_gate),
            ],
            axis=-1,
        )  # (batch, 4 · units)
        hidden = tf.matmul(projected, weights.transposed)
        return projected, LSTMState(hidden if dropout is None else hidden * dropout, cell * forget_gate)

    def weight_gradients(
        self, gradient: tf.Tensor, saved: tuple[tf.Tensor, ...], hidden: tf.Tensor, weights: Weights
    ) -> Weights:
        return Weights(tf.matmul(hidden, gradient, transpose_a=True))
