"""Clients beside the browser: every `curl` of the documentation, and the interface of DeepSpeech."""

import json
import re
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import unrolled
from pipelines import predictors
from pipelines.configuration import ConfigurationError
from pipelines.runs import RunError
from pipelines.served import TooLarge
from pipelines.speech.audio_files import SpeechDataError
from serving.client import Connection
from tests.pipelines.speech.conftest import RATE, speak
from tests.serving.conftest import Client
from unrolled.deepspeech import Model

DOCS = Path(__file__).parents[2] / "docs"
SPOKEN = "ab cad"
pytestmark = pytest.mark.slow


def pcm(text: str) -> np.ndarray:
    return np.round(speak(text) * 32767).astype(np.int16)


def curls() -> Iterator[tuple[str, str]]:
    """Yields a task and a command that asks its model, for each that the page shows."""
    (block,) = [
        each for each in re.findall(r"```sh\n(.*?)```", (DOCS / "serving.md").read_text(), re.DOTALL) if "b64" in each
    ]
    for comment, commands in re.findall(r"^# (.*)\n((?:(?!#).*\n)+)", block, re.MULTILINE):
        for command in re.findall(r".*?:predict\n", commands, re.DOTALL):
            for task in re.split(r", (?!and|where|how)", re.split(r":|, and|, where", comment)[0]):
                yield task, command


@pytest.mark.parametrize(("task", "command"), curls())
def test_every_curl_of_the_page_is_answered(
    task: str, command: str, every_client: Client, names: dict[str, str], tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "recording.wav", pcm(SPOKEN), RATE, subtype="PCM_16")
    script = f"SERVER={every_client.url}/v1/models\n{command.replace('NAME', names[task])}"
    done = subprocess.run(["bash", "-ec", script], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    answer = json.loads(done.stdout)
    assert answer.keys() <= {"predictions", "outputs"}, answer
    if "recording.wav" in command:
        assert answer["predictions"][0]["text"] == SPOKEN


def test_every_task_has_a_curl(names: dict[str, str]) -> None:
    assert {task for task, _ in curls()} == names.keys() == set(unrolled.tasks())


@pytest.fixture(scope="module")
def names(every_client: Client) -> dict[str, str]:
    """The name of the model of each task."""
    return {model["task"]: model["name"] for model in every_client("/v1/models").body["models"]}


@pytest.mark.parametrize("task", unrolled.tasks())
def test_a_predictor_on_a_server_is_that_of_the_export(
    task: str, every_client: Client, every_export: Path, names: dict[str, str]
) -> None:
    here, there = predictors.load(every_export / names[task]), unrolled.connect(every_client.url, names[task])
    assert type(here) is type(there)
    audio = pcm(SPOKEN)
    asked: dict[str, Any] = {
        "speech": lambda each: each.transcribe(audio, RATE, n_best=3),
        "sentiment": lambda each: each.classify(["superb w1", ""]),
        "tagging": lambda each: each.tag(["Ada Berg sees w3 in Ulm .", ""]),
        "translation": lambda each: each.alternatives(["Two, nine and ten."], 2),
        "language-model": lambda each: each.generate("The", length=5, seed=2),
    }
    if task in asked:
        assert repr(jsonable(asked[task](there))) == repr(jsonable(asked[task](here)))


def test_recordings_beyond_the_limit_of_a_request_are_cut(
    every_export: Path, tmp_path: Path, start: Callable[..., Any]
) -> None:
    (tmp_path / "speech-tones").symlink_to(every_export / "speech-tones")
    client, _ = start(tmp_path, body_megabytes=1.5)
    here, there = predictors.load(every_export / "speech-tones"), unrolled.connect(client.url)
    rng = np.random.default_rng(0)
    said = np.tile(speak(SPOKEN), 1 + 40 * RATE // len(speak(SPOKEN)))
    long = (said + rng.normal(0, 1e-3, len(said))).astype(np.float32)  # 3.5 MB as JSON
    asked = [long, pcm(SPOKEN), long[: len(long) // 2]]
    expected = here.transcribe(asked, RATE)
    assert [each.text for each in there.transcribe(asked, RATE)] == [each.text for each in expected]
    with pytest.raises(RunError, match="too large"):
        unrolled.connect(start(tmp_path, body_megabytes=0.1)[0].url).transcribe(long, RATE)


def test_a_refusal_is_read_although_the_request_was_not() -> None:
    """As of a server that answers once it knows the length, and closes while the client still sends."""
    body = b'{"error": "too large"}'
    head = b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)

    def refuse() -> None:
        client, _ = listener.accept()
        client.recv(1000)
        client.sendall(head + body)
        client.close()  # with bytes that were not read: the client is reset

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=refuse)
        thread.start()
        connection = Connection(f"http://127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(TooLarge, match="too large"):
            connection.ask("/", dict, bytes(50_000_000))
        thread.join()


def jsonable(value: Any) -> Any:
    """An answer with its numbers rounded: a batch of one and a batch of more differ in the last digit."""
    from serving.streams import jsonable

    return json.loads(json.dumps(jsonable(value)), parse_float=lambda each: round(float(each), 4))


@pytest.fixture(scope="module")
def model(every_export: Path) -> Model:
    """DeepSpeech's interface over the exported recogniser."""
    return Model(every_export / "speech-tones")


def text_of(candidate: Any) -> str:
    return "".join(token.text for token in candidate.tokens)


def test_a_recording_is_read_as_by_the_predictor(model: Model, every_export: Path) -> None:
    audio = pcm(SPOKEN)
    expected = predictors.load(every_export / "speech-tones").transcribe(audio, RATE, n_best=3)
    assert model.sampleRate() == RATE and model.stt(audio) == model.stt(audio.tobytes()) == expected.text == SPOKEN
    found = model.sttWithMetadata(audio, 3).transcripts
    assert [text_of(each) for each in found] == [expected.text, *(each.text for each in expected.alternatives)]
    assert [each.confidence for each in found] == [
        expected.confidence,
        *(each.confidence for each in expected.alternatives),
    ]
    starts = [token.start_time for token in found[0].tokens]
    assert starts == sorted(starts)
    assert [starts[0], starts[3]] == [word.start for word in expected.words]
    np.testing.assert_allclose(starts, 0.1 * np.arange(len(SPOKEN)), atol=0.1)


def test_a_stream_ends_as_the_whole_was_read(model: Model) -> None:
    audio = np.concatenate([pcm(SPOKEN), pcm(" " * 20), pcm("dbc")])  # a pause ends an utterance
    stream = model.createStream()
    so_far = []
    for start in range(0, len(audio), 333):
        stream.feedAudioContent(audio[start : start + 333])
        so_far.append(stream.intermediateDecode())
    assert so_far[0] == "" and SPOKEN in so_far and so_far[-1] == f"{SPOKEN} dbc"
    assert text_of(stream.intermediateDecodeWithMetadata().transcripts[0]) == so_far[-1]
    (found,) = stream.finishStreamWithMetadata().transcripts
    assert text_of(found) == model.stt(audio) == so_far[-1]
    with pytest.raises(RuntimeError, match="already finished stream"):
        stream.feedAudioContent(audio)
    model.createStream().freeStream()


def test_settings_reach_the_search(every_export: Path) -> None:
    model, audio = Model(every_export / "speech-tones"), pcm("ab")
    model.setBeamWidth(1)
    assert model.beamWidth() == 1 and len(model.sttWithMetadata(audio, 9).transcripts) == 1
    model.setBeamWidth(64)
    assert len(model.sttWithMetadata(audio, 9).transcripts) > 1
    model.setScorerAlphaBeta(0, 0)
    of_the_network = model.sttWithMetadata(audio).transcripts[0].confidence
    model.setScorerAlphaBeta(2, 1)
    assert model.sttWithMetadata(audio).transcripts[0].confidence != of_the_network
    model.disableExternalScorer()
    model.setScorerAlphaBeta(0, 0)
    assert model.sttWithMetadata(audio).transcripts[0].confidence == of_the_network
    model.addHotWord("ab", 3.0)
    recogniser = predictors.load(every_export / "speech-tones")
    recogniser.decoder = recogniser.decoder._replace(beam_width=64, language_model=None, insertion_bonus=0.0)
    preferred = recogniser.transcribe(audio, RATE, hot_words={"ab": 3.0}).confidence
    assert model.sttWithMetadata(audio).transcripts[0].confidence == preferred > of_the_network
    model.eraseHotWord("ab")
    model.addHotWord("cc", 3.0)
    model.clearHotWords()
    assert model.sttWithMetadata(audio).transcripts[0].confidence == of_the_network


def test_what_has_no_counterpart_is_refused_in_words(model: Model, every_export: Path) -> None:
    refused: list[tuple[Any, str]] = [
        (lambda: Model("deepspeech-0.9.3-models.pbmm"), "no model of ours.*unrolled train speech own"),
        (lambda: Model(every_export / "nlp-sentiment"), "does not transcribe"),
        (lambda: model.enableExternalScorer("kenlm.scorer"), "Leave the call out.*--decoding.texts"),
        (lambda: model.createStream().finishStreamWithMetadata(2), "num_results=1.*sttWithMetadata"),
        (lambda: model.setBeamWidth(0), "beam_width: expected at least 1"),
        (lambda: model.setScorerAlphaBeta(-1.0, 0.0), "alpha: expected at least 0"),
        (lambda: model.eraseHotWord("never"), "no hot word.*add it first"),
        (lambda: model.addHotWord("ab", -3.0), "above 0"),
        (lambda: model.addHotWord("xyz", 3.0), "xyz"),
        (lambda: model.stt("a.wav"), "audio_buffer: expected"),
        (lambda: model.createStream().feedAudioContent(b"abc"), "two bytes for each sample.*Received: 3 bytes"),
    ]
    for call, message in refused:
        with pytest.raises((ConfigurationError, SpeechDataError), match=message):
            call()


def test_the_page_for_users_of_deepspeech_runs(
    every_export: Path, every_client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / "speech-own").symlink_to(every_export / "speech-tones")
    soundfile.write(tmp_path / "recording.wav", pcm(SPOKEN), RATE, subtype="PCM_16")
    for block in re.findall(r"```py\n(.*?)```", (DOCS / "deepspeech.md").read_text(), re.DOTALL):
        exec(compile(block, "deepspeech.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == SPOKEN and lines.count(SPOKEN) >= 3
    for path in ("", "/speech-tones", "/v1/models/speech-tones"):
        assert Model(every_client.url + path).stt(pcm(SPOKEN)) == SPOKEN
