"""Predictors: trained models that answer, found by the name of a task, in a run's folder, or in an export."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pipelines import hints
from pipelines.arguments import checked
from pipelines.configuration import ConfigurationError, did_you_mean
from pipelines.runs import Run, RunError
from pipelines.task_runs import latest_run, task_of
from pipelines.tasks import Task, names_of_tasks, tasks_named

if TYPE_CHECKING:
    from pipelines.served import Served

RUN_IN_EXPORT = "assets.extra/run"


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
