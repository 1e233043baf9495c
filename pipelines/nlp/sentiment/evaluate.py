"""Evaluates a classifier of texts beside the baselines."""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Literal

from pydantic import Field

from pipelines import commands
from pipelines.comparison import compared_rows
from pipelines.counting import counted
from pipelines.evaluation import Evaluation, Row
from pipelines.nlp.sentiment import baselines, data
from pipelines.nlp.sentiment.baselines import Classify
from pipelines.nlp.sentiment.config import SentimentConfiguration
from pipelines.nlp.sentiment.model import Classifier
from pipelines.nlp.sentiment.report import Details, write_sentiment_report
from pipelines.nlp.sentiment.scoring import Answers, Truth, comparison, metrics
from pipelines.nlp.sentiment.sources import EMBEDDED, rated_snippets
from pipelines.nlp.sentiment.trained import load_model, read_texts
from pipelines.nlp.splits import SPLITS
from pipelines.nlp.text_files import TextDataError
from pipelines.nlp.texts import listed
from pipelines.preparation import report_changed_data
from pipelines.runs import Run

DOMAINS = ("movies", "tweets", "products", "editorials")
OUT_OF_DOMAIN = ("model", "logistic regression")  # rows that are evaluated on the other sets too


class EvaluationOptions(commands.RunOptions):
    """Options of the evaluation."""

    split: Literal["validation", "test"] = Field("test", description="split to evaluate")


def evaluate(run: Run, split: str = "test") -> Evaluation:
    """Classifies a split with a run's classifier and the baselines; writes table, plots and page into its folder."""
    configuration = run.read_configuration(SentimentConfiguration)
    classifier = load_model(run)
    sets = data.load(configuration.data)
    refuse_other_labels(classifier, sets)
    report_changed_data(run, sets)
    examples = sets.splits[split]
    texts = [example.text for example in examples]
    truth = Truth(*data.truth(examples, sets.labels))
    methods: dict[str, tuple[str, Classify]] = {
        "model": (summary(classifier), partial(classify, classifier)),
        **baselines.available(sets),
    }
    answers, notes = {}, {}
    for name, (note, method) in methods.items():
        started = time.perf_counter()
        answers[name] = method(texts)
        notes[name] = f"{note}; {time.perf_counter() - started:.1f} s"
    rows = rows_of(answers, truth, len(sets.labels), notes)
    source, _, part = configuration.data.source.partition("/")
    if source == EMBEDDED:
        others = [name for name in DOMAINS if name != (part or "movies")]
        rows += out_of_domain_rows(methods, others, sets.labels)
    evaluation = Evaluation(split, len(examples), rows)
    write_sentiment_report(run, evaluation, Details(examples, truth, answers, classifier))
    return evaluation


def refuse_other_labels(classifier: Classifier, sets: data.Sets) -> None:
    """Refuses texts with other labels than those that a classifier knows.

    Raises:
        TextDataError: the labels have changed.
    """
    if sets.labels != classifier.labels:
        raise TextDataError(
            f"The texts have changed since the training. Expected the labels {listed(classifier.labels)}. Restore "
            f"them, or train again. Received: {listed(sets.labels)}"
        )


def classify(classifier: Classifier, texts: Sequence[str]) -> Answers:
    """Returns a classifier's answers in the form of a baseline's."""
    probabilities, ratings = read_texts(classifier, texts)
    return Answers(probabilities.argmax(axis=1), probabilities, ratings if classifier.rated else None)


def rows_of(answers: Mapping[str, Answers], truth: Truth, labels: int, notes: Mapping[str, str]) -> list[Row]:
    """Returns a row for each method's answers to the same texts, the model's first.

    Args:
        answers: by the name of the row.
        truth: of the texts.
        labels: how many there are.
        notes: what each row is.
    """
    return compared_rows(
        answers,
        lambda each: metrics(each, truth, labels),
        lambda model, other: comparison(model, other, truth),
        notes,
    )


def out_of_domain_rows(
    methods: Mapping[str, tuple[str, Classify]], names: Sequence[str], labels: tuple[str, ...]
) -> list[Row]:
    """Returns rows of all texts of the other rated sets, none of which were in the training.

    Args:
        methods: a note and a function from texts to answers, by the name of the row.
        names: of the sets.
        labels: of the classifier.
    """
    rows = []
    for name in names:
        splits = rated_snippets(name)
        examples = [example for split in SPLITS for example in splits[split]]
        texts = [example.text for example in examples]
        answers = {f"{each}, {name}": methods[each][1](texts) for each in OUT_OF_DOMAIN}
        notes = dict.fromkeys(answers, f"all {len(examples)} texts of the set {name}, none of which were in training")
        rows += rows_of(answers, Truth(*data.truth(examples, labels)), len(labels), notes)
    return rows


def summary(classifier: Classifier) -> str:
    """Returns the size of the network in words."""
    network = classifier.network
    return f"{counted(network.members, 'member')}, {network.layers} × {network.recurrent} {network.units}"
