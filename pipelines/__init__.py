"""The four applications, one package each, and the little that they share: the modules of this folder."""

import sys
from pathlib import Path

from unrolled_installation import check_libraries, check_packages, quieten_tensorflow

OLD_COMMANDS = {"judge": "classify", "predict": "predict-video"}


def refuse_old_command(arguments: list[str]) -> None:
    """Ends the process where it was started by a command of 0.1, which would do nothing now.

    Args:
        arguments: of the interpreter, such as `python -m pipelines.speech.train small`.

    Example:
        >>> refuse_old_command(["python", "-m", "pipelines.nlp.judge", "A good one!"])
        Traceback (most recent call last):
        ...
        SystemExit: 2
    """
    module = arguments[arguments.index("-m") + 1] if "-m" in arguments[:-1] else ""
    pipeline, command = ["", "", *module.split(".")][-2:]
    if module.startswith("pipelines.") and pipeline in ("speech", "series", "nlp", "video"):
        of_runs = f" {pipeline}" if command in ("train", "evaluate", "export") else ""
        now = f"unrolled {OLD_COMMANDS.get(command, command)}{of_runs}"
        message = f"Error: The command has a new name. Expected: {now}. Type that. Received: python -m {module}"
        print(message, file=sys.stderr)
        raise SystemExit(2)


refuse_old_command(sys.orig_argv)
check_packages("models", "data")
check_libraries(
    [
        "babel",
        "h5py",
        "matplotlib",
        "num2words",
        "pydantic",
        "rapidfuzz",
        "rich",
        "scipy",
        "tensorflow_datasets",
        "tensorflow_serving",
        "tyro",
    ],
    *sorted(file.parent.name for file in Path(__file__).parent.glob("*/__init__.py")),
)
quieten_tensorflow()
