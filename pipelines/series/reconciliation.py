"""Forecasts that add up: the forecast of a total is the sum of the forecasts of its parts."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from pipelines.configuration import ConfigurationError
from pipelines.series.ahead import Forecast

Sums = Mapping[str, Sequence[str]]  # parts may be one text, too: "north+south"
Method = Literal["mint", "bottom_up"]
SMALLEST = 1e-3  # width of a range beside the widest one


def read_sums(written: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Returns which series is the sum of which.

    Example:
        >>> read_sums(["total=north+south"])
        {'total': ('north', 'south')}
    """
    sums = {}
    for each in written:
        total, sign, parts = each.partition("=")
        names = tuple(part.strip() for part in parts.split("+"))
        if not sign or not total.strip() or not all(names):
            raise ConfigurationError(
                f"sums: expected a series and its parts, such as total=north+south. Correct it. Received: {each!r}"
            )
        sums[total.strip()] = names
    return sums


def reconciled(forecasts: Sequence[Forecast], sums: Sums, method: Method = "mint") -> list[Forecast]:
    """Returns forecasts whose means add up; quantiles and paths move along with their mean.

    With S the sums of the lowest series, ŷ the forecasts of all series, and W the variances of the forecasts, estimated
    from their ranges,

        ỹ = S (Sᵀ W⁻¹ S)⁻¹ Sᵀ W⁻¹ ŷ

    so that a series moves the less the surer it is: MinT with variance scaling (Wickramasuriya, Athanasopoulos and
    Hyndman, "Optimal forecast reconciliation for hierarchical and grouped time series through trace minimization",
    2019). `bottom_up` keeps the lowest series as they are.

    Args:
        forecasts: of all series of a table, at the same times.
        sums: of some series the names of their parts, which may be sums themselves.
        method: `mint` or `bottom_up`.

    Raises:
        ConfigurationError: a series is not there, is a part of itself, or has other times.
    """
    place = {each.series.name: number for number, each in enumerate(forecasts)}
    if not sums:
        return list(forecasts)
    if alone := [f"{total}={parts}" for total, parts in sums.items() if isinstance(parts, str)]:
        sums = {**sums, **read_sums(alone)}
    wanted = list(dict.fromkeys(name for total, parts in sums.items() for name in (total, *parts)))
    for name in wanted:
        if name not in place:
            raise ConfigurationError(
                f"sums: there is no such series. Expected some of {', '.join(place)}. Received: {name!r}"
            )
        if not np.array_equal(forecasts[place[name]].times, forecasts[place[wanted[0]]].times):
            raise ConfigurationError(
                "sums: series that add up are forecast at the same times. Expected tables that end together. Received: "
                f"{wanted[0]!r} and {name!r}, which end at different times"
            )
    lowest = [name for name in wanted if name not in sums]
    summing = np.stack([_parts(name, sums, lowest, ()) for name in wanted])  # (series, lowest)
    involved = [forecasts[place[name]] for name in wanted]
    mean = np.stack([each.mean for each in involved]).astype(np.float64)  # (series, horizon, targets)
    if method == "bottom_up":
        found = np.stack([mean[wanted.index(name)] for name in lowest])
    else:
        widths = np.stack([each.quantiles[..., -1] - each.quantiles[..., 0] for each in involved]).astype(np.float64)
        weights = 1 / np.maximum(widths, SMALLEST * widths.max(initial=0) or 1.0) ** 2  # (series, horizon, targets)
        left = np.einsum("sl,sht,sm->htlm", summing, weights, summing)
        right = np.einsum("sl,sht,sht->htl", summing, weights, mean)
        found = np.moveaxis(np.linalg.solve(left, right[..., np.newaxis])[..., 0], -1, 0)  # (lowest, horizon, targets)
    moves = np.einsum("sl,lht->sht", summing, found) - mean
    changed = list(forecasts)
    for name, each, move in zip(wanted, involved, moves, strict=True):
        changed[place[name]] = each._replace(
            mean=each.mean + move, quantiles=each.quantiles + move[..., np.newaxis], paths=each.paths + move
        )
    return changed


def _parts(name: str, sums: Sums, lowest: Sequence[str], within: tuple[str, ...]) -> np.ndarray:
    """How often each of the lowest series is a part of a series."""
    if name in within:
        raise ConfigurationError(f"sums: no series is a part of itself. Received: {' in '.join((name, *within[::-1]))}")
    if name not in sums:
        return np.array([float(each == name) for each in lowest])
    return np.sum([_parts(part, sums, lowest, (*within, name)) for part in sums[name]], axis=0)
