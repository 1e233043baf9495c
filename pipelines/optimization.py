"""How a model's weights change: what can be configured, the learning rate, and one step."""

import math
import re
from collections.abc import Callable
from typing import Any, Literal, Self

import keras
import pydantic
import tensorflow as tf
from pydantic import Field

from pipelines.checkpoints import WeightAverage
from pipelines.cluster import StrategyName
from pipelines.configuration import Configuration
from pipelines.rows import examples
from pipelines.workers import Workers

LONGEST_SKIP = 20
"""So many steps in a row without a finite loss end the training."""


class TrainingConfiguration(Configuration):
    """How a model is trained; every pipeline nests it as `training`.

    The rate rises linearly to its peak and then follows half a cosine (Loshchilov and Hutter, "SGDR", 2017) or stays.
    The optimizer is AdamW (by the same, "Decoupled weight decay regularization", 2019) or `Muon`; vectors (biases,
    normalisation scales) are not decayed. `mixed_precision` takes effect where the model is built, through
    `dtype_policy`; bfloat16 has the exponents of float32, so that no loss scaling is needed.
    """

    epochs: int = Field(10, ge=1, description="passes over the training data")
    learning_rate: float = Field(1e-3, gt=0, description="peak learning rate")
    warmup_share: float = Field(
        0.05, ge=0, lt=1, description="share of the steps during which the learning rate rises to its peak"
    )
    schedule: Literal["cosine", "constant"] = Field("cosine", description="learning rate after the warm-up")
    final_learning_rate_share: float = Field(
        0.01, ge=0, le=1, description="learning rate at the end of the cosine, as a share of the peak"
    )
    optimizer: Literal["adamw", "muon"] = Field(
        "adamw",
        description="adamw; or muon: orthogonalised updates for kernels of hidden layers, AdamW for all other weights",
    )
    gradient_clip_norm: float = Field(1.0, ge=0, description="maximum global norm of the gradients; 0: no limit")
    weight_decay: float = Field(0.0, ge=0, description="decoupled weight decay of matrices")
    early_stopping_patience: int = Field(
        0, ge=0, description="number of epochs without improvement after which training stops; 0: never"
    )
    weight_average_decay: float = Field(
        0.0, ge=0, lt=1, description="decay of the moving average of weights that is validated and kept; 0: none"
    )
    mixed_precision: bool = Field(False, description="compute in bfloat16, and keep the weights in float32")
    jit_compile: bool = Field(False, description="compile the training step with XLA, once for each shape of a batch")
    strategy: StrategyName = Field(
        "none",
        description="none: one device; mirrored: all devices of this machine; multi_worker: all workers in TF_CONFIG",
    )
    checkpoint_seconds: float = Field(60.0, ge=0, description="maximum seconds between checkpoints within an epoch")

    @pydantic.model_validator(mode="after")
    def _one_device_compiles(self) -> Self:
        if self.jit_compile and self.strategy != "none":
            raise ValueError(
                "training.jit_compile: XLA cannot compile a step that several workers share. Expected one of the "
                f"two. Leave out --training.jit_compile. Received: --training.strategy {self.strategy}"
            )
        return self

    @property
    def dtype_policy(self) -> str:
        """Name of the Keras dtype policy to build the model with."""
        return "mixed_bfloat16" if self.mixed_precision else "float32"


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
    peak = configuration.learning_rate
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=peak / (warmup + 1) if warmup else peak,  # the first step must move, hence not zero
        decay_steps=steps - warmup,
        alpha=configuration.final_learning_rate_share if configuration.schedule == "cosine" else 1.0,
        warmup_target=peak if warmup else None,
        warmup_steps=warmup,
    )


OUTPUT_LAYERS = "output|labels|phonemes|tags|classes|label|rating"
"""Names of the layers that compute the logits or the forecast."""


class Muon(keras.optimizers.Muon):
    """Keras's Muon, for convolutions too: it moves kernels by their momentum made orthogonal.

    A kernel (…, inputs, outputs) is a matrix with a column for each output. AdamW moves everything that is not called a
    kernel, such as biases and embeddings, and the kernels of output layers (`OUTPUT_LAYERS`). Steps are as large as
    AdamW's (Liu et al. 2025, https://arxiv.org/abs/2502.16982), so that one learning rate is right for both.
    Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/.

    Example:
        >>> kernel = keras.Variable(tf.zeros((3, 3, 2, 4)), name="kernel")
        >>> Muon(learning_rate=0.1).apply([tf.random.stateless_normal(kernel.shape, (0, 0))], [kernel])
        >>> sizes = tf.linalg.svd(tf.reshape(kernel.value, (18, 4)), compute_uv=False) / (0.1 * 0.2 * 18**0.5)
        >>> bool(tf.reduce_all(tf.abs(sizes - 1) < 0.4))  # of an orthogonal matrix: 1
        True
    """

    def __init__(self, learning_rate: Any, weight_decay: float = 0.0) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, adam_weight_decay=weight_decay)

    def _should_use_adamw(self, variable: Any) -> bool:
        layer, _, name = f"/{variable.path}".rpartition("/")
        return len(variable.shape) < 2 or "kernel" not in name or bool(re.search(f"/({OUTPUT_LAYERS})$", layer))

    def zeropower_via_newtonschulz5(self, x: tf.Tensor, steps: int) -> tf.Tensor:
        return tf.reshape(super().zeropower_via_newtonschulz5(_matrix(x), steps), x.shape)

    def lr_adjust(self, x: tf.Tensor) -> tf.Tensor:
        return tf.reshape(super().lr_adjust(_matrix(x)), x.shape)


def _matrix(kernel: tf.Tensor) -> tf.Tensor:
    return tf.reshape(kernel, (-1, kernel.shape[-1]))


OPTIMIZERS = {"adamw": keras.optimizers.AdamW, "muon": Muon}


class TrainingStep:
    """One step of the optimizer on one batch, compiled once; a batch without a finite loss changes nothing.

    Args:
        model: A built model.
        loss: `loss(batch, training)` returns the mean loss of a batch, a scalar.
        configuration: How to train.
        steps: Steps of the whole training, for the schedule.
        batch_specification: What batches look like, as `tf.data.Dataset.element_spec` describes them. The first
            tensor has the examples as its first dimension.
        workers: Who computes the step. Each gets an equal share of a batch's rows. Default: this process.

    Attributes:
        optimizer: as configured.
        average: The moving average of the weights.
        sums: Sums over the epoch so far, kept where the step runs so that the host need not wait for each step.

    Raises:
        ValueError: At the first step: the loss is no scalar, or a weight gets no gradient.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> loss = lambda batch, training: tf.reduce_mean(model(batch) ** 2)
        >>> step = TrainingStep(model, loss, TrainingConfiguration(), 10, tf.TensorSpec((None, 2)))
        >>> step(tf.ones((3, 2)))
        >>> step.means()["skipped_steps"]
        0.0
    """

    def __init__(
        self,
        model: keras.Model,
        loss: Callable[[Any, bool], tf.Tensor],
        configuration: TrainingConfiguration,
        steps: int,
        batch_specification: Any,
        workers: Workers | None = None,
    ) -> None:
        self.loss = loss
        self.workers = workers or Workers()
        self.clip_norm = configuration.gradient_clip_norm
        self.weights = model.trainable_variables
        schedule = learning_rate_schedule(configuration, steps)
        self.optimizer = OPTIMIZERS[configuration.optimizer](schedule, weight_decay=configuration.weight_decay)
        self.optimizer.exclude_from_weight_decay(var_list=[weight for weight in self.weights if len(weight.shape) < 2])
        self.optimizer.build(self.weights)
        self.average = WeightAverage(self.weights, configuration.weight_average_decay)
        names = ("loss", "gradient_norm", "examples", "steps", "skipped", "last_skip", "in_row", "longest")
        self.sums = {name: tf.Variable(0.0, dtype=tf.float64) for name in names}
        self._compiled = tf.function(
            self._step,
            input_signature=[batch_specification],
            jit_compile=configuration.jit_compile or None,
            autograph=False,
        )

    def __call__(self, batch: Any) -> None:
        self._compiled(batch)

    def means(self) -> dict[str, float]:
        """Returns the epoch's means so far. It waits for the steps under way, so ask for them now and then only."""
        sums = {name: float(variable) for name, variable in self.sums.items()}
        return {
            "loss": sums["loss"] / sums["examples"] if sums["examples"] else math.nan,
            "gradient_norm": sums["gradient_norm"] / sums["steps"] if sums["steps"] else math.nan,
            "learning_rate": float(self.optimizer.learning_rate),
            "skipped_steps": sums["skipped"],
        }

    def refuse_long_skip(self, epoch: int) -> None:
        """Raises `FloatingPointError` if the loss or the gradient was not finite for 20 steps in a row."""
        if float(self.sums["longest"]) >= LONGEST_SKIP:
            raise FloatingPointError(
                f"The loss or its gradient was not finite for {LONGEST_SKIP} steps in a row. Expected finite numbers: "
                "lower the learning rate, lengthen the warm-up, or look for bad examples. Received: epoch "
                f"{epoch}, step {float(self.sums['last_skip']):.0f}, mean loss before {self.means()['loss']:.4g}"
            )

    def start_epoch(self) -> None:
        """Sets the sums over the epoch to zero; steps skipped in a row are counted across epochs."""
        for name in ("loss", "gradient_norm", "examples", "steps", "skipped", "last_skip"):
            self.sums[name].assign(0)

    def _step(self, batch: Any) -> None:
        loss, *gradients = self.workers.sums(self._loss_and_gradients, batch)
        norm = tf.linalg.global_norm(gradients)
        if self.clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, self.clip_norm, use_norm=norm)
        finite = tf.math.is_finite(loss) & tf.math.is_finite(norm)  # of all workers' rows, so that all skip or none
        tf.cond(finite, lambda: self._update(gradients, loss, norm, examples(batch)), self._skip)

    def _loss_and_gradients(self, batch: Any) -> list[Any]:
        weights = [weight.value for weight in self.weights]
        with tf.GradientTape() as tape:
            loss = tf.cast(self.loss(batch, True), tf.float32)
        if loss.shape.rank != 0:
            raise ValueError(f"The loss must be a scalar, the mean over the batch. Received: shape {loss.shape}")
        gradients = tape.gradient(loss, weights)
        pairs = zip(self.weights, gradients, strict=True)
        if missing := [weight.path for weight, gradient in pairs if gradient is None]:
            raise ValueError(
                "Some weights get no gradient: the loss does not depend on them. Use them, remove them, or set "
                f"`trainable = False`. Received: {', '.join(missing)}"
            )
        return [loss, *gradients]

    def _update(self, gradients: list[Any], loss: tf.Tensor, norm: tf.Tensor, count: tf.Tensor) -> None:
        self.optimizer.apply(gradients)
        self.average.update()
        count = tf.cast(count, tf.float64)
        self.sums["loss"].assign_add(tf.cast(loss, tf.float64) * count)
        self.sums["gradient_norm"].assign_add(tf.cast(norm, tf.float64))
        self.sums["examples"].assign_add(count)
        self.sums["steps"].assign_add(1)
        self.sums["in_row"].assign(0)

    def _skip(self) -> None:
        skipped = self.sums["skipped"].assign_add(1)
        self.sums["last_skip"].assign(self.sums["steps"] + skipped)
        in_row = self.sums["in_row"].assign_add(1)
        self.sums["longest"].assign(tf.maximum(self.sums["longest"], in_row))
