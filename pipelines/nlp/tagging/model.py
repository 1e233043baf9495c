"""A bidirectional tagger of words and their pieces."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

import models
from pipelines.nlp.tagging.config import TaggingConfiguration
from pipelines.nlp.tagging.network import NetworkConfiguration
from pipelines.nlp.words import Words
from pipelines.preparation import trained_model
from pipelines.runs import Run


class Tagger(keras.Model):
    """Words in, the evidence for each tag of each word out.

        e_t = sum of E[n] over the numbers n of word_t: its own, and those of its pieces and its shape
        h = a recurrent stack that reads e in both directions
        logits_t = A h_t + a

    In training, some words lose their own number, so that the pieces are learned for unknown words, too.
    """

    def __init__(
        self, network: NetworkConfiguration, vocabulary: Sequence[str], tags: Sequence[str], seed: int
    ) -> None:
        super().__init__(name="tagger")
        keras.utils.set_random_seed(seed)
        self.network, self.words, self.tags = network, Words(vocabulary, network.pieces), tuple(tags)
        start = keras.initializers.RandomNormal(stddev=0.1)
        self.embedding = keras.layers.Embedding(self.words.size, network.embedding, start, name="embedding")
        options: dict[str, Any] = {"bidirectional": True, "dropout": network.dropout, "seed": seed, "name": "stack"}
        self.stack = models.Stack(network.recurrent, network.units, network.layers, return_sequences=True, **options)
        self.dropout = keras.layers.Dropout(network.dropout, seed=seed)
        self.output_layer = keras.layers.Dense(len(tags), dtype="float32", name="tags")
        self.word_seed = keras.random.SeedGenerator(seed)

    def call(self, numbers: tf.Tensor, lengths: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns logits (batch, time, tags) of words, int32 (batch, time, 10), of which `lengths` (batch,) count."""
        if training and self.network.word_dropout:
            kept = keras.random.uniform(tf.shape(numbers)[:2], seed=self.word_seed) >= self.network.word_dropout
            numbers = tf.concat([numbers[..., :1] * tf.cast(kept, tf.int32)[..., tf.newaxis], numbers[..., 1:]], -1)
        counts = tf.cast(numbers > 0, self.compute_dtype)[..., tf.newaxis]  # (batch, time, 10, 1)
        embedded = tf.reduce_sum(self.embedding(numbers) * counts, axis=2)
        hidden = self.stack(embedded, mask=tf.sequence_mask(lengths, tf.shape(numbers)[1]), training=training)
        return self.output_layer(self.dropout(hidden, training=training))

    def tag(self, words: tf.RaggedTensor) -> tf.Tensor:
        """Returns the probabilities (batch, time, tags) of the tags of words, strings (batch, words), padded."""
        numbers = words.with_flat_values(self.words.encode(words.flat_values)).to_tensor()
        return tf.nn.softmax(self(numbers, tf.cast(words.row_lengths(), tf.int32)))


def build(configuration: TaggingConfiguration, vocabulary: Sequence[str], tags: Sequence[str]) -> Tagger:
    """Returns an untrained tagger, its weights made."""
    tagger = Tagger(configuration.network, vocabulary, tags, configuration.seed)
    tagger.tag(tf.ragged.constant([["a"]]))
    return tagger


def load_model(run: Run) -> Tagger:
    """Returns the tagger of a finished run, with its trained weights."""
    return trained_model(run, run.read_configuration(TaggingConfiguration), build)
