"""What a server runs: texts or words in, words with their tags and places out, in stock TensorFlow operations."""

from collections.abc import Sequence
from functools import partial

import tensorflow as tf

from pipelines.nlp.tagging.model import Tagger
from pipelines.nlp.words import Division, places_of
from pipelines.served import Signature, Tensors


def signatures(tagger: Tagger) -> dict[str, Signature]:
    """Returns the functions to serve by name; the model card has this text.

    `serving_default` takes `text`, strings (batch,), UTF-8 of any length and script. It divides them at spaces and
    signs. `words` takes `words`, strings (batch, words), which you have divided yourself, "" behind the last. Both
    return (batch, words), padded behind the last: `words`; `starts` and `ends`, their places in the text, or in the
    words joined by spaces, in characters; `tags`; and `probabilities`, of these tags. Where a tag is B- or I- and a
    label, a span is a word with B- and those with I- and the same label that follow.
    """
    return {
        "serving_default": Signature(partial(tag_texts, tagger), {"text": tf.TensorSpec((None,), tf.string)}),
        "words": Signature(partial(tag_words, tagger), {"words": tf.TensorSpec((None, None), tf.string)}),
    }


def tag_texts(tagger: Tagger, text: tf.Tensor) -> Tensors:
    """Divides and tags texts (batch,)."""
    return _tagged(tagger, tagger.words.divide(text))


def tag_words(tagger: Tagger, words: tf.Tensor) -> Tensors:
    """Tags words (batch, words)."""
    return _tagged(tagger, places_of(tf.RaggedTensor.from_tensor(words, padding="")))


def _tagged(tagger: Tagger, division: Division) -> Tensors:
    probabilities = tagger.tag(division.words)
    tags = tf.gather(tf.constant(tagger.tags), tf.argmax(probabilities, axis=-1))
    inside = tf.sequence_mask(division.words.row_lengths(), tf.shape(tags)[1])
    answer = {"tags": tf.where(inside, tags, ""), "probabilities": tf.reduce_max(probabilities, axis=-1)}
    return answer | {name: part.to_tensor() for name, part in division._asdict().items()}


def padded(sentences: Sequence[Sequence[str]]) -> list[list[str]]:
    """Returns sentences as the signature `words` takes them."""
    longest = max(map(len, sentences))
    return [[*words, *[""] * (longest - len(words))] for words in sentences]
