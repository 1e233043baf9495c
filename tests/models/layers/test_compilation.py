"""Which loops XLA compiles, and that the results do not depend on it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

import models
from models.layers import compilation, recurrent
from models.recurrence import compiled as loops
from models.recurrence.parts import MOST_PARTS, most_parts

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


def test_who_waits_for_the_compiler_is_told_so_once(caplog):
    compilation._announce_compiler.cache_clear()
    layer = models.SimpleRNN(UNITS)

    def trace(training, jit_compile=False):
        function = tf.function(lambda inputs: layer(inputs, training=training), jit_compile=jit_compile)
        function.get_concrete_function(tf.TensorSpec(INPUTS.shape))
        return [record.getMessage() for record in caplog.records if record.name == "models"]

    assert trace(training=False) == []
    assert trace(training=True, jit_compile=True) == []  # who compiles the whole knows
    (told,) = trace(training=True)
    assert "XLA" in told and "jit_compile=False" in told
    assert trace(training=True) == [told]


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


@pytest.mark.parametrize(
    ("where", "units", "batch", "steps", "expected"),
    [
        ("compiled as a whole", 128, 17, TIME, 3),
        ("compiled as a whole", 128, 16, TIME, None),  # Keras's loop
        ("plain", 127, 5, TIME, 1),
        ("plain", 128, 4, TIME, 1),
        ("plain", 128, 5, TIME, 3),
        ("plain", 128, 5, 1, 1),
        ("plain", 128, None, TIME, 3),
        ("eager", 128, 5, TIME, 1),
    ],
)
def test_where_gates_lie_apart(monkeypatch, where, units, batch, steps, expected):
    inputs = np.repeat(INPUTS[:1, :steps], batch or 2, axis=0)
    blocks, scan = [], recurrent.scan

    def spy(recurrence, projected, *arguments, **options):
        blocks.append(len(projected))
        return scan(recurrence, projected, *arguments, **options)

    monkeypatch.setattr(recurrent, "scan", spy)
    layer = models.GRU(units)
    layer.build(inputs.shape)
    call = layer
    if where != "eager":
        signature = [tf.TensorSpec((batch, *inputs.shape[1:]))]
        call = tf.function(layer, jit_compile=where != "plain", autograph=False, input_signature=signature)
    outputs = call(tf.constant(inputs))
    assert (blocks or [None])[-1] == expected
    np.testing.assert_allclose(outputs, layer(inputs), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("batch", "known", "parts"),
    [(31, True, [31]), (32, True, [16, 16]), (33, True, [17, 16]), (32, False, [None])],
)
def test_plain_inference_is_divided_where_it_is_traced_to_be_run(monkeypatch, batch, known, parts):
    rows, scan = [], recurrent.scan

    def spy(recurrence, projected, *arguments, **options):
        rows.append(projected[0].shape[1])
        return scan(recurrence, projected, *arguments, **options)

    monkeypatch.setattr("models.recurrence.parts.most_parts", lambda: 2)
    monkeypatch.setattr(recurrent, "scan", spy)
    layer = models.LSTM(UNITS)
    layer.build(INPUTS.shape)
    inputs = tf.random.stateless_normal((batch, TIME, FEATURES), (1, 2))
    signature = [tf.TensorSpec((batch if known else None, TIME, FEATURES))]
    outputs = tf.function(lambda inputs: layer(inputs), input_signature=signature)(inputs)
    assert rows == parts
    np.testing.assert_allclose(outputs, layer(inputs), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("cores", "threads", "parts"), [(4, 0, 4), (4, 1, 1), (1, 0, 1), (99, 0, MOST_PARTS)])
def test_a_part_for_each_core_that_may_be_used(monkeypatch, cores, threads, parts):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(cores), raising=False)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _: [])
    monkeypatch.setattr(tf.config.threading, "get_inter_op_parallelism_threads", lambda: threads)
    assert most_parts() == parts


@pytest.mark.parametrize(
    ("name", "masked"),
    [("LSTM", True), pytest.param("LSTM", False, marks=pytest.mark.slow), ("SimpleRNN", False)],
)
def test_few_lengths_are_compiled(monkeypatch, name, masked):
    """At the edge of a length, results and gradients equal those of the plain loop."""
    compiled = loops._COMPILED
    traced = set()

    def spy(number):
        def call(recurrence, tensors, *arguments):
            first = tensors[0] if isinstance(tensors, tuple) else tensors
            tf.py_function(lambda steps: traced.add(int(steps)), [tf.shape(first)[0]], [])
            return compiled[number](recurrence, tensors, *arguments)

        return call

    monkeypatch.setattr(loops, "_COMPILED", (spy(0), spy(1)))
    auto, plain = (
        LAYERS[name](UNITS, return_sequences=True, return_state=True, jit_compile=j) for j in ("auto", False)
    )
    for layer in (auto, plain):
        layer.build(INPUTS.shape)
    auto.set_weights(plain.get_weights())

    def gradients(layer):
        @tf.function(input_signature=[tf.TensorSpec((None, None, FEATURES))])
        def found(inputs):
            mask = tf.sequence_mask(tf.range(tf.shape(inputs)[0]) * 3, tf.shape(inputs)[1]) if masked else None
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                outputs = layer(inputs, mask=mask, training=True)
                loss = tf.add_n([tf.reduce_sum(tf.sin(output)) for output in outputs])
            return [*outputs, *tape.gradient(loss, [inputs, *(weight.value for weight in layer.weights)])]

        return found

    ours, expected = gradients(auto), gradients(plain)
    for steps in (0, 1, 15, 16, 17):
        inputs = tf.random.stateless_normal((3, steps, FEATURES), (steps, 2))
        for one, other in zip(ours(inputs), expected(inputs), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    assert traced == {16, 64}


@pytest.mark.parametrize(
    ("name", "in_graph"),
    [("SimpleRNN", True), ("LSTM", False), ("GRU", False), pytest.param("options", True, marks=pytest.mark.slow)],
)
def test_gradient_penalty_equals_finite_differences(name, in_graph):
    """The gradient of `Σ |∂ Σ sin(h) / ∂x|²`, along a random direction, in double precision."""
    keras.utils.set_random_seed(3)
    options = {"layer_normalization": True, "peepholes": True} if name == "options" else {}
    layer = LAYERS.get(name, models.LSTM)(UNITS, differentiable_twice=True, dtype="float64", **options)
    layer.build(INPUTS.shape)
    inputs, direction = np.random.default_rng(3).normal(size=(2, *INPUTS.shape))
    mask = tf.constant(np.arange(TIME) < np.array([[5], [3], [1], [0]]))

    def penalty(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = tf.reduce_sum(tf.sin(layer(inputs, mask=mask, training=True)))
        return tf.reduce_sum(tape.gradient(loss, inputs) ** 2)

    def slope(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            found = penalty(inputs)
        return tf.reduce_sum(tape.gradient(found, inputs) * direction)

    if in_graph:
        slope = tf.function(slope, autograph=False)  # and the penalty within; the differences are taken without it
    ahead, behind = (penalty(tf.constant(inputs + step * direction)) for step in (1e-5, -1e-5))
    np.testing.assert_allclose(slope(tf.constant(inputs)), (ahead - behind) / 2e-5, rtol=1e-6)
    assert type(layer).from_config(layer.get_config()).differentiable_twice


def test_a_loop_that_is_differentiable_twice_is_not_compiled():
    with pytest.raises(ValueError, match="Received: jit_compile=True, differentiable_twice=True"):
        models.LSTM(UNITS, jit_compile=True, differentiable_twice=True)
