"""`SpatiotemporalLSTM`: a stack of convolutional layers through which one memory zigzags, for video."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from models.layers.checks import checked_mask
from models.layers.convolutional import outputs_that_count, without_steps, zeros_unless
from models.recurrence.convolution import input_convolution
from models.recurrence.convolutional_scan import convolutional_scan
from models.recurrence.spatiotemporal_lstm import (
    SpatiotemporalLSTMRecurrence,
    SpatiotemporalState,
    SpatiotemporalWeights,
)


@keras.saving.register_keras_serializable("unrolled")
class SpatiotemporalLSTM(keras.layers.Layer):
    """A stack of spatiotemporal LSTMs (PredRNN); equations and paper: see `SpatiotemporalLSTMRecurrence`.

    For each layer it has an input kernel and bias, a hidden, a memory, an output and a mixing kernel, laid out as in
    `SpatiotemporalWeights`. The forget gates' biases start at 1, so that both memories start long.

    Args:
        filters: channels of every layer's maps.
        kernel_size: rows and columns of every kernel but the mixing one, which is 1 × 1; one number for a square.
        depth: number of layers; default 2. The paper has 4, of 128 filters and kernel size 5.
        kernel_initializer: of all kernels; default `"glorot_uniform"`.
        return_sequences: return the highest layer's maps after every step (batch, time, rows, columns, filters)
            instead of the last (batch, rows, columns, filters).
        return_state: return the last state as well, after the output: as `get_initial_state` lays it out.
        **kwargs: what every Keras layer takes.

    Call arguments:
        sequences: (batch, time, rows, columns, channels), rows, columns and channels as the layer was built for. A
            graph made for any number of steps must be given at least one.
        initial_state: a list as `get_initial_state` returns; default zeros.
        mask: bool (batch, time), False at padding, where the state passes on unchanged and the output is that of the
            last step that counts, zeros before the first; default: every step counts.

    Raises:
        ValueError: filters, kernel size or depth below 1; sequences, state or mask that do not fit.

    Example:
        >>> import numpy as np
        >>> from models import SpatiotemporalLSTM
        >>> SpatiotemporalLSTM(3, kernel_size=5, depth=2)(np.zeros((2, 4, 8, 8, 1), "float32")).shape
        TensorShape([2, 8, 8, 3])
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int],
        depth: int = 2,
        kernel_initializer: Any = "glorot_uniform",
        return_sequences: bool = False,
        return_state: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        size = (kernel_size, kernel_size) if isinstance(kernel_size, int) else tuple(kernel_size)
        numbers = (filters, depth, *size)
        if len(size) != 2 or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in numbers):
            raise ValueError(
                f"{type(self).__name__} takes whole numbers of at least 1: filters, depth, and a kernel size of one or "
                f"two. Received: filters={filters!r}, depth={depth!r}, kernel_size={kernel_size!r}."
            )
        self.filters, self.kernel_size, self.depth = filters, size, depth
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.return_sequences, self.return_state = return_sequences, return_state
        self.supports_masking = True

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        if len(sequences_shape) != 5 or None in sequences_shape[2:]:
            raise ValueError(
                f"{self.name} takes sequences of maps (batch, time, rows, columns, channels), with all but batch and "
                f"time known. Received: shape {tuple(sequences_shape)}."
            )
        self.maps_shape = tuple(sequences_shape[2:])
        channels, filters = self.maps_shape[-1], self.filters

        def kernel(name: str, size: tuple[int, ...], inputs: int, outputs: int) -> Any:
            # Anew for each: an initializer that several shared would give them the same weights.
            initializer = getattr(self.kernel_initializer, "clone", lambda: self.kernel_initializer)()
            return self.add_weight(name=name, shape=(*size, inputs, outputs), initializer=initializer)

        self.layer_weights = []
        for layer in range(self.depth):
            inputs = filters if layer else channels
            self.layer_weights.append(
                {
                    "inputs": kernel(f"input_kernel_{layer}", self.kernel_size, inputs, 7 * filters),
                    "biases": self.add_weight(name=f"bias_{layer}", shape=(7 * filters,), initializer=_forget_nothing),
                    "hidden": kernel(f"hidden_kernel_{layer}", self.kernel_size, filters, 4 * filters),
                    "memory": kernel(f"memory_kernel_{layer}", self.kernel_size, filters, 3 * filters),
                    "output": kernel(f"output_kernel_{layer}", self.kernel_size, 2 * filters, filters),
                    "mixing": kernel(f"mixing_kernel_{layer}", (1, 1), 2 * filters, filters),
                }
            )

    def get_initial_state(self, batch_size: int | tf.Tensor) -> list[tf.Tensor]:
        """Zeros: the hidden of every layer, from the lowest to the highest, the cells likewise, and the one memory."""
        zeros = tf.zeros((batch_size, *self.maps_shape[:2], self.filters), self.compute_dtype)
        return [zeros] * (2 * self.depth + 1)

    def step(self, inputs: Any, state: Sequence[Any], training: bool = False) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Runs one step, for a network that sees its own output: nothing is kept in the layer.

        Args:
            inputs: (batch, rows, columns, channels).
            state: as `get_initial_state(batch)` or the step before returned it.
            training: whether this is part of a training step, in which elementwise arithmetic is compiled.

        Returns:
            The highest layer's maps (batch, rows, columns, filters), and the new state.

        Example:
            >>> import numpy as np
            >>> from models import SpatiotemporalLSTM
            >>> layer = SpatiotemporalLSTM(3, kernel_size=5)
            >>> layer.build((None, None, 8, 8, 1))
            >>> output, state = layer.step(np.zeros((2, 8, 8, 1), "float32"), layer.get_initial_state(2))
            >>> output.shape, len(state)
            (TensorShape([2, 8, 8, 3]), 5)
        """
        inputs, recurrence = self._checked(inputs, 4), self._recurrence(training)
        after, _ = recurrence.step(self._project(inputs), self._checked_state(state, inputs), self._weights())
        return after.hidden[-1], tf.nest.flatten(after)

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        sequences = self._checked(sequences, 5)
        if sequences.shape[1] == 0:
            call = partial(self.call, initial_state=initial_state, training=training)
            return without_steps(call, sequences, self.return_sequences, self.return_state)
        if initial_state is None:
            initial_state = self.get_initial_state(tf.shape(sequences)[0])
        state = self._checked_state(initial_state, sequences)
        mask = checked_mask(self, mask, sequences)  # (batch, time)
        sequences = tf.transpose(sequences, (1, 0, 2, 3, 4))  # (time, batch, rows, columns, channels)
        mask = None if mask is None else tf.transpose(mask)  # (time, batch)
        if mask is not None:  # Padding may hold anything; what is not finite would reach the kernels' gradients.
            sequences = zeros_unless(mask, sequences)
        recurrence = self._recurrence(bool(training) and not tf.executing_eagerly())
        hidden, last = convolutional_scan(
            recurrence, self._project(sequences), state, self._weights(), mask, keep=bool(training)
        )
        hidden, last_output = outputs_that_count(hidden, last.hidden[-1], mask)
        output = tf.transpose(hidden, (1, 0, 2, 3, 4)) if self.return_sequences else last_output
        return (output, *tf.nest.flatten(last)) if self.return_state else output

    def compute_mask(self, _: Any, mask: Any = None) -> Any:
        mask = mask[0] if isinstance(mask, list | tuple) else mask
        mask = mask if self.return_sequences else None
        return [mask] + [None] * (2 * self.depth + 1) if self.return_state else mask

    def compute_output_shape(self, sequences_shape: Any, initial_state_shape: Any = None) -> Any:
        batch, time = sequences_shape[:2]
        maps = (batch, *sequences_shape[2:4], self.filters)
        output = (batch, time, *maps[1:]) if self.return_sequences else maps
        return (output, *[maps] * (2 * self.depth + 1)) if self.return_state else output

    def _recurrence(self, compiled: bool) -> SpatiotemporalLSTMRecurrence:
        return SpatiotemporalLSTMRecurrence(self.depth, compiled)

    def _weights(self) -> SpatiotemporalWeights:
        def of_layers(name: str, first: int = 0) -> tuple[tf.Tensor, ...]:
            return tuple(self._cast(weights[name]) for weights in self.layer_weights[first:])

        upper = {name: of_layers(name, 1) for name in ("inputs", "biases")}
        return SpatiotemporalWeights(**upper, **{name: of_layers(name) for name in SpatiotemporalWeights._fields[2:]})

    def _project(self, maps: tf.Tensor) -> tf.Tensor:
        """The lowest layer's input convolution plus bias, of maps (…, rows, columns, channels)."""
        lowest = self.layer_weights[0]
        return input_convolution(maps, self._cast(lowest["inputs"]), self._cast(lowest["biases"]))

    def _cast(self, tensor: Any) -> tf.Tensor:
        return tf.cast(tf.convert_to_tensor(tensor), self.compute_dtype)

    def _checked(self, maps: Any, rank: int) -> tf.Tensor:
        maps = self._cast(maps)
        if len(maps.shape) != rank or tuple(maps.shape[-3:]) != self.maps_shape:
            axes = "batch, time" if rank == 5 else "batch"
            raise ValueError(
                f"{self.name} takes maps ({axes}, {', '.join(map(str, self.maps_shape))}), as it was built for. "
                f"Received: shape {tuple(maps.shape)}."
            )
        return maps

    def _checked_state(self, state: Sequence[Any], maps: tf.Tensor) -> SpatiotemporalState:
        tensors = [self._cast(tensor) for tensor in state]
        expected = tf.TensorShape((maps.shape[0], *self.maps_shape[:2], self.filters))
        shapes = [tuple(tensor.shape) for tensor in tensors]
        if len(tensors) != 2 * self.depth + 1 or not all(expected.is_compatible_with(shape) for shape in shapes):
            raise ValueError(
                f"The state of {self.name} is {2 * self.depth + 1} tensors {tuple(expected)}: the hidden of every "
                f"layer, the cell of every layer, and the memory, as get_initial_state returns them. "
                f"Received: {shapes}."
            )
        return SpatiotemporalState(tuple(tensors[: self.depth]), tuple(tensors[self.depth : -1]), tensors[-1])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "depth": self.depth,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "return_sequences": self.return_sequences,
            "return_state": self.return_state,
        }


def _forget_nothing(shape: tuple[int, ...], dtype: Any = None) -> tf.Tensor:
    """1 for the forget gates, the second and the fifth of seven blocks, 0 for the others."""
    return tf.repeat(tf.constant([0, 1, 0, 0, 1, 0, 0], dtype), shape[0] // 7)
