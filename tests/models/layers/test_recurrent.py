"""`SimpleRNN`, `LSTM` and `GRU` against the layers of the same names in Keras: outputs, states and gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import models
from models.layers import recurrent

NAMES = ["SimpleRNN", "LSTM", "GRU"]
TIME, BATCH, FEATURES, UNITS = 6, 5, 3, 4

# Each row is a kind of mask: nothing left out, padding on the right, on the left, holes, nothing but padding.
MASK = np.array(
    [[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0], [0, 0, 0, 1, 1, 1], [1, 0, 1, 1, 0, 1], [0, 0, 0, 0, 0, 0]], bool
)

OPTIONS = {
    "last": {},
    "sequences": {"return_sequences": True},
    "state": {"return_state": True},
    "backwards": {"go_backwards": True, "return_sequences": True, "return_state": True},
    "backwards last": {"go_backwards": True},
    "zero output": {"zero_output_for_mask": True, "return_sequences": True, "return_state": True},
    "zero output last": {"zero_output_for_mask": True},
    "no bias": {"use_bias": False, "return_sequences": True},
    "relu": {"activation": "relu", "return_sequences": True},
    "no activation": {"activation": None, "return_sequences": True},
    "softsign": {"activation": "softsign", "return_sequences": True},
    "unrolled": {"unroll": True, "return_sequences": True},
    "gelu, on Keras' loop": {"activation": "gelu", "return_sequences": True, "return_state": True},
}
GATE_OPTIONS = {
    "hard gates": {"recurrent_activation": "hard_sigmoid", "return_sequences": True},
    "gelu gates, on Keras' loop": {"recurrent_activation": "gelu", "return_sequences": True},
}
GRU_OPTIONS = {
    "reset before": {"reset_after": False, "return_sequences": True, "return_state": True},
    "reset before, no bias": {"reset_after": False, "use_bias": False, "return_sequences": True},
}
CASES = [
    pytest.param(name, options, mask, id=f"{name}: {title}{'' if mask is None else ', masked'}")
    for name in NAMES
    for title, options in (
        OPTIONS | (GATE_OPTIONS if name != "SimpleRNN" else {}) | (GRU_OPTIONS if name == "GRU" else {})
    ).items()
    for mask in ([None, MASK] if title in ("last", "backwards", "reset before") else [MASK])
]


def make_pair(name, **options):
    """Our layer and Keras', with the same weights, none of which is zero."""
    ours, theirs = getattr(models, name)(UNITS, **options), getattr(keras.layers, name)(UNITS, **options)
    random = np.random.default_rng(5)
    for layer in (ours, theirs):
        layer.build((BATCH, TIME, FEATURES))
    theirs.set_weights([random.normal(scale=0.6, size=weight.shape) for weight in theirs.get_weights()])
    ours.set_weights(theirs.get_weights())
    return ours, theirs


def make_inputs(name, seed=7):
    """An input and an initial state."""
    random = np.random.default_rng(seed)
    shapes = [(BATCH, TIME, FEATURES), *[(BATCH, UNITS)] * (2 if name == "LSTM" else 1)]
    inputs, *state = (tf.constant(random.normal(size=shape), tf.float32) for shape in shapes)
    return inputs, state


def run(layer, inputs, state, mask=None, training=False):
    """Every output, and the gradient of their weighted sum with respect to the input, the state and every weight."""
    with tf.GradientTape() as tape:
        tape.watch((inputs, state))
        outputs = layer(inputs, initial_state=state or None, mask=mask, training=training)
        outputs = list(outputs) if isinstance(outputs, list | tuple) else [outputs]
        loss = tf.add_n([tf.reduce_sum(output * importance(output, seed)) for seed, output in enumerate(outputs)])
    return outputs, tape.gradient(loss, [inputs, *state, *(weight.value for weight in layer.trainable_variables)])


def importance(output, seed):
    """Weights of a sum that notices every element, the same for equal shapes."""
    return tf.random.stateless_normal(tf.shape(output), (seed, 11))


def assert_equal(ours, theirs, tolerance=1e-5):
    for kind, tensors, expected in zip(("outputs", "gradients"), ours, theirs, strict=True):
        for position, (tensor, other) in enumerate(zip(tensors, expected, strict=True)):
            np.testing.assert_allclose(
                tensor, other, rtol=tolerance, atol=tolerance, err_msg=f"{kind}, number {position}"
            )


@pytest.mark.parametrize(("name", "options", "mask"), CASES)
def test_equals_keras(name, options, mask):
    ours, theirs = make_pair(name, **options)
    inputs, state = make_inputs(name)
    assert_equal(run(ours, inputs, state, mask), run(theirs, inputs, state, mask))


@pytest.mark.parametrize("name", NAMES)
def test_equals_keras_without_initial_state(name):
    ours, theirs = make_pair(name, return_state=True)
    inputs, _ = make_inputs(name)
    assert_equal(run(ours, inputs, [], MASK), run(theirs, inputs, [], MASK))


@pytest.mark.parametrize("training", [False, True], ids=["inference", "training, compiled by XLA"])
@pytest.mark.parametrize("name", NAMES)
def test_graph_equals_keras_and_eager(name, training):
    ours, theirs = make_pair(name, return_sequences=True, return_state=True, go_backwards=True)
    inputs, state = make_inputs(name)
    graph = tf.function(run, autograph=False)(ours, inputs, state, tf.constant(MASK), training)
    assert_equal(graph, run(theirs, inputs, state, MASK))
    assert_equal(graph, run(ours, inputs, state, MASK))


@pytest.mark.parametrize("name", NAMES)
def test_a_training_step_is_compiled_by_xla_and_inference_is_not(name):
    """Otherwise the test above would compare one path with itself."""
    layer, _ = make_pair(name)
    inputs, state = make_inputs(name)

    def compiled(training):
        graph = (
            tf.function(layer, autograph=False)
            .get_concrete_function(inputs, initial_state=state, training=training)
            .graph
        )
        return any(function.attr["_XlaMustCompile"].b for function in graph.as_graph_def().library.function)

    assert compiled(training=True)
    assert not compiled(training=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_time_unknown_when_the_graph_is_made(name):
    """One graph for all lengths, trained; the first derivative goes through the compiled loop."""
    ours, theirs = make_pair(name, return_state=True)
    inputs, _ = make_inputs(name)
    signature = [tf.TensorSpec((BATCH, None, FEATURES)), tf.TensorSpec((BATCH, None), tf.bool)]

    @tf.function(input_signature=signature, autograph=False)
    def graph(inputs, mask):
        return run(ours, inputs, [], mask, training=True)

    for time in (TIME, 1):
        assert_equal(graph(inputs[:, :time], MASK[:, :time]), run(theirs, inputs[:, :time], [], MASK[:, :time]))


@pytest.mark.parametrize("known", [True, False], ids=["batch known", "batch unknown"])
@pytest.mark.parametrize(("batch", "parts"), [(1, [1]), (9, [9]), (17, [9, 8])])
def test_a_batch_trained_in_parts_equals_keras(monkeypatch, batch, parts, known):
    """One loop a core, of at least eight rows each, whether or not there are rows for each of them."""
    rows, scan = [], recurrent.scan

    def counting(recurrence, projected, *arguments):
        rows.append(projected[0].shape[1])
        return scan(recurrence, projected, *arguments)

    monkeypatch.setattr("models.recurrence.parts.most_parts", lambda: 3)
    monkeypatch.setattr(recurrent, "scan", counting)
    ours, theirs = make_pair("GRU", return_sequences=True, return_state=True, go_backwards=True)
    random = np.random.default_rng(3)
    inputs, state = (tf.constant(random.normal(size=(batch, *size)), tf.float32) for size in ((4, FEATURES), (UNITS,)))
    mask = tf.constant(random.random((batch, 4)) < 0.7)

    def graph(inputs, state, mask):
        return run(ours, inputs, [state], mask, training=True)

    signature = [
        tf.TensorSpec((batch if known else None, *tensor.shape[1:]), tensor.dtype) for tensor in (inputs, state, mask)
    ]
    graph = tf.function(graph, input_signature=signature, autograph=False)
    assert_equal(graph(inputs, state, mask), run(theirs, inputs, [state], mask))
    assert rows == (parts if known else [None] * 3)


@pytest.mark.parametrize("mask", [MASK.astype(np.float32), MASK[..., np.newaxis]], ids=["numbers", "three axes"])
def test_other_forms_of_the_mask(mask):
    ours, theirs = make_pair("LSTM", return_sequences=True)
    inputs, state = make_inputs("LSTM")
    assert_equal(run(ours, inputs, state, mask), run(theirs, inputs, state, MASK))


@pytest.mark.parametrize("in_graph", [False, True], ids=["eager", "graph"])
@pytest.mark.parametrize("name", NAMES)
def test_stateful_layers_go_on_where_they_stopped(name, in_graph):
    ours, theirs = make_pair(name, stateful=True, return_sequences=True)
    call = tf.function(ours, autograph=False) if in_graph else ours
    outputs = []
    for seed in (1, 2):
        inputs, _ = make_inputs(name, seed)
        outputs.append(call(inputs, mask=tf.constant(MASK)))
        np.testing.assert_allclose(outputs[-1], theirs(inputs, mask=MASK), rtol=1e-5, atol=1e-5)
        for ours_state, theirs_state in zip(ours.states, theirs.states, strict=True):
            np.testing.assert_allclose(ours_state, theirs_state, rtol=1e-5, atol=1e-5)
    again = call(inputs, mask=tf.constant(MASK))
    assert np.abs(again - outputs[-1]).max() > 1e-3
    ours.reset_state()
    inputs, _ = make_inputs(name, 1)
    np.testing.assert_allclose(call(inputs, mask=tf.constant(MASK)), outputs[0], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_stateful_layers_train_in_fit(name):
    model = keras.Sequential([keras.Input(batch_shape=(BATCH, TIME, FEATURES)), make_pair(name, stateful=True)[0]])
    model.compile("sgd", "mse")
    before = model.get_weights()
    model.fit(np.ones((2 * BATCH, TIME, FEATURES)), np.ones((2 * BATCH, UNITS)), batch_size=BATCH, verbose=0)
    assert np.abs(model.layers[0].states[0]).max() > 0
    assert all(np.any(new != old) for new, old in zip(model.get_weights(), before, strict=True))


@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
def test_whole_numbers_as_inputs_equal_keras(training):
    ours, theirs = make_pair("LSTM")
    inputs = tf.constant(np.random.default_rng(3).integers(-2, 3, size=(BATCH, TIME, FEATURES)), tf.int32)
    call = tf.function(ours, autograph=False)
    np.testing.assert_allclose(call(inputs, training=training), theirs(inputs), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_an_activation_that_only_bears_a_known_name_is_respected(name):
    def tanh(x):
        return 3 * tf.tanh(x)

    ours, theirs = make_pair(name, activation=tanh)
    inputs, state = make_inputs(name)
    assert_equal(run(ours, inputs, state), run(theirs, inputs, state))


@pytest.mark.parametrize("name", NAMES)
def test_regularizers_constraints_and_names_are_those_of_keras(name):
    options = {
        "kernel_regularizer": "l2",
        "recurrent_regularizer": "l1",
        "bias_regularizer": "l2",
        "activity_regularizer": "l2",
        "kernel_constraint": "non_neg",
    }
    ours, theirs = make_pair(name, **options)
    inputs, _ = make_inputs(name)
    ours(inputs), theirs(inputs)
    np.testing.assert_allclose(ours.losses, theirs.losses, rtol=1e-5)
    assert len(ours.losses) >= 3
    for weight, other in zip(ours.weights, theirs.weights, strict=True):
        # Without the layer's own name, which is numbered.
        assert weight.path.split("/")[1:] == other.path.split("/")[1:]
        assert (weight.shape, weight.dtype, weight.trainable) == (other.shape, other.dtype, other.trainable)
        assert (weight.constraint is None) == (other.constraint is None)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_draws_the_same_initial_weights(name):
    ours, theirs = (
        getattr(module, name)(
            UNITS,
            kernel_initializer=keras.initializers.GlorotUniform(seed=3),
            recurrent_initializer=keras.initializers.Orthogonal(seed=4),
        )
        for module in (models, keras.layers)
    )
    for layer in (ours, theirs):
        layer.build((BATCH, TIME, FEATURES))
    for weight, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, other)


def test_layers_of_several_sizes_keep_their_static_shapes_in_training() -> None:
    """A compiled scan that has met one size must not forget the number of units when it meets another."""

    layers = [models.LSTM(units, return_sequences=True) for units in (2, 3, 4, 5, 6, 7)]
    for layer in layers:
        layer.build((None, None, 3))

    @tf.function(input_signature=[tf.TensorSpec((None, None, 3), tf.float32)])
    def train(sequences: tf.Tensor) -> list[tf.Tensor]:
        return [layer(sequences, training=True) for layer in layers]

    outputs = train.get_concrete_function().outputs
    assert [output.shape[-1] for output in outputs] == [2, 3, 4, 5, 6, 7]
