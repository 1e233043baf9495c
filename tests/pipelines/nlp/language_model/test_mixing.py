"""Mixing: a code of whole texts, which nothing later changes, about as short as that of its best part."""

import numpy as np
import pytest
from scipy.special import log_softmax

from pipelines.nlp.language_model.data import BOUNDARY
from pipelines.nlp.language_model.mixing import Tree, mixed_nats
from pipelines.nlp.subwords import RESERVED

PIECES = (
    [b""] * RESERVED + [bytes([byte]) for byte in range(256)] + [b"th", b"the", b" t", b" the", b"an", b"and", b"he"]
)
SPELLED = np.array([BOUNDARY, *range(RESERVED, len(PIECES))])
TREE = Tree(PIECES)


def _networks(numbers: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Log odds of a network that predicts the same at each step."""
    return TREE.log_odds(numbers, np.broadcast_to(logits, (len(numbers), len(PIECES))))[:, np.newaxis]


def _random(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).choice(SPELLED[1:][-20:], count)


def test_the_decisions_of_a_network_are_its_probabilities() -> None:
    logits = np.random.default_rng(0).normal(size=len(PIECES))
    steps, rows = TREE.decisions(SPELLED)
    signs = np.where(TREE.bit[rows] == 1, 1, -1)
    nats = np.bincount(steps, np.logaddexp(0, -signs * _networks(SPELLED, logits)[:, 0]))
    np.testing.assert_allclose(nats, -log_softmax(logits[SPELLED]), atol=1e-3)  # no probability is 0


def test_the_probabilities_of_all_subwords_sum_to_one() -> None:
    tree = Tree([b""] * RESERVED + [b"a", b"b", b"c", b" a", b"ab", b"abc", b" "])
    random, spelled = np.random.default_rng(0), [BOUNDARY, *range(RESERVED, RESERVED + 7)]
    training, text = random.choice(spelled, 100), random.choice(spelled, 30)
    logits, total = random.normal(size=(31, RESERVED + 7)), 0.0
    for number in spelled:
        numbers = np.append(text, number)
        total += np.exp(-mixed_nats(tree, training, numbers, tree.log_odds(numbers, logits)[:, np.newaxis])[-1])
    assert total == pytest.approx(1, abs=1e-9)


def test_nothing_that_comes_later_changes_what_was_scored() -> None:
    training, one, other = _random(200), _random(300, 1), _random(300, 2)
    other[:200] = one[:200]
    found = [mixed_nats(TREE, training, each, _networks(each, np.zeros(len(PIECES)))) for each in (one, other)]
    np.testing.assert_allclose(found[0][:200], found[1][:200], rtol=1e-9)
    assert not np.allclose(found[0][200:], found[1][200:])


def test_it_is_about_as_good_as_its_best_part() -> None:
    logits = np.full(len(PIECES), -20.0)
    logits[SPELLED[1:][-20:]] = np.linspace(0, 4, 20)
    shares = np.exp(log_softmax(logits))
    random = np.random.default_rng(0)
    drawn = random.choice(len(PIECES), 2000, p=shares / shares.sum())  # the network knows all that can be known
    both = np.concatenate([_networks(drawn, each) for each in (logits, np.zeros(len(PIECES)))], axis=1)
    best = -np.log(shares[drawn])[1000:].mean()
    assert mixed_nats(TREE, drawn[:0], drawn, both)[1000:].mean() < best + 0.15
    successors = random.permutation(20)  # the n-grams do: one of two follows
    chain = [0]
    for bit in random.integers(0, 2, 2000):
        chain.append(int(successors[chain[-1]] + bit) % 20)
    text = SPELLED[1:][-20:][chain]
    nats = mixed_nats(TREE, text[:1000], text[1000:], _networks(text[1000:], logits))
    assert np.log(2) <= nats[500:].mean() < np.log(2) + 0.15


def test_a_copy_is_known_by_its_match(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.nlp.language_model.mixing.ORDERS", (1,))
    random = np.random.default_rng(0)
    text = np.array([RESERVED + byte for byte in random.integers(0x21, 0x41, 800)])  # signs, no words
    twice = np.concatenate([text, text])
    nats = mixed_nats(TREE, text[:0], twice, _networks(twice, np.zeros(len(PIECES))))
    assert nats[900:].mean() < 0.25 * nats[:800].mean()
