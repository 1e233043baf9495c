"""The most probable continuations of a prompt, which a beam finds by the signatures of a language model."""

from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax

from pipelines.nlp.language_model.data import BOUNDARY
from pipelines.nlp.subwords import PADDING
from pipelines.served import Served


class Candidate(NamedTuple):
    """A continuation that a beam has found.

    Attributes:
        text: what follows the prompt.
        log_probability: in nats.
    """

    text: str
    log_probability: float


def beam_search(served: Served, prompt: str, length: int, beam_width: int) -> list[Candidate]:
    """Returns the most probable continuations that a beam finds, the best first.

    A text that ends stays in the beam. The beam is exact if it is wide enough to hold every text.

    Args:
        served: the signatures.
        prompt: what comes before.
        length: subwords at most.
        beam_width: texts that are kept after each step.
    """
    found = served("prefill", prompt=[prompt])
    texts, scores, ended = [b""], np.zeros(1), np.zeros(1, bool)
    for _ in range(length):
        following = log_softmax(found.pop("logits").astype(np.float64), axis=1)  # (texts, size)
        following[ended] = -np.inf
        following[ended, PADDING] = 0.0  # an ended text has one continuation, which is empty
        candidates = (scores[:, np.newaxis] + following).ravel()
        best = np.argsort(-candidates, kind="stable")[:beam_width]
        best = best[np.isfinite(candidates[best])]
        rows, numbers = np.divmod(best, following.shape[1])
        scores, ended = candidates[best], ended[rows] | (numbers == BOUNDARY)
        found = served("advance", number=numbers, **{name: values[rows] for name, values in found.items()})
        texts = [texts[row] + piece for row, piece in zip(rows, found.pop("piece"), strict=True)]
        if ended.all():
            break
    return [Candidate(text.decode("utf-8", "replace"), float(score)) for text, score in zip(texts, scores, strict=True)]
