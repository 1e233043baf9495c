"""Starts a training with several workers: their processes on this machine, and the run that all of them train."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines.cluster import START_VARIABLE, VARIABLE, StrategyName, configuration_of, free_ports
from pipelines.run_files import RunError, cannot_write
from pipelines.runs import Run, runs_folder
from pipelines.tasks import Task, tasks_named
from pipelines.versions import cores

SECONDS_TO_END = 10
LINES_SHOWN = 15


def launch(arguments: Sequence[str], count: int, program: Sequence[str] = (sys.executable, "-m", "pipelines")) -> None:
    """Runs a command in so many processes that train together, and waits for them.

    The first one, the chief, writes to this process's output, the others into `runs/workers/<time>/worker_1.log` and so
    on. The cores are divided among them, unless the environment sets TF_NUM_INTRAOP_THREADS.

    Args:
        arguments: of `unrolled`, such as `["train", "speech"]`.
        count: how many.
        program: what is started.

    Raises:
        RunError: a process failed, of which the last lines are shown; the others were ended.
    """
    logs = runs_folder() / "workers" / f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}-{os.getpid()}"
    try:
        logs.mkdir(parents=True)
    except OSError as error:
        raise cannot_write(logs, error) from error
    addresses = [f"localhost:{port}" for port in free_ports(count)]
    print(f"Starting {count} workers on this machine; what the others print is in {logs}", flush=True)
    with ExitStack() as stack:
        workers: list[subprocess.Popen] = []
        stack.callback(_end, workers)
        for rank in range(count):
            output = None if rank == 0 else stack.enter_context((logs / f"worker_{rank}.log").open("wb"))
            environment = _environment(count) | {VARIABLE: configuration_of(addresses, rank)}
            command = [*program, *arguments]
            workers.append(
                subprocess.Popen(command, env=environment, stdout=output, stderr=output and subprocess.STDOUT)
            )
        while None in (statuses := [worker.poll() for worker in workers]) and not any(statuses):
            time.sleep(0.1)
        failed = [rank for rank, worker in enumerate(workers) if worker.poll()]
    if failed:
        raise _failure(failed[-1], workers[failed[-1]].returncode, logs)


def strategy_of(configuration: Any) -> StrategyName:
    """Returns the strategy of a task's configuration; none where it trains in a way of its own."""
    name: StrategyName = getattr(getattr(configuration, "training", None), "strategy", "none")
    return name


def start_together(
    strategy: StrategyName | None, own: Any, start: Callable[[], tuple[Task, Run, Any]]
) -> tuple[Task, Run, Any]:
    """Joins the other workers, and returns the task, the run and the configuration with which the chief started.

    Args:
        strategy: of the training. None: that of the run, as far as this process can do it alone.
        own: this worker's configuration, which all must share. None: that of the chief's run counts.
        start: returns the chief's.
    """
    from pipelines import workers as of_training  # and TensorFlow, which --help does without

    present = of_training.join(strategy or "none")
    settings = of_training.settings(own) if own else {}
    present.agree(code=of_training.code(), command=sorted(settings))  # so that all have the settings that are compared
    present.agree(**settings)
    if present.is_chief:
        task, run, configuration = start()
        if strategy is None and strategy_of(configuration) == "mirrored":
            of_training.join("mirrored")
        present.shared([task.name, run.preset, configuration.to_json()])
        return task, run, configuration
    name, preset, text = present.shared(None)
    task = tasks_named(name)[0]
    configuration = type(next(iter(task.presets.values()))).from_json(text).replace(initialise=None)  # the chief does
    run = Run.create(task.pipeline, preset, configuration, of_training.folder_of_runs(present))
    return task, run, configuration


def _environment(count: int) -> dict[str, str]:
    threads = str(cores(count))
    home = str(Path(__file__).parents[1])
    path = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
    # A worker that ends is seen here, so that the others may wait longer for one that starts slowly on a busy machine.
    defaults = {"TF_NUM_INTRAOP_THREADS": threads, "OMP_NUM_THREADS": threads, START_VARIABLE: "600"}
    return {**defaults, **os.environ, "PYTHONPATH": path}


def _end(workers: Sequence[subprocess.Popen]) -> None:
    running = [worker for worker in workers if worker.poll() is None]
    for worker in running:
        worker.terminate()
    end = time.monotonic() + SECONDS_TO_END
    for worker in running:
        try:
            worker.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()


def _failure(rank: int, status: int, logs: Path) -> RunError:
    log = logs / f"worker_{rank}.log"
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LINES_SHOWN:] if rank else []
    printed = "".join(f"\n  {line}" for line in lines) if lines else " (see above)" if not rank else " nothing"
    return RunError(
        f"Worker {rank}{' (the chief)' * (rank == 0)} failed, and the others were ended. Expected all to reach "
        "the end. Remove the cause, then type the command again, with --resume if a training had begun. "
        f"Received: exit status {status}; it printed:{printed}"
    )
