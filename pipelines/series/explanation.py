"""What a forecast looked at: how it changes when an input is hidden (occlusion)."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pipelines.series.forecasting import read
from pipelines.series.model import Forecaster
from pipelines.series.regular import Columns, Series

Ask = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Values (batch, time, columns) and the known future (batch, horizon, known), NaN where hidden, to (batch, horizon,
targets)."""
WINDOWS = 4  # of a history, that an explanation reads
BLOCKS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)  # steps before the forecast, at which blocks that are hidden begin


class Influence(NamedTuple):
    """How a forecast changes because an input is known: on average over the horizon, in the target's own units."""

    series: str
    target: str
    input: str
    change: float
    size: float


def influences(history: Series, future: np.ndarray, columns: Columns, ask: Ask) -> list[Influence]:
    """Returns the influence of each covariate, and of each stretch of the past of the targets, the largest first.

    A hidden covariate is one that was never measured. Hidden values of a target count as missing: the last value before
    them goes on.

    Args:
        history: of one series, up to the forecast.
        future: (horizon, known).
        columns: names of its columns.
        ask: forecasts.
    """
    values = np.where(history.observed, history.values, np.nan)
    targets, known = len(columns.targets), len(columns.known)
    hidden: list[tuple[str, np.ndarray, np.ndarray]] = []
    for number, name in enumerate(columns.all[targets:], targets):
        without, ahead = values.copy(), future.copy()
        without[:, number] = np.nan
        if number >= len(columns.all) - known:
            ahead[:, number - (len(columns.all) - known)] = np.nan
        hidden.append((name, without, ahead))
    time = len(values)
    for nearest, farthest in zip(BLOCKS, (*BLOCKS[1:], time), strict=True):
        if nearest < time:
            for number, name in enumerate(columns.targets):
                without = values.copy()
                without[max(time - farthest + 1, 1) : time - nearest + 1, number] = np.nan
                hidden.append((f"{name}, {stretch_text(nearest, farthest - 1)}", without, future))
    stacked = [np.stack(each) for each in zip((values, future), *(each[1:] for each in hidden), strict=True)]
    answers = ask(stacked[0], stacked[1])
    changes = answers[0] - answers[1:]  # (hidden, horizon, targets)
    found = [
        Influence(
            history.name,
            target,
            name,
            float(changes[row, :, place].mean()),
            float(np.abs(changes[row, :, place]).mean()),
        )
        for place, target in enumerate(columns.targets)
        for row, (name, _, _) in enumerate(hidden)
    ]
    return sorted(found, key=lambda each: (columns.targets.index(each.target), -each.size))


def stretch_text(nearest: int, farthest: int) -> str:
    """Names a stretch of steps before a forecast.

    Example:
        >>> stretch_text(1, 1), stretch_text(2, 3)
        ('the last step', '2 to 3 steps back')
    """
    if nearest == 1:
        return "the last step"
    return f"{nearest} to {farthest} steps back"


def at_origin(forecaster: Forecaster, series: Series, step: int, steps: int) -> list[Influence]:
    """Returns what the forecast of a series after a step looked at.

    Args:
        forecaster: whose forecast it is.
        series: with the steps after the origin, of which the known columns are read.
        step: the origin.
        steps: of the history that are read, the last ones.
    """
    history, horizon = series.cut(max(0, step + 1 - steps), step + 1), forecaster.horizon
    ahead = slice(step + 1, step + 1 + horizon)
    known, columns = len(forecaster.columns.known), len(forecaster.columns.all)
    times = np.concatenate([history.times, series.times[ahead]])
    number, median = forecaster.number_of(series.name), forecaster.levels.index(0.5)

    def ask(values: np.ndarray, future: np.ndarray) -> np.ndarray:
        rows = np.concatenate([np.full((len(values), horizon, columns - known), np.nan), future], axis=2)
        whole = np.concatenate([values, rows], axis=1).astype(np.float32)
        inputs = np.nan_to_num(whole), np.isfinite(whole), np.tile(times, (len(values), 1))
        numbers = np.full(len(values), number, np.int32)
        quantiles, _ = read(forecaster, *inputs, numbers, np.array([len(history.times) - 1], np.int32))
        return quantiles.numpy()[:, 0, ..., median]

    return influences(history, series.values[ahead, columns - known :], forecaster.columns, ask)
