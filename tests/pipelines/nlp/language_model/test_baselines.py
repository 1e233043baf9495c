"""Baselines and adaptation: true bits, of what the model has not learned."""

import lzma
import math

import numpy as np
import pytest
import tensorflow as tf

from models.decoding import CharacterLanguageModel
from pipelines.nlp.language_model import adaptation, baselines
from pipelines.nlp.language_model.adaptation import Cache, DynamicEvaluation, cached, mixed
from pipelines.nlp.language_model.data import BOUNDARY
from pipelines.nlp.language_model.model import LanguageModel, cross_entropy
from pipelines.nlp.language_model.scoring import Scored, score
from pipelines.nlp.subwords import Subwords
from pipelines.nlp.text_files import Document

Trained = tuple[LanguageModel, Subwords]
TRAINING = [Document("a", "the cat sat on the mat. “Oh”, it said. " * 30)]
TEXT = [Document("b", "the mat sat on the cat 🙂. "), Document("c", "“Oh”")]


@pytest.mark.parametrize("name", ["xz", "PPMd", "n-gram", "zpaq"])
def test_every_character_is_counted_and_training_helps(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = baselines.available()
    if name not in found:
        assert f"{name} is left out: it needs" in capsys.readouterr().out
        pytest.skip(f"{name} is not installed")
    baseline = found[name]
    primed = baseline.costs(TRAINING, TEXT)
    assert primed.characters.sum() == sum(len(document.text) for document in TEXT)
    unprimed = baseline.costs([Document("z", "zzz")], TEXT)
    assert 0 < primed.bits.sum() < unprimed.bits.sum()


def test_compressors_are_charged_for_what_they_add() -> None:
    before, text = ("".join(document.text for document in each).encode() for each in (TRAINING, TEXT))
    bits = baselines.xz(TRAINING, TEXT).bits.sum()
    assert bits == 8 * (
        len(lzma.compress(before + text, preset=9 | lzma.PRESET_EXTREME))
        - len(lzma.compress(before, preset=9 | lzma.PRESET_EXTREME))
    )


def test_bytes_of_the_ngram_model_are_a_code() -> None:
    """Its probabilities of all bytes, and of an end, sum to one after any context."""
    signs = [chr(baselines.FIRST_SIGN + byte) for byte in range(256)]
    model = CharacterLanguageModel(4).fit([baselines._signs(TRAINING[0].text)], alphabet=signs)
    for context in ("", "the", "é"):
        found = [model.log_probability(baselines._signs(context), sign) for sign in (*signs, model.END)]
        assert sum(map(math.exp, found)) == pytest.approx(1)
    costs = baselines.ngram(TRAINING, [TEXT[0]], order=4)
    text = baselines._signs(TEXT[0].text)
    expected = -(model.text_log_probability(text) - model.log_probability(text, model.END)) / math.log(2)
    assert costs.bits.sum() == pytest.approx(expected)


def test_cache_is_its_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adaptation, "CACHED", 6)
    monkeypatch.setattr(adaptation, "BLOCK", 4)
    generator = np.random.default_rng(0)
    numbers = generator.integers(3, 6, 19)
    targets = np.append(numbers, BOUNDARY)
    scored = Scored(generator.uniform(0.1, 2, 20), generator.normal(size=(20, 5)).astype(np.float32))
    expected = []
    for step in range(20):
        past = range(max(0, step - 6), step)
        weights = {place: math.exp(0.7 * float(scored.outputs[step] @ scored.outputs[place])) for place in past}
        seen = sum(weight for place, weight in weights.items() if targets[place] == targets[step])
        probability = math.exp(-scored.nats[step])
        expected.append(0.75 * probability + 0.25 * seen / sum(weights.values()) if weights else probability)
    found = Cache(0.7, 0.25).nats(numbers, scored)
    np.testing.assert_allclose(np.exp(-found), expected, rtol=1e-5)


def test_cache_is_a_distribution(language_model: Trained) -> None:
    """What it gives to every subword that may come next sums to one."""
    model, subwords = language_model
    numbers = subwords.encode(tf.constant(["A reader who knows one pipeline"])).values.numpy()
    scored = score(model, [numbers], with_outputs=True)[0]
    last = len(numbers)
    total = 0.0
    for number in range(subwords.size):
        total += np.nan_to_num(cached(np.append(numbers, number), scored, 0.3)[last])
    assert total == pytest.approx(1, abs=1e-5)
    assert mixed(np.array([1.0]), np.array([np.nan]), 0.5)[0] == 1.0


def test_cache_learns_what_a_document_repeats(language_model: Trained) -> None:
    model, subwords = language_model
    document = subwords.encode(tf.constant(["Zebra quux! " * 30])).values.numpy()
    scored = score(model, [document], with_outputs=True)
    cache = Cache.fit([document], scored)
    assert cache.nats(document, scored[0]).sum() < scored[0].nats.sum()


def test_dynamic_evaluation_takes_the_steps_of_its_equation(
    language_model: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here every weight changes in every step; there a row of a table only where it is looked up."""
    monkeypatch.setattr(adaptation, "SEGMENT", 5)
    monkeypatch.setattr(adaptation, "RETURN", 0.2)
    model, subwords = language_model
    document = subwords.encode(tf.constant(["What a run learned from, and 7 other words, is not judged!"])).values
    row = np.concatenate([[BOUNDARY], document.numpy(), [BOUNDARY]]).astype(np.int32)[np.newaxis]
    weights, state, expected = model.trainable_variables, model.initial_state(1), []
    before = [weight.numpy() for weight in weights]
    for start in range(0, row.shape[1] - 1, 5):
        part = row[:, start : start + 6]
        with tf.GradientTape() as tape:
            logits, state = model(part[:, :-1], state)
            nats = cross_entropy(logits, part[:, 1:])
            loss = tf.reduce_mean(nats)
        gradients = tape.gradient(loss, [weight.value for weight in weights])
        gradients, _ = tf.clip_by_global_norm([tf.convert_to_tensor(each) for each in gradients], 1.0)
        for weight, gradient, trained in zip(weights, gradients, before, strict=True):
            weight.assign(weight.value - 0.6 * gradient + 0.2 * (trained - weight.value))
        expected.extend(nats.numpy()[0])
    for weight, trained in zip(weights, before, strict=True):
        weight.assign(trained)
    np.testing.assert_allclose(DynamicEvaluation(model).nats([document.numpy()], 0.6)[0], expected, atol=1e-4)


def test_dynamic_evaluation_learns_after_it_has_scored_and_forgets_it_all(language_model: Trained) -> None:
    model, subwords = language_model
    document = subwords.encode(tf.constant(["Zebra quux! " * 40])).values.numpy()
    before = [weight.numpy() for weight in model.trainable_variables]
    plain = score(model, [document])[0].nats
    dynamic = DynamicEvaluation(model)
    found = dynamic.nats([document, document], 0.3)
    np.testing.assert_allclose(found[0][: adaptation.SEGMENT], plain[: adaptation.SEGMENT], atol=1e-4)
    assert found[0].sum() < plain.sum() and found[1].sum() < found[0].sum()
    assert len(found[0]) == len(document) + 1
    np.testing.assert_allclose(dynamic.nats([document], 0.0)[0], plain, atol=1e-4)
    for weight, old in zip(model.trainable_variables, before, strict=True):
        np.testing.assert_array_equal(weight, old)
    assert dynamic.fit([document]) in adaptation.RATES
