"""Trains a language model: `train` is called by `python -m pipelines.nlp.train language-model`."""

from functools import partial

import tensorflow as tf

from pipelines import commands
from pipelines.counting import counted
from pipelines.nlp.language_model import data
from pipelines.nlp.language_model.config import LanguageModelConfiguration
from pipelines.nlp.language_model.model import LanguageModel, cross_entropy
from pipelines.nlp.language_model.scoring import bits_per_character, score
from pipelines.nlp.language_model.trained import VOCABULARY, build, load_subwords
from pipelines.nlp.text_files import TextDataError
from pipelines.runs import Run
from pipelines.training import fit

NEXT = 'make generate PROMPT="…"'


def train(run: Run, configuration: LanguageModelConfiguration) -> None:
    """Trains the language model of a run, or goes on where it stopped, and writes everything into the run's folder."""
    with commands.removed_if_refused(run):
        sets, model = prepare(configuration)
        record(run, sets)
        report(sets)

    def training_batches(epoch: int) -> tf.data.Dataset:
        return data.training_batches(sets.training, configuration.data, configuration.seed, epoch)

    fit(
        run,
        model,
        partial(batch_loss, model),
        training_batches,
        partial(validate, model, sets),
        configuration.training,
        monitor="bits_per_character",
        seed=configuration.seed,
    )
    run.finish()


def batch_loss(model: LanguageModel, batch: dict[str, tf.Tensor], training: bool) -> tf.Tensor:
    """Returns the mean negative logarithm of the probability of a subword, in nats; the state goes on in training."""
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


def prepare(configuration: LanguageModelConfiguration) -> tuple[data.Sets, LanguageModel]:
    """Returns the documents with the vocabulary of the training split, and an untrained language model."""
    sets = data.load(configuration.data, configuration.vocabulary)
    return sets, build(configuration, sets.subwords.size)


def record(run: Run, sets: data.Sets) -> None:
    """Writes the vocabulary; refuses to go on with another one."""
    if (run.folder / VOCABULARY).exists() and load_subwords(run).to_json() != sets.subwords.to_json():
        raise TextDataError(
            "The text has changed since the run started: it has another vocabulary. Restore it, or start a new run, "
            f"without RESUME=1. Received: {sets.subwords.size} subwords, some of them others"
        )
    run.write_json(VOCABULARY, sets.subwords.to_json())


def report(sets: data.Sets) -> None:
    """Says what is learned from."""
    characters = sum(len(document.text) for document in sets.corpus.train)
    subwords = sum(map(len, sets.training))
    print(
        f"Learning from {counted(len(sets.corpus.train), 'document')} of {characters} characters, {subwords} "
        f"subwords of {sets.subwords.size}: {characters / subwords:.2f} characters each."
    )
