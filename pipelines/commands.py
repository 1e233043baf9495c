"""What the commands of every pipeline do alike: find their run, report errors as messages, say what to type next."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pydantic import Field

from pipelines.configuration import Configuration, ConfigurationType, parse_command_line, parse_options
from pipelines.runs import Run


class TrainingCommand(Configuration):
    """Base of a pipeline's configuration: what its training command takes besides the experiment itself."""

    seed: int = Field(0, ge=0, description="of weights, order, augmentation and dropout")
    resume: bool = Field(False, exclude=True, description="go on with the newest unfinished run of this preset")


class RunOptions(Configuration):
    """Options of a command that reads a finished run."""

    run: Path | None = Field(None, description="folder of the run; by default the one that finished last")

    def open(self, pipeline: str) -> Run:
        """Returns the run that was asked for."""
        return Run.latest(pipeline) if self.run is None else Run.open(self.run)


def training_run(
    pipeline: str, presets: Mapping[str, ConfigurationType], arguments: Sequence[str], description: str
) -> tuple[Run, ConfigurationType]:
    """Reads the command line of a training and returns its run, new or to be resumed, with its configuration."""
    program = f"python -m pipelines.{pipeline}.train"
    preset, configuration = parse_command_line(presets, arguments, program, description)
    if not getattr(configuration, "resume", False):
        return Run.create(pipeline, preset, configuration), configuration
    run = Run.newest_unfinished(pipeline, preset)
    return run, run.read_configuration(type(configuration))


def run_options(
    options: type[ConfigurationType], pipeline: str, command: str, arguments: Sequence[str], description: str
) -> ConfigurationType:
    """Reads the command line of a command that works on a finished run."""
    return parse_options(options, arguments, f"python -m pipelines.{pipeline}.{command}", description)


def main(command: Callable[[list[str]], None]) -> None:
    """Runs a command with the process's arguments; an error that a user can mend is a message, not a traceback."""
    try:
        command(sys.argv[1:])
    except (ValueError, RuntimeError, OSError) as error:
        if _ours(error):
            print(f"Error: {error}", file=sys.stderr)
            raise SystemExit(1) from None
        raise
    except KeyboardInterrupt:
        print("\nStopped. A training goes on from its last checkpoint with RESUME=1.", file=sys.stderr)
        raise SystemExit(130) from None


def _ours(error: Exception) -> bool:
    """Whether an error was written for the user: our error classes say what happened and what to do."""
    return type(error).__module__.split(".")[0] in ("pipelines", "data", "models")
