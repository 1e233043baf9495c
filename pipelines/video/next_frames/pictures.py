"""Forecast frames to look at: error by horizon, film strips, and films side by side, as mp4 or gif."""

import io
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from pipelines.plots import COLOURS
from pipelines.video.frames import to_rgb

OTHERS = ("#666666", "#D55E00", "#009E73", "#CC79A7", "#E69F00")  # colours of the baselines
STRIP_FRAMES = 10  # of the future, at most
FRAMES_A_SECOND = 5.0
FASTEST_GIF = 20  # milliseconds of a frame; browsers show a faster gif much slower
BROWSER_CODECS = {"libx264": {"crf": "18"}, "libvpx-vp9": {"crf": "24", "b": "0"}}  # with their options
GAP, MARGIN, LETTERS = 4, 22, 0.45  # pixels between pictures and above them, and the size of letters
PAGE = (255, 255, 255)
INK = (40, 40, 40)
MARK = (0, 158, 115)


def by_horizon(means: Mapping[str, Mapping[str, np.ndarray]], names: Sequence[str]) -> Figure:
    """Draws some metrics of each row, a panel each, against the frames ahead.

    Args:
        means: by row and metric, (future,).
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


def error_rgb(forecasts: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Returns what is too bright in a forecast in red and what is too dark in blue, on white, uint8 (…, 3)."""
    error = (forecasts - truth).mean(axis=-1)
    fade = 1 - np.minimum(np.abs(error), 1)
    red, blue = np.where(error > 0, 1, fade), np.where(error < 0, 1, fade)
    return to_rgb(np.stack([red, fade, blue], axis=-1))


def side_by_side(films: Mapping[str, np.ndarray], scale: int = 2) -> np.ndarray:
    """Puts films of equal length and size side by side, each with its name above.

    Args:
        films: by name, uint8 (time, height, width, 3).
        scale: each pixel becomes so many in each direction.

    Returns:
        uint8 (time, height, width, 3).
    """
    height, width = (scale * size for size in next(iter(films.values())).shape[1:3])
    wide = GAP + len(films) * (width + GAP)
    pages = []
    for frames in zip(*films.values(), strict=True):
        page = np.full((MARGIN + height + GAP, wide, 3), PAGE, np.uint8)
        for place, (name, frame) in enumerate(zip(films, frames, strict=True)):
            left = GAP + place * (width + GAP)
            cv2.putText(page, name, (left, MARGIN - 7), cv2.FONT_HERSHEY_SIMPLEX, LETTERS, INK, 1, cv2.LINE_AA)
            page[MARGIN : MARGIN + height, left : left + width] = frame.repeat(scale, axis=0).repeat(scale, axis=1)
        pages.append(page)
    return np.stack(pages)


def write_mp4(path: Path, film: np.ndarray, frames_a_second: float = FRAMES_A_SECOND) -> None:
    """Writes uint8 (time, height, width, 3) as a film that any browser plays: H.264, or VP9 where that is missing.

    Raises:
        OSError: it cannot be written.
    """
    odd = [size % 2 for size in film.shape[1:3]]
    film = np.pad(film, [(0, 0), (0, odd[0]), (0, odd[1]), (0, 0)], mode="edge")  # encoders take even sides only
    codec = next(name for name in BROWSER_CODECS if name in av.codecs_available)
    rate = Fraction(frames_a_second).limit_denominator(1000)
    try:
        with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
            stream: Any = container.add_stream(codec, rate=rate, options=BROWSER_CODECS[codec])
            stream.height, stream.width = film.shape[1:3]
            stream.pix_fmt = "yuv420p"
            for frame in film:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
            container.mux(stream.encode())
    except av.FFmpegError as error:
        raise OSError(f"{path} cannot be written: {error}") from error


def gif(film: np.ndarray, frames_a_second: float = FRAMES_A_SECOND) -> bytes:
    """Returns uint8 (time, height, width, 3) as an endless gif."""
    first, *others = (Image.fromarray(frame) for frame in film)
    buffer = io.BytesIO()
    duration = max(FASTEST_GIF, round(1000 / frames_a_second))
    first.save(buffer, "GIF", save_all=True, append_images=others, duration=duration, loop=0, disposal=1)
    return buffer.getvalue()


def stills(film: np.ndarray, most: int) -> np.ndarray:
    """Returns frames of a film side by side, evenly spread and the last among them, uint8 (height, width, 3).

    >>> stills(np.zeros((30, 8, 10, 3), np.uint8), 4).shape
    (8, 52, 3)
    """
    chosen = np.unique(np.linspace(0, len(film) - 1, min(most, len(film))).round().astype(int))
    gap = np.full((film.shape[1], GAP, 3), PAGE, np.uint8)
    return np.concatenate([part for place in chosen for part in (film[place], gap)][:-1], axis=1)


def marked(film: np.ndarray, given: int) -> np.ndarray:
    """Draws a bar at the lower edge of the first frames, those that were given, uint8 (time, height, width, 3)."""
    film = film.copy()
    film[:given, -max(1, film.shape[1] // 32) :] = MARK
    return film
