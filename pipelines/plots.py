"""Plots that several pipelines need: learning curves, and bars of an evaluation."""

import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from matplotlib.figure import Figure  # not pyplot, which keeps every figure and wants a screen

from pipelines.evaluation import Evaluation

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
"""Told apart by colour-blind readers too (Okabe and Ito, "Color universal design", 2008)."""


def save(figure: Figure, file: Path | IO[bytes], dpi: int = 120) -> None:
    """Writes a picture, without a warning for each sign that the font has not: it is drawn as a box.

    Args:
        figure: The picture.
        file: Where to; its ending selects the format, by default PNG.
        dpi: Pixels an inch.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"(?s).*Glyph \d+ .*missing from")
        warnings.filterwarnings("ignore", r"(?s).*Matplotlib currently does not support")
        figure.savefig(file, dpi=dpi)


def learning_curves(history: Sequence[Mapping[str, float]]) -> Figure:
    """Draws a panel for each quantity of a training's history, training and validation together.

    Args:
        history: Rows of `history.csv`, as `run.history()` returns them.

    Raises:
        ValueError: There are no rows.

    Example:
        >>> rows = [{"epoch": 1, "loss": 2.0, "validation_cer": 0.5, "learning_rate": 0.1}]
        >>> [axes.get_title() for axes in learning_curves(rows).axes]
        ['loss', 'cer', 'learning rate']
    """
    if not history:
        raise ValueError("Learning curves need at least one epoch. Train first. Received: no rows")
    columns = dict.fromkeys(name for row in history for name in row)
    panels = dict.fromkeys(name.removeprefix("validation_") for name in columns)
    last = [name for name in ("gradient_norm", "learning_rate") if name in panels]
    hidden = {"epoch", "steps", "skipped_steps", *last}
    names = [*(name for name in panels if name not in hidden), *last]
    width = min(len(names), 2)  # more would be too small on a telephone
    height = math.ceil(len(names) / width)
    figure = Figure(figsize=(4 * width, 2.8 * height), layout="constrained")
    grid = figure.subplots(height, width, squeeze=False, gridspec_kw={"hspace": 0.08, "wspace": 0.05}).ravel()
    for axes, name in zip(grid, names, strict=False):
        for column, label, colour in ((name, "training", COLOURS[0]), (f"validation_{name}", "validation", COLOURS[1])):
            points = [(row["epoch"], row[column]) for row in history if column in row]
            if points:
                axes.plot(*zip(*points, strict=True), marker=".", color=colour, label=label)
        axes.set_title(name.replace("_", " "))
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        if f"validation_{name}" in columns:
            axes.legend()
    for axes in grid[len(names) :]:
        axes.remove()
    return figure


def bars(evaluation: Evaluation, metric: str) -> Figure:
    """Draws a metric of all rows that have it, with intervals, the model in another colour.

    Args:
        evaluation: What was measured.
        metric: Name of the metric.

    Raises:
        ValueError: No row has this metric.

    Example:
        >>> from pipelines.evaluation import Metric, Row
        >>> rows = [Row("model", {"wer": Metric(0.2, 0.1, 0.3)}), Row("silence", {"wer": Metric(1.0)})]
        >>> [label.get_text() for label in bars(Evaluation("test", 5, rows), "wer").axes[0].get_yticklabels()]
        ['model', 'silence']
    """
    rows = [row for row in evaluation.rows if metric in row.metrics]
    if not rows:
        names = ", ".join(evaluation.metric_names())
        raise ValueError(f"No row has this metric. Expected one of: {names}. Received: {metric!r}")
    figure = Figure(figsize=(8, 0.9 + 0.45 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for place, row in enumerate(rows):
        value, low, high = row.metrics[metric]
        error = None if low is None or high is None else [[max(value - low, 0)], [max(high - value, 0)]]
        colour = COLOURS[0] if row is evaluation.rows[0] else "#999999"
        axes.barh(place, value, xerr=error, color=colour, capsize=4, height=0.6)
    axes.set_yticks(range(len(rows)), [row.name.replace("$", r"\$") for row in rows])  # dollars would be formulas
    axes.invert_yaxis()
    axes.set_xlabel(f"{metric.replace('_', ' ')}, {evaluation.split} split")
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    return figure
