"""Trains a classifier of clips: `python -m pipelines.video.train motion-class [--network.units 128 …]`."""

from functools import partial

import tensorflow as tf

from pipelines import commands
from pipelines.counting import counted
from pipelines.runs import Run
from pipelines.training import fit
from pipelines.video.classification import data
from pipelines.video.classification.config import ClassificationConfiguration
from pipelines.video.classification.model import Classifier
from pipelines.video.classification.scoring import losses
from pipelines.video.classification.trained import CLASSES, build, check_classes, judge
from pipelines.video.messages import NAMED, listed

NEXT = "make predict-video VIDEO=clip.mp4"
SKIPPED = "skipped.json"  # keys and reasons of the videos that are left out


def train(run: Run, configuration: ClassificationConfiguration) -> None:
    """Trains the classifier of a run, or goes on where it stopped, and writes everything into the run's folder."""
    with commands.removed_if_refused(run):
        sets = data.load(configuration.data)
        classifier = build(configuration, sets.classes)
        record(run, sets)
        report(sets)

    def training_batches(epoch: int) -> tf.data.Dataset:
        return data.training_batches(sets, configuration.data, configuration.seed, epoch)

    fit(
        run,
        classifier,
        partial(batch_loss, classifier),
        training_batches,
        partial(validate, classifier, sets, configuration),
        configuration.training,
        monitor="cross_entropy",
        steps_per_epoch=configuration.steps_per_epoch,
        seed=configuration.seed,
    )
    run.finish()


def batch_loss(classifier: Classifier, batch: tuple[tf.Tensor, tf.Tensor], training: bool) -> tf.Tensor:
    """Returns the mean cross-entropy of a batch over all frames, of which the later ones count more, in nats."""
    frames, labels = batch
    logits = classifier(frames, training=training).logits  # (batch, time, classes)
    time = tf.shape(logits)[1]
    targets = tf.repeat(labels[:, tf.newaxis], time, axis=1)
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)  # (batch, time)
    weights = tf.range(1, time + 1, dtype=each.dtype)  # the first frames cannot know
    return tf.reduce_mean(tf.reduce_sum(each * weights, axis=1) / tf.reduce_sum(weights))


def validate(classifier: Classifier, sets: data.Sets, configuration: ClassificationConfiguration) -> dict[str, float]:
    """Returns cross-entropy and accuracy on the videos of the validation split."""
    labels, probabilities, _ = judge(classifier, sets.splits["validation"], configuration.data)
    return {
        "cross_entropy": float(losses(labels, probabilities).mean()),
        "accuracy": float((probabilities.argmax(axis=1) == labels).mean()),
    }


def record(run: Run, sets: data.Sets) -> None:
    """Writes the classes and what is left out; refuses to go on with videos of other classes."""
    check_classes(run, sets)
    run.write_json(CLASSES, list(sets.classes))
    run.write_json(SKIPPED, sets.skipped)


def report(sets: data.Sets) -> None:
    """Says what is learned from, and names what is left out."""
    counts = [
        f"{len(each.labels)} {split} of {counted(len(each.keys), 'video')}" for split, each in sets.splits.items()
    ]
    print(f"Clips: {', '.join(counts)}. Classes: {', '.join(sets.classes)}.")
    for split, each in sets.splits.items():
        shown = set(each.labels)
        if missing := [name for label, name in enumerate(sets.classes) if label not in shown]:
            print(f"Without a video in the {split} split: {', '.join(missing)}.")
    if sets.skipped:
        more = f" (all of them in {SKIPPED})" if len(sets.skipped) > NAMED else ""
        print(f"Left out: {len(sets.skipped)}{more}{listed(sets.skipped)}")
