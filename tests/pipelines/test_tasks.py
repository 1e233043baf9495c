"""Tasks found by name, and the commands that reach their modules."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import pytest
import tensorflow as tf

from pipelines import commands, predictors, tasks, train
from pipelines.configuration import ConfigurationError
from pipelines.evaluation import Evaluation, Metric, Row
from pipelines.runs import Run, RunError
from pipelines.tasks import Task
from pipelines.training import TrainingConfiguration


class Reading(commands.TrainingCommand):
    task: Literal["reading"] = "reading"
    training: TrainingConfiguration = TrainingConfiguration()


class Writing(commands.TrainingCommand):
    task: Literal["writing_by_hand"] = "writing_by_hand"
    training: TrainingConfiguration = TrainingConfiguration()


FOUND = (
    Task("reading", "letters", "pipelines.letters.reading"),
    Task("writing-by-hand", "letters", "pipelines.letters.writing_by_hand"),
)
PRESETS: dict[str, dict[str, Any]] = {"reading": {"read": Reading()}, "writing_by_hand": {"write": Writing()}}


class EvaluationOptions(commands.RunOptions):
    split: Literal["validation", "test"] = "test"


class Options(commands.AnswerOptions):
    page: int = 1


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[Any, ...]]:
    """What was called, in a pipeline `letters` of two tasks whose modules only write that down."""
    calls: list[tuple[Any, ...]] = []
    monkeypatch.chdir(tmp_path)  # where exports are written

    def place(task: str, name: str, **content: Any) -> None:
        module = ModuleType(f"pipelines.letters.{task}.{name}")
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, module.__name__, module)

    for task in PRESETS:

        def train(run: Run, configuration: Any, task: str = task) -> None:
            calls.append((task, "train", configuration.seed))
            run.finish()

        def evaluate(run: Run, split: str = "test", task: str = task) -> Evaluation:
            calls.append((task, "evaluate", run.folder.resolve(), split))
            return Evaluation(split, 3, [Row("model", {"wer": Metric(0.5)})])

        def export_run(run: Run, folder: Path, task: str = task) -> Path:
            calls.append((task, "export", run.folder.resolve(), folder))
            path = folder / "letters" / "1"
            path.mkdir(parents=True)
            (path / "model_card.md").write_text("# Card\n")
            return path

        def answer(options: Options, load: Callable[[], Any], task: str = task) -> None:
            calls.append((task, "spell", options.page, options.format))

        place(task, "config", PRESETS=PRESETS[task])
        place(task, "train", train=train)
        place(task, "evaluate", evaluate=evaluate, EvaluationOptions=EvaluationOptions)
        place(task, "export", export_run=export_run)
        place(task, "predictor", EXAMPLE=("spell", "WORD", "word"))
        place(task, "spell", Options=Options, answer=answer)
    monkeypatch.setitem(sys.modules, "pipelines.letters", ModuleType("pipelines.letters"))
    for module in (tasks, predictors, commands):
        monkeypatch.setattr(module, "all_tasks", lambda: FOUND)
    monkeypatch.setattr(Task, "has", lambda task, name: name == "spell")
    monkeypatch.setenv("UNROLLED_RUNS", str(tmp_path))
    return calls


def test_a_task_is_found_by_its_name_and_by_its_pipeline(called: list[tuple[Any, ...]]) -> None:
    assert tasks.tasks_named("writing-by-hand") == tasks.tasks_named("writing_by_hand") == FOUND[1:]
    assert tasks.tasks_named("letters") == FOUND
    sys.modules["pipelines.letters"].DEFAULT = "writing-by-hand"  # type: ignore[attr-defined]
    assert list(tasks.presets_named("letters")) == ["write", "read"]
    with pytest.raises(
        ConfigurationError, match=r"Expected one of: reading, writing-by-hand, letters\..* mean 'reading'"
    ):
        tasks.tasks_named("reding")


def test_a_training_reaches_the_task_of_its_preset(
    called: list[tuple[Any, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    train.train(["letters", "write", "--seed", "3"])
    assert called == [("writing_by_hand", "train", 3)]
    next_commands = "unrolled evaluate writing-by-hand, unrolled export writing-by-hand, unrolled spell word"
    assert f"Next: {next_commands}" in capsys.readouterr().out
    train.train(["reading", "--evaluate"])
    assert called[1:] == [
        ("reading", "train", 0),
        ("reading", "evaluate", Run.latest("letters").folder.resolve(), "test"),
    ]


def test_under_make_messages_name_targets(
    called: list[tuple[Any, ...]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAKELEVEL", "1")
    train.train(["reading"])
    assert "Next: make eval-letters, make export-letters, make spell WORD=word" in capsys.readouterr().out


def test_a_training_is_resumed_whatever_its_task(called: list[tuple[Any, ...]]) -> None:
    Run.create("letters", "write", Writing(seed=5))
    train.train(["letters", "--resume"])
    assert called == [("writing_by_hand", "train", 5)]


def test_a_command_reaches_the_task_of_its_run(called: list[tuple[Any, ...]]) -> None:
    train.train(["reading"])
    first = Run.latest("letters").folder.resolve()
    train.train(["writing-by-hand"])
    second = Run.latest("letters").folder.resolve()
    called.clear()
    commands.export(["letters"])
    commands.evaluate(["--run", str(first), "--split", "validation"])
    commands.evaluate(["reading"])
    assert called == [
        ("writing_by_hand", "export", second, Path("exports")),
        ("reading", "evaluate", first, "validation"),
        ("reading", "evaluate", first, "test"),
    ]
    with pytest.raises(RunError, match=r"another task. Expected one of reading.*of the task writing-by-hand"):
        commands.export(["reading", "--run", str(second)])


@pytest.mark.parametrize("formats", [["lite", "onnx"], ["lite"], ["lite", "web"], ["web", "web"]])
def test_files_for_devices_are_possible_or_nothing_is_exported(
    formats: list[str],
    called: list[tuple[Any, ...]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    from pipelines import devices  # whose converters take seconds to import

    owner = tf.Module()
    owner.weight = tf.Variable([2.0])
    inputs, formats = {"value": tf.TensorSpec([1])}, ("lite", "web")
    model = devices.DeviceModel(
        lambda value: {"twice": owner.weight * value},
        inputs,
        {},
        "error",
        lambda _: 0.5,
        "A step.",
        formats,
        lambda: {"weight": 2.0},
    )
    module = ModuleType("pipelines.letters.reading.devices")
    module.device_model = lambda _: model  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(Task, "has", lambda task, name: name == "devices")
    monkeypatch.setitem(devices.LIBRARIES, "lite", (("a_missing_library",), "litert"))
    train.train(["reading"])
    called.clear()
    folder = tmp_path / "exports"
    card = folder / "letters" / "1" / "model_card.md"
    command = ["reading", "--folder", str(folder), "--devices", *formats]
    if "lite" in formats:
        wrong = (
            (ConfigurationError, "format onnx do not") if "onnx" in formats else (ModuleNotFoundError, "no a_missing")
        )
        with pytest.raises(wrong[0], match=wrong[1]):
            commands.export(command)
        assert called == [] and not folder.exists()
        return
    with monkeypatch.context() as patched:  # a converter fails when the SavedModel is there
        patched.setattr(devices, "write_text_atomically", lambda *_: (_ for _ in ()).throw(OSError("full")))
        with pytest.raises(OSError, match="full"):
            commands.export(command)
    assert not list(folder.iterdir())
    commands.export(command)
    size = (card.parent / "web" / "step.json").stat().st_size
    assert (
        f"Wrote {card.parent}/web/step.json: {size:,} bytes, {size / 4:.2f} of the weights\n" in capsys.readouterr().out
    )
    assert f"| `web/step.json` | {size:,} | {size / 4:.2f} |  |\n" in card.read_text()


def test_results_are_printed_as_a_table(called: list[tuple[Any, ...]], capsys: pytest.CaptureFixture[str]) -> None:
    train.train(["reading"])
    run = Run.latest("letters")
    rows = [{"name": "model", "metrics": {"wer": {"value": 0.25, "low": 0.125, "high": 0.5}}}]
    run.write_json("evaluation-validation.json", {"split": "validation", "examples": 9, "rows": rows})
    with pytest.raises(
        RunError, match=r"not been evaluated on its test split.*unrolled evaluate reading --run \S+\. Received"
    ):
        commands.results(["reading"])
    capsys.readouterr()
    commands.results(["reading", "--split", "validation"])
    printed = capsys.readouterr().out
    assert "| model | 0.250 [0.125, 0.500] |" in printed and "`unrolled train reading read`, seed 0" in printed


def test_a_question_reaches_the_task_of_its_run(called: list[tuple[Any, ...]]) -> None:
    train.train(["reading"])
    first = Run.latest("letters").folder
    train.train(["writing-by-hand"])
    called.clear()
    commands.answer("spell", ["--page", "2"])
    commands.answer("spell", ["--run", str(first), "--format", "json"])
    assert called == [("writing_by_hand", "spell", 2, "text"), ("reading", "spell", 1, "json")]


def test_the_latest_run_of_a_task_is_not_one_of_another(called: list[tuple[Any, ...]]) -> None:
    train.train(["reading"])
    read = Run.latest("letters").folder
    with pytest.raises(
        RunError, match=r"no finished run of the task writing-by-hand.*unrolled train writing-by-hand\."
    ):
        predictors.latest_run("writing-by-hand")
    train.train(["writing-by-hand"])
    assert predictors.latest_run("reading").folder == read


def test_whose_options_were_refused_is_printed_unless_the_run_was_named(
    called: list[tuple[Any, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    train.train(["reading"])
    folder = Run.latest("letters").folder
    for arguments in (["letters", "--frames", "3"], ["letters", "--run", str(folder), "--frames", "3"]):
        with pytest.raises(SystemExit):
            commands.evaluate(arguments)
        assert (f"latest run, {folder}, of the task reading" in capsys.readouterr().err) == ("--run" not in arguments)


def test_help_of_answers_is_of_every_task_and_not_asked_for_behind_two_dashes(
    called: list[tuple[Any, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        commands.answer("spell", ["--help"])
    assert not stopped.value.code
    printed = capsys.readouterr().out
    assert "of the task reading" in printed and "of the task writing-by-hand" in printed and not called
    train.train(["reading"])
    called.clear()
    with pytest.raises(SystemExit):
        commands.answer("spell", ["--", "--help"])  # which this command, without texts, refuses
    refused = capsys.readouterr()
    assert "usage" not in refused.out and "Received: '--help'" in refused.err
    assert "the options of the task reading" in refused.err


@pytest.mark.parametrize("command", [train.train, commands.evaluate, commands.export])
def test_help_needs_no_run(
    command: Callable[[list[str]], None], called: list[tuple[Any, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (["--help"], ["reading", "--help"]):
        with pytest.raises(SystemExit) as stopped:
            command(arguments)
        assert not stopped.value.code
        assert "reading" in capsys.readouterr().out
    with pytest.raises(ConfigurationError, match=r"needs a task first. Expected one of: reading, writing-by-hand"):
        command([])
    assert called == []


def test_training_from_python(called: list[tuple[Any, ...]]) -> None:
    run = train.train_run("letters", "read", None, None, False, {"seed": 7, "training": {"epochs": 2}})
    assert called == [("reading", "train", 7)]
    assert run.read_configuration(Reading) == Reading(seed=7, training=TrainingConfiguration(epochs=2))
    with pytest.raises(ConfigurationError, match=r"no preset 'reed'.*mean 'read'"):
        train.train_run("reading", "reed", None, None, False, {})
    with pytest.raises(ConfigurationError, match=r"no setting 'sead'.*mean 'seed'"):
        train.train_run("reading", None, None, None, False, {"sead": 7})
    unfinished = Run.create("letters", "read", Reading(seed=8))
    with pytest.raises(ConfigurationError, match="keeps the settings with which it started"):
        train.train_run("reading", None, None, unfinished, False, {"seed": 7})
    train.train_run("reading", None, None, unfinished.folder, False, {})
    assert called[-1] == ("reading", "train", 8)
    unfinished.finish()
    with pytest.raises(RunError, match="has finished"):
        train.train_run("reading", None, None, unfinished.folder, False, {})


def test_tasks_that_were_renamed_are_still_found() -> None:
    for before, now in predictors.RENAMED.items():
        (task,) = (task for task in tasks.all_tasks() if task.package.endswith(f".{now}"))
        kind = type(next(iter(task.presets.values())))
        assert kind.from_json(json.dumps({"task": before})).task == now
