"""Readings that were improbable by the forecast of some steps before."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipelines.series.quantile_functions import probability_below
from pipelines.series.regular import Columns, Series, time_text

RARE = 0.99  # share of steps into which a column changed less, from which on its change is named


class Anomaly(NamedTuple):
    """A reading outside of its interval, how probable one as far out on either side was, and what stands beside it.

    `columns` are those that changed more into this step than into 99 % of the others, the most unusual first; `reason`
    says all of it in words.
    """

    series: str
    time: str
    target: str
    value: float
    low: float
    high: float
    probability: float
    expected: float
    columns: str
    reason: str


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
    unusual = _unusual_changes(history)
    middle = list(levels).index(0.5)
    found = []
    for step, target in np.argwhere((two_sided <= probability) & outside):
        at, name = step + steps_before, columns.targets[target]
        value, low, high, expected = (
            float(history.with_offset(each)[target])
            for each in (truth[step], *(quantiles[step, :, place] for place in (0, -1, middle)))
        )
        beside = [columns.all[place] for place in np.argsort(-unusual[at], kind="stable") if unusual[at, place] > RARE]
        reason = _in_words(name, value, low, high, expected, float(two_sided[step, target]), steps_before, beside)
        numbers = value, low, high, float(two_sided[step, target]), expected
        when = time_text(history.times[at], zone)
        found.append(Anomaly(history.name, when, name, *numbers, ", ".join(beside), reason))
    return found


def _unusual_changes(history: Series) -> np.ndarray:
    """Of each step the share of steps into which a column changed less (time, columns); 0 where it is not known."""
    values = np.where(history.observed, history.values, np.nan).astype(np.float64)
    changes = np.abs(np.diff(values, axis=0, prepend=np.nan))
    found = np.zeros(changes.shape)
    for number, each in enumerate(changes.T):
        known = np.isfinite(each) & (each > 0)
        found[known, number] = np.searchsorted(np.sort(each[np.isfinite(each)]), each[known]) / np.isfinite(each).sum()
    return found


def _in_words(
    name: str,
    value: float,
    low: float,
    high: float,
    expected: float,
    probability: float,
    steps_before: int,
    beside: Sequence[str],
) -> str:
    """Says why a reading is an anomaly.

    Example:
        >>> print(_in_words("load", 9.0, 1.0, 3.0, 2.0, 0.001, 1, ["wind"]).replace(". ", ".\\n"))
        load is 9, above the range from 1 to 3 that was expected 1 step before (median 2).
        So far out is one reading in 1,000.
        At this step wind changed more than at 99 % of the others.
    """
    side = "above" if value > high else "below"
    odds = f"one reading in {1 / probability:,.0f}" if probability > 1e-6 else "less than one reading in a million"
    changed = f" At this step {', '.join(beside)} changed more than at 99 % of the others." if beside else ""
    return (
        f"{name} is {value:g}, {side} the range from {low:g} to {high:g} that was expected {steps_before} "
        f"step{'s' * (steps_before > 1)} before (median {expected:g}). So far out is {odds}.{changed}"
    )
