"""Which errors of a command are messages, and its exit codes."""

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from rich.console import Console

from data.packages import PackageError
from pipelines import errors
from pipelines.configuration import Configuration, ConfigurationError
from pipelines.evaluation import bootstrap_ratio
from pipelines.rows import rows_of_replica
from pipelines.runs import RunError
from pipelines.speech.audio_files import SpeechDataError, load_audio


class Tiny(Configuration):
    units: int = 4


def raising(error: BaseException) -> Callable[[list[str]], None]:
    def command(arguments: list[str]) -> None:
        raise error

    return command


def shown(command: Callable[[list[str]], None], capsys: pytest.CaptureFixture[str], code: int = 1) -> str:
    """What a command that ends with an exit code writes to standard error."""
    with pytest.raises(SystemExit) as stopped:
        errors.main(command)
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
            errors.main(lambda arguments: [show("a line") for _ in range(10000)])  # type: ignore[arg-type, return-value]
        assert stopped.value.code == 141
    assert capsys.readouterr().err == ""


def test_another_broken_pipe_is_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        errors.main(raising(BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))))
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


def test_an_error_while_a_graph_is_made_is_its_message(capsys: pytest.CaptureFixture[str]) -> None:
    def command(arguments: list[str]) -> None:
        tf.data.Dataset.range(3).batch(1, drop_remainder=True).map(lambda rows: rows_of_replica(0, 2, rows))

    assert shown(command, capsys).startswith("Error: A batch has fewer examples than there are workers")


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
        errors.main(raising(error))
    assert raised.value is error


def test_errors_of_libraries_keep_their_traceback() -> None:
    with pytest.raises(ValueError, match="could not be broadcast"):
        errors.main(lambda arguments: print(np.zeros(3) + np.zeros(2)))
    with pytest.raises(tf.errors.InvalidArgumentError):
        errors.main(lambda arguments: print(tf.reshape(tf.zeros(3), (2,))))


def test_an_interrupted_command_says_so_and_how_to_go_on_if_it_can(capsys: pytest.CaptureFixture[str]) -> None:
    for interrupt, printed in ((KeyboardInterrupt(), "Stopped."), (KeyboardInterrupt("Do that."), "Stopped. Do that.")):
        with pytest.raises(SystemExit) as stopped:
            errors.main(raising(interrupt))
        assert stopped.value.code == 130
        assert capsys.readouterr().err == f"\n{printed}\n"


def test_commands_get_the_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["program", "one", "--two"])
    received: list[str] = []
    errors.main(received.extend)
    assert received == ["one", "--two"]
