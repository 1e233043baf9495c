"""Runs by the tasks that they were trained for: the latest one, one in a folder, one to start from."""

from pathlib import Path

from pipelines import hints
from pipelines.runs import Run, RunError, runs_folder
from pipelines.tasks import Task, all_tasks, tasks_named

RENAMED = {"future": "next_frames", "classification": "clip_classes"}
"""Tasks as runs of 0.1.0 name them, where the name has changed."""


def task_of(run: Run) -> Task:
    """Returns the task that a run was trained for.

    Raises:
        RunError: this version has no such task.
    """
    values = run.read_json("configuration.json")
    name = str(values.get("task", run.pipeline))
    name = RENAMED.get(name, name).replace("_", "-")
    for task in all_tasks():
        if task.name == name and task.pipeline == run.pipeline:
            return task
    raise RunError(
        f"This version has no task {name!r} in the pipeline {run.pipeline!r}. Expected one of: "
        f"{', '.join(task.name for task in all_tasks())}. Use the version in the run's versions.json. "
        f"Received: {str(run.folder)!r}"
    )


def latest_run(name: str) -> Run:
    """Returns the run of a task, or of a pipeline, that finished last.

    Raises:
        RunError: no such run has finished.
    """
    tasks = tasks_named(name)
    pipeline = tasks[0].pipeline
    if len(tasks) > 1 or tasks[0].name == pipeline:
        return Run.latest(pipeline)
    if runs := [run for run in Run.all_finished(pipeline) if task_of(run) == tasks[0]]:
        return runs[-1]
    raise RunError(
        f"There is no finished run of the task {tasks[0].name} yet. Expected one in {runs_folder() / pipeline}. "
        f"Train one: {hints.command('train', name)}. Received: no run"
    )


def open_run(name: str, folder: Path | None) -> Run:
    """Returns the run in a folder, which must be of the named task or pipeline; None: the one that finished last.

    Raises:
        RunError: there is none, or the folder's is of another task.
    """
    if folder is None:
        return latest_run(name)
    run = Run.open(folder)
    tasks = tasks_named(name)
    if (found := task_of(run)) not in tasks:
        raise RunError(
            f"The run is of another task. Expected one of {' or '.join(task.name for task in tasks)}. Pass the "
            f"folder of such a run. Received: {str(folder)!r}, of the task {found.name}"
        )
    return run


def initial_run(folder: Path | str, pipeline: str) -> Run:
    """Returns the run in a folder, from whose weights a training of a pipeline starts.

    Raises:
        RunError: there is none, or it belongs to another pipeline.
    """
    run = Run.open(folder)
    if run.pipeline != pipeline:
        raise RunError(
            f"The run to start from belongs to another pipeline. Expected one of {pipeline}, such as the latest, "
            f"runs/{pipeline}/latest. Received: {str(run.folder)!r}, which belongs to {run.pipeline}"
        )
    return run
