"""Texts that a model generates for its report, beside real ones, and how much they repeat themselves and training."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from pipelines.nlp.language_model.network import SamplingConfiguration
from pipelines.nlp.language_model.predictor import Predictor
from pipelines.nlp.subwords import Subwords
from pipelines.nlp.text_files import Document

LENGTH, TEXTS = 150, 20  # subwords, and texts of each kind
COPIED_WORDS = 6  # in a row, that are found in the training text
BEAM_LENGTH = 40  # what a beam finds soon goes round in a circle
KINDS = {
    "temperature 1": SamplingConfiguration(length=LENGTH, temperature=1.0, top_p=1.0),
    "temperature 0.8, top-p 0.95": SamplingConfiguration(length=LENGTH, temperature=0.8, top_p=0.95),
    "temperature 0.5": SamplingConfiguration(length=LENGTH, temperature=0.5, top_p=1.0),
    "temperature 0.8, top-k 40, repetition penalty 1.2": SamplingConfiguration(
        length=LENGTH, temperature=0.8, top_k=40, top_p=1.0, repetition_penalty=1.2
    ),
    "always the most probable subword": SamplingConfiguration(length=LENGTH, temperature=0.0),
}
REAL = "real text of the split"


class Sample(NamedTuple):
    """Texts of one `kind`: the first, the shares of `distinct` stretches of 1, 2 and 3 words, and of `copied` ones."""

    kind: str
    text: str
    distinct: list[float]
    copied: float


class Samples(NamedTuple):
    """What the first text of every kind begins with, all kinds, and the most probable text that a beam finds."""

    prompt: str
    kinds: list[Sample]
    most_probable: str

    def to_json(self) -> dict[str, object]:
        """As plain values."""
        return self._asdict() | {"kinds": [kind._asdict() for kind in self.kinds]}


def make_samples(
    predictor: Predictor, subwords: Subwords, documents: Sequence[Document], training: Sequence[Document]
) -> Samples:
    """Generates texts in several ways, all from the same beginnings, and takes as many real ones of the same length.

    The beginnings are the first 20 subwords of stretches of the documents, evenly spread; only what follows counts.
    """
    copies = Copies(document.text for document in training)
    prompts, real = _stretches(subwords, documents)

    def sample(kind: str, texts: Sequence[str]) -> Sample:
        return Sample(kind, texts[0], [distinct(texts, words) for words in (1, 2, 3)], copies.share(texts))

    kinds = [sample(REAL, real)]
    for kind, sampling in KINDS.items():
        # A seed each: with the same one they would have the same draws.
        seeded = [(prompt, sampling.replace(seed=number)) for number, prompt in enumerate(prompts)]
        kinds.append(sample(kind, [predictor.continuations([prompt], each)[0] for prompt, each in seeded]))
    return Samples(prompts[0], kinds, predictor.most_probable(prompts[0], length=BEAM_LENGTH)[0].text)


def _stretches(subwords: Subwords, documents: Sequence[Document], prompt: int = 20) -> tuple[list[str], list[str]]:
    """Returns beginnings of 20 subwords and the 150 that really follow, evenly spread over the documents."""
    text = "".join(document.text for document in documents)
    numbers = subwords.encode(tf.constant([text])).values.numpy()
    room = max(len(numbers) - prompt - LENGTH, 0)
    starts = np.unique(np.linspace(0, room, TEXTS).astype(int))
    parts = [(numbers[start : start + prompt], numbers[start + prompt :][:LENGTH]) for start in starts]
    prompts, real = (
        [subwords.decode(part[np.newaxis]).numpy()[0].decode() for part in each] for each in zip(*parts, strict=True)
    )
    return prompts, real


def distinct(texts: Sequence[str], words: int) -> float:
    """Returns the share of different ones among all stretches of so many words of each text (distinct-n).

    Li et al. 2016, https://arxiv.org/abs/1510.03055.

    >>> distinct(["the cat and the dog"], 1)
    0.8
    """
    found = [stretch for text in texts for stretch in stretches(text, words)]
    return len(set(found)) / len(found) if found else 1.0


class Copies:
    """Finds what is copied: stretches of six words that stand in the training text, too.

    >>> Copies(["one two three four five six seven"]).share(["two three four five six seven eight"])
    0.5
    """

    def __init__(self, training: Iterable[str], words: int = COPIED_WORDS) -> None:
        self.words = words
        self.known = {hash(stretch) for text in training for stretch in stretches(text, words)}

    def share(self, texts: Sequence[str]) -> float:
        """Returns the share of all stretches of texts that are copied."""
        found = [hash(stretch) in self.known for text in texts for stretch in stretches(text, self.words)]
        return sum(found) / len(found) if found else 0.0


def stretches(text: str, words: int) -> Iterable[tuple[str, ...]]:
    """Yields so many words in a row, at every place of a text."""
    parts = text.split()
    return zip(*(parts[start:] for start in range(words)), strict=False)
