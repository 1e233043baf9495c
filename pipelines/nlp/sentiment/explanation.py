"""Which words moved a decision: each is masked in turn."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.special
import tensorflow as tf

from pipelines.nlp.sentiment.model import Classifier
from pipelines.nlp.sentiment.network import mask_words
from pipelines.nlp.sentiment.words import divide

AT_ONCE = 64  # variants of a text that are read together
SURE = 1e-6  # float32 cannot tell surer probabilities from 0 and 1


class Explanation(NamedTuple):
    """The `words` of a text that are read, and by how much each raised the log odds of a label, `effects` (words,)."""

    words: list[str]
    effects: np.ndarray


def explain(classifier: Classifier, text: str, label: int | None) -> Explanation:
    """Returns by how much the log odds of a label fall when a word is masked, for each word that is read at once.

    To the network, a masked word is what a dropped word is in training: an unknown one
    (occlusion; Li, Monroe and Jurafsky 2016, https://arxiv.org/abs/1612.08220).

    Args:
        label: number of the label; None: by how much the rating falls.
    """
    encoded = classifier.words(tf.constant([text]))
    length = int(encoded.lengths[0])
    unseen = np.concatenate([np.zeros((1, length), bool), np.eye(length, dtype=bool)])  # none, then each
    odds = []
    for start in range(0, len(unseen), AT_ONCE):
        part = tf.constant(unseen[start : start + AT_ONCE])
        words, pieces = (tf.repeat(each, len(part), axis=0) for each in (encoded.words, encoded.pieces))
        words, pieces = mask_words(words, pieces, part)
        lengths = tf.fill((len(part),), length)
        probabilities, rating = classifier.predict_encoded(words, pieces, lengths)
        if label is None:
            odds.append(rating.numpy())
        else:
            shares = probabilities.numpy()[:, label].astype(np.float64)
            odds.append(scipy.special.logit(np.clip(shares, SURE, 1 - SURE)))
    together = np.concatenate(odds)
    words = [word.decode() for word in divide(tf.constant([text]))[0].numpy()][:length]
    return Explanation(words, together[0] - together[1:])


def strongest(
    explanations: Sequence[Explanation], minimum_count: int, number: int
) -> tuple[list[tuple[str, float, int]], ...]:
    """Returns the words that raised a label most on average, and those that lowered it most.

    Returns:
        Two lists of words with their mean effect and how often they occur.
    """
    effects: dict[str, list[float]] = defaultdict(list)
    for explanation in explanations:
        for word, effect in zip(explanation.words, explanation.effects, strict=True):
            effects[word].append(float(effect))
    rows = sorted(
        ((word, float(np.mean(each)), len(each)) for word, each in effects.items() if len(each) >= minimum_count),
        key=lambda row: -row[1],
    )
    return [row for row in rows[:number] if row[1] > 0], [row for row in rows[::-1][:number] if row[1] < 0]
