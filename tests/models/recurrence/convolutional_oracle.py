"""The recurrences of maps written from the papers' equations in NumPy: one row, one step and one pixel at a time."""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def convolve(maps, kernel):
    """The maps (height, width, inputs) convolved with (rows, columns, inputs, outputs), zeros around them.

    The larger half of the zeros that keep the size comes after, as TensorFlow has it.
    """
    rows, columns = kernel.shape[:2]
    top, left = (rows - 1) // 2, (columns - 1) // 2
    height, width, _ = maps.shape
    padded = np.pad(maps, [(top, rows - 1 - top), (left, columns - 1 - left), (0, 0)])
    result = np.empty((height, width, kernel.shape[-1]))
    for y, x in np.ndindex(height, width):
        result[y, x] = np.tensordot(padded[y : y + rows, x : x + columns], kernel, 3)
    return result


def blocks(tensor, count):
    return np.split(tensor, count, axis=-1)


def conv_lstm(inputs, state, weights):
    """Shi et al. 2015, equation 3 without peepholes: one step of one row, state and weights by name."""
    x, u = blocks(weights["kernel"], 4), blocks(weights["recurrent_kernel"], 4)
    b = blocks(weights["bias"], 4)
    h, c = state
    i, f, g, o = (convolve(inputs, x[k]) + convolve(h, u[k]) + b[k] for k in range(4))
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def spatiotemporal_lstm(inputs, state, weights):
    """Wang et al. 2017, equations 3 and 4, layer above layer: one step of one row.

    The state is the hidden of every layer, the cell of every layer, and the memory; the weights of layer 0 are
    `input_kernel_0` and so on.
    """
    depth = len(state) // 2
    hidden, cell, memory = list(state[:depth]), list(state[depth : 2 * depth]), state[-1]
    for layer in range(depth):
        x, b = (blocks(weights[f"{name}_{layer}"], 7) for name in ("input_kernel", "bias"))
        u, v = blocks(weights[f"hidden_kernel_{layer}"], 4), blocks(weights[f"memory_kernel_{layer}"], 3)
        of_cell, of_memory = np.split(weights[f"output_kernel_{layer}"], 2, axis=2)
        given = [convolve(inputs, x[k]) + b[k] for k in range(7)]
        i, f, g = (given[k] + convolve(hidden[layer], u[k]) for k in range(3))
        c = cell[layer] = sigmoid(f) * cell[layer] + sigmoid(i) * np.tanh(g)
        i, f, g = (given[3 + k] + convolve(memory, v[k]) for k in range(3))
        memory = sigmoid(f) * memory + sigmoid(i) * np.tanh(g)
        o = given[6] + convolve(hidden[layer], u[3]) + convolve(c, of_cell) + convolve(memory, of_memory)
        mixed = convolve(np.concatenate([c, memory], axis=-1), weights[f"mixing_kernel_{layer}"])
        inputs = hidden[layer] = sigmoid(o) * np.tanh(mixed)
    return (*hidden, *cell, memory)


def scan(step, output, sequences, initial_state, weights, mask=None):
    """The output after every step (batch, time, …), and the last state; a masked step is skipped."""
    batch, time = sequences.shape[:2]
    hidden = np.empty((batch, time, *initial_state[output].shape[1:]))
    last = [np.empty_like(field) for field in initial_state]
    for row in range(batch):
        state = tuple(field[row] for field in initial_state)
        for t in range(time):
            if mask is None or mask[row, t]:
                state = step(sequences[row, t], state, weights)
            hidden[row, t] = state[output]
        for field, value in zip(last, state, strict=True):
            field[row] = value
    return hidden, last
