"""Training shared by the pipelines: one loop with validation, early stopping and exact resume."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from pipelines import hints
from pipelines.checkpoints import load_checkpoint, refusal_explained, save_checkpoint, save_trained
from pipelines.metric_names import Criterion
from pipelines.optimization import TrainingConfiguration, TrainingStep
from pipelines.progress import Display
from pipelines.runs import Run
from pipelines.workers import present

__all__ = ["FitResult", "TrainingConfiguration", "fit"]

STEPS_BETWEEN_READINGS = 20
"""Every so many steps the host reads the running sums; more often would make an accelerator wait."""
BATCHES_AHEAD = 4  # beside those that a task makes ahead

BEST = ("best_value", "best_epoch", "epochs_without_improvement")
STATE = ("epoch", "step_in_epoch", *BEST, "history", "timing")
"""The attributes of `_Training` that a checkpoint holds beside the variables."""

Row = dict[str, float]


class FitResult(NamedTuple):
    """What `fit` did; the model then holds the best weights."""

    history: list[Row]
    best_epoch: int  # counted from 1; 0 if the value that decides was never finite
    best_value: float
    seconds: float
    skipped_steps: int
    stopped_early: bool


def fit(
    run: Run,
    model: keras.Model,
    loss: Callable[[Any, bool], tf.Tensor],
    training_batches: Callable[[int], tf.data.Dataset],
    validate: Callable[[], Mapping[str, float]],
    configuration: TrainingConfiguration,
    *,
    minimise: str | None = None,
    maximise: str | None = None,
    steps_per_epoch: int | None = None,
    seed: int = 0,
) -> FitResult:
    """Trains a model, and goes on exactly where it stopped when its run folder holds a checkpoint.

    A run killed at any moment and started again ends with the weights and the history of one never killed, bit for bit
    where the kernels are deterministic (CPU; on a GPU, `tf.config.experimental.enable_op_determinism()` first). For
    this `training_batches(epoch)` returns the same batches in the same order each time it is asked: shuffle and augment
    by seeds made of the epoch and the example's number (`tf.random.stateless_*`), never by stateful random operations,
    for a resumed epoch skips the batches already seen, and the first batches of an epoch are made while the epoch
    before is validated. The loss takes its randomness from Keras layers, or from `keras.random.SeedGenerator`s that the
    model owns.

    Written to the run folder: `history.csv` (a row an epoch), `timing.json`, `tensorboard/`, `checkpoints/`
    (latest.npz, best.npz) and, at the end, `model.weights.h5` for `model.load_weights`.

    Where several workers train, each calls this with the same arguments, makes its rows of the same batches (see
    `pipelines.rows.make_batches`), and computes on these. The first of them, the chief, validates and writes; all
    return the same.

    Args:
        run: Where everything is written.
        model: A built model. Its weights after the call are those of the best epoch (averaged, if that is on).
        loss: `loss(batch, training)` returns the mean loss of a batch, a scalar; it is called in a `tf.function`.
            Regularisation (`sum(model.losses)`) is part of it if wanted.
        training_batches: `training_batches(epoch)`, epochs from 0, as above. Each batch's first tensor has the examples
            as its first dimension. The element specification is the same in every epoch.
        validate: Returns named values, run after each epoch with the weights that would be kept; and once before the
            first epoch, so that what is wrong with it is found before anything is trained.
        configuration: How to train.
        minimise: The validation value that is to become small; it decides which weights are the best.
        maximise: The value that is to become large, instead of `minimise`.
        steps_per_epoch: An epoch ends after so many batches, or with its data set if that is shorter. Default: the
            cardinality of the first epoch's data set.
        seed: Seeds Python, NumPy and TensorFlow anew before each epoch's batches are made and before each validation.

    Raises:
        ValueError: The model is not built, a weight gets no gradient, the loss is no scalar, the length of an epoch is
            unknown, validation does not return the value that decides, or its name implies the opposite direction.
        FloatingPointError: The loss or the gradient was not finite for 20 steps in a row.
        RunError: Another process trains the run, a file of it cannot be written, as on a full disk, or another worker
            is lost.
    """
    workers = present()
    criterion = Criterion.of(minimise, maximise)
    if not model.built or not model.trainable_variables:
        raise ValueError(
            "The model is not built, or has no trainable weights. Build it first, by calling it on a batch. "
            f"Received: {model!r}"
        )
    run.lock()
    with workers.dividing():
        first_epoch = training_batches(0)
    if steps_per_epoch is None:
        steps_per_epoch = int(first_epoch.cardinality())
        if steps_per_epoch <= 0:
            raise ValueError(
                "The number of batches in an epoch is unknown, endless or zero; the learning-rate schedule needs it. "
                "Expected a data set of known cardinality, or steps_per_epoch. "
                f"Received: cardinality {steps_per_epoch} (-1 is endless, -2 is unknown)"
            )
    step = TrainingStep(
        model, loss, configuration, steps_per_epoch * configuration.epochs, first_epoch.element_spec, workers
    )
    training = _Training(run, model, step, configuration, steps_per_epoch, training_batches, seed)
    try:
        with workers.explained():
            return training.run_to_the_end(validate, criterion)
    except KeyboardInterrupt:
        can_resume = run.checkpoint("latest").exists()
        again = hints.command("train", run.pipeline, run.preset, resume=can_resume)
        raise KeyboardInterrupt(
            f"The last checkpoint is kept. To continue from it, type: {again}"
            if can_resume
            else f"There is no checkpoint yet. To start again, type: {again}"
        ) from None


class _Training:
    """The state of one training: all that a checkpoint holds."""

    def __init__(
        self,
        run: Run,
        model: keras.Model,
        step: TrainingStep,
        configuration: TrainingConfiguration,
        steps_per_epoch: int,
        training_batches: Callable[[int], tf.data.Dataset],
        seed: int,
    ) -> None:
        self.run = run
        self.model = model
        self.step = step
        self.workers = step.workers
        self.configuration = configuration
        self.steps_per_epoch = steps_per_epoch
        self.training_batches = training_batches
        self.seed = seed
        self.batches: Iterator[Any] = iter(())  # of the epoch under way

        self.epoch = 0  # epochs finished
        self.step_in_epoch = 0
        self.best_value = math.inf
        self.best_epoch = 0
        self.epochs_without_improvement = 0
        self.history: list[Row] = []
        self.timing = {"seconds": 0.0, "step_seconds": 0.0, "waiting_seconds": 0.0, "examples": 0.0}
        self.saved_at = time.perf_counter()

        self.events = run.folder / "tensorboard"
        with refusal_explained(self.events):
            self.writer = tf.summary.create_file_writer(str(self.events))

    @property
    def finished(self) -> bool:
        patience = self.configuration.early_stopping_patience
        return self.epoch >= self.configuration.epochs or 0 < patience <= self.epochs_without_improvement

    def run_to_the_end(self, validate: Callable[[], Mapping[str, float]], criterion: Criterion) -> FitResult:
        self.best_value = criterion.worst
        self._restore()
        if self.epoch == self.step_in_epoch == 0 and self.workers.is_chief:
            self._set_seeds(0)
            criterion.among(validate())
        total = self.configuration.epochs * self.steps_per_epoch
        done = self.epoch * self.steps_per_epoch + self.step_in_epoch
        with Display(total, done) as display:
            if not self.finished:
                self._open_batches(self.epoch, self.step_in_epoch)
            while not self.finished:
                self._train_epoch(display)
                if self._checkpoint_is_due():  # validation may take long
                    self._save()
                if self.epoch + 1 < self.configuration.epochs:
                    self._open_batches(self.epoch + 1)
                self._end_epoch(validate, criterion, display)
                self._save()
        self.batches = iter(())
        return self._keep_best()

    def _open_batches(self, epoch: int, seen: int = 0) -> None:
        """Starts to make the batches of an epoch, but those already seen, in the background."""
        self.batches = iter(())  # the buffers of the epoch before are freed first
        self._set_seeds(epoch)  # even a shuffle without a seed is then the same after a resume
        with self.workers.dividing():
            batches = self.training_batches(epoch)
        batches = batches.take(self.steps_per_epoch).skip(seen).prefetch(BATCHES_AHEAD)
        options = tf.data.Options()
        options.experimental_warm_start = True  # not only when the first batch is asked for
        # An iterator that is warm before its first batch may, when it ends, wait up to a minute for its tuner's next
        # turn.
        options.autotune.enabled = False
        self.batches = iter(batches.with_options(options))

    def _set_seeds(self, epoch: int) -> None:
        keras.utils.set_random_seed(int(np.random.SeedSequence([self.seed, epoch]).generate_state(1)[0]))

    def _train_epoch(self, display: Display) -> None:
        while True:
            start = time.perf_counter()
            batch = next(self.batches, None)
            received = time.perf_counter()
            self.timing["waiting_seconds"] += received - start
            if batch is None:
                break
            self.step(batch)
            self.step_in_epoch += 1
            self.timing["step_seconds"] += time.perf_counter() - start
            display.advance()
            if self.step_in_epoch % STEPS_BETWEEN_READINGS == 0 or display.is_due():
                display.show(self._read_sums(), self._speed())
            if self._checkpoint_is_due():
                self._save()
        if self.step_in_epoch == 0:
            raise ValueError(
                "An epoch has no batches. Expected at least one: is the data set empty, or smaller than a batch whose "
                f"remainder is dropped? Received: epoch {self.epoch}"
            )

    def _read_sums(self) -> Row:
        """Returns the epoch's means so far, writes them to TensorBoard, and judges the skipped steps."""
        means = self.step.means()
        shown = {name: means[name] for name in ("loss", "gradient_norm", "learning_rate")}
        self._write_events("training", shown, self.epoch * self.steps_per_epoch + self.step_in_epoch)
        self.step.refuse_long_skip(self.epoch + 1)
        return {"epoch": self.epoch + 1, "steps": float(self.step_in_epoch), **means}

    def _end_epoch(self, validate: Callable[[], Mapping[str, float]], criterion: Criterion, display: Display) -> None:
        row = self._read_sums()
        self._write_speeds()
        values = self._validate(validate, criterion) if self.workers.is_chief else {}
        values, judgement = self.workers.shared((values, {name: getattr(self, name) for name in BEST}))
        for name, value in judgement.items():
            setattr(self, name, value)
        row |= {f"validation_{name}": value for name, value in values.items()}
        if row["skipped_steps"]:
            last = f"the last one step {float(self.step.sums['last_skip']):g}"
            display.print(f"{row['skipped_steps']:g} steps without a finite loss were skipped, {last}")
        display.show(row, self._speed(), line=True)
        self._write_events("epoch", row, self.epoch + 1)
        self.run.append_history(row)
        self.history.append(row)
        self.timing["examples"] += float(self.step.sums["examples"])
        self.step.start_epoch()
        self.epoch += 1
        self.step_in_epoch = 0

    def _validate(self, validate: Callable[[], Mapping[str, float]], criterion: Criterion) -> Row:
        """Returns the epoch's values, and keeps the weights that are the best so far."""
        self._set_seeds(self.epoch)  # what validation draws does not depend on what was drawn before a resume
        with self.step.average.applied(int(self.step.optimizer.iterations)):
            values = {name: float(value) for name, value in validate().items()}
            value = criterion.among(values)
            if criterion.is_better(value, self.best_value):
                self.best_value = value
                self.best_epoch = self.epoch + 1
                self.epochs_without_improvement = 0
                save_checkpoint(self.run.checkpoint("best"), {"model": self.model.variables}, {"row": values})
            else:
                self.epochs_without_improvement += 1
        return values

    def _write_speeds(self) -> None:
        """Writes to TensorBoard how fast each worker is, and how long it waits for its input."""
        if self.workers.count > 1:
            waiting = self.timing["waiting_seconds"] / max(self.timing["step_seconds"], 1e-9)
            for rank, (speed, share) in enumerate(self.workers.gathered([self._speed(), waiting])):
                shown = {"examples_per_second": speed / self.workers.count, "waiting_share": share}
                self._write_events(f"worker_{rank}", shown, self.epoch + 1)

    def _write_events(self, group: str, values: Row, step: int) -> None:
        with refusal_explained(self.events), self.writer.as_default():  # which flushes at its end
            for name, value in values.items():
                tf.summary.scalar(f"{group}/{name}", value, step=step)

    def _keep_best(self) -> FitResult:
        """Loads the best weights, and writes them and the timing."""
        if self.best_epoch and self.workers.is_chief:
            load_checkpoint(self.run.checkpoint("best"), {"model": self.model.variables})
        self.workers.share_variables(self.model.variables)
        save_trained(self.run, self.model)
        seconds, waiting = self.timing["seconds"], self.timing["waiting_seconds"]
        self.run.write_timing(seconds, self._speed(), waiting / max(self.timing["step_seconds"], 1e-9))
        skipped = sum(int(row["skipped_steps"]) for row in self.history)
        stopped_early = self.epoch < self.configuration.epochs
        return FitResult(self.history, self.best_epoch, self.best_value, seconds, skipped, stopped_early)

    def _speed(self) -> float:
        """Examples a second, validation not counted."""
        examples = self.timing["examples"] + float(self.step.sums["examples"])
        return examples / max(self.timing["step_seconds"], 1e-9)

    def _variables(self) -> dict[str, list[Any]]:
        return {
            "model": self.model.variables,
            "optimizer": self.step.optimizer.variables,
            "average": self.step.average.averages,
            "sums": list(self.step.sums.values()),
        }

    def _checkpoint_is_due(self) -> bool:
        return time.perf_counter() - self.saved_at >= self.configuration.checkpoint_seconds

    def _save(self) -> None:
        now = time.perf_counter()
        self.timing["seconds"] += now - self.saved_at
        self.saved_at = now
        if not self.workers.is_chief:
            return
        state = {name: getattr(self, name) for name in STATE}
        save_checkpoint(self.run.checkpoint("latest"), self._variables(), state)

    def _restore(self) -> None:
        if (latest := self.run.checkpoint("latest")).exists():
            for name, value in load_checkpoint(latest, self._variables()).items():
                setattr(self, name, value)
        for name, value in self.workers.shared({name: getattr(self, name) for name in STATE}).items():
            setattr(self, name, value)
        self.workers.share_variables([each for group in self._variables().values() for each in group])
        self.workers.separate_seeds(self.model.variables)
        self.saved_at = time.perf_counter()
