"""Files of a run folder: none is ever seen half-written, and one process at a time writes."""

import fcntl
import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipelines import hints

_HELD: dict[Path, int] = {}  # the lock's file, open until this process ends, by its folder


class RunError(RuntimeError):
    """A run folder that is missing, incomplete or cannot be written; the message names the command to type next."""


def write_text_atomically(path: Path, text: str) -> None:
    """Writes a file so that its path holds the old content or all of the new, whatever happens in between.

    Raises:
        RunError: if the disk is full, or the folder cannot be written; the old content is still there.
    """

    def write(temporary: Path) -> None:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            # Before the move, else a power cut may leave an empty file under the final name.
            os.fsync(file.fileno())

    replace_atomically(path, write)


def replace_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Lets `write` make a new entry beside `path`, then moves it there; leaves nothing behind if that fails."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def cannot_write(path: Path, error: Exception) -> RunError:
    """Returns what to raise when a file of a run could not be written."""
    return RunError(
        "A file of the run could not be written; what was complete before is kept. Expected free space and "
        f"permission. Make room (see `df`), then type the command again, with {hints.resume()} if a training had "
        "begun; or move the folder of runs to another disk and set UNROLLED_RUNS to it. "
        f"Received: {str(path)!r} ({error})"
    )


def to_json(value: Any) -> str:
    """Return JSON text; NumPy values become plain, NaN and infinity null."""
    return json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def plain(value: Any) -> Any:
    """Returns a value in the types that JSON knows; NaN and infinity are None."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def take_lock(folder: Path) -> bool:
    """Locks a folder for this process; False if another process holds it.

    Raises:
        OSError: The folder cannot be written.
    """
    folder = folder.resolve()
    if folder in _HELD:
        return True
    file = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return False
    except OSError:
        pass  # a disk that knows no locks, such as some on a network: better unguarded than not at all
    _HELD[folder] = file
    return True


def release_lock(folder: Path) -> None:
    """Gives up the lock of a folder, if this process has it; the folder may then be removed."""
    if (file := _HELD.pop(folder.resolve(), None)) is not None:
        os.close(file)
