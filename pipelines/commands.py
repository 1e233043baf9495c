"""What the commands of every pipeline do alike: find their run, report errors as messages, say what to type next."""

import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic import Field

from pipelines.configuration import (
    Configuration,
    ConfigurationError,
    ConfigurationType,
    parse_command_line,
    parse_options,
)
from pipelines.runs import Run

OURS = ("pipelines", "data", "models")
_OUR_ERROR_IN_A_GRAPH = re.compile(
    # TensorFlow puts the traceback of Python code that a graph has run into its own error's message.
    rf"^(?:{'|'.join(OURS)})\.[\w.]+: (?P<message>.+?)(?=\n\s*\n|\n\s*\[\[|\Z)",
    re.MULTILINE | re.DOTALL,
)


class TrainingCommand(Configuration):
    """Base of a pipeline's configuration: what its training command takes besides the experiment itself."""

    seed: int = Field(0, ge=0, le=2**32 - 1, description="of weights, order, augmentation and dropout")
    resume: bool = Field(
        False, exclude=True, description="go on with the newest unfinished run, of the preset if one is named"
    )
    evaluate: bool = Field(False, exclude=True, description="evaluate the run when it is trained")


class RunOptions(Configuration):
    """Options of a command that reads a finished run."""

    run: Path | None = Field(None, description="folder of the run; by default the one that finished last")

    def open(self, pipeline: str) -> Run:
        """Returns the run that was asked for."""
        return Run.latest(pipeline) if self.run is None else Run.open(self.run)


def training_run(
    pipeline: str, presets: Mapping[str, ConfigurationType], arguments: Sequence[str], description: str
) -> tuple[Run, ConfigurationType]:
    """Reads the command line of a training and returns its run, new or to be resumed, with its configuration.

    No other process trains the run until this one ends.

    Raises:
        ConfigurationError: if settings are given for a run that is resumed, which has its own.
        RunError: if there is no run to resume, or the new one cannot be written.
    """
    program = f"python -m pipelines.{pipeline}.train"
    names = [argument.partition("=")[0] for argument in arguments if argument.startswith("--")]
    others = [name for name in names if name not in ("--resume", "--evaluate", "--no_evaluate")]
    if "--resume" in names and others:  # which the preset may refuse, but the run would not have
        raise ConfigurationError(
            "A run that is resumed keeps the settings with which it started. Expected no option beside --resume "
            "(RESUME=1) but the preset. Leave the others out, or start a new run, without --resume. "
            f"Received: {', '.join(others)}"
        )
    preset, configuration = parse_command_line(presets, arguments, program, description)
    if not getattr(configuration, "resume", False):
        run = Run.create(pipeline, preset, configuration)
        run.lock()
        return run, configuration
    named = not arguments[0].startswith("-")
    run = Run.newest_unfinished(pipeline, preset if named else None)
    print(f"Going on with {run.folder}, configured as it was when it started.")
    started = run.read_configuration(type(presets.get(run.preset, configuration)))
    return run, started.replace(evaluate=True) if getattr(configuration, "evaluate", False) else started


@contextmanager
def removed_if_refused(run: Run) -> Iterator[None]:
    """Removes the folder of a run whose preparation fails, unless something was trained in it before.

    Else RESUME=1 would go on with a run that never began, instead of the one that was killed.
    """
    try:
        yield
    except BaseException:
        if not any((run.folder / name).exists() for name in ("checkpoints", "history.csv")):
            run.remove()
        raise


def run_options(
    options: type[ConfigurationType], pipeline: str, command: str, arguments: Sequence[str], description: str
) -> ConfigurationType:
    """Reads the command line of a command that works on a finished run."""
    return parse_options(options, arguments, f"python -m pipelines.{pipeline}.{command}", description)


def main(command: Callable[[list[str]], None]) -> None:
    """Runs a command with the process's arguments; an error that a user can mend is a message, not a traceback."""
    try:
        command(sys.argv[1:])
    except KeyboardInterrupt as stopped:
        print(" ".join(["\nStopped.", *stopped.args]), file=sys.stderr)
        raise SystemExit(130) from None
    except Exception as error:
        message = message_for_user(error)
        if message is None:
            raise
        print(f"Error: {message}", file=sys.stderr)
        raise SystemExit(1) from None


def message_for_user(error: Exception) -> str | None:
    """Returns what to tell the user; None for an error in the program, which needs its traceback.

    For the user are: errors of our own classes; any error that our code raised with a message that ends as all
    of ours do, with `Received: …`; both also from within a TensorFlow graph; and what the operating system
    refuses, such as a full disk or a folder without permission.

    Example:
        >>> from pipelines.configuration import ConfigurationError
        >>> message_for_user(ConfigurationError("Give one. Received: none"))
        'Give one. Received: none'
        >>> message_for_user(ValueError("math domain error")) is None
        True
    """
    message = str(error)
    if type(error).__module__.partition(".")[0] in OURS:
        return message
    if isinstance(error, OSError):
        return (
            f"{message}. Expected a file or folder that can be read or written, and room on the disk. Make room, or "
            f"correct the path or its permissions, then type the command again. Received: {type(error).__name__}"
        )
    if found := _OUR_ERROR_IN_A_GRAPH.search(message):
        return found["message"].strip()
    raised_in = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]
    is_ours = bool(raised_in) and raised_in[-1].partition(".")[0] in OURS
    return message if is_ours and "Received: " in message else None
