"""Evaluates a trained forecaster beside the baselines."""

import re
import time
from functools import partial
from typing import Literal

import numpy as np
from pydantic import Field

from pipelines import commands, hints
from pipelines.comparison import compared_rows
from pipelines.configuration import ConfigurationError
from pipelines.evaluation import Evaluation
from pipelines.hints import listed
from pipelines.preparation import report_changed_data
from pipelines.runs import Run
from pipelines.series import baselines, data
from pipelines.series.backtest import Forecasts, Origins, Task, backtest, refitted, season_of
from pipelines.series.baselines import Baseline
from pipelines.series.config import Description, SeriesConfiguration
from pipelines.series.data import Split
from pipelines.series.explanation import WINDOWS, at_origin
from pipelines.series.model import Forecaster, load_model
from pipelines.series.regular import SeriesDataError
from pipelines.series.report import Details, best_middle_worst, write_series_report
from pipelines.series.scoring import COMPARED, VARIANTS, Losses, compare, losses, metrics, verdict
from pipelines.series.train import calibrate, steps_read

__all__ = ["VARIANTS", "EvaluationOptions", "evaluate"]

ALL = "all"  # series
MOST_REFITS = 50


class EvaluationOptions(commands.RunOptions):
    """Options of the evaluation."""

    split: Literal["validation", "test"] = Field("test", description="split to evaluate")
    series: str = Field("", description="series to report, or all; default: as configured")
    target: str = Field("", description="target to report; default: the first")
    stride: int = Field(1, ge=1, description="number of steps between the origins of two forecasts")
    refit: int = Field(
        0,
        ge=0,
        description="number of origins after which calibration and baselines are fitted again to the past; 0: never",
    )
    slow_baselines: bool = Field(True, description="include the baselines that may take minutes")


def evaluate(
    run: Run,
    split: Split = "test",
    series: str = "",
    target: str = "",
    slow_baselines: bool = True,
    stride: int = 1,
    refit: int = 0,
) -> Evaluation:
    """Forecasts a split with a run's forecaster and the baselines; writes table, plots and page into its folder.

    With `refit`, calibration and baselines are fitted again after so many origins, to what came before. The weights of
    the network stay as they are.
    """
    configuration = run.read_configuration(SeriesConfiguration)
    if configuration.network.fold_days and split == "validation":
        raise ConfigurationError(
            "The validation period was learned from, so an evaluation on it would look too good: each member was "
            "validated on the stretches that it left out (history.csv). Evaluate the test split, or train with "
            f"--network.fold_days 0. Received: split {split!r}, network.fold_days {configuration.network.fold_days}"
        )
    forecaster = load_model(run)
    sets = data.load(configuration.data, forecaster.columns, offsets=Description.of_run(run).known_offsets)
    report_changed_data(run, configuration.learned(sets))
    task = task_of(configuration, sets, split, series, target)._replace(stride=stride)
    task = task._replace(refit=_bounded(refit, max(len(task.steps(index)) for index in task.chosen)))
    origins = task.origins()
    rows = rows_of(configuration, forecaster, task, origins, slow_baselines)
    forecasts: dict[str, Forecasts] = {}
    seconds = {}
    for name, (_, forecast) in rows.items():
        print(f"Forecasting {len(origins.step)} times: {name}", flush=True)
        started = time.perf_counter()
        forecasts[name] = refitted(task, forecast)
        seconds[name] = time.perf_counter() - started
    scales = {index: baselines.seasonal_error(task, index) for index in task.chosen}
    scale = np.array([scales[index] for index in origins.series])
    found = {
        name: losses(each, origins.truth, task.levels, scale, task.log_returns) for name, each in forecasts.items()
    }

    def compared(model: Losses, other: Losses) -> str:
        notes = [
            verdict(compare(model[metric], other[metric], origins), metric.upper())
            for metric in COMPARED
            # Medians are equal whatever is done to the ranges, but for what two graphs round differently.
            if not np.allclose(
                model[metric], other[metric], rtol=0, atol=1e-5 * np.nanmean(model[metric]), equal_nan=True
            )
        ]
        return "; ".join(notes)

    notes = {name: f"{note}; computed in {seconds[name]:.1f} s" for name, (note, _) in rows.items()}
    table = compared_rows(found, lambda each: metrics(each, found["last value"], origins), compared, notes)
    reported = split if not (series or target) else "-".join(filter(None, (split, series, target)))
    evaluation = Evaluation(re.sub(r"[^\w.-]", "_", reported), len(origins.step), table)
    middle = best_middle_worst(found["model"]["crps"])["middle"]
    shown = sets.series[int(origins.series[middle])]
    moved = at_origin(forecaster, shown, int(origins.step[middle]), WINDOWS * configuration.data.window)
    moved = [each for each in moved if each.target == sets.columns.targets[task.target]]
    write_series_report(run, evaluation, Details(task, origins, forecasts, found, moved))
    return evaluation


def task_of(configuration: SeriesConfiguration, sets: data.Sets, split: Split, series: str, target: str) -> Task:
    """Returns what is to be forecast.

    Raises:
        ConfigurationError: there is no such series or target.
        SeriesDataError: the split is too short to be scored.
    """
    names, targets = [each.name for each in sets.series], sets.columns.targets
    wanted = series or configuration.reported or ALL
    if wanted not in (ALL, *names):
        raise ConfigurationError(f"There is no such series. Expected one of: {listed(names)}. Received: {wanted!r}")
    if target and target not in targets:
        known = ", ".join(targets)
        raise ConfigurationError(f"There is no such target. Expected one of: {known}. Received: {target!r}")
    horizon = configuration.data.horizon
    named = [index for index, name in enumerate(names) if wanted in (ALL, name)]
    chosen = [index for index in named if len(data.origins(sets, index, split, horizon))]
    if short := [names[index] for index in named if index not in chosen]:
        print(f"Left out: {listed(short)}: the {split} split is shorter than the horizon, {horizon} steps.")
    if not chosen:
        raise SeriesDataError(
            f"The {split} split is shorter than the horizon, so there is nothing to score. Expected at least {horizon} "
            f"steps. Give longer series, raise --data.{split}_fraction or lower --data.horizon, and train again. "
            f"Received: {listed(short)}"
        )
    season = configuration.network.season[0] if configuration.network.season else season_of(sets.clock)
    if min(sets.train_end) < 2 * season + horizon:
        season = 1  # too short to show one
    return Task(
        sets,
        chosen,
        split,
        targets.index(target) if target else 0,
        horizon,
        configuration.network.quantile_levels,
        season,
        configuration.data.log_returns,
    )


def described(task: Task, origins: Origins) -> str:
    """Names what is forecast, and counts what is not scored."""
    names = listed([task.sets.series[index].name for index in task.chosen])
    missing = int(np.isnan(origins.truth).sum())
    unscored = f"; {missing} of {origins.truth.size} truths were not measured and are not scored" if missing else ""
    again = f"; its calibration is fitted every {task.refit} origins, its weights are not" if task.refit else ""
    return f"forecasts of {task.sets.columns.targets[task.target]}, {names}{unscored}{again}"


def recalibrated_backtest(forecaster: Forecaster, configuration: SeriesConfiguration, task: Task) -> Forecasts:
    """As `backtest`, calibrated on the validation period of the task."""
    learned = configuration.learned(task.sets)
    with forecaster.uncalibrated():
        calibrate(forecaster, learned, steps_read(forecaster, configuration))
        return backtest(forecaster, task)


def _bounded(refit: int, origins: int) -> int:
    """After how many origins everything is fitted again: as asked for, but so that it ends."""
    fewest = -(-origins // MOST_REFITS)
    if 0 < refit < fewest:
        print(f"Fitting again every {fewest} origins, {MOST_REFITS} times, and not every {refit}: that is the most.")
    return max(refit, fewest) if refit else 0


def rows_of(
    configuration: SeriesConfiguration, forecaster: Forecaster, task: Task, origins: Origins, slow_baselines: bool
) -> dict[str, tuple[str, Baseline]]:
    """Returns the rows of the table, the model first: the note on each, and what forecasts."""
    model = partial(recalibrated_backtest, forecaster, configuration) if task.refit else partial(backtest, forecaster)
    rows: dict[str, tuple[str, Baseline]] = {"model": (described(task, origins), model)}
    if configuration.network.adaptation_rate:
        rows["without adaptation"] = ("the same network", partial(backtest, forecaster, adapting=False))
    if configuration.network.calibrate:
        rows["without calibration"] = ("the same network", partial(uncalibrated_backtest, forecaster))
    compared_with = baselines.available(task, slow_baselines)
    if slow := [name for name in compared_with if name in baselines.SLOW]:
        print(f"{', '.join(slow)} may take minutes. To skip them, add {hints.option('--no_slow_baselines')}.")
    return rows | compared_with


def uncalibrated_backtest(forecaster: Forecaster, task: Task) -> Forecasts:
    """As `backtest`, with the quantiles as the network gives them."""
    with forecaster.uncalibrated():
        return backtest(forecaster, task, adapting=False)
