"""`ConvLSTM2D` against the layer of the same name in Keras, and what it shares with `SpatiotemporalLSTM`."""

import json
from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

import models

TIME, BATCH, SIZE, CHANNELS, FILTERS = 5, 4, (5, 4), 3, 2
SHAPE = (BATCH, TIME, *SIZE, CHANNELS)
# Each row is a kind of mask: nothing left out, padding on the right, padding on the left with a hole, only padding.
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [0, 1, 0, 1, 1], [0, 0, 0, 0, 0]], bool)

OPTIONS = {
    "last": {},
    "sequences": {"return_sequences": True},
    "backwards": {"go_backwards": True, "return_sequences": True, "return_state": True},
    "backwards last": {"go_backwards": True},
    "zero output": {"zero_output_for_mask": True, "return_sequences": True, "return_state": True},
    "no bias": {"use_bias": False, "return_sequences": True},
    "valid": {"padding": "valid", "return_sequences": True, "return_state": True},
    "strides": {"strides": (2, 1), "return_sequences": True, "return_state": True},
    "valid strides": {"padding": "valid", "strides": 2, "return_sequences": True},
    "dilation": {"dilation_rate": (2, 1), "return_sequences": True},
    "even kernel": {"kernel_size": (2, 4), "return_sequences": True, "return_state": True},
    "relu, hard gates": {"activation": "relu", "recurrent_activation": "hard_sigmoid", "return_sequences": True},
    "gelu, on Keras' loop": {"activation": "gelu", "return_sequences": True, "return_state": True},
}
LAYERS = {
    "ConvLSTM2D": partial(models.ConvLSTM2D, FILTERS, kernel_size=3, padding="same"),
    "SpatiotemporalLSTM": partial(models.SpatiotemporalLSTM, FILTERS, kernel_size=3, depth=2),
}


@pytest.fixture(params=LAYERS)
def make(request):
    """Builds a layer none of whose weights is zero; the same weights for the same shapes."""

    def make(**options):
        layer = LAYERS[request.param](**options)
        layer.build((None, None, *SIZE, CHANNELS))
        randomise(layer)
        return layer

    return make


@pytest.fixture
def inputs():
    return np.random.default_rng(2).normal(size=SHAPE).astype(np.float32)


def randomise(layer):
    random = np.random.default_rng(4)
    layer.set_weights([random.normal(scale=0.3, size=weight.shape) for weight in layer.get_weights()])


def make_pair(**options):
    """Our layer and Keras', with the same weights, none of which is zero."""
    options = {"kernel_size": 3, "padding": "same", **options}
    pair = models.ConvLSTM2D(FILTERS, **options), keras.layers.ConvLSTM2D(FILTERS, **options)
    for layer in pair:
        layer.build(SHAPE)
        randomise(layer)
    return pair


def states_of(layer, batch=BATCH):
    """An initial state that is not zero."""
    random = np.random.default_rng(6)
    return [tf.constant(random.normal(size=state.shape), tf.float32) for state in layer.get_initial_state(batch)]


def run(layer, inputs, state=None, mask=None, training=False):
    """Every output, and the gradient of their weighted sum with respect to the input, the state and every weight."""
    inputs, state = tf.convert_to_tensor(inputs), state or []
    with tf.GradientTape() as tape:
        tape.watch((inputs, state))
        outputs = layer(inputs, initial_state=state or None, mask=mask, training=training)
        outputs = list(outputs) if isinstance(outputs, list | tuple) else [outputs]
        weights = [tf.random.stateless_normal(tf.shape(output), (seed, 11)) for seed, output in enumerate(outputs)]
        pairs = zip(outputs, weights, strict=True)
        loss = tf.add_n([tf.reduce_sum(tf.cast(output, tf.float32) * weight) for output, weight in pairs])
    return outputs, tape.gradient(loss, [inputs, *state, *(weight.value for weight in layer.trainable_variables)])


def assert_equal(ours, theirs, tolerance=1e-5):
    for kind, tensors, expected in zip(("outputs", "gradients"), ours, theirs, strict=True):
        for position, (tensor, other) in enumerate(zip(tensors, expected, strict=True)):
            np.testing.assert_allclose(
                tensor, other, rtol=tolerance, atol=tolerance, err_msg=f"{kind}, number {position}"
            )


# Against Keras


@pytest.mark.parametrize("title", OPTIONS)
def test_equals_keras(inputs, title):
    ours, theirs = make_pair(**OPTIONS[title])
    state = states_of(ours)
    for mask in (None, MASK):
        assert_equal(run(ours, inputs, state, mask), run(theirs, inputs, state, mask), 3e-5)


def test_compiled_training_step_equals_keras(inputs):
    ours, theirs = make_pair(return_sequences=True, return_state=True)
    compiled = tf.function(partial(run, ours, training=True), autograph=False)
    assert_equal(compiled(inputs, states_of(ours), tf.constant(MASK)), run(theirs, inputs, states_of(ours), MASK), 3e-5)


def test_channels_first_is_channels_last_transposed(inputs):
    """Where Keras on CPU cannot."""
    last, _ = make_pair(return_sequences=True, return_state=True)
    first = models.ConvLSTM2D(
        FILTERS, 3, padding="same", return_sequences=True, return_state=True, data_format="channels_first"
    )
    first.build((BATCH, TIME, CHANNELS, *SIZE))
    first.set_weights(last.get_weights())
    state = states_of(last)
    output, *fields = first(np.moveaxis(inputs, -1, 2), initial_state=[np.moveaxis(field, -1, 1) for field in state])
    expected, *expected_fields = last(inputs, initial_state=state)
    np.testing.assert_allclose(np.moveaxis(output, 2, -1), expected, rtol=1e-6, atol=1e-6)
    for field, other in zip(fields, expected_fields, strict=True):
        np.testing.assert_allclose(np.moveaxis(field, 1, -1), other, rtol=1e-6, atol=1e-6)


def test_names_and_weights_are_those_of_keras(tmp_path):
    ours, theirs = (keras.Sequential([keras.Input(SHAPE[1:]), layer]) for layer in make_pair(kernel_regularizer="l2"))
    for weight, other in zip(ours.weights, theirs.weights, strict=True):
        assert (weight.name, weight.shape, weight.dtype) == (other.name, other.shape, other.dtype)
    np.testing.assert_allclose(ours.losses, theirs.losses)
    expected = ours.get_weights()
    ours.save_weights(tmp_path / "exchanged.weights.h5")
    theirs.set_weights([0 * weight for weight in expected])
    theirs.load_weights(tmp_path / "exchanged.weights.h5")
    for weight, other in zip(theirs.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(weight, other)


def test_stateful_goes_on_where_it_stopped(inputs):
    ours, theirs = make_pair(stateful=True, return_sequences=True)
    for _ in range(2):
        np.testing.assert_allclose(ours(inputs), theirs(inputs), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("in_graph", [False, True], ids=["eager", "compiled"])
def test_dropout_is_one_mask_for_all_steps_and_gates(inputs, in_graph):
    """Dropping a unit everywhere is not to have its slice of the kernel: one pixel, so that a mask drops units."""
    plain, layer = (
        models.ConvLSTM2D(FILTERS, 1, return_sequences=True, seed=1, recurrent_dropout=rate) for rate in (0.0, 0.5)
    )
    for one in (plain, layer):
        one.build((None, TIME, 1, 1, CHANNELS))
        randomise(one)
    rows = np.repeat(inputs[:1, :, :1, :1], 100, axis=0)
    call = tf.function(layer, autograph=False) if in_graph else layer
    outputs, kernel, candidates = call(rows, training=True).numpy(), plain.get_weights()[1], []
    np.testing.assert_allclose(layer(rows), plain(rows), rtol=1e-6)
    for factors in ((0, 0), (0, 2), (2, 0), (2, 2)):
        plain.cell.recurrent_kernel.assign(kernel * np.float32(factors)[:, np.newaxis])
        candidates.append(plain(rows[:1])[0])
    distances = np.abs(outputs[:, np.newaxis] - np.stack(candidates)).max(axis=(2, 3, 4, 5))
    assert distances.min(axis=1).max() < 1e-5
    assert np.bincount(distances.argmin(axis=1), minlength=4).min() > 10


# The list that both layers go through


def test_a_training_step_is_compiled_by_xla_and_inference_is_not(make, inputs):
    """Otherwise the tests that compare the two would compare one path with itself."""
    layer = make()

    def compiled(training):
        graph = tf.function(layer, autograph=False).get_concrete_function(tf.constant(inputs), training=training).graph
        return any(function.attr["_XlaMustCompile"].b for function in graph.as_graph_def().library.function)

    assert compiled(training=True)
    assert not compiled(training=False)


def test_configuration_round_trip(make):
    layer = make(return_sequences=True, return_state=True, kernel_initializer="orthogonal", name="layer")
    copy = keras.saving.deserialize_keras_object(json.loads(json.dumps(keras.saving.serialize_keras_object(layer))))
    assert type(copy) is type(layer)
    assert copy.get_config() == layer.get_config()
    assert copy.return_sequences and copy.kernel_size == (3, 3)


def make_model(make):
    model = keras.Sequential(
        [keras.Input((None, *SIZE, CHANNELS)), make(return_sequences=True), make_like(make), keras.layers.Dense(2)]
    )
    randomise(model)
    return model


def make_like(make):
    """The layer above another: of its own, for as many channels as the one below gives."""
    return type(make())(FILTERS, kernel_size=3, **({"padding": "same"} if type(make()) is models.ConvLSTM2D else {}))


def test_file_and_export_equal_in_memory(make, inputs, tmp_path):
    model = make_model(make)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(inputs), model(inputs), rtol=1e-6, atol=1e-6)
    model.export(tmp_path / "exported", verbose=False)
    exported = tf.saved_model.load(str(tmp_path / "exported"))
    for batch in (inputs, inputs[:1, :2]):
        np.testing.assert_allclose(exported.serve(batch), model(batch), rtol=1e-5, atol=1e-5)
    proto = saved_model_pb2.SavedModel.FromString((tmp_path / "exported" / "saved_model.pb").read_bytes())
    for function in proto.meta_graphs[0].graph_def.library.function:
        assert not function.attr["_XlaMustCompile"].b, function.signature.name


@pytest.mark.slow
def test_fit_moves_every_weight(make, inputs):
    model = make_model(make)
    before = model.get_weights()
    model.compile(keras.optimizers.Adam(0.01), "mse")
    model.fit(inputs, np.ones((BATCH, *SIZE, 2)), batch_size=2, verbose=0)
    for weight, old in zip(model.weights, before, strict=True):
        assert np.all(weight.numpy() != old), weight.path


def test_every_weight_has_a_gradient(make, inputs):
    layer = make()
    _, (_, *gradients) = run(layer, inputs)
    assert len(gradients) == len(layer.trainable_variables)
    for weight, gradient in zip(layer.trainable_variables, gradients, strict=True):
        assert np.all(gradient.numpy() != 0), weight.path


def test_chunked_equals_whole(make, inputs):
    layer = make(return_sequences=True, return_state=True)
    whole, *last = layer(inputs, mask=MASK)
    chunks, state = [], None
    for first, after in ((0, 1), (1, 3), (3, 3), (3, 5)):  # one step, some, none, the rest
        chunk, *state = layer(inputs[:, first:after], initial_state=state, mask=MASK[:, first:after])
        chunks.append(chunk)
    counts = MASK[..., np.newaxis, np.newaxis, np.newaxis]
    np.testing.assert_allclose(tf.concat(chunks, axis=1) * counts, whole * counts, rtol=1e-6, atol=1e-6)
    for field, other in zip(state, last, strict=True):
        np.testing.assert_allclose(field, other, rtol=1e-6, atol=1e-6)


def test_padded_equals_unpadded_whatever_the_padding_holds(make, inputs):
    layer = make(return_sequences=True, return_state=True)
    counts = MASK[..., np.newaxis, np.newaxis, np.newaxis]
    expected = run(layer, np.where(counts, inputs, 0), mask=MASK)
    received = run(layer, np.where(counts, inputs, np.float32(np.nan)), mask=MASK)
    assert_equal(received, expected, 1e-6)
    alone, *state = layer(inputs[1:2, :3])
    np.testing.assert_allclose(received[0][0][1:2, :3], alone, rtol=1e-6, atol=1e-6)
    for field, other in zip(received[0][1:], state, strict=True):
        np.testing.assert_allclose(field[1:2], other, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("training", [False, True], ids=["plain", "training"])
def test_unknown_time_and_batch(make, inputs, training):
    layer = make(return_sequences=True, return_state=True)
    signature = [tf.TensorSpec((None, None, *SIZE, CHANNELS)), tf.TensorSpec((None, None), tf.bool)]

    def call(inputs, mask):
        return run(layer, inputs, mask=mask, training=training)

    graph = tf.function(call, input_signature=signature, autograph=False)
    for time in (TIME, 1):
        assert_equal(graph(inputs[:, :time], MASK[:, :time]), run(layer, inputs[:, :time], mask=MASK[:, :time]))


def test_no_steps_leave_the_state_as_it_was(make, inputs):
    layer = make(return_state=True)
    state = states_of(layer)
    output, *last = layer(inputs[:, :0], initial_state=state)
    assert not np.any(output)
    for field, other in zip(last, state, strict=True):
        np.testing.assert_array_equal(field, other)


def test_mixed_precision(make, inputs):
    exact, mixed = make(return_sequences=True), make(return_sequences=True, dtype="mixed_bfloat16")
    (output,), gradients = run(mixed, inputs, mask=MASK)
    assert output.dtype == tf.bfloat16
    np.testing.assert_allclose(tf.cast(output, tf.float32), exact(inputs, mask=MASK), rtol=5e-2, atol=5e-2)
    _, expected = run(exact, inputs, mask=MASK)
    for gradient, other in zip(gradients[1:], expected[1:], strict=True):
        assert gradient.dtype == tf.float32
        np.testing.assert_allclose(gradient, other, rtol=0.1, atol=0.05 * np.abs(other).max())


def test_steps_equal_the_sequence_and_are_trained_through(make, inputs):
    """A network that sees its own output is a chain of steps; here what it sees is given, so that both must agree."""
    layer = make(return_sequences=True, return_state=True)
    state = states_of(layer)

    class Stepped:
        trainable_variables = layer.trainable_variables

        def __call__(self, inputs, initial_state, mask, training):
            outputs = []
            for time in range(TIME):
                output, initial_state = layer.step(inputs[:, time], initial_state, training=training)
                outputs.append(output)
            return [tf.stack(outputs, axis=1), *initial_state]

    assert_equal(run(Stepped(), inputs, state), run(layer, inputs, state))
    compiled = tf.function(partial(run, Stepped(), training=True), autograph=False)
    assert_equal(compiled(inputs, state), run(layer, inputs, state))


@pytest.mark.parametrize("format", ["channels_last", "channels_first"])
def test_other_channels_are_refused(format):
    """Twice the channels would be taken for two groups by TensorFlow's convolution."""
    layer = models.ConvLSTM2D(2, 3, data_format=format)
    one, two = np.zeros((2, 3, 6, 6, 1), np.float32), np.zeros((2, 3, 6, 6, 2), np.float32)
    if format == "channels_first":
        one, two = np.moveaxis(one, -1, 2), np.moveaxis(two, -1, 2)
    layer(one)
    with pytest.raises(
        ValueError, match=r"with 1 channels on axis \d of 5, as it was built for.* Received: shape \(2, 3"
    ):
        layer(two)


def test_an_initializer_may_be_a_function():
    layer = models.SpatiotemporalLSTM(2, 3, kernel_initializer=lambda shape, dtype=None: tf.ones(shape, dtype))
    layer.build((None, None, *SIZE, CHANNELS))
    assert sum(bool(np.all(weight == 1)) for weight in layer.get_weights()) > 2


@pytest.mark.parametrize("in_graph", [False, True], ids=["eager", "graph"])
def test_a_second_derivative_is_refused(make, inputs, in_graph):
    layer = make()

    def second_derivative(state):
        with tf.GradientTape() as outer:
            outer.watch(state)
            with tf.GradientTape() as inner:
                inner.watch(state)
                loss = tf.reduce_sum(layer(inputs, initial_state=state))
            first = inner.gradient(loss, state[0])
        return outer.gradient(first, state)

    with pytest.raises(NotImplementedError, match=r"second derivative .* Received: \w+Recurrence"):
        (tf.function(second_derivative, autograph=False) if in_graph else second_derivative)(states_of(layer))
