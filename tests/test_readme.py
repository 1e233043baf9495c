"""What the READMEs tell a reader to type: the targets exist, the options are accepted, the Python runs."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipelines import __main__ as command_line
from pipelines import commands, predictors, train
from pipelines.nlp.text_files import TextDataError
from pipelines.series.regular import SeriesDataError
from pipelines.speech.audio_files import SpeechDataError
from pipelines.video.frames import VideoDataError

REPOSITORY = Path(__file__).parent.parent
PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted(REPOSITORY.glob("pipelines/*/README.md"))]

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
pytestmark = pytest.mark.slow


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def shell_lines() -> list[Any]:
    """Every line of every shell block, named by its page for the report."""
    return [
        pytest.param(line, id=f"{page.relative_to(REPOSITORY)}: {line.partition('#')[0].strip()}")
        for page in PAGES
        for block in blocks(page, "sh")
        for line in block.splitlines()
        if line.partition("#")[0].strip()
    ]


def make_commands(line: str) -> list[list[str]]:
    """The arguments of each of our commands that a line `make …` would run, as the shell would hand them over."""
    arguments = shlex.split(line, comments=True)
    assert arguments.pop(0) == "make", f"Only make commands are checked: {line}"
    dry = ["make", "--dry-run", *arguments]
    result = subprocess.run(dry, cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    return [
        shlex.split(command) for command in re.findall(r"^\S*python -m pipelines (.*)$", result.stdout, re.MULTILINE)
    ]


def test_blocks_are_found() -> None:
    assert blocks(PAGES[0], "sh")[0].startswith("make train-speech")
    assert "unrolled.train" in blocks(PAGES[0], "python")[0]
    assert "models.LSTM" in blocks(PAGES[0], "python")[1]


@needs_make
@pytest.mark.parametrize("line", shell_lines())
def test_shell_commands_are_accepted(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command is called as make would call it, up to where it has read its arguments and wants a run."""

    class Reached(Exception):
        pass

    class NoRun:
        def __getattr__(self, name: str) -> Any:
            raise Reached

    for module in (commands, train, predictors):
        monkeypatch.setattr(module, "Run", NoRun())
    for name, *arguments in make_commands(line):
        try:
            command_line.run(name, arguments)
        except (Reached, SpeechDataError, VideoDataError, TextDataError, SeriesDataError) as reached:
            # The reader's files, which are not here, are read before the model is loaded.
            assert isinstance(reached, Reached) or re.search("does not exist|is a folder|no such file", str(reached))
        else:
            raise AssertionError(f"The command asks for no run: {line}")


@needs_make
def test_a_mistake_in_a_command_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above can fail."""
    for line in (
        "make train-speach",
        "make train-speech ARGS='--data.sauce manifest'",
        "make train-speech PRESET=smoll",
    ):
        with pytest.raises((AssertionError, SystemExit)):
            test_shell_commands_are_accepted(line, monkeypatch)


@needs_make
@pytest.mark.parametrize("variable, command", [("TEXT", "classify"), ("TEXT", "translate"), ("PROMPT", "generate")])
@pytest.mark.parametrize("given", ["command line", "environment"])
def test_texts_reach_a_command_as_they_were_typed(
    variable: str, command: str, given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever they hold, and nothing of it is run."""
    printer = tmp_path / "printer"
    printer.write_text('#!/bin/sh\nshift 3\nprintf "%s\\0" "$@"\n')
    printer.chmod(0o755)
    (tmp_path / ".complete").touch()
    touched = tmp_path / "touched"
    for text in (
        f"$(shell touch {touched})",
        f"`touch {touched}` x; touch {touched}",
        "$(unclosed",
        "hello, (world",
        "a,b)",
        "x # y",
        "endif",
        'it\'s "so" $HOME \\ 😀 مرحبا',
    ):
        order = ["make", "--silent", "--file", str(REPOSITORY / "Makefile"), command, f"PYTHON={printer}"]
        order.append(f"VENV={tmp_path}")
        if given == "environment":
            monkeypatch.setenv(variable, text)
        else:
            order.append(f"{variable}={text}")
        made = subprocess.run(order, cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
        assert made.stdout == f"{text}\0", made.stderr
        assert not touched.exists()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_python_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder with a file of the reader's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UNROLLED_RUNS", str(tmp_path / "runs"))
    hours = pd.date_range("2026-01-01", periods=24 * 30, freq="h")
    load = np.sin(2 * np.pi * hours.hour / 24) + np.random.default_rng(0).normal(0, 0.1, len(hours))
    pd.DataFrame({"time": hours, "load": load}).to_csv("measurements.csv", index=False)
    names: dict[str, Any] = {}
    for block in blocks(page, "python"):  # one after the other, as a reader would type them
        exec(compile(block, str(page), "exec"), names)


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
            assert "://" in target or (page.parent / target).exists(), f"{page}: {target}"
