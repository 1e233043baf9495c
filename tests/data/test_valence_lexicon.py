"""VADER's lexicon: what its authors publish of it."""

from data.valence_lexicon import read_valences


def test_valences_are_those_that_the_authors_name() -> None:
    valences = read_valences()
    named = {"okay": 0.9, "good": 1.9, "great": 3.1, "horrible": -2.5, "sucks": -1.5}  # in their README
    assert {word: valences[word] for word in named} == named
    assert len(valences) > 7000 and all(-4 <= valence <= 4 for valence in valences.values())
