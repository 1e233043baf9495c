"""Which loops XLA compiles, and that the results do not depend on it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

import models
from models.layers import recurrent

BATCH, TIME, FEATURES, UNITS = 4, 5, 3, 6
LAYERS = {"SimpleRNN": models.SimpleRNN, "LSTM": models.LSTM, "GRU": models.GRU}
INPUTS = np.random.default_rng(5).normal(size=(BATCH, TIME, FEATURES)).astype(np.float32)


@pytest.fixture
def compiled(monkeypatch):
    """For each scan whether it was compiled, in order."""
    seen, scan = [], recurrent.scan

    def spy(*arguments, **options):
        seen.append(arguments[6])
        return scan(*arguments, **options)

    monkeypatch.setattr(recurrent, "scan", spy)
    return seen


def make_model(jit_compile="auto", layer=models.GRU, whole="auto"):
    """A model whose layer has one `jit_compile`, and which is compiled with another."""
    keras.utils.set_random_seed(7)
    model = keras.Sequential([keras.Input((None, FEATURES)), layer(UNITS, jit_compile=jit_compile)])
    model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=whole)
    return model


def compiled_functions(folder):
    """The names of all functions of an export that XLA must compile."""
    proto = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    functions = proto.meta_graphs[0].graph_def.library.function
    nodes = [node for function in functions for node in function.node_def]
    return [it for it in (*functions, *nodes) if it.attr["_XlaMustCompile"].b]


@pytest.mark.parametrize(
    ("jit_compile", "training", "eager", "expected"),
    [
        ("auto", True, False, True),
        ("auto", True, True, False),
        ("auto", False, False, False),
        (True, False, False, True),
        (True, False, True, True),
        (True, True, True, True),
        (False, True, False, False),
        (False, False, False, False),
    ],
)
def test_rule(compiled, jit_compile, training, eager, expected):
    layer = models.GRU(UNITS, jit_compile=jit_compile)
    layer.build(INPUTS.shape)
    compiled.clear()
    call = layer if eager else tf.function(layer, autograph=False)
    call(tf.constant(INPUTS), training=training)
    assert compiled == [expected]


@pytest.mark.parametrize("name", LAYERS)
def test_compiled_inference_equals_plain(name):
    plain, forced = (
        LAYERS[name](UNITS, return_sequences=True, return_state=True, jit_compile=choice) for choice in (False, True)
    )
    plain.build(INPUTS.shape), forced.build(INPUTS.shape)
    forced.set_weights(plain.get_weights())
    mask = tf.constant(np.arange(TIME) < np.array([[5], [3], [1], [0]]))
    results = []
    for layer in (plain, forced):
        inputs = tf.constant(INPUTS)
        with tf.GradientTape() as tape:  # a gradient at inference runs the loop once more
            tape.watch(inputs)
            outputs = layer(inputs, mask=mask)
            loss = tf.add_n([tf.reduce_sum(tf.sin(output)) for output in outputs])
        results.append([*outputs, *tape.gradient(loss, [inputs, *(weight.value for weight in layer.weights)])])
    for one, other in zip(*results, strict=True):
        # Sums of terms of about 10: float32 keeps seven digits of them.
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_predict_is_compiled_and_an_export_stays_plain(compiled, tmp_path):
    model, plain = make_model(True), make_model()
    compiled.clear()
    predicted = model.predict(INPUTS, verbose=0)
    assert compiled and all(compiled)
    np.testing.assert_allclose(predicted, plain.predict(INPUTS, verbose=0), rtol=1e-5, atol=1e-6)
    model.export(tmp_path / "exported", verbose=False)
    assert compiled_functions(tmp_path / "exported") == []
    loaded = tf.saved_model.load(str(tmp_path / "exported"))
    np.testing.assert_allclose(loaded.serve(INPUTS), predicted, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYERS)
def test_model_compiled_as_a_whole(name, tmp_path):
    """`Model.compile(jit_compile=True)`: the compiled loops are inside of a larger function of XLA."""
    targets = np.ones((BATCH, UNITS), np.float32)
    whole, plain = (make_model("auto", LAYERS[name], choice) for choice in (True, False))
    for model in (whole, plain):
        model.fit(INPUTS, targets, epochs=2, batch_size=2, shuffle=False, verbose=0)
    for one, other in zip(whole.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(whole.predict(INPUTS, verbose=0), plain(INPUTS), rtol=1e-5, atol=1e-5)
    whole.export(tmp_path / "exported", verbose=False)
    assert compiled_functions(tmp_path / "exported") == []


@pytest.mark.parametrize("jit_compile", ["auto", True, False])
def test_choice_survives_configuration(jit_compile):
    layer = models.LSTM(UNITS, jit_compile=jit_compile)
    config = layer.get_config()
    assert config.get("jit_compile", "auto") == jit_compile
    assert models.LSTM.from_config(config).jit_compile == jit_compile
    assert keras.layers.Bidirectional(layer).backward_layer.jit_compile == jit_compile


def test_unknown_choice_is_refused():
    with pytest.raises(ValueError, match=r'"auto", True or False\. Received: jit_compile=\'always\''):
        models.LSTM(UNITS, jit_compile="always")


@pytest.mark.parametrize(("whole", "expected"), [(True, 3), (False, 1)], ids=["compiled as a whole", "plain"])
def test_gates_are_laid_out_for_xla_where_the_user_compiles_the_whole(monkeypatch, whole, expected):
    blocks, scan = [], recurrent.scan

    def spy(recurrence, projected, *arguments, **options):
        blocks.append(len(projected))
        return scan(recurrence, projected, *arguments, **options)

    monkeypatch.setattr(recurrent, "scan", spy)
    layer = models.GRU(UNITS)
    call = tf.function(lambda inputs: layer(inputs), jit_compile=whole, autograph=False)
    outputs = call(INPUTS)
    assert blocks[-1] == expected
    np.testing.assert_allclose(outputs, layer(INPUTS), rtol=1e-5, atol=1e-6)
