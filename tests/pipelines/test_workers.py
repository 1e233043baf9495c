"""Two processes that train one model: the weights of one, bad steps, a worker that differs, one that is lost."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipelines import cluster, workers
from pipelines.configuration import ConfigurationError
from pipelines.launcher import launch
from pipelines.rows import make_batches, mean_of_batch
from pipelines.run_files import RunError
from pipelines.runs import Run
from pipelines.speech.config import SpeechConfiguration
from pipelines.training import TrainingConfiguration, fit

REPOSITORY = Path(__file__).parents[2]
CONFIGURATION = TrainingConfiguration(
    epochs=3, learning_rate=0.02, weight_average_decay=0.5, weight_decay=0.01, checkpoint_seconds=0.0
)
BAD = 16  # an example that is not a number, in rows of the second worker


def model_of() -> keras.Model:
    keras.utils.set_random_seed(7)
    layers = [keras.layers.Embedding(9, 4), keras.layers.GlobalAveragePooling1D(), keras.layers.Dense(1)]
    return keras.Sequential([keras.Input((5,), dtype="int32"), *layers])


def train(run: Run, lost_at: int | None = None) -> list[dict[str, float]]:
    """Trains on 19 examples in batches of 6, 6, 6 and 1, of which each example counts differently."""
    model, random = model_of(), np.random.default_rng(3)
    numbers = random.integers(9, size=(19, 5)).astype(np.int32)
    targets = random.normal(size=(19, 1)).astype(np.float32)
    counts = random.uniform(size=(19, 1)).astype(np.float32)
    targets[BAD] = np.nan
    steps = 0
    prepared: list[int] = []

    def loss(batch: Any, training: bool) -> tf.Tensor:
        return mean_of_batch((model(batch[0], training=training) - batch[1]) ** 2, batch[2])

    def count(*batch: Any) -> Any:
        nonlocal steps
        steps += 1
        if steps == lost_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return batch[0]

    def batches(epoch: int) -> tf.data.Dataset:
        each = tf.data.Dataset.from_tensor_slices((numbers, targets, counts)).batch(6)
        if lost_at is None:
            return make_batches(tf.data.Dataset.range(19).batch(6), example)
        stopping = each.map(lambda *batch: (tf.py_function(count, batch, tf.int32), *batch[1:]))
        return stopping.map(lambda first, *rest: (tf.ensure_shape(first, (None, 5)), *rest))

    def read(rows: np.ndarray) -> tuple[np.ndarray, ...]:
        prepared.extend(rows.tolist())
        return numbers[rows], targets[rows], counts[rows]

    def example(rows: tf.Tensor) -> tuple[tf.Tensor, ...]:
        found = tf.numpy_function(read, [rows], (tf.int32, tf.float32, tf.float32))
        return tuple(tf.ensure_shape(each, (None, width)) for each, width in zip(found, (5, 1, 1), strict=True))

    def validate() -> dict[str, float]:
        good = np.delete(np.arange(19), BAD)
        return {"mse": float(np.mean((model(numbers[good]).numpy() - targets[good]) ** 2))}

    history = fit(run, model, loss, batches, validate, CONFIGURATION, minimise="mse").history
    np.savez(run.folder / "weights.npz", *(np.asarray(weight) for weight in model.weights))
    run.write_json("prepared.json", prepared)
    return history


def work(folder: Path, lost: int) -> None:
    """What each of the two processes does; one of them is lost at the end, the second after a whole training."""
    together = workers.join("multi_worker")
    root = folder / str(together.rank)
    report: dict[str, Any] = {}
    if lost == 1:
        report["history"] = train(Run.create("test", "whole", CONFIGURATION, root))
        for name, parts in (("code", {"code": together.rank, "data": 1}), ("same", {"code": 1, "data": 1})):
            try:
                together.agree(**parts)
            except RunError as error:
                report[name] = str(error)
    (folder / f"{together.rank}.json").write_text(json.dumps(report))
    started = time.monotonic()
    try:
        train(Run.create("test", "lost", CONFIGURATION, root), lost_at=5 if together.rank == lost else 10**9)
    except RunError as error:
        report |= {"lost": str(error), "seconds": time.monotonic() - started}
    (folder / f"{together.rank}.json").write_text(json.dumps(report))


def run_in(folder: Path, preset: str, rank: int = 0) -> Run:
    (path,) = (folder / str(rank) / "test" / preset).iterdir()
    return Run.open(path)


def weights(run: Run) -> list[np.ndarray]:
    with np.load(run.folder / "weights.npz") as file:
        return [file[name] for name in file.files]


def two_processes(folder: Path, lost: int) -> list[dict[str, Any]]:
    """Returns the reports of two processes, of which one is killed, and goes on with its training alone."""
    addresses = [f"localhost:{port}" for port in cluster.free_ports(2)]
    processes = []
    for rank in range(2):
        variables = {"TF_CONFIG": cluster.configuration_of(addresses, rank), "PYTHONPATH": str(REPOSITORY)}
        variables[cluster.START_VARIABLE] = "500"  # however busy the machine
        command = [sys.executable, __file__, str(folder), str(lost)]
        processes.append(subprocess.Popen(command, env=os.environ | variables, stderr=subprocess.PIPE, text=True))
    try:
        said = [process.communicate(timeout=600)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [-signal.SIGKILL * (rank == lost) for rank in range(2)], (
        said
    )
    reports: list[dict[str, Any]] = [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]
    role = "the chief, " if lost == 0 else ""
    assert reports[1 - lost]["lost"].startswith(f"Worker {lost} ({role}{addresses[lost]}) is gone")
    assert "--resume" in reports[1 - lost]["lost"] and reports[1 - lost]["seconds"] < 60
    stopped = run_in(folder, "lost")
    assert stopped.checkpoint("latest").exists()
    train(stopped)
    return reports


@pytest.mark.slow
def test_a_chief_that_is_killed_is_named(tmp_path: Path) -> None:
    """Its training goes on from its last checkpoint."""
    two_processes(tmp_path, lost=0)
    alone = Run.create("test", "alone", CONFIGURATION, tmp_path)
    train(alone)
    for mine, theirs in zip(weights(run_in(tmp_path, "lost")), weights(alone), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)


@pytest.mark.slow
def test_two_processes_train_as_one(tmp_path: Path) -> None:
    """Uneven batches, weighted sums, a table, an average, a bad step; then one is lost and one process goes on."""
    reports = two_processes(tmp_path, lost=1)
    alone = Run.create("test", "alone", CONFIGURATION, tmp_path)
    expected = train(alone)

    for rank, report in enumerate(reports):
        assert [row["skipped_steps"] for row in report["history"]] == [1.0, 1.0, 1.0]
        for row, other in zip(report["history"], expected, strict=True):
            assert row == pytest.approx(other, abs=1e-5)
        for mine, theirs in zip(weights(run_in(tmp_path, "whole", rank)), weights(alone), strict=True):
            np.testing.assert_allclose(mine, theirs, atol=1e-5)
        assert "worker 1 (localhost:" in report["code"] and "other code than the chief" in report["code"]
        assert "same" not in report
        # Of six rows three each, and the one row of the last batch, which the first worker reads too.
        own = {row for row in range(18) if row // 3 % 2 == rank} | {18}
        assert set(run_in(tmp_path, "whole", rank).read_json("prepared.json")) == own
    assert not (run_in(tmp_path, "whole", 1).folder / "checkpoints").exists()

    for mine, theirs in zip(weights(run_in(tmp_path, "lost")), weights(alone), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)


@pytest.mark.slow
def test_a_worker_that_does_not_start_is_named(tmp_path: Path) -> None:
    addresses = [f"localhost:{port}" for port in cluster.free_ports(2)]
    variables = {"TF_CONFIG": cluster.configuration_of(addresses, 1), cluster.START_VARIABLE: "1"}
    command = [sys.executable, "-c", "from pipelines import workers; workers.join('multi_worker')"]
    environment = os.environ | variables | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    said = done.stderr.strip().splitlines()[-1]
    assert f"Worker 0 (the chief, {addresses[0]}) did not start" in said and "within 1 s" in said, done.stderr
    assert cluster.START_VARIABLE in said and "Received: " in said


@pytest.mark.parametrize("text", ["soon", "-1", "nan", "0"])
def test_a_wrong_time_to_start_is_explained(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cluster.START_VARIABLE, text)
    with pytest.raises(ConfigurationError, match=rf"^{cluster.START_VARIABLE} .* Received: '{text}'"):
        cluster.seconds_to_start()


TWO = '"cluster": {"worker": ["a:1", "b:1"]}'


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "is not set"),
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "not an object"),
        ('{"task": {"type": "worker", "index": 0}}', "no cluster"),
        ('{"cluster": {"worker": ["a:1"]}}', "no task"),
        ('{"cluster": ["a:1"], "task": {"type": "worker", "index": 0}}', "its cluster is not a JSON object"),
        ('{"cluster": {"worker": []}, "task": {"type": "worker", "index": 0}}', "no addresses"),
        (f'{{{TWO}, "task": {{"type": "worker", "index": 2}}}}', "no task of type 'worker' and index 2"),
        (f'{{{TWO}, "task": {{"type": "worker", "index": -1}}}}', "index -1"),
        (f'{{{TWO}, "task": {{"type": "chief", "index": 0}}}}', "no task of type 'chief'"),
        (f'{{{TWO}, "task": {{"index": 0}}}}', "no task of type None"),
        ('{"cluster": {"worker": ["a:1", "a:1"]}, "task": {"type": "worker", "index": 0}}', "a:1 is the address"),
        ('{"cluster": {"worker": ["a"]}, "task": {"type": "worker", "index": 0}}', "not host:port, but 'a'"),
        ('{"cluster": {"worker": ["A:1", "a:01"]}, "task": {"type": "worker", "index": 0}}', "more than one worker"),
        ('{"cluster": {"worker": ["http://a:1"]}, "task": {"type": "worker", "index": 0}}', "not host:port"),
        ('{"cluster": {"worker": ["fe80::1"]}, "task": {"type": "worker", "index": 0}}', "in brackets"),
        ('{"cluster": {"worker": ["a:x"]}, "task": {"type": "worker", "index": 0}}', "not host:port"),
        ('{"cluster": {"worker": ["a:70000"]}, "task": {"type": "worker", "index": 0}}', "not host:port"),
        ('{"cluster": {"worker": "a:1"}, "task": {"type": "worker", "index": 0}}', "not a list"),
        ('{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "worker", "index": 0}}', "'ps'"),
        ('{"cluster": {"chief": ["a:1", "b:1"]}, "task": {"type": "chief", "index": 0}}', "more than one chief"),
    ],
)
def test_a_wrong_variable_is_explained(text: str, named: str) -> None:
    with pytest.raises(ConfigurationError, match=r"(?s)^TF_CONFIG .* Received: ") as caught:
        cluster.read_cluster(text)
    assert named in str(caught.value)


def test_the_chief_comes_first_whatever_its_job() -> None:
    """As Kubernetes's training operator writes it."""
    jobs = {"worker": ["b:1", "c:1"], "chief": ["a:1"]}
    found = cluster.read_cluster(json.dumps({"cluster": jobs, "task": {"type": "worker", "index": "1"}}))
    assert found.addresses == ("a:1", "b:1", "c:1") and found.rank == 2


def test_a_port_in_use_is_named() -> None:
    import socket

    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        here = cluster.read_cluster(cluster.configuration_of([f"localhost:{port}", "b:1"], 0))
        with pytest.raises(RunError, match=rf"^Worker 0 \(the chief, localhost:{port}\) cannot listen .*port {port}"):
            cluster.refuse_port_in_use(here)


WORKER = """
import json, os, sys, time
rank = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
print("worker", rank, os.environ["TF_NUM_INTRAOP_THREADS"], *sys.argv[1:], flush=True)
if rank == 1 and "fail" in sys.argv:
    sys.exit("no room left")
time.sleep(60 if "fail" in sys.argv else 0)
"""


def test_the_first_failure_ends_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UNROLLED_RUNS", str(tmp_path))
    program = (sys.executable, "-c", WORKER)
    launch(["train"], 2, program)
    printed = capfd.readouterr().out
    assert "worker 0" in printed and "worker 1" not in printed
    (log,) = tmp_path.glob("workers/*/worker_1.log")
    assert log.read_text().startswith("worker 1 ")

    started = time.monotonic()
    with pytest.raises(RunError, match=r"(?s)^Worker 1 failed, .*exit status 1.*no room left"):
        launch(["train", "fail"], 2, program)
    assert time.monotonic() - started < 30


def test_settings_are_named_as_options() -> None:
    found = workers.settings(SpeechConfiguration().replace(seed=3))
    assert (found["--seed"], found["--training.strategy"]) == (3, "none")
    assert "--initialise" not in workers.settings(SpeechConfiguration().replace(initialise=REPOSITORY))


@pytest.mark.parametrize("strategy", ["mirrored", "multi_worker"])
def test_a_compiled_step_is_for_one_device(strategy: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"jit_compile: .* Received: --training\.strategy"):
        TrainingConfiguration(jit_compile=True, strategy=strategy)


if __name__ == "__main__":
    work(Path(sys.argv[1]), int(sys.argv[2]))
