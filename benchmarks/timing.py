"""Takes the measurements: all sides of one piece of work in turn, round after round."""

import time
from collections.abc import Mapping
from statistics import median
from typing import NamedTuple

from benchmarks.disturbance import busy_seconds, is_disturbed
from benchmarks.worker import Worker, WorkerError
from benchmarks.workload import SMALLEST_CASE, Workload

ATTEMPTS, PAUSE_SECONDS = 2, 0.25
LONG_CALL_SECONDS = 1.0


class Timing(NamedTuple):
    """How long one variant of one side takes for a piece of work.

    `disturbed`: other programs used the processor in all of its turns, so that the times say little.
    """

    work: Workload
    side: str
    variant: str
    as_users_get_it: bool
    first_call_seconds: float
    median_milliseconds: float
    least_milliseconds: float
    calls: int
    disturbed: bool


class Memory(NamedTuple):
    """The mebibytes that a variant of a side adds to its process's largest size, in some training steps.

    `fixed_mebibytes` of them are taken for the smallest work as well: by the framework and its compiler, once.
    """

    work: Workload
    side: str
    variant: str
    as_users_get_it: bool
    mebibytes: float
    fixed_mebibytes: float


class Failure(NamedTuple):
    """Work that a side could not do."""

    work: Workload
    side: str
    reason: str


def take_times(
    workers: Mapping[str, Worker], work: Workload, rounds: int, seconds: float
) -> tuple[list[Timing], list[Failure]]:
    """Times every variant of every side.

    A machine's speed drifts; so every variant has a short turn in every round, and every second round goes backwards.
    A turn that other programs disturbed is taken again, once, and counts only where no turn of the variant was calm.
    A variant whose calls take longer than a second has a single calm turn.

    Args:
        workers: one for each side.
        work: what all of them do.
        rounds: how often each variant has its turn.
        seconds: how long a turn is; a call that has begun is always finished.

    Returns:
        Timings, and what failed.
    """
    first_calls: dict[tuple[str, str], float] = {}
    times: dict[tuple[str, str], list[float]] = {}
    disturbed: dict[tuple[str, str], list[float]] = {}
    users_get: set[tuple[str, str]] = set()
    failures = []
    for side, worker in workers.items():
        try:
            prepared = worker.prepare(work)
        except WorkerError as error:
            failures.append(Failure(work, side, str(error)))
            continue
        users_get |= {(side, variant) for variant in list(prepared)[:1]}
        first_calls |= {(side, variant): taken for variant, taken in prepared.items()}
    for number in range(rounds):
        for side, variant in list(first_calls)[:: 1 if number % 2 == 0 else -1]:
            if max(times.get((side, variant), [0.0])) > LONG_CALL_SECONDS:
                continue
            taken, calm = _turn(workers[side], variant, seconds)
            (times if calm else disturbed).setdefault((side, variant), []).extend(taken)
    timings = [
        Timing(
            work,
            *key,
            as_users_get_it=key in users_get,
            first_call_seconds=first_calls[key],
            median_milliseconds=1e3 * median(calls),
            least_milliseconds=1e3 * min(calls),
            calls=len(calls),
            disturbed=key not in times,
        )
        for key in first_calls
        for calls in [times.get(key) or disturbed[key]]
    ]
    return timings, failures


def _turn(worker: Worker, variant: str, seconds: float) -> tuple[list[float], bool]:
    """Returns the seconds of each call, and whether the worker had the machine for itself."""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE_SECONDS)
        before, started = busy_seconds(), time.perf_counter()
        times, own = worker.measure(variant, seconds)
        if not is_disturbed(before, busy_seconds(), own, time.perf_counter() - started):
            return times, True
    return times, False


def take_memory(timing: Timing) -> Memory | Failure:
    """Measures the memory of a variant that was timed, and that of the smallest work, in a new process each."""
    sizes = []
    for case in (timing.work.case, SMALLEST_CASE):
        try:
            with Worker(timing.side) as worker:
                sizes.append(worker.memory(timing.work._replace(case=case), timing.variant))
        except WorkerError as error:
            return Failure(timing.work, timing.side, str(error))
    return Memory(timing.work, timing.side, timing.variant, timing.as_users_get_it, *sizes)
