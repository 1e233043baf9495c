"""The baselines: the dictionary by the alignment model's equations, and sentences that people can read."""

import math
from collections import defaultdict

import pytest

from pipelines.nlp.translation import baselines
from pipelines.nlp.translation.baselines import Dictionary, available
from pipelines.nlp.translation.pairs import Pair

SOURCES = ["the house", "the book", "a book", "a house is small", "the small book"]
TARGETS = ["das Haus", "das Buch", "ein Buch", "ein Haus ist klein", "das kleine Buch"]


def by_hand(iterations: int) -> dict[str, dict[str, float]]:
    """IBM model 1 in loops, written from the paper: of each source word the probability of each target."""
    pairs = [(["", *source.split()], target.lower().split()) for source, target in zip(SOURCES, TARGETS, strict=True)]
    probability: dict[tuple[str, str], float] = defaultdict(lambda: 1.0)
    for _ in range(iterations):
        count: dict[tuple[str, str], float] = defaultdict(float)
        total: dict[str, float] = defaultdict(float)
        for source, target in pairs:
            for word in target:
                normal = sum(probability[other, word] for other in source)
                for other in source:
                    count[other, word] += probability[other, word] / normal
                    total[other] += probability[other, word] / normal
        probability = defaultdict(float, {key: value / total[key[0]] for key, value in count.items()})
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for (source_word, target_word), value in probability.items():
        found[source_word][target_word] = value
    return found


def test_words_equal_those_of_loops() -> None:
    expected = by_hand(baselines.ITERATIONS)
    words = Dictionary(SOURCES, TARGETS).words
    assert words.keys() == expected.keys()
    for source, target in words.items():
        assert expected[source][target] == pytest.approx(
            max(expected[source].values())
        )  # of several the one or the other
    assert words["house"] == "haus" and words["book"] == "buch" and words["the"] == "das"


def test_unknown_words_are_copied_and_capitals_kept() -> None:
    translate = Dictionary(SOURCES, TARGETS).translate
    assert translate("The book: “A house”, 7 Xylophones!") == "Das buch: “Ein haus”, 7 Xylophones!"
    assert translate("") == ""
    assert translate("  ¿house?  ") == "¿haus?"


def test_no_pairs_translate_nothing() -> None:
    assert Dictionary([], []).translate("Good day.") == "Good day."
    assert math.isfinite(len(Dictionary(["one"], [""]).words))


@pytest.mark.parametrize("sentence", ["אור", "光", "😀"])
def test_any_script_passes(sentence: str) -> None:
    assert Dictionary([sentence], [sentence]).translate(sentence) == sentence


def test_baselines_learn_from_the_pairs_that_they_are_given() -> None:
    pairs = [Pair("", source, target) for source, target in zip(SOURCES, TARGETS, strict=True)]
    rows = {name: translate(["The house."]) for name, (_, translate) in available(pairs).items()}
    assert rows == {"word by word": ["Das haus."], "copy": ["The house."]}
