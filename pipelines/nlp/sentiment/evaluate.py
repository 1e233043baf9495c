"""Evaluates a classifier of texts beside the baselines."""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from pipelines import commands
from pipelines.comparison import compared_rows
from pipelines.configuration import did_you_mean
from pipelines.evaluation import Evaluation, Row
from pipelines.hints import counted, listed
from pipelines.nlp.sentiment import baselines
from pipelines.nlp.sentiment.baselines import Classify
from pipelines.nlp.sentiment.config import SentimentConfiguration
from pipelines.nlp.sentiment.data import Sets, load, usable
from pipelines.nlp.sentiment.data import truth as truth_of
from pipelines.nlp.sentiment.labels import labels_in, one_name_a_number, with_known
from pipelines.nlp.sentiment.model import Classifier, load_model, read_texts
from pipelines.nlp.sentiment.report import Details, write_sentiment_report
from pipelines.nlp.sentiment.scoring import Answers, Truth, comparison, metrics
from pipelines.nlp.sentiment.sources import EMBEDDED, DataConfiguration, rated_snippets, read_more
from pipelines.nlp.sentiment.splitting import Example
from pipelines.nlp.splits import SPLITS
from pipelines.nlp.text_files import TextDataError
from pipelines.preparation import refuse_other, report_changed_data
from pipelines.runs import Run

DOMAINS = ("movies", "tweets", "products", "editorials")
OUT_OF_DOMAIN = ("model", "logistic regression")  # rows that are evaluated on the other sets too


class EvaluationOptions(commands.RunOptions):
    """Options of the evaluation."""

    split: Literal["validation", "test"] = Field("test", description="split to evaluate")
    data: str = Field("", description="a file or folder of labelled texts to evaluate on, written as those of the run")


def evaluate(run: Run, split: str = "test", data: str = "") -> Evaluation:
    """Classifies a split with a run's classifier and the baselines; writes table, plots and page into its folder.

    Args:
        data: a file or folder of labelled texts, with the columns that the run learned from.
    """
    configuration = run.read_configuration(SentimentConfiguration)
    classifier = load_model(run)
    sets = load(configuration.data)
    refuse_other("labels", classifier.labels, sets.labels)
    examples = labelled_texts(data, configuration.data, sets) if data else sets.splits[split]
    texts = [example.text for example in examples]
    report_changed_data(run, sets, [example.text for example in sets.splits["train"]], [] if data else texts)
    truth = Truth(*truth_of(examples, sets.labels))
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
    name = f"{split}-{Path(data).name.partition('.')[0]}" if data else split
    evaluation = Evaluation(name, len(examples), rows)
    write_sentiment_report(run, evaluation, Details(examples, truth, answers, classifier))
    return evaluation


def labelled_texts(path: str, configuration: DataConfiguration, sets: Sets) -> list[Example]:
    """Returns the texts of a file that have words and a label or a rating; reports what is left out.

    Raises:
        TextDataError: the file cannot be read, has no such text, or has a label that the classifier does not know.
    """
    notes: list[str] = []
    labels, read = sets.labels, read_more(path, configuration)
    read = with_known(read, labels) if sets.multiple else read
    known = [Example("", "", label) for label in labels]
    splits = one_name_a_number({"known": known, "": read}, notes)
    names = {each.label: label for each, label in zip(splits["known"], labels, strict=True)}  # as the classifier has
    renamed = [
        each._replace(
            label=names.get(each.label, each.label),
            labels=None if each.labels is None else tuple(names.get(label, label) for label in each.labels),
        )
        for each in splits[""]
    ]
    examples = usable(renamed, path, configuration, notes)
    for note in notes:
        print(f"Note: {note}")
    if unknown := [(each, label) for each in examples for label in labels_in(each) if label not in labels and labels]:
        example, label = unknown[0]
        raise TextDataError(
            f"{example.where}: the classifier has no label {label!r}. Expected one of {listed(labels)}."
            f"{did_you_mean(label, labels)} Correct the labels, or remove these texts. "
            f"Received: {label!r}, in {counted(len(unknown), 'text')}"
        )
    if not examples:
        raise TextDataError(
            f"{path} has no text to evaluate on; expected texts with words and a label. Fill it, or give another. "
            "Received: no such text"
        )
    return examples


def classify(classifier: Classifier, texts: Sequence[str]) -> Answers:
    """Returns a classifier's answers in the form of a baseline's."""
    probabilities, ratings = read_texts(classifier, texts)
    rated = ratings if classifier.rated else None
    if not classifier.labels:
        return Answers(None, None, rated)
    if classifier.multiple:
        return Answers((probabilities >= classifier.thresholds.numpy()).astype(np.int32), probabilities, rated)
    return Answers(probabilities.argmax(axis=1), probabilities, rated)


def rows_of(answers: Mapping[str, Answers], truth: Truth, labels: int, notes: Mapping[str, str]) -> list[Row]:
    """Returns a row for each method's answers to the same texts, the model's first."""
    return compared_rows(
        answers, lambda each: metrics(each, truth, labels), lambda model, other: comparison(model, other, truth), notes
    )


def out_of_domain_rows(
    methods: Mapping[str, tuple[str, Classify]], names: Sequence[str], labels: tuple[str, ...]
) -> list[Row]:
    """Returns rows of all texts of the other rated sets, none of which were in the training."""
    rows = []
    for name in names:
        splits = rated_snippets(name)
        examples = [example for split in SPLITS for example in splits[split]]
        texts = [example.text for example in examples]
        answers = {f"{each}, {name}": methods[each][1](texts) for each in OUT_OF_DOMAIN}
        notes = dict.fromkeys(answers, f"all {len(examples)} texts of the set {name}, none of which were in training")
        rows += rows_of(answers, Truth(*truth_of(examples, labels)), len(labels), notes)
    return rows


def summary(classifier: Classifier) -> str:
    """Returns the size of the network in words."""
    network = classifier.network
    return f"{counted(network.members, 'member')}, {network.layers} × {network.recurrent} {network.units}"
