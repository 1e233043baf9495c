"""Whole models with the layers of one side in place of the other's."""

import keras
import numpy as np
import pytest

import models
from models.conversion import from_keras, to_keras


def make(layers):
    """A compiled model with layers alone, within wrappers, within an inner model, and one that is used twice."""
    inner = keras.Sequential([keras.Input((None, 4)), layers.GRU(4, return_sequences=True)], name="inner")
    shared = layers.SimpleRNN(3, activation="relu")
    symbolic = keras.Input((None, 3))
    hidden = keras.layers.Masking()(symbolic)
    hidden = keras.layers.Bidirectional(layers.LSTM(2, return_sequences=True), merge_mode="concat")(hidden)
    hidden = inner(hidden)
    output = keras.layers.Dense(2)(keras.layers.concatenate([shared(hidden), shared(hidden)]))
    model = keras.Model(symbolic, output)
    batch = np.random.default_rng(1).normal(size=(4, 6, 3)).astype("float32")
    batch[1, 3:] = 0
    random = np.random.default_rng(2)
    model.set_weights([random.normal(scale=0.4, size=weight.shape) for weight in model.get_weights()])
    model.compile(keras.optimizers.SGD(0.25), "mse", metrics=["mae"])
    return model, batch


def recurrent(model):
    return [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.RNN)]


@pytest.mark.parametrize(
    ("convert", "source", "target"), [(from_keras, keras.layers, models), (to_keras, models, keras.layers)]
)
def test_a_trained_model_gives_the_same_with_the_layers_of_the_other_side(convert, source, target):
    model, batch = make(source)
    copy = convert(model)
    assert len(recurrent(copy)) == len(recurrent(model)) == 4
    assert all(type(layer) is getattr(target, type(layer).__name__) for layer in recurrent(copy))
    assert all(type(layer) is getattr(source, type(layer).__name__) for layer in recurrent(model))
    np.testing.assert_allclose(copy(batch), model(batch), rtol=1e-5, atol=1e-5)
    assert [layer.name for layer in copy.layers[1:]] == [layer.name for layer in model.layers[1:]]
    assert copy.optimizer is not model.optimizer and float(copy.optimizer.learning_rate) == 0.25
    targets = np.ones((4, 2))
    np.testing.assert_allclose(*(each.evaluate(batch, targets, verbose=0) for each in (copy, model)), rtol=1e-5)


@pytest.mark.parametrize(
    "make_layer",
    [
        lambda: keras.layers.LSTM(3, return_sequences=True, go_backwards=True),
        lambda: keras.layers.Bidirectional(keras.layers.GRU(3), merge_mode="sum"),
        lambda: keras.layers.Bidirectional(keras.layers.GRU(3), backward_layer=keras.layers.GRU(3, go_backwards=True)),
    ],
)
def test_a_layer_alone(make_layer):
    layer = make_layer()
    batch = np.random.default_rng(1).normal(size=(4, 6, 3)).astype("float32")
    expected = layer(batch)
    copy = from_keras(layer)
    assert all(type(its).__module__.startswith("models.") for its in recurrent(copy))
    np.testing.assert_allclose(copy(batch), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(to_keras(copy)(batch), expected, rtol=1e-5, atol=1e-5)


def test_how_a_layer_runs_is_kept_on_our_side_and_left_out_on_that_of_keras():
    model = keras.Sequential([keras.Input((4, 3)), models.LSTM(5, jit_compile=False, fused=True)])
    assert type(to_keras(model).layers[0]) is keras.layers.LSTM
    kept = from_keras(model).layers[0]
    assert kept.jit_compile is False and kept.fused is True


def test_time_distributed():
    model = keras.Sequential([keras.Input((2, 5, 3)), keras.layers.TimeDistributed(keras.layers.LSTM(4))])
    copy = from_keras(model)
    assert type(copy.layers[0].layer) is models.LSTM
    batch = np.random.default_rng(1).normal(size=(4, 2, 5, 3)).astype("float32")
    np.testing.assert_allclose(copy(batch), model(batch), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("layer", "received"),
    [
        (models.MinGRU(3), "MinGRU"),
        (models.LSTM(3, zoneout=0.1), r"LSTM with \{'zoneout': 0\.1\}"),
        (models.Stack("gru", 3), "Stack"),
    ],
)
def test_what_keras_has_not_is_refused(layer, received):
    layer.build((None, None, 4))
    with pytest.raises(ValueError, match=rf"Keras has no such layer.* Received: {received}"):
        to_keras(layer)


def test_what_cannot_be_copied_is_refused():
    class Own(keras.Model):
        def call(self, inputs):
            return inputs

    model = Own()
    model.build((None, 3))
    with pytest.raises(ValueError, match=r"subclassed model.* Received: Own"):
        from_keras(model)
    with pytest.raises(ValueError, match=r"without weights.* Received: lstm"):
        from_keras(keras.layers.LSTM(3))
