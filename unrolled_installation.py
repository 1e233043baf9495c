"""What precedes every import: checks of our packages' names and of an extra's libraries, the version, a quiet log."""

import atexit
import gc
import importlib.metadata
import importlib.util
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

HOME = Path(__file__).resolve().parent
LEVEL = "TF_CPP_MIN_LOG_LEVEL"
FATAL_ONLY = "3"  # TensorFlow also raises an exception for every failure
# TensorFlow writes these lines before it reads the level.
NOISE = "before absl::InitializeLog|oneDNN custom operations are on|Could not find cuda drivers"


def release() -> str:
    """Returns the installed version of Unrolled; `0+unknown` in a clone that is not installed."""
    try:
        return importlib.metadata.version("unrolled")
    except importlib.metadata.PackageNotFoundError:
        return "0+unknown"


def check_packages(*names: str) -> None:
    """Raises if Python finds another package or module under the name of one of ours.

    A folder without Python files, such as the user's `data/`, hides nothing.

    Args:
        *names: Packages that lie beside this module.

    Raises:
        ImportError: The first of them that is hidden, and what hides it.

    Example:
        >>> check_packages("models", "data", "pipelines")
    """
    for name in names:
        spec = importlib.util.find_spec(name)
        ours = HOME / name / "__init__.py"
        if spec is not None and (spec.origin is None or Path(spec.origin).resolve() != ours):
            found = spec.origin or ", ".join(spec.submodule_search_locations or ())
            raise ImportError(
                f"Another `{name}` hides the package `{name}` of Unrolled. Rename it, or run Python from another "
                f"folder. Expected: {ours.parent}. Received: {found}",
                name=name,
                path=found,
            )


def check_libraries(libraries: Iterable[str], *extras: str) -> None:
    """Raises if a library is not installed, and names the extra that installs it.

    Args:
        libraries: Names as they are imported.
        *extras: The extras of `setup.cfg` that carry all of them; one is enough.

    Raises:
        ModuleNotFoundError: At least one library is missing.

    Example:
        >>> check_libraries(["numpy", "a_missing_library"], "speech")
        Traceback (most recent call last):
        ...
        ModuleNotFoundError: This pipeline needs libraries that are not installed. Install its extra:
        pip install 'unrolled[speech]'. Received: no a_missing_library
    """
    missing = [name for name in libraries if importlib.util.find_spec(name) is None]
    if missing:
        choice = " or ".join(f"'unrolled[{extra}]'" for extra in extras)
        raise ModuleNotFoundError(
            "This pipeline needs libraries that are not installed. Install its extra: pip install "
            f"{choice}. Received: no {', no '.join(missing)}",
            name=missing[0],
        )


def quieten_tensorflow() -> None:
    """Hides TensorFlow's log from the terminal, unless the environment sets a level or TensorFlow is imported already.

    TensorFlow itself is imported later, by the first module that needs it.
    """
    if "tensorflow" in sys.modules or os.environ.setdefault(LEVEL, FATAL_ONLY) != FATAL_ONLY:
        return
    _import_within(_quiet, "tensorflow")


def lighten_keras() -> None:
    """Lets Keras start without scikit-learn and matplotlib, which its wrappers and pictures alone use.

    They take a quarter of the time of its import. Later imports of them find them: this is for our commands, whose
    process nobody else writes code for.
    """
    _import_within(_without_extras, "keras")


def collect_garbage_seldom() -> None:
    """Lets Python look for garbage seldom, and not when it ends, which takes three of the eleven seconds of a command.

    TensorFlow's objects are many and live long. This, too, is for our commands.
    """
    gc.set_threshold(50_000, 20, 50)
    atexit.register(gc.freeze)


def _import_within(context: Callable[[], AbstractContextManager[None]], name: str) -> None:
    """Enters a context for the time in which a module is loaded, unless it is loaded already."""
    if name not in sys.modules and not any(getattr(finder, "within", "") == name for finder in sys.meta_path):
        sys.meta_path.insert(0, _ImportWithin(context, name))


class _ImportWithin:
    """Finds one module as Python does, and loads it within a context."""

    def __init__(self, context: Callable[[], AbstractContextManager[None]], name: str) -> None:
        self.context, self.within = context, name

    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != self.within:
            return None
        spec = PathFinder.find_spec(name, path, target)
        loader: Any = spec and spec.loader
        if loader is not None:
            load = loader.exec_module

            def load_within(module: ModuleType) -> None:
                sys.meta_path.remove(self)
                with self.context():
                    load(module)

            loader.exec_module = load_within
        return spec


@contextmanager
def _without_extras() -> Iterator[None]:
    missing = [name for name in ("sklearn", "matplotlib") if name not in sys.modules]
    for name in missing:
        sys.modules[name] = None  # type: ignore[assignment]  # its import fails
    try:
        yield
    finally:
        for name in missing:
            del sys.modules[name]


@contextmanager
def _quiet() -> Iterator[None]:
    with _filtered_errors():
        yield
    logging.getLogger("absl").setLevel(logging.ERROR)  # TensorFlow Datasets warns about its own code


@contextmanager
def _filtered_errors() -> Iterator[None]:
    """Passes standard error through `grep`, a process of its own, which outlives a crash and shows its last words."""
    try:
        terminal = os.dup(2)
    except OSError:  # closed: nobody reads it
        yield
        return
    command = ["grep", "--invert-match", "--extended-regexp", NOISE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=terminal) as quieter:
        assert quieter.stdin is not None
        os.dup2(quieter.stdin.fileno(), 2)
        try:
            yield
        except KeyboardInterrupt:  # most of a command's first seconds are spent here
            os.write(terminal, b"\nStopped.\n")
            raise SystemExit(130) from None
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
