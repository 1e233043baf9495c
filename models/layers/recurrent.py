"""`SimpleRNN`, `LSTM` and `GRU`: drop-in for the layers of the same names in `keras.layers`.

Constructor, weights, masks, states and serialisation are Keras's own, inherited; only the loop over time is ours:
`models.recurrence.scan`, with its hand-derived gradient. What they offer beyond Keras is in `models.layers.options`.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, Literal

import keras
import tensorflow as tf

from models.layers.checks import (
    check_shape,
    check_width,
    checked_mask,
    checked_sequences,
    checked_state,
    without_ragged,
)
from models.layers.compilation import Compilation
from models.layers.fused import Fused
from models.layers.options import Options, WithOptions, activation_name, is_scannable, with_arguments_of
from models.recurrence import (
    ExtendedLSTMRecurrence,
    GRURecurrence,
    LSTMRecurrence,
    Recurrence,
    SimpleRNNRecurrence,
    Weights,
    scan,
)
from models.recurrence.normalization import normalize
from models.recurrence.recurrence import gates_apart

# What computes a whole layer in place of the scan, unless it returns None: from `(layer, recurrence, sequences, state)`
# the hidden state after every step (batch, time, units) and the last state.
_operator: ContextVar[Callable[..., Any] | None] = ContextVar("operator", default=None)


@contextmanager
def whole_layers(operator: Callable[..., Any]) -> Iterator[None]:
    """Lets an operator compute layers without mask and options, for formats that have one for a whole layer."""
    token = _operator.set(operator)
    try:
        yield
    finally:
        _operator.reset(token)


class _Scanned(Compilation):
    """Runs a Keras recurrent layer's loop over time as a scan.

    XLA compiles the scan where `Compilation` says so, by default in training alone. A large enough batch is divided
    into one part a core. The large products before and after the loop are plain TensorFlow's, which are twice
    as fast as XLA's.
    A layer whose activation is not in `models.recurrence.activations.ACTIVATIONS` runs on Keras's own loop.
    """

    cell: Any

    def _recurrence(self) -> Recurrence:
        raise NotImplementedError

    def _biases(self) -> tuple[tf.Tensor | None, tf.Tensor | None]:
        """The bias of the input projection and that of the recurrent product."""
        return self.cell.bias, None

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        check_shape(self, sequences_shape)
        super().build(sequences_shape)  # type: ignore[misc]

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        sequences, mask = without_ragged(sequences, mask)
        sequences = checked_sequences(self, sequences)  # (batch, time, features)
        mask = checked_mask(self, mask, sequences)  # (batch, time)
        if initial_state is not None:
            initial_state = checked_state(self, initial_state, sequences)
        if sequences.shape[1] != 0:
            return super().call(sequences, initial_state, mask, training)  # type: ignore[misc]
        # Keras looks at the first step before it loops: give it one that does not count.
        sequences = tf.pad(sequences, [[0, 0], [0, 1], [0, 0]])
        output = super().call(sequences, initial_state, tf.zeros_like(sequences[..., 0], tf.bool), training)  # type: ignore[misc]
        if not self.return_sequences:  # type: ignore[attr-defined]
            return output
        return (output[0][:, :0], *output[1:]) if self.return_state else output[:, :0]  # type: ignore[attr-defined]

    def compute_mask(self, sequences: Any, mask: Any = None) -> Any:
        return super().compute_mask(*without_ragged(sequences, mask))  # type: ignore[misc]

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        small = mask is None and self.multiplies_step_by_step(training, sequences.shape[0], self.units)  # type: ignore[attr-defined]
        if not is_scannable(self.cell) or (small and not self._has_other_steps):
            return super().inner_loop(sequences, initial_state, mask, training=training)  # type: ignore[misc]

        recurrence, dtype = self._recurrence(), self.compute_dtype  # type: ignore[attr-defined]
        sequences = tf.cast(sequences, dtype)  # (batch, time, inputs)
        initial_state = initial_state if isinstance(initial_state, list | tuple) else [initial_state]
        state = recurrence.state_type(*(_tensor(field, dtype) for field in initial_state))
        if self.go_backwards:  # type: ignore[attr-defined]
            sequences = tf.reverse(sequences, axis=[1])
            mask = None if mask is None else tf.reverse(mask, axis=[1])
        dropouts = self._dropout_masks(sequences, state) if training else (None, None)
        unroll = self.unroll  # type: ignore[attr-defined]
        compiled = self.compiles(training)
        divided = self.divided(compiled, training, sequences.shape[1])
        zoneout = self.zoneout_shares(sequences, state, training)  # type: ignore[attr-defined]
        run = partial(self._run, recurrence, compiled, unroll, bool(training), self.recurrent_kernel(training))  # type: ignore[attr-defined]
        arguments = (sequences, state, mask, *dropouts, zoneout)
        found = None
        if not training and mask is None and not self._has_other_steps:
            if operator := _operator.get():
                found = operator(self, recurrence, sequences, state)
            elif not (compiled or unroll or self.differentiable_twice):
                found = self.run_fused(recurrence, sequences, state)
        hidden, last = found or divided(run, *arguments)

        counts = tf.ones_like(sequences[..., 0], tf.bool) if mask is None else mask  # (batch, time)
        if mask is not None:
            if not self.zero_output_for_mask:  # type: ignore[attr-defined]
                # As Keras has it: zeros until the first step that counts, whatever the initial state.
                counts = tf.math.cumsum(tf.cast(mask, tf.int32), axis=1) > 0
            hidden = tf.where(counts[..., tf.newaxis], hidden, tf.zeros_like(hidden))
        counts = tf.reduce_any(counts[:, -1:], axis=1, keepdims=True)  # (batch, 1), False where there are no steps
        last_output = tf.where(counts, last.hidden, tf.zeros_like(last.hidden))
        outputs = hidden if self.return_sequences else last_output[:, tf.newaxis]  # type: ignore[attr-defined]
        return last_output, outputs, list(last)

    def run_fused(self, recurrence: Recurrence, sequences: tf.Tensor, state: Any) -> Any:
        """What one operation computes for the whole layer; None where there is none."""
        return None

    @property
    def _has_other_steps(self) -> bool:
        """Whether options change the equations of a step at inference."""
        return bool(self.options.config().keys() - {"weight_dropout", "trainable_initial_state"})  # type: ignore[attr-defined]

    def _run(
        self,
        recurrence: Recurrence,
        compiled: bool,
        unroll: bool,
        keep: bool,
        recurrent_kernel: tf.Tensor,
        sequences: tf.Tensor,
        state: Any,
        mask: tf.Tensor | None,
        dropout: tf.Tensor | None,
        recurrent_dropout: tf.Tensor | None,
        zoneout: Sequence[tf.Tensor] | None,
    ) -> tuple[tf.Tensor, Any]:
        """The hidden state after every step (batch, time, units), and the last state."""
        dtype = sequences.dtype
        inputs = tf.transpose(sequences, (1, 0, 2))  # (time, batch, inputs)
        if mask is not None:  # Padding may hold anything; what is not finite would reach the kernel's gradient.
            mask = tf.transpose(mask)
            inputs = tf.where(mask[..., tf.newaxis], inputs, tf.zeros_like(inputs))
        if dropout is not None:
            inputs *= dropout
        if zoneout is not None:
            zoneout = [tf.transpose(share, (1, 0, 2)) for share in zoneout]

        apart = recurrence.gates if self.lays_gates_apart(compiled, inputs.shape[0], *state[-1].shape) else 1

        def blocks(weight: Any) -> list[tf.Tensor]:
            """The weight's gates, apart or side by side in a single tensor."""
            return [] if weight is None else tf.split(_tensor(weight, dtype), apart, -1)

        input_bias, recurrent_bias = map(blocks, self._biases())
        projected = [tf.tensordot(inputs, kernel, 1) for kernel in blocks(self.cell.kernel)]
        precise = tf.float32 if dtype.size < 4 else dtype  # for means and variances
        input_gains, others = self.option_weights(recurrence, precise)  # type: ignore[attr-defined]
        if input_gains:
            gates = [tf.cast(product, precise) for product in gates_apart(projected, recurrence.gates)]
            projected = [tf.cast(product, dtype) for product in normalize(gates, input_gains)]
        if input_bias:
            pairs = zip(projected, gates_apart(input_bias, len(projected)), strict=True)
            projected = [product + bias for product, bias in pairs]
        weights = Weights(blocks(recurrent_kernel), recurrent_bias, **others)
        hidden, last = scan(
            recurrence,
            projected,
            state,
            weights,
            mask,
            recurrent_dropout,
            compiled,
            keep,
            zoneout,
            unroll,
            self.differentiable_twice,
        )
        return tf.transpose(hidden, (1, 0, 2)), last

    def _maybe_config_dropout_masks(self, cell: Any, *inputs: Any) -> None:
        """Keras draws masks at inference, too, which no converter takes; ours are drawn in training alone."""
        if not is_scannable(self.cell):
            super()._maybe_config_dropout_masks(cell, *inputs)  # type: ignore[misc]

    def _dropout_masks(self, sequences: tf.Tensor, state: Any) -> tuple[tf.Tensor | None, tf.Tensor | None]:
        """One mask for the inputs and one for the hidden state, each the same at every step and for every gate."""
        masks = self.cell.get_dropout_mask(sequences[:, 0]), self.cell.get_recurrent_dropout_mask(state.hidden)
        first = (mask[0] if isinstance(mask, list) else mask for mask in masks)
        return tuple(first)


@keras.saving.register_keras_serializable("unrolled")
class SimpleRNN(_Scanned, keras.layers.SimpleRNN, WithOptions):
    """`keras.layers.SimpleRNN` on a scan: same arguments, weights and results; see `SimpleRNNRecurrence`.

    The options that Keras has not are those of `LSTM`, without `peepholes` and `projection`.

    Example:
        >>> import numpy as np
        >>> from models import SimpleRNN
        >>> SimpleRNN(3)(np.zeros((2, 5, 4), "float32")).shape
        TensorShape([2, 3])
    """

    @with_arguments_of(keras.layers.SimpleRNN)
    def __init__(
        self,
        units: int,
        *arguments: Any,
        layer_normalization: bool = False,
        zoneout: float = 0.0,
        weight_dropout: float = 0.0,
        trainable_initial_state: bool = False,
        jit_compile: bool | Literal["auto"] = "auto",
        differentiable_twice: bool = False,
        **keywords: Any,
    ):
        check_width("SimpleRNN", "units", units, "state")
        options = Options(layer_normalization, zoneout, weight_dropout, trainable_initial_state)
        how: dict[str, Any] = {"jit_compile": jit_compile, "differentiable_twice": differentiable_twice}
        super().__init__(units, *arguments, options=options, **how, **keywords)
        self.input_spec = None  # What does not fit is refused in more words by `build` and `call`.

    def _recurrence(self) -> Recurrence:
        return SimpleRNNRecurrence(activation_name(self.cell.activation))


@keras.saving.register_keras_serializable("unrolled")
class LSTM(Fused, _Scanned, keras.layers.LSTM, WithOptions):
    """`keras.layers.LSTM` on a scan: same arguments, weights and results; see `LSTMRecurrence`.

    The equations with options are those of `ExtendedLSTMRecurrence`.

    Recurrent dropout uses one mask for all four gates (Gal and Ghahramani 2016, tied weights), where Keras draws one
    for each. A layer whose activations are not all in `models.recurrence.activations.ACTIVATIONS` runs on Keras's own
    loop. `cell` is Keras's own too; with options it computes nothing by itself: for single steps call the layer on one
    step at a time, with `return_state`.

    Args:
        units: width of the state.
        *arguments: those of `keras.layers.LSTM`, in its order.
        layer_normalization: normalise what the input and what the hidden state bring to the gates, each with a gain,
            and the cell, with a gain and a bias, before it is shown (Ba et al. 2016, https://arxiv.org/abs/1607.06450).
        zoneout: share of the units that keep their old value at a step of training, or a pair of shares of hidden and
            cell; the expectation at inference (Krueger et al. 2017, https://arxiv.org/abs/1606.01305, who take 0.05
            and 0.5); default 0.
        weight_dropout: share of the recurrent kernel's elements dropped in training, the same for all steps and rows
            (Merity et al. 2018, https://arxiv.org/abs/1708.02182); default 0.
        trainable_initial_state: start from trained vectors, zero at first, instead of zeros.
        peepholes: let the gates see the cell (Gers et al. 2002, https://www.jmlr.org/papers/v3/gers02a.html).
        projection: width of the hidden state and output where it shall be less than `units`, the width of the cell
            (Sak et al. 2014, https://arxiv.org/abs/1402.1128); default None, no projection.
        jit_compile: where XLA compiles the loop over time: "auto", in training; True, at inference too; False, nowhere.
        differentiable_twice: allow second derivatives, as gradient penalties take them; default False, which is faster.
        fused: run inference as one operation of TensorFlow: "auto", for small batches in eager calls;
            True, always and in exports too, which then neither ONNX nor LiteRT can read; False, never.
        **keywords: of Keras's layer as well. `unroll=True` needs a known number of steps; XLA compiles such a loop only
            where `jit_compile=True` says so.

    Call arguments:
        sequences: numbers (batch, time, features), of any length, zero included; or a `tf.RaggedTensor`, which is
            padded and masked.
        initial_state: tensors (batch, units), or (1, units) for all rows alike; default zeros.
        mask: bool (batch, time), False at padding; default: every step counts.
        training: apply dropout, and keep what the gradient needs.

    Raises:
        ValueError: an argument out of range or without meaning here; sequences, state or mask that do not fit.

    Example:
        >>> import numpy as np
        >>> from models import LSTM
        >>> LSTM(3, return_sequences=True)(np.zeros((2, 5, 4), "float32")).shape
        TensorShape([2, 5, 3])
    """

    @with_arguments_of(keras.layers.LSTM)
    def __init__(
        self,
        units: int,
        *arguments: Any,
        layer_normalization: bool = False,
        zoneout: float | Sequence[float] = 0.0,
        weight_dropout: float = 0.0,
        trainable_initial_state: bool = False,
        peepholes: bool = False,
        projection: int | None = None,
        jit_compile: bool | Literal["auto"] = "auto",
        differentiable_twice: bool = False,
        fused: bool | Literal["auto"] = "auto",
        **keywords: Any,
    ):
        check_width("LSTM", "units", units, "state")
        options = Options(layer_normalization, zoneout, weight_dropout, trainable_initial_state, peepholes, projection)
        how = {"jit_compile": jit_compile, "differentiable_twice": differentiable_twice, "fused": fused}
        super().__init__(units, *arguments, options=options, **how, **keywords)
        self.input_spec = None  # What does not fit is refused in more words by `build` and `call`.

    def _recurrence(self) -> Recurrence:
        options = self.options
        extended = options.layer_normalization or options.peepholes or options.projection
        recurrence = ExtendedLSTMRecurrence if extended else LSTMRecurrence
        return recurrence(activation_name(self.cell.activation), activation_name(self.cell.recurrent_activation))


@keras.saving.register_keras_serializable("unrolled")
class GRU(_Scanned, keras.layers.GRU, WithOptions):
    """`keras.layers.GRU` on a scan: same arguments, weights and results; see `GRURecurrence`.

    Recurrent dropout uses one mask for all three gates, where Keras draws one for each.

    The options that Keras has not are those of `LSTM`, without `peepholes` and `projection`; layer normalisation needs
    `reset_after`.

    Example:
        >>> import numpy as np
        >>> from models import GRU
        >>> GRU(3)(np.zeros((2, 5, 4), "float32")).shape
        TensorShape([2, 3])
    """

    @with_arguments_of(keras.layers.GRU)
    def __init__(
        self,
        units: int,
        *arguments: Any,
        layer_normalization: bool = False,
        zoneout: float = 0.0,
        weight_dropout: float = 0.0,
        trainable_initial_state: bool = False,
        jit_compile: bool | Literal["auto"] = "auto",
        differentiable_twice: bool = False,
        **keywords: Any,
    ):
        check_width("GRU", "units", units, "state")
        options = Options(layer_normalization, zoneout, weight_dropout, trainable_initial_state)
        how: dict[str, Any] = {"jit_compile": jit_compile, "differentiable_twice": differentiable_twice}
        super().__init__(units, *arguments, options=options, **how, **keywords)
        self.input_spec = None  # What does not fit is refused in more words by `build` and `call`.

    def _recurrence(self) -> Recurrence:
        cell = self.cell
        return GRURecurrence(
            activation_name(cell.activation), activation_name(cell.recurrent_activation), cell.reset_after
        )

    def _biases(self) -> tuple[tf.Tensor | None, tf.Tensor | None]:
        if self.cell.bias is None or not self.cell.reset_after:
            return self.cell.bias, None
        return self.cell.bias[0], self.cell.bias[1]


def _tensor(weight: Any, dtype: tf.DType) -> tf.Tensor | None:
    return None if weight is None else tf.cast(tf.convert_to_tensor(weight), dtype)
