"""The rows of a batch, of which each replica makes and computes its own where several workers or devices train.

A task makes its batches by `make_batches`, and uses `mean_of_batch`, `own_rows` and `all_rows` in its loss; all do
nothing special where one device trains alone.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import tensorflow as tf

from pipelines.configuration import ConfigurationError


class Rows(NamedTuple):
    """The rows of a batch that one replica computes on: from `start` to before `stop`, of `total`.

    Where a batch has fewer rows than there are replicas, one without rows reads another's, which do not count: none may
    wait for sums that others have part in.
    """

    start: Any
    stop: Any
    total: Any

    @property
    def share(self) -> tf.Tensor:
        """Share of the rows that count here, between 0 and 1."""
        return tf.cast(self.stop - self.start, tf.float32) / tf.cast(self.total, tf.float32)

    def of(self, tensor: Any) -> Any:
        """Returns these rows of a tensor, one at least; a scalar as it is."""
        if not tensor.shape.rank:
            return tensor
        if isinstance(self.total, int):  # rows of known number
            return tensor[self.start : self.stop]
        start = tf.minimum(self.start, self.total - 1)
        return tensor[start : tf.maximum(self.stop, start + 1)]


class Divided(NamedTuple):
    """A batch of `total` examples, of which this worker has made the rows of its own replicas, apart."""

    total: tf.Tensor
    parts: tuple[Any, ...]


_rows: ContextVar[Rows | None] = ContextVar("rows", default=None)  # of the replica that computes
_own: ContextVar[tuple[range, int]] = ContextVar("own", default=(range(1), 1))  # this worker's replicas, of so many


def make_batches(drawn: tf.data.Dataset, prepare: Callable[[Any], Any], ahead: int = 4) -> tf.data.Dataset:
    """Returns batches of what was drawn for them; of several workers each prepares its own rows alone.

    Drawing is cheap and the same everywhere; reading, decoding and augmenting are the work of `prepare`.

    Args:
        drawn: a tensor, or a dictionary of tensors, for each batch, whose first dimension is the examples.
        prepare: `prepare(rows)` returns the batch of these rows, in a graph. Nothing in it depends on other rows, but
            how far it is padded.
        ahead: batches that are made before they are asked for.

    Example:
        >>> drawn = tf.data.Dataset.range(6).batch(3)
        >>> make_batches(drawn, lambda rows: 10 * rows).as_numpy_iterator().next().tolist()
        [0, 10, 20]
    """
    own, replicas = _own.get()
    _refuse_few(drawn.element_spec, replicas)

    @tf.autograph.experimental.do_not_convert
    def make(rows: Any) -> Any:
        if replicas == 1:
            return prepare(rows)
        shares = [rows_of_replica(number, replicas, rows) for number in own]
        parts = tuple(prepare(tf.nest.map_structure(share.of, rows)) for share in shares)
        return Divided(tf.convert_to_tensor(shares[0].total), parts)

    return drawn.map(make, num_parallel_calls=2, deterministic=True).prefetch(ahead)


def row_numbers(size: int) -> tf.data.Dataset:
    """Returns, without end, what tells the examples of batches apart: int64 (size, 2), of batch and place in it.

    >>> [each.tolist() for each in row_numbers(2).take(2).as_numpy_iterator()]
    [[[0, 0], [0, 1]], [[1, 0], [1, 1]]]
    """
    within = tf.range(size, dtype=tf.int64)
    return tf.data.Dataset.counter().map(lambda number: tf.stack([tf.fill([size], number), within], axis=1))


def mean_of_batch(values: tf.Tensor, counts: tf.Tensor | None = None) -> tf.Tensor:
    """Returns the mean over the whole batch of those values that count; 0 if none does.

    A loss that is a mean over something else than examples, such as words, takes it by this. With several workers it
    returns this worker's part, so that the parts, weighted by examples, add up to the mean over all of them.

    Args:
        values: of any shape.
        counts: how much each counts, in the same shape. Default: each counts 1.

    Example:
        >>> float(mean_of_batch(tf.constant([1.0, 2.0, 6.0]), tf.constant([1.0, 1.0, 0.0])))
        1.5
    """
    weights = tf.ones_like(values) if counts is None else tf.cast(counts, values.dtype)
    total, weight = tf.reduce_sum(values * weights), tf.reduce_sum(weights)
    rows = _rows.get()
    if rows is None:
        return total / tf.maximum(weight, 1.0)
    counted = tf.where(rows.share > 0, tf.cast(weight, tf.float32), 0.0)
    weight = tf.maximum(replica().all_reduce(tf.distribute.ReduceOp.SUM, counted), 1.0)
    return tf.math.divide_no_nan(total, tf.cast(weight * rows.share, total.dtype))


def own_rows(tensor: tf.Tensor) -> tf.Tensor:
    """Returns the rows of a tensor of the whole batch that this worker computes on; all where it trains alone."""
    rows = _rows.get()
    return tensor if rows is None else rows.of(tensor)


def all_rows(tensor: tf.Tensor) -> tf.Tensor:
    """Returns the rows of all workers, in the order of the batch; inverse of `own_rows`."""
    rows = _rows.get()
    return tensor if rows is None else replica().all_gather(tensor[: rows.stop - rows.start], axis=0)


@contextmanager
def divided(own: range, replicas: int) -> Iterator[None]:
    """Lets `make_batches` make the rows of some replicas alone."""
    token = _own.set((own, replicas))
    try:
        yield
    finally:
        _own.reset(token)


@contextmanager
def computing(rows: Rows) -> Iterator[None]:
    """Lets the words of a loss speak of these rows."""
    token = _rows.set(rows)
    try:
        yield
    finally:
        _rows.reset(token)


def rows_of_replica(number: int, replicas: int, batch: Any) -> Rows:
    """Returns which rows of a whole batch, or of what is drawn for one, belong to a replica."""
    static = _refuse_few(batch, replicas)
    return share_of(number, replicas, examples(batch) if static is None else static)


def share_of(number: int, replicas: int, total: Any) -> Rows:
    """Returns which rows belong to a replica, of so many examples."""
    return Rows(number * total // replicas, (number + 1) * total // replicas, total)


def examples(batch: Any) -> tf.Tensor:
    """Returns how many examples a batch has: the length of its first tensor."""
    if isinstance(batch, Divided):
        return batch.total
    first = tf.nest.flatten(batch)[0]
    return first.nrows(tf.int32) if isinstance(first, tf.RaggedTensor) else tf.shape(first)[0]


def _refuse_few(batch: Any, replicas: int) -> int | None:
    """Returns how many examples a batch, or one of this specification, has, if that is known; refuses too few."""
    count: int | None = tf.nest.flatten(batch)[0].shape[0]
    if count is not None and count < replicas:
        raise ConfigurationError(
            f"A batch has fewer examples than there are workers: worker {replicas - 1} would never have one. "
            f"Expected {replicas} or more. Enlarge the batch, or train with fewer workers. Received: {count}"
        )
    return count


def replica() -> tf.distribute.ReplicaContext:
    """Returns the replica that computes."""
    return tf.distribute.get_replica_context()
