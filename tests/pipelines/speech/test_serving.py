"""What a server does with the exported model, in a process that has neither this repository nor Keras."""

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from models.decoding import CharacterLanguageModel
from pipelines.configuration import ConfigurationError
from pipelines.exporting import WarmupRequest, export
from pipelines.runs import Run
from pipelines.served import Served
from pipelines.speech import serving
from pipelines.speech.config import SpeechConfiguration
from pipelines.speech.decoder import Decoder, load_decoder
from pipelines.speech.export import model_card
from pipelines.speech.model import Recogniser, build, load_model

# Answers requests, one after the other.
SERVER = """
import base64

answers = []
for name, inputs in request:
    try:
        if name == "stream":
            state, texts, so_far = ask("initial_state", {"streams": [7] * len(inputs[0])}), [], [""] * len(inputs[0])
            columns, words = list(state), [[] for _ in so_far]

            def hear(answer):
                new = plain({name: answer[name] for name in set(answer) - set(columns)})
                found = zip(*(new[name] for name in ("words", "word_starts", "word_ends", "word_confidences")))
                for place, row in enumerate(found):
                    words[place] += [each for each in zip(*row) if each[0]]
                return new

            for chunk in inputs:
                answer = dict(ask("step", {"audio": chunk, **state}))
                new, state = hear(answer), {name: answer[name] for name in columns}
                so_far = [before + more for before, more in zip(so_far, new["text"])]
                texts.append([settled + more for settled, more in zip(so_far, new["open"])])
            rest = hear(ask("finish", state))
            answers.append({"texts": texts, "confidence": new["confidence"], "words": words, "rest": rest})
        else:
            if "wav" in inputs:
                inputs = {"wav": [base64.b64decode(wav) for wav in inputs["wav"]]}
            answers.append(plain(ask(name, inputs)))
    except tf.errors.InvalidArgumentError as error:
        answers.append({"error": str(error)})
answer = sorted(signatures), answers
"""


def wav_of(audio: np.ndarray, rate: int = 8000, subtype: str = "PCM_16") -> str:
    file = io.BytesIO()
    soundfile.write(file, audio, rate, format="WAV", subtype=subtype)
    return base64.b64encode(file.getvalue()).decode()


def assert_equal_answers(answer: dict[str, Any], expected: dict[str, np.ndarray]) -> None:
    assert answer.keys() == expected.keys()
    for name, value in expected.items():
        if value.dtype == object:
            assert answer[name] == np.char.decode(value.astype(bytes), "utf-8").tolist(), name
        else:
            np.testing.assert_allclose(np.array(answer[name]).reshape(value.shape), value, atol=1e-5, err_msg=name)


@pytest.fixture(scope="module")
def spoken(say: Callable[..., np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Two recordings of different length, of whole 16-bit steps."""
    steps = [np.round(say(text) * 32767).astype(np.int16) for text in ("ab cad", "dbc")]
    return steps[0] / np.float32(32768), steps[1] / np.float32(32768)


def test_exported_equals_in_memory(
    trained_run: Run,
    spoken: tuple[np.ndarray, np.ndarray],
    export_once: Callable[[Run], Path],
    answer_elsewhere: Callable[..., Any],
) -> None:
    model = export_once(trained_run)
    recogniser, decoder = load_model(trained_run), load_decoder(trained_run)
    long, short = spoken
    audio = np.stack([long, np.pad(short, (0, len(long) - len(short)), constant_values=0.9)])
    lengths = [len(long), len(short)]
    hot = {"hot_words": [["cab", ""], ["ab d", "d"]], "hot_word_weights": [[40.0, 0.0], [3.0, 2.0]]}
    names, (both, alone, preferring, from_wav, wrong_rate, no_pcm, nothing) = answer_elsewhere(
        model,
        [
            ("serving_default", {"audio": audio.tolist(), "lengths": lengths}),
            ("serving_default", {"audio": short[np.newaxis].tolist(), "lengths": lengths[1:]}),
            ("hot_words", {"audio": audio.tolist(), "lengths": lengths, **hot}),
            ("wav", {"wav": [wav_of(long), wav_of(short)]}),
            ("wav", {"wav": [wav_of(long), wav_of(short, rate=16000)]}),
            ("wav", {"wav": [wav_of(long, subtype="FLOAT")]}),
            ("serving_default", {"audio": audio.tolist(), "lengths": [0, 159]}),
        ],
        SERVER,
    )
    assert names == ["hot_words", "logits", "serving_default", "wav"]
    served = Served(serving.signatures(recogniser, decoder))
    expected = served("serving_default", audio=audio, lengths=lengths)
    assert expected["text"].tolist() == [b"ab cad", b"dbc"]
    assert_equal_answers(both, expected)
    assert_equal_answers(from_wav, expected)
    assert both["words"] == [["ab", "cad"], ["dbc", ""]]
    np.testing.assert_allclose(both["word_starts"], [[0.0, 0.3], [0.0, 0.0]], atol=0.07)
    np.testing.assert_allclose(both["word_ends"], [[0.2, 0.6], [0.3, 0.0]], atol=0.07)
    read = served("logits", audio=audio, lengths=lengths)
    for place, words in enumerate(({"cab": 40.0}, {"ab d": 3.0, "d": 2.0})):
        rows = read["logits"][place][: read["frames"][place]]
        wanted = decoder(rows, recogniser.alphabet, recogniser.frame_seconds, serving.N_BEST, words)
        texts = [text for text in preferring["n_best"][place] if text]
        assert texts == [each.text for each in wanted if each.text]
    assert preferring["text"][0] != both["text"][0]
    assert alone["text"] == ["dbc"]
    np.testing.assert_allclose(alone["confidence"][0], both["confidence"][1], atol=1e-5)
    assert "Expected 8000 samples a second" in wrong_rate["error"]
    assert "16000" in wrong_rate["error"]
    assert "wav: expected PCM (format 1) of 16 bits" in no_pcm["error"]
    assert "[3 32 1]" in no_pcm["error"]
    assert nothing["text"] == ["", ""]
    assert nothing["words"] == [[], []]


DECODER = Decoder(
    CharacterLanguageModel(3).fit(["ža c", "cc až"], alphabet=(" ", "a", "ž", "c")), 0.3, 0.5, beam_width=6
)


def lively(recurrent: str, layers: int) -> Recogniser:
    """An untrained network of one direction that writes many different characters."""
    configuration = SpeechConfiguration().replace(
        features={"mel_bands": 16},
        network={"recurrent": recurrent, "bidirectional": False, "units": 6, "layers": layers, "filters": 2},
    )
    recogniser = build(configuration, (" ", "a", "ž", "c"))
    random = np.random.default_rng(0)
    for weight in recogniser.output_layer.trainable_variables:
        weight.assign(random.normal(0, 3, weight.shape))
    return recogniser


@pytest.mark.slow
def test_exported_stream_equals_the_whole(tmp_path: Path, answer_elsewhere: Callable[..., Any]) -> None:
    recogniser = lively("lstm", 2)
    known = serving.signatures(recogniser, DECODER)
    signatures = {name: signature.concrete() for name, signature in known.items()}
    served = Served(known)
    chunk = {"audio": np.zeros((1, 320))}
    whole = chunk | {"lengths": [320]}
    warmup = [WarmupRequest(name, whole) for name in ("serving_default", "logits")]
    hot = {"hot_words": [["a"]], "hot_word_weights": [[1.0]]}
    warmup += [WarmupRequest("wav", {"wav": []}), WarmupRequest("hot_words", whole | hot)]
    warmup += [WarmupRequest("initial_state_hot_words", {"streams": [0]} | hot)]
    warmup += [WarmupRequest("initial_state", {"streams": [0]})]
    warmup += [WarmupRequest(name, chunk) for name in ("step", "step_logits")]
    warmup += [WarmupRequest("finish", {})]
    model = export(recogniser, signatures, "stream", "# Card", warmup, tmp_path / "exports")
    frame = recogniser.frame_samples
    assert frame == 320
    random = np.random.default_rng(1)
    audio = random.normal(0, 1, (2, 40 * frame)) * np.exp(random.normal(-2, 2, (2, 40))).repeat(frame, axis=1)
    audio = np.clip(audio, -1, 1).astype(np.float32)
    whole = served("serving_default", audio=audio, lengths=[audio.shape[1]] * 2)
    texts = [text.decode() for text in whole["text"]]
    assert texts[0] != texts[1] and len("".join(texts)) > 8 and len(set("".join(texts))) > 2, texts

    by_one, by_many, at_once = [np.arange(1, 41), np.array([1, 3, 4, 11, 40]), np.array([40])]
    requests: list[tuple[str, Any]] = [
        ("stream", [chunk.tolist() for chunk in np.split(audio, ends[:-1] * frame, axis=1)])
        for ends in (by_one, by_many, at_once)
    ]
    requests += [("stream", [audio[:, :samples].tolist()]) for samples in (0, 100, 500)]
    requests.append(("serving_default", {"audio": audio.tolist(), "lengths": [audio.shape[1]] * 2}))
    names, answers = answer_elsewhere(model, requests, SERVER)
    streaming = ["finish", "initial_state", "initial_state_hot_words", "step", "step_logits"]
    assert names == sorted(["hot_words", "logits", "serving_default", "wav", *streaming])
    for answer, ends in zip(answers[:3], (by_one, by_many, at_once), strict=True):
        assert answer["texts"][-1] == texts
        np.testing.assert_allclose(answer["confidence"], whole["confidence"], atol=1e-5)
        for place, row in enumerate(answer["words"]):
            assert [word for word, *_ in row] == [word.decode() for word in whole["words"][place] if word]
            for column, name in enumerate(("word_starts", "word_ends", "word_confidences"), start=1):
                np.testing.assert_allclose([word[column] for word in row], whole[name][place][: len(row)], atol=1e-4)
        np.testing.assert_allclose(answer["rest"]["n_best_scores"], whole["n_best_scores"], rtol=1e-4)
        for end, text in zip(ends, answer["texts"], strict=True):
            so_far = served("serving_default", audio=audio[:, : end * frame], lengths=[end * frame] * 2)
            assert text == [line.decode() for line in so_far["text"]]
    for answer, samples in zip(answers[3:6], (0, 100, 500), strict=True):
        assert "Expected a chunk of 320 samples, or a multiple" in answer["error"]
        assert str(samples) in answer["error"]
    assert_equal_answers(answers[6], whole)


def test_model_card_says_data_licence_metrics_and_limits(trained_run: Run, corpus: Path, tmp_path: Path) -> None:
    copy = Run.create("speech", "card", trained_run.read_configuration(SpeechConfiguration), tmp_path)
    for name in ("description.json", "model.weights.h5"):
        (copy.folder / name).write_bytes((trained_run.folder / name).read_bytes())
    recogniser = load_model(copy)
    card = model_card(copy, recogniser, DECODER)
    assert "` abcd`" in card
    assert "a beam search that keeps 6 texts" in card and "with the language model" in card
    assert "without a language model" in model_card(copy, recogniser, DECODER._replace(language_model=None))
    assert "8000 samples a second" in card
    assert "the user's own recordings (manifest)" in card
    assert "Not evaluated. Run `unrolled evaluate speech`" in card
    metric = {"value": 0.25, "low": 0.125, "high": 0.5}
    rows = [{"name": name, "metrics": {"cer": metric}} for name in ("model", "greedy")]
    copy.write_json("evaluation.json", {"split": "test", "examples": 6, "rows": rows})
    card = model_card(copy, recogniser, DECODER)
    assert "| model | 0.250 [0.125, 0.500] |" in card
    assert "test split, 6 recordings" in card
    for head in ("## Data and licence", "## Metrics", "## Limits"):
        assert head in card
    configuration = copy.read_configuration(SpeechConfiguration)
    prompts = configuration.replace(data={"source": "telephone_prompts", "pretraining": "one_hour", "path": ""})
    copy.write_text("configuration.json", prompts.to_json())
    card = model_card(copy, recogniser, DECODER)
    assert "CC-BY-SA-3.0" in card
    assert "Synthetic speech was mixed into training, never into validation or test" in card
    assert "flite" in card


@pytest.mark.slow
def test_no_recordings_are_answered_and_what_is_no_audio_is_refused() -> None:
    served = Served(serving.signatures(lively("gru", 1), DECODER))
    assert served("serving_default", audio=np.zeros((0, 800)), lengths=[])["text"].shape == (0,)
    assert served("wav", wav=np.array([], object))["text"].shape == (0,)
    for words in ([["a"], ["c"]], [[""], [""]], np.zeros((2, 0), object)):
        weights = np.ones(np.shape(words))
        hot = served("initial_state_hot_words", streams=[0, 0], hot_words=words, hot_word_weights=weights)
        for name, tensor in hot.items():  # what JSON makes of it is the same
            assert np.array(tensor.tolist(), tensor.dtype).shape == tensor.shape, name
    state = served("initial_state", streams=[])
    assert served("step", audio=np.zeros((0, 320)), **state)["text"].shape == (0,)
    assert served("finish", **state)["n_best"].shape == (0, 5)
    audio = np.random.default_rng(0).normal(0, 0.1, (1, 800)).astype(np.float32)
    for wrong, message in ((np.nan, "finite samples"), (np.inf, "finite samples"), (9000.0, "from -1 to 1. Scale")):
        bad = audio.copy()
        bad[0, 17] = wrong
        with pytest.raises(ConfigurationError, match=message):
            served("serving_default", audio=bad, lengths=[800])
        with pytest.raises(ConfigurationError, match=message):
            served("step", audio=bad[:, :640], **served("initial_state", streams=[0]))
        behind = served("serving_default", audio=bad, lengths=[10])["text"]  # what does not count may be anything
        assert behind.tolist() == [b""]
    for lengths in ([801], [-1], [800, 800]):
        with pytest.raises(ConfigurationError, match="lengths: expected one for each recording"):
            served("serving_default", audio=audio, lengths=lengths)
    spoken = {"audio": audio, "lengths": [800]}
    for words, weights, message in (
        ([["ab"]], [[1.0]], "hot_words: expected words of the characters"),
        ([["a"]], [[0.0]], "hot_word_weights: expected nats above 0"),
        ([["a"]], [[np.nan]], "hot_word_weights: expected nats above 0"),
        ([["a", "c"]], [[1.0]], "hot_words: expected a row for each recording, and a weight"),
        ([["a"], ["c"]], [[1.0], [1.0]], "hot_words: expected a row for each recording, and a weight"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            served("hot_words", **spoken, hot_words=words, hot_word_weights=weights)
        with pytest.raises(ConfigurationError, match=message):
            served("initial_state_hot_words", streams=[0], hot_words=words, hot_word_weights=weights)
    none = served("hot_words", **spoken, hot_words=np.zeros((1, 0), object), hot_word_weights=np.zeros((1, 0)))
    assert none["text"] == served("serving_default", **spoken)["text"]
