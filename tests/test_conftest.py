"""The workers that run the tests."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent


TESTS = """
import os, time
from pathlib import Path

def test_a(): Path(__file__).with_suffix(".a").write_text(str(os.getpid()))
def test_b(): Path(__file__).with_suffix(".b").write_text(str(os.getpid()))

def test_the_processes_before_have_ended():
    before = {file.read_text() for file in Path(__file__).parent.glob("test_?.[ab]")} - {str(os.getpid())}
    lines = [Path("/proc", process, "cmdline") for process in before]  # empty once a process has ended
    until = time.monotonic() + 60
    while any(each.exists() and each.read_bytes() for each in lines):
        assert time.monotonic() < until
        time.sleep(0.1)
"""


@pytest.mark.parametrize(("limit", "workers"), [("0", 3), ("1e12", 1)])
def test_a_worker_that_has_become_too_large_is_replaced_between_files(tmp_path: Path, limit: str, workers: int) -> None:
    settings = f"tests.conftest.BYTES_A_WORKER = {limit}\ntests.conftest.REPOSITORY = Path(__file__).parent\n"
    tmp_path.joinpath("conftest.py").write_text(f"import tests.conftest\nfrom pathlib import Path\n{settings}")
    for number in range(3):
        tmp_path.joinpath(f"test_{number}.py").write_text(TESTS)
    options = ["-p", "tests.conftest", "--numprocesses", "1", "--dist", "loadfile", "-q"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--rootdir", tmp_path, tmp_path],
        capture_output=True,
        text=True,
        env=environment | {"PYTHONPATH": str(REPOSITORY)},
        cwd=tmp_path,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "9 passed" in run.stdout
    assert len({file.read_text() for file in tmp_path.glob("test_?.[ab]")}) == workers
    for number in range(3):  # a file stays on one worker
        assert len({file.read_text() for file in tmp_path.glob(f"test_{number}.[ab]")}) == 1
