"""Checkpoints: every kind of variable, damage, a full disk; the moving average of weights."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipelines.checkpoints import WeightAverage, load_checkpoint, save_checkpoint
from pipelines.runs import RunError


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


def test_a_full_disk_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "latest.npz"
    weight = tf.Variable([1.0])
    save_checkpoint(path, {"model": [weight]}, {"epoch": 1})

    def write_half(file, **arrays):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", write_half)
    with pytest.raises(RunError, match=r"--resume.*UNROLLED_RUNS.*Received: .*latest\.npz.*No space left"):
        save_checkpoint(path, {"model": [weight.assign([2.0])]}, {"epoch": 2})
    assert load_checkpoint(path, {"model": [weight]}) == {"epoch": 1}
    assert weight.numpy() == [1.0]
    assert list(tmp_path.iterdir()) == [path]


def test_checkpoint_keeps_every_kind_of_variable(tmp_path):
    variables = [tf.Variable(tf.cast([1.5, -2], kind)) for kind in (tf.bfloat16, tf.float64, tf.int64, tf.uint32)]
    seeds = keras.random.SeedGenerator(3)
    keras.random.normal((2,), seed=seeds)
    save_checkpoint(tmp_path / "one.npz", {"some": variables, "seeds": [seeds.state]}, {"best": math.inf})
    expected = keras.random.normal((2,), seed=seeds)
    values = [variable.numpy() for variable in variables]
    for variable in variables:
        variable.assign(tf.zeros_like(variable))
    assert load_checkpoint(tmp_path / "one.npz", {"some": variables, "seeds": [seeds.state]}) == {"best": math.inf}
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
