"""`SimpleRNN`, `LSTM` and `GRU`: drop-in for the layers of the same names in `keras.layers`.

Constructor, weights, masks, states and serialisation are Keras's own, inherited; only the loop over time is ours:
`models.recurrence.scan`, with its hand-derived gradient.
"""

from functools import partial
from typing import Any

import keras
import tensorflow as tf

from models.recurrence import GRURecurrence, LSTMRecurrence, Recurrence, SimpleRNNRecurrence, Weights, scan
from models.recurrence.activations import ACTIVATIONS
from models.recurrence.parts import in_parts


class _Scanned:
    """Runs a Keras recurrent layer's loop over time as a scan.

    The scan is compiled by XLA where a training step is being traced (`training=True` inside a `tf.function`), and is
    plain TensorFlow everywhere else, so that exported graphs need no XLA and eager calls never wait for a compiler.
    Compiled, a large enough batch is divided into one part a core. The large products before and after the loop are
    plain TensorFlow's, which are twice as fast as XLA's.
    A layer whose activation is not in `models.recurrence.activations.ACTIVATIONS` runs on Keras's own loop.
    """

    cell: Any

    def _recurrence(self) -> Recurrence:
        raise NotImplementedError

    def _biases(self) -> tuple[tf.Tensor | None, tf.Tensor | None]:
        """The bias of the input projection and that of the recurrent product."""
        return self.cell.bias, None

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        if sequences.shape[1] != 0:
            return super().call(sequences, initial_state, mask, training)  # type: ignore[misc]
        # Keras looks at the first step before it loops: give it one that does not count.
        sequences = tf.pad(sequences, [[0, 0], [0, 1], [0, 0]])
        output = super().call(sequences, initial_state, tf.zeros_like(sequences[..., 0], tf.bool), training)  # type: ignore[misc]
        if not self.return_sequences:  # type: ignore[attr-defined]
            return output
        return (output[0][:, :0], *output[1:]) if self.return_state else output[:, :0]  # type: ignore[attr-defined]

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        activations = {self.cell.activation, getattr(self.cell, "recurrent_activation", self.cell.activation)}
        if not all(_name(activation) in ACTIVATIONS for activation in activations):
            return super().inner_loop(sequences, initial_state, mask, training=training)  # type: ignore[misc]

        recurrence, dtype = self._recurrence(), self.compute_dtype  # type: ignore[attr-defined]
        sequences = tf.cast(sequences, dtype)  # (batch, time, inputs)
        initial_state = initial_state if isinstance(initial_state, list | tuple) else [initial_state]
        state = recurrence.state_type(*(_tensor(field, dtype) for field in initial_state))
        mask = _mask(mask)  # (batch, time)
        if self.go_backwards:  # type: ignore[attr-defined]
            sequences = tf.reverse(sequences, axis=[1])
            mask = None if mask is None else tf.reverse(mask, axis=[1])
        dropouts = self._dropout_masks(sequences, state) if training else (None, None)
        compiled = bool(training) and not tf.executing_eagerly()
        run = partial(self._run, recurrence, compiled)
        arguments = (sequences, state, mask, *dropouts)
        hidden, last = in_parts(run, *arguments) if compiled else run(*arguments)

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

    def _run(
        self,
        recurrence: Recurrence,
        compiled: bool,
        sequences: tf.Tensor,
        state: Any,
        mask: tf.Tensor | None,
        dropout: tf.Tensor | None,
        recurrent_dropout: tf.Tensor | None,
    ) -> tuple[tf.Tensor, Any]:
        """The hidden state after every step (batch, time, units), and the last state."""
        dtype = sequences.dtype
        inputs = tf.transpose(sequences, (1, 0, 2))  # (time, batch, inputs)
        if mask is not None:  # Padding may hold anything; what is not finite would reach the kernel's gradient.
            mask = tf.transpose(mask)
            inputs = tf.where(mask[..., tf.newaxis], inputs, tf.zeros_like(inputs))
        if dropout is not None:
            inputs *= dropout

        def blocks(weight: Any) -> list[tf.Tensor]:
            """The weight's gates: apart for the compiled loop, side by side for the plain one."""
            return [] if weight is None else tf.split(_tensor(weight, dtype), recurrence.gates if compiled else 1, -1)

        input_bias, recurrent_bias = map(blocks, self._biases())
        projected = [tf.tensordot(inputs, kernel, 1) for kernel in blocks(self.cell.kernel)]
        if input_bias:
            projected = [product + bias for product, bias in zip(projected, input_bias, strict=True)]
        weights = Weights(blocks(self.cell.recurrent_kernel), recurrent_bias)
        hidden, last = scan(recurrence, projected, state, weights, mask, recurrent_dropout, compiled)
        return tf.transpose(hidden, (1, 0, 2)), last

    def _dropout_masks(self, sequences: tf.Tensor, state: Any) -> tuple[tf.Tensor | None, tf.Tensor | None]:
        """One mask for the inputs and one for the hidden state, each the same at every step and for every gate."""
        masks = self.cell.get_dropout_mask(sequences[:, 0]), self.cell.get_recurrent_dropout_mask(state.hidden)
        first = (mask[0] if isinstance(mask, list) else mask for mask in masks)
        return tuple(first)


@keras.saving.register_keras_serializable("unrolled")
class SimpleRNN(_Scanned, keras.layers.SimpleRNN):
    """`keras.layers.SimpleRNN` on a scan: same arguments, weights and results; see `SimpleRNNRecurrence`.

    Example:
        >>> import numpy as np
        >>> from models import SimpleRNN
        >>> SimpleRNN(3)(np.zeros((2, 5, 4), "float32")).shape
        TensorShape([2, 3])
    """

    def _recurrence(self) -> Recurrence:
        return SimpleRNNRecurrence(_name(self.cell.activation))


@keras.saving.register_keras_serializable("unrolled")
class LSTM(_Scanned, keras.layers.LSTM):
    """`keras.layers.LSTM` on a scan: same arguments, weights and results; see `LSTMRecurrence`.

    Recurrent dropout uses one mask for all four gates (Gal and Ghahramani 2016, tied weights), where Keras draws one
    for each.

    Example:
        >>> import numpy as np
        >>> from models import LSTM
        >>> LSTM(3, return_sequences=True)(np.zeros((2, 5, 4), "float32")).shape
        TensorShape([2, 5, 3])
    """

    def _recurrence(self) -> Recurrence:
        return LSTMRecurrence(_name(self.cell.activation), _name(self.cell.recurrent_activation))


@keras.saving.register_keras_serializable("unrolled")
class GRU(_Scanned, keras.layers.GRU):
    """`keras.layers.GRU` on a scan: same arguments, weights and results; see `GRURecurrence`.

    Recurrent dropout uses one mask for all three gates, where Keras draws one for each.

    Example:
        >>> import numpy as np
        >>> from models import GRU
        >>> GRU(3)(np.zeros((2, 5, 4), "float32")).shape
        TensorShape([2, 3])
    """

    def _recurrence(self) -> Recurrence:
        cell = self.cell
        return GRURecurrence(_name(cell.activation), _name(cell.recurrent_activation), cell.reset_after)

    def _biases(self) -> tuple[tf.Tensor | None, tf.Tensor | None]:
        if self.cell.bias is None or not self.cell.reset_after:
            return self.cell.bias, None
        return self.cell.bias[0], self.cell.bias[1]


def _name(activation: Any) -> str:
    """The name of a stock activation of Keras; "" for anything else, also where only the name agrees."""
    name = getattr(activation, "__name__", "")
    return name if getattr(keras.activations, name, None) is activation else ""


def _tensor(weight: Any, dtype: tf.DType) -> tf.Tensor | None:
    return None if weight is None else tf.cast(tf.convert_to_tensor(weight), dtype)


def _mask(mask: Any) -> tf.Tensor | None:
    """The mask as bool (batch, time)."""
    mask = mask[0] if isinstance(mask, list | tuple) else mask
    if mask is None:
        return None
    mask = tf.cast(mask, tf.bool)
    return tf.squeeze(mask, -1) if len(mask.shape) == 3 else mask
