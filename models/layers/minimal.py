"""`MinGRU` and `MinLSTM`: recurrent layers whose gates see the input alone, so that all steps run in parallel.

They follow the habits of `keras.layers.GRU`; the loop over time is `models.recurrence.parallel.linear_recurrence`.
"""

from typing import Any, ClassVar

import keras
import tensorflow as tf

from models.layers.checks import (
    check_shape,
    check_share,
    check_width,
    checked_mask,
    checked_sequences,
    checked_state,
    without_ragged,
)
from models.recurrence.min_gru import MinGRURecurrence
from models.recurrence.min_lstm import MinLSTMRecurrence
from models.recurrence.parallel import linear_recurrence

# What the weights are made with, and how Keras writes it into a configuration.
_SERIALIZERS = {
    "activation": keras.activations,
    "kernel_initializer": keras.initializers,
    "bias_initializer": keras.initializers,
    "kernel_regularizer": keras.regularizers,
    "bias_regularizer": keras.regularizers,
    "kernel_constraint": keras.constraints,
    "bias_constraint": keras.constraints,
}


@keras.saving.register_keras_serializable("unrolled")
def positive(x: Any) -> Any:
    """x + 1/2 where x ≥ 0, σ(x) elsewhere: the activation that keeps the states of `MinGRU` and `MinLSTM` positive.

    Feng et al. 2024, https://arxiv.org/abs/2410.01201, appendix B, who need it for their scan in log space.

    Example:
        >>> from models import positive
        >>> positive([-100.0, 0.0, 2.0]).numpy().tolist()
        [0.0, 0.5, 2.5]
    """
    x = tf.convert_to_tensor(x)
    return tf.where(x >= 0, x + 0.5, tf.sigmoid(x))


class _Cell(keras.layers.Layer):
    """The weights of a minimal recurrence, and one step of it as `keras.layers.RNN` takes it."""

    def __init__(self, recurrence_type: Any, units: int, use_bias: bool, options: dict[str, Any], **kwargs: Any):
        super().__init__(**kwargs)
        self.units = self.state_size = self.output_size = units
        self.use_bias = use_bias
        for name, module in _SERIALIZERS.items():
            setattr(self, name, module.get(options[name]))
        self.recurrence = recurrence_type(self.activation)

    def build(self, input_shape: Any) -> None:
        width = self.recurrence.blocks * self.units

        def weight(name: str, shape: tuple[int, ...]) -> Any:
            options = {key: getattr(self, f"{name}_{key}") for key in ("initializer", "regularizer", "constraint")}
            return self.add_weight(name=name, shape=shape, **options)

        self.kernel = weight("kernel", (input_shape[-1], width))
        self.bias = weight("bias", (width,)) if self.use_bias else None

    def project(self, inputs: tf.Tensor) -> tf.Tensor:
        """The inputs (…, features) times the kernel plus bias (…, blocks · units), in float32 at least.

        In bfloat16 a decay of 0.999 would be 1, and a memory of a thousand steps endless.
        """
        projected = tf.tensordot(inputs, tf.cast(self.kernel, inputs.dtype), 1)
        if inputs.dtype.size < 4:
            projected = tf.cast(projected, tf.float32)
        return projected if self.bias is None else tf.nn.bias_add(projected, tf.cast(self.bias, projected.dtype))

    def call(self, inputs: Any, states: Any) -> Any:
        projected = self.project(tf.convert_to_tensor(inputs))
        state = self.recurrence.state_type(tf.cast(states[0], projected.dtype))
        hidden = tf.cast(self.recurrence.step(projected, state).hidden, self.compute_dtype)
        return hidden, [hidden]

    def get_config(self) -> dict[str, Any]:
        """The options that the layer hands on: only a layer is written to files, never its cell alone."""
        options = {name: module.serialize(getattr(self, name)) for name, module in _SERIALIZERS.items()}
        return {"units": self.units, "use_bias": self.use_bias, **options}


class _Minimal(keras.layers.RNN):
    """What `MinGRU` and `MinLSTM` share: everything but the recurrence."""

    recurrence_type: ClassVar[Any]

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        **kwargs: Any,
    ):
        given = locals()
        options = {name: given[name] for name in _SERIALIZERS}
        check_width(type(self).__name__, "units", units, "state")
        check_share(type(self).__name__, "dropout", dropout, "inputs that are dropped")
        cell = _Cell(
            self.recurrence_type,
            units,
            use_bias,
            options,
            dtype=kwargs.get("dtype"),
            trainable=kwargs.get("trainable", True),
            name="cell",
        )
        super().__init__(
            cell,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            **kwargs,
        )
        self.units, self.dropout, self.seed = units, dropout, seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        check_shape(self, sequences_shape)
        super().build(sequences_shape)

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        sequences, mask = without_ragged(sequences, mask)
        sequences = checked_sequences(self, sequences)  # (batch, time, features)
        mask = checked_mask(self, mask, sequences)  # (batch, time)
        if initial_state is None:
            initial_state = self.states if self.stateful else self.get_initial_state(tf.shape(sequences)[0])
        (state,) = checked_state(self, initial_state, sequences)
        state = tf.cast(state, self.compute_dtype)  # (batch, units)
        if self.go_backwards:
            sequences = tf.reverse(sequences, axis=[1])
            mask = None if mask is None else tf.reverse(mask, axis=[1])
        if mask is not None:  # Padding may hold anything; what is not finite would reach the kernel's gradient.
            sequences = tf.where(mask[..., tf.newaxis], sequences, tf.zeros_like(sequences))
        if training and self.dropout:
            same_at_every_step = tf.ones((tf.shape(sequences)[0], 1, sequences.shape[2]), sequences.dtype)
            sequences *= keras.random.dropout(same_at_every_step, self.dropout, seed=self.seed_generator)
        projected = self.cell.project(sequences)  # (batch, time, blocks · units)
        decay, increment = self.cell.recurrence.coefficients(projected)
        hidden, last = linear_recurrence(decay, increment, tf.cast(state, decay.dtype), mask)
        hidden, last = tf.cast(hidden, self.compute_dtype), tf.cast(last, self.compute_dtype)
        if self.stateful:
            self.states[0].assign(last)
        output = self._output(hidden, last, mask)
        return (output, last) if self.return_state else output

    def _output(self, hidden: tf.Tensor, last: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
        """As Keras has it: zeros until the first step that counts, whatever the initial state."""
        counts = tf.ones_like(hidden[..., 0], tf.bool) if mask is None else mask  # (batch, time)
        if not self.zero_output_for_mask and mask is not None:
            counts = tf.math.cumsum(tf.cast(mask, tf.int32), axis=1) > 0
        if not self.return_sequences:
            return tf.where(tf.reduce_any(counts[:, -1:], axis=1, keepdims=True), last, tf.zeros_like(last))
        return hidden if mask is None else tf.where(counts[..., tf.newaxis], hidden, tf.zeros_like(hidden))

    def compute_mask(self, sequences: Any, mask: Any = None) -> Any:
        return super().compute_mask(*without_ragged(sequences, mask))

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["cell"]
        return {**config, **self.cell.get_config(), "dropout": self.dropout, "seed": self.seed}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "_Minimal":
        return cls(**config)


@keras.saving.register_keras_serializable("unrolled")
class MinGRU(_Minimal):
    """The minimal gated recurrent unit, trained in parallel over time; equations and paper: see `MinGRURecurrence`.

    Its weights are `kernel` (features, 2 · units) and `bias` (2 · units): the update gate's block, the candidate's.

    Args:
        units: width of the state and of the output.
        activation: φ of the candidate, any that `keras.activations.get` takes; `positive` is the one that the paper's
            scan in log space needs. None: no activation, as in the paper's section 3.
        use_bias: add a bias to the projected input.
        kernel_initializer: default `"glorot_uniform"`.
        bias_initializer: default `"zeros"`, with which a state loses about half of itself at every step; where memory
            should start long, let the update gate's bias start below zero.
        kernel_regularizer, bias_regularizer, kernel_constraint, bias_constraint: default None.
        dropout: share of the features dropped in training, the same at every step of a sequence; default 0.
        seed: an integer, of the dropout; None: another in every process.
        return_sequences: return the output after every step (batch, time, units) instead of the last (batch, units).
        return_state: return the last state (batch, units) as well.
        go_backwards: take the sequence from its end, and return the outputs in that order.
        stateful: start from the state in which the last batch ended; `reset_state()` starts anew.
        **kwargs: `zero_output_for_mask`, as in `keras.layers.RNN`, and what every Keras layer takes.

    Call arguments:
        sequences: numbers (batch, time, features), of any length, zero included; or a `tf.RaggedTensor`, which is
            padded and masked.
        initial_state: (batch, units), or (1, units) for all rows alike, or a list of this one tensor; default zeros.
        mask: bool (batch, time), False at padding, where the state passes on unchanged; default: every step counts.
        training: apply dropout.

    Raises:
        ValueError: units or dropout out of range; sequences, state or mask that do not fit.

    Example:
        >>> import numpy as np
        >>> from models import MinGRU
        >>> MinGRU(3, return_sequences=True)(np.zeros((2, 5, 4), "float32")).shape
        TensorShape([2, 5, 3])
    """

    recurrence_type = MinGRURecurrence


@keras.saving.register_keras_serializable("unrolled")
class MinLSTM(_Minimal):
    """Minimal long short-term memory, trained in parallel over time; equations and paper: see `MinLSTMRecurrence`.

    Its weights are `kernel` (features, 3 · units) and `bias` (3 · units): the forget gate's block, the input gate's,
    the candidate's. Memory starts long where the forget gate's bias does above zero. Everything else is as in `MinGRU`.

    Example:
        >>> import numpy as np
        >>> from models import MinLSTM
        >>> output, state = MinLSTM(3, return_state=True)(np.zeros((2, 5, 4), "float32"))
        >>> output.shape, state.shape
        (TensorShape([2, 3]), TensorShape([2, 3]))
    """

    recurrence_type = MinLSTMRecurrence
