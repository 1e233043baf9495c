"""Files of a run: JSON of plain numbers, and never half of a file, whatever happens while it is written."""

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest

from pipelines.run_files import RunError, to_json, write_text_atomically


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
