"""Which run a training or another command takes."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from pipelines import commands, predictors, tasks, train
from pipelines.commands import TrainingCommand
from pipelines.configuration import Configuration, ConfigurationError
from pipelines.preparation import removed_if_refused
from pipelines.runs import Run, RunError


class Tiny(TrainingCommand):
    units: int = 4


PRESETS = {"small": Tiny(), "base": Tiny(units=8)}


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of all runs; `test` is the only task."""
    config = ModuleType("pipelines.test.config")
    config.PRESETS = PRESETS  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, config.__name__, config)
    for module in (tasks, predictors, commands):
        monkeypatch.setattr(module, "all_tasks", lambda: (tasks.Task("test", "test", "pipelines.test"),))
    monkeypatch.setenv("UNROLLED_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def training_run(*arguments: str) -> tuple[Run, Tiny]:
    """The run and the configuration of a training."""
    _, run, configuration = train.training_run("test", arguments)
    return run, configuration


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


def test_a_run_of_another_pipeline_is_refused_before_the_data_are_prepared() -> None:
    other = Run.create("other", "small", Tiny())
    with pytest.raises(RunError, match=r"another pipeline\. Expected one of test.*which belongs to other"):
        training_run("--initialise", str(other.folder))
    with pytest.raises(RunError, match="another pipeline"):
        train.train_run("test", None, other, None, False, {})


@pytest.mark.parametrize("preset", [[], ["small"]])
def test_a_resumed_training_takes_no_settings(preset: list[str]) -> None:
    training_run("small")
    for settings in (["--seed", "0"], ["--seed=3"]):
        with pytest.raises(ConfigurationError, match=r"keeps the settings.*Received: --seed$"):
            training_run(*preset, "--resume", *settings)


class Together(Tiny):
    class Training(Configuration):
        strategy: str = "none"

    training: Training = Training()


def test_settings_of_several_workers_are_refused_before_any_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(PRESETS, "together", Together())
    started: list[int] = []
    monkeypatch.setattr(train, "launch", lambda _, count: started.append(count))
    train.train(["test", "together", "--workers", "2"])
    assert started == [2]
    for settings in (["--units", "many"], ["--unit", "3"]):
        with pytest.raises(SystemExit):
            train.train(["test", "together", *settings, "--workers", "2"])
        assert settings[0].strip("-") in capsys.readouterr().err
    with pytest.raises(SystemExit):  # a task that trains in a way of its own
        train.train(["test", "small", "--workers", "2"])
    assert started == [2]


def test_a_run_is_the_latest_or_the_one_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no finished test run"):
        predictors.open_run("test", None)
    runs = [Run.create("test", "small", Tiny()) for _ in range(2)]
    runs[1].finish()
    runs[0].finish()
    assert predictors.open_run("test", None).folder == runs[0].folder.resolve()
    assert predictors.open_run("test", runs[1].folder).folder == runs[1].folder.resolve()
    with pytest.raises(RunError, match=r"no such folder.*nowhere"):
        predictors.open_run("test", tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match=r"is not a run.*versions.json"):
        predictors.open_run("test", tmp_path / "empty")


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
