"""Which LSTMs run as one fused operation, and that outputs and gradients do not depend on it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import models
from models.layers import fused
from models.recurrence.fused_lstm import fused_lstm

TIME, FEATURES, UNITS = 4, 3, 6
INPUTS = np.random.default_rng(5).normal(size=(5, TIME, FEATURES)).astype(np.float32)


@pytest.fixture
def calls(monkeypatch):
    """The batch of each call of the operation that is run or traced; up to three rows are few."""
    seen = []

    def spy(inputs, *arguments):
        seen.append(inputs.shape[1])
        return fused_lstm(inputs, *arguments)

    monkeypatch.setattr(fused, "fused_lstm", spy)
    monkeypatch.setattr(fused, "MOST_UNITS", 3 * UNITS)
    return seen


def pair(**options):
    """A layer that may run fused, and one with the same weights that does not."""
    keras.utils.set_random_seed(4)
    layers = [
        models.LSTM(UNITS, return_sequences=True, return_state=True, fused=its, **options) for its in (True, False)
    ]
    for layer in layers:
        layer.build(INPUTS.shape)
        layer.set_weights([np.random.default_rng(1).normal(size=its.shape) * 0.4 for its in layer.get_weights()])
    return layers


@pytest.mark.parametrize("in_graph", [True, False])
@pytest.mark.parametrize("options", [{}, {"go_backwards": True, "use_bias": False}])
def test_outputs_and_gradients_equal_those_of_the_loop(calls, options, in_graph):
    def results(layer, inputs, state):
        with tf.GradientTape() as tape:
            tape.watch((inputs, state))
            outputs = layer(inputs, initial_state=state)
            loss = tf.add_n([tf.reduce_sum(tf.sin(output)) for output in outputs])
        return [*outputs, *tape.gradient(loss, [inputs, *state, *(weight.value for weight in layer.weights)])]

    fused_layer, loop = pair(**options)
    run = tf.function(results, autograph=False) if in_graph else results
    state = [tf.random.stateless_normal((len(INPUTS), UNITS), (seed, 1)) for seed in (1, 2)]
    inputs = tf.constant(INPUTS)
    for one, other in zip(run(fused_layer, inputs, state), run(loop, inputs, state), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    assert calls == [len(INPUTS)]


@pytest.mark.parametrize(("rows", "expected"), [(3, True), (4, False)])
def test_small_batches_run_fused_in_eager_calls_alone(calls, rows, expected):
    layer = models.LSTM(UNITS)
    layer(INPUTS[:1], training=True), calls.clear()
    eager = layer(INPUTS[:rows])
    assert bool(calls) == expected
    calls.clear()
    in_graph = tf.function(lambda inputs: layer(inputs))(tf.constant(INPUTS[:rows]))
    assert not calls
    np.testing.assert_allclose(eager, in_graph, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "options",
    [{"activation": "relu"}, {"dtype": "float64"}, {"peepholes": True}, {"unroll": True}, {"jit_compile": True}],
    ids=str,
)
def test_what_the_operation_does_not_compute_runs_as_a_loop(calls, options):
    layer, loop = pair(**options)
    for one, other in zip(layer(INPUTS), loop(INPUTS), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)
    layer(INPUTS, mask=np.ones((5, TIME), bool)), layer(INPUTS, training=True)
    assert not calls


def test_a_forced_layer_runs_fused_in_an_export(tmp_path):
    model = keras.Sequential([keras.Input((None, FEATURES)), models.LSTM(UNITS, fused=True)])
    model.export(tmp_path / "exported", verbose=False)
    loaded = tf.saved_model.load(str(tmp_path / "exported"))
    for rows, steps in ((5, 4), (1, 2)):
        inputs = INPUTS[:rows, :steps]
        np.testing.assert_allclose(loaded.serve(inputs), model(inputs, training=True), rtol=1e-5, atol=1e-6)
    graph = loaded.signatures["serve"].graph.as_graph_def()
    assert any(node.op == "BlockLSTMV2" for function in graph.library.function for node in function.node_def)
    assert models.LSTM.from_config(model.layers[0].get_config()).fused is True


def test_second_derivatives_and_unknown_choices_are_refused():
    layer, _ = pair()
    inputs = tf.constant(INPUTS)
    with pytest.raises(NotImplementedError, match="differentiable_twice"), tf.GradientTape() as outer:
        outer.watch(inputs)
        with tf.GradientTape() as inner:
            inner.watch(inputs)
            loss = tf.reduce_sum(layer(inputs)[0] ** 2)
        outer.gradient(inner.gradient(loss, inputs), inputs)
    with pytest.raises(ValueError, match="Received: fused='always'"):
        models.LSTM(UNITS, fused="always")
