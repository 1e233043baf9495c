"""One process at a time: a folder that is locked until the process ends, however it ends."""

import fcntl
import os
from pathlib import Path

_HELD: dict[Path, int] = {}  # the lock's file, open until this process ends, by its folder


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
