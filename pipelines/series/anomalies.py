"""Readings that were improbable by the forecast of some steps before."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipelines.series.quantile_functions import probability_below
from pipelines.series.regular import Columns, Series, time_text


class Anomaly(NamedTuple):
    """A reading outside of its interval, and how probable one as far out on either side was."""

    series: str
    time: str
    target: str
    value: float
    low: float
    high: float
    probability: float


def truth_ahead(history: Series, targets: int, steps: int, cumulative: bool) -> np.ndarray:
    """Returns the truth `steps` after each step, (time, targets), NaN where it is not known.

    Args:
        history: regular.
        targets: how many of the first columns.
        steps: ahead.
        cumulative: the truth is the sum of the values from the next step on.

    Example:
        >>> values = np.array([[1.0], [2.0], [3.0]], np.float32)
        >>> series = Series("a", np.arange(3), values, values > 0)
        >>> truth_ahead(series, 1, 2, cumulative=True).ravel()
        array([ 5., nan, nan])
    """
    values = np.where(history.observed, history.values, np.nan)[:, :targets].astype(np.float64)
    padded = np.pad(values, [(0, steps), (0, 0)], constant_values=np.nan)
    ahead = np.lib.stride_tricks.sliding_window_view(padded[1:], steps, axis=0)  # (time, targets, steps)
    return ahead.sum(axis=-1) if cumulative else ahead[..., -1]


def find_anomalies(
    history: Series,
    columns: Columns,
    quantiles: np.ndarray,
    levels: Sequence[float],
    truth: np.ndarray,
    steps_before: int,
    probability: float,
    zone: str = "",
) -> list[Anomaly]:
    """Returns the readings that were at most so probable.

    Args:
        history: the series.
        columns: names of its columns.
        quantiles: (time, targets, levels), the forecasts after each step of the value `steps_before` steps later.
        levels: of the quantiles, rising.
        truth: (time, targets), those values, NaN where they are not known.
        steps_before: so long before a reading its forecast was made.
        probability: of a reading at least as far out on either side.
        zone: of the times.
    """
    below = probability_below(quantiles, levels, truth)  # (time, targets)
    two_sided = np.where(np.isfinite(truth), 2 * np.minimum(below, 1 - below), 1.0)
    outside = (truth < quantiles[..., 0]) | (truth > quantiles[..., -1])
    return [
        Anomaly(
            history.name,
            time_text(history.times[step + steps_before], zone),
            columns.targets[target],
            float(history.with_offset(truth[step])[target]),
            float(history.with_offset(quantiles[step, :, 0])[target]),
            float(history.with_offset(quantiles[step, :, -1])[target]),
            float(two_sided[step, target]),
        )
        for step, target in np.argwhere((two_sided <= probability) & outside)
    ]
