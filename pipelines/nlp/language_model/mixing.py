"""Mixes what a network predicts with n-grams of bytes and words, and with what followed the last match, bit by bit.

Each subword is spelled by binary decisions: its bytes, bit by bit, and whether it ends, as far as other subwords are
left. Each part i predicts that the next decision y is 1, and is weighed by its success so far (Mahoney 2005, "Adaptive
weighing of context models for lossless data compression", https://hdl.handle.net/11141/154):

    p = σ(Σ_i w_i s_i),    s_i = ln(p_i / (1 − p_i)),    w_i ← w_i + η s_i (y − p)

Several sets of weights are chosen by what is known, and their outputs are mixed once more in the same way. The network
learns from what it has read (Krause et al. 2018, https://arxiv.org/abs/1709.07432). What is scored has never been
counted, weighed or learned before.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit

from pipelines.nlp.language_model.data import BOUNDARY
from pipelines.nlp.subwords import RESERVED

ORDERS = (1, 2, 3, 4, 5, 6, 8)  # bytes before a decision
MATCHES = (5, 7, 9, 12, 16, 24, 32)  # bytes that a match has at least
LEVELS = np.array([1, 2, 3, 4, 6, 9, 16, 32, 128])  # from which counts are one state
REMEMBERED = 3_000_000  # subwords of the training text, the last ones
BLOCK = 24  # decisions after which the weights change
RATE, FINAL_RATE, MAP_RATE, MATCH_RATE = 0.002, 0.002, 0.02, 0.005
LEAST, BIAS = 0.02, 0.3
LARGEST = 12.0  # log odds
_COUNTS = np.append(0.0, LEVELS * 1.3) + 0.3  # of zeros or ones in a state, about
_START = np.repeat((_COUNTS / (_COUNTS + _COUNTS[:, np.newaxis])).reshape(-1), 3)  # probability of 1 in each state
_BASE, _NODE = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)


class Tree:
    """The binary decisions that spell each subword, in a tree of all of them.

    Attributes:
        counts: the decisions of each subword (size,).

    Args:
        pieces: the subwords as bytes, the reserved ones first. The one that ends a text is spelled, too.

    Example:
        >>> tree = Tree([b"", b"", b"", b"a", b"b", b"ab"])
        >>> odds = tree.log_odds(np.array([5]), np.log([[0, 0.1, 0, 0.2, 0.3, 0.4]], where=[[0, 1, 0, 1, 1, 1]]))
        >>> (1 / (1 + np.exp(-odds))).round(3).tolist()  # goes on; not b but a; goes on
        [0.9, 0.333, 0.667]
    """

    def __init__(self, pieces: Sequence[bytes]) -> None:
        spelled = [BOUNDARY, *range(RESERVED, len(pieces))]
        self.order = np.array(sorted(spelled, key=lambda number: pieces[number]))
        self.pieces = [piece or b"\0" for piece in pieces]  # a zero stands between texts
        strings = [pieces[number] for number in self.order]
        paths = [list(_path(strings, piece)) if number in spelled else [] for number, piece in enumerate(pieces)]
        self.counts = np.array([len(path) for path in paths])
        self._first = np.cumsum(self.counts) - self.counts
        rows = np.array([row for path in paths for row in path], np.int32)
        self.low, self.middle, self.high, self.bit, self.node, self.depth = rows.T

    def decisions(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns for each decision of subwords which of them it belongs to, and its row in the tree, (decisions,)."""
        counts = self.counts[numbers]
        steps = np.repeat(np.arange(len(numbers)), counts)
        return steps, np.arange(len(steps)) + (self._first[numbers] - np.cumsum(counts) + counts)[steps]

    def log_odds(self, numbers: np.ndarray, logits: np.ndarray) -> np.ndarray:
        """Returns the log odds that each decision of subwords is 1 (decisions,).

        Args:
            numbers: the subwords (steps,).
            logits: of all subwords at each step (steps, size).
        """
        logits = logits[:, self.order].astype(np.float64)
        below = np.cumsum(np.exp(logits - logits.max(axis=1, keepdims=True)), axis=1)
        below = np.pad(below, [(0, 0), (1, 0)])  # the probabilities of all subwords before each, unscaled
        steps, rows = self.decisions(numbers)
        low, middle, high = (below[steps, place[rows]] for place in (self.low, self.middle, self.high))
        least = 1e-9 * below[steps, -1]
        return np.clip(np.log((high - middle + least) / (middle - low + least)), -LARGEST, LARGEST)


def _path(strings: Sequence[bytes], piece: bytes) -> Iterator[tuple[int, ...]]:
    """Yields the decisions that spell a subword: the range of sorted strings, where it is cut, which side is taken, the
    node in the byte (0: whether the subword goes on), and the bytes before."""
    low, high = 0, len(strings)
    for depth in range(len(piece) + 1):
        begin = 256 * (depth == 0)  # where a subword begins, the last one has ended
        if strings[low] == piece[:depth]:
            if high - low > 1:
                yield low, low + 1, high, depth < len(piece), begin, depth
            low += 1
        if depth == len(piece):
            return
        node = 1
        for shift in range(7, -1, -1):
            middle = bisect_left(strings, piece[:depth] + bytes([(2 * node + 1 << shift) & 255]), low, high)
            bit = piece[depth] >> shift & 1
            if low < middle < high:
                yield low, middle, high, bit, begin + node, depth
            low, high = (middle, high) if bit else (low, middle)
            node = 2 * node + bit


class Text:
    """Bytes, uint8 (bytes,), with hashes of any stretch of them."""

    def __init__(self, content: np.ndarray) -> None:
        self.places = np.arange(len(content) + 1)
        one, inverse = np.ones(1, np.uint64), np.uint64(pow(int(_BASE), -1, 1 << 64))
        powers = np.cumprod(np.concatenate([one, np.full(len(content), _BASE)]))
        self._inverses = np.cumprod(np.concatenate([one, np.full(len(content), inverse)]))
        self._sums = np.concatenate([[np.uint64(0)], np.cumsum((content + one) * powers[:-1])])
        small = content | 32
        letter = (small >= ord("a")) & (small <= ord("z")) | (content >= 128) | (content == ord("'"))
        behind = self.places[1:]
        self.word = np.maximum.accumulate(np.append(0, np.where(letter, 0, behind)))  # where the current one begins
        self._letter = np.maximum.accumulate(np.append(0, np.where(letter, behind, 0)))  # behind the last one

    def hashes(self, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        """Returns a hash of each stretch (stretches,), uint64."""
        return (self._sums[stop] - self._sums[start]) * self._inverses[start]

    def contexts(self) -> list[np.ndarray]:
        """Returns hashes of what stands before each place: some bytes, the word, and with it those before."""
        found = [self.hashes(np.maximum(self.places - order, 0), self.places) for order in ORDERS]
        starts, ends = [self.word], []
        for _ in range(3):
            ends.append(self._letter[starts[-1]])
            starts.append(self.word[ends[-1]])
        found += [self.hashes(start, self.places) for start in starts]
        word, before, third = found[-4], self.hashes(starts[1], ends[0]), self.hashes(starts[2], ends[1])
        found += [word * _BASE + third, (word * _BASE + before) * _BASE + third]  # the word before left out; signs
        return [each + np.uint64(number) for number, each in enumerate(found)]

    def matches(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns where the longest of MATCHES before each place last occurred, −1: nowhere, and which."""
        place, level = np.full(len(self.places), -1), np.zeros(len(self.places), np.int64)
        for number, length in enumerate(MATCHES, start=1):
            order, same = _grouped(self.hashes(np.maximum(self.places - length, 0), self.places))
            later, earlier = order[1:][same[1:]], order[:-1][same[1:]]
            place[later], level[later] = earlier, number
        return place, level


def _grouped(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns an order that puts equal keys together, as they came, and whether each is equal to that before."""
    bits = np.uint64(max(1, int(len(keys) - 1).bit_length()))
    packed: np.ndarray = (keys * _BASE >> bits << bits) + np.arange(len(keys), dtype=np.uint64)
    packed.sort()  # faster than argsort
    same = np.append(False, packed[1:] >> bits == packed[:-1] >> bits)
    return (packed & ((np.uint64(1) << bits) - np.uint64(1))).astype(np.int64), same


def _history(keys: np.ndarray, bits: np.ndarray, first: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns how often 0 and 1 came before where a decision's key is the same, and which last (2: none), from `first`
    on, (decisions,) each."""
    order, same = _grouped(keys)
    ordered, places = bits[order].astype(np.int32), np.arange(len(keys), dtype=np.int32)
    begin = np.maximum.accumulate(np.where(same, 0, places))
    ones = np.cumsum(ordered, dtype=np.int32) - ordered
    ones -= ones[begin]
    wanted = order >= first
    found = np.empty((3, len(keys) - first), np.int32)
    found[:, order[wanted] - first] = np.stack(
        [places - begin - ones, ones, np.where(same, np.append(0, ordered[:-1]), 2)]
    )[:, wanted]
    return found[0], found[1], found[2]


class _Evidence(NamedTuple):
    """What is known before each decision, apart from the network.

    `states` (decisions, parts) are places in maps, which begin as `maps` (parts, states); `odds` (decisions, contexts)
    are log odds of the counts; `match` is 1 or −1, as the last match predicts, 0: nothing, and `kind` of which kind it
    is; `sets` (decisions, 4) choose the weights, among as many as `sizes`.
    """

    bits: np.ndarray
    states: np.ndarray
    maps: np.ndarray
    odds: np.ndarray
    match: np.ndarray
    kind: np.ndarray
    sets: np.ndarray
    sizes: tuple[int, ...]


def _evidence(tree: Tree, numbers: np.ndarray, known: int) -> _Evidence:
    """Reads subwords, of which the first `known` are training text, and returns what is known before the others."""
    lengths = np.array([len(piece) for piece in tree.pieces])[numbers]
    content = np.frombuffer(b"".join(tree.pieces[number] for number in numbers), np.uint8)
    starts = np.cumsum(lengths) - lengths
    steps, rows = tree.decisions(numbers)
    first = int(tree.counts[numbers[:known]].sum())
    places, bits, text = starts[steps] + tree.depth[rows], tree.bit[rows].astype(np.int8), Text(content)
    nodes = tree.node[rows].astype(np.uint64) * _NODE
    states, maps, odds, seen = [], [], [], np.zeros(len(rows) - first, np.int64)
    for context in text.contexts():
        keys = context[places] + nodes
        for begin in (0, first):  # all text, and the new one alone
            zeros, ones, last = _history(keys[begin:], bits[begin:], first - begin)
            states.append(_state(zeros, ones, last))
            maps.append(_START)
            if not begin:
                odds.append(np.log((ones + LEAST) / (zeros + LEAST)).astype(np.float32))
                seen += zeros + ones > 0
    place, node, before = places[first:], tree.node[rows[first:]], np.append(0, content)
    match, kind = _matched(text, content, starts, place, node)
    sets = np.stack([node, kind, seen, before[place] + 256 * (node % 256 == 0)], axis=1)
    sizes = (512, 2 * len(MATCHES) + 2, len(odds) + 1, 512)
    return _Evidence(bits[first:], np.stack(states, 1), np.stack(maps), np.stack(odds, 1), match, kind, sets, sizes)


def _state(zeros: np.ndarray, ones: np.ndarray, last: np.ndarray) -> np.ndarray:
    level = np.searchsorted(LEVELS, np.arange(LEVELS[-1] + 1), side="right")
    zeros, ones = (level[np.minimum(each, LEVELS[-1])] for each in (zeros, ones))
    return ((zeros * (len(LEVELS) + 1) + ones) * 3 + last).astype(np.int16)


def _matched(
    text: Text, content: np.ndarray, starts: np.ndarray, place: np.ndarray, node: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns what the last match predicts of decisions, 1, −1 or 0: nothing, and its kind, in twos by its length."""
    found, level = (each[place] for each in text.matches())
    ended = np.zeros(len(content) + 1, bool)
    ended[starts] = True
    next_byte, in_byte = np.append(content, 0)[found].astype(np.int64), node % 256
    taken = np.frexp(np.maximum(in_byte, 1))[1] - 1  # bits of the byte
    asks_end = in_byte == 0
    expected = np.where(asks_end, (node >= 256) | ~ended[found], next_byte >> np.maximum(7 - taken, 0) & 1)
    agrees = (found >= 0) & (asks_end | ((next_byte | 256) >> 8 - taken == in_byte))
    return np.where(agrees, 2 * expected - 1, 0), np.where(agrees, 2 * level + asks_end, 0)


def mixed_nats(tree: Tree, training: np.ndarray, numbers: np.ndarray, networks: np.ndarray) -> np.ndarray:
    """Returns negative logarithms of the probabilities of subwords (subwords,), one after the other.

    Args:
        tree: the decisions.
        training: the subwords of the training texts, which are counted, and of which the last 3 million count.
        numbers: the subwords to score. Weights are learned on the way, so the first ones cost more.
        networks: log odds of their decisions, of any number of networks (decisions, networks), as of `Tree.log_odds`.
    """
    known = training[-REMEMBERED:]
    evidence = _evidence(tree, np.concatenate([known, numbers]), len(known))
    steps, _ = tree.decisions(numbers)
    return np.bincount(steps, weights=_mix(evidence, networks), minlength=len(numbers))


def _mix(evidence: _Evidence, networks: np.ndarray) -> np.ndarray:
    """Returns the nats of each decision (decisions,)."""
    maps, parts = evidence.maps.copy(), np.arange(evidence.states.shape[1])
    counts = np.full(maps.shape, 2.0)
    matches, match_counts = np.full(evidence.sizes[1], 0.8), np.zeros(evidence.sizes[1])  # shares of right ones
    width = len(parts) + networks.shape[1] + evidence.odds.shape[1] + 2
    sets = evidence.sets + np.cumsum((0, *evidence.sizes[:-1]))  # (decisions, 4)
    weights = np.zeros((sum(evidence.sizes), width))
    weights[:, : networks.shape[1]] = 1 / max(1, networks.shape[1])
    weights[:, networks.shape[1] : networks.shape[1] + len(parts)] = (0.1 if networks.shape[1] else 1.0) / len(parts)
    final = np.full((evidence.sizes[0], sets.shape[1]), 1 / sets.shape[1])
    nats = np.empty(len(evidence.bits))
    for start in range(0, len(nats), BLOCK):
        block = slice(start, start + BLOCK)
        bit, state, kind = evidence.bits[block].astype(np.float64), evidence.states[block], evidence.kind[block]
        sign, chosen, node = evidence.match[block], sets[block], evidence.sets[block, 0]
        predicted, right = maps[parts, state], matches[kind]
        inputs = [networks[block], logit(predicted), evidence.odds[block], np.full((len(bit), 2), BIAS)]
        stretched = np.clip(np.concatenate(inputs, axis=1), -8, 8)  # (block, width)
        stretched[:, -1] = logit(right) * sign
        each = np.clip(np.einsum("bsi,bi->bs", weights[chosen], stretched), -LARGEST, LARGEST)  # (block, 4)
        together = np.clip((final[node] * each).sum(axis=1), -LARGEST, LARGEST)
        nats[block] = np.logaddexp(0, np.where(bit, -together, together))
        error = bit[:, np.newaxis] - expit(each)
        np.add.at(weights, chosen, RATE * error[:, :, np.newaxis] * stretched[:, np.newaxis])
        np.add.at(final, node, FINAL_RATE * (bit - expit(together))[:, np.newaxis] * each)
        _count(maps, counts, (parts, state), bit[:, np.newaxis], MAP_RATE)
        _count(matches, match_counts, (kind[sign != 0],), ((sign > 0) == (bit > 0))[sign != 0], MATCH_RATE)
    return nats


def _count(shares: np.ndarray, counts: np.ndarray, at: tuple[np.ndarray, ...], bits: np.ndarray, rate: float) -> None:
    """Moves shares to what has come: the mean of all at first, later of the last ones."""
    counts[at] += 1
    moved = shares[at] + (bits - shares[at]) * np.maximum(1 / (counts[at] + 1.5), rate)
    shares[at] = np.clip(moved, 1e-4, 1 - 1e-4)
