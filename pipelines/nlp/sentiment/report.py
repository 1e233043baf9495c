"""The page that an evaluation of sentiment writes: table, calibration, worst errors, deciding words, curves."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from pipelines.evaluation import Evaluation
from pipelines.nlp.sentiment.config import SentimentConfiguration
from pipelines.nlp.sentiment.explanation import Explanation, explain, strongest
from pipelines.nlp.sentiment.model import Classifier
from pipelines.nlp.sentiment.scoring import BINS, Answers, Truth
from pipelines.nlp.sentiment.sources import EMBEDDED
from pipelines.nlp.sentiment.splitting import Example
from pipelines.nlp.texts import shortened
from pipelines.plots import COLOURS
from pipelines.report import Code, Picture, Section, Table, write_evaluation
from pipelines.runs import Run

WORST, DRAWN, EXPLAINED = 20, 4, 200  # errors in the table, errors whose words are drawn, texts whose words are counted
SHOWN_WORDS = 30  # of a text in a picture
CONFUSED = 20  # labels in the table of confusions
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
    sections = []
    if model.labels is not None:
        blocks: list[str | Table | Picture | Code] = [labels_table(details)]
        if not details.classifier.multiple:
            blocks.append(confusion_table(details))
            calibration = calibration_picture(list(details.answers.items()), truth)
            calibration.savefig(run.folder / evaluation.file_name("calibration.png"), dpi=120)
            text = "Predictions with a confidence of 0.8 should be right in 80 % of all cases."
            sections.append(Section("Calibration", [Picture(calibration, text)]))
        sections.append(Section("Labels", blocks))
    if model.ratings is not None:
        sections.append(Section("Ratings", [Picture(rating_picture(model, truth), "Each point is a text.")]))
    write_evaluation(
        run,
        evaluation,
        "Sentiment",
        next(iter(evaluation.rows[0].metrics)),
        explanation(details, embedded=configuration.data.source.partition("/")[0] == EMBEDDED),
        [
            *sections,
            Section("Worst errors", _worst_errors(details)),
            Section("Words that decided", _deciding_words(details)),
        ],
    )


def explanation(details: Details, embedded: bool) -> str:
    """Returns how to read the table."""
    classifier = details.classifier
    words = (
        "Accuracy and F1 (the mean over the labels): higher is better. Cross-entropy, in nats, and calibration error, "
        "the mean gap between confidence and accuracy, exist for rows with probabilities: lower is better."
    )
    if classifier.multiple:
        words = (
            "Each text may have several labels. Micro F1 counts all decisions together, macro F1 is the mean over the "
            "labels, exact accuracy the share of texts all of whose labels are right: higher is better. A label is "
            "predicted from a threshold of its probability on, which was chosen on the validation split."
        )
    if not classifier.labels:
        return "The errors of the rating, their mean (MAE) and the root of their mean square (RMSE): lower is better."
    if unlabelled := int((~details.truth.labelled).sum()):
        reason = ", because its rating is exactly 0," * embedded
        words += f" A text without a label{reason} is not scored: {unlabelled} of {len(details.examples)}."
    if embedded:
        words += " Rows with the name of another set are out of domain: none of its texts were in the training."
    return words


def labels_table(details: Details) -> Table:
    """Returns a table of the model's precision, recall and F1 of each label."""
    classifier, truth, known = details.classifier, details.truth, details.truth.labelled
    true, predicted = truth.labels[known], details.answers["model"].labels
    assert predicted is not None
    predicted = predicted[known]
    if not classifier.multiple:
        true, predicted = (np.eye(len(classifier.labels), dtype=int)[each] for each in (true, predicted))
    right, held, given = (true * predicted).sum(axis=0), true.sum(axis=0), predicted.sum(axis=0)
    columns = [held, given, right / np.maximum(given, 1), right / np.maximum(held, 1)]
    columns.append(2 * right / np.maximum(held + given, 1))
    heads = ["label", "texts", "predicted", "precision", "recall", "F1"]
    if classifier.multiple:
        columns.append(classifier.thresholds.numpy())
        heads.append("threshold")
    rows = [
        [label, str(int(column[0])), str(int(column[1])), *(f"{value:.3f}" for value in column[2:])]
        for label, column in zip(classifier.labels, np.stack(columns, axis=1), strict=True)
    ]
    return Table(heads, rows, "Each label of the model.")


def confusion_table(details: Details) -> Table:
    """Returns a table of how often each label was predicted where another, or itself, is true."""
    labels, truth, known = details.classifier.labels, details.truth, details.truth.labelled
    predicted = details.answers["model"].labels
    assert predicted is not None
    counts = np.zeros((len(labels), len(labels)), int)
    np.add.at(counts, (truth.labels[known], predicted[known]), 1)
    kept = np.argsort(-counts.sum(axis=1), kind="stable")[:CONFUSED]
    kept = np.sort(kept)
    rows = [[labels[row], *(str(counts[row, column]) for column in kept)] for row in kept]
    more = f" The {CONFUSED} commonest of {len(labels)} labels." * (len(labels) > CONFUSED)
    return Table(
        ["true", *(labels[column] for column in kept)], rows, f"How often each label, a column, was predicted.{more}"
    )


def _worst_errors(details: Details) -> list[str | Table | Picture | Code]:
    """The errors with the highest confidence, or the largest, and the words that caused the first of them."""
    errors = _errors(details)
    if not errors:
        return ["None."]
    rows = [
        [
            details.examples[each.place].where,
            each.true,
            each.predicted,
            f"{each.size:.3f}",
            shortened(details.examples[each.place].text),
        ]
        for each in errors[:WORST]
    ]
    measure = "confidence" if details.classifier.labels else "error"
    blocks: list[str | Table | Picture | Code] = [Table(["where", "true", "predicted", measure, "text"], rows)]
    for each in errors[:DRAWN]:
        text = details.examples[each.place].text
        name = "the rating" if each.label is None else f"“{details.classifier.labels[each.label]}”"
        picture = words_picture(explain(details.classifier, text, each.label))
        blocks.append(Picture(picture, f"Words for and against {name}: {shortened(text)}"))
    return blocks


class _Error(NamedTuple):
    """A wrong answer: the `place` of the text, what is `true` and `predicted`, how large it is, and of which label."""

    place: int
    true: str
    predicted: str
    size: float
    label: int | None


def _errors(details: Details) -> list[_Error]:
    """The model's wrong answers, the worst first; of several labels a wrong one each."""
    answers, truth, labels = details.answers["model"], details.truth, details.classifier.labels
    if answers.labels is None:
        assert answers.ratings is not None
        sizes = np.abs(answers.ratings - truth.ratings)
        return [
            _Error(int(place), f"{truth.ratings[place]:.2f}", f"{answers.ratings[place]:.2f}", sizes[place], None)
            for place in np.argsort(-np.nan_to_num(sizes), kind="stable")[: WORST if len(sizes) else 0]
        ]
    assert answers.probabilities is not None
    if details.classifier.multiple:
        wrong = np.argwhere(truth.labelled[:, np.newaxis] & (answers.labels != truth.labels))
        found = [
            _Error(
                int(place),
                f"{'' if truth.labels[place, label] else 'not '}{labels[label]}",
                f"{'' if answers.labels[place, label] else 'not '}{labels[label]}",
                float(abs(1 - answers.labels[place, label] - answers.probabilities[place, label])),
                int(label),
            )
            for place, label in wrong
        ]
    else:
        found = [
            _Error(
                int(place),
                labels[truth.labels[place]],
                labels[answers.labels[place]],
                float(answers.probabilities[place].max()),
                int(answers.labels[place]),
            )
            for place in np.flatnonzero(truth.labelled & (answers.labels != truth.labels))
        ]
    return sorted(found, key=lambda each: -each.size)


def _deciding_words(details: Details) -> list[str | Table | Picture | Code]:
    """The words that raise and lower the last label's log odds, or the rating, most on average."""
    labels, examples = details.classifier.labels, details.examples
    label = len(labels) - 1 if labels else None
    chosen = np.linspace(0, len(examples) - 1, min(EXPLAINED, len(examples))).astype(int)
    explanations = [explain(details.classifier, examples[place].text, label) for place in chosen]
    raising, lowering = strongest(explanations, MINIMUM_COUNT, STRONGEST)
    name, unit = ("the rating", "rating") if label is None else (f"“{labels[label]}”", "log odds")
    falls = f"the log odds of {name} fall" if labels else "the rating falls"
    heads = ["word", unit, "times"]
    return [
        f"By how much {falls} when a word is masked, on average over {len(chosen)} texts of the "
        f"split; words that occur at least {MINIMUM_COUNT} times.",
        Table(heads, [[word, f"{effect:+.2f}", count] for word, effect, count in raising], f"Words for {name}."),
        Table(heads, [[word, f"{effect:+.2f}", count] for word, effect, count in lowering], f"Words against {name}."),
    ]


def calibration_picture(answers: Sequence[tuple[str, Answers]], truth: Truth) -> Figure:
    """Draws the accuracy over the confidence, in ten bins, of the rows with probabilities; below, how many texts."""
    figure = Figure(figsize=(7, 5.5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    above.plot([0, 1], [0, 1], color="0.7", linestyle="--", label="perfect")
    known = truth.labelled
    with_probabilities = [(name, each) for name, each in answers if each.probabilities is not None]
    for (name, each), colour in zip(with_probabilities, COLOURS, strict=False):
        assert each.probabilities is not None and each.labels is not None
        confidence, right = each.probabilities[known].max(axis=1), (each.labels == truth.labels)[known]
        bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
        counts = np.bincount(bins, minlength=BINS)
        filled = counts > 0
        mean = [np.bincount(bins, value, BINS)[filled] / counts[filled] for value in (confidence, right)]
        above.plot(*mean, marker="o", color=colour, label=name.replace("$", r"\$"))
        below.step(np.arange(BINS + 1) / BINS, [*counts, counts[-1]], where="post", color=colour)
    above.set_ylabel("accuracy")
    above.legend()
    above.grid(alpha=0.3)
    below.set_xlabel("confidence: probability of the predicted label")
    below.set_ylabel("texts")
    below.grid(alpha=0.3)
    return figure


def rating_picture(answers: Answers, truth: Truth) -> Figure:
    """Draws each text's predicted rating over the true one."""
    figure = Figure(figsize=(6, 5), layout="constrained")
    axes = figure.subplots()
    assert answers.ratings is not None
    rated = truth.rated
    axes.scatter(truth.ratings[rated], answers.ratings[rated], s=6, alpha=0.4, color=COLOURS[0], linewidths=0)
    ends = [float(np.min(truth.ratings[rated])), float(np.max(truth.ratings[rated]))]
    axes.plot(ends, ends, color="0.7", linestyle="--")
    axes.set_xlabel("true rating")
    axes.set_ylabel("predicted rating")
    axes.grid(alpha=0.3)
    return figure


def words_picture(explanation: Explanation) -> Figure:
    """Draws by how much each word of a text raised or lowered the log odds of a label, the first words if many."""
    words, effects = explanation.words[:SHOWN_WORDS], explanation.effects[:SHOWN_WORDS]
    figure = Figure(figsize=(max(3.0, 0.42 * len(words) + 1), 2.6), layout="constrained")
    axes = figure.subplots()
    colours = [COLOURS[0] if effect > 0 else COLOURS[1] for effect in effects]
    axes.bar(range(len(words)), effects, color=colours)
    axes.set_xticks(range(len(words)), [word.replace("$", r"\$") for word in words], rotation=60, ha="right")
    axes.axhline(0, color="0.5", linewidth=0.8)
    axes.set_ylabel("log odds")
    return figure
