"""The page that an evaluation of a classifier writes: table, confusions, evidence over time, curves."""

import numpy as np

from pipelines import plots
from pipelines.evaluation import Evaluation
from pipelines.report import Code, Picture, Section, Table, evaluation_tables, write_report
from pipelines.runs import Run
from pipelines.video.classification import pictures
from pipelines.video.classification.baselines import MAJORITY
from pipelines.video.classification.data import Sets
from pipelines.video.classification.scoring import confusions, losses
from pipelines.video.classification.trained import Judged

WORST = 15  # rows of the table
SYNTHETIC = (
    "The motion is synthetic: pictures of clothes drift, turn or change their size at constant speed. What is learned "
    "here is to see motion, not to understand scenes. A single frame tells nothing about the class: who sees one is "
    "right in 12.5 % of all cases. The mean of frames shows along which line things moved, but not in which direction."
)


def write_classification_report(run: Run, evaluation: Evaluation, sets: Sets, judged: Judged) -> None:
    """Writes `report.html` and its plots into the run's folder, for another split than test under names of its own."""
    examples, classes = sets.splits[evaluation.split], sets.classes
    configuration = run.read_json("configuration.json")
    counts = confusions(judged.labels, judged.probabilities)
    counts_picture = pictures.confusion_picture(counts, classes)
    counts_picture.savefig(run.folder / evaluation.file_name("confusions.png"), dpi=120)
    strips = []
    for title, clip in telling(judged, examples.labels).items():
        text = f"{title}: {examples.keys[examples.videos[clip]]}"
        strips.append(
            pictures.film_strip(examples.read(clip), judged.evidence[clip], int(examples.labels[clip]), classes, text)
        )
    strips[0].savefig(run.folder / evaluation.file_name("evidence.png"), dpi=120)
    order = np.argsort(-losses(judged.labels, judged.probabilities), kind="stable")
    said = judged.probabilities.argmax(axis=1)
    worst = [
        [
            examples.keys[number],
            classes[judged.labels[number]],
            classes[said[number]],
            f"{judged.probabilities[number].max():.2f}",
        ]
        for number in order[:WORST]
        if said[number] != judged.labels[number]
    ]
    majority = next(row.metrics["accuracy"].value for row in evaluation.rows if row.name == MAJORITY)
    synthetic = [SYNTHETIC] if configuration["data"]["source"] == "motion_clips" else []
    write_report(
        run,
        f"What a clip shows: {run.preset}, {evaluation.split} split",
        [
            Section(
                "Results",
                [
                    *synthetic,
                    "Accuracy is the share of videos whose class is right; macro F1 gives each class the same weight; "
                    "cross-entropy, in nats, also asks how sure the answers were, lower is better.",
                    *evaluation_tables(evaluation),
                    Picture(plots.bars(evaluation, "accuracy"), "Accuracy of each row, with its interval."),
                ],
            ),
            Section(
                "Evidence over time",
                [
                    *(
                        Picture(strip, "The frames of a clip, and the probability of each class after each of them.")
                        for strip in strips
                    ),
                    Picture(
                        pictures.accuracy_over_time(judged.evidence, examples.labels, majority),
                        "How many frames it takes to be right, and the accuracy of the row majority.",
                    ),
                ],
            ),
            Section(
                "Classes taken for others",
                [Picture(counts_picture, "True classes in rows, what was said in columns; the numbers are videos.")],
            ),
            Section(
                "Worst errors",
                [Table(["video", "true", "said", "probability"], worst) if worst else "None."],
            ),
            Section("Left out", [Table(["video", "why"], sets.skipped) if sets.skipped else "Nothing."]),
            Section("Training", [Picture(plots.learning_curves(run.history()), "Loss and error after each epoch.")]),
            Section("Configuration", [Code((run.folder / "configuration.json").read_text(encoding="utf-8"))]),
        ],
        evaluation.file_name("report.html"),
    )


def telling(judged: Judged, labels: np.ndarray) -> dict[str, int]:
    """Returns the clip whose class was surest, the middle one, and the one that was furthest from the truth."""
    order = np.argsort(losses(labels, judged.evidence[:, -1]), kind="stable")
    return {"Surest": int(order[0]), "In the middle": int(order[len(order) // 2]), "Worst": int(order[-1])}
