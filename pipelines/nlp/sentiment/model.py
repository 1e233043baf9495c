"""A classifier of texts: an ensemble of members, whose outputs are averaged and calibrated."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from data.word_vectors import DIMENSIONS
from pipelines.configuration import ConfigurationError
from pipelines.nlp.batches import by_length, some_at_a_time
from pipelines.nlp.sentiment.config import SentimentConfiguration
from pipelines.nlp.sentiment.data import truth
from pipelines.nlp.sentiment.network import Member, MemberOutput, NetworkConfiguration
from pipelines.nlp.sentiment.splitting import Example
from pipelines.nlp.sentiment.words import PADDING, RESERVED, UNKNOWN, Encoded, Words
from pipelines.preparation import built, trained_model
from pipelines.runs import Run

HIGHEST_VALENCE = 4.0
WINDOWS_AT_ONCE = 32  # that are read together, so that memory is bounded
AVERAGE_TEXTS = 10  # with each word, besides those that have it: they smooth its mean
OLD_DESCRIPTION = "vocabulary.json"  # where 0.1.0 wrote what `build` takes
CALIBRATION = "calibration.json"


class Prediction(NamedTuple):
    """A classifier's output: `probabilities` (batch, labels), and `rating` (batch,), NaN where none is learned."""

    probabilities: tf.Tensor
    rating: tf.Tensor


class Classifier(keras.Model):
    """Labels and rates texts; what it predicts follows from what the data hold.

        one label a text:       probabilities = softmax(log(p) / temperature)
        several labels a text:  probabilities = sigmoid(logit(p) / temperature), a label from its threshold on
        a rating:               rating = mean of the members' ratings

    where p is the mean of the members' probabilities. Of a text that is read in several windows, p and the rating are
    the means over its words. Temperature (Guo et al. 2017, https://arxiv.org/abs/1706.04599) and thresholds are fitted
    on the validation split. Ratings are learned in deviations from the mean of the training split.

    Args:
        network: sizes and parts of the network.
        words: the vocabulary.
        labels: their names; none: there is a rating alone.
        rated: whether there are ratings.
        seed: of weights and dropout.
        multiple: whether a text may have several labels, or none.

    Raises:
        ConfigurationError: there is nothing to learn.
    """

    def __init__(
        self,
        network: NetworkConfiguration,
        words: Words,
        labels: tuple[str, ...],
        rated: bool,
        seed: int = 0,
        multiple: bool = False,
    ) -> None:
        super().__init__(name="classifier")
        self.network, self.words, self.labels, self.multiple = network, words, labels, multiple
        self.rated = rated and network.rating_weight > 0
        if not labels and not self.rated:
            raise ConfigurationError(
                "network.rating_weight: the texts have ratings alone, which would not be learned. Expected a weight "
                f"above 0. Raise it, or name a column of labels: --data.label. Received: {network.rating_weight}"
            )
        keras.utils.set_random_seed(seed)
        self.temperature = self.add_weight(shape=(), initializer="ones", trainable=False, name="temperature")
        self.thresholds: Any = None
        if multiple:
            self.thresholds = self.add_weight(
                shape=(len(labels),), initializer=keras.initializers.Constant(0.5), trainable=False, name="thresholds"
            )
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

    def classify(self, texts: tf.Tensor) -> Prediction:
        """Returns the averaged and calibrated prediction for strings (batch,), each read whole if the words are."""
        if not self.words.whole:
            return self._calibrated(self._averaged(self.words(texts)))
        windows, owners = self.words.windows(texts)

        def read(start: tf.Tensor, found: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            part = Encoded(*(each[start : start + WINDOWS_AT_ONCE] for each in windows))
            return start + WINDOWS_AT_ONCE, tf.concat([found, self._averaged(part)], axis=0)

        count, width = tf.size(owners), len(self.labels) + 1
        invariants = (tf.TensorShape([]), tf.TensorShape([None, width]))
        _, found = tf.while_loop(lambda start, _: start < count, read, (0, tf.zeros((0, width))), invariants)
        weights = tf.cast(tf.maximum(windows.lengths, 1), tf.float32)[:, tf.newaxis]
        mean = tf.math.segment_sum(found * weights, owners) / tf.math.segment_sum(weights, owners)
        return self._calibrated(tf.ensure_shape(mean, (None, width)))

    def _averaged(self, encoded: Encoded) -> tf.Tensor:
        """The mean over the members of the labels' probabilities and, behind them, the rating: (batch, labels + 1)."""
        outputs = self(encoded.words, encoded.pieces, encoded.lengths, training=False)
        activation = tf.nn.sigmoid if self.multiple else tf.nn.softmax
        found = []
        for logits, rating in outputs:
            probabilities = [] if logits is None else [activation(tf.cast(logits, tf.float32))]
            rating = tf.fill(tf.shape(encoded.lengths), np.float32(np.nan)) if rating is None else rating
            found.append(tf.concat([*probabilities, tf.cast(rating, tf.float32)[:, tf.newaxis]], axis=1))
        return tf.add_n(found) / len(found)

    def _calibrated(self, averaged: tf.Tensor) -> Prediction:
        shares, rating = averaged[:, :-1], averaged[:, -1]
        logits = tf.math.log(shares + 1e-30)
        if self.multiple:
            probabilities = tf.nn.sigmoid((logits - tf.math.log1p(1e-7 - shares)) / self.temperature)
        else:
            probabilities = tf.nn.softmax(logits / self.temperature)
        return Prediction(probabilities, rating * self.rating_deviation + self.rating_mean)

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string)], autograph=False)
    def read(self, texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns probabilities (batch, labels) and ratings (batch,), NaN without ratings, of texts."""
        prediction = self.classify(texts)
        return prediction.probabilities, prediction.rating

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, None), tf.int32),
            tf.TensorSpec((None, None, None), tf.int32),
            tf.TensorSpec((None,), tf.int32),
        ],
        autograph=False,
    )
    def predict_encoded(self, words: tf.Tensor, pieces: tf.Tensor, lengths: tf.Tensor) -> Prediction:
        """Returns the prediction for texts of one window, given as the parts of `Encoded`."""
        return self._calibrated(self._averaged(Encoded(words, pieces, lengths, lengths)))

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
        if labels.ndim == 1:
            labels = (labels[:, np.newaxis] == np.arange(len(self.labels))).astype(np.int32)
        targets = np.maximum(labels, 0).astype(np.float64)  # (texts, labels)
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
        return built(self, *self.words(tf.constant(["a"]))[:3])


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
    for some in some_at_a_time(zip(texts, targets, strict=True)):
        numbers = words(tf.constant([text for text, _ in some])).words.numpy()
        for row, (_, target) in zip(numbers, some, strict=True):
            distinct = np.unique(row)
            sums[distinct] += target
            counts[distinct] += 1
    means = sums / (counts + AVERAGE_TEXTS)
    means[[PADDING, UNKNOWN]] = 0
    return means


def build(
    configuration: SentimentConfiguration,
    vocabulary: Sequence[str],
    labels: Sequence[str],
    rated: bool,
    multiple: bool = False,
) -> Classifier:
    """Returns an untrained classifier, its weights made."""
    network, data = configuration.network, configuration.data
    words = Words(vocabulary, data.maximum_words, network.pieces, data.too_long == "windows")
    return Classifier(network, words, tuple(labels), rated, configuration.seed, multiple).build_weights()


def load_model(run: Run) -> Classifier:
    """Returns the classifier of a finished run, with its trained weights and its calibration."""
    classifier = trained_model(run, run.read_configuration(SentimentConfiguration), build, OLD_DESCRIPTION)
    calibration = run.read_json(CALIBRATION)
    classifier.temperature.assign(calibration["temperature"])
    if classifier.multiple:
        classifier.thresholds.assign(calibration["thresholds"])
    return classifier


def read_texts(classifier: Classifier, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Returns probabilities (texts, labels) and ratings (texts,), NaN without any, of any number of texts."""
    found = by_length(
        texts, lambda part: zip(*(each.numpy() for each in classifier.read(tf.constant(part))), strict=True)
    )
    probabilities, ratings = (np.stack(each) for each in zip(*found, strict=True))
    return probabilities, ratings
