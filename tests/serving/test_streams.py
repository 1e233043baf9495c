"""Streams over WebSockets, and the client whose predictors ask a server."""

import json
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

import unrolled
from pipelines.configuration import ConfigurationError
from pipelines.runs import RunError
from serving.client import Connection
from serving.errors import RequestError
from serving.streams import Conversation
from tests.serving.conftest import Client
from unrolled.deepspeech import Model


def opened(client: Client, model: str = "nlp-writer", **options: Any) -> ClientConnection:
    return connect(f"ws://127.0.0.1:{client.port}/v1/models/{model}:stream", **options)


def exchange(socket: ClientConnection, message: Any) -> Any:
    socket.send(message if isinstance(message, bytes | str) else json.dumps(message))
    return json.loads(socket.recv(30))


def test_a_stream_answers_as_the_predictor_does(client: Client, writer: Any) -> None:
    stream, texts = writer.stream(), ("In the ", "beginn", "ing was")
    expected = [stream.feed(text) for text in texts]
    with opened(client) as socket:
        answers = [exchange(socket, {"feed": text})["answer"] for text in texts]
        finish = exchange(socket, {"finish": True})["finish"]
    assert answers == pytest.approx(expected, rel=1e-5)
    assert finish == pytest.approx(stream.finish()._asdict(), rel=1e-5)


def test_a_text_comes_piece_by_piece(client: Client, writer: Any) -> None:
    expected = writer.generate("In", length=5, seed=3)
    with opened(client) as socket:
        socket.send(json.dumps({"method": "generate", "arguments": {"prompt": "In", "length": 5, "seed": 3}}))
        answers = [json.loads(message) for message in socket]
    assert answers.pop() == {"finish": None}
    assert len(answers) > 1 and "".join(each["answer"] for each in answers) == expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("{", "The message is not JSON"),
        ("[]", "not a JSON object"),
        ({"fed": "a"}, "unknown fields"),
        ({"feed": 3}, "expected str"),
        ({"feed": "a", "more": 1}, "unknown fields"),
        ({"finish": True, "more": 1}, "unknown fields"),
        (b"ab", "Bytes came before it was known what they hold"),
        ({"array": {"dtype": "object"}}, "array: expected a dtype"),
        ({"array": {"dtype": "int16", "shape": [-1, -1]}}, "array: expected a dtype"),
        ({"array": 3}, "array: expected a dtype"),
        ({"options": {"path": "x"}}, "unknown fields"),
        ({"options": 3}, "options: expected an object"),
        ({"method": "score", "arguments": {}}, "method: expected one of: generate"),
        ({"method": "__init__", "arguments": {}}, "method: expected one of: generate"),
        ({"method": ["generate"]}, "method: expected one of: generate"),
        ({"method": "generate", "arguments": {"length": -1}}, "length"),
        ({"method": "generate", "arguments": {"prompt": ["a", "b"]}}, "arguments.prompt: expected a text"),
        ({"method": "generate", "arguments": {"stream": False}}, "unknown fields"),
    ],
)
def test_bad_messages_are_refused_in_words(client: Client, message: Any, expected: str) -> None:
    with opened(client) as socket:
        assert expected in exchange(socket, message)["error"]
        with pytest.raises(ConnectionClosed):
            socket.recv(5)


def test_a_token_of_a_browser_is_not_logged(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="uvicorn.error")
    with pytest.raises(InvalidStatus):
        opened(client, "none")
    with connect(f"{client.url.replace('http', 'ws', 1)}/v1/models/nlp-writer:stream?token=secret") as socket:
        socket.send(json.dumps({"finish": True}))
        socket.recv(10)
    assert "secret" not in caplog.text and "connection open" not in caplog.text, "the server logs the stream itself"
    assert not [each for each in caplog.records if each.levelname == "ERROR"], "a refused stream is none of the server"


def test_streams_are_limited(client: Client) -> None:
    for model, options, status in (
        ("none", {}, 404),
        ("nlp-writer", {"additional_headers": {"Origin": "http://evil.example"}}, 403),
    ):
        with pytest.raises(InvalidStatus, match=str(status)):
            opened(client, model, **options)
    with opened(client) as first, opened(client):
        with pytest.raises(InvalidStatus, match="503"):
            opened(client)
        assert "a message every 3 seconds. Received: none" in json.loads(first.recv(10))["error"]
    with opened(client, "tiny") as socket:
        assert "does not describe its model" in exchange(socket, {"feed": 1})["error"]
    with opened(client) as socket:
        socket.send("x" * 200_000)
        with pytest.raises(ConnectionClosed, match="1009"):
            socket.recv(5)


class Total(NamedTuple):
    """What a stream of numbers answers."""

    total: float


class Sums:
    """A predictor whose streams take arrays or rows."""

    def stream(self, name: str = "", history: Any = None, hot_words: Any = ()) -> "Sums":
        self.total = float(len(name)) + sum(dict(hot_words).values())
        return self

    def feed(self, values: Any, future: Any = None) -> Any:
        self.total += float(np.sum(values["x"] if isinstance(values, dict) else values))
        if future:
            return pd.DataFrame({"total": [np.float32(self.total)]})
        return Total(self.total)

    def finish(self) -> np.ndarray:
        return np.array([self.total])


class Frames(Sums):
    """Streams that take arrays alone."""

    def feed(self, values: np.ndarray, future: Any = None) -> Any:
        assert values.dtype == np.uint8
        return super().feed(values)


class FakeModel:
    """What a conversation takes of a model."""

    def __init__(self, predictor: Sums | None = None) -> None:
        self.predictor = predictor or Sums()


def test_arrays_may_come_as_lists() -> None:
    conversation = Conversation(FakeModel(Frames()))  # type: ignore[arg-type]
    assert list(conversation.answers('{"array": {"dtype": "uint8", "shape": [2, -1, 1]}}')) == []
    frame = {"feed": [[[1], [2]], [[3], [255]]]}
    assert list(conversation.answers(json.dumps(frame))) == [{"answer": {"total": 261.0}}]
    for feed in ([[[1], [2]], [[3]]], [[[1]], [[256]]], [[[1]]], [[[0.5]], [[1]]], [["a"], ["b"]]):
        with pytest.raises(RequestError, match=r"feed: .* Expected uint8 of shape \(2, None, 1\)"):
            list(conversation.answers(json.dumps({"feed": feed})))
    with pytest.raises(RequestError, match=r'Send first: \{"array"'):
        list(Conversation(FakeModel(Frames())).answers(json.dumps(frame)))  # type: ignore[arg-type]


def test_arrays_and_rows_are_handed_to_the_predictor() -> None:
    conversation = Conversation(FakeModel())  # type: ignore[arg-type]
    first = {"array": {"dtype": "int16", "shape": [-1, 2]}, "options": {"name": "ab"}}
    assert list(conversation.answers(json.dumps(first))) == []
    chunk = np.array([[1, -3], [4, 5]], "<i2").tobytes()
    assert list(conversation.answers(chunk)) == [{"answer": {"total": 9.0}}]
    row = json.dumps({"feed": {"x": 2}, "future": {"y": [1]}})
    assert list(conversation.answers(row)) == [{"answer": [{"total": 11.0}]}]
    with pytest.raises(RequestError, match=r"Expected 4 bytes, or a multiple. Received: 6"):
        list(conversation.answers(chunk[:6]))
    with pytest.raises(RequestError, match="has begun"):
        list(conversation.answers(json.dumps(first)))
    assert list(conversation.answers('{"finish": true}')) == [{"finish": [11.0]}]
    assert conversation.answered == 3
    preferring = Conversation(FakeModel())  # type: ignore[arg-type]
    list(preferring.answers('{"options": {"hot_words": {"ada": 5}}}'))
    assert list(preferring.answers('{"finish": true}')) == [{"finish": [5.0]}]
    with pytest.raises(RequestError, match="unknown fields"):  # a path would be one on the server
        list(Conversation(FakeModel()).answers('{"options": {"history": "/etc/passwd"}}'))  # type: ignore[arg-type]


def test_a_predictor_on_a_server_answers_as_one_here(client: Client, writer: Any) -> None:
    here, there = writer, unrolled.connect(client.url, "nlp-writer")
    assert type(there) is type(here)
    assert there.generate(["In", "é"], length=6, seed=1) == here.generate(["In", "é"], length=6, seed=1)
    assert "".join(there.generate("In", length=6, stream=True)) == here.generate("In", length=6)
    for found, expected in zip(there.score(["a", "", "ž b"]), here.score(["a", "", "ž b"]), strict=True):
        assert found == pytest.approx(expected, rel=1e-5)
    stream = there.stream()
    assert stream.feed("In the ") == pytest.approx(here.stream().feed("In the "), rel=1e-5)
    assert unrolled.connect(f"{client.url}/v1/models/nlp-writer").score("a") == there.score("a")


def test_what_a_client_cannot_reach_is_said(client: Client) -> None:
    with pytest.raises(RunError, match=rf"has 2 models. Expected one of: nlp-writer, tiny.*{client.url}/NAME"):
        unrolled.connect(client.url)
    assert unrolled.connect(f"{client.url}/nlp-writer").score("a")
    with pytest.raises(RunError, match=r"has no model of the task speech.*unrolled export speech"):
        Model(client.url)
    with pytest.raises(RunError, match=r"refuses the request: There is no model of this name"):
        unrolled.connect(client.url, "none")
    with pytest.raises(RunError, match=r"cannot be reached.*unrolled serve"):
        unrolled.connect("http://127.0.0.1:9", "nlp-writer")
    with pytest.raises(RunError, match=r"cannot be reached: what answers is plain HTTP, which http:// asks"):
        unrolled.connect(client.url.replace("http", "https"), "nlp-writer")
    with pytest.raises(RunError, match="refuses the request: The export does not describe its model"):
        unrolled.connect(client.url, "tiny")
    with pytest.raises(RunError, match=r"names another model.*/tiny' and 'nlp-writer'"):
        unrolled.connect(f"{client.url}/tiny", "nlp-writer")
    assert unrolled.connect(f"{client.url}/nlp%2Dwriter/", "nlp-writer").score("a")
    for token in ("a\nb", "é"):
        with pytest.raises(ConfigurationError, match=r"token fits no header. Expected printable ASCII"):
            unrolled.connect(client.url, "nlp-writer", token)
    wrong = ["ftp://x", "x:99999", "x:0", "x:abc", "", "http:/x", "http://u:p@x", "http://[::1", "http://a b"]
    for url in (*wrong, "http://x?token=a", "http://x/nlp#a"):
        with pytest.raises(RunError, match=r"names no server. Expected http:// or https://"):
            unrolled.connect(url, "nlp-writer")


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, b"<html>"),
        (502, b"<html>Bad gateway"),
        (301, b""),
        (200, b"[]"),
        (200, b"{}"),
        (404, b"[]"),
        (404, b'{"detail": "Not found"}'),
        (200, b'{"models": 3}'),
        (200, b'{"models": [{"name": "a"}]}'),
        (200, b'{"outputs": null}'),
    ],
)
def test_another_server_is_said_to_be_one(
    client: Client, monkeypatch: pytest.MonkeyPatch, status: int, answer: bytes
) -> None:
    writer = unrolled.connect(client.url, "nlp-writer")
    monkeypatch.setattr(Connection, "_exchange", lambda *_: (status, answer))
    for ask in (
        lambda: unrolled.connect(client.url),
        lambda: unrolled.connect(client.url, "nlp-writer"),
        lambda: writer.score("a"),
    ):
        with pytest.raises(RunError, match=rf"Another server answers.*{client.url}/.*Received: status {status}, b'"):
            ask()
