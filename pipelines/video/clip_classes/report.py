"""The page that an evaluation of a classifier writes: table, confusions, evidence over time, curves."""

from typing import Any

import numpy as np

from pipelines.evaluation import FEWEST, Evaluation
from pipelines.report import Picture, Section, Table, write_evaluation
from pipelines.runs import Run
from pipelines.video.clip_classes import pictures
from pipelines.video.clip_classes.baselines import MAJORITY
from pipelines.video.clip_classes.data import Sets
from pipelines.video.clip_classes.scoring import Classified, by_class, confusions, losses

WORST = 15  # rows of the table
SYNTHETIC = (
    "The motion is synthetic: pictures of clothes drift, turn or change their size at constant speed. What is learned "
    "here is to see motion, not to understand scenes. A single frame tells nothing about the class: seeing one alone "
    "is right in 12.5 % of all cases. The mean of frames shows along which line things moved, but not "
    "in which direction."
)


def write_classification_report(run: Run, evaluation: Evaluation, sets: Sets, classified: Classified) -> None:
    """Writes `report.html` and its plots into the run's folder, for another split than test under names of its own."""
    examples, classes = sets.splits[evaluation.split], sets.classes
    configuration = run.read_json("configuration.json")
    counts = confusions(classified.labels, classified.probabilities)
    counts_picture = pictures.confusion_picture(counts, classes)
    counts_picture.savefig(run.folder / evaluation.file_name("confusions.png"), dpi=120)
    strips = []
    for title, clip in extremes(classified, examples.labels).items():
        label, text = int(examples.labels[clip]), f"{title}: {examples.keys[examples.videos[clip]]}"
        strips.append(pictures.film_strip(examples.read(clip), classified.evidence[clip], label, classes, text))
    strips[0].savefig(run.folder / evaluation.file_name("evidence.png"), dpi=120)
    order = np.argsort(-losses(classified.labels, classified.probabilities), kind="stable")
    answers: dict[str, list[Any]] = {"key": examples.keys, "label": [classes[label] for label in classified.labels]}
    answers["predicted"] = [classes[label] for label in classified.probabilities.argmax(axis=1)]
    answers["probability"] = np.round(classified.probabilities.max(axis=1), 4).tolist()
    worst = [
        [key, label, predicted, f"{probability:.2f}"]
        for key, label, predicted, probability in (
            [each[place] for each in answers.values()] for place in order[:WORST]
        )
        if predicted != label
    ]
    majority = next(row.metrics["accuracy"].value for row in evaluation.rows if row.name == MAJORITY)
    over_time = pictures.accuracy_over_time(classified.evidence, examples.labels, majority)
    shown = [
        Picture(each, "The frames of a clip, and the probability of each class after each of them.") for each in strips
    ]
    shown.append(Picture(over_time, "How many frames it takes to be right, and the accuracy of the row majority."))
    by_number = "True classes in rows, predicted classes in columns; numbers of videos."
    sections = [
        Section("Evidence over time", shown),
        Section("Classes", [Table(["class", "videos", "precision", "recall", "F1"], by_class(counts, classes))]),
        Section("Classes taken for others", [Picture(counts_picture, by_number)]),
        Section("Worst errors", [Table(["video", "true", "predicted", "probability"], worst) if worst else "None."]),
        Section("Left out", [Table(["video", "why"], sets.skipped) if sets.skipped else "Nothing."]),
    ]
    explained = [SYNTHETIC] if configuration["data"]["source"] == "motion_clips" else []
    explained.append(
        "Accuracy is the share of videos whose class is right; macro F1 gives each class the same weight; "
        "cross-entropy, in nats, also asks how sure the answers were, lower is better. The interval of a share is "
        f"Wilson's; the others have none with fewer than {FEWEST} videos, for it would claim too much."
    )
    columns = {**answers, "confusions": counts}
    write_evaluation(run, evaluation, "What a clip shows", "accuracy", explained, sections, columns)


def extremes(classified: Classified, labels: np.ndarray) -> dict[str, int]:
    """Returns the clip whose class was surest, the middle one, and the one that was furthest from the truth."""
    order = np.argsort(losses(labels, classified.evidence[:, -1]), kind="stable")
    return {"Surest": int(order[0]), "In the middle": int(order[len(order) // 2]), "Worst": int(order[-1])}
