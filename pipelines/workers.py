"""Several workers, or several devices, that train one model: each computes on its rows of a batch, and all add up.

No task knows of them; what a task says about its batches is in `rows.py`. TensorFlow's strategies do the sums; the
model's variables are plain ones, of which each worker has all.
"""

import atexit
import functools
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines import cluster as clusters
from pipelines.cluster import Cluster, StrategyName
from pipelines.configuration import ConfigurationError
from pipelines.fingerprint import fingerprint
from pipelines.rows import Divided, Rows, computing, divided, replica, rows_of_replica, share_of
from pipelines.run_files import RunError
from pipelines.versions import versions_here

SECONDS_BETWEEN_CHECKS, SECONDS_TO_ANSWER, ATTEMPTS = 5, 10, 2
"""Each worker asks the others every so often whether they live; one that is lost is found within 25 seconds."""
SEED_STEP = 0x9E3779B1
"""Difference between the seeds of neighbours, which must not drop the same units."""


class Workers:
    """Who trains: by default this process alone, on one device.

    Args:
        strategy: of TensorFlow. None: one device of this process alone.
        cluster: the processes. None: this one.
    """

    def __init__(self, strategy: tf.distribute.Strategy | None = None, cluster: Cluster | None = None) -> None:
        self.strategy = strategy
        self.cluster = cluster
        self.rank = cluster.rank if cluster else 0
        self.count = len(cluster.addresses) if cluster else 1
        self.replicas = strategy.num_replicas_in_sync if strategy else 1

    @property
    def is_chief(self) -> bool:
        """Whether this process validates, and writes the run's folder."""
        return self.rank == 0

    @tf.autograph.experimental.do_not_convert
    def sums(self, means: Callable[[Any], list[Any]], batch: Any) -> list[Any]:
        """Returns `means(batch)`, each the mean over a batch's examples, computed by all replicas on their rows.

        It is called in a graph. Every worker gets the same numbers, bit for bit. Gradients of tables are the rows that
        were looked up, in the order of the batch: an optimizer treats them unlike their sums.

        Args:
            means: in a graph.
            batch: the whole batch, or `Divided`.
        """
        strategy = self.strategy
        if strategy is None or self.replicas == 1:
            return means(batch)

        def of_replica() -> list[Any]:
            rows, part = self._part(batch)
            with computing(rows):
                parts = means(part)
            tables = [isinstance(each, tf.IndexedSlices) for each in parts]
            shares = [
                (each.values if is_table else each) * tf.cast(rows.share, each.dtype)
                for each, is_table in zip(parts, tables, strict=True)
            ]
            dense = [each for each, is_table in zip(shares, tables, strict=True) if not is_table]
            added = iter(replica().all_reduce(tf.distribute.ReduceOp.SUM, dense))
            return [
                (replica().all_gather(share, axis=0), replica().all_gather(each.indices, axis=0), each.dense_shape)
                if is_table
                else next(added)
                for each, share, is_table in zip(parts, shares, tables, strict=True)
            ]

        found = strategy.run(of_replica)
        own = tf.nest.map_structure(lambda each: strategy.experimental_local_results(each)[0], found)
        return [tf.IndexedSlices(*each) if isinstance(each, tuple) else each for each in own]

    def _part(self, batch: Any) -> tuple[Rows, Any]:
        """Returns this replica's rows of a batch, which this worker has made alone or which are cut out of all."""
        number = int(tf.get_static_value(tf.convert_to_tensor(replica().replica_id_in_sync_group)))
        if isinstance(batch, Divided):
            return share_of(number, self.replicas, batch.total), batch.parts[number - self._own.start]
        rows = rows_of_replica(number, self.replicas, batch)
        return rows, tf.nest.map_structure(rows.of, batch)

    @property
    def _own(self) -> range:
        """The numbers of this worker's replicas."""
        local = self.replicas // self.count
        return range(self.rank * local, (self.rank + 1) * local)

    def dividing(self) -> AbstractContextManager[None]:
        """Lets each worker make its own rows of the batches that a task describes."""
        return divided(self._own, self.replicas)

    def shared(self, value: Any) -> Any:
        """Returns what the chief has, anything that JSON holds; every worker calls it at the same place."""
        if self.count == 1:
            return value
        text = json.dumps(value).encode() if self.is_chief else b""
        length = int(self._added([np.array(len(text), np.int64)])[0])
        letters = np.frombuffer(text, np.uint8) if self.is_chief else np.zeros(length, np.uint8)
        return json.loads(self._added([letters.astype(np.int32)])[0].astype(np.uint8).tobytes())

    def share_variables(self, variables: Sequence[Any]) -> None:
        """Gives all workers the chief's variables."""
        if self.count == 1:
            return
        arrays = []
        for variable in variables:
            array = tf.convert_to_tensor(variable).numpy()
            exact = np.int64 if array.dtype.kind in "iub" else np.float64 if array.dtype == np.float64 else np.float32
            arrays.append(array.astype(exact) if self.is_chief else np.zeros(array.shape, exact))
        for variable, array in zip(variables, self._added(arrays), strict=True):
            variable.assign(tf.cast(array, variable.dtype))

    def gathered(self, values: Sequence[float]) -> np.ndarray:
        """Returns the numbers of all workers (workers, numbers)."""
        table = np.zeros((self.count, len(values)))
        table[self.rank] = values
        return self._added([table])[0] if self.count > 1 else table

    def agree(self, **parts: Any) -> None:
        """Raises `RunError` at every worker if one has another fingerprint of a part than the chief.

        All workers name the same parts.
        """
        if self.count == 1 or not parts:
            return
        digests = [int(fingerprint(part)[:12], 16) for part in parts.values()]  # 48 bits: exact in float64
        table = self.gathered([float(each) for each in digests])
        for rank in range(1, self.count):
            if differing := [name for name, same in zip(parts, table[rank] == table[0], strict=True) if not same]:
                raise RunError(
                    f"The workers differ: {self.named(rank)} has other {' and '.join(differing)} than the chief, "
                    f"{self.named(0)}. Expected the same code, libraries, settings and data everywhere. Install and "
                    f"copy the chief's there, give all the same command, and start all workers again. "
                    f"Received: {', '.join(differing)}"
                )

    def named(self, rank: int) -> str:
        """Returns how a message names a worker."""
        return self.cluster.named(rank) if self.cluster else f"worker {rank}"

    def separate_seeds(self, variables: Sequence[Any]) -> None:
        """Lets this worker drop other units than the chief."""
        for variable in variables if self.rank else ():
            if variable.path.endswith("seed_generator_state"):
                step = tf.constant([SEED_STEP * self.rank, 0], tf.int64)
                variable.assign(tf.cast(tf.cast(variable.value, tf.int64) + step, variable.dtype))

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Reports which worker is lost where TensorFlow only says that something was not available."""
        try:
            yield
        except tf.errors.OpError as error:
            certain = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.DeadlineExceededError)
            if self.cluster is None or not (isinstance(error, certain) or clusters.unreachable(self.cluster)):
                raise
            raise clusters.lost(self.cluster, error) from error

    def _added(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        """Returns the sums over all workers."""
        strategy = self.strategy
        assert strategy is not None
        with self.explained():
            tensors = [tf.constant(array) for array in arrays]
            sums = strategy.run(lambda: replica().all_reduce(tf.distribute.ReduceOp.SUM, tensors))
            return [np.asarray(strategy.experimental_local_results(each)[0]) for each in sums]


_present = Workers()


def present() -> Workers:
    """Returns the workers of this process."""
    return _present


def join(name: StrategyName) -> Workers:
    """Returns the workers of a strategy, when all of them are there; a training of this process then has them.

    Raises:
        ConfigurationError: TF_CONFIG names no workers.
        RunError: another worker does not start, or the port is in use.
    """
    global _present
    if name == "mirrored":
        kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
        devices = [device.name for device in tf.config.list_logical_devices(kind)]
        if len(devices) == 1:
            print(f"Note: there is one device, {devices[0]}; training.strategy mirrored trains on it alone.")
        _present = _mirrored(tuple(devices))
    elif name == "multi_worker":
        _present = _joined(clusters.read_cluster())
    else:
        if os.environ.get(clusters.VARIABLE):
            print(f"Note: {clusters.VARIABLE} names workers, but training.strategy is none: this process trains alone.")
        _present = Workers()
    return _present


def folder_of_runs(workers: Workers) -> Path | None:
    """Returns where a worker keeps what it writes: the chief in the folder of runs, the others where it is deleted."""
    if workers.is_chief:
        return None
    folder = tempfile.TemporaryDirectory(prefix="unrolled-worker-")
    atexit.register(folder.cleanup)
    return Path(folder.name)


@functools.cache
def code() -> str:
    """Returns the fingerprint of the code and of the libraries that decide results."""
    root = Path(__file__).parents[1]
    files = {
        str(path.relative_to(root)): path
        for part in ("models", "data", "pipelines")
        for path in (root / part).rglob("*.py")
    }
    versions = {name: versions_here()[name] for name in ("python", "tensorflow", "keras", "numpy")}
    return fingerprint([files, versions])


def settings(configuration: Any) -> dict[str, Any]:
    """Returns what a configuration sets, by option such as `--training.epochs`, but the run that is begun with."""
    found: dict[str, Any] = {}
    for name, value in configuration:
        if hasattr(value, "model_fields_set"):
            found |= {f"--{name}.{option.removeprefix('--')}": each for option, each in settings(value).items()}
        elif not isinstance(value, Path):
            found[f"--{name}"] = value
    return found


@functools.cache  # two strategies would number their sums alike, and TensorFlow would mix these up
def _mirrored(devices: tuple[str, ...]) -> Workers:
    return Workers(tf.distribute.MirroredStrategy(devices))


@functools.cache  # TensorFlow joins a cluster once in a process
def _joined(cluster: Cluster) -> Workers:
    from tensorflow.python.distribute.collective_all_reduce_strategy import CollectiveAllReduceExtended
    from tensorflow.python.eager import context

    if len(cluster.addresses) == 1:
        return Workers(None, None)
    clusters.refuse_port_in_use(cluster)
    # TensorFlow's own check of health instead of its coordination service, which is not told how long to wait and which
    # ends a process without a word.
    CollectiveAllReduceExtended._check_health_initial_timeout = clusters.seconds_to_start()
    CollectiveAllReduceExtended._check_health_interval = SECONDS_BETWEEN_CHECKS
    CollectiveAllReduceExtended._check_health_timeout = SECONDS_TO_ANSWER
    CollectiveAllReduceExtended._check_health_retry_limit = ATTEMPTS
    try:
        context.context().configure_coordination_service(service_type="")
        tf.get_logger().setLevel("CRITICAL")  # what it reports of lost workers we report
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:
        if "startup" in str(error):
            raise ConfigurationError(
                "training.strategy multi_worker must come before anything else that TensorFlow does. Expected it at "
                "the start of a process. Start the training by `unrolled train`, or call unrolled.train first. "
                f"Received: {error}"
            ) from error
        raise clusters.lost(cluster, error, started=False) from error
    except tf.errors.OpError as error:
        raise clusters.lost(cluster, error, started=False) from error
    return Workers(strategy, cluster)
