"""Tells whether other programs used the processor while a worker had its turn.

They do not slow all sides alike: threads that wait for each other at every step, as PyTorch's do, get a hundred times
slower once they share a core.
"""

import os
from pathlib import Path

TOLERATED_SECONDS, TOLERATED_SHARE = 0.03, 0.15
"""The clock of /proc/stat ticks every 10 ms, and an idle system uses some of them itself."""


def busy_seconds(statistics: Path = Path("/proc/stat")) -> float | None:
    """Seconds that all cores together have worked since the start of the machine; None where the system hides it.

    What a virtual machine was robbed of by its host counts as work.
    """
    if not statistics.exists():
        return None
    user, nice, system, _, _, *interrupts = map(int, statistics.read_text().split("\n")[0].split()[1:9])
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")


def is_disturbed(before: float | None, after: float | None, own: float, elapsed: float) -> bool:
    """Whether others worked for more than a small share of the time.

    Args:
        before: `busy_seconds` when the turn began.
        after: `busy_seconds` when it was over.
        own: processor seconds of the worker itself.
        elapsed: seconds from begin to end.

    Example:
        >>> is_disturbed(10.0, 10.2, own=0.19, elapsed=0.1), is_disturbed(10.0, 10.2, own=0.1, elapsed=0.1)
        (False, True)
    """
    if before is None or after is None:
        return False
    return after - before - own > max(TOLERATED_SECONDS, TOLERATED_SHARE * elapsed)
