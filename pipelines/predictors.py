"""Trained models: runs, and the predictors that answer, found by a task's name, in a run's folder, or in an export."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pipelines import hints
from pipelines.arguments import checked
from pipelines.configuration import ConfigurationError, did_you_mean
from pipelines.runs import Run, RunError, runs_folder
from pipelines.tasks import Task, all_tasks, names_of_tasks, tasks_named

if TYPE_CHECKING:
    from pipelines.served import Served

RUN_IN_EXPORT = "assets.extra/run"
RENAMED = {"future": "next_frames", "classification": "clip_classes"}
"""Tasks as runs of 0.1.0 name them, where the name has changed."""


class Found(NamedTuple):
    """A trained model.

    Attributes:
        task: what it was trained for.
        run: the run; of an export the one that it carries.
        export: the folder of the SavedModel; None for a run.
    """

    task: Task
    run: Run
    export: Path | None

    @property
    def folder(self) -> Path:
        """The folder of the run or of the export."""
        return self.export or self.run.folder

    def predictor(self) -> Any:
        """Returns the predictor, ready to answer."""
        if self.export is None:
            return self.task.part("predictor").load(self.run)
        from pipelines.served import Served  # and TensorFlow, which messages about folders need not wait for

        return predictor(self.run, Served.exported(self.export))


class BasePredictor:
    """What the predictors of all tasks have in common: they print as the task and where the model is.

    Args:
        run: what the network was trained for.
        model: its signatures.
    """

    def __init__(self, run: Run, model: "Served") -> None:
        self.run, self._served = run, model

    def __repr__(self) -> str:
        task = type(self).__module__.split(".")[-2].replace("_", "-")
        return f"<predictor of {task}: {self._served.place or f'run {self.run.folder}'}>"


class BaseStream:
    """What the streams of all tasks have in common: they finish once."""

    _finished = False

    def _refuse_finished(self) -> None:
        """Refuses what comes after `finish`.

        Raises:
            ConfigurationError: the stream has finished.
        """
        if self._finished:
            raise ConfigurationError(
                "The stream has finished. Expected one that is open. Open another one: predictor.stream(). "
                "Received: a call after finish()"
            )


def predictor(run: Run, model: "Served") -> Any:
    """Returns the predictor of a run that asks the signatures of a model, wherever they are."""
    return task_of(run).part("predictor").Predictor(run, model)


@checked
def load(source: str | Path) -> Any:
    """Returns the predictor of a trained model, ready to answer.

    Args:
        source: the name of a task, for its latest run; the folder of a run; or that of an export, where
            `exports/NAME` is its newest version.

    Raises:
        ConfigurationError: the name is neither a task nor a folder.
        RunError: there is no trained model.
    """
    return find(source).predictor()


def find(source: str | Path, task: str | None = None) -> Found:
    """Returns a trained model; `source` and errors as of `load`.

    Args:
        source: where it is.
        task: the task that it must be of. Default: any.
    """
    run, export = (latest_run(str(source)), None) if _is_name(source) else opened(source)
    found = Found(task_of(run), run, export)
    if task is not None and found.task not in tasks_named(task):
        raise RunError(
            f"The model is of another task. Expected one of the task {task}. Pass the folder of such a run or export. "
            f"Received: {str(source)!r}, of the task {found.task.name}"
        )
    return found


def opened(source: str | Path) -> tuple[Run, Path | None]:
    """Returns the run in a folder; of an export the run that it carries, and the folder of its SavedModel.

    Raises:
        RunError: the folder is neither.
    """
    folder = Path(source).expanduser()
    if versions := _versions(folder):
        folder = max(versions, key=lambda path: int(path.name))
    if not (folder / "saved_model.pb").exists():
        if exports := sorted(path for path in _folders(folder) if _versions(path)):
            raise RunError(
                f"The folder is not an export, but holds {hints.counted(len(exports), 'export')}. Expected one. "
                f"Pass its path: {', '.join(map(str, exports))}. Received: {str(source)!r}"
            )
        return Run.open(folder), None
    if not (folder / RUN_IN_EXPORT).is_dir():
        raise RunError(
            f"The export does not describe its model. Expected {RUN_IN_EXPORT} in it, which exports have since 0.2. "
            "Export the run again, or call the signatures: tf.saved_model.load(folder).signatures. "
            f"Received: {str(source)!r}"
        )
    return Run.open(folder / RUN_IN_EXPORT), folder


def _folders(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []


def _versions(folder: Path) -> list[Path]:
    """Returns the versions of an export; none: the folder is no export."""
    return [path for path in _folders(folder) if path.name.isdecimal() and (path / "saved_model.pb").exists()]


def _is_name(source: str | Path) -> bool:
    """Whether a source is the name of a task; otherwise it is a folder.

    Raises:
        ConfigurationError: it is neither.
    """
    names = names_of_tasks()
    if not isinstance(source, str) or "/" in source:
        return False
    if source.replace("_", "-") in names:
        return True
    if not source or not Path(source).exists():
        raise ConfigurationError(
            f"There is neither a task nor a folder {source!r}. Expected a task ({', '.join(names)}), or the folder of "
            f"a run or an export.{did_you_mean(source, names)} Received: {source!r}"
        )
    return False


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
