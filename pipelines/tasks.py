"""Pipelines of several tasks, such as sentiment and translation: which task a preset or a run belongs to.

A task is a package `pipelines/<pipeline>/<task>` with the files of a pipeline. Its configuration names it, in a field
`task: Literal["translation"] = "translation"`, so that a run's folder says what it holds.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType

from pipelines import commands
from pipelines.runs import Run, RunError, runs_folder


class TaskCommand(commands.TrainingCommand):
    """Base of a task's configuration."""

    task: str


def train(pipeline: str, presets: Mapping[str, TaskCommand], arguments: Sequence[str], description: str) -> None:
    """Trains what a preset asks for: the `train` of its task's package, and its evaluation if that is wanted.

    Args:
        pipeline: name of the pipeline, such as `nlp`.
        presets: of all its tasks, by name.
        arguments: the command line.
        description: what the command does, for its help.
    """
    run, configuration = commands.training_run(pipeline, presets, arguments, description)
    trainer = part_of(pipeline, configuration.task, "train")
    trainer.train(run, configuration)
    print(f"Wrote {run.folder}")
    if configuration.evaluate:
        part_of(pipeline, configuration.task, "evaluate").main(["--run", str(run.folder)])
    else:
        print(f"Next: make eval-{pipeline}, make export-{pipeline}, {trainer.NEXT}")


def call(pipeline: str, command: str, arguments: Sequence[str]) -> None:
    """Calls a command, `evaluate` or `export`, of the task of the run that `--run` names; by default of the latest."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--run", default=None)
    named, others = parser.parse_known_args(list(arguments))
    run = Run.latest(pipeline) if named.run is None else Run.open(named.run)
    try:
        part_of(pipeline, task_of(run), command).main(["--run", str(run.folder), *others])
    except SystemExit as end:
        if end.code and named.run is None:
            task = task_of(run).replace("_", " ")
            print(f"That is of the latest run, {run.folder}, task {task}; RUN=folder names another.", file=sys.stderr)
        raise


def latest_run(pipeline: str, task: str, preset: str) -> Run:
    """Returns the run of a task that finished last.

    Args:
        pipeline: name of the pipeline, such as `nlp`.
        task: name of the task, such as `translation`.
        preset: one that trains such a run, for the message.

    Raises:
        RunError: if there is none.
    """
    if runs := [run for run in Run.all_finished(pipeline) if task_of(run) == task]:
        return runs[-1]
    raise RunError(
        f"There is no finished {pipeline} run of the task {task.replace('_', ' ')} yet. Expected one in "
        f"{runs_folder() / pipeline}. Type: make train-{pipeline} PRESET={preset}. Received: no run"
    )


def open_run(pipeline: str, task: str, preset: str, folder: Path | None) -> Run:
    """Returns the run of a task in a folder; None: the one that finished last.

    Args:
        pipeline, task, preset: as of `latest_run`.
        folder: of the run.

    Raises:
        RunError: there is none, or the folder's is of another task.
    """
    if folder is None:
        return latest_run(pipeline, task, preset)
    run = Run.open(folder)
    if (found := task_of(run)) != task:
        raise RunError(
            f"The run is of another task. Expected one of the task {task.replace('_', ' ')}, as make train-{pipeline} "
            f"PRESET={preset} trains it. Name such a one, or leave out --run. Received: {str(folder)!r}, of the task "
            f"{found.replace('_', ' ')}"
        )
    return run


def task_of(run: Run) -> str:
    """Returns the task of a run."""
    return str(run.read_json("configuration.json")["task"])


def part_of(pipeline: str, task: str, name: str) -> ModuleType:
    """Returns a module of a task's package."""
    return import_module(f"pipelines.{pipeline}.{task}.{name}")
