"""Trains a classifier of clips."""

from functools import partial

import tensorflow as tf

from pipelines.hints import MAXIMUM_LISTED, counted, listed_problems
from pipelines.preparation import Prepared, prepared
from pipelines.runs import Run
from pipelines.training import fit
from pipelines.video.clip_classes import data
from pipelines.video.clip_classes.config import ClipClassesConfiguration
from pipelines.video.clip_classes.model import Classifier, build
from pipelines.video.clip_classes.scoring import classify_split, losses
from pipelines.video.recordings import RECORDINGS

SKIPPED = "skipped.json"  # keys and reasons of the videos that are left out


def train(run: Run, configuration: ClipClassesConfiguration) -> None:
    """Trains the classifier of a run, or resumes where it stopped, and writes everything into the run's folder."""
    sets, classifier = prepared(run, configuration, prepare)
    seed, steps = configuration.seed, configuration.steps_per_epoch
    batches = partial(data.training_batches, sets, configuration.data, seed)
    functions = partial(batch_loss, classifier), batches, partial(validate, classifier, sets, configuration)
    fit(run, classifier, *functions, configuration.training, minimise="cross_entropy", steps_per_epoch=steps, seed=seed)
    run.finish()


def prepare(configuration: ClipClassesConfiguration) -> Prepared[data.Sets, Classifier]:
    """Returns the clips and an untrained classifier, and prints what it learns from."""
    sets = data.load(configuration.data)
    report(sets)
    files = {SKIPPED: sets.skipped, RECORDINGS: sets.recordings}
    learned = sets.splits["train"].keys
    return Prepared(sets, build(configuration, sets.classes), {"classes": sets.classes}, files, learned=learned)


def batch_loss(classifier: Classifier, batch: tuple[tf.Tensor, tf.Tensor], training: bool) -> tf.Tensor:
    """Returns the mean cross-entropy of a batch over all frames, of which the later ones count more, in nats."""
    frames, labels = batch
    logits = classifier(frames, training=training).logits  # (batch, time, classes)
    time = tf.shape(logits)[1]
    targets = tf.repeat(labels[:, tf.newaxis], time, axis=1)
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)  # (batch, time)
    weights = tf.range(1, time + 1, dtype=each.dtype)  # the first frames cannot know
    return tf.reduce_mean(tf.reduce_sum(each * weights, axis=1) / tf.reduce_sum(weights))


def validate(classifier: Classifier, sets: data.Sets, configuration: ClipClassesConfiguration) -> dict[str, float]:
    """Returns cross-entropy and accuracy on the videos of the validation split."""
    labels, probabilities, _ = classify_split(classifier, sets.splits["validation"], configuration.data)
    return {
        "cross_entropy": float(losses(labels, probabilities).mean()),
        "accuracy": float((probabilities.argmax(axis=1) == labels).mean()),
    }


def report(sets: data.Sets) -> None:
    """Prints what is learned from, and names what is left out."""
    counts = [
        f"{len(each.labels)} {split} of {counted(len(each.keys), 'video')}" for split, each in sets.splits.items()
    ]
    print(f"Clips: {', '.join(counts)}. Classes: {', '.join(sets.classes)}.")
    for split, each in sets.splits.items():
        shown = set(each.labels)
        if missing := [name for label, name in enumerate(sets.classes) if label not in shown]:
            print(f"Without a video in the {split} split: {', '.join(missing)}.")
    if sets.skipped:
        more = f" (all of them in {SKIPPED})" if len(sets.skipped) > MAXIMUM_LISTED else ""
        print(f"Left out: {len(sets.skipped)}{more}{listed_problems(sets.skipped)}")
