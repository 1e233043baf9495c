"""Readings that were unlikely by the forecast of some steps before."""

from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from pipelines.configuration import ConfigurationError
from pipelines.series import serving
from pipelines.series.distributions import probability_below
from pipelines.series.model import Forecaster
from pipelines.series.regular import Series, fill, time_text
from pipelines.series.trained import read_parts

SHOWN = 40


class Anomaly(NamedTuple):
    """A reading outside of its interval, and how probable one as far out on either side was."""

    series: str
    time: str
    target: str
    value: float
    low: float
    high: float
    probability: float


def find_anomalies(
    forecaster: Forecaster, history: Series, unlikely: float, steps_before: int, zone: str = ""
) -> list[Anomaly]:
    """Lists the readings that were unlikely by the forecast some steps before, in one streaming pass over the series.

    Args:
        forecaster: trained on series like this one.
        history: regular.
        unlikely: readings at least as far out on either side are at most so probable.
        steps_before: so long before a reading its forecast was made.
        zone: of the times that are said.
    """
    if steps_before > forecaster.horizon:
        raise ConfigurationError(
            f"--steps_before: the network forecasts {forecaster.horizon} steps. Give at most so many. "
            f"Received: {steps_before}"
        )
    series, _ = fill(history, forecaster.columns, len(history.times))
    end = len(series.times) - steps_before
    # The last origins lack a part of their horizon, which is not looked at.
    padding = [(0, forecaster.horizon), (0, 0)]
    values, observed = np.pad(series.values, padding)[np.newaxis], np.pad(series.observed, padding)[np.newaxis]
    times = np.pad(series.times, padding[0], mode="edge")[np.newaxis]
    state = serving.start(forecaster, np.where(observed, values, np.nan), np.array([series.name]))
    origins = np.arange(max(end, 0))
    inputs = (values, observed, times, state["series"].numpy())
    quantiles = read_parts(forecaster, inputs, origins, state)[0][0, :, steps_before - 1]  # (origins, targets, levels)
    truth, known = (tensor.numpy()[0, origins, steps_before - 1] for tensor in forecaster.truth(values, observed))
    below = probability_below(quantiles, forecaster.levels, truth)  # (origins, targets)
    probability = np.where(known, 2 * np.minimum(below, 1 - below), 1.0)
    outside = (truth < quantiles[..., 0]) | (truth > quantiles[..., -1])
    return [
        Anomaly(
            series.name,
            time_text(series.times[origin + steps_before], zone),
            forecaster.columns.targets[target],
            float(truth[origin, target]),
            float(quantiles[origin, target, 0]),
            float(quantiles[origin, target, -1]),
            float(probability[origin, target]),
        )
        for origin, target in np.argwhere((probability <= unlikely) & outside)
    ]


def print_anomalies(console: Console, anomalies: list[Anomaly]) -> None:
    """Prints the least probable ones."""
    table = Table("series", "time", "target", "value", "expected from", "to", "one in")
    for each in sorted(anomalies, key=lambda anomaly: anomaly.probability)[:SHOWN]:
        numbers = (f"{number:.4g}" for number in (each.value, each.low, each.high))
        odds = f"{1 / each.probability:,.0f}" if each.probability > 1e-6 else "> 1,000,000"
        table.add_row(each.series, each.time, each.target, *numbers, odds)
    if anomalies:
        console.print(table)
