"""Both ends of a worker: a process in which one side lives, and that does its work when it is its turn.

The parent writes one JSON object a line to the worker's standard input and reads one a line from its standard output.
"""

import gc
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from benchmarks.sides import Call, open_side
from benchmarks.workload import Case, Workload

REPOSITORY = Path(__file__).parent.parent
MEMORY_STEPS = 5


class WorkerError(RuntimeError):
    """A worker could not do what it was asked to."""


class Worker:
    """The parent's end.

    Args:
        name: the side that the worker holds.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed with the worker)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            cwd=REPOSITORY,
        )
        try:
            self.about: dict[str, str] = self._answer()
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._log.close()

    def prepare(self, workload: Workload) -> dict[str, float]:
        """Builds every variant of the work and forgets the work before it.

        Returns:
            Seconds that building and the first call took, compiling included, by variant; the one that users get first.
        """
        return self._ask("prepare", workload)

    def measure(self, variant: str, seconds: float) -> tuple[list[float], float]:
        """Repeats a variant of the prepared work for some seconds, once at least.

        Returns:
            Seconds of each call, and the processor seconds of all together.
        """
        return self._ask("measure", variant, seconds)

    def memory(self, workload: Workload, variant: str) -> float:
        """Returns the mebibytes that building and some calls add to the largest size that the process ever had.

        It says something in a fresh worker only.
        """
        return self._ask("memory", workload, variant)

    def _ask(self, method: str, *arguments: Any) -> Any:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended: the missing answer says so
            print(json.dumps([method, *arguments]), file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._log.seek(0)
            last_words = self._log.read()[-2000:]
            raise WorkerError(f"The process of {self.name} ended early (code {self._process.wait()}): {last_words}")
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerError(f"{self.name} failed: {answer['error']}")
        return answer["result"]


class _Work:
    """The worker's end."""

    def __init__(self, name: str) -> None:
        self._side = open_side(name)
        self._calls: dict[str, Call] = {}

    def about(self) -> dict[str, str]:
        return self._side.about()

    def prepare(self, workload: list[Any]) -> dict[str, float]:
        self._calls.clear()
        gc.collect()
        seconds = {}
        for variant, build in self._side.variants(_workload(workload)).items():
            started = time.perf_counter()
            self._calls[variant] = build()
            self._calls[variant]()
            seconds[variant] = time.perf_counter() - started
        gc.collect()
        for call in self._calls.values():
            call()  # TensorFlow prepares a graph anew when another one has come or gone
        return seconds

    def measure(self, variant: str, seconds: float) -> tuple[list[float], float]:
        call, times, clock = self._calls[variant], [], time.perf_counter
        gc.disable()
        worked = time.process_time()
        now = clock()
        end = now + seconds
        while now < end:
            call()
            started, now = now, clock()
            times.append(now - started)
        gc.enable()
        return times, time.process_time() - worked

    def memory(self, workload: list[Any], variant: str) -> float:
        build = self._side.variants(_workload(workload))[variant]
        before = largest_size()
        call = build()
        for _ in range(MEMORY_STEPS):
            call()
        return largest_size() - before


def _workload(fields: list[Any]) -> Workload:
    layer, precision, kind, case = fields
    return Workload(layer, precision, kind, Case(*case))


def largest_size() -> float:
    """Returns the most memory that this process has held, in mebibytes.

    `ru_maxrss`, in bytes on a Mac and kibibytes elsewhere, may hold the size of the parent.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)


def _serve(name: str, answers: TextIO) -> None:
    def attempt(method: str, *arguments: Any) -> None:
        try:
            answer = {"result": getattr(work, method)(*arguments)}
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {str(error)[-2000:]}"}
        print(json.dumps(answer), file=answers, flush=True)

    work = _Work(name)
    attempt("about")
    for line in sys.stdin:
        attempt(*json.loads(line))


if __name__ == "__main__":
    pipe = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a framework prints must not mix with the answers
    _serve(sys.argv[1], pipe)
