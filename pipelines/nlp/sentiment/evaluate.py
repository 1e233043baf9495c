"""Evaluates a trained classifier beside the baselines, the task sentiment of the NLP pipeline."""

import time
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from pipelines import commands
from pipelines.evaluation import Evaluation, Row
from pipelines.nlp.sentiment import baselines, data
from pipelines.nlp.sentiment.baselines import Judge
from pipelines.nlp.sentiment.config import SentimentConfiguration
from pipelines.nlp.sentiment.model import Classifier
from pipelines.nlp.sentiment.report import Details, write_sentiment_report
from pipelines.nlp.sentiment.scoring import Answers, Truth, comparison, metrics
from pipelines.nlp.sentiment.sources import EMBEDDED, SPLITS, rated_snippets
from pipelines.nlp.sentiment.trained import load_classifier, read_texts
from pipelines.nlp.text_files import TextDataError
from pipelines.nlp.texts import listed
from pipelines.runs import Run

DOMAINS = ("movies", "tweets", "products", "editorials")
ABROAD = ("model", "logistic regression")  # rows of which the other sets are read too


class EvaluationOptions(commands.RunOptions):
    """Options of the evaluation."""

    split: Literal["validation", "test"] = Field("test", description="split to evaluate")


def evaluate(run: Run, split: str = "test") -> Evaluation:
    """Reads a split with a run's classifier and the baselines; writes table, plots and page into its folder."""
    configuration = run.read_configuration(SentimentConfiguration)
    classifier = load_classifier(run)
    sets = data.load(configuration.data)
    if sets.labels != classifier.labels:
        raise TextDataError(
            f"The texts have changed since the training. Expected the labels {listed(classifier.labels)}. Restore "
            f"them, or train again. Received: {listed(sets.labels)}"
        )
    examples = sets.splits[split]
    truth = Truth(*data.truth(examples, sets.labels))
    judges: dict[str, tuple[str, Judge]] = {"model": (described(classifier), judge_of(classifier))}
    judges |= baselines.available(sets)

    answers, table = {}, []
    for name, (note, judge) in judges.items():
        started = time.perf_counter()
        answers[name] = judge([example.text for example in examples])
        notes = [note, f"{time.perf_counter() - started:.1f} s"]
        if name != "model":
            notes.append(comparison(answers["model"], answers[name], truth))
        table.append(Row(name, metrics(answers[name], truth, len(sets.labels)), notes="; ".join(notes)))
    if configuration.data.source.partition("/")[0] == EMBEDDED:
        own = configuration.data.source.partition("/")[2] or "movies"
        table += rows_abroad(judges, [name for name in DOMAINS if name != own], sets.labels)

    evaluation = Evaluation(split, len(examples), table)
    run.write_json(evaluation.file_name("evaluation.json"), evaluation.to_json())
    write_sentiment_report(run, evaluation, Details(examples, truth, answers, classifier))
    return evaluation


def judge_of(classifier: Classifier) -> Judge:
    """Returns a classifier as a baseline is one: from texts to answers."""

    def judge(texts: Sequence[str]) -> Answers:
        probabilities, ratings = read_texts(classifier, texts)
        return Answers(probabilities.argmax(axis=1), probabilities, ratings if classifier.rated else None)

    return judge


def rows_abroad(judges: dict[str, tuple[str, Judge]], names: Sequence[str], labels: tuple[str, ...]) -> list[Row]:
    """Returns rows of all texts of the other rated sets, none of which anything was learned from."""
    rows = []
    for name in names:
        splits = rated_snippets(name)
        examples = [example for split in SPLITS for example in splits[split]]
        truth = Truth(*data.truth(examples, labels))
        answers = {each: judges[each][1]([example.text for example in examples]) for each in ABROAD}
        for each in ABROAD:
            notes = [f"all {len(examples)} texts of the set {name}, nothing was learned from them"]
            if each != "model":
                notes.append(comparison(answers["model"], answers[each], truth))
            rows.append(Row(f"{each}, {name}", metrics(answers[each], truth, len(labels)), notes="; ".join(notes)))
    return rows


def described(classifier: Classifier) -> str:
    """Names the network."""
    network, members = classifier.network, classifier.network.members
    return f"{members} member{'s' if members > 1 else ''}, {network.layers} × {network.recurrent} {network.units}"


def main(arguments: list[str]) -> None:
    options = commands.run_options(EvaluationOptions, "nlp", "evaluate", arguments, __doc__ or "")
    run = options.open("nlp")
    evaluation = evaluate(run, options.split)
    evaluation.print()
    table, page = evaluation.file_name("evaluation.json"), evaluation.file_name("report.html")
    print(f"Wrote {run.folder}/{table} and {page}")
    print(f'Next: open {run.folder / page} in a browser; make export-nlp; make judge TEXT="…"')


if __name__ == "__main__":
    commands.main(main)
