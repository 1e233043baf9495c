"""Spatiotemporal long short-term memory, the recurrence of PredRNN."""

from dataclasses import dataclass
from typing import NamedTuple

import tensorflow as tf

from models.recurrence.convolution import convolution, convolution_gradient, elementwise, kernel_gradient
from models.recurrence.convolutional_scan import Tensors


class SpatiotemporalState(NamedTuple):
    """`hidden` and `cell` of every layer, from the lowest to the highest, and the one `memory`: maps of equal shape."""

    hidden: tuple[tf.Tensor, ...]
    cell: tuple[tf.Tensor, ...]
    memory: tf.Tensor


class SpatiotemporalWeights(NamedTuple):
    """Kernels (height, width, …, …) and biases; the lowest layer's input kernel and bias are in the projected input.

    `inputs` (…, units, 7 · units) and `biases` (7 · units) are those of the second layer and up, with the blocks
    i, f, g of the cell, i', f', g' of the memory, and o; `hidden` (…, units, 4 · units) holds i, f, g, o; `memory`
    (…, units, 3 · units) i', f', g'; `output` (…, 2 · units, units) o; `mixing` is (1, 1, 2 · units, units).
    """

    inputs: tuple[tf.Tensor, ...]
    biases: tuple[tf.Tensor, ...]
    hidden: tuple[tf.Tensor, ...]
    memory: tuple[tf.Tensor, ...]
    output: tuple[tf.Tensor, ...]
    mixing: tuple[tf.Tensor, ...]


@dataclass(frozen=True)
class SpatiotemporalLSTMRecurrence:
    """A stack of spatiotemporal LSTMs, through which one memory `m` zigzags: up the layers, then on to the next step.

    With convolutions, written `*`, the input `x` of a layer convolved to seven blocks, `h`, `c` the maps of the layer
    before the step, and `m` what the layer below gave in this step, or for the lowest what the highest gave in the
    last:

        i = σ(x_i + U_i * h)     f = σ(x_f + U_f * h)     g = tanh(x_g + U_g * h)     c' = f ⊙ c + i ⊙ g
        j = σ(x_j + V_j * m)     r = σ(x_r + V_r * m)     n = tanh(x_n + V_n * m)     m' = r ⊙ m + j ⊙ n
        o = σ(x_o + U_o * h + W_c * c' + W_m * m')        h' = o ⊙ tanh(W * [c', m'])

    The input of the lowest layer is that of the stack, of any other the `h'` of the layer below; the last `W` is 1 × 1.
    So `c` remembers along time, each layer for itself, and `m` along the zigzag, where what the highest layer has seen
    is at hand for the lowest.

    Wang et al. 2017, PredRNN, https://proceedings.neurips.cc/paper/2017/hash/e5f6ad6ce374177eef023bf5d0c018b6-Abstract.html

    Args:
        depth: number of layers.
        compiled: compile with XLA what stands between the convolutions. For training; an exported graph stays plain.
    """

    depth: int
    compiled: bool = False

    @property
    def output(self) -> int:
        return self.depth - 1

    @property
    def saved(self) -> tuple[int, ...]:
        return (8, 2) * self.depth

    @property
    def products(self) -> tuple[int, ...]:
        return (8,) * self.depth

    def step(
        self,
        projected: tf.Tensor,
        state: SpatiotemporalState,
        weights: SpatiotemporalWeights,
        dropout: tf.Tensor | None = None,
    ) -> tuple[SpatiotemporalState, Tensors]:
        renew, show = elementwise(_renew, self.compiled), elementwise(_show, self.compiled)
        memory = state.memory
        new_hidden: list[tf.Tensor] = []
        new_cell: list[tf.Tensor] = []
        saved: list[tf.Tensor] = []
        for layer in range(self.depth):
            if layer:
                projected = convolution(new_hidden[-1], weights.inputs[layer - 1]) + weights.biases[layer - 1]
            recurrent = convolution(state.hidden[layer], weights.hidden[layer])
            remembered = convolution(memory, weights.memory[layer])
            both, gates = renew(projected, recurrent, remembered, state.cell[layer], memory)
            shown, mixed = convolution(both, weights.output[layer]), convolution(both, weights.mixing[layer])
            hidden, gates = show(projected, recurrent, shown, mixed, gates)
            cell, memory = tf.split(both, 2, axis=-1)
            new_hidden.append(hidden)
            new_cell.append(cell)
            saved += [gates, both]
        return SpatiotemporalState(tuple(new_hidden), tuple(new_cell), memory), saved

    def step_gradient(
        self,
        gradient: SpatiotemporalState,
        saved: Tensors,
        state: SpatiotemporalState,
        new_state: SpatiotemporalState,
        weights: SpatiotemporalWeights,
        dropout: tf.Tensor | None = None,
    ) -> tuple[Tensors, SpatiotemporalState]:
        show, forget = elementwise(_show_gradient, self.compiled), elementwise(_renew_gradient, self.compiled)
        hidden, cell, memory = list(gradient.hidden), list(gradient.cell), gradient.memory
        products: list[tf.Tensor] = [None] * self.depth
        for layer in reversed(range(self.depth)):
            gates, entered = saved[2 * layer], _entered(layer, state.memory, saved[1::2])
            show_gradient, mixed_gradient = show(hidden[layer], gates)
            both = convolution_gradient(show_gradient, weights.output[layer])
            both += convolution_gradient(mixed_gradient, weights.mixing[layer])
            renewed, cell[layer], memory = forget(both, cell[layer], memory, gates, state.cell[layer], entered)
            products[layer] = tf.concat([renewed, show_gradient, mixed_gradient], axis=-1)
            of_inputs, of_hidden, of_memory, _, _ = _by_kernel(products[layer])
            memory += convolution_gradient(of_memory, weights.memory[layer])
            hidden[layer] = convolution_gradient(of_hidden, weights.hidden[layer])
            if layer:
                hidden[layer - 1] += convolution_gradient(of_inputs, weights.inputs[layer - 1])
        return products, SpatiotemporalState(tuple(hidden), tuple(cell), memory)

    def argument_gradients(
        self,
        gradients: Tensors,
        states: SpatiotemporalState,
        saved: Tensors,
        weights: SpatiotemporalWeights,
        dropout: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, SpatiotemporalWeights]:
        memory, both = states.memory[:-1], saved[1::2]
        found: dict[str, list[tf.Tensor]] = {name: [] for name in SpatiotemporalWeights._fields}
        for layer in range(self.depth):
            of_inputs, of_hidden, of_memory, of_output, of_mixing = _by_kernel(gradients[layer])
            if layer:
                below = states.hidden[layer - 1][1:]
                found["inputs"].append(kernel_gradient(below, of_inputs, weights.inputs[layer - 1]))
                found["biases"].append(tf.reduce_sum(of_inputs, axis=(0, 1, 2, 3)))
            found["hidden"].append(kernel_gradient(states.hidden[layer][:-1], of_hidden, weights.hidden[layer]))
            entered = _entered(layer, memory, both)
            found["memory"].append(kernel_gradient(entered, of_memory, weights.memory[layer]))
            found["output"].append(kernel_gradient(both[layer], of_output, weights.output[layer]))
            found["mixing"].append(kernel_gradient(both[layer], of_mixing, weights.mixing[layer]))
        return _by_kernel(gradients[0])[0], SpatiotemporalWeights(*map(tuple, found.values()))


def _entered(layer: int, memory: tf.Tensor, both: Tensors) -> tf.Tensor:
    """The memory that enters a layer: from the step before, or from what the layer below gave beside its cell."""
    return tf.split(both[layer - 1], 2, axis=-1)[1] if layer else memory


def _by_kernel(products: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """The gradients of what the input, hidden, memory, output and mixing convolution gave."""
    of_cell, of_memory, of_output, of_mixing = tf.split(
        products, [units * products.shape[-1] // 8 for units in (3, 3, 1, 1)], -1
    )
    of_inputs = tf.concat([of_cell, of_memory, of_output], axis=-1)
    return of_inputs, tf.concat([of_cell, of_output], axis=-1), of_memory, of_output, of_mixing


def _renew(
    projected: tf.Tensor, recurrent: tf.Tensor, remembered: tf.Tensor, cell: tf.Tensor, memory: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """The new cell and memory side by side, and their six gates."""
    x, h, m = tf.split(projected, 7, axis=-1), tf.split(recurrent, 4, axis=-1), tf.split(remembered, 3, axis=-1)
    enter, forget, candidate = tf.sigmoid(x[0] + h[0]), tf.sigmoid(x[1] + h[1]), tf.tanh(x[2] + h[2])
    gates = [enter, forget, candidate]
    cell = forget * cell + enter * candidate
    enter, forget, candidate = tf.sigmoid(x[3] + m[0]), tf.sigmoid(x[4] + m[1]), tf.tanh(x[5] + m[2])
    gates += [enter, forget, candidate]
    memory = forget * memory + enter * candidate
    return tf.concat([cell, memory], axis=-1), tf.concat(gates, axis=-1)


def _renew_gradient(
    both_gradient: tf.Tensor,
    cell_gradient: tf.Tensor,
    memory_gradient: tf.Tensor,
    gates: tf.Tensor,
    cell: tf.Tensor,
    memory: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The gradients of what the six gates were made of, and of the cell and the memory before."""
    gates, found, before = tf.split(gates, 8, axis=-1), [], []
    shares = tf.split(both_gradient, 2, axis=-1)
    pairs = (cell_gradient + shares[0], cell, gates[:3]), (memory_gradient + shares[1], memory, gates[3:6])
    for gradient, old, (enter, forget, candidate) in pairs:
        found += [
            gradient * candidate * enter * (1 - enter),
            gradient * old * forget * (1 - forget),
            gradient * enter * (1 - candidate * candidate),
        ]
        before.append(gradient * forget)
    return tf.concat(found, axis=-1), *before


def _show(
    projected: tf.Tensor, recurrent: tf.Tensor, shown: tf.Tensor, mixed: tf.Tensor, gates: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """The new hidden, and all eight gates, the mixture of the memories being the last."""
    show = tf.sigmoid(tf.split(projected, 7, axis=-1)[6] + tf.split(recurrent, 4, axis=-1)[3] + shown)
    mixed = tf.tanh(mixed)
    return show * mixed, tf.concat([gates, show, mixed], axis=-1)


def _show_gradient(hidden_gradient: tf.Tensor, gates: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The gradients of what the output gate and the mixture were made of."""
    show, mixed = tf.split(gates, 8, axis=-1)[6:]
    return hidden_gradient * mixed * show * (1 - show), hidden_gradient * show * (1 - mixed * mixed)
