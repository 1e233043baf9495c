"""Which task a run belongs to, and that commands reach the modules of that task."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Literal

import pytest

from pipelines import tasks
from pipelines.runs import Run, RunError


class Reading(tasks.TaskCommand):
    task: Literal["reading"] = "reading"


class Writing(tasks.TaskCommand):
    task: Literal["writing"] = "writing"


PRESETS: dict[str, tasks.TaskCommand] = {"read": Reading(), "write": Writing()}


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, ...]]:
    """What was called, as task, command and arguments, in a pipeline `letters` whose modules only write that down."""
    calls: list[tuple[str, ...]] = []

    def module(task: str, command: str) -> ModuleType:
        made = ModuleType(f"pipelines.letters.{task}.{command}")

        def train(run: Run, configuration: tasks.TaskCommand) -> None:
            calls.append((task, "train", configuration.task))
            run.finish()

        made.train = train  # type: ignore[attr-defined]
        made.main = lambda arguments: calls.append((task, command, *arguments))  # type: ignore[attr-defined]
        made.NEXT = f"make {task}"  # type: ignore[attr-defined]
        return made

    for task in ("reading", "writing"):
        for command in ("train", "evaluate", "export"):
            monkeypatch.setitem(sys.modules, f"pipelines.letters.{task}.{command}", module(task, command))
    monkeypatch.setenv("UNROLLED_RUNS", str(tmp_path))
    return calls


def test_a_training_reaches_the_task_of_its_preset(
    called: list[tuple[str, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    tasks.train("letters", PRESETS, ["write"], "")
    assert called == [("writing", "train", "writing")]
    assert "Next: make eval-letters, make export-letters, make writing" in capsys.readouterr().out
    tasks.train("letters", PRESETS, ["--evaluate"], "")
    assert called[1] == ("reading", "train", "reading")
    assert called[2] == ("reading", "evaluate", "--run", str(Run.latest("letters").folder))


def test_whose_options_were_refused_is_said_unless_the_run_was_named(
    called: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(arguments: list[str]) -> None:
        raise SystemExit(2)

    tasks.train("letters", PRESETS, ["write"], "")
    folder = Run.latest("letters").folder
    monkeypatch.setattr(sys.modules["pipelines.letters.writing.evaluate"], "main", refuse)
    for named in (False, True):
        with pytest.raises(SystemExit):
            tasks.call("letters", "evaluate", ["--run", str(folder)] if named else ["--frames", "3"])
        said = capsys.readouterr().err
        assert (f"{folder}, task writing; RUN=folder names another" in said) != named


def test_a_training_is_resumed_whatever_its_task(called: list[tuple[str, ...]]) -> None:
    Run.create("letters", "write", PRESETS["write"])
    tasks.train("letters", PRESETS, ["--resume"], "")
    assert called == [("writing", "train", "writing")]


def test_a_command_reaches_the_task_of_its_run(called: list[tuple[str, ...]]) -> None:
    tasks.train("letters", PRESETS, ["read"], "")
    first = Run.latest("letters").folder
    tasks.train("letters", PRESETS, ["write"], "")
    second = Run.latest("letters").folder
    called.clear()
    tasks.call("letters", "export", ["--split", "test"])
    tasks.call("letters", "evaluate", ["--split", "test", "--run", str(first)])
    assert called == [
        ("writing", "export", "--run", str(second), "--split", "test"),
        ("reading", "evaluate", "--run", str(first), "--split", "test"),
    ]


def test_the_latest_run_of_a_task_is_not_one_of_another(called: list[tuple[str, ...]]) -> None:
    tasks.train("letters", PRESETS, ["read"], "")
    read = Run.latest("letters").folder
    with pytest.raises(RunError, match=r"no finished letters run of the task writing.*make train-letters PRESET=write"):
        tasks.latest_run("letters", "writing", "write")
    tasks.train("letters", PRESETS, ["write"], "")
    assert tasks.latest_run("letters", "reading", "read").folder == read
