"""Files for devices: a step of fixed shapes as LiteRT and ONNX, with what eight bits cost, and weights for browsers.

A task that has them has a module `devices` with `device_model(run)`. Text and files stay outside.
"""

import base64
import json
import logging
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import tensorflow as tf

from models.conversion.litert import litert_of
from models.conversion.onnx import onnx_of
from pipelines.configuration import ConfigurationError
from pipelines.model_cards import CARD
from pipelines.run_files import write_text_atomically
from pipelines.runs import Run
from pipelines.served import Signature, Tensors, arrays, specifications
from pipelines.tasks import Task, all_tasks
from unrolled_installation import check_libraries

Format = Literal["lite", "onnx", "web"]
Ask = Callable[..., dict[str, np.ndarray]]
LIBRARIES = {"lite": (("ai_edge_litert",), "litert"), "onnx": (("onnx", "onnxruntime", "tf2onnx"), "onnx")}
WEB = "web"
AFTER = "next_"
"""Begins the name of an output that is an input of the next step: ONNX has each name once."""
MOST_STEPS = 20_000
"""Steps of the test split by which a file is judged, at most."""


class DeviceModel(NamedTuple):
    """What runs on a device.

    Attributes:
        step: takes the inputs and a state by name, and returns `stepped`.
        inputs: what a step takes beside the state: all shapes are fixed, the first dimension is 1.
        states: what the first step takes, (streams, …) each; a row for each known series, otherwise one.
        metric: the name of the score.
        score: of a function that answers as the signature does, on the test split.
        about: for the model card, what the inputs and outputs are, and what stays outside.
        formats: that can hold the network.
        web: what the page of the server needs to run the network itself, as JSON holds it, if it can.
    """

    step: Callable[..., Tensors]
    inputs: Mapping[str, tf.TensorSpec]
    states: Mapping[str, np.ndarray]
    metric: str
    score: Callable[[Ask], float]
    about: str
    formats: Sequence[Format] = ("lite", "onnx")
    web: Callable[[], Mapping[str, Any]] | None = None

    @property
    def signature(self) -> Signature:
        """The step, without batch or text, and all that it takes."""
        return Signature(self.step, {**self.inputs, **specifications(self.states, streams=1)})


class Written(NamedTuple):
    """A file: its `path`, its size in bytes, that over the weights', and its score, None for what browsers run."""

    path: Path
    size: int
    of_weights: float
    score: float | None


def device_model(task: Task, run: Run, formats: Sequence[Format] = ()) -> DeviceModel:
    """Returns what a run's model is on devices, in these formats.

    Raises:
        ConfigurationError: the task has no such files, or a format does not fit the network.
        ModuleNotFoundError: a format's libraries are missing.
    """
    if not task.has("devices"):
        known = ", ".join(each.name for each in all_tasks() if each.has("devices"))
        raise ConfigurationError(
            f"The task {task.name} reads text, which files for devices do not support. Expected one of: {known}. "
            f"Leave out --devices. Received: {task.name}"
        )
    found: DeviceModel = task.part("devices").device_model(run)
    if wrong := [each for each in formats if each not in found.formats]:
        raise ConfigurationError(
            f"Files of the format {wrong[0]} do not reproduce this network. Expected one of: "
            f"{', '.join(found.formats)}. Leave out --devices {wrong[0]}. Received: {wrong[0]}"
        )
    for each in formats:
        check_libraries(*LIBRARIES.get(each, ((),)))
    return found


def stepped(answer: Mapping[str, tf.Tensor], state: Mapping[str, tf.Tensor]) -> Tensors:
    """Returns an answer and the state after it, by the names of a step's outputs."""
    return {**answer, **{AFTER + name: tensor for name, tensor in state.items()}}


def followed(
    ask: Ask, state: Mapping[str, np.ndarray], inputs: Iterable[Mapping[str, Any]]
) -> Iterator[dict[str, np.ndarray]]:
    """Yields the answers to a stream's inputs, passing the state (1, …) on."""
    for each in inputs:
        answer = ask(**each, **state)
        state = {name: answer.pop(AFTER + name) for name in state}
        yield answer


def write_devices(export: Path, model: DeviceModel, formats: Sequence[Format]) -> list[Written]:
    """Writes `lite/`, `onnx/` and `web/` into an export, each whole or not at all, and adds what it scores to its card.

    Args:
        export: the version's folder.
        model: what runs on the device.
        formats: of those that `device_model` has checked.

    Raises:
        ValueError: a format cannot hold the network.
    """
    signature = model.signature
    taken = [tf.TensorSpec(each.shape, each.dtype, name) for name, each in signature.inputs.items()]

    def function(*tensors: tf.Tensor) -> Tensors:
        return signature.function(**dict(zip(signature.inputs, tensors, strict=True)))

    graph = tf.function(function, autograph=False).get_concrete_function(*taken).graph
    weights = sum(each.shape.num_elements() * each.dtype.size for each in graph.variables)
    makers: dict[str, dict[str, tuple[Callable[..., bytes], Callable[[Path], Ask]]]] = {
        "lite": {".tflite": (litert_of, litert), "-int8.tflite": (partial(litert_of, int8=True), litert)},
        "onnx": {".onnx": (onnx_of, onnx)},
    }
    written: list[Written] = []
    rows: list[tuple[str, ...]] = []
    about: list[str] = []
    if WEB in formats:
        assert model.web is not None
        path = export / WEB / "step.json"
        path.parent.mkdir(exist_ok=True)
        write_text_atomically(path, json.dumps(model.web(), ensure_ascii=False))
        size = path.stat().st_size
        written.append(Written(path, size, size / weights, None))
        about.append("The page of the server runs `web/step.json` itself; its score is not measured.")
    if converted := [each for each in dict.fromkeys(formats) if each != WEB]:
        rows.append(("the SavedModel", "", "", f"{model.score(in_tensorflow(signature)):.4g}"))
        names = ", ".join(f"`{name}`" for name in model.states)
        about.append(
            f"{model.about}\nThe state is {names}: before the first step as in `initial_state.npz`, then what the step "
            f"before returned as `{AFTER}…`."
        )
    for form in converted:
        partial_folder = export / f".partial-{form}"
        shutil.rmtree(partial_folder, ignore_errors=True)
        partial_folder.mkdir()
        try:
            np.savez(partial_folder / "initial_state.npz", **dict[str, Any](model.states))
            for ending, (make, runner) in makers[form].items():
                path = partial_folder / f"step{ending}"
                path.write_bytes(_made(make, function, taken, form))
                size = path.stat().st_size
                written.append(Written(export / form / path.name, size, size / weights, model.score(runner(path))))
            partial_folder.rename(export / form)
        finally:
            shutil.rmtree(partial_folder, ignore_errors=True)
    for path, size, share, score in written:
        name = f"`{path.parent.name}/{path.name}`"
        rows.append((name, f"{size:,}", f"{share:.2f}", "" if score is None else f"{score:.4g}"))
    _add_to_card(export / CARD, about, model.metric, rows)
    return written


def _add_to_card(card: Path, about: Sequence[str], metric: str, rows: Sequence[Sequence[str]]) -> None:
    """Adds the section on devices to a model card: paragraphs, and a table of the files."""
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    paragraphs = "\n\n".join(about)
    card.write_text(
        f"{card.read_text(encoding='utf-8')}\n## On devices\n\n{paragraphs}\n\n"
        f"| file | bytes | over the weights | {metric}, test split |\n|---|---|---|---|\n{table}\n",
        encoding="utf-8",
    )


def as_json(weights: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns arrays or variables as JSON holds them: their shapes, and float32 in little-endian bytes as base64.

    Example:
        >>> as_json({"bias": np.array([1.0])})
        {'bias': {'shape': [1], 'data': 'AACAPw=='}}
    """
    arrays = {name: np.asarray(each, "<f4") for name, each in weights.items()}
    return {
        name: {"shape": list(each.shape), "data": base64.b64encode(each.tobytes()).decode()}
        for name, each in arrays.items()
    }


def in_tensorflow(signature: Signature) -> Ask:
    """Returns a function that asks a signature as TensorFlow computes it."""
    concrete = signature.concrete()

    def ask(**inputs: np.ndarray) -> dict[str, np.ndarray]:
        tensors = {name: tf.constant(inputs[name], each.dtype) for name, each in signature.inputs.items()}
        return arrays(concrete(**tensors))

    return ask


def litert(path: Path) -> Ask:
    """Returns a function that asks a LiteRT file."""
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(str(path)).get_signature_runner()
    return lambda **inputs: dict(runner(**inputs))


def onnx(path: Path) -> Ask:
    """Returns a function that asks an ONNX file."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    # What a step does not read is no input of the file.
    known = {each.name for each in session.get_inputs()}

    def ask(**inputs: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(names, session.run(None, {k: v for k, v in inputs.items() if k in known}), strict=True))

    return ask


def _made(make: Callable[..., bytes], function: Any, specifications: Sequence[tf.TensorSpec], form: str) -> bytes:
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(logging.ERROR)  # it warns of each gradient that is not saved
    try:
        return make(function, specifications)
    except ModuleNotFoundError:
        raise
    except Exception as error:  # converters raise all kinds
        raise ValueError(
            f"The network cannot be written for devices, {form}. Expected operators that the format has. Leave out "
            f"--devices {form}, or train other layers. Received: {str(error).strip().splitlines()[-1]}"
        ) from error
    finally:
        logger.setLevel(level)
