"""What a server runs: texts in, translations out, subwords and beam search in stock TensorFlow operations."""

from functools import partial

import tensorflow as tf

from pipelines.nlp.translation.model import Translator, mean, source_numbers, target_numbers
from pipelines.nlp.translation.network import SearchConfiguration
from pipelines.served import Signature, Tensors, required

MOST_HYPOTHESES = 2**14
"""Of all texts of a batch, so that a search fits into memory."""


def signatures(translator: Translator, search: SearchConfiguration) -> dict[str, Signature]:
    """Returns the functions to serve by name.

    `serving_default` takes `text`, string (batch,), UTF-8, one sentence or verse each, of any length; divide longer
    texts into sentences, as `unrolled.connect` does, for the time of a search grows faster than its text. It returns
    `translation`, string (batch,), and `score`, float32 (batch,): the logarithm of the translation's probability,
    divided by a function of its length; the higher, the surer. Neither the other texts of a batch nor their order
    change an answer. Any script is read: what the training has never seen is spelled byte by byte. White space becomes
    one space between words.

    `beam_search` also takes `beam_width`, int32 (batch,), another number of hypotheses, at least 1; it returns the
    same, and all that it has found, `translations` and `scores` (batch, beams), as many of each text as the widest
    search has beams, the best first; a score of −inf is none. `attention` takes `text` and `translation`, strings
    (batch,), and returns `weights`, float32 (batch, target, source): of each source subword when a target subword is
    written; and the subwords, `source` and `target`, strings; the end of a text and padding are empty.

        answer = tf.saved_model.load(folder).signatures["serving_default"]
        answer(text=tf.constant(["This is a sentence."]))["translation"]
    """
    text = {"text": tf.TensorSpec((None,), tf.string)}
    return {
        "serving_default": Signature(partial(translate, translator, search), text),
        "beam_search": Signature(
            partial(translate, translator, search), {**text, "beam_width": tf.TensorSpec((None,), tf.int32)}
        ),
        "attention": Signature(
            partial(attention, translator), {**text, "translation": tf.TensorSpec((None,), tf.string)}
        ),
    }


def translate(
    translator: Translator, search: SearchConfiguration, text: tf.Tensor, beam_width: tf.Tensor | None = None
) -> Tensors:
    """Translates texts (batch,), with all that a search of a given width has found, too."""
    if beam_width is None:
        found = translator.translate(text, search)
        return {"translation": found.text, "score": found.score}
    rows = tf.shape(text)[0]
    fits = (
        (beam_width > 0) & (beam_width <= MOST_HYPOTHESES // tf.maximum(rows, 1)) & tf.equal(tf.size(beam_width), rows)
    )
    message = (
        f"beam_width: expected 1 at least, for each text, and {MOST_HYPOTHESES} hypotheses at most for all of "
        "them. Give another one. Received:"
    )
    beam_width = required(beam_width, fits, message, beam_width)
    found = translator.translate(text, search, beam_width, several=True)
    best = {"translation": found.text[:, 0], "score": found.score[:, 0]}
    return {**best, "translations": found.text, "scores": found.score}


def attention(translator: Translator, text: tf.Tensor, translation: tf.Tensor) -> Tensors:
    """Reads texts (batch,) and their translations (batch,), and returns the weights of the attention."""
    source, target = source_numbers(translator.source, text), target_numbers(translator.target, translation)
    weights = mean([member(source, target[:, :-1]).weights for member in translator.members()])
    return {
        "weights": tf.cast(weights, tf.float32),
        "source": _readable(translator.source.pieces_of(source)),
        "target": _readable(translator.target.pieces_of(target[:, 1:])),
    }


def _readable(pieces: tf.Tensor) -> tf.Tensor:
    """Returns subwords as UTF-8, which a part of a character is not."""
    return tf.strings.unicode_transcode(pieces, "UTF-8", "UTF-8", errors="replace")
