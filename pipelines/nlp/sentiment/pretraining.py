"""Semi-supervised learning: the recurrent stacks are trained as language models before they classify."""

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

import data
from data.bible_text import BibleText
from data.state_of_the_union import StateOfTheUnion
from pipelines.nlp.sentiment.config import PretrainingConfiguration
from pipelines.nlp.sentiment.data import training_batches
from pipelines.nlp.sentiment.model import Classifier
from pipelines.nlp.sentiment.network import Member
from pipelines.nlp.sentiment.splitting import Example
from pipelines.nlp.sentiment.words import RESERVED
from pipelines.preparation import built
from pipelines.rows import mean_of_batch
from pipelines.runs import Run
from pipelines.training import fit

FOLDER = "pretraining"  # within the run's
_SENTENCE_END = re.compile(r"(?<=[.!?;])\s+|\n+")


class NextWords(keras.Model):
    """The members of a classifier as language models: of the next word forwards, of the one before backwards.

        logits_t = E (W h_t) + b

    with the classifier's own embedding E (Press and Wolf 2017, https://arxiv.org/abs/1608.05859). What is learned stays
    in the classifier; W and b are left behind (Dai and Le 2015, https://arxiv.org/abs/1511.01432, section 3.1).
    """

    def __init__(self, classifier: Classifier) -> None:
        super().__init__(name="next_words")
        self.readers = [NextWord(member, name=f"reader_{index}") for index, member in enumerate(classifier.members)]

    def call(self, words: tf.Tensor, pieces: tf.Tensor, lengths: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns the mean cross-entropy of a known word in nats."""
        losses = [reader(words, pieces, lengths, training=training) for reader in self.readers]
        return tf.add_n(losses) / len(losses)


class NextWord(keras.layers.Layer):
    """One member as a language model of each of its directions."""

    def __init__(self, member: Member, **options: Any) -> None:
        super().__init__(dtype=member.dtype_policy, **options)
        # Of the member, the parts that read: its pooling and its heads get no gradient here.
        self.embedding, self.pieces, self.stacks = member.embedding, member.pieces, member.stacks
        self.random = [member.embedding_dropout, member.word_seed]  # their states belong to a checkpoint
        self.embed, self.read_states = member.embed, member.read
        width = member.network.embedding
        self.projections = [
            keras.layers.Dense(width, dtype=member.dtype_policy, name=f"projection_{number}")
            for number in range(len(self.stacks))
        ]

    def call(self, words: tf.Tensor, pieces: tf.Tensor, lengths: tf.Tensor, training: bool = False) -> tf.Tensor:
        states = self.read_states(self.embed(words, pieces, training), lengths, training)
        pairs = [(states[0][:, :-1], words[:, 1:]), *((state[:, 1:], words[:, :-1]) for state in states[1:])]
        losses = []
        for projection, (state, target) in zip(self.projections, pairs, strict=True):
            known = target >= RESERVED
            hidden = tf.boolean_mask(projection(state), known)  # (known words, embedding)
            logits = tf.cast(tf.matmul(hidden, self.embedding.embeddings.value, transpose_b=True), tf.float32)
            target = tf.boolean_mask(target, known)
            losses.append(tf.nn.sparse_softmax_cross_entropy_with_logits(target, logits))
        return mean_of_batch(tf.concat(losses, axis=0))


def batch_loss(reader: NextWords, batch: dict[str, tf.Tensor], training: bool) -> tf.Tensor:
    """Returns the mean cross-entropy of a known word of a batch in nats."""
    loss: tf.Tensor = reader(batch["words"], batch["pieces"], batch["lengths"], training=training)
    return loss


def texts_of(configuration: PretrainingConfiguration, training: Sequence[Example]) -> list[Example]:
    """Returns the sentences to read: of the training split, never of another, and of the train splits of documents."""
    builders: dict[str, type[tfds.core.GeneratorBasedBuilder]] = {"bible": BibleText, "addresses": StateOfTheUnion}
    found = list(training) if "training" in configuration.texts else []
    for name in configuration.texts:
        if name in builders:
            builder = data.prepare(builders[name]())
            for document in sorted(
                builder.as_dataset(split="train").as_numpy_iterator(), key=lambda each: each["number"]
            ):
                sentences = _SENTENCE_END.split(document["text"].decode())
                found += [Example(name, sentence, "") for sentence in sentences if " " in sentence]
    return found


def pretrain(
    run: Run,
    classifier: Classifier,
    configuration: PretrainingConfiguration,
    texts: Sequence[Example],
    validation: Sequence[Example],
    batch_size: int,
    seed: int,
) -> None:
    """Trains a classifier's members as language models, or resumes where that stopped, in a folder of the run."""
    reader = built(NextWords(classifier), *classifier.words(tf.constant(["a b"]))[:3])

    def batches(examples: Sequence[Example], epoch: int) -> tf.data.Dataset:
        return training_batches(examples, (), classifier.words, batch_size, seed, epoch)

    evaluate = tf.function(partial(batch_loss, reader, training=False), reduce_retracing=True, autograph=False)

    def validate() -> dict[str, float]:
        return {"cross_entropy": float(np.mean([evaluate(batch) for batch in batches(validation, 0)]))}

    folder = run.folder / FOLDER
    folder.mkdir(exist_ok=True)
    functions = partial(batch_loss, reader), partial(batches, texts), validate
    inner = Run(folder, run.pipeline, run.preset)
    fit(inner, reader, *functions, configuration.training, minimise="cross_entropy", seed=seed)
