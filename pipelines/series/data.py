"""From series to batches: splits by time, filled gaps, windows."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
import tensorflow as tf

from pipelines.configuration import ConfigurationError
from pipelines.rows import make_batches, row_numbers
from pipelines.series.calendar import Clock
from pipelines.series.cleaning import fill
from pipelines.series.regular import Columns, Repair, Series, SeriesDataError, time_text
from pipelines.series.sources import DataConfiguration, Offsets, Source, open_source

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


class Sets(NamedTuple):
    """Filled series, and where their splits are.

    Attributes:
        series: those that are long enough.
        columns: names of their columns.
        clock: of their steps.
        train_end: of each series the first step that is not training.
        validation_end: of each series the first step of the test period.
        repairs: what was found in the data and what was done about it.
    """

    series: list[Series]
    columns: Columns
    clock: Clock
    train_end: list[int]
    validation_end: list[int]
    repairs: list[Repair]


def load(
    configuration: DataConfiguration,
    trained: Columns | None = None,
    source: Source | None = None,
    offsets: Offsets | None = None,
) -> Sets:
    """Opens the series, splits them by time, fills what is missing, and leaves out what is too short, by name.

    Args:
        configuration: which series, and how they are split.
        trained: the columns of a training, for whose network the series are meant.
        source: the series, if they have been opened. Default: those of the configuration.
        offsets: as of `open_source`.

    Raises:
        SeriesDataError: the series cannot be used, or none is long enough, or none varies.
    """
    source = source or open_source(configuration, trained, offsets=offsets)
    repairs = list(source.repairs)
    sets = Sets([], source.columns, source.clock, [], [], repairs)
    series = []
    for each in source.series:
        if len((measured := _measured(each, source.columns, repairs)).times):
            series.append(measured)
        else:
            repairs.append(Repair(each.name, "", "series left out: no value of a column to forecast", 1))
    ends = split_ends([each.times for each in series], configuration) if series else []
    for each, (train_end, validation_end) in zip(series, ends, strict=True):
        if problem := _unusable(each, source.columns, train_end, configuration):
            repairs.append(Repair(each.name, "", f"series left out: {problem}", 1))
            continue
        filled, found = fill(each, source.columns, train_end)
        repairs.extend(found)
        sets.series.append(filled)
        sets.train_end.append(train_end)
        sets.validation_end.append(validation_end)
    _refuse_empty(sets)
    _refuse_unmeasured(sets)
    return sets


def split_ends(times: Sequence[np.ndarray], configuration: DataConfiguration) -> list[tuple[int, int]]:
    """Of each series the first step after training and the first one of the test period.

    With one pair of dates for all series, no step that is learned from lies after another series' test has begun.

    >>> times = [np.arange(100), np.arange(80, 100)]
    >>> split_ends(times, DataConfiguration())
    [(70, 80), (0, 0)]
    >>> split_ends(times, DataConfiguration(split="each"))
    [(70, 80), (14, 16)]
    >>> split_ends(times[:1], DataConfiguration(held_out="30"))
    [(60, 70)]
    """

    def dates(of: np.ndarray) -> list[int]:
        test_share = _test_share(of, configuration)
        held_out_share = configuration.validation_fraction + test_share
        ends = (min(round(len(of) * (1 - share)), len(of) - 1) for share in (held_out_share, test_share))
        return [int(of[end]) for end in ends]

    common = dates(np.unique(np.concatenate(times)))
    ends = []
    for each in times:
        train_end, validation_end = np.searchsorted(each, common if configuration.split == "common" else dates(each))
        ends.append((int(train_end), int(validation_end)))
    return ends


def _test_share(times: np.ndarray, configuration: DataConfiguration) -> float:
    """The share of steps in the test period: as stated by its number of steps or by its first time, or by default.

    Raises:
        ConfigurationError: it is neither, or leaves nothing to learn from or to test.
    """
    stated, count = configuration.held_out, len(times)
    if not stated:
        return configuration.test_fraction
    if stated.isdecimal():
        first = count - int(stated)
    else:
        moment = pd.to_datetime(stated, errors="coerce", utc=True)
        if moment is pd.NaT:
            raise ConfigurationError(
                "data.held_out: expected the number of the last steps, such as 720, or the time at which the test "
                f"period begins, such as 2024-10-01. Correct it. Received: {stated!r}"
            )
        first = int(np.searchsorted(times, int(moment.timestamp())))
    if not configuration.validation_fraction * count < first < count:
        raise ConfigurationError(
            f"data.held_out: the test period leaves {max(first, 0)} of {count} steps before it. Expected some to test, "
            f"and more than {configuration.validation_fraction:.0%} before them, to learn from and to validate on. The "
            f"steps are from {time_text(times[0])} to {time_text(times[-1])}. Received: {stated!r}"
        )
    return 1 - first / count


def with_validation(sets: Sets) -> Sets:
    """The same series, the validation period a part of the training period."""
    return sets._replace(train_end=list(sets.validation_end))


def origins(sets: Sets, index: int, split: Split, horizon: int) -> range:
    """The steps of a series after which a forecast has all its targets within a split.

    The origin itself, the last step that the forecast knows, may be the last one of the split before.
    """
    bounds = [1, sets.train_end[index], sets.validation_end[index], len(sets.series[index].times)]
    number = SPLITS.index(split)
    return range(bounds[number] - 1, bounds[number + 1] - horizon)


def divide(series: Series, columns: Columns, horizon: int) -> tuple[Series, np.ndarray]:
    """Divides a series into what was measured and the known covariates of the steps to forecast.

    Args:
        series: as `open_source` returns it; the future are its last steps, with known covariates only.
        columns: names of its columns.
        horizon: steps to forecast.

    Returns:
        The history, and float32 (horizon, known).

    Raises:
        SeriesDataError: a known covariate is not given for the whole horizon.
    """
    measured = np.any(series.observed[:, : len(columns.targets + columns.past)], axis=1)  # (time,)
    end = len(measured) - int(np.argmax(measured[::-1])) if measured.any() else 0
    steps = slice(end, end + horizon)
    future, times = series.values[steps, len(columns.targets + columns.past) :], series.times[steps]
    given = np.isfinite(future)
    if columns.known and given.sum(axis=0).min() < horizon:
        number = int(np.argmin(given.sum(axis=0)))
        remedy = (
            f"Fill it in: it is empty at {time_text(times[np.argmin(given[:, number])])}"
            if len(future) == horizon
            else f"Add rows after {time_text(series.times[max(end - 1, 0)])} with a time, this column, and nothing in "
            "the columns to forecast"
        )
        raise SeriesDataError(
            f"The column {columns.known[number]!r} of the series {series.name!r} is known in the future, but is not "
            f"given for all of the {horizon} steps to forecast. {remedy}. Received: {given[:, number].sum()} steps"
        )
    return series.cut(0, end), future


def training_batches(
    sets: Sets, configuration: DataConfiguration, seed: int, epoch: int, before: int = 0
) -> tf.data.Dataset:
    """Endless batches of an epoch, the same each time they are asked for.

    A window is drawn from all those that end before their series' validation period, each as likely as the others.

    Args:
        sets: the series.
        configuration: sizes of windows and batches.
        seed: of the training.
        epoch: its number.
        before: steps before each window that are given too.

    Returns:
        Dictionaries of `values` float32 and `observed` bool (batch, window + horizon, columns), `times` int64
        (batch, window + horizon), and `series` int32 (batch,), the index into `sets.series`; with `before`, also
        `recent` float32 (batch, before, columns), NaN before the first step of a series.
    """
    length = configuration.window + configuration.horizon
    columns = len(sets.columns.all)
    windows = np.cumsum([train_end - length + 1 for train_end in sets.train_end])  # of each series and those before

    def draw(rows: np.ndarray) -> tuple[np.ndarray, ...]:
        random = np.random.default_rng((seed, epoch, int(rows[0, 0])))
        drawn = random.integers(windows[-1], size=configuration.batch_size)[rows[:, 1]]
        numbers = np.searchsorted(windows, drawn, side="right")  # (batch,)
        starts = drawn - np.concatenate([[0], windows])[numbers]
        recent = np.full((len(drawn), before, columns), np.nan, np.float32)
        cuts = []
        for row, (series, start) in enumerate(zip((sets.series[each] for each in numbers), starts, strict=True)):
            earlier = series.values[max(0, start - before) : start]
            recent[row, before - len(earlier) :] = earlier
            cuts.append(series.cut(start, start + length))
        parts = ([each.values for each in cuts], [each.observed for each in cuts], [each.times for each in cuts])
        return *map(np.stack, parts), numbers.astype(np.int32), recent

    def batch(rows: tf.Tensor) -> dict[str, tf.Tensor]:
        parts = tf.numpy_function(draw, [rows], (tf.float32, tf.bool, tf.int64, tf.int32, tf.float32))
        size = rows.shape[0]
        shapes = ((size, length, columns), (size, length, columns), (size, length), (size,), (size, before, columns))
        names = ("values", "observed", "times", "series", "recent")
        shaped = {name: tf.ensure_shape(part, shape) for name, part, shape in zip(names, parts, shapes, strict=True)}
        return shaped if before else {name: part for name, part in shaped.items() if name != "recent"}

    return make_batches(row_numbers(configuration.batch_size), batch)


def _measured(series: Series, columns: Columns, repairs: list[Repair]) -> Series:
    """The steps from the first target on to the last that was measured at all."""
    targets = np.flatnonzero(series.observed[:, : len(columns.targets)].any(axis=1))
    first = int(targets[0]) if len(targets) else len(series.times)
    end = len(divide(series, columns._replace(known=()), 0)[0].times)
    for number, where, at in ((first, "before the first target", 0), (len(series.times) - end, "of the future", end)):
        if number and at < len(series.times):
            repairs.append(Repair(series.name, "", f"steps {where}: left out", number, time_text(series.times[at])))
    return series.cut(first, max(first, end))


def _unusable(series: Series, columns: Columns, train_end: int, configuration: DataConfiguration) -> str:
    """Why nothing can be learned from a series, or ""."""
    needed = configuration.window + configuration.horizon
    if train_end < needed:
        return f"{train_end} steps before the validation period, and a window takes {needed}"
    for number, column in enumerate(columns.targets):
        measured = series.values[:train_end, number][series.observed[:train_end, number]]
        if len(measured) < 2:
            return f"{len(measured)} values of {column} before the validation period"
        if np.ptp(measured) == 0:
            return f"{column} is always {measured[0]:g} before the validation period"
    return ""


def _refuse_empty(sets: Sets) -> None:
    if not sets.series:
        reasons = "; ".join(
            f"{repair.series!r}, {repair.what}" for repair in sets.repairs if "left out:" in repair.what
        )
        raise SeriesDataError(
            "There is nothing to learn from; expected a series with a window before the validation period, and targets "
            "that vary there. Lower --data.window or --data.horizon, give longer series, or, if they are of different "
            f"periods, set --data.split each. Received: {reasons}"
        )


def _refuse_unmeasured(sets: Sets) -> None:
    """What nobody measured would seem to be forecast without any error."""
    targets = len(sets.columns.targets)
    bounds = list(zip(sets.series, sets.train_end, sets.validation_end, strict=True))
    periods = {
        "validation": [each.observed[start:end, :targets] for each, start, end in bounds],
        "test": [each.observed[end:, :targets] for each, _, end in bounds],
    }
    for name, observed in periods.items():
        if sum(map(len, observed)) and not any(each.any() for each in observed):
            begins = min(each.times[at] for each, *ends in bounds if (at := ends[name == "test"]) < len(each.times))
            raise SeriesDataError(
                f"No value of {', '.join(sets.columns.targets)} is in the {name} period, which begins at "
                f"{time_text(begins)}, so nothing could be evaluated there. Cut the rows after the last value off, or "
                f"forecast another column. Received: {sum(map(len, observed))} steps without a value"
            )
