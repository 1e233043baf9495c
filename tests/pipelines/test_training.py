"""Training: resume after a kill at any moment, early stopping, and what is written."""

import contextlib
import json
import math
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipelines.configuration import ConfigurationError
from pipelines.runs import Run, RunError
from pipelines.training import TrainingConfiguration, fit

REPOSITORY = Path(__file__).parents[2]
QUICK = TrainingConfiguration(epochs=3, learning_rate=0.01, early_stopping_patience=0)
RESUMED = TrainingConfiguration(
    epochs=4, learning_rate=0.01, weight_average_decay=0.9, weight_decay=0.01, checkpoint_seconds=0.05
)


def sequences(examples: int = 32) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(1)
    inputs = generator.normal(size=(examples, 6, 3)).astype("float32")  # (batch, time, channels)
    return inputs, inputs.sum(axis=(1, 2))[:, None]  # (batch, 1)


def recurrent_model() -> keras.Model:
    keras.utils.set_random_seed(7)
    layers = [keras.layers.LSTM(5, dropout=0.3), keras.layers.Dropout(0.3), keras.layers.Dense(1)]
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
    return model, fit(run, model, loss or squared_error, batches, validate or validation, configuration, minimise="mse")


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
    assert (killed_run.folder / "history.csv").read_bytes() == (expected_run.folder / "history.csv").read_bytes()
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
        batches = batches_of(inputs, targets)(epoch)
        if epoch == 1 and moment in (0, 1):
            # Takes the place of the kill: the first or the fourth batch cannot be made.
            check = tf.data.Dataset.range(3 * moment).concatenate(tf.data.Dataset.from_tensors(np.int64(-1)))
            check = check.map(lambda number: tf.debugging.check_numerics(tf.math.sqrt(float(number)), ""))
            return tf.data.Dataset.zip(batches, check.repeat()).map(lambda batch, _: batch)
        return batches

    validations = []  # one before training, then one an epoch

    def interrupted_validation():
        validations.append(1)
        if len(validations) == 3 and moment == 2:
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


def test_batches_are_made_while_the_epoch_before_is_validated(run):
    inputs, targets = sequences()
    made = [threading.Event() for _ in range(3)]
    waited = []

    def training_batches(epoch):
        def note(batch):
            made[epoch].set()
            return batch

        batches = batches_of(inputs, targets)(epoch)
        noted = batches.map(lambda x, y: (tf.ensure_shape(tf.numpy_function(note, [x], tf.float32), x.shape), y))
        return noted.prefetch(4)

    def validate():
        epoch = len(waited) - 1  # -1: the validation before training
        waited.append(epoch in (-1, 2) or made[epoch + 1].wait(timeout=30))
        return {"mse": 1.0}

    _, result = train(run, QUICK, batches=training_batches, validate=validate)
    assert waited == [True, True, True, True]
    assert [row["steps"] for row in result.history] == [8, 8, 8]


def test_no_epoch_waits_for_a_tuner(run, monkeypatch):
    """What makes batches ahead and is tuned as well may make the end of an epoch wait, for seconds to a minute."""
    given = []
    with_options = tf.data.Dataset.with_options
    monkeypatch.setattr(
        tf.data.Dataset, "with_options", lambda self, options: (given.append(options), with_options(self, options))[1]
    )
    train(run, QUICK)
    assert len(given) == QUICK.epochs and all(options.experimental_warm_start for options in given)
    assert not any(options.autotune.enabled for options in given)


def test_draws_without_a_seed_are_the_same_after_a_resume(run, tmp_path):
    """What is drawn for an epoch's order and in its validation depends on the epoch, not on what came before."""
    inputs, targets = sequences()
    configuration = QUICK.replace(checkpoint_seconds=0)

    def draw():
        return int(np.random.randint(10**6)), random.random(), float(tf.random.uniform(()))

    def draws_of(run, stop=None):
        orders, validations = {}, []

        def training_batches(epoch):
            orders[epoch] = draw()
            return batches_of(inputs, targets)(epoch)

        def validate():
            if len(validations) == stop:
                raise KeyboardInterrupt
            validations.append(draw())
            return {"mse": 1.0}

        with contextlib.suppress(KeyboardInterrupt):
            train(run, configuration, batches=training_batches, validate=validate)
        return orders, validations

    orders, validations = draws_of(run)
    assert len(set(validations)) == len(set(orders.values())) == 3
    stopped = Run.create("test", "stopped", QUICK, tmp_path)
    orders_before, validations_before = draws_of(stopped, stop=3)
    orders_after, validations_after = draws_of(stopped)  # killed in the last validation
    assert validations_before + validations_after == validations
    assert orders_before.items() <= orders.items()
    # To know what batches look like, the first epoch is asked for once more, before there are seeds.
    assert orders_after[2] == orders[2]


def test_early_stopping_restores_the_best(run):
    values = iter([0.5, 3.0, 1.0, math.nan, 2.0, 0.0])
    snapshots = []
    model = pooled_model()

    def validate():
        snapshots.append(model.get_weights())
        return {"mse": next(values)}

    _, result = train(run, QUICK.replace(epochs=5, early_stopping_patience=2), model, validate=validate)
    assert (result.best_epoch, result.best_value, result.stopped_early) == (2, 1.0, True)
    assert len(result.history) + 1 == len(snapshots) == 5  # one before training, which is never the best
    for kept, best, last in zip(model.get_weights(), snapshots[2], snapshots[4], strict=True):
        np.testing.assert_array_equal(kept, best)
        assert np.any(kept != last)
    fresh = pooled_model()
    fresh.load_weights(run.folder / "model.weights.h5")
    for kept, loaded in zip(model.get_weights(), fresh.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, loaded)


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
    assert any(np.any(variable.numpy() != old) for variable, old in zip(model.variables, trained, strict=True))


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
    fit(folder, other, loss, lambda epoch: clean, validate, QUICK.replace(epochs=1), minimise="mse", steps_per_epoch=9)
    for mine, theirs in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_twenty_skipped_steps_in_a_row_are_an_error(run):
    inputs, targets = sequences(100)
    with pytest.raises(FloatingPointError, match=r"20 steps in a row.*Received: epoch 1, step 20"):
        train(run, QUICK, batches=batches_of(inputs * np.nan, targets))


def test_what_is_written(run):
    _, result = train(run, QUICK)
    timing = json.loads((run.folder / "timing.json").read_text())
    assert timing["seconds"] >= result.seconds > 0
    assert timing["examples_per_second"] > 0
    assert 0 < timing["waiting_share"] < 1
    assert [row["epoch"] for row in run.history()] == [1, 2, 3]
    assert run.history() == result.history
    events = list((run.folder / "tensorboard").iterdir())
    tags = {value.tag for event in tf.compat.v1.train.summary_iterator(str(events[0])) for value in event.summary.value}
    assert {"training/loss", "training/learning_rate", "epoch/loss", "epoch/validation_mse"} <= tags


@pytest.mark.parametrize(
    ("largest", "value", "refused"), [(300, 1.0, "best.npz"), (300, math.nan, "tensorboard"), (3000, 1.0, "latest.npz")]
)
def test_a_full_disk_says_how_to_go_on(run, largest, value, refused):
    """No file may grow beyond so many bytes: the system refuses the write as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    validations = []

    def validate():
        validations.append(1)
        if len(validations) > 1:  # the first is before training
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, before[1]))
        return {"mse": value}

    try:
        with pytest.raises(RunError, match=rf"could not be written.*--resume.*UNROLLED_RUNS.*Received: .*{refused}"):
            train(run, QUICK, validate=validate)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(run.folder.rglob("*partial*"))


@pytest.mark.parametrize(
    ("stopped_at", "message"),
    [(0, r"no checkpoint yet\..*: unrolled train \w+ \w+$"), (2, r"last checkpoint is kept\..* --resume$")],
)
def test_who_stops_it_is_told_how_to_continue(run, stopped_at, message):
    validations = []

    def validate():
        validations.append(1)
        if len(validations) > stopped_at:
            raise KeyboardInterrupt
        return {"mse": 1.0}

    with pytest.raises(KeyboardInterrupt, match=message):
        train(run, QUICK, validate=validate)
    assert run.checkpoint("latest").exists() == bool(stopped_at)


def test_errors_say_what_to_do(run):
    inputs, targets = sequences()
    batches = batches_of(inputs, targets)
    with pytest.raises(ValueError, match="Build it first"):
        train(run, QUICK, keras.Sequential([keras.layers.Dense(1)]))
    with pytest.raises(ValueError, match=r"steps_per_epoch.*cardinality -1"):
        train(run, QUICK, batches=lambda epoch: batches(epoch).repeat())
    with pytest.raises(ConfigurationError, match="learning_rate"):
        TrainingConfiguration(learning_rate=-1.0)


def refused(run, validate, **decides):
    """Trains with the names given; no step may be taken before the refusal."""
    model = pooled_model()

    def loss(batch, training):
        raise AssertionError("a step was traced")

    fit(run, model, loss, batches_of(*sequences()), validate, QUICK, **decides)


@pytest.mark.parametrize(
    ("decides", "message"),
    [
        ({}, "one of minimise and maximise"),
        ({"minimise": "mse", "maximise": "accuracy"}, "one of minimise and maximise"),
        ({"minimise": "macro_f1"}, r"higher macro_f1 is better.*Write maximise='macro_f1'"),
        ({"maximise": "mse"}, r"lower mse is better.*Write minimise='mse'"),
    ],
)
def test_the_value_that_decides_has_one_direction(run, decides, message):
    with pytest.raises(ValueError, match=message):
        refused(run, lambda: {"mse": 1.0, "macro_f1": 1.0}, **decides)


def test_a_misspelt_value_is_found_before_the_first_epoch(run):
    model = pooled_model()
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"Expected one of rmse\. Received: 'mse'"):
        train(run, QUICK, model, validate=lambda: {"rmse": 1.0})
    for mine, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert run.history() == []


def test_the_largest_value_is_kept_when_it_is_maximised(run):
    values = iter([9.0, 1.0, 3.0, 2.0])
    model, snapshots = pooled_model(), []

    def validate():
        snapshots.append(model.get_weights())
        return {"accuracy": next(values)}

    loss = lambda batch, training: tf.reduce_mean((model(batch[0], training=training) - batch[1]) ** 2)  # noqa: E731
    result = fit(run, model, loss, batches_of(*sequences()), validate, QUICK, maximise="accuracy")
    assert (result.best_epoch, result.best_value) == (2, 3.0)
    for kept, best in zip(model.get_weights(), snapshots[2], strict=True):
        np.testing.assert_array_equal(kept, best)


if __name__ == "__main__":
    train_for_resume(Run.open(sys.argv[1]))
