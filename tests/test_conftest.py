"""The workers that run the tests."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent


@pytest.mark.parametrize(("limit", "workers"), [("0", 4), ("1e12", 1)])
def test_a_worker_that_has_become_too_large_is_replaced_between_files(tmp_path, limit, workers):
    settings = f"tests.conftest.BYTES_A_WORKER = {limit}\ntests.conftest.REPOSITORY = Path(__file__).parent\n"
    tmp_path.joinpath("conftest.py").write_text(f"import tests.conftest\nfrom pathlib import Path\n{settings}")
    for number in range(4):
        tests = "".join(
            f"def test_{name}(): Path(__file__).with_suffix('.{name}').write_text(str(os.getpid()))\n" for name in "abc"
        )
        tmp_path.joinpath(f"test_{number}.py").write_text(f"import os\nfrom pathlib import Path\n{tests}")
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
    assert "12 passed" in run.stdout
    assert len({file.read_text() for file in tmp_path.glob("test_?.[abc]")}) == workers
    for number in range(4):  # a file stays on one worker
        assert len({file.read_text() for file in tmp_path.glob(f"test_{number}.[abc]")}) == 1
