"""One network of one recurrent layer learns one problem, and its gradients are watched."""

import time
from typing import Any, NamedTuple

import keras
import tensorflow as tf

import models
from benchmarks.gradient_flow.problems import Problem
from models.gradient_flow import GradientFlow

LAYERS = {"SimpleRNN": models.SimpleRNN, "LSTM": models.LSTM, "GRU": models.GRU, "MinGRU": models.MinGRU}
UNITS, ROWS, LEARNING_RATE, CLIP_NORM = 64, 32, 3e-3, 1.0
READINGS = 10
"""So many times is the loss on the test sequences measured."""
TEST_ROWS, WATCHED_ROWS = 256, 32
TEST_SEED = -1
"""Training takes the seeds from 0 on, one a step: no test sequence is drawn in training."""


class Reading(NamedTuple):
    """Loss and accuracy on the test sequences after so many training steps."""

    step: int
    loss: float
    accuracy: float


class Outcome(NamedTuple):
    """One training; `start` and `end` are the norms (time,) of the gradient of the answer, before and after it."""

    problem: str
    length: int
    layer: str
    weights: int
    steps: int
    seconds: float
    readings: list[Reading]
    start: list[float]
    end: list[float]


class _Readings(keras.callbacks.Callback):
    """Measures before the first step, every so many steps, and after the last."""

    def __init__(self, inputs: tf.Tensor, targets: tf.Tensor, every: int):
        super().__init__()
        self.inputs, self.targets, self.every = inputs, targets, every
        self.step = 0
        self.taken: list[Reading] = []

    def on_train_begin(self, logs: Any = None) -> None:
        self._take()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.step += 1
        if self.step % self.every == 0:
            self._take()

    def on_train_end(self, logs: Any = None) -> None:
        if self.taken[-1].step != self.step:
            self._take()

    def _take(self) -> None:
        values = self.model.evaluate(self.inputs, self.targets, batch_size=128, verbose=0, return_dict=True)
        self.taken.append(Reading(self.step, values["loss"], values["accuracy"]))


def train(problem: Problem, length: int, layer: str, steps: int, seed: int, *callbacks: Any) -> Outcome:
    """Trains one network of one recurrent layer.

    Args:
        problem: what to learn.
        length: of the sequences.
        layer: a name in `LAYERS`.
        steps: how many batches to train on.
        seed: of weights and sequences.
        *callbacks: more callbacks of Keras.
    """
    started = time.perf_counter()
    keras.utils.set_random_seed(seed)

    def batch(number: Any, rows: int = ROWS) -> Any:
        return problem.batch(length, rows, tf.stack([tf.cast(seed, tf.int64), tf.cast(number, tf.int64)]))

    inputs, targets = batch(TEST_SEED, TEST_ROWS)
    recurrent = LAYERS[layer](UNITS, return_sequences=problem.every_step)
    model = keras.Sequential([keras.Input(inputs.shape[1:]), recurrent, keras.layers.Dense(problem.outputs)])
    optimizer = keras.optimizers.Adam(LEARNING_RATE, global_clipnorm=CLIP_NORM)
    model.compile(optimizer, problem.loss(), metrics=[keras.metrics.MeanMetricWrapper(problem.accuracy, "accuracy")])

    watched = inputs[:WATCHED_ROWS], targets[:WATCHED_ROWS]
    weights = problem.weights(watched[1])
    flow = GradientFlow(recurrent, watched if weights is None else (*watched, weights), every=steps)
    readings = _Readings(inputs, targets, every=max(1, steps // READINGS))
    batches = tf.data.Dataset.range(steps).map(batch).prefetch(4)
    model.fit(batches, verbose=0, shuffle=False, callbacks=[flow, readings, *callbacks])
    seconds = time.perf_counter() - started
    start, end = flow.records[0].norms.tolist(), flow.records[-1].norms.tolist()
    return Outcome(problem.name, length, layer, model.count_params(), steps, seconds, readings.taken, start, end)
