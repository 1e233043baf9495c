"""N-gram language models in back-off form: for a search that asks symbol by symbol, and as tables of a graph."""

import base64
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

_CACHED_STEPS = 500_000  # some 100 MB


class BackOffModel:
    """An n-gram language model of any symbols, such as characters or words, in back-off form.

    With h' the context h without its oldest symbol, p the listed probabilities and b the weights of the contexts,

        log P(c | h) = log p(c | h)               if the n-gram h c is listed,
                       log b(h) + log P(c | h')   otherwise

    A context is a number, its state; longer contexts have higher ones, and the empty one is 0. An n-gram is the key
    state · symbols + symbol, and all keys are sorted. Symbols are the alphabet in its order, the end of a text, and the
    marker of its beginning.

    Reference: Katz, "Estimation of probabilities from sparse data", IEEE Transactions on Acoustics, Speech and Signal
    Processing 35(3), 1987.

    Args:
        alphabet: the symbols that texts consist of.
        keys: (n-grams,), sorted; the empty context lists every symbol.
        log_probabilities: (n-grams,), log p in nats.
        following: (n-grams,), the state after each.
        shorter: (states,), the state of h' of each; 0 of the empty context.
        back_off: (states,), log b of each, in nats; of the empty context, what it leaves to unknown symbols.
        start: the state at the beginning of a text.
        order: the longest n-gram.

    Example:
        >>> from models.decoding import CharacterLanguageModel
        >>> counted = CharacterLanguageModel(order=2).fit(["ab"])
        >>> model = counted.back_off_model()
        >>> log_probability, state = model.step(model.start, "a")
        >>> bool(abs(log_probability - counted.log_probability("", "a")) < 1e-12)
        True
    """

    END = ""
    """What `step` takes as the symbol for the end of the text."""

    def __init__(
        self,
        alphabet: Sequence[str],
        keys: np.ndarray,
        log_probabilities: np.ndarray,
        following: np.ndarray,
        shorter: np.ndarray,
        back_off: np.ndarray,
        start: int,
        order: int,
    ) -> None:
        self.alphabet, self.start, self.order = tuple(alphabet), start, order
        self.keys, self.log_probabilities, self.following = keys, log_probabilities, following
        self.shorter, self.back_off = shorter, back_off
        self.symbols = len(self.alphabet) + 2
        self._symbol = {symbol: number for number, symbol in enumerate([*self.alphabet, self.END])}
        self._sorted = array("q", keys.astype(np.int64).tobytes())  # which `bisect` reads faster than an array of NumPy
        self._steps: dict[tuple[int, str], tuple[float, int]] = {}

    def step(self, state: int, symbol: str) -> tuple[float, int]:
        """Returns the logarithm of the probability of a symbol, or of `END`, and the state after it.

        Raises:
            KeyError: the symbol is outside of the alphabet.
        """
        known = self._steps.get((state, symbol))
        if known is None:
            if len(self._steps) > _CACHED_STEPS:
                self._steps.clear()
            context, number, spent = state, self._symbol[symbol], 0.0
            while (place := self._place(context * self.symbols + number)) < 0:
                spent += float(self.back_off[context])
                context = int(self.shorter[context])
            known = self._steps[state, symbol] = (
                spent + float(self.log_probabilities[place]),
                int(self.following[place]),
            )
        return known

    def text_log_probability(self, text: Sequence[str]) -> float:
        """Returns the logarithm of the probability of a whole text, its end included, in nats."""
        total, state = 0.0, self.start
        for symbol in [*text, self.END]:
            gain, state = self.step(state, symbol)
            total += gain
        return total

    def find(self, states: np.ndarray, symbols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the places (n,) of the longest n-grams of states and symbols (n,), and log P (n,) in nats."""
        context, spent = states, np.zeros(len(states))
        while True:
            wanted = context * self.symbols + symbols
            places = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
            missing = self.keys[places] != wanted
            if not missing.any():
                return places, spent + self.log_probabilities[places]
            spent += np.where(missing, self.back_off[context], 0.0)
            context = np.where(missing, self.shorter[context], context)

    def _place(self, key: int) -> int:
        """Returns where a key stands, or −1."""
        place = bisect_left(self._sorted, key)
        return place if place < len(self._sorted) and self._sorted[place] == key else -1

    def back_off_table(self) -> "BackOffTable":
        """Returns the model as tensors."""
        return BackOffTable(self)

    def to_dict(self) -> dict[str, Any]:
        """Returns the model as plain data (numbers, strings, lists), ready for JSON; probabilities in float32."""
        return {
            "kind": type(self).__name__,
            "order": self.order,
            "alphabet": list(self.alphabet),
            "start": self.start,
            "keys": pack(np.diff(self.keys, prepend=0), "<i8"),
            "log_probabilities": pack(self.log_probabilities, "<f4"),
            "following": pack(self.following, "<i4"),
            "shorter": pack(self.shorter, "<i4"),
            "back_off": pack(self.back_off, "<f4"),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "BackOffModel":
        """Returns the model that `to_dict` described."""
        return cls(
            data["alphabet"],
            np.cumsum(unpack(data["keys"], "<i8")),
            unpack(data["log_probabilities"], "<f4").astype(np.float64),
            unpack(data["following"], "<i4"),
            unpack(data["shorter"], "<i4"),
            unpack(data["back_off"], "<f4").astype(np.float64),
            data["start"],
            data["order"],
        )


class BackOffTable(tf.Module):
    """The n-grams of a language model as tensors, of which a search asks the probabilities of many contexts at once.

    With B(h) the sum of log b over h and all its shorter contexts, a lookup needs no sum:

        log P(c | h) = B(h) + (log p(c | g) − B(g)), where g is the longest context that lists c

    Args:
        model: whose n-grams they are.
    """

    def __init__(self, model: BackOffModel) -> None:
        super().__init__(name="back_off_table")
        shorter, back_off, symbols = model.shorter, model.back_off, model.symbols
        sums = np.where(np.arange(len(shorter)) == 0, 0.0, back_off)
        state, more = shorter, len(shorter) > 1
        while more:  # each state adds those of its shorter ones, level by level
            sums = sums + np.where(state == 0, 0.0, back_off[state])
            state = shorter[state]
            more = bool(state.any())
        self.start, self.symbols, self.order = model.start, symbols, model.order
        beyond = model.log_probabilities - sums[model.keys // symbols]  # (n-grams,)
        states = np.arange(len(shorter))
        _, end = model.find(states, np.full(len(states), len(model.alphabet)))
        with tf.device("CPU"):
            self.keys = tf.Variable(model.keys, trainable=False, dtype=tf.int64, name="keys")
            self.beyond = tf.Variable(beyond, trainable=False, dtype=tf.float32, name="beyond")
            self.following = tf.Variable(model.following, trainable=False, dtype=tf.int32, name="following")
            self.shorter = tf.Variable(shorter, trainable=False, dtype=tf.int32, name="shorter")
            self.sums = tf.Variable(sums, trainable=False, dtype=tf.float32, name="sums")
            self.end = tf.Variable(end, trainable=False, dtype=tf.float32, name="end")

    def look_up(self, state: tf.Tensor, symbols: tf.Tensor) -> tf.Tensor:
        """Returns the places (…, n) of the longest n-grams of states (…,) and symbols (…, n)."""
        contexts = [state]
        for _ in range(self.order - 1):
            contexts.append(tf.gather(self.shorter, contexts[-1]))
        context = tf.cast(tf.stack(contexts, axis=-1), tf.int64)[..., tf.newaxis]  # (…, order, 1)
        wanted = context * self.symbols + tf.cast(symbols, tf.int64)[..., tf.newaxis, :]  # (…, order, n)
        keys = self.keys.read_value()  # once: of a variable that is gathered from, each later reading is a copy
        places = tf.searchsorted(keys, tf.reshape(wanted, (-1,)))
        places = tf.reshape(tf.minimum(places, tf.size(keys) - 1), tf.shape(wanted))
        found = tf.gather(keys, places) == wanted
        return tf.reduce_max(tf.where(found, places, 0), axis=-2)  # the longest context has the highest state

    def log_probability(self, state: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
        """Returns log P (…, n) of the n-grams that `look_up` found after states (…,), float32 in nats."""
        return tf.gather(self.sums, state)[..., tf.newaxis] + tf.gather(self.beyond, places)

    def end_log_probability(self, state: tf.Tensor) -> tf.Tensor:
        """Returns log P (…,) that a text ends after states (…,), float32 in nats."""
        return tf.gather(self.end, state)


def pack(array: np.ndarray, kind: str) -> str:
    """Returns an array of one dimension as compressed text, its numbers of some kind such as "<f4".

    >>> unpack(pack(np.array([1.5, 2.0]), "<f4"), "<f4").tolist()
    [1.5, 2.0]
    """
    return base64.b64encode(zlib.compress(array.astype(kind).tobytes(), 6)).decode("ascii")


def unpack(packed: str, kind: str) -> np.ndarray:
    """Returns the array that `pack` has made text."""
    return np.frombuffer(zlib.decompress(base64.b64decode(packed)), np.dtype(kind))
