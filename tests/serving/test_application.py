"""The server: TensorFlow Serving's REST format, versions, health, metrics, and every kind of bad request."""

import gzip
import json
import shutil
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import unrolled
from pipelines.runs import RunError
from pipelines.served import TooLarge
from serving.client import Connection, Remote
from serving.errors import RequestError
from serving.exports import Exports
from serving.messages import inputs_of
from serving.options import Limits
from tests.serving.conftest import Client

ECHO = {"text": ["é", "b"], "counts": [[1, 2], [3, 4]], "good": [True, False]}


def echo(**changes: Any) -> dict[str, Any]:
    return {"signature_name": "echo", "inputs": ECHO | changes}


def test_rows_and_columns_are_answered_as_tensorflow_serving_does(client: Client) -> None:
    assert client.predict({"instances": [1, 2.5]}) == (200, {"predictions": [2.0, 5.0]})
    assert client.predict({"inputs": [1, 2.5]}) == (200, {"outputs": [2.0, 5.0]})
    assert client.predict({"instances": [{"value": 1}]}) == (200, {"predictions": [2.0]})
    for default in ("serving_default", "", None):
        assert client.predict({"inputs": {"value": [1]}, "signature_name": default}) == (200, {"outputs": [2.0]})
    raw = [{"b64": "w6k="}, {"b64": "Yg=="}]
    broken = [{"b64": "w6\r\nk="}, {"b64": "Yg==\n"}]  # as MIME's encoders write it
    columns = {"text": ["é", "b"], "raw_bytes": raw, "sum": [3, 7], "good": [True, False]}
    assert client.predict(echo()) == client.predict(echo(text=broken)) == (200, {"outputs": columns})
    rows = [{"text": {"b64": "w6k="}, "counts": [1, 2], "good": True}, {"text": "b", "counts": [3, 4], "good": False}]
    answer = client.predict({"signature_name": "echo", "instances": rows})
    assert answer.body["predictions"] == [{name: column[row] for name, column in columns.items()} for row in range(2)]
    assert client.predict(echo(text=[{"b64": "/w=="}] * 2)).body["outputs"]["text"] == [{"b64": "/w=="}] * 2
    assert client.predict(echo(text=[], counts=[], good=[])).body["outputs"]["sum"] == []
    assert client("/v1/models/tiny/versions/1:predict", {"instances": [1]}).body == {"predictions": [2.0]}
    matrix = {"signature_name": "matrix", "inputs": [[1, 2, 3], [4, 5, 6]]}
    assert client.predict(matrix).body == {"outputs": 21.0}


def test_status_and_metadata_are_those_of_tensorflow_serving(client: Client) -> None:
    state = {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    for path in ("/v1/models/tiny", "/v1/models/tiny/versions/1"):
        assert client(path) == (200, {"model_version_status": [state]})
    metadata = client("/v1/models/tiny/metadata").body
    assert metadata["model_spec"] == {"name": "tiny", "signature_name": "", "version": "1"}
    signature = metadata["metadata"]["signature_def"]["signature_def"]["echo"]
    assert signature["inputs"]["counts"]["dtype"] == "DT_INT32"
    assert [each["size"] for each in signature["inputs"]["counts"]["tensor_shape"]["dim"]] == ["-1", "-1"]
    assert signature["method_name"] == "tensorflow/serving/predict"


def test_the_server_describes_itself(client: Client) -> None:
    assert client("/healthz").status == client("/readyz").status == 200
    models = client("/v1/models").body["models"]
    assert [(each["name"], each["task"], each["streams"]) for each in models] == [
        ("nlp-writer", "language-model", True),
        ("tiny", "", False),
    ]
    description = client("/openapi.json").body
    (schema,) = [
        each
        for each in description["paths"]["/v1/models/tiny:predict"]["post"]["requestBody"]["content"][
            "application/json"
        ]["schema"]["oneOf"]
        if each["properties"]["signature_name"]["const"] == "echo"
    ]
    assert schema["properties"]["inputs"]["properties"]["counts"]["items"]["items"] == {"type": "integer"}
    assert client("/v1/models/tiny/card").body == "# Tiny"
    client.predict({"instances": [1]})
    metrics = client("/metrics").body
    assert 'unrolled_requests_total{model="tiny",signature="serving_default",status="200"}' in metrics
    assert "unrolled_batch_rows_count" in metrics
    page = client("/").body
    assert "<html" in page and 'src="http' not in page, "nothing from another server"


DEEP = b'{"instances":' + b"[" * 40_000 + b"]" * 40_000 + b"}"
BAD: dict[str, tuple[Any, int, str]] = {
    "no body": (b"", 400, "not JSON"),
    "no JSON": (b"{", 400, "not JSON"),
    "no UTF-8": (b'{"instances":["\xff"]}', 400, "not JSON"),
    "UTF-16": ('{"instances":'.encode("utf-16"), 400, "not JSON"),
    "too deep": (DEEP, 400, "not JSON: its lists are too deep"),
    "too many digits": (b'{"instances":[' + b"1" * 5000 + b"]}", 400, "a number has too many digits. Send"),
    "a list": ([1], 400, "not a JSON object"),
    "a text": ("a", 400, "not a JSON object"),
    "a number": (1, 400, "not a JSON object"),
    "null": (b"null", 400, "not a JSON object"),
    "empty": ({}, 400, "either `instances`"),
    "both": ({"instances": [1], "inputs": [1]}, 400, "either `instances`"),
    "another field": ({"instances": [1], "instance": 1}, 400, "unknown fields"),
    "another signature": ({"signature_name": "nothing", "instances": [1]}, 400, "signature_name: expected one of"),
    "a signature of any length": ({"signature_name": "x" * 50_000, "instances": [1]}, 400, "signature_name: expected"),
    "fields of any length": ({"x" * 50_000: 1, "instances": [1]}, 400, "unknown fields"),
    "no text for a signature": ({"signature_name": 3, "instances": [1]}, 400, "signature_name: expected one of"),
    "a list for a signature": ({"signature_name": ["echo"], "instances": [1]}, 400, "signature_name: expected"),
    "instances no list": ({"instances": 1}, 400, "instances: expected a list"),
    "instances null": ({"instances": None}, 400, "instances: expected a list"),
    "instances by name": ({"instances": {"value": [1]}}, 400, "instances: expected a list"),
    "no instance": ({"instances": []}, 400, "instances: expected a list"),
    "another input": ({"inputs": {"valu": [1]}}, 400, "lacks value"),
    "one input more": ({"inputs": {"value": [1], "more": [1]}}, 400, "no input"),
    "another input of a row": ({"instances": [{"valu": 1}]}, 400, "lacks value"),
    "rows with and without names": ({"instances": [{"value": 1}, 2]}, 400, "instances[1]"),
    "rows with other names": ({"instances": [{"value": 1}, {"valu": 2}]}, 400, "instances[1]"),
    "no name": ({"signature_name": "echo", "instances": [1]}, 400, "by name"),
    "no name of columns": ({"signature_name": "echo", "inputs": [1]}, 400, "by name"),
    "input missing": ({"signature_name": "echo", "inputs": {"text": ["a"]}}, 400, "lacks counts, good"),
    "a text for a number": ({"instances": ["1"]}, 400, "value: holds what is no float32"),
    "null for a number": ({"instances": [None]}, 400, "value: expected below 1000"),
    "a bool for a number": ({"instances": [True]}, 400, "value: holds what is no float32"),
    "a bool among numbers": ({"instances": [2.5, True]}, 400, "value: holds what is no float32"),
    "a bool among integers": (echo(counts=[[1, 2], [False, 4]]), 400, "counts: holds what is no int32"),
    "an object for a number": ({"inputs": {"value": [{"a": 1}]}}, 400, "value: holds what is no float32"),
    "bytes for a number": ({"instances": [{"b64": "Yg=="}]}, 400, "value: holds what is no float32"),
    "numbers and texts": ({"instances": [1, "a"]}, 400, "value: holds what is no float32"),
    "a huge number": ({"instances": [10**400]}, 400, "value: holds what is no float32"),
    "a scalar": ({"inputs": {"value": 1}}, 400, "value: has another shape"),
    "one dimension more": ({"instances": [[1], [2]]}, 400, "value: has another shape"),
    "ragged": ({"instances": [1, [2]]}, 400, "value: its lists differ"),
    "a fraction": (echo(counts=[[1, 2.5], [3, 4]]), 400, "counts: holds what is no int32"),
    "beyond int32": (echo(counts=[[1, 2**31], [3, 4]]), 400, "counts: holds what is no int32"),
    "beyond int64": (echo(counts=[[1, 2**70], [3, 4]]), 400, "counts: holds what is no int32"),
    "NaN for an integer": (echo(counts=[[1, float("nan")], [3, 4]]), 400, "counts: holds what is no int32"),
    "infinity for an integer": (echo(counts=[[1, float("inf")], [3, 4]]), 400, "counts: holds what is no int32"),
    "ragged rows": (echo(counts=[[1], [3, 4]]), 400, "counts: its lists differ"),
    "too few dimensions": (echo(counts=[1, 2]), 400, "counts: has another shape"),
    "another number of rows": (echo(counts=[[1, 2]]), 400, "different numbers of rows"),
    "a number for a bool": (echo(good=[1, 0]), 400, "good: holds what is no bool"),
    "a text for a bool": (echo(good=["true", "false"]), 400, "good: holds what is no bool"),
    "a number for a text": (echo(text=[1, 2]), 400, "text: expected strings"),
    "null for a text": (echo(text=[None, "a"]), 400, "text: expected strings"),
    "a list for a text": (echo(text=[["a"], "b"]), 400, "text: its lists differ"),
    "lists for texts": (echo(text=[["a"], ["b"]]), 400, "text: has another shape"),
    "no base64": (echo(text=[{"b64": "%%"}, "a"]), 400, "text: cannot be decoded"),
    "padding missing": (echo(text=[{"b64": "Yg"}, "a"]), 400, "text: cannot be decoded"),
    "a number as base64": (echo(text=[{"b64": 1}, "a"]), 400, "text: expected strings"),
    "half a surrogate": (b'{"signature_name":"echo","inputs":{"text":["\\ud800"]}}', 400, "lacks counts, good"),
    "half a surrogate as a text": (echo(text=["\ud800", "a"]), 400, "text: cannot be decoded"),
    "another size": ({"signature_name": "matrix", "inputs": [[1, 2], [3, 4]]}, 400, "rows: has another shape"),
    "no size": ({"signature_name": "matrix", "inputs": []}, 400, "rows: has another shape"),
    "rows of no batch": ({"signature_name": "matrix", "instances": [[1, 2, 3], [4, 5, 6]]}, 400, "no common rows"),
    "refused by the model": ({"instances": [1, 2000]}, 400, "value: expected below 1000. Received: [1 2000]"),
    "NaN refused by the model": (b'{"instances": [NaN]}', 400, "value: expected below 1000"),
    "too many rows": ({"instances": [1] * 65}, 413, "Expected 64 rows at most"),
    "too large": (b"x" * 100_001, 413, "Expected 100000 bytes at most"),
    "a long text beside short ones": (
        echo(text=["a" * 50_000, *["a"] * 9], counts=[[1]] * 10, good=[True] * 10),
        413,
        "text: its rows differ too much in length",
    ),
    "not finite, by name": (b'{"instances": [Inf]}', 400, "not JSON"),
    "the same field twice": (
        b'{"instances": [1], "instances": [[2]]}',
        400,
        'a field twice. Expected each once. Remove one. Received: "instances"',
    ),
    "the same input twice": (b'{"inputs": {"value": [1], "value": [2]}}', 400, "a field twice"),
    "a comma too many": (b'{"instances": [1,]}', 400, "not JSON"),
    "two objects": (b'{"instances": [1]}{"instances": [1]}', 400, "not JSON"),
    "compressed": (b"\x1f\x8b\x08\x00", 400, "not JSON"),
    "a form": (b"instances=1", 400, "not JSON"),
    "zero for a signature": ({"signature_name": 0, "instances": [1]}, 400, "signature_name: expected one of"),
    "inputs null": ({"inputs": None}, 400, "value: has another shape"),
    "no columns": ({"inputs": {}}, 400, "lacks value"),
    "a complex number": ({"instances": ["1+2j"]}, 400, "value: holds what is no float32"),
    "a date": ({"instances": ["2024-01-01"]}, 400, "value: holds what is no float32"),
    "endless": ({"signature_name": "endless", "inputs": [0]}, 504, "took too long"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_requests_are_refused_in_words(client: Client, kind: str) -> None:
    body, status, message = BAD[kind]
    answer = client.predict(body)
    assert answer.status == status and message in answer.body["error"], answer
    assert "Traceback" not in answer.body["error"] and "node" not in answer.body["error"]
    assert len(answer.body["error"]) < 1000
    assert client.predict({"instances": [1]}).status == 200, "others are served"


PACKED = gzip.compress(b'{"instances": [1]}', mtime=0)  # in names of tests, which must not change


@pytest.mark.parametrize(
    ("body", "encoding", "status", "message"),
    [
        (PACKED, "gzip", 200, ""),
        (PACKED, "X-Gzip", 200, ""),
        (b'{"instances": [1]}', "identity", 200, ""),
        (gzip.compress(PACKED, mtime=0), "gzip, gzip", 415, "Received: 'gzip, gzip'"),
        (PACKED[:-12], "gzip", 400, "is not gzip"),
        (b'{"instances": [1]}', "gzip", 400, "is not gzip"),
        (gzip.compress(b" " * 10**7, mtime=0), "gzip", 413, "Expected 100000 bytes at most"),
        (PACKED, "br", 415, "Content-Encoding: expected gzip, or none. Received: 'br'"),
    ],
)
def test_packed_bodies_are_read(client: Client, body: bytes, encoding: str, status: int, message: str) -> None:
    answer = client("/v1/models/tiny:predict", body, **{"Content-Encoding": encoding})
    assert answer.status == status and message in answer.body.get("error", "")


def test_an_empty_list_is_a_row_without_steps() -> None:
    kinds = {"rows": tf.TensorSpec([None, None, 3])}
    for rows, shape in (([], (0, 0, 3)), ([[]], (1, 0, 3)), ([[], []], (2, 0, 3))):
        assert inputs_of({"inputs": {"rows": rows}}, kinds, Limits(32))[0]["rows"].shape == shape


def test_the_steps_of_all_rows_are_limited() -> None:
    kinds = {"length": tf.TensorSpec([None], tf.int32)}
    limits = Limits(32, steps=100)
    assert inputs_of({"inputs": {"length": [60, 40, -5]}}, kinds, limits)
    with pytest.raises(RequestError, match=r"length: expected 100 steps at most.*--steps.*Received: 4294967294"):
        inputs_of({"inputs": {"length": [2**31 - 1] * 2}}, kinds, limits)


def test_a_client_divides_what_the_server_refuses_as_too_large(client: Client) -> None:
    model = Remote(Connection(f"{client.url}/v1/models/tiny"))
    values = np.arange(200, dtype=np.float32)  # the server takes 64 rows
    assert model("serving_default", value=values)["twice"].tolist() == (2 * values).tolist()
    texts = ["a" * 30_000, *map(str, range(9))]  # and such bytes of all together, once they are padded
    answer = model("echo", text=texts, counts=np.ones((10, 2), np.int32), good=[True] * 10)
    assert answer["text"].tolist() == [each.encode() for each in texts] and answer["sum"].tolist() == [2] * 10
    with pytest.raises(TooLarge, match="too large"):
        model("echo", text=["a" * 200_000], counts=[[1]], good=[True])


def test_null_is_a_number_that_is_missing() -> None:
    kinds = {"rows": tf.TensorSpec([None, None])}
    arrays, _ = inputs_of({"inputs": {"rows": [[None, 1], [2.5, None]]}}, kinds, Limits(32))
    np.testing.assert_array_equal(arrays["rows"], np.array([[np.nan, 1], [2.5, np.nan]], np.float32))
    for rows in ([[None, "a"]], [[None, True]], [[None], [1, 2]]):
        with pytest.raises(RequestError, match="rows: "):
            inputs_of({"inputs": {"rows": rows}}, kinds, Limits(32))


@pytest.mark.parametrize(
    ("path", "method", "status", "message"),
    [
        ("/v1/models/none:predict", "POST", 404, "no model of this name. Expected one of: nlp-writer, tiny"),
        ("/v1/models/tiny/versions/7:predict", "POST", 404, "Expected 1. Received: '7'"),
        ("/v1/models/tiny/versions/x", "GET", 404, "Expected 1. Received: 'x'"),
        ("/v1/models/none", "GET", 404, "no model of this name"),
        ("/v1/models/none/metadata", "GET", 404, "no model of this name"),
        ("/v1/models/tiny:predict", "GET", 405, "nothing for this method"),
        ("/v1/models/tiny:predict", "PUT", 405, "nothing for this method"),
        ("/v1/models/tiny:classify", "POST", 404, "nothing for this path"),
        ("/v1/models/../tiny/saved_model.pb", "GET", 404, "nothing for this path"),
        ("/v1/models/%2e%2e%2ftiny:predict", "POST", 404, "nothing for this path"),
        ("/nothing", "GET", 404, "nothing for this path"),
        ("/v1/models/", "GET", 404, "nothing for this path"),
        ("/v1/models/tiny:predict/", "POST", 404, "nothing for this path"),
    ],
)
def test_bad_paths_are_refused_in_words(client: Client, path: str, method: str, status: int, message: str) -> None:
    answer = client(path, b'{"instances": [1]}' if method != "GET" else None, method)
    assert answer.status == status and message in answer.body["error"], answer


def test_a_bad_request_harms_no_other_of_its_batch(client: Client) -> None:
    bodies = [{"instances": [2000 if number % 5 == 0 else number]} for number in range(40)]
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(client.predict, bodies))
    for number, answer in enumerate(answers):
        assert answer.status == (400 if number % 5 == 0 else 200)
        assert number % 5 == 0 or answer.body == {"predictions": [2.0 * number]}


def test_slow_and_vanishing_clients_are_let_go(client: Client) -> None:
    head = b"POST /v1/models/tiny:predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 20\r\n\r\n"
    with socket.create_connection(("127.0.0.1", client.port), 10) as slow:
        slow.sendall(head + b'{"inst')
        assert b"408" in slow.recv(1000).partition(b"\r\n")[0]
    with socket.create_connection(("127.0.0.1", client.port)) as vanishing:
        vanishing.sendall(head + b'{"inst')
    with socket.create_connection(("127.0.0.1", client.port), 10) as strange:
        strange.sendall(b"\x16\x03\x01 no HTTP at all\r\n\r\n")
        assert b"400" in strange.recv(1000).partition(b"\r\n")[0]
    with socket.create_connection(("127.0.0.1", client.port), 10) as chunked:  # a body of unknown size
        head = b"POST /v1/models/tiny:predict HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        chunked.sendall(head + (b"C350\r\n" + b"x" * 50_000 + b"\r\n") * 3)
        assert b"413" in chunked.recv(1000).partition(b"\r\n")[0]
    for length in (b"-1", b"1e3", b"20, 21"):
        with socket.create_connection(("127.0.0.1", client.port), 10) as wrong:
            wrong.sendall(head.partition(b"Transfer")[0] + b"Content-Length: " + length + b"\r\n\r\n")
            assert b"400" in wrong.recv(1000).partition(b"\r\n")[0]
    assert client.predict({"instances": [1]}).status == 200


def test_a_page_of_another_name_is_refused(client: Client) -> None:
    """A site may let its own name point to this machine."""
    answer = client("/v1/models", Host="evil.example")
    assert answer.status == 400 and "localhost or 127.0.0.1 in the header Host" in answer.body["error"]


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def halved(path: Path) -> None:
    """What a full disk leaves of a copy."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


DAMAGE: dict[str, Callable[[Path], None]] = {
    "saved_model.pb": halved,
    "variables/variables.index": halved,
    "variables/variables.data-00000-of-00001": halved,
    "assets.extra/tf_serving_warmup_requests": halved,
    "variables": shutil.rmtree,
}


def test_a_new_version_is_served_and_a_damaged_one_is_not(
    tmp_path: Path, start: Callable[..., Any], export_tiny: Callable[..., Path]
) -> None:
    export_tiny(tmp_path)
    client, _ = start(tmp_path, reload_seconds=0.1)
    for version, (name, damage) in enumerate(DAMAGE.items(), start=2):
        copy = shutil.copytree(tmp_path / "tiny" / "1", tmp_path / f"{version}")
        damage(copy / name)
        copy.rename(tmp_path / "tiny" / f"{version}")  # at once, as a deployment should
    wait_for(lambda: len(client("/v1/models/tiny").body["model_version_status"]) == 1 + len(DAMAGE))
    *failed, served = client("/v1/models/tiny").body["model_version_status"]
    for each in failed:
        assert each["state"] == "END" and each["status"]["error_message"], each
    assert (served["version"], served["state"]) == ("1", "AVAILABLE")
    assert client.predict({"instances": [1]}).body == {"predictions": [2.0]}
    assert f'unrolled_loads_total{{result="failed"}} {len(DAMAGE):.1f}' in client("/metrics").body, "tried once"

    export_tiny(tmp_path, factor=3.0)
    wait_for(lambda: client.predict({"instances": [1]}).body == {"predictions": [3.0]})
    shutil.rmtree(tmp_path / "tiny" / str(2 + len(DAMAGE)))  # the one before is served again
    wait_for(lambda: client.predict({"instances": [1]}).body == {"predictions": [2.0]})
    aside = tmp_path / "aside" / "1"
    aside.mkdir(parents=True)
    (aside / "saved_model.pb").touch()
    (aside / "variables").symlink_to("nothing")  # harms no other export
    export_tiny(tmp_path / "new", name="other")
    (tmp_path / "other").mkdir()
    (tmp_path / "new" / "other" / "1").rename(tmp_path / "other" / "0001")
    wait_for(lambda: client.predict({"instances": [1]}, "other").status == 200)

    shutil.rmtree(tmp_path / "other")
    wait_for(lambda: client.predict({"instances": [1]}, "other").status == 404)
    assert client.predict({"instances": [1]}).status == 200


def test_a_server_without_models_is_alive_and_not_ready(tmp_path: Path, start: Callable[..., Any]) -> None:
    client, _ = start(tmp_path, is_loaded=False)
    assert client("/healthz").status == 200 and client("/readyz").status == 503
    wait_for(lambda: client("/v1/models") == (200, {"models": []}))


def test_a_server_that_loads_is_alive_and_not_ready(
    exports: Path, start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    loads, refresh = threading.Event(), Exports.refresh

    def slow(self: Exports, *arguments: Any) -> bool:
        loads.wait(60)
        return refresh(self, *arguments)

    monkeypatch.setattr(Exports, "refresh", slow)
    client, _ = start(exports, is_loaded=False)
    assert client("/healthz").status == 200 and client("/readyz") == (503, {"status": "not ready"})
    for answer in (client.predict({"instances": [1]}), client("/v1/models")):
        assert answer.status == 503 and "The server is loading its models. Wait until /readyz" in answer.body["error"]
    loads.set()
    wait_for(lambda: client("/readyz").status == 200)
    assert client.predict({"instances": [1]}).status == 200


def test_a_token_is_asked_for(tmp_path: Path, start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNROLLED_TOKEN", "secret\n")  # as read from a file
    client, server = start(tmp_path, is_loaded=False, concurrency=1)
    assert client("/v1/models").status == 401 and client("/v1/models", Authorization="Bearer wrong").status == 401
    wait_for(lambda: client("/v1/models", Authorization="Bearer secret").status == 200)
    assert client("/healthz").status == 200, "for those who watch the process"
    with pytest.raises(RunError, match="has no model"):  # it has let the client in
        unrolled.connect(client.url)
    with pytest.raises(RunError, match="Expected the server's token"):
        unrolled.connect(client.url, token="wrong")
    server.guard.open = 1
    answer = client("/v1/models", Authorization="Bearer secret")
    assert answer.status == 503 and "Try again" in json.dumps(answer.body)


def test_an_export_whose_name_no_path_can_hold_is_named(tmp_path: Path, export_tiny: Callable[..., Path]) -> None:
    export_tiny(tmp_path)
    (tmp_path / "tiny").rename(tmp_path / "a:b")
    exports, reported = Exports(tmp_path), list[str]()
    assert exports.refresh(reported.append) and not exports.models
    assert reported[0].startswith("failed: a:b version 1: A colon ends the name of a model in a path. Expected")
