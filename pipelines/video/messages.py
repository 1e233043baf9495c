"""How messages name the videos that something is wrong with, and show progress."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import track

Item = TypeVar("Item")

NAMED = 10  # videos that a message names; it counts the others


def listed(problems: Sequence[tuple[str, str]]) -> str:
    """Returns the first videos and what is wrong with them, a line each, below the message.

    >>> print("Left out:" + listed([("a.mp4", "is empty")] * 11))
    ... # doctest: +ELLIPSIS
    Left out:
      a.mp4: is empty
    ...
      and 1 more
    """
    lines = [f"{key}: {reason}" for key, reason in problems[:NAMED]]
    if len(problems) > NAMED:
        lines.append(f"and {len(problems) - NAMED} more")
    return "".join(f"\n  {line}" for line in lines)


def shown(items: Iterable[Item], description: str, total: int | None) -> Iterable[Item]:
    """Returns the items, with a bar on a terminal that says how many have been taken."""
    return track(items, description, total, transient=True, disable=not Console().is_terminal)
