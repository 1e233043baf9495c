"""The contract of a task: the same words stand in the same files of every task, and no import runs in a circle."""

import ast
import inspect
import re
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from pipelines.commands import TrainingCommand
from pipelines.configuration import Configuration
from pipelines.tasks import Task, all_tasks
from tests.pipelines import exported_rows

REPOSITORY = Path(__file__).parent.parent
TASKS = {task.name: task for task in all_tasks()}
VERBS = {
    "clip-classes": "classify",
    "language-model": "generate",
    "next-frames": "predict",
    "sentiment": "classify",
    "series": "forecast",
    "speech": "transcribe",
    "tagging": "tag",
    "translation": "translate",
}
STREAMING = {"clip-classes", "language-model", "series", "speech"}

every_task = pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))


def parameters(function: object) -> list[str]:
    """The names of a function's parameters without a default."""
    signature = inspect.signature(function)  # type: ignore[arg-type]
    empty = inspect.Parameter.empty
    return [name for name, each in signature.parameters.items() if each.default is empty]


def folder_of(task: Task) -> Path:
    return REPOSITORY.joinpath(*task.package.split("."))


def own(module: ModuleType, name: str) -> bool:
    """Whether a module defines a name itself."""
    return getattr(getattr(module, name, None), "__module__", None) == module.__name__


def test_all_tasks_are_found() -> None:
    assert set(TASKS) == set(VERBS)


@every_task
def test_configuration(task: Task) -> None:
    presets = task.presets
    (kind,) = {type(each) for each in presets.values()}
    assert issubclass(kind, TrainingCommand) and own(task.part("config"), kind.__name__)
    assert kind.model_fields.keys() >= {"data", "network", "training"}
    if task.name != task.pipeline:
        assert presets[next(iter(presets))].task == task.package.rpartition(".")[2]
    data = kind.model_fields["data"].annotation
    assert data.__name__ == "DataConfiguration" and data.__module__.rpartition(".")[2] in ("data", "sources")
    network = kind.model_fields["network"].annotation
    assert network.__name__ == "NetworkConfiguration" and network.__module__ == f"{task.package}.network"


@every_task
def test_data_and_training(task: Task) -> None:
    data, model, train = task.part("data"), task.part("model"), task.part("train")
    assert parameters(data.load)[0] == "configuration"
    assert "epoch" in inspect.signature(data.training_batches).parameters
    assert parameters(model.build)[0] == "configuration" and parameters(model.load_model) == ["run"]
    assert parameters(train.prepare) == ["configuration"]
    assert parameters(train.train) == ["run", "configuration"]
    assert {"batch", "training"} <= inspect.signature(train.batch_loss).parameters.keys()
    assert own(train, "validate")
    assert "prepared(run, configuration, prepare)" in inspect.getsource(train.train)


@every_task
def test_predictor(task: Task) -> None:
    part = task.part("predictor")
    assert parameters(part.load) == ["run"]
    assert parameters(part.Predictor) == ["run", "model"]
    assert callable(getattr(part.Predictor, VERBS[task.name]))
    assert hasattr(part.Predictor, "stream") == (task.name in STREAMING)
    if task.name in STREAMING:
        assert callable(part.Stream.feed) and callable(part.Stream.finish)
    command, variable, example = part.EXAMPLE
    module = task.part(command.replace("-", "_"))
    assert issubclass(module.Options, Configuration) and parameters(module.answer) == ["options", "load"]
    assert variable.isupper() and example


@every_task
def test_evaluation_and_export(task: Task) -> None:
    evaluate, export = task.part("evaluate"), task.part("export")
    assert parameters(evaluate.evaluate) == ["run"]
    assert evaluate.EvaluationOptions.model_fields.keys() >= {"run", "split"}
    arguments = inspect.signature(evaluate.evaluate).parameters.keys()
    assert evaluate.EvaluationOptions.model_fields.keys() == arguments
    assert list(inspect.signature(export.export_run).parameters) == ["run", "folder"]
    assert parameters(export.model_card)[0] == "run"
    assert own(task.part("serving"), "signatures")
    assert (folder_of(task) / "baselines.py").exists() and (folder_of(task) / "report.py").exists()


@every_task
def test_the_export_is_compared_with_the_evaluation(task: Task) -> None:
    tests = REPOSITORY.joinpath("tests", *task.package.split(".")).glob("test_*.py")
    assert task.name in exported_rows.REACHED
    assert sum(path.read_text(encoding="utf-8").count("\n    reaches_the_row_model(") for path in tests) == 1


@every_task
def test_commands_are_not_written_again(task: Task) -> None:
    for path in folder_of(task).glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "def main(" not in text and "__name__ ==" not in text, path
        assert not re.search(r"set_dtype_policy|removed_if_refused", text), path


def test_graphs_are_traced_as_they_are_written() -> None:
    """AutoGraph would convert Keras and all of our code first, which takes as long as the tracing."""
    for path in [*(REPOSITORY / "pipelines").rglob("*.py"), *(REPOSITORY / "models").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "tf.function":
                assert "autograph" in {each.arg for each in node.keywords}, f"{path}:{node.lineno}"


def modules() -> dict[str, Path]:
    """Every module of `pipelines` by its dotted name."""
    paths = sorted((REPOSITORY / "pipelines").rglob("*.py"))
    names = [".".join(path.relative_to(REPOSITORY).with_suffix("").parts) for path in paths]
    return {name.removesuffix(".__init__"): path for name, path in zip(names, paths, strict=True)}


def imported(source: str, known: dict[str, Path]) -> set[str]:
    """The modules among the known that a module imports when it is loaded, not later in a function."""
    names: set[str] = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names} & known.keys() or {node.module}
    return names & known.keys()


def circle(imports: dict[str, set[str]]) -> list[str]:
    """Modules that import each other in a circle; none: empty."""
    done: set[str] = set()

    def visit(name: str, trail: list[str]) -> list[str]:
        if name in trail:
            return trail[trail.index(name) :]
        if name in done:
            return []
        for other in sorted(imports[name]):
            if found := visit(other, [*trail, name]):
                return found
        done.add(name)
        return []

    return next((found for name in imports if (found := visit(name, []))), [])


def test_no_import_runs_in_a_circle() -> None:
    known = modules()
    packages = {name for name, path in known.items() if path.name == "__init__.py"}
    texts = {name: path.read_text(encoding="utf-8") for name, path in known.items()}
    assert circle({name: imported(text, known) - packages for name, text in texts.items()}) == []


def test_circles_are_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == ["a", "b", "c"]
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []
    known = {"pipelines.runs": Path(), "pipelines.tasks": Path()}
    assert imported("from pipelines import runs\ndef later():\n    import pipelines.tasks", known) == {"pipelines.runs"}


def test_models_and_data_are_importable_alone() -> None:
    """The front door stands on `models`; nothing of `pipelines` is loaded with the layers."""
    source = (REPOSITORY / "unrolled" / "__init__.py").read_text(encoding="utf-8")
    assert imported(source, modules()) == set()
    assert import_module("unrolled").LSTM is import_module("models").LSTM


@pytest.mark.parametrize("name", sorted(STREAMING))
def test_what_streams_runs_on_devices(name: str) -> None:
    module = TASKS[name].part("devices")
    assert own(module, "device_model") and parameters(module.device_model) == ["run"]
