"""The options beyond Keras: whole layers against the papers' equations, what is drawn at random, what is refused."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

import models

BATCH, TIME, FEATURES, UNITS = 3, 4, 2, 3
MASK = np.array([[1, 1, 1, 1], [1, 0, 1, 1], [1, 1, 0, 0]], bool)
RATES = {"SimpleRNN": 0.3, "GRU": 0.3, "LSTM": [0.3, 0.1]}
NAMES = list(RATES)
OPTIONS = {
    "layer normalisation": {"layer_normalization": True},
    "layer normalisation, no bias": {"layer_normalization": True, "use_bias": False},
    "zoneout": {"zoneout": RATES},
    "initial state": {"trainable_initial_state": True},
    "all": {"layer_normalization": True, "zoneout": RATES, "trainable_initial_state": True},
}
LSTM_OPTIONS = {
    "peepholes": {"peepholes": True},
    "projection": {"projection": 2},
    "all": OPTIONS["all"] | {"peepholes": True, "projection": 2},
}
CASES = [
    pytest.param(name, options, id=f"{name}: {title}")
    for name in NAMES
    for title, options in (OPTIONS | (LSTM_OPTIONS if name == "LSTM" else {})).items()
]


def built(name, units=UNITS, **options):
    """A layer none of whose weights is zero."""
    options = {key: value[name] if value is RATES else value for key, value in options.items()}
    layer = getattr(models, name)(units, **options)
    layer.build((None, None, FEATURES))
    random = np.random.default_rng(4)
    layer.set_weights([random.normal(scale=0.8, size=weight.shape) for weight in layer.get_weights()])
    return layer


def weights_of(layer):
    return {weight.name: weight.numpy() for weight in layer.weights}


class Expected:
    """A layer in NumPy: the projected input, its normalisation and the initial state around the oracle's scan."""

    def __init__(self, oracle, name, layer, inputs, rates):
        self.oracle, self.name, self.rates = oracle, name, rates
        self.values = weights_of(layer) | {"inputs": inputs}
        self.groups = {"SimpleRNN": [1], "LSTM": [4], "GRU": [2, 1]}[name]
        activations = {"SimpleRNN": ("tanh",), "LSTM": ("tanh", "sigmoid"), "GRU": ("tanh", "sigmoid", True)}[name]
        kind = {"SimpleRNN": "simple_rnn"}.get(name, name.lower())
        self.recurrence = getattr(oracle, kind)(*activations)

    def outputs(self):
        values, normal = self.values, self.oracle.layer_norm
        bias, recurrent_bias = values.get("bias", np.zeros(1)), np.zeros(self.recurrence.gates * UNITS)
        bias, recurrent_bias = bias if bias.ndim == 2 else (bias, recurrent_bias)
        projected = (values["inputs"] @ values["kernel"]).transpose(1, 0, 2)
        weights = {"kernel": values["recurrent_kernel"], "bias": recurrent_bias}
        if "gain" in values:
            gain, weights["gain"] = values["gain"]
            ends = np.cumsum(self.groups)[:-1] * UNITS

            def normalized(row):
                parts = zip(np.split(row, ends), np.split(gain, ends), strict=True)
                return np.concatenate([normal(*pair) for pair in parts])

            projected = np.apply_along_axis(normalized, -1, projected)
        weights |= {key: values[key] for key in ("peepholes", "projection") if key in values}
        if "cell_gain" in values:
            weights["cell_norm"] = values["cell_gain"], values["cell_bias"]
        hidden = values["projection"].shape[1] if "projection" in values else UNITS
        names = ["initial_hidden", "initial_cell"][: self.recurrence.states]
        widths = [hidden, UNITS][: self.recurrence.states]
        state = [
            np.tile(values.get(key, np.zeros(width)), (BATCH, 1)) for key, width in zip(names, widths, strict=True)
        ]
        rates = np.broadcast_to(self.rates, self.recurrence.states)
        shares = [np.full((TIME, BATCH, 1), 1 - rate) for rate in rates]
        hidden, last = self.oracle.scan(self.recurrence, projected + bias, state, weights, MASK.T, zoneout=shares)
        return [hidden.transpose(1, 0, 2), *last]

    def loss(self):
        return sum(np.sum(output * importance(output.shape)) for output in self.outputs())


def importance(shape):
    return np.random.default_rng(len(shape)).normal(size=shape)


@pytest.mark.parametrize("in_graph", [False, True], ids=["eager", "graph"])
@pytest.mark.parametrize(("name", "options"), CASES)
def test_a_layer_equals_the_equations(oracle, name, options, in_graph):
    """In float64, the gradient by finite differences; what is random in training is its expectation here."""
    layer = built(name, dtype="float64", return_sequences=True, return_state=True, **options)
    inputs = np.random.default_rng(2).normal(size=(BATCH, TIME, FEATURES))
    expected = Expected(oracle, name, layer, inputs, RATES[name] if "zoneout" in options else 0.0)

    def run(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, mask=tf.constant(MASK))
            loss = tf.add_n([tf.reduce_sum(output * importance(output.shape)) for output in outputs])
        return outputs, tape.gradient(loss, [inputs, *(weight.value for weight in layer.weights)])

    outputs, gradients = (tf.function(run, autograph=False) if in_graph else run)(tf.constant(inputs))
    for output, other in zip(outputs, expected.outputs(), strict=True):
        np.testing.assert_allclose(output, other, rtol=1e-10, atol=1e-10)
    if in_graph:
        return
    for key, gradient in zip(["inputs", *(weight.name for weight in layer.weights)], gradients, strict=True):
        slopes = oracle.slopes(expected.loss, expected.values[key])
        np.testing.assert_allclose(gradient, slopes, rtol=1e-6, atol=1e-6, err_msg=key)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_training_compiled_in_parts_equals_eager(monkeypatch, name):
    """All that is drawn at random is drawn outside the loop: the same seed gives the same in both."""
    monkeypatch.setattr("models.recurrence.parts.most_parts", lambda: 2)
    options = OPTIONS["all"] if name != "LSTM" else LSTM_OPTIONS["all"]
    options = options | {"weight_dropout": 0.3, "dropout": 0.2, "recurrent_dropout": 0.2, "go_backwards": True}
    random = np.random.default_rng(3)
    inputs, mask = tf.constant(random.normal(size=(17, TIME, FEATURES)), tf.float32), random.random((17, TIME)) < 0.8

    def run(in_graph):
        layer = built(name, seed=5, return_sequences=True, return_state=True, **options)

        def step(inputs):
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                outputs = layer(inputs, mask=tf.constant(mask), training=True)
                loss = tf.add_n([tf.reduce_sum(output * output) for output in outputs])
            return outputs, tape.gradient(loss, [inputs, *(weight.value for weight in layer.trainable_variables)])

        return tf.nest.flatten((tf.function(step, autograph=False) if in_graph else step)(inputs))

    for compiled, eager in zip(run(True), run(False), strict=True):
        np.testing.assert_allclose(compiled, eager, rtol=1e-4, atol=1e-5)


# What is drawn at random


@pytest.mark.parametrize("name", NAMES)
def test_zoneout_keeps_the_old_value_of_some_units(name):
    """After one step every unit has its old value or its new one, so many of each, in every field independently."""
    rows = 4000
    layer, plain = built(name, zoneout=RATES, return_state=True, seed=1), built(name, return_state=True)
    random = np.random.default_rng(2)
    inputs = np.tile(random.normal(size=(1, 1, FEATURES)), (rows, 1, 1)).astype(np.float32)
    state = [np.tile(random.normal(size=(1, UNITS)), (rows, 1)).astype(np.float32) for _ in np.ravel(RATES[name])]
    _, *last = layer(inputs, initial_state=state, training=True)
    _, *new = plain(inputs, initial_state=state)
    kept = []
    for field, before, after, rate in zip(last, state, new, np.ravel(RATES[name]), strict=True):
        keeps, renews = np.isclose(field, before, atol=1e-6), np.isclose(field, after, atol=1e-6)
        assert np.all(keeps ^ renews)
        np.testing.assert_allclose(keeps.mean(axis=0), rate, atol=0.04)  # five standard deviations
        kept.append(keeps)
    every = np.concatenate(kept, axis=1).astype(float)
    correlation = np.corrcoef(every.T) - np.eye(every.shape[1])
    assert np.abs(correlation).max() < 0.1


def test_zoneout_is_drawn_anew_at_every_step():
    layer = built("SimpleRNN", zoneout=0.5, return_sequences=True, seed=1)
    layer.cell.recurrent_kernel.assign(np.zeros((UNITS, UNITS)))  # so that all rows and steps renew to the same
    inputs = np.random.default_rng(2).normal(size=(200, 1, FEATURES)).astype(np.float32)
    outputs = layer(np.tile(inputs, (1, 20, 1)), training=True).numpy()
    new = outputs[:, -1:]  # after 20 steps nearly all units have been renewed
    renewed = np.isclose(outputs, new, atol=1e-6)
    # A unit is still zero after t steps with probability 1 / 2ᵗ.
    np.testing.assert_allclose(renewed.mean(axis=(0, 2))[:4], [1 / 2, 3 / 4, 7 / 8, 15 / 16], atol=0.1)


@pytest.mark.parametrize("in_graph", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["eager", "compiled"])
@pytest.mark.parametrize(("name", "units"), [("SimpleRNN", 2), ("GRU", 1), ("LSTM", 1)])
def test_weight_dropout_is_one_mask_of_the_recurrent_kernel(name, units, in_graph):
    """All rows and steps of a call are explained by one mask; masks are drawn anew, and kept elements count double."""
    layer = built(name, units, weight_dropout=0.5, return_sequences=True, seed=1)
    plain = built(name, units, return_sequences=True)
    inputs = np.random.default_rng(2).normal(size=(BATCH, 8, FEATURES)).astype(np.float32)
    np.testing.assert_allclose(layer(inputs), plain(inputs), rtol=1e-6, atol=1e-6)
    kernel = plain.cell.recurrent_kernel.numpy()
    masks = [np.reshape(mask, kernel.shape) for mask in itertools.product([0.0, 2.0], repeat=kernel.size)]
    candidates = []
    for mask in masks:
        plain.cell.recurrent_kernel.assign(kernel * mask)
        candidates.append(plain(inputs).numpy())
    call = tf.function(layer, autograph=False) if in_graph else layer
    chosen = []
    for _ in range(60):
        distance = np.abs(np.stack(candidates) - call(inputs, training=True)).max(axis=(1, 2, 3))
        assert distance.min() < 1e-5
        chosen.append(distance.argmin())
    assert len(set(chosen)) > len(masks) / 2
    # The mean of 60 or more elements of a standard deviation of 1 each.
    np.testing.assert_allclose(np.mean([masks[index] for index in chosen]), 1, atol=0.35)


# What is refused


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("LSTM", {"zoneout": 1.0}, r"zoneout of LSTM .* at least 0 and below 1\. Received: zoneout=1\.0"),
        ("LSTM", {"zoneout": [0.1, -0.1]}, r"zoneout of LSTM .* below 1\. Received: zoneout=-0\.1"),
        ("LSTM", {"zoneout": [0.1, 0.1, 0.1]}, r"one rate or two, of hidden and cell\. Received: zoneout=\[0\.1"),
        ("GRU", {"zoneout": [0.1, 0.1]}, r"zoneout of GRU is one rate\. Received: zoneout=\[0\.1, 0\.1\]"),
        ("GRU", {"weight_dropout": 1}, r"weight_dropout of GRU .* below 1\. Received: weight_dropout=1"),
        (
            "LSTM",
            {"projection": 0},
            r"width of its output\) must be a whole number of at least 1\. Received: projection",
        ),
        ("LSTM", {"projection": UNITS}, rf"less than {UNITS} was expected.* Received: projection={UNITS}"),
        ("GRU", {"projection": 2}, r"`projection` means nothing to GRU.*Leave it out.* Received: projection=2"),
        ("SimpleRNN", {"peepholes": True}, r"`peepholes` means nothing to SimpleRNN.* Received: peepholes=True"),
        ("GRU", {"trainable_initial_state": True, "stateful": True}, r"Leave out one .* Received: .*stateful=True"),
        ("GRU", {"layer_normalization": True, "reset_after": False}, r"Leave out one .* Received: .*reset_after=False"),
        ("LSTM", {"peepholes": True, "activation": "gelu"}, r"loop of Keras.* Received: \{'peepholes': True\}"),
    ],
    ids=str,
)
def test_what_does_not_go_together_is_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        getattr(models, name)(UNITS, **options)


@pytest.mark.parametrize("name", NAMES)
def test_all_arguments_of_keras_may_be_given_by_place(name):
    layer = getattr(models, name)(UNITS, "relu", zoneout=0.1)
    assert layer.activation is keras.activations.relu
    assert layer.get_config()["zoneout"] == 0.1


@pytest.mark.parametrize("name", NAMES)
def test_without_options_weights_and_configuration_are_those_of_keras(name):
    """So that a layer of Keras can be made from the configuration of ours."""
    ours = getattr(models, name)(UNITS)
    assert not set(ours.get_config()) & {"layer_normalization", "zoneout", "weight_dropout", "peepholes", "projection"}
    assert type(ours.cell) is getattr(keras.layers, f"{name}Cell")


@pytest.mark.parametrize("options", [{"zoneout": 0.1}, {"weight_dropout": 0.1}, {"peepholes": True}], ids=str)
def test_a_cell_with_options_refuses_to_run_alone(options):
    cell = models.LSTM(3, **options).cell
    with pytest.raises(NotImplementedError, match=rf"nothing without the layer.* Received: .*{next(iter(options))}"):
        keras.layers.RNN(cell)(np.zeros((2, 5, 4), "float32"))
