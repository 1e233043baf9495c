"""What recurrent layers refuse; each error states what was expected, how to fix it, and what was received."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import tensorflow as tf


def check_width(layer: str, name: str, width: Any, what: str) -> None:
    # Keras keeps the number in configurations, and takes no other integers than Python's own.
    if isinstance(width, bool) or not isinstance(width, int) or width < 1:
        foreign = isinstance(width, Integral) and not isinstance(width, int)
        convert = f"Convert it, `int({name})`. " if foreign else ""
        raise ValueError(
            f"The {name} of {layer} (the width of its {what}) must be a whole number of at least 1. {convert}"
            f"Received: {name}={width!r}."
        )


def check_share(layer: str, name: str, value: Any, what: str) -> None:
    if isinstance(value, bool) or not isinstance(value, float | int) or not 0 <= value < 1:
        raise ValueError(
            f"The {name} of {layer} (the share of {what} in training) must be at least 0 and below 1. "
            f"Received: {name}={value!r}."
        )


def check_shape(layer: Any, shape: Any) -> None:
    """What a layer can be built for."""
    if len(shape) != 3 or shape[-1] is None:
        raise ValueError(
            f"{layer.name} takes sequences (batch, time, features), with the number of features known. A single "
            "sequence needs a batch axis, `sequence[None]`; single numbers a feature axis, `sequences[..., None]`. "
            f"Received: shape {tuple(shape)}."
        )


def without_ragged(sequences: Any, mask: Any) -> tuple[Any, Any]:
    """Sequences of a `tf.RaggedTensor` padded, and the mask of what was there; anything else as it is."""
    if not isinstance(sequences, tf.RaggedTensor):
        return sequences, mask
    if mask is not None:
        raise ValueError(
            "The lengths of a RaggedTensor are its mask: leave the mask out, or pad the sequences with `to_tensor()`. "
            f"Received: a mask of shape {tuple(mask.shape)}."
        )
    lengths = sequences.row_lengths()
    return sequences.to_tensor(), tf.sequence_mask(lengths, sequences.bounding_shape()[1])


def checked_sequences(layer: Any, sequences: Any) -> tf.Tensor:
    """The sequences (batch, time, features), if they are what a built layer takes; in its dtype unless floating."""
    sequences = tf.convert_to_tensor(sequences)
    features = layer.cell.kernel.shape[0]
    if len(sequences.shape) != 3 or sequences.shape[-1] != features or not _is_number(sequences):
        raise ValueError(
            f"{layer.name} takes sequences of numbers (batch, time, {features}), as it was built for. Fix the shape, "
            f"or create a new layer for other features. "
            f"Received: shape {tuple(sequences.shape)}, {sequences.dtype.name}."
        )
    return sequences if sequences.dtype.is_floating else tf.cast(sequences, layer.compute_dtype)


def checked_state(layer: Any, initial_state: Any, sequences: tf.Tensor) -> list[Any]:
    """The tensors of an initial state, each as wide as the layer's; a single row is that of every sequence."""
    states = list(initial_state) if isinstance(initial_state, list | tuple) else [initial_state]
    widths = layer.cell.state_size
    expected = [(sequences.shape[0], width) for width in (widths if isinstance(widths, Sequence) else [widths])]
    received = [tuple(getattr(state, "shape", ())) for state in states]
    fits = len(received) == len(expected) and all(
        tf.TensorShape(shape).is_compatible_with(other) or other == (1, shape[1])
        for shape, other in zip(expected, received, strict=True)
    )
    if not fits or not all(map(_is_number, states)):
        count = "one tensor" if len(expected) == 1 else f"{len(expected)} tensors"
        raise ValueError(
            f"The initial state of {layer.name} is {count} of numbers (batch, units), here {expected}; pass the state "
            f"that the layer returned, or None for its own. Received: {len(states)} tensors of shapes {received}, "
            f"{', '.join(_dtype_name(state) for state in states)}."
        )
    batch = tf.shape(sequences)[0] if sequences.shape[0] is None else sequences.shape[0]
    return [
        tf.broadcast_to(state, (batch, width)) if state.shape[0] in (None, 1) and sequences.shape[0] != 1 else state
        for state, (_, width) in zip(states, expected, strict=True)
    ]


def checked_mask(layer: Any, mask: Any, sequences: tf.Tensor) -> tf.Tensor | None:
    """The mask as bool (batch, time)."""
    if isinstance(mask, list | tuple) and not isinstance(mask[0], list | tuple):  # Keras's, of several inputs
        mask = mask[0]
    if mask is None:
        return None
    mask = tf.convert_to_tensor(mask)
    batch_and_time = tf.squeeze(mask, -1) if mask.shape[2:] == (1,) else mask  # (batch, time, 1), as Keras allows
    if not batch_and_time.shape.is_compatible_with(sequences.shape[:2]) or not (_is_number(mask) or mask.dtype.is_bool):
        raise ValueError(
            f"The mask of {layer.name} is bool (batch, time), here {tuple(sequences.shape[:2])}, False at padding; "
            f"from lengths, it is `tf.sequence_mask(lengths, time)`. "
            f"Received: shape {tuple(mask.shape)}, {mask.dtype.name}."
        )
    return tf.cast(batch_and_time, tf.bool)


def _is_number(tensor: Any) -> bool:
    dtype = getattr(tensor, "dtype", None)
    return dtype is not None and (tf.as_dtype(dtype).is_floating or tf.as_dtype(dtype).is_integer)


def _dtype_name(tensor: Any) -> str:
    return tf.as_dtype(tensor.dtype).name if hasattr(tensor, "dtype") else type(tensor).__name__
