"""The tasks: each is a package below `pipelines` with a `predictor.py`, and is found by its name.

`pipelines/speech` is the task `speech`; `pipelines/nlp/language_model` is the task `language-model` of the pipeline
`nlp`. `docs/own_pipeline.md` lists the files of a task, and `tests/test_contract.py` asserts them.
"""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from pipelines import hints
from pipelines.configuration import ConfigurationError, did_you_mean
from pipelines.runs import Run, RunError, runs_folder

HOME = Path(__file__).parent
RENAMED = {"future": "next_frames", "classification": "clip_classes"}
"""Tasks as runs of 0.1.0 name them, where the name has changed."""


class Task(NamedTuple):
    """A task.

    Attributes:
        name: as users type it, such as `language-model`.
        pipeline: the pipeline that it belongs to, such as `nlp`; its own name where that has no other task.
        package: of Python, such as `pipelines.nlp.language_model`.
    """

    name: str
    pipeline: str
    package: str

    def part(self, name: str) -> ModuleType:
        """Returns a module of the task, such as `train`."""
        return import_module(f"{self.package}.{name}")

    @property
    def presets(self) -> Mapping[str, Any]:
        """The task's configurations by name, the default first."""
        return self.part("config").PRESETS

    def has(self, name: str) -> bool:
        """Whether the task has a module of that name."""
        return (HOME.joinpath(*self.package.split(".")[1:]) / f"{name}.py").exists()


@cache
def all_tasks() -> tuple[Task, ...]:
    """Returns every task, in alphabetical order.

    Example:
        >>> "speech" in [task.name for task in all_tasks()]
        True
    """
    folders = sorted(path.parent for path in [*HOME.glob("*/predictor.py"), *HOME.glob("*/*/predictor.py")])
    parts = [folder.relative_to(HOME).parts for folder in folders]
    found = [Task(each[-1].replace("_", "-"), each[0], ".".join(("pipelines", *each))) for each in parts]
    return tuple(sorted(found))


def tasks_named(name: str) -> tuple[Task, ...]:
    """Returns the task of a name, or the tasks of the pipeline of that name; its default task comes first.

    Raises:
        ConfigurationError: there is neither.

    Example:
        >>> [task.package for task in tasks_named("speech")]
        ['pipelines.speech']
    """
    wanted = name.replace("_", "-")
    if found := [task for task in all_tasks() if task.name == wanted]:
        return tuple(found)
    if found := [task for task in all_tasks() if task.pipeline == wanted]:
        default = getattr(import_module(f"pipelines.{wanted}"), "DEFAULT", found[0].name)
        return tuple(sorted(found, key=lambda task: task.name != default))
    names = names_of_tasks()
    raise ConfigurationError(
        f"There is no task {name!r}. Expected one of: {', '.join(names)}.{did_you_mean(wanted, names)} "
        f"Received: {name!r}"
    )


def names_of_tasks() -> list[str]:
    """Returns the names by which users call tasks: their own, and those of the pipelines."""
    return list(dict.fromkeys([*(task.name for task in all_tasks()), *(task.pipeline for task in all_tasks())]))


def presets_named(name: str) -> dict[str, Any]:
    """Returns the presets of a task, or of all tasks of a pipeline, the default first."""
    return {preset: configuration for task in tasks_named(name) for preset, configuration in task.presets.items()}


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
