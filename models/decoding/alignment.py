"""The best alignment of a known labelling with the frames of a recording, in time linear in its length."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

MARGIN = 400.0
"""A state this far below the best of its frame, in nats, is given up: some 60 characters behind what is being said, or
ahead. A text of the search has no character that costs more than some ten."""


class Word(NamedTuple):
    """A word, with its start and end in seconds and its confidence in [0, 1]."""

    text: str
    start: float
    end: float
    confidence: float


def align(log_probabilities: np.ndarray, labels: Sequence[int], margin: float = MARGIN) -> np.ndarray:
    """Returns the most probable alignment of labels with frames (Viterbi): the state of each frame, (time,).

    State 2 i + 1 is the label i, state 2 i the blank before it. Only the states within `margin` of the best are
    followed, a window that moves along the text: all of them, time × states, would grow with the square of the length.

    Args:
        log_probabilities: (time, labels), at least one frame, label 0 the blank.
        labels: at least one; there is an alignment that is not impossible.
        margin: in nats.
    """
    extended = np.zeros(2 * len(labels) + 1, np.int64)  # blank, label, blank, …, blank
    extended[1::2] = labels
    # A label may follow the label before it without a blank, if different.
    skip = np.full(extended.size, -np.inf)
    skip[3::2] = np.where(extended[3::2] != extended[1:-2:2], 0.0, -np.inf)
    time, states = len(log_probabilities), extended.size

    first, scores = 0, np.array(log_probabilities[0, extended[:2]])  # of the states from `first`, the window
    firsts, steps = [first], [np.zeros(scores.size, np.int8)]  # how many states back the best predecessor of each is
    for at in range(1, time):
        end = min(first + scores.size + 2, states)
        padded = np.full(end - first + 2, -np.inf)
        padded[2 : 2 + scores.size] = scores
        stay, from_one, from_two = padded[2:], padded[1:-1], padded[:-2] + skip[first:end]
        best = np.maximum(stay, from_one)
        back = (from_one > stay).astype(np.int8)
        back[from_two > best] = 2
        scores = np.maximum(best, from_two) + log_probabilities[at, extended[first:end]]
        near = np.flatnonzero(scores >= scores.max() - margin)
        scores, back = scores[near[0] : near[-1] + 1], back[near[0] : near[-1] + 1]
        first += int(near[0])
        firsts.append(first)
        steps.append(back)

    last = [state for state in (states - 2, states - 1) if first <= state < first + scores.size]
    if not any(np.isfinite(scores[state - first]) for state in last):  # the end was given up
        return align(log_probabilities, labels, np.inf if margin > 1e6 else margin * 16)
    path = np.empty(time, np.int64)
    path[-1] = max(reversed(last), key=lambda state: scores[state - first])
    for at in range(time - 1, 0, -1):
        path[at - 1] = path[at] - steps[at][path[at] - firsts[at]]
    return path


def aligned_words(
    log_probabilities: np.ndarray, labelling: str, alphabet: Sequence[str], frame_seconds: float
) -> list[Word]:
    """Returns the words of a labelling at their times in its best alignment."""
    if not labelling.strip(" "):
        return []
    label_of = {character: label for label, character in enumerate(alphabet, start=1)}
    labels = [label_of[character] for character in labelling]
    state_of_frame = align(log_probabilities, labels)  # (time,), never falling
    own_states = np.arange(len(labels)) * 2 + 1
    begins = np.searchsorted(state_of_frame, own_states, "left")  # first frame of each character
    ends = np.searchsorted(state_of_frame, own_states, "right")
    words = []
    start = 0
    for word in labelling.split(" "):
        if word:
            places = range(start, start + len(word))
            certainty = [log_probabilities[begins[at] : ends[at], labels[at]].max() for at in places]
            words.append(
                Word(
                    word,
                    float(begins[places[0]] * frame_seconds),
                    float(ends[places[-1]] * frame_seconds),
                    math.exp(sum(certainty) / len(certainty)),
                )
            )
        start += len(word) + 1
    return words
