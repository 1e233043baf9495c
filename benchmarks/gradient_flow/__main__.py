"""Gradients over time, and what is learned, with and without gates: `python -m benchmarks.gradient_flow`.

SimpleRNN, LSTM, GRU and MinGRU learn the adding and the copy problem at several lengths. How many steps each is trained
is decided beforehand, by the length alone. A page shows the norm of the gradient that reaches every time step before
and after training (`models.gradient_flow`), the learning curves, and the accuracies beside those of a naive answer.
"""

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.gradient_flow.page import write_page
from benchmarks.gradient_flow.problems import PROBLEMS
from benchmarks.gradient_flow.training import CLIP_NORM, LAYERS, LEARNING_RATE, ROWS, TEST_ROWS, UNITS, Outcome, train
from benchmarks.speed import machine
from pipelines.run_files import to_json, write_text_atomically

STEPS = {50: 3000, 200: 2000, 800: 600}
"""Training steps by the length of the sequences."""
QUICK_STEPS = {12: 4}


@dataclass(frozen=True)
class Options:
    """Shows how gradients flow through time, and what the layers learn."""

    seed: int = 1
    """Random seed of weights and sequences."""
    effort: float = 1.0
    """Factor on the number of training steps: 1 takes about a quarter of an hour on two cores."""
    quick: bool = False
    """Test run of a minute: short sequences, a few steps. The results mean nothing."""
    output: Path = Path("runs/benchmarks/gradient_flow")
    """Folder for the page and the numbers."""


class _Advance(keras.callbacks.Callback):
    """Shows that a training goes on."""

    def __init__(self, progress: Progress, task: Any):
        super().__init__()
        self.progress, self.task = progress, task

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.progress.advance(self.task)


def run(options: Options) -> Iterator[Outcome]:
    """Trains all, one after the other, and shows how far it is.

    Raises:
        ValueError: there is nothing to do.
    """
    if options.effort <= 0:
        raise ValueError(f"The effort is a positive number, 1 by default. Received: {options.effort}")
    steps = {
        length: max(1, round(count * options.effort))
        for length, count in (QUICK_STEPS if options.quick else STEPS).items()
    }
    work = [(problem, length, layer) for problem in PROBLEMS.values() for length in steps for layer in LAYERS]
    columns = BarColumn(20), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=sum(steps[length] for _, length, _ in work))
        for problem, length, layer in work:
            progress.update(task, description=f"{problem.name} {length} {layer}")
            outcome = train(problem, length, layer, steps[length], options.seed, _Advance(progress, task))
            keras.utils.clear_session(free_memory=True)
            _, loss, accuracy = outcome.readings[-1]
            progress.console.print(
                f"{problem.name} {length} {layer}: loss {loss:.4f} (naive {problem.naive(length):.4f}), "
                f"accuracy {accuracy:.3f}, {outcome.seconds:.0f} s",
                highlight=False,
                soft_wrap=True,
            )
            yield outcome


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    options.output.mkdir(parents=True, exist_ok=True)
    started = time.time()
    try:
        outcomes = list(run(options))
    except ValueError as error:
        sys.exit(str(error))
    settings = {
        "seed": options.seed,
        "training steps": {outcome.length: outcome.steps for outcome in outcomes},
        "sequences a step": ROWS,
        "units": UNITS,
        "optimizer": f"Adam, learning rate {LEARNING_RATE}, gradients clipped to a global norm of {CLIP_NORM}",
        "test sequences": TEST_ROWS,
        "minutes": round((time.time() - started) / 60, 1),
        **machine(),
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
    }
    numbers = options.output / "gradient_flow.json"
    content = {"settings": settings, "outcomes": [_plain(outcome) for outcome in outcomes]}
    write_text_atomically(numbers, to_json(content))
    page = write_page(options.output / "gradient_flow.html", outcomes, settings, options.quick)
    print(f"Trained {len(outcomes)} networks in {settings['minutes']} minutes. Written: {page}, {numbers}")
    print(f"Read it in a browser: xdg-open {page}")
    other = f"--seed {options.seed + 1} --output {options.output}_{options.seed + 1}"
    print(f'What was chance, another seed shows: make gradient-flow ARGS="{other}"')


def _plain(outcome: Outcome) -> dict[str, Any]:
    return outcome._asdict() | {"readings": [reading._asdict() for reading in outcome.readings]}


if __name__ == "__main__":
    main()
