"""Pictures of a classifier: the evidence over time under a film strip, and which classes it takes for others."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import to_rgb as rgb_of
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipelines.plots import COLOURS
from pipelines.video.frames import to_rgb

if TYPE_CHECKING:
    from pipelines.video.clip_classes.predictor import Stretch

STRIP = 16  # frames of a film strip at most
MOST_NAMED = 30  # classes whose counts and names are written into the matrix
WIDTH, TALLEST = 10.0, 1.6  # inches of the strip, and of a frame in it
OTHERS = "#BBBBBB"
MOST_ROWS = 20  # classes that are drawn though none of them ever leads


def film_strip(frames: np.ndarray, evidence: np.ndarray, label: int, classes: Sequence[str], title: str) -> Figure:
    """Draws the frames of a clip, and below each the probability of each class after it.

    The true class and those that led at some time have a colour; the others are grey, if there are many.

    Args:
        frames: uint8 (time, height, width, channels).
        evidence: (time, classes), probabilities.
    """
    time = len(frames)
    places = (np.arange(min(time, STRIP)) + 0.5) * max(1, time / STRIP)  # the middles of equal parts
    cell = WIDTH / len(places)  # inches
    high = min(cell * frames.shape[1] / frames.shape[2], TALLEST)
    half = high * frames.shape[2] / frames.shape[1] / cell * time / len(places) / 2  # of a picture's width, in steps
    figure = Figure(figsize=(WIDTH + 1, high + 3.2), layout="constrained")
    strip, axes = figure.subplots(2, 1, sharex=True, height_ratios=(high, 2.6))
    steps = np.arange(1, time + 1)
    for place, frame in zip(places, frames[places.astype(int)], strict=True):
        extent = (place + 0.5 - 0.95 * half, place + 0.5 + 0.95 * half, 0, 1)
        strip.imshow(to_rgb(frame), aspect="auto", extent=extent)
    strip.set_ylim(0, 1)
    strip.axis("off")
    leaders = [label, *(each for each in np.unique(evidence.argmax(axis=1)) if each != label)]
    others = [each for each in range(len(classes)) if each not in leaders]
    if len(classes) <= len(COLOURS):
        leaders, others = leaders + others, []
    for place, each in enumerate(others):
        axes.plot(steps, evidence[:, each], color=OTHERS, linewidth=1, label="" if place else "others")
    for place, each in reversed(list(enumerate(leaders))):
        name = f"{classes[each]} (true)" if place == 0 else classes[each]
        style = {"linewidth": 2.5} if place == 0 else {"linewidth": 1.5, "linestyle": ("-", "--", ":")[place // 4 % 3]}
        axes.plot(steps, evidence[:, each], marker=".", color=COLOURS[place % 4], label=name, zorder=3, **style)
    axes.set_xlim(0.5, time + 0.5)  # so that each frame stands over its step
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("frames seen")
    axes.set_ylabel("probability")
    axes.grid(alpha=0.3)
    axes.xaxis.set_major_locator(MaxNLocator(STRIP, integer=True))
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))  # beside the curves, which it would cover
    strip.set_title(title, fontsize=10)
    return figure


def timeline(stretches: "Sequence[Stretch]", classes: Sequence[str], title: str) -> Figure:
    """Draws what a video shows when: a row for each class, the darker the more probable it is.

    Args:
        classes: their names; of many, those that lead somewhere are drawn.
    """
    leading = {each.label for each in stretches}
    rows = [name for name in classes if name in leading or len(classes) <= MOST_ROWS]
    figure = Figure(figsize=(WIDTH, 1.2 + 0.3 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for row, name in enumerate(rows):
        spans = [(each.start, each.end - each.start) for each in stretches]
        shades = [(*rgb_of(COLOURS[row % 4]), each.probabilities[name]) for each in stretches]
        axes.broken_barh(spans, (row - 0.4, 0.8), facecolors=shades)
    axes.set_yticks(range(len(rows)), rows)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(stretches[0].start, max(each.end for each in stretches))
    axes.set_xlabel("seconds")
    axes.set_title(title, fontsize=10)
    return figure


def accuracy_over_time(evidence: np.ndarray, labels: np.ndarray, majority: float) -> Figure:
    """Draws the share of clips whose class is right after each number of frames.

    Args:
        evidence: (clips, time, classes), probabilities.
        majority: accuracy of the class that is the most frequent one in training.
    """
    figure = Figure(figsize=(7, 3), layout="constrained")
    axes = figure.subplots()
    right = (evidence.argmax(axis=2) == labels[:, np.newaxis]).mean(axis=0)  # (time,)
    axes.plot(np.arange(1, len(right) + 1), right, marker=".", color=COLOURS[0], label="model")
    axes.axhline(majority, color="#666666", linestyle="--", label="majority")
    axes.set_ylim(0, 1.02)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("frames seen")
    axes.set_ylabel("accuracy of the clips")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return figure


def confusion_picture(counts: np.ndarray, classes: Sequence[str]) -> Figure:
    """Draws how often each true class (rows) was taken for each class (columns), in shares of the row."""
    size = min(4 + 0.35 * len(classes), 14)
    figure = Figure(figsize=(size + 1, size), layout="constrained")
    axes = figure.subplots()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if len(classes) <= MOST_NAMED:
        for row, column in np.argwhere(counts):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", fontsize=8, color=colour)
        axes.set_xticks(range(len(classes)), classes, rotation=45, ha="right")
        axes.set_yticks(range(len(classes)), classes)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    return figure
