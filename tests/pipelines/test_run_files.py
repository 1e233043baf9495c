"""Files of a run: JSON of plain numbers, never half of a file, and a lock that is one process's until it ends."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipelines.run_files import RunError, take_lock, to_json, write_text_atomically


def test_json_has_plain_numbers_and_no_nan() -> None:
    value = {"a": np.float32(0.5), "b": np.arange(3), "c": (1, float("nan")), "d": Path("x"), "e": {"f": -np.inf}}

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    loaded = json.loads(to_json(value), parse_constant=refuse)
    assert loaded == {"a": 0.5, "b": [0, 1, 2], "c": [1, None], "d": "x", "e": {"f": None}}


@pytest.mark.parametrize("before", [None, "old"])
@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("failure", [OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)), KeyboardInterrupt()])
def test_a_failure_at_any_step_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str | None, step: str, failure: BaseException
) -> None:
    path = tmp_path / "notes.txt"
    if before:
        write_text_atomically(path, before)

    def fail(*arguments: object) -> None:
        raise failure

    expected = KeyboardInterrupt if isinstance(failure, KeyboardInterrupt) else RunError
    with monkeypatch.context() as patch, pytest.raises(expected):
        patch.setattr(os, step, fail)
        write_text_atomically(path, "new")
    assert {each.name: each.read_text() for each in tmp_path.iterdir()} == ({"notes.txt": before} if before else {})
    write_text_atomically(path, "new")
    assert path.read_text() == "new"


HOLDER = """
import sys
from pathlib import Path
from pipelines.run_files import take_lock

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
