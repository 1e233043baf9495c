"""Losses of probabilistic forecasts, their means with intervals, and the Diebold–Mariano test."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import scipy.stats

from pipelines.evaluation import Metric, bootstrap, ratio
from pipelines.series.backtest import Forecasts, Origins

INTERVALS = (50, 80, 95)  # percent, in the middle of the distribution
COMPARED = ("mae", "crps")  # by the Diebold–Mariano test
SIGNIFICANT = 0.05  # p-values below
VARIANTS = ("without adaptation", "without calibration")
"""Rows that are the model in another form, and no baselines."""
Losses = dict[str, np.ndarray]


def losses(
    forecasts: Forecasts, truth: np.ndarray, levels: Sequence[float], scale: np.ndarray, log_returns: bool = False
) -> Losses:
    """Returns the loss of each forecast by the name of its metric, (origins, horizon), NaN where the truth is missing.

    `mae`, `mase`, `smape` and `direction` judge the median, `rmse` the mean, the others all quantiles; `mae_1` and
    `direction` are of the next step.

    Args:
        forecasts: of one row of the table.
        truth: (origins, horizon), NaN where it was not observed.
        levels: of the quantiles, rising, 0.5 among them.
        scale: (origins,), what `mase` divides by: the mean error of the seasonal naive forecast in training
            (Hyndman and Koehler, "Another look at measures of forecast accuracy", 2006).
        log_returns: `smape` is of the prices, not of their log returns, which are often close to 0.
    """
    median = forecasts.quantiles[..., list(levels).index(0.5)]
    error = np.abs(truth - median)
    size, truth_size, median_size = error, np.abs(truth), np.abs(median)
    if log_returns:  # of prices over the last price
        truth_size, median_size = np.exp(truth), np.exp(median)
        size = np.abs(truth_size - median_size)
    pinball = pinball_losses(forecasts.quantiles, truth, levels)
    found = {
        "mae": error,
        "rmse": np.square(truth - forecasts.mean),  # its root is taken of the mean
        "mase": error / scale[:, np.newaxis],
        "smape": 200 * np.divide(size, truth_size + median_size, out=np.zeros_like(size), where=size != 0),
        "pinball": pinball.mean(axis=-1),
        "crps": crps_of_quantiles(forecasts.quantiles, truth, levels),
    }
    known = central_intervals(levels)
    for percent in INTERVALS:
        if percent in known:
            low, high = (forecasts.quantiles[..., place] for place in known[percent])
            found[f"coverage_{percent}"] = np.where(np.isnan(truth), np.nan, (low <= truth) & (truth <= high))
    found["mae_1"] = error[:, :1]
    if log_returns:
        found["direction"] = direction_hits(median, truth)[:, :1]
    return found


def central_intervals(levels: Sequence[float]) -> dict[float, tuple[int, int]]:
    """Returns the places of the two quantiles that bound each central interval, by its percent, the widest first.

    Example:
        >>> central_intervals([0.1, 0.25, 0.5, 0.75, 0.9])
        {80.0: (0, 4), 50.0: (1, 3)}
    """
    places = {round(level, 6): place for place, level in enumerate(levels)}
    lower = [level for level in places if level < 0.5 and round(1 - level, 6) in places]
    return {round(100 - 200 * level, 4): (places[level], places[round(1 - level, 6)]) for level in lower}


def pinball_losses(quantiles: np.ndarray, truth: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """Returns the pinball loss of each quantile, (origins, horizon, levels): least, on average, for the true one.

    Koenker and Bassett, "Regression quantiles", 1978:

        loss = level · (truth − quantile) above the quantile, (1 − level) · (quantile − truth) below it

    Example:
        >>> pinball_losses(np.array([[[1.0, 3.0]]]), np.array([[2.0]]), [0.1, 0.5]).round(3).tolist()
        [[[0.1, 0.5]]]
    """
    error, shares = truth[..., np.newaxis] - quantiles, np.asarray(levels)
    return np.maximum(shares * error, (shares - 1) * error)


def crps_of_quantiles(quantiles: np.ndarray, truth: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """Returns the continuous ranked probability score from some quantiles, (origins, horizon), in units of the truth.

    Gneiting and Raftery, "Strictly proper scoring rules, prediction, and estimation", 2007: twice the integral of the
    pinball loss over all levels. It is approximated by the trapezoidal rule; beyond the outermost levels their
    quantiles stand for the rest. With the 15 levels of the presets the error is within 2 % for a normal distribution;
    it is the same rule for every row of a table.

    Example:
        >>> crps_of_quantiles(np.array([[[1.0, 1.0, 1.0]]]), np.array([[3.0]]), [0.1, 0.5, 0.9]).tolist()
        [[2.0]]
    """
    whole = [0.0, *levels, 1.0]
    extended = np.concatenate([quantiles[..., :1], quantiles, quantiles[..., -1:]], axis=-1)
    return 2 * np.trapezoid(pinball_losses(extended, truth, whole), whole, axis=-1)


def direction_hits(median: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Returns 1 where rise or fall was foreseen, else 0; NaN where nothing was foreseen or nothing happened."""
    predicted, actual = np.sign(median), np.sign(truth)
    return np.where((predicted == 0) | (actual == 0) | np.isnan(actual), np.nan, predicted == actual)


def metrics(found: Losses, naive: Losses, origins: Origins) -> dict[str, Metric]:
    """Returns the mean of each loss with its 95 % interval, and the `skill`: the share of naive's MAE that is saved.

    Neighbouring origins share targets and weather, so that their losses depend on each other: the bootstrap draws
    blocks of twice the horizon, with all series of a time together. A metric without any loss is left out.
    """
    block = 2 * origins.truth.shape[1]
    results = {}
    for name, loss in found.items():
        sums = by_time(loss, origins.time)
        if sums[1].sum():
            results[name] = bootstrap(sums, root_of_ratio if name == "rmse" else ratio, block=block)
    theirs = by_time(naive["mae"], origins.time)[0]
    if theirs.sum():
        results["skill"] = bootstrap((by_time(found["mae"], origins.time)[0], theirs), skill, block=block)
    return results


def by_time(loss: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns sum and number of the losses (origins, horizon) at each time, series together, in the order of time."""
    place = np.unique(times, return_inverse=True)[1]
    counted = ~np.isnan(loss)
    return np.bincount(place, np.nansum(loss, axis=1)), np.bincount(place, counted.sum(axis=1))


def root_of_ratio(sums: np.ndarray, counts: np.ndarray, axis: int) -> np.ndarray:
    return np.sqrt(ratio(sums, counts, axis))


def skill(ours: np.ndarray, theirs: np.ndarray, axis: int) -> np.ndarray:
    return 1 - ratio(ours, theirs, axis)


class Comparison(NamedTuple):
    """The Diebold–Mariano test of two forecasts.

    Attributes:
        difference: mean loss of the first without that of the second.
        statistic: negative where the first is better.
        p: of a statistic at least as far from zero if both were equally good.
    """

    difference: float
    statistic: float
    p: float


def diebold_mariano(first: np.ndarray, second: np.ndarray, horizon: int) -> Comparison:
    """Tests whether two forecasts of the same targets are equally good.

    Diebold and Mariano, "Comparing predictive accuracy", 1995, with the correction for small samples of Harvey,
    Leybourne and Newbold, "Testing the equality of prediction mean squared errors", 1997. d are the n differences of
    the losses, γ their autocovariances and h the horizon, for errors of h steps ahead depend on h − 1 neighbours:

        variance = (γ(0) + 2 Σ γ(k), k < h) / n
        statistic = mean(d) / √variance · √((n + 1 − 2 h + h (h − 1) / n) / n), Student's t with n − 1 degrees

    That variance may come out negative; then γ(k) is weighted by 1 − k / h (Newey and West, "A simple, positive
    semi-definite, heteroskedasticity and autocorrelation consistent covariance matrix", 1987).

    Args:
        first: loss at each origin, (origins,), in the order of time; NaN is left out.
        second: the same of the other forecast.
        horizon: steps ahead, the longest if a loss is a mean over several.

    Returns:
        The comparison, its p NaN where there are not more origins than steps.

    Example:
        >>> diebold_mariano(np.tile([1.0, 2.0], 50), np.tile([2.0, 2.5], 50), 1).p < 0.001
        True
    """
    differences = first - second
    differences = differences[~np.isnan(differences)]
    count = len(differences)
    if count <= horizon:
        return Comparison(float(differences.mean()) if count else np.nan, np.nan, np.nan)
    mean = differences.mean()
    centred = differences - mean
    lags = np.arange(1, horizon)
    covariances = np.array([centred[lag:] @ centred[: count - lag] for lag in lags]) / count
    variance = (centred @ centred / count + 2 * covariances.sum()) / count
    if variance <= 0:
        variance = (centred @ centred / count + 2 * ((1 - lags / horizon) * covariances).sum()) / count
    if variance <= 0:  # the same difference everywhere: none, or a sure one
        return Comparison(float(mean), float(np.sign(mean) * np.inf) if mean else 0.0, 0.0 if mean else 1.0)
    correction = (count + 1 - 2 * horizon + horizon * (horizon - 1) / count) / count
    statistic = float(mean / np.sqrt(variance) * np.sqrt(correction))
    return Comparison(float(mean), statistic, float(2 * scipy.stats.t.sf(abs(statistic), count - 1)))


def compare(first: np.ndarray, second: np.ndarray, origins: Origins, step: int | None = None) -> Comparison:
    """Tests two rows of a table by their losses (origins, horizon): at one step ahead, or by the mean over all steps.

    Series that share a time are one observation, for they depend on each other.
    """
    chosen = slice(None) if step is None else slice(step - 1, step)
    with np.errstate(invalid="ignore"):  # a time without any truth is left out
        ours, theirs = (np.divide(*by_time(loss[:, chosen], origins.time)) for loss in (first, second))
    steps = origins.truth.shape[1] if step is None else step
    return diebold_mariano(ours, theirs, -(-steps // origins.stride))


def verdict(comparison: Comparison, metric: str) -> str:
    """Says of a baseline, compared as the second with the model, how sure it is that it is worse.

    Example:
        >>> verdict(Comparison(-0.25, -4.0, 0.0002), "MAE")
        'significantly worse than the model: Diebold–Mariano test of MAE, p < 0.001'
    """
    if np.isnan(comparison.p):
        return "too few origins to compare it with the model"
    direction = "worse than" if comparison.difference < 0 else "better than"
    sure = f"significantly {direction}" if comparison.p < SIGNIFICANT else "not significantly different from"
    return f"{sure} the model: Diebold–Mariano test of {metric}, {p_value(comparison.p)}"


def p_value(p: float) -> str:
    """Writes a p-value.

    Example:
        >>> p_value(0.0123), p_value(1e-9)
        ('p = 0.012', 'p < 0.001')
    """
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def best_baseline(rows: Mapping[str, Mapping[str, Metric]], metric: str) -> str:
    """Returns the name of the baseline of the lowest value.

    Example:
        >>> best_baseline({"model": {"mae": Metric(0.5)}, "drift": {"mae": Metric(2.0)}}, "mae")
        'drift'
    """
    return min((name for name in rows if name not in ("model", *VARIANTS)), key=lambda name: rows[name][metric].value)
