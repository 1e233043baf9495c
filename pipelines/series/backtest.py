"""The rolling-origin backtest: what every row of the table forecasts, and the model over a whole split in one pass."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from pipelines.series.calendar import COUNTED, DAY, MONTH, Clock
from pipelines.series.data import Sets, Split, origins
from pipelines.series.forecasting import forecast_split
from pipelines.series.model import Forecaster


class Origins(NamedTuple):
    """Where forecasts start, of all series one after another, and what came then.

    Attributes:
        series: (origins,) index of the series.
        step: (origins,) the last known step of the series.
        time: (origins,) of that step, int64 seconds since 1970 UTC.
        truth: (origins, horizon) the target at the steps that follow, NaN where it was not observed.
        stride: steps between two origins.
    """

    series: np.ndarray
    step: np.ndarray
    time: np.ndarray
    truth: np.ndarray
    stride: int = 1


class Forecasts(NamedTuple):
    """What one row of the table says at each origin, in the data's own units.

    Attributes:
        quantiles: (origins, horizon, levels), rising along the levels.
        mean: (origins, horizon).
    """

    quantiles: np.ndarray
    mean: np.ndarray


class Task(NamedTuple):
    """What every row of the table forecasts: the same target at the same origins.

    Of prices, the forecast of horizon h is of the log return over h steps, log(p(t+h) / p(t)).

    Attributes:
        sets: the series and their splits.
        chosen: index of each series that is forecast.
        split: name of the split.
        target: index of the target.
        horizon: steps.
        levels: of the quantiles, rising.
        season: steps that a pattern repeats itself after.
        log_returns: the targets are log returns.
        stride: every so many steps of the split are an origin.
        refit: after every so many origins, what is fitted is fitted again; 0: never.
    """

    sets: Sets
    chosen: Sequence[int]
    split: Split
    target: int
    horizon: int
    levels: tuple[float, ...]
    season: int
    log_returns: bool = False
    stride: int = 1
    refit: int = 0

    def path(self, index: int) -> np.ndarray:
        """The target of a series over time, filled where it was missing; of prices their logarithm, (time,)."""
        series = self.sets.series[index]
        if self.log_returns:
            assert series.levels is not None  # data.load keeps the prices of log returns
            return np.log(series.levels[:, self.target])
        return series.with_offset(series.values[:, : len(self.sets.columns.targets)].astype(np.float64))[:, self.target]

    def following(self, index: int, steps: np.ndarray) -> np.ndarray:
        """The path at the `horizon` steps after each of some steps, NaN where it was not observed."""
        ahead = self.ahead(steps)
        observed = self.sets.series[index].observed[:, self.target]
        return np.where(observed[ahead], self.path(index)[ahead], np.nan)  # (steps, horizon)

    def ahead(self, steps: np.ndarray) -> np.ndarray:
        """The `horizon` steps after each of some steps, (steps, horizon)."""
        return steps[:, np.newaxis] + np.arange(1, self.horizon + 1)

    def base(self, index: int, steps: np.ndarray) -> np.ndarray:
        """What a forecast from each of some steps counts from, (steps,): the log price; else zero."""
        return self.path(index)[steps] if self.log_returns else np.zeros(len(steps))

    def steps(self, index: int, split: Split | None = None) -> np.ndarray:
        """The origins of a series in this split, or all those in another, (origins,)."""
        steps = np.asarray(origins(self.sets, index, split or self.split, self.horizon), dtype=np.int64)
        return steps if split else steps[:: self.stride]

    def origins(self) -> Origins:
        """All origins of the task."""
        parts = []
        for index in self.chosen:
            steps = self.steps(index)
            truth = self.following(index, steps) - self.base(index, steps)[:, np.newaxis]
            parts.append((np.full(len(steps), index), steps, self.sets.series[index].times[steps], truth))
        series, step, time, truth = map(np.concatenate, zip(*parts, strict=True))
        return Origins(series, step, time, truth, self.stride)

    def stretches(self) -> Iterator["Task"]:
        """The task in stretches of `refit` origins of each series.

        The split of each begins where the one before ended, with as long a validation period before it. Its series end
        with the last step that it forecasts, so that what is fitted for it sees nothing that came later.
        """
        steps = {index: self.steps(index) for index in self.chosen}
        for first in range(0, max(map(len, steps.values())), self.refit):
            some = {index: each[first : first + self.refit] for index, each in steps.items() if len(each) > first}
            series, train_end = list(self.sets.series), list(self.sets.train_end)
            validation_end = list(self.sets.validation_end)
            for index, each in some.items():
                begin, end = int(each[0]) + 1, int(each[-1]) + self.horizon + 1
                if self.split == "test":
                    train_end[index] += begin - validation_end[index]
                    validation_end[index] = begin
                else:
                    train_end[index], validation_end[index] = begin, end
                series[index] = series[index].cut(0, end)
            sets = self.sets._replace(series=series, train_end=train_end, validation_end=validation_end)
            yield self._replace(sets=sets, chosen=list(some), refit=0)


def refitted(task: Task, forecast: Callable[[Task], Forecasts]) -> Forecasts:
    """Returns what is forecast if all that is fitted is fitted again for each of the task's stretches."""
    if not task.refit:
        return forecast(task)
    parts, places = [], []
    for stretch in task.stretches():
        parts.append(forecast(stretch))
        origins = stretch.origins()
        places.append(np.stack([np.searchsorted(task.chosen, origins.series), origins.step]))
    order = np.lexsort(np.concatenate(places, axis=1)[::-1])  # by series, then by step
    return Forecasts(*(each[order] for each in stacked(parts)))


def backtest(forecaster: Forecaster, task: Task, adapting: bool = True) -> Forecasts:
    """Lets a forecaster read each series once, from its first step on, and keeps its forecasts at the origins."""
    forecasted = forecast_split(forecaster, task.sets, task.split, None, task.stride, task.chosen, adapting)
    parts = []
    for one in forecasted:
        offset = np.broadcast_to(task.sets.series[one.series].offset, len(task.sets.columns.targets))[task.target]
        parts.append(Forecasts(one.quantiles[:, :, task.target] + offset, one.mean[:, :, task.target] + offset))
    return stacked(parts)


def stacked(parts: Iterable[Forecasts]) -> Forecasts:
    """Returns the forecasts of several series one after another."""
    return Forecasts(*map(np.concatenate, zip(*parts, strict=True)))


def season_of(clock: Clock) -> int:
    """Returns after how many steps a pattern repeats itself: a day of shorter steps, a week of days, a year of months.

    Example:
        >>> clocks = Clock(3600, "clock"), Clock(DAY, "clock"), Clock(DAY, "business"), Clock(30 * DAY, "clock")
        >>> [season_of(clock) for clock in clocks]
        [24, 7, 5, 1]
        >>> season_of(Clock(MONTH, "month")), season_of(Clock(3 * MONTH, "month"))
        (12, 4)
    """
    step_seconds, calendar = clock.step_seconds, clock.calendar
    if clock.zone == COUNTED:
        return 1
    if calendar == "business" and clock.slots:
        return len(clock.slots) if step_seconds == DAY else len({slot % DAY for slot in clock.slots})
    if calendar == "business":
        return 5
    if calendar == "month":
        return max(12 * MONTH // step_seconds, 1)
    return max(DAY // step_seconds, 1) if step_seconds != DAY else 7
