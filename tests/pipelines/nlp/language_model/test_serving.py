"""Export: the same answers in a process that knows neither Keras nor this project; pieces of a text as the whole."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from pipelines.configuration import ConfigurationError
from pipelines.nlp.language_model import serving
from pipelines.nlp.language_model.model import LanguageModel
from pipelines.nlp.language_model.network import SamplingConfiguration
from pipelines.nlp.language_model.predictor import load
from pipelines.nlp.language_model.scoring import score
from pipelines.nlp.subwords import Subwords
from pipelines.runs import Run

Trained = tuple[LanguageModel, Subwords]
TEXTS = ["", "A test that cannot fail is a defect.", "x 🙂👩‍👩‍👧 שלום\n\n", "the the the " * 60]
STREAMED = """
rows, sizes = request["texts"], request["sizes"]
state = ask("initial_state", {"streams": [0] * len(rows)})
total = 0
rows, at = [row.encode() for row in rows], 0
for number, size in enumerate(sizes):
    final = number + 1 == len(sizes)
    pieces = [row[at:] if final else row[at:at + size] for row in rows]
    at += size
    found = dict(signatures["step"](text=tf.constant(pieces), final=tf.constant([final] * len(rows)), **state))
    total += found.pop("log_probability")
    state = found
answer = total.numpy().tolist()
"""


@pytest.fixture
def exported(trained_run: Run, export_once: Callable[[Run], Path]) -> Path:
    return export_once(trained_run)


def expected(language_model: Trained, text: str) -> float:
    """The log probability of a text, without its end."""
    model, subwords = language_model
    numbers = subwords.encode(tf.constant([text])).values.numpy()
    return -float(score(model, [numbers])[0].nats[:-1].sum())


def test_elsewhere_a_text_is_as_probable(
    exported: Path, language_model: Trained, answer_elsewhere: Callable[..., Any]
) -> None:
    found = answer_elsewhere(exported, ("serving_default", {"text": TEXTS}))
    for text, probability, bits in zip(TEXTS, found["log_probability"], found["bits_per_character"], strict=True):
        assert probability == pytest.approx(expected(language_model, text), rel=1e-4, abs=1e-3)
        assert bits == pytest.approx(-probability / np.log(2) / len(text) if text else 0, rel=1e-4)


def test_elsewhere_a_seed_makes_the_same_text(
    exported: Path, trained_run: Run, answer_elsewhere: Callable[..., Any]
) -> None:
    how = SamplingConfiguration(
        length=20, temperature=0.9, top_k=30, top_p=0.9, repetition_penalty=1.2, seed=5, no_repeat_ngram=2
    )
    other = SamplingConfiguration(length=7, temperature=1.1, top_k=0, top_p=1.0, seed=6)
    each = {name: [value, dict(other)[name]] for name, value in how}
    found = answer_elsewhere(exported, ("generate", {"prompt": ["The house", "The"], **each}))
    predictor = load(trained_run)
    pairs = [("The house", how), ("The", other)]
    assert found["text"] == ["".join(predictor.pieces(prompt, sampling)) for prompt, sampling in pairs]


def test_a_served_option_out_of_range_is_named(trained_run: Run) -> None:
    served = load(trained_run)._served
    good = {name: [value] for name, value in SamplingConfiguration(length=3)}
    wrong = {"length": -3, "temperature": np.nan, "top_k": -1, "top_p": 2.0, "repetition_penalty": 0.5, "seed": -1}
    for name, value in (wrong | {"no_repeat_ngram": 17}).items():
        with pytest.raises(ConfigurationError, match=rf"{name}: expected .*Received"):
            served("generate", prompt=["The"], **(good | {name: [value]}))
    assert served("generate", prompt=["The"], **good)["text"]


@pytest.mark.parametrize("sizes", [[1000], [1, 2, 3, 4, 5, 1000], [7] * 40, [3] * 300])
def test_elsewhere_pieces_are_worth_what_the_whole_is(
    exported: Path, language_model: Trained, answer_elsewhere: Callable[..., Any], sizes: list[int]
) -> None:
    """Cut in the midst of words and of characters."""
    found = answer_elsewhere(exported, {"texts": TEXTS, "sizes": sizes}, STREAMED)
    for text, probability in zip(TEXTS, found, strict=True):
        assert probability == pytest.approx(expected(language_model, text), rel=1e-4, abs=1e-3)


def test_text_without_white_space_settles_and_is_worth_what_the_whole_is(language_model: Trained) -> None:
    """What waits for its end is bounded, and no subword differs from those of the whole."""
    model, _ = language_model
    words = ["abc'd", "中文字", "thequickbrown’s", "...---", "1234"]
    texts = [word * (1600 // len(word.encode())) for word in words]
    step = tf.function(lambda text, final, state: serving.stream(model, text, final, state), reduce_retracing=True)
    state, total = serving.initial_state(model, tf.zeros(len(texts), tf.int32)), np.zeros(len(texts))
    for start in range(0, max(map(len, texts)), 100):
        pieces = [text[start : start + 100] for text in texts]
        state = step(tf.constant(pieces), tf.constant([start + 100 >= len(text) for text in texts]), state)
        total += state.pop("log_probability").numpy()
        assert max(map(len, state["state_pending"].numpy())) <= serving.SETTLED_BYTES + 400
    assert total == pytest.approx([expected(language_model, text) for text in texts], rel=1e-4)


def test_a_window_is_no_limit(language_model: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    model, _ = language_model
    whole = serving.probability(model, tf.constant(TEXTS))["log_probability"]
    monkeypatch.setattr(serving, "WINDOW", 5)
    np.testing.assert_allclose(
        serving.probability(model, tf.constant(TEXTS))["log_probability"], whole, rtol=1e-4, atol=1e-3
    )


def test_batch_order_does_not_change_an_answer(language_model: Trained) -> None:
    model, _ = language_model
    found = serving.probability(model, tf.constant(TEXTS))["log_probability"].numpy()
    again = serving.probability(model, tf.constant(TEXTS[::-1]))["log_probability"].numpy()
    np.testing.assert_allclose(found, again[::-1], rtol=1e-5, atol=1e-4)


def test_export_says_what_it_is(exported: Path) -> None:
    card = (exported / "model_card.md").read_text(encoding="utf-8")
    for part in ("preset tiny", "log_probability", "generate", "project.txt", "Not evaluated"):
        assert part in card
    assert (exported / "assets.extra" / "tf_serving_warmup_requests").exists()


@pytest.mark.slow
def test_devices_answer_alike(trained_run: Run, judged_on_devices: Callable[..., Any]) -> None:
    float32, int8, *_ = judged_on_devices(trained_run)
    assert int8.score == pytest.approx(float32.score, rel=0.05)
