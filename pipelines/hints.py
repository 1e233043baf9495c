"""What messages tell a user to type, as this user types commands, by make or the command line; how they count."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from pipelines.configuration import ConfigurationError
from pipelines.tasks import Task, tasks_named

MAXIMUM_LISTED = 10  # lines below a message, which counts them all


def under_make() -> bool:
    """Whether a `make` target started this process."""
    return "MAKELEVEL" in os.environ


def program() -> str:
    """Returns how the user calls the command line: `unrolled`, or `python -m pipelines`."""
    is_module = Path(sys.argv[0]).parts[-2:] == ("pipelines", "__main__.py")
    return "python -m pipelines" if is_module else "unrolled"


def command(verb: str, name: str, preset: str = "", resume: bool = False) -> str:
    """Returns a command on a run, by its task.

    Args:
        verb: `train`, `evaluate`, `export` or `results`, which has no target in make.
        name: of a task, such as `sentiment`, or of a pipeline, such as `nlp`.
        preset: to train. Default: that of the task.
        resume: continue a training that was stopped.

    Example:
        >>> under_make = os.environ.pop("MAKELEVEL", None)
        >>> command("train", "speech", "small", resume=True)
        'unrolled train speech small --resume'
        >>> command("train", "nlp", "own-translation")
        'unrolled train translation own-translation'
    """
    task = _task(name, preset)
    if not under_make() or verb == "results":
        words = [program(), verb, task.name if task else name, preset, "--resume" if resume else ""]
        return " ".join(filter(None, words))
    if task and verb == "train" and not preset and name == task.name != task.pipeline:
        preset = next(iter(task.presets))
    target = f"make {'eval' if verb == 'evaluate' else verb}-{task.pipeline if task else name}"
    return " ".join(filter(None, [target, f"PRESET={preset}" if preset else "", "RESUME=1" if resume else ""]))


def option(text: str) -> str:
    """Returns how options are given, such as `--seed 3`."""
    return f"ARGS='{text}'" if under_make() else text


def resume() -> str:
    """Returns the option that continues a training that was stopped."""
    return "RESUME=1" if under_make() else "--resume"


def run() -> str:
    """Returns the option that names a run."""
    return "RUN=folder" if under_make() else "--run FOLDER"


def serve(folder: Path | None = None) -> str:
    """Returns the command that serves the exports of a folder; None: the default one."""
    options = f"--folder {folder}" if folder else ""
    return " ".join(filter(None, ["make serve" if under_make() else f"{program()} serve", options and option(options)]))


def answer(verb: str, variable: str, example: str) -> str:
    """Returns the command that asks a model, such as `transcribe`.

    Args:
        verb: the command.
        variable: of make, such as AUDIO.
        example: what to give, such as `recording.wav`.
    """
    return f"make {verb} {variable}={example}" if under_make() else f"{program()} {verb} {example}"


def _task(name: str, preset: str) -> Task | None:
    """Returns the task of a name, or that of a pipeline to which a preset belongs; None: there is none."""
    try:
        tasks = tasks_named(name)
    except ConfigurationError:
        return None
    if len(tasks) == 1 or not preset:
        return tasks[0]
    return next((task for task in tasks if preset in task.presets), None)


def counted(number: int, thing: str) -> str:
    """Returns a number and what is counted.

    >>> counted(1, "video"), counted(2, "video")
    ('1 video', '2 videos')
    """
    return f"{number} {thing}{'s' * (number != 1)}"


def listed_problems(problems: Sequence[tuple[str, str]]) -> str:
    """Returns the first keys and what is wrong with each, a line each below a message, and how many there are.

    >>> print("Left out:" + listed_problems([("a.mp4", "is empty")] * 11))
    ... # doctest: +ELLIPSIS
    Left out:
      a.mp4: is empty
    ...
      a.mp4: is empty … (11 in all)
    """
    lines = [f"{key}: {reason}" for key, reason in problems]
    return "\n  " + listed(lines, "\n  ", MAXIMUM_LISTED) if lines else ""


def listed(names: Sequence[str], separator: str = ", ", most: int = 5) -> str:
    """Returns the first of some names, and how many there are if not all are listed.

    >>> listed(["a", "b"]), listed(list("abcdefgh"))
    ('a, b', 'a, b, c, d, e … (8 in all)')
    """
    return separator.join(names[:most]) + (f" … ({len(names)} in all)" if len(names) > most else "")
