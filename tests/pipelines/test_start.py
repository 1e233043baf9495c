"""What users see of TensorFlow's start: nothing but what went wrong."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
NOISE = b"I0000 00:00:1 1 port.cc:153] oneDNN custom operations are on. You may see slightly different results.\n"
TROUBLE = b"F0000 00:00:1 1 cpu_feature_guard.cc:9] needs AVX\n"


def started(folder: Path, tensorflow: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A process that imports `pipelines` and TensorFlow, which is this module."""
    (folder / "tensorflow.py").write_text(f"import os\nos.write(2, {NOISE!r})\n{tensorflow}\n")
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"} | variables
    environment["PYTHONPATH"] = f"{folder}:{REPOSITORY}"
    command = [sys.executable, "-c", "import os, pipelines, tensorflow; os.write(2, b'after')"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)


def test_the_greeting_is_kept_back(tmp_path: Path) -> None:
    done = started(tmp_path, "")
    assert (done.returncode, done.stderr) == (0, "after")


def test_a_user_who_sets_the_level_sees_it(tmp_path: Path) -> None:
    assert started(tmp_path, "", TF_CPP_MIN_LOG_LEVEL="0").stderr == NOISE.decode() + "after"


@pytest.mark.parametrize("end", ["raise ImportError('broken')", "os.abort()"])
def test_the_last_words_of_a_failing_start_are_shown(tmp_path: Path, end: str) -> None:
    done = started(tmp_path, f"os.write(2, {TROUBLE!r})\n{end}")
    assert done.returncode != 0
    assert TROUBLE.decode() in done.stderr
    assert "oneDNN" not in done.stderr
    assert ("ImportError: broken" in done.stderr) == end.startswith("raise")


def test_who_stops_it_sees_no_traceback(tmp_path: Path) -> None:
    done = started(tmp_path, "raise KeyboardInterrupt")
    assert (done.returncode, done.stderr) == (130, "\nStopped.\n")


def test_without_a_terminal_it_starts_as_well(tmp_path: Path) -> None:
    (tmp_path / "tensorflow.py").touch()
    command = f"cd {tmp_path} && PYTHONPATH={tmp_path}:{REPOSITORY} exec {sys.executable} -c 'import pipelines' 2>&-"
    assert subprocess.run(command, shell=True, timeout=60, check=False).returncode == 0
