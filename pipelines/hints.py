"""What messages tell a user to type: the `make` target under make, the command line elsewhere."""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.tasks import Task


def command(verb: str, name: str, preset: str = "", **variables: str) -> str:
    """Returns a command as this user types commands.

    Args:
        verb: `train`, `evaluate` or `export`.
        name: of a pipeline, such as `nlp`, or of a task, such as `sentiment`.
        preset: to train.
        variables: of make, such as RUN or RESUME; options of the command line.

    Example:
        >>> under_make = os.environ.pop("MAKELEVEL", None)
        >>> command("train", "speech", "small", resume="1")
        'unrolled train speech small --resume'
    """
    if "MAKELEVEL" in os.environ:
        target = {"evaluate": "eval"}.get(verb, verb)
        named = {"PRESET": preset} if preset else {}
        named |= {key.upper(): value for key, value in variables.items()}
        return " ".join([f"make {target}-{name}", *(f"{key}={value}" for key, value in named.items())])
    options = [f"--{key}" if value == "1" else f"--{key} {value}" for key, value in variables.items()]
    return " ".join(["unrolled", verb, name, *([preset] if preset else []), *options])


def name_of(task: "Task") -> str:
    """Returns what names a task in a command: the pipeline under make, whose targets are by pipeline, else the task."""
    return task.pipeline if "MAKELEVEL" in os.environ else task.name


def answer(verb: str, variable: str, example: str) -> str:
    """Returns the command that asks a model, such as `transcribe`.

    Args:
        verb: the command.
        variable: of make, such as AUDIO.
        example: what to give, such as `recording.wav`.
    """
    return f"make {verb} {variable}={example}" if "MAKELEVEL" in os.environ else f"unrolled {verb} {example}"
