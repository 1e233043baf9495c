"""The page that an evaluation of sentiment writes: table, calibration, worst errors, words that decided, curves."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipelines import plots
from pipelines.evaluation import Evaluation
from pipelines.nlp.sentiment.config import SentimentConfiguration
from pipelines.nlp.sentiment.explanation import explain, strongest
from pipelines.nlp.sentiment.model import Classifier
from pipelines.nlp.sentiment.pictures import calibration_picture, rating_picture, words_picture
from pipelines.nlp.sentiment.scoring import Answers, Truth
from pipelines.nlp.sentiment.sources import EMBEDDED, Example
from pipelines.nlp.texts import shortened
from pipelines.report import Code, Picture, Section, Table, evaluation_tables, write_report
from pipelines.runs import Run

WORST, DRAWN, EXPLAINED = 20, 4, 200  # errors in the table, errors whose words are drawn, texts whose words are counted
FEWEST, STRONGEST = 3, 15  # times that a word must be there; words in a table


class Details(NamedTuple):
    """What the page shows beside the table: the examples of the split, the answers of each row, and the classifier."""

    examples: Sequence[Example]
    truth: Truth
    answers: dict[str, Answers]
    classifier: Classifier


def write_sentiment_report(run: Run, evaluation: Evaluation, details: Details) -> None:
    """Writes `report.html` and its plots into the run's folder, for another split than test under names of its own."""
    model, truth = details.answers["model"], details.truth
    configuration = run.read_configuration(SentimentConfiguration)
    calibration = calibration_picture(list(details.answers.items()), truth)
    calibration.savefig(run.folder / evaluation.file_name("calibration.png"), dpi=120)
    results: list[str | Table | Picture | Code] = [
        explained(details, embedded=configuration.data.source.partition("/")[0] == EMBEDDED),
        *evaluation_tables(evaluation),
        Picture(plots.bars(evaluation, "accuracy"), "Accuracy of each row, with its interval."),
    ]
    calibrated: list[str | Table | Picture | Code] = [
        Picture(calibration, "What is said with a confidence of 0.8 should be right in 80 % of all cases."),
    ]
    if model.ratings is not None:
        calibrated.append(Picture(rating_picture(model, truth), "Each point is a text."))
    write_report(
        run,
        f"Sentiment: {run.preset}, {evaluation.split} split",
        [
            Section("Results", results),
            Section("Calibration", calibrated),
            Section("Worst errors", _worst_errors(details)),
            Section("Words that decided", _deciding_words(details)),
            Section("Training", [Picture(plots.learning_curves(run.history()), "Loss and errors after each epoch.")]),
            Section("Configuration", [Code((run.folder / "configuration.json").read_text(encoding="utf-8"))]),
        ],
        evaluation.file_name("report.html"),
    )


def explained(details: Details, embedded: bool) -> str:
    """Says how to read the table; of an embedded set more, which has texts rated 0 and rows of other sets."""
    words = (
        "Accuracy and F1 (the mean over the labels): higher is better. The cross entropy, in nats, and the calibration "
        "error, by how much confidence and accuracy differ, are of rows that give probabilities: lower is better."
    )
    if unlabelled := int((~details.truth.labelled).sum()):
        reason = ", for its rating is exactly 0," * embedded
        words += f" A text without a label{reason} is not scored: {unlabelled} of {len(details.examples)}."
    if embedded:
        words += " Rows with the name of another set are of texts of another kind, of which nothing was learned."
    return words


def _worst_errors(details: Details) -> list[str | Table | Picture | Code]:
    """The errors that were made with the most confidence, and what moved the first of them."""
    answers, truth, labels = details.answers["model"], details.truth, details.classifier.labels
    assert answers.probabilities is not None
    wrong = np.flatnonzero(truth.labelled & (answers.labels != truth.labels))
    if not len(wrong):
        return ["None."]
    confidence = answers.probabilities.max(axis=1)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:WORST]
    rows = [
        [
            details.examples[place].where,
            labels[truth.labels[place]],
            labels[answers.labels[place]],
            f"{confidence[place]:.3f}",
            shortened(details.examples[place].text),
        ]
        for place in worst
    ]
    blocks: list[str | Table | Picture | Code] = [Table(["where", "true", "said", "confidence", "text"], rows)]
    for place in worst[:DRAWN]:
        label = int(answers.labels[place])
        explanation = explain(details.classifier, details.examples[place].text, label)
        description = f"What spoke for “{labels[label]}”, and against it: {shortened(details.examples[place].text)}"
        blocks.append(Picture(words_picture(explanation), description))
    return blocks


def _deciding_words(details: Details) -> list[str | Table | Picture | Code]:
    """The words that raise and lower the last label's log odds most, on average, when they are there."""
    label, examples = len(details.classifier.labels) - 1, details.examples
    chosen = np.linspace(0, len(examples) - 1, min(EXPLAINED, len(examples))).astype(int)
    explanations = [explain(details.classifier, examples[place].text, label) for place in chosen]
    raising, lowering = strongest(explanations, FEWEST, STRONGEST)
    name = details.classifier.labels[label]
    heads = ["word", "log odds", "times"]
    return [
        f"By how much the log odds of “{name}” fall when a word is hidden, on average over {len(chosen)} texts of the "
        f"split; words that are there at least {FEWEST} times.",
        Table(heads, [[word, f"{effect:+.2f}", count] for word, effect, count in raising], f"They speak for “{name}”."),
        Table(heads, [[word, f"{effect:+.2f}", count] for word, effect, count in lowering], "They speak against it."),
    ]
