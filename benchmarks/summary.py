"""What the timings say: ratios to the peers, as geometric means over sizes and layers, beside the goals."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from statistics import geometric_mean
from typing import Any, NamedTuple

from benchmarks.timing import Memory, Timing
from benchmarks.workload import FORWARD, GATES, KINDS, MIN_GRU, TRAINING, USES, Workload

MEMORY = "peak memory"
DATA_MEMORY = "peak memory above the smallest size's"
BEST, AS_USERS_GET_IT = "at its best", "as users get it"


class Comparison(NamedTuple):
    """A ratio that is asked for: how many times less a side of ours needs than a peer; goals are for float32."""

    kind: str
    ours: str
    peer: str
    theirs: str
    goal: float | None = None
    further_goal: float | None = None
    layers: tuple[str, ...] = tuple(GATES)


COMPARISONS = (
    Comparison(TRAINING, BEST, "keras", BEST, 1.4, 2.0),
    Comparison(TRAINING, BEST, "keras", AS_USERS_GET_IT, 2.0),
    Comparison(TRAINING, BEST, "torch", BEST, 1.3, 1.5),
    Comparison(TRAINING, BEST, "torch", BEST, 1.1, layers=("LSTM",)),
    Comparison(FORWARD, BEST, "keras", BEST, 1.2),
    Comparison(FORWARD, BEST, "torch", BEST, 1.3),
    Comparison(FORWARD, BEST, "torch", BEST, 0.7, layers=("LSTM",)),
    *(Comparison(kind, BEST, peer, BEST, layers=(MIN_GRU,)) for kind in KINDS for peer in ("keras", "torch")),
    *(Comparison(kind, AS_USERS_GET_IT, "keras", AS_USERS_GET_IT) for kind in (*KINDS, *USES)),
    *(Comparison(kind, AS_USERS_GET_IT, "torch", BEST) for kind in KINDS),
    *(Comparison(kind, BEST, "products", BEST, further_goal=1.0) for kind in KINDS),
    Comparison(MEMORY, AS_USERS_GET_IT, "keras", BEST, 1.0),
    Comparison(MEMORY, AS_USERS_GET_IT, "keras", AS_USERS_GET_IT, 1.0),
    Comparison(MEMORY, AS_USERS_GET_IT, "torch", BEST),
    Comparison(DATA_MEMORY, AS_USERS_GET_IT, "keras", BEST),
    Comparison(DATA_MEMORY, AS_USERS_GET_IT, "torch", BEST),
)


class Ratio(NamedTuple):
    """The geometric mean of a comparison over `workloads` pieces of work, and its extremes.

    In `disturbed` of them other programs were in the way of one side: a mean with such pieces is no proof.
    """

    comparison: Comparison
    precision: str
    mean: float
    least: float
    most: float
    workloads: int
    disturbed: int

    @property
    def goal(self) -> float | None:
        return self.comparison.goal if self.precision == "float32" else None

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached; None where there is none, or no proof."""
        return None if self.goal is None or self.disturbed else self.mean >= self.goal


class Cell(NamedTuple):
    """One piece of work by one side."""

    best: Any
    as_users_get_it: Any


def cells(measured: Iterable[Any], size: Callable[[Any], float]) -> dict[tuple[Workload, str], Cell]:
    """Picks, for each piece of work and side, the variant with the least `size` and the one that users get."""
    groups: dict[tuple[Workload, str], list[Any]] = {}
    for one in measured:
        groups.setdefault((one.work, one.side), []).append(one)
    return {
        key: Cell(min(group, key=size), next((one for one in group if one.as_users_get_it), None))
        for key, group in groups.items()
    }


def milliseconds(timing: Timing) -> float:
    return timing.median_milliseconds


def mebibytes(memory: Memory) -> float:
    """At least one: what is smaller than a process's own noise has no ratio."""
    return max(memory.mebibytes, 1.0)


def data_mebibytes(memory: Memory) -> float:
    """What the data take: that of the framework and its compiler, paid once, is left out."""
    return max(memory.mebibytes - memory.fixed_mebibytes, 1.0)


def ratios(timings: Sequence[Timing], memory: Sequence[Memory] = ()) -> list[Ratio]:
    """Works out every comparison for which there are measurements, precision by precision."""
    timed = cells(timings, milliseconds), milliseconds
    measures = {
        MEMORY: (cells(memory, mebibytes), mebibytes),
        DATA_MEMORY: (cells(memory, data_mebibytes), data_mebibytes),
    }
    precisions = dict.fromkeys(timing.work.precision for timing in timings)
    found = []
    for precision in precisions:
        for comparison in COMPARISONS:
            table, size = measures.get(comparison.kind, timed)
            pairs = list(_pairs(comparison, precision, table))
            if pairs:
                values = [size(theirs) / size(ours) for ours, theirs in pairs]
                disturbed = sum(any(getattr(one, "disturbed", False) for one in pair) for pair in pairs)
                mean = geometric_mean(values)
                found.append(Ratio(comparison, precision, mean, min(values), max(values), len(values), disturbed))
    return found


def _pairs(
    comparison: Comparison, precision: str, table: dict[tuple[Workload, str], Cell]
) -> Iterator[tuple[Any, Any]]:
    """Ours and the peer's, for all work that both did."""

    def chosen(cell: Cell | None, mode: str) -> Any:
        return cell and (cell.best if mode == BEST else cell.as_users_get_it)

    for (work, side), cell in table.items():
        if side == "models" and work.precision == precision and work.layer in comparison.layers:
            if comparison.kind not in (work.kind, MEMORY, DATA_MEMORY):
                continue
            pair = chosen(cell, comparison.ours), chosen(table.get((work, comparison.peer)), comparison.theirs)
            if all(pair):
                yield pair
