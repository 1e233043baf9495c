"""The predictors of a server's models: they ask over HTTP what they would ask a model on this machine."""

import base64
import http.client
import json
import os
import re
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import types_pb2

from pipelines import hints, predictors
from pipelines.arguments import checked
from pipelines.runs import Run, RunError
from pipelines.served import Served, as_tensor
from serving.messages import request_of
from serving.options import TOKEN


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

    def ask(self, path: str, request: bytes | None = None) -> Any:
        """Returns the answer to a request, which is sent by POST if there is one.

        Raises:
            RunError: the server cannot be reached, or refuses the request.
        """
        try:
            status, content = self._exchange(path, request)
            answer = json.loads(content)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise RunError(
                f"The server cannot be reached: {error}. Expected an answer from {self._url.geturl()}{path}. Start it: "
                "unrolled serve; or correct the URL. Received: no answer"
            ) from error
        if status != 200:
            raise RunError(f"The server refuses the request: {answer.get('error', '')} Received: status {status}")
        return answer

    def _exchange(self, path: str, body: bytes | None) -> tuple[int, bytes]:
        kind = http.client.HTTPSConnection if self._url.scheme == "https" else http.client.HTTPConnection
        with closing(kind(self._url.netloc, timeout=self._seconds)) as connection:
            connection.request("GET" if body is None else "POST", self._url.path + path, body, self._headers)
            response = connection.getresponse()
            return response.status, response.read()


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
        signatures = connection.ask("/metadata")["metadata"]["signature_def"]["signature_def"]
        self._inputs = {name: _specifications(each["inputs"]) for name, each in signatures.items()}
        self._outputs = {name: _specifications(each["outputs"]) for name, each in signatures.items()}

    def _ask(self, name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        asked = {key: as_tensor(value, self._inputs[name][key]) for key, value in inputs.items()}
        body = request_of(name, {key: each.numpy() for key, each in asked.items()})
        answer = self._connection.ask(":predict", body)["outputs"]
        outputs = self._outputs[name]
        return {key: _array(value, outputs[key]) for key, value in _named(answer, outputs).items()}


@checked
def connect(url: str, model: str = "", token: str = "", task: str = "") -> Any:
    """Returns the predictor of a model on a server; see `unrolled.connect`.

    Where no model is named, it is the only one of the task, or of all.
    """
    token = (token or os.environ.get(TOKEN, "")).strip()  # of a file, it ends with a line break
    site, path = _site_and_path(url)
    proxied, _, name = path.rpartition("/v1/models")
    base, name = f"{site}{proxied}/v1/models", model or name.strip("/")
    if not name:
        models = Connection(base, token).ask("")["models"]
        names = [each["name"] for each in models if task in ("", each["task"])]
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
    files: Mapping[str, str] = connection.ask("/run")
    with tempfile.TemporaryDirectory() as folder:
        for file, text in files.items():
            (Path(folder) / Path(file).name).write_text(text, encoding="utf-8")
        return predictors.predictor(Run.open(folder), Remote(connection))


def _site_and_path(url: str) -> tuple[str, str]:
    """Returns where a server is, and the path in its URL.

    >>> _site_and_path("localhost:8501/nlp"), _site_and_path("https://host")
    (('http://localhost:8501', '/nlp'), ('https://host', ''))
    """
    try:
        address = urlsplit(url if "//" in url else f"http://{url}")
        fits = address.scheme in ("http", "https") and re.fullmatch(r"[^\s@]*[^\s@:]", address.netloc)
        if fits and address.hostname and address.port != 0:
            return f"{address.scheme}://{address.netloc}", address.path
    except ValueError:  # the port is no number, or too large; or a bracket is open
        pass
    raise RunError(
        "The URL names no server. Expected http:// or https://, a host, and a port from 1 to 65535 if it has one, "
        f"without a user. Correct it; a token is another argument. Received: {url!r}"
    )


def _named(columns: Any, kinds: Mapping[str, Any]) -> dict[str, Any]:
    """Returns columns by name; one alone comes without."""
    return columns if len(kinds) != 1 else {next(iter(kinds)): columns}


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
