"""The page: curves, accuracies and findings, in one file that opens in any browser."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.gradient_flow.findings import LEARNED, findings, learned, naive_loss, power, share
from benchmarks.gradient_flow.problems import PROBLEMS
from benchmarks.gradient_flow.training import LAYERS, Outcome
from pipelines.plots import COLOURS
from pipelines.report import Code, Picture, Section, Table, page
from pipelines.run_files import write_text_atomically

FLOOR = 1e-12
"""Shares of the gradient below this are not drawn."""

INTRODUCTION = """
To answer at the end of a sequence a question about its beginning, a recurrent network must learn from a gradient that
passes back through all steps. At every step back the gradient is multiplied by what that step does to the state. If
that makes it smaller, nothing is left after hundreds of steps: the gradient vanishes, and training cannot relate the
answer to the beginning. If it makes it larger, the gradient explodes. LSTM, GRU and MinGRU have gates, which decide how
much of the state stays; SimpleRNN has none.

Here four layers learn two problems that depend entirely on memory, and the gradient of the answer is measured at every
time step, before and after training.
"""

REMEDIES = [
    ("gates", "Hochreiter and Schmidhuber 1997; Cho et al. 2014; Feng et al. 2024", "LSTM, GRU, MinGRU, MinLSTM"),
    (
        "forget gates that start open",
        "Gers et al. 2000; Jozefowicz et al. 2015",
        "LSTM(unit_forget_bias=True), the default; MinGRU and MinLSTM: bias_initializer",
    ),
    (
        "orthogonal recurrent weights",
        "Saxe et al. 2014",
        'recurrent_initializer="orthogonal", the default of SimpleRNN, LSTM and GRU',
    ),
    (
        "identity as recurrent weights, with a rectifier",
        "Le et al. 2015",
        'SimpleRNN(units, activation="relu", recurrent_initializer="identity")',
    ),
    (
        "clipping the gradient by its global norm, against explosions",
        "Pascanu et al. 2013",
        "keras.optimizers.Adam(global_clipnorm=1.0); in the pipelines --training.gradient-clip-norm 1.0, the default",
    ),
    (
        "truncated back-propagation with carried state, for sequences without end",
        "Williams and Peng 1990",
        "stateful=True, or return_state=True and initial_state=…: the gradient ends where the chunk begins, the memory "
        "does not",
    ),
    (
        "sums and normalisation between layers, against vanishing over depth",
        "Wu et al. 2016; Ba et al. 2016",
        'Stack("lstm", units, depth=4, residual=True, normalization="layer")',
    ),
]


def write_page(path: Path, outcomes: Sequence[Outcome], settings: Mapping[str, Any], quick: bool) -> Path:
    """Writes the page, whole or not at all, and returns its path.

    Args:
        path: of the file.
        outcomes: of all trainings.
        settings: how they were made.
        quick: whether they were too short to mean anything.
    """
    warning = ["This was a quick look whether the command works: the numbers mean nothing."] if quick else []
    shown = [
        *findings(outcomes),
        f"Learned means here: the loss on test sequences ends below {LEARNED} of that of the naive answer. The steps "
        "of training were fixed beforehand, and there is one network of each kind: one that did not learn might have "
        "with more steps, a larger width, another learning rate or another seed.",
    ]
    made = "\n".join(f"{name}: {value}" for name, value in settings.items())
    sections = [
        Section("Why gates?", [*warning, INTRODUCTION]),
        Section("What is seen", shown),
        *(_problem_section(name, [one for one in outcomes if one.problem == name]) for name in PROBLEMS),
        Section("Remedies", [Table(["remedy", "from", "here"], REMEDIES)]),
        Section("How it was made", [Code(made), "To repeat it:", Code("make gradient-flow")]),
    ]
    write_text_atomically(path, page("Vanishing and exploding gradients, seen", sections))
    return path


def _problem_section(name: str, outcomes: Sequence[Outcome]) -> Section:
    problem = PROBLEMS[name]
    heads = [
        "length",
        "layer",
        "loss",
        "naive loss",
        "accuracy",
        "learned",
        "reaches step 1 before",
        "after",
        "seconds",
    ]
    rows = [
        [
            str(one.length),
            one.layer,
            f"{one.readings[-1].loss:.4f}",
            f"{naive_loss(one):.4f}",
            f"{one.readings[-1].accuracy:.3f}",
            "yes" if learned(one) else "no",
            power(share(one.start)),
            power(share(one.end)),
            f"{one.seconds:.0f}",
        ]
        for one in outcomes
    ]
    caption = (
        "On test sequences, after the last step of training. The naive answer has an accuracy of "
        f"{problem.naive_accuracy:.3f}. Before and after training: the gradient at the first time step as a share of "
        "that at the last."
    )
    gradients = (
        "The norm of the gradient that reaches each time step, as a share of that at the last step; above before "
        f"training, below after it. Shares below {FLOOR:g} are not drawn."
    )
    learning = "The loss on test sequences during training, as a share of the naive answer's, which is dashed."
    return Section(
        f"The {name} problem",
        [
            problem.description,
            Table(heads, rows, caption),
            Picture(_gradient_figure(outcomes), gradients),
            Picture(_learning_figure(outcomes), learning),
        ],
    )


def _gradient_figure(outcomes: Sequence[Outcome]) -> Figure:
    def draw(norms_of: Callable[[Outcome], Sequence[float]]) -> Callable[[Axes, Outcome, dict[str, Any]], None]:
        def curve(axes: Axes, one: Outcome, style: dict[str, Any]) -> None:
            norms = np.array(norms_of(one))
            shares = norms / (norms[-1] or np.nan)
            axes.plot(np.arange(1, len(norms) + 1), np.where(shares >= FLOOR, shares, np.nan), **style)
            axes.set_xlim(0, len(norms) + 1)  # also where nothing is left to draw

        return curve

    rows = {"before training": draw(lambda one: one.start), "after training": draw(lambda one: one.end)}
    figure = _panels(outcomes, rows, "time step")
    highest = max(axes.dataLim.ymax for axes in figure.axes)
    for axes in figure.axes:
        axes.set_ylim(FLOOR, 3 * max(highest, 1))
    return figure


def _learning_figure(outcomes: Sequence[Outcome]) -> Figure:
    def curve(axes: Axes, one: Outcome, style: dict[str, Any]) -> None:
        losses = [reading.loss / naive_loss(one) for reading in one.readings]
        axes.plot([reading.step for reading in one.readings], losses, **style)

    figure = _panels(outcomes, {"loss ÷ naive loss": curve}, "training step")
    for axes in figure.axes:
        axes.axhline(1, color="#666666", linestyle="--", linewidth=1)
    return figure


def _panels(
    outcomes: Sequence[Outcome], rows: Mapping[str, Callable[[Axes, Outcome, dict[str, Any]], None]], below: str
) -> Figure:
    """A panel for each row and length, with a curve for each layer; logarithmic."""
    lengths = _lengths(outcomes)
    figure = Figure(figsize=(max(3.3 * len(lengths), 5), 0.4 + 2.6 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), len(lengths), sharex="col", sharey="row", squeeze=False)
    for line, (title, curve) in zip(grid, rows.items(), strict=True):
        line[0].set_ylabel(title)
        for axes, length in zip(line, lengths, strict=True):
            for one in outcomes:
                if one.length == length:
                    curve(axes, one, {"label": one.layer, "color": COLOURS[list(LAYERS).index(one.layer)]})
            axes.set_yscale("log")
            axes.grid(alpha=0.3)
    for axes, length in zip(grid[0], lengths, strict=True):
        axes.set_title(f"length {length}")
    for axes in grid[-1]:
        axes.set_xlabel(below)
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=len(LAYERS))
    return figure


def _lengths(outcomes: Sequence[Outcome]) -> list[int]:
    return list(dict.fromkeys(one.length for one in outcomes))
