"""How many bits a language model needs for documents: whole ones, nothing left out."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from pipelines.nlp.language_model.data import BOUNDARY
from pipelines.nlp.language_model.model import LanguageModel

ROWS = 32  # documents that are read side by side
WINDOW = 256  # subwords that are read at once


class Scored(NamedTuple):
    """The scores of a document.

    Attributes:
        nats: negative logarithms of the probabilities of its subwords and of its end (subwords + 1,), float64.
        outputs: what is compared with the embeddings (subwords + 1, width); None unless asked for.
    """

    nats: np.ndarray
    outputs: np.ndarray | None = None


def score(
    model: LanguageModel, documents: Sequence[np.ndarray], window: int = WINDOW, with_outputs: bool = False
) -> list[Scored]:
    """Returns what each subword of documents, and the end of each, costs after all that came before in it.

    Documents are read side by side, the shorter ones padded behind their end; no score depends on that.
    """
    found: list[Scored] = [Scored(np.zeros(0))] * len(documents)
    order = sorted(range(len(documents)), key=lambda place: len(documents[place]))
    for first in range(0, len(order), ROWS):
        places = order[first : first + ROWS]
        for place, scored in zip(places, _read(model, [documents[place] for place in places], window), strict=True):
            found[place] = scored if with_outputs else scored._replace(outputs=None)
    return found


def bits_per_character(scored: Sequence[Scored], characters: int) -> float:
    """The bits of all documents, by the characters that they have."""
    return float(sum(each.nats.sum() for each in scored) / np.log(2) / characters)


def _read(model: LanguageModel, documents: Sequence[np.ndarray], window: int) -> Iterator[Scored]:
    """Scores documents that are sorted by their lengths; those that have ended leave the batch."""
    ends = np.array([len(document) + 1 for document in documents])
    rows = np.full((len(documents), ends[-1] + 1), BOUNDARY, np.int32)
    for row, document in zip(rows, documents, strict=True):
        row[1 : len(document) + 1] = document
    parts: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in documents]
    state, ended = model.initial_state(len(documents)), 0
    for start in range(0, ends[-1], window):
        still, ended = ended, int(np.searchsorted(ends, start, side="right"))
        state = tf.nest.map_structure(lambda tensor, gone=ended - still: tensor[gone:], state)
        nats, outputs, state = model.read(tf.constant(rows[ended:, start : start + window + 1]), state)
        for row, cost, output in zip(range(ended, len(rows)), nats.numpy(), outputs.numpy(), strict=True):
            parts[row].append((cost[: ends[row] - start], output[: ends[row] - start]))
    for row in parts:
        nats, outputs = (np.concatenate(each) for each in zip(*row, strict=True))
        yield Scored(nats.astype(np.float64), outputs)
