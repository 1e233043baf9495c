"""A million steps of each stream: do time and memory stay flat? `python -m benchmarks.streams exports`.

The steps of an export run in one loop of TensorFlow, so that Python adds nothing to them. Each step has the inputs of
the export's own warm-up request, but audio is noise, which never pauses, and a series' rows are an hour apart.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import psutil
import tensorflow as tf
import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table

from serving.exports import warmups

HOUR = 3600  # seconds
LOUDNESS = 0.1  # of the noise, whose samples are within −1 … 1


@dataclass(frozen=True)
class Options:
    """Measures time and memory of long streams, for each export that streams."""

    folder: Annotated[Path, tyro.conf.Positional]
    """Folder of all exports: FOLDER/NAME/VERSION."""
    steps: int = 1_000_000
    """Number of steps of each stream."""
    parts: int = 20
    """Number of parts of the steps; time and memory are measured after each."""


class Measured(NamedTuple):
    """Where a stream is after a part of its steps: seconds a step, the state's numbers, the process's MiB."""

    seconds: float
    numbers: int
    mebibytes: float


def follow(folder: Path, steps: int, parts: int) -> Iterator[Measured]:
    """Yields what a stream takes, part by part; nothing where the export has no stream.

    Args:
        folder: of an export.
        steps: of all parts.
        parts: at most as many as steps.
    """
    warm = {name: {key: tf.constant(value) for key, value in inputs.items()} for name, inputs in warmups(folder)}
    if "step" not in warm:
        return
    loaded = tf.saved_model.load(str(folder))  # owns the variables of its signatures
    begin, next_step = loaded.signatures["initial_state"], loaded.signatures["step"]
    state = begin(**warm["initial_state"])
    fixed = {name: value for name, value in warm["step"].items() if name not in state}
    kinds = {name: next_step.structured_input_signature[1][name] for name in state}
    invariants = {name: kind.shape for name, kind in kinds.items()}
    place = tf.TensorSpec((), tf.int32)

    # With a signature, since a state of another size would be traced anew, which takes memory.
    @tf.function(input_signature=[place, place, kinds], autograph=False)
    def run(first: tf.Tensor, last: tf.Tensor, state: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        def step(number: tf.Tensor, state: dict[str, tf.Tensor]) -> Any:
            given = dict(fixed)
            if "time" in given:
                given["time"] += HOUR * tf.cast(number, given["time"].dtype)
            if "audio" in given:
                given["audio"] += tf.random.stateless_normal(given["audio"].shape, (number, 0), stddev=LOUDNESS)
            answer = next_step(**given, **state)
            return number + 1, {name: tf.ensure_shape(answer[name], invariants[name]) for name in state}

        return tf.while_loop(lambda number, _: number < last, step, (first, state), (first.shape, invariants))[1]

    process = psutil.Process()
    state = run(tf.constant(0), tf.constant(1), state)  # traces
    for first, last in pairwise(1 + steps * part // parts for part in range(parts + 1)):
        started = time.perf_counter()
        state = run(tf.constant(first), tf.constant(last), state)
        seconds = (time.perf_counter() - started) / (last - first)
        numbers = sum(int(tf.size(tensor)) for tensor in state.values() if tensor.dtype != tf.string)
        texts = [text for tensor in state.values() if tensor.dtype == tf.string for text in tensor.numpy().ravel()]
        yield Measured(seconds, numbers + sum(map(len, texts)), process.memory_info().rss / 2**20)


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    table = Table(
        "stream", "steps", "µs a step: first part, last", "most numbers of the state", "MiB: first part, last"
    )
    for folder in sorted(options.folder.glob("*/*")):
        parts = follow(folder, options.steps, options.parts)
        if found := list(track(parts, folder.parent.name, options.parts, transient=True)):
            first, last = found[0], found[-1]
            table.add_row(
                folder.parent.name,
                f"{options.steps:,}",
                f"{1e6 * first.seconds:.0f}, {1e6 * last.seconds:.0f}",
                str(max(each.numbers for each in found)),
                f"{first.mebibytes:.0f}, {last.mebibytes:.0f}",
            )
    Console().print(table)


if __name__ == "__main__":
    main()
