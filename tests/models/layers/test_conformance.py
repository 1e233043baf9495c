"""The list that every recurrent layer goes through; a new layer is one more line in `LAYERS`."""

import itertools
import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

import models

TIME, BATCH, FEATURES, UNITS = 6, 4, 3, 5
# The layers of Keras that ours replace.
PEERS = {"SimpleRNN": keras.layers.SimpleRNN, "LSTM": keras.layers.LSTM, "GRU": keras.layers.GRU}
OPTIONS = {"layer_normalization": True, "zoneout": 0.2, "weight_dropout": 0.2, "trainable_initial_state": True}
LSTM_OPTIONS = OPTIONS | {"zoneout": [0.1, 0.3], "peepholes": True, "projection": UNITS - 2}
# What makes a layer of so many units: each layer without options, with all of them, and LSTM with one at a time.
LAYERS = {name: getattr(models, name) for name in PEERS}
LAYERS |= {
    f"{name}, all options": partial(layer, **(LSTM_OPTIONS if name == "LSTM" else OPTIONS))
    for name, layer in LAYERS.items()
}
ONE_OPTION = {f"LSTM, {option}": partial(models.LSTM, **{option: value}) for option, value in LSTM_OPTIONS.items()}
LAYERS |= ONE_OPTION
LENGTHS = np.array([6, 4, 1, 0])
MASK = np.arange(TIME) < LENGTHS[:, np.newaxis]  # (batch, time)


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.slow if name in ONE_OPTION else ()) for name in LAYERS])
def name(request):
    return request.param


@pytest.fixture
def ours(name):
    return LAYERS[name]


@pytest.fixture
def peer(name):
    return PEERS[name]


# For what is compared with Keras, or knows which random numbers are drawn.
without_options = pytest.mark.parametrize("name", PEERS, indirect=True)


def layer_type(name):
    return getattr(models, name.split(",")[0])


@pytest.fixture
def inputs():
    return np.random.default_rng(2).normal(size=(BATCH, TIME, FEATURES)).astype(np.float32)


def built(layer_class, units=UNITS, features=FEATURES, **options):
    """A layer none of whose weights is zero; the same weights for every class of the same shapes."""
    layer = layer_class(units, **options)
    layer.build((None, None, features))
    randomise(layer)
    return layer


def randomise(layer):
    random = np.random.default_rng(4)
    layer.set_weights([random.normal(scale=0.6, size=weight.shape) for weight in layer.get_weights()])


def states_of(layer, batch=BATCH):
    """An initial state that is not zero."""
    random = np.random.default_rng(6)
    return [tf.constant(random.normal(size=state.shape), tf.float32) for state in layer.get_initial_state(batch)]


def run(layer, inputs, **arguments):
    """All outputs in a list."""
    outputs = layer(tf.convert_to_tensor(inputs), **arguments)
    return list(outputs) if isinstance(outputs, list | tuple) else [outputs]


def gradients(layer, inputs, **arguments):
    """Of the weighted sum of all outputs, with respect to the inputs and to every weight."""
    inputs = tf.convert_to_tensor(inputs)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = run(layer, inputs, **arguments)
        importance = [tf.cos(tf.range(output.shape[-1], dtype=output.dtype)) for output in outputs]
        loss = tf.add_n([tf.reduce_sum(output * weight) for output, weight in zip(outputs, importance, strict=True)])
    return tape.gradient(loss, [inputs, *(weight.value for weight in layer.trainable_variables)])


def assert_all_close(ours, theirs, tolerance=1e-5):
    for tensor, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(tensor, other, rtol=tolerance, atol=tolerance)


# Configuration and files


def test_configuration_round_trip(name, ours):
    layer = ours(
        UNITS,
        activation="relu",
        use_bias=False,
        kernel_initializer=keras.initializers.Orthogonal(seed=1),
        kernel_regularizer=keras.regularizers.L2(0.1),
        recurrent_constraint="max_norm",
        dropout=0.1,
        recurrent_dropout=0.2,
        seed=3,
        return_sequences=True,
        return_state=True,
        go_backwards=True,
        zero_output_for_mask=True,
        name="layer",
        dtype="mixed_bfloat16",
    )
    text = json.dumps(keras.saving.serialize_keras_object(layer))
    copy = keras.saving.deserialize_keras_object(json.loads(text))
    assert type(copy) is layer_type(name)
    assert copy.get_config() == layer.get_config() == layer_type(name).from_config(layer.get_config()).get_config()
    changed = {"units": UNITS, "recurrent_dropout": 0.2, "go_backwards": True, "use_bias": False}
    changed |= getattr(ours, "keywords", {})
    assert {key: copy.get_config()[key] for key in changed} == changed


def make_model(layer_class):
    model = keras.Sequential(
        [
            keras.Input((None, FEATURES)),
            keras.layers.Masking(),
            keras.layers.Bidirectional(layer_class(UNITS, return_sequences=True, dropout=0.1, recurrent_dropout=0.1)),
            layer_class(UNITS, go_backwards=True),
            keras.layers.Dense(2),
        ]
    )
    randomise(model)
    return model


FRESH_PROCESS = """
import gc, os, pathlib, sys
gc.disable()
import keras, numpy
import models
folder = pathlib.Path(sys.argv[1])
inputs = numpy.load(folder / "inputs.npy")
for name in sys.argv[2:]:
    loaded = keras.saving.load_model(folder / f"{name}.keras")
    rebuilt = keras.models.model_from_json((folder / f"{name}.json").read_text())
    rebuilt.load_weights(folder / f"{name}.weights.h5")
    for model in (loaded, rebuilt):
        assert type(model.layers[-2]) is getattr(models, name.split(",")[0]), model.layers
    numpy.savez(folder / f"{name}.npz", loaded=loaded(inputs), rebuilt=rebuilt(inputs))
os._exit(0)  # without a look for garbage, which takes TensorFlow's seconds
"""


@pytest.fixture(scope="module")
def fresh_process(tmp_path_factory):
    """The outputs of every layer's model after a journey through files into another process."""
    folder = tmp_path_factory.mktemp("models")
    inputs = np.random.default_rng(2).normal(size=(BATCH, TIME, FEATURES)).astype(np.float32)
    np.save(folder / "inputs.npy", inputs)
    expected = {}
    for name, layer_class in LAYERS.items():
        model = make_model(layer_class)
        model.save(folder / f"{name}.keras")
        model.save_weights(folder / f"{name}.weights.h5")
        (folder / f"{name}.json").write_text(model.to_json())
        expected[name] = model(inputs)
    # From the root of the repository, so that `import models` finds what this process tests.
    root = Path(models.__file__).parents[1]
    command = [sys.executable, "-c", FRESH_PROCESS, str(folder), *LAYERS]
    process = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    return {name: (expected[name], np.load(folder / f"{name}.npz")) for name in LAYERS}


@pytest.mark.slow
def test_files_in_a_fresh_process(name, fresh_process):
    expected, received = fresh_process[name]
    np.testing.assert_allclose(received["loaded"], expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(received["rebuilt"], expected, rtol=1e-6, atol=1e-6)


@without_options
def test_weights_are_exchanged_with_keras(ours, peer, inputs, tmp_path):
    ours_model, peer_model = make_model(ours), make_model(peer)
    expected = peer_model(inputs)
    empty = [0 * weight for weight in peer_model.get_weights()]
    assert np.abs(expected).max() > 0.1
    for source, target in ((ours_model, peer_model), (peer_model, ours_model)):
        target.set_weights(empty)
        target.set_weights(source.get_weights())
        np.testing.assert_allclose(target(inputs), expected, rtol=1e-5, atol=1e-5)
        source.save_weights(tmp_path / "exchanged.weights.h5")
        target.set_weights(empty)
        target.load_weights(tmp_path / "exchanged.weights.h5")
        np.testing.assert_allclose(target(inputs), expected, rtol=1e-5, atol=1e-5)


# Inside models


@without_options
def test_bidirectional_equals_keras(ours, peer, inputs):
    wrapped = []
    for layer_class in (ours, peer):
        layer = keras.layers.Bidirectional(layer_class(UNITS, return_sequences=True, return_state=True))
        layer.build((None, None, FEATURES))
        randomise(layer)
        wrapped.append(layer)
    assert type(wrapped[0].backward_layer) is ours
    assert_all_close(*(run(layer, inputs, mask=tf.constant(MASK)) for layer in wrapped))
    assert_all_close(*(gradients(layer, inputs, mask=tf.constant(MASK)) for layer in wrapped))


@without_options
def test_functional_encoder_and_decoder_equal_keras(ours, peer, inputs):
    """A mask made by another layer, and an initial state that is a tensor of the model."""
    outputs = []
    for layer_class in (ours, peer):
        symbolic = keras.Input((None, FEATURES))
        _, *state = layer_class(UNITS, return_state=True)(keras.layers.Masking(99.0)(symbolic))
        decoded = layer_class(UNITS, return_sequences=True)(symbolic, initial_state=state)
        model = keras.Model(symbolic, decoded)
        randomise(model)
        outputs.append(model(np.where(MASK[..., np.newaxis], inputs, np.float32(99.0))))
    assert outputs[0].shape == (BATCH, TIME, UNITS)
    assert_all_close(*outputs)


def assert_exports(model, inputs, folder):
    """An exported model gives the same for any batch and any time, and asks nobody for XLA."""
    model.export(folder, verbose=False)
    loaded = tf.saved_model.load(str(folder))
    for batch in (inputs, inputs[:1, :2], np.concatenate([inputs, inputs], axis=1)):
        np.testing.assert_allclose(loaded.serve(batch), model(batch), rtol=1e-5, atol=1e-5)
    proto = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    functions = proto.meta_graphs[0].graph_def.library.function
    assert any("while_body" in function.signature.name for function in functions)  # the loop is among them
    for function in functions:
        assert not function.attr["_XlaMustCompile"].b, function.signature.name
        assert not any(node.attr["_XlaMustCompile"].b for node in function.node_def), function.signature.name


def make_small_model(layer_class):
    model = keras.Sequential(
        [keras.Input((None, FEATURES)), keras.layers.Masking(), layer_class(UNITS), keras.layers.Dense(2)]
    )
    randomise(model)
    return model


def test_fit_moves_every_weight_and_leaves_an_exportable_model(ours, inputs, tmp_path):
    model = make_small_model(ours)
    before = model.get_weights()
    model.compile(keras.optimizers.Adam(0.01), "mse")
    history = model.fit(np.repeat(inputs, 8, axis=0), np.ones((8 * BATCH, 2)), batch_size=8, epochs=1, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    for weight, old in zip(model.weights, before, strict=True):
        moved = weight.numpy() != old
        # Weight drop may drop an element at every step of so short a training.
        dropped = getattr(ours, "keywords", {}).get("weight_dropout") and weight.path.endswith("recurrent_kernel")
        assert np.mean(moved) > 0.95 if dropped else np.all(moved), weight.path
    assert_exports(model, inputs, tmp_path / "exported")


@pytest.mark.parametrize("training", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["inference", "training"])
def test_mixed_precision(name, ours, inputs, training):
    exact = built(ours, return_sequences=True)
    mixed = built(ours, return_sequences=True, return_state=True, dtype="mixed_bfloat16")
    assert all(weight.dtype == "float32" for weight in mixed.weights)
    mask = tf.constant(MASK)
    call = tf.function(mixed, autograph=False)
    output, *state = call(inputs, mask=mask, training=training)
    assert {output.dtype, *(field.dtype for field in state)} == {tf.bfloat16}
    if not training or name in PEERS:  # the options draw random numbers in training
        np.testing.assert_allclose(tf.cast(output, tf.float32), exact(inputs, mask=mask), rtol=3e-2, atol=3e-2)
    for gradient in gradients(mixed, inputs, mask=mask):
        assert gradient.dtype == tf.float32
        assert np.isfinite(gradient).all()
        assert np.abs(gradient).max() > 0


# Time


def test_chunked_equals_whole(ours, inputs):
    layer = built(ours, return_sequences=True, return_state=True)
    whole, *last = run(layer, inputs, mask=tf.constant(MASK))
    chunks, state = [], None
    for first, after in ((0, 1), (1, 3), (3, 3), (3, 6)):  # one step, some, none, the rest
        chunk, *state = run(layer, inputs[:, first:after], initial_state=state, mask=tf.constant(MASK[:, first:after]))
        chunks.append(chunk)
    # What stands at padding differs: the last output of this call, zeros where there is none yet.
    counts = MASK[..., np.newaxis]
    assert_all_close([tf.where(counts, tf.concat(chunks, axis=1), 0)], [tf.where(counts, whole, 0)], 1e-6)
    assert_all_close(state, last, 1e-6)


def test_unrolled_equals_the_loop_and_has_none(ours, inputs):
    """In training, too, where XLA does not compile it."""
    layers = [built(ours, return_sequences=True, unroll=unroll, seed=1) for unroll in (True, False)]
    found = [run(layer, inputs, mask=tf.constant(MASK)) for layer in layers]
    assert_all_close(*found, 1e-6)
    call = tf.function(layers[0], autograph=False).get_concrete_function(
        tf.TensorSpec((None, TIME, FEATURES)), mask=tf.TensorSpec((None, TIME), tf.bool), training=True
    )
    operations = call.graph.as_graph_def()
    names = [node.op for node in operations.node]
    names += [node.op for function in operations.library.function for node in function.node_def]
    assert "MatMul" in names
    assert not {"While", "StatelessWhile"} & set(names)
    with pytest.raises(ValueError, match="Cannot unroll a RNN if the time dimension is undefined"):
        tf.function(layers[0], autograph=False).get_concrete_function(tf.TensorSpec((BATCH, None, FEATURES)))


def test_a_state_of_one_row_is_that_of_all(ours, inputs):
    layer = built(ours, return_sequences=True, return_state=True)
    state = states_of(layer, 1)
    repeated = [tf.repeat(field, BATCH, axis=0) for field in state]
    assert_all_close(run(layer, inputs, initial_state=state), run(layer, inputs, initial_state=repeated), 0)


def test_ragged_equals_padded_and_masked(ours, inputs):
    """Through two layers: the mask is passed on."""
    layers = [built(ours, return_sequences=True), built(ours, features=ours(UNITS).cell.output_size)]
    ragged = tf.RaggedTensor.from_tensor(inputs, lengths=LENGTHS)
    hidden, expected = layers[0](ragged), layers[0](inputs, mask=tf.constant(MASK))
    assert_all_close([hidden], [expected], 0)
    assert_all_close([layers[1](hidden)], [layers[1](expected, mask=tf.constant(MASK))], 0)
    with pytest.raises(ValueError, match="lengths of a RaggedTensor are its mask"):
        layers[0](ragged, mask=tf.constant(MASK))


def test_padded_equals_unpadded(ours, inputs):
    padded = np.where(MASK[..., np.newaxis], inputs, np.float32(1e3))
    layer = built(ours, return_sequences=True, return_state=True)
    output, *state = run(layer, padded, mask=tf.constant(MASK))
    layer.return_sequences = False  # so that the sum whose gradients are taken does not count padding
    input_gradient, *weight_gradients = gradients(layer, padded, mask=tf.constant(MASK))
    total = [tf.zeros_like(gradient) for gradient in weight_gradients]
    for row, length in enumerate(LENGTHS):
        np.testing.assert_array_equal(input_gradient[row, length:], 0)
        alone = padded[row : row + 1, :length]
        layer.return_sequences = True
        expected, *last = run(layer, alone)
        np.testing.assert_allclose(output[row, :length], expected[0], rtol=1e-6, atol=1e-6)
        if length:
            np.testing.assert_allclose(state[0][row], output[row, length - 1], rtol=1e-6, atol=1e-6)
        assert_all_close([field[row] for field in state], [field[0] for field in last], 1e-6)
        layer.return_sequences = False
        expected, *parts = gradients(layer, alone)
        np.testing.assert_allclose(input_gradient[row, :length], expected[0], rtol=1e-5, atol=1e-6)
        total = [so_far + part for so_far, part in zip(total, parts, strict=True)]
    assert_all_close(weight_gradients, total)


@without_options
def test_one_step_equals_keras(ours, peer, inputs):
    layers = [built(layer_class, return_sequences=True, return_state=True) for layer_class in (ours, peer)]
    assert_all_close(*(run(layer, inputs[:, :1]) for layer in layers))
    assert_all_close(*(gradients(layer, inputs[:, :1]) for layer in layers))


@pytest.mark.parametrize(
    ("time", "masked", "return_sequences"),
    [("eager", True, True), (0, False, True), (None, False, False), (None, True, True)],
    ids=["eager", "time known", "time unknown, last", "time unknown, masked"],
)
def test_no_steps_leave_the_state_as_it_was(ours, inputs, time, masked, return_sequences):
    """Where Keras cannot: eager, in a graph made for no steps, and in a graph made for any number of steps."""
    layer = built(ours, return_sequences=return_sequences, return_state=True)
    state = states_of(layer)

    def call(inputs, mask):
        with tf.GradientTape() as tape:
            output, *last = layer(inputs, initial_state=state, mask=mask if masked else None)
        return output, last, tape.gradient([output, *last], [weight.value for weight in layer.trainable_variables])

    if time != "eager":
        signature = [tf.TensorSpec((None, time, FEATURES)), tf.TensorSpec((None, time), tf.bool)]
        call = tf.function(call, input_signature=signature, autograph=False)
    output, last, found = call(tf.constant(inputs[:, :0]), tf.constant(MASK[:, :0]))
    width = layer.cell.output_size
    assert output.shape == ((BATCH, 0, width) if return_sequences else (BATCH, width))
    np.testing.assert_array_equal(output, 0)
    assert_all_close(last, state, 0)
    for gradient in found:  # None where the state that was passed takes the place of the trained one
        assert gradient is None or not np.any(gradient)


def test_a_row_of_nothing_but_padding(ours, inputs):
    layer = built(ours, return_sequences=True, return_state=True)
    state = states_of(layer)
    output, *last = run(layer, inputs, initial_state=state, mask=tf.constant(MASK))
    (empty,) = np.flatnonzero(LENGTHS == 0)
    np.testing.assert_array_equal(output[empty], 0)
    assert_all_close([field[empty] for field in last], [field[empty] for field in state], 0)
    np.testing.assert_array_equal(gradients(layer, inputs, mask=tf.constant(MASK))[0][empty], 0)


# Numbers


@pytest.mark.parametrize(("value", "mask"), [(np.nan, None), (np.inf, MASK)], ids=["nan", "inf, masked"])
def test_a_row_that_is_not_finite_stays_alone(ours, inputs, value, mask):
    layer = built(ours, return_sequences=True, return_state=True)
    broken = inputs.copy()
    broken[1, 2] = value
    others = [0, 2, 3]
    clean_outputs, broken_outputs = run(layer, inputs, mask=mask), run(layer, broken, mask=mask)
    for output, expected in zip(broken_outputs, clean_outputs, strict=True):
        assert not np.isfinite(output[1]).all()
        np.testing.assert_array_equal(output.numpy()[others], expected.numpy()[others])
    clean_gradient, broken_gradient = (gradients(layer, batch, mask=mask)[0].numpy() for batch in (inputs, broken))
    assert np.isfinite(clean_gradient).all()
    np.testing.assert_array_equal(broken_gradient[others], clean_gradient[others])


@pytest.mark.parametrize("mode", ["eager", pytest.param("compiled", marks=pytest.mark.slow)])
def test_padding_that_is_not_finite_reaches_nothing(ours, inputs, mode):
    layer = built(ours, return_sequences=True, return_state=True, seed=1)
    seed = layer.cell.seed_generator.state
    start = seed.numpy()
    find = partial(gradients, layer, mask=tf.constant(MASK), training=mode == "compiled")
    find = find if mode == "eager" else tf.function(find, autograph=False)

    def found(padding):
        seed.assign(start)  # so that the same random numbers are drawn
        return find(tf.constant(np.where(MASK[..., np.newaxis], inputs, padding), tf.float32))

    expected = found(0)
    for value in (np.nan, np.inf):
        received = found(value)
        assert all(np.isfinite(gradient).all() for gradient in received)
        assert_all_close(received, expected, 1e-6)


def test_every_weight_has_a_gradient(ours, inputs):
    layer = built(ours)
    weight_gradients = gradients(layer, inputs)[1:]
    assert len(weight_gradients) == len(layer.trainable_variables)
    for weight, gradient in zip(layer.trainable_variables, weight_gradients, strict=True):
        assert gradient.shape == weight.shape
        assert np.all(gradient.numpy() != 0), weight.path


@pytest.mark.parametrize("mode", ["eager", pytest.param("training", marks=pytest.mark.slow)])
def test_a_second_derivative_is_refused(ours, inputs, mode):
    layer = built(ours)

    def second_derivative(inputs):
        with tf.GradientTape() as outer:
            outer.watch(inputs)
            with tf.GradientTape() as inner:
                inner.watch(inputs)
                loss = tf.reduce_sum(layer(inputs, training=mode == "training"))
            first = inner.gradient(loss, inputs)
        return outer.gradient(first, inputs)

    if mode != "eager":
        signature = [tf.TensorSpec((None, None, FEATURES))]
        second_derivative = tf.function(second_derivative, input_signature=signature, autograph=False)
    with pytest.raises(NotImplementedError, match=r"second derivative .*keras\.layers.* Received: \w+Recurrence"):
        second_derivative(tf.constant(inputs))


# Dropout

EAGER_AND_COMPILED = pytest.mark.parametrize(
    "in_graph", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["eager", "compiled"]
)
RATE, ROWS = 0.5, 300
# Kept units count double, so that the expectation of a mask is 1.
FACTORS = np.array(list(itertools.product([0.0, 1 / (1 - RATE)], repeat=3)), np.float32)  # every mask of three units


def dropped_runs(layer_class, in_graph, **options):
    """The same layer without and with dropout, a batch of equal rows, and two training runs on it."""
    plain = built(layer_class, units=3, return_sequences=True)
    layer = built(layer_class, units=3, return_sequences=True, seed=1, **options)
    layer.set_weights(plain.get_weights())
    row = np.random.default_rng(2).normal(size=(1, TIME, FEATURES)).astype(np.float32)
    batch = tf.constant(np.repeat(row, ROWS, axis=0))
    call = tf.function(layer, autograph=False) if in_graph else layer
    np.testing.assert_allclose(layer(batch, training=False), plain(batch), rtol=1e-6, atol=1e-6)
    return plain, row, [call(batch, training=True).numpy() for _ in range(2)]


def assert_masks(outputs, candidates):
    """Every row is one of the candidates, at every step; all masks are equally frequent, and drawn anew."""
    chosen = []
    for output in outputs:
        distance = np.abs(output[:, np.newaxis] - candidates).max(axis=(2, 3))  # (rows, masks)
        assert distance.min(axis=1).max() < 1e-5, "some row is explained by no mask that is constant over time"
        chosen.append(distance.argmin(axis=1))
        # Eight equally probable masks: the standard deviation of a frequency is 0.02, of the mean factor 0.03.
        np.testing.assert_allclose(np.bincount(chosen[-1], minlength=8) / ROWS, 1 / 8, atol=0.08)
        np.testing.assert_allclose(FACTORS[chosen[-1]].mean(), 1, atol=0.12)
    assert np.mean(chosen[0] != chosen[1]) > 0.5


@without_options
@EAGER_AND_COMPILED
def test_recurrent_dropout_is_one_mask_of_the_units_for_all_steps(ours, in_graph):
    """Dropping units before the recurrent product is scaling the rows of the recurrent kernel."""
    plain, row, outputs = dropped_runs(ours, in_graph, recurrent_dropout=RATE)
    kernel = plain.cell.recurrent_kernel.numpy()
    candidates = []
    for factors in FACTORS:
        plain.cell.recurrent_kernel.assign(kernel * factors[:, np.newaxis])
        candidates.append(plain(row)[0].numpy())
    assert_masks(outputs, np.stack(candidates))


@without_options
@EAGER_AND_COMPILED
def test_dropout_is_one_mask_of_the_features_for_all_steps(ours, in_graph):
    plain, row, outputs = dropped_runs(ours, in_graph, dropout=RATE)
    assert_masks(outputs, plain(row * FACTORS[:, np.newaxis]).numpy())
