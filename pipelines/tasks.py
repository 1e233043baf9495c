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

from pipelines.configuration import ConfigurationError, did_you_mean

HOME = Path(__file__).parent


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
