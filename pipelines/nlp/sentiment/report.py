"""The page that an evaluation of sentiment writes: table, calibration, worst errors, deciding words, curves."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipelines.evaluation import Evaluation
from pipelines.nlp.sentiment.config import SentimentConfiguration
from pipelines.nlp.sentiment.explanation import explain, strongest
from pipelines.nlp.sentiment.model import Classifier
from pipelines.nlp.sentiment.pictures import calibration_picture, rating_picture, words_picture
from pipelines.nlp.sentiment.scoring import Answers, Truth
from pipelines.nlp.sentiment.sources import EMBEDDED
from pipelines.nlp.sentiment.splitting import Example
from pipelines.nlp.texts import shortened
from pipelines.report import Code, Picture, Section, Table, write_evaluation
from pipelines.runs import Run

WORST, DRAWN, EXPLAINED = 20, 4, 200  # errors in the table, errors whose words are drawn, texts whose words are counted
MINIMUM_COUNT, STRONGEST = 3, 15  # times that a word must occur; words in a table


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
    calibrated = [Picture(calibration, "Predictions with a confidence of 0.8 should be right in 80 % of all cases.")]
    if model.ratings is not None:
        calibrated.append(Picture(rating_picture(model, truth), "Each point is a text."))
    write_evaluation(
        run,
        evaluation,
        "Sentiment",
        "accuracy",
        explanation(details, embedded=configuration.data.source.partition("/")[0] == EMBEDDED),
        [
            Section("Calibration", calibrated),
            Section("Worst errors", _worst_errors(details)),
            Section("Words that decided", _deciding_words(details)),
        ],
    )


def explanation(details: Details, embedded: bool) -> str:
    """Returns how to read the table.

    Args:
        details: of the evaluation.
        embedded: whether the texts are an embedded set, which has texts rated 0 and rows of other sets.
    """
    words = (
        "Accuracy and F1 (the mean over the labels): higher is better. Cross-entropy, in nats, and calibration error, "
        "the mean gap between confidence and accuracy, exist for rows with probabilities: lower is better."
    )
    if unlabelled := int((~details.truth.labelled).sum()):
        reason = ", because its rating is exactly 0," * embedded
        words += f" A text without a label{reason} is not scored: {unlabelled} of {len(details.examples)}."
    if embedded:
        words += " Rows with the name of another set are out of domain: none of its texts were in the training."
    return words


def _worst_errors(details: Details) -> list[str | Table | Picture | Code]:
    """The errors with the highest confidence, and the words that caused the first of them."""
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
    blocks: list[str | Table | Picture | Code] = [Table(["where", "true", "predicted", "confidence", "text"], rows)]
    for place in worst[:DRAWN]:
        label = int(answers.labels[place])
        effects = explain(details.classifier, details.examples[place].text, label)
        description = f"Words for and against “{labels[label]}”: {shortened(details.examples[place].text)}"
        blocks.append(Picture(words_picture(effects), description))
    return blocks


def _deciding_words(details: Details) -> list[str | Table | Picture | Code]:
    """The words that raise and lower the last label's log odds most on average."""
    label, examples = len(details.classifier.labels) - 1, details.examples
    chosen = np.linspace(0, len(examples) - 1, min(EXPLAINED, len(examples))).astype(int)
    explanations = [explain(details.classifier, examples[place].text, label) for place in chosen]
    raising, lowering = strongest(explanations, MINIMUM_COUNT, STRONGEST)
    name = details.classifier.labels[label]
    heads = ["word", "log odds", "times"]
    return [
        f"By how much the log odds of “{name}” fall when a word is masked, on average over {len(chosen)} texts of the "
        f"split; words that occur at least {MINIMUM_COUNT} times.",
        Table(heads, [[word, f"{effect:+.2f}", count] for word, effect, count in raising], f"Words for “{name}”."),
        Table(heads, [[word, f"{effect:+.2f}", count] for word, effect, count in lowering], f"Words against “{name}”."),
    ]
