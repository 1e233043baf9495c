"""A classifier of texts: an ensemble of members, whose outputs are averaged and calibrated."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from data.word_vectors import DIMENSIONS
from pipelines.nlp.sentiment.data import truth
from pipelines.nlp.sentiment.network import Member, MemberOutput, NetworkConfiguration
from pipelines.nlp.sentiment.splitting import Example
from pipelines.nlp.sentiment.words import MOST_AT_ONCE, PADDING, RESERVED, UNKNOWN, Encoded, Words

HIGHEST_VALENCE = 4.0
AVERAGE_TEXTS = 10  # with each word, besides those that have it: they smooth its mean


class Prediction(NamedTuple):
    """A classifier's output: `probabilities` (batch, labels), and `rating` (batch,), None without ratings."""

    probabilities: tf.Tensor
    rating: tf.Tensor | None


class Classifier(keras.Model):
    """Labels and rates texts.

        probabilities = softmax(log(mean of the members' probabilities) / temperature)
        rating = mean of the members' ratings

    The temperature is fitted on the validation split (Guo et al. 2017, https://arxiv.org/abs/1706.04599); it changes no
    label. Ratings are learned in deviations from the mean of the training split.

    Args:
        network: sizes and parts of the network.
        words: the vocabulary.
        labels: their names.
        rated: whether there are ratings.
        seed: of weights and dropout.
    """

    def __init__(
        self, network: NetworkConfiguration, words: Words, labels: tuple[str, ...], rated: bool, seed: int = 0
    ) -> None:
        super().__init__(name="classifier")
        self.network, self.words, self.labels = network, words, labels
        self.rated = rated and network.rating_weight > 0
        keras.utils.set_random_seed(seed)
        self.temperature = self.add_weight(shape=(), initializer="ones", trainable=False, name="temperature")
        self.rating_mean = self.add_weight(shape=(), initializer="zeros", trainable=False, name="rating_mean")
        self.rating_deviation = self.add_weight(shape=(), initializer="ones", trainable=False, name="rating_deviation")
        self.vectors: Any = None
        if network.vectors:
            self.vectors = keras.layers.Embedding(words.size, DIMENSIONS, "zeros", trainable=False, name="vectors")
        self.members = [
            Member(
                network, words, len(labels), self.rated, 100 * seed + 10 * index, self.vectors, name=f"member_{index}"
            )
            for index in range(network.members)
        ]

    def call(
        self, words: tf.Tensor, pieces: tf.Tensor, lengths: tf.Tensor, training: bool = False
    ) -> list[MemberOutput]:
        """Returns the members' outputs for texts, given as the parts of `Encoded`."""
        return [member(words, pieces, lengths, training=training) for member in self.members]

    def classify(self, encoded: Encoded) -> Prediction:
        """Returns the averaged and calibrated prediction."""
        outputs = self(encoded.words, encoded.pieces, encoded.lengths, training=False)
        probabilities = [tf.nn.softmax(tf.cast(output.logits, tf.float32)) for output in outputs]
        logits = tf.math.log(tf.add_n(probabilities) / len(outputs) + 1e-30)
        ratings = [tf.cast(output.rating, tf.float32) for output in outputs if output.rating is not None]
        rating = tf.add_n(ratings) / len(ratings) * self.rating_deviation + self.rating_mean if ratings else None
        return Prediction(tf.nn.softmax(logits / self.temperature), rating)

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string)])
    def read(self, texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns probabilities (batch, labels) and ratings (batch,), NaN without ratings, of texts."""
        prediction = self.classify(self.words(texts))
        nothing = tf.fill(tf.shape(texts), np.float32(np.nan))
        return prediction.probabilities, nothing if prediction.rating is None else prediction.rating

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, None), tf.int32),
            tf.TensorSpec((None, None, None), tf.int32),
            tf.TensorSpec((None,), tf.int32),
        ]
    )
    def probabilities(self, words: tf.Tensor, pieces: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Returns probabilities (batch, labels) of texts given as the parts of `Encoded`."""
        return self.classify(Encoded(words, pieces, lengths, lengths)).probabilities

    def adapt(
        self,
        examples: Sequence[Example],
        valences: Mapping[str, float] | None = None,
        vectors: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """Fits the scale of the ratings and the initial embeddings on the training split.

        A word's embedding starts with the mean targets of the texts with the word, smoothed by ten average texts:

            r_word = sum of (target of a text - mean target) / (texts + 10)

        for each target, the labels and the rating, in the first dimensions of the embedding, an eighth each. The rest
        starts at random. (Word statistics as initial embeddings: Li et al. 2017, https://arxiv.org/abs/1705.01681.)

        Args:
            examples: of the training split.
            valences: of the words of a lexicon; they fill an eighth, too. Default: none.
            vectors: pre-trained, of words; what their embeddings add to them starts at zero. Default: none.
        """
        labels, ratings = truth(examples, self.labels)
        targets = np.eye(len(self.labels))[labels] * (labels >= 0)[:, np.newaxis]  # (texts, labels)
        if self.rated:
            self.rating_mean.assign(np.nanmean(ratings))
            self.rating_deviation.assign(np.nanstd(ratings) or 1.0)
            scaled = (ratings - self.rating_mean.numpy()) / self.rating_deviation.numpy()
            targets = np.concatenate([targets, np.nan_to_num(scaled)[:, np.newaxis]], axis=1)
        if vectors:
            self._know(vectors)
        if not self.network.informed:
            return
        means = word_means(self.words, [example.text for example in examples], targets - targets.mean(axis=0))
        if valences:
            known = np.array([0.0] * RESERVED + [valences.get(word, 0.0) for word in self.words.vocabulary])
            means = np.concatenate([means, known[:, np.newaxis] / HIGHEST_VALENCE], axis=1)
        width = max(1, self.network.embedding // 8)
        start = np.repeat(means, width, axis=1)[:, : self.network.embedding]  # (words, targets · width)
        for member in self.members:
            embeddings = member.embedding.embeddings.numpy()
            embeddings[:, : start.shape[1]] = self.network.informed * start
            member.embedding.embeddings.assign(embeddings)

    def _know(self, vectors: Mapping[str, np.ndarray]) -> None:
        table = np.zeros((self.words.size, DIMENSIONS), np.float32)
        for number, word in enumerate(self.words.vocabulary, RESERVED):
            if word in vectors:
                table[number] = vectors[word]
        self.vectors.embeddings.assign(table / table.std())
        for member in self.members:
            embeddings = member.embedding.embeddings
            embeddings.assign(tf.where(np.any(table, axis=1, keepdims=True), 0.0, embeddings))

    def build_weights(self) -> "Classifier":
        """Makes the weights, and returns the classifier."""
        self(*self.words(tf.constant(["a"]))[:3])
        return self


def word_means(words: Words, texts: Sequence[str], targets: np.ndarray) -> np.ndarray:
    """Returns the mean targets of the texts with each word, smoothed towards zero.

    Args:
        words: the vocabulary.
        texts: what is learned from.
        targets: (texts, targets), of mean zero.

    Returns:
        (words, targets), in the order of their numbers; zeros for padding and for unknown words.
    """
    sums, counts = np.zeros((words.size, targets.shape[1])), np.zeros((words.size, 1))
    for start in range(0, len(texts), MOST_AT_ONCE):
        numbers = words(tf.constant(texts[start : start + MOST_AT_ONCE])).words.numpy()
        for row, target in zip(numbers, targets[start : start + MOST_AT_ONCE], strict=True):
            distinct = np.unique(row)
            sums[distinct] += target
            counts[distinct] += 1
    means = sums / (counts + AVERAGE_TEXTS)
    means[[PADDING, UNKNOWN]] = 0
    return means


def fit_temperature(probabilities: Any, labels: np.ndarray) -> float:
    """Returns the temperature that minimises the cross-entropy of probabilities (examples, labels).

    Args:
        probabilities: at temperature 1.
        labels: int (examples,); −1, which does not count, for none.

    >>> sure = np.tile([[0.99, 0.01]], (10, 1))
    >>> round(fit_temperature(sure, np.array([0, 1] + [0] * 8)), 1)  # right in 9 of 10: ln 99 / ln 9
    2.1
    """
    logits = np.log(np.asarray(probabilities, np.float64) + 1e-30)[labels >= 0]
    labels = labels[labels >= 0]

    def loss(logarithm: float) -> float:
        return cross_entropy(logits / np.exp(logarithm), labels)

    return float(np.exp(minimize_scalar(loss, bounds=(-2.0, 3.0), method="bounded").x))


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Returns the mean cross-entropy of labels int (examples,) under logits (examples, labels), in nats."""
    return float(-np.mean(log_softmax(logits, axis=-1)[np.arange(len(labels)), labels]))
