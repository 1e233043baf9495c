"""Transcripts of the search in a graph, and streams of it, against the search that reads sequence by sequence."""

from collections.abc import Sequence

import numpy as np
import pytest
import tensorflow as tf

from models.decoding import search_stream
from models.decoding.alignment import align
from models.decoding.beam import beam_decode
from models.decoding.graph_alignment import align_batch
from models.decoding.hot_word_table import HotWordTable
from models.decoding.prefix_search import PrefixSearch
from models.decoding.search_stream import SearchState, advance_search, finish_search, initial_search
from models.decoding.transcription import NO_SCORE, search_decode
from tests.models.decoding.test_prefix_search import ALPHABET, LENGTHS, model_of, random_log_probabilities

HOT_WORDS: tuple[dict[str, float], ...] = (
    {"žo": 3.0, "o žo": 2.0},
    {},
    {"ž": 1.0},
    {"oo": 4.0, "žž o": 3.3, "o": 0.5},
    {"o o": 6.0},
)
FRAMES = max(LENGTHS)


def table_of(rows: Sequence[dict[str, float]]) -> HotWordTable:
    most = max(map(len, rows))
    words = [[*row, *[""] * (most - len(row))] for row in rows]
    weights = [[*row.values(), *[0.0] * (most - len(row))] for row in rows]
    return HotWordTable.of(tf.constant(words), tf.constant(weights), ALPHABET)


@pytest.mark.slow
@pytest.mark.parametrize("rows", [HOT_WORDS, None], ids=["hot words", "none"])
def test_a_batch_is_transcribed_as_each_sequence_alone(rows: tuple[dict[str, float], ...] | None) -> None:
    """Texts, scores, confidence and words, whatever stands behind a sequence."""
    model = model_of(3)
    search = PrefixSearch(ALPHABET, model.back_off_table(), 0.6, 0.2, 16)
    sequences = [random_log_probabilities(place, length) for place, length in enumerate(LENGTHS)]
    padded = np.stack([np.pad(each, ((0, FRAMES - len(each)), (0, 0)), constant_values=7.0) for each in sequences])
    read = tf.function(lambda *given: search_decode(search, *given, 0.04, 3, table_of(rows) if rows else None))
    found, others = read(tf.constant(padded, tf.float32), tf.constant(LENGTHS))
    for place, sequence in enumerate(sequences):
        hot_words = rows[place] if rows else None
        expected = beam_decode(sequence, ALPHABET, 0.04, 16, model, 0.6, 0.2, hypotheses=3, hot_words=hot_words)
        n_best = [text.decode() for text in others.n_best[place].numpy()]
        assert n_best == [each.text for each in expected] + [""] * (3 - len(expected))
        scores = [each.score for each in expected] + [NO_SCORE] * (3 - len(expected))
        np.testing.assert_allclose(others.n_best_scores[place], scores, atol=1e-4)
        assert found.text[place].numpy().decode() == expected[0].text
        assert float(found.confidence[place]) == pytest.approx(expected[0].confidence, abs=1e-5)
        words = expected[0].words
        assert [word.decode() for word in found.words[place].numpy() if word] == [word.text for word in words]
        for column, values in enumerate((found.word_starts, found.word_ends, found.word_confidences), start=1):
            np.testing.assert_allclose(values[place][: len(words)], [word[column] for word in words], atol=1e-5)


@pytest.mark.parametrize("window", [256, 24])
def test_labels_stand_where_the_alignment_of_one_recording_has_them(window: int) -> None:
    """Labellings of many kinds of a batch, the longest of them longer than the window."""
    random = np.random.default_rng(0)
    lengths, labels = np.array([90, 1, 33, 0]), [random.integers(1, 4, count) for count in (40, 1, 5, 0)]
    logits = random.normal(size=(4, 90, 4))
    for row, length, spoken in zip(logits, lengths, labels, strict=True):
        row[np.sort(random.choice(length, len(spoken), replace=False)), spoken] += 6  # as a network says it
    log_probabilities = np.asarray(tf.nn.log_softmax(logits))
    padded = np.stack([np.pad(each, (0, 40 - len(each))) for each in labels])
    found = align_batch(
        tf.constant(log_probabilities), tf.constant(lengths), tf.constant(padded), tf.constant([40, 1, 5, 0]), window
    )
    for place, spoken in enumerate(labels[:3]):
        states = align(log_probabilities[place, : lengths[place]], spoken)
        own = 2 * np.arange(len(spoken)) + 1
        np.testing.assert_array_equal(found.begins[place][: len(spoken)], np.searchsorted(states, own, "left"))
        np.testing.assert_array_equal(found.ends[place][: len(spoken)], np.searchsorted(states, own, "right"))


def test_a_graph_may_know_the_batch_and_not_the_length() -> None:
    """As the graphs of one stream, whose windows have many lengths."""
    rows, labels = random_log_probabilities(1, 20)[np.newaxis], np.array([[1, 2, 1]])
    of_any_length = tf.function(
        lambda rows, lengths, labels: align_batch(rows, lengths, labels, tf.constant([3])),
        input_signature=[
            tf.TensorSpec((1, None, 4), tf.float64),
            tf.TensorSpec((1,), tf.int32),
            tf.TensorSpec((None, None), tf.int32),
        ],
    )
    found = of_any_length(rows, [20], labels)
    states = align(rows[0], labels[0])
    np.testing.assert_array_equal(found.begins[0], np.searchsorted(states, [1, 3, 5], "left"))


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [[1], [7, 4, 19], [60]])
def test_a_stream_says_what_the_whole_says(sizes: list[int]) -> None:
    """In chunks of any size, with hot words and without, words with their times included; what is open is bounded."""
    rows, frames = HOT_WORDS[:2], 60
    search = PrefixSearch(ALPHABET, model_of(3).back_off_table(), 0.6, 0.2, 8)
    logits = np.stack([random_log_probabilities(40 + place, frames, scale=4.0) for place in range(2)])
    whole, others = search_decode(search, tf.constant(logits), tf.constant([frames] * 2), 0.04, 3, table_of(rows))
    state, at, texts, settled = initial_search(search, table_of(rows)), 0, ["", ""], 0
    step = tf.function(lambda state, logits: advance_search(search, state, logits, 0.04), reduce_retracing=True)
    words: list[list] = [[], []]
    while at < frames:
        size = sizes[at % len(sizes)]
        state, heard = step(state, tf.constant(logits[:, at : at + size]))
        for row, found in zip(words, words_of(heard), strict=True):
            row += found
        texts = [before + new.decode() for before, new in zip(texts, heard.text.numpy(), strict=True)]
        settled += sum(map(len, heard.text.numpy())) if at + size < frames else 0
        at += size
    assert [text + more.decode() for text, more in zip(texts, heard.open.numpy(), strict=True)] == [
        text.decode() for text in whole.text.numpy()
    ]
    np.testing.assert_allclose(heard.confidence, whole.confidence, atol=1e-5)
    assert settled or sizes == [60], "something settles on the way"
    assert all(words) or sizes == [60], "and words with it"
    rest, rest_others = finish_search(search, state, 0.04, 3)
    for row, text, end, found, expected in zip(
        words, texts, rest_others.n_best.numpy(), words_of(rest), words_of(whole), strict=True
    ):
        assert [name for name, *_ in row + found] == [name for name, *_ in expected]
        np.testing.assert_allclose([each[1:] for each in row + found], [each[1:] for each in expected], atol=1e-5)
        assert text + end[0].decode() == " ".join(name for name, *_ in expected)
    np.testing.assert_allclose(rest_others.n_best_scores, others.n_best_scores, atol=1e-3)
    np.testing.assert_allclose(rest.confidence, whole.confidence, atol=1e-5)


def words_of(found: tuple) -> list[list[tuple]]:
    """The words of each row with their times and confidence."""
    columns = [each.numpy() for each in (found.words, found.word_starts, found.word_ends, found.word_confidences)]
    return [
        [(word.decode(), *map(float, rest)) for word, *rest in zip(*row, strict=True) if word]
        for row in zip(*columns, strict=True)
    ]


def test_what_never_settles_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two beginnings that stay equally probable for ever: at a length the best one settles, the other is given up."""
    monkeypatch.setattr(search_stream, "MOST_OPEN", 5)
    search = PrefixSearch(("a", "b"), beam_width=2)
    spoken = np.full((1, 60, 3), -9.0, np.float32)
    spoken[0, 0, 1:] = 0.0, -0.1  # "a" or "b"
    spoken[0, 1::2, 0], spoken[0, 2::2, 1] = 0.0, 0.0  # then "a" for ever
    state: SearchState = initial_search(search, HotWordTable.empty(1))
    text = ""
    for at in range(0, 60, 2):
        state, heard = advance_search(search, state, tf.constant(spoken[:, at : at + 2]), 0.04)
        assert state.labels.shape[2] <= 16 and state.window.shape[1] <= 32
        text += heard.text[0].numpy().decode()
    assert text + heard.open[0].numpy().decode() == "a" * 30


@pytest.mark.slow
def test_a_pause_settles_what_was_said() -> None:
    """Though another reading is possible; and however long the pause, the state keeps its size."""
    search = PrefixSearch(("a", "b"), beam_width=2)
    spoken = np.full((1, 100, 3), -9.0, np.float32)
    spoken[0, :, 0] = 0.0
    spoken[0, 4] = spoken[0, 92] = -9.0, 0.0, -0.1  # "a" or "b"
    state = initial_search(search, HotWordTable.empty(1))
    found = []
    for at in range(100):
        state, heard = advance_search(search, state, tf.constant(spoken[:, at : at + 1]), 0.04)
        assert state.window.shape[1] <= 32
        if heard.words.shape[1]:
            found.append((at, heard.text.numpy()[0], words_of(heard)[0][0][:3]))
    assert found == [(24, b"a", ("a", pytest.approx(0.16), pytest.approx(0.2)))]
    rest, others = finish_search(search, state, 0.04, 2)
    assert others.n_best.numpy().tolist() == [[b"a", b"b"]]
    assert words_of(rest)[0][0][:3] == ("a", pytest.approx(3.68), pytest.approx(3.72))
