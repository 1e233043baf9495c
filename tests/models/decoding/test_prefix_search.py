"""The prefix search in a graph, against the one that reads sequence by sequence."""

import numpy as np
import pytest
import tensorflow as tf

from models.decoding.beam import beam_decode
from models.decoding.language_model import CharacterLanguageModel
from models.decoding.prefix_search import PrefixSearch, trace

ALPHABET = ("ž", "o", " ")
LENGTHS = (30, 1, 0, 17, 25)


def random_log_probabilities(seed: int, frames: int, labels: int = 4, scale: float = 2.0) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(scale=scale, size=(frames, labels))
    return np.asarray(tf.nn.log_softmax(tf.constant(logits, tf.float32)), np.float64)


def model_of(order: int) -> CharacterLanguageModel:
    return CharacterLanguageModel(order).fit(["žo ož", "ooo", "ž žo"], [1.0, 0.3, 2.0], alphabet=ALPHABET)


@pytest.mark.parametrize("order", [1, 2, 3, 9])
def test_a_table_knows_what_its_language_model_knows(order: int) -> None:
    model = model_of(order)
    table = model.back_off_table()
    for text in ("", "ž", "žo", "žo o", "ooož", " ", "ooooooooooo"):
        state = tf.constant([table.start])
        for at, character in enumerate([*text, model.END]):
            symbols = [*ALPHABET, model.END]
            places = table.look_up(state, tf.range(4)[tf.newaxis])
            expected = [model.log_probability(text[:at], symbol) for symbol in symbols]
            np.testing.assert_allclose(table.log_probability(state, places)[0], expected, atol=1e-5)
            np.testing.assert_allclose(table.end_log_probability(state), expected[-1:], atol=1e-5)
            state = tf.gather(table.following, places)[:, symbols.index(character)]


@pytest.mark.slow
@pytest.mark.parametrize("width", [1, 2, 5, 16, 32])
@pytest.mark.parametrize("order", [0, 3])
def test_a_batch_reads_as_each_sequence_alone(width: int, order: int) -> None:
    """Texts and scores, with and without a language model, whatever stands behind a sequence."""
    model, wanted = model_of(order) if order else None, min(width, 3)
    search = PrefixSearch(ALPHABET, model and model.back_off_table(), 0.6, 0.2, width)
    rows = [random_log_probabilities(100 * width + place, length) for place, length in enumerate(LENGTHS)]
    padded = np.stack([np.pad(row, ((0, 30 - len(row)), (0, 0)), constant_values=7.0) for row in rows])

    @tf.function
    def read(log_probabilities: tf.Tensor, lengths: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        beams, history = search.advance(search.initial_beams(len(LENGTHS)), log_probabilities, lengths)
        best, which = tf.math.top_k(search.scores(beams)[1], wanted)
        return best, trace(history, which)[1]

    scores, labels = read(tf.constant(padded, tf.float32), tf.constant(LENGTHS))
    for row, score, found in zip(rows, scores.numpy(), labels.numpy(), strict=True):
        expected = beam_decode(
            row,
            ALPHABET,
            0.04,
            width,
            model,
            language_model_weight=0.6,
            insertion_bonus=0.2,
            hypotheses=wanted,
        )
        written = ["".join(ALPHABET[label - 1] for label in line if label) for line in found]
        texts = [" ".join(text.split()) for text in written]
        assert texts[: len(expected)] == [hypothesis.text for hypothesis in expected]
        np.testing.assert_allclose(score[: len(expected)], [hypothesis.score for hypothesis in expected], atol=1e-4)
        assert np.all(np.isneginf(score[len(expected) :]))
