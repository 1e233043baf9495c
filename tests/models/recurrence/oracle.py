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
    """`step(projected, state, kernel, bias, dropout)` of one row gives the state after it, a tuple of vectors."""

    step: object
    gates: int
    states: int
    has_bias: bool = False


def by_gate(tensor, names):
    """The blocks that a layer keeps side by side in the last axis, by the names of their gates."""
    return dict(zip(names, np.split(tensor, len(names), axis=-1), strict=True))


def simple_rnn(activation):
    def step(projected, state, kernel, bias, dropout):
        (h,) = state
        return (FUNCTIONS[activation](projected + (h * dropout) @ kernel),)

    return Recurrence(step, gates=1, states=1)


def lstm(activation, recurrent_activation):
    names = ("input", "forget", "candidate", "output")
    functions = dict.fromkeys(names, FUNCTIONS[recurrent_activation]) | {"candidate": FUNCTIONS[activation]}

    def step(projected, state, kernel, bias, dropout):
        h, c = state
        x, u = by_gate(projected, names), by_gate(kernel, names)
        gates = {name: functions[name](x[name] + (h * dropout) @ u[name]) for name in names}
        c = gates["forget"] * c + gates["input"] * gates["candidate"]
        return gates["output"] * FUNCTIONS[activation](c), c

    return Recurrence(step, gates=4, states=2)


def gru(activation, recurrent_activation, reset_after):
    names = ("update", "reset", "candidate")
    gate = FUNCTIONS[recurrent_activation]

    def step(projected, state, kernel, bias, dropout):
        (h,) = state
        x, u, b = by_gate(projected, names), by_gate(kernel, names), by_gate(bias, names)
        dropped = h * dropout
        update = gate(x["update"] + dropped @ u["update"] + b["update"])
        reset = gate(x["reset"] + dropped @ u["reset"] + b["reset"])
        if reset_after:
            inner = reset * (dropped @ u["candidate"] + b["candidate"])
        else:
            inner = (reset * dropped) @ u["candidate"] + b["candidate"]
        candidate = FUNCTIONS[activation](x["candidate"] + inner)
        return (update * h + (1 - update) * candidate,)

    return Recurrence(step, gates=3, states=1, has_bias=reset_after)


def scan(recurrence, projected, initial_state, kernel, bias=None, mask=None, dropout=None):
    """The hidden state after every step (time, batch, units), and the last state; a masked step is skipped."""
    time, batch, _ = projected.shape
    units = len(kernel)
    bias = np.zeros(kernel.shape[1]) if bias is None else bias
    hidden = np.empty((time, batch, units))
    last = [np.empty((batch, units)) for _ in initial_state]
    for row in range(batch):
        state = tuple(field[row] for field in initial_state)
        factor = np.ones(units) if dropout is None else dropout[row]
        for t in range(time):
            if mask is None or mask[t, row]:
                state = recurrence.step(projected[t, row], state, kernel, bias, factor)
            hidden[t, row] = state[0]
        for field, value in zip(last, state, strict=True):
            field[row] = value
    return hidden, last


def slopes(function, values, step=1e-6):
    """The gradient of the number `function()` with respect to `values`, by central finite differences in place."""
    gradient = np.empty_like(values)
    for place in np.ndindex(values.shape):
        value = values[place]
        values[place] = value + step
        above = function()
        values[place] = value - step
        below = function()
        values[place] = value
        gradient[place] = (above - below) / (2 * step)
    return gradient
