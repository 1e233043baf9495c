"""The learning rate and one step of training, against NumPy."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipelines.optimization import Muon, TrainingConfiguration, TrainingStep, learning_rate_schedule

CONFIGURATION = TrainingConfiguration(learning_rate=0.01, warmup_share=0.0, schedule="constant")


def network() -> keras.Model:
    keras.utils.set_random_seed(7)
    pooling = keras.layers.GlobalAveragePooling1D()
    return keras.Sequential([keras.Input((None, 3)), keras.layers.Dense(4), pooling, keras.layers.Dense(1)])


def steps_of(batches: tf.data.Dataset, model, loss=None, configuration=CONFIGURATION) -> TrainingStep:
    """Trains on the batches, one after the other."""

    def squared_error(batch, training):
        return tf.reduce_mean((model(batch[0], training=training) - batch[1]) ** 2)

    step = TrainingStep(model, loss or squared_error, configuration, 100, batches.element_spec)
    for batch in batches:
        step(batch)
    return step


def sequences(examples: int) -> tuple[np.ndarray, np.ndarray]:
    inputs = np.random.default_rng(1).normal(size=(examples, 6, 3)).astype("float32")  # (batch, time, channels)
    return inputs, inputs.sum(axis=(1, 2))[:, None]  # (batch, 1)


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
@pytest.mark.parametrize("warmup_share", [0.0, 0.1, 0.25])
def test_schedule_equals_the_formula(schedule, warmup_share):
    steps, peak, end = 40, 0.3, 0.1
    configuration = TrainingConfiguration(
        learning_rate=peak, warmup_share=warmup_share, schedule=schedule, final_learning_rate_share=end
    )
    actual = [float(learning_rate_schedule(configuration, steps)(step)) for step in range(60)]
    warmup = round(warmup_share * steps)
    for step, rate in enumerate(actual):
        done = min((step - warmup) / (steps - warmup), 1)
        cosine = peak * (end + (1 - end) * (1 + math.cos(math.pi * done)) / 2)
        expected = peak * (step + 1) / (warmup + 1) if step < warmup else cosine
        if schedule == "constant" and step >= warmup:
            expected = peak
        assert rate == pytest.approx(expected, rel=1e-5), step


def test_one_step_moves_every_parameter():
    keras.utils.set_random_seed(7)
    layers = [keras.layers.LSTM(5, dropout=0.3), keras.layers.Dropout(0.3), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((None, 3)), *layers])
    before = [weight.numpy() for weight in model.trainable_variables]
    steps_of(tf.data.Dataset.from_tensors(sequences(4)), model)
    for weight, old in zip(model.trainable_variables, before, strict=True):
        assert np.all(weight.numpy() != old), weight.path


def test_step_of_the_optimizer_equals_numpy():
    """AdamW's first step by hand: bias-corrected moments are g and g^2; matrices decay, vectors do not."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.set_weights([np.array([[2.0]]), np.array([3.0])])
    configuration = CONFIGURATION.replace(weight_decay=0.5, gradient_clip_norm=0.0)
    loss = lambda batch, training: tf.reduce_sum(model(batch))  # noqa: E731
    steps_of(tf.data.Dataset.from_tensors([[1.0]]), model, loss, configuration)
    kernel, bias = model.get_weights()
    np.testing.assert_allclose(kernel, [[2.0 * (1 - 0.01 * 0.5) - 0.01]], rtol=1e-6)
    np.testing.assert_allclose(bias, [3.0 - 0.01], rtol=1e-6)


@pytest.mark.parametrize("shape", [(3, 3, 2, 4), (2, 7)])
def test_muon_s_first_step_is_nearly_the_orthogonal_part_of_the_gradient(shape):
    """Of the gradient U S V the step has U V, its sizes within the bounds of five Newton–Schulz iterations."""
    gradient = np.random.default_rng(0).normal(size=shape).astype("float32")
    kernel = keras.Variable(np.zeros(shape, "float32"), name="kernel")
    Muon(0.1).apply([tf.constant(gradient)], [kernel])
    left, _, right = np.linalg.svd(gradient.reshape(-1, shape[-1]), full_matrices=False)
    step = -kernel.numpy().reshape(-1, shape[-1]) / (0.1 * 0.2 * math.sqrt(max(np.prod(shape[:-1]), shape[-1])))
    turned = left.T @ step @ right.T
    np.testing.assert_allclose(turned, np.diag(np.diag(turned)), atol=1e-3)
    assert np.all((np.diag(turned) > 0.6) & (np.diag(turned) < 1.3))


def test_muon_leaves_all_but_kernels_of_hidden_layers_to_adamw():
    layers = [keras.layers.Dense(3, name=name) for name in ("hidden", "relabels", "output", "labels")]
    embedding, peepholes = (
        keras.layers.Embedding(5, 3, name="pieces"),
        keras.Variable(np.ones((3, 2)), name="peepholes"),
    )
    for layer in [*layers, embedding]:
        layer.build((1, 2))
    weights = [*(weight for layer in [*layers, embedding] for weight in layer.weights), peepholes]
    before = {weight.path: weight.numpy() for weight in weights}
    gradients = [tf.random.stateless_uniform(weight.shape, (0, 0), 1.0, 2.0) for weight in weights]
    Muon(0.1).apply(gradients, weights)
    steps = {weight.path: before[weight.path] - weight.numpy() for weight in weights}
    by_muon = {path for path, step in steps.items() if not np.allclose(step, 0.1, rtol=1e-3)}
    assert by_muon == {"hidden/kernel", "relabels/kernel"}


def test_gradients_are_clipped_by_their_global_norm():
    """Adam hides the scale of a gradient, but not when the scale changes between steps."""
    gradients = np.array([[3.0, 4.0], [0.3, 0.4], [30.0, -40.0]], "float32")  # norms 5, 0.5, 50
    weights = {}
    for limit in (1.0, 0.0):
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
        model.set_weights([np.zeros((2, 1))])
        loss = lambda batch, training, model=model: tf.reduce_sum(model(batch))  # noqa: E731
        data = tf.data.Dataset.from_tensor_slices(gradients).batch(1)
        step = steps_of(data, model, loss, CONFIGURATION.replace(gradient_clip_norm=limit))
        np.testing.assert_allclose(step.means()["gradient_norm"], (5 + 0.5 + 50) / 3, rtol=1e-5)
        weights[limit] = model.get_weights()[0][:, 0]

        expected, first, second = np.zeros(2), np.zeros(2), np.zeros(2)
        for number, gradient in enumerate(gradients.astype("float64"), start=1):
            norm = np.linalg.norm(gradient)
            gradient = gradient * (min(1, limit / norm) if limit else 1)
            first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
            expected -= 0.01 * (first / (1 - 0.9**number)) / (np.sqrt(second / (1 - 0.999**number)) + 1e-7)
        np.testing.assert_allclose(weights[limit], expected, rtol=1e-4)
    assert np.abs(weights[1.0] - weights[0.0]).max() > 1e-3


def test_mean_loss_weighs_a_small_last_batch_by_its_examples():
    values = np.array([[1.0], [2.0], [3.0], [10.0]], "float32")
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    loss = lambda batch, training: tf.reduce_mean(batch) + 0 * tf.reduce_sum(model(batch))  # noqa: E731
    step = steps_of(tf.data.Dataset.from_tensor_slices(values).batch(3), model, loss)
    assert step.means()["loss"] == pytest.approx(4.0)
    step.start_epoch()
    assert math.isnan(step.means()["loss"])


def test_batches_of_many_shapes_trace_the_loss_once():
    inputs, targets = sequences(8)
    traces = []
    model = network()

    def loss(batch, training):
        traces.append(1)
        return tf.reduce_mean((model(batch["inputs"], training=training) - batch["targets"]) ** 2)

    def generate():
        for length in range(1, 7):
            yield {"inputs": inputs[:length, :length], "targets": targets[:length]}

    specification = {
        "inputs": tf.TensorSpec((None, None, 3), tf.float32),
        "targets": tf.TensorSpec((None, 1), tf.float32),
    }
    step = steps_of(tf.data.Dataset.from_generator(generate, output_signature=specification), model, loss)
    assert len(traces) == 1
    assert float(step.sums["steps"]) == 6
    assert float(step.sums["examples"]) == sum(range(1, 7))


def test_compiled_by_xla_equals_not_compiled():
    data = tf.data.Dataset.from_tensor_slices(sequences(32)).batch(4)
    plain, compiled = (
        steps_of(data, network(), configuration=CONFIGURATION.replace(jit_compile=compiled)).means()
        for compiled in (False, True)
    )
    assert plain == pytest.approx(compiled, rel=1e-4)


def test_a_batch_without_a_finite_loss_changes_nothing_but_the_count():
    inputs, targets = sequences(4)
    spoiled = tf.data.Dataset.from_tensors((inputs * np.nan, targets))
    model = network()
    before = model.get_weights()
    step = steps_of(spoiled, model, configuration=CONFIGURATION.replace(weight_decay=0.1))
    for weight, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)
    assert int(step.optimizer.iterations) == 0
    assert step.means()["skipped_steps"] == 1
    step.refuse_long_skip(epoch=1)


def test_twenty_skipped_steps_in_a_row_are_an_error_also_across_epochs():
    inputs, targets = sequences(4)
    bad, good = (
        tf.data.Dataset.from_tensors((inputs * np.nan, targets)),
        tf.data.Dataset.from_tensors((inputs, targets)),
    )
    step = steps_of(bad.repeat(19).concatenate(good).concatenate(bad.repeat(12)), network())
    step.refuse_long_skip(epoch=1)  # the good one parts them
    step.start_epoch()
    for batch in bad.repeat(8):
        step(batch)
    with pytest.raises(FloatingPointError, match=r"20 steps in a row.*Received: epoch 2, step 8"):
        step.refuse_long_skip(epoch=2)


def test_errors_say_what_to_do():
    data = tf.data.Dataset.from_tensors(sequences(4))
    model = network()
    with pytest.raises(ValueError, match=r"must be a scalar.*\(4, 1\)"):
        steps_of(data, model, lambda batch, training: model(batch[0]))
    unused = keras.Sequential([keras.Input((None, 3)), keras.layers.Dense(1), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match=r"no gradient.*dense.*kernel"):
        steps_of(data, unused, lambda batch, training: tf.reduce_sum(unused.layers[0](batch[0])))
