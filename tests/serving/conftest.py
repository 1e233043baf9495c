"""A server with two small models, started once in a thread of the tests' process."""

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import tensorflow as tf
import uvicorn

from pipelines import predictors
from pipelines.exporting import WarmupRequest, export, export_signatures
from pipelines.nlp.language_model.config import PRESETS
from pipelines.nlp.language_model.export import warmup
from pipelines.nlp.language_model.model import build
from pipelines.nlp.language_model.serving import signatures
from pipelines.runs import Run
from pipelines.served import Signature, required
from serving.application import Server
from serving.connections import configuration
from serving.options import ServeOptions
from tests.serving.trained import export_all


class Answer(NamedTuple):
    """An answer of HTTP."""

    status: int
    body: Any


class Client:
    """Asks a server on loopback."""

    def __init__(self, port: int) -> None:
        self.port, self.url = port, f"http://127.0.0.1:{port}"

    def __call__(self, path: str, body: Any = None, method: str | None = None, **headers: str) -> Answer:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                status, content = response.status, response.read()
        except urllib.error.HTTPError as error:
            status, content = error.code, error.read()
        try:
            return Answer(status, json.loads(content))
        except ValueError:
            return Answer(status, content.decode())

    def predict(self, body: Any, model: str = "tiny") -> Answer:
        return self(f"/v1/models/{model}:predict", body)


def tiny(folder: Path, factor: float = 2.0, name: str = "tiny") -> Path:
    """Exports a model that has all that requests can get wrong."""
    owner = tf.Module()
    owner.factor = tf.Variable(factor)

    def twice(value: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"twice": owner.factor * required(value, value < 1000, "value: expected below 1000. Received:", value)}

    def echo(text: tf.Tensor, counts: tf.Tensor, good: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"text": text, "raw_bytes": text, "sum": tf.reduce_sum(counts, axis=1), "good": good}

    def endless(start: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"end": tf.while_loop(lambda at: tf.reduce_all(at < 2**31 - 1), lambda at: (at + 1,), (start,))[0]}

    numbers, texts = tf.TensorSpec([None]), tf.TensorSpec([None], tf.string)
    inputs = {"text": texts, "counts": tf.TensorSpec([None, None], tf.int32), "good": tf.TensorSpec([None], tf.bool)}
    found = {
        "serving_default": Signature(twice, {"value": numbers}),
        "echo": Signature(echo, inputs),
        "endless": Signature(endless, {"start": tf.TensorSpec([None], tf.int32)}),
        "matrix": Signature(lambda rows: {"sum": tf.reduce_sum(rows)}, {"rows": tf.TensorSpec([2, 3])}),
    }
    requests = [
        WarmupRequest("serving_default", {"value": [1.0]}),
        WarmupRequest("echo", {"text": ["a"], "counts": [[1]], "good": [True]}),
        WarmupRequest("endless", {"start": [2**31 - 2]}),
        WarmupRequest("matrix", {"rows": [[0.0] * 3] * 2}),
    ]
    return export(owner, {key: each.concrete() for key, each in found.items()}, name, "# Tiny", requests, folder)


@pytest.fixture(scope="session")
def export_tiny() -> Callable[..., Path]:
    """`tiny`."""
    return tiny


@pytest.fixture(scope="session")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `tiny`, and with an untrained language model."""
    folder = tmp_path_factory.mktemp("served")
    tiny(folder)
    sizes = {"units": 4, "width": 4, "contexts": 0, "layers": 1}
    configuration = PRESETS["own-language-model"].replace(data={"path": "text.txt"}, network=sizes)
    run = Run.create("nlp", "writer", configuration, folder / "runs")
    model = build(configuration, [chr(byte) for byte in range(256)])
    export_signatures(run, model.subwords, signatures(model), "# Writer", warmup(), folder)
    return folder


@pytest.fixture(scope="session")
def every_export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small model of every task; no test may change it."""
    return export_all(tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="session")
def writer(exports: Path) -> Any:
    """The predictor of the language model, without a server."""
    return predictors.load(exports / "nlp-writer")


@pytest.fixture(scope="session")
def start() -> Iterator[Callable[..., tuple[Client, Server]]]:
    """A function that starts a server with some options."""
    started: list[uvicorn.Server] = []

    def begin(folder: Path, is_loaded: bool = True, **options: Any) -> tuple[Client, Server]:
        server = Server(ServeOptions(folder=folder, port=0, **options))
        running = uvicorn.Server(configuration(server.application(), server.options))
        threading.Thread(target=running.run, daemon=True).start()
        started.append(running)
        while not running.started:
            time.sleep(0.01)
        client = Client(running.servers[0].sockets[0].getsockname()[1])
        while is_loaded and client("/readyz").body["status"] != "ready":
            time.sleep(0.01)
        return client, server

    yield begin
    for each in started:
        each.should_exit = True


@pytest.fixture(scope="session")
def client(exports: Path, start: Callable[..., tuple[Client, Server]]) -> Client:
    """Asks a server of both models, which takes small requests alone."""
    limits = {"rows": 64, "body_megabytes": 0.1, "seconds": 5.0, "streams": 2, "idle_seconds": 3.0}
    return start(exports, reload_seconds=0.2, **limits)[0]


@pytest.fixture(scope="session")
def every_client(every_export: Path, start: Callable[..., tuple[Client, Server]]) -> Client:
    """Asks a server of a model of every task."""
    return start(every_export)[0]
