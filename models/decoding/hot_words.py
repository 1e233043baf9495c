"""Words that a search prefers: names and terms that a language model has not seen, or not often enough."""

from collections.abc import Mapping, Sequence

MOST = 500  # nats, whose exponential is a number; no text of a search differs by as much


class HotWords:
    """Adds to the score of a text wherever one of some words or phrases stands in it as a whole.

    A word earns its weight character by character, and loses it again where the text goes on otherwise, so that the
    search does not drop its beginning.

    Args:
        words: words, or phrases of several, each with what it adds, in nats, above 0.
        alphabet: the characters that texts have.

    Raises:
        ValueError: a weight is not above 0 or more than 500, or a word has other characters.

    >>> hot_words = HotWords({"ada": 3.0}, "abd ")
    >>> [hot_words.gain("ada"[:at], "ada"[at]) for at in range(3)]
    [1.0, 1.0, 1.0]
    >>> hot_words.gain("ada", "b"), hot_words.gain("ada", " ")
    (-3.0, 0.0)
    """

    def __init__(self, words: Mapping[str, float], alphabet: Sequence[str]) -> None:
        self.words = {" ".join(word.split()): float(weight) for word, weight in words.items()}
        for word, weight in self.words.items():
            if not word or not 0 < weight <= MOST:
                raise ValueError(
                    f"A hot word has characters, and a weight above 0, in nats: 2 to 10 are common, {MOST} the most. "
                    f"Correct it. Received: {word!r}: {weight}"
                )
            if unknown := set(word) - set(alphabet):
                raise ValueError(
                    f"The hot word {word!r} has characters that are never written. Expected those of the alphabet, "
                    f"{''.join(alphabet)!r}. Spell it with them. Received: {''.join(sorted(unknown))!r}"
                )
        self.maximum = max(self.words.values(), default=0.0)
        self.context_length = max(map(len, self.words), default=-1) + 1
        self._earned: dict[str, float] = {}  # by each beginning of a word
        for word, weight in self.words.items():
            for length in range(1, len(word) + 1):
                start, part = word[:length], weight * length / len(word)
                self._earned[start] = max(part, self._earned.get(start, 0.0))

    def gain(self, context: str, character: str) -> float:
        """Returns what a character after a text, or its end "", adds to the score."""
        kept = 0.0
        if character in (" ", ""):
            kept = max((self.words.get(tail, 0.0) for tail in self._tails(context)), default=0.0)
        after = self._begun(context + character) if character else 0.0
        return kept + after - self._begun(context)

    def _begun(self, text: str) -> float:
        """Returns what the end of a text has earned as the beginning of a word."""
        return max((self._earned.get(tail, 0.0) for tail in self._tails(text)), default=0.0)

    def _tails(self, text: str) -> list[str]:
        """Returns the ends of a text that begin at a word, none longer than a hot word."""
        tails: list[str] = []
        text = text[-self.context_length - 1 :] if len(text) > self.context_length else f" {text}"
        start = text.rfind(" ")
        while start >= 0:
            tails.append(text[start + 1 :])
            start = text.rfind(" ", 0, start) if start else -1
        return tails
