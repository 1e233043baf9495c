"""What the numbers of a run mean for its user, and what to try next, in plain sentences."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pipelines.evaluation import FEWEST, Evaluation, Metric, Row
from pipelines.metric_names import higher_is_better
from pipelines.predictors import task_of
from pipelines.runs import Run, RunError

FALLING = 0.01
"""Relative gain of the last epoch that makes more epochs worth a try."""
RISING = 0.05
"""How far a validation metric rises above its best, relatively, before that counts as overfitting."""
WAITING = 0.25
"""Share of the time spent waiting for input that is worth a sentence."""
SKIPPED = 0.01
"""Share of skipped steps that is worth a sentence."""
WIDE = 0.5
"""Width of an interval, relative to the value, of which a split is too small to tell."""

History = Sequence[Mapping[str, float]]


class Training(NamedTuple):
    """What advice on a training needs.

    Attributes:
        history: rows of `history.csv`.
        epochs: the epochs that the configuration asked for.
        waiting_share: share of the time spent waiting for input.
    """

    history: History
    epochs: int
    waiting_share: float = 0.0


def run_advice(run: Run, evaluation: Evaluation | None = None) -> list[str]:
    """Returns the advice on a run, the most important first; none where nothing is worth a remark.

    Args:
        run: a trained run.
        evaluation: of the run. Default: only the training is judged.
    """
    variants: Sequence[str] = ()
    if evaluation is not None:
        variants = getattr(task_of(run).part("evaluate"), "VARIANTS", ())
    training = run.read_json("configuration.json").get("training", {})
    try:
        waiting = float(run.read_json("timing.json")["waiting_share"])
    except RunError:
        waiting = 0.0
    lines = on_evaluation(evaluation, variants) if evaluation is not None else []
    return lines + on_training(Training(run.history(), int(training.get("epochs", 0)), waiting))


def on_evaluation(evaluation: Evaluation, variants: Sequence[str] = ()) -> list[str]:
    """Returns what an evaluation shows about the model.

    Args:
        evaluation: the table, the model's row first. The first metric of that row is the one that counts.
        variants: rows that are the model in another form, and no baselines, beside those whose name begins so.

    Example:
        >>> rows = [Row("model", {"mae": Metric(0.374)}), Row("seasonal naive", {"mae": Metric(0.18)})]
        >>> print(*on_evaluation(Evaluation("test", 500, rows)))
        A baseline is better here, seasonal naive: mae 0.180 against 0.374 of the model. Use it, or give the model more
        data or epochs.
    """
    model = evaluation.rows[0]
    name = next(iter(model.metrics), None)
    lines = []
    if name is not None and math.isfinite(model.metrics[name].value):
        others = [row for row in evaluation.rows[1:] if not row.name.startswith("model") and row.name not in variants]
        others = [row for row in others if name in row.metrics and math.isfinite(row.metrics[name].value)]
        if others:
            lines.append(_beside(name, model, _best(others, name)))
        lines += _size(evaluation, name, model.metrics[name])
    return lines


def on_training(training: Training) -> list[str]:
    """Returns what the course of a training suggests.

    Example:
        >>> falling = [{"epoch": 1, "validation_cer": 0.6}, {"epoch": 2, "validation_cer": 0.5}]
        >>> print(*on_training(Training(falling, epochs=2)))
        The validation cer was still falling when the training ended, by 17% in the last epoch. Try twice as many
        epochs: --training.epochs 4.
    """
    lines = []
    history = [row for row in training.history if any(name.startswith("validation_") for name in row)]
    if len(history) > 1:
        lines += _course(history, training.epochs)
    steps, skipped = (sum(row.get(name, 0.0) for row in training.history) for name in ("steps", "skipped_steps"))
    if skipped > SKIPPED * max(steps, 1.0):
        lines.append(
            f"{skipped:.0f} of {steps:.0f} steps were skipped because their loss was not finite. Lower "
            "--training.learning_rate, or look for extreme values in the data."
        )
    if training.waiting_share > WAITING:
        lines.append(
            f"The training waited for its input in {training.waiting_share:.0%} of the time. Faster storage or smaller "
            "files would shorten it."
        )
    return lines


def _is_better(name: str, one: float, other: float) -> bool:
    return one > other if higher_is_better(name) else one < other


def _beside(name: str, model: Row, best: Row) -> str:
    numbers = f"{name} {Metric(model.metrics[name].value)} against {Metric(best.metrics[name].value)}"
    if "significantly worse" in best.notes and "not significantly" not in best.notes.partition(";")[0]:
        return f"The model is better than the best baseline, {best.name}: {numbers}."
    if _is_better(name, best.metrics[name].value, model.metrics[name].value):
        numbers = f"{name} {Metric(best.metrics[name].value)} against {Metric(model.metrics[name].value)} of the model"
        return f"A baseline is better here, {best.name}: {numbers}. Use it, or give the model more data or epochs."
    if "not significantly" in best.notes or "too few" in best.notes:
        return (
            f"The model is not significantly better than the best baseline, {best.name}: {numbers}. A larger test "
            "split would show whether it is."
        )
    return f"The model is better than the best baseline, {best.name}: {numbers}."


def _best(rows: Sequence[Row], name: str) -> Row:
    best = rows[0]
    for row in rows[1:]:
        if _is_better(name, row.metrics[name].value, best.metrics[name].value):
            best = row
    return best


def _size(evaluation: Evaluation, name: str, metric: Metric) -> list[str]:
    if evaluation.examples < FEWEST:
        return [
            f"The {evaluation.split} split has {evaluation.examples} examples, too few for a verdict. Put a hundred "
            "or more into it."
        ]
    if metric.low is None or metric.high is None or not metric.value:
        return []
    if metric.high - metric.low > WIDE * abs(metric.value) and evaluation.examples < 10 * FEWEST:
        return [
            f"The {evaluation.split} split is small: with {evaluation.examples} examples, {name} is known only to "
            f"{metric.low:.3g} … {metric.high:.3g}. More test data would narrow it."
        ]
    return []


def _course(history: History, epochs: int) -> list[str]:
    """Still falling, or overfitting: by the first validation metric, the one that chooses the weights."""
    column = next(name for name in history[-1] if name.startswith("validation_"))
    name = column.removeprefix("validation_").replace("_", " ")
    values = [row.get(column, math.nan) for row in history]
    if not all(math.isfinite(value) for value in values):
        return []
    best = 0
    for place, value in enumerate(values):
        best = place if _is_better(column, value, values[best]) else best
    if best == len(values) - 1:
        gain = abs(values[-1] - values[-2]) / max(abs(values[-2]), 1e-12)
        if gain < FALLING or len(history) < epochs:  # stopped early, or a run of its own making
            return []
        moving = "rising" if higher_is_better(column) else "falling"
        return [
            f"The validation {name} was still {moving} when the training ended, by {gain:.0%} in the last epoch. Try "
            f"twice as many epochs: --training.epochs {2 * epochs}."
        ]
    lost = abs(values[-1] - values[best]) / max(abs(values[best]), 1e-12)
    if lost > RISING and history[-1].get("loss", math.inf) < history[best].get("loss", -math.inf):
        return [
            f"After epoch {history[best]['epoch']:.0f} the training loss fell on while the validation {name} got "
            f"worse by {lost:.0%}: the network overfits. The weights of that epoch are kept. Try more data, more "
            "dropout, or a smaller network."
        ]
    return []
