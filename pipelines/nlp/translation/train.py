"""Trains a translator."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import tensorflow as tf

from pipelines.hints import counted, listed_problems
from pipelines.nlp.subwords import PADDING
from pipelines.nlp.translation import data
from pipelines.nlp.translation.config import TranslationConfiguration
from pipelines.nlp.translation.model import Translator, build, mean
from pipelines.nlp.translation.pairs import LeftOut, Pair, identities
from pipelines.nlp.translation.sources import DataConfiguration
from pipelines.preparation import Prepared, prepared
from pipelines.rows import mean_of_batch
from pipelines.runs import Run
from pipelines.training import fit

LEFT_OUT = "left_out.json"  # pairs that are not learned from, and why
MINIMUM_STEPS = 500  # with which something can be learned
VALIDATED_AT_ONCE = 4000  # target subwords, padding included

CrossEntropy = Callable[[np.ndarray, np.ndarray], tf.Tensor]


def train(run: Run, configuration: TranslationConfiguration) -> None:
    """Trains the translator of a run, or resumes where it stopped, and writes everything into the run's folder."""
    corpus, translator = prepared(run, configuration, prepare)
    encoded, _ = encode(translator, corpus.pairs["train"], configuration.data)
    plans = data.plan(encoded, configuration.data.batch_tokens)
    hint_at_few_steps(sum(plan.batches for plan in plans), configuration)
    held_out = data.encode(corpus.pairs["validation"], translator.source, translator.target)
    regularisation = None
    if share := configuration.data.subword_regularisation:
        regularisation = data.SubwordRegularisation(translator.source.halves(), translator.target.halves(), share)
    loss = partial(batch_loss, translator, configuration.network.label_smoothing)
    batches = partial(data.training_batches, encoded, plans, configuration.seed, regularisation=regularisation)
    functions = loss, batches, partial(validate, cross_entropy(translator), held_out)
    fit(run, translator, *functions, configuration.training, minimise="nats", seed=configuration.seed)
    run.finish()


def prepare(configuration: TranslationConfiguration) -> Prepared[data.Corpus, Translator]:
    """Returns the pairs and an untrained translator, whose subwords are learned from the training split."""
    corpus = data.load(configuration.data)
    source, target = data.learn_subwords(corpus.pairs["train"], configuration.subwords, configuration.shared_subwords)
    description = {"source": source.to_json()} | ({} if target is source else {"target": target.to_json()})
    translator = build(configuration, **description)
    encoded, too_long = encode(translator, corpus.pairs["train"], configuration.data)
    left_out = corpus.left_out + too_long
    report(corpus, encoded, left_out)
    files = {LEFT_OUT: [each._asdict() for each in left_out]}
    return Prepared(corpus, translator, description, files, learned=identities(corpus.pairs["train"]))


def encode(
    translator: Translator, pairs: Sequence[Pair], configuration: DataConfiguration
) -> tuple[data.Encoded, list[LeftOut]]:
    """Returns training pairs as a translator reads them, and those that are too long."""
    return data.limited(data.encode(pairs, translator.source, translator.target), pairs, configuration)


def hint_at_few_steps(steps: int, configuration: TranslationConfiguration) -> None:
    """Prints what to change if a training of so many steps an epoch is too short to learn much."""
    epochs, tokens = configuration.training.epochs, configuration.data.batch_tokens
    if steps * epochs < MINIMUM_STEPS:
        print(
            f"Note: these pairs give {steps * epochs} training steps in {counted(epochs, 'epoch')}; with fewer than "
            f"{MINIMUM_STEPS} hardly anything is learned. Give more pairs, lower --data.batch_tokens "
            f"({tokens}), or raise --training.epochs ({epochs})."
        )


def batch_loss(translator: Translator, smoothing: float, batch: dict[str, tf.Tensor], training: bool) -> tf.Tensor:
    """Returns the mean cross-entropy of a batch, in nats a target subword, with smoothed labels.

    With smoothing s, of V subwords each gets s/V of the label's probability (Szegedy et al. 2016,
    https://arxiv.org/abs/1512.00567). Padding is not counted, and not even computed. Of several members it is the mean.
    """
    share = smoothing / translator.target.size
    hidden, truth = counted_positions(translator, batch, training)
    labels = tf.one_hot(truth, translator.target.size, 1 - smoothing + share, share)
    logits = [member.logits(each) for member, each in zip(translator.members(), hidden, strict=True)]
    return mean([mean_of_batch(tf.nn.softmax_cross_entropy_with_logits(labels, each)) for each in logits])


def counted_positions(
    translator: Translator, batch: dict[str, tf.Tensor], training: bool
) -> tuple[list[tf.Tensor], tf.Tensor]:
    """Returns what the softmax of each member takes, (subwords of the batch, units), and the true subwords."""
    target = batch["target"]
    counts = target[:, 1:] != PADDING
    decoded = [member(batch["source"], target[:, :-1], training=training) for member in translator.members()]
    return [tf.boolean_mask(each.hidden, counts) for each in decoded], tf.boolean_mask(target[:, 1:], counts)


def cross_entropy(translator: Translator) -> CrossEntropy:
    """Returns a function, traced once for all shapes, from sources and targets to nats a target subword."""

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32)] * 2, autograph=False)
    def nats(source: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        hidden, truth = counted_positions(translator, {"source": source, "target": target}, training=False)
        return -tf.reduce_mean(tf.gather(translator.log_probabilities(hidden), truth, batch_dims=1))

    return nats


def validate(nats: CrossEntropy, encoded: data.Encoded) -> dict[str, float]:
    """Returns the cross-entropy of a split, in nats a target subword."""
    total = count = 0.0
    for bucket in data.plan(encoded, VALIDATED_AT_ONCE):
        for members in np.array_split(bucket.pairs, bucket.batches):
            source, target = (data.padded([side[member] for member in members]) for side in encoded)
            subwords = int((target[:, 1:] != PADDING).sum())
            total += float(nats(source, target)) * subwords
            count += subwords
    return {"nats": total / count}


def report(corpus: data.Corpus, encoded: data.Encoded, left_out: list[LeftOut]) -> None:
    """Prints what is learned from, and what is left out."""
    counts = ", ".join(f"{len(pairs)} {split}" for split, pairs in corpus.pairs.items())
    subwords = sum(map(len, encoded.target)) - 2 * len(encoded.target)
    print(f"Pairs: {counts}. Learning from {len(encoded.target)} with {subwords} target subwords.")
    if left_out:
        named = listed_problems([(each.where, each.reason) for each in left_out])
        print(f"Left out or cut: {len(left_out)} (all of them in {LEFT_OUT}){named}")
