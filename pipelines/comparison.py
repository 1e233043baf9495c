"""Whether a row of a table differs from the model's beyond chance, in words."""

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipelines.evaluation import FEWEST, Metric, Row, Statistic, as_examples, bootstrap, resampled

Answers = TypeVar("Answers")

SIGNIFICANT = 0.05  # p-values below
RESAMPLINGS = 1000


def comparison(
    model: ArrayLike | tuple[ArrayLike, ...],
    other: ArrayLike | tuple[ArrayLike, ...],
    metric: str,
    higher_is_better: bool = False,
    statistic: Statistic = np.mean,
) -> str:
    """Returns in words how sure it is that another row is worse, or better, than the model, on the same examples.

    Args:
        model: As `first` of `paired_difference`, of the model.
        other: The same of the other row.
        metric: What is compared, for the reader.
        higher_is_better: Of the metric.
        statistic: As in `bootstrap`.

    Example:
        >>> comparison([0.0] * 90, [0.5] * 90, "WER")
        'significantly worse than the model: WER difference 0.500 [0.500, 0.500], p ≤ 0.002'
        >>> comparison([0.0] * 90, [0.5] * 90, "accuracy", higher_is_better=True)
        'significantly better than the model: accuracy difference 0.500 [0.500, 0.500], p ≤ 0.002'
        >>> comparison([0.0] * 9, [0.5] * 9, "WER")
        'WER difference from the model 0.500; 9 examples are too few to tell it from chance'
    """
    difference, p = paired_difference(other, model, statistic, RESAMPLINGS)
    if (examples := len(np.asarray(other[0] if isinstance(other, tuple) else other))) < FEWEST:
        few = f"{examples} examples are" if examples > 1 else "one example is"
        return f"{metric} difference from the model {Metric(difference.value)}; {few} too few to tell it from chance"
    verdict = "better than" if (difference.value > 0) == higher_is_better else "worse than"
    verdict = f"significantly {verdict}" if p < SIGNIFICANT else "not significantly different from"
    sign = "≤" if p <= 2 / (RESAMPLINGS + 1) else "="  # no resampling on the other side: it may be smaller
    return f"{verdict} the model: {metric} difference {difference}, p {sign} {p:.3f}"


def timed(methods: Mapping[str, Callable[[], Answers]], doing: str) -> tuple[dict[str, Answers], dict[str, float]]:
    """Returns what the method of each row answers, and the minutes that it took; prints what it is `doing`."""
    answers, minutes = {}, {}
    for name, method in methods.items():
        print(f"{doing}: {name}", flush=True)
        started = time.perf_counter()
        answers[name] = method()
        minutes[name] = (time.perf_counter() - started) / 60
    return answers, minutes


def compared_rows(
    answers: Mapping[str, Answers],
    metrics: Callable[[Answers], Mapping[str, Metric]],
    compare: Callable[[Answers, Answers], str],
    notes: Mapping[str, str],
    minutes: Mapping[str, float] = {},
) -> list[Row]:
    """Returns a row for the model and for each baseline; a baseline's notes state whether it differs beyond chance.

    Args:
        answers: of each row on the same examples, the model's first.
        metrics: returns the metrics of a row's answers.
        compare: `compare(model, other)` states in words how another row's answers differ from the model's.
        notes: what each row is; a row may have none.
        minutes: what each row took, as `timed` returns it.

    Example:
        >>> answers = {"model": [0.0] * 90, "zero": [0.5] * 90}
        >>> rows = compared_rows(
        ...     answers,
        ...     lambda errors: {"mae": Metric(float(np.mean(errors)))},
        ...     lambda model, other: comparison(model, other, "MAE"),
        ...     {"zero": "always zero"},
        ... )
        >>> rows[1].name, rows[1].notes
        ('zero', 'always zero; significantly worse than the model: MAE difference 0.500 [0.500, 0.500], p ≤ 0.002')
    """
    model = next(iter(answers))
    rows = []
    for name, each in answers.items():
        parts = [notes.get(name, ""), "" if name == model else compare(answers[model], each)]
        notes_of_row = "; ".join(part for part in parts if part)
        rows.append(Row(name, dict(metrics(each)), minutes.get(name), notes_of_row))
    return rows


def paired_difference(
    first: ArrayLike | tuple[ArrayLike, ...],
    second: ArrayLike | tuple[ArrayLike, ...],
    statistic: Statistic = np.mean,
    samples: int = 1000,
    seed: int = 0,
) -> tuple[Metric, float]:
    """Returns statistic(first) - statistic(second) on the same examples with its interval, and the
    two-sided p-value.

    Args:
        first: As `per_example` of `bootstrap`, of one row.
        second: The same of another row, the same examples in the same order.
        statistic: As in `bootstrap`; with `ratio`, `first` and `second` are tuples.
        samples: How many resamplings; the smallest p-value is 2 / (samples + 1).
        seed: The same seed gives the same interval.

    Raises:
        ValueError: There are no examples, or the arrays differ in length.

    Example:
        >>> difference, p = paired_difference([1, 1, 1, 1, 0, 1], [0, 0, 0, 0, 0, 0])
        >>> round(difference.value, 2), p < 0.05
        (0.83, True)
    """
    ours, theirs = as_examples(first), as_examples(second)

    def difference(*arrays: NDArray[Any], axis: int) -> NDArray[np.floating]:
        return statistic(*arrays[: len(ours)], axis=axis) - statistic(*arrays[len(ours) :], axis=axis)

    metric = bootstrap((*ours, *theirs), difference, samples, seed)
    values = resampled(as_examples((*ours, *theirs)), difference, samples, seed)
    tail = min(np.sum(values <= 0), np.sum(values >= 0))
    return metric, float(min(1.0, 2 * (tail + 1) / (samples + 1)))
