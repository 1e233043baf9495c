"""The page that an evaluation of a language model writes: table, documents, generated texts, learning curves."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from pipelines import plots
from pipelines.evaluation import Evaluation
from pipelines.nlp.language_model.network import SamplingConfiguration
from pipelines.nlp.language_model.predictor import Predictor
from pipelines.nlp.language_model.scoring import Scored
from pipelines.nlp.subwords import Subwords
from pipelines.nlp.text_files import Document
from pipelines.report import Code, Section, Table, write_evaluation
from pipelines.runs import Run

SHOWN = 40  # documents
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


def write_language_report(
    run: Run, evaluation: Evaluation, documents: Sequence[Document], scored: Sequence[Scored], samples: Samples
) -> None:
    """Writes `report.html` and its plots into the run's folder, for another split than test under names of its own."""
    plots.save(plots.bars(evaluation, "bits_per_character"), run.folder / evaluation.file_name("bits.png"))
    plots.save(plots.learning_curves(run.history()), run.folder / "learning_curves.png")
    explained = (
        "Bits that a character of whole documents takes, each after all that came before it in its document; fewer are "
        "better. All rows are scored on the same characters. The compressors and the n-gram model have read the "
        "training text and go on learning (compressors) or not (n-gram)."
    )
    sections = [
        Section("Generated texts", [sample_table(samples.kinds), *sample_texts(samples)]),
        Section("Documents", [document_table(documents, scored)]),
    ]
    write_evaluation(run, evaluation, "Language model", "bits_per_character", explained, sections)


def sample_table(samples: Sequence[Sample]) -> Table:
    """Returns how much generated texts repeat themselves and the training text, beside real text."""
    return Table(
        ["", "distinct words", "distinct pairs", "distinct triples", "copied"],
        [[each.kind, *(f"{share:.3f}" for share in each.distinct), f"{each.copied:.3f}"] for each in samples],
        "Shares: of all stretches of one, two and three words those that differ; of all stretches of "
        f"{COPIED_WORDS} words those that stand in the training text. {TEXTS} texts of {LENGTH} subwords of each kind.",
    )


def sample_texts(samples: Samples) -> list[str | Code]:
    """Returns the first text of each kind, and the most probable one."""
    texts = {
        "all begin with": samples.prompt,
        **{sample.kind: sample.text for sample in samples.kinds},
        "the most probable text, by a beam of 4": samples.most_probable,
    }
    return [block for kind, text in texts.items() for block in (f"{kind[:1].upper()}{kind[1:]}:", Code(text))]


def document_table(documents: Sequence[Document], scored: Sequence[Scored]) -> Table:
    """Returns the documents that take most bits by character."""
    costs = [float(each.nats.sum() / np.log(2)) for each in scored]
    pairs = [(bits / max(len(each.text), 1), each) for bits, each in zip(costs, documents, strict=True)]
    found = sorted(pairs, key=lambda pair: -pair[0])
    rows = [[document.name, str(len(document.text)), f"{bits:.3f}"] for bits, document in found[:SHOWN]]
    caption = "The hardest first." if len(found) <= SHOWN else f"The hardest {SHOWN} of {len(found)}."
    return Table(["document", "characters", "bits a character"], rows, caption)


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
