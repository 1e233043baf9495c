"""The alignment that follows a window of states against the one that follows all."""

import numpy as np
import pytest

from models.decoding.alignment import align


def viterbi(log_probabilities, labels):
    """The textbook: all states in all frames."""
    extended = [0]
    for label in labels:
        extended += [label, 0]
    scores = np.full((len(log_probabilities), len(extended)), -np.inf)
    scores[0, :2] = log_probabilities[0, extended[:2]]
    for time in range(1, len(scores)):
        for state, label in enumerate(extended):
            before = [scores[time - 1, state]]
            if state >= 1:
                before.append(scores[time - 1, state - 1])
            if state >= 2 and label and label != extended[state - 2]:
                before.append(scores[time - 1, state - 2])
            scores[time, state] = max(before) + log_probabilities[time, label]
    return max(scores[-1, -2:])


def score(path, log_probabilities, labels):
    extended = np.zeros(2 * len(labels) + 1, int)
    extended[1::2] = labels
    steps = np.diff(path)
    assert path[0] in (0, 1) and path[-1] >= len(extended) - 2 and set(steps) <= {0, 1, 2}
    for state in path[1:][steps == 2]:
        assert extended[state] and extended[state] != extended[state - 2]
    return log_probabilities[np.arange(len(path)), extended[path]].sum()


@pytest.mark.parametrize("margin", [1.0, 30.0, 400.0])
@pytest.mark.parametrize("seed", range(6))
def test_the_path_is_allowed_and_the_best_where_the_margin_is_wide(seed, margin):
    random = np.random.default_rng(seed)
    labels = random.integers(1, 4, 12)
    logits = random.normal(scale=3.0, size=(40, 4))
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    found, best = (
        score(align(log_probabilities, labels, margin), log_probabilities, labels),
        viterbi(log_probabilities, labels),
    )
    assert found == pytest.approx(best) if margin > 100 else found < best + 1e-9


def test_a_narrow_window_that_lost_the_end_is_widened():
    """The text ends much later than the window thinks: the last label is all but impossible until the last frame."""
    log_probabilities = np.full((50, 3), -800.0)
    log_probabilities[:, 0] = 0.0
    log_probabilities[-1] = [-800.0, -800.0, 0.0]
    log_probabilities[10] = [-800.0, 0.0, -800.0]
    path = align(log_probabilities, [1, 1, 2])
    assert score(path, log_probabilities, [1, 1, 2]) == viterbi(log_probabilities, [1, 1, 2])


def test_the_window_is_as_wide_for_an_hour_as_for_a_minute(monkeypatch):
    widths = []
    flatnonzero = np.flatnonzero
    monkeypatch.setattr(np, "flatnonzero", lambda scores: widths.append(scores.size) or flatnonzero(scores))
    most = []
    for frames in (1500, 15_000):
        path = np.where(np.arange(frames) % 4 < 2, np.arange(frames) // 4 % 3 + 1, 0)
        logits = 9.0 * np.eye(4)[path]
        log_probabilities = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        labels = np.arange(frames // 4) % 3 + 1
        states = align(log_probabilities, labels)
        assert np.array_equal(states[::4] // 2, np.arange(len(labels)))
        most.append(max(widths))
        widths.clear()
    assert most[1] == most[0] < 400
