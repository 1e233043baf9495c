import csv
import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from pipelines import runs
from pipelines.configuration import Configuration
from pipelines.runs import Run, RunError


class Model(Configuration):
    units: int = 128
    seed: int = 3


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UNROLLED_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def files(folder: Path) -> set[str]:
    """Everything below a folder, hidden and half-written files included."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on nothing more can be written to the disk."""

    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)


def test_new_run_holds_configuration_and_versions(root: Path) -> None:
    run = Run.create("speech", "small", Model(units=64))
    assert run.folder.parent == root / "speech" / "small"
    assert files(run.folder) == {"configuration.json", "versions.json"}
    assert run.read_configuration(Model) == Model(units=64)
    versions = run.read_json("versions.json")
    assert versions["seed"] == 3
    assert versions["numpy"] == np.__version__
    for name in ("python", "tensorflow", "keras", "unrolled", "commit", "platform", "processors"):
        assert name in versions


def test_root_is_argument_then_variable_then_runs(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Run.create("speech", "small", Model(), tmp_path / "other").folder.is_relative_to(tmp_path / "other")
    assert Run.create("speech", "small", Model()).folder.is_relative_to(root)
    monkeypatch.delenv("UNROLLED_RUNS")
    assert runs.runs_folder() == Path("runs")


def test_runs_that_start_together_get_folders_of_their_own(root: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(lambda units: Run.create("speech", "small", Model(units=units)), range(1, 25)))
    assert len({run.folder for run in created}) == 24
    assert [run.read_configuration(Model).units for run in created] == list(range(1, 25))
    assert all(not name.startswith(".") for name in os.listdir(root / "speech" / "small"))


def test_latest_is_the_run_that_finished_last(root: Path) -> None:
    first, second, third = (Run.create("speech", preset, Model()) for preset in ("small", "small", "base"))
    second.finish()
    first.finish()
    assert Run.latest("speech").folder == first.folder
    third.finish()
    assert Run.latest("speech").folder == third.folder
    assert Run.latest("speech", "small").folder == first.folder
    assert Run.open(root / "speech" / "latest").folder == third.folder.resolve()
    assert not Path(os.readlink(root / "speech" / "latest")).is_absolute(), "the runs folder may be moved"
    shutil.rmtree(third.folder)
    assert Run.latest("speech").folder == first.folder


@pytest.mark.parametrize("left", ["", '{"finis', "null", "{}", "\0\0\0\0"])
def test_a_damaged_mark_of_the_end_counts_as_none(root: Path, left: str) -> None:
    first, second = (Run.create("speech", "small", Model()) for _ in range(2))
    first.finish()
    (second.folder / "finished.json").write_text(left)
    assert Run.latest("speech").folder == first.folder
    assert Run.newest_unfinished("speech").folder == second.folder
    second.finish()
    assert Run.latest("speech").folder == second.folder


def test_newest_unfinished_is_the_one_to_resume(root: Path) -> None:
    first, second, third = (Run.create("speech", "small", Model()) for _ in range(3))
    Run.create("speech", "base", Model())
    assert Run.newest_unfinished("speech", "small").folder == third.folder
    third.finish()
    assert Run.newest_unfinished("speech", "small").folder == second.folder
    second.finish()
    first.finish()
    with pytest.raises(RunError, match=r"no unfinished speech run of preset small.*unrolled train speech small"):
        Run.newest_unfinished("speech", "small")


@contextmanager
def trained_elsewhere(run: Run) -> Iterator[None]:
    """Another process holds the run; it is killed at the end."""
    code = "import sys; from pipelines.runs import Run; Run.open(sys.argv[1]).lock(); print('locked'); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(run.folder)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        yield
        process.kill()


def test_a_run_that_another_process_trains_is_left_to_it(root: Path) -> None:
    first, second = (Run.create("speech", "small", Model()) for _ in range(2))
    with trained_elsewhere(second):
        assert Run.newest_unfinished("speech", "small").folder == first.folder
        with pytest.raises(RunError, match="is being trained by another process"):
            Run.open(second.folder).lock()
        first.finish()
        with pytest.raises(RunError, match=r"is being trained by another process.*unrolled train speech small"):
            Run.newest_unfinished("speech", "small")
    assert Run.newest_unfinished("speech", "small").folder == second.folder, "a killed process holds nothing"


def test_runs_with_a_checkpoint_are_resumed_first(root: Path) -> None:
    older, newer, empty = (Run.create("speech", preset, Model()) for preset in ("small", "base", "small"))
    for run in (older, newer):
        run.checkpoint("latest").parent.mkdir()
        run.checkpoint("latest").touch()
    assert Run.newest_unfinished("speech").folder == newer.folder
    assert Run.newest_unfinished("speech", "small").folder == older.folder
    older.finish()
    assert Run.newest_unfinished("speech", "small").folder == empty.folder


def test_run_opens_where_it_was_copied_to(root: Path, tmp_path: Path) -> None:
    run = Run.create("speech", "small", Model(units=5))
    copy = Run.open(shutil.copytree(run.folder, tmp_path / "copy"))
    assert (copy.pipeline, copy.preset, copy.finished) == ("speech", "small", False)
    assert copy.read_configuration(Model).units == 5
    copy.finish()
    assert copy.finished
    assert not (tmp_path.parent / "latest").is_symlink(), "nothing is written outside the copy"


def test_a_run_is_removed_with_the_folders_that_were_made_for_it(root: Path, tmp_path: Path) -> None:
    first, second, other = (Run.create("speech", preset, Model()) for preset in ("small", "small", "base"))
    first.remove()
    assert second.folder.exists()
    second.remove()
    assert os.listdir(root / "speech") == ["base"]
    other.remove()
    assert os.listdir(root) == []
    copies = tmp_path / "copies"
    copy = Run.open(shutil.copytree(Run.create("speech", "small", Model()).folder, copies / "mine"))
    copy.remove()
    assert copies.exists(), "a folder of the user's own"


def test_missing_runs_say_what_to_type(root: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no finished speech run yet.*Train one: unrolled train speech\. Received"):
        Run.latest("speech")
    Run.create("speech", "small", Model())
    with pytest.raises(
        RunError, match=r"of preset small yet.*speech small, with --resume .*Received: 1 that are not finished"
    ):
        Run.latest("speech", "small")
    with pytest.raises(RunError, match=r"no such folder\. Expected.*Received: .*nowhere"):
        Run.open(tmp_path / "nowhere")
    with pytest.raises(RunError, match=r"holds 1 run\..*newest, .*/speech/small/\d.*Received: "):
        Run.open(root)
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match=r"is not a run.*configuration\.json and versions\.json.*Received: "):
        Run.open(tmp_path / "empty")
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match=r"no such folder, but a file of that name.*Received: .*file"):
        Run.open(tmp_path / "file")


def test_damaged_or_missing_file_is_named(root: Path) -> None:
    run = Run.create("speech", "small", Model())
    with pytest.raises(RunError, match=r"no evaluation\.json.*Received: "):
        run.read_json("evaluation.json")
    (run.folder / "evaluation.json").write_text('{"split": ')
    with pytest.raises(RunError, match=r"damaged.*evaluation\.json"):
        run.read_json("evaluation.json")


def test_history_has_one_row_an_epoch_also_after_a_restart(root: Path) -> None:
    run = Run.create("speech", "small", Model())
    for epoch in range(1, 5):
        run.append_history({"epoch": epoch, "loss": 1 / epoch})
    again = Run.open(run.folder)
    again.append_history({"epoch": 3, "loss": 0.25, "cer": 0.1 + 0.2})  # killed after epoch 4, checkpoint of 2
    rows = list(csv.DictReader((run.folder / "history.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    expected = [
        {"epoch": 1, "loss": 1.0},
        {"epoch": 2, "loss": 0.5},
        {"epoch": 3, "loss": 0.25, "cer": 0.1 + 0.2},
    ]
    assert again.history() == expected
    with pytest.raises(ValueError, match=r"under 'epoch'.*Received: \{'loss': 1\}"):
        run.append_history({"loss": 1})


def test_full_disk_while_writing_leaves_the_old_content(root: Path, request: pytest.FixtureRequest) -> None:
    run = Run.create("speech", "small", Model())
    run.append_history({"epoch": 1, "loss": 2.0})
    before = files(root)
    request.getfixturevalue("full_disk")
    with pytest.raises(RunError, match=r"could not be written.*--resume.*Received: .*history\.csv.*No space left"):
        run.append_history({"epoch": 2, "loss": 1.0})
    with pytest.raises(RunError, match="No space left"):
        run.finish()
    assert files(root) == before
    assert run.history() == [{"epoch": 1, "loss": 2.0}]
    assert not run.finished


def test_full_disk_at_the_start_leaves_no_run(root: Path, full_disk: None) -> None:
    with pytest.raises(RunError, match="No space left"):
        Run.create("speech", "small", Model())
    assert not any(path.is_file() for path in root.rglob("*"))
    assert not list(root.glob("*")), "not even an empty folder"
