"""Trains a classifier of texts, the task sentiment of the NLP pipeline."""

from functools import partial

import numpy as np
import tensorflow as tf

from data.valence_lexicon import read_valences
from data.word_vectors import read_vectors
from pipelines import commands
from pipelines.nlp.sentiment import data
from pipelines.nlp.sentiment.config import SentimentConfiguration
from pipelines.nlp.sentiment.model import Classifier, cross_entropy, fit_temperature
from pipelines.nlp.sentiment.pretraining import pretrain, texts_of
from pipelines.nlp.sentiment.sources import Example
from pipelines.nlp.sentiment.trained import CALIBRATION, DESCRIPTION, Description, build, read_texts
from pipelines.nlp.sentiment.words import learn_vocabulary
from pipelines.nlp.text_files import TextDataError
from pipelines.nlp.texts import listed
from pipelines.runs import Run
from pipelines.training import fit

NEXT = 'make judge TEXT="…"'


def train(run: Run, configuration: SentimentConfiguration) -> None:
    """Trains the classifier of a run, or goes on where it stopped, and writes everything into the run's folder."""
    with commands.removed_if_refused(run):
        sets, unlabelled, classifier = prepare(configuration)
        record(run, Description.of(sets, classifier.words.vocabulary))
        report(sets)
    if unlabelled:
        print(f"Reading {len(unlabelled)} sentences as language models")
        batch_size, seed = configuration.data.batch_size, configuration.seed
        validation = sets.splits["validation"]
        pretrain(run, classifier, configuration.pretraining, unlabelled, validation, batch_size, seed)

    def training_batches(epoch: int) -> tf.data.Dataset:
        size, seed = configuration.data.batch_size, configuration.seed
        return data.training_batches(sets.splits["train"], sets.labels, classifier.words, size, seed, epoch)

    fit(
        run,
        classifier,
        classifier.batch_loss,
        training_batches,
        partial(validate, classifier, sets),
        configuration.training,
        monitor="loss",
        seed=configuration.seed,
    )
    probabilities, _ = read_texts(classifier, [example.text for example in sets.splits["validation"]])
    labels, _ = data.truth(sets.splits["validation"], sets.labels)
    run.write_json(CALIBRATION, {"temperature": fit_temperature(probabilities, labels)})
    run.finish()


def validate(classifier: Classifier, sets: data.Sets) -> dict[str, float]:
    """Returns what the classifier's answers on the validation split are worth.

    `cross_entropy`, in nats, is that with the temperature that suits best, for the temperature is fitted in the end;
    `error` is the share of wrong labels, `rating_error` the mean absolute error. `loss` is what is learned: the cross
    entropy and the weighted squared error of the rating in deviations.
    """
    validation = sets.splits["validation"]
    probabilities, ratings = read_texts(classifier, [example.text for example in validation])
    labels, truth = data.truth(validation, sets.labels)
    logits = np.log(probabilities + 1e-30) / fit_temperature(probabilities, labels)
    labelled = labels >= 0
    entropy = cross_entropy(logits[labelled], labels[labelled])
    values = {
        "loss": entropy,
        "cross_entropy": entropy,
        "error": float(np.mean(probabilities.argmax(axis=1)[labelled] != labels[labelled])),
    }
    if classifier.rated and np.isfinite(truth).any():
        errors = ratings - truth
        squares = np.nanmean((errors / float(classifier.rating_deviation)) ** 2)
        values["loss"] += classifier.network.rating_weight * float(squares)
        values["rating_error"] = float(np.nanmean(np.abs(errors)))
    return values


def prepare(configuration: SentimentConfiguration) -> tuple[data.Sets, list[Example], Classifier]:
    """Returns the usable examples, the texts to read before, and an untrained classifier that knows their words."""
    sets = data.load(configuration.data)
    network, training = configuration.network, sets.splits["train"]
    unlabelled = texts_of(configuration.pretraining, training)
    valences = read_valences() if network.lexicon else {}
    learned = learn_vocabulary([example.text for example in training], network.vocabulary, network.fewest)
    read = learn_vocabulary(
        [example.text for example in unlabelled], network.vocabulary, configuration.pretraining.fewest
    )
    vocabulary = list(dict.fromkeys([*learned, *read, *valences]))[: network.vocabulary]  # each once, in this order
    vectors = read_vectors(network.vectors, vocabulary) if network.vectors else {}
    vocabulary = list(dict.fromkeys([*vocabulary, *vectors]))
    classifier = build(configuration, Description.of(sets, vocabulary))
    classifier.adapt(training, valences, vectors)
    return sets, unlabelled, classifier


def record(run: Run, description: Description) -> None:
    """Writes what is learned from; refuses to go on with other words or labels."""
    if (run.folder / DESCRIPTION).exists() and (known := Description.of_run(run)) != description:
        raise TextDataError(
            f"The texts have changed since the run started. Expected the labels {listed(known.labels)} and "
            f"{len(known.vocabulary)} known words. Restore them, or start a new run, without RESUME=1. Received: "
            f"{listed(description.labels)} and {len(description.vocabulary)} words"
        )
    run.write_json(DESCRIPTION, description._asdict())


def report(sets: data.Sets) -> None:
    """Says what is learned from, and names what is left out."""
    counts = ", ".join(f"{len(members)} for {split}" for split, members in sets.splits.items())
    rated = " and a rating" if sets.rated else ""
    print(f"Learning {listed(sets.labels)}{rated} from texts: {counts}.")
    for note in sets.notes:
        print(f"Note: {note}")
