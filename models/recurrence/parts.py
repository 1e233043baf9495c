"""Parts of a batch that run side by side, one loop over time per core."""

import os
from collections.abc import Callable
from typing import Any

import tensorflow as tf

# A loop over fewer rows than these costs nearly as much as one over all of them.
LEAST_ROWS = 8
# Every part is a loop of its own in the graph.
MOST_PARTS = 8


def in_parts(function: Callable[..., Any], *arguments: Any, least_rows: int = LEAST_ROWS) -> Any:
    """Calls a function once for each part of the batch, so that TensorFlow may run the calls at the same time.

    Args:
        function: from tensors (batch, …) to a structure of tensors (batch, …).
        *arguments: its arguments, structures of tensors (batch, …) and None.
        least_rows: how many rows a part has at least.

    Returns:
        What `function` returns for the whole batch.

    Example:
        >>> import tensorflow as tf
        >>> from models.recurrence.parts import in_parts
        >>> in_parts(lambda rows: rows + 1, tf.range(20))[-1].numpy().item()
        20
    """
    flat = tf.nest.flatten(arguments)
    tensors = [tensor for tensor in flat if tensor is not None]
    sizes = _sizes(tensors[0], least_rows)
    if len(sizes) == 1:
        return function(*arguments)
    pieces = [[None] * len(sizes) if tensor is None else tf.split(tensor, sizes) for tensor in flat]
    results = [function(*tf.nest.pack_sequence_as(arguments, part)) for part in zip(*pieces, strict=True)]
    return tf.nest.map_structure(lambda *tensors: tf.concat(tensors, axis=0), *results)


def _sizes(tensor: tf.Tensor, least_rows: int) -> list[Any]:
    """How many rows each part has; where the batch is not known beforehand, the last parts may have none."""
    batch, most = tensor.shape[0], most_parts()
    if batch is None:
        batch = tf.shape(tensor)[0]
        rows = -(-batch // tf.clip_by_value(batch // least_rows, 1, most))  # rounded up
        return [tf.clip_by_value(batch - part * rows, 0, rows) for part in range(most)]
    parts = min(max(batch // least_rows, 1), most)
    rows = -(-batch // parts)
    return [min(batch - part * rows, rows) for part in range(parts)]


def most_parts() -> int:
    """One for each core that this process may use, and no more than operations run side by side; one on a GPU."""
    if tf.config.list_physical_devices("GPU"):
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, tf.config.threading.get_inter_op_parallelism_threads() or cores, MOST_PARTS)
