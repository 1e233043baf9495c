"""Convolutional long short-term memory."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import tensorflow as tf

from models.recurrence.activations import ACTIVATIONS
from models.recurrence.convolution import convolution, convolution_gradient, elementwise, kernel_gradient
from models.recurrence.convolutional_scan import Tensors
from models.recurrence.lstm import LSTMState


class ConvLSTMWeights(NamedTuple):
    """`kernel` (height, width, units, 4 · units) of the recurrent convolution."""

    kernel: tf.Tensor


@dataclass(frozen=True)
class ConvLSTMRecurrence:
    """Long short-term memory of maps: `LSTMRecurrence` with convolutions, written `*`, for its products.

    With `x` convolved to four blocks of maps and `h`, `c` the maps before the step:

        i = σ(x_i + U_i * h)    f = σ(x_f + U_f * h)    g = φ(x_g + U_g * h)    o = σ(x_o + U_o * h)
        c' = f ⊙ c + i ⊙ g    h' = o ⊙ φ(c')

    The recurrent convolution keeps the maps' size, with zeros around them.

    Shi et al. 2015, https://arxiv.org/abs/1506.04214, without its peepholes, as in `keras.layers.ConvLSTM2D`.

    Args:
        activation: φ, a key of `models.recurrence.activations.ACTIVATIONS`.
        recurrent_activation: σ, likewise.
        compiled: compile with XLA what stands between the convolutions. For training; an exported graph stays plain.
    """

    output: ClassVar = 0
    saved: ClassVar = (4,)
    products: ClassVar = (4,)

    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"
    compiled: bool = False

    def step(
        self, projected: tf.Tensor, state: LSTMState, weights: ConvLSTMWeights, dropout: tf.Tensor | None = None
    ) -> tuple[LSTMState, Tensors]:
        hidden = state.hidden if dropout is None else state.hidden * dropout
        recurrent = convolution(hidden, weights.kernel)
        names = self.activation, self.recurrent_activation
        hidden, cell, gates = elementwise(_advance, self.compiled)(*names, projected, recurrent, state.cell)
        return LSTMState(hidden, cell), (gates,)

    def step_gradient(
        self,
        gradient: LSTMState,
        saved: Tensors,
        state: LSTMState,
        new_state: LSTMState,
        weights: ConvLSTMWeights,
        dropout: tf.Tensor | None = None,
    ) -> tuple[Tensors, LSTMState]:
        names = self.activation, self.recurrent_activation
        retreat = elementwise(_retreat, self.compiled)
        gates, cell = retreat(*names, *gradient, *saved, state.cell, new_state.cell)
        hidden = convolution_gradient(gates, weights.kernel)
        return (gates,), LSTMState(hidden if dropout is None else hidden * dropout, cell)

    def argument_gradients(
        self,
        gradients: Tensors,
        states: LSTMState,
        saved: Tensors,
        weights: ConvLSTMWeights,
        dropout: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, ConvLSTMWeights]:
        (gates,), hidden = gradients, states.hidden[:-1]
        hidden = hidden if dropout is None else hidden * dropout
        return gates, ConvLSTMWeights(kernel_gradient(hidden, gates, weights.kernel))


def _advance(
    activation: str, recurrent_activation: str, projected: tf.Tensor, recurrent: tf.Tensor, cell: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The new hidden and cell, and the gates side by side."""
    activate, gate = ACTIVATIONS[activation].value, ACTIVATIONS[recurrent_activation].value
    enter, forget, candidate, show = tf.split(projected + recurrent, 4, axis=-1)
    enter, forget, candidate, show = gate(enter), gate(forget), activate(candidate), gate(show)
    cell = forget * cell + enter * candidate
    return show * activate(cell), cell, tf.concat([enter, forget, candidate, show], axis=-1)


def _retreat(
    activation: str,
    recurrent_activation: str,
    hidden_gradient: tf.Tensor,
    cell_gradient: tf.Tensor,
    gates: tf.Tensor,
    cell: tf.Tensor,
    new_cell: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """The gradients of what the gates were made of, side by side, and of the cell before the step."""
    (activate, slope), gate_slope = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation].slope
    enter, forget, candidate, show = tf.split(gates, 4, axis=-1)
    shown = activate(new_cell)
    cell_gradient += hidden_gradient * show * slope(shown)
    gradients = [
        cell_gradient * candidate * gate_slope(enter),
        cell_gradient * cell * gate_slope(forget),
        cell_gradient * enter * slope(candidate),
        hidden_gradient * shown * gate_slope(show),
    ]
    return tf.concat(gradients, axis=-1), cell_gradient * forget
