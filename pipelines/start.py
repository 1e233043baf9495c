"""TensorFlow's start, without the log lines that it prints for every user."""

import importlib
import logging
import os
import subprocess
import sys

OLD_COMMANDS = {"judge": "classify", "predict": "predict-video"}
LEVEL = "TF_CPP_MIN_LOG_LEVEL"
FATAL_ONLY = "3"  # what TensorFlow cannot do it raises, too
# Written before TensorFlow looks at the level.
NOISE = "before absl::InitializeLog|oneDNN custom operations are on|Could not find cuda drivers"


def refuse_old_command(arguments: list[str]) -> None:
    """Ends the process where it was started by a command of 0.1, which would do nothing now.

    Args:
        arguments: of the interpreter, such as `python -m pipelines.speech.train small`.

    Example:
        >>> refuse_old_command(["python", "-m", "pipelines.nlp.judge", "A good one!"])
        Traceback (most recent call last):
        ...
        SystemExit: Error: The command has a new name. Expected: unrolled classify. Received: ...
    """
    module = arguments[arguments.index("-m") + 1] if "-m" in arguments[:-1] else ""
    pipeline, command = ["", "", *module.split(".")][-2:]
    if module.startswith("pipelines.") and pipeline in ("speech", "series", "nlp", "video"):
        of_runs = f" {pipeline}" if command in ("train", "evaluate", "export") else ""
        now = f"unrolled {OLD_COMMANDS.get(command, command)}{of_runs}"
        raise SystemExit(f"Error: The command has a new name. Expected: {now}. Received: python -m {module}")


def import_tensorflow() -> None:
    """Imports TensorFlow and keeps its chatter from the terminal, unless the environment sets another log level.

    What it writes while it is imported passes through `grep`, a process of its own, so that the last words of an
    import that fails or crashes are still shown.
    """
    if "tensorflow" in sys.modules or os.environ.setdefault(LEVEL, FATAL_ONLY) != FATAL_ONLY:
        return
    try:
        terminal = os.dup(2)
    except OSError:  # closed: nobody reads it
        return
    command = ["grep", "--invert-match", "--extended-regexp", NOISE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=terminal) as quieter:
        assert quieter.stdin is not None
        os.dup2(quieter.stdin.fileno(), 2)
        try:
            importlib.import_module("tensorflow")
        except KeyboardInterrupt:  # most of a command's first seconds are spent here
            os.write(terminal, b"\nStopped.\n")
            raise SystemExit(130) from None
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
    logging.getLogger("absl").setLevel(logging.ERROR)  # TensorFlow Datasets warns of deprecations within itself
