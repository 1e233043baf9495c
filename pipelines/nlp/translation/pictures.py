"""Pictures of translations: the weights of the attention, and the score by length."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from pipelines.nlp.translation.predictor import Attention
from pipelines.plots import COLOURS

PIXELS = 0.17  # inches a subword


def attention(found: Attention) -> Figure:
    """Draws the weights of an attention: a row for each subword written, a column for each one read."""
    rows, columns = found.weights.shape
    figure = Figure(figsize=(1.6 + PIXELS * columns, 1.3 + PIXELS * rows), layout="constrained")
    axes = figure.subplots()
    axes.imshow(found.weights, cmap="Blues", vmin=0, vmax=1, aspect="equal")
    axes.set_xticks(range(columns), _labels(found.source), rotation=90, fontsize=8)
    axes.set_yticks(range(rows), _labels(found.target), fontsize=8)
    axes.xaxis.tick_top()
    return figure


def by_length(lengths: Sequence[str], scores: Sequence[float], counts: Sequence[int], metric: str) -> Figure:
    """Draws a score of groups of sentences.

    Args:
        lengths: name of each group.
        scores: of each group.
        counts: sentences in each.
        metric: name of the score.
    """
    figure = Figure(figsize=(7, 3), layout="constrained")
    axes = figure.subplots()
    axes.bar(np.arange(len(scores)), scores, color=COLOURS[0])
    labels = [f"{length}\n{count} sentences" for length, count in zip(lengths, counts, strict=True)]
    axes.set_xticks(range(len(scores)), labels)
    axes.set_xlabel("words in the source")
    axes.set_ylabel(metric)
    axes.grid(alpha=0.3, axis="y")
    return figure


def _labels(pieces: Sequence[str]) -> list[str]:
    """Returns subwords as they can be read, with the space before a word shown, and the end of the text last."""
    return [piece.replace(" ", "·").replace("$", r"\$") for piece in pieces[:-1]] + ["end"]
