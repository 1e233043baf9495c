"""The users that load a server, for Locust: those who classify, those who speak, and one of each model.

Locust runs this file; `benchmarks.serving` runs Locust. What is asked stands in the environment: SPOKEN is a WAV file.
"""

import itertools
import json
import os
import time
import wave
from collections.abc import Iterator

import gevent
from locust import FastHttpUser, User, constant, events, task
from websockets.sync.client import connect

CHUNK_SECONDS = 0.04
TEXTS = itertools.cycle([f"w{number} superb w{number % 7} w3 dull" for number in range(40)])


class Classifies(FastHttpUser):
    """Asks for one text after the other."""

    wait_time = constant(0)

    @task
    def classify(self) -> None:
        self.client.post(
            f"/v1/models/{os.environ['SENTIMENT']}:predict", json={"instances": [next(TEXTS)]}, name="sentiment"
        )


class Speaks(User):
    """Speaks in real time, again and again."""

    wait_time = constant(0)

    @task
    def speak(self) -> None:
        audio, size = _recording()
        address = f"{(self.host or '').replace('http', 'ws', 1)}/v1/models/{os.environ['SPEECH']}:stream"
        texts: list[tuple[float, str]] = []
        try:
            with connect(address) as stream:
                stream.send(json.dumps({"array": {"dtype": "int16"}}))
                begun = time.perf_counter()
                for number, start in enumerate(range(0, len(audio), size)):
                    gevent.sleep(max(0.0, begun + number * CHUNK_SECONDS - time.perf_counter()))
                    asked = time.perf_counter()
                    stream.send(audio[start : start + size])
                    text = json.loads(stream.recv(30))["answer"]
                    texts.append((time.perf_counter(), text))
                    _report("speech, a chunk", 1000 * (texts[-1][0] - asked))
                stream.send(json.dumps({"finish": True}))
                finish = json.loads(stream.recv(30))["finish"]
            if finish["words"]:
                word = finish["words"][0]
                seen = next((at for at, text in texts if text.startswith(word["text"])), texts[-1][0])
                _report("speech, first word after it was spoken", 1000 * max(0.0, seen - begun - word["end"]))
        except Exception as error:
            _report("speech, a chunk", 0.0, error)


class Mixes(FastHttpUser):
    """Asks every model of the server for what its warm-up asks, one after the other."""

    wait_time = constant(0.05)

    def on_start(self) -> None:
        with open(os.environ["REQUESTS"], encoding="utf-8") as file:
            self._requests: Iterator[dict] = itertools.cycle(json.load(file))

    @task
    def ask(self) -> None:
        asked = next(self._requests)
        name = f"{asked['model']}, {asked['body']['signature_name']}"
        self.client.post(f"/v1/models/{asked['model']}:predict", json=asked["body"], name=name)


def _recording() -> tuple[bytes, int]:
    """Returns 16-bit samples, and the bytes of a chunk."""
    with wave.open(os.environ["SPOKEN"]) as file:
        return file.readframes(file.getnframes()), 2 * round(file.getframerate() * CHUNK_SECONDS)


def _report(name: str, milliseconds: float, error: Exception | None = None) -> None:
    events.request.fire(
        request_type="WS", name=name, response_time=milliseconds, response_length=0, exception=error, context={}
    )
