"""Evaluates a classifier of clips beside the baselines: `python -m pipelines.video.evaluate [--run FOLDER]`."""

from typing import Literal

import numpy as np
from pydantic import Field

from pipelines import commands
from pipelines.evaluation import Evaluation, Row
from pipelines.runs import Run
from pipelines.video.classification import baselines, data
from pipelines.video.classification.config import ClassificationConfiguration
from pipelines.video.classification.report import write_classification_report
from pipelines.video.classification.scoring import comparison, confusions, metrics
from pipelines.video.classification.trained import check_classes, judge, load_classifier

NOTES = {
    baselines.MAJORITY: "the shares of the classes in training, whatever the clip shows",
    "single frame": "the same encoder, which sees the middle frame alone",
    "mean of frames": "the same encoder, which sees the mean of all frames: the order is lost",
}


class EvaluationOptions(commands.RunOptions):
    """Options of the evaluation."""

    split: Literal["train", "validation", "test"] = Field("test", description="split to evaluate")


def evaluate(run: Run, split: str = "test") -> Evaluation:
    """Judges a split with a run's classifier and the baselines; writes table, plots and page into its folder."""
    configuration = run.read_configuration(ClassificationConfiguration)
    classifier = load_classifier(run)
    sets = data.load(configuration.data)
    check_classes(run, sets)
    examples = sets.splits[split]
    judged = judge(classifier, examples, configuration.data)
    found = {"model": judged.probabilities, baselines.MAJORITY: baselines.majority(sets, split)}
    for name in baselines.PICTURES:
        baseline = baselines.fitted(name, configuration, sets)
        found[name] = baselines.probabilities(name, baseline, examples, configuration.data)

    rows = []
    said = judged.probabilities.argmax(axis=1)
    for name, probabilities in found.items():
        notes = f"after the last of {configuration.data.clip_frames} frames; a video's clips are averaged"
        if name != "model":
            notes = f"{NOTES[name]}; {comparison(judged.labels, said, probabilities.argmax(axis=1))}"
        rows.append(Row(name, metrics(judged.labels, probabilities), notes=notes))

    evaluation = Evaluation(split, len(examples.keys), rows)
    run.write_json(evaluation.file_name("evaluation.json"), evaluation.to_json())
    answers = {"key": examples.keys, "label": [sets.classes[label] for label in judged.labels]}
    answers["said"] = [sets.classes[label] for label in said]
    answers["probability"] = np.round(judged.probabilities.max(axis=1), 4).tolist()
    run.write_json(f"answers-{split}.json", answers | {"confusions": confusions(judged.labels, judged.probabilities)})
    write_classification_report(run, evaluation, sets, judged)
    return evaluation


def main(arguments: list[str]) -> None:
    options = commands.run_options(EvaluationOptions, "video", "evaluate", arguments, __doc__ or "")
    run = options.open("video")
    evaluation = evaluate(run, options.split)
    evaluation.print()
    table, page = evaluation.file_name("evaluation.json"), evaluation.file_name("report.html")
    print(f"Wrote {run.folder}/{table}, answers-{options.split}.json and {page}")
    print(f"Next: open {run.folder / page} in a browser; make export-video; make predict-video VIDEO=clip.mp4")
