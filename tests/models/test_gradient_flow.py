"""The gradient that reaches each time step, against finite differences and against linear algebra."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.summary.summary_iterator import summary_iterator

import models
from models.gradient_flow import GradientFlow, gradient_norms

LAYERS = {
    "SimpleRNN": models.SimpleRNN,
    "LSTM": models.LSTM,
    "GRU": models.GRU,
    "MinGRU": models.MinGRU,
    "MinLSTM": models.MinLSTM,
    "Keras's SimpleRNN": keras.layers.SimpleRNN,
    "Keras's LSTM": keras.layers.LSTM,
    "Keras's GRU": keras.layers.GRU,
}
BATCH, TIME, FEATURES, UNITS = 2, 4, 2, 3
MASKS = {
    "right padding": np.array([[True] * TIME, [True, True, False, False]]),
    "left padding": np.array([[False, True, True, True], [False, False, True, True]]),
    "a row of padding": np.array([[True] * TIME, [False] * TIME]),
}


@pytest.fixture(params=LAYERS)
def layer_class(request):
    return LAYERS[request.param]


@pytest.fixture
def inputs():
    return np.random.default_rng(2).normal(size=(BATCH, TIME, FEATURES))


def built(layer_class, dtype="float64", **options):
    layer = layer_class(UNITS, dtype=dtype, **options)
    layer.build((None, None, FEATURES))
    random = np.random.default_rng(4)
    layer.set_weights([random.normal(scale=0.6, size=weight.shape) for weight in layer.get_weights()])
    return layer


def importance(time=TIME):
    """What the loss multiplies outputs with: different at every step and unit."""
    return np.cos(np.arange(time * UNITS)).reshape(time, UNITS)


def test_equals_finite_differences(layer_class, inputs):
    """Every entry of the state after every step is moved a little, and the rest of the sequence run again."""
    layer = built(layer_class, return_sequences=True, return_state=True)
    change = np.array([1e-6, -1e-6])
    expected = []
    for step in range(TIME):
        state = [field.numpy() for field in layer(inputs[:, : step + 1])[1:]]
        places = [(number, place) for number, field in enumerate(state) for place in np.ndindex(field.shape)]
        moved = [np.tile(field, (len(places), 2, 1, 1)) for field in state]  # (places, 2, batch, units) each
        for row, (number, place) in enumerate(places):
            moved[number][(row, slice(None), *place)] += change
        rows = [field.reshape(-1, UNITS) for field in moved]
        outputs = rows[0][:, np.newaxis]  # (rows, time from this step on, units)
        if step + 1 < TIME:
            rest = np.tile(inputs[:, step + 1 :], (2 * len(places), 1, 1))
            after = layer(rest, initial_state=[tf.constant(field) for field in rows])[0]
            outputs = np.concatenate([outputs, after], axis=1)
        losses = np.sum((outputs * importance()[step:]).reshape(len(places), 2, -1), axis=2)
        expected.append(np.linalg.norm((losses[:, 0] - losses[:, 1]) / 2e-6))
    found = gradient_norms(layer, lambda x: tf.reduce_sum(layer(x)[0] * importance()), tf.constant(inputs))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_equals_powers_of_the_recurrent_kernel(inputs):
    layer = built(models.SimpleRNN, activation="linear")
    _, kernel, _ = layer.get_weights()
    found = gradient_norms(layer, lambda x: tf.reduce_sum(layer(x) * importance(1)[0]), tf.constant(inputs))
    gradient = np.repeat(importance(1), BATCH, axis=0)  # (batch, units)
    expected = [np.linalg.norm(gradient @ np.linalg.matrix_power(kernel.T, TIME - 1 - step)) for step in range(TIME)]
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"go_backwards": True},
        {"return_sequences": True},
        {"return_sequences": True, "return_state": True},
        {"return_sequences": True, "zero_output_for_mask": True},
    ],
    ids=["last", "backwards", "sequences", "state", "zeros at padding"],
)
@pytest.mark.parametrize("masked", [False, True], ids=["plain", "masked"])
def test_watching_changes_no_output(layer_class, inputs, options, masked):
    layer, seen = built(layer_class, **options), []
    mask = np.concatenate([*MASKS.values()]) if masked else None
    inputs = np.concatenate([inputs] * len(MASKS)) if masked else inputs
    state = [tf.constant(field + 0.5) for field in layer.get_initial_state(len(inputs))]

    def loss(x):
        output = layer(x, mask=None if mask is None else tf.constant(mask), initial_state=state, training=True)
        seen.append(tf.nest.flatten(output))
        return tf.add_n([tf.reduce_sum(tensor) for tensor in seen[-1]])

    norms = gradient_norms(layer, loss, tf.constant(inputs))
    loss(tf.constant(inputs))
    for watched, plain in zip(*seen, strict=True):
        np.testing.assert_allclose(watched, plain, atol=1e-12)
    assert norms.shape == (TIME,)
    assert np.all(norms.numpy() > 0)


def test_padding_passes_the_gradient_on(layer_class, inputs):
    """The state after the last step that counts is the state at the end, and has its gradient."""
    layer = built(layer_class)
    mask = tf.constant([[True, True, False, False]] * BATCH)
    norms = gradient_norms(layer, lambda x: tf.reduce_sum(layer(x, mask=mask)), tf.constant(inputs)).numpy()
    shorter = gradient_norms(layer, lambda x: tf.reduce_sum(layer(x)), tf.constant(inputs[:, :2])).numpy()
    np.testing.assert_allclose(norms, [*shorter, shorter[-1], shorter[-1]])


def test_a_layer_that_reads_backwards_forgets_the_end(inputs):
    options = {"activation": "linear", "recurrent_initializer": keras.initializers.Identity(0.5)}
    layer = models.SimpleRNN(UNITS, go_backwards=True, dtype="float64", **options)
    layer.build(inputs.shape)
    norms = gradient_norms(layer, lambda x: tf.reduce_sum(layer(x)), tf.constant(inputs)).numpy()
    np.testing.assert_allclose(norms / norms[0], [1, 0.5, 0.25, 0.125])


def test_padding_that_the_loss_leaves_out_gets_nothing(layer_class, inputs):
    layer = built(layer_class, return_sequences=True)
    mask = tf.constant([[True, True, True, False]] * BATCH)

    def loss(x):
        return tf.reduce_sum(layer(x, mask=mask)[:, :3] * importance(3))

    norms = gradient_norms(layer, loss, tf.constant(inputs)).numpy()
    shorter = gradient_norms(layer, lambda x: tf.reduce_sum(layer(x) * importance(3)), tf.constant(inputs[:, :3]))
    np.testing.assert_allclose(norms, [*shorter, 0.0])


def test_norms_far_below_one_are_not_rounded_to_zero(inputs):
    layer = models.SimpleRNN(UNITS, activation="linear", recurrent_initializer=keras.initializers.Identity(1e-10))
    layer.build(inputs.shape)
    norms = gradient_norms(layer, lambda x: tf.reduce_sum(layer(x)), tf.constant(inputs, tf.float32)).numpy()
    np.testing.assert_allclose(norms / norms[-1], [1e-30, 1e-20, 1e-10, 1], rtol=1e-5)


def make_model(recurrent):
    model = keras.Sequential([keras.Input((None, FEATURES)), keras.layers.Masking(), recurrent, keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return model


@pytest.mark.parametrize("layer_class", [models.LSTM, models.MinGRU, keras.layers.GRU])
def test_compiled_equals_eager_inside_a_model(layer_class, inputs):
    model = make_model(layer_class(UNITS))
    watched = model.layers[1]
    compiled = tf.function(lambda x: gradient_norms(watched, lambda x: tf.reduce_sum(model(x)), x), autograph=False)
    for steps in (TIME, 2):
        x = tf.constant(inputs[:, :steps], tf.float32)
        eager = gradient_norms(watched, lambda x: tf.reduce_sum(model(x)), x)
        np.testing.assert_allclose(compiled(x), eager, rtol=1e-5)
    assert "call" not in vars(watched)


@pytest.mark.parametrize("half", ["forward_layer", "backward_layer"])
@pytest.mark.parametrize("kind", [models.GRU, keras.layers.GRU], ids=["ours", "keras"])
def test_the_loss_of_a_masked_bidirectional_layer_is_its_own(inputs, half, kind):
    wrapped = keras.layers.Bidirectional(kind(UNITS, return_sequences=True, dtype="float64"), dtype="float64")
    wrapped.build(inputs.shape)
    seen = []

    def loss(x):
        seen.append(tf.reduce_sum(wrapped(x, mask=tf.constant(MASKS["right padding"])) ** 2))
        return seen[-1]

    gradient_norms(getattr(wrapped, half), loss, tf.constant(inputs))
    loss(tf.constant(inputs))
    np.testing.assert_allclose(*seen)


@pytest.mark.parametrize("half", ["forward_layer", "backward_layer"])
def test_one_direction_of_a_bidirectional_layer(inputs, half):
    wrapped = keras.layers.Bidirectional(models.GRU(UNITS, dtype="float64"), dtype="float64")
    wrapped.build(inputs.shape)
    layer = getattr(wrapped, half)
    norms = gradient_norms(layer, lambda x: tf.reduce_sum(wrapped(x)), tf.constant(inputs))
    alone = gradient_norms(layer, lambda x: tf.reduce_sum(layer(x)), tf.constant(inputs))
    np.testing.assert_allclose(norms, alone)


def test_one_layer_of_a_stack(inputs):
    stack = models.Stack("lstm", UNITS, depth=2, residual=True)
    stack.build(inputs.shape)
    norms = gradient_norms(stack.recurrent[0], lambda x: tf.reduce_sum(stack(x)), tf.constant(inputs, tf.float32))
    assert norms.shape == (TIME,) and np.all(norms.numpy() > 0)


# The callback


def test_callback_records_what_the_function_returns(inputs, tmp_path):
    targets = np.ones((BATCH, 1), np.float32)
    model = make_model(models.GRU(UNITS, dropout=0.5))
    flow = GradientFlow(model.layers[1], (inputs, targets), every=3, log_directory=str(tmp_path))
    before = gradient_norms(
        model.layers[1], lambda x: tf.reduce_mean((model(x) - targets) ** 2), tf.constant(inputs, tf.float32)
    )
    model.fit(np.repeat(inputs, 5, axis=0), np.repeat(targets, 5, axis=0), batch_size=2, verbose=0, callbacks=[flow])
    after = gradient_norms(
        model.layers[1], lambda x: tf.reduce_mean((model(x) - targets) ** 2), tf.constant(inputs, tf.float32)
    )
    assert [record.step for record in flow.records] == [0, 3, 5]
    np.testing.assert_allclose(flow.records[0].norms, before, rtol=1e-5)
    np.testing.assert_allclose(flow.records[-1].norms, after, rtol=1e-5)
    assert np.abs(after - before).max() > 1e-4

    (file,) = tmp_path.iterdir()
    written = {
        (event.step, value.tag): float(tf.make_ndarray(value.tensor))
        for event in summary_iterator(str(file))
        for value in event.summary.value
    }
    for step, norms in flow.records:
        for name, at in (("first", 0), ("middle", TIME // 2), ("last", -1)):
            assert written[step, f"gradient_norm/{name}"] == pytest.approx(norms[at], rel=1e-5)


def test_callback_obeys_sample_weights(inputs):
    recurrent = models.GRU(UNITS, return_sequences=True)
    model = make_model(recurrent)
    targets, weights = np.ones((BATCH, TIME, 1), np.float32), np.zeros((BATCH, TIME), np.float32)
    weights[:, 1] = 1
    flow = GradientFlow(recurrent, (inputs, targets, weights))
    model.fit(inputs, targets, verbose=0, callbacks=[flow])
    norms = flow.records[0].norms
    assert np.all(norms[:2] > 0)
    np.testing.assert_array_equal(norms[2:], 0)


def test_figure_has_a_line_for_each_record(inputs):
    model = make_model(models.SimpleRNN(UNITS))
    flow = GradientFlow(model.layers[1], (inputs, np.ones((BATCH, 1))), every=1)
    with pytest.raises(ValueError, match="Received: no records"):
        flow.figure()
    model.fit(inputs, np.ones((BATCH, 1)), epochs=2, verbose=0, callbacks=[flow])
    (axes,) = flow.figure().axes
    assert [len(line.get_xdata()) for line in axes.lines] == [TIME] * 3
    np.testing.assert_array_equal(axes.lines[1].get_ydata(), flow.records[1].norms)
    assert axes.get_yscale() == "log"


# Errors


@pytest.mark.parametrize(
    ("make", "received"),
    [
        (lambda: keras.layers.Dense(1), "Dense, built=False"),
        (lambda: models.GRU(UNITS), "GRU, built=False"),
        (lambda: _stateful(), "stateful=True"),
        (lambda: keras.layers.Bidirectional(models.GRU(UNITS)), "Bidirectional"),
        (lambda: _convolutional(), "ConvLSTM2D, built=True"),
    ],
)
def test_what_cannot_be_watched_is_refused(make, received):
    with pytest.raises(ValueError, match=rf"one recurrent layer, built and not stateful.* Received: .*{received}"):
        gradient_norms(make(), lambda: tf.constant(0.0))


def _convolutional():
    layer = models.ConvLSTM2D(2, 3)
    layer.build((BATCH, TIME, 6, 6, 1))
    return layer


def test_a_loss_for_each_row_is_refused(inputs):
    layer = built(models.GRU)
    with pytest.raises(ValueError, match=r"one number.* Received: shape \(2,\)"):
        gradient_norms(layer, lambda x: tf.reduce_sum(layer(x), axis=1), tf.constant(inputs))


def _stateful():
    layer = models.GRU(UNITS, stateful=True)
    layer.build((BATCH, TIME, FEATURES))
    return layer


@pytest.mark.parametrize("calls", [0, 2])
def test_loss_calls_the_layer_once(inputs, calls):
    layer = built(models.GRU)
    with pytest.raises(ValueError, match=f"must call .* once.* Received: {calls} calls"):
        gradient_norms(layer, lambda x: sum(tf.reduce_sum(layer(x)) for _ in range(calls)), tf.constant(inputs))


def test_layer_is_left_as_it_was_when_the_loss_fails(inputs):
    layer = built(models.GRU)
    expected = layer(inputs).numpy()

    def loss(x):
        layer(x)
        raise RuntimeError("as it were")

    with pytest.raises(RuntimeError, match="as it were"):
        gradient_norms(layer, loss, tf.constant(inputs))
    np.testing.assert_array_equal(layer(inputs), expected)
    assert not layer.return_state


@pytest.mark.parametrize("traced", [False, True], ids=["new", "traced before"])
def test_a_compiled_loss_is_refused(inputs, traced):
    layer, x = built(models.GRU), tf.constant(inputs)
    loss = tf.function(lambda x: tf.reduce_sum(layer(x)), autograph=False)
    if traced:
        loss(x)
    with pytest.raises(ValueError, match="not be compiled before: pass the model's call"):
        gradient_norms(layer, loss, x)


def test_watching_leaves_the_loss_of_each_output_alone(inputs):
    def fit(watched):
        keras.utils.set_random_seed(0)
        x = keras.Input((TIME, FEATURES))
        hidden = models.GRU(UNITS)(x)
        model = keras.Model(x, {name: keras.layers.Dense(1, name=name)(hidden) for name in "ab"})
        model.compile("sgd", {"a": "mse", "b": "mse"})
        targets = {name: np.ones((BATCH, 1), np.float32) for name in "ab"}
        flow = GradientFlow(model.layers[1], (50 * inputs, targets), every=1)
        history = model.fit(
            np.tile(inputs, (4, 1, 1)),
            {name: np.tile(target, (4, 1)) for name, target in targets.items()},
            batch_size=BATCH,
            epochs=2,
            shuffle=False,
            verbose=0,
            callbacks=[flow] if watched else [],
        )
        return history.history

    alone, watched = fit(False), fit(True)
    assert {"loss", "a_loss", "b_loss"} <= alone.keys()
    for name, values in alone.items():
        np.testing.assert_allclose(watched[name], values, rtol=1e-5, err_msg=name)


def test_steps_are_counted_where_several_are_one_call(inputs):
    model = make_model(models.GRU(UNITS))
    model.compile("sgd", "mse", steps_per_execution=4)
    targets = np.ones((BATCH, 1), np.float32)
    flow = GradientFlow(model.layers[1], (inputs, targets), every=2)
    data = np.repeat(inputs, 8, axis=0), np.repeat(targets, 8, axis=0)
    model.fit(*data, batch_size=BATCH, verbose=0, callbacks=[flow])
    assert [record.step for record in flow.records] == [0, 4, 8]
    assert int(model.optimizer.iterations) == 8


def test_records_are_made_every_so_many_steps():
    with pytest.raises(ValueError, match=r"at least 1\. Received: every=0"):
        GradientFlow(models.GRU(UNITS), (0, 0), every=0)
