"""What a second worker is worth, each on a core of its own: `python -m benchmarks.scaling`.

One worker on one core is compared with two on one core each: the same batch for both (strong scaling), and a batch for
each (weak scaling). The ideal is twice the examples a second; two trainings apart show what the machine allows. Four
workers that share two cores show what more of them add in sums and waiting.
The time of the sums is that of a step that does nothing else. Where others use the cores too, the last column counts
instead: examples in a second of a worker's own work, times the workers; what it lacks to the ideal is the sums' work.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tyro
from rich.console import Console
from rich.table import Table

from pipelines import workers
from pipelines.cluster import configuration_of, free_ports
from pipelines.optimization import TrainingConfiguration, TrainingStep

BATCH, TIME, CHANNELS, UNITS = 256, 40, 32, 192
WARM_UP = 3


def measure(batch: int, seconds: float) -> dict[str, float]:
    """Returns what this worker does: examples a second, by the clock and of its work; seconds of sums; megabytes."""
    together = workers.join("multi_worker" if os.environ.get("TF_CONFIG") else "none")
    keras.utils.set_random_seed(1)
    layers = [keras.layers.LSTM(UNITS, return_sequences=True), keras.layers.LSTM(UNITS), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((TIME, CHANNELS)), *layers])
    inputs = tf.constant(np.random.default_rng(1).normal(size=(batch, TIME, CHANNELS)).astype(np.float32))
    specification = tf.TensorSpec(inputs.shape, inputs.dtype)

    def loss(each: tf.Tensor, training: bool) -> tf.Tensor:
        return tf.reduce_mean(tf.square(model(each, training=training) - 1.0))

    step = TrainingStep(model, loss, TrainingConfiguration(), 10_000, specification, together)

    @tf.function(input_signature=[specification])
    def sums(each: tf.Tensor) -> list[tf.Tensor]:
        weights = model.trainable_variables
        return together.sums(lambda _: [tf.identity(weight.value) for weight in weights], each)

    elapsed, worked = _seconds_a_call(step, inputs, seconds, together)
    values = {"examples_per_second": batch / elapsed, "examples_per_second_of_work": batch / worked}
    values["seconds_of_sums"], _ = _seconds_a_call(sums, inputs, seconds / 5, together)
    values["megabytes"] = 4e-6 * sum(int(np.prod(weight.shape)) for weight in model.trainable_variables)
    return values


def _seconds_a_call(function: Any, batch: tf.Tensor, seconds: float, together: workers.Workers) -> tuple[float, float]:
    """Returns the seconds of a call by the clock, and those in which this process had a core."""
    for _ in range(WARM_UP):
        function(batch)
    start = time.perf_counter()
    function(batch)
    calls = max(3, int(seconds / together.shared(time.perf_counter() - start)))  # as many for all
    start, worked = time.perf_counter(), time.process_time()
    for _ in range(calls):
        function(batch)
    return (time.perf_counter() - start) / calls, (time.process_time() - worked) / calls


def together_on(cores: list[int], batch: int, seconds: float, apart: bool = False) -> dict[str, float]:
    """Runs one worker on each core, or trainings apart, and returns what the first measured; of those apart the sum."""
    addresses = [f"localhost:{port}" for port in free_ports(len(cores))]
    processes = []
    for rank, core in enumerate(cores):
        variables = dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"), "1")
        variables["TF_CPP_MIN_LOG_LEVEL"] = "3"
        if len(cores) > 1 and not apart:
            variables["TF_CONFIG"] = configuration_of(addresses, rank)
        program = (
            f"import os; os.sched_setaffinity(0, {{{core}}}); import json; from benchmarks.scaling import measure; "
            f"print('RESULT' + json.dumps(measure({batch}, {seconds})))"
        )
        environment = os.environ | variables | {"PYTHONPATH": str(Path(__file__).parents[1])}
        command = [sys.executable, "-c", program]
        processes.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True))
    outputs = [process.communicate()[0] for process in processes]
    results: list[dict[str, float]] = [json.loads(output.partition("RESULT")[2]) for output in outputs]
    speed = sum(each["examples_per_second"] for each in results[: len(results) if apart else 1])
    return results[0] | {"examples_per_second": speed}


def main(seconds: float = 8.0, rounds: int = 1) -> None:
    """Prints a table.

    Args:
        seconds: of training that are measured in each case.
        rounds: how often all is measured; the best of them counts, for others only ever slow it down.
    """
    cores = sorted(os.sched_getaffinity(0))[:2]
    apart = "2 apart"
    cases = {
        "1 worker": (cores[:1], BATCH),
        apart: (cores, BATCH),
        "2, same batch": (cores, BATCH),
        "2, a batch each": (cores, 2 * BATCH),
        "4 on 2 cores": (2 * cores, BATCH),
    }
    table = Table("workers", "examples/s", "times one", "share of the ideal", "sums (ms)", "MB a step", "by work")
    best: dict[str, dict[str, float]] = {}
    for _ in range(rounds):
        for name, (used, batch) in cases.items():
            found = together_on(used, batch, seconds, name == apart)
            best[name] = max(best.get(name, found), found, key=lambda each: each["examples_per_second"])
    one, work = (best["1 worker"][name] for name in ("examples_per_second", "examples_per_second_of_work"))
    for name, found in best.items():
        ratio, workers_used = found["examples_per_second"] / one, len(cases[name][0])
        ideal = len(set(cases[name][0]))
        cells = [f"{found['examples_per_second']:.1f}", f"{ratio:.2f}", f"{ratio / ideal:.0%}"]
        moved = found["megabytes"] * (workers_used > 1 and name != apart)
        by_work = found["examples_per_second_of_work"] * (workers_used if name == apart else 1) / work
        sums = f"{1000 * found['seconds_of_sums']:.1f}"
        table.add_row(name, *cells, sums, f"{moved:.1f}", f"{by_work:.2f}")
    Console().print(table)


if __name__ == "__main__":
    tyro.cli(main)
