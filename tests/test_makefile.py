"""The Makefile: its help, the commands that it runs, and the environment that it makes once."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
pytestmark = needs_make
PYTEST = "pytest --numprocesses auto --dist loadfile --max-worker-restart 2"


def make(*arguments: str, folder: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", *arguments], cwd=folder, capture_output=True, text=True, timeout=60)


def commands(*arguments: str) -> list[str]:
    """The project's own commands that make would run, without those that make the environment."""
    result = make("--dry-run", *arguments)
    assert result.returncode == 0, result.stderr
    return re.findall(
        r"^\.venv/bin/python -m ((?:pipelines|benchmarks|sphinx|pytest|ruff|mypy).*?)\s*$", result.stdout, re.MULTILINE
    )


def test_help_lists_every_target_and_only_targets() -> None:
    listed = set(re.findall(r"^  ([a-z-]+) {2,}\S", make("help").stdout, re.MULTILINE))
    database = make("--print-data-base", "--question", "--no-builtin-rules", "help").stdout
    phony = set(re.search(r"^\.PHONY: (.*)$", database, re.MULTILINE)[1].split())
    assert listed == phony
    assert {"train-speech", "eval-speech", "export-speech", "transcribe", "test", "lint", "setup"} <= listed


def test_make_without_a_target_prints_the_help() -> None:
    assert make().stdout == make("help").stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        # One command, so that what is evaluated is what was trained, whatever else finishes meanwhile.
        (["train-speech"], ["pipelines train speech --evaluate"]),
        (["train-speech", "PRESET=base", "ARGS=--seed 3"], ["pipelines train speech base --evaluate --seed 3"]),
        (["train-speech", "PRESET=small", "RESUME=1"], ["pipelines train speech small --resume --evaluate"]),
        (["train-speech", "RESUME=0"], ["pipelines train speech --evaluate"]),
        (["eval-speech", "RUN=some run"], ['pipelines evaluate speech --run "some run"']),
        (["export-speech", "ARGS=--version 2"], ["pipelines export speech --version 2"]),
        (["transcribe", "AUDIO=a.wav b.mp3"], ["pipelines transcribe a.wav b.mp3"]),
        (["transcribe", "AUDIO='a b.wav' c.mp3"], ["pipelines transcribe 'a b.wav' c.mp3"]),
        (["forecast", "CSV=a.csv", "ARGS=--anomalies"], ["pipelines forecast a.csv --anomalies"]),
        (["serve", "ARGS=--port 9000"], ["pipelines serve --port 9000"]),
        (["generate"], ["pipelines generate"]),
        (["generate", "PROMPT=In the", "ARGS=--seed 2"], ['pipelines generate "$GIVEN_PROMPT" --seed 2']),
        (["classify", "TEXT=Good"], ['pipelines classify "$GIVEN_TEXT"']),
        (["judge", "TEXT=Good"], ['pipelines classify "$GIVEN_TEXT"']),
        (["tag", "TEXT=Good morning"], ['pipelines tag "$GIVEN_TEXT"']),
        (["translate", "TEXT=Good morning", "RUN=a"], ['pipelines translate "$GIVEN_TEXT" --run "a"']),
        (["translate", "ARGS=--file a.txt"], ["pipelines translate --file a.txt"]),
        (["predict-video", "VIDEO=a.mp4"], ["pipelines predict-video a.mp4"]),
        (["bench", "ARGS=--quick"], ["benchmarks.speed --quick"]),
        (["gradient-flow", "ARGS=--seed 2"], ["benchmarks.gradient_flow --seed 2"]),
        (["docs"], ["sphinx --fail-on-warning --keep-going --quiet docs docs/_build"]),
        (["test"], [f'{PYTEST} -m "not slow"']),
        (["test", "SLOW=1", "ARGS=-k loss"], [f"{PYTEST}  -k loss"]),
        (["test-all"], [PYTEST]),
        (["lint"], ["ruff check .", "ruff format --check .", "mypy"]),
    ],
)
def test_target_runs_these_commands(arguments: list[str], expected: list[str]) -> None:
    assert commands(*arguments) == expected


def test_another_pipeline_is_one_more_word() -> None:
    arguments = ["PIPELINES=speech nlp", "train-nlp", "PRESET=tiny"]
    assert commands(*arguments) == ["pipelines train nlp tiny --evaluate"]
    assert "  export-nlp " in make("PIPELINES=speech nlp", "help").stdout


@pytest.mark.parametrize(
    ("target", "typed"),
    [
        ("transcribe", 'AUDIO="a.wav b.mp3"'),
        ("forecast", "CSV=measurements.csv"),
        ("classify", 'TEXT="A quiet film that stays with you."'),
        ("judge", 'TEXT="A quiet film that stays with you."'),
        ("tag", 'TEXT="The jury praised the city."'),
        ("translate", 'TEXT="In the beginning"'),
        ("predict-video", "VIDEO=clip.mp4"),
    ],
)
def test_a_command_without_its_input_says_what_to_type(target: str, typed: str) -> None:
    result = make("--dry-run", target)
    assert result.returncode != 0
    assert f"make {target} {typed}" in result.stderr
    assert result.stdout == "", "the mistake must be told before the environment is made"


def test_text_reaches_the_command_as_it_was_typed(tmp_path: Path) -> None:
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\nshift 3\nprintf "%s|" "$@" > arguments\n')
    python.chmod(0o755)
    for name in ("Makefile", "setup.cfg", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, tmp_path)
    (tmp_path / ".venv" / ".complete").touch()
    text = """It's "5 $(shell id)" and `two` $HOME"""
    assert make("translate", f"TEXT={text}", folder=tmp_path).returncode == 0
    assert (tmp_path / "arguments").read_text() == f"{text}|"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with the Makefile and a `python3` that writes down what it is asked instead of doing it."""
    for name in ("Makefile", "setup.cfg", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, tmp_path)
    in_environment = '#!/bin/sh\necho "$@" >> log\nsleep 0.5\n'
    (tmp_path / "python3").write_text(
        "#!/bin/sh\n"
        'case "$*" in\n'
        "  *ensurepip*) test ! -e without-venv || { echo Traceback >&2; exit 1; } ;;\n"
        "  *version_info*) test ! -e too-old ;;\n"
        f"  '-m venv .venv') mkdir -p .venv/bin; printf '{in_environment}' > .venv/bin/python;"
        " chmod +x .venv/bin/python ;;\n"
        "esac\n"
    )
    (tmp_path / "python3").chmod(0o755)
    return tmp_path


def installations(clone: Path) -> int:
    return (clone / "log").read_text().count("--editable")


def test_environment_is_made_once_and_again_when_the_dependencies_change(clone: Path) -> None:
    for _ in range(2):
        assert make("setup", "PYTHON3=./python3", folder=clone).returncode == 0
    assert installations(clone) == 1
    later = (clone / ".venv" / ".complete").stat().st_mtime + 1
    os.utime(clone / "setup.cfg", (later, later))
    make("setup", "PYTHON3=./python3", folder=clone)
    assert installations(clone) == 2


@pytest.mark.skipif(shutil.which("flock") is None, reason="flock is not installed")
def test_two_makes_that_start_together_install_once(clone: Path) -> None:
    command = ["make", "setup", "PYTHON3=./python3"]
    both = [subprocess.Popen(command, cwd=clone, stdout=subprocess.PIPE) for _ in range(2)]
    assert [process.wait(timeout=60) for process in both] == [0, 0]
    for process in both:
        process.communicate()
    assert installations(clone) == 1


def test_interrupted_installation_is_taken_up_again(clone: Path) -> None:
    (clone / ".venv" / "bin").mkdir(parents=True)  # no mark in it: an installation that did not end
    make("setup", "PYTHON3=./python3", folder=clone)
    assert installations(clone) == 1


@pytest.mark.parametrize("lack", ["without-venv", "too-old", "without-python"])
def test_bare_machine_is_told_which_package_is_missing(clone: Path, lack: str) -> None:
    (clone / lack).touch()
    if lack == "without-python":
        (clone / "python3").unlink()
    result = make("setup", "PYTHON3=./python3", folder=clone)
    assert result.returncode != 0
    assert re.search(r"apt-get install .*python3-venv.* Received: \./python3", result.stderr)
    assert "Traceback" not in result.stderr
    assert not (clone / ".venv").exists()
