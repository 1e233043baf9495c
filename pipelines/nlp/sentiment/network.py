"""A member of a classifier and its sizes: embedded words, a recurrent stack in each direction, pooling, two heads."""

from typing import Any, ClassVar, Literal, NamedTuple

import keras
import tensorflow as tf
from pydantic import Field

import models
from pipelines.configuration import Configuration
from pipelines.nlp.sentiment.words import UNKNOWN, Words

Pooling = Literal["attention", "max", "mean"]


class NetworkConfiguration(Configuration):
    """Sizes and parts of the network."""

    RENAMED: ClassVar = {"fewest": "minimum_count"}

    vocabulary: int = Field(
        20_000, ge=1, description="maximum number of known words, the commonest of the training split"
    )
    minimum_count: int = Field(2, ge=1, description="times that a word must occur in the training split to be known")
    pieces: int = Field(10_000, ge=0, description="size of the hash table for pieces of words; 0: words only")
    embedding: int = Field(64, ge=1, description="size of the embedding of a word")
    informed: float = Field(
        1.0, ge=0, description="scale of the word statistics that embeddings start with; 0: random embeddings"
    )
    lexicon: bool = Field(
        False,
        description="add the words of VADER's lexicon; their embeddings also start with their valence; for English",
    )
    vectors: int = Field(
        0,
        ge=0,
        description="common words to add to the vocabulary; these and all other known words get GloVe vectors; "
        "for English; 0: none",
    )
    recurrent: Literal["simple_rnn", "lstm", "gru", "min_gru", "min_lstm"] = Field("gru", description="recurrent layer")
    units: int = Field(64, ge=1, description="units of a recurrent layer, in each direction")
    layers: int = Field(1, ge=1, le=8, description="recurrent layers, in each direction")
    bidirectional: bool = Field(True, description="read in both directions")
    pooling: tuple[Pooling, ...] = Field(
        ("attention", "max"), min_length=1, description="how states are pooled: attention-weighted mean, maximum, mean"
    )
    members: int = Field(1, ge=1, le=20, description="networks of the ensemble; their outputs are averaged")
    rating_weight: float = Field(1.0, ge=0, description="weight of the rating's loss beside the label's; 0: no rating")
    word_dropout: float = Field(0.3, ge=0, lt=1, description="share of the words that are masked in training")
    embedding_dropout: float = Field(0.5, ge=0, lt=1, description="dropout of embeddings, one mask for the whole text")
    recurrent_dropout: float = Field(0.2, ge=0, lt=1, description="dropout of the hidden state, one mask for all steps")
    dropout: float = Field(0.5, ge=0, lt=1, description="dropout before the heads")


class MemberOutput(NamedTuple):
    """A member's output: `logits` (batch, labels); `rating` (batch,) in standard deviations; None where not learned."""

    logits: tf.Tensor | None
    rating: tf.Tensor | None


class Member(keras.layers.Layer):
    """A network from words to logits and a rating.

        e_t = E[word_t] + mean of P[piece] over the pieces of word_t + W V[word_t]
        f, b = the states of a stack that reads e forwards, of another that reads it backwards
        s = attention-weighted mean of [f; b], maximum over time of [f; b]
        logits = A s + a,   rating = c · s + d

    V are pre-trained vectors of words, if there are any; they are not trained.

    Only words within a text's true length are read, pooled or attended to. The two stacks do not see each other, so
    that each can be trained as a language model before (Dai and Le 2015, https://arxiv.org/abs/1511.01432). Dropout of
    embeddings and states has one mask for all steps (Gal and Ghahramani 2016, https://arxiv.org/abs/1512.05287), and
    whole words are dropped (Iyyer et al. 2015, https://aclanthology.org/P15-1162).

    Args:
        labels: number of labels; 0: there is a rating alone.
        vectors: V, shared by the members.
    """

    def __init__(
        self,
        network: NetworkConfiguration,
        words: Words,
        labels: int,
        rated: bool,
        seed: int,
        vectors: keras.layers.Embedding | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.network, width = network, network.embedding
        self.embedding = keras.layers.Embedding(
            words.size, width, keras.initializers.RandomNormal(stddev=0.1), name="embedding"
        )
        self.pieces: Any = None
        if words.pieces:
            initializer = keras.initializers.RandomNormal(stddev=0.1)
            self.pieces = keras.layers.Embedding(1 + words.pieces, width, initializer, name="pieces")
        self.vectors: Any = vectors
        self.projection: Any = None
        if vectors is not None:
            self.projection = keras.layers.Dense(width, use_bias=False, name="projection")
        layer_options = {"recurrent_dropout": network.recurrent_dropout} if network.recurrent_dropout else {}
        self.stacks = [
            models.Stack(
                network.recurrent,
                network.units,
                depth=network.layers,
                residual=network.layers > 1,
                layer_options=layer_options,
                seed=seed + direction,
                return_sequences=True,
                name=f"stack_{direction}",
            )
            for direction in range(1 + network.bidirectional)
        ]
        self.attention: Any = None
        if "attention" in network.pooling:
            self.attention = models.BahdanauAttention(network.units, name="attention")
            self.query = self.add_weight(shape=(network.units,), initializer="random_normal", name="query")
        self.label_head = keras.layers.Dense(labels, name="label") if labels else None
        self.rating_head = keras.layers.Dense(1, name="rating") if rated else None
        self.embedding_dropout = keras.layers.SpatialDropout1D(network.embedding_dropout, seed=seed)
        self.dropout = keras.layers.Dropout(network.dropout, seed=seed)
        self.word_seed = keras.random.SeedGenerator(seed)

    def call(self, words: tf.Tensor, pieces: tf.Tensor, lengths: tf.Tensor, training: bool = False) -> MemberOutput:
        """Returns the output for texts, given as the parts of `Encoded`."""
        states = self.read(self.embed(words, pieces, training), lengths, training)
        pooled = self.dropout(self.pool(tf.concat(states, axis=-1), lengths), training=training)
        rating = None if self.rating_head is None else self.rating_head(pooled)[:, 0]
        return MemberOutput(None if self.label_head is None else self.label_head(pooled), rating)

    def embed(self, words: tf.Tensor, pieces: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns the embedded words (batch, time, embedding)."""
        if training and self.network.word_dropout:
            unseen = keras.random.uniform(tf.shape(words), seed=self.word_seed) < self.network.word_dropout
            words, pieces = mask_words(words, pieces, unseen)
        embedded = self.embedding(words)
        if self.pieces is not None:
            known = tf.cast(pieces > 0, embedded.dtype)[..., tf.newaxis]  # (batch, time, pieces, 1)
            total = tf.reduce_sum(self.pieces(pieces) * known, axis=2)
            embedded += total / tf.maximum(tf.reduce_sum(known, axis=2), 1.0)
        if self.projection is not None:
            embedded += self.projection(self.vectors(words))
        return self.embedding_dropout(embedded, training=training)

    def read(self, embedded: tf.Tensor, lengths: tf.Tensor, training: bool = False) -> list[tf.Tensor]:
        """Returns the states (batch, time, units) after each word: read forwards and, with two stacks, backwards."""
        mask = tf.sequence_mask(lengths, tf.shape(embedded)[1])
        states = [self.stacks[0](embedded, mask=mask, training=training)]
        if self.network.bidirectional:
            backwards = tf.reverse_sequence(embedded, lengths, seq_axis=1)
            backwards = self.stacks[1](backwards, mask=mask, training=training)
            states.append(tf.reverse_sequence(backwards, lengths, seq_axis=1))
        return states

    def pool(self, states: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Returns the pooled states (batch, time, width) as (batch, width · poolings); zeros for no words."""
        counts = tf.sequence_mask(lengths, tf.shape(states)[1])[..., tf.newaxis]  # (batch, time, 1)
        pooled = []
        for kind in self.network.pooling:
            if kind == "attention":
                query = tf.repeat(tf.cast(self.query.value, states.dtype)[tf.newaxis], tf.shape(states)[0], axis=0)
                pooled.append(self.attention(query, states, lengths=lengths).context)
            elif kind == "max":
                highest = tf.reduce_max(tf.where(counts, states, states.dtype.min), axis=1)
                pooled.append(tf.where(lengths[:, tf.newaxis] > 0, highest, tf.zeros_like(highest)))
            else:
                total = tf.reduce_sum(tf.where(counts, states, tf.zeros_like(states)), axis=1)
                pooled.append(total / tf.cast(tf.maximum(lengths, 1), total.dtype)[:, tf.newaxis])
        return tf.concat(pooled, axis=-1)


def mask_words(words: tf.Tensor, pieces: tf.Tensor, unseen: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns words and pieces of which those where `unseen` (batch, time) is True are unknown and have no pieces."""
    return tf.where(unseen, UNKNOWN, words), tf.where(unseen[..., tf.newaxis], 0, pieces)
