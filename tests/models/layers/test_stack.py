"""`Stack` against layers of Keras put together by hand, in chunks, through files, and with padding."""

import gc
import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.backend.common import global_state
from keras.src.saving.serialization_lib import ObjectSharingScope
from tensorflow.core.protobuf import saved_model_pb2

import models
from models.layers.stack import LAYERS, Stack

TIME, BATCH, FEATURES, UNITS, DEPTH = 6, 4, 3, 5, 3
LENGTHS = np.array([6, 4, 1, 0])
MASK = np.arange(TIME) < LENGTHS[:, np.newaxis]  # (batch, time)
EVERYTHING = {"depth": DEPTH, "residual": True, "normalization": "layer"}
BOTH = {"return_sequences": True, "return_state": True}
directions = pytest.mark.parametrize("bidirectional", [False, True], ids=["one direction", "both"])


@pytest.fixture(params=LAYERS)
def layer(request):
    return request.param


@pytest.fixture
def inputs():
    return np.random.default_rng(2).normal(size=(BATCH, TIME, FEATURES)).astype(np.float32)


def built(layer, **options):
    """A stack none of whose weights is zero; the same weights every time."""
    stack = Stack(layer, UNITS, **{**EVERYTHING, **options})
    stack.build((None, None, FEATURES))
    randomise(stack)
    return stack


def randomise(layer):
    random = np.random.default_rng(4)
    layer.set_weights([random.normal(scale=0.6, size=weight.shape) for weight in layer.get_weights()])


def weight_gradients(stack, inputs, **arguments):
    """Of a weighted sum of the outputs, with respect to the inputs and every weight."""
    inputs = tf.convert_to_tensor(inputs)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        output = stack(inputs, **arguments)
        loss = tf.reduce_sum(output * tf.cos(tf.range(output.shape[-1], dtype=output.dtype)))
    return tape.gradient(loss, [inputs, *(weight.value for weight in stack.trainable_variables)])


def assert_all_close(ours, theirs, tolerance=1e-5):
    ours, theirs = tf.nest.flatten(ours), tf.nest.flatten(theirs)
    for tensor, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(tensor, other, rtol=tolerance, atol=tolerance)


# What it computes


@directions
@pytest.mark.parametrize("residual", [False, True], ids=["plain", "residual"])
@pytest.mark.parametrize("normalization", [None, "layer"])
def test_equals_layers_of_keras_by_hand(inputs, bidirectional, residual, normalization):
    stack = built("gru", bidirectional=bidirectional, residual=residual, normalization=normalization, **BOTH)
    hidden, states = tf.constant(inputs), []
    for index in range(DEPTH):
        peer = keras.layers.GRU(UNITS, **BOTH)
        peer = keras.layers.Bidirectional(peer) if bidirectional else peer
        peer.build(hidden.shape)
        peer.set_weights(stack.recurrent[index].get_weights())
        below, (hidden, *state) = hidden, peer(hidden, mask=tf.constant(MASK))
        states.append(state)
        if residual and index > 0:  # the features are not as wide as the first layer's output
            hidden = below + hidden
        if normalization:
            scale, shift = stack.norms[index].get_weights()
            mean, variance = tf.nn.moments(hidden, -1, keepdims=True)
            hidden = scale * (hidden - mean) / tf.sqrt(variance + 1e-3) + shift
    output, state = stack(inputs, mask=tf.constant(MASK))
    assert output.shape == (BATCH, TIME, UNITS * (2 if bidirectional else 1))
    assert_all_close(output, tf.where(MASK[..., np.newaxis], hidden, 0))
    assert_all_close(state, states)


def test_first_layer_is_residual_where_the_features_are_as_wide():
    wide = np.random.default_rng(3).normal(size=(BATCH, TIME, UNITS)).astype(np.float32)
    stack = Stack("gru", UNITS, residual=True, return_sequences=True)
    np.testing.assert_allclose(stack(wide), wide + stack.recurrent[0](wide)[0], rtol=1e-6, atol=1e-6)


@directions
@pytest.mark.parametrize("masked", [False, True], ids=["whole rows", "masked"])
def test_last_output_is_where_each_direction_ends(layer, inputs, bidirectional, masked):
    stack = built(layer, bidirectional=bidirectional)
    mask = np.roll(MASK, 1, axis=1) if masked else np.ones_like(MASK)  # a step of padding before the rows, too
    last = stack(inputs, mask=tf.constant(mask) if masked else None).numpy()
    stack.return_sequences = True
    whole = stack(inputs, mask=tf.constant(mask)).numpy()
    for row, counts in enumerate(mask):
        steps = np.flatnonzero(counts)
        if not len(steps):
            np.testing.assert_array_equal(last[row], 0)
            continue
        np.testing.assert_allclose(last[row, :UNITS], whole[row, steps[-1], :UNITS], rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(last[row, UNITS:], whole[row, steps[0], UNITS:], rtol=1e-6, atol=1e-6)


def test_layers_do_not_share_what_an_initializer_draws():
    options = {"kernel_initializer": keras.initializers.GlorotUniform()}
    stack = Stack("gru", UNITS, depth=2, layer_options=options)
    stack(np.zeros((1, 1, UNITS), "float32"))
    first, second = (layer.get_weights()[0] for layer in stack.recurrent)
    assert np.abs(first - second).max() > 0.01


def test_layer_options_reach_every_layer():
    stack = Stack("lstm", UNITS, depth=2, bidirectional=True, layer_options={"recurrent_dropout": 0.25})
    cells = [half.cell for layer in stack.recurrent for half in (layer.forward_layer, layer.backward_layer)]
    assert [cell.recurrent_dropout for cell in cells] == [0.25] * 4


def test_a_trained_initial_state_is_zero_before_the_first_call():
    stack = models.Stack("lstm", 3, depth=2, return_state=True, layer_options={"trainable_initial_state": True})
    for field in tf.nest.flatten(stack.initial_state(2)):
        np.testing.assert_array_equal(field, np.zeros((2, 3)))


def test_layers_with_a_projection_and_a_trained_initial_state_stream(inputs):
    options = {"projection": 2, "trainable_initial_state": True}
    stack = built("lstm", layer_options=options, **BOTH)
    whole, last = stack(inputs)
    assert whole.shape == (BATCH, TIME, 2)
    first, state = stack(inputs[:, :2], initial_state=stack.initial_state(BATCH))
    rest, state = stack(inputs[:, 2:], initial_state=state)
    assert_all_close([tf.concat([first, rest], axis=1), state], [whole, last], 1e-6)
    assert np.abs(stack.initial_state(BATCH)[0][0]).max() > 0.01


def test_dropout_is_drawn_in_training_only_and_once_for_all_steps(inputs):
    stack = Stack("simple_rnn", UNITS, dropout=0.5, return_sequences=True, seed=1)
    batch = np.repeat(inputs[:1], 50, axis=0)
    # Not to the last bit on every processor: a batch of one takes another product.
    np.testing.assert_allclose(stack(batch), np.repeat(stack(batch[:1]), 50, axis=0), rtol=1e-5, atol=1e-6)
    drawn = stack(batch, training=True).numpy()
    kernel, *_ = stack.get_weights()
    candidates = []
    for factors in np.stack(np.meshgrid(*[[0.0, 2.0]] * FEATURES), -1).reshape(-1, FEATURES):
        stack.set_weights([kernel * factors[:, np.newaxis], *stack.get_weights()[1:]])
        candidates.append(stack(batch[:1])[0].numpy())
    distance = np.abs(drawn[:, np.newaxis] - candidates).max(axis=(2, 3))  # (rows, masks)
    assert distance.min(axis=1).max() < 1e-5
    assert len(set(distance.argmin(axis=1))) > 4


def test_every_weight_has_a_gradient(layer, inputs):
    for bidirectional in (False, True):
        stack = built(layer, bidirectional=bidirectional)
        found = weight_gradients(stack, inputs)[1:]
        for weight, gradient in zip(stack.trainable_variables, found, strict=True):
            assert np.all(gradient.numpy() != 0), weight.path


# Time


def test_chunked_equals_whole(layer, inputs):
    stack = built(layer, **BOTH)
    whole, last = stack(inputs, mask=tf.constant(MASK))
    chunks, state = [], stack.initial_state(BATCH)
    for first, after in ((0, 1), (1, 3), (3, 3), (3, 6)):  # one step, some, none, the rest
        chunk, state = stack(inputs[:, first:after], initial_state=state, mask=tf.constant(MASK[:, first:after]))
        chunks.append(chunk)
    assert_all_close(tf.concat(chunks, axis=1), whole, 1e-6)
    assert_all_close(state, last, 1e-6)


@directions
def test_padded_equals_unpadded(layer, inputs, bidirectional):
    stack = built(layer, bidirectional=bidirectional, return_sequences=True)
    padded = np.where(MASK[..., np.newaxis], inputs, np.float32(np.nan))
    output = stack(padded, mask=tf.constant(MASK))
    input_gradient, *gradients = weight_gradients(stack, padded, mask=tf.constant(MASK))
    total = [tf.zeros_like(gradient) for gradient in gradients]
    for row, length in enumerate(LENGTHS):
        np.testing.assert_array_equal(output[row, length:], 0)
        np.testing.assert_array_equal(input_gradient[row, length:], 0)
        alone = inputs[row : row + 1, :length]
        np.testing.assert_allclose(output[row, :length], stack(alone)[0], rtol=1e-5, atol=1e-6)
        if length:
            expected, *parts = weight_gradients(stack, alone)
            np.testing.assert_allclose(input_gradient[row, :length], expected[0], rtol=1e-4, atol=1e-5)
            total = [so_far + part for so_far, part in zip(total, parts, strict=True)]
    assert_all_close(gradients, total, 1e-4)


def test_padding_that_the_first_layer_adds_reaches_nothing():
    stack = Stack("gru", UNITS, **EVERYTHING)
    rows = np.ones((BATCH, TIME, UNITS), np.float32)
    found, expected = (
        weight_gradients(stack, np.where(MASK[..., np.newaxis], rows, np.float32(padding)), mask=tf.constant(MASK))
        for padding in (np.nan, 0)
    )
    assert_all_close(found, expected, 1e-6)


@directions
def test_no_steps(layer, bidirectional):
    stack = built(layer, bidirectional=bidirectional)
    width = UNITS * (2 if bidirectional else 1)
    empty = np.zeros((BATCH, 0, FEATURES), np.float32)
    np.testing.assert_array_equal(stack(empty), np.zeros((BATCH, width)))
    stack.return_sequences = True
    assert stack(empty).shape == (BATCH, 0, width)


def test_a_row_that_is_not_finite_stays_alone(inputs):
    stack = built("lstm", return_sequences=True)
    broken = inputs.copy()
    broken[1, 2] = np.nan
    output, expected = stack(broken).numpy(), stack(inputs).numpy()
    assert not np.isfinite(output[1]).all()
    np.testing.assert_array_equal(output[[0, 2, 3]], expected[[0, 2, 3]])


# As a layer of Keras


@pytest.mark.slow
def test_compiled_training_step_equals_eager(inputs):
    stack = built("lstm", bidirectional=True)
    call = tf.function(lambda batch: stack(batch, mask=tf.constant(MASK), training=True), autograph=False)
    np.testing.assert_allclose(call(inputs), stack(inputs, mask=tf.constant(MASK)), rtol=1e-5, atol=1e-5)


def test_mixed_precision(layer, inputs):
    exact, mixed = built(layer), built(layer, dtype="mixed_bfloat16", return_state=True)
    assert {weight.dtype for weight in mixed.weights} == {"float32"}
    output, state = mixed(inputs, mask=tf.constant(MASK))
    assert {tensor.dtype for tensor in tf.nest.flatten([output, state])} == {tf.bfloat16}
    np.testing.assert_allclose(tf.cast(output, tf.float32), exact(inputs, mask=tf.constant(MASK)), rtol=0.1, atol=0.1)


def test_configuration_round_trip(layer):
    options = {"kernel_initializer": keras.initializers.Orthogonal(gain=0.5), "use_bias": False}
    stack = Stack(layer, UNITS, dropout=0.2, seed=3, layer_options=options, name="stack", **EVERYTHING, **BOTH)
    text = json.dumps(keras.saving.serialize_keras_object(stack))
    copy = keras.saving.deserialize_keras_object(json.loads(text))
    assert type(copy) is Stack
    assert copy.get_config() == stack.get_config()
    assert [cell.use_bias for cell in (layer.cell for layer in copy.recurrent)] == [False] * DEPTH
    assert copy.recurrent[0].cell.kernel_initializer.gain == 0.5


def make_model(layer, bidirectional):
    symbolic = keras.Input((None, FEATURES))
    stack = Stack(layer, UNITS, bidirectional=bidirectional, return_sequences=True, **EVERYTHING)
    hidden = stack(keras.layers.Masking()(symbolic))
    # The mask goes on: the mean is over the steps that count.
    model = keras.Model(symbolic, keras.layers.GlobalAveragePooling1D()(hidden))
    randomise(model)
    return model


def test_mask_of_keras_is_obeyed_and_goes_on(inputs):
    padded = np.where(MASK[..., np.newaxis], inputs, np.float32(0))
    model = make_model("gru", bidirectional=True)
    for row, length in enumerate(LENGTHS[:-1]):
        alone = model(padded[row : row + 1, :length])
        np.testing.assert_allclose(model(padded)[row], alone[0], rtol=1e-5, atol=1e-5)


FRESH_PROCESS = """
import gc, os, pathlib, sys
gc.disable()
import keras, numpy
import models
folder = pathlib.Path(sys.argv[1])
inputs = numpy.load(folder / "inputs.npy")
for file in folder.glob("*.keras"):
    numpy.save(file.with_suffix(".npy"), keras.saving.load_model(file)(inputs))
os._exit(0)  # without a look for garbage, which takes TensorFlow's seconds
"""


@pytest.mark.slow
def test_files_in_a_fresh_process(inputs, tmp_path):
    files = {f"{layer}-{both}": make_model(layer, both) for layer in LAYERS for both in (False, True)}
    np.save(tmp_path / "inputs.npy", inputs)
    for name, model in files.items():
        model.save(tmp_path / f"{name}.keras")
    command = [sys.executable, "-c", FRESH_PROCESS, str(tmp_path)]
    process = subprocess.run(command, cwd=Path(models.__file__).parents[1], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    for name, model in files.items():
        np.testing.assert_allclose(np.load(tmp_path / f"{name}.npy"), model(inputs), rtol=1e-6, atol=1e-6)


@pytest.mark.slow
def test_what_is_made_while_a_file_is_loaded_is_not_forgotten():
    # Keras keeps addresses in a table then; a layer at the address of a forgotten one would be taken for it.
    with ObjectSharingScope():
        stacks = [Stack("gru", UNITS, depth=2, bidirectional=True) for _ in range(2)]
        gc.unfreeze()  # what the tests have frozen, for `get_objects`
        gc.collect()
        addresses = set(global_state.get_global_attribute("shared_objects/id_to_config_map"))
        assert len(addresses) > len(stacks)
        assert not addresses - {id(each) for each in gc.get_objects()}


@pytest.mark.slow
@pytest.mark.parametrize("layer", ["lstm", "min_gru"])
def test_exported_equals_in_memory_and_needs_no_xla(layer, inputs, tmp_path):
    model = make_model(layer, bidirectional=layer == "lstm")
    model.export(tmp_path / "exported", verbose=False)
    loaded = tf.saved_model.load(str(tmp_path / "exported"))
    for batch in (inputs, inputs[:1, :2], np.concatenate([inputs, inputs], axis=1)):
        np.testing.assert_allclose(loaded.serve(batch), model(batch), rtol=1e-5, atol=1e-5)
    proto = saved_model_pb2.SavedModel.FromString((tmp_path / "exported" / "saved_model.pb").read_bytes())
    functions = proto.meta_graphs[0].graph_def.library.function
    assert not any(node.attr["_XlaMustCompile"].b for function in functions for node in function.node_def)


def test_streaming_step_exports_with_its_state(inputs, tmp_path):
    stack = built("lstm", **BOTH)
    module = tf.Module()
    state = tf.nest.map_structure(lambda tensor: tf.TensorSpec((None, UNITS), tensor.dtype), stack.initial_state(1))
    signature = [tf.TensorSpec((None, None, FEATURES)), state]
    module.step = tf.function(lambda chunk, state: stack(chunk, initial_state=state), signature, autograph=False)
    module.stack = stack
    tf.saved_model.save(module, str(tmp_path))
    loaded, state, outputs = tf.saved_model.load(str(tmp_path)), stack.initial_state(BATCH), []
    for time in range(TIME):
        output, state = loaded.step(tf.constant(inputs[:, time : time + 1]), state)
        outputs.append(output)
    np.testing.assert_allclose(tf.concat(outputs, axis=1), stack(inputs)[0], rtol=1e-5, atol=1e-5)


# Errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer": "transformer"}, r"one of simple_rnn, lstm, .* Received: layer='transformer'"),
        ({"depth": 0}, r"at least 1\. Received: depth=0"),
        ({"depth": True}, r"at least 1\. Received: depth=True"),
        ({"normalization": "batch"}, r"one of \(None, 'layer'\)\. Received: normalization='batch'"),
        ({"dropout": 1.0}, r"below 1\. Received: dropout=1\.0"),
        ({"layer_options": {"stateful": True, "units": 3}}, r"leave them out .* Received: stateful, units"),
    ],
)
def test_wrong_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Stack(**{"layer": "gru", "units": UNITS, **options})


def test_bidirectional_stack_refuses_to_stream(inputs):
    stack = built("gru", bidirectional=True, **BOTH)
    _, state = stack(inputs)
    message = r"both ends.*bidirectional=False to stream\. Received: bidirectional=True"
    with pytest.raises(ValueError, match=message):
        stack.initial_state(BATCH)
    with pytest.raises(ValueError, match=message):
        stack(inputs, initial_state=state)


def test_state_of_another_stack_is_refused(inputs):
    stack = built("gru")
    with pytest.raises(ValueError, match=rf"each of its {DEPTH} layers; pass what initial_state.* Received: \["):
        stack(inputs, initial_state=stack.initial_state(BATCH)[:2])


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, None)])
def test_inputs_of_the_wrong_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"takes sequences \(batch, time, features\).*Received: shape"):
        Stack("gru", UNITS).build(shape)


@pytest.mark.parametrize("options", [{}, {"return_sequences": True, "bidirectional": True}], ids=str)
def test_a_stack_goes_into_time_distributed(options):
    stack = models.Stack("gru", 3, depth=2, **options)
    symbolic = keras.Input((2, 5, 4))
    model = keras.Model(symbolic, keras.layers.TimeDistributed(stack)(symbolic))
    batch = np.random.default_rng(1).normal(size=(3, 2, 5, 4)).astype("float32")
    expected = np.stack([stack(batch[:, step]) for step in range(2)], axis=1)
    np.testing.assert_allclose(model(batch), expected, rtol=1e-6, atol=1e-6)
    assert model.output_shape == (None, *expected.shape[1:])
    both = models.Stack("lstm", 3, depth=2, return_state=True)
    output, state = both.compute_output_shape((None, None, 4))
    assert output == (None, 3) and state == [[(None, 3), (None, 3)]] * 2
