"""What a run was made with: versions of packages and code, and the machine."""

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any


def versions_here() -> dict[str, Any]:
    """Returns the versions of Python and of the packages that decide results, the commit, and the machine."""
    versions: dict[str, Any] = {"python": platform.python_version()}
    for package in ("unrolled", "tensorflow", "keras", "numpy"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None  # used from a clone that was not installed
    return versions | {"commit": _commit(), "platform": platform.platform(), "processors": os.cpu_count()}


def cores(sharing: int = 1) -> int:
    """Returns how many cores this process may use; or each of so many workers that share them, at least one."""
    all_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, all_cores // sharing)


def _commit() -> str | None:
    """Returns the clone's commit, with `+changes` if files differ from it, or None."""
    repository = Path(__file__).parent.parent
    if not (repository / ".git").exists():
        return None
    command = ["git", "-C", str(repository)]
    options = ["describe", "--always", "--abbrev=40", "--dirty=+changes", "--exclude=*"]
    try:
        described = subprocess.run(command + options, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return described.stdout.strip() or None
