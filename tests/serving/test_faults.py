"""Bad requests to the model of every task, bad frames, bad connections: each is refused in words, others are served."""

import asyncio
import base64
import itertools
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from starlette.websockets import WebSocket
from websockets.sync.client import connect

from serving.batching import Batcher
from serving.errors import RequestError
from tests.serving.conftest import Client

NAN, INFINITY = float("nan"), float("inf")
OPTIONS = {"prompt": ["In"], "length": [5], "temperature": [1], "top_k": [0], "top_p": [1], "repetition_penalty": [1]}
OPTIONS |= {"no_repeat_ngram": [0], "seed": [1]}
WAVES = {"history": [[[1, 2, 0]] * 3], "times": [[0, 3600, 7200]], "lengths": [3], "series": ["north"]}
WAVES |= {"future": [[[0]] * 4]}
SOUND = {"audio": [[0.0] * 800], "lengths": [800]}
LEAKS = ("Traceback", 'File "', "{{node", "[[", "tensorflow/", "[Op:", "site-packages")


def wav(rate: int = 8000, bits: int = 16, channels: int = 1, samples: int = 800) -> bytes:
    data = bytes(samples * bits // 8 * channels)
    head = struct.pack(
        "<4sI4s4sIHHIIHH", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 1, channels, rate, rate * 2, 2, bits
    )
    return head + b"data" + struct.pack("<I", len(data)) + data


def encoded(content: bytes) -> dict[str, Any]:
    return {"wav": [{"b64": base64.b64encode(content).decode()}]}


PREDICT: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "audio of NaN": ("speech-tones", "serving_default", SOUND | {"audio": [[NAN] * 800]}, "finite samples"),
    "audio of infinity": ("speech-tones", "serving_default", SOUND | {"audio": [[INFINITY] * 800]}, "finite samples"),
    "audio of 16-bit integers": ("speech-tones", "serving_default", SOUND | {"audio": [[9000] * 800]}, "from -1 to 1"),
    "audio of texts": ("speech-tones", "serving_default", SOUND | {"audio": [["a"] * 800]}, "audio: holds"),
    "audio without a batch": (
        "speech-tones",
        "serving_default",
        SOUND | {"audio": [0.0] * 800},
        "audio: has another shape",
    ),
    "more samples than there are": ("speech-tones", "serving_default", SOUND | {"lengths": [801]}, "lengths: expected"),
    "fewer than no samples": ("speech-tones", "serving_default", SOUND | {"lengths": [-1]}, "lengths: expected"),
    "no WAV file": ("speech-tones", "wav", encoded(b"no file of this kind"), "wav: expected"),
    "an empty file": ("speech-tones", "wav", encoded(b""), "wav: expected"),
    "a WAV file without samples": ("speech-tones", "wav", encoded(wav()[:30]), "wav: expected"),
    "a WAV file of another rate": ("speech-tones", "wav", encoded(wav(16000)), "8000 samples a second"),
    "a WAV file of 24 bits": ("speech-tones", "wav", encoded(wav(bits=24)), "16 bits"),
    "a column missing": (
        "series-waves",
        "serving_default",
        WAVES | {"history": [[[1, 2]] * 3]},
        "history: has another shape",
    ),
    "infinite values": ("series-waves", "serving_default", WAVES | {"history": [[[INFINITY, 2, 0]] * 3]}, "history"),
    "times that fall": ("series-waves", "serving_default", WAVES | {"times": [[7200, 3600, 0]]}, "times"),
    "one time twice": ("series-waves", "serving_default", WAVES | {"times": [[0, 0, 3600]]}, "times"),
    "fewer times than values": ("series-waves", "serving_default", WAVES | {"times": [[0, 3600]]}, "times"),
    "times in milliseconds": (
        "series-waves",
        "serving_default",
        WAVES | {"times": [[1_714_521_600_000, 1_714_525_200_000, 1_714_528_800_000]]},
        "times: expected seconds",
    ),
    "times as texts": ("series-waves", "serving_default", WAVES | {"times": [["2024-01-01"] * 3]}, "times: holds"),
    "more steps than there are": ("series-waves", "serving_default", WAVES | {"lengths": [4]}, "lengths"),
    "no steps": ("series-waves", "serving_default", WAVES | {"lengths": [0]}, "lengths"),
    "a shorter future": ("series-waves", "serving_default", WAVES | {"future": [[[0]]]}, "future: has another shape"),
    "a future of infinity": ("series-waves", "serving_default", WAVES | {"future": [[[INFINITY]] * 4]}, "future"),
    "a negative length": ("nlp-writer", "generate", OPTIONS | {"length": [-1]}, "length: expected"),
    "a length without end": (
        "nlp-writer",
        "generate",
        OPTIONS | {"length": [10**9]},
        "length: expected 10000 steps at most",
    ),
    "a negative temperature": ("nlp-writer", "generate", OPTIONS | {"temperature": [-1]}, "temperature: expected"),
    "a temperature of NaN": ("nlp-writer", "generate", OPTIONS | {"temperature": [NAN]}, "temperature: expected"),
    "a share above 1": ("nlp-writer", "generate", OPTIONS | {"top_p": [2]}, "top_p: expected"),
    "a negative rank": ("nlp-writer", "generate", OPTIONS | {"top_k": [-1]}, "top_k: expected"),
    "no penalty": ("nlp-writer", "generate", OPTIONS | {"repetition_penalty": [0]}, "repetition_penalty: expected"),
    "a fraction as seed": ("nlp-writer", "generate", OPTIONS | {"seed": [1.5]}, "seed: holds what is no int32"),
    "an option missing": ("nlp-writer", "generate", {"prompt": ["In"]}, "lacks length"),
    "options of another number": ("nlp-writer", "generate", OPTIONS | {"top_k": [0, 0]}, "different numbers of rows"),
    "no beam": ("nlp-translation", "beam_search", {"text": ["One."], "beam_width": [0]}, "beam_width: expected"),
    "a beam too wide": (
        "nlp-translation",
        "beam_search",
        {"text": ["One."], "beam_width": [10**6]},
        "beam_width: expected",
    ),
    "fewer translations than texts": (
        "nlp-translation",
        "attention",
        {"text": ["One.", "Two."], "translation": ["Uno."]},
        "different numbers of rows",
    ),
    "a number for a review": ("nlp-sentiment", "serving_default", {"text": [7]}, "text: expected strings"),
    "a text alone": ("nlp-sentiment", "serving_default", {"text": "good"}, "text: has another shape"),
    "words without sentences": ("nlp-tagging", "words", {"words": ["Ada"]}, "words: has another shape"),
    "pixels above 255": (
        "video-directions",
        "serving_default",
        {"frames": [[[[[300]] * 16] * 16] * 6]},
        "frames: holds",
    ),
    "pixels as fractions": (
        "video-directions",
        "serving_default",
        {"frames": [[[[[0]] * 15 + [[0.5]]] * 16] * 6]},
        "frames: holds what is no uint8. Expected uint8 of shape (None, None, None, None, None), None: any size. "
        "Received: 0.5 as frames[0][0][0][15][0]",
    ),
    "five colours": ("video-directions", "serving_default", {"frames": [[[[[0] * 5] * 16] * 16] * 6]}, "frames"),
    "a frame instead of a clip": (
        "video-directions",
        "serving_default",
        {"frames": [[[[0]] * 16] * 16]},
        "frames: has another",
    ),
    "frames without pixels": ("video-directions", "serving_default", {"frames": [[[]] * 6]}, "frames"),
    "more frames than there are": (
        "video-directions",
        "padded",
        {"frames": [[[[[0]] * 16] * 16] * 6], "lengths": [7]},
        "lengths",
    ),
    "an endless film": (
        "video-drifts",
        "roll_out",
        {"frames": [[[[[0]] * 16] * 16] * 5], "length": [10**9]},
        "length: expected",
    ),
}


def assert_in_words(error: str, message: str) -> None:
    assert message in error, error
    assert not [each for each in LEAKS if each in error] and len(error) < 1000, error


@pytest.mark.slow
@pytest.mark.parametrize("kind", PREDICT)
def test_bad_inputs_of_every_task_are_refused_in_words(every_client: Client, kind: str) -> None:
    name, signature, inputs, message = PREDICT[kind]
    answer = every_client.predict({"signature_name": signature, "inputs": inputs}, name)
    assert answer.status in (400, 413), answer
    assert_in_words(answer.body["error"], message)
    assert every_client.predict({"instances": ["good"]}, "nlp-sentiment").status == 200, "others are served"


NORTH = {"options": {"series": "north"}}
ROW = {"time": "2024-01-01", "load": 1, "heat": 2, "holiday": 0}
AHEAD = {"future": {"holiday": [0, 0, 1, 1]}}
STREAMED: dict[str, tuple[str, list[Any], str]] = {
    "samples of NaN": ("speech-tones", [{"array": {"dtype": "float32"}}, np.full(800, np.nan, "<f4").tobytes()], "NaN"),
    "samples far beyond 1": (
        "speech-tones",
        [{"array": {"dtype": "float32"}}, np.full(800, 9000, "<f4").tobytes()],
        "1",
    ),
    "half a sample": ("speech-tones", [{"array": {"dtype": "int16"}}, b"abc"], "Expected 2 bytes, or a multiple"),
    "no samples": ("speech-tones", [{"array": {"dtype": "int16"}}, b""], "Expected 2 bytes, or a multiple"),
    "a text for samples": ("speech-tones", [{"feed": "hello"}], "array of audio"),
    "another option": ("speech-tones", [{"options": {"beam": 3}}], "unknown fields"),
    "another way to read": ("series-waves", [{"options": {"series": "north", "reading": {"zone": "UTC"}}}], "zone"),
    "no way to read": ("series-waves", [{"options": {"series": "north", "reading": 3}}], "reading"),
    "a list for a row": ("series-waves", [NORTH, {"feed": [1, 2]}], "row"),
    "no time": ("series-waves", [NORTH, AHEAD | {"feed": {"load": 1, "heat": 2, "holiday": 0}}], "time"),
    "no date": (
        "series-waves",
        [NORTH, {"feed": ROW | {"time": "yesterday"}}],
        "Name it: options.reading.time. Received: the columns time, heat, with 'yesterday' as time",
    ),
    "a text for a value": ("series-waves", [NORTH, {"feed": ROW | {"load": "much"}}], "Correct them. Received: 'much'"),
    "a number beyond all floats": ("series-waves", [NORTH, AHEAD | {"feed": ROW | {"load": 10**400}}], "feed: "),
    "a list for a value": (
        "series-waves",
        [NORTH, AHEAD | {"feed": ROW | {"load": [1]}}],
        "feed.load: expected a text",
    ),
    "an object for a value": ("series-waves", [NORTH, AHEAD | {"feed": ROW | {"time": {}}}], "feed.time: expected"),
    "no time zone": (
        "series-waves",
        [{"options": {"series": "north", "reading": {"timezone": "Mars/X"}}}, AHEAD | {"feed": ROW}],
        "options.reading.timezone: there is no such zone",
    ),
    "a weight beyond all floats": (
        "speech-tones",
        [{"options": {"hot_words": {"ab": 10**400}}}],
        "options: the model takes",
    ),
    "a time that was": (
        "series-waves",
        [NORTH, AHEAD | {"feed": ROW}, AHEAD | {"feed": ROW | {"time": "2023-01-01"}}],
        "time",
    ),
    "a column missing": ("series-waves", [NORTH, {"feed": {"time": "2024-01-01", "load": 1}}], "h"),
    "a future of two lengths": (
        "series-waves",
        [NORTH, {"feed": ROW, "future": {"holiday": [0, 0, 1, 1], "more": [1]}}],
        "feed, future: the model takes other values",
    ),
    "half a frame": (
        "video-directions",
        [{"array": {"dtype": "uint8", "shape": [16, 16, 1]}}, bytes(100)],
        "Expected 256 bytes",
    ),
    "another form of a frame": (
        "video-directions",
        [{"array": {"dtype": "uint8"}}, bytes(100)],
        "An array of frames has another shape or type",
    ),
    "fractions for a frame": (
        "video-directions",
        [{"array": {"dtype": "float32", "shape": [16, 16, 1]}}, bytes(1024)],
        "Expected uint8",
    ),
    "a bool for a weight": ("speech-tones", [{"options": {"hot_words": {"ab": True}}}], "its weight a number"),
    "an end that is none": ("speech-tones", [{"finish": False}], "finish: expected true"),
    "no format of times": (
        "series-waves",
        [{"options": {"series": "north", "reading": {"time_format": "%Q"}}}, AHEAD | {"feed": ROW}],
        "Correct it, options.reading.time_format. Received: '%Q'",
    ),
    "a text for a frame": ("video-directions", [{"feed": "a"}], "frame: expected"),
    "a model that does not stream": ("nlp-sentiment", [{"feed": "a"}], "does not stream"),
    "a method that does not stream": (
        "nlp-sentiment",
        [{"method": "classify", "arguments": {}}],
        "method: expected one of",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", STREAMED)
def test_bad_messages_to_every_task_are_refused_in_words(every_client: Client, kind: str) -> None:
    name, messages, expected = STREAMED[kind]
    with connect(f"ws://127.0.0.1:{every_client.port}/v1/models/{name}:stream") as stream:
        for message in messages:
            stream.send(message if isinstance(message, bytes) else json.dumps(message))
        answers = [json.loads(answer) for answer in _until_closed(stream)]
    assert_in_words(answers[-1]["error"], expected)
    assert "--" not in answers[-1]["error"], "a client has no command line"
    assert stream.close_code == 1008


def _until_closed(stream: Any) -> Iterator[str]:
    from websockets.exceptions import ConnectionClosed

    try:
        while True:
            yield stream.recv(20)
    except ConnectionClosed:
        return


HEAD = "Host: 127.0.0.1\r\n"
WEBSOCKET = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
WEBSOCKET += f"Sec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}\r\n"
RAW: dict[str, tuple[str, bytes]] = {
    "no host": ("GET /v1/models HTTP/1.1\r\n\r\n", b"400"),
    "no method": (f"BREW /v1/models/tiny:predict HTTP/1.1\r\n{HEAD}\r\n", b"400"),
    "no HTTP": ("HELLO\r\n\r\n", b"400"),
    "a head without a value": (f"GET /v1/models HTTP/1.1\r\n{HEAD}Nothing\r\n\r\n", b"400"),
    "a huge head": (f"GET /v1/models HTTP/1.1\r\n{HEAD}X: {'x' * 200_000}\r\n\r\n", b"400"),
    "a long address": (f"GET /{'x' * 200_000} HTTP/1.1\r\n{HEAD}\r\n", b"400"),
    "zero bytes in an address": (f"GET /v1/models/%00 HTTP/1.1\r\n{HEAD}\r\n", b"404"),
    "two lengths": (
        f"POST /v1/models/tiny:predict HTTP/1.1\r\n{HEAD}Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"400",
    ),
    "bad chunks": (f"POST /v1/models/tiny:predict HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
    "an unknown encoding": (f"POST /v1/models/tiny:predict HTTP/1.1\r\n{HEAD}Transfer-Encoding: magic\r\n\r\n", b"400"),
    "a stream without an upgrade": (f"GET /v1/models/tiny:stream HTTP/1.1\r\n{HEAD}\r\n", b"404"),
    "an upgrade without a key": (
        f"GET /v1/models/tiny:stream HTTP/1.1\r\n{HEAD}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"400",
    ),
    "nothing": ("", b"408"),
    "an origin that is none": (f"GET /v1/models HTTP/1.1\r\n{HEAD}Origin: http://[evil\r\n\r\n", b"403"),
    "two hosts": (f"GET /v1/models HTTP/1.1\r\n{HEAD}Host: evil.example\r\n\r\n", b"400"),
    "a handshake of TLS": ("\x16\x03\x01\x02\x00\x01\x00\x01\x7c\x03\x03", b"400"),
    "a host that is none": ("GET /v1/models HTTP/1.1\r\nHost: [\r\n\r\n", b"400"),
    "a stream of an origin that is none": (
        f"GET /v1/models/nlp-writer:stream HTTP/1.1\r\n{HEAD}Origin: http://[evil\r\n{WEBSOCKET}\r\n",
        b"403",
    ),
    "a stream elsewhere": (f"GET /v1/models HTTP/1.1\r\n{HEAD}{WEBSOCKET}\r\n", b"404"),
    "a stream by POST": (f"POST /v1/models/tiny:predict HTTP/1.1\r\n{HEAD}{WEBSOCKET}\r\n", b"400"),
    "a host for an address": (f"CONNECT evil.example:443 HTTP/1.1\r\n{HEAD}\r\n", b"400"),
    "half a head": (f"GET /v1/models HTTP/1.1\r\n{HEAD}", b"408"),
    "a trailer for a head": (
        f"POST /v1/models/tiny:predict HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked\r\n\r\n"
        "2\r\n[]\r\n0\r\nContent-Encoding: br\r\n\r\n",
        b"400",
    ),
}


CAUSES = {
    "no method": "Invalid method",
    "a head without a value": "Invalid header token",
    "two lengths": "Content-Length",
    "bad chunks": "chunk size",
    "an upgrade without a key": "Sec-WebSocket-Key",
    "a host for an address": "its address is no path",
    "two hosts": "Host: expected the header once. Received: 127.0.0.1, evil.example",
    "a handshake of TLS": "This port takes http.",
}


@pytest.mark.parametrize("kind", RAW)
def test_bad_connections_are_refused(client: Client, kind: str) -> None:
    sent, status = RAW[kind]
    with socket.create_connection(("127.0.0.1", client.port), 10) as connection:
        connection.sendall(sent.encode())
        answer = _answer(connection)
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"], answer
    assert status in answer.partition(b"\r\n")[0], answer
    assert CAUSES.get(kind, "").encode() in answer, answer
    assert not [each for each in LEAKS if each.encode() in answer]
    assert client.predict({"instances": [1]}).status == 200


def _answer(connection: socket.socket) -> bytes:
    """All of an answer, whether the connection is closed behind it or not."""
    answer = b""
    while not answer.endswith(b"}") and (more := connection.recv(65536)):
        answer += more
    return answer


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize(
    ("offer", "is_half_closed"),
    [
        ("", True),
        ("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n", False),
    ],
    ids=["a client that closes its side", "an offer of HTTP/2"],  # such as Java's
)
def test_habits_of_clients_are_served(client: Client, version: str, offer: str, is_half_closed: bool) -> None:
    body = '{"instances": [1]}'
    head = f"POST /v1/models/tiny:predict HTTP/{version}\r\n{HEAD}{offer}Content-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", client.port), 10) as connection:
        connection.sendall((head + body).encode())
        if is_half_closed:
            connection.shutdown(socket.SHUT_WR)
        assert _answer(connection).endswith(b'{"predictions":[2.0]}')


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("Content-Length: 300000\r\n", b"413"),
        ("Content-Length: 300000\r\nConnection: close\r\n", b"413"),
        ("Content-Length: 300000\r\nNothing\r\n", b"400"),
    ],
    ids=["too large", "too large, on a connection of its own", "no HTTP"],
)
def test_a_client_that_sends_all_before_it_reads_gets_its_answer(client: Client, head: str, status: bytes) -> None:
    with socket.create_connection(("127.0.0.1", client.port), 10) as connection:
        connection.sendall(f"POST /v1/models/tiny:predict HTTP/1.1\r\n{HEAD}{head}\r\n".encode())
        for _ in range(6):
            connection.sendall(bytes(50_000))
            time.sleep(0.02)
        assert status in _answer(connection).partition(b"\r\n")[0]
        assert connection.recv(1) == b"", "and then its end"


def test_what_a_refused_client_sends_is_not_read_forever(client: Client) -> None:
    with socket.create_connection(("127.0.0.1", client.port), 10) as connection:
        connection.sendall(
            f"POST /v1/models/tiny:predict HTTP/1.1\r\n{HEAD}Content-Length: 9999999999\r\n\r\n".encode()
        )
        with pytest.raises(ConnectionError):
            for _ in range(1000):
                connection.sendall(bytes(50_000))


@pytest.mark.parametrize(
    "part",
    ["GET /v1/models HTTP", f"POST /v1/models/tiny:predict HTTP/1.1\r\n{HEAD}Content-Length: 9\r\n\r\nab"],
    ids=["in its head", "in its body"],
)
def test_a_request_that_ends_too_early_is_refused(client: Client, part: str) -> None:
    with socket.create_connection(("127.0.0.1", client.port), 10) as connection:
        connection.sendall(part.encode())
        connection.shutdown(socket.SHUT_WR)
        answer = _answer(connection)
    assert b"400" in answer.partition(b"\r\n")[0] and b"The request ends too early" in answer


def test_many_small_heads_are_no_large_one(client: Client) -> None:
    request = f"GET /healthz HTTP/1.1\r\n{HEAD}\r\n".encode()
    number, answers = 150_000 // len(request), b""
    with socket.create_connection(("127.0.0.1", client.port), 10) as connection:
        connection.sendall(request * number)
        while answers.count(b"alive") < number:
            answers += (more := connection.recv(65536))
            assert more, answers[-200:]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "GET"])
def test_other_methods_are_refused(client: Client, method: str) -> None:
    answer = client("/v1/models/tiny:predict", None, method)
    assert answer.status == 405 and "nothing for this method" in answer.body["error"]


def test_pages_of_other_sites_ask_nothing(client: Client) -> None:
    body = b'{"instances": [1]}'
    assert client("/v1/models/tiny:predict", body, Origin="http://evil.example").status == 403
    assert client("/v1/models/tiny:predict", body, Origin=client.url).status == 200


def test_a_version_of_any_length_is_none(client: Client) -> None:
    assert client(f"/v1/models/tiny/versions/{'9' * 5000}").status == 404


def test_answers_and_streams_are_limited(
    exports: Path, start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, server = start(exports, answer_megabytes=1e-4, stream_seconds=1.0)
    assert client.predict({"instances": [1] * 25}).status == 200
    answer = client.predict({"instances": [1] * 26})
    assert answer.status == 413 and "Expected 0.0001 MB at most" in answer.body["error"]
    writer = server.exports.models["nlp-writer"].predictor
    monkeypatch.setattr(writer, "pieces", lambda *_: itertools.repeat("a", 10_000))  # a text that hardly ends
    send = WebSocket.send_text

    async def busy(socket: WebSocket, text: str) -> None:
        monkeypatch.setattr(WebSocket, "send_text", send)
        await send(socket, text)
        time.sleep(1.1)  # the time of the stream ends in the moment in which an answer has been sent

    monkeypatch.setattr(WebSocket, "send_text", busy)
    with connect(f"ws://127.0.0.1:{client.port}/v1/models/nlp-writer:stream") as stream:
        stream.send(json.dumps({"method": "generate", "arguments": {"length": 10**5}}))
        *_, last = map(json.loads, _until_closed(stream))
    assert "Expected a stream of 1 seconds at most" in last["error"] and stream.close_code == 1008


@contextmanager
def handshake(client: Client) -> Iterator[socket.socket]:
    """A WebSocket whose frames a test writes itself."""
    with socket.create_connection(("127.0.0.1", client.port), 10) as connection:
        connection.sendall(f"GET /v1/models/nlp-writer:stream HTTP/1.1\r\n{HEAD}{WEBSOCKET}\r\n".encode())
        assert b"101" in connection.recv(4096).partition(b"\r\n")[0]
        yield connection


FRAMES: dict[str, tuple[bytes, int]] = {
    "unmasked": (b"\x81\x02{}", 1002),
    "of an unknown kind": (b"\x83\x80\x00\x00\x00\x00", 1002),
    "with reserved bits": (b"\xf1\x80\x00\x00\x00\x00", 1002),
    "of a text that is no UTF-8": (b"\x81\x82\x00\x00\x00\x00\xff\xfe", 1007),
    "that continues nothing": (b"\x80\x80\x00\x00\x00\x00", 1002),
    "too large": (b"\x82\xff" + struct.pack(">Q", 2**62) + bytes(4), 1009),
    "a ping too large": (b"\x89\xfe\x01\x00" + bytes(4 + 256), 1002),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_bad_frames_close_their_stream_alone(client: Client, kind: str) -> None:
    frame, code = FRAMES[kind]
    with handshake(client) as connection:
        connection.sendall(frame)
        answer = connection.recv(4096)
    assert answer[0] == 0x88 and struct.unpack(">H", answer[2:4])[0] == code
    assert client.predict({"instances": [1]}).status == 200


def test_a_request_that_waits_for_a_worker_has_its_time_and_no_more() -> None:
    free = threading.Event()

    def busy(value: np.ndarray) -> dict[str, np.ndarray]:
        free.wait(20)
        return {"value": value}

    async def ask() -> float:
        with ThreadPoolExecutor(1) as executor:
            batcher = Batcher(executor, 1, 32, 1e6, 0.3, lambda rows: None)
            first = asyncio.create_task(batcher(busy, None, {"value": np.zeros(1)}))
            await asyncio.sleep(0.1)
            started = time.monotonic()
            waiting = [batcher(busy, key, {"value": np.zeros(1)}) for key in ("with others", None)]
            answers = await asyncio.gather(first, *waiting, return_exceptions=True)
            seconds = time.monotonic() - started
            assert all(isinstance(each, RequestError) and each.status == 504 for each in answers), answers
            free.set()
            return seconds

    assert 0.25 < asyncio.run(ask()) < 10


def test_an_answer_that_nobody_awaits_is_no_longer_computed() -> None:
    @tf.function
    def endless(value: tf.Tensor) -> tf.Tensor:
        return tf.while_loop(lambda number: number >= 0.0, lambda number: number * 1.0, [tf.reduce_sum(value)])[0]

    def ask(value: np.ndarray) -> dict[str, np.ndarray]:
        return {"value": endless(tf.constant(value)).numpy()}

    async def leave() -> None:
        with ThreadPoolExecutor(1) as executor:  # ends when its threads have
            batcher = Batcher(executor, 1, 32, 1e6, 60.0, lambda rows: None)
            task = asyncio.create_task(batcher(ask, None, {"value": np.zeros(1)}))
            await asyncio.sleep(0.5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    started = time.monotonic()
    asyncio.run(leave())
    assert time.monotonic() - started < 30
