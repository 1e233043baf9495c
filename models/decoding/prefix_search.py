"""Prefix beam search for connectionist temporal classification, in a TensorFlow graph."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from models.decoding.back_off import BackOffTable
from models.decoding.hot_word_table import HotWordTable

_HASH = 6364136223846793005  # an odd factor, modulo 2⁶⁴


class Beams(NamedTuple):
    """The beginnings of texts that a search follows, each tensor (batch, beams), and `scale` (batch,).

    Attributes:
        in_blank: probability of the alignments that end in a blank, divided by that of the best beginning.
        in_character: of those that end in the last character.
        scale: logarithm of what they were divided by.
        identity: a hash of the characters.
        parent: that of the beginning without its last character.
        reading: a hash of the text, in which superfluous spaces are left out.
        last: the last label, 0 before the first.
        state: the context of the language model.
        factor: what the last character multiplies the probability with.
        matches: the beginnings of hot words that the end of the text is, (batch, beams, words, characters).
    """

    in_blank: tf.Tensor
    in_character: tf.Tensor
    scale: tf.Tensor
    identity: tf.Tensor
    parent: tf.Tensor
    reading: tf.Tensor
    last: tf.Tensor
    state: tf.Tensor
    factor: tf.Tensor
    matches: tf.Tensor


class History(NamedTuple):
    """How beams came to be, each (time, batch, beams): the beam of the frame before, and the new label, or 0."""

    origins: tf.Tensor
    written: tf.Tensor


class PrefixSearch(tf.Module):
    """Searches the most probable texts of a batch, in stock operations on tensors of fixed size.

    The score of a labelling y of the frames x, with c_1 … c_n its characters, weight w and bonus b, is

        score(y) = log P_ctc(y | x) + w (sum_i log P_lm(c_i | c_1 … c_i-1) + log P_lm(END | y)) + b n

    With P_b and P_c the probabilities of the alignments of a beginning y that end in a blank and in its last character
    c, p_t those of the labels at frame t, and q(c | y) = exp(b) P_lm(c | y)^w, a frame turns them into

        P_b'(y)   = p_t(blank) (P_b(y) + P_c(y))
        P_c'(y c) = p_t(c) (P_c(y c) + q(c | y) (P_b(y) + [y does not end in c] P_c(y)))

    and the best beginnings stay. A beginning is known by its hash, of 64 bits, so that one that two beams lead to is
    found by comparing all with all. Frames in which no label reaches `prune` grow nothing and cost little.

    References: Graves, "Sequence transduction with recurrent neural networks", 2012, section 2.5; Hannun, Maas,
    Jurafsky, Ng, "First-pass large vocabulary continuous speech recognition using bi-directional recurrent DNNs", 2014.

    Args:
        alphabet: the characters; label i + 1 is `alphabet[i]`. " ", if there, separates words.
        language_model: its first symbols are the alphabet, and the next one is the end of a text. None: none.
        weight: w, at least 0.
        bonus: b, in nats a character.
        beam_width: beginnings that stay after each frame.
        prune: a label less probable than this in a frame, in nats, begins nothing there.
    """

    def __init__(
        self,
        alphabet: Sequence[str],
        language_model: BackOffTable | None = None,
        weight: float = 0.5,
        bonus: float = 0.0,
        beam_width: int = 32,
        prune: float = -7.0,
    ) -> None:
        super().__init__(name="prefix_search")
        self.alphabet, self.beam_width = tuple(alphabet), beam_width
        self.language_model = language_model if weight else None
        self._weight, self._bonus, self._prune = weight, bonus, prune
        self.space = self.alphabet.index(" ") + 1 if " " in self.alphabet else -1

    def initial_beams(self, batch: tf.Tensor, hot_words: HotWordTable | None = None) -> Beams:
        """Returns the beams of sequences (batch,) before their first frame: the empty text, and nothing."""
        shape = (batch, self.beam_width)
        zeros, whole = tf.zeros(shape, tf.float64), tf.zeros(shape, tf.int64)
        numbers = tf.broadcast_to(tf.range(self.beam_width, dtype=tf.int64), shape)
        return Beams(
            in_blank=tf.where(numbers == 0, tf.ones_like(zeros), 0.0),
            in_character=zeros,
            scale=tf.zeros((batch,), tf.float64),
            identity=numbers + 1,
            parent=whole - 1,
            reading=whole,
            last=tf.zeros(shape, tf.int32),
            state=tf.fill(shape, self.language_model.start if self.language_model else 0),
            factor=tf.ones_like(zeros),
            matches=tf.zeros((*shape, *(tf.unstack(tf.shape(hot_words.labels)[1:]) if hot_words else (0, 0))), tf.bool),
        )

    def advance(
        self, beams: Beams, log_probabilities: tf.Tensor, lengths: tf.Tensor, hot_words: HotWordTable | None = None
    ) -> tuple[Beams, History]:
        """Takes frames (batch, time, labels), log softmax, of which `lengths` (batch,) count; label 0 is the blank."""
        batch, time, labels = tf.unstack(tf.shape(log_probabilities))
        counts = tf.sequence_mask(lengths, time)[..., tf.newaxis]
        nothing = tf.where(tf.range(labels) == 0, 0.0, -math.inf)  # a certain blank changes no sum
        frames = tf.where(counts, tf.cast(log_probabilities, tf.float32), nothing)
        frames = tf.transpose(frames, (1, 0, 2))  # (time, batch, labels)
        best, order = tf.math.top_k(frames[..., 1:], labels - 1)
        likely = best >= self._prune
        most = tf.reduce_max(tf.reduce_sum(tf.cast(likely, tf.int32), axis=2), axis=1)  # (time,)
        probabilities = tf.exp(tf.cast(frames, tf.float64))
        stays = tf.broadcast_to(tf.range(self.beam_width), (batch, self.beam_width))

        def step(at: tf.Tensor, beams: Beams, origins: tf.TensorArray, written: tf.TensorArray) -> tuple:
            frame = probabilities[at]  # (batch, labels)
            both = beams.in_blank + beams.in_character
            is_child = beams.parent[:, :, tf.newaxis] == beams.identity[:, tf.newaxis, :]  # (batch, child, parent)
            is_same = beams.last[:, :, tf.newaxis] == beams.last[:, tf.newaxis, :]
            before = tf.where(is_same, beams.in_blank[:, tf.newaxis], both[:, tf.newaxis])
            from_parent = tf.reduce_sum(tf.where(is_child, before, 0.0), axis=2)
            again = beams.in_character + from_parent * beams.factor
            again *= tf.gather(frame, beams.last, batch_dims=1)
            stayed = beams._replace(in_blank=both * frame[:, :1], in_character=again)
            grown, origin, label = tf.cond(
                most[at] > 0,
                lambda: self._grow(
                    beams, stayed, is_child, frame, order[at, :, : most[at]] + 1, likely[at, :, : most[at]], hot_words
                ),
                lambda: (stayed, stays, tf.zeros_like(stays)),
            )
            best = tf.reduce_max(grown.in_blank + grown.in_character, axis=1, keepdims=True)
            grown = grown._replace(
                in_blank=grown.in_blank / best,
                in_character=grown.in_character / best,
                scale=grown.scale + tf.math.log(best[:, 0]),
            )
            return at + 1, grown, origins.write(at, origin), written.write(at, label)

        arrays = [tf.TensorArray(tf.int32, time, element_shape=(None, self.beam_width)) for _ in range(2)]
        _, beams, origins, written = tf.while_loop(
            lambda at, *_: at < time, step, (0, beams, *arrays), maximum_iterations=time
        )
        return beams, History(origins.stack(), written.stack())

    def _grow(
        self,
        beams: Beams,
        stayed: Beams,
        is_child: tf.Tensor,
        frame: tf.Tensor,
        labels: tf.Tensor,
        likely: tf.Tensor,
        hot_words: HotWordTable | None,
    ) -> tuple[Beams, tf.Tensor, tf.Tensor]:
        """Returns the best of what stayed and of the beams with one of some labels (batch, n) after them."""
        width, count = self.beam_width, tf.shape(labels)[1]
        in_blank, both = beams.in_blank[..., tf.newaxis], (beams.in_blank + beams.in_character)[..., tf.newaxis]
        is_last = beams.last[..., tf.newaxis] == labels[:, tf.newaxis]  # (batch, beams, n)
        following, factor = self._weigh(beams.state, labels)
        goes_on = beams.matches
        if hot_words is not None:
            goes_on = hot_words.goes_on(beams.matches, (beams.last == self.space) | (beams.last == 0))
            factor *= tf.exp(hot_words.gains(beams.matches, goes_on, labels, self.space))
        new = tf.where(is_last, in_blank, both) * tf.gather(frame, labels, batch_dims=1)[:, tf.newaxis] * factor
        # What is a beam already has had its share from its parent.
        is_there = tf.reduce_any(is_child[..., tf.newaxis] & is_last[:, :, tf.newaxis], axis=1)  # (batch, beams, n)
        new = tf.where(likely[:, tf.newaxis] & ~is_there, new, -1.0)

        flat = (tf.shape(labels)[0], width * count)
        candidates = tf.concat([stayed.in_blank + stayed.in_character, tf.reshape(new, flat)], axis=1)
        best, places = tf.math.top_k(candidates, width, sorted=False)
        is_new = places >= width
        place = tf.maximum(places - width, 0)  # among the new ones
        origin = tf.where(is_new, place // count, places)
        label = tf.where(is_new, tf.gather(labels, place % count, batch_dims=1), 0)

        old = Beams(
            *(
                tensor if name == "scale" else tf.gather(tensor, origin, batch_dims=1)
                for name, tensor in stayed._asdict().items()
            )
        )
        matches = old.matches
        if hot_words is not None:
            longer = hot_words.next(tf.gather(goes_on, origin, batch_dims=1), label)
            matches = tf.where(is_new[..., tf.newaxis, tf.newaxis], longer, matches)
        added = tf.cast(label, tf.int64)
        is_space = label == self.space
        begins_word = (old.last == self.space) & (old.reading != 0)
        spelled = added + tf.where(begins_word, tf.constant(len(self.alphabet) + 1, tf.int64), 0)
        return (
            Beams(
                in_blank=tf.where(is_new, tf.zeros_like(best), old.in_blank),
                in_character=tf.where(is_new, best, old.in_character),
                scale=old.scale,
                identity=tf.where(is_new, (old.identity + added) * _HASH, old.identity),
                parent=tf.where(is_new, old.identity, old.parent),
                reading=tf.where(is_new & ~is_space, (old.reading + spelled) * _HASH, old.reading),
                last=tf.where(is_new, label, old.last),
                state=tf.where(is_new, tf.gather(tf.reshape(following, flat), place, batch_dims=1), old.state),
                factor=tf.where(is_new, tf.gather(tf.reshape(factor, flat), place, batch_dims=1), old.factor),
                matches=matches,
            ),
            origin,
            label,
        )

    def _weigh(self, state: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the states (batch, beams, n) after labels (batch, n), and the factors of these."""
        shape = (tf.shape(labels)[0], self.beam_width, tf.shape(labels)[1])
        if self.language_model is None:
            return tf.zeros(shape, tf.int32), tf.fill(shape, tf.constant(math.exp(self._bonus), tf.float64))
        places = self.language_model.look_up(state, tf.broadcast_to(labels[:, tf.newaxis] - 1, shape))
        known = tf.cast(self.language_model.log_probability(state, places), tf.float64)
        return tf.gather(self.language_model.following, places), tf.exp(self._weight * known + self._bonus)

    def scores(self, beams: Beams, hot_words: HotWordTable | None = None) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the scores (batch, beams) of the labellings, the end of the text included, and those of their texts.

        Labellings that differ in superfluous spaces are one text, and only the best of them has its score; the others
        have −inf.
        """
        score = beams.scale[:, tf.newaxis] + tf.math.log(beams.in_blank + beams.in_character)
        if self.language_model is not None:
            score += self._weight * tf.cast(self.language_model.end_log_probability(beams.state), tf.float64)
        if hot_words is not None:
            score += hot_words.kept(beams.matches) - hot_words.begun(beams.matches)
        is_same = beams.reading[:, :, tf.newaxis] == beams.reading[:, tf.newaxis]  # (batch, beams, beams)
        is_same &= tf.math.is_finite(score)[:, tf.newaxis]
        text = tf.reduce_logsumexp(tf.where(is_same, score[:, tf.newaxis], -math.inf), axis=2)
        order = tf.argsort(score, axis=1, direction="DESCENDING", stable=True)
        rank = tf.argsort(order, axis=1)
        better = is_same & (rank[:, tf.newaxis] < rank[:, :, tf.newaxis])
        is_best = tf.math.is_finite(score) & ~tf.reduce_any(better, axis=2)
        return score, tf.where(is_best, text, -math.inf)


def trace(history: History, beams: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Follows beams (batch, n) back: returns where they were before the first frame, and the labels they wrote since.

    The labels are (batch, n, time): 0 where a frame wrote none.
    """
    time = tf.shape(history.origins)[0]

    def step(at: tf.Tensor, beams: tf.Tensor, labels: tf.TensorArray) -> tuple:
        label = tf.gather(history.written[at], beams, batch_dims=1)
        return at - 1, tf.gather(history.origins[at], beams, batch_dims=1), labels.write(at, label)

    labels = tf.TensorArray(tf.int32, time, element_shape=(None, None))
    _, beams, labels = tf.while_loop(
        lambda at, *_: at >= 0,
        step,
        (time - 1, beams, labels),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, None]), None),
        maximum_iterations=time,
    )
    return beams, tf.transpose(labels.stack(), (1, 2, 0))
