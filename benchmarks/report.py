"""The measurements as tables for people and as JSON for programs."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.summary import Cell, Ratio, cells, milliseconds, ratios
from benchmarks.timing import Failure, Memory, Timing
from benchmarks.workload import SMALLEST_CASE, TRAINING

WIDTH = 150
TIMES_EXPLAINED = (
    "milliseconds (median) by size (batch,time,inputs,units). models, keras: as users get them; best: the faster of\n"
    "that and XLA, from which the ratios come. products: matrix products alone, the limit. 1st call: seconds that "
    "models and keras with XLA take to compile and run once"
)
TORCH_MISSING = "torch.nn is missing. To compare with it: .venv/bin/python -m pip install --editable '.[bench]'"


class Measurements(NamedTuple):
    """Everything that a run found out."""

    machine: dict[str, Any]
    sides: dict[str, dict[str, str]]
    settings: dict[str, Any]
    timings: list[Timing]
    memory: list[Memory]
    failures: list[Failure]


def to_json(measurements: Measurements) -> dict[str, Any]:
    """Everything as plain lists, numbers and texts; the ratios are added."""

    def plain(rows: Sequence[Any]) -> list[dict[str, Any]]:
        return [{**row.work._asdict(), "case": str(row.work.case), **_without(row, "work")} for row in rows]

    return {
        "machine": measurements.machine,
        "sides": measurements.sides,
        "settings": measurements.settings,
        "ratios": [
            {
                **ratio.comparison._asdict(),
                **_without(ratio, "comparison"),
                "goal": ratio.goal,
                "reached": ratio.reached,
            }
            for ratio in ratios(measurements.timings, measurements.memory)
        ],
        "timings": plain(measurements.timings),
        "memory": plain(measurements.memory),
        "failures": plain(measurements.failures),
    }


def write_tables(console: Console, measurements: Measurements) -> None:
    """Prints a table for each kind of work and precision, memory, and the ratios beside the goals."""
    for name, value in {**measurements.machine, **measurements.sides}.items():
        text = ", ".join(f"{key} {item}" for key, item in value.items()) if isinstance(value, dict) else value
        console.print(f"{name}: {text}", highlight=False)
    groups = dict.fromkeys((timing.work.kind, timing.work.precision) for timing in measurements.timings)
    for kind, precision in groups:
        chosen = [timing for timing in measurements.timings if timing.work[1:3] == (precision, kind)]
        console.print(_time_table(f"{kind}, {precision}: {TIMES_EXPLAINED}", chosen))
    if measurements.memory:
        console.print(_memory_table(measurements.memory))
    console.print(_ratio_table(ratios(measurements.timings, measurements.memory)))
    if disturbed := sum(timing.disturbed for timing in measurements.timings):
        console.print(
            f"Other programs used the processor all through {disturbed} of {len(measurements.timings)} timings, marked "
            "in the JSON; what rests on them is not judged. Run this on an idle machine.",
            highlight=False,
        )
    for failure in measurements.failures:
        reason = f"Failed: {failure.side}, {failure.work}: {failure.reason}"
        console.print(reason, markup=False, highlight=False)
    if "torch" not in measurements.sides:
        console.print(TORCH_MISSING, markup=False, highlight=False)


def _time_table(title: str, timings: Sequence[Timing]) -> Table:
    by_work = _by_work(cells(timings, milliseconds))
    torch = any(timing.side == "torch" for timing in timings)
    first_calls = {(timing.work, timing.side, timing.variant): timing.first_call_seconds for timing in timings}
    table = _table(
        title,
        "layer",
        "size",
        "models",
        "best",
        "keras",
        "best",
        *(["torch"] if torch else []),
        "products",
        "keras ÷ ours",
        *(["torch ÷ ours"] if torch else []),
        "limit ÷ ours",
        "1st call, s",
    )
    for work, sides in by_work.items():
        models, keras, limit = sides.get("models"), sides.get("keras"), sides.get("products")
        peer = [sides.get("torch")] if torch else []
        row = [work.layer, str(work.case)]
        for cell in (models, keras):
            row += [
                _number(cell and cell.as_users_get_it, milliseconds),
                f"{_number(cell.best, milliseconds)} {cell.best.variant}" if cell else "–",
            ]
        row += [_number(cell and cell.best, milliseconds) for cell in [*peer, limit]]
        row += [_ratio(models, cell) for cell in [keras, *peer]]
        row.append(_ratio(models, limit, percent=True))
        firsts = (models and models.as_users_get_it.first_call_seconds, first_calls.get((work, "keras", "XLA")))
        row.append(", ".join("–" if seconds is None else f"{seconds:.1f}" for seconds in firsts))
        table.add_row(*row)
    return table


def _memory_table(memory: Sequence[Memory]) -> Table:
    variants = list(dict.fromkeys((one.side, one.variant) for one in memory))
    table = _table(
        f"peak memory of a {TRAINING}, compiling included: mebibytes above idle, by size, in brackets those that size "
        f"{SMALLEST_CASE} takes as well (users get the starred)",
        "layer",
        "size",
        *(f"{side} {variant}{_star(memory, side, variant)}" for side, variant in variants),
    )
    sizes = {(one.work, one.side, one.variant): one for one in memory}
    for work in dict.fromkeys(one.work for one in memory):
        found = (sizes.get((work, *variant)) for variant in variants)
        values = (f"{one.mebibytes:.0f} ({one.fixed_mebibytes:.0f})" if one else "–" for one in found)
        table.add_row(work.layer, str(work.case), *values)
    return table


def _ratio_table(found: Sequence[Ratio]) -> Table:
    table = _table(
        "peer ÷ models: geometric means over layers and sizes",
        "work",
        "precision",
        "models",
        "peer",
        "mean",
        "least to most",
        "of",
        "goal",
        "then",
        "",
    )
    for ratio in found:
        comparison = ratio.comparison
        goals = (comparison.goal, comparison.further_goal) if ratio.precision == "float32" else (None, None)
        layers = f", {comparison.layers[0]} alone" if len(comparison.layers) == 1 else ""
        table.add_row(
            comparison.kind + layers,
            ratio.precision,
            comparison.ours,
            f"{comparison.peer} {comparison.theirs}",
            f"{ratio.mean:.2f}",
            f"{ratio.least:.2f} to {ratio.most:.2f}",
            str(ratio.workloads),
            *("" if goal is None else f"{goal:.1f}" for goal in goals),
            "disturbed" if ratio.disturbed else {None: "", True: "reached", False: "missed"}[ratio.reached],
        )
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number < 2 else "right")
    return table


def _by_work(found: dict[Any, Cell]) -> dict[Any, dict[str, Cell]]:
    by_work: dict[Any, dict[str, Cell]] = {}
    for (work, side), cell in found.items():
        by_work.setdefault(work, {})[side] = cell
    return by_work


def _number(one: Any, size: Any) -> str:
    return "–" if one is None else f"{size(one):.3g}" if size(one) < 100 else f"{size(one):.0f}"


def _ratio(ours: Cell | None, theirs: Cell | None, percent: bool = False) -> str:
    if ours is None or theirs is None:
        return "–"
    ratio = milliseconds(theirs.best) / milliseconds(ours.best)
    return f"{ratio:.0%}" if percent else f"{ratio:.2f}"


def _star(memory: Sequence[Memory], side: str, variant: str) -> str:
    return "*" if any(one.as_users_get_it for one in memory if (one.side, one.variant) == (side, variant)) else ""


def _without(row: Any, left_out: str) -> dict[str, Any]:
    return {name: value for name, value in row._asdict().items() if name != left_out}
