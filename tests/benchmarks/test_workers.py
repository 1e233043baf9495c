"""Tiny work through every side that is installed, each in its own process, as in a whole run."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import speed, timing
from benchmarks.disturbance import busy_seconds, is_disturbed
from benchmarks.sides import available, open_side
from benchmarks.worker import Worker, WorkerError
from benchmarks.workload import FORWARD, GATES, KINDS, MIN_GRU, PRECISIONS, TRAINING, USES, Case, Workload

TINY = Case(2, 3, 4, 5)


@pytest.mark.slow
def test_every_side_does_every_kind_of_work() -> None:
    options = speed.Options(cases=(str(TINY),), layers=("LSTM",), rounds=1, milliseconds=1.0, memory=False, long=False)
    measurements = speed.run(options)
    assert measurements.failures == []
    done = {(one.side, one.work.kind, one.work.precision) for one in measurements.timings}
    assert done == {
        (side, kind, precision) for side in available() for kind in KINDS for precision in options.precision
    } | {(side, kind, "float32") for side in ("models", "keras") for kind in USES}
    assert all(0 < one.least_milliseconds <= one.median_milliseconds for one in measurements.timings)
    assert all(one.calls >= 1 and one.first_call_seconds > 0 for one in measurements.timings)


@pytest.mark.slow
def test_long_sequences_are_for_min_gru_beside_the_peers_gru(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "LONG_GRID", (TINY,))
    options = speed.Options(cases=(str(TINY),), layers=(), precision=("float32",), rounds=1, memory=False)
    measurements = speed.run(options)
    assert measurements.failures == []
    done = {(one.side, one.work.layer, one.work.kind) for one in measurements.timings}
    sides = set(available()) - {"products"}  # it has no product in its loop
    assert done == {(side, MIN_GRU, kind) for side in sides for kind in (TRAINING, FORWARD)}
    keras_layer, ours = (open_side(name)._layer(measurements.timings[0].work) for name in ("keras", "models"))
    assert (type(keras_layer).__name__, type(ours).__name__) == ("GRU", MIN_GRU)


def test_every_kind_of_work_can_be_chosen() -> None:
    assert speed.Options().kinds == KINDS + USES


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("layer", GATES)
def test_both_keras_sides_take_the_same_training_step(layer: str, precision: str) -> None:
    work = Workload(layer, precision, TRAINING, TINY)
    steps = [open_side(name).variants(work)["graph"]() for name in ("models", "keras")]  # same seed, same weights
    tolerance = 1e-5 if precision == "float32" else 0.05
    for _ in range(2):  # the second step sees the updated weights
        (loss, gradient), (peer_loss, peer_gradient) = (step() for step in steps)
        assert loss.numpy() == pytest.approx(peer_loss.numpy(), rel=tolerance)
        scale = np.abs(peer_gradient).max()
        np.testing.assert_allclose(gradient / scale, peer_gradient / scale, atol=tolerance)


@pytest.mark.parametrize("layer", GATES)
@pytest.mark.parametrize("side", ["models", "keras", "torch"])
def test_training_steps_lower_the_loss(side: str, layer: str) -> None:
    if side not in available():
        pytest.skip("PyTorch is not installed")
    step = next(iter(open_side(side).variants(Workload(layer, "float32", TRAINING, TINY)).values()))()
    losses = [float(step()[0]) for _ in range(20)]
    assert np.all(np.diff(losses) < 0)


@pytest.fixture(scope="module")
def worker():
    with Worker("models") as worker:
        yield worker


def test_work_that_fails_is_reported_and_the_worker_lives_on(worker: Worker) -> None:
    timings, failures = timing.take_times({"models": worker}, Workload("Reservoir", "float32", TRAINING, TINY), 1, 0.0)
    assert timings == [] and "Reservoir" in failures[0].reason
    assert worker.prepare(Workload("GRU", "float32", TRAINING, TINY))


def test_worker_that_cannot_start_says_why() -> None:
    with pytest.raises(WorkerError, match=r"(?s)abacus ended early.*KeyError"):
        Worker("abacus")


def test_memory_grows_with_what_is_read(worker: Worker) -> None:
    work = Workload("SimpleRNN", "float32", TRAINING, Case(64, 64, 2048, 4))  # 32 MiB of inputs, and their gradient
    assert worker.memory(work, "graph") >= 64


def test_disturbed_turn_is_taken_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stub:
        turns = 0

        def measure(self, variant: str, seconds: float) -> tuple[list[float], float]:
            self.turns += 1
            return [float(self.turns)], 0.1

    busy = iter([0.0, 9.0, 10.0, 10.1])  # another program in the first turn, none in the second
    monkeypatch.setattr(timing, "busy_seconds", lambda: next(busy))
    assert timing._turn(Stub(), "graph", 0.1) == ([2.0], True)


@pytest.mark.parametrize(("calm", "milliseconds"), [((True, False), 1000.0), ((False, False), 2000.0)])
def test_disturbed_turns_count_only_where_none_was_calm(
    calm: tuple[bool, ...], milliseconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stub:
        def prepare(self, work: Workload) -> dict[str, float]:
            return {"graph": 0.5}

    turns = iter([([1.0], calm[0]), ([3.0], calm[1])])
    monkeypatch.setattr(timing, "_turn", lambda *_: next(turns))
    ((taken,), failures) = timing.take_times({"models": Stub()}, Workload("GRU", "float32", TRAINING, TINY), 2, 0.0)
    assert (taken.median_milliseconds, taken.disturbed, failures) == (milliseconds, not any(calm), [])


def test_progress_is_told_without_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(speed, "SECONDS_BETWEEN_LINES", 0)
    assert list(speed._shown("abc", "Timing", 3)) == ["a", "b", "c"]
    assert "Timing: 2 of 3, about 0 minutes left" in capsys.readouterr().err


def test_long_calls_are_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stub:
        def prepare(self, work: Workload) -> dict[str, float]:
            return {"slow": 9.0, "fast": 0.5}

    monkeypatch.setattr(timing, "_turn", lambda _, variant, __: ([5.0 if variant == "slow" else 0.1], True))
    timings, _ = timing.take_times({"keras": Stub()}, Workload("GRU", "float32", TRAINING, TINY), 3, 0.0)
    assert {one.variant: one.calls for one in timings} == {"slow": 1, "fast": 3}


def test_busy_seconds_counts_work_and_not_idleness(tmp_path: Path) -> None:
    statistics = tmp_path / "stat"
    statistics.write_text("cpu  100 200 300 7777 8888 10 20 70 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\n")
    assert busy_seconds(statistics) == pytest.approx(7.0)
    assert busy_seconds(tmp_path / "missing") is None and not is_disturbed(None, None, 0.0, 1.0)


@pytest.mark.parametrize("text", ["32,100,128", "32,100,128,x", "0,1,1,1", "", "-1,2,3,4"])
def test_case_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="four positive whole numbers"):
        speed.run(speed.Options(cases=(text,)))


def test_command_writes_json_and_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    empty = speed.Measurements(speed.machine(), {}, {"rounds": 1, "minutes": 0.0}, [], [], [])
    monkeypatch.setattr(speed, "run", lambda options: empty)
    monkeypatch.setattr("sys.argv", ["speed", "--output", str(tmp_path / "new" / "speed.json")])
    speed.main()
    assert json.loads((tmp_path / "new" / "speed.json").read_text())["machine"]["cores"] >= 1
    assert "speed.txt" in capsys.readouterr().out
