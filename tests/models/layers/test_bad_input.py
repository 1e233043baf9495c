"""What every recurrent layer refuses, and that what is not finite stays in its own row."""

import numpy as np
import pytest
import tensorflow as tf

import models

LAYERS = ["SimpleRNN", "LSTM", "GRU", "MinGRU", "MinLSTM"]
TIME, FEATURES, UNITS = 3, 3, 4


@pytest.fixture(params=LAYERS)
def layer_class(request):
    return getattr(models, request.param)


def built(layer_class, **options):
    layer = layer_class(UNITS, **options)
    layer.build((None, None, FEATURES))
    return layer


def state_of(layer, shape=(2, UNITS)):
    return [np.zeros(shape, "float32") for _ in layer.get_initial_state(2)]


@pytest.mark.parametrize("units", [0, -1, 2.5, "4", True, None])
def test_wrong_units(layer_class, units):
    name = layer_class.__name__
    with pytest.raises(ValueError, match=rf"units of {name} .*a whole number of at least 1\. Received: units="):
        layer_class(units)


def test_units_are_an_integer_of_python(layer_class):
    with pytest.raises(ValueError, match=r"at least 1\. Convert it, `int\(units\)`\. Received: units="):
        layer_class(np.int64(4))


@pytest.mark.parametrize("shape", [(None, 3), (2, 3, 4, 5), (2, 3, None)])
def test_a_layer_is_built_for_sequences(layer_class, shape):
    message = r"takes sequences \(batch, time, features\).* needs a batch axis.*Received: shape"
    with pytest.raises(ValueError, match=message):
        layer_class(UNITS).build(shape)


def test_a_layer_that_is_not_built_refuses_a_single_sequence(layer_class):
    with pytest.raises(ValueError, match=r"`sequence\[None\]`.*Received: shape \(5, 3\)"):
        layer_class(UNITS)(np.zeros((5, 3), "float32"))


SEQUENCES = {
    "rank": (np.zeros((2, 3), "float32"), r"Received: shape \(2, 3\), float32"),
    "features": (np.zeros((2, 3, 4), "float32"), r"Received: shape \(2, 3, 4\), float32"),
    "text": (np.full((2, 3, 3), "text"), r"Received: shape \(2, 3, 3\), string"),
    "complex": (np.zeros((2, 3, 3), "complex64"), r"Received: shape \(2, 3, 3\), complex64"),
}


@pytest.mark.parametrize(("sequences", "message"), SEQUENCES.values(), ids=SEQUENCES)
def test_wrong_sequences(layer_class, sequences, message):
    with pytest.raises(ValueError, match=rf"sequences of numbers \(batch, time, 3\).*create a new layer.*{message}"):
        built(layer_class)(tf.constant(sequences))


MASKS = {
    "time": (np.ones((2, 4), bool), r"Received: shape \(2, 4\), bool"),
    "batch": (np.ones((3, 3), bool), r"Received: shape \(3, 3\), bool"),
    "lengths": (np.ones((2,), "int32"), r"Received: shape \(2,\), int32"),
    "features": (np.ones((2, 3, 3), bool), r"Received: shape \(2, 3, 3\), bool"),
    "text": (np.full((2, 3), "yes"), r"Received: shape \(2, 3\), string"),
}


@pytest.mark.parametrize(("mask", "message"), MASKS.values(), ids=MASKS)
def test_wrong_mask(layer_class, mask, message):
    expected = rf"bool \(batch, time\), here \(2, 3\).*tf\.sequence_mask.*{message}"
    with pytest.raises(ValueError, match=expected):
        built(layer_class)(np.zeros((2, TIME, FEATURES), "float32"), mask=tf.constant(mask))


def test_a_mask_may_be_a_nested_list(layer_class):
    layer, mask = built(layer_class), [[True, True, False], [True, False, False]]
    sequences = np.random.default_rng(0).normal(size=(2, TIME, FEATURES)).astype("float32")
    np.testing.assert_array_equal(layer(sequences, mask=mask), layer(sequences, mask=tf.constant(mask)))
    np.testing.assert_array_equal(layer(sequences, mask=[tf.constant(mask)]), layer(sequences, mask=tf.constant(mask)))


@pytest.mark.parametrize(
    "change",
    [
        lambda state: [field[:, :-1] for field in state],
        lambda state: [np.concatenate([field, field[:1]]) for field in state],
        lambda state: [field[0] for field in state],
        lambda state: [*state, state[0]],
        lambda state: [np.full(field.shape, "text") for field in state],
    ],
    ids=["units", "batch", "rank", "one too many", "text"],
)
def test_wrong_initial_state(layer_class, change):
    layer = built(layer_class)
    state = state_of(layer)
    wrong = [tf.constant(field) for field in change(state)]
    count = "2 tensors" if len(state) == 2 else "one tensor"
    message = rf"{count} of numbers \(batch, units\), here \[\(2, 4\).*pass the state.*Received: {len(wrong)} tensors"
    with pytest.raises(ValueError, match=message):
        layer(np.zeros((2, TIME, FEATURES), "float32"), initial_state=wrong)


def test_lstm_refuses_the_hidden_state_alone():
    with pytest.raises(ValueError, match=r"2 tensors of numbers.*Received: 1 tensors of shapes \[\(2, 4\)\], float32"):
        built(models.LSTM)(np.zeros((2, TIME, FEATURES), "float32"), initial_state=tf.zeros((2, UNITS)))


def test_a_projected_state_is_as_wide_as_the_projection():
    layer = built(models.LSTM, projection=2)
    with pytest.raises(
        ValueError, match=r"here \[\(2, 2\), \(2, 4\)\].*Received: 2 tensors of shapes \[\(2, 4\), \(2, 4\)\]"
    ):
        layer(np.zeros((2, TIME, FEATURES), "float32"), initial_state=state_of(layer))


def test_a_graph_for_any_batch_refuses_what_never_fits(layer_class):
    layer = built(layer_class)

    @tf.function(autograph=False)
    def call(sequences, state):
        return layer(sequences, initial_state=[state])

    with pytest.raises(ValueError, match=r"here \[\(None, 4\).*Received: 1 tensors of shapes \[\(None, 5\)\]"):
        call.get_concrete_function(tf.TensorSpec((None, None, FEATURES)), tf.TensorSpec((None, UNITS + 1)))


# Numbers that are not finite


@pytest.mark.parametrize("mode", ["eager", pytest.param("compiled", marks=pytest.mark.slow)])
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("place", ["sequences", "state"])
def test_a_row_that_is_not_finite_stays_alone(monkeypatch, layer_class, mode, value, place):
    """Other rows' outputs, states and gradients are the same numbers; in training, in the same part of the batch."""
    monkeypatch.setattr("models.recurrence.parts.most_parts", lambda: 2)
    layer = built(layer_class, return_sequences=True, return_state=True)
    batch = 17
    random = np.random.default_rng(3)
    arguments = [random.normal(size=(batch, TIME, FEATURES)).astype(np.float32), *state_of(layer, (batch, UNITS))]
    mask = tf.constant(random.random((batch, TIME)) < 0.8)

    def run(sequences, *state):
        with tf.GradientTape() as tape:
            tape.watch((sequences, *state))
            outputs = layer(sequences, initial_state=list(state), mask=mask, training=mode == "compiled")
            loss = tf.add_n([tf.reduce_sum(output * output) for output in outputs])
        return [*outputs, *tape.gradient(loss, [sequences, *state])]

    run = tf.function(run, autograph=False) if mode == "compiled" else run
    clean = run(*map(tf.constant, arguments))
    broken = arguments[0 if place == "sequences" else 1]
    broken[1] = value
    others = np.arange(batch) != 1
    found = run(*map(tf.constant, arguments))
    assert not np.isfinite(found[1].numpy()[~others]).all()
    for tensor, expected in zip(found, clean, strict=True):
        assert np.isfinite(expected).all()
        np.testing.assert_array_equal(tensor.numpy()[others], expected.numpy()[others])
