"""Long short-term memory with layer normalisation, peepholes, a projection, or any of them together."""

from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf

from models.recurrence.activations import ACTIVATIONS
from models.recurrence.lstm import LSTMRecurrence, LSTMState
from models.recurrence.normalization import gain_gradients, normalize, normalize_gradient
from models.recurrence.recurrence import Weights, gates_apart


@dataclass(frozen=True)
class ExtendedLSTMRecurrence(LSTMRecurrence):
    """`LSTMRecurrence` with what the weights hold beyond kernels and biases; what they do not hold is left out.

    With `N` layer normalisation, `p` peepholes, `P` the projection, and `N(h U)` normalised over all four gates at
    once:

        i = σ(x_i + N(h U)_i + p_i ⊙ c)    f = σ(x_f + N(h U)_f + p_f ⊙ c)    g = φ(x_g + N(h U)_g)
        c' = f ⊙ c + i ⊙ g    o = σ(x_o + N(h U)_o + p_o ⊙ c')
        h' = (o ⊙ φ(N(c'))) P

    - Layer normalisation: Ba et al. 2016, https://arxiv.org/abs/1607.06450. `gains` scale `N(h U)`, `cell_norm` is the
      gain and the bias of `N(c')`; layers normalise `x`, too. It keeps the gates off their flat ends, whatever the
      scale of the weights.
    - Peepholes: Gers et al. 2002, https://www.jmlr.org/papers/v3/gers02a.html. The gates see the memory itself, which
      helps to count and to time. `peepholes` are those of the input, the forget and the output gate, (units) each.
    - Projection: Sak et al. 2014, https://arxiv.org/abs/1402.1128. The hidden state is narrower than the memory, which
      saves most of the recurrent product. `projection` is one matrix (units, hidden).
    """

    def step(
        self, projected: Sequence[tf.Tensor], state: LSTMState, weights: Weights, dropout: tf.Tensor | None = None
    ) -> tuple[LSTMState, Sequence[tf.Tensor]]:
        activate, gate = ACTIVATIONS[self.activation].value, ACTIVATIONS[self.recurrent_activation].value
        recurrent, kept = weights.product(state.hidden if dropout is None else state.hidden * dropout)
        blocks = zip(gates_apart(projected, self.gates), gates_apart(recurrent, self.gates), strict=True)
        enter, forget, candidate, show = (x + h for x, h in blocks)
        if weights.peepholes:
            enter, forget = enter + state.cell * weights.peepholes[0], forget + state.cell * weights.peepholes[1]
        enter, forget, candidate = gate(enter), gate(forget), activate(candidate)
        cell = forget * state.cell + enter * candidate
        show = gate(show + cell * weights.peepholes[2] if weights.peepholes else show)
        hidden = show * activate(_normalized(cell, weights))
        hidden = tf.matmul(hidden, *weights.projection) if weights.projection else hidden
        return LSTMState(hidden, cell), (enter, forget, candidate, show, *kept)

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
        hidden = tf.matmul(gradient.hidden, *weights.projection) if weights.projection else gradient.hidden
        shown = activate(_normalized(new_state.cell, weights))
        show_gradient = hidden * shown * gate_slope(show)
        cell = gradient.cell + _normalized_gradient(hidden * show * slope(shown), new_state.cell, weights)
        if weights.peepholes:
            cell += show_gradient * weights.peepholes[2]
        enter_gradient, forget_gradient = cell * candidate * gate_slope(enter), cell * state.cell * gate_slope(forget)
        projected = (enter_gradient, forget_gradient, cell * enter * slope(candidate), show_gradient)
        cell *= forget
        if weights.peepholes:
            cell += enter_gradient * weights.peepholes[0] + forget_gradient * weights.peepholes[1]
        hidden = weights.product_gradient(projected, kept)
        return (*projected, gradient.hidden), LSTMState(hidden if dropout is None else hidden * dropout, cell)

    def other_gradients(
        self,
        gradient: Sequence[tf.Tensor],
        saved: Sequence[tf.Tensor],
        state: LSTMState,
        new_state: LSTMState,
        weights: Weights,
    ) -> dict[str, Sequence[tf.Tensor]]:
        """The gradients of the fields of `Weights` that only this recurrence has; all tensors (time, batch, …)."""
        (activate, slope), show = ACTIVATIONS[self.activation], saved[3]
        enter_gradient, forget_gradient, _, show_gradient, hidden_gradient = gradient
        shown, hidden = activate(_normalized(new_state.cell, weights)), hidden_gradient
        found: dict[str, Sequence[tf.Tensor]] = {}
        if weights.projection:
            found["projection"] = (tf.einsum("tbu,tbh->uh", show * shown, hidden_gradient),)
            hidden = tf.matmul(hidden_gradient, *weights.projection, transpose_b=True)
        if weights.peepholes:
            pairs = (state.cell, enter_gradient), (state.cell, forget_gradient), (new_state.cell, show_gradient)
            found["peepholes"] = [tf.reduce_sum(cell * its, axis=(0, 1)) for cell, its in pairs]
        if weights.cell_norm:
            normalized = hidden * show * slope(shown)
            ((gain,),) = gain_gradients([normalized], [new_state.cell], [weights.cell_norm[:1]])
            found["cell_norm"] = gain, tf.reduce_sum(normalized, axis=(0, 1))
        return found


def _normalized(cell: tf.Tensor, weights: Weights) -> tf.Tensor:
    if not weights.cell_norm:
        return cell
    gain, bias = weights.cell_norm
    return normalize([cell], [[gain]])[0] + bias


def _normalized_gradient(gradient: tf.Tensor, cell: tf.Tensor, weights: Weights) -> tf.Tensor:
    return normalize_gradient([gradient], [cell], [weights.cell_norm[:1]])[0] if weights.cell_norm else gradient
