"""BLEU and chrF, of sacreBLEU, with intervals by resampling sentences."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from pipelines import comparison as comparisons
from pipelines.evaluation import Metric, bootstrap

METRICS = {"bleu": BLEU, "chrf": CHRF}


def metrics(references: Sequence[str], translations: Sequence[str]) -> dict[str, Metric]:
    """Returns BLEU (Papineni et al. 2002; Post 2018, https://arxiv.org/abs/1804.08771) and chrF (Popović 2015).

    Both are scores of the corpus, from 0 to 100: what a sentence adds to their counts is resampled, never a score of
    its own.

    Args:
        references: what the translations should be, as people write it.
        translations: equally many.

    Example:
        >>> scores = metrics(["the cat sat on the mat"], ["the cat sat on the mat"])
        >>> scores["bleu"].value, scores["chrf"].value
        (100.0, 100.0)
    """
    return {name: _score(kind(), references, translations) for name, kind in METRICS.items()}


def sentence_chrf(references: Sequence[str], translations: Sequence[str]) -> np.ndarray:
    """Returns chrF of each sentence by itself (sentences,), to order them by."""
    scorer = CHRF()
    pairs = zip(translations, references, strict=True)
    return np.array([scorer.sentence_score(translation, [reference]).score for translation, reference in pairs])


def comparison(references: Sequence[str], model: Sequence[str], other: Sequence[str]) -> str:
    """Returns in words how the BLEU of another row's translations differs from that of the model's."""
    scorer = BLEU()
    ours, theirs = (_counts(scorer, references, translations) for translations in (model, other))
    statistic = partial(_corpus_score, scorer)
    return comparisons.comparison(ours, theirs, "BLEU", higher_is_better=True, statistic=statistic)


def sacrebleu_signatures(references: Sequence[str], translations: Sequence[str]) -> str:
    """Returns sacreBLEU's description of how it computes the metrics, so that others can compare."""
    found = []
    for kind in METRICS.values():
        scorer = kind()
        scorer.corpus_score(list(translations[:1]), [list(references[:1])])
        found.append(f"{scorer.__class__.__name__} {scorer.get_signature()}")
    return "; ".join(found)


def _score(scorer: BLEU | CHRF, references: Sequence[str], translations: Sequence[str]) -> Metric:
    return bootstrap(_counts(scorer, references, translations), partial(_corpus_score, scorer))


def _counts(scorer: BLEU | CHRF, references: Sequence[str], translations: Sequence[str]) -> np.ndarray:
    """Returns each sentence's counts (sentences, counts); their sum over a corpus makes its score."""
    return np.array(scorer._extract_corpus_statistics(list(translations), [list(references)]), np.float64)


def _corpus_score(scorer: BLEU | CHRF, counts: np.ndarray, axis: int) -> np.ndarray:
    """Returns the scores (samples,) of resampled corpora, from the counts (samples, sentences, counts)."""
    return np.array([scorer._compute_score_from_stats(each.tolist()).score for each in counts.sum(axis=axis)])
