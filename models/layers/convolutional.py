"""`ConvLSTM2D`: drop-in for the layer of the same name in `keras.layers`.

Constructor, weights, masks, states and serialisation are Keras's own, inherited; only the loop over time is ours:
`models.recurrence.convolutional_scan`, with its hand-derived gradient.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from models.layers.checks import checked_mask
from models.layers.options import activation_name, is_scannable
from models.recurrence.conv_lstm import ConvLSTMRecurrence, ConvLSTMWeights
from models.recurrence.convolution import input_convolution
from models.recurrence.convolutional_scan import convolutional_scan
from models.recurrence.lstm import LSTMState


@keras.saving.register_keras_serializable("unrolled")
class ConvLSTM2D(keras.layers.ConvLSTM2D):
    """`keras.layers.ConvLSTM2D` on a scan: same arguments, weights and results; see `ConvLSTMRecurrence`.

    Dropout and recurrent dropout use one mask for all four gates, where Keras draws one for each. Maps of
    `data_format="channels_first"` are transposed at the door, and the results back. A layer whose activation is not in
    `models.recurrence.activations.ACTIVATIONS` runs on Keras's own loop. A graph made for any number of steps must be
    given at least one.

    Example:
        >>> import numpy as np
        >>> from models import ConvLSTM2D
        >>> ConvLSTM2D(3, kernel_size=3, padding="same")(np.zeros((2, 5, 8, 8, 4), "float32")).shape
        TensorShape([2, 8, 8, 3])
    """

    def step(self, inputs: Any, state: Sequence[Any], training: bool = False) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Runs one step, for a network that sees its own output: nothing is kept in the layer, and no dropout applied.

        Args:
            inputs: (batch, rows, columns, channels), or as `data_format` has it.
            state: hidden and cell, as `get_initial_state(batch)` or the step before returned them.
            training: whether this is part of a training step, in which elementwise arithmetic is compiled.

        Returns:
            The output, which is the new hidden, and the new state.

        Example:
            >>> import numpy as np
            >>> from models import ConvLSTM2D
            >>> layer = ConvLSTM2D(3, kernel_size=3, padding="same")
            >>> layer.build((None, None, 8, 8, 4))
            >>> output, state = layer.step(np.zeros((2, 8, 8, 4), "float32"), layer.get_initial_state(2))
            >>> output.shape
            TensorShape([2, 8, 8, 3])
        """
        inputs = _tensor(inputs, self.compute_dtype)
        if not is_scannable(self.cell):
            return self.cell(inputs, list(state))
        before = LSTMState(*(self._channels_last(_tensor(field, self.compute_dtype)) for field in state))
        projected = self._project(self._channels_last(inputs))
        after, _ = self._recurrence(training).step(projected, before, self._recurrent_weights())
        new_state = [self._from_channels_last(field) for field in after]
        return new_state[0], new_state

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        axis = 2 if self.data_format == "channels_first" else 4
        channels = self.cell.kernel.shape[2]
        # TensorFlow would take twice the channels for two groups.
        if len(sequences.shape) != 5 or sequences.shape[axis] != channels:
            raise ValueError(
                f"{self.name} takes sequences of maps with {channels} channels on axis {axis} of 5, as it was built "
                f"for. Fix the shape, or create a new layer for other maps. Received: shape {tuple(sequences.shape)}."
            )
        if sequences.shape[1] != 0:
            return super().call(sequences, initial_state, mask, training)
        call = partial(super().call, initial_state=initial_state, training=training)
        return without_steps(call, sequences, self.return_sequences, self.return_state)

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        if not is_scannable(self.cell):
            return super().inner_loop(sequences, initial_state, mask, training=training)
        dropout = self.cell.get_dropout_mask(sequences[:, 0]) if training else None
        recurrent_dropout = self.cell.get_recurrent_dropout_mask(initial_state[0]) if training else None
        counts = checked_mask(self, mask, sequences)  # (batch, time)
        sequences = tf.transpose(self._channels_last(_tensor(sequences, self.compute_dtype)), (1, 0, 2, 3, 4))
        rows = tf.shape(sequences)[1]  # a state of one row is that of all
        state = LSTMState(*(self._state(field, rows) for field in initial_state))
        counts = None if counts is None else tf.transpose(counts)  # (time, batch)
        if self.go_backwards:
            sequences = tf.reverse(sequences, axis=[0])
            counts = None if counts is None else tf.reverse(counts, axis=[0])
        if counts is not None:  # Padding may hold anything; what is not finite would reach the kernel's gradient.
            sequences = zeros_unless(counts, sequences)
        if dropout is not None:
            sequences *= self._channels_last(dropout[0])
        if recurrent_dropout is not None:
            recurrent_dropout = self._channels_last(recurrent_dropout[0])
        projected = self._project(sequences)  # (time, batch, rows, columns, 4 · filters)
        compiled = bool(training) and not tf.executing_eagerly()
        recurrence, weights = self._recurrence(compiled), self._recurrent_weights()
        hidden, last = convolutional_scan(
            recurrence, projected, state, weights, counts, recurrent_dropout, keep=bool(training)
        )

        hidden, last_output = outputs_that_count(hidden, last.hidden, counts, self.zero_output_for_mask)
        last_output = self._from_channels_last(last_output)
        hidden = self._from_channels_last(tf.transpose(hidden, (1, 0, 2, 3, 4)))
        outputs = hidden if self.return_sequences else last_output[:, tf.newaxis]
        return last_output, outputs, [self._from_channels_last(field) for field in last]

    def _recurrence(self, compiled: bool) -> ConvLSTMRecurrence:
        return ConvLSTMRecurrence(
            activation_name(self.activation), activation_name(self.recurrent_activation), compiled
        )

    def _state(self, field: Any, rows: tf.Tensor) -> tf.Tensor:
        maps = self._channels_last(_tensor(field, self.compute_dtype))  # (batch, rows, columns, units)
        return tf.repeat(maps, rows, axis=0) if maps.shape[0] == 1 else maps

    def _recurrent_weights(self) -> ConvLSTMWeights:
        return ConvLSTMWeights(_tensor(self.cell.recurrent_kernel, self.compute_dtype))

    def _project(self, maps: tf.Tensor) -> tf.Tensor:
        """The input convolution plus bias, of maps (…, rows, columns, channels)."""
        options = {"strides": self.strides, "padding": self.padding.upper(), "dilations": self.dilation_rate}
        kernel, bias = (_tensor(weight, self.compute_dtype) for weight in (self.cell.kernel, self.cell.bias))
        return input_convolution(maps, kernel, bias, **options)

    def _channels_last(self, maps: tf.Tensor) -> tf.Tensor:
        return keras.ops.moveaxis(maps, -3, -1) if self.data_format == "channels_first" else maps

    def _from_channels_last(self, maps: tf.Tensor) -> tf.Tensor:
        return keras.ops.moveaxis(maps, -1, -3) if self.data_format == "channels_first" else maps


def _tensor(weight: Any, dtype: tf.DType) -> tf.Tensor | None:
    return None if weight is None else tf.cast(tf.convert_to_tensor(weight), dtype)


def without_steps(call: Callable[..., Any], sequences: Any, return_sequences: bool, return_state: bool) -> Any:
    """What a layer returns for no steps: of one step that does not count, since convolutions fail on no maps."""
    sequences = tf.pad(sequences, [[0, 0], [0, 1], [0, 0], [0, 0], [0, 0]])
    output = call(sequences, mask=tf.zeros(tf.shape(sequences)[:2], tf.bool))
    if not return_sequences:
        return output
    return (output[0][:, :0], *output[1:]) if return_state else output[:, :0]


def outputs_that_count(
    hidden: tf.Tensor, last: tf.Tensor, mask: tf.Tensor | None, zero_output_for_mask: bool = False
) -> tuple[tf.Tensor, tf.Tensor]:
    """The outputs of every step (time, batch, …) and the last, as Keras has them.

    Zeros until the first step that counts, whatever the initial state, and where there are no steps; at masked steps
    after that the output of the step before, or zeros.
    """
    counts = tf.ones(tf.shape(hidden)[:2], tf.bool) if mask is None else mask  # (time, batch)
    if mask is not None:
        counts = counts if zero_output_for_mask else tf.math.cumsum(tf.cast(mask, tf.int32)) > 0
        hidden = zeros_unless(counts, hidden)
    return hidden, zeros_unless(tf.reduce_any(counts[-1:], axis=0), last)


def zeros_unless(counts: tf.Tensor, maps: tf.Tensor) -> tf.Tensor:
    """The maps (…, rows, columns, channels) where `counts` is True, zeros elsewhere."""
    return tf.where(counts[..., tf.newaxis, tf.newaxis, tf.newaxis], maps, tf.zeros_like(maps))
