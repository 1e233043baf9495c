"""Scores: probabilities sum to one, nothing is left out, and neither windows nor neighbours change them."""

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from pipelines.nlp.language_model.config import LanguageModelConfiguration
from pipelines.nlp.language_model.data import BOUNDARY
from pipelines.nlp.language_model.model import LanguageModel, build, hashed
from pipelines.nlp.language_model.scoring import bits_per_character, score
from pipelines.nlp.subwords import RESERVED, Subwords

Trained = tuple[LanguageModel, Subwords]


def test_probabilities_of_all_texts_sum_to_one(experiment: Callable[..., LanguageModelConfiguration]) -> None:
    """A text of at most two bytes ends, or is the beginning of a longer one: nothing is lost to what is no text."""
    model = build(experiment(), [chr(byte) for byte in range(256)])
    for weight in model.trainable_variables:
        weight.assign(tf.random.stateless_normal(weight.shape, (1, 2)))
    first = score(model, [np.array([number], np.int32) for number in range(RESERVED, RESERVED + 256)])
    nothing = score(model, [np.zeros(0, np.int32)])[0]
    begins = np.exp([-each.nats[0] for each in first])  # (256,)
    assert begins.sum() + np.exp(-nothing.nats[0]) == pytest.approx(1, abs=1e-5)
    second = [score(model, [np.array([RESERVED + 65, number], np.int32)])[0] for number in (RESERVED, RESERVED + 255)]
    assert second[0].nats[0] == pytest.approx(second[1].nats[0]) == pytest.approx(first[65].nats[0], abs=1e-5)
    logits, _ = model(tf.constant([[BOUNDARY, RESERVED + 65]]))
    after = tf.nn.softmax(logits[0, 1]).numpy()
    assert after[RESERVED:].sum() + after[BOUNDARY] == pytest.approx(1, abs=1e-5)
    assert -np.log(after[RESERVED + 255]) == pytest.approx(second[1].nats[1], abs=1e-4)
    assert np.exp(-first[65].nats[1]) == pytest.approx(after[BOUNDARY], abs=1e-5)


@pytest.mark.parametrize("window", [1, 3, 7, 1000])
def test_chunks_and_neighbours_do_not_change_a_score(language_model: Trained, window: int) -> None:
    model, subwords = language_model
    texts = ["", "A file has one reason to change", "🙂 bugs", "and " * 20, "x"]
    documents = [subwords.encode(tf.constant([text])).values.numpy() for text in texts]
    together = score(model, documents, window, with_outputs=True)
    for document, found in zip(documents, together, strict=True):
        alone = score(model, [document], 50, with_outputs=True)[0]
        assert len(found.nats) == len(document) + 1
        np.testing.assert_allclose(found.nats, alone.nats, atol=1e-4)
        np.testing.assert_allclose(found.outputs, alone.outputs, atol=1e-4)


def test_what_comes_later_changes_no_score(language_model: Trained) -> None:
    model, subwords = language_model
    begins = subwords.encode(tf.constant(["A test that cannot fail is "])).values.numpy()
    ends = [subwords.encode(tf.constant([text])).values.numpy() for text in ("a defect", "🙂🙂🙂")]
    found = score(model, [np.concatenate([begins, end]) for end in ends])
    np.testing.assert_allclose(found[0].nats[: len(begins)], found[1].nats[: len(begins)], atol=1e-5)


def test_bits_are_those_of_whole_documents(language_model: Trained) -> None:
    model, subwords = language_model
    text = "House rules – strictly ✓"
    numbers = subwords.encode(tf.constant([text])).values.numpy()
    scored = score(model, [numbers])
    logits, _ = model(tf.constant(np.append(BOUNDARY, numbers)[np.newaxis], tf.int32))
    probabilities = tf.nn.softmax(logits[0]).numpy()
    expected = -np.log2(probabilities[np.arange(len(numbers) + 1), np.append(numbers, BOUNDARY)]).sum()
    assert bits_per_character(scored, len(text)) == pytest.approx(expected / len(text), rel=1e-4)


def test_lengths_keep_what_does_not_count_from_the_state(language_model: Trained) -> None:
    model, _ = language_model
    numbers = tf.constant([[5, 6, 7, 8], [9, 10, 299, 300], [11, 280, 290, 299]])
    _, state = model.outputs(numbers, lengths=tf.constant([4, 2, 0]))
    for row, length in enumerate((4, 2, 0)):
        _, alone = model.outputs(numbers[row : row + 1, :length])
        np.testing.assert_array_equal(state.recent[row], alone.recent[0])
        for layers, alone_layers in zip(state.recurrent, alone.recurrent, strict=True):
            np.testing.assert_allclose(layers[0][row], alone_layers[0][0], atol=1e-5)


def test_contexts_are_told_by_their_last_subwords_alone() -> None:
    history = np.random.default_rng(0).integers(0, 4000, (3, 12))
    for order in (2, 3):
        found = hashed(tf.constant(history, tf.int32), order, 1 << 20).numpy()  # (3, 10)
        assert found.shape == (3, 10) and found.min() >= 0 and found.max() < 1 << 20
        other = history.copy()
        other[:, : 12 - order] = 1  # all before the last ones
        np.testing.assert_array_equal(hashed(tf.constant(other, tf.int32), order, 1 << 20).numpy()[:, -1], found[:, -1])
        other = history.copy()
        other[:, 12 - order] += 1
        assert (hashed(tf.constant(other, tf.int32), order, 1 << 20).numpy()[:, -1] != found[:, -1]).all()
        assert len(np.unique(found)) >= found.size - 1
