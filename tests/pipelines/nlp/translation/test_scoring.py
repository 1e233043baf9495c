"""Scores: those of sacreBLEU, with intervals from resampling sentences."""

import numpy as np
import pytest
import sacrebleu

from pipelines.nlp.translation.scoring import comparison, metrics, sacrebleu_signatures, sentence_chrf

WORDS = ["the", "a", "house", "book", "small", "green", "of", "and", "sees", "walks"]


def sentences(count: int, seed: int) -> list[str]:
    random = np.random.default_rng(seed)
    return [" ".join(random.choice(WORDS, random.integers(4, 12))) + "." for _ in range(count)]


def test_scores_equal_those_of_the_library() -> None:
    references = sentences(60, 0)
    translations = [
        text if number % 2 else other
        for number, (text, other) in enumerate(zip(references, sentences(60, 1), strict=True))
    ]
    found = metrics(references, translations)
    assert found["bleu"].value == pytest.approx(sacrebleu.corpus_bleu(translations, [references]).score)
    assert found["chrf"].value == pytest.approx(sacrebleu.corpus_chrf(translations, [references]).score)
    for metric in found.values():
        assert metric.low is not None and metric.high is not None
        assert metric.low < metric.value < metric.high


def test_interval_is_that_of_resampled_corpora() -> None:
    references, translations = sentences(40, 2), sentences(40, 3)
    random = np.random.default_rng(0)
    scores = []
    for _ in range(400):
        drawn = random.integers(40, size=40)
        texts = [translations[place] for place in drawn], [[references[place] for place in drawn]]
        scores.append(sacrebleu.corpus_chrf(*texts).score)
    low, high = np.quantile(scores, [0.025, 0.975])
    metric = metrics(references, translations)["chrf"]
    assert (metric.low, metric.high) == (pytest.approx(low, abs=0.7), pytest.approx(high, abs=0.7))


def test_an_empty_translation_is_scored() -> None:
    found = metrics(["one two three four."], [""])
    assert found["bleu"].value == found["chrf"].value == 0


def test_sentences_are_scored_by_themselves_and_signed() -> None:
    scores = sentence_chrf(["one two", "three four"], ["one two", "xyz"])
    assert scores[0] == 100 > scores[1]
    found = sacrebleu_signatures(["a"], ["b"])
    assert "BLEU nrefs:1|case:mixed" in found and "; CHRF " in found


def test_a_worse_row_is_compared_by_bleu() -> None:
    references = sentences(60, 0)
    model = [
        text if number % 4 else other
        for number, (text, other) in enumerate(zip(references, sentences(60, 1), strict=True))
    ]
    found = comparison(references, model, sentences(60, 2))
    difference = sacrebleu.corpus_bleu(sentences(60, 2), [references]).score
    difference -= sacrebleu.corpus_bleu(model, [references]).score
    assert found.startswith(f"significantly worse than the model: BLEU difference {difference:.2f} [-")
    assert "not significantly different" in comparison(references, model, model)
