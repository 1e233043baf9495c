"""Prices as what can be forecast: log returns, and how much they move."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipelines.series.regular import Columns, Series, SeriesDataError, time_text

RETURNS = "_log_return"  # ends the name of a target
DECAY = 0.94  # what a day's variance keeps of the one's before
PRICES = ("open", "high", "low", "close")
MOVING = (*PRICES, "volume")  # never inputs as they are: they drift away from what was seen in training


def returns_of(series: Sequence[Series], columns: Columns) -> tuple[list[Series], Columns]:
    """Replaces prices by log returns, and open, high, low, close and volume by how much they move.

    A target p becomes log(p[t] / p[t−1]), r[t]. Past covariates are, for each target, |r[t]| and the exponentially
    weighted volatility, σ²[t] = 0.94 σ²[t−1] + 0.06 r²[t] (J. P. Morgan, RiskMetrics, 1996); and, where there are such
    columns, log(high / low), log(close / open) and log(volume[t] / volume[t−1]). All of them are known at t. Known
    covariates and other past ones stay as they are.

    Args:
        series: regular, NaN where missing; their columns may be called as above.
        columns: names of their columns.

    Raises:
        SeriesDataError: a price is not above 0.

    Example:
        >>> prices = np.array([[100.0], [110.0], [99.0]], np.float32)
        >>> returned, columns = returns_of([Series("a", np.arange(3), prices, prices > 0)], Columns(("close",)))
        >>> columns.targets, returned[0].values[:, 0].round(3)
        (('close_log_return',), array([ nan,  0.095, -0.105], dtype=float32))
    """
    returned = []
    for each in series:
        prices = pd.DataFrame(each.values, columns=list(columns.all), dtype=np.float64)
        _refuse_without_logarithm(each, prices, columns)
        targets, past = _targets(prices, columns), _past(prices, columns)
        frame = pd.concat([targets, past, prices[list(columns.known)]], axis=1)
        values = frame.to_numpy(np.float32)  # (time, columns)
        levels = prices[list(columns.targets)].to_numpy()
        returned.append(each._replace(values=values, observed=np.isfinite(values), levels=levels))
    return returned, Columns(tuple(targets), tuple(past), columns.known, columns.static)


def _targets(prices: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    return pd.DataFrame({f"{name}{RETURNS}": np.log(prices[name]).diff() for name in columns.targets})


def _past(prices: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    measures = {}
    for name, returns in _targets(prices, columns).items():
        variance = (returns**2).ewm(alpha=1 - DECAY, ignore_na=True).mean()
        measures[f"absolute_{name}"] = returns.abs()
        measures[f"volatility_of_{name}"] = np.sqrt(variance)
    # A split moves a price overnight, never within a day: ratios of prices that are not adjusted stay within it.
    of_day = {name.lower(): prices[name] for name in columns.targets + columns.past}
    if {"high", "low"} <= of_day.keys():
        measures["log_high_low"] = np.log(of_day["high"] / of_day["low"])
    if {"open", "close"} <= of_day.keys():
        measures["log_close_open"] = np.log(of_day["close"] / of_day["open"])
    if "volume" in of_day:
        traded = of_day["volume"].where(of_day["volume"] > 0)  # none at all has no logarithm: missing
        measures["log_volume_change"] = np.log(traded).diff()
    others = [name for name in columns.past if name.lower() not in MOVING]
    return pd.concat([pd.DataFrame(measures), prices[others]], axis=1)


def _refuse_without_logarithm(series: Series, prices: pd.DataFrame, columns: Columns) -> None:
    for name in columns.targets + columns.past:
        wrong = prices[name] <= 0
        if (name in columns.targets or name.lower() in PRICES) and wrong.any():
            step = int(np.argmax(wrong))
            raise SeriesDataError(
                f"The price {name!r} of the series {series.name!r} at {time_text(series.times[step])} UTC is not above "
                "0 and has no logarithm. Correct it or leave it empty, or forecast the values as they are, without "
                f"--data.log_returns. Received: {prices[name][step]:g}"
            )
