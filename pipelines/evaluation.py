"""Evaluation: metrics with bootstrap intervals, the model beside its baselines, as JSON and as a table."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.hints import counted

FEWEST = 20
"""Examples; of fewer, resamplings claim more than is known."""

RESAMPLED_NUMBERS = 4_000_000
"""So many resampled numbers are held in memory at once."""

Statistic = Callable[..., NDArray[np.floating]]


class Metric(NamedTuple):
    """A value with its confidence interval; without one, `low` and `high` are None."""

    value: float
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        """The value and its interval, to about three digits.

        Example:
            >>> print(Metric(0.12345, 0.1, 0.15), Metric(1234.5), Metric(0.0123, 0.0117, 0.013))
            0.123 [0.100, 0.150] 1234 0.0123 [0.0117, 0.0130]
        """
        numbers = [self.value] if self.low is None or self.high is None else [self.value, self.low, self.high]
        largest = max((abs(number) for number in numbers if math.isfinite(number)), default=0.0)
        decimals = 4 if largest < 0.1 else max(0, 3 - math.floor(math.log10(max(largest, 1))))
        texts = [f"{number:.3g}" if largest < 0.01 else f"{number:.{decimals}f}" for number in numbers]
        return texts[0] if len(texts) == 1 else f"{texts[0]} [{texts[1]}, {texts[2]}]"


class Row(NamedTuple):
    """One line of the table: the model, or a baseline.

    Args:
        name: `model`, or the baseline's name.
        metrics: By name, such as `wer`.
        minutes: How long it took, if that is worth saying.
        notes: A remark.
    """

    name: str
    metrics: Mapping[str, Metric]
    minutes: float | None = None
    notes: str = ""


class Evaluation(NamedTuple):
    """What `evaluation.json` holds: the model's row first, then the baselines, all on the same examples.

    Args:
        split: Name of the split.
        examples: How many examples it has.
        rows: The model's first.

    Example:
        >>> evaluation = Evaluation("test", 3, [Row("model", {"wer": Metric(0.25, 0.125, 0.5)})])
        >>> evaluation.to_json()["rows"]
        [{'name': 'model', 'metrics': {'wer': {'value': 0.25, 'low': 0.125, 'high': 0.5}}}]
        >>> Evaluation.from_json(evaluation.to_json()) == evaluation
        True
    """

    split: str
    examples: int
    rows: Sequence[Row]

    def to_json(self) -> dict[str, Any]:
        """Returns the content of `evaluation.json`; numbers that are not finite become null."""
        return {"split": self.split, "examples": self.examples, "rows": [_row_to_json(row) for row in self.rows]}

    @classmethod
    def from_json(cls, content: Mapping[str, Any] | str) -> "Evaluation":
        """Reads what `to_json` returned, or the text of an `evaluation.json`."""
        value = json.loads(content) if isinstance(content, str) else content
        return cls(value["split"], value["examples"], [_row_from_json(row) for row in value["rows"]])

    def file_name(self, name: str) -> str:
        """Returns `name` for the test split, and a name of its own for another, which must not replace what that wrote.

        Example:
            >>> Evaluation("test", 3, []).file_name("report.html")
            'report.html'
            >>> Evaluation("validation", 3, []).file_name("report.html")
            'report-validation.html'
        """
        stem, _, ending = name.rpartition(".")
        return name if self.split == "test" else f"{stem}-{self.split}.{ending}"

    def metric_names(self) -> list[str]:
        """Names of all metrics, in the order in which rows first mention them."""
        return list(dict.fromkeys(name for row in self.rows for name in row.metrics))

    def cells(self, intervals: bool = True) -> tuple[list[str], list[list[str]]]:
        """Returns the heads of the columns and the rows as text, for the terminal and the report.

        Args:
            intervals: Show the interval of a value beside it.
        """
        optional = [name for name in ("minutes", "notes") if any(getattr(row, name) for row in self.rows)]
        names = self.metric_names()
        rows = []
        for row in self.rows:
            shown = [row.metrics.get(name) for name in names]
            metrics = ["" if each is None else str(each if intervals else Metric(each.value)) for each in shown]
            others = {"minutes": "" if row.minutes is None else f"{row.minutes:.1f}", "notes": row.notes}
            rows.append([row.name, *metrics, *(others[name] for name in optional)])
        return ["", *names, *optional], rows

    def without_notes(self) -> "Evaluation":
        """Returns the same without the notes, which a table has no room for."""
        return self._replace(rows=[row._replace(notes="") for row in self.rows])

    def print(self, console: Console | None = None) -> None:
        """Prints the table, each value with its interval where the terminal is wide enough, and the notes below."""
        console = console or Console()
        heads, rows = self.without_notes().cells()
        title = f"{self.split} split, {counted(self.examples, 'example')}"
        has_intervals = any(each.low is not None for row in self.rows for each in row.metrics.values())
        if fits := len(columns_that_fit(heads, rows, console.width)) == 1:
            title += ", with intervals" * has_intervals
        else:
            heads, rows = self.without_notes().cells(intervals=False)
        for places in columns_that_fit(heads, rows, console.width):
            table = Table(title=Text(title), title_justify="left")
            for place in places:
                table.add_column(heads[place], justify="right" if heads[place] else "left", no_wrap=True)
            for cells in rows:  # as `Text`, because rich would take [brackets] for markup
                table.add_row(*(Text(cells[place]) for place in places))
            console.print(table)
            title = ""
        for row in self.rows:
            if row.notes:
                console.print(Text(f"{row.name}: {row.notes}"), highlight=False)
        if has_intervals and self.examples < FEWEST:
            console.print(
                f"{counted(self.examples, 'example')} are too few for intervals: they are wider than printed."
            )
        if not fits:
            console.print("The intervals are in the JSON file and in the report; a wider terminal shows them here too.")


def markdown_table(evaluation: Evaluation) -> str:
    """Returns an evaluation as a table in Markdown, each value with its interval.

    Example:
        >>> print(markdown_table(Evaluation("test", 9, [Row("model", {"wer": Metric(0.25, 0.125, 0.5)})])))
        |  | wer |
        | --- | --- |
        | model | 0.250 [0.125, 0.500] |
    """
    heads, rows = evaluation.cells()
    lines = [heads, ["---"] * len(heads), *([cell.replace("|", r"\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def columns_that_fit(heads: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[list[int]]:
    """Places of the columns of one table or, where a terminal is narrow, of several, each beginning with the names."""
    widths = [max(len(line[place]) for line in (heads, *rows)) + 3 for place in range(len(heads))]
    tables: list[list[int]] = [[0]]
    for place in range(1, len(heads)):
        if len(tables[-1]) > 1 and 1 + sum(widths[each] for each in tables[-1]) + widths[place] > width:
            tables.append([0])
        tables[-1].append(place)
    return tables


def bootstrap(
    per_example: ArrayLike | tuple[ArrayLike, ...],
    statistic: Statistic = np.mean,
    samples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
    block: int = 1,
) -> Metric:
    """Returns a statistic of the examples with its percentile interval, by resampling examples; of one, without.

    (Efron, "Bootstrap methods: another look at the jackknife", 1979; Bisani and Ney, "Bootstrap estimates for
    confidence intervals in ASR performance evaluation", 2004, for rates of errors; Künsch, "The jackknife and the
    bootstrap for general stationary observations", 1989, for the moving blocks of examples that depend on each other.)

    Args:
        per_example: One array, or a tuple of them, each with the examples as its first dimension: what the
            statistic needs of each example (an error; or matches and lengths, for a corpus score).
        statistic: `statistic(*arrays, axis=1)`, given (samples, examples, …), returns (samples,).
        samples: How many resamplings.
        seed: The same seed gives the same interval.
        confidence: Share of intervals that hold the true value.
        block: So many neighbours are drawn together, for examples in the order of time; at most a quarter of them.

    Raises:
        ValueError: There are no examples, or the arrays differ in length.

    Example:
        >>> metric = bootstrap([0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0])
        >>> metric.value, metric.low < 0.75 < metric.high
        (0.75, True)
    """
    arrays = as_examples(per_example)
    value = float(statistic(*(array[None] for array in arrays), axis=1)[0])
    if len(arrays[0]) == 1:
        return Metric(value)
    low, high = _interval(resampled(arrays, statistic, samples, seed, block), confidence)
    return Metric(value, low, high)


def bootstrap_ratio(
    numerators: ArrayLike, denominators: ArrayLike, samples: int = 1000, seed: int = 0, confidence: float = 0.95
) -> Metric:
    """Returns sum(numerators) / sum(denominators) with its interval: word error rate from errors and words.

    Args:
        numerators: Such as the errors of each example, (examples,).
        denominators: Such as the reference words of each example, (examples,).
        samples: How many resamplings.
        seed: The same seed gives the same interval.
        confidence: Share of intervals that hold the true value.

    Raises:
        ValueError: There are no examples, the arrays differ in length, or the denominators add up to 0.

    Example:
        >>> bootstrap_ratio([1, 0, 2], [4, 3, 3]).value
        0.3
    """
    arrays = as_examples((numerators, denominators))
    if not arrays[1].sum() > 0:
        raise ValueError(
            "A ratio needs denominators that add up to more than 0. Are all references empty? "
            f"Received: the sum {arrays[1].sum()} over {len(arrays[1])} examples"
        )
    return bootstrap(arrays, ratio, samples, seed, confidence)


def ratio(numerators: NDArray[Any], denominators: NDArray[Any], axis: int) -> NDArray[np.floating]:
    """Returns the ratio of sums, as a statistic for `bootstrap` and `comparison.paired_difference`."""
    with np.errstate(divide="ignore", invalid="ignore"):  # a resampling may hold empty references only
        return numerators.sum(axis=axis) / denominators.sum(axis=axis)


def as_examples(per_example: ArrayLike | tuple[ArrayLike, ...]) -> tuple[NDArray[Any], ...]:
    """Returns one or several arrays of examples, whole numbers as floats; refuses arrays of different lengths."""
    parts = per_example if isinstance(per_example, tuple) else (per_example,)
    arrays = tuple(np.asarray(part) for part in parts)
    lengths = {len(array) if array.ndim else 0 for array in arrays}
    if len(lengths) != 1 or lengths == {0}:
        raise ValueError(
            "A bootstrap needs arrays with one entry for each example, at least one and equally many. "
            f"Received: shapes {[array.shape for array in arrays]}"
        )
    return tuple(array.astype(np.float64) if array.dtype.kind in "bui" else array for array in arrays)


def resampled(
    arrays: tuple[NDArray[Any], ...], statistic: Statistic, samples: int, seed: int, block: int = 1
) -> NDArray[np.floating]:
    """Returns the statistic of each resampling, (samples,), a bounded number of them at a time."""
    generator = np.random.default_rng(seed)
    examples = len(arrays[0])
    block = max(1, min(block, examples // 4))
    at_once = max(1, RESAMPLED_NUMBERS // max(array.size for array in arrays))
    values: list[NDArray[np.floating]] = []
    for start in range(0, samples, at_once):
        starts = generator.integers(examples - block + 1, size=(min(at_once, samples - start), -(-examples // block)))
        chosen = (starts[..., None] + np.arange(block)).reshape(len(starts), -1)[:, :examples]
        values.append(statistic(*(array[chosen] for array in arrays), axis=1))  # (samples, examples, …) each
    return np.concatenate(values)


def _interval(values: NDArray[np.floating], confidence: float) -> tuple[float, float]:
    low, high = np.nanquantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _row_to_json(row: Row) -> dict[str, Any]:
    metrics = {
        name: {key: _finite(number) for key, number in metric._asdict().items()} for name, metric in row.metrics.items()
    }
    content: dict[str, Any] = {"name": row.name, "metrics": metrics}
    if row.minutes is not None:
        content["minutes"] = _finite(row.minutes)
    return content | ({"notes": row.notes} if row.notes else {})


def _row_from_json(content: Mapping[str, Any]) -> Row:
    metrics = {
        name: Metric(math.nan if metric["value"] is None else metric["value"], metric["low"], metric["high"])
        for name, metric in content["metrics"].items()
    }
    return Row(content["name"], metrics, content.get("minutes"), content.get("notes", ""))


def _finite(number: float | None) -> float | None:
    return None if number is None or not math.isfinite(number) else float(number)
