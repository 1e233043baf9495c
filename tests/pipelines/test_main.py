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


HELP = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name in ("tensorflow", "keras"):
            raise AssertionError(f"{name} is imported")

sys.meta_path.insert(0, Blocker())
from pipelines import __main__ as command_line

for arguments in (["--help"], ["--version"], *([name, "--help"] for name in command_line.COMMANDS)):
    sys.argv = ["unrolled", *arguments]
    try:
        command_line.main()
    except SystemExit as stopped:
        assert not stopped.code, arguments
"""


def test_help_and_version_do_not_wait_for_tensorflow() -> None:
    done = subprocess.run([sys.executable, "-c", HELP], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\nunrolled 0." in done.stdout
    assert "of the task clip-classes" in done.stdout and "of the task next-frames" in done.stdout
    assert "--overlap" in done.stdout and "--frames" in done.stdout
    assert "(default: )" not in done.stdout and "None" not in done.stdout


GARBAGE = """
import atexit, gc, sys
atexit.register(lambda: print(gc.get_freeze_count(), *gc.get_threshold()))
from pipelines import __main__ as command_line

sys.argv = ["unrolled", "trian"]
command_line.main()
"""


def test_a_command_looks_for_garbage_seldom_and_not_when_it_ends() -> None:
    usual = subprocess.run([sys.executable, "-c", GARBAGE.partition("from")[0]], capture_output=True, text=True)
    ours = subprocess.run([sys.executable, "-c", GARBAGE], capture_output=True, text=True)
    (frozen, *seldom), (none, *often) = (list(map(int, done.stdout.split())) for done in (ours, usual))
    assert none == 0 and frozen > 1000
    assert all(one >= other for one, other in zip(seldom, often, strict=True)) and seldom[0] > often[0]


def test_every_command_that_answers_belongs_to_a_task() -> None:
    answering = set(command_line.COMMANDS) - set(command_line.OF_RUNS) - {"train", "serve"}
    assert {command for command in answering if any(task.has(command.replace("-", "_")) for task in all_tasks())} == (
        answering
    )
    assert {task.part("predictor").EXAMPLE[0] for task in all_tasks()} == answering


@pytest.mark.slow
def test_a_misspelt_command_is_a_message() -> None:
    done = run("trian", "speech")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("Error: There is no command 'trian'. Expected one of: train, ")
    assert "Did you mean 'train'? Received: 'trian'" in done.stderr
