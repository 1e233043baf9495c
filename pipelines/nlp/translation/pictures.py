"""Pictures of translations: where the attention looked, and how the score depends on length."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

from pipelines.nlp.translation.model import Translator, source_numbers, target_numbers
from pipelines.plots import COLOURS

PIXELS = 0.17  # inches a subword


class Attention:
    """Where the network looked while it wrote: `weights` (target, source), and the subwords of both sides."""

    def __init__(self, translator: Translator, source: str, translation: str) -> None:
        sources = source_numbers(translator.source, tf.constant([source]))
        targets = target_numbers(translator.target, tf.constant([translation]))
        self.weights = translator(sources, targets[:, :-1]).weights[0].numpy()
        self.source = _labels(translator.source.pieces_of(sources[0, :-1]).numpy())
        self.target = _labels(translator.target.pieces_of(targets[0, 1:-1]).numpy())


def attention(found: Attention) -> Figure:
    """Draws the weights of an attention: a row for each subword written, a column for each one read."""
    rows, columns = found.weights.shape
    figure = Figure(figsize=(1.6 + PIXELS * columns, 1.3 + PIXELS * rows), layout="constrained")
    axes = figure.subplots()
    axes.imshow(found.weights, cmap="Blues", vmin=0, vmax=1, aspect="equal")
    axes.set_xticks(range(columns), found.source, rotation=90, fontsize=8)
    axes.set_yticks(range(rows), found.target, fontsize=8)
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


def _labels(pieces: Sequence[bytes]) -> list[str]:
    """Subwords as they can be read, the space before a word shown, and the end of the text last."""
    return [piece.decode("utf-8", "replace").replace(" ", "·").replace("$", r"\$") for piece in pieces] + ["end"]
