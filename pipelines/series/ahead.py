"""What comes after opened series: asked of a model in batches, and as a data frame."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pipelines import commands, hints
from pipelines.arguments import in_range
from pipelines.configuration import ConfigurationError
from pipelines.hints import counted, listed
from pipelines.series import data
from pipelines.series.config import Description
from pipelines.series.explanation import Influence, influences
from pipelines.series.prices import RETURNS
from pipelines.series.quantile_functions import quantiles_between
from pipelines.series.regular import Series, SeriesDataError, time_text
from pipelines.series.sources import Source
from pipelines.series.streaming import Reader, is_compiled, lengths_of
from pipelines.served import Served

NUMBERS_DRAWN = 2**24  # quantiles of all paths of a batch
MOST_DRAWN = 2**28  # of those of one series, a gigabyte
NO_PATHS = np.zeros((0, 1, 1), np.float32)  # (samples, horizon, targets)
STEPS_IN_BATCH = 16_384  # of all series of a batch, padded to the longest


class Forecast(NamedTuple):
    """What comes after a series.

    Attributes:
        series: its history.
        times: int64 (horizon,), seconds since 1970 UTC.
        quantiles: (horizon, targets, levels), in the data's own units.
        mean: (horizon, targets).
        zone: of its times as they were written, see `time_text`.
        paths: (samples, horizon, targets), if some were drawn.
    """

    series: Series
    times: np.ndarray
    quantiles: np.ndarray
    mean: np.ndarray
    zone: str = ""
    paths: np.ndarray = NO_PATHS

    def until(self, steps: int) -> "Forecast":
        """Returns the first steps."""
        return self._replace(
            times=self.times[:steps],
            quantiles=self.quantiles[:steps],
            mean=self.mean[:steps],
            paths=self.paths[:, :steps],
        )


class Ahead:
    """Asks a model what comes after series.

    Args:
        model: its signatures.
        description: of its training.
        horizon: steps ahead.
        levels: of the quantiles.
        whole: targets whose quantiles are whole numbers.
    """

    def __init__(
        self,
        model: Served,
        description: Description,
        horizon: int,
        levels: tuple[float, ...],
        whole: Sequence[str] = (),
    ) -> None:
        self._whole = np.isin(description.columns.targets, whole)
        self._model, self.description, self.horizon, self.levels = model, description, horizon, levels
        self._learned = frozenset(description.names)
        self.targets = tuple(name.removesuffix(RETURNS) for name in description.columns.targets)

    def forecasts(
        self, sources: Sequence[Source], samples: int = 0, horizon: int | None = None
    ) -> list[list[Forecast]]:
        """Returns what comes after each series of opened tables; series of similar lengths are forecast together.

        Args:
            sources: the tables.
            samples: paths to draw of each series.
            horizon: steps to forecast. Default: all that the network knows.
        """
        steps = self.horizon if horizon is None else horizon
        if not 1 <= steps <= self.horizon:
            raise ConfigurationError(
                f"horizon: the network forecasts {counted(self.horizon, 'step')}. Expected 1 to {self.horizon}. Ask "
                f"for fewer, or train again, {hints.option(f'--data.horizon {max(steps, 1)}')}. Received: {steps}"
            )
        if samples < 0 or (samples and "paths" not in self._model):
            raise ConfigurationError(
                f"samples: expected 0 or more. Received: {samples}"
                if samples < 0
                else "samples: the run or export does not know how errors of several steps depend on each other. Train "
                f"again, or forecast without samples. Received: {samples}"
            )
        columns, zones = self.description.columns, []
        histories, futures = [], []
        for source in sources:
            for series in source.series:
                history, future = data.divide(series, columns, steps)
                self._report(series, history)
                histories.append(history)
                # Each step ahead is forecast apart: what is known of later ones does not reach it.
                futures.append(np.pad(future, [(0, self.horizon - len(future)), (0, 0)], constant_values=np.nan))
                zones.append(source.clock.zone)
        self._report_unknown(histories)
        found: dict[int, Forecast] = {}
        numbers = samples * self.horizon * len(self.targets) * len(self.levels)
        if numbers > MOST_DRAWN:
            raise ConfigurationError(
                f"samples: they do not fit into memory. Expected at most {MOST_DRAWN * samples // numbers} here. Give "
                f"fewer. Received: {samples}"
            )
        largest = max(1, NUMBERS_DRAWN // numbers) if numbers else len(histories)
        for batch in batches([len(history.times) for history in histories], largest):
            answers = self._ask([histories[place] for place in batch], [futures[place] for place in batch], samples)
            found |= {place: each._replace(zone=zones[place]) for place, each in zip(batch, answers, strict=True)}
        in_order = iter([found[place].until(steps) for place in range(len(found))])
        return [[next(in_order) for _ in source.series] for source in sources]

    def influences(self, source: Source, steps: int) -> list[Influence]:
        """Returns what the forecast of each series of an opened table looked at.

        Args:
            source: the table.
            steps: of each history that are read, the last ones.
        """
        columns, found = self.description.columns, []
        for series in source.series:
            history, future = data.divide(series, columns, self.horizon)
            self._report(series, history)
            self._report_unknown([history])
            history = history.cut(max(0, len(history.times) - steps), len(history.times))

            def ask(values: np.ndarray, ahead: np.ndarray, history: Series = history) -> np.ndarray:
                histories = [history._replace(values=each, observed=np.isfinite(each)) for each in values]
                answers = self._ask(histories, list(ahead))
                return np.stack([each.quantiles[..., self.levels.index(0.5)] for each in answers])

            found += influences(history, future, columns, ask)
        return found

    def chosen_levels(self, quantiles: float | Iterable[float] = ()) -> tuple[float, ...]:
        """Returns the levels of the quantiles that are asked for; all that the network knows where none are.

        Raises:
            ConfigurationError: a level is no number, or lies beyond those of the training, where nothing was learned.
        """
        wanted = quantiles if isinstance(quantiles, Iterable) else [quantiles]
        levels = []
        for level in wanted:
            try:
                levels.append(float(level))
            except (TypeError, ValueError):
                raise ConfigurationError(
                    f"quantiles: expected levels, such as 0.1 0.5 0.9. Correct them. Received: {level!r}"
                ) from None
            in_range("quantiles", levels[-1], self.levels[0], self.levels[-1])
        return tuple(dict.fromkeys(levels)) or self.levels

    def to_frame(self, forecasts: Sequence[Forecast], levels: Sequence[float] | None = None) -> pd.DataFrame:
        """Returns a row for each series, target and step ahead: its time, mean and quantiles.

        Args:
            forecasts: of series.
            levels: of the quantiles, as of `chosen_levels`. Default: those of the training.
        """
        levels = self.levels if levels is None else levels
        steps = [len(each.times) * len(self.targets) for each in forecasts]
        texts = {(time, each.zone): "" for each in forecasts for time in each.times.tolist()}
        texts = {(time, zone): time_text(time, zone) for time, zone in texts}

        def column(parts: list[np.ndarray]) -> np.ndarray:
            """Numbers (horizon, targets) of each forecast one below the other, the steps of a target together."""
            return np.concatenate([part.T.ravel() for part in parts] or [np.zeros(0)]).astype(np.float64)

        columns: dict[str, Any] = {
            "series": np.repeat(np.array([each.series.name for each in forecasts], object), np.array(steps, int)),
            "target": [target for each in forecasts for target in self.targets for _ in each.times],
            "time": [
                texts[time, each.zone] for each in forecasts for _ in self.targets for time in each.times.tolist()
            ],
            "mean": column([each.mean for each in forecasts]),
        }
        quantiles = [self.quantiles_at(each, levels) for each in forecasts]
        for index, level in enumerate(levels):
            columns[f"quantile_{level:g}"] = column([each[..., index] for each in quantiles])
        for place in range(max((len(each.paths) for each in forecasts), default=0)):
            columns[f"sample_{place + 1}"] = column([each.paths[place] for each in forecasts])
        return pd.DataFrame(columns)

    def quantiles_at(self, forecast: Forecast, levels: Sequence[float]) -> np.ndarray:
        """Returns the quantiles (horizon, targets, levels) of a forecast, as of `chosen_levels`."""
        if tuple(levels) == self.levels:
            return forecast.quantiles
        found = quantiles_between(forecast.quantiles, self.levels, levels)
        return np.where(self._whole[:, np.newaxis], np.round(found), found)

    def in_units(
        self,
        history: Series,
        times: np.ndarray,
        quantiles: np.ndarray,
        mean: np.ndarray,
        paths: np.ndarray = NO_PATHS,
    ) -> Forecast:
        """Returns a forecast in the units of the table: of log returns since the last price, the prices."""
        quantiles = history.with_offset(quantiles.swapaxes(-1, -2)).swapaxes(-1, -2)
        mean, paths = history.with_offset(mean), history.with_offset(paths)
        if history.levels is not None:
            last = _last_prices(history, self.targets)
            quantiles, mean = last[:, np.newaxis] * np.exp(quantiles), last * np.exp(mean)
            paths = last * np.exp(paths)
        return Forecast(history, times, quantiles, mean, paths=paths)

    def _ask(self, histories: Sequence[Series], futures: Sequence[np.ndarray], samples: int = 0) -> list[Forecast]:
        """Forecasts series in one batch; shorter histories begin with rows of NaN, which exports have always taken."""
        time = max(len(history.times) for history in histories)
        if is_compiled(self._model, time) and not samples:  # each is a batch of its own
            return [self._ask_long(*each) for each in zip(histories, futures, strict=True)]
        values = np.full((len(histories), time, len(self.description.columns.all)), np.nan, np.float32)
        times = np.zeros((len(histories), time), np.int64)
        for row, history in enumerate(histories):
            start = time - len(history.times)
            values[row, start:] = np.where(history.observed, history.values, np.nan)
            times[row, start:] = history.times
        future = {"future": np.stack(futures)} if self.description.columns.known else {}
        names = [history.name for history in histories]
        signature, drawn = "serving_default", {}
        if samples:
            count = len(histories)
            signature, drawn = "paths", {"samples": [samples] * count, "seed": [0] * count}
        lengths = lengths_of(self._model, signature, [time] * len(histories))
        answer = self._model(signature, history=values, times=times, series=names, **lengths, **future, **drawn)
        shape = (len(histories), self.horizon, len(self.targets))
        quantiles, mean = answer["quantiles"].reshape(*shape, len(self.levels)), answer["mean"].reshape(shape)
        paths = [NO_PATHS] * len(histories)
        if samples:
            paths = list(answer["paths"].reshape(len(histories), samples, *shape[1:]))
        return [
            self.in_units(history, answer["times"][row], quantiles[row], mean[row], paths[row])
            for row, history in enumerate(histories)
        ]

    def _ask_long(self, history: Series, future: np.ndarray) -> Forecast:
        """Forecasts a long series in memory, in a bounded time a step."""
        reader = Reader(self._model, self.description.columns, self.horizon, history.name, history)
        answer = reader.read_last(history, future)
        return self.in_units(history, answer["times"], answer["quantiles"][-1], answer["mean"][-1])

    def _report_unknown(self, histories: Sequence[Series]) -> None:
        """Reports series that the training did not have, in one line."""
        unknown = [history for history in histories if history.name not in self._learned]
        if len(unknown) == 1:
            commands.report_done(
                f"The series {unknown[0].name!r} was not in the training; it is forecast as their average, on the "
                f"scale of its own {counted(len(unknown[0].times), 'step')}."
            )
        elif unknown:
            names = listed([repr(each.name) for each in unknown])
            commands.report_done(
                f"{len(unknown)} series were not in the training, {names}; each is forecast as their average, on the "
                "scale of its own steps."
            )

    def _report(self, series: Series, history: Series) -> None:
        """Reports what a user may not expect of a forecast; refuses a series of which nothing is known."""
        targets = ", ".join(self.description.columns.targets)
        if not len(history.times):
            raise SeriesDataError(
                f"The series {series.name!r} has no value, so there is nothing to forecast from; expected some of "
                f"{targets}. Give the rows that were measured. Received: {len(series.times)} rows without any"
            )
        targets_seen = np.any(history.observed[:, : len(self.description.columns.targets)], axis=1)
        if not targets_seen.any():
            commands.report_done(
                f"{series.name}: {counted(len(history.times), 'row')} without any value of {targets}: it is forecast "
                "from the level of its training and the other columns."
            )
        without = int(np.argmax(targets_seen[::-1])) if targets_seen.any() else 0
        if without and self.description.columns.known:
            commands.report_done(
                f"{series.name}: the last {counted(without, 'row')} hold no value to forecast from, but one of "
                f"{', '.join(self.description.columns.past)}: the forecast begins after them. If they are the future, "
                "leave these columns empty there."
            )
        if (after := len(series.times) - len(history.times)) and not self.description.columns.known:
            last = time_text(history.times[-1])
            commands.report_done(
                f"{series.name}: {counted(after, 'row')} without values after {last}: the forecast begins there."
            )


def batches(lengths: Sequence[int], largest: int | None = None) -> list[list[int]]:
    """Returns the places of series, those of similar lengths together, each batch of bounded size.

    Args:
        lengths: of the series.
        largest: most series of a batch. Default: as many as there are.

    Example:
        >>> batches([5, STEPS_IN_BATCH, 4])
        [[2, 0], [1]]
    """
    found: list[list[int]] = []
    for place in sorted(range(len(lengths)), key=lambda place: lengths[place]):
        fits = found and (largest is None or len(found[-1]) < largest)
        if fits and (len(found[-1]) + 1) * lengths[place] <= STEPS_IN_BATCH:
            found[-1].append(place)
        else:
            found.append([place])
    return found


def _last_prices(history: Series, targets: Sequence[str]) -> np.ndarray:
    """Returns the last price of each target, (targets,)."""
    assert history.levels is not None
    known = np.isfinite(history.levels)
    if not known.any(axis=0).all():
        lacking = [name for name, each in zip(targets, known.any(axis=0), strict=True) if not each]
        raise SeriesDataError(
            f"The series {history.name!r} has no price of {', '.join(lacking)} to forecast from. Expected one at "
            f"least. Give rows with prices. Received: {len(history.times)} rows without any"
        )
    latest = len(known) - 1 - np.argmax(known[::-1], axis=0)
    return history.levels[latest, np.arange(len(targets))]
