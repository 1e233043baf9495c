"""Pictures of forecast frames: error by horizon, and film strips of truth, forecasts and error."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from pipelines.plots import COLOURS
from pipelines.video.frames import to_rgb
from pipelines.video.next_frames.films import error_rgb

OTHERS = ("#666666", "#D55E00", "#009E73", "#CC79A7", "#E69F00")  # colours of the baselines
STRIP_FRAMES = 10  # of the future, at most


def by_horizon(means: Mapping[str, Mapping[str, np.ndarray]], names: Sequence[str]) -> Figure:
    """Draws some metrics of each row, a panel each, against the frames ahead.

    Args:
        means: by row and metric, (future,).
        names: of the metrics.
    """
    figure = Figure(figsize=(4.6 * len(names), 3.8), layout="constrained")
    for axes, metric in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        for place, (name, found) in enumerate(means.items()):
            mean = found[metric]
            colour, width = (COLOURS[0], 2.5) if place == 0 else (OTHERS[(place - 1) % len(OTHERS)], 1.3)
            axes.plot(range(1, len(mean) + 1), mean, color=colour, linewidth=width, marker=".", label=name)
        axes.set_xlabel("frames ahead")
        axes.set_title(metric.replace("_", " "))
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
    figure.axes[0].legend(fontsize=8)
    return figure


def strip(given: np.ndarray, truth: np.ndarray, forecasts: Mapping[str, np.ndarray]) -> Figure:
    """Draws a clip as film strips: what was given, what came, what was forecast, and the first forecast's error.

    Args:
        given: (time, height, width, channels), from 0 to 1.
        truth: (future, height, width, channels).
        forecasts: by name, likewise; the first is the model's.
    """
    chosen = np.unique(np.linspace(0, len(truth) - 1, min(STRIP_FRAMES, len(truth))).round().astype(int))
    before = given[-len(chosen) :]
    rows = {"given": before, "truth": truth[chosen]} | {name: each[chosen] for name, each in forecasts.items()}
    films = {name: to_rgb(frames) for name, frames in rows.items()}
    films["error"] = error_rgb(next(iter(forecasts.values()))[chosen], truth[chosen])
    height, width = given.shape[1:3]
    figure = Figure(figsize=(9, 0.25 + 9 / len(chosen) * height / width * len(films) * 1.05), layout="constrained")
    grid = figure.subplots(len(films), len(chosen), squeeze=False)
    for axes, (name, frames) in zip(grid, films.items(), strict=True):
        for place, panel in enumerate(axes):
            panel.set_xticks([])
            panel.set_yticks([])
            if place < len(frames):
                panel.imshow(frames[place])
            else:
                panel.axis("off")
        axes[0].set_ylabel(name, fontsize=8)
    for panel, number in zip(grid[1], chosen, strict=True):
        panel.set_title(f"+{number + 1}", fontsize=8)
    return figure
