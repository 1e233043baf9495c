"""How many bits a language model needs for documents: whole ones, nothing left out."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from pipelines.nlp.language_model.data import BOUNDARY
from pipelines.nlp.language_model.model import LanguageModel, State

ROWS = 32  # documents that are read side by side
WINDOW = 256  # subwords that are read at once

Read = Callable[[tf.Tensor, State], tuple[tf.Tensor, tf.Tensor, State]]


class Scored(NamedTuple):
    """What a network said of a document.

    Attributes:
        nats: negative logarithms of the probabilities of its subwords and of its end (subwords + 1,), float64.
        outputs: what was compared with the embeddings (subwords + 1, width), if that was asked for.
    """

    nats: np.ndarray
    outputs: np.ndarray | None = None


def score(
    model: LanguageModel, documents: Sequence[np.ndarray], window: int = WINDOW, with_outputs: bool = False
) -> list[Scored]:
    """Returns what each subword of documents, and the end of each, costs after all that came before in it.

    Documents are read side by side, the shorter ones padded behind their end; no score depends on that.

    Args:
        model: the network.
        documents: numbers of subwords, int32 (subwords,) each.
        window: so many subwords are read at once.
        with_outputs: also return the network's outputs.
    """
    found: list[Scored] = [Scored(np.zeros(0))] * len(documents)
    order = sorted(range(len(documents)), key=lambda place: len(documents[place]))
    read = reader(model)
    for first in range(0, len(order), ROWS):
        places = order[first : first + ROWS]
        parts = list(_read_padded(read, model, [documents[place] for place in places], window, with_outputs))
        nats, outputs = (np.concatenate(each, axis=1) for each in zip(*parts, strict=True))
        for row, place in enumerate(places):
            length = len(documents[place]) + 1
            found[place] = Scored(
                nats[row, :length].astype(np.float64), outputs[row, :length] if with_outputs else None
            )
    return found


def reader(model: LanguageModel) -> Read:
    """Returns a compiled function of numbers (batch, time + 1) and a state: nats (batch, time), outputs, new state."""

    @tf.function(reduce_retracing=True)
    def read(numbers: tf.Tensor, state: State) -> tuple[tf.Tensor, tf.Tensor, State]:
        outputs, state = model.outputs(numbers[:, :-1], state)
        return cross_entropy(model.logits(outputs), numbers[:, 1:]), outputs, state

    return read


def cross_entropy(logits: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
    """Negative logarithms of the probabilities (batch, time) that logits (batch, time, size) give to numbers."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(numbers, logits)


def bits_per_character(scored: Sequence[Scored], characters: int) -> float:
    """The bits of all documents, by the characters that they have."""
    return float(sum(each.nats.sum() for each in scored) / np.log(2) / characters)


def _read_padded(
    read: Read, model: LanguageModel, documents: Sequence[np.ndarray], window: int, with_outputs: bool
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    longest = max(map(len, documents))
    rows = np.full((len(documents), longest + 2), BOUNDARY, np.int32)
    for row, document in zip(rows, documents, strict=True):
        row[1 : len(document) + 1] = document
    state = model.initial_state(len(documents))
    for start in range(0, longest + 1, window):
        nats, outputs, state = read(tf.constant(rows[:, start : start + window + 1]), state)
        yield nats.numpy(), outputs.numpy() if with_outputs else np.zeros((len(rows), nats.shape[1], 0), np.float32)
