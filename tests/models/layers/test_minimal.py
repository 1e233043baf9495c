"""`MinGRU` and `MinLSTM` against the paper in NumPy, against Keras's loop over their step, and as Keras layers."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from models.layers.minimal import MinGRU, MinLSTM, positive

LAYERS = {"MinGRU": MinGRU, "MinLSTM": MinLSTM}
TIME, BATCH, FEATURES, UNITS = 6, 5, 3, 4
# Each row is a kind of mask: nothing left out, padding on the right, on the left, holes, nothing but padding.
MASK = np.array(
    [[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0], [0, 0, 0, 1, 1, 1], [1, 0, 1, 1, 0, 1], [0, 0, 0, 0, 0, 0]], bool
)
EVERYTHING = {"return_sequences": True, "return_state": True}


@pytest.fixture(params=LAYERS)
def layer_class(request):
    return LAYERS[request.param]


@pytest.fixture
def inputs():
    return np.random.default_rng(2).normal(size=(BATCH, TIME, FEATURES)).astype(np.float32)


@pytest.fixture
def state():
    return np.random.default_rng(6).normal(size=(BATCH, UNITS)).astype(np.float32)


def built(layer_class, units=UNITS, batch=None, **options):
    """A layer none of whose weights is zero; the same weights every time."""
    layer = layer_class(units, **options)
    layer.build((batch, None, FEATURES))
    randomise(layer)
    return layer


def randomise(layer):
    random = np.random.default_rng(4)
    layer.set_weights([random.normal(scale=0.6, size=weight.shape) for weight in layer.get_weights()])


def run(layer, inputs, **arguments):
    """All outputs in a list."""
    outputs = layer(tf.convert_to_tensor(inputs), **arguments)
    return list(outputs) if isinstance(outputs, list | tuple) else [outputs]


def gradients(layer, inputs, initial_state=None, **arguments):
    """Of the weighted sum of all outputs, with respect to the inputs, the state if given, and every weight."""
    inputs = tf.convert_to_tensor(inputs)
    state = [] if initial_state is None else [tf.convert_to_tensor(initial_state)]
    with tf.GradientTape() as tape:
        tape.watch([inputs, *state])
        outputs = run(layer, inputs, initial_state=state or None, **arguments)
        importance = [tf.cos(tf.range(output.shape[-1], dtype=output.dtype)) for output in outputs]
        loss = tf.add_n([tf.reduce_sum(output * weight) for output, weight in zip(outputs, importance, strict=True)])
    return tape.gradient(loss, [inputs, *state, *(weight.value for weight in layer.trainable_variables)])


def assert_all_close(ours, theirs, tolerance=1e-6):
    for tensor, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(tensor, other, rtol=tolerance, atol=tolerance)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def paper(layer_class, inputs, kernel, bias, h, mask, g=lambda x: x):
    """Feng et al. 2024, sections 3.1 and 3.2, row by row; outputs as Keras has them: zeros before the first step."""
    hidden, last = np.zeros((*inputs.shape[:2], h.shape[-1])), np.array(h)
    for row in range(len(inputs)):
        for t in range(inputs.shape[1]):
            if mask[row, t]:
                blocks = np.split(inputs[row, t] @ kernel + bias, 2 if layer_class is MinGRU else 3)
                gates = [sigmoid(block) for block in blocks[:-1]]
                keep, take = (1 - gates[0], gates[0]) if layer_class is MinGRU else gates / np.sum(gates, axis=0)
                last[row] = keep * last[row] + take * g(blocks[-1])
            hidden[row, t] = last[row] if mask[row, : t + 1].any() else 0
    return hidden, last


# Mathematics


@pytest.mark.parametrize("activation", [None, "tanh", positive], ids=["none", "tanh", "positive"])
@pytest.mark.parametrize("mask", [None, MASK], ids=["plain", "masked"])
def test_equals_the_paper(layer_class, inputs, state, mask, activation):
    layer = built(layer_class, activation=activation, **EVERYTHING)
    g = {None: lambda x: x, "tanh": np.tanh, positive: lambda x: np.where(x >= 0, x + 0.5, sigmoid(x))}[activation]
    counts = np.ones_like(MASK) if mask is None else mask
    expected = paper(layer_class, inputs, *layer.get_weights(), state, counts, g)
    assert_all_close(run(layer, inputs, initial_state=state, mask=mask), expected, 1e-5)


@pytest.mark.parametrize("mask", [None, MASK], ids=["plain", "masked"])
def test_gradients_equal_finite_differences_of_the_paper(layer_class, oracle, inputs, state, mask):
    layer = built(layer_class, activation="tanh", dtype="float64", **EVERYTHING)
    inputs, state = inputs.astype(np.float64), state.astype(np.float64)
    arguments = [inputs, state, *layer.get_weights()]
    counts = np.ones_like(MASK) if mask is None else mask

    def loss():
        x, h, kernel, bias = arguments
        outputs = paper(layer_class, x, kernel, bias, h, counts, np.tanh)
        return sum(np.sum(output * np.cos(np.arange(UNITS))) for output in outputs)

    found = gradients(layer, inputs, state, mask=mask)
    assert len(found) == len(arguments)
    for gradient, values in zip(found, arguments, strict=True):
        np.testing.assert_allclose(gradient, oracle.slopes(loss, values), rtol=1e-7, atol=1e-7)
    for gradient, weight in zip(found[2:], layer.trainable_variables, strict=True):
        assert np.all(gradient.numpy() != 0), weight.path


OPTIONS = {
    "last": {},
    "sequences": {"return_sequences": True},
    "backwards": {"go_backwards": True, **EVERYTHING},
    "backwards last": {"go_backwards": True},
    "zero output": {"zero_output_for_mask": True, **EVERYTHING},
    "zero output last": {"zero_output_for_mask": True},
    "no bias": {"use_bias": False, **EVERYTHING},
}


@pytest.mark.parametrize("given", [False, True], ids=["state zero", "state given"])
@pytest.mark.parametrize("mask", [None, MASK], ids=["plain", "masked"])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_scan_equals_the_loop_of_keras_over_the_step(layer_class, inputs, state, options, mask, given):
    layer = built(layer_class, **options)
    loop = keras.layers.RNN(layer.cell, **{key: value for key, value in options.items() if key != "use_bias"})
    initial = [tf.constant(state)] if given else None
    mask = None if mask is None else tf.constant(mask)
    arguments = {"initial_state": initial, "mask": mask}
    assert_all_close(run(layer, inputs, **arguments), run(loop, inputs, **arguments))
    assert_all_close(gradients(layer, inputs, mask=mask), gradients(loop, inputs, mask=mask), 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["shapes unknown", "XLA"])
def test_graph_equals_eager(layer_class, inputs, mode):
    layer = built(layer_class, **EVERYTHING)

    def call(inputs, mask):
        return run(layer, inputs, mask=mask), gradients(layer, inputs, mask=mask)

    signature = [tf.TensorSpec((None, None, FEATURES)), tf.TensorSpec((None, None), tf.bool)]
    options = {"jit_compile": True} if mode == "XLA" else {"input_signature": signature}
    graph = tf.function(call, autograph=False, **options)
    for steps in (TIME, 1):
        arguments = tf.constant(inputs[:, :steps]), tf.constant(MASK[:, :steps])
        for found, expected in zip(graph(*arguments), call(*arguments), strict=True):
            assert_all_close(found, expected, 1e-5)


# Time


def test_chunked_equals_whole(layer_class, inputs):
    layer = built(layer_class, **EVERYTHING)
    whole, last = run(layer, inputs, mask=tf.constant(MASK))
    chunks, state = [], []
    for first, after in ((0, 1), (1, 3), (3, 3), (3, 6)):  # one step, some, none, the rest
        mask = tf.constant(MASK[:, first:after])
        chunk, *state = run(layer, inputs[:, first:after], initial_state=state or None, mask=mask)
        chunks.append(chunk)
    # What stands at padding differs: the last output of this call, zeros where there is none yet.
    counts = MASK[..., np.newaxis]
    assert_all_close([tf.where(counts, tf.concat(chunks, axis=1), 0)], [tf.where(counts, whole, 0)])
    assert_all_close(state, [last])


@pytest.mark.parametrize("padding", [1e3, np.nan])
def test_padded_equals_unpadded(layer_class, inputs, padding):
    lengths = np.array([6, 4, 1, 3, 0])
    mask = np.arange(TIME) < lengths[:, np.newaxis]
    padded = np.where(mask[..., np.newaxis], inputs, np.float32(padding))
    layer = built(layer_class)
    (output,) = run(layer, padded, mask=tf.constant(mask))
    input_gradient, *weight_gradients = gradients(layer, padded, mask=tf.constant(mask))
    total = [tf.zeros_like(gradient) for gradient in weight_gradients]
    for row, length in enumerate(lengths):
        np.testing.assert_array_equal(input_gradient[row, length:], 0)
        alone = padded[row : row + 1, :length]
        assert_all_close([output[row]], [run(layer, alone)[0][0]])
        expected, *parts = gradients(layer, alone)
        assert_all_close([input_gradient[row, :length]], [expected[0]], 1e-5)
        total = [so_far + part for so_far, part in zip(total, parts, strict=True)]
    assert_all_close(weight_gradients, total, 1e-5)


@pytest.mark.parametrize(
    ("time", "masked", "return_sequences"),
    [("eager", True, True), (0, False, True), (None, False, False), (None, True, False)],
    ids=["eager", "time known", "time unknown", "time unknown, masked"],
)
def test_no_steps_leave_the_state_as_it_was(layer_class, inputs, state, time, masked, return_sequences):
    layer = built(layer_class, return_sequences=return_sequences, return_state=True)

    def call(inputs, mask):
        with tf.GradientTape() as tape:
            output, last = layer(inputs, initial_state=[state], mask=mask if masked else None)
        return output, last, tape.gradient([output, last], [weight.value for weight in layer.trainable_variables])

    if time != "eager":
        signature = [tf.TensorSpec((None, time, FEATURES)), tf.TensorSpec((None, time), tf.bool)]
        call = tf.function(call, input_signature=signature, autograph=False)
    output, last, found = call(tf.constant(inputs[:, :0]), tf.constant(MASK[:, :0]))
    assert output.shape == ((BATCH, 0, UNITS) if return_sequences else (BATCH, UNITS))
    np.testing.assert_array_equal(output, 0)
    np.testing.assert_array_equal(last, state)
    for gradient in found:
        assert not np.any(gradient)


@pytest.mark.parametrize("in_graph", [False, True], ids=["eager", "graph"])
def test_stateful_layers_go_on_where_they_stopped(layer_class, inputs, in_graph):
    layer = built(layer_class, batch=BATCH, stateful=True, return_sequences=True)
    plain = built(layer_class, return_sequences=True)
    call = tf.function(layer, autograph=False) if in_graph else layer
    halves = [call(tf.constant(inputs[:, :2])), call(tf.constant(inputs[:, 2:]))]
    assert_all_close([tf.concat(halves, axis=1)], run(plain, inputs))
    layer.reset_state()
    assert_all_close([call(tf.constant(inputs[:, :2]))], halves[:1])


# Numbers


@pytest.mark.parametrize(("value", "mask"), [(np.nan, None), (np.inf, MASK)], ids=["nan", "inf, masked"])
def test_a_row_that_is_not_finite_stays_alone(layer_class, inputs, value, mask):
    layer = built(layer_class, **EVERYTHING)
    broken = inputs.copy()
    broken[1, 2] = value
    others = [0, 2, 3, 4]
    for output, expected in zip(run(layer, broken, mask=mask), run(layer, inputs, mask=mask), strict=True):
        assert not np.isfinite(output[1]).all()
        np.testing.assert_array_equal(output.numpy()[others], expected.numpy()[others])
    broken_gradient, clean_gradient = (gradients(layer, batch, mask=mask)[0].numpy() for batch in (broken, inputs))
    assert np.isfinite(clean_gradient).all()
    np.testing.assert_array_equal(broken_gradient[others], clean_gradient[others])


def test_mixed_precision(layer_class, inputs):
    exact = built(layer_class, return_sequences=True)
    mixed = built(layer_class, return_sequences=True, dtype="mixed_bfloat16")
    assert all(weight.dtype == "float32" for weight in mixed.weights)
    output = mixed(inputs, mask=tf.constant(MASK))
    assert output.dtype == tf.bfloat16
    np.testing.assert_allclose(tf.cast(output, tf.float32), exact(inputs, mask=tf.constant(MASK)), rtol=2e-2, atol=2e-2)
    expected = gradients(exact, inputs)
    for gradient, other in zip(gradients(mixed, inputs), expected, strict=True):
        assert gradient.dtype == tf.float32
        np.testing.assert_allclose(gradient, other, rtol=0.1, atol=0.05 * np.abs(other).max())


def test_a_long_memory_survives_mixed_precision(layer_class):
    """A decay of 0.999, which bfloat16 cannot tell from 1, over a thousand steps."""
    layer = layer_class(1, dtype="mixed_bfloat16", return_sequences=True)
    layer.build((None, None, FEATURES))
    kept = [-np.log(999), 0] if layer_class is MinGRU else [100, -np.log(998), 0]  # 1 / (1 + 1/999) = 0.999
    layer.set_weights([np.zeros(layer.cell.kernel.shape), np.array(kept)])
    output = layer(np.zeros((1, 1000, FEATURES), "float32"), initial_state=[tf.ones((1, 1))])
    np.testing.assert_allclose(tf.cast(output[0, -1], tf.float32), [0.999**1000], rtol=2e-2)


RATE, ROWS = 0.5, 300


@pytest.mark.parametrize("in_graph", [False, True], ids=["eager", "graph"])
def test_dropout_is_one_mask_of_the_features_for_all_steps(layer_class, in_graph):
    plain = built(layer_class, return_sequences=True)
    layer = built(layer_class, return_sequences=True, dropout=RATE, seed=1)
    layer.cell.set_weights(plain.cell.get_weights())
    row = np.random.default_rng(2).normal(size=(1, TIME, FEATURES)).astype(np.float32)
    batch = tf.constant(np.repeat(row, ROWS, axis=0))
    call = tf.function(layer, autograph=False) if in_graph else layer
    assert_all_close([call(batch, training=False)], [plain(batch)])
    factors = np.array(np.meshgrid(*[[0.0, 1 / (1 - RATE)]] * FEATURES)).reshape(FEATURES, -1).T  # every mask
    candidates = plain(row * factors[:, np.newaxis].astype(np.float32)).numpy()
    chosen = []
    for _ in range(2):
        distance = np.abs(call(batch, training=True).numpy()[:, np.newaxis] - candidates).max(axis=(2, 3))
        assert distance.min(axis=1).max() < 1e-5, "some row is explained by no mask that is constant over time"
        chosen.append(distance.argmin(axis=1))
        # Eight equally probable masks: the standard deviation of a frequency is 0.02.
        np.testing.assert_allclose(np.bincount(chosen[-1], minlength=8) / ROWS, 1 / 8, atol=0.08)
    assert np.mean(chosen[0] != chosen[1]) > 0.5


# Keras


def test_configuration_round_trip(layer_class):
    changed = {
        "units": UNITS,
        "activation": positive,
        "use_bias": False,
        "kernel_initializer": keras.initializers.Orthogonal(seed=1),
        "kernel_regularizer": keras.regularizers.L2(0.1),
        "bias_constraint": "max_norm",
        "dropout": 0.1,
        "seed": 3,
        "return_sequences": True,
        "return_state": True,
        "go_backwards": True,
        "zero_output_for_mask": True,
        "name": "layer",
        "dtype": "mixed_bfloat16",
    }
    layer = layer_class(**changed)
    text = json.dumps(keras.saving.serialize_keras_object(layer))
    copy = keras.saving.deserialize_keras_object(json.loads(text))
    assert type(copy) is layer_class
    assert copy.get_config() == layer.get_config() == layer_class.from_config(layer.get_config()).get_config()
    default = layer_class(1).get_config()
    assert {key for key in changed if layer.get_config()[key] != default[key]} == set(changed)
    assert copy.cell.activation is positive


def make_model(layer_class):
    model = keras.Sequential(
        [
            keras.Input((None, FEATURES)),
            keras.layers.Masking(),
            keras.layers.Bidirectional(layer_class(UNITS, return_sequences=True, dropout=0.1)),
            layer_class(UNITS, go_backwards=True, activation=positive),
            keras.layers.Dense(2),
        ]
    )
    randomise(model)
    return model


def test_files_bring_back_the_model(layer_class, inputs, tmp_path):
    model = make_model(layer_class)
    expected = model(inputs)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded.layers[-2]) is layer_class
    assert_all_close([loaded(inputs)], [expected])
    model.save_weights(tmp_path / "model.weights.h5")
    rebuilt = keras.models.model_from_json(model.to_json())
    assert np.abs(rebuilt(inputs) - expected).max() > 1e-3
    rebuilt.load_weights(tmp_path / "model.weights.h5")
    assert_all_close([rebuilt(inputs)], [expected])


@pytest.mark.slow
def test_fit_moves_every_weight_and_the_exported_model_needs_no_xla(layer_class, inputs, tmp_path):
    model = make_model(layer_class)
    before = [weight.numpy() for weight in model.trainable_weights]
    model.compile(keras.optimizers.Adam(0.01), "mse")
    history = model.fit(np.repeat(inputs, 4, axis=0), np.ones((4 * BATCH, 2)), epochs=1, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    for weight, old in zip(model.trainable_weights, before, strict=True):
        assert np.all(weight.numpy() != old), weight.path
    model.export(tmp_path / "exported", verbose=False)
    loaded = tf.saved_model.load(str(tmp_path / "exported"))
    for batch in (inputs, inputs[:1, :2], np.concatenate([inputs] * 7, axis=1)):
        assert_all_close([loaded.serve(batch)], [model(batch)], 1e-5)
    proto = saved_model_pb2.SavedModel.FromString((tmp_path / "exported" / "saved_model.pb").read_bytes())
    for function in proto.meta_graphs[0].graph_def.library.function:
        for attributes in (function.attr, *(node.attr for node in function.node_def)):
            assert not attributes["_XlaMustCompile"].b, function.signature.name


def test_bidirectional_is_one_layer_each_way(layer_class, inputs, state):
    wrapped = keras.layers.Bidirectional(layer_class(UNITS, **EVERYTHING))
    wrapped.build((None, None, FEATURES))
    randomise(wrapped)
    output, *last = wrapped(inputs, mask=tf.constant(MASK), initial_state=[state, -state])
    for direction, half, field, initial in zip((1, -1), np.split(output, 2, axis=-1), last, (1, -1), strict=True):
        layer = wrapped.forward_layer if direction == 1 else wrapped.backward_layer
        kernel, bias = layer.cell.kernel.numpy(), layer.cell.bias.numpy()
        mask = MASK[:, ::direction]
        hidden, end = paper(layer_class, inputs[:, ::direction], kernel, bias, initial * state, mask)
        expected = np.where(mask[..., np.newaxis], hidden, 0)[:, ::direction]  # Bidirectional has zeros at padding
        assert_all_close([half, field], [expected, end], 1e-5)


def test_functional_encoder_and_decoder(layer_class, inputs):
    """A mask made by another layer, and an initial state that is a tensor of the model."""
    symbolic = keras.Input((None, FEATURES))
    encoder, decoder = layer_class(UNITS, return_state=True), layer_class(UNITS, return_sequences=True)
    _, last = encoder(keras.layers.Masking(99.0)(symbolic))
    model = keras.Model(symbolic, decoder(symbolic, initial_state=[last]))
    assert model.output_shape == (None, None, UNITS)
    _, expected = encoder(tf.constant(inputs), mask=tf.constant(MASK))
    padded = np.where(MASK[..., np.newaxis], inputs, np.float32(99.0))
    assert_all_close([model(padded)], [decoder(padded, initial_state=[expected])])


def test_the_mask_goes_on_with_the_sequences(layer_class):
    mask = tf.constant(MASK)
    assert layer_class(UNITS).supports_masking
    assert layer_class(UNITS).compute_mask(None, mask) is None
    assert layer_class(UNITS, return_sequences=True).compute_mask(None, mask) is mask


# Bad input


@pytest.mark.parametrize("dropout", [-0.1, 1, 2.0])
def test_wrong_dropout(layer_class, dropout):
    with pytest.raises(ValueError, match=r"at least 0 and below 1\. Received: dropout="):
        layer_class(UNITS, dropout=dropout)
