"""The page that an evaluation of translations writes: table, examples, attention, score by length."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from pipelines import plots
from pipelines.evaluation import Evaluation
from pipelines.nlp.texts import count_words
from pipelines.nlp.translation.pairs import Pair
from pipelines.nlp.translation.predictor import Attention, Predictor
from pipelines.nlp.translation.scoring import metrics, sentence_chrf, tokenizer_of
from pipelines.report import Code, Picture, Section, Table, write_evaluation
from pipelines.runs import Run

EXAMPLES = 4  # of each kind
DRAWN = 3  # attentions
DRAWN_WORDS = range(6, 26)  # of a source whose attention is drawn
PIXELS = 0.17  # inches a subword of a picture
LENGTHS = (0, 10, 20, 30, 40)  # words, where groups of sentences begin


class Details(NamedTuple):
    """What the page shows besides the table."""

    translator: Predictor
    pairs: list[Pair]
    translations: list[str]


def write_translation_report(run: Run, evaluation: Evaluation, details: Details) -> None:
    """Writes `report.html` and its plots into the run's folder, for another split than test under names of its own."""
    references = [pair.target for pair in details.pairs]
    scores = sentence_chrf(references, details.translations)
    drawn: list[str | Table | Picture | Code] = [
        "The weights of the attention: a row for each subword of the translation, a column for each one of the source; "
        "the darker, the larger. A dot is a space."
    ]
    for number, place in enumerate(representative(details.pairs, scores)):
        found = details.translator.attention(details.pairs[place].source, details.translations[place])
        figure = attention_picture(found)
        plots.save(figure, run.folder / evaluation.file_name(f"attention-{number + 1}.png"))
        drawn.append(Picture(figure, f"{details.pairs[place].where}: {details.translations[place]}"))
    columns = {name: [getattr(pair, name) for pair in details.pairs] for name in Pair._fields}
    length = length_picture(*score_by_length(details))
    explained = (
        f"BLEU counts the {units(references)} and phrases that the reference has too, chrF the characters; both are "
        "from 0 to 100, higher is better. A reference is one translation of many that are right."
    )
    sections = [
        Section("Examples", examples(details, scores)),
        Section("Attention", drawn),
        Section("By length", [Picture(length, "BLEU by the length of the source.")]),
    ]
    columns["translation"] = details.translations
    write_evaluation(run, evaluation, "Translation", "bleu", explained, sections, columns)


def units(references: Sequence[str]) -> str:
    """Returns what BLEU counts in texts of their script."""
    characters = {"zh": "Chinese characters", "char": "characters"}
    return characters.get(tokenizer_of(references), "words")


def examples(details: Details, scores: np.ndarray) -> list[str | Table | Picture | Code]:
    """Returns tables of the best, of middling and of the worst translations by chrF."""
    order = np.argsort(-scores, kind="stable")
    middle = max(0, len(order) // 2 - EXAMPLES // 2)
    kinds = {
        "The best": order[:EXAMPLES],
        "In the middle": order[middle : middle + EXAMPLES],
        "The worst": order[-EXAMPLES:],
    }
    return [
        Table(
            ["where", "source", "reference", "translation", "chrF"],
            [[*details.pairs[place], details.translations[place], f"{scores[place]:.1f}"] for place in places],
            f"{name} by chrF.",
        )
        for name, places in kinds.items()
    ]


def representative(pairs: Sequence[Pair], scores: np.ndarray) -> list[int]:
    """Returns the places of a good, a middling and a poor translation, of sentences that a picture has room for."""
    fitting = [place for place, pair in enumerate(pairs) if count_words(pair.source) in DRAWN_WORDS]
    ranked = sorted(fitting or range(len(pairs)), key=lambda place: -scores[place])
    return list(dict.fromkeys(ranked[round(part * (len(ranked) - 1) / (DRAWN + 1))] for part in range(1, DRAWN + 1)))


def score_by_length(details: Details) -> tuple[list[str], list[float], list[int]]:
    """Returns the names of groups of sentences by the words of the source, their BLEU, and how many they are."""
    words = np.array([count_words(pair.source) for pair in details.pairs])
    names, scores, counts = [], [], []
    for first, end in zip(LENGTHS, (*LENGTHS[1:], None), strict=True):
        chosen = np.flatnonzero((words >= first) & (words < (np.inf if end is None else end)))
        if len(chosen):
            texts = [
                [details.pairs[place].target for place in chosen],
                [details.translations[place] for place in chosen],
            ]
            names.append(f"{first} or more" if end is None else f"{first} to {end - 1}")
            scores.append(metrics(*texts)["bleu"].value)
            counts.append(len(chosen))
    return names, scores, counts


def attention_picture(found: Attention) -> Figure:
    """Draws the weights of an attention: a row for each subword written, a column for each one read."""
    rows, columns = found.weights.shape
    figure = Figure(figsize=(1.6 + PIXELS * columns, 1.3 + PIXELS * rows), layout="constrained")
    axes = figure.subplots()
    axes.imshow(found.weights, cmap="Blues", vmin=0, vmax=1, aspect="equal")
    axes.set_xticks(range(columns), _labels(found.source), rotation=90, fontsize=8)
    axes.set_yticks(range(rows), _labels(found.target), fontsize=8)
    axes.xaxis.tick_top()
    return figure


def length_picture(lengths: Sequence[str], scores: Sequence[float], counts: Sequence[int]) -> Figure:
    """Draws the BLEU of groups of sentences, as `score_by_length` returns them."""
    figure = Figure(figsize=(7, 3), layout="constrained")
    axes = figure.subplots()
    axes.bar(np.arange(len(scores)), scores, color=plots.COLOURS[0])
    labels = [f"{length}\n{count} sentences" for length, count in zip(lengths, counts, strict=True)]
    axes.set_xticks(range(len(scores)), labels)
    axes.set_xlabel("words in the source")
    axes.set_ylabel("BLEU")
    axes.grid(alpha=0.3, axis="y")
    return figure


def _labels(pieces: Sequence[str]) -> list[str]:
    """Returns subwords as they can be read, with the space before a word shown, and the end of the text last."""
    return [piece.replace(" ", "·").replace("$", r"\$") for piece in pieces[:-1]] + ["end"]
