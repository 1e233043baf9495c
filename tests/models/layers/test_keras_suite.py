"""Keras's own tests, from the installed wheel, pass with our layers of the same names in the place of Keras's.

`keras_suite.py` replaces the layers, runs the tests, and names those that cannot apply.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[3]

# The recurrence that every test of a file must run.
OWN_FILE = {
    "simple_rnn_test.py": "SimpleRNNRecurrence",
    "lstm_test.py": "LSTMRecurrence",
    "gru_test.py": "GRURecurrence",
    "conv_lstm2d_test.py": "ConvLSTMRecurrence",
}
FILES = [*OWN_FILE, "bidirectional_test.py", "stacked_rnn_cells_test.py", "time_distributed_test.py"]


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    """Each test's file, outcome and loops over time; and what pytest printed."""
    path = tmp_path_factory.mktemp("keras") / "report.json"
    command = [sys.executable, str(Path(__file__).with_name("keras_suite.py")), str(path), *FILES]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert path.exists(), done.stdout + done.stderr
    return json.loads(path.read_text()), done.stdout + done.stderr


@pytest.mark.parametrize("file", FILES)
def test_every_test_of_the_file_passes(suite, file):
    tests, printed = suite
    outcomes = {name: test["outcome"] for name, test in tests.items() if test["file"] == file}
    assert outcomes, f"No test ran.\n{printed}"
    assert set(outcomes.values()) == {"passed"}, f"{outcomes}\n{printed}"


@pytest.mark.parametrize(("file", "recurrence"), OWN_FILE.items())
def test_every_test_runs_the_scan(suite, file, recurrence):
    tests, printed = suite
    # A test of what is refused runs none.
    loops = {name: test["loops"] for name, test in tests.items() if test["file"] == file and "invalid" not in name}
    assert loops, f"No test ran.\n{printed}"
    assert all(set(counts) == {recurrence} for counts in loops.values()), loops


def test_bidirectional_runs_every_scan_and_nothing_runs_on_the_loop_of_keras(suite):
    tests, _ = suite
    wrapped = {loop for test in tests.values() if test["file"] == "bidirectional_test.py" for loop in test["loops"]}
    assert wrapped == {"SimpleRNNRecurrence", "LSTMRecurrence", "GRURecurrence"}
    assert not [name for name, test in tests.items() for loop in test["loops"] if loop.startswith("Keras")]
