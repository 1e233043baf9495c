"""A prefix search that goes on for ever: what its beams agree on has settled, and leaves the state."""

import math
from typing import NamedTuple

import tensorflow as tf

from models.decoding.graph_alignment import align_batch
from models.decoding.hot_word_table import HotWordTable
from models.decoding.prefix_search import Beams, PrefixSearch, trace
from models.decoding.transcription import NBest, characters_of, ranked
from models.decoding.words import Transcript, Words, words_of_characters

MOST_OPEN = 200
"""Characters that may be open. Beyond them what the best beam has written settles, whatever the others have."""
MOST_FRAMES = 1000
"""Frames that the open words may take. Beyond them the text of the best beam settles."""
PAUSE_SECONDS = 0.8
"""Without a character: the text of the best beam settles, and its last word ends."""
BEGUN = "\x01"  # stands in `before` for all text before
IMPOSSIBLE = -1e4  # of a label in a frame before the window, as a logarithm; JSON has no infinity
FRAME_STEP, LABEL_STEP = 16, 8  # to which the sizes of the state are rounded up, so that streams share batches


class SearchState(NamedTuple):
    """What a stream remembers; its size does not depend on how long it is.

    Attributes:
        beams: as of `PrefixSearch`.
        labels: (batch, beams, labels) int32, what each has written since the last word that has settled, then 0.
        window: (batch, frames, labels) float32, the log probabilities of the frames since the end of that word, the
            newest last; before them, a certain blank.
        counts: (batch, 4) int32: how many of the labels have settled, being the beginning of a word; how many frames of
            the window count; how many the stream has had; and how many of the last ones are silent.
        before: (batch,) string, whether anything has settled, and a space that waits for the next word.
        hot_words: what each stream prefers.
    """

    beams: Beams
    labels: tf.Tensor
    window: tf.Tensor
    counts: tf.Tensor
    before: tf.Tensor
    hot_words: HotWordTable


class Heard(NamedTuple):
    """What a chunk says; words are (batch, max_words), padded with "" and 0, as of `Words`.

    Attributes:
        text: (batch,) string, what has settled since the last chunk. Joined, the texts are what has settled of the
            whole.
        open: (batch,) string, how the best text goes on after that; it may still change. At the end of a stream it
            counts.
        confidence: (batch,) float32, the share of the best text in the probability of all texts in the beam.
        words: string, the words that have ended in what has settled; with their times since the stream began.
        word_starts: float32 seconds.
        word_ends: float32 seconds.
        word_confidences: float32.
    """

    text: tf.Tensor
    open: tf.Tensor
    confidence: tf.Tensor
    words: tf.Tensor
    word_starts: tf.Tensor
    word_ends: tf.Tensor
    word_confidences: tf.Tensor


def initial_search(search: PrefixSearch, hot_words: HotWordTable) -> SearchState:
    """Returns the state of streams before their first chunk; `hot_words` has a row for each, which may be empty."""
    batch = tf.shape(hot_words.labels)[0]
    labels = tf.zeros((batch, search.beam_width, LABEL_STEP), tf.int32)
    window = tf.zeros((batch, 0, len(search.alphabet) + 1))
    counts = tf.zeros((batch, 4), tf.int32)
    beams = search.initial_beams(batch, hot_words)
    return SearchState(beams, labels, _last(window, counts[:, 1]), counts, tf.fill((batch,), ""), hot_words)


def advance_search(
    search: PrefixSearch, state: SearchState, logits: tf.Tensor, frame_seconds: float
) -> tuple[SearchState, Heard]:
    """Takes the next logits (batch, time, labels), all of which count; returns the new state and what they say.

    The words that have settled are aligned with their frames, together with the text that is still open.
    """
    batch, time = tf.unstack(tf.shape(logits)[:2])
    log_probabilities, lengths = tf.nn.log_softmax(tf.cast(logits, tf.float32)), tf.fill((batch,), time)
    beams, history = search.advance(state.beams, log_probabilities, lengths, state.hot_words)
    origins, added = trace(history, tf.broadcast_to(tf.range(search.beam_width), (batch, search.beam_width)))
    labels = _together(tf.concat([tf.gather(state.labels, origins, batch_dims=1), added], axis=2))
    _, scores = search.scores(beams, state.hot_words)
    best = tf.argmax(scores, axis=1, output_type=tf.int32)  # (batch,)
    own = tf.gather(labels, best, batch_dims=1)  # (batch, labels)
    length = tf.math.count_nonzero(own, axis=1, dtype=tf.int32)
    window = tf.concat([state.window, log_probabilities], axis=1)
    settled_before, frames, seen, silent = tf.unstack(state.counts, axis=1)
    frames, seen, silent = frames + time, seen + time, _silent(search, log_probabilities, silent)
    is_over = (silent >= pause_frames(frame_seconds)) | (frames >= MOST_FRAMES)

    # The first characters that all beams share have settled.
    places = tf.range(tf.shape(labels)[2])
    agrees = labels == own[:, tf.newaxis]
    is_alive = beams.in_blank + beams.in_character > 0.0
    is_common = tf.reduce_all(agrees | ~is_alive[..., tf.newaxis], axis=1) & (own != 0)
    common = tf.reduce_sum(tf.math.cumprod(tf.cast(is_common, tf.int32), axis=1), axis=1)
    settled = tf.maximum(tf.maximum(settled_before, common), length - MOST_OPEN)
    settled = tf.where(is_over, length, settled)  # (batch,)
    is_later = (places >= settled[:, tf.newaxis]) & ~is_over[:, tf.newaxis]
    is_kept = tf.reduce_all(agrees | is_later[:, tf.newaxis], axis=2)
    beams = beams._replace(
        in_blank=tf.where(is_kept, beams.in_blank, 0.0), in_character=tf.where(is_kept, beams.in_character, 0.0)
    )
    labels = tf.where(is_kept[..., tf.newaxis], labels, own[:, tf.newaxis])

    # Up to the last space of these, the words have ended.
    is_settled = places < settled[:, tf.newaxis]
    ended = tf.reduce_max(tf.where(is_settled & (own == search.space), places + 1, 0), axis=1)
    ended = tf.where(is_over | ((settled > MOST_OPEN) & (ended == 0)), settled, ended)
    words, since = tf.cond(
        tf.reduce_any(ended > 0),
        lambda: _aligned(search, window, own, length, ended, seen, frame_seconds),
        lambda: (_no_words(batch), frames),
    )
    frames = tf.where(is_over, 0, tf.where(ended > 0, since, frames))
    characters = characters_of(search, own)
    new = tf.where(is_settled & (places >= settled_before[:, tf.newaxis]), characters, "")
    text, before = _spelled(state.before, tf.strings.reduce_join(new, axis=1))
    still_open, _ = _spelled(before, tf.strings.reduce_join(tf.where(is_settled, "", characters), axis=1))
    share = tf.exp(tf.gather(scores, best, batch_dims=1) - tf.reduce_logsumexp(scores, axis=1))
    after = SearchState(
        beams,
        _together(tf.where(places < ended[:, tf.newaxis, tf.newaxis], 0, labels)),
        _last(window, frames),
        tf.stack([settled - ended, frames, seen, silent], axis=1),
        before,
        state.hot_words,
    )
    return after, Heard(text, still_open, tf.cast(share, tf.float32), *words)


def finish_search(
    search: PrefixSearch, state: SearchState, frame_seconds: float, n_best: int = 5
) -> tuple[Transcript, NBest]:
    """Returns what is open in a state: at the end of a stream, the rest of it.

    `text` and `n_best` continue what has settled; `words` are those that have not been returned yet, of which the first
    may have begun in what has settled.
    """
    settled, _, seen, _ = tf.unstack(state.counts, axis=1)
    _, scores = search.scores(state.beams, state.hot_words)
    best, places, confidence = ranked(scores, n_best)
    labels = tf.gather(state.labels, places, batch_dims=1)  # (batch, n_best, labels)
    own = labels[:, 0]
    length = tf.math.count_nonzero(own, axis=1, dtype=tf.int32)
    words, _ = _aligned(search, state.window, own, length, length, seen, frame_seconds)
    is_settled = tf.range(tf.shape(labels)[2]) < settled[:, tf.newaxis, tf.newaxis]
    characters = tf.strings.reduce_join(tf.where(is_settled, "", characters_of(search, labels)), axis=2)
    before = tf.broadcast_to(state.before[:, tf.newaxis], tf.shape(characters))
    texts = _spelled(before, characters)[0]
    return Transcript(texts[:, 0], confidence, *words), NBest.of(best, texts)


@tf.function(reduce_retracing=True, autograph=False)  # which the graphs of a step and of the end hold once
def _aligned(
    search: PrefixSearch,
    window: tf.Tensor,
    labels: tf.Tensor,
    length: tf.Tensor,
    ended: tf.Tensor,
    seen: tf.Tensor,
    frame_seconds: float,
) -> tuple[Words, tf.Tensor]:
    """Returns the words of the first labels, so many as have `ended`, and how many frames (batch,) are after them."""
    batch, width = tf.shape(window)[0], tf.shape(window)[1]
    found = align_batch(window, tf.fill((batch,), width), labels, length)
    counts = tf.range(tf.shape(labels)[1]) < ended[:, tf.newaxis]
    before = (seen - width)[:, tf.newaxis]  # frames before the window
    spoken, begins, ends, certainty = (
        tf.boolean_mask(each, counts) for each in (labels, found.begins + before, found.ends + before, found.certainty)
    )
    rows = tf.where(counts)[:, 0]
    words = words_of_characters(rows, spoken, begins, ends, certainty, batch, search.alphabet, frame_seconds)
    last = tf.gather(found.ends, tf.maximum(ended - 1, 0), batch_dims=1)
    return words, width - last


def pause_frames(frame_seconds: float) -> int:
    """Returns how many frames without a character are a pause.

    >>> pause_frames(0.04)
    20
    """
    return max(2, math.ceil(PAUSE_SECONDS / frame_seconds))


def _no_words(batch: tf.Tensor) -> Words:
    numbers = tf.zeros((batch, 0))
    return Words(tf.zeros((batch, 0), tf.string), numbers, numbers, numbers)


def _silent(search: PrefixSearch, log_probabilities: tf.Tensor, before: tf.Tensor) -> tf.Tensor:
    """Returns how many of the last frames (batch,) the blank or a space is the most probable label in."""
    label = tf.argmax(log_probabilities, axis=2, output_type=tf.int32)  # (batch, time)
    is_silent = tf.cast((label == 0) | (label == search.space), tf.int32)
    last = tf.reduce_sum(tf.math.cumprod(is_silent, axis=1, reverse=True), axis=1)
    return tf.where(last == tf.shape(label)[1], before + last, last)


@tf.function(reduce_retracing=True, autograph=False)
def _together(labels: tf.Tensor) -> tf.Tensor:
    """Returns labels (batch, beams, n) without the 0 between them, padded with 0 to a common size."""
    is_written = labels != 0
    most = tf.reduce_max(tf.math.count_nonzero(is_written, axis=2, dtype=tf.int32))
    size = tf.maximum(-(-most // LABEL_STEP), 1) * LABEL_STEP
    padded = tf.pad(labels, [[0, 0], [0, 0], [0, size]])
    order = tf.argsort(tf.cast(padded == 0, tf.int32), axis=2, stable=True)
    return tf.gather(padded, order[..., :size], batch_dims=2)


def _last(window: tf.Tensor, frames: tf.Tensor) -> tf.Tensor:
    """Returns the last frames of a window, of which so many (batch,) count; before them, a certain blank."""
    most = tf.reduce_max(tf.pad(frames, [[0, 1]], constant_values=1))
    size = -(-most // FRAME_STEP) * FRAME_STEP
    window = tf.pad(window, [[0, 0], [size, 0], [0, 0]])[:, -size:]
    counts = tf.range(size) >= size - frames[:, tf.newaxis]
    blank = tf.where(tf.range(tf.shape(window)[2]) == 0, 0.0, IMPOSSIBLE)
    return tf.where(counts[..., tf.newaxis], window, blank)


def _spelled(before: tf.Tensor, characters: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the new text, and what to remember: whether there was any, and a space that waits for the next word."""
    joined = tf.strings.regex_replace(before + characters, " +", " ")
    joined = tf.strings.regex_replace(joined, "^ ", "")  # before the first word
    text = tf.strings.regex_replace(joined, f"^{BEGUN}| $", "")
    remembered = tf.strings.regex_replace(joined, r"(?s)^.*[^ ]( ?)$", BEGUN + r"\1")
    return text, remembered
