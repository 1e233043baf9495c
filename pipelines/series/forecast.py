"""Forecasts the next values of a table, and lists the anomalies in it."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
import pydantic
import tyro
from pydantic import Field
from rich.console import Console
from rich.table import Table

from data.files import missing_file
from pipelines import commands, hints
from pipelines.configuration import ConfigurationError
from pipelines.series.options import ENDINGS, FORMATS, TableOptions

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.series.ahead import Forecast
    from pipelines.series.predictor import Predictor

SHOWN_STEPS, SHOWN_SERIES, SHOWN_ANOMALIES = 24, 8, 40
SHOWN_INFLUENCES = 10  # of a series and target
DIGITS = "%.7g"  # that a float32 has
LONGER = "%.12g"  # of values with an offset in double precision
STANDARD_INPUT = Path("-")


class Options(commands.AnswerOptions):
    """Options of the forecast."""

    RENAMED: ClassVar = {"unlikely": "anomaly_probability"}

    table: tyro.conf.Positional[tuple[Path, ...]] = Field(
        (), description=f"your table: {FORMATS}; - reads CSV from standard input"
    )
    data: TableOptions = TableOptions()
    output: Path | None = Field(
        None,
        description="folder for the table and the picture, or the table's name, such as next.csv; default: the current "
        "folder, or none with --format json",
    )
    horizon: int | None = Field(None, description="steps to forecast; default, and most: those of the training")
    quantiles: tuple[float, ...] = Field(
        (), description="levels of the quantiles, such as 0.1 0.5 0.9; default: those of the training"
    )
    samples: int = Field(
        0, ge=0, description="number of paths to draw for each series, as columns sample_1, sample_2, …"
    )
    sums: tuple[str, ...] = Field(
        (), description="series that are sums of others, such as total=north+south; their forecasts will add up"
    )
    reconciliation: Literal["mint", "bottom_up"] = Field(
        "mint",
        description="how forecasts are made to add up. mint: uncertain ones change more than certain ones; bottom_up: "
        "the parts are summed",
    )
    explain: bool = Field(False, description="list which inputs moved the forecast")
    anomalies: bool = Field(False, description="list anomalies: readings that were improbable when they arrived")
    anomaly_probability: float = Field(0.001, gt=0, lt=1, description="highest probability of an anomaly (both tails)")
    steps_before: int = Field(1, ge=1, description="compare each reading with the forecast from this many steps before")

    @pydantic.model_validator(mode="after")
    def _goes_with(self) -> Self:
        needs = {"anomaly_probability": "anomalies", "steps_before": "anomalies", "reconciliation": "sums"}
        for name, other in needs.items():
            value = getattr(self, name)
            if value != type(self).model_fields[name].default and not getattr(self, other):
                raise ValueError(f"{name} needs {other}. Give both, or neither. Received: {name} {value} alone")
        return self


def answer(options: Options, load: Callable[[], "Predictor"]) -> None:
    """Prints and writes what follows each series of a table, and the anomalies, if wanted."""
    from pipelines.series.reconciliation import read_sums, reconciled  # and TensorFlow, which --help does without

    if len(options.table) != 1:
        raise ConfigurationError(
            "A forecast needs a table with what came before. Expected one file. Name it: "
            f"{hints.answer('forecast', 'CSV', 'measurements.csv')}. "
            f"Received: {', '.join(map(str, options.table)) or 'no file'}"
        )
    path = options.table[0]
    if path != STANDARD_INPUT and not path.expanduser().exists():
        raise missing_file(path, f"a table, {FORMATS}")
    written = _files(options)
    predictor = load()
    levels = predictor.chosen_levels(options.quantiles)
    source = predictor.open(sys.stdin.buffer if path == STANDARD_INPUT else path, options.data.model_dump())
    forecasts = predictor.forecasts([source], options.samples, options.horizon)[0]
    forecasts = reconciled(forecasts, read_sums(options.sums), options.reconciliation)
    anomalies = None
    if options.anomalies:
        anomalies = predictor.to_anomalies(source, options.anomaly_probability, options.steps_before)
    if options.format == "json":
        commands.print_answers(predictor.to_frame(forecasts, levels).to_dict("records"))
        commands.print_answers([] if anomalies is None else anomalies.to_dict("records"))
    else:
        _print_forecasts(Console(), forecasts, predictor, levels)
        if anomalies is not None:
            _print_anomalies(Console(), anomalies)
    if options.explain:
        found = predictor.to_influences(source)
        if options.format == "json":
            commands.print_answers(found.to_dict("records"))
        else:
            _print_influences(Console(), found)
    _write(written, predictor, forecasts, levels, anomalies)
    if anomalies is not None:
        commands.report_done(f"{len(anomalies)} readings were less probable than {options.anomaly_probability:g}.")
    commands.report_done(f"Forecast {len(forecasts)} series")
    if written:
        commands.report_done(f"Wrote {', '.join(map(str, written))}")


def _files(options: Options) -> list[Path]:
    """Returns what will be written: the table, the picture, and the anomalies, if wanted."""
    output = options.output
    if output is None and options.format == "json":
        return []
    if output is None or output.is_dir() or (output.suffix not in ENDINGS and not output.exists()):
        table, anomalies = (output or Path(".")) / "forecast.csv", "anomalies.csv"
    elif output.suffix == ".csv":
        table, anomalies = output, f"{output.stem}_anomalies.csv"
    else:
        raise ConfigurationError(
            f"output: a forecast is written as CSV. Expected a folder, or a file such as {output.with_suffix('.csv')}. "
            f"Received: {str(output)!r}"
        )
    written = [table, table.with_suffix(".png"), *([table.with_name(anomalies)] if options.anomalies else [])]
    if any(path.exists() and path.samefile(options.table[0]) for path in written if options.table[0] != STANDARD_INPUT):
        raise ConfigurationError(
            f"output: the forecast would overwrite the table {options.table[0]}. Name another folder or file, --output "
            f"next.csv. Received: {str(output or '.')!r}"
        )
    return written


def _write(
    written: Sequence[Path],
    predictor: "Predictor",
    forecasts: "Sequence[Forecast]",
    levels: Sequence[float],
    anomalies: "pd.DataFrame | None",
) -> None:
    """Writes tables and picture."""
    from pipelines.series.pictures import fan_chart

    if not written:
        return
    written[0].parent.mkdir(parents=True, exist_ok=True)
    digits = LONGER if any(np.any(each.series.offset) for each in forecasts) else DIGITS
    predictor.to_frame(forecasts, levels).to_csv(written[0], index=False, float_format=digits)
    fan_chart(forecasts, predictor.targets, predictor.levels).savefig(written[1], dpi=120)
    if anomalies is not None:
        anomalies.to_csv(written[2], index=False, float_format=digits)


def _print_forecasts(
    console: Console, forecasts: "Sequence[Forecast]", predictor: "Predictor", levels: Sequence[float]
) -> None:
    """Prints the quantiles that were asked for; the median and a range where none were."""
    from pipelines.series.pictures import decimals, past_of
    from pipelines.series.regular import time_text

    heads = [f"{level:.4g} quantile" for level in levels]
    if tuple(levels) == predictor.levels:
        low, middle, high = (levels[int(np.argmin(np.abs(np.array(levels) - near)))] for near in (0.1, 0.5, 0.9))
        levels, heads = (middle, low, high), ["median", f"{high - low:.0%} from", "to"]
    for each in forecasts[:SHOWN_SERIES]:
        quantiles = predictor.quantiles_at(each, levels)
        for number, target in enumerate(predictor.targets):
            table = Table("time", *heads, title=f"{each.series.name}: {target}")
            places = decimals(past_of(each)[:, number])
            for time, row in list(zip(each.times, quantiles[:, number], strict=True))[:SHOWN_STEPS]:
                table.add_row(time_text(time, each.zone), *(f"{value:.{places}f}" for value in row))
            console.print(table)


def _print_influences(console: Console, found: "pd.DataFrame") -> None:
    """Prints the largest ones of each series and target."""
    table = Table("series", "target", "input", "moves the forecast by", "on average")
    for each in found.groupby(["series", "target"], sort=False).head(SHOWN_INFLUENCES).itertuples():
        table.add_row(each.series, each.target, each.input, f"{each.size:.3g}", f"{each.change:+.3g}")
    console.print(table)


def _print_anomalies(console: Console, anomalies: "pd.DataFrame") -> None:
    """Prints the least probable ones."""
    from pipelines.series.pictures import decimals

    table = Table("series", "time", "target", "value", "expected from", "to", "one in", "changed with it")
    for each in anomalies.sort_values("probability", kind="stable")[:SHOWN_ANOMALIES].itertuples():
        places = decimals(np.array(anomalies["value"][anomalies["target"] == each.target]))
        numbers = (f"{number:.{places}f}" for number in (each.value, each.low, each.high))
        odds = f"{1 / each.probability:,.0f}" if each.probability > 1e-6 else "> 1,000,000"
        beside = ", ".join(name for name in each.columns.split(", ") if name != each.target)
        table.add_row(each.series, each.time, each.target, *numbers, odds, beside)
    if len(anomalies):
        console.print(table)
