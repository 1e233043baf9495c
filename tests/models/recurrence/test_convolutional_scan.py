"""The recurrences of maps against the papers' equations in NumPy, and their gradients against finite differences."""

import runpy
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

import models

TIME, BATCH, SIZE, CHANNELS, FILTERS, DEPTH = 3, 3, (3, 2), 2, 1, 2
# Each row is a kind of mask: nothing left out, a hole, nothing but padding.
MASK = np.array([[1, 1, 1], [1, 0, 1], [0, 0, 0]], bool)  # (batch, time)


@pytest.fixture(scope="module")
def equations():
    """Test folders are no packages, so the file is run rather than imported."""
    return SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("convolutional_oracle.py"))))


class Case:
    """A layer in float64, its oracle, arguments, and the weights of a loss that sees every output."""

    def __init__(self, equations, name, kernel_size=(3, 2), mask=None):
        options = {"return_sequences": True, "return_state": True, "dtype": "float64"}
        if name == "ConvLSTM2D":
            self.layer = models.ConvLSTM2D(FILTERS, kernel_size, padding="same", **options)
            step, self.output = equations.conv_lstm, 0
        else:
            self.layer = models.SpatiotemporalLSTM(FILTERS, kernel_size, depth=DEPTH, **options)
            step, self.output = equations.spatiotemporal_lstm, DEPTH - 1
        self.layer.build((BATCH, TIME, *SIZE, CHANNELS))
        self.mask, self.scan = mask, partial(equations.scan, step, self.output)
        normal = np.random.default_rng(3).normal
        self.weights = {weight.name: normal(size=weight.shape) for weight in self.layer.weights}
        self.layer.set_weights(list(self.weights.values()))
        self.sequences = normal(size=(BATCH, TIME, *SIZE, CHANNELS))
        self.state = [normal(size=state.shape) for state in self.layer.get_initial_state(BATCH)]
        maps = (*SIZE, FILTERS)
        self.importance = [normal(size=(BATCH, TIME, *maps)), *(normal(size=(BATCH, *maps)) for _ in self.state)]
        if mask is not None:  # What the layer gives out before the first step that counts are zeros, by its own rule.
            self.importance[0] *= (np.cumsum(mask, axis=1) > 0)[..., np.newaxis, np.newaxis, np.newaxis]

    def oracle_loss(self):
        hidden, last = self.scan(self.sequences, self.state, self.weights, self.mask)
        return sum(np.sum(output * weight) for output, weight in zip([hidden, *last], self.importance, strict=True))

    def oracle_slope(self, values, direction, step=1e-5):
        """How the loss grows as an argument moves in a direction, by central finite differences."""
        kept, losses = values.copy(), []
        for way in (1, -1):
            values[...] = kept + way * step * direction
            losses.append(self.oracle_loss())
        values[...] = kept
        return (losses[0] - losses[1]) / (2 * step)

    def run(self, sequences, state, training):
        """Outputs, and gradients of the sequences, of the state and of the weights."""
        with tf.GradientTape() as tape:
            tape.watch((sequences, state))
            outputs = self.layer(sequences, initial_state=state, mask=self.mask, training=training)
            pairs = zip(outputs, self.importance, strict=True)
            loss = tf.add_n([tf.reduce_sum(output * weight) for output, weight in pairs])
        weights = [weight.value for weight in self.layer.trainable_variables]
        return outputs, tape.gradient(loss, [sequences, *state, *weights])


@pytest.mark.parametrize("compiled", [False, True], ids=["plain", "compiled"])
@pytest.mark.parametrize("mask", [None, MASK], ids=["plain", "masked"])
@pytest.mark.parametrize("name", ["ConvLSTM2D", "SpatiotemporalLSTM"])
def test_values_and_gradients_equal_the_equations(equations, name, mask, compiled):
    case = Case(equations, name, mask=mask)
    run = tf.function(case.run, autograph=False) if compiled else case.run
    outputs, gradients = run(tf.constant(case.sequences), [tf.constant(field) for field in case.state], compiled)
    hidden, last = case.scan(case.sequences, case.state, case.weights, mask)
    counts = case.importance[0] != 0
    np.testing.assert_allclose(outputs[0] * counts, hidden * counts, rtol=1e-10, atol=1e-10)
    for output, expected in zip(outputs[1:], last, strict=True):
        np.testing.assert_allclose(output, expected, rtol=1e-10, atol=1e-10)
    arguments = [case.sequences, *case.state, *case.weights.values()]
    for position, (gradient, values) in enumerate(zip(gradients, arguments, strict=True)):
        for direction in np.random.default_rng(5).normal(size=(2, *values.shape)):
            slope = case.oracle_slope(values, direction)
            np.testing.assert_allclose(np.sum(gradient * direction), slope, rtol=1e-6, err_msg=f"argument {position}")
