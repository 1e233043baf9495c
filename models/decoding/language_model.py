"""A character language model for decoding: an interpolated n-gram model."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from models.decoding.back_off import BackOffModel, BackOffTable, pack, unpack

_START = "\x02"  # stands before every text; a control character, which no transcript has
_CACHED_PROBABILITIES = 5_000_000  # of all contexts together: some 80 MB at most


class CharacterLanguageModel:
    """The probability of the next character after up to `order - 1` known ones, or of the end of the text.

    Witten-Bell interpolation: with C(h) the weighted count of the context h, T(h) the number of different
    characters seen after it, and h' the context without its oldest character,

        P(c | h) = (C(h c) + T(h) P(c | h')) / (C(h) + T(h))

    A context never seen hands over to h'; below the empty context stands the uniform distribution over the
    alphabet and the end of the text. Hence every character has a probability above zero after any context.
    A text begins with a start marker, which a context shorter than `order - 1` includes.

    Reference: Witten, Bell, "The zero-frequency problem: estimating the probabilities of novel events in
    adaptive text compression", IEEE Transactions on Information Theory 37(4), 1991; interpolated as in Chen,
    Goodman, "An empirical study of smoothing techniques for language modeling", 1999, section 2.6.

    Args:
        order: the longest n-gram, in characters; 1 ignores the context.

    Raises:
        ValueError: when the order is below 1.

    Example:
        After "a" came "b" once: C = T = 1, and the shorter context gives 1/3: b has (1 + 1 · 1/3) / (1 + 1).

        >>> import math
        >>> from models.decoding import CharacterLanguageModel
        >>> model = CharacterLanguageModel(order=2).fit(["ab"])
        >>> print(f"{math.exp(model.log_probability('a', 'b')):.3f}")
        0.667
        >>> model.text_log_probability("ab") > model.text_log_probability("ba")
        True
    """

    END = ""
    """What `log_probability` takes as the character for the end of the text."""

    def __init__(self, order: int = 8) -> None:
        if order < 1:
            raise ValueError(f"The order of a language model is its longest n-gram, at least 1. Received: {order}")
        self.order = order
        self.alphabet: tuple[str, ...] = ()
        self._keys: list[np.ndarray] = []
        self._counts: list[np.ndarray] = []

    @property
    def start(self) -> str:
        """The state at the beginning of a text."""
        return _START if self.order > 1 else ""

    def step(self, state: str, character: str) -> tuple[float, str]:
        """Returns the logarithm of the probability of a character, or of `END`, and the state after it."""
        after = (state + character)[1 - self.order :] if self.order > 1 else ""
        return math.log(self._distribution(state)[self._symbols[character]]), after

    def fit(
        self,
        texts: Sequence[str],
        weights: Sequence[float] | None = None,
        alphabet: Sequence[str] | None = None,
    ) -> "CharacterLanguageModel":
        """Counts the n-grams of the texts, and forgets earlier ones.

        Args:
            texts: the texts, each a whole of its own: with a beginning and an end.
            weights: how often each text counts, above 0 (default 1), so that one domain can weigh more.
            alphabet: all characters that may ever be asked for; by default those of the texts.

        Returns:
            The model itself.

        Raises:
            ValueError: when there is no text, when a text has a character outside of the alphabet, or when
                the weights do not match.
        """
        weights = [1.0] * len(texts) if weights is None else list(weights)
        if not texts:
            raise ValueError("A language model expected at least one text to learn from. Received: []")
        if len(weights) != len(texts) or not all(0 < weight < math.inf for weight in weights):
            raise ValueError(
                "A language model expected one weight above 0 for each text. "
                f"Received: {len(texts)} texts and {len(weights)} weights {weights[:5]}…"
            )
        self._set_alphabet(sorted(set().union(*texts)) if alphabet is None else alphabet)

        # One array of all texts: start marker, characters, end, for each text.
        lengths = np.array([len(text) + 2 for text in texts])
        symbols = np.empty(lengths.sum(), np.int64)  # (symbols,)
        ends = np.cumsum(lengths)
        for text, end in zip(texts, ends, strict=True):
            try:
                symbols[end - len(text) - 1 : end - 1] = [self._symbols[character] for character in text]
            except KeyError as error:
                raise ValueError(
                    f"A language model expected texts of the characters {''.join(self.alphabet)!r}; "
                    f"normalise the text, or extend the alphabet. Received: {error} in {text[:60]!r}"
                ) from None
        symbols[ends - lengths] = self._symbols[_START]
        symbols[ends - 1] = self._symbols[self.END]
        position = np.arange(symbols.size) - np.repeat(ends - lengths, lengths)  # in its text; 0 is the start
        weight = np.repeat(weights, lengths)
        weight[position == 0] = 0.0  # the start marker is a context; it is never predicted

        # The n-grams of each length, numbered in the order of their keys: (number of the n-gram without its
        # last character, last character). `number[i]` is that of the n-gram that ends at symbol i.
        self._keys, self._counts = [], []
        number = np.zeros(symbols.size, np.int64)
        for length in range(1, self.order + 1):
            predicted = np.flatnonzero(position >= length - 1)
            if not predicted.size:
                break
            before = number[predicted - 1] if length > 1 else 0
            keys, numbers = np.unique(before * self._symbol_count + symbols[predicted], return_inverse=True)
            number[predicted] = numbers
            self._keys.append(keys)
            self._counts.append(np.bincount(numbers, weights=weight[predicted]))
        self._prepare()
        return self

    def log_probability(self, context: str, character: str) -> float:
        """Logarithm of the probability of one character after the text so far, in nats.

        Args:
            context: the text from its beginning; the last `order - 1` characters matter.
            character: one character of the alphabet, or `END`.

        Raises:
            KeyError: when a character is outside of the alphabet.
        """
        history = (_START + context[-self.order :])[1 - self.order :] if self.order > 1 else ""
        return math.log(self._distribution(history)[self._symbols[character]])

    def text_log_probability(self, text: str) -> float:
        """Logarithm of the probability of a whole text, its end included, in nats."""
        characters = [*text, self.END]
        return sum(self.log_probability(text[:at], character) for at, character in enumerate(characters))

    def back_off_table(self) -> BackOffTable:
        """Returns the model as tensors, in back-off form."""
        return self.back_off_model().back_off_table()

    def back_off_model(self) -> BackOffModel:
        """Returns the model in back-off form, b(h) = T(h) / (C(h) + T(h))."""
        symbols, length_count = self._symbol_count, len(self._keys)
        own = self._keys[0]  # the unigrams of the table are all symbols; those that were seen, in their order
        keys = [np.arange(symbols), *self._keys[1:]]
        totals, types = list(self._totals), list(self._types)
        if length_count > 1:
            keys[1] = own[keys[1] // symbols] * symbols + keys[1] % symbols
            totals[1], types[1] = (_spread(values, own, symbols) for values in (totals[1], types[1]))
        share = [seen / np.maximum(total + seen, 1.0) for total, seen in zip(totals, types, strict=True)]  # b
        offsets = np.cumsum([0, 1, *(each.size for each in keys)])  # the first state of each length

        probabilities = _spread(self._counts[0], own, symbols) / (totals[0] + types[0]) + share[0] / (symbols - 1)
        probabilities[self._symbols[_START]] = 0.0
        shorter = np.zeros(symbols, np.int64)  # of each n-gram: the number of the one without its oldest character
        following = np.zeros(symbols, np.int64)
        found: list[tuple[np.ndarray, ...]] = []
        for length in range(1, length_count + 1):
            context, symbol = np.divmod(keys[length - 1], symbols)
            if length > 1:
                before = shorter
                shorter = symbol
                if length > 2:
                    shorter = np.searchsorted(keys[length - 2], before[context] * symbols + symbol)
                added = self._counts[length - 1] / np.maximum((totals[length - 1] + types[length - 1])[context], 1.0)
                probabilities = added + share[length - 1][context] * probabilities[shorter]
                following = following[shorter]
            if length < length_count:  # a state, if something followed it
                following = np.where(types[length] > 0, offsets[length] + np.arange(symbol.size), following)
            found.append((keys[length - 1] + offsets[length - 1] * symbols, probabilities, following, shorter))

        with np.errstate(divide="ignore"):
            back_off = [np.log(np.where(each > 0, each, 1.0)) for each in share]
            logarithms = np.log(np.concatenate([each[1] for each in found]))
        states = [offsets[length - 1] + found[length - 1][3] if length > 1 else 0 for length in range(1, length_count)]
        start = found[0][2][self._symbols[_START]] if length_count > 1 else 0
        return BackOffModel(
            self.alphabet,
            keys=np.concatenate([each[0] for each in found]),
            log_probabilities=np.maximum(logarithms, -1e9),
            following=np.concatenate([each[2] for each in found]),
            shorter=np.concatenate(
                [[0], *(np.broadcast_to(each, back_off[at + 1].size) for at, each in enumerate(states))]
            ),
            back_off=np.concatenate(back_off),
            start=int(start),
            order=length_count,
        )

    def to_dict(self) -> dict[str, Any]:
        """The fitted model as plain data (numbers, strings, lists), ready for JSON.

        Example:
            >>> from models.decoding import CharacterLanguageModel
            >>> model = CharacterLanguageModel(order=2).fit(["abba"])
            >>> copy = CharacterLanguageModel.from_dict(model.to_dict())
            >>> copy.log_probability("ab", "a") == model.log_probability("ab", "a")
            True
        """
        return {
            "kind": type(self).__name__,
            "order": self.order,
            "alphabet": list(self.alphabet),
            "keys": [pack(np.diff(keys, prepend=0), "<i8") for keys in self._keys],
            "counts": [pack(counts, "<f8") for counts in self._counts],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "CharacterLanguageModel":
        """The model that `to_dict` described.

        Raises:
            ValueError: when the data do not describe such a model.
        """
        if data.get("kind") != cls.__name__:
            raise ValueError(
                f"Expected the data of a {cls.__name__}, as `to_dict` gives them. Received: kind {data.get('kind')!r}"
            )
        model = cls(data["order"])
        model._set_alphabet(data["alphabet"])
        model._keys = [np.cumsum(unpack(packed, "<i8")) for packed in data["keys"]]
        model._counts = [unpack(packed, "<f8") for packed in data["counts"]]
        model._prepare()
        return model

    def _set_alphabet(self, alphabet: Sequence[str]) -> None:
        self.alphabet = tuple(alphabet)
        if len(set(self.alphabet)) < len(self.alphabet) or any(
            len(letter) != 1 or letter == _START for letter in self.alphabet
        ):
            raise ValueError(
                "The alphabet of a language model is a list of different single characters; "
                f"merge those that repeat. Received: {self.alphabet}"
            )
        self._symbols = {letter: symbol for symbol, letter in enumerate([*self.alphabet, self.END, _START])}
        self._symbol_count = len(self._symbols)

    def _prepare(self) -> None:
        """Derive from keys and counts where the continuations of each context lie, and their sums."""
        self._begins, self._totals, self._types = [], [], []
        contexts = 1  # n-grams one shorter
        for keys, counts in zip(self._keys, self._counts, strict=True):
            context = keys // self._symbol_count  # (n-grams,)
            self._begins.append(np.searchsorted(context, np.arange(contexts + 1)))
            self._totals.append(np.bincount(context, weights=counts, minlength=contexts))
            self._types.append(np.bincount(context, weights=counts > 0, minlength=contexts))
            contexts = keys.size
        self._last = [keys % self._symbol_count for keys in self._keys]
        self._forget()

    def _forget(self) -> None:
        uniform = np.full(self._symbol_count, 1.0 / (self._symbol_count - 1))
        uniform[self._symbols[_START]] = 0.0
        self._numbers: dict[str, int] = {"": 0}
        self._distributions: dict[str, np.ndarray] = {"": self._interpolate(uniform, 0, 0)}

    def _distribution(self, history: str) -> np.ndarray:
        """Probability of every symbol after the history: (symbols,)"""
        distribution = self._distributions.get(history)
        if distribution is None:
            if len(self._distributions) * self._symbol_count > _CACHED_PROBABILITIES:
                self._forget()
            distribution = self._distribution(history[1:])
            number = self._number(history)
            if number >= 0:
                distribution = self._interpolate(distribution, len(history), number)
            self._distributions[history] = distribution
        return distribution

    def _interpolate(self, shorter: np.ndarray, length: int, number: int) -> np.ndarray:
        """Mix the counts after context `number` of `length` symbols with the shorter one's distribution."""
        begin, end = self._begins[length][number], self._begins[length][number + 1]
        total, types = self._totals[length][number], self._types[length][number]
        distribution = shorter * (types / (total + types))
        distribution[self._last[length][begin:end]] += self._counts[length][begin:end] / (total + types)
        return distribution

    def _number(self, history: str) -> int:
        """The number of an n-gram that something followed, or -1."""
        number = self._numbers.get(history)
        if number is None:
            parent = self._number(history[:-1])
            number = -1
            if parent >= 0 and len(history) < len(self._keys):
                keys = self._keys[len(history) - 1]
                key = parent * self._symbol_count + self._symbols[history[-1]]
                at = int(np.searchsorted(keys, key))
                if at < keys.size and keys[at] == key and self._types[len(history)][at] > 0:
                    number = at
            self._numbers[history] = number
        return number


def _spread(values: np.ndarray, places: np.ndarray, size: int) -> np.ndarray:
    """Returns zeros (size,) with values at some places."""
    spread = np.zeros(size)
    spread[places] = values
    return spread
