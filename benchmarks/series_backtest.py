"""Times the backtest of a run beside refitting AutoETS at every origin: `python -m benchmarks.series_backtest`."""

import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from pydantic import Field

from pipelines import commands, errors
from pipelines.command_line import parse_options
from pipelines.predictors import open_run
from pipelines.series import data
from pipelines.series.backtest import Task, backtest
from pipelines.series.config import SeriesConfiguration
from pipelines.series.evaluate import task_of
from pipelines.series.model import Forecaster, load_model


class Options(commands.RunOptions):
    """Options of the benchmark."""

    fits: int = Field(10, ge=1, description="origins at which AutoETS is fitted and timed, spread over the period")


class Times(NamedTuple):
    """Seconds of the backtest with and without tracing, and of each fit of AutoETS that was timed."""

    origins: int
    first_backtest: float
    backtest: float
    fits: list[float]

    @property
    def refitting(self) -> float:
        """Seconds that AutoETS would take at all origins, from the mean of those that were timed."""
        return float(np.mean(self.fits)) * self.origins

    def __str__(self) -> str:
        """As sentences."""
        return (
            f"The backtest of {self.origins} origins took {self.first_backtest:.1f} s, a second time, when it was "
            f"traced, {self.backtest:.1f} s. AutoETS, fitted to all steps up to each of {len(self.fits)} origins, took "
            f"{np.mean(self.fits):.2f} s a fit ({min(self.fits):.2f} to {max(self.fits):.2f}). At all origins that "
            f"would be {self.refitting:.0f} s (extrapolated), {self.refitting / self.first_backtest:.0f} times as long "
            f"as the first backtest."
        )


def measure(forecaster: Forecaster, task: Task, fits: int) -> Times:
    """Times both, one after the other, on the same origins."""
    from statsforecast.models import AutoETS

    first, second = (_seconds(partial(backtest, forecaster, task)) for _ in range(2))
    origins = task.origins()
    chosen = np.unique(np.linspace(0, len(origins.step) - 1, fits).astype(int))

    def refit(number: int) -> None:
        known = task.path(int(origins.series[number]))[: origins.step[number] + 1]
        AutoETS(season_length=task.season).fit(known).predict(task.horizon, level=[50, 80, 95])

    refit(0)  # compiles what numba compiles
    return Times(len(origins.step), first, second, [_seconds(partial(refit, number)) for number in chosen])


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main(arguments: list[str]) -> None:
    options = parse_options(Options, arguments, "python -m benchmarks.series_backtest", __doc__ or "")
    run = open_run("series", options.run)
    configuration = run.read_configuration(SeriesConfiguration)
    task = task_of(configuration, data.load(configuration.data), "test", "", "")
    print(measure(load_model(run), task, options.fits))


if __name__ == "__main__":
    errors.main(main)
