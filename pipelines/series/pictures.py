"""Pictures of forecasts: fans, error by horizon, calibration, and where the truth fell."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipelines.plots import COLOURS
from pipelines.series.ahead import Forecast
from pipelines.series.backtest import Forecasts, Origins, Task
from pipelines.series.calendar import COUNTED
from pipelines.series.regular import time_text
from pipelines.series.scoring import central_intervals

SHOWN_BEFORE = 3  # horizons of history before a fan, at least `SHORTEST_HISTORY` steps
SHORTEST_HISTORY = 30
DRAWN_SERIES = 8
DRAWN_HISTORY = 4  # horizons before a forecast
OTHERS = ("#666666", "#D55E00", "#009E73", "#CC79A7")  # colours of the baselines
SHADES = {95: "#D3E6F2", 80: "#A3CBE5", 50: "#6BABD4"}  # of the intervals


def error_by_horizon(errors: Mapping[str, np.ndarray], unit: str) -> Figure:
    """Draws the mean error of each row against the steps ahead.

    Args:
        errors: absolute errors by the name of the row, (origins, horizon), NaN where the truth is missing.
        unit: name of what is forecast.
    """
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axes = figure.subplots()
    for place, (name, error) in enumerate(errors.items()):
        ahead = np.arange(1, error.shape[1] + 1)
        mean = np.nanmean(error, axis=0)
        if place == 0:
            axes.plot(ahead, mean, color=COLOURS[0], linewidth=2.5, marker=".", label=name, zorder=3)
        else:
            style = ("-", "--", ":", "-.")[place // len(OTHERS) % 4]
            axes.plot(ahead, mean, color=OTHERS[place % len(OTHERS)], linewidth=1.3, linestyle=style, label=name)
    axes.set_xlabel("steps ahead")
    axes.set_ylabel(f"mean absolute error, {unit}")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, ncols=2)
    return figure


def fans(task: Task, origins: Origins, forecasts: Forecasts, chosen: Mapping[str, int]) -> Figure:
    """Draws some forecasts with their 50, 80 and 95 % ranges, the history before and what came, a panel each.

    Args:
        task: what is forecast.
        origins: of the forecasts.
        forecasts: of the model.
        chosen: numbers of the forecasts to draw, by the title of the panel.
    """
    figure = Figure(figsize=(9, 2.9 * len(chosen)), layout="constrained")
    panels = figure.subplots(len(chosen), 1, squeeze=False)[:, 0]
    for axes, (title, number) in zip(panels, chosen.items(), strict=True):
        index, step = int(origins.series[number]), int(origins.step[number])
        series = task.sets.series[index]
        first = max(0, step + 1 - max(SHOWN_BEFORE * task.horizon, SHORTEST_HISTORY))
        history = np.where(series.observed[:, task.target], task.path(index), np.nan)[first : step + 1]
        base = float(task.base(index, np.array([step]))[0])
        times = series.times.astype("datetime64[s]")
        before, after = times[first : step + 1], times[step + 1 : step + 1 + task.horizon]
        quantiles = forecasts.quantiles[number]  # (horizon, levels)

        axes.plot(before, history - base, color="black", linewidth=1)
        draw_ranges(axes, after, quantiles, task.levels)
        axes.plot(after, origins.truth[number], color="black", linewidth=1, marker=".", markersize=4, label="truth")
        axes.set_title(f"{title}: {series.name}, {time_text(series.times[step])}", fontsize=10)
        axes.set_ylabel(unit_of(task), fontsize=9)
        axes.grid(alpha=0.3)
    panels[0].legend(fontsize=8, ncols=5, loc="upper left")
    return figure


def fan_chart(forecasts: Sequence[Forecast], targets: tuple[str, ...], levels: tuple[float, ...]) -> Figure:
    """Draws the end of each history, and the median and the ranges of what comes, a panel each."""
    panels = [(each, number) for each in forecasts for number in range(len(targets))][:DRAWN_SERIES]
    figure = Figure(figsize=(9, 2.9 * len(panels)), layout="constrained")
    for axes, (each, number) in zip(figure.subplots(len(panels), 1, squeeze=False)[:, 0], panels, strict=True):
        shown = slice(-DRAWN_HISTORY * len(each.times), None)
        past = past_of(each)
        moments = [_moments(times, each.zone) for times in (each.series.times[shown], each.times)]
        axes.plot(moments[0], past[shown, number], color="black", linewidth=1, label="past")
        draw_ranges(axes, moments[1], each.quantiles[:, number], levels)
        axes.set_title(each.series.name, loc="left")
        axes.set_ylabel(targets[number])
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def past_of(forecast: Forecast) -> np.ndarray:
    """Returns the targets as they were measured (time, targets), of prices these themselves; NaN where nothing was."""
    series = forecast.series
    if series.levels is not None:
        return series.levels
    targets = np.where(series.observed, series.values, np.nan)[:, : forecast.mean.shape[1]]
    return series.with_offset(targets.astype(np.float64))


def decimals(values: np.ndarray) -> int:
    """Returns how many decimals values (…,) are written with, in single precision and at most six.

    Example:
        >>> [decimals(np.array(values, np.float32)) for values in ([21_000, 5], [0.25, 7.5], [np.nan])]
        [0, 2, 0]
    """
    values = values[np.isfinite(values)].astype(np.float64)
    near = 1e-6 * np.maximum(np.abs(values), 1e-6)
    return next((places for places in range(6) if (np.abs(values - values.round(places)) <= near).all()), 6)


def _moments(times: np.ndarray, zone: str) -> np.ndarray:
    """Times as a clock of their zone shows them, or the numbers of steps that are only counted."""
    if zone == COUNTED:
        return times
    return np.array([time_text(time, zone)[: len("2024-01-31 15:00:00")] for time in times], "datetime64[s]")


def draw_ranges(axes: Axes, times: np.ndarray, quantiles: np.ndarray, levels: Sequence[float]) -> None:
    """Draws the 50, 80 and 95 % ranges and the median of quantiles (time, levels)."""
    for percent, (low, high) in central_intervals(levels).items():  # the widest first, lowest
        if percent in SHADES:
            colour, label = SHADES[int(percent)], f"{percent:.0f} %"
            axes.fill_between(times, quantiles[:, low], quantiles[:, high], color=colour, linewidth=0, label=label)
    axes.plot(times, quantiles[:, levels.index(0.5)], color=COLOURS[0], linewidth=2, label="median")
    locator = AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def unit_of(task: Task) -> str:
    """Names what is forecast."""
    name = task.sets.columns.targets[task.target]
    return "log return since the origin" if task.log_returns else name


def calibration(truth: np.ndarray, forecasts: Forecasts, levels: Sequence[float]) -> Figure:
    """Draws the share of truths within each interval against what the interval promises, at some steps ahead and all.

    Args:
        truth: (origins, horizon), NaN where missing.
        forecasts: of the model.
        levels: of the quantiles.
    """
    figure = Figure(figsize=(4.6, 4.4), layout="constrained")
    axes = figure.subplots()
    intervals = central_intervals(levels)
    nominal = np.array(list(intervals)) / 100
    inside = [
        (forecasts.quantiles[..., low] <= truth) & (truth <= forecasts.quantiles[..., high])
        for low, high in intervals.values()
    ]
    shares = np.stack([np.where(np.isnan(truth), np.nan, each) for each in inside])  # (intervals, origins, horizon)
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=1)
    horizon = truth.shape[1]
    for step, colour in zip(sorted({1, (horizon + 1) // 2, horizon}), COLOURS[1:], strict=False):
        observed = np.nanmean(shares[..., step - 1], axis=1)
        axes.plot(nominal, observed, color=colour, linewidth=1, label=f"{step} ahead")
    axes.plot(nominal, np.nanmean(shares, axis=(1, 2)), color=COLOURS[0], marker="o", linewidth=2, label="all steps")
    axes.set_xlabel("range of the model")
    axes.set_ylabel("share of truths within it")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return figure


def probability_histogram(truth: np.ndarray, forecasts: Forecasts, levels: Sequence[float]) -> Figure:
    """Draws how often the truth fell between each two quantiles, over how often it should: flat at 1 is perfect.

    The probability integral transform (Dawid, "Statistical theory: the prequential approach", 1984), in the bins that
    the levels make.
    """
    scored = ~np.isnan(truth)
    place = (forecasts.quantiles[scored] < truth[scored][:, np.newaxis]).sum(axis=1)  # (scored,)
    edges = np.concatenate([[0.0], levels, [1.0]])
    widths = np.diff(edges)
    density = np.bincount(place, minlength=len(widths)) / scored.sum() / widths
    figure = Figure(figsize=(4.6, 4.4), layout="constrained")
    axes = figure.subplots()
    axes.bar(edges[:-1], density, widths, align="edge", color=COLOURS[0], alpha=0.7, edgecolor="white")
    axes.axhline(1, color="0.4", linewidth=1)
    axes.set_xlabel("where the truth fell in the forecast distribution")
    axes.set_ylabel("how often, over how often it should")
    axes.set_xlim(0, 1)
    return figure
