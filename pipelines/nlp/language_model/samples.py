"""Texts that a model makes up for its report, beside real ones, and how much they repeat."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from pipelines.nlp.language_model.generation import begin, decode, generate, search
from pipelines.nlp.language_model.model import LanguageModel
from pipelines.nlp.language_model.sampling import Options, SamplingConfiguration
from pipelines.nlp.language_model.text_statistics import Copies, distinct
from pipelines.nlp.subwords import Subwords
from pipelines.nlp.text_files import Document

LENGTH, TEXTS = 150, 20  # subwords, and texts of each kind
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
    model: LanguageModel, subwords: Subwords, documents: Sequence[Document], training: Sequence[Document]
) -> Samples:
    """Makes up texts in several ways, all from the same beginnings, and takes as many real ones of the same length.

    The beginnings are the first 20 subwords of stretches of the documents, evenly spread; only what follows counts.
    """
    copies = Copies(document.text for document in training)
    prompts, real = _stretches(subwords, documents)

    def sample(kind: str, numbers: np.ndarray | tf.Tensor) -> Sample:
        texts = [text.decode() for text in subwords.decode(tf.constant(numbers)).numpy()]
        return Sample(kind, texts[0], [distinct(texts, words) for words in (1, 2, 3)], copies.share(texts))

    @tf.function
    def made_up(prompts: tf.Tensor, options: Options, length: tf.Tensor) -> tf.Tensor:
        rows, prompt = tf.unstack(tf.shape(prompts))
        return generate(model, begin(model, prompts, tf.fill((rows,), prompt)), options, length)

    kinds = [sample(REAL, real)]
    for kind, configuration in KINDS.items():
        numbers = made_up(tf.constant(prompts), Options.of(configuration), tf.constant(configuration.length))
        kinds.append(sample(kind, numbers))
    prompt = decode(subwords, prompts[0])
    best, _ = search(model, subwords, prompt, BEAM_LENGTH)[0]
    return Samples(prompt, kinds, best)


def _stretches(subwords: Subwords, documents: Sequence[Document], prompt: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Beginnings (texts, 20) and what really follows (texts, 150), evenly spread over the documents."""
    text = "".join(document.text for document in documents)
    numbers = subwords.encode(tf.constant([text])).values.numpy()
    room = max(len(numbers) - prompt - LENGTH, 0)
    starts = np.unique(np.linspace(0, room, TEXTS).astype(int))
    return (
        np.stack([numbers[start : start + prompt] for start in starts]),
        np.stack([numbers[start + prompt : start + prompt + LENGTH] for start in starts]),
    )
