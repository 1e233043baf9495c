"""Every layer in every format, run by that format's own runtime."""

import inspect
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import models
from models.conversion import to_litert, to_onnx
from models.conversion.onnx import onnx_of

onnx = pytest.importorskip("onnx", reason="needs unrolled[onnx]")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs unrolled[onnx]")
interpreter = pytest.importorskip("ai_edge_litert.interpreter", reason="needs unrolled[litert]")

TIME, FEATURES, UNITS = 6, 3, 5
MAPS = (6, 6, 2)
OPTIONS = {"layer_normalization": True, "zoneout": 0.1, "trainable_initial_state": True}
# What stands between input and output, and the operator that it becomes in ONNX.
VECTORS = {
    "SimpleRNN": (lambda: [models.SimpleRNN(UNITS)], "Loop"),
    "LSTM": (lambda: [models.LSTM(UNITS, return_sequences=True)], "LSTM"),
    "LSTM, relu and hard sigmoid": (
        lambda: [models.LSTM(UNITS, activation="relu", recurrent_activation="hard_sigmoid")],
        "LSTM",
    ),
    "LSTM, fused": (lambda: [models.LSTM(UNITS, fused=True, return_sequences=True)], "LSTM"),
    "LSTM, linear": (lambda: [models.LSTM(UNITS, activation="linear")], "Loop"),
    "LSTM, backwards": (lambda: [models.LSTM(UNITS, go_backwards=True)], "LSTM"),
    "LSTM, options": (lambda: [models.LSTM(UNITS, peepholes=True, projection=3, **OPTIONS)], "Loop"),
    "LSTM, masked": (lambda: [keras.layers.Masking(), models.LSTM(UNITS)], "Loop"),
    "GRU": (lambda: [models.GRU(UNITS)], "GRU"),
    "GRU, reset before": (lambda: [models.GRU(UNITS, reset_after=False, use_bias=False)], "GRU"),
    "GRU, options": (lambda: [models.GRU(UNITS, **OPTIONS)], "Loop"),
    "MinGRU": (lambda: [models.MinGRU(UNITS)], "Loop"),
    "MinLSTM": (lambda: [models.MinLSTM(UNITS, return_sequences=True)], "Loop"),
    "Stack": (lambda: [models.Stack("gru", UNITS, depth=2, residual=True, normalization="layer")], "GRU"),
    "Bidirectional": (lambda: [keras.layers.Bidirectional(models.LSTM(UNITS, return_sequences=True))], "LSTM"),
}
OF_MAPS = {
    "ConvLSTM2D": (lambda: [models.ConvLSTM2D(3, 3, padding="same")], "Loop"),
    "SpatiotemporalLSTM": (lambda: [models.SpatiotemporalLSTM(3, 3)], "Loop"),
}
CASES = VECTORS | OF_MAPS
FAST = ("LSTM", "GRU")
# These read a memory at each step of a decoder: they are parts of a step's graph, not layers from sequence to sequence.
PARTS_OF_A_STEP = {"BahdanauAttention", "LuongAttention"}

all_cases = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in FAST else pytest.mark.slow) for name in CASES]
)


def test_every_layer_has_a_case():
    layers = {name for name in models.__all__ if inspect.isclass(getattr(models, name))}
    assert layers - PARTS_OF_A_STEP <= CASES.keys()


def make(name, time=None):
    """A model whose weights are not zero, and a batch of two."""
    shape = MAPS if name in OF_MAPS else (FEATURES,)
    model = keras.Sequential([keras.Input((time, *shape), name="sequences"), *CASES[name][0]()])
    random = np.random.default_rng(4)
    model.set_weights([random.normal(scale=0.4, size=weight.shape) for weight in model.get_weights()])
    batch = random.normal(size=(2, TIME, *shape)).astype("float32")
    batch[1, 4:] = 0  # masked where there is a mask
    return model, batch


def run_onnx(path, *inputs):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [tensor.name for tensor in session.get_inputs()]
    return session.run(None, dict(zip(names, inputs, strict=True)))


def run_litert(path, *inputs):
    """The outputs, and the names of the operators."""
    loaded = interpreter.Interpreter(str(path))
    places = [place["index"] for place in sorted(loaded.get_input_details(), key=lambda place: place["name"])]
    for place, tensor in zip(places, inputs, strict=True):
        loaded.resize_tensor_input(place, tensor.shape)
    loaded.allocate_tensors()
    for place, tensor in zip(places, inputs, strict=True):
        loaded.set_tensor(place, tensor)
    loaded.invoke()
    operators = {operator["op_name"] for operator in loaded._get_ops_details()}
    return [loaded.get_tensor(place["index"]) for place in loaded.get_output_details()], operators


@all_cases
def test_onnx_equals_keras_for_any_rows_and_steps(name, tmp_path):
    model, batch = make(name)
    to_onnx(model, tmp_path / "model.onnx")
    for part in (batch, batch[:1, :2]):
        np.testing.assert_allclose(run_onnx(tmp_path / "model.onnx", part)[0], model(part), rtol=1e-5, atol=1e-5)
    operators = {node.op_type for node in onnx.load(tmp_path / "model.onnx").graph.node}
    assert {"LSTM", "GRU", "Loop"} & operators == {CASES[name][1]}


@all_cases
@pytest.mark.parametrize("int8", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["float32", "int8"])
def test_litert_equals_keras_for_any_steps_with_builtin_operators(name, int8, tmp_path):
    model, batch = make(name)
    shapes = {}
    if name.startswith("Min"):  # whose blocks of time LiteRT must know
        shapes["sequences"] = (1, TIME, FEATURES)
        with pytest.raises(ValueError, match=r"known number of steps only.* sequences=\(1, steps"):
            to_litert(model, tmp_path / "model.tflite", int8=int8)
        assert not (tmp_path / "model.tflite").exists()
    to_litert(model, tmp_path / "model.tflite", int8=int8, **shapes)
    tolerance = 0.05 if int8 else 1e-5
    for part in (batch[1:], batch[:1] if shapes else batch[:1, :2]):
        (output,), operators = run_litert(tmp_path / "model.tflite", part)
        np.testing.assert_allclose(output, model(part), rtol=tolerance, atol=tolerance)
        assert not [operator for operator in operators if operator.startswith("Flex")]


@pytest.mark.parametrize("kind", [models.LSTM, models.GRU])
def test_int8_is_smaller_and_loses_a_little(kind, tmp_path):
    """Without a loop, by which LiteRT could find no ranges, and with ranges from examples."""
    symbolic = keras.Input((TIME, FEATURES), name="sequences")
    model = keras.Model(symbolic, kind(64, unroll=True)(symbolic))
    batch = np.random.default_rng(1).normal(size=(20, TIME, FEATURES)).astype("float32")
    expected, sizes = model(batch[:1]), []
    for options in ({}, {"int8": True}, {"int8": True, "examples": [[row] for row in batch[:, np.newaxis]]}):
        to_litert(model, tmp_path / "model.tflite", **options)
        (output,), operators = run_litert(tmp_path / "model.tflite", batch[:1])
        assert "WHILE" not in operators
        np.testing.assert_allclose(output, expected, atol=0.05 if options else 1e-5)
        sizes.append((tmp_path / "model.tflite").stat().st_size)
    assert sizes[1] < 0.6 * sizes[0]


def test_onnx_leaves_out_what_is_not_chosen(tmp_path):
    values = np.array([1.0, np.nan, np.inf], "float32")
    function = lambda values: {"known": tf.where(tf.math.is_finite(values), values, 0.0)}  # noqa: E731
    (tmp_path / "model.onnx").write_bytes(onnx_of(function, [tf.TensorSpec([3], name="values")]))
    np.testing.assert_array_equal(run_onnx(tmp_path / "model.onnx", values)[0], [1, 0, 0])


@pytest.mark.parametrize("name", ["LSTM", "Stack"])
def test_one_step_streams(name, tmp_path):
    """State in and out: steps one by one equal the whole sequence, in both formats."""
    layer = (
        models.LSTM(UNITS, return_state=True) if name == "LSTM" else models.Stack("gru", UNITS, 2, return_state=True)
    )
    layer.build((None, None, FEATURES))
    before = layer.get_initial_state(1) if name == "LSTM" else layer.initial_state(1)
    step = keras.Input((1, FEATURES), name="a_step")
    fields = [keras.Input((UNITS,), name=f"state_{index}") for index, _ in enumerate(tf.nest.flatten(before))]
    output, *after = keras.tree.flatten(layer(step, initial_state=tf.nest.pack_sequence_as(before, fields)))
    model = keras.Model([step, *fields], [output, *after])
    sequence = np.random.default_rng(2).normal(size=(1, TIME, FEATURES)).astype("float32")
    expected = keras.tree.flatten(layer(sequence))
    to_onnx(model, tmp_path / "step.onnx")
    to_litert(model, tmp_path / "step.tflite")
    onnx_state = litert_state = [np.zeros((1, UNITS), "float32") for _ in fields]
    for time in range(TIME):
        found, *onnx_state = run_onnx(tmp_path / "step.onnx", sequence[:, time : time + 1], *onnx_state)
        outputs, _ = run_litert(tmp_path / "step.tflite", sequence[:, time : time + 1], *litert_state)
        # LiteRT gives the outputs another order than the model's where shapes are equal.
        assert any(np.allclose(found, tensor, atol=1e-5) for tensor in outputs)
        litert_state = onnx_state
    for received, other in zip([found, *onnx_state], expected, strict=True):
        np.testing.assert_allclose(received, other, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_keras_quantises_what_it_can_and_leaves_our_layers(tmp_path):
    model = keras.Sequential([keras.Input((TIME, FEATURES)), models.LSTM(32), keras.layers.Dense(4)])
    batch = np.random.default_rng(1).normal(size=(2, TIME, FEATURES)).astype("float32")
    expected = model(batch)
    model.quantize("int8")
    assert model.layers[1].kernel.dtype == "int8" and model.layers[0].cell.kernel.dtype == "float32"
    np.testing.assert_allclose(model(batch), expected, atol=0.02)
    model.save(tmp_path / "model.keras")
    np.testing.assert_allclose(keras.saving.load_model(tmp_path / "model.keras")(batch), model(batch), atol=1e-6)


@pytest.mark.parametrize("convert", [to_onnx, to_litert])
def test_what_a_file_cannot_hold_is_refused(convert, tmp_path):
    stateful = models.LSTM(UNITS, stateful=True)
    stateful.build((1, None, FEATURES))
    with pytest.raises(ValueError, match=r"keeps no state from call to call.* Received: stateful=True of lstm"):
        convert(stateful, tmp_path / "file")
    with pytest.raises(ValueError, match=r"built before it is converted.* Received: gru"):
        convert(models.GRU(UNITS), tmp_path / "file")
    with pytest.raises(ValueError, match=r"\['sequences'\] were expected\. Received: \['wrong'\]"):
        convert(make("GRU")[0], tmp_path / "file", wrong=(1, 2, 3))
    assert not (tmp_path / "file").exists()


def test_examples_need_int8_and_no_loop(tmp_path):
    model, batch = make("LSTM")
    with pytest.raises(ValueError, match="Received: int8=False"):
        to_litert(model, tmp_path / "file", examples=[[batch[:1]]])
    with pytest.raises(ValueError, match=r"unroll=True.* Received: examples for a model with a loop"):
        to_litert(model, tmp_path / "file", int8=True, examples=[[batch[:1]]])


def test_without_its_library_onnx_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "unrolled\[onnx\]".* Received: no tf2onnx'):
        to_onnx(make("GRU")[0], tmp_path / "file")
