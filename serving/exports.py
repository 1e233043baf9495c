"""The models of a server: the newest version of each export in a folder, and a newer one when it appears."""

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf
from google.protobuf import json_format
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import prediction_log_pb2

from pipelines import predictors
from pipelines.errors import message_for_user
from pipelines.served import Served
from serving.errors import RequestError, message_of
from serving.messages import Arrays

WARMUP = "assets.extra/tf_serving_warmup_requests"
CARD = "model_card.md"
WEB = "web/step.json"


def warmups(folder: Path) -> Iterator[tuple[str, Arrays]]:
    """Yields the warm-up requests of an export, `exports/NAME/VERSION`: a signature and its inputs."""
    file = folder / WARMUP
    for record in tf.data.TFRecordDataset(str(file)) if file.exists() else ():
        request = prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
        yield request.model_spec.signature_name, {k: tf.make_ndarray(v) for k, v in request.inputs.items()}


class Model:
    """A version of an export, loaded and warm.

    Args:
        folder: `exports/NAME/VERSION`.

    Raises:
        Exception: of any kind: the export is damaged, or a warm-up request fails.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.name, self.version = folder, folder.parent.name, int(folder.name)
        self.served = Served.exported(folder)
        saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
        definitions = saved.meta_graphs[0].signature_def
        self.definitions = {name: definitions[name] for name in self.served.names}
        for signature, inputs in warmups(folder):
            self.served(signature, **inputs)

    @cached_property
    def predictor(self) -> Any:
        """What answers streams.

        Raises:
            RequestError: the export does not describe its model.
        """
        try:
            run, _ = predictors.opened(self.folder)
            return predictors.predictor(run, self.served)
        except Exception as error:
            if (message := message_for_user(error)) is None:
                raise
            raise RequestError(message, 404) from error

    def signature(self, name: str | None) -> str:
        """Returns the name of a signature: `serving_default` where none is asked for.

        Raises:
            RequestError: the model has none of that name.
        """
        name = "serving_default" if name is None or name == "" else name
        if not isinstance(name, str) or name not in self.served:
            raise RequestError(
                f"signature_name: expected one of {', '.join(sorted(self.served.names))}. Received: {name!r}"
            )
        return name

    def is_batched(self, name: str) -> bool:
        """Whether all that a signature takes and returns has rows, so that requests can share a call."""
        definition = self.definitions[name]
        shapes = [each.tensor_shape for each in (*definition.inputs.values(), *definition.outputs.values())]
        return bool(definition.inputs) and all(len(shape.dim) and shape.dim[0].size == -1 for shape in shapes)

    def metadata(self) -> dict[str, Any]:
        """Returns the types and shapes of all signatures, as TensorFlow Serving does."""
        options = {"preserving_proto_field_name": True, "always_print_fields_with_no_presence": True}
        signatures = {name: json_format.MessageToDict(each, **options) for name, each in self.definitions.items()}
        return {
            "model_spec": {"name": self.name, "signature_name": "", "version": str(self.version)},
            "metadata": {
                "signature_def": {
                    "@type": "type.googleapis.com/tensorflow.serving.SignatureDefMap",
                    "signature_def": signatures,
                }
            },
        }

    def card(self) -> str:
        """Returns the model card."""
        return (self.folder / CARD).read_text(encoding="utf-8") if (self.folder / CARD).exists() else ""

    def run_files(self) -> dict[str, str]:
        """Returns the files from which a predictor is made, by their names.

        Raises:
            RequestError: the export does not describe its model.
        """
        folder = self.predictor.run.folder
        return {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*")) if path.is_file()}


class Failure(NamedTuple):
    """A version that could not be loaded: why, and what its files were, so that it is tried again when they change."""

    message: str
    files: tuple


class Exports:
    """The newest version of each export in a folder; the one before stays until a newer one is loaded and warm.

    An export whose folder is gone is served no more.

    Args:
        folder: of all exports.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.models: dict[str, Model] = {}
        self.failures: dict[tuple[str, int], Failure] = {}
        self._lock = threading.Lock()
        self._is_new = True  # and has not looked for models yet

    def refresh(self, report: Callable[[str], None] = lambda line: None) -> bool:
        """Loads new versions and lets go of exports that are gone; returns whether there were any.

        Args:
            report: is told what was done, a line for each, as it is done.
        """
        with self._lock:
            found = self._found()
            self.failures = {key: each for key, each in self.failures.items() if key[1] in found.get(key[0], {})}
            is_changed = False
            renewed = (self._renew(name, versions) for name, versions in sorted(found.items()))
            for line in itertools.chain(*renewed, self._unload(found)):
                report(line)
                is_changed = True
            self._is_new = False
            return is_changed

    def model(self, name: str, version: str | None = None) -> Model:
        """Returns a model that is loaded.

        Raises:
            RequestError: there is none of this name and version, or it may still be loaded.
        """
        model = self.models.get(name)
        if model is None:
            self.check_loaded()
            known = ", ".join(sorted(self.models)) or "none"
            raise RequestError(f"There is no model of this name. Expected one of: {known}. Received: {name!r}", 404)
        if version is not None and version != str(model.version):
            raise RequestError(
                f"This version of {name} is not served. Expected {model.version}. Received: {version!r}", 404
            )
        return model

    def check_loaded(self) -> None:
        """Raises if the models are loaded for the first time."""
        if self._is_new:
            raise RequestError("The server is loading its models. Wait until /readyz has status 200.", 503)

    def status(self, name: str, version: str | None = None) -> dict[str, Any]:
        """Returns the states of the versions of a model, as TensorFlow Serving does."""
        failed = {number: each for (of, number), each in self.failures.items() if of == name}
        states = {number: _state(number, "END", "UNKNOWN", each.message) for number, each in failed.items()}
        if name in self.models and (version is None or version not in map(str, states)):
            states[int(self.model(name, version).version)] = _state(self.models[name].version, "AVAILABLE", "OK", "")
        if version is not None:
            states = {number: state for number, state in states.items() if str(number) == version}
        if not states:
            self.model(name, version)
        return {"model_version_status": [states[number] for number in sorted(states, reverse=True)]}

    def is_ready(self) -> bool:
        """Whether there is a model, and one of every export."""
        return bool(self.models) and self._found().keys() <= self.models.keys()

    def _found(self) -> dict[str, dict[int, Path]]:
        found: dict[str, dict[int, Path]] = {}
        for folder in (path.parent for path in self.folder.glob("*/*/saved_model.pb")):
            if folder.name.isdecimal() and not folder.parent.name.startswith("."):
                found.setdefault(folder.parent.name, {})[int(folder.name)] = folder
        return found

    def _unload(self, found: Mapping[str, Any]) -> Iterator[str]:
        for name in sorted(self.models.keys() - found.keys()):
            del self.models[name]
            yield f"unloaded: {name}: its export is gone"

    def _renew(self, name: str, versions: dict[int, Path]) -> Iterator[str]:
        served = self.models[name].version if name in self.models else None
        for version, folder in sorted(versions.items(), reverse=True):
            if served in versions and version <= served:
                break
            files = tuple(sorted((str(path), _changed(path)) for path in folder.rglob("*")))
            if (failure := self.failures.get((name, version))) and failure.files == files:
                continue
            try:
                if ":" in name:
                    raise ValueError(
                        "A colon ends the name of a model in a path. Expected a name without one. Rename the folder. "
                        f"Received: {name!r}"
                    )
                self.models[name] = Model(folder)
            except Exception as error:  # whatever is wrong with it, the others are served
                message = message_of(error) if isinstance(error, tf.errors.OpError) else str(error).partition("\n")[0]
                self.failures[name, version] = Failure(message or type(error).__name__, files)
                yield f"failed: {name} version {version}: {message}"
                continue
            self.failures.pop((name, version), None)
            yield f"loaded: {name} version {version}"
            break


def _changed(path: Path) -> int:
    """Returns when a file was changed, in ns; 0: it is gone, or a link to nothing."""
    with contextlib.suppress(OSError):
        return path.stat().st_mtime_ns
    return 0


def _state(version: int, state: str, code: str, message: str) -> dict[str, Any]:
    return {"version": str(version), "state": state, "status": {"error_code": code, "error_message": message}}
