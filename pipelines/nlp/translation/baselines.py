"""What the translator is compared with: a dictionary learned by word alignment, and the source as it is."""

import re
from collections.abc import Callable, Sequence

import numpy as np

from pipelines.nlp.texts import SPACELESS
from pipelines.nlp.translation.pairs import Pair

Translate = Callable[[list[str]], list[str]]

ITERATIONS = 5
NOTHING = ""  # what words of the target that stand for no source word are aligned to
_WORD = re.compile(rf"{SPACELESS}|(?:(?!{SPACELESS})\w)+(?:['\u2019]\w+)*|[^\w\s]")
_SPACELESS = re.compile(SPACELESS)
_CLOSES, _OPENS = ",.;:!?)]}”’»…%", "([{“‘«¿¡"


def available(pairs: Sequence[Pair]) -> dict[str, tuple[str, Translate]]:
    """Returns a note on each baseline, and its function from texts to translations, by the name of its row."""

    def word_by_word(texts: list[str]) -> list[str]:
        dictionary = Dictionary([pair.source for pair in pairs], [pair.target for pair in pairs])
        return [dictionary.translate(text) for text in texts]

    return {
        "word by word": ("a dictionary learned by alignment (IBM model 1)", word_by_word),
        "copy": ("the source as it is", list),
    }


class Dictionary:
    """The most probable translation of each word, by IBM model 1.

    The probability t(f|e) of a target word f given a source word e comes from expectation maximisation over all
    alignments of all pairs, with one empty source word for targets that translate nothing (Brown et al. 1993, "The
    mathematics of statistical machine translation").

    Example:
        >>> sources = ["the house", "the book", "a book", "a house"]
        >>> dictionary = Dictionary(sources, ["das Haus", "das Buch", "ein Buch", "ein Haus"])
        >>> dictionary.translate("A book, the house!")
        'Ein buch, das haus!'
    """

    def __init__(self, sources: Sequence[str], targets: Sequence[str]) -> None:
        source_words, target_words = _numbered(sources), _numbered(targets)
        cells, sizes = _cells(source_words[1], target_words[1], len(target_words[0]))
        pairs, places = np.unique(cells, return_inverse=True)  # a pair of words is source · targets + target
        source_of, target_of = np.divmod(pairs, len(target_words[0]))
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
        probability = np.ones(len(pairs))
        for _ in range(ITERATIONS if len(pairs) else 0):
            shares = probability[places]
            shares /= np.repeat(np.add.reduceat(shares, starts), sizes)  # of each target word among its source words
            counts = np.bincount(places, shares, len(pairs))
            probability = counts / np.bincount(source_of, counts)[source_of]
        order = np.argsort(probability, kind="stable")  # the best last, so that it stays
        best = dict(zip(source_of[order].tolist(), target_of[order].tolist(), strict=True))
        names = list(target_words[0])
        self.words = {word: names[best[number]] for word, number in source_words[0].items() if number in best}
        """The translation of each source word, all in small letters."""

    def translate(self, sentence: str) -> str:
        """Translates word by word, unknown words by themselves; words with a capital keep it."""
        words = []
        for word in _WORD.findall(sentence):
            found = self.words.get(word.lower(), word)
            words.append(found[:1].upper() + found[1:] if word[:1].isupper() else found)
        return _joined(words)


def _numbered(sentences: Sequence[str]) -> tuple[dict[str, int], list[np.ndarray]]:
    """Words by their number, the empty one first, and each sentence as numbers."""
    numbers: dict[str, int] = {NOTHING: 0}
    found = [
        np.array([numbers.setdefault(word, len(numbers)) for word in _WORD.findall(sentence.lower())], np.int64)
        for sentence in sentences
    ]
    return numbers, found


def _cells(sources: list[np.ndarray], targets: list[np.ndarray], width: int) -> tuple[np.ndarray, np.ndarray]:
    """Each target word beside each source word of its pair and the empty one, and how many those are a target word."""
    cells, sizes = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for source, target in zip(sources, targets, strict=True):
        source = np.append(0, source)
        cells.append((target[:, np.newaxis] + source * width).ravel())
        sizes.append(np.full(len(target), len(source)))
    return np.concatenate(cells), np.concatenate(sizes)


def _joined(words: Sequence[str]) -> str:
    """Words with spaces where people put them."""
    text = ""
    for word in words:
        together = not text or word[:1] in _CLOSES or text[-1] in _OPENS or bool(_SPACELESS.match(text[-1]))
        together |= bool(_SPACELESS.match(word))
        text += word if together else " " + word
    return text
