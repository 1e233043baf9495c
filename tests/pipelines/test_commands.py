"""What commands have in common: which run they take, and which errors are messages."""

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import tensorflow as tf
from rich.console import Console

from data.packages import PackageError
from pipelines import commands, tasks
from pipelines.commands import TrainingCommand
from pipelines.configuration import ConfigurationError
from pipelines.evaluation import bootstrap_ratio
from pipelines.preparation import removed_if_refused
from pipelines.runs import Run, RunError
from pipelines.speech.audio_files import SpeechDataError, load_audio


class Tiny(TrainingCommand):
    units: int = 4


PRESETS = {"small": Tiny(), "base": Tiny(units=8)}


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of all runs; `test` is the only task."""
    config = ModuleType("pipelines.test.config")
    config.PRESETS = PRESETS  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, config.__name__, config)
    for module in (tasks, commands):
        monkeypatch.setattr(module, "all_tasks", lambda: (tasks.Task("test", "test", "pipelines.test"),))
    monkeypatch.setenv("UNROLLED_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def training_run(*arguments: str) -> tuple[Run, Tiny]:
    """The run and the configuration of a training."""
    _, run, configuration = commands.training_run("test", arguments)
    return run, configuration


def raising(error: BaseException) -> Callable[[list[str]], None]:
    def command(arguments: list[str]) -> None:
        raise error

    return command


def shown(command: Callable[[list[str]], None], capsys: pytest.CaptureFixture[str], code: int = 1) -> str:
    """What a command that ends with an exit code writes to standard error."""
    with pytest.raises(SystemExit) as stopped:
        commands.main(command)
    assert stopped.value.code == code
    output = capsys.readouterr()
    assert output.out == ""
    assert "Traceback" not in output.err
    return output.err


@pytest.mark.parametrize("kind", [RunError, ConfigurationError, SpeechDataError, PackageError])
def test_our_errors_are_messages(kind: type[Exception], capsys: pytest.CaptureFixture[str]) -> None:
    message = "It is broken. Repair it. Received: 3"
    code = 2 if kind is ConfigurationError else 1  # what the user typed, or what the data hold
    assert shown(raising(kind(message)), capsys, code) == f"Error: {message}\n"


def test_what_pydantic_refuses_is_a_message(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(lambda arguments: print(Tiny(units="many")), capsys, 2).startswith("Error: units: ")  # type: ignore[arg-type]
    assert "Did you mean 'units'" in shown(lambda arguments: print(Tiny.from_json('{"unit": 3}')), capsys, 2)


def test_a_full_disk_and_a_forbidden_file_are_messages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "runs/weights.h5")
    message = shown(raising(full), capsys)
    assert "No space left on device: 'runs/weights.h5'" in message
    assert "Make room" in message
    assert "missing.txt" in shown(lambda arguments: print((tmp_path / "missing.txt").read_text()), capsys)


@pytest.mark.parametrize("show", [print, lambda text: Console().print(text)])
def test_a_reader_that_has_enough_ends_a_command_quietly(
    show: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)  # as `head` does
    with os.fdopen(writing, "w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        with pytest.raises(SystemExit) as stopped:
            commands.main(lambda arguments: [show("a line") for _ in range(10000)])  # type: ignore[arg-type, return-value]
        assert stopped.value.code == 141
    assert capsys.readouterr().err == ""


def test_another_broken_pipe_is_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        commands.main(raising(BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))))
    assert stopped.value.code == 1


def test_values_that_our_code_refuses_are_messages(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Received: the sum 0.0" in shown(lambda arguments: print(bootstrap_ratio([1], [0])), capsys)


def test_an_error_within_a_graph_is_the_message_of_its_cause(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.wav").write_bytes(b"no audio")

    def command(arguments: list[str]) -> None:
        recordings = tf.data.Dataset.range(3).map(
            lambda number: tf.numpy_function(lambda _: load_audio(tmp_path / "a.wav", 8000), [number], tf.float32)
        )
        next(iter(recordings))

    message = shown(command, capsys)
    assert message.startswith(f"Error: {tmp_path / 'a.wav'} cannot be decoded")
    assert message.endswith("Received: text\n")
    assert message.count("\n") == 1


@pytest.mark.parametrize(
    "error",
    [
        ValueError("math domain error. Received: -1"),  # raised by this test, which is not ours: a programming error
        MemoryError(),
        KeyError("labels"),
        AssertionError("wrong"),
        TypeError("Received: nothing"),
    ],
)
def test_other_errors_keep_their_traceback(error: Exception) -> None:
    with pytest.raises(type(error)) as raised:
        commands.main(raising(error))
    assert raised.value is error


def test_errors_of_libraries_keep_their_traceback() -> None:
    with pytest.raises(ValueError, match="could not be broadcast"):
        commands.main(lambda arguments: print(np.zeros(3) + np.zeros(2)))
    with pytest.raises(tf.errors.InvalidArgumentError):
        commands.main(lambda arguments: print(tf.reshape(tf.zeros(3), (2,))))


def test_an_interrupted_command_says_so_and_how_to_go_on_if_it_can(capsys: pytest.CaptureFixture[str]) -> None:
    for interrupt, printed in ((KeyboardInterrupt(), "Stopped."), (KeyboardInterrupt("Do that."), "Stopped. Do that.")):
        with pytest.raises(SystemExit) as stopped:
            commands.main(raising(interrupt))
        assert stopped.value.code == 130
        assert capsys.readouterr().err == f"\n{printed}\n"


def test_commands_get_the_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["program", "one", "--two"])
    received: list[str] = []
    commands.main(received.extend)
    assert received == ["one", "--two"]


def test_a_training_starts_a_run_of_its_preset(root: Path) -> None:
    run, configuration = training_run("base", "--seed", "3")
    assert configuration == Tiny(units=8, seed=3)
    assert run.folder.parent == root / "test" / "base"
    assert run.read_configuration(Tiny) == configuration
    assert "resume" not in run.read_json("configuration.json")


def test_a_training_is_resumed_as_it_was_configured(capsys: pytest.CaptureFixture[str]) -> None:
    first, configuration = training_run("--units", "5")
    training_run("base")
    run, same = training_run("small", "--resume")
    assert run.folder == first.folder.resolve()
    assert same == configuration
    assert f"Resuming {run.folder} with its own configuration." in capsys.readouterr().out
    run.finish()
    with pytest.raises(RunError, match="no unfinished test run of preset small"):
        training_run("small", "--resume")


def test_a_training_is_resumed_whatever_its_preset_unless_one_is_named() -> None:
    run, configuration = training_run("base")
    with pytest.raises(RunError, match=r"no unfinished test run of preset small.*another preset, base"):
        training_run("small", "--resume")
    resumed, same = training_run("--resume", "--evaluate")
    assert resumed.folder == run.folder.resolve()
    assert same == configuration.replace(evaluate=True)


@pytest.mark.parametrize("preset", [[], ["small"]])
def test_a_resumed_training_takes_no_settings(preset: list[str]) -> None:
    training_run("small")
    for settings in (["--seed", "0"], ["--seed=3"]):
        with pytest.raises(ConfigurationError, match=r"keeps the settings.*Received: --seed$"):
            training_run(*preset, "--resume", *settings)


def test_a_run_is_the_latest_or_the_one_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no finished test run"):
        tasks.open_run("test", None)
    runs = [Run.create("test", "small", Tiny()) for _ in range(2)]
    runs[1].finish()
    runs[0].finish()
    assert tasks.open_run("test", None).folder == runs[0].folder.resolve()
    assert tasks.open_run("test", runs[1].folder).folder == runs[1].folder.resolve()
    with pytest.raises(RunError, match=r"no such folder.*nowhere"):
        tasks.open_run("test", tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match=r"is not a run.*versions.json"):
        tasks.open_run("test", tmp_path / "empty")


@pytest.mark.parametrize("left_over", ["", "checkpoints", "history.csv"])
def test_a_run_that_was_refused_is_removed_unless_it_was_trained(left_over: str) -> None:
    run = Run.create("test", "small", Tiny())
    if left_over == "checkpoints":
        (run.folder / "checkpoints").mkdir()
    elif left_over:
        run.append_history({"epoch": 1})
    with pytest.raises(RuntimeError, match="refused"), removed_if_refused(run):
        raise RuntimeError("refused")
    assert run.folder.exists() == bool(left_over)
    assert run.folder.parent.parent.exists() == bool(left_over)


def test_seeds_are_such_as_all_libraries_take(capsys: pytest.CaptureFixture[str]) -> None:
    assert Tiny(seed=2**32 - 1).seed
    with pytest.raises(SystemExit):
        training_run("--seed", "99999999999999999999")
    assert "seed: expected at most 4294967295" in capsys.readouterr().err
