"""Trains a classifier of texts."""

from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf
from scipy.special import expit

from data.valence_lexicon import read_valences
from data.word_vectors import read_vectors
from pipelines.hints import listed
from pipelines.nlp.sentiment import data
from pipelines.nlp.sentiment.config import SentimentConfiguration
from pipelines.nlp.sentiment.model import CALIBRATION, Classifier, build, read_texts
from pipelines.nlp.sentiment.pretraining import pretrain, texts_of
from pipelines.nlp.sentiment.scoring import cross_entropy, fit_temperature, fit_thresholds, labelled_logits
from pipelines.nlp.sentiment.words import learn_vocabulary
from pipelines.nlp.splits import report_splits
from pipelines.preparation import Prepared, prepared
from pipelines.rows import mean_of_batch
from pipelines.runs import Run
from pipelines.training import fit


def train(run: Run, configuration: SentimentConfiguration) -> None:
    """Trains the classifier of a run, or resumes where it stopped, and writes everything into the run's folder."""
    sets, classifier = prepared(run, configuration, prepare)
    training, validation = sets.splits["train"], sets.splits["validation"]
    batch_size, seed = configuration.data.batch_size, configuration.seed
    if unlabelled := texts_of(configuration.pretraining, training):
        print(f"Pre-training as language models on {len(unlabelled)} sentences")
        pretrain(run, classifier, configuration.pretraining, unlabelled, validation, batch_size, seed)
    weighted = configuration.data.label_weights == "balanced"
    learned = training, sets.labels, classifier.words, batch_size, seed
    batches = partial(data.training_batches, *learned, weighted=weighted)
    functions = partial(batch_loss, classifier), batches, partial(validate, classifier, sets)
    fit(run, classifier, *functions, configuration.training, minimise="loss", seed=seed)
    probabilities, _ = read_texts(classifier, [example.text for example in validation])
    labels, _ = data.truth(validation, sets.labels)
    calibration: dict[str, Any] = {"temperature": fit_temperature(probabilities, labels)}
    if sets.multiple:
        logits, labels = labelled_logits(probabilities, labels)
        calibration["thresholds"] = fit_thresholds(expit(logits / calibration["temperature"]), labels).tolist()
    run.write_json(CALIBRATION, calibration)
    run.finish()


def prepare(configuration: SentimentConfiguration) -> Prepared[data.Sets, Classifier]:
    """Returns the usable examples and an untrained classifier that knows their words, and prints what it learns."""
    sets = data.load(configuration.data)
    report(sets)
    network, training = configuration.network, sets.splits["train"]
    unlabelled = texts_of(configuration.pretraining, training)
    valences = read_valences() if network.lexicon else {}
    learned = learn_vocabulary([example.text for example in training], network.vocabulary, network.minimum_count)
    read = learn_vocabulary(
        [example.text for example in unlabelled], network.vocabulary, configuration.pretraining.minimum_count
    )
    vocabulary = list(dict.fromkeys([*learned, *read, *valences]))[: network.vocabulary]  # each once, in this order
    vectors = read_vectors(network.vectors, vocabulary) if network.vectors else {}
    vocabulary = list(dict.fromkeys([*vocabulary, *vectors]))
    classifier = build(configuration, vocabulary, sets.labels, sets.rated, sets.multiple)
    classifier.adapt(training, valences, vectors)
    description = {"vocabulary": vocabulary, "labels": sets.labels, "rated": sets.rated}
    description |= {"multiple": True} if sets.multiple else {}
    return Prepared(sets, classifier, description, learned=[example.text for example in training])


def batch_loss(classifier: Classifier, batch: dict[str, tf.Tensor], training: bool) -> tf.Tensor:
    """Returns the mean over the members of the labels' cross-entropy and the weighted squared error of the rating.

    Where texts have several labels, their cross-entropies are added up. Texts without a label, or without a rating,
    have no part in that mean. A batch may have a `weight` for each label.
    """
    outputs = classifier(batch["words"], batch["pieces"], batch["lengths"], training=training)
    rated, labels = tf.math.is_finite(batch["rating"]), tf.maximum(batch["label"], 0)
    labelled = batch["label"] >= 0 if not classifier.multiple else batch["label"][:, 0] >= 0
    target = tf.where(rated, (batch["rating"] - classifier.rating_mean) / classifier.rating_deviation, 0.0)
    losses = []
    for output in outputs:
        if output.logits is not None:
            logits, weight = tf.cast(output.logits, tf.float32), batch.get("weight", 1.0)
            if classifier.multiple:
                entropies = tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(labels, tf.float32), logits)
                entropy = tf.reduce_sum(entropies * weight, axis=1)
            else:
                entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits) * weight
            losses.append(mean_of_batch(entropy, labelled))
        if output.rating is not None:
            error = tf.square(tf.cast(output.rating, tf.float32) - target)
            losses.append(classifier.network.rating_weight * mean_of_batch(error, rated))
    return tf.add_n(losses) / len(outputs)


def validate(classifier: Classifier, sets: data.Sets) -> dict[str, float]:
    """Returns the metrics of the validation split.

    `cross_entropy`, in nats, is that at the best temperature, because the temperature is fitted after training;
    `error` is the share of wrong labels, of several those taken at a probability of one half; `rating_error` the mean
    absolute error. `loss` is what is minimised: the cross-entropy and the weighted squared error of the rating in
    standard deviations.
    """
    validation = sets.splits["validation"]
    probabilities, ratings = read_texts(classifier, [example.text for example in validation])
    labels, truth = data.truth(validation, sets.labels)
    values = {"loss": 0.0}
    if sets.labels:
        logits, labels = labelled_logits(probabilities, labels)
        logits /= fit_temperature(probabilities, data.truth(validation, sets.labels)[0])
        predicted = logits > 0 if sets.multiple else logits.argmax(axis=1)
        values["loss"] = values["cross_entropy"] = cross_entropy(logits, labels)
        values["error"] = float(np.mean(predicted != labels))
    if classifier.rated and np.isfinite(truth).any():
        errors = ratings - truth
        squares = np.nanmean((errors / float(classifier.rating_deviation)) ** 2)
        values["loss"] += classifier.network.rating_weight * float(squares)
        values["rating_error"] = float(np.nanmean(np.abs(errors)))
    return values


def report(sets: data.Sets) -> None:
    """Prints what is learned from, what is predicted, and what is left out."""
    kind = "any of several labels" if sets.multiple else "one of the labels"
    learned = [f"{kind} {listed(sets.labels)}"] * bool(sets.labels) + ["a rating, which is a number,"] * sets.rated
    report_splits(f"Learning {' and '.join(learned)} from texts", sets.splits, sets.notes)
