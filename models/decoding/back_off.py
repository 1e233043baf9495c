"""N-gram language models of characters in back-off form: the tables that a search in a graph looks up."""

import numpy as np
import tensorflow as tf


class BackOffTable(tf.Module):
    """The n-grams of a language model as tensors, of which a search asks the probabilities of many contexts at once.

    With h' the context h without its oldest character, p the listed probabilities and b the weights of the contexts,

        log P(c | h) = log p(c | h)               if the n-gram h c is listed,
                       log b(h) + log P(c | h')   otherwise

    A context is a number, its state; longer contexts have higher ones, and the empty one is 0. An n-gram is the key
    state · symbols + symbol, and all keys are sorted. With B(h) the sum of log b over h and all its shorter contexts,
    a lookup needs no sum: log P(c | h) = B(h) + (log p(c | g) − B(g)), where g is the longest listed context.

    Reference: Katz, "Estimation of probabilities from sparse data", IEEE Transactions on Acoustics, Speech and Signal
    Processing 35(3), 1987.

    Args:
        keys: (n-grams,), sorted; the empty context lists every symbol.
        log_probabilities: (n-grams,), log p in nats.
        following: (n-grams,), the state after each.
        shorter: (states,), the state of h' of each; 0 of the empty context.
        back_off: (states,), log b of each, in nats.
        start: the state at the beginning of a text.
        symbols: how many symbols there are.
        order: the longest n-gram.
    """

    def __init__(
        self,
        keys: np.ndarray,
        log_probabilities: np.ndarray,
        following: np.ndarray,
        shorter: np.ndarray,
        back_off: np.ndarray,
        start: int,
        symbols: int,
        order: int,
    ) -> None:
        super().__init__(name="back_off_table")
        sums = np.where(np.arange(len(shorter)) == 0, 0.0, back_off)
        state, more = shorter, len(shorter) > 1
        while more:  # each state adds those of its shorter ones, level by level
            sums = sums + np.where(state == 0, 0.0, back_off[state])
            state = shorter[state]
            more = bool(state.any())
        self.start, self.symbols, self.order = start, symbols, order
        with tf.device("CPU"):
            self.keys = tf.Variable(keys, trainable=False, dtype=tf.int64, name="keys")
            self.beyond = tf.Variable(log_probabilities - sums[keys // symbols], False, dtype=tf.float32, name="beyond")
            self.following = tf.Variable(following, trainable=False, dtype=tf.int32, name="following")
            self.shorter = tf.Variable(shorter, trainable=False, dtype=tf.int32, name="shorter")
            self.sums = tf.Variable(sums, trainable=False, dtype=tf.float32, name="sums")

    def look_up(self, state: tf.Tensor, symbols: tf.Tensor) -> tf.Tensor:
        """Returns the places (…, n) of the longest n-grams of states (…,) and symbols (…, n)."""
        contexts = [state]
        for _ in range(self.order - 1):
            contexts.append(tf.gather(self.shorter, contexts[-1]))
        context = tf.cast(tf.stack(contexts, axis=-1), tf.int64)[..., tf.newaxis]  # (…, order, 1)
        wanted = context * self.symbols + tf.cast(symbols, tf.int64)[..., tf.newaxis, :]  # (…, order, n)
        places = tf.searchsorted(self.keys, tf.reshape(wanted, (-1,)))
        places = tf.reshape(tf.minimum(places, tf.size(self.keys) - 1), tf.shape(wanted))
        found = tf.gather(self.keys, places) == wanted
        return tf.reduce_max(tf.where(found, places, 0), axis=-2)  # the longest context has the highest state

    def log_probability(self, state: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
        """Returns log P (…, n) of the n-grams that `look_up` found after states (…,), float32 in nats."""
        return tf.gather(self.sums, state)[..., tf.newaxis] + tf.gather(self.beyond, places)
