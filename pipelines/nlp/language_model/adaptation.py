"""A trained model that goes on learning from the text it reads: a neural cache, and dynamic evaluation."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from pipelines.nlp.language_model.data import BOUNDARY
from pipelines.nlp.language_model.model import LanguageModel, State, cross_entropy
from pipelines.nlp.language_model.scoring import Scored

CACHED = 2000  # subwords that a cache remembers
BLOCK = 512  # subwords whose probabilities are found at once
FLATNESSES, SHARES = (0.1, 0.2, 0.4), (0.05, 0.1, 0.15, 0.2, 0.3)
RATES, RETURN = (0.15, 0.3, 0.6), 2e-3
SEGMENT = 64  # subwords after which the weights change

See = Callable[[np.ndarray, np.ndarray], None]


class Cache(NamedTuple):
    """A neural cache: what followed a similar state before is likely to follow again.

        p(w) = (1 − λ) p_model(w) + λ p_cache(w),    p_cache(w) ∝ Σ_i 1[w_i = w] exp(θ y_t · y_i)

    Over the last 2,000 subwords i of the same document (Grave et al. 2017, https://arxiv.org/abs/1612.04426), y being
    the network's outputs.

    Args:
        flatness: θ.
        share: λ.
    """

    flatness: float
    share: float

    def nats(self, numbers: np.ndarray, scored: Scored) -> np.ndarray:
        """Negative logarithms of the probabilities of a document's subwords and of its end, (subwords + 1,)."""
        return mixed(scored.nats, cached(np.append(numbers, BOUNDARY), scored, self.flatness), self.share)

    @classmethod
    def fit(cls, documents: Sequence[np.ndarray], scored: Sequence[Scored]) -> "Cache":
        """Chooses what is best for the validation documents."""
        costs = {}
        for flatness in FLATNESSES:
            found = [
                cached(np.append(numbers, BOUNDARY), each, flatness)
                for numbers, each in zip(documents, scored, strict=True)
            ]
            for share in SHARES:
                pairs = zip(scored, found, strict=True)
                costs[cls(flatness, share)] = sum(mixed(each.nats, seen, share).sum() for each, seen in pairs)
        return min(costs, key=costs.__getitem__)


def cached(targets: np.ndarray, scored: Scored, flatness: float) -> np.ndarray:
    """The probability that a cache gives to each target (subwords + 1,); NaN where it is empty."""
    assert scored.outputs is not None
    outputs, found = scored.outputs, np.full(len(targets), np.nan)
    for start in range(1, len(targets), BLOCK):
        stop, first = min(start + BLOCK, len(targets)), max(0, start - CACHED)
        similarity = flatness * (outputs[start:stop] @ outputs[first:stop].T)  # (block, past)
        step, past = np.arange(start, stop)[:, np.newaxis], np.arange(first, stop)
        similarity[(past >= step) | (past < step - CACHED)] = -np.inf
        weights = np.exp(similarity - similarity.max(axis=1, keepdims=True))
        same = targets[first:stop] == targets[start:stop, np.newaxis]
        found[start:stop] = (weights * same).sum(axis=1) / weights.sum(axis=1)
    return found


def mixed(nats: np.ndarray, seen: np.ndarray, share: float) -> np.ndarray:
    """Negative logarithms of the probabilities of model and cache together."""
    together = (1 - share) * np.exp(-nats) + share * np.nan_to_num(seen)
    return np.where(np.isnan(seen), nats, -np.log(np.maximum(together, 1e-300)))


class DynamicEvaluation:
    """After each 64 subwords the model learns from them, one step, and is drawn back to what it was.

        θ ← θ − η ∇L(θ) + δ (θ_trained − θ)

    Krause et al. 2018, https://arxiv.org/abs/1709.07432, without their scaling by past gradients. What is scored has
    never been learned before; the weights go on from document to document. A row of a table of contexts is drawn back
    when it is looked up again, by as much as all steps since then together: they are nine tenths of the weights, and
    a segment looks up a thousandth of them.

    Args:
        model: a trained network; its weights are restored after each scoring.
    """

    def __init__(self, model: LanguageModel) -> None:
        self.model = model
        self.trained = {weight.path: tf.identity(weight.value) for weight in model.trainable_variables}
        self.steps = tf.Variable(0, trainable=False)
        self.drawn = [tf.Variable(tf.zeros(table.shape[0], tf.int32), trainable=False) for table in model.contexts]
        self.read = tf.function(self._read, reduce_retracing=True, autograph=False)
        self.adapt = tf.function(self._adapt, reduce_retracing=True, autograph=False)

    def nats(self, documents: Sequence[np.ndarray], rate: float, see: See | None = None) -> list[np.ndarray]:
        """Negative logarithms of the probabilities of each document's subwords and of its end.

        Args:
            documents: numbers of subwords, in the order in which they are read.
            rate: η.
            see: takes the numbers of each segment, and what was predicted of them, logits (steps, size).
        """
        with self._restored():
            return [np.concatenate(list(self._segments(numbers, rate, see))) for numbers in documents]

    def fit(self, documents: Sequence[np.ndarray]) -> float:
        """Chooses the rate that is best for the validation documents."""
        costs = {rate: sum(float(nats.sum()) for nats in self.nats(documents, rate)) for rate in RATES}
        return min(costs, key=lambda rate: costs[rate] if math.isfinite(costs[rate]) else math.inf)

    def _segments(self, numbers: np.ndarray, rate: float, see: See | None) -> Iterator[np.ndarray]:
        row = np.concatenate([[BOUNDARY], numbers, [BOUNDARY]]).astype(np.int32)[np.newaxis]
        state = self.model.initial_state(1)
        for start in range(0, row.shape[1] - 1, SEGMENT):
            part = row[:, start : start + SEGMENT + 1]
            if part.shape[1] == SEGMENT + 1:
                nats, logits, state = self.adapt(tf.constant(part), state, tf.constant(rate))
            else:
                nats, logits, state = self.read(tf.constant(part), state)
            if see is not None:
                see(part[0, 1:], logits.numpy()[0])
            yield nats.numpy()[0].astype(np.float64)

    def _read(self, numbers: tf.Tensor, state: State) -> tuple[tf.Tensor, tf.Tensor, State]:
        self._draw_back(numbers, state)
        return self._scored(numbers, state)

    def _draw_back(self, numbers: tf.Tensor, state: State) -> None:
        """Draws the rows of the tables that are looked up back, once for each step since they were looked up last."""
        places = self.model.places(tf.concat([state.recent, numbers[:, :-1]], axis=1))
        for table, drawn, looked_up in zip(self.model.contexts, self.drawn, places, strict=True):
            rows = tf.unique(tf.reshape(looked_up, [-1])).y
            steps = tf.cast(self.steps - tf.gather(drawn, rows), tf.float32)[:, tf.newaxis]
            trained = tf.gather(self.trained[table.path], rows)
            values = trained + (1 - RETURN) ** steps * (tf.gather(table.value, rows) - trained)
            table.value.scatter_update(tf.IndexedSlices(values, rows))
            drawn.scatter_update(tf.IndexedSlices(tf.fill(tf.shape(rows), self.steps), rows))

    def _scored(self, numbers: tf.Tensor, state: State) -> tuple[tf.Tensor, tf.Tensor, State]:
        logits, after = self.model(numbers[:, :-1], state)
        return cross_entropy(logits, numbers[:, 1:]), logits, after

    def _adapt(self, numbers: tf.Tensor, state: State, rate: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, State]:
        weights = self.model.trainable_variables
        self._draw_back(numbers, state)
        with tf.GradientTape() as tape:
            nats, logits, after = self._scored(numbers, state)
            loss = tf.reduce_mean(nats)
        gradients = [_by_row(each) for each in tape.gradient(loss, [weight.value for weight in weights])]
        gradients, _ = tf.clip_by_global_norm(gradients, 1.0)
        for weight, gradient in zip(weights, gradients, strict=True):
            if isinstance(gradient, tf.IndexedSlices):  # this step is one of those that draw the row back later
                change = rate * gradient.values / (1 - RETURN)
                weight.value.scatter_sub(tf.IndexedSlices(change, gradient.indices))
            else:
                drawn_back = weight.value + RETURN * (self.trained[weight.path] - weight.value)
                weight.assign(drawn_back - rate * gradient)
        self.steps.assign_add(1)
        return nats, logits, after

    @contextmanager
    def _restored(self) -> Iterator[None]:
        for count in (self.steps, *self.drawn):
            count.assign(tf.zeros_like(count))
        try:
            yield
        finally:
            for weight in self.model.trainable_variables:
                weight.assign(self.trained[weight.path])


def _by_row(gradient: Any) -> Any:
    """Adds up what a gradient has for the same row of a table."""
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    rows, place = tf.unique(gradient.indices)
    return tf.IndexedSlices(tf.math.unsorted_segment_sum(gradient.values, place, tf.size(rows)), rows)
