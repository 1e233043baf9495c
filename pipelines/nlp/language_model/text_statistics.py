"""Whether made-up texts repeat themselves, and whether they repeat the training text."""

from collections.abc import Iterable, Sequence

COPIED_WORDS = 6  # in a row, that are found in the training text


def distinct(texts: Sequence[str], words: int) -> float:
    """Returns the share of different ones among all stretches of so many words of each text (distinct-n).

    Li et al. 2016, https://arxiv.org/abs/1510.03055.

    >>> distinct(["the cat and the dog"], 1)
    0.8
    """
    found = [stretch for text in texts for stretch in stretches(text, words)]
    return len(set(found)) / len(found) if found else 1.0


class Copies:
    """Finds what is copied: stretches of six words that stand in the training text, too.

    >>> Copies(["one two three four five six seven"]).share(["two three four five six seven eight"])
    0.5
    """

    def __init__(self, training: Iterable[str], words: int = COPIED_WORDS) -> None:
        self.words = words
        self.known = {hash(stretch) for text in training for stretch in stretches(text, words)}

    def share(self, texts: Sequence[str]) -> float:
        """Returns the share of all stretches of texts that are copied."""
        found = [hash(stretch) in self.known for text in texts for stretch in stretches(text, self.words)]
        return sum(found) / len(found) if found else 0.0


def stretches(text: str, words: int) -> Iterable[tuple[str, ...]]:
    """Yields so many words in a row, at every place of a text."""
    parts = text.split()
    return zip(*(parts[start:] for start in range(words)), strict=False)
