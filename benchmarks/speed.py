"""Speed and memory of SimpleRNN, LSTM and GRU beside their peers, in one run: `python -m benchmarks.speed`.

Compared are the layers of `models`, those of `keras.layers` as users get them and compiled by XLA, those of
`torch.nn`, and the matrix products of such a layer alone, which are the limit. Each side lives in a process of its own,
and they take turns. What each of them does is said by `benchmarks.workload.Workload`.
"""

import json
import os
import platform
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeVar, get_args

import tyro
from rich.console import Console
from rich.progress import track

from benchmarks.report import WIDTH, Measurements, to_json, write_tables
from benchmarks.sides import available
from benchmarks.timing import Failure, Memory, Timing, take_memory, take_times
from benchmarks.worker import Worker
from benchmarks.workload import FORWARD, GRID, KINDS, LONG_GRID, MIN_GRU, PRESET_GRID, TRAINING, Case, Workload

LayerName = Literal["SimpleRNN", "LSTM", "GRU"]
Precision = Literal["float32", "bfloat16"]
Kind = Literal["training step", "forward pass", "streaming step", "predict, 8 batches", "exported model", "ONNX file"]
SMALL_CASES = 2
LARGE_CASES = 2
SECONDS_BETWEEN_LINES = 30
Item = TypeVar("Item")


@dataclass(frozen=True)
class Options:
    """Compares the speed of recurrent layers with other libraries."""

    cases: tuple[str, ...] = tuple(map(str, GRID))
    """Sizes, each batch,time,inputs,units."""
    presets: bool = False
    """Time the sizes of the pipelines' presets instead of the cases."""
    kinds: tuple[Kind, ...] = get_args(Kind)
    """What to time."""
    layers: tuple[LayerName, ...] = ("SimpleRNN", "LSTM", "GRU")
    """Layers to time."""
    long: bool = True
    """Also time MinGRU at 256, 1024 and 4096 steps, compared with the GRU of the other libraries."""
    precision: tuple[Precision, ...] = ("float32", "bfloat16")
    """Precisions to time."""
    rounds: Annotated[int, tyro.conf.arg(metavar="N")] = 3
    """Number of turns of each variant of each library; at least 1."""
    milliseconds: float = 60.0
    """Duration of a turn; a call that has begun is always finished."""
    memory: bool = True
    """Measure peak memory too, in float32, for the two largest sizes."""
    quick: bool = False
    """Test run of a minute: the two smallest sizes, float32, one short round, the memory of one size."""
    output: Path = Path("runs/benchmarks/speed.json")
    """File for the measurements; the tables go into a file of the same name with the suffix .txt."""


def run(options: Options) -> Measurements:
    """Takes all measurements that are asked for.

    Raises:
        ValueError: if a case cannot be read or there are no rounds.
    """
    cases = list(PRESET_GRID) if options.presets else [Case.parse(text) for text in options.cases]
    if options.rounds < 1 or not cases:
        raise ValueError(f"At least one case and one round are needed. Received: {len(cases)}, {options.rounds}")
    by_size = sorted(cases, key=lambda case: case.batch * case.time * (case.inputs + case.units))
    precisions, rounds, seconds, largest = options.precision, options.rounds, options.milliseconds / 1e3, LARGE_CASES
    if options.quick:
        cases, precisions, rounds, seconds, largest = by_size[:SMALL_CASES], ("float32",), 1, 0.02, 1
        by_size = cases
    work = [
        Workload(layer, precision, kind, case)
        for kind in options.kinds
        for precision in (precisions if kind in KINDS else ("float32",))
        for layer in options.layers
        for case in cases
    ]
    if options.long:
        work += [
            Workload(MIN_GRU, precision, kind, case)
            for kind in (TRAINING, FORWARD)
            if kind in options.kinds
            for precision in precisions
            for case in LONG_GRID[: 1 if options.quick else None]
        ]
    started = time.time()
    timings: list[Timing] = []
    failures: list[Failure] = []
    with ExitStack() as stack:
        workers = {name: stack.enter_context(Worker(name)) for name in available()}
        for one in _shown(work, "Timing", len(work)):
            new_timings, new_failures = take_times(workers, one, rounds, seconds)
            timings, failures = timings + new_timings, failures + new_failures
        about = {name: worker.about for name, worker in workers.items()}
    memory: list[Memory] = []
    if options.memory:
        large = by_size[-largest:]
        memory, new_failures = _take_memory([one for one in timings if _measures_memory(one, large)])
        failures += new_failures
    settings = {"rounds": rounds, "milliseconds": 1e3 * seconds, "minutes": (time.time() - started) / 60}
    return Measurements(machine(), about, settings, timings, memory, failures)


def machine() -> dict[str, object]:
    """Describes the machine: processor, cores that may be used, memory, system, Python."""
    processor = platform.processor()
    if (information := Path("/proc/cpuinfo")).exists():
        lines = information.read_text().splitlines()
        processor = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), processor)
    return {
        "processor": processor,
        "cores": len(os.sched_getaffinity(0)),
        "gibibytes": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def _measures_memory(timing: Timing, cases: list[Case]) -> bool:
    work = timing.work
    return timing.side != "products" and work[1:3] == ("float32", TRAINING) and work.case in cases


def _shown(items: Iterable[Item], what: str, total: int) -> Iterator[Item]:
    """The items; a bar on a terminal, and elsewhere a line now and then, tell how far it is."""
    console = Console(stderr=True)
    if console.is_terminal:
        yield from track(items, what, total, console=console)
        return
    started = shown = time.monotonic()
    for done, item in enumerate(items):
        now = time.monotonic()
        if done and now - shown > SECONDS_BETWEEN_LINES:
            left = (now - started) / done * (total - done) / 60
            console.print(f"{what}: {done} of {total}, about {left:.0f} minutes left", highlight=False)
            shown = now
        yield item


def _take_memory(timings: list[Timing]) -> tuple[list[Memory], list[Failure]]:
    """One process for each, as many at a time as there are cores."""
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        results = pool.map(take_memory, timings)
        found = list(_shown(results, "Memory", len(timings)))
    return [one for one in found if isinstance(one, Memory)], [one for one in found if isinstance(one, Failure)]


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    try:
        measurements = run(options)
    except ValueError as error:
        sys.exit(str(error))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(to_json(measurements), indent=1), encoding="utf-8")
    tables = options.output.with_suffix(".txt")
    with tables.open("w", encoding="utf-8") as file:
        write_tables(Console(file=file, width=WIDTH), measurements)
    print(tables.read_text(encoding="utf-8"))
    print(f"Measured in {measurements.settings['minutes']:.1f} minutes. Written: {options.output}, {tables}")


if __name__ == "__main__":
    main()
