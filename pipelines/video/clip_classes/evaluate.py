"""Evaluates a classifier of clips beside the baselines."""

from pipelines.commands import EvaluationOptions
from pipelines.comparison import compared_rows
from pipelines.evaluation import Evaluation
from pipelines.preparation import refuse_other, report_changed_data
from pipelines.runs import Run
from pipelines.video.clip_classes import baselines, data
from pipelines.video.clip_classes.config import ClipClassesConfiguration
from pipelines.video.clip_classes.model import load_model
from pipelines.video.clip_classes.report import write_classification_report
from pipelines.video.clip_classes.scoring import classify_split, comparison, metrics

__all__ = ["EvaluationOptions", "evaluate"]

NOTES = {
    baselines.MAJORITY: "the shares of the classes in training, whatever the clip shows",
    "single frame": "the same encoder, which sees the middle frame alone",
    "mean of frames": "the same encoder, which sees the mean of all frames: the order is lost",
}


def evaluate(run: Run, split: str = "test") -> Evaluation:
    """Classifies a split with a run's classifier and the baselines; writes table, plots and page into its folder."""
    configuration = run.read_configuration(ClipClassesConfiguration)
    classifier = load_model(run)
    sets = data.load(configuration.data)
    refuse_other("classes", classifier.classes, sets.classes)
    examples = sets.splits[split]
    report_changed_data(run, sets, sets.splits["train"].keys, examples.keys)
    classified = classify_split(classifier, examples, configuration.data)
    labels = classified.labels
    answers = {"model": classified.probabilities, baselines.MAJORITY: baselines.majority(sets, split)}
    for name in baselines.PICTURES:
        baseline = baselines.fitted(name, configuration, sets)
        answers[name] = baselines.probabilities(name, baseline, examples, configuration.data)
    rows = compared_rows(
        answers,
        lambda probabilities: metrics(labels, probabilities),
        lambda model, other: comparison(labels, model.argmax(axis=1), other.argmax(axis=1)),
        {"model": f"after the last of {configuration.data.clip_frames} frames; a video's clips are averaged", **NOTES},
    )
    evaluation = Evaluation(split, len(examples.keys), rows)
    write_classification_report(run, evaluation, sets, classified)
    return evaluation
