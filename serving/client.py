"""The predictors of a server's models: they ask over HTTP what they would ask a model on this machine."""

import base64
import http.client
import json
import re
import ssl
import tempfile
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, unquote, urlsplit

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import types_pb2

from pipelines import hints, predictors
from pipelines.arguments import checked
from pipelines.runs import Run, RunError
from pipelines.served import Served, TooLarge, as_tensor
from serving.messages import is_batched, request_of
from serving.options import token_of

Result = TypeVar("Result")


class Connection:
    """Asks a server.

    Args:
        url: what all paths are below.
        token: that the server asks for; "": none.
        seconds: that an answer may take.
    """

    def __init__(self, url: str, token: str = "", seconds: float = 120.0) -> None:
        self.url, self._url, self._seconds = url, urlsplit(url), seconds
        self._headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})

    def ask(self, path: str, read: Callable[[Any], Result], request: bytes | None = None) -> Result:
        """Returns what is read from the answer to a request, which is sent by POST if there is one.

        Raises:
            RunError: the server cannot be reached, refuses the request, `TooLarge` if it takes less, or is another one.
        """
        try:
            status, content = self._exchange(path, request)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise RunError(
                f"The server cannot be reached: {_reason(error)}. Expected an answer from {self.url}{path}. Start it: "
                "unrolled serve; or correct the URL. Received: no answer"
            ) from error
        try:
            answer = json.loads(content)
            if status == 200:
                return read(answer)
            refusal = answer["error"]
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise RunError(
                f"Another server answers. Expected the answer of `unrolled serve` at {self.url}{path}. Correct the "
                f"URL. Received: status {status}, {content[:80]!r}"
            ) from error
        kind = TooLarge if status == 413 else RunError
        raise kind(f"The server refuses the request: {refusal} Received: status {status}")

    def _exchange(self, path: str, body: bytes | None) -> tuple[int, bytes]:
        kind = http.client.HTTPSConnection if self._url.scheme == "https" else http.client.HTTPConnection
        with closing(kind(self._url.netloc, timeout=self._seconds)) as connection:
            lost: OSError | None = None
            try:
                connection.request("GET" if body is None else "POST", self._url.path + path, body, self._headers)
            except (BrokenPipeError, ConnectionResetError) as error:
                lost = error  # perhaps after an answer: a server refuses what is too large before all of it has come
            try:
                response = connection.getresponse()
                return response.status, response.read()
            except (OSError, http.client.HTTPException) as error:
                raise lost or error from None


def _reason(error: Exception) -> str:
    if isinstance(error, http.client.BadStatusLine) and not isinstance(error, OSError):
        return "what answers is not HTTP, as at the port of gRPC"
    if isinstance(error, ssl.SSLError) and error.reason == "WRONG_VERSION_NUMBER":
        return "what answers is plain HTTP, which http:// asks"
    return str(error)


class Remote(Served):
    """The signatures of a model on a server that speaks TensorFlow Serving's REST format.

    Args:
        connection: to `http://HOST:PORT/v1/models/NAME`.

    Raises:
        RunError: the server cannot be reached, or has no such model.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__({}, f"server {connection.url}")
        self._connection = connection
        self._inputs, self._outputs = connection.ask("/metadata", _signatures)

    def _ask(self, name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        asked = {key: as_tensor(value, self._inputs[name][key]) for key, value in inputs.items()}
        return self._rows(name, {key: each.numpy() for key, each in asked.items()})

    def _rows(self, name: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Returns the answer to all rows; it asks for half of them at once where the server takes fewer."""
        try:
            return self._connection.ask(
                ":predict", partial(_outputs, kinds=self._outputs[name]), request_of(name, inputs)
            )
        except TooLarge:
            kinds = [*self._inputs[name].values(), *self._outputs[name].values()]
            rows = {len(array) if array.ndim else 0 for array in inputs.values()}
            if len(rows) != 1 or (middle := rows.pop() // 2) < 1 or not all(map(is_batched, kinds)):
                raise
        first, second = (
            self._rows(name, {key: array[part] for key, array in inputs.items()})
            for part in (slice(middle), slice(middle, None))
        )
        return {key: _joined(first[key], second[key]) for key in first}


@checked
def connect(url: str, model: str = "", token: str = "", task: str = "") -> Any:
    """Returns the predictor of a model on a server; see `unrolled.connect`.

    Where no model is named, it is the only one of the task, or of all.
    """
    token = token_of(token)
    site, path = _site_and_path(url)
    proxied, _, name = path.rpartition("/v1/models")
    base, name = f"{site}{proxied}/v1/models", unquote(name.strip("/"))
    if model and name and model != name:
        raise RunError(
            "The URL names another model. Expected the name once. Name it in the URL, or as the model. "
            f"Received: {url!r} and {model!r}"
        )
    name = model or name
    if not name:
        models = Connection(base, token).ask("", _models)
        names = [each for each, kind in models if task in ("", kind)]
        of_task = f" of the task {task}" if task else ""
        if not names:
            raise RunError(
                f"The server has no model{of_task}. Expected one. Export it: "
                f"{hints.command('export', task or 'TASK')}. Received: {url!r}"
            )
        if len(names) > 1:
            raise RunError(
                f"The server has {len(names)} models{of_task}. Expected one of: {', '.join(names)}. Name it in the "
                f"URL: {site}/NAME. Received: {url!r}"
            )
        (name,) = names
    connection = Connection(f"{base}/{quote(name)}", token)
    files = connection.ask("/run", _files)
    with tempfile.TemporaryDirectory() as folder:
        for file, content in files.items():
            (Path(folder) / file).write_bytes(content)
        return predictors.predictor(Run.open(folder), Remote(connection))


def _site_and_path(url: str) -> tuple[str, str]:
    """Returns where a server is, and the path in its URL.

    >>> _site_and_path("localhost:8501/nlp"), _site_and_path("https://host")
    (('http://localhost:8501', '/nlp'), ('https://host', ''))
    """
    try:
        address = urlsplit(url if "//" in url else f"http://{url}")
        fits = address.scheme in ("http", "https") and re.fullmatch(r"[^\s@]*[^\s@:]", address.netloc)
        if fits and address.hostname and address.port != 0 and not (address.query or address.fragment):
            return f"{address.scheme}://{address.netloc}", address.path
    except ValueError:  # the port is no number, or too large; or a bracket is open
        pass
    raise RunError(
        "The URL names no server. Expected http:// or https://, a host, and a port from 1 to 65535 if it has one, "
        f"without a user, `?` and `#`. Correct it; a token is another argument. Received: {url!r}"
    )


def _models(answer: Any) -> list[tuple[str, str]]:
    """Returns the name of each model, and its task."""
    return [(each["name"], each["task"]) for each in answer["models"]]


def _files(answer: Any) -> dict[str, bytes]:
    """Returns the files of a run, by their names."""
    if missing := {"configuration.json", "versions.json"} - answer.keys():
        raise LookupError(f"not the files of a run, which has {', '.join(sorted(missing))}")
    return {Path(name).name: text.encode() for name, text in answer.items()}


def _signatures(answer: Any) -> tuple[dict[str, Any], ...]:
    """Returns the specifications of the inputs of each signature, and of its outputs."""
    signatures = answer["metadata"]["signature_def"]["signature_def"]
    return tuple(
        {name: _specifications(each[part]) for name, each in signatures.items()} for part in ("inputs", "outputs")
    )


def _outputs(answer: Any, kinds: Mapping[str, tf.TensorSpec]) -> dict[str, np.ndarray]:
    columns = answer["outputs"]
    if len(kinds) == 1:  # one alone comes without its name
        columns = {next(iter(kinds)): columns}
    return {name: _array(columns[name], kind) for name, kind in kinds.items()}


def _joined(*arrays: np.ndarray) -> np.ndarray:
    """Returns the rows of arrays, which are padded to the same shape, as those of one request are.

    >>> _joined(np.array([[1]]), np.array([[2, 3]])).tolist()
    [[1, 0], [2, 3]]
    """
    most = np.max([array.shape[1:] for array in arrays], axis=0)
    joined = np.full((sum(map(len, arrays)), *most), b"" if arrays[0].dtype == object else 0, arrays[0].dtype)
    start = 0
    for array in arrays:
        joined[(slice(start, start + len(array)), *map(slice, array.shape[1:]))] = array
        start += len(array)
    return joined


def _specifications(tensors: Mapping[str, Any]) -> dict[str, tf.TensorSpec]:
    found = {}
    for name, tensor in tensors.items():
        sizes = [int(each["size"]) for each in tensor["tensor_shape"]["dim"]]
        dtype = tf.as_dtype(types_pb2.DataType.Value(tensor["dtype"]))
        found[name] = tf.TensorSpec([None if size < 0 else size for size in sizes], dtype, name)
    return found


def _array(value: Any, kind: tf.TensorSpec) -> np.ndarray:
    is_text = kind.dtype == tf.string
    array = np.array(_bytes(value) if is_text else value, object if is_text else kind.dtype.as_numpy_dtype)
    rank = kind.shape.rank or array.ndim
    return array if array.ndim == rank else array.reshape(*array.shape, *[0] * (rank - array.ndim))


def _bytes(value: Any) -> Any:
    if isinstance(value, list):
        return [_bytes(each) for each in value]
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else value.encode()
