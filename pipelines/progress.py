"""What is shown of a long training, or of other long work, while it runs."""

import time
from collections.abc import Iterable, Mapping
from typing import Self, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn, track

Item = TypeVar("Item")

SECONDS_BETWEEN_LINES = 30.0
"""How often progress is written within an epoch where the output is no terminal."""


class Display:
    """Progress: a bar on a terminal; elsewhere a line at each epoch's end and now and then within it.

    Args:
        steps: Steps of the whole training.
        done: Steps done before, by a process that was killed.

    Example:
        >>> with Display(steps=2) as display:
        ...     display.advance()
        ...     row = {"epoch": 1, "loss": 0.5, "learning_rate": 0.01, "validation_wer": 0.25}
        ...     display.show(row, examples_per_second=64.0, line=True)
        epoch 1 loss 0.5 rate 0.01 64 examples/s validation_wer 0.25 0 s left
    """

    def __init__(self, steps: int, done: int = 0) -> None:
        columns = BarColumn(20), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn()
        self.bar = Progress(*columns)
        self.task = self.bar.add_task("", total=steps, completed=done)
        self.start = self.shown_at = time.perf_counter()
        self.left = steps - done
        self.done = 0  # in this process

    def __enter__(self) -> Self:
        if self.bar.console.is_terminal:
            self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar.console.is_terminal:
            self.bar.stop()

    def advance(self) -> None:
        """Counts one step more."""
        self.done += 1
        self.left -= 1
        self.bar.advance(self.task)

    def is_due(self) -> bool:
        """Whether so much time has passed that something new should be shown."""
        interval = 1 if self.bar.console.is_terminal else SECONDS_BETWEEN_LINES
        return time.perf_counter() - self.shown_at >= interval

    def show(self, row: Mapping[str, float], examples_per_second: float, line: bool = False) -> None:
        """Shows an epoch's row of the history, as far as it is known.

        Args:
            row: `epoch`, `loss`, `learning_rate`, and `validation_…` if the epoch has ended.
            examples_per_second: Speed of the training so far.
            line: Write a line that stays, on a terminal too.
        """
        text = f"epoch {row['epoch']:g} loss {row['loss']:.4g} rate {row['learning_rate']:.2g}"
        text += f" {examples_per_second:.0f} examples/s"
        self.bar.update(self.task, description=text)
        if line or (self.is_due() and not self.bar.console.is_terminal):
            seconds = (time.perf_counter() - self.start) / max(self.done, 1)
            values = "".join(f" {name} {row[name]:.4g}" for name in row if name.startswith("validation_"))
            self.print(f"{text}{values} {seconds * self.left:.0f} s left")
        self.shown_at = time.perf_counter()

    def print(self, text: str) -> None:
        """Writes a line that stays."""
        print(text, flush=True)  # rich puts it above the bar


def shown(items: Iterable[Item], description: str, total: int | None) -> Iterable[Item]:
    """Returns the items, with a bar on a terminal that shows how many have been taken."""
    return track(items, description, total, transient=True, disable=not Console().is_terminal)
