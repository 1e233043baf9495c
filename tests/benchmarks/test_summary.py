"""The arithmetic of the tables, on numbers made up so that every ratio is known."""

import io
import json

import pytest
from rich.console import Console

from benchmarks.report import TORCH_MISSING, WIDTH, Measurements, to_json, write_tables
from benchmarks.summary import AS_USERS_GET_IT, BEST, DATA_MEMORY, MEMORY, Ratio, ratios
from benchmarks.timing import Failure, Memory, Timing
from benchmarks.workload import FORWARD, TRAINING, Case, Workload

SMALL, LARGE = Case(1, 2, 3, 4), Case(10, 20, 30, 40)


def timing(layer: str, case: Case, side: str, variant: str, users: bool, milliseconds: float) -> Timing:
    work = Workload(layer, "float32", TRAINING, case)
    return Timing(work, side, variant, users, 0.5, milliseconds, milliseconds / 2, 3, False)


TIMINGS = [
    timing("LSTM", SMALL, "models", "graph", True, 4.0),
    timing("LSTM", SMALL, "models", "XLA", False, 2.0),
    timing("LSTM", SMALL, "keras", "graph", True, 16.0),
    timing("LSTM", SMALL, "keras", "XLA", False, 4.0),
    timing("LSTM", SMALL, "torch", "eager", True, 6.0),
    timing("GRU", LARGE, "models", "graph", True, 10.0),
    timing("GRU", LARGE, "models", "XLA", False, 20.0),
    timing("GRU", LARGE, "keras", "graph", True, 80.0),
    timing("GRU", LARGE, "keras", "XLA", False, 90.0),
]
TRAINING_WORK = TIMINGS[0].work


def ratio(found: list[Ratio], kind: str, ours: str, peer: str, theirs: str, layers: int = 3) -> Ratio:
    (one,) = (
        one
        for one in found
        if one.comparison[:4] == (kind, ours, peer, theirs) and len(one.comparison.layers) == layers
    )
    return one


def test_ratio_is_the_geometric_mean_of_the_best_variants() -> None:
    one = ratio(ratios(TIMINGS), TRAINING, BEST, "keras", BEST)  # 4 / 2 and 80 / 10
    assert one.mean == pytest.approx(4.0)
    assert (one.least, one.most, one.workloads, one.reached) == (2.0, 8.0, 2, True)


def test_as_users_get_it_never_takes_the_faster_variant() -> None:
    found = ratios(TIMINGS)
    assert ratio(found, TRAINING, BEST, "keras", AS_USERS_GET_IT).mean == pytest.approx(8.0)  # 16 / 2 and 80 / 10
    both = ratio(found, TRAINING, AS_USERS_GET_IT, "keras", AS_USERS_GET_IT)  # 16 / 4 and 80 / 10
    assert both.mean == pytest.approx(32**0.5)


def test_work_that_a_peer_did_not_do_is_left_out() -> None:
    found = ratios(TIMINGS)
    assert ratio(found, TRAINING, BEST, "torch", BEST)[2:] == pytest.approx((3.0, 3.0, 3.0, 1, 0))
    assert ratio(found, TRAINING, BEST, "torch", BEST, layers=1).workloads == 1
    assert not [one for one in found if one.comparison.kind == FORWARD]


def test_goal_is_for_float32_and_missed_below_it() -> None:
    slow = [one._replace(median_milliseconds=80.0) if one.side == "models" else one for one in TIMINGS]
    assert ratio(ratios(slow), TRAINING, BEST, "keras", BEST).reached is False
    rough = [one._replace(work=one.work._replace(precision="bfloat16")) for one in TIMINGS]
    assert ratio(ratios(rough), TRAINING, BEST, "keras", BEST).reached is None


def test_goal_is_not_judged_on_disturbed_times() -> None:
    peer_disturbed = [one._replace(disturbed=one.side == "keras" and one.variant == "XLA") for one in TIMINGS]
    one = ratio(ratios(peer_disturbed), TRAINING, BEST, "keras", BEST)
    assert (one.disturbed, one.reached) == (1, None)  # XLA is keras's best for the LSTM only
    assert ratio(ratios(peer_disturbed), TRAINING, BEST, "keras", AS_USERS_GET_IT).reached is True


def test_memory_of_what_users_get_stands_against_the_leaner_variant() -> None:
    memory = [
        Memory(TRAINING_WORK, "models", "graph", True, 100.0, 80.0),
        Memory(TRAINING_WORK, "models", "XLA", False, 10.0, 0.0),
        Memory(TRAINING_WORK, "keras", "graph", True, 150.0, 20.0),
        Memory(TRAINING_WORK, "keras", "XLA", False, 50.0, 10.0),
    ]
    found = ratios(TIMINGS, memory)
    assert ratio(found, MEMORY, AS_USERS_GET_IT, "keras", BEST).mean == pytest.approx(0.5)
    assert ratio(found, MEMORY, AS_USERS_GET_IT, "keras", AS_USERS_GET_IT).mean == pytest.approx(1.5)
    assert ratio(found, DATA_MEMORY, AS_USERS_GET_IT, "keras", BEST).mean == pytest.approx(40 / 20)


def test_tables_and_json_hold_the_numbers_and_what_is_missing() -> None:
    timings = [one._replace(disturbed=True) for one in TIMINGS if one.side != "torch"]
    failures = [Failure(TRAINING_WORK, "products", "ran out of [luck]")]
    measurements = Measurements({"cores": 2}, {"models": {"keras": "3"}}, {"rounds": 3}, timings, [], failures)
    text = io.StringIO()
    write_tables(Console(file=text, width=WIDTH), measurements)
    for expected in ("2 XLA", "10,20,30,40", "ran out of [luck]", "8 of 8 timings", TORCH_MISSING):
        assert expected in text.getvalue()
    assert "torch ÷ ours" not in text.getvalue()
    written = json.loads(json.dumps(to_json(measurements)))
    assert written["timings"][0]["case"] == "1,2,3,4" and written["timings"][0]["median_milliseconds"] == 4.0
    assert {one["peer"] for one in written["ratios"]} == {"keras"}
