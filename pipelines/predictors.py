"""Predictors: trained models that answer, found by the name of a task, in a run's folder, or in an export."""

from pathlib import Path
from typing import Any

from pipelines.runs import Run, RunError
from pipelines.served import Served
from pipelines.tasks import all_tasks, latest_run, task_of, tasks_named

RUN_IN_EXPORT = "assets.extra/run"


def load(source: str | Path, task: str | None = None) -> Any:
    """Returns the predictor of a trained model, ready to answer.

    Args:
        source: the name of a task, for its latest run; the folder of a run; or that of an export, where
            `exports/NAME` is its newest version.
        task: the task that the model must be of. Default: any.

    Raises:
        ConfigurationError: the name is neither a task nor a folder.
        RunError: there is no trained model, or it is of another task.
    """
    if isinstance(source, str) and _is_name(source):
        run, export = latest_run(source), None
    else:
        run, export = opened(source)
    found = task_of(run)
    if task is not None and found not in tasks_named(task):
        raise RunError(
            f"The model is of another task. Expected one of the task {task}. Name such a run or export. "
            f"Received: {str(source)!r}, of the task {found.name}"
        )
    return found.part("predictor").load(run) if export is None else predictor(run, Served.exported(export))


def predictor(run: Run, model: Served) -> Any:
    """Returns the predictor of a run that asks the signatures of a model, wherever they are."""
    return task_of(run).part("predictor").Predictor(run, model)


def opened(source: str | Path) -> tuple[Run, Path | None]:
    """Returns the run in a folder; of an export the run that it carries, and the folder of its SavedModel.

    Raises:
        RunError: the folder is neither.
    """
    folder = Path(source)
    if folder.is_dir():
        versions = [path for path in folder.iterdir() if path.name.isdecimal() and (path / "saved_model.pb").exists()]
        folder = max(versions, key=lambda path: int(path.name), default=folder)
    if not (folder / "saved_model.pb").exists():
        return Run.open(folder), None
    if not (folder / RUN_IN_EXPORT).is_dir():
        raise RunError(
            f"The export does not describe its model. Expected {RUN_IN_EXPORT} in it, which exports have since 0.2. "
            "Export the run again, or call the signatures: tf.saved_model.load(folder).signatures. "
            f"Received: {str(source)!r}"
        )
    return Run.open(folder / RUN_IN_EXPORT), folder


def _is_name(source: str) -> bool:
    wanted = source.replace("_", "-")
    names = {name for task in all_tasks() for name in (task.name, task.pipeline)}
    return wanted in names or not ("/" in source or Path(source).exists())
