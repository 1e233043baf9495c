"""A prefix search that goes on for ever: what its beams agree on has settled, and leaves the state."""

from typing import NamedTuple

import tensorflow as tf

from models.decoding.hot_word_table import HotWordTable
from models.decoding.prefix_search import Beams, PrefixSearch, trace
from models.decoding.transcription import characters_of

MOST_OPEN = 200
"""Characters that may be open. Beyond them what the best beam has written settles, whatever the others have."""
BEGUN = "\x01"  # stands in `before` for all text before


class SearchState(NamedTuple):
    """What a stream remembers; its size does not depend on how long it is.

    Attributes:
        beams: as of `PrefixSearch`.
        texts: (batch, beams) string, what each has written since what has settled.
        before: (batch,) string, whether anything has settled, and a space that waits for the next word.
        hot_words: what each stream prefers.
    """

    beams: Beams
    texts: tf.Tensor
    before: tf.Tensor
    hot_words: HotWordTable


class Heard(NamedTuple):
    """What a chunk says, each (batch,).

    Attributes:
        text: string, what has settled since the last chunk. Joined, the texts are what has settled of the whole.
        open: string, how the best text goes on after that; it may still change. At the end of a stream it counts.
        confidence: float32, the share of the best text in the probability of all texts in the beam.
    """

    text: tf.Tensor
    open: tf.Tensor
    confidence: tf.Tensor


def initial_search(search: PrefixSearch, hot_words: HotWordTable) -> SearchState:
    """Returns the state of streams before their first chunk; `hot_words` has a row for each, which may be empty."""
    batch = tf.shape(hot_words.labels)[0]
    nothing = tf.fill((batch, search.beam_width), "")
    return SearchState(search.initial_beams(batch, hot_words), nothing, tf.fill((batch,), ""), hot_words)


def advance_search(search: PrefixSearch, state: SearchState, logits: tf.Tensor) -> tuple[SearchState, Heard]:
    """Takes the next logits (batch, time, labels), all of which count; returns the new state and what they say."""
    batch, time = tf.unstack(tf.shape(logits)[:2])
    log_probabilities, lengths = tf.nn.log_softmax(tf.cast(logits, tf.float32)), tf.fill((batch,), time)
    beams, history = search.advance(state.beams, log_probabilities, lengths, state.hot_words)
    origins, labels = trace(history, tf.broadcast_to(tf.range(search.beam_width), (batch, search.beam_width)))
    added = tf.strings.reduce_join(characters_of(search, labels), axis=2)  # (batch, beams)
    texts = tf.gather(state.texts, origins, batch_dims=1) + added
    _, scores = search.scores(beams, state.hot_words)
    best = tf.argmax(scores, axis=1, output_type=tf.int32)  # (batch,)
    text = tf.gather(texts, best, batch_dims=1)

    # The first characters that all beams share have settled.
    codes = tf.strings.unicode_decode(texts, "UTF-8").to_tensor(-1)  # (batch, beams, characters)
    agrees = codes == tf.gather(codes, best, batch_dims=1)[:, tf.newaxis]
    is_alive = beams.in_blank + beams.in_character > 0.0
    length = tf.strings.length(text, unit="UTF8_CHAR")
    is_common = tf.reduce_all(agrees | ~is_alive[..., tf.newaxis], axis=1)
    is_common &= tf.range(tf.shape(codes)[2]) < length[:, tf.newaxis]
    common = tf.reduce_sum(tf.math.cumprod(tf.cast(is_common, tf.int32), axis=1), axis=1)
    settled = tf.maximum(common, length - MOST_OPEN)  # (batch,)
    is_kept = tf.reduce_all(agrees | (tf.range(tf.shape(codes)[2]) >= settled[:, tf.newaxis, tf.newaxis]), axis=2)
    beams = beams._replace(
        in_blank=tf.where(is_kept, beams.in_blank, 0.0), in_character=tf.where(is_kept, beams.in_character, 0.0)
    )
    texts = tf.where(is_kept, texts, text[:, tf.newaxis])
    open_texts = tf.strings.substr(
        texts, tf.broadcast_to(settled[:, tf.newaxis], tf.shape(texts)), tf.fill(tf.shape(texts), 2**30), "UTF8_CHAR"
    )
    new, before = _spelled(state.before, tf.strings.substr(text, tf.zeros_like(settled), settled, "UTF8_CHAR"))
    still_open, _ = _spelled(before, tf.gather(open_texts, best, batch_dims=1))
    share = tf.exp(tf.gather(scores, best, batch_dims=1) - tf.reduce_logsumexp(scores, axis=1))
    heard = Heard(new, still_open, tf.cast(share, tf.float32))
    return SearchState(beams, open_texts, before, state.hot_words), heard


def _spelled(before: tf.Tensor, characters: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the new text, and what to remember: whether there was any, and a space that waits for the next word."""
    joined = tf.strings.regex_replace(before + characters, " +", " ")
    joined = tf.strings.regex_replace(joined, "^ ", "")  # before the first word
    text = tf.strings.regex_replace(joined, f"^{BEGUN}| $", "")
    remembered = tf.strings.regex_replace(joined, r"(?s)^.*[^ ]( ?)$", BEGUN + r"\1")
    return text, remembered
