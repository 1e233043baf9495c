"""The beam search for sequences: exact where it is wide enough, and each row by itself."""

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf

from models.decoding.sequences import Found, search_sequences

START, END, NUMBERS = 0, 1, 4
MORE = 2, 3  # the numbers that do not end a sequence


def tables(seed: int, rows: int) -> np.ndarray:
    """Log probabilities of what comes after two numbers, for each row: (rows, NUMBERS, NUMBERS, NUMBERS)."""
    logits = np.random.default_rng(seed).normal(0, 2, (rows, NUMBERS, NUMBERS, NUMBERS))
    logits[..., START] = -1e9
    return np.asarray(tf.nn.log_softmax(tf.constant(logits, tf.float32)))


def search(table: np.ndarray, limits: list[int], beam_width: int | tf.Tensor, exponent: float) -> Found:
    """The state is the number before the previous one: a search that mixed up its states would be found out."""
    repeated = np.repeat(table, np.max(beam_width), axis=0)

    def step(previous: tf.Tensor, before: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        row = tf.range(tf.shape(previous)[0])
        return tf.gather_nd(repeated, tf.stack([row, before, previous], axis=1)), previous

    state = tf.zeros((len(table),), tf.int32)
    return search_sequences(step, state, START, END, tf.constant(limits), beam_width, exponent)


def brute_force(table: np.ndarray, limit: int, exponent: float) -> tuple[list[int], float]:
    """The best of all sequences up to a length."""
    return max(all_sequences(table, limit, exponent), key=lambda each: (each[1], each[0]))


def all_sequences(table: np.ndarray, limit: int, exponent: float) -> list[tuple[list[int], float]]:
    """All sequences up to a length, with the score of the definition."""
    scored = []
    for length in range(limit):
        for numbers in itertools.product(MORE, repeat=length):
            seen = (START, START, *numbers, END)
            total = sum(float(table[two[0], two[1], two[2]]) for two in zip(seen, seen[1:], seen[2:], strict=False))
            scored.append((list(numbers), total / ((5 + length + 1) / 6) ** exponent))
    return scored


def test_a_wide_search_finds_the_best_ones_in_their_order() -> None:
    table, limits = tables(seed=3, rows=3), [0, 2, 4]
    repeated = np.repeat(table, 16, axis=0)

    def step(previous: tf.Tensor, before: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        row = tf.range(tf.shape(previous)[0])
        return tf.gather_nd(repeated, tf.stack([row, before, previous], axis=1)), previous

    for number in (6, tf.constant(6)):
        state = tf.zeros((3,), tf.int32)
        found = search_sequences(step, state, START, END, tf.constant(limits), 16, 0.6, number)
        for row, limit in enumerate(limits[1:], start=1):
            expected = [(score, numbers) for numbers, score in all_sequences(table[row], limit, 0.6)]
            expected = sorted(expected, reverse=True)[:6]
            np.testing.assert_allclose(found.score[row, : len(expected)], [each for each, _ in expected], rtol=1e-5)
            sequences = [[each for each in line if each != END] for line in found.numbers[row].numpy().tolist()]
            assert sequences[: len(expected)] == [numbers for _, numbers in expected]
            assert (found.score[row, len(expected) :].numpy() < -1e6).all()  # others hold what is next to impossible
        assert found.score[0, 0] == 0 and np.isneginf(found.score[0, 1:]).all()


def plain(found: Found) -> list[list[int]]:
    return [[number for number in row if number != END] for row in found.numbers.numpy().tolist()]


@pytest.mark.parametrize("compiled", [False, True])
def test_a_width_that_only_the_graph_knows_gives_the_same(compiled: bool) -> None:
    table, limits = tf.constant(tables(seed=4, rows=5)), tf.constant([1, 3, 6, 6, 4])

    def searched(width: int | tf.Tensor) -> Found:
        repeated = tf.repeat(table, width, axis=0)

        def step(previous: tf.Tensor, before: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            row = tf.range(tf.shape(previous)[0])
            return tf.gather_nd(repeated, tf.stack([row, before, previous], axis=1)), previous

        return search_sequences(step, tf.zeros((5,), tf.int32), START, END, limits, width, 0.6)

    by_tensor = tf.function(searched, input_signature=[tf.TensorSpec((), tf.int32)]) if compiled else searched
    for width in (1, 2, 7):
        found, expected = by_tensor(tf.constant(width)), searched(width)
        np.testing.assert_array_equal(found.numbers, expected.numbers)
        np.testing.assert_allclose(found.score, expected.score, rtol=1e-6)
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError), match="beam_width of at least 1"):
        by_tensor(tf.constant(0))


def test_each_row_may_have_a_width_of_its_own() -> None:
    """As if each were searched alone."""
    rows, widths = 6, [1, 2, 3, 1, 5, 2]
    table, limits = tables(seed=4, rows=rows), [3, 4, 5, 6, 6, 6]
    found = search(table, limits, tf.constant(widths), 0.6)
    for row, width in enumerate(widths):
        alone = search(table[row : row + 1], limits[row : row + 1], width, 0.6)
        expected = alone.numbers[0].numpy()
        np.testing.assert_array_equal(found.numbers[row, : len(expected)], expected)
        assert (found.numbers[row, len(expected) :].numpy() == END).all()
        np.testing.assert_allclose(found.score[row], alone.score[0], rtol=1e-6)


@pytest.mark.parametrize("exponent", [0.0, 0.6, 1.0, 2.0])
def test_wide_search_is_exact(exponent: float) -> None:
    table, limits = tables(seed=1, rows=12), [1, 2, 3, 4, 5, 5, 5, 6, 6, 6, 6, 6]
    found = search(table, limits, 2**5, exponent)
    for row, limit in enumerate(limits):
        numbers, score = brute_force(table[row], limit, exponent)
        assert plain(found)[row] == numbers
        assert float(found.score[row]) == pytest.approx(score, rel=1e-5)


@pytest.mark.parametrize("beam_width", [1, 2, 4])
def test_narrow_search_scores_what_it_returns(beam_width: int) -> None:
    table, limits = tables(seed=2, rows=8), [9] * 8
    found = search(table, limits, beam_width, 1.0)
    for row, numbers in enumerate(plain(found)):
        seen = (START, START, *numbers, END)
        total = sum(float(table[row][two]) for two in zip(seen, seen[1:], seen[2:], strict=False))
        assert float(found.score[row]) == pytest.approx(total / ((5 + len(numbers) + 1) / 6), rel=1e-5)
        assert len(numbers) < 9
    wider = search(table, limits, 2**8, 1.0)
    assert np.all(found.score <= wider.score + 1e-6)


def test_one_beam_is_greedy_until_it_ends() -> None:
    table = np.full((1, NUMBERS, NUMBERS, NUMBERS), math.log(1e-6), np.float32)
    table[0, :, :, 2] = math.log(0.9)
    table[0, 2, 2, END] = math.log(0.99)
    assert plain(search(table, [9], 1, 0.0)) == [[2, 2]]


def test_other_rows_never_change_a_row() -> None:
    table, limits = tables(seed=3, rows=6), [2, 9, 4, 7, 1, 12]
    together = search(table, limits, 3, 0.8)
    backwards = search(table[::-1], limits[::-1], 3, 0.8)
    assert plain(backwards)[::-1] == plain(together)
    for row, limit in enumerate(limits):
        alone = search(table[row : row + 1], [limit], 3, 0.8)
        assert plain(alone)[0] == plain(together)[row]
        np.testing.assert_allclose(alone.score[0], together.score[row], rtol=1e-6)


def test_a_graph_takes_any_batch() -> None:
    @tf.function(input_signature=[tf.TensorSpec([None, NUMBERS]), tf.TensorSpec([None], tf.int32)])
    def searched(first: tf.Tensor, limits: tf.Tensor) -> Found:
        repeated = tf.repeat(first, 2, axis=0)
        return search_sequences(lambda _, state: (tf.nn.log_softmax(repeated), state), (), START, END, limits, 2)

    logits = np.random.default_rng(0).normal(0, 1, (3, NUMBERS)).astype("float32")
    for rows in (1, 3):
        assert searched(logits[:rows], [4] * rows).score.shape == (rows,)
    assert searched(logits[:0], tf.zeros((0,), tf.int32)).numbers.shape == (0, 0)


@pytest.mark.parametrize(("beam_width", "exponent"), [(0, 1.0), (2, -0.5)])
def test_settings_out_of_range_are_refused(beam_width: int, exponent: float) -> None:
    with pytest.raises(ValueError, match=r"Received: beam_width="):
        search(tables(0, 1), [3], beam_width, exponent)


def test_a_row_without_room_gets_the_empty_sequence_and_the_others_theirs():
    def step(previous, state):
        return tf.repeat(tf.math.log([[0.1, 0.3, 0.6]]), tf.shape(previous)[0], axis=0), state

    found = search_sequences(step, (), 0, 1, [0, 3], length_exponent=0.0)
    np.testing.assert_array_equal(found.numbers[0], 1)
    np.testing.assert_allclose(tf.exp(found.score), [1, 0.3], rtol=1e-6)


def test_a_row_in_which_nothing_can_end_has_no_score():
    def step(previous, state):
        return tf.repeat(tf.math.log([[0.1, 0.0, 0.9]]), tf.shape(previous)[0], axis=0), state

    np.testing.assert_array_equal(search_sequences(step, (), 0, 1, [2]).score, -np.inf)
