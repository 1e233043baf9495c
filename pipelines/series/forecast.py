"""Forecasts what comes after your table: `python -m pipelines.series.forecast FILE [--anomalies] [--run FOLDER]`."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import tyro
from matplotlib.figure import Figure
from pydantic import Field
from rich.console import Console
from rich.table import Table

from pipelines import commands
from pipelines.configuration import Configuration, ConfigurationError
from pipelines.counting import counted
from pipelines.runs import Run
from pipelines.series import data, serving
from pipelines.series.anomalies import Anomaly, find_anomalies, print_anomalies
from pipelines.series.calendar import Calendar
from pipelines.series.config import SeriesConfiguration
from pipelines.series.model import Forecaster
from pipelines.series.pictures import draw_ranges
from pipelines.series.prices import RETURNS
from pipelines.series.regular import Series, SeriesDataError, summary, time_text
from pipelines.series.sources import Source, open_source
from pipelines.series.trained import Description, load_forecaster

SHOWN_STEPS, SHOWN_SERIES, DRAWN_SERIES = 24, 8, 8
DRAWN_HISTORY = 4  # times the horizon
DIGITS = "%.7g"  # that a float32 has


class TableOptions(Configuration):
    """How the table is read, where it is not as it was in training."""

    time: tuple[str, ...] = Field((), description="its column of times, or several")
    time_format: str = Field("", description="how its times are written, such as %d/%m/%Y")
    timezone: str = Field("", description="zone of times without one, such as Europe/Berlin")
    series: str = Field("", description="its column that names the series of each row")


class ForecastOptions(commands.RunOptions):
    """Options of the forecast."""

    table: tyro.conf.Positional[tuple[Path, ...]] = Field((), description="your table: .csv, .csv.gz or .parquet")
    data: TableOptions = TableOptions()
    output: Path = Field(Path("."), description="folder for the table and the picture")
    anomalies: bool = Field(False, description="list the readings that were unlikely when they came")
    unlikely: float = Field(0.001, gt=0, lt=1, description="most probable reading that is listed, of both tails")
    steps_before: int = Field(1, ge=1, description="how long before a reading the forecast was made that it is held to")


class Forecast(NamedTuple):
    """What comes after a series: `quantiles` (horizon, targets, levels) and `mean` (horizon, targets) at `times`.

    The `zone` is that of its times as they were written, see `time_text`.
    """

    series: Series
    times: np.ndarray
    quantiles: np.ndarray
    mean: np.ndarray
    zone: str = ""


def forecast(run: Run, options: ForecastOptions) -> tuple[list[Forecast], list[Anomaly]]:
    """Returns what a run's forecaster says comes after each series of a table, and the anomalies in it, if wanted."""
    configuration, description = run.read_configuration(SeriesConfiguration), Description.of_run(run)
    source = _open(configuration, description, options)
    forecaster = load_forecaster(run)
    clock = (description.step_seconds, configuration.data.calendar)
    forecasts, anomalies = [], []
    for each in source.series:
        history, future = data.divide(each, source.columns, forecaster.horizon)
        _report(each, history, forecaster)
        forecasts.append(_forecast_one(forecaster, clock, history, future)._replace(zone=source.zone))
        if options.anomalies:
            anomalies += find_anomalies(forecaster, history, options.unlikely, options.steps_before, source.zone)
    return forecasts, anomalies


def _open(configuration: SeriesConfiguration, description: Description, options: ForecastOptions) -> Source:
    """The series of the table, with the columns of the training."""
    changes: dict[str, object] = {"source": "table", "path": str(options.table[0])}
    changes |= {name: value for name, value in options.data.model_dump().items() if value}
    chosen = configuration.data.replace(**changes)
    source = open_source(chosen, description.columns, description.step_seconds)
    for line in summary(source.repairs):
        print(f"Repaired: {line}")
    if len(description.names) == 1 and not chosen.series:  # the one that was learned, whatever the file is called now
        source = source._replace(series=[source.series[0]._replace(name=description.names[0])])
    return source


def _report(series: Series, history: Series, forecaster: Forecaster) -> None:
    """Says what a user may not expect of the forecast of a series; refuses one of which nothing is known."""
    targets = ", ".join(forecaster.columns.targets)
    if not len(history.times):
        raise SeriesDataError(
            f"The series {series.name!r} has no value, so there is nothing to forecast from; expected some of "
            f"{targets}. Give the rows that were measured. Received: {len(series.times)} rows without any"
        )
    if series.name not in forecaster.names:
        rows = len(history.times)
        print(
            f"The series {series.name!r} was not in the training; it is forecast as their average, on the scale of its "
            f"own {counted(rows, 'step')}."
        )
    if (after := len(series.times) - len(history.times)) and not forecaster.columns.known:
        last = time_text(history.times[-1])
        print(f"{series.name}: {counted(after, 'row')} without values after {last}: what is forecast begins there.")


def _forecast_one(forecaster: Forecaster, clock: tuple[int, Calendar], history: Series, future: np.ndarray) -> Forecast:
    known = {"future": future[np.newaxis]} if len(forecaster.columns.known) else {}
    values = np.where(history.observed, history.values, np.nan)[np.newaxis]
    answer = serving.forecast(forecaster, clock, values, history.times[np.newaxis], np.array([history.name]), **known)
    shape = (forecaster.horizon, forecaster.targets)
    quantiles = answer["quantiles"].numpy().reshape(*shape, len(forecaster.levels))
    mean = answer["mean"].numpy().reshape(shape)
    if history.levels is not None:  # of log returns since the last price, the prices
        last = history.levels[np.isfinite(history.levels).all(axis=1)][-1]
        quantiles, mean = last[:, np.newaxis] * np.exp(quantiles), last * np.exp(mean)
    return Forecast(history, answer["times"].numpy()[0], quantiles, mean)


def to_frame(forecasts: list[Forecast], targets: tuple[str, ...], levels: tuple[float, ...]) -> pd.DataFrame:
    """A row for each series, target and step ahead: its time, mean and quantiles."""
    rows = [
        {
            "series": each.series.name,
            "target": target,
            "time": time_text(time, each.zone),
            "mean": each.mean[step, number],
        }
        | {f"quantile_{level:g}": each.quantiles[step, number, index] for index, level in enumerate(levels)}
        for each in forecasts
        for number, target in enumerate(targets)
        for step, time in enumerate(each.times)
    ]
    return pd.DataFrame(rows)


def fan_chart(forecasts: list[Forecast], targets: tuple[str, ...], levels: tuple[float, ...]) -> Figure:
    """Draws the end of each history, and the median and the ranges of what comes, a panel each."""
    panels = [(each, number) for each in forecasts for number in range(len(targets))][:DRAWN_SERIES]
    figure = Figure(figsize=(9, 2.9 * len(panels)), layout="constrained")
    for axes, (each, number) in zip(figure.subplots(len(panels), 1, squeeze=False)[:, 0], panels, strict=True):
        shown = slice(-DRAWN_HISTORY * len(each.times), None)
        past = (
            np.where(each.series.observed, each.series.values, np.nan)
            if each.series.levels is None
            else each.series.levels
        )
        moments = [
            np.array([time_text(time, each.zone)[: len("2024-01-31 15:00:00")] for time in times], "datetime64[s]")
            for times in (each.series.times[shown], each.times)
        ]
        axes.plot(moments[0], past[shown, number], color="black", linewidth=1, label="past")
        draw_ranges(axes, moments[1], each.quantiles[:, number], levels)
        axes.set_title(f"{each.series.name}: {targets[number]}", loc="left")
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _print_forecasts(console: Console, forecasts: list[Forecast], targets: tuple[str, ...], levels: np.ndarray) -> None:
    low, middle, high = (int(np.argmin(np.abs(levels - level))) for level in (0.1, 0.5, 0.9))
    heads = ("time", "median", f"{levels[high] - levels[low]:.0%} from", "to")
    for each in forecasts[:SHOWN_SERIES]:
        for number, target in enumerate(targets):
            table = Table(*heads, title=f"{each.series.name}: {target}")
            for time, row in list(zip(each.times, each.quantiles[:, number], strict=True))[:SHOWN_STEPS]:
                table.add_row(time_text(time, each.zone), *(f"{row[index]:.4g}" for index in (middle, low, high)))
            console.print(table)


def main(arguments: list[str]) -> None:
    options = commands.run_options(ForecastOptions, "series", "forecast", arguments, __doc__ or "")
    if len(options.table) != 1:
        raise ConfigurationError(
            "A forecast needs a table with what came before. Expected one file. Name it: make forecast "
            f"CSV=measurements.csv. Received: {', '.join(map(str, options.table)) or 'no file'}"
        )
    run, console = options.open("series"), Console()
    description, levels = Description.of_run(run), run.read_configuration(SeriesConfiguration).network.quantile_levels
    options.output.mkdir(parents=True, exist_ok=True)
    forecasts, anomalies = forecast(run, options)
    targets = tuple(name.removesuffix(RETURNS) for name in description.columns.targets)
    _print_forecasts(console, forecasts, targets, np.array(levels))
    written = [options.output / "forecast.csv", options.output / "forecast.png"]
    to_frame(forecasts, targets, levels).to_csv(written[0], index=False, float_format=DIGITS)
    fan_chart(forecasts, targets, levels).savefig(written[1], dpi=120)
    if options.anomalies:
        print_anomalies(console, anomalies)
        written.append(options.output / "anomalies.csv")
        pd.DataFrame(anomalies, columns=list(Anomaly._fields)).to_csv(written[-1], index=False, float_format=DIGITS)
        print(f"{len(anomalies)} readings were less probable than {options.unlikely:g}.")
    print(f"Forecast {len(forecasts)} series with {run.folder}\nWrote {', '.join(map(str, written))}")
    print("Next: make export-series, to serve this model")


if __name__ == "__main__":
    commands.main(main)
