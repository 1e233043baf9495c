"""What the tests of all pipelines share: a process that has only an exported model, and a training that is killed."""

import inspect
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from pipelines import commands, errors, predictors, train, training
from pipelines.checkpoints import save_checkpoint
from pipelines.evaluation import Evaluation
from pipelines.predictors import latest_run, task_of
from pipelines.runs import Run
from pipelines.served import Served
from pipelines.tasks import all_tasks

if TYPE_CHECKING:
    from pipelines.devices import Written

REPOSITORY = Path(__file__).parents[2]


# A process in which an import of Keras or of a package of ours fails. It answers one request a line.
ELSEWHERE = """
import functools, gc, json, sys, traceback
from importlib.machinery import ModuleSpec

gc.disable()  # graphs are many objects that live long

class Blocker:
    def find_spec(self, name, path=None, target=None):
        # TensorFlow asks where Keras is without importing it, hence a module that fails when it is loaded.
        if name.partition(".")[0] in ("keras", "tf_keras", "models", "data", "pipelines"):
            return ModuleSpec(name, self, origin="/nowhere/" + name)

    def create_module(self, spec):
        raise ImportError(spec.name + " cannot be imported here")

    def exec_module(self, module):
        raise AssertionError

sys.meta_path.insert(0, Blocker())
for name in ("keras", "pipelines"):
    try:
        __import__(name)
        raise AssertionError("the blocker does not block")
    except ImportError:
        pass
import tensorflow as tf

tf.config.optimizer.set_jit(False)
load = functools.lru_cache(maxsize=1)(lambda folder: tf.saved_model.load(folder).signatures)

def decoded(value):
    return [decoded(part) for part in value] if isinstance(value, list) else value.decode()

def plain(tensors):
    values = {key: (value.dtype == tf.string, value.numpy().tolist()) for key, value in tensors.items()}
    return {key: decoded(value) if is_text else value for key, (is_text, value) in values.items()}

def answer(folder, request, program):
    signatures = load(folder)

    def ask(name, inputs):
        specification = signatures[name].structured_input_signature[1]
        values = {key: tf.convert_to_tensor(value, specification[key].dtype) for key, value in inputs.items()}
        return signatures[name](**values)

    names = {"tf": tf, "signatures": signatures, "ask": ask, "plain": plain, "request": request}
    exec(program, names)
    assert "keras" not in sys.modules
    return names["answer"]

for line in sys.stdin:
    try:
        found = {"answer": answer(*json.loads(line))}
    except Exception:
        found = {"error": traceback.format_exc()}
    print("ANSWER" + json.dumps(found), flush=True)
"""


@contextmanager
def conversation(program: str, folder: Path, environment: Mapping[str, str]) -> Iterator[Callable[..., Any]]:
    """A function that sends a request to a Python program, and returns its answer.

    Both are JSON on a line; that of the answer begins with ANSWER, and holds `answer` or `error`.
    """
    errors = folder / "errors.txt"
    command = [sys.executable, "-c", program]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with (
        errors.open("w") as stderr,
        subprocess.Popen(command, cwd=folder, env=environment, stderr=stderr, **pipes) as process,
    ):
        assert process.stdin and process.stdout

        def ask(*request: Any) -> Any:
            print(json.dumps(request), file=process.stdin, flush=True)
            line = next((line for line in process.stdout if line.startswith("ANSWER")), None)
            assert line, errors.read_text()
            found = json.loads(line.removeprefix("ANSWER"))
            assert "error" not in found, found["error"]
            return found["answer"]

        yield ask
        process.kill()  # it has nothing left to do but look for garbage, which takes TensorFlow's seconds


@pytest.fixture(scope="session")
def answer_elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """A function that asks an exported model in a process that has neither Keras nor this repository.

    Its `request` is a pair, the name of a signature and its inputs; or whatever a `program` makes `answer` of, with
    `signatures`, `ask` and `plain`.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with conversation(ELSEWHERE, tmp_path_factory.mktemp("elsewhere"), environment) as ask:
        yield lambda model, request, program="answer = plain(ask(*request))": ask(str(model), request, program)


def weights_of(run: Run) -> dict[str, np.ndarray]:
    """The weights that a training left, by their place in the file."""
    found: dict[str, np.ndarray] = {}
    with h5py.File(run.folder / "model.weights.h5") as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found


@pytest.fixture(scope="session")
def weights() -> Callable[[Run], dict[str, np.ndarray]]:
    """`weights_of`."""
    return weights_of


@pytest.fixture
def whole_and_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, str], Run]:
    """A function that trains to the end, and resumes what a kill in the second epoch would have left of the run.

    It takes a task, a preset and changes of it, of three epochs or more, and fails unless both runs end with the
    same history, the same files and the same weights, bit for bit. Of a training with a pre-training, each is killed.
    `test_training.py` kills a process for `fit` itself.
    """
    monkeypatch.setenv("UNROLLED_RUNS", str(tmp_path / "runs"))

    def train_and_resume(task: str, preset: str, changes: str) -> Run:
        copies: dict[Path, Path] = {}  # by the checkpoint that the kill leaves

        def save_and_copy(path: Path, variables: Any, state: Any) -> None:
            save_checkpoint(path, variables, state)
            at = state.get("epoch"), state.get("step_in_epoch")  # which those of the best weights lack
            if path not in copies and path.name == "latest.npz" and at == (1, 2):
                run = next(folder for folder in path.parents if (folder / "versions.json").exists())
                copies[path] = run.with_name(f"{run.name}-killed-{len(copies)}")
                shutil.copytree(run, copies[path])

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(training, "save_checkpoint", save_and_copy)
            patch.setattr(
                training._Training, "_checkpoint_is_due", lambda fit: (fit.epoch, fit.step_in_epoch) == (1, 2)
            )
            train.train([task, preset, *changes.split()])
        whole, killed = latest_run(task), set(copies.values())
        assert killed and not any((copy / "model.weights.h5").exists() for copy in killed)
        left = {path.name for path in whole.folder.glob("*.json")} - {"timing.json", "finished.json"} | {"history.csv"}
        for _ in copies:
            train.train([task, preset, "--resume"])
            resumed = latest_run(task)
            killed.remove(resumed.folder)
            for name in left:
                assert (resumed.folder / name).read_text() == (whole.folder / name).read_text(), name
            expected, found = weights_of(whole), weights_of(resumed)
            assert found.keys() == expected.keys()
            for name, weight in expected.items():
                np.testing.assert_array_equal(found[name], weight, err_msg=name)
        return whole

    return train_and_resume


@contextmanager
def unlearned(train: ModuleType) -> Iterator[None]:
    """Has a task's trainings keep the first weights; two networks of equal weights answer alike, whatever they know.

    Steps and validations take longer to trace than to run.
    """

    def keep(run: Run, model: Any, *_: Any, **__: Any) -> None:
        model.save_weights(run.folder / "model.weights.h5")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "fit", keep)
        yield


@pytest.fixture(scope="session")
def train_tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """A function from a configuration to a finished run of it, whose preset is named `tiny`, alone among its runs."""

    def train(configuration: Any, cache: Path | None = None) -> Run:
        task = next(task for task in all_tasks() if type(configuration) is type(next(iter(task.presets.values()))))
        run = Run.create(task.pipeline, "tiny", configuration, tmp_path_factory.mktemp("runs"))
        with pytest.MonkeyPatch.context() as patch:
            if cache is not None:
                patch.setenv("UNROLLED_CACHE", str(cache))
            task.part("train").train(run, configuration)
        return run

    return train


@pytest.fixture
def there(trained_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, and the trained run as the latest, whatever else was trained."""
    monkeypatch.setenv("UNROLLED_RUNS", str(trained_run.folder.parents[2]))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[[Callable[[list[str]], None], list[str]], str]:
    """A function that runs a command, which must end with an error, and returns the message for the user."""

    def message_of(command: Callable[[list[str]], None], arguments: list[str]) -> str:
        with pytest.raises(SystemExit) as stopped:
            errors.main(lambda _: command(arguments))
        message = re.sub(r"\AUsing \S+\n", "", capsys.readouterr().err)  # the run, which may still refuse
        assert stopped.value.code and "Traceback" not in message
        assert message.startswith("Error: ") and "Received: " in message, message
        return message

    return message_of


@pytest.fixture(scope="session")
def export_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Run], Path]:
    """A function that exports a run by the command, once in a session; no test may change the folder."""
    done: dict[Path, Path] = {}

    def export(run: Run) -> Path:
        if run.folder not in done:
            with redirect_stdout(io.StringIO()) as output, pytest.MonkeyPatch.context() as patch:
                patch.chdir(tmp_path_factory.mktemp("exported"))
                commands.export(["--run", str(run.folder)])
                (folder,) = Path.cwd().glob("exports/*/1")
            printed = output.getvalue()
            assert f"Wrote exports/{folder.parent.name}/1 " in printed and "Next: " in printed
            assert {"saved_model.pb", "model_card.md", "tf_serving_warmup_requests"} <= {
                path.name for path in folder.rglob("*")
            }
            done[run.folder] = folder
        return done[run.folder]

    return export


@pytest.fixture(scope="session")
def loaded_both_ways(export_once: Callable[[Run], Path]) -> Callable[[Run], tuple[Any, Any]]:
    """A function that loads the predictor of a run, from the run and from its export, which must be small."""

    def load(run: Run) -> tuple[Any, Any]:
        folder = export_once(run)
        parts = {path: set(path.relative_to(folder).parts) for path in folder.rglob("*") if path.is_file()}
        beside = sum(path.stat().st_size for path, names in parts.items() if not names & {"variables", "run"})
        assert beside <= 2_000_000, "an export is its weights and little else"
        both = predictors.load(run.folder), predictors.load(folder)
        task = predictors.find(run.folder).task.name
        places = f"run {run.folder}", f"export {folder}"
        assert tuple(map(repr, both)) == tuple(f"<predictor of {task}: {place}>" for place in places)
        return both

    return load


@pytest.fixture(scope="session")
def reaches_the_row_model(
    export_once: Callable[[Run], Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Run], None]:
    """A function that fails unless the export of a run reaches what the row `model` of its evaluation says."""

    def check(run: Run) -> None:
        from tests.pipelines import exported_rows  # which imports every pipeline

        folder = export_once(run)
        if not (run.folder / "evaluation.json").exists():  # of a copy, since other tests want a run without
            run = Run.open(shutil.copytree(run.folder, tmp_path_factory.mktemp("judged") / run.folder.name))
            evaluate = task_of(run).part("evaluate").evaluate
            slow = inspect.signature(evaluate).parameters.keys() & {"slow_baselines"}
            evaluate(run, **dict.fromkeys(slow, False))
        row = Evaluation.from_json(run.read_json("evaluation.json")).rows[0]
        reached = exported_rows.REACHED[task_of(run).name](run, Served.exported(folder))
        assert row.name == "model" and reached.keys() == row.metrics.keys()
        for name, metric in reached.items():
            assert metric.value == pytest.approx(row.metrics[name].value, rel=2e-3, abs=1e-5), name

    return check


ON_TWO_DEVICES = """
import gc, json, os, sys, traceback

from unrolled_installation import lighten_keras

lighten_keras()
gc.disable()  # but for `clear_session`
import keras
import tensorflow as tf

(processor,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)

from pipelines import rows, training, workers
from pipelines.runs import Run
from pipelines.tasks import tasks_named

class Trained(Exception):
    pass

def fit(run, model, loss, batches, validate, configuration, **options):
    # What validates, and what follows on the training, the chief does as one device does.
    value = {options.get("minimise") or options["maximise"]: 0.0}
    training.fit(run, model, loss, batches, lambda: value, configuration, **options)
    with workers.present().dividing():
        divided = isinstance(next(iter(batches(0))), rows.Divided)
    assert divided == (workers.present().replicas == 2)
    raise Trained

def train_twice(name, root, text, settings):
    os.environ.update(settings)
    (task,) = tasks_named(name)
    task.part("train").fit = fit
    configuration = type(next(iter(task.presets.values()))).from_json(text)
    for strategy in ("none", "mirrored"):
        assert workers.join(strategy).replicas == (1 if strategy == "none" else 2)
        try:
            task.part("train").train(Run.create(task.pipeline, strategy, configuration, root), configuration)
        except Trained:
            continue
        raise AssertionError("the task does not call fit")

for line in sys.stdin:
    try:
        found = {"answer": train_twice(*json.loads(line))}
    except Exception:
        found = {"error": traceback.format_exc()}
    keras.utils.clear_session()
    print("\\nANSWER" + json.dumps(found), flush=True)
"""


@pytest.fixture(scope="module")
def train_on_two_devices(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., None]]:
    """A function that trains on one device and on two, in a process that has two, and gives its memory back."""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    with conversation(ON_TWO_DEVICES, tmp_path_factory.mktemp("devices"), environment) as ask:
        yield ask


@pytest.fixture
def same_on_two_devices(train_on_two_devices: Callable[..., None], tmp_path: Path) -> Callable[[str, Any], None]:
    """A function that trains a task on one device and on two, and fails unless the weights are the same.

    Each device's rows are prepared apart, as by several workers.

    Nothing may be drawn by chance within the network: the devices would draw other numbers than one alone.
    """

    def train_twice(name: str, configuration: Any) -> None:
        settings = {name: value for name, value in os.environ.items() if name.startswith("UNROLLED_")}
        train_on_two_devices(name, str(tmp_path), configuration.to_json(), settings)
        pairs = (weights_of(Run.open(*tmp_path.glob(f"*/{preset}/*"))) for preset in ("none", "mirrored"))
        expected, found = pairs
        assert found.keys() == expected.keys()
        for weight, value in expected.items():
            np.testing.assert_allclose(found[weight], value, atol=1e-5, err_msg=weight)

    return train_twice


@pytest.fixture
def judged_on_devices(tmp_path: Path) -> Callable[..., list["Written"]]:
    """A function that writes a run's files for devices, asks them the test split, and returns what was written.

    Each answer of the float32 files, state included, must be TensorFlow's.
    """
    interpreter = pytest.importorskip("ai_edge_litert.interpreter", reason="needs unrolled[litert]")
    pytest.importorskip("tf2onnx", reason="needs unrolled[onnx]")

    from pipelines import devices  # whose converters take seconds to import

    def judge(run: Run) -> list["Written"]:
        (tmp_path / "model_card.md").write_text("# Card\n")
        model = devices.device_model(task_of(run), run)
        found = devices.write_devices(tmp_path, model, [each for each in model.formats if each != "web"])
        paths = [each.path for each in found]
        expected = devices.in_tensorflow(model.signature)
        for path in (paths[0], *paths[2:]):
            ask = devices.onnx(path) if path.suffix == ".onnx" else devices.litert(path)

            def compared(ask: Any = ask, path: Path = path, **inputs: np.ndarray) -> dict[str, np.ndarray]:
                answer, ours = expected(**inputs), ask(**inputs)
                assert answer.keys() == ours.keys()
                for name, array in answer.items():
                    # In ONNX a Fourier transform is a product: a silent band's logarithm, in the state, shows the
                    # rounding.
                    is_spectrum = path.suffix == ".onnx" and name == "next_convolution_0"
                    assert_close = {"atol": 1e-4 if is_spectrum else 1e-5, "rtol": 1e-4, "err_msg": f"{path} {name}"}
                    np.testing.assert_allclose(ours[name].reshape(array.shape), array, **assert_close)
                return answer

            model.score(compared)
        for path in paths[:2]:
            used = {each["op_name"] for each in interpreter.Interpreter(str(path))._get_ops_details()}
            assert not [name for name in used if name.startswith("Flex") or name == "CUSTOM"], "builtin operators only"
        card = (tmp_path / "model_card.md").read_text()
        for path, size, *_ in found:
            assert size == path.stat().st_size and f"| `{path.parent.name}/{path.name}` | {size:,} |" in card
        with np.load(tmp_path / "lite" / "initial_state.npz") as saved:
            assert saved.keys() == model.states.keys()
        return found

    return judge
