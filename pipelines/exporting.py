"""Export: a SavedModel as TensorFlow Serving expects it, with a model card and warm-up requests."""

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import keras
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import prediction_log_pb2

from pipelines.model_cards import CARD
from pipelines.runs import Run
from pipelines.served import Signature

PYTHON_OPERATIONS = {"PyFunc", "PyFuncStateless", "EagerPyFunc"}
DESCRIBING = ("configuration.json", "versions.json", "description.json", "evaluation.json")
"""The files of a run that an export carries, so that a predictor can be made of it."""
MOST_WARMUP_REQUESTS = 1000
"""TensorFlow Serving refuses a model with more."""
BATCHING = """\
max_batch_size { value: 32 }
batch_timeout_micros { value: 2000 }
num_batch_threads { value: 2 }
max_enqueued_batches { value: 100 }
"""
PADDED = "pad_variable_length_inputs: true\n"


class WarmupRequest(NamedTuple):
    """A request that the server answers before it serves, so that the first user need not wait.

    Args:
        signature: Name of the signature.
        inputs: Values of its inputs. One that is left out takes the answer of the same name of an earlier request,
            such as the state that `initial_state` returned.
    """

    signature: str
    inputs: Mapping[str, Any] = {}


def export(
    module: tf.Module | keras.Model,
    signatures: Mapping[str, Any],
    name: str,
    model_card: str,
    warmup: Sequence[WarmupRequest],
    folder: Path | str = "exports",
    files: Mapping[str, Path] | None = None,
) -> Path:
    """Writes `<folder>/<name>/<version>/`, whole or not at all, and returns its path.

    The version is the next whole number. Beside the SavedModel there are `model_card.md` and
    `assets.extra/tf_serving_warmup_requests`; beside the versions `models.config` and `batching.config`, which
    TensorFlow Serving takes as `--model_config_file` and `--batching_parameters_file`.

    Args:
        module: Owns the variables and tables that the signatures use.
        signatures: Concrete functions (`tf.function(...).get_concrete_function(...)`) that take and return
            tensors by name; one of them is `serving_default`.
        name: Name of the model, and of its folder.
        model_card: Markdown: data, licence, metrics, limits.
        warmup: At least one request of each signature; each is run on the saved model before it gets its version.
        folder: Where all exports are.
        files: More files to copy into the export, by the place that they get.

    Raises:
        ValueError: The name cannot be a folder's, there is no `serving_default`, a signature needs XLA or
            Python code (a server has neither), or a warm-up request does not fit its signature.

    Example:
        >>> import tempfile
        >>> module = tf.Module()
        >>> twice = tf.function(lambda value: {"twice": 2 * value})
        >>> signature = twice.get_concrete_function(tf.TensorSpec([None], tf.float32, name="value"))
        >>> request = WarmupRequest("serving_default", {"value": [1.0, 2.0]})
        >>> signatures = {"serving_default": signature}
        >>> path = export(module, signatures, "twice", "# Twice", [request], tempfile.mkdtemp())
        >>> loaded = tf.saved_model.load(path).signatures["serving_default"]
        >>> path.name, loaded(tf.constant([3.0]))["twice"].numpy()
        ('1', array([6.], dtype=float32))
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise ValueError(f"The name of an export needs letters, digits, '.', '_' and '-' only. Received: {name!r}")
    if "serving_default" not in signatures:
        raise ValueError(
            "A server calls the signature `serving_default` unless told otherwise. Give one of them this name. "
            f"Received: {sorted(signatures)}"
        )
    for signature_name, signature in signatures.items():
        _refuse_what_a_server_lacks(signature_name, signature)

    models = Path(folder) / name
    models.mkdir(parents=True, exist_ok=True)
    partial = models / f".partial-{os.getpid()}"  # TensorFlow Serving looks at whole numbers only
    shutil.rmtree(partial, ignore_errors=True)
    try:
        # Custom gradients serve training; without them the graph holds the forward pass alone.
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        tf.saved_model.save(_root(module, signatures), str(partial), signatures=dict(signatures), options=options)
        _remove_marks_of_custom_gradients(partial)
        (partial / CARD).write_text(model_card, encoding="utf-8")
        extra = partial / "assets.extra"
        extra.mkdir(exist_ok=True)
        for place, path in (files or {}).items():
            (partial / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, partial / place)
        with tf.io.TFRecordWriter(str(extra / "tf_serving_warmup_requests")) as writer:
            for log in _prediction_logs(partial, name, warmup):
                writer.write(log.SerializeToString())
        _configure_server(models, signatures.values())
        return _move_to_next_version(partial, models)
    except BaseException as error:
        shutil.rmtree(partial, ignore_errors=True)
        if isinstance(error, tf.errors.OpError):  # a full disk, or a folder that cannot be written, in its words
            raise OSError(f"The export could not be written to {models}: {error.message}") from error
        raise


@contextmanager
def staged(folder: Path) -> Iterator[tuple[Path, Callable[[Path], Path]]]:
    """Yields a hidden folder to export to, and a function that moves a version from there into `folder`.

    It is called once the version is whole; if it is not, nothing is left.
    """
    folder.mkdir(parents=True, exist_ok=True)

    def publish(export: Path) -> Path:
        models = folder / export.parent.name
        models.mkdir(exist_ok=True)
        for beside in export.parent.glob("*.config"):
            beside.replace(models / beside.name)
        return _move_to_next_version(export, models)

    with tempfile.TemporaryDirectory(prefix=".partial-", dir=folder) as staging:
        yield Path(staging), publish


def export_signatures(
    run: Run,
    owner: tf.Module | keras.Model,
    signatures: Mapping[str, Signature],
    model_card: str,
    warmup: Sequence[WarmupRequest],
    folder: Path | str = "exports",
    files: Sequence[str] = (),
) -> Path:
    """Writes `<folder>/<pipeline>-<preset>/<version>/` and returns its path.

    What the task's predictor reads beside the signatures is in `assets.extra/run`, a run folder without weights.

    Args:
        run: The run that is exported.
        owner: Owns the tables that the signatures use, as of `export`.
        signatures: By name, as the task's `served` returns them.
        model_card: As of `export`.
        warmup: As of `export`.
        folder: Where all exports are.
        files: Files of the run that the predictor reads beside its configuration and description.
    """
    concrete = {name: signature.concrete() for name, signature in signatures.items()}
    beside = {f"assets.extra/run/{name}": run.folder / name for name in (*DESCRIBING, *files)}
    name = f"{run.pipeline}-{run.preset}"
    return export(owner, concrete, name, model_card, warmup, folder, {k: v for k, v in beside.items() if v.exists()})


def _refuse_what_a_server_lacks(name: str, signature: Any) -> None:
    """Raises if a signature runs Python, or must be compiled by XLA, which servers have off on CPUs."""
    graph = signature.graph.as_graph_def()
    functions = graph.library.function
    nodes = [*graph.node, *(node for function in functions for node in function.node_def)]
    python = sorted({node.op for node in nodes} & PYTHON_OPERATIONS)
    # Jitted functions carry the mark themselves, and so do the nodes that call them.
    compiled = [item for item in (*nodes, *functions) if item.attr["_XlaMustCompile"].b]
    if python or compiled:
        raise ValueError(
            f"The signature {name!r} cannot be served: a server has no Python and, by default, no XLA. Use "
            "TensorFlow operations only, and leave out jit_compile=True. "
            f"Received: {', '.join(python) or 'a function that must be compiled by XLA'}"
        )


def _root(module: tf.Module | keras.Model, signatures: Mapping[str, Any]) -> tf.Module:
    """Returns what is saved: the variables that the signatures use, the tables, and nothing else.

    Keras does not track for TensorFlow all that a layer owns (not the states of `SeedGenerator`s), and a
    module brings along all its functions, those for training too.
    """
    root = tf.Module()
    variables = {id(item): item for each in signatures.values() for item in each.graph.variables}
    root.used_variables = list(variables.values())
    nodes = tf.train.TrackableView(module).descendants()
    root.tables = [node for node in nodes if isinstance(node, tf.saved_model.experimental.TrackableResource)]
    return root


def _remove_marks_of_custom_gradients(folder: Path) -> None:
    """Removes the marks of custom gradients, which are not saved.

    Otherwise TensorFlow warns of each of them when the model is loaded, and no gradient passes through it.
    """
    path = folder / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for meta_graph in saved.meta_graphs:
        graph = meta_graph.graph_def
        for node in (*graph.node, *(node for function in graph.library.function for node in function.node_def)):
            node.attr.pop("_gradient_op_type", None)
    path.write_bytes(saved.SerializeToString())
    (folder / "fingerprint.pb").unlink(missing_ok=True)  # of the file as it was; loaders do without one


def _prediction_logs(
    folder: Path, name: str, warmup: Sequence[WarmupRequest]
) -> list[prediction_log_pb2.PredictionLog]:
    """Loads the export and runs each request: a server does not load a model whose warm-up fails."""
    if not 0 < len(warmup) <= MOST_WARMUP_REQUESTS:
        raise ValueError(
            f"An export needs between 1 and {MOST_WARMUP_REQUESTS} warm-up requests. Received: {len(warmup)}"
        )
    signatures = tf.saved_model.load(str(folder)).signatures
    inputs = {key: signature.structured_input_signature[1] for key, signature in signatures.items()}
    answers: dict[str, tf.Tensor] = {}
    logs = []
    for request in warmup:
        values = {key: answers[key] for key in inputs.get(request.signature, {}) if key in answers}
        values |= request.inputs
        if values.keys() != inputs.get(request.signature, {}).keys() or request.signature not in inputs:
            known = "; ".join(f"{key} with {sorted(names)}" for key, names in inputs.items())
            raise ValueError(
                "A warm-up request needs the name of a signature, and a value for each input by name. "
                f"Expected one of: {known}. Received: {request.signature} with {sorted(values)}"
            )
        log = prediction_log_pb2.PredictionLog()
        message = log.predict_log.request
        message.model_spec.name = name
        message.model_spec.signature_name = request.signature
        tensors = {}
        for key, specification in inputs[request.signature].items():
            try:
                tensors[key] = tf.convert_to_tensor(values[key], specification.dtype)
                specification.shape.assert_is_compatible_with(tensors[key].shape)
            except (TypeError, ValueError) as error:
                raise ValueError(
                    f"The warm-up value of {key!r} does not fit the signature {request.signature!r}. "
                    f"Expected {specification.dtype.name} of shape {specification.shape}. Received: {error}"
                ) from error
            message.inputs[key].CopyFrom(tf.make_tensor_proto(tensors[key]))
        answers |= signatures[request.signature](**tensors)
        logs.append(log)
    if cold := sorted(inputs.keys() - {request.signature for request in warmup}):
        raise ValueError(
            "The first user of a signature without a warm-up request would wait. Expected a request of each "
            f"signature. Add some. Received: none of {', '.join(cold)}"
        )
    return logs


def _configure_server(models: Path, signatures: Iterable[Any]) -> None:
    """Writes how TensorFlow Serving serves the model, below `/models`, where its image expects models.

    Requests of different lengths share a batch only where every signature that takes some takes their `lengths`, too.
    """
    place = f'name: "{models.name}" base_path: "/models/{models.name}" model_platform: "tensorflow"'
    (models / "models.config").write_text(f"model_config_list {{ config {{ {place} }} }}\n", encoding="utf-8")
    inputs = [
        [each for each in tf.nest.flatten(signature.structured_input_signature) if isinstance(each, tf.TensorSpec)]
        for signature in signatures
    ]
    is_padded = all("lengths" in {one.name for one in each} or not any(map(_is_variable, each)) for each in inputs)
    (models / "batching.config").write_text(BATCHING + PADDED * is_padded, encoding="utf-8")


def _is_variable(specification: tf.TensorSpec) -> bool:
    """Whether a dimension other than the batch is of any size."""
    return None in specification.shape.as_list()[1:]


def _move_to_next_version(partial: Path, models: Path) -> Path:
    """Renames the finished folder to the next number that no other export takes at the same time."""
    version = max((int(path.name) for path in models.iterdir() if path.name.isdecimal()), default=0)
    while True:
        version += 1
        try:
            return partial.rename(models / str(version))
        except OSError:
            if not (models / str(version)).exists():
                raise
