"""The command line as a process: its help, its errors, and what it imports."""

import subprocess
import sys

import pytest

from pipelines import __main__ as command_line
from pipelines.tasks import all_tasks


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "pipelines", *arguments], capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_lists_every_command(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["unrolled", *arguments])
    command_line.main()
    printed = capsys.readouterr().out
    assert printed.startswith("usage: unrolled COMMAND")
    for command in command_line.COMMANDS:
        assert f"  {command} " in printed


def test_every_command_that_answers_belongs_to_a_task() -> None:
    answering = set(command_line.COMMANDS) - set(command_line.OF_RUNS) - {"serve"}
    assert {command for command in answering if any(task.has(command.replace("-", "_")) for task in all_tasks())} == (
        answering
    )
    assert {task.part("predictor").EXAMPLE[0] for task in all_tasks()} == answering


@pytest.mark.slow
def test_a_misspelt_command_is_a_message() -> None:
    done = run("trian", "speech")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("Error: There is no command 'trian'. Expected one of: train, ")
    assert "Did you mean 'train'? Received: 'trian'" in done.stderr
