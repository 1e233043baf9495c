"""A lock is one process's, until that process ends."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.locks import take_lock

HOLDER = """
import sys
from pathlib import Path
from pipelines.locks import take_lock

print(take_lock(Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


def test_a_lock_is_held_until_its_process_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "True\n"
        assert not take_lock(tmp_path)
        holder.kill()
    assert take_lock(tmp_path)
    assert take_lock(tmp_path), "it is this process's already"
    answer = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    assert answer.stdout == "False\n"


def test_a_folder_that_is_not_there_cannot_be_locked(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        take_lock(tmp_path / "nowhere")
