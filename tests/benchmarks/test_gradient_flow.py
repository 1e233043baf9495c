"""The command that shows how gradients flow: its problems, its words, and the command itself."""

import json
import math
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import benchmarks.gradient_flow.__main__ as command
from benchmarks.gradient_flow.findings import findings, learned, listed, power, share
from benchmarks.gradient_flow.page import write_page
from benchmarks.gradient_flow.problems import ADDING, COPY, PROBLEMS
from benchmarks.gradient_flow.training import LAYERS, TEST_SEED, Outcome, Reading, train


def drawn(problem, length, rows=2000, number=0):
    inputs, targets = problem.batch(length, rows, tf.constant([1, number]))
    return inputs.numpy(), targets.numpy()


# Problems


def test_adding_marks_one_number_in_each_half():
    inputs, total = drawn(ADDING, 9)
    assert inputs.shape == (2000, 9, 2) and total.shape == (2000, 1)
    marks = inputs[..., 1]
    np.testing.assert_array_equal(marks[:, :4].sum(axis=1), 1)
    np.testing.assert_array_equal(marks[:, 4:].sum(axis=1), 1)
    assert marks.any(axis=0).all(), "every step is marked in some row"
    np.testing.assert_allclose(total[:, 0], [row[row[:, 1] == 1, 0].sum() for row in inputs], rtol=1e-6)


def test_copy_asks_for_the_symbols_in_their_order():
    inputs, targets = drawn(COPY, 7)
    read = inputs.argmax(axis=-1)
    assert inputs.shape == (2000, 27, 10) and np.all(inputs.sum(axis=-1) == 1)
    assert set(np.unique(read[:, :10])) == set(range(1, 9))
    np.testing.assert_array_equal(np.flatnonzero(read[0] == 9), [16])  # ten symbols, six blanks, then the sign
    np.testing.assert_array_equal(read[:, 10:16], 0)
    np.testing.assert_array_equal(targets[:, :-10], 0)
    np.testing.assert_array_equal(targets[:, -10:], read[:, :10])


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
def test_other_steps_draw_other_sequences_and_the_same_step_the_same(problem):
    (inputs, _), (again, _), (test, _) = (drawn(problem, 8, 4, number) for number in (0, 0, TEST_SEED))
    np.testing.assert_array_equal(inputs, again)
    assert np.abs(inputs - test).max() > 0


@pytest.mark.parametrize("length", [5, 50])
def test_naive_losses_and_accuracies_are_those_of_naive_answers(length):
    _, total = drawn(ADDING, length, rows=20_000)
    ones = np.ones_like(total)
    assert float(ADDING.loss()(total, ones)) == pytest.approx(ADDING.naive(length), rel=0.05)
    assert np.mean(ADDING.accuracy(total, ones)) == pytest.approx(ADDING.naive_accuracy, abs=0.01)

    _, symbols = drawn(COPY, length, rows=3000)
    probabilities = np.full((*symbols.shape, 10), 1e-9)
    probabilities[:, :-10, 0] = 1
    probabilities[:, -10:, 1:9] = 1 / 8
    assert float(COPY.loss()(symbols, np.log(probabilities))) == pytest.approx(COPY.naive(length), rel=1e-4)
    guesses = tf.one_hot(np.random.default_rng(1).integers(1, 9, symbols.shape), 10)
    assert np.mean(COPY.accuracy(symbols, guesses)) == pytest.approx(COPY.naive_accuracy, abs=0.01)


def test_who_knows_the_answer_is_right():
    _, total = drawn(ADDING, 5)
    assert np.mean(ADDING.accuracy(total, total + 0.039)) == 1
    assert np.mean(ADDING.accuracy(total, total + 0.041)) == 0
    _, symbols = drawn(COPY, 5)
    assert np.mean(COPY.accuracy(symbols, tf.one_hot(symbols, 10))) == 1


def test_gradients_shown_are_those_of_the_answer():
    _, symbols = drawn(COPY, 5, rows=3)
    weights = COPY.weights(symbols)
    assert weights.shape == symbols.shape
    np.testing.assert_array_equal(weights.sum(axis=0), [0] * 15 + [3] * 10)
    assert ADDING.weights(np.ones((3, 1))) is None


# Training


def test_training_reads_before_the_first_step_and_after_the_last():
    outcome = train(COPY, 6, "MinGRU", steps=3, seed=1)
    assert [reading.step for reading in outcome.readings] == [0, 1, 2, 3]
    for norms in (outcome.start, outcome.end):
        assert len(norms) == 26 and np.all(np.array(norms) > 0)
    assert outcome.start != outcome.end
    assert outcome.readings[0].loss != outcome.readings[-1].loss


# Words


def outcome(layer="GRU", problem="adding", length=50, loss=0.001, accuracy=1.0, start=(0.5, 1.0), end=(0.9, 1.0)):
    readings = [Reading(0, 0.4, 0.1), Reading(10, loss, accuracy)]
    return Outcome(problem, length, layer, 100, 10, 2.0, readings, list(start), list(end))


def test_learned_is_half_of_the_naive_loss():
    assert learned(outcome(loss=0.083)) and not learned(outcome(loss=0.084))
    naive = 10 * math.log(8) / 70
    assert learned(outcome(problem="copy", loss=0.49 * naive)) and not learned(
        outcome(problem="copy", loss=0.51 * naive)
    )
    assert not learned(outcome(loss=math.nan))


def test_words_follow_the_numbers():
    outcomes = [
        outcome("SimpleRNN", loss=0.167, accuracy=0.07, start=[1e-20, 1.0], end=[1e-30, 1.0]),
        outcome("LSTM", accuracy=0.98, start=[1e-9, 1.0], end=[1e-2, 1.0]),
        outcome("GRU", accuracy=0.99),
        outcome("MinGRU", loss=0.2, accuracy=0.05),
    ]
    text = "\n".join(findings(outcomes))
    for expected in (
        "for the naive answer is 0.08",
        "LSTM (0.01, 0.98) and GRU (0.01, 0.99) learned it; SimpleRNN (1.00, 0.07) and MinGRU (1.20, 0.05) did not.",
        "SimpleRNN 1e-20, LSTM 1e-09, GRU 0.5 and MinGRU 0.5",
        "the largest share is that of GRU in 1 of 1; after training, of GRU in 1 of 1.",
        "Of the 2 networks of whose gradient less than 0.001 reached the first step, 1 learned the problem; of the 2 "
        "others, 1.",
        "Learned although the gradient had vanished at the start: LSTM (adding, 50).",
        "Not learned although it had not: MinGRU (adding, 50).",
        "2 of 2 networks that learned their problem, and in 1 of 2 that did not",
    ):
        assert expected in text


def test_words_when_nobody_and_when_everybody_learned():
    assert "At length 50, GRU (6.00, 0.00) did not." in findings([outcome(loss=1, accuracy=0)])[0]
    assert "At length 50, GRU (0.01, 1.00) learned it." in findings([outcome()])[0]


def test_shares_that_are_nothing_are_said_so():
    assert power(share([0.0, 1.0])) == "none (below 1e-38)"
    assert math.isnan(share([0.0, 0.0]))
    assert listed([]) == ""


# Page and command


def test_page_is_one_file_with_all_numbers(tmp_path):
    outcomes = [
        outcome(layer, problem, length, start=[1e-20, 0.0, 1.0])
        for problem in PROBLEMS
        for length in (50, 200)
        for layer in LAYERS
    ]
    path = write_page(tmp_path / "page.html", outcomes, {"seed": 1, "minutes": 14.5}, quick=False)
    text = path.read_text(encoding="utf-8")
    assert text.count("<img") == 4 and 'src="data:image/png' in text and "http" not in text.split("</style>")[1]
    for expected in (*LAYERS, "0.1667", "1e-20", "minutes: 14.5", "gradient-clip-norm", "unit_forget_bias"):
        assert expected in text
    assert "quick look" not in text


@pytest.mark.slow
def test_command_writes_page_and_numbers_and_says_what_is_next(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["gradient_flow", "--quick", "--output", str(tmp_path / "flow")])
    monkeypatch.setattr(command, "LAYERS", {"MinGRU": LAYERS["MinGRU"]})
    command.main()
    captured = capsys.readouterr()
    assert "copy 12 MinGRU: loss" in captured.err
    assert "Trained 2 networks" in captured.out and 'ARGS="--seed 2' in captured.out
    numbers = json.loads((tmp_path / "flow" / "gradient_flow.json").read_text())
    assert numbers["settings"]["seed"] == 1 and len(numbers["outcomes"]) == 2
    assert "the numbers mean nothing" in (tmp_path / "flow" / "gradient_flow.html").read_text()


def test_effort_is_positive(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["gradient_flow", "--effort", "0", "--output", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"positive number.* Received: 0"):
        command.main()


def test_remedies_named_on_the_page_exist():
    from benchmarks.gradient_flow.page import REMEDIES
    from models import LSTM, MinGRU, SimpleRNN, Stack
    from pipelines.optimization import TrainingConfiguration

    named = " ".join(here for _, _, here in REMEDIES)
    assert LSTM(1).unit_forget_bias and "unit_forget_bias=True" in named
    assert TrainingConfiguration().gradient_clip_norm == 1.0 and "gradient-clip-norm 1.0, the default" in named
    for layer in (SimpleRNN, LSTM):
        assert isinstance(layer(1).recurrent_initializer, keras.initializers.Orthogonal)
    SimpleRNN(2, activation="relu", recurrent_initializer="identity")
    MinGRU(2, bias_initializer="ones")
    Stack("lstm", 2, depth=4, residual=True, normalization="layer")
