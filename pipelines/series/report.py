"""The page that an evaluation of series writes: table, tests, error by horizon, fans, calibration, repairs."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from pipelines.evaluation import Evaluation, Metric
from pipelines.report import Code, Picture, Section, Table, write_evaluation
from pipelines.runs import Run
from pipelines.series import pictures
from pipelines.series.backtest import Forecasts, Origins, Task
from pipelines.series.calendar import DAY
from pipelines.series.explanation import Influence
from pipelines.series.scoring import COMPARED, INTERVALS, SIGNIFICANT, Losses, best_baseline, compare, p_value

INFLUENCES = 12  # rows of the table
REPAIRS = 40  # rows of the table; the others are in the run's folder
FANS = (
    "The forecast of the lowest, the middle and the highest CRPS: the median, the ranges of 50, 80 and 95 % in ever "
    "lighter blue, in black what was measured."
)
WITHIN = (
    "Share of true values within each range of the model. The grey line is perfect; below it, the ranges are too "
    "narrow."
)
BETWEEN = (
    "Share of true values between neighbouring quantiles. A flat line at 1 is perfect. A hollow means that the ranges "
    "are too narrow, a hill that they are too wide, a slope that the forecasts are too low or too high."
)


class Details(NamedTuple):
    """What the page shows beside the table: the forecasts of each row, by its name, and their errors."""

    task: Task
    origins: Origins
    forecasts: dict[str, Forecasts]
    losses: dict[str, Losses]
    influences: Sequence[Influence] = ()  # on the middle one of the forecasts that are drawn


def write_series_report(run: Run, evaluation: Evaluation, details: Details) -> None:
    """Writes `evaluation.json`, `report.html` and its plots into the run's folder; other splits have their own."""
    task, origins, found = details.task, details.origins, details.losses
    model = details.forecasts["model"]
    fans = pictures.fans(task, origins, model, best_middle_worst(found["model"]["crps"]))
    fans.savefig(run.folder / evaluation.file_name("forecasts.png"), dpi=120)
    errors = pictures.error_by_horizon({name: losses["mae"] for name, losses in found.items()}, pictures.unit_of(task))
    within = pictures.calibration(origins.truth, model, task.levels)
    between = pictures.probability_histogram(origins.truth, model, task.levels)
    moved = [Section("What moved the middle forecast", [influence_table(details.influences)])]
    sections = [
        Section("Is the model better beyond chance?", [comparisons(details)]),
        Section("Error by horizon", [Picture(errors, "Mean absolute error by step ahead.")]),
        Section("Some forecasts", [Picture(fans, FANS)]),
        *(moved if details.influences else []),
        Section("Are the ranges reliable?", [Picture(within, WITHIN), Picture(between, BETWEEN)]),
        Section("Repairs of the data", repairs(task)),
    ]
    above = about_prices(evaluation, details) if task.log_returns else about_ranges(evaluation.rows[0].metrics)
    write_evaluation(run, evaluation, "Series", "crps", [above, explanation(task)], sections)


def influence_table(influences: Sequence[Influence]) -> Table:
    """Returns the largest influences on a forecast."""
    rows = [[each.input, f"{each.size:.3g}", f"{each.change:+.3g}"] for each in influences[:INFLUENCES]]
    caption = (
        "How far the median of the middle forecast above lies, as a mean over its steps, from that of the same history "
        "with one input hidden: its size, and its direction."
    )
    return Table(["input", "moves the forecast by", "on average"], rows, caption)


def best_middle_worst(crps: np.ndarray) -> dict[str, int]:
    """Returns the number of the best, the middle and the worst forecast by CRPS (origins, horizon) over its steps."""
    whole = np.flatnonzero(~np.isnan(crps).any(axis=1))
    if not len(whole):  # no forecast has all of its truths
        whole = np.arange(len(crps))
    order = whole[np.argsort(np.nan_to_num(crps[whole]).mean(axis=1), kind="stable")]
    return {"best": int(order[0]), "middle": int(order[len(order) // 2]), "worst": int(order[-1])}


def explanation(task: Task) -> str:
    """Says what the columns of the table are."""
    what = (
        f"Forecasts are of log returns over 1 to {task.horizon} {step_of(task)}s: how far the price moves from the "
        "last one known. “direction” is the share of cases in which rise or fall by the next "
        f"{step_of(task)} was foreseen. "
        if task.log_returns
        else ""
    )
    return (
        f"{what}Each step of the period is the origin of a forecast of the next {task.horizon} steps, which uses what "
        "was known then. Each number is a mean over all forecasts, in the data's own units; “mae_1” covers the next "
        "step alone. Lower is better. The coverages should be as their names say. The skill is the share of the error "
        "of “last value” that the row avoids; higher is better. Every row computes the CRPS from its quantiles. The "
        "intervals come from a bootstrap of blocks in time, because the errors of neighbouring forecasts depend on "
        "each other. Values that were not measured are not scored."
    )


def percent_of(share: float) -> str:
    """Writes a share in percent."""
    return f"{100 * share:.1f} %"


def step_of(task: Task) -> str:
    """Names a step."""
    return "day" if task.sets.clock.step_seconds == DAY else "step"


def comparisons(details: Details) -> Table:
    """Returns the table of the Diebold–Mariano tests of the model against each other row."""
    heads = ["", *(f"{metric.upper()}, {steps}" for metric in COMPARED for steps in ("next step", "all steps"))]
    rows = []
    for name in details.losses:
        if name == "model":
            continue
        cells = []
        for metric in COMPARED:
            for step in (1, None):
                test = compare(details.losses["model"][metric], details.losses[name][metric], details.origins, step)
                better = "model better" if test.difference < 0 else "model worse"
                cells.append(f"{better if test.p < SIGNIFICANT else 'undecided'}, {p_value(test.p)}")
        rows.append([name, *cells])
    caption = (
        "Diebold–Mariano tests with the correction of Harvey, Leybourne and Newbold: how probable a difference like "
        "the one seen would be if both were equally good."
    )
    return Table(heads, rows, caption)


def about_prices(evaluation: Evaluation, details: Details) -> str:
    """Says in plain words whether the model foresees prices, and what it is good for, from the numbers alone."""
    rows = {row.name: row.metrics for row in evaluation.rows}
    model, last = rows["model"], rows["last value"]
    found, origins = details.losses, details.origins
    step = step_of(details.task)
    point = compare(found["model"]["mae"], found["last value"]["mae"], origins)
    if not point.p < SIGNIFICANT:
        foresight = "does not differ significantly from the last price"
    else:
        foresight = f"is {'better' if point.difference < 0 else 'worse'} than the last price"
    text = (
        f"On these {len(np.unique(origins.time))} {step}s the model's point forecast {foresight} (mean absolute error "
        f"of the log return {model['mae'].value:.4f} against {last['mae'].value:.4f}; Diebold–Mariano test, "
        f"{p_value(point.p)})."
    )
    if "direction" in model:
        hits = model["direction"]
        assert hits.low is not None and hits.high is not None
        beyond = "no better than" if hits.low <= 0.5 <= hits.high else "better than" if hits.low > 0.5 else "worse than"
        rises = float(np.nanmean(np.where(origins.truth[:, 0] == 0, np.nan, origins.truth[:, 0] > 0)))
        text += (
            f" It predicted the direction of the next {step} in {percent_of(hits.value)} of all cases "
            f"[{percent_of(hits.low)}, {percent_of(hits.high)}], {beyond} a coin. A constant forecast of "
            f"“up” would be right in {percent_of(rises)}."
        )
    text += f"\n\n{about_ranges(model)}"
    best = best_baseline(rows, "crps")
    whole = compare(found["model"]["crps"], found[best]["crps"], origins)
    sure = "significantly" if whole.p < SIGNIFICANT else "not significantly"
    than = "better" if whole.difference < 0 else "worse"
    text += (
        f" Its distribution is {sure} {than} than that of the best baseline, {best} (CRPS "
        f"{model['crps'].value:.5f} against {rows[best]['crps'].value:.5f}, {p_value(whole.p)})."
    )
    if not (point.p < SIGNIFICANT and point.difference < 0):
        text += " It predicts how far prices may move, not in which direction."
    return text


def about_ranges(model: Mapping[str, Metric]) -> str:
    """Says whether the ranges cover what they should, as far as the intervals of their coverages tell."""
    known = [(percent, model[f"coverage_{percent}"]) for percent in INTERVALS if f"coverage_{percent}" in model]
    shares = [f"the {percent} % range covered {percent_of(metric.value)}" for percent, metric in known]
    held = f"Of the true values, {', '.join(shares)}."
    narrow = [f"{percent} %" for percent, (_, _, high) in known if high is not None and high < percent / 100]
    wide = [f"{percent} %" for percent, (_, low, _) in known if low is not None and low > percent / 100]
    if not narrow and not wide:
        return f"Its ranges are reliable. {held}"
    wrong = [f"{word} ({', '.join(each)})" for word, each in (("too narrow", narrow), ("too wide", wide)) if each]
    return f"Its ranges are {' and '.join(wrong)}. {held}"


def repairs(task: Task) -> Sequence[str | Table | Picture | Code]:
    """Returns the table of what was found in the data."""
    found = task.sets.repairs
    if not found:
        return ["Nothing."]
    rows = [[each.series, each.column, each.what, each.number, each.first] for each in found[:REPAIRS]]
    more = f"The first {REPAIRS} of {len(found)}; all are in repairs.json." if len(found) > REPAIRS else ""
    return [Table(["series", "column", "what", "how many", "first"], rows, more)]
