"""Word and character errors of transcriptions: counts for each recording, rates with intervals, what was confused."""

from collections import Counter
from collections.abc import Sequence

import jiwer
import numpy as np

from data.spoken_text import words_of
from pipelines.comparison import comparison as compared
from pipelines.evaluation import Metric, bootstrap_ratio, ratio


def error_rates(references: Sequence[str], texts: Sequence[str]) -> dict[str, Metric]:
    """Returns word and character error rate with 95 % intervals, by resampling recordings.

    Insertions, deletions and substitutions for each word, or character, of the references, as jiwer counts them.

    Example:
        >>> from pipelines.speech.scoring import error_rates
        >>> error_rates(["one two", "three"], ["one too", "three"])["wer"].value
        0.3333333333333333
    """
    pairs = list(zip(references, texts, strict=True))
    rates = {}
    for name, count in (("wer", word_errors), ("cer", character_errors)):
        errors, units = zip(*(count(reference, text) for reference, text in pairs), strict=True)
        rates[name] = bootstrap_ratio(errors, units)
    return rates


def rates_of_row(references: Sequence[str], texts: Sequence[str]) -> dict[str, Metric]:
    """Returns the error rates of a row of the evaluation: of texts with case or punctuation also without both.

    Example:
        >>> {name: metric.value for name, metric in rates_of_row(["Oh, no."], ["oh no"]).items() if "wer" in name}
        {'wer': 1.0, 'wer_of_words': 0.0}
    """
    rates = error_rates(references, texts)
    words = [(words_of(reference), words_of(text)) for reference, text in zip(references, texts, strict=True)]
    if [spoken for spoken, _ in words] != list(references):
        pairs = zip(*(pair for pair in words if pair[0]), strict=True)
        rates["wer_of_words"] = error_rates(*pairs)["wer"]
    return rates


def comparison(references: Sequence[str], model: Sequence[str], others: Sequence[str]) -> str:
    """States whether other texts of the same recordings have more word errors than the model's, or fewer.

    Example:
        >>> from pipelines.speech.scoring import comparison
        >>> comparison(["one two"] * 30, ["one two"] * 30, ["one too"] * 30)
        'significantly worse than the model: WER difference 0.500 [0.500, 0.500], p ≤ 0.002'
    """
    ours, theirs = (
        tuple(np.transpose([word_errors(*pair) for pair in zip(references, texts, strict=True)]))  # errors, words
        for texts in (model, others)
    )
    return compared(ours, theirs, "WER", statistic=ratio)


def word_errors(reference: str, text: str) -> tuple[int, int]:
    """Returns the word errors of one recording, and its words."""
    return _errors(jiwer.process_words(reference, text))


def character_errors(reference: str, text: str) -> tuple[int, int]:
    """Returns the character errors of one recording, and its characters."""
    return _errors(jiwer.process_characters(reference, text))


def _errors(output: jiwer.WordOutput | jiwer.CharacterOutput) -> tuple[int, int]:
    wrong = output.substitutions + output.deletions
    return wrong + output.insertions, output.hits + wrong


def confusions(references: Sequence[str], texts: Sequence[str]) -> Counter[tuple[str, str]]:
    """Counts the characters taken for others: (reference, written), "" for a character left out or put in."""
    counted: Counter[tuple[str, str]] = Counter()
    for reference, text in zip(references, texts, strict=True):
        for chunk in jiwer.process_characters(reference, text).alignments[0]:
            spoken = reference[chunk.ref_start_idx : chunk.ref_end_idx]
            written = text[chunk.hyp_start_idx : chunk.hyp_end_idx]
            if chunk.type == "substitute":
                counted.update(zip(spoken, written, strict=True))
            elif chunk.type == "delete":
                counted.update((character, "") for character in spoken)
            elif chunk.type == "insert":
                counted.update(("", character) for character in written)
    return counted
