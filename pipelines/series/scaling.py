"""Means, deviations, spreads and log scales of what is learned from: how a network's own units are chosen."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from pipelines.series.centers import fit_blend
from pipelines.series.model import Forecaster

SMALL_COUNT = 30  # of nine tenths of the values: larger counts have so many steps that quantiles suit them
OFTEN_ZERO = 0.1  # share of zeros from which on zero has a place of its own
SMALLEST_DEVIATION = 1e-6  # of a column, beside its mean; a constant column is only centred
LOG_START = 0.5  # of a log scale, beside the smallest value that was learned
SMALLEST_SPREAD = 1e-2  # of errors around a blend, beside those around the last value
MOST_SCALED = 2000  # series, evenly chosen, that the spreads and the blend are fitted on


def column_statistics(values: np.ndarray, observed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation (columns,) of what is observed of values (time, columns); 0 and 1 where nothing varies.

    Example:
        >>> mean, deviation = column_statistics(np.array([[1.0, 5.0], [3.0, 5.0]]), np.full((2, 2), True))
        >>> mean, deviation
        (array([2., 5.], dtype=float32), array([1., 1.], dtype=float32))
    """
    count = np.maximum(observed.sum(axis=0), 1)
    mean = np.where(observed, values, 0).sum(axis=0, dtype=np.float64) / count
    deviation = np.sqrt((np.where(observed, values - mean, 0) ** 2).sum(axis=0, dtype=np.float64) / count)
    varies = deviation > SMALLEST_DEVIATION * np.maximum(np.abs(mean), SMALLEST_DEVIATION)
    return mean.astype(np.float32), np.where(varies, deviation, 1).astype(np.float32)


def bounds_of(values: np.ndarray) -> tuple[float, float]:
    """Returns the floor and the ceiling that values show, infinite where they show none.

    The floor is 0 where nothing is negative. The ceiling is 1 or 100 where nothing is above, something is at it, and
    there is a floor: a share or a percentage.

    Example:
        >>> [bounds_of(np.array(values)) for values in ([0.0, 3.0, 7.0], [12.0, 60.0, 100.0], [-1.0, 1.0])]
        [(0.0, inf), (0.0, 100.0), (-inf, inf)]
    """
    values = values[np.isfinite(values)]
    if not len(values) or values.min() < 0:
        return -np.inf, np.inf
    highest = float(values.max())
    return 0.0, highest if highest in (1.0, 100.0) and len(np.unique(values)) > 2 else np.inf


def is_count(values: np.ndarray) -> bool:
    """Whether all values (…,) are counts: whole numbers from 0 on, three different ones at least.

    Example:
        >>> is_count(np.array([0.0, 3.0, 7.0, np.nan])), is_count(np.array([0.5, 1.0, 2.0]))
        (True, False)
    """
    values = values[np.isfinite(values)]
    return bool(((values == np.round(values)) & (values >= 0)).all()) and len(np.unique(values)) > 2


def distribution_of(values: np.ndarray) -> str:
    """Returns the distribution that suits what values (…,) are: counts, amounts that are often zero, or others.

    Example:
        >>> distribution_of(np.array([0.0, 3.0, 1.0, 0.0])), distribution_of(np.array([0.0, 2.5, 0.0, 0.7]))
        ('negative_binomial', 'zero_inflated')
        >>> distribution_of(np.array([20.1, 19.5, 21.0]))
        'quantiles'
    """
    values = values[np.isfinite(values)]
    if not len(values) or values.min() < 0:
        return "quantiles"
    if is_count(values) and np.quantile(values, 0.9) <= SMALL_COUNT:
        return "negative_binomial"
    return "zero_inflated" if (values == 0).mean() >= OFTEN_ZERO and not is_count(values) else "quantiles"


def is_proportional(histories: Sequence[np.ndarray], season: int = 1) -> bool:
    """Whether changes of values (time,) of some series grow with their level, so that a log scale suits them.

    It does where the likelihood of their changes after a season is higher on it (Box and Cox 1964,
    https://doi.org/10.1111/j.2517-6161.1964.tb00553.x), with σ the deviation of n changes of y or of ln y:

        Σ n ln σ(y) > Σ n ln σ(ln y) + Σ ln y

    Args:
        histories: NaN where missing.
        season: in steps; 1 without one.

    Example:
        >>> growth = np.random.default_rng(0).normal(0.02, 0.03, 200)
        >>> is_proportional([np.exp(np.cumsum(growth))]), is_proportional([100 + np.cumsum(growth)])
        (True, False)
    """
    evidence = 0.0
    for values in histories:
        if np.nanmin(values, initial=np.inf) <= 0:
            return False
        before, after = values[:-season], values[season:]
        known = np.isfinite(before) & np.isfinite(after)
        if known.sum() > 2:
            before, after = before[known].astype(np.float64), after[known].astype(np.float64)
            level = np.exp(np.log(after).mean())
            changes = (np.std(after - before) / level, np.std(np.log(after / before)))
            absolute, relative = np.maximum(changes, SMALLEST_DEVIATION)
            evidence += known.sum() * np.log(absolute / relative)
    return bool(evidence > 0)


def spreads(
    histories: Sequence[tuple[np.ndarray, np.ndarray]], horizon: int, relative: bool, cumulative: bool
) -> np.ndarray:
    """Root mean square (horizon, targets) of what is forecast, over all scaled series; 1 where it is always zero.

    Args:
        histories: scaled targets and observed (time, targets) of each series.
        horizon: steps ahead.
        relative: differences from the last value are forecast.
        cumulative: sums from the next value on are forecast.
    """
    targets = histories[0][0].shape[1]
    squares, counts = np.zeros((horizon, targets)), np.zeros((horizon, targets))
    for values, observed in histories:
        values, seen = np.where(observed, values, 0).astype(np.float64), observed
        sums, missing = np.cumsum(values, axis=0), np.cumsum(~observed, axis=0)
        for steps in range(1, min(horizon, len(values) - 1) + 1):
            if cumulative:
                ahead, both = sums[steps:] - sums[:-steps], missing[steps:] == missing[:-steps]
            else:
                both = seen[steps:] & seen[:-steps] if relative else seen[steps:]
                ahead = values[steps:] - values[:-steps] if relative else values[steps:]
            squares[steps - 1] += np.sum(np.where(both, ahead, 0) ** 2, axis=0)
            counts[steps - 1] += both.sum(axis=0)
    found = np.sqrt(squares / np.maximum(counts, 1))
    return np.where(found > SMALLEST_DEVIATION, found, 1).astype(np.float32)


def fit_scales(forecaster: Forecaster, histories: list[tuple[np.ndarray, np.ndarray]]) -> None:
    """Fits the scales on values and observed (time, columns) of each series: those of the training split alone."""
    if forecaster.network.has_bounds:
        _fit_bounds(forecaster, histories)
    if forecaster.network.log_scale:
        smallest = [np.where(o, v, np.inf)[:, : forecaster.targets].min(axis=0) for v, o in histories]
        logarithmic = [name in forecaster.network.log_scale for name in forecaster.columns.targets]
        forecaster.log_start.assign(np.where(logarithmic, LOG_START * np.min(smallest, axis=0), 0))
        histories = [(forecaster.scaled(tf.constant(values)).numpy(), observed) for values, observed in histories]
    statistics = [column_statistics(values, observed) for values, observed in histories]
    mean, deviation = (np.stack(each) for each in zip(*statistics, strict=True))  # (series, columns)
    for number in np.flatnonzero(forecaster.is_static):  # a series by itself has no scale of what tells it from others
        middle, spread = mean[:, number].mean(), mean[:, number].std()
        mean[:, number], deviation[:, number] = middle, spread or 1.0
    forecaster.mean.assign(np.concatenate([mean, mean.mean(0, keepdims=True)]))
    forecaster.deviation.assign(np.concatenate([deviation, deviation.mean(0, keepdims=True)]))
    chosen, every = slice(forecaster.targets), -(-len(histories) // MOST_SCALED)
    scaled = [
        (((values - center) / scale)[:, chosen], observed[:, chosen])
        for (values, observed), center, scale in [*zip(histories, mean, deviation, strict=True)][::every]
    ]
    found = spreads(scaled, forecaster.steps, forecaster.network.relative, forecaster.cumulative)
    if forecaster.network.center:
        blend, left = fit_blend(scaled, forecaster.steps, forecaster.network.season)
        forecaster.blend.assign(blend)
        extremes = np.stack([[values.min(axis=0), values.max(axis=0)] for values, _ in histories], axis=1)
        low, high = (extremes - mean) / deviation  # (series, columns) each
        seen = np.stack([low.min(axis=0), high.max(axis=0)])
        seen[:, chosen] *= blend[..., 1].any(axis=0)  # a level that says nothing is hidden
        forecaster.seen.assign(seen)
        found = np.where(left > SMALLEST_SPREAD * found, left, SMALLEST_SPREAD * found)
    forecaster.spread.assign(found)


def _fit_bounds(forecaster: Forecaster, histories: list[tuple[np.ndarray, np.ndarray]]) -> None:
    """Takes the floor and the ceiling that are asked for, or those that the targets show."""
    network = forecaster.network
    shown = np.array([(-np.inf, np.inf)] * forecaster.targets)
    if network.bounded and not forecaster.cumulative:
        columns = [np.concatenate([v[o[:, n], n] for v, o in histories]) for n in range(forecaster.targets)]
        shown = np.array([bounds_of(each) for each in columns])
    floor, ceiling = shown.T
    forecaster.floor.assign(floor if network.floor is None else np.full(forecaster.targets, network.floor))
    forecaster.ceiling.assign(ceiling if network.ceiling is None else np.full(forecaster.targets, network.ceiling))
