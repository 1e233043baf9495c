"""What a server runs: texts or words in, words with their tags and places out, in stock TensorFlow operations."""

import tensorflow as tf

from pipelines.nlp.tagging.model import Tagger
from pipelines.nlp.words import Division, places_of
from pipelines.served import Signature, Tensors, required


def signatures(tagger: Tagger) -> dict[str, Signature]:
    """Returns the functions to serve by name.

    `serving_default` takes `text`, strings (batch,), UTF-8 of any length and script. It divides them at spaces and
    signs. `words` takes `words`, strings (batch, words), which you have divided yourself, "" behind the last. Both
    return (batch, words), padded behind the last: `words`; `starts` and `ends`, their places in the text, or in the
    words joined by spaces, in characters; `tags`; and `probabilities`, of these tags. Where a tag is B- or I- and a
    label, a span is a word with B- and those with I- and the same label that follow.

        answer = tf.saved_model.load(folder).signatures["serving_default"]
        answer(text=tf.constant(["The jury praised the city."]))["tags"]
    """

    def tag_words(words: tf.Tensor) -> Tensors:
        is_word = words != ""
        words = required(
            words,
            is_word[:, :-1] | ~is_word[:, 1:],
            "words: expected empty words behind the last one only. Leave out those before. Received:",
            words,
        )
        return tagged(tagger, places_of(tf.RaggedTensor.from_tensor(words, padding="")))

    return {
        "serving_default": Signature(
            lambda text: tagged(tagger, tagger.words.divide(text)), {"text": tf.TensorSpec((None,), tf.string)}
        ),
        "words": Signature(tag_words, {"words": tf.TensorSpec((None, None), tf.string)}),
    }


def tagged(tagger: Tagger, division: Division) -> Tensors:
    """Tags words; returns them with their places, as `signatures` documents."""
    probabilities = tagger.tag(division.words)
    tags = tf.gather(tf.constant(tagger.tags), tf.argmax(probabilities, axis=-1))
    inside = tf.sequence_mask(division.words.row_lengths(), tf.shape(tags)[1])
    answer = {"tags": tf.where(inside, tags, ""), "probabilities": tf.reduce_max(probabilities, axis=-1)}
    return answer | {name: part.to_tensor() for name, part in division._asdict().items()}
