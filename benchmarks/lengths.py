"""The epochs of a training whose batches all have different lengths, beside Keras: `python -m benchmarks.lengths`.

Each side trains in a process of its own, which is asked for its peak memory at the end.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Annotated, NamedTuple

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from benchmarks.worker import largest_size

SIDES = ("models", "keras.layers")


@dataclass(frozen=True)
class Options:
    """Times epochs over batches of different lengths: two LSTMs in `fit`."""

    lengths: Annotated[int, tyro.conf.arg(metavar="N")] = 40
    """Number of batches, each of a different length."""
    shortest: int = 20
    """Steps of the shortest batch; each further batch has one more."""
    batch: int = 32
    """Rows of a batch."""
    units: int = 64
    """Units of both layers."""
    epochs: int = 3
    """Epochs; the first one includes tracing and compiling."""


class Measured(NamedTuple):
    """The seconds of each epoch, and the MiB by which the process grew at its peak."""

    epochs: list[float]
    memory: float


def measure(side: str, options: Options) -> Measured:
    """Trains one side."""
    import keras
    import tensorflow as tf

    import models

    layer = {"models": models, "keras.layers": keras.layers}[side].LSTM
    features, first = 16, layer(options.units, return_sequences=True)
    model = keras.Sequential([keras.Input((None, features)), first, layer(options.units), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    random = np.random.default_rng(0)
    order = options.shortest + random.permutation(options.lengths)

    def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for steps in order:
            yield random.normal(size=(options.batch, steps, features)), random.normal(size=(options.batch, 1))

    specification = tf.TensorSpec((None, None, features)), tf.TensorSpec((None, 1))
    dataset = tf.data.Dataset.from_generator(batches, output_signature=specification)
    before, epochs = largest_size(), []
    for _ in range(options.epochs):
        started = time.perf_counter()
        model.fit(dataset, verbose=0)
        epochs.append(time.perf_counter() - started)
    return Measured(epochs, largest_size() - before)


def run(options: Options) -> dict[str, Measured]:
    """Returns what was measured, by side, one after the other."""
    found = {}
    for side in SIDES:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            found[side] = pool.submit(measure, side, options).result()
    return found


def main() -> None:
    found = run(tyro.cli(Options, description=__doc__))
    table = Table("", "first epoch, s", "last epoch, s", "peak memory, MiB")
    for side, one in found.items():
        table.add_row(side, f"{one.epochs[0]:.2f}", f"{one.epochs[-1]:.2f}", f"{one.memory:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
