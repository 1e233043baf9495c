"""Trains a translator."""

from collections.abc import Callable
from functools import partial

import numpy as np
import tensorflow as tf

from pipelines import commands
from pipelines.nlp.subwords import PADDING
from pipelines.nlp.text_files import TextDataError
from pipelines.nlp.translation import data
from pipelines.nlp.translation.config import TranslationConfiguration
from pipelines.nlp.translation.model import Translator
from pipelines.nlp.translation.pairs import LeftOut
from pipelines.nlp.translation.sources import Corpus, open_corpus
from pipelines.nlp.translation.trained import SUBWORDS, build, subwords_to_json
from pipelines.runs import Run
from pipelines.training import fit

NEXT = 'make translate TEXT="…"'
LEFT_OUT = "left_out.json"  # pairs that are not learned from, and why
NAMED = 3  # of them, printed
FEWEST_STEPS = 500  # with which something can be learned
VALIDATED_AT_ONCE = 4000  # target subwords, padding included


def train(run: Run, configuration: TranslationConfiguration) -> None:
    """Trains the translator of a run, or goes on where it stopped, and writes everything into the run's folder."""
    with commands.removed_if_refused(run):
        corpus = open_corpus(configuration.data)
        translator, encoded, too_long = prepare(configuration, corpus)
        record(run, translator, corpus.left_out + too_long)
        report(corpus, encoded, corpus.left_out + too_long)
    plans = data.plan(encoded, configuration.data.batch_tokens)
    hint_at_few_steps(sum(plan.batches for plan in plans), configuration)
    held_out = data.encode(corpus.pairs["validation"], translator.source, translator.target)

    respelling = None
    if share := configuration.data.respelled:
        respelling = data.Respelling(translator.source.halves(), translator.target.halves(), share)

    def training_batches(epoch: int) -> tf.data.Dataset:
        return data.training_batches(encoded, plans, configuration.seed, epoch, respelling)

    fit(
        run,
        translator,
        partial(batch_loss, translator, configuration.network.label_smoothing),
        training_batches,
        validation(translator, held_out),
        configuration.training,
        monitor="nats",
        seed=configuration.seed,
    )
    run.finish()


def hint_at_few_steps(steps: int, configuration: TranslationConfiguration) -> None:
    """Says what to change if a training of so many steps an epoch is too short to learn much."""
    epochs, tokens = configuration.training.epochs, configuration.data.batch_tokens
    if steps * epochs < FEWEST_STEPS:
        print(
            f"Note: these pairs give {steps * epochs} training steps in all, {steps} in each of {epochs} epochs; with "
            f"less than {FEWEST_STEPS} hardly anything is learned. Give more pairs, lower --data.batch_tokens "
            f"({tokens}), or raise --training.epochs ({epochs})."
        )


def batch_loss(translator: Translator, smoothing: float, batch: dict[str, tf.Tensor], training: bool) -> tf.Tensor:
    """Returns the mean cross-entropy of a batch, in nats a target subword, with smoothed labels.

    With smoothing s, of V subwords each gets s/V of the label's probability (Szegedy et al. 2016,
    https://arxiv.org/abs/1512.00567). Padding is not counted, and not even computed.
    """
    truth = batch["target"][:, 1:]
    counts = truth != PADDING
    hidden = translator(batch["source"], batch["target"][:, :-1], training=training).hidden
    logits = translator.logits(tf.boolean_mask(hidden, counts))  # (subwords of the batch, vocabulary)
    share = smoothing / translator.target.size
    labels = tf.one_hot(tf.boolean_mask(truth, counts), translator.target.size, 1 - smoothing + share, share)
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels, logits))


def validation(translator: Translator, encoded: data.Encoded) -> Callable[[], dict[str, float]]:
    """Returns a function that returns the cross-entropy of a split, in nats a target subword."""

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32)] * 2)
    def nats(source: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        return batch_loss(translator, 0.0, {"source": source, "target": target}, False)

    def validate() -> dict[str, float]:
        total = count = 0.0
        for bucket in data.plan(encoded, VALIDATED_AT_ONCE):
            for members in np.array_split(bucket.pairs, bucket.batches):
                source, target = (data.padded([side[member] for member in members]) for side in encoded)
                subwords = int((target[:, 1:] != PADDING).sum())
                total += float(nats(source, target)) * subwords
                count += subwords
        return {"nats": total / count}

    return validate


def prepare(configuration: TranslationConfiguration, corpus: Corpus) -> tuple[Translator, data.Encoded, list[LeftOut]]:
    """Returns an untrained translator, its subwords learned from the training split, that split as numbers, and what of
    it is too long."""
    pairs = corpus.pairs["train"]
    source, target = data.learn_subwords(pairs, configuration.subwords, configuration.shared_subwords)
    encoded, too_long = data.limited(data.encode(pairs, source, target), pairs, configuration.data)
    return build(configuration, source, target), encoded, too_long


def record(run: Run, translator: Translator, left_out: list[LeftOut]) -> None:
    """Writes the subwords and what is left out; refuses to go on with pairs that have other subwords."""
    subwords = subwords_to_json(translator.source, translator.target)
    if (run.folder / SUBWORDS).exists() and run.read_json(SUBWORDS) != subwords:
        raise TextDataError(
            "The pairs have changed since the run started: they give other subwords. Restore them, or start a new run, "
            f"without RESUME=1. Received: {run.folder / SUBWORDS} differs"
        )
    run.write_json(SUBWORDS, subwords)
    run.write_json(LEFT_OUT, [each._asdict() for each in left_out])


def report(corpus: Corpus, encoded: data.Encoded, left_out: list[LeftOut]) -> None:
    """Says what is learned from, and names what is left out."""
    counts = ", ".join(f"{len(pairs)} {split}" for split, pairs in corpus.pairs.items())
    subwords = sum(map(len, encoded.target)) - 2 * len(encoded.target)
    print(f"Pairs: {counts}. Learning from {len(encoded.target)} with {subwords} target subwords.")
    if left_out:
        named = "; ".join(f"{each.where}: {each.reason}" for each in left_out[:NAMED])
        print(
            f"Left out or cut: {len(left_out)} ({named}{', …' * (len(left_out) > NAMED)}), all of them in {LEFT_OUT}."
        )
