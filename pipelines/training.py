"""Training shared by the pipelines: one loop with schedule, clipping, early stopping and exact resume."""

import math
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from pydantic import Field
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pipelines.checkpoints import WeightAverage, load_checkpoint, save_checkpoint
from pipelines.configuration import Configuration
from pipelines.runs import Run

STEPS_BETWEEN_READINGS = 20
"""Every so many steps the host reads the running sums; more often would make an accelerator wait."""
LONGEST_SKIP = 20
"""So many steps in a row without a finite loss end the training."""
SECONDS_BETWEEN_LINES = 30.0
"""How often progress is written within an epoch where the output is no terminal."""

COUNTERS = ("epoch", "step_in_epoch", "best_value", "best_epoch", "epochs_without_improvement")
STATE = (*COUNTERS, "history", "timing")
"""The attributes of `_Training` that a checkpoint holds beside the variables."""

Row = dict[str, float]


class TrainingConfiguration(Configuration):
    """How a model is trained; every pipeline nests it as `training`.

    The rate rises linearly to its peak and then follows half a cosine (Loshchilov and Hutter, "SGDR",
    2017) or or stays. The optimizer is AdamW (by the same, "Decoupled weight decay regularization",
    2019); vectors (biases, normalisation scales) are not decayed. `mixed_precision` is applied by whoever
    builds the model, through `dtype_policy`; bfloat16 has the exponents of float32, so that no loss
    scaling is needed.
    """

    epochs: int = Field(10, ge=1)
    """Passes over the training data."""
    learning_rate: float = Field(1e-3, gt=0)
    """Peak learning rate."""
    warmup_share: float = Field(0.05, ge=0, lt=1)
    """Share of all steps in which the learning rate rises to its peak."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """Learning rate after the warm-up."""
    final_learning_rate_share: float = Field(0.01, ge=0, le=1)
    """Where the cosine ends, as a share of the peak."""
    gradient_clip_norm: float = Field(1.0, ge=0)
    """Largest global norm of the gradients; 0 is off."""
    weight_decay: float = Field(0.0, ge=0)
    """Decoupled weight decay of matrices."""
    early_stopping_patience: int = Field(0, ge=0)
    """Epochs without improvement before training ends; 0 is off."""
    weight_average_decay: float = Field(0.0, ge=0, lt=1)
    """Decay of the moving average of weights that is validated and kept; 0 is off."""
    mixed_precision: bool = False
    """Compute in bfloat16 and keep the weights in float32."""
    jit_compile: bool = False
    """Compile the training step by XLA, once for each shape of a batch."""
    checkpoint_seconds: float = Field(60.0, ge=0)
    """Longest time between checkpoints within an epoch."""

    @property
    def dtype_policy(self) -> str:
        """Name of the Keras dtype policy to build the model with."""
        return "mixed_bfloat16" if self.mixed_precision else "float32"


class FitResult(NamedTuple):
    """What `fit` did; the model then holds the best weights."""

    history: list[Row]
    best_epoch: int  # counted from 1; 0 if the monitored value was never finite
    best_value: float
    seconds: float
    skipped_steps: int
    stopped_early: bool


def learning_rate_schedule(
    configuration: TrainingConfiguration, steps: int
) -> keras.optimizers.schedules.LearningRateSchedule:
    """Returns the learning rate as a function of the step; in `w` warm-up steps, peak * (step + 1) / (w + 1).

    Args:
        configuration: Peak, warm-up, shape and end of the schedule.
        steps: Steps of the whole training; later steps keep the final rate.

    Example:
        >>> configuration = TrainingConfiguration(learning_rate=1.0, warmup_share=0.3)
        >>> schedule = learning_rate_schedule(configuration, steps=10)
        >>> [round(float(schedule(step)), 2) for step in (0, 1, 2, 3, 10)]
        [0.25, 0.5, 0.75, 1.0, 0.01]
    """
    warmup = min(math.ceil(configuration.warmup_share * steps), steps - 1)
    return keras.optimizers.schedules.CosineDecay(
        # The first step must move, hence not zero.
        initial_learning_rate=configuration.learning_rate / (warmup + 1)
        if warmup
        else configuration.learning_rate,
        decay_steps=steps - warmup,
        alpha=configuration.final_learning_rate_share if configuration.schedule == "cosine" else 1.0,
        warmup_target=configuration.learning_rate if warmup else None,
        warmup_steps=warmup,
    )


def fit(
    run: Run,
    model: keras.Model,
    loss: Callable[[Any, bool], tf.Tensor],
    training_batches: Callable[[int], tf.data.Dataset],
    validate: Callable[[], Mapping[str, float]],
    configuration: TrainingConfiguration,
    monitor: str,
    steps_per_epoch: int | None = None,
    seed: int = 0,
) -> FitResult:
    """Trains a model, and goes on exactly where it stopped when its run folder holds a checkpoint.

    A run killed at any moment and started again ends with the weights and the history of one never killed,
    bit for bit where the kernels are deterministic (CPU; on a GPU,
    `tf.config.experimental.enable_op_determinism()` first). For this `training_batches(epoch)` returns the
    same batches in the same order each time it is asked: shuffle and augment by seeds made of the epoch and
    the example's number (`tf.random.stateless_*`), never by stateful random operations, for a resumed epoch
    skips the batches already seen. The loss takes its randomness from Keras layers, or from
    `keras.random.SeedGenerator`s that the model owns.

    Written to the run folder: `history.csv` (a row an epoch), `timing.json`, `tensorboard/`, `checkpoints/`
    (latest.npz, best.npz) and, at the end, `model.weights.h5` for `model.load_weights`.

    Args:
        run: Where everything is written.
        model: A built model. Its weights after the call are those of the best epoch (averaged, if that is
            on).
        loss: `loss(batch, training)` returns the mean loss of a batch, a scalar; it is called in a
            `tf.function`. Regularisation (`sum(model.losses)`) is part of it if wanted.
        training_batches: `training_batches(epoch)`, epochs from 0, as above. Each batch's first tensor has
            the examples as its first dimension. The element specification is the same in every epoch.
        validate: Returns named values, run after each epoch with the weights that would be kept.
        configuration: How to train.
        monitor: The validation value to minimise.
        steps_per_epoch: An epoch ends after so many batches, or with its data set if that is shorter.
            Default: the cardinality of the first epoch's data set.
        seed: Seeds Python, NumPy and TensorFlow anew before each epoch.

    Raises:
        ValueError: The model is not built, a weight gets no gradient, the loss is no scalar, the length of
            an epoch is unknown, or the monitored value is missing.
        FloatingPointError: The loss or the gradient was not finite for 20 steps in a row.
    """
    if not model.built or not model.trainable_variables:
        raise ValueError(
            "The model is not built, or has no trainable weights. Build it first, by calling it on a batch. "
            f"Received: {model!r}"
        )
    first_epoch = training_batches(0)
    if steps_per_epoch is None:
        steps_per_epoch = int(first_epoch.cardinality())
        if steps_per_epoch <= 0:
            raise ValueError(
                "The number of batches in an epoch is unknown, endless or zero; the learning-rate schedule "
                "needs it. Expected a data set of known cardinality, or steps_per_epoch. "
                f"Received: cardinality {steps_per_epoch} (-1 is endless, -2 is unknown)"
            )
    return _Training(
        run, model, loss, first_epoch.element_spec, configuration, steps_per_epoch
    ).run_to_the_end(training_batches, validate, monitor, seed)


def _examples(batch: Any) -> tf.Tensor:
    first = tf.nest.flatten(batch)[0]
    return first.nrows() if isinstance(first, tf.RaggedTensor) else tf.shape(first)[0]


class _Training:
    """The state of one training: all that a checkpoint holds."""

    def __init__(
        self,
        run: Run,
        model: keras.Model,
        loss: Callable[[Any, bool], tf.Tensor],
        batch_specification: Any,
        configuration: TrainingConfiguration,
        steps_per_epoch: int,
    ) -> None:
        self.run = run
        self.model = model
        self.loss = loss
        self.configuration = configuration
        self.steps_per_epoch = steps_per_epoch

        weights = model.trainable_variables
        self.optimizer = keras.optimizers.AdamW(
            learning_rate_schedule(configuration, steps_per_epoch * configuration.epochs),
            weight_decay=configuration.weight_decay,
        )
        self.optimizer.exclude_from_weight_decay(
            var_list=[weight for weight in weights if len(weight.shape) < 2]
        )
        self.optimizer.build(weights)
        self.average = WeightAverage(weights, configuration.weight_average_decay)
        # Sums over the epoch so far, kept where the step runs so that the host need not wait for each.
        names = ("loss", "gradient_norm", "examples", "steps", "skipped", "last_skip", "in_row", "longest")
        self.sums = {name: tf.Variable(0.0, dtype=tf.float64) for name in names}

        self.epoch = 0  # epochs finished
        self.step_in_epoch = 0
        self.best_value = math.inf
        self.best_epoch = 0
        self.epochs_without_improvement = 0
        self.history: list[Row] = []
        self.timing = {"seconds": 0.0, "step_seconds": 0.0, "waiting_seconds": 0.0, "examples": 0.0}
        self.saved_at = time.perf_counter()
        self.train_step = tf.function(
            self._step, input_signature=[batch_specification], jit_compile=configuration.jit_compile or None
        )

    def _step(self, batch: Any) -> None:
        weights = [weight.value for weight in self.model.trainable_variables]
        with tf.GradientTape() as tape:
            loss = tf.cast(self.loss(batch, True), tf.float32)
        if loss.shape.rank != 0:
            raise ValueError(
                f"The loss must be a scalar, the mean over the batch. Received: shape {loss.shape}"
            )
        gradients = tape.gradient(loss, weights)
        pairs = zip(self.model.trainable_variables, gradients, strict=True)
        if missing := [weight.path for weight, gradient in pairs if gradient is None]:
            raise ValueError(
                "Some weights get no gradient: the loss does not depend on them. Use them, remove them, or "
                f"set `trainable = False`. Received: {', '.join(missing)}"
            )
        norm = tf.linalg.global_norm(gradients)
        if limit := self.configuration.gradient_clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, limit, use_norm=norm)
        finite = tf.math.is_finite(loss) & tf.math.is_finite(norm)
        tf.cond(finite, lambda: self._update(gradients, loss, norm, _examples(batch)), self._skip)

    def _update(self, gradients: list[Any], loss: tf.Tensor, norm: tf.Tensor, examples: tf.Tensor) -> None:
        self.optimizer.apply(gradients)
        self.average.update()
        examples = tf.cast(examples, tf.float64)
        self.sums["loss"].assign_add(tf.cast(loss, tf.float64) * examples)
        self.sums["gradient_norm"].assign_add(tf.cast(norm, tf.float64))
        self.sums["examples"].assign_add(examples)
        self.sums["steps"].assign_add(1)
        self.sums["in_row"].assign(0)

    def _skip(self) -> None:
        skipped = self.sums["skipped"].assign_add(1)
        self.sums["last_skip"].assign(self.sums["steps"] + skipped)
        in_row = self.sums["in_row"].assign_add(1)
        self.sums["longest"].assign(tf.maximum(self.sums["longest"], in_row))

    @property
    def finished(self) -> bool:
        patience = self.configuration.early_stopping_patience
        return self.epoch >= self.configuration.epochs or 0 < patience <= self.epochs_without_improvement

    def run_to_the_end(
        self,
        training_batches: Callable[[int], tf.data.Dataset],
        validate: Callable[[], Mapping[str, float]],
        monitor: str,
        seed: int,
    ) -> FitResult:
        self._restore()
        total = self.configuration.epochs * self.steps_per_epoch
        writer = tf.summary.create_file_writer(str(self.run.folder / "tensorboard"))
        with (
            writer.as_default(),
            _Display(total, self.epoch * self.steps_per_epoch + self.step_in_epoch) as display,
        ):
            while not self.finished:
                self._train_epoch(training_batches, seed, display)
                if self._checkpoint_is_due():  # validation may take long
                    self._save()
                self._end_epoch(validate, monitor, display)
                self._save()
                writer.flush()
        return self._keep_best()

    def _train_epoch(
        self, training_batches: Callable[[int], tf.data.Dataset], seed: int, display: "_Display"
    ) -> None:
        # Seeds of their own for each epoch make even a shuffle without a seed the same after a resume.
        keras.utils.set_random_seed(int(np.random.SeedSequence([seed, self.epoch]).generate_state(1)[0]))
        batches = training_batches(self.epoch).take(self.steps_per_epoch).skip(self.step_in_epoch)
        iterator = iter(batches.prefetch(tf.data.AUTOTUNE))
        while True:
            start = time.perf_counter()
            batch = next(iterator, None)
            received = time.perf_counter()
            self.timing["waiting_seconds"] += received - start
            if batch is None:
                break
            self.train_step(batch)
            self.step_in_epoch += 1
            self.timing["step_seconds"] += time.perf_counter() - start
            display.advance()
            if self.step_in_epoch % STEPS_BETWEEN_READINGS == 0 or display.is_due():
                display.show(self._read_sums(), self._speed())
            if self._checkpoint_is_due():
                self._save()
        if self.step_in_epoch == 0:
            raise ValueError(
                "An epoch has no batches. Expected at least one: is the data set empty, or smaller than a "
                f"batch whose remainder is dropped? Received: epoch {self.epoch}"
            )

    def _read_sums(self) -> Row:
        """Returns the epoch's means so far, writes them to TensorBoard, and judges the skipped steps."""
        sums = {name: float(variable) for name, variable in self.sums.items()}
        row = {
            "epoch": self.epoch + 1,
            "steps": float(self.step_in_epoch),
            "loss": sums["loss"] / sums["examples"] if sums["examples"] else math.nan,
            "gradient_norm": sums["gradient_norm"] / sums["steps"] if sums["steps"] else math.nan,
            "learning_rate": float(self.optimizer.learning_rate),
            "skipped_steps": sums["skipped"],
        }
        for name in ("loss", "gradient_norm", "learning_rate"):
            step = self.epoch * self.steps_per_epoch + self.step_in_epoch
            tf.summary.scalar(f"training/{name}", row[name], step=step)
        if sums["longest"] >= LONGEST_SKIP:
            raise FloatingPointError(
                f"The loss or its gradient was not finite for {LONGEST_SKIP} steps in a row. Expected finite "
                "numbers: lower the learning rate, lengthen the warm-up, or look for bad examples. Received: "
                f"epoch {self.epoch + 1}, step {sums['last_skip']:.0f}, mean loss before {row['loss']:.4g}"
            )
        return row

    def _end_epoch(
        self, validate: Callable[[], Mapping[str, float]], monitor: str, display: "_Display"
    ) -> None:
        row = self._read_sums()
        with self.average.applied(int(self.optimizer.iterations)):
            values = {name: float(value) for name, value in validate().items()}
            if monitor not in values:
                raise ValueError(
                    f"The monitored value is not among those that validation returned: {', '.join(values)}. "
                    f"Received: {monitor!r}"
                )
            if values[monitor] < self.best_value:
                self.best_value = values[monitor]
                self.best_epoch = self.epoch + 1
                self.epochs_without_improvement = 0
                save_checkpoint(self._path("best"), {"model": self.model.variables}, {"row": values})
            else:
                self.epochs_without_improvement += 1
        row |= {f"validation_{name}": value for name, value in values.items()}
        if row["skipped_steps"]:
            last = f"the last one step {float(self.sums['last_skip']):g}"
            display.say(f"{row['skipped_steps']:g} steps without a finite loss were skipped, {last}")
        display.show(row, self._speed(), line=True)
        for name, value in row.items():
            tf.summary.scalar(f"epoch/{name}", value, step=self.epoch + 1)
        self.run.append_history(row)
        self.history.append(row)
        self.timing["examples"] += float(self.sums["examples"])
        for name in ("loss", "gradient_norm", "examples", "steps", "skipped", "last_skip"):
            self.sums[name].assign(0)
        self.epoch += 1
        self.step_in_epoch = 0

    def _keep_best(self) -> FitResult:
        """Loads the best weights, and writes them and the timing."""
        if self.best_epoch:
            load_checkpoint(self._path("best"), {"model": self.model.variables})
        partial = self.run.folder / "partial.weights.h5"
        self.model.save_weights(partial, overwrite=True)
        os.replace(partial, self.run.folder / "model.weights.h5")
        timing = self.timing
        self.run.write_timing(
            timing["seconds"],
            self._speed(),
            timing["waiting_seconds"] / max(timing["step_seconds"], 1e-9),
        )
        skipped = sum(int(row["skipped_steps"]) for row in self.history)
        stopped_early = self.epoch < self.configuration.epochs
        return FitResult(
            self.history, self.best_epoch, self.best_value, timing["seconds"], skipped, stopped_early
        )

    def _speed(self) -> float:
        """Examples a second, validation not counted."""
        examples = self.timing["examples"] + float(self.sums["examples"])
        return examples / max(self.timing["step_seconds"], 1e-9)

    def _path(self, name: str) -> Path:
        return self.run.folder / "checkpoints" / f"{name}.npz"

    def _variables(self) -> dict[str, list[Any]]:
        return {
            "model": self.model.variables,
            "optimizer": self.optimizer.variables,
            "average": self.average.averages,
            "sums": list(self.sums.values()),
        }

    def _checkpoint_is_due(self) -> bool:
        return time.perf_counter() - self.saved_at >= self.configuration.checkpoint_seconds

    def _save(self) -> None:
        now = time.perf_counter()
        self.timing["seconds"] += now - self.saved_at
        self.saved_at = now
        save_checkpoint(
            self._path("latest"), self._variables(), {name: getattr(self, name) for name in STATE}
        )

    def _restore(self) -> None:
        if self._path("latest").exists():
            for name, value in load_checkpoint(self._path("latest"), self._variables()).items():
                setattr(self, name, value)
        self.saved_at = time.perf_counter()


class _Display:
    """Progress: a bar on a terminal; elsewhere a line at each epoch's end and now and then within it."""

    def __init__(self, steps: int, done: int) -> None:
        self.bar = Progress(
            BarColumn(20), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn()
        )
        self.task = self.bar.add_task("", total=steps, completed=done)
        self.start = self.shown_at = time.perf_counter()
        self.left = steps - done
        self.done = 0  # in this process

    def __enter__(self) -> "_Display":
        if self.bar.console.is_terminal:
            self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar.console.is_terminal:
            self.bar.stop()

    def advance(self) -> None:
        self.done += 1
        self.left -= 1
        self.bar.advance(self.task)

    def is_due(self) -> bool:
        interval = 1 if self.bar.console.is_terminal else SECONDS_BETWEEN_LINES
        return time.perf_counter() - self.shown_at >= interval

    def show(self, row: Row, examples_per_second: float, line: bool = False) -> None:
        text = f"epoch {row['epoch']:g} loss {row['loss']:.4g} rate {row['learning_rate']:.2g}"
        text += f" {examples_per_second:.0f} examples/s"
        self.bar.update(self.task, description=text)
        if line or (self.is_due() and not self.bar.console.is_terminal):
            seconds = (time.perf_counter() - self.start) / max(self.done, 1)
            values = "".join(f" {name} {row[name]:.4g}" for name in row if name.startswith("validation_"))
            self.say(f"{text}{values} {seconds * self.left:.0f} s left")
        self.shown_at = time.perf_counter()

    def say(self, text: str) -> None:
        print(text, flush=True)  # rich puts it above the bar
