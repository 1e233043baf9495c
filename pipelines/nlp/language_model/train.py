"""Trains a language model."""

from functools import partial

import tensorflow as tf

from pipelines.hints import counted
from pipelines.nlp.language_model import data
from pipelines.nlp.language_model.config import LanguageModelConfiguration
from pipelines.nlp.language_model.model import LanguageModel, build, cross_entropy
from pipelines.nlp.language_model.scoring import bits_per_character, score
from pipelines.preparation import Prepared, prepared
from pipelines.runs import Run
from pipelines.training import fit


def train(run: Run, configuration: LanguageModelConfiguration) -> None:
    """Trains the language model of a run, or resumes where it stopped, and writes everything into the run's folder."""
    sets, model = prepared(run, configuration, prepare)
    batches = partial(data.training_batches, sets.training, configuration.data, configuration.seed)
    functions = partial(batch_loss, model), batches, partial(validate, model, sets)
    fit(run, model, *functions, configuration.training, minimise="bits_per_character", seed=configuration.seed)
    run.finish()


def prepare(configuration: LanguageModelConfiguration) -> Prepared[data.Sets, LanguageModel]:
    """Returns the documents and an untrained language model of their subwords, and prints what it learns from."""
    sets = data.load(configuration.data, configuration.vocabulary)
    report(sets)
    vocabulary = sets.subwords.to_json()
    return Prepared(
        sets, build(configuration, vocabulary), {"vocabulary": vocabulary}, learned=sets.corpus.texts("train")
    )


def batch_loss(model: LanguageModel, batch: dict[str, tf.Tensor], training: bool) -> tf.Tensor:
    """Returns the mean negative logarithm of the probability of a subword, in nats; training carries the state on."""
    numbers = batch["numbers"]
    state = model.carried_state(batch["begins"])
    logits, after = model(numbers[:, :-1], state, training=training)
    if training:
        model.carry(after)
    return tf.reduce_mean(cross_entropy(logits, numbers[:, 1:]))


def validate(model: LanguageModel, sets: data.Sets) -> dict[str, float]:
    """Returns the bits that a character of the validation documents takes."""
    documents = sets.corpus.validation
    characters = sum(len(document.text) for document in documents)
    scored = score(model, data.encode(sets.subwords, documents))
    return {"bits_per_character": bits_per_character(scored, characters)}


def report(sets: data.Sets) -> None:
    """Prints what is learned from."""
    characters = sum(len(document.text) for document in sets.corpus.train)
    subwords = sum(map(len, sets.training))
    print(
        f"Learning from {counted(len(sets.corpus.train), 'document')} of {characters} characters, {subwords} "
        f"subwords of {sets.subwords.size}: {characters / subwords:.2f} characters each."
    )
