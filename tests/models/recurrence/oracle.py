"""The recurrences written from the papers' equations in NumPy: one row, one step and one named gate at a time."""

from typing import NamedTuple

import numpy as np

FUNCTIONS = {
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "relu": lambda x: np.maximum(x, 0),
    "linear": lambda x: x,
    "softsign": lambda x: x / (1 + np.abs(x)),
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
}


class Recurrence(NamedTuple):
    """`step(projected, state, weights, dropout)` of one row gives the state after it, a tuple of vectors."""

    step: object
    gates: int
    states: int
    has_bias: bool = False


def by_gate(tensor, names):
    """The blocks that a layer keeps side by side in the last axis, by the names of their gates."""
    return dict(zip(names, np.split(tensor, len(names), axis=-1), strict=True))


def layer_norm(vector, gain):
    return gain * (vector - np.mean(vector)) / np.sqrt(np.var(vector) + 1e-5)


def simple_rnn(activation):
    def step(projected, state, weights, dropout):
        (h,) = state
        product = (h * dropout) @ weights["kernel"]
        if "gain" in weights:
            product = layer_norm(product, weights["gain"])
        return (FUNCTIONS[activation](projected + product),)

    return Recurrence(step, gates=1, states=1)


def lstm(activation, recurrent_activation):
    names = ("input", "forget", "candidate", "output")
    f, gate = FUNCTIONS[activation], FUNCTIONS[recurrent_activation]

    def step(projected, state, weights, dropout):
        h, c = state
        product = (h * dropout) @ weights["kernel"]
        if "gain" in weights:
            product = layer_norm(product, weights["gain"])
        sums = by_gate(projected + product, names)
        peepholes = weights.get("peepholes", np.zeros((3, len(c))))
        enter = gate(sums["input"] + peepholes[0] * c)
        forget = gate(sums["forget"] + peepholes[1] * c)
        c = forget * c + enter * f(sums["candidate"])
        show = gate(sums["output"] + peepholes[2] * c)
        shown = layer_norm(c, weights["cell_norm"][0]) + weights["cell_norm"][1] if "cell_norm" in weights else c
        h = show * f(shown)
        return h @ weights["projection"] if "projection" in weights else h, c

    return Recurrence(step, gates=4, states=2)


def gru(activation, recurrent_activation, reset_after):
    names = ("update", "reset", "candidate")
    gate = FUNCTIONS[recurrent_activation]

    def step(projected, state, weights, dropout):
        (h,) = state
        x, u = by_gate(projected, names), by_gate(weights["kernel"], names)
        b = by_gate(weights.get("bias", np.zeros_like(projected)), names)
        dropped = h * dropout
        gates, inner = np.concatenate([dropped @ u["update"], dropped @ u["reset"]]), dropped @ u["candidate"]
        if "gain" in weights:
            split = len(gates)
            gates, inner = layer_norm(gates, weights["gain"][:split]), layer_norm(inner, weights["gain"][split:])
        update, reset = np.split(gates, 2)
        update, reset = gate(x["update"] + update + b["update"]), gate(x["reset"] + reset + b["reset"])
        before = (reset * dropped) @ u["candidate"] + b["candidate"]
        after = reset * (inner + b["candidate"])
        candidate = FUNCTIONS[activation](x["candidate"] + (after if reset_after else before))
        return (update * h + (1 - update) * candidate,)

    return Recurrence(step, gates=3, states=1, has_bias=reset_after)


def scan(recurrence, projected, initial_state, weights, mask=None, dropout=None, zoneout=None):
    """The hidden state after every step (time, batch, units), and the last state; a masked step is skipped.

    `weights` are arrays by name; `zoneout`, for each field of the state, the share (time, batch, units) that is new.
    """
    time, batch, _ = projected.shape
    hidden = np.empty((time, *initial_state[0].shape))
    last = [np.empty_like(field) for field in initial_state]
    for row in range(batch):
        state = tuple(field[row] for field in initial_state)
        factor = 1.0 if dropout is None else dropout[row]
        for t in range(time):
            if mask is None or mask[t, row]:
                new = recurrence.step(projected[t, row], state, weights, factor)
                if zoneout is not None:
                    shares = [share[t, row] for share in zoneout]
                    new = tuple(s * n + (1 - s) * old for s, n, old in zip(shares, new, state, strict=True))
                state = new
            hidden[t, row] = state[0]
        for field, value in zip(last, state, strict=True):
            field[row] = value
    return hidden, last


def slopes(function, values):
    """The gradient of the number `function()` with respect to `values`, by central finite differences in place."""
    gradient, step = np.empty_like(values), 1e-6
    for place in np.ndindex(values.shape):
        value = values[place]
        values[place] = value + step
        above = function()
        values[place] = value - step
        below = function()
        values[place] = value
        gradient[place] = (above - below) / (2 * step)
    return gradient
