"""The scan against the papers' equations in NumPy, and its gradient against finite differences of these."""

from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.recurrence import (
    ExtendedLSTMRecurrence,
    GRURecurrence,
    LSTMRecurrence,
    SimpleRNNRecurrence,
    Weights,
    loop,
    scan,
)
from models.recurrence.activations import ACTIVATIONS

TIME, BATCH, UNITS = 3, 5, 2

# The recurrence, and how the oracle spells it.
RECURRENCES = {
    "simple_rnn": (SimpleRNNRecurrence(), ("simple_rnn", "tanh")),
    "simple_rnn relu": (SimpleRNNRecurrence("relu"), ("simple_rnn", "relu")),
    "lstm": (LSTMRecurrence(), ("lstm", "tanh", "sigmoid")),
    "lstm softsign hard_sigmoid": (
        LSTMRecurrence("softsign", "hard_sigmoid"),
        ("lstm", "softsign", "hard_sigmoid"),
    ),
    "gru": (GRURecurrence(), ("gru", "tanh", "sigmoid", True)),
    "gru softsign hard_sigmoid": (
        GRURecurrence("softsign", "hard_sigmoid"),
        ("gru", "softsign", "hard_sigmoid", True),
    ),
    "gru reset before": (GRURecurrence(reset_after=False), ("gru", "tanh", "sigmoid", False)),
}
# Each row is a kind of mask: nothing left out, padding on the right, on the left, holes, nothing but padding.
MASK = np.array([[1, 1, 1], [1, 1, 0], [0, 0, 1], [1, 0, 1], [0, 0, 0]], bool).T  # (time, batch)
FACTORS = np.array([[0.0, 2.0], [2.0, 0.0], [1.5, 1.0], [2.0, 2.0], [0.0, 0.0]])  # (batch, units)

# What weights each option adds: their shapes, for so many gates.
HIDDEN = 3  # wider than the units, so that no test takes one for the other
OPTIONS = {
    "gain": lambda gates: (gates * UNITS,),
    "peepholes": lambda gates: (3, UNITS),
    "cell_norm": lambda gates: (2, UNITS),
    "projection": lambda gates: (UNITS, HIDDEN),
}
EXTENDED = {
    "lstm, peepholes": ("lstm", ("peepholes",)),
    "lstm, cell norm": ("lstm", ("cell_norm",)),
    "lstm, layer norm": ("lstm", ("gain", "cell_norm")),
    "lstm, projection": ("lstm", ("projection",)),
    "lstm, everything": ("lstm", tuple(OPTIONS)),
    "lstm softsign hard_sigmoid, everything": ("lstm softsign hard_sigmoid", tuple(OPTIONS)),
    "gru, layer norm": ("gru", ("gain",)),
    "simple_rnn, layer norm": ("simple_rnn", ("gain",)),
}
# What `Weights` normalises together: the gates of each group.
GROUPS = {"simple_rnn": [1], "lstm": [4], "gru": [2, 1]}


class Case:
    """A recurrence, its oracle, arguments in float64, and the weights of a loss that sees every output."""

    def __init__(self, oracle, name, mask=None, dropout=None, bias=True, zoneout=False):
        name, options = EXTENDED.get(name, (name, ()))
        self.recurrence, (self.kind, *activations) = RECURRENCES[name]
        if self.kind == "lstm" and options:
            self.recurrence = ExtendedLSTMRecurrence(*activations)
        self.expected, self.oracle = getattr(oracle, self.kind)(*activations), oracle
        self.random = np.random.default_rng(3)
        gates, normal = self.expected.gates * UNITS, self.random.normal
        hidden = HIDDEN if "projection" in options else UNITS
        self.mask, self.dropout = mask, None if dropout is None else np.pad(dropout, [(0, 0), (0, hidden - UNITS)])
        self.arguments = {"projected": normal(size=(TIME, BATCH, gates)), "kernel": normal(size=(hidden, gates))}
        if bias and self.expected.has_bias:
            self.arguments["bias"] = normal(size=gates)
        self.arguments |= {option: normal(size=OPTIONS[option](self.expected.gates)) for option in options}
        self.states = [f"initial {field}" for field in self.recurrence.state_type._fields]
        widths = [hidden, UNITS][: self.expected.states]
        self.arguments |= {name: normal(size=(BATCH, width)) for name, width in zip(self.states, widths, strict=True)}
        self.importance = [normal(size=shape) for shape in ((TIME, BATCH, hidden), *((BATCH, w) for w in widths))]
        self.zoneout = [self.random.random((TIME, BATCH, width)) for width in widths] if zoneout else None

    def oracle_outputs(self):
        state = [self.arguments[name] for name in self.states]
        hidden, last = self.oracle.scan(
            self.expected, self.arguments["projected"], state, self.arguments, self.mask, self.dropout, self.zoneout
        )
        return [hidden, *last]

    def oracle_loss(self):
        pairs = zip(self.oracle_outputs(), self.importance, strict=True)
        return sum(np.sum(output * weight) for output, weight in pairs)

    def finite_differences(self):
        return {name: self.oracle.slopes(self.oracle_loss, values) for name, values in self.arguments.items()}

    def run(self, arguments, apart=False, **options):
        """Outputs and loss of ours for a dictionary of tensors."""
        state = self.recurrence.state_type(*(arguments[name] for name in self.states))
        blocks = self.expected.gates if apart else 1
        projected, kernels, *biases = (
            tf.split(arguments[name], blocks, axis=-1) for name in ("projected", "kernel", "bias") if name in arguments
        )
        others = {name: tf.unstack(arguments[name]) for name in ("peepholes", "cell_norm") if name in arguments}
        others |= {name: [arguments[name]] for name in ("projection",) if name in arguments}
        if "gain" in arguments:
            sizes = [size * UNITS for size in GROUPS[self.kind]]
            groups = zip(tf.split(arguments["gain"], sizes), GROUPS[self.kind], strict=True)
            others["gains"] = [tf.split(group, size) for group, size in groups]
        weights = Weights(kernels, *biases, **others)
        mask = None if self.mask is None else tf.constant(self.mask)
        dropout = None if self.dropout is None else tf.constant(self.dropout)
        options["zoneout"] = None if self.zoneout is None else list(map(tf.constant, self.zoneout))
        result = scan(self.recurrence, projected, state, weights, mask, dropout, **options)
        assert isinstance(result.state, self.recurrence.state_type)
        outputs = [result.hidden, *result.state]
        pairs = zip(outputs, self.importance, strict=True)
        return outputs, tf.add_n([tf.reduce_sum(tf.cast(output, weight.dtype) * weight) for output, weight in pairs])

    def run_with_gradients(self, arguments, **options):
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            outputs, loss = self.run(arguments, **options)
        return outputs, tape.gradient(loss, arguments)

    def tensors(self):
        return {name: tf.constant(values) for name, values in self.arguments.items()}

    def check(self, outputs, gradients, tolerance=1e-7):
        for output, expected in zip(outputs, self.oracle_outputs(), strict=True):
            np.testing.assert_allclose(output, expected, rtol=1e-12, atol=1e-12)
        for name, expected in self.finite_differences().items():
            np.testing.assert_allclose(gradients[name], expected, rtol=tolerance, atol=tolerance, err_msg=name)


@pytest.mark.parametrize(("mask", "dropout"), [(None, None), (MASK, FACTORS)], ids=["plain", "mask and dropout"])
@pytest.mark.parametrize("name", RECURRENCES)
def test_values_and_gradients_equal_the_equations(oracle, name, mask, dropout):
    case = Case(oracle, name, mask, dropout)
    case.check(*case.run_with_gradients(case.tensors()))


@pytest.mark.parametrize("zoneout", [False, True], ids=["all renewed", "zoneout"])
@pytest.mark.parametrize(("mask", "dropout"), [(None, None), (MASK, FACTORS)], ids=["plain", "mask and dropout"])
@pytest.mark.parametrize("name", EXTENDED)
def test_options_equal_the_equations(oracle, name, mask, dropout, zoneout):
    case = Case(oracle, name, mask, dropout, zoneout=zoneout)
    case.check(*case.run_with_gradients(case.tensors()))


@pytest.mark.parametrize("name", ["simple_rnn", "lstm", "gru", "gru reset before"])
def test_zoneout_equals_the_equations(oracle, name):
    case = Case(oracle, name, MASK, FACTORS, zoneout=True)
    case.check(*case.run_with_gradients(case.tensors()))


@pytest.mark.parametrize("kind", [bool, float])
def test_zoneout_of_a_field_may_be_bool_or_the_same_for_all_units(oracle, kind):
    case = Case(oracle, "lstm", MASK)
    shares = np.random.default_rng(1).random((TIME, 1, 1)) < 0.5
    case.zoneout = [np.broadcast_to(shares, (TIME, BATCH, UNITS))] * 2
    expected = case.oracle_outputs()
    case.zoneout = [shares.astype(kind)] * 2
    outputs, _ = case.run(case.tensors())
    for output, other in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(output, other, rtol=1e-12, atol=1e-12)


def test_gru_without_bias_equals_the_equations(oracle):
    case = Case(oracle, "gru", bias=False)
    case.check(*case.run_with_gradients(case.tensors()))


@pytest.mark.parametrize("apart", [False, True], ids=["gates side by side", "gates apart"])
@pytest.mark.parametrize("name", ["simple_rnn", "lstm", "gru", "gru reset before"])
def test_compiled_by_xla_equals_the_equations(oracle, name, apart):
    case = Case(oracle, name, MASK, FACTORS)
    case.check(*case.run_with_gradients(case.tensors(), compiled=True, apart=apart))


@pytest.mark.parametrize("name", ["lstm, everything", "gru, layer norm", "simple_rnn, layer norm"])
def test_options_compiled_by_xla_equal_the_equations(oracle, name):
    case = Case(oracle, name, MASK, FACTORS, zoneout=True)
    case.check(*case.run_with_gradients(case.tensors(), compiled=True, apart=True))


@pytest.mark.parametrize("options", [{}, {"compiled": True, "apart": True}], ids=["plain", "compiled"])
@pytest.mark.parametrize("name", ["simple_rnn", "lstm", "gru", "gru reset before"])
def test_unknown_time_and_batch_in_a_graph_equal_the_equations(oracle, name, options):
    case = Case(oracle, name, MASK)
    free = {"projected": (None, None), **dict.fromkeys(case.states, (None,))}
    signature = {
        name: tf.TensorSpec((*free.get(name, ()), *values.shape[len(free.get(name, ())) :]), tf.float64)
        for name, values in case.arguments.items()
    }
    run = partial(case.run_with_gradients, **options)
    case.check(*tf.function(run, input_signature=[signature], autograph=False)(case.tensors()))


@pytest.mark.parametrize("compiled", [False, True], ids=["plain", "compiled"])
@pytest.mark.parametrize(
    "name", ["simple_rnn", "lstm", "gru", "gru reset before", "lstm, everything", "gru, layer norm"]
)
def test_what_stands_at_masked_steps_reaches_nothing(oracle, name, compiled):
    """Neither from the input of a masked step, nor from the initial state of a row of nothing but padding."""
    case = Case(oracle, name, MASK, FACTORS, zoneout=name in EXTENDED)
    tensors, options = case.tensors(), {"compiled": compiled, "apart": compiled}
    outputs, gradients = case.run_with_gradients(tensors, **options)
    (empty,) = np.flatnonzero(~MASK.any(axis=0))
    broken = tensors | {"projected": tf.where(MASK[..., np.newaxis], tensors["projected"], np.nan)}
    for state in case.states:
        broken[state] = tf.where(np.arange(BATCH)[:, np.newaxis] != empty, tensors[state], np.inf)
    broken_outputs, broken_gradients = case.run_with_gradients(broken, **options)
    for output, expected in zip(broken_outputs, outputs, strict=True):
        others = [row for row in range(BATCH) if row != empty]
        np.testing.assert_array_equal(tf.gather(output, others, axis=-2), tf.gather(expected, others, axis=-2))
    for name in gradients:
        np.testing.assert_array_equal(broken_gradients[name], gradients[name], err_msg=name)


@pytest.mark.parametrize("compiled", [False, True], ids=["plain", "compiled"])
@pytest.mark.parametrize("known", [True, False], ids=["time known", "time unknown"])
def test_no_steps_give_the_initial_state_and_its_gradient(oracle, known, compiled):
    case = Case(oracle, "lstm")
    tensors = case.tensors() | {"projected": tf.zeros((0, BATCH, 4 * UNITS), tf.float64)}
    case.importance[0] = case.importance[0][:0]
    run = partial(case.run_with_gradients, compiled=compiled, apart=compiled)
    if not known:
        signature = {name: tf.TensorSpec(tensor.shape, tensor.dtype) for name, tensor in tensors.items()}
        signature["projected"] = tf.TensorSpec((None, None, 4 * UNITS), tf.float64)
        run = tf.function(run, input_signature=[signature], autograph=False)
    (hidden, *last), gradients = run(tensors)
    assert hidden.shape == (0, BATCH, UNITS)
    for name, state, importance in zip(case.states, last, case.importance[1:], strict=True):
        np.testing.assert_array_equal(state, tensors[name])
        np.testing.assert_array_equal(gradients[name], importance)
    assert gradients["projected"].shape == (0, BATCH, 4 * UNITS)
    np.testing.assert_array_equal(gradients["kernel"], 0)


def test_bfloat16_is_computed_in_float32(oracle):
    """Only arguments, results and the products of the weights' gradients are rounded to eight bits."""
    case = Case(oracle, "gru", MASK)
    case.importance = [values.astype(np.float32) for values in case.importance]
    rounded = {name: tf.cast(tensor, tf.bfloat16) for name, tensor in case.tensors().items()}
    exact = {name: tf.cast(tensor, tf.float32) for name, tensor in rounded.items()}
    expected, expected_gradients = case.run_with_gradients(exact)
    outputs, gradients = case.run_with_gradients(rounded)
    for output, other in zip(outputs, expected, strict=True):
        assert output.dtype == tf.bfloat16
        np.testing.assert_array_equal(output, tf.cast(other, tf.bfloat16))
    for name, other in expected_gradients.items():
        assert gradients[name].dtype == tf.bfloat16
        np.testing.assert_allclose(tf.cast(gradients[name], tf.float32), other, rtol=1e-2, atol=1e-2, err_msg=name)


@pytest.mark.parametrize(
    ("in_graph", "compiled"), [(False, False), (True, False), (True, True)], ids=["eager", "graph", "compiled"]
)
def test_a_second_derivative_is_refused(oracle, in_graph, compiled):
    case = Case(oracle, "simple_rnn")

    def second_derivative(arguments):
        with tf.GradientTape() as outer:
            outer.watch(arguments)
            with tf.GradientTape() as inner:
                inner.watch(arguments)
                _, loss = case.run(arguments, compiled=compiled)
            first = inner.gradient(loss, arguments["projected"])
        return outer.gradient(first, arguments)

    with pytest.raises(NotImplementedError, match=r"second derivative .*keras\.layers.* Received: SimpleRNNRecurrence"):
        (tf.function(second_derivative, autograph=False) if in_graph else second_derivative)(case.tensors())


# Between the corners of relu and of hard_sigmoid, at -3, 0 and 3, which have no slope.
POINTS = np.linspace(-6.1, 6.2, 42)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_has_the_value_of_keras(name):
    expected = getattr(keras.activations, name)(tf.constant(POINTS))
    np.testing.assert_allclose(ACTIVATIONS[name].value(tf.constant(POINTS)), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_slope_of_activation_equals_finite_differences(oracle, name):
    values = POINTS.copy()
    expected = oracle.slopes(lambda: np.sum(ACTIVATIONS[name].value(tf.constant(values)).numpy()), values)
    value, slope = ACTIVATIONS[name]
    np.testing.assert_allclose(slope(value(tf.constant(POINTS))), expected, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("compiled", [False, True], ids=["plain", "compiled"])
@pytest.mark.parametrize("name", ["simple_rnn", "lstm", "gru"])
def test_what_keeps_nothing_gives_the_same(oracle, name, compiled):
    case = Case(oracle, name, MASK, FACTORS)
    case.check(*case.run_with_gradients(case.tensors(), keep=False, compiled=compiled, apart=compiled))


@pytest.mark.parametrize("known", [True, False], ids=["time known", "time unknown"])
@pytest.mark.parametrize("steps", [1, 2, 3, 4, 7, 8, 9, 17, 24])
def test_several_steps_in_an_iteration_give_what_one_by_one_gives(steps, known):
    random = np.random.default_rng(steps)
    projected, kernel = (
        random.normal(size=(steps, BATCH, 4 * UNITS)),
        tf.constant(random.normal(size=(UNITS, 4 * UNITS))),
    )
    state = LSTMRecurrence.state_type(*tf.unstack(tf.constant(random.normal(size=(2, BATCH, UNITS)))))
    mask = random.random((steps, BATCH)) < 0.7

    def run(projected, mask):
        return scan(LSTMRecurrence(), [projected], state, Weights([kernel]), mask, keep=False)

    time = steps if known else None
    signature = [tf.TensorSpec((time, None, 4 * UNITS), tf.float64), tf.TensorSpec((time, None), tf.bool)]
    found = tf.function(run, autograph=False, input_signature=signature)(projected, mask)
    expected = run(tf.constant(projected), tf.constant(mask))  # Python's loop, a step at a time
    tf.nest.map_structure(partial(np.testing.assert_allclose, rtol=1e-12), found, expected)


@pytest.mark.parametrize(("steps", "at_once"), [(1, 1), (3, 3), (8, 8), (9, 5), (35, 7), (50, 5), (100, 5), (11, 6)])
def test_few_steps_are_run_in_vain(steps, at_once):
    assert loop._steps_at_once(steps, UNITS) == at_once


@pytest.mark.parametrize(("units", "at_once"), [(511, 3), (512, 1)])
def test_wide_layers_run_no_step_in_vain(units, at_once):
    assert loop._steps_at_once(tf.constant(9), units) == at_once


@pytest.mark.parametrize("wrong", ["projected", "state"])
def test_a_tensor_in_place_of_tensors_is_refused(wrong):
    """It would be taken apart along its first axis, and give a result of another shape without a word."""
    zeros, ones, weights = tf.zeros((2, 4)), tf.ones((5, 2, 4)), Weights([tf.eye(4)])
    projected, state = (ones, SimpleRNNRecurrence.state_type(zeros)) if wrong == "projected" else ([ones], (zeros,))
    with pytest.raises(TypeError, match=r"takes a list of projected inputs.* a SimpleRNNState.* Received: \w+, \w+"):
        scan(SimpleRNNRecurrence("tanh"), projected, state, weights)
