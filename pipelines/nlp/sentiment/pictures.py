"""Pictures of an evaluation: calibration, ratings, the words of a text."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from pipelines.nlp.sentiment.explanation import Explanation
from pipelines.nlp.sentiment.scoring import BINS, Answers, Truth
from pipelines.plots import COLOURS

SHOWN_WORDS = 30  # of a text


def calibration_picture(answers: Sequence[tuple[str, Answers]], truth: Truth) -> Figure:
    """Draws the accuracy over the confidence, in ten bins, of all rows that have probabilities; below, how many texts.

    Args:
        answers: names and answers, the model's first.
        truth: of the same texts.
    """
    figure = Figure(figsize=(7, 5.5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    above.plot([0, 1], [0, 1], color="0.7", linestyle="--", label="perfect")
    known = truth.labelled
    with_probabilities = [(name, each) for name, each in answers if each.probabilities is not None]
    for (name, each), colour in zip(with_probabilities, COLOURS, strict=False):
        assert each.probabilities is not None and each.labels is not None
        confidence, right = each.probabilities[known].max(axis=1), (each.labels == truth.labels)[known]
        bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
        counts = np.bincount(bins, minlength=BINS)
        filled = counts > 0
        mean = [np.bincount(bins, value, BINS)[filled] / counts[filled] for value in (confidence, right)]
        above.plot(*mean, marker="o", color=colour, label=name.replace("$", r"\$"))
        below.step(np.arange(BINS + 1) / BINS, [*counts, counts[-1]], where="post", color=colour)
    above.set_ylabel("accuracy")
    above.legend()
    above.grid(alpha=0.3)
    below.set_xlabel("confidence: probability of the predicted label")
    below.set_ylabel("texts")
    below.grid(alpha=0.3)
    return figure


def rating_picture(answers: Answers, truth: Truth) -> Figure:
    """Draws each text's predicted rating over the true one."""
    figure = Figure(figsize=(6, 5), layout="constrained")
    axes = figure.subplots()
    assert answers.ratings is not None
    rated = truth.rated
    axes.scatter(truth.ratings[rated], answers.ratings[rated], s=6, alpha=0.4, color=COLOURS[0], linewidths=0)
    ends = [float(np.min(truth.ratings[rated])), float(np.max(truth.ratings[rated]))]
    axes.plot(ends, ends, color="0.7", linestyle="--")
    axes.set_xlabel("true rating")
    axes.set_ylabel("predicted rating")
    axes.grid(alpha=0.3)
    return figure


def words_picture(explanation: Explanation) -> Figure:
    """Draws by how much each word of a text raised or lowered the log odds of a label, the first words if many."""
    words, effects = explanation.words[:SHOWN_WORDS], explanation.effects[:SHOWN_WORDS]
    figure = Figure(figsize=(max(3.0, 0.42 * len(words) + 1), 2.6), layout="constrained")
    axes = figure.subplots()
    colours = [COLOURS[0] if effect > 0 else COLOURS[1] for effect in effects]
    axes.bar(range(len(words)), effects, color=colours)
    axes.set_xticks(range(len(words)), [word.replace("$", r"\$") for word in words], rotation=60, ha="right")
    axes.axhline(0, color="0.5", linewidth=0.8)
    axes.set_ylabel("log odds")
    return figure
