import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipelines.checkpoints import WeightAverage, load_checkpoint, save_checkpoint
from pipelines.configuration import ConfigurationError
from pipelines.runs import Run
from pipelines.training import TrainingConfiguration, fit, learning_rate_schedule

REPOSITORY = Path(__file__).parents[2]
QUICK = TrainingConfiguration(epochs=3, learning_rate=0.01, early_stopping_patience=0)
RESUMED = TrainingConfiguration(
    epochs=4, learning_rate=0.01, weight_average_decay=0.9, weight_decay=0.01, checkpoint_seconds=0.05
)


def sequences(examples: int = 32) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(1)
    inputs = generator.normal(size=(examples, 6, 3)).astype("float32")  # (batch, time, channels)
    return inputs, inputs.sum(axis=(1, 2))[:, None]  # (batch, 1)


def recurrent_model(dropout: float = 0.3) -> keras.Model:
    keras.utils.set_random_seed(7)
    layers = [keras.layers.LSTM(5, dropout=dropout), keras.layers.Dropout(dropout), keras.layers.Dense(1)]
    return keras.Sequential([keras.Input((None, 3)), *layers])


def pooled_model() -> keras.Model:
    """Where time does not matter: traced in a fraction of the time of a recurrent model."""
    keras.utils.set_random_seed(7)
    pooling = keras.layers.GlobalAveragePooling1D()
    return keras.Sequential([keras.Input((None, 3)), keras.layers.Dense(4), pooling, keras.layers.Dense(1)])


def batches_of(inputs, targets, batch_size: int = 4):
    def training_batches(epoch: int) -> tf.data.Dataset:
        data = tf.data.Dataset.from_tensor_slices((inputs, targets))
        return data.shuffle(len(inputs), seed=epoch, reshuffle_each_iteration=False).batch(batch_size)

    return training_batches


def train(run: Run, configuration: TrainingConfiguration, model=None, batches=None, validate=None, loss=None):
    model = model or pooled_model()
    inputs, targets = sequences()

    def squared_error(batch, training):
        return tf.reduce_mean((model(batch[0], training=training) - batch[1]) ** 2)

    def validation():
        return {"mse": float(squared_error((inputs, targets), False))}

    batches = batches or batches_of(inputs, targets)
    return model, fit(
        run, model, loss or squared_error, batches, validate or validation, configuration, "mse"
    )


def train_for_resume(run: Run):
    """The same training in this process and in the one that is killed; long enough to be met in it."""
    inputs, targets = sequences(160)
    return train(run, RESUMED, recurrent_model(), batches=batches_of(inputs, targets))


@pytest.fixture
def run(tmp_path):
    return Run.create("test", "tiny", QUICK, tmp_path / "runs")


@pytest.mark.slow
def test_killed_at_random_moments_equals_uninterrupted_bit_for_bit(tmp_path):
    expected_run = Run.create("test", "whole", RESUMED, tmp_path)
    expected_model, expected = train_for_resume(expected_run)
    killed_run = Run.create("test", "killed", RESUMED, tmp_path)
    checkpoint = killed_run.folder / "checkpoints" / "latest.npz"
    delays = []
    for _ in range(2):
        command = [sys.executable, __file__, str(killed_run.folder)]
        before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        process = subprocess.Popen(command, cwd=REPOSITORY, env=os.environ | {"PYTHONPATH": str(REPOSITORY)})
        while process.poll() is None and (not checkpoint.exists() or checkpoint.stat().st_mtime_ns == before):
            time.sleep(0.002)
        delays.append(random.uniform(0, 0.3))
        time.sleep(delays[-1])
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "the process ended before it could be killed"
    assert not (killed_run.folder / "model.weights.h5").exists()

    model, result = train_for_resume(Run.open(killed_run.folder))

    assert result.history == expected.history, delays
    assert (killed_run.folder / "history.csv").read_bytes() == (
        expected_run.folder / "history.csv"
    ).read_bytes()
    for mine, theirs in zip(model.variables, expected_model.variables, strict=True):
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy(), err_msg=f"{mine.path} {delays}")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    run = Run.create("test", "whole", QUICK, tmp_path_factory.mktemp("runs"))
    return train(run, QUICK, recurrent_model())


@pytest.mark.parametrize("moment", range(4))
def test_resume_within_an_epoch_and_in_validation(tmp_path, whole, moment):
    """Stopped before the first step of an epoch, in its middle, in validation, and after the end."""
    inputs, targets = sequences()
    whole_model, expected = whole
    stopped = Run.create("test", "stopped", QUICK, tmp_path)
    configuration = QUICK.replace(checkpoint_seconds=0)  # after every step

    class Stop(Exception):
        pass

    def interrupted_batches(epoch):
        if epoch == 1 and moment == 0:
            raise Stop
        batches = batches_of(inputs, targets)(epoch)
        if epoch == 1 and moment == 1:
            # Takes the place of the kill: the fourth batch cannot be made.
            check = tf.data.Dataset.range(3).concatenate(tf.data.Dataset.from_tensors(np.int64(-1)))
            check = check.map(lambda number: tf.debugging.check_numerics(tf.math.sqrt(float(number)), ""))
            return tf.data.Dataset.zip(batches, check.repeat()).map(lambda batch, _: batch)
        return batches

    validations = []

    def interrupted_validation():
        validations.append(1)
        if len(validations) == 2 and moment == 2:
            raise Stop
        return {"mse": float(tf.reduce_mean((model(inputs) - targets) ** 2))}

    model = recurrent_model()
    if moment == 3:
        train(stopped, configuration, model)
    else:
        with pytest.raises((Stop, tf.errors.InvalidArgumentError)):
            train(stopped, configuration, model, interrupted_batches, interrupted_validation)
        steps = json.loads(str(np.load(stopped.folder / "checkpoints" / "latest.npz")["state"]))
        assert (steps["epoch"], steps["step_in_epoch"]) == [(1, 0), (1, 3), (1, 8)][moment]

    model, result = train(stopped, configuration, recurrent_model())

    assert result.history == expected.history
    for mine, theirs in zip(model.variables, whole_model.variables, strict=True):
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy())


def test_one_step_moves_every_parameter(run):
    model = recurrent_model()
    before = [weight.numpy() for weight in model.trainable_variables]
    inputs, targets = sequences(4)
    train(run, QUICK.replace(epochs=1), model, batches_of(inputs, targets))
    for weight, old in zip(model.trainable_variables, before, strict=True):
        assert np.all(weight.numpy() != old), weight.path


def test_step_of_the_optimizer_equals_numpy(run):
    """AdamW's first step by hand: bias-corrected moments are g and g^2; matrices decay, vectors do not."""
    weight, bias = keras.Variable([[2.0]]), keras.Variable([3.0])

    class Line(keras.Model):
        def __init__(self):
            super().__init__()
            self.weight, self.bias = weight, bias
            self.built = True

    configuration = QUICK.replace(epochs=1, weight_decay=0.5, warmup_share=0.0, gradient_clip_norm=0.0)
    data = tf.data.Dataset.from_tensors(tf.constant([[1.0]]))
    train(
        run,
        configuration,
        Line(),
        lambda epoch: data,
        lambda: {"mse": 0.0},
        lambda batch, training: tf.reduce_sum(weight.value * batch) - tf.reduce_sum(bias.value),
    )
    np.testing.assert_allclose(weight.numpy(), 2.0 * (1 - 0.01 * 0.5) - 0.01, rtol=1e-6)
    np.testing.assert_allclose(bias.numpy(), 3.0 + 0.01, rtol=1e-6)


def test_gradients_are_clipped_by_their_global_norm(run, tmp_path):
    """Adam hides the scale of a gradient, but not when the scale changes between steps."""
    gradients = np.array([[3.0, 4.0], [0.3, 0.4], [30.0, -40.0]], "float32")  # norms 5, 0.5, 50
    weights = {}
    for limit in (1.0, 0.0):
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
        model.set_weights([np.zeros((2, 1))])
        configuration = QUICK.replace(
            epochs=1, warmup_share=0.0, schedule="constant", gradient_clip_norm=limit
        )
        data = tf.data.Dataset.from_tensor_slices(gradients).batch(1)
        folder = Run.create("test", "clip", configuration, tmp_path / str(limit))
        _, result = train(
            folder,
            configuration,
            model,
            lambda epoch, data=data: data,
            lambda: {"mse": 0.0},
            lambda batch, training, model=model: tf.reduce_sum(model(batch)),
        )
        np.testing.assert_allclose(result.history[0]["gradient_norm"], (5 + 0.5 + 50) / 3, rtol=1e-5)
        weights[limit] = model.get_weights()[0][:, 0]

        expected, first, second = np.zeros(2), np.zeros(2), np.zeros(2)
        for step, gradient in enumerate(gradients.astype("float64"), start=1):
            norm = np.linalg.norm(gradient)
            gradient = gradient * (min(1, limit / norm) if limit else 1)
            first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
            expected -= 0.01 * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-7)
        np.testing.assert_allclose(weights[limit], expected, rtol=1e-4)
    assert np.abs(weights[1.0] - weights[0.0]).max() > 1e-3


def test_early_stopping_restores_the_best(run):
    values = iter([3.0, 1.0, math.nan, 2.0, 0.0])
    snapshots = []
    model = pooled_model()

    def validate():
        snapshots.append(model.get_weights())
        return {"mse": next(values)}

    _, result = train(run, QUICK.replace(epochs=5, early_stopping_patience=2), model, validate=validate)
    assert (result.best_epoch, result.best_value, result.stopped_early) == (2, 1.0, True)
    assert len(result.history) == len(snapshots) == 4
    for kept, best, last in zip(model.get_weights(), snapshots[1], snapshots[3], strict=True):
        np.testing.assert_array_equal(kept, best)
        assert np.any(kept != last)
    fresh = pooled_model()
    fresh.load_weights(run.folder / "model.weights.h5")
    for kept, loaded in zip(model.get_weights(), fresh.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, loaded)


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


def test_weight_average_equals_numpy_and_gives_the_weights_back():
    values = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    weight = keras.Variable(np.zeros(3, "float32"))
    average = WeightAverage([weight], decay=0.8)
    for value in values:
        weight.assign(value)
        average.update()
    shares = 0.8 ** np.arange(4, -1, -1)
    with average.applied(updates=5):
        np.testing.assert_allclose(weight.numpy(), shares @ values / shares.sum(), rtol=1e-5)
    np.testing.assert_array_equal(weight.numpy(), values[-1])


def test_averaged_weights_are_validated_and_kept(run):
    model = pooled_model()
    validated = []

    def validate():
        validated.append(model.get_weights())
        return {"mse": -float(len(validated))}

    train(run, QUICK.replace(weight_average_decay=0.5), model, validate=validate)
    for kept, last in zip(model.get_weights(), validated[-1], strict=True):
        np.testing.assert_array_equal(kept, last)
    archive = np.load(run.folder / "checkpoints" / "latest.npz")
    trained = [archive[f"model.{number}"] for number in range(len(model.variables))]
    assert any(
        np.any(variable.numpy() != old) for variable, old in zip(model.variables, trained, strict=True)
    )


def test_a_batch_without_a_finite_loss_is_skipped_and_counted(run, capsys, tmp_path):
    inputs, targets = sequences()
    spoiled = np.concatenate([inputs[:8], np.full_like(inputs[:4], np.nan), inputs[8:]])
    labels = np.concatenate([targets[:8], targets[:4], targets[8:]])
    ordered = tf.data.Dataset.from_tensor_slices((spoiled, labels)).batch(4)
    model, result = train(run, QUICK.replace(epochs=1), pooled_model(), lambda epoch: ordered)
    assert result.skipped_steps == 1
    assert result.history[0]["skipped_steps"] == 1
    assert "the last one step 3" in capsys.readouterr().out

    # The same as if that batch had not been there: the schedule counts updates; 9 steps are in both epochs.
    clean = tf.data.Dataset.from_tensor_slices((inputs, targets)).batch(4)
    other = pooled_model()
    loss = lambda batch, training: tf.reduce_mean((other(batch[0], training=training) - batch[1]) ** 2)  # noqa: E731
    validate = lambda: {"mse": 0.0}  # noqa: E731
    folder = Run.create("test", "clean", QUICK, tmp_path)
    fit(folder, other, loss, lambda epoch: clean, validate, QUICK.replace(epochs=1), "mse", steps_per_epoch=9)
    for mine, theirs in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_twenty_skipped_steps_in_a_row_are_an_error(run):
    inputs, targets = sequences(100)
    with pytest.raises(FloatingPointError, match=r"20 steps in a row.*Received: epoch 1, step 20"):
        train(run, QUICK, batches=batches_of(inputs * np.nan, targets))


def test_batches_of_many_shapes_trace_the_loss_once(run):
    inputs, targets = sequences(8)
    traces = []
    model = pooled_model()

    def loss(batch, training):
        traces.append(1)
        return tf.reduce_mean((model(batch["inputs"], training=training) - batch["targets"]) ** 2)

    def training_batches(epoch):
        def generate():
            for length in range(1, 7):
                yield {"inputs": inputs[:length, :length], "targets": targets[:length]}

        specification = {
            "inputs": tf.TensorSpec((None, None, 3), tf.float32),
            "targets": tf.TensorSpec((None, 1), tf.float32),
        }
        data = tf.data.Dataset.from_generator(generate, output_signature=specification)
        return data.apply(tf.data.experimental.assert_cardinality(6))

    _, result = train(run, QUICK, model, training_batches, loss=loss)
    assert len(traces) == 1
    assert result.history[0]["steps"] == 6


def test_compiled_by_xla_equals_not_compiled(tmp_path):
    results = []
    for compiled in (False, True):
        run = Run.create("test", "tiny", QUICK, tmp_path / str(compiled))
        results.append(train(run, QUICK.replace(jit_compile=compiled), pooled_model())[1])
    for plain, compiled in zip(results[0].history, results[1].history, strict=True):
        assert plain["loss"] == pytest.approx(compiled["loss"], rel=1e-4)


def test_mean_loss_weighs_a_small_last_batch_by_its_examples(run):
    values = np.array([[1.0], [2.0], [3.0], [10.0]], "float32")
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])

    def loss(batch, training):
        return tf.reduce_mean(batch) + 0 * tf.reduce_sum(model(batch))

    data = tf.data.Dataset.from_tensor_slices(values).batch(3)
    _, result = train(run, QUICK.replace(epochs=1), model, lambda epoch: data, lambda: {"mse": 0.0}, loss)
    assert result.history[0]["loss"] == pytest.approx(4.0)


def test_what_is_written(run):
    _, result = train(run, QUICK)
    timing = json.loads((run.folder / "timing.json").read_text())
    assert timing["seconds"] >= result.seconds > 0
    assert timing["examples_per_second"] > 0
    assert 0 < timing["waiting_share"] < 1
    assert [row["epoch"] for row in run.history()] == [1, 2, 3]
    assert run.history() == result.history
    events = list((run.folder / "tensorboard").iterdir())
    tags = {
        value.tag
        for event in tf.compat.v1.train.summary_iterator(str(events[0]))
        for value in event.summary.value
    }
    assert {"training/loss", "training/learning_rate", "epoch/loss", "epoch/validation_mse"} <= tags


def test_a_full_disk_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "latest.npz"
    weight = tf.Variable([1.0])
    save_checkpoint(path, {"model": [weight]}, {"epoch": 1})

    def write_half(file, **arrays):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", write_half)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(path, {"model": [weight.assign([2.0])]}, {"epoch": 2})
    assert load_checkpoint(path, {"model": [weight]}) == {"epoch": 1}
    assert weight.numpy() == [1.0]
    assert list(tmp_path.iterdir()) == [path]


def test_checkpoint_keeps_every_kind_of_variable(tmp_path):
    variables = [
        tf.Variable(tf.cast([1.5, -2], kind)) for kind in (tf.bfloat16, tf.float64, tf.int64, tf.uint32)
    ]
    seeds = keras.random.SeedGenerator(3)
    keras.random.normal((2,), seed=seeds)
    save_checkpoint(tmp_path / "one.npz", {"some": variables, "seeds": [seeds.state]}, {"best": math.inf})
    expected = keras.random.normal((2,), seed=seeds)
    values = [variable.numpy() for variable in variables]
    for variable in variables:
        variable.assign(tf.zeros_like(variable))
    assert load_checkpoint(tmp_path / "one.npz", {"some": variables, "seeds": [seeds.state]}) == {
        "best": math.inf
    }
    for variable, value in zip(variables, values, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    np.testing.assert_array_equal(keras.random.normal((2,), seed=seeds), expected)


def test_checkpoints_of_other_models_and_damaged_ones_are_refused(tmp_path):
    save_checkpoint(tmp_path / "one.npz", {"model": [tf.Variable([1.0])]}, {})
    with pytest.raises(ValueError, match=r"another model.*Received: 2 differences"):
        load_checkpoint(tmp_path / "one.npz", {"model": [tf.Variable([[1.0]])]})
    (tmp_path / "one.npz").write_bytes((tmp_path / "one.npz").read_bytes()[:100])
    with pytest.raises(ValueError, match=r"cannot be read.*Received: .*one.npz"):
        load_checkpoint(tmp_path / "one.npz", {"model": [tf.Variable([1.0])]})


def test_errors_say_what_to_do(run):
    inputs, targets = sequences()
    batches = batches_of(inputs, targets)
    with pytest.raises(ValueError, match="Build it first"):
        train(run, QUICK, keras.Sequential([keras.layers.Dense(1)]))
    with pytest.raises(ValueError, match=r"steps_per_epoch.*cardinality -1"):
        train(run, QUICK, batches=lambda epoch: batches(epoch).repeat())
    with pytest.raises(ValueError, match=r"must be a scalar.*\(None, 1\)"):
        model = pooled_model()
        train(run, QUICK, model, loss=lambda batch, training: model(batch[0]))
    with pytest.raises(ValueError, match=r"no gradient.*dense.*kernel"):
        unused = keras.Sequential([keras.Input((None, 3)), keras.layers.Dense(1), keras.layers.Dense(2)])
        train(run, QUICK, unused, loss=lambda batch, training: tf.reduce_sum(unused.layers[0](batch[0])))
    with pytest.raises(ValueError, match=r"monitored value.*rmse.*'mse'"):
        train(run, QUICK.replace(epochs=1), validate=lambda: {"rmse": 1.0})
    with pytest.raises(ConfigurationError, match="learning_rate"):
        TrainingConfiguration(learning_rate=-1.0)


if __name__ == "__main__":
    train_for_resume(Run.open(sys.argv[1]))
