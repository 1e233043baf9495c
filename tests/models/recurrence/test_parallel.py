"""The linear recurrence, MinGRU and MinLSTM against the paper's equations in NumPy, one row and one step at a time."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from models.recurrence import parallel
from models.recurrence.min_gru import MinGRURecurrence, MinGRUState
from models.recurrence.min_lstm import MinLSTMRecurrence
from models.recurrence.parallel import linear_recurrence

BATCH, UNITS = 5, 2
RECURRENCES = {"MinGRU": MinGRURecurrence(), "MinLSTM": MinLSTMRecurrence()}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def paper_step(name, projected, h, g=lambda x: x):
    """Feng et al. 2024, sections 3.1 and 3.2, in the order of the layers' blocks."""
    if name == "MinGRU":
        z, candidate = np.split(projected, 2, axis=-1)
        return (1 - sigmoid(z)) * h + sigmoid(z) * g(candidate)
    f, i, candidate = np.split(projected, 3, axis=-1)
    f, i = sigmoid(f), sigmoid(i)
    return f / (f + i) * h + i / (f + i) * g(candidate)


def paper_recurrence(a, b, h0, mask=None):
    """h_t = a_t h_{t−1} + b_t, where a step that does not count is skipped."""
    hidden, last = np.empty_like(a), np.empty_like(h0)
    for row, h in enumerate(h0):
        for t in range(a.shape[1]):
            h = a[row, t] * h + b[row, t] if mask is None or mask[row, t] else h
            hidden[row, t] = h
        last[row] = h
    return hidden, last


def masks(steps):
    """Each row is a kind of mask: nothing left out, padding on the right, on the left, holes, nothing but padding."""
    time = np.arange(steps)
    return np.stack([time >= 0, time < steps // 2, time >= steps // 3, time % 3 != 1, time < 0])  # (batch, time)


def make(steps, seed=3, dtype=np.float64):
    random = np.random.default_rng(seed)
    shape = (BATCH, steps, UNITS)
    arrays = {"a": random.uniform(size=shape), "b": random.normal(size=shape), "h0": random.normal(size=(BATCH, UNITS))}
    return SimpleNamespace(**{name: array.astype(dtype) for name, array in arrays.items()})


def run(case, mask=None):
    return linear_recurrence(*map(tf.constant, (case.a, case.b, case.h0)), None if mask is None else tf.constant(mask))


# One step; less than a block; a block; uneven blocks; blocks that need no filling up; many.
STEPS = [1, 2, 7, 32, 33, 64, 65, 100]


@pytest.mark.parametrize("masked", [False, True], ids=["plain", "masked"])
@pytest.mark.parametrize("steps", STEPS)
def test_values_equal_the_equation(steps, masked):
    case, mask = make(steps), masks(steps) if masked else None
    for output, expected in zip(run(case, mask), paper_recurrence(case.a, case.b, case.h0, mask), strict=True):
        np.testing.assert_allclose(output, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("masked", [False, True], ids=["plain", "masked"])
def test_last_is_the_state_after_the_last_step_that_counts(masked):
    mask = masks(50) if masked else None
    hidden, last = run(make(50, dtype=np.float32), mask)
    np.testing.assert_array_equal(last, hidden[:, -1])


@pytest.mark.parametrize("steps", ["eager", 0, None], ids=["eager", "known", "unknown"])
def test_no_steps_leave_the_state_as_it_was(steps):
    case = make(0)

    def call(a, b, h0, mask):
        with tf.GradientTape() as tape:
            tape.watch((a, b, h0))
            hidden, last = linear_recurrence(a, b, h0, mask)
            loss = tf.reduce_sum(hidden) + tf.reduce_sum(3 * last)
        return hidden, last, *tape.gradient(loss, (a, b, h0))

    if steps != "eager":
        shape = (None, steps, UNITS)
        signature = [tf.TensorSpec(shape, tf.float64)] * 2 + [tf.TensorSpec((None, UNITS), tf.float64)]
        call = tf.function(call, input_signature=[*signature, tf.TensorSpec(shape[:2], tf.bool)], autograph=False)
    hidden, last, *gradients = call(*map(tf.constant, (case.a, case.b, case.h0, masks(0))))
    assert hidden.shape == case.a.shape
    np.testing.assert_array_equal(last, case.h0)
    assert [gradient.shape for gradient in gradients[:2]] == [case.a.shape] * 2
    np.testing.assert_array_equal(gradients[2], np.full_like(case.h0, 3))


MODES = ["eager", "shapes unknown", "XLA"]


def in_mode(function, mode, arguments):
    if mode == "eager":
        return function(*arguments)
    if mode == "XLA":
        return tf.function(function, jit_compile=True, autograph=False)(*arguments)
    signature = [tf.TensorSpec((*[None] * (len(x.shape) - 1), x.shape[-1]), x.dtype) for x in arguments]
    return tf.function(function, input_signature=signature, autograph=False)(*arguments)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("masked", [False, True], ids=["plain", "masked"])
@pytest.mark.parametrize("block", [3, 32])
def test_gradients_equal_finite_differences(oracle, monkeypatch, block, masked, mode):
    monkeypatch.setattr(parallel, "BLOCK", block)
    case, mask = make(7), masks(7) if masked else None
    random = np.random.default_rng(5)
    importance = [random.normal(size=case.a.shape), random.normal(size=case.h0.shape)]

    def loss():
        outputs = paper_recurrence(case.a, case.b, case.h0, mask)
        return sum(np.sum(output * weight) for output, weight in zip(outputs, importance, strict=True))

    def gradients(a, b, h0):
        with tf.GradientTape() as tape:
            tape.watch((a, b, h0))
            outputs = linear_recurrence(a, b, h0, None if mask is None else tf.constant(mask))
            total = tf.add_n([tf.reduce_sum(x * weight) for x, weight in zip(outputs, importance, strict=True)])
        return tape.gradient(total, (a, b, h0))

    arrays = (case.a, case.b, case.h0)
    found = in_mode(gradients, mode, list(map(tf.constant, arrays)))
    for name, array, gradient in zip(("a", "b", "h0"), arrays, found, strict=True):
        np.testing.assert_allclose(gradient, oracle.slopes(loss, array), rtol=1e-7, atol=1e-7, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_second_derivatives_equal_finite_differences(oracle, monkeypatch, mode):
    """Of the first derivative of a loss that is not linear, itself tested above."""
    monkeypatch.setattr(parallel, "BLOCK", 2)
    case, mask = make(3), masks(3)
    direction = make(3, seed=8)

    def along(a, b, h0):
        """The derivative of the loss along a direction."""
        arguments = (a, b, h0)
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            hidden, last = linear_recurrence(a, b, h0, tf.constant(mask))
            loss = tf.reduce_sum(hidden**3) + tf.reduce_sum(tf.sin(last))
        first = tape.gradient(loss, arguments)
        ways = (direction.a, direction.b, direction.h0)
        return tf.add_n([tf.reduce_sum(gradient * way) for gradient, way in zip(first, ways, strict=True)])

    def second(*arguments):
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            value = along(*arguments)
        return tape.gradient(value, arguments)

    arrays = (case.a, case.b, case.h0)
    found = in_mode(second, mode, list(map(tf.constant, arrays)))
    for array, gradient in zip(arrays, found, strict=True):
        expected = oracle.slopes(lambda: along(*map(tf.constant, arrays)).numpy(), array)
        np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("place", [(1, 0), (1, 40), (1, 99)], ids=["first step", "between", "last step"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_stays_in_its_row_and_behind_its_step(value, place):
    case = make(100, dtype=np.float32)
    clean = run(case)
    case.b[place] = value
    broken = run(case)
    others = [0, 2, 3, 4]
    np.testing.assert_array_equal(broken.hidden.numpy()[others], clean.hidden.numpy()[others])
    np.testing.assert_array_equal(broken.last.numpy()[others], clean.last.numpy()[others])
    row, step = place
    np.testing.assert_array_equal(broken.hidden[row, :step], clean.hidden[row, :step])
    assert not np.isfinite(broken.hidden[row, step:]).any()


def test_what_is_not_finite_at_padding_is_not_seen():
    case, mask = make(9), masks(9)
    expected = paper_recurrence(case.a, case.b, case.h0, mask)
    case.a[~mask], case.b[~mask] = np.nan, np.inf
    with tf.GradientTape() as tape:
        arguments = list(map(tf.constant, (case.a, case.b, case.h0)))
        tape.watch(arguments)
        outputs = linear_recurrence(*arguments, tf.constant(mask))
    for output, values in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(output, values, rtol=1e-12, atol=1e-12)
    for gradient in tape.gradient(outputs, arguments)[:2]:
        np.testing.assert_array_equal(gradient.numpy()[~mask], 0)


# Gates nearly always open, nearly always shut, and of both extremes in turn: what a sum of 4096 logarithms would lose.
LONG = 4096
EXTREMES = {
    "memory": lambda random, shape: np.full(shape, 12.0),
    "no memory": lambda random, shape: np.full(shape, -100.0),
    "both": lambda random, shape: random.choice([-100.0, 9.0, 100.0], p=[0.001, 0.5, 0.499], size=shape),
}


@pytest.mark.parametrize("extreme", EXTREMES)
def test_thousands_of_steps_with_extreme_gates_lose_no_more_than_rounding(extreme):
    random = np.random.default_rng(6)
    shape = (2, LONG, 3)
    gates = EXTREMES[extreme](random, shape)
    case = SimpleNamespace(a=sigmoid(gates), h0=np.full((2, 3), 5.0))
    case.b = sigmoid(-gates) * random.uniform(0.5, 1.5, size=shape)
    for name in ("a", "b", "h0"):  # what float32 can express, so that only the recurrence itself rounds
        setattr(case, name, getattr(case, name).astype(np.float32))
    exact, _ = paper_recurrence(*(getattr(case, name).astype(np.float64) for name in ("a", "b", "h0")))
    with tf.GradientTape() as tape:
        arguments = list(map(tf.constant, (case.a, case.b, case.h0)))
        tape.watch(arguments)
        hidden, _ = linear_recurrence(*arguments)
    # Everything is positive, so that nothing cancels: a step rounds twice, and no more than that can add up.
    np.testing.assert_allclose(hidden, exact, rtol=2 * LONG * 2.0**-24)
    for gradient in tape.gradient(hidden, arguments):
        assert np.isfinite(gradient).all()


def test_a_batch_that_is_known_and_a_length_that_is_not_can_be_traced():
    case = make(40)
    shapes = [
        tf.TensorSpec(shape, tf.float64) for shape in ((BATCH, None, UNITS), (BATCH, None, UNITS), (BATCH, UNITS))
    ]
    traced = tf.function(linear_recurrence, input_signature=shapes)
    for found, wanted in zip(traced(case.a, case.b, case.h0), paper_recurrence(case.a, case.b, case.h0), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-10)


def test_bfloat16_is_computed_in_float32():
    case = make(500)
    case.a = 1 - 0.01 * case.a
    rounded = [tf.cast(x, tf.bfloat16) for x in (case.a, case.b, case.h0)]
    hidden, last = linear_recurrence(*rounded)
    assert hidden.dtype == last.dtype == tf.bfloat16
    expected, _ = paper_recurrence(*(tf.cast(x, tf.float64).numpy() for x in rounded))
    np.testing.assert_allclose(tf.cast(hidden, tf.float64), expected, rtol=2**-8, atol=1e-3)


# MinGRU and MinLSTM


@pytest.mark.parametrize("name", RECURRENCES)
def test_a_step_equals_the_paper(name):
    random, recurrence = np.random.default_rng(2), RECURRENCES[name]
    projected = random.normal(scale=3, size=(BATCH, recurrence.blocks * UNITS))
    h = random.normal(size=(BATCH, UNITS))
    found = recurrence.step(tf.constant(projected), recurrence.state_type(tf.constant(h)))
    assert isinstance(found, recurrence.state_type)
    np.testing.assert_allclose(found.hidden, paper_step(name, projected, h), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", RECURRENCES)
def test_scan_equals_step(name):
    random, steps = np.random.default_rng(2), 70
    recurrence = type(RECURRENCES[name])(tf.tanh)
    projected = tf.constant(random.normal(size=(BATCH, steps, recurrence.blocks * UNITS)))
    state = recurrence.state_type(tf.constant(random.normal(size=(BATCH, UNITS))))
    hidden, last = linear_recurrence(*recurrence.coefficients(projected), state.hidden)
    for t in range(steps):
        expected = paper_step(name, projected[:, t].numpy(), state.hidden.numpy(), np.tanh)
        state = recurrence.step(projected[:, t], state)
        np.testing.assert_allclose(hidden[:, t], state.hidden, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(hidden[:, t], expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(last, state.hidden, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("size", [200.0, 1e30], ids=["200", "1e30"])
def test_min_lstm_shares_out_a_whole_where_both_gates_vanish(size):
    """The paper's f / (f + i) is 0 / 0 there; its limit is known."""
    projected = tf.constant([[-size, -size, 4.0], [-size, size, 4.0], [size, -size, 4.0], [size, size, 4.0]])
    decay, increment = MinLSTMRecurrence().coefficients(projected)
    np.testing.assert_array_equal(decay[:, 0], [0.5, 0, 1, 0.5])
    np.testing.assert_array_equal(increment[:, 0], [2, 4, 0, 2])


def test_min_gru_keeps_a_gate_that_is_nearly_shut_or_open():
    state = MinGRUState(tf.ones((1, 1)))
    opened = MinGRURecurrence().step(tf.constant([[60.0, 0.0]]), state)
    np.testing.assert_allclose(opened.hidden, [[np.exp(-60.0)]], rtol=1e-5)
