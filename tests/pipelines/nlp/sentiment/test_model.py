"""The classifier: padding and company change nothing, poolings are what they say, the temperature is the best."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import log_softmax, softmax

from data.word_vectors import DIMENSIONS
from pipelines.nlp.sentiment.explanation import Explanation, explain, strongest
from pipelines.nlp.sentiment.model import Classifier, read_texts
from pipelines.nlp.sentiment.network import NetworkConfiguration, mask_words
from pipelines.nlp.sentiment.scoring import fit_temperature
from pipelines.nlp.sentiment.splitting import Example
from pipelines.nlp.sentiment.train import batch_loss
from pipelines.nlp.sentiment.words import UNKNOWN, Words

TEXTS = ["bad", "a good film, really good", "", "😀 שלום", "not so good but not bad either, I would say", "...", "good"]


def classifier(rated: bool = True, labels: tuple[str, ...] = ("a", "b", "c"), **changes: Any) -> Classifier:
    settings = {"units": 5, "embedding": 4, "members": 2, "pooling": ("attention", "max", "mean")} | changes
    words = Words(["good", "bad", "not"], maximum_words=6, pieces=settings.get("pieces", 30))
    return Classifier(NetworkConfiguration(**settings), words, labels, rated, seed=1).build_weights()


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{}, {"recurrent": "lstm", "layers": 2}, {"bidirectional": False, "pieces": 0}])
def test_padding_and_company_never_change_an_answer(changes: dict[str, Any]) -> None:
    model = classifier(**changes)
    alone = [model.read(tf.constant([text])) for text in TEXTS]
    together = model.read(tf.constant(TEXTS))
    backwards = model.read(tf.constant(TEXTS[::-1]))
    encoded = model.words(tf.constant(TEXTS))
    words, pieces = tf.pad(encoded.words, [[0, 0], [0, 7]]), tf.pad(encoded.pieces, [[0, 0], [0, 7], [0, 0]])
    padded = model.predict_encoded(words, pieces, encoded.lengths).probabilities
    for part in (0, 1):
        expected = np.concatenate([each[part] for each in alone])
        np.testing.assert_allclose(together[part], expected, atol=1e-6)
        np.testing.assert_allclose(backwards[part], expected[::-1], atol=1e-6)
    np.testing.assert_allclose(padded, together[0], atol=1e-6)
    assert np.isfinite(together[0]).all() and np.isfinite(together[1]).all()  # an empty text too
    probabilities, ratings = read_texts(model, TEXTS * 30)
    np.testing.assert_allclose(probabilities, np.tile(together[0], (30, 1)), atol=1e-6)
    np.testing.assert_allclose(ratings, np.tile(together[1], 30), atol=1e-6)


@pytest.mark.slow
def test_what_stands_at_padding_counts_for_nothing() -> None:
    model = classifier()
    encoded = model.words(tf.constant(TEXTS))
    beyond = ~tf.sequence_mask(encoded.lengths, tf.shape(encoded.words)[1])
    words, pieces = tf.where(beyond, 3, encoded.words), tf.where(beyond[..., tf.newaxis], 5, encoded.pieces)
    np.testing.assert_allclose(
        model.predict_encoded(words, pieces, encoded.lengths).probabilities,
        model.read(tf.constant(TEXTS))[0],
        atol=1e-6,
    )


@pytest.mark.slow
def test_words_beyond_the_maximum_do_not_count() -> None:
    model = classifier()
    one, other = model.read(tf.constant(["a b c d e f g h", "a b c d e f good bad"]))[0]
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_poolings_are_what_they_say() -> None:
    random = np.random.default_rng(0)
    states, lengths = random.normal(size=(3, 5, 4)).astype(np.float32), np.array([5, 2, 0], np.int32)
    member = classifier(units=2, members=1).members[0]
    pooled = member.pool(tf.constant(states), tf.constant(lengths)).numpy()
    query, attention = member.query.numpy(), {weight.name: weight.numpy() for weight in member.attention.weights}
    for row, length in enumerate(lengths):
        read = states[row, :length]
        if not length:
            assert not pooled[row].any()
            continue
        hidden = np.tanh(query @ attention["query_kernel"] + read @ attention["memory_kernel"])
        weights = softmax(hidden @ attention["scale"].reshape(-1))
        expected = np.concatenate([weights @ read, read.max(axis=0), read.mean(axis=0)])
        np.testing.assert_allclose(pooled[row], expected, rtol=1e-5, atol=1e-6)


def test_each_direction_sees_only_what_it_has_read() -> None:
    member = classifier().members[0]
    random = np.random.default_rng(0)
    embedded = random.normal(size=(1, 6, 4)).astype(np.float32)
    changed = embedded.copy()
    changed[0, 3] += 1
    lengths = tf.constant([5])
    for before, after, same in zip(
        member.read(tf.constant(embedded), lengths),
        member.read(tf.constant(changed), lengths),
        (slice(0, 3), slice(4, 5)),
        strict=True,
    ):
        np.testing.assert_allclose(before[0, same], after[0, same], atol=1e-6)
        assert np.abs(before - after)[0, 3].max() > 1e-3
        assert not np.abs(before)[0, 5:].any()


def test_the_loss_is_the_mean_over_what_is_known() -> None:
    model = classifier(members=1, rating_weight=0.5)
    model.adapt([Example("", "x", "a", 1.0), Example("", "x", "b", 3.0), Example("", "x", "b")])
    assert (float(model.rating_mean), float(model.rating_deviation)) == (2.0, 1.0)
    encoded = model.words(tf.constant(["good", "bad", "not"]))
    batch = {
        "words": encoded.words,
        "pieces": encoded.pieces,
        "lengths": encoded.lengths,
        "label": tf.constant([1, -1, 2]),
        "rating": tf.constant([1.0, 4.0, np.nan]),
    }
    (output,) = model(encoded.words, encoded.pieces, encoded.lengths)
    entropy = -log_softmax(output.logits.numpy(), axis=1)[[0, 2], [1, 2]].mean()
    error = np.mean((output.rating.numpy()[:2] - [-1.0, 2.0]) ** 2)
    np.testing.assert_allclose(batch_loss(model, batch, training=False), entropy + 0.5 * error, rtol=1e-5)


@pytest.mark.slow
def test_words_start_with_what_is_true_of_their_texts() -> None:
    model = classifier(labels=("a", "b"), embedding=32)
    chance = [member.embedding.embeddings.numpy() for member in model.members]
    examples = [
        Example("", "good good film", "b", 2.0),
        Example("", "not bad", "b", 1.0),
        Example("", "bad", "a", -1.5),
    ]
    model.adapt(examples, {"bad": -2.0, "film": 1.0})
    labels, scaled = np.array([[0, 1], [0, 1], [1, 0]]), (np.array([2, 1, -1.5]) - 0.5) / np.std([2, 1, -1.5])
    targets = np.column_stack([labels - labels.mean(axis=0), scaled])
    means = {"good": targets[0] / 11, "bad": (targets[1] + targets[2]) / 12, "not": targets[1] / 11}
    for member, before in zip(model.members, chance, strict=True):
        embeddings = member.embedding.embeddings.numpy()
        for number, word in enumerate(("good", "bad", "not"), start=2):
            np.testing.assert_allclose(embeddings[number, :12], np.repeat(means[word], 4), atol=1e-6)
        assert not embeddings[:2, :12].any()
        np.testing.assert_allclose(embeddings[:, 12:16], np.repeat([[0], [0], [0], [-0.5], [0]], 4, axis=1))
        np.testing.assert_array_equal(embeddings[:, 16:], before[:, 16:])


@pytest.mark.slow
def test_members_are_averaged_and_cooled() -> None:
    model = classifier()
    encoded = model.words(tf.constant(TEXTS))
    outputs = model(*encoded[:3])
    mean = np.mean([softmax(output.logits.numpy(), axis=1) for output in outputs], axis=0)
    model.temperature.assign(2.0)
    prediction = model.classify(tf.constant(TEXTS))
    np.testing.assert_allclose(prediction.probabilities, np.sqrt(mean) / np.sqrt(mean).sum(1, keepdims=True), rtol=1e-5)
    np.testing.assert_allclose(prediction.rating, np.mean([each.rating for each in outputs], axis=0), rtol=1e-5)
    for unrated in (classifier(rated=False), classifier(rating_weight=0.0)):
        assert np.isnan(unrated.classify(tf.constant(TEXTS)).rating).all()


def test_the_temperature_is_better_than_others() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(0, 3, (400, 3))
    labels = np.array([random.choice(3, p=softmax(row / 2)) for row in logits])
    labels[:50] = -1
    temperature = fit_temperature(softmax(logits, axis=1), labels)
    assert 1.5 < temperature < 2.7

    def loss(value: float) -> float:
        return float(-log_softmax(logits[50:] / value, axis=1)[np.arange(350), labels[50:]].mean())

    assert loss(temperature) <= min(loss(temperature * 1.01), loss(temperature / 1.01))


@pytest.mark.slow
def test_explanations_are_differences_of_log_odds() -> None:
    model = classifier(labels=("a", "b"))
    explanation = explain(model, "Not a good one", 1)
    assert explanation.words == ["not", "a", "good", "one"]

    def odds(encoded: tuple[tf.Tensor, ...]) -> float:
        negative, positive = model.predict_encoded(*encoded).probabilities.numpy()[0]
        return float(np.log(positive / negative))

    encoded = model.words(tf.constant(["not a good one"]))
    for place, effect in enumerate(explanation.effects):
        masked = mask_words(encoded.words, encoded.pieces, tf.one_hot([place], 4) > 0)
        assert masked[0][0, place] == UNKNOWN and not masked[1][0, place].numpy().any()
        np.testing.assert_allclose(effect, odds(encoded[:3]) - odds((*masked, encoded.lengths)), atol=1e-4)
    assert explain(model, "", 1).words == []


def test_the_strongest_words() -> None:
    found = strongest(
        [Explanation(["a", "b", "c"], np.array([1.0, -2.0, 9.0])), Explanation(["a", "b"], np.array([3.0, -1.0]))], 2, 5
    )
    assert found == ([("a", 2.0, 2)], [("b", -1.5, 2)])


@pytest.mark.slow
def test_words_are_read_by_their_vectors() -> None:
    random = np.random.default_rng(0)
    dull, fine = random.normal(size=(2, DIMENSIONS)).astype(np.float32)
    vectors = {"good": fine, "bad": dull, "not": dull}
    examples = [Example("1", "fine", "a", 1.0), Example("2", "dull", "b", -1.0), Example("3", "dull", "c", -1.0)]
    model = classifier(vectors=3, pieces=0)
    model.adapt(examples, vectors=vectors)
    bad, dreary, good = model.read(tf.constant(["bad", "not", "good"]))[0]  # of which no text was learned from
    np.testing.assert_allclose(bad, dreary, atol=1e-7)
    assert np.abs(good - bad).max() > 1e-4
    assert all(model.vectors.embeddings is not weight for weight in model.trainable_variables)
    fixed = [weight for weight in model.weights if weight.shape[-1:] == (DIMENSIONS,)]
    assert len(fixed) == 1  # the members share it
