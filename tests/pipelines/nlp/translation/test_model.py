"""The network: padding, batch and order change nothing; step by step it answers as at once."""

from itertools import takewhile
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from models.decoding import search_sequences
from pipelines.nlp.subwords import END, PADDING, START, SubwordConfiguration, Subwords
from pipelines.nlp.translation import model
from pipelines.nlp.translation.config import TranslationConfiguration
from pipelines.nlp.translation.model import Translator, build, normalised, source_numbers, target_numbers
from pipelines.nlp.translation.network import SearchConfiguration

SEARCH = SearchConfiguration(beam_width=3, coverage_penalty=0.2)
TEXTS = ["In the beginning", "light", "and there was light, and it was good 😀", "", "   ", "אור ויהי"]
VARIANTS: list[dict[str, Any]] = [
    {},
    {"recurrent": "lstm", "encoder_layers": 1},
    {"decoder_layers": 1},
]


@pytest.fixture(scope="module")
def subwords() -> Subwords:
    return Subwords.learn(TEXTS * 3, SubwordConfiguration(size=300))


def lively(subwords: Subwords, **network: Any) -> Translator:
    """An untrained network with weights of some size."""
    configuration = TranslationConfiguration().replace(network={"units": 12, "attention_units": 7, **network})
    translator = build(configuration, subwords.to_json())
    random = np.random.default_rng(0)
    for weight in translator.trainable_variables:
        weight.assign(random.normal(0, 0.5, weight.shape))
    return translator


@pytest.mark.parametrize("network", VARIANTS)
def test_padding_changes_nothing(subwords: Subwords, network: dict[str, Any]) -> None:
    translator = lively(subwords, **network)
    source, target = source_numbers(subwords, tf.constant(TEXTS[:1])), target_numbers(subwords, tf.constant(TEXTS[1:2]))
    alone = translator(source, target)
    padded = translator(
        tf.pad(source, [[0, 0], [0, 5]], constant_values=PADDING),
        tf.pad(target, [[0, 0], [0, 3]], constant_values=PADDING),
    )
    length = target.shape[1]
    np.testing.assert_allclose(padded.hidden[:, :length], alone.hidden, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(padded.weights[:, :length, : source.shape[1]], alone.weights, rtol=1e-4, atol=1e-6)
    assert not np.any(padded.weights[..., source.shape[1] :])


@pytest.mark.parametrize("network", VARIANTS)
def test_step_by_step_equals_at_once(subwords: Subwords, network: dict[str, Any]) -> None:
    translator = lively(subwords, **network)
    source, target = source_numbers(subwords, tf.constant(TEXTS[:3])), target_numbers(subwords, tf.constant(TEXTS[:3]))
    whole = translator(source, target).hidden
    encoded = translator.encode(source)
    state = encoded.state
    for position in range(target.shape[1]):
        decoded = translator.decode(target[:, position : position + 1], state, encoded)
        state = decoded.state
        counts = target[:, position] != PADDING
        np.testing.assert_allclose(decoded.hidden[:, 0][counts], whole[:, position][counts], rtol=1e-4, atol=1e-5)


def test_words_are_dropped_whole(subwords: Subwords) -> None:
    translator = lively(subwords, word_dropout=0.3)
    numbers = tf.reshape(tf.range(200) % subwords.size, (4, 50))
    whole = translator._embed(translator.source_embedding, numbers, training=False).numpy()
    some = translator._embed(translator.source_embedding, numbers, training=True).numpy()
    dropped = ~some.any(axis=2)
    assert 0.15 < dropped.mean() < 0.45
    np.testing.assert_allclose(some[~dropped], whole[~dropped] / 0.7, rtol=1e-5)


def test_the_future_of_a_target_is_not_seen(subwords: Subwords) -> None:
    translator = lively(subwords)
    source = source_numbers(subwords, tf.constant(TEXTS[:1]))
    target = target_numbers(subwords, tf.constant(TEXTS[2:3])).numpy()
    before = translator(source, target).hidden
    target[:, 5:] = 7
    after = translator(source, target).hidden
    np.testing.assert_array_equal(after[:, :5], before[:, :5])
    assert np.any(np.asarray(after[:, 5:]) != np.asarray(before[:, 5:]))


@pytest.mark.parametrize(("penalty", "members"), [(0.0, 1), (0.3, 1), (0.3, 2)])
def test_a_score_follows_from_probabilities_and_attention(
    subwords: Subwords, penalty: float, members: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    translator, found = lively(subwords, members=members), []
    monkeypatch.setattr(model, "search_sequences", lambda *given: found.append(search_sequences(*given)) or found[0])
    limits = {"maximum_length_ratio": 0.2, "maximum_length_offset": 2}  # so short that nothing covers all
    search = SearchConfiguration(beam_width=4, length_exponent=0.7, coverage_penalty=penalty, **limits)
    scores = translator.translate(tf.constant(TEXTS[:3]), search).score.numpy()
    for text, row, score in zip(TEXTS, found[0].numbers.numpy().tolist(), scores, strict=False):
        numbers = [*takewhile(lambda number: number != END, row), END]
        given = source_numbers(subwords, tf.constant([text])), tf.constant([[START, *numbers[:-1]]])
        decoded = [(member, member(*given)) for member in translator.members()]
        probabilities = np.mean([tf.nn.softmax(member.logits(each.hidden))[0] for member, each in decoded], axis=0)
        probability = np.log(probabilities[range(len(numbers)), numbers]).sum()
        weights = np.mean([each.weights[0] for _, each in decoded], axis=0)
        covered = np.log(np.clip(weights.sum(axis=0), 1e-3, 1)).sum()
        assert covered < -0.1
        assert score == pytest.approx((probability + penalty * covered) / ((5 + len(numbers)) / 6) ** 0.7, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("network", [*VARIANTS, {"members": 2}])
def test_neither_batch_nor_order_changes_a_translation(subwords: Subwords, network: dict[str, Any]) -> None:
    translator = lively(subwords, **network)
    translate = tf.function(
        lambda text: translator.translate(text, SEARCH), input_signature=[tf.TensorSpec([None], tf.string)]
    )
    together, backwards = translate(tf.constant(TEXTS)), translate(tf.constant(TEXTS[::-1]))
    assert backwards.text.numpy()[::-1].tolist() == together.text.numpy().tolist()
    np.testing.assert_allclose(backwards.score[::-1], together.score, rtol=1e-4)
    for text, translation, score in zip(TEXTS, together.text.numpy(), together.score.numpy(), strict=True):
        alone = translate(tf.constant([text]))
        assert alone.text.numpy()[0] == translation
        assert float(alone.score[0]) == pytest.approx(score, rel=1e-4)
    assert together.text.numpy()[3:5].tolist() == [b"", b""] and together.score.numpy()[3:5].tolist() == [0, 0]


def test_one_vocabulary_has_one_embedding(subwords: Subwords) -> None:
    translator = lively(subwords)
    assert translator.source_embedding is translator.target_embedding
    pieces = subwords.to_json()
    apart = build(TranslationConfiguration().replace(network={"units": 12}), pieces, pieces)
    assert apart.source_embedding is not apart.target_embedding


def test_white_space_is_normalised() -> None:
    texts = tf.constant([" a\t b\u00a0\u2003c\n", "", b"caf\xe9"])
    assert [text.decode() for text in normalised(texts).numpy()] == [" a b c", " ", " caf\ufffd"]
