"""How well words are tagged: accuracy on all and on unseen words, and the F1 of spans, with intervals."""

from collections.abc import Sequence

import numpy as np

from pipelines.comparison import comparison as compared
from pipelines.evaluation import Metric, bootstrap_ratio, ratio
from pipelines.nlp.tagged_files import UNTAGGED, Sentence, has_spans, spans_of

Tags = Sequence[Sequence[str]]


def tallies(
    sentences: Sequence[Sentence], answers: Tags, learned: set[str], known: Sequence[str]
) -> dict[str, np.ndarray]:
    """Returns for each metric what it is a ratio of, for each sentence: right ones and all, (sentences, 2).

    A word without a tag does not count. A span is right if its words and its label are; its F1 is 2 · right ones, of
    all true and all predicted ones.

    Args:
        learned: words of the training split, in small letters; others are unseen.
    """
    rows: dict[str, list[tuple[int, int]]] = {"accuracy": [], "unseen_accuracy": [], "f1": []}
    for (_, words, truth), answer in zip(sentences, answers, strict=True):
        scored = [
            (word, tag == predicted)
            for word, tag, predicted in zip(words, truth, answer, strict=True)
            if tag != UNTAGGED
        ]
        unseen = [right for word, right in scored if word.lower() not in learned]
        true, found = set(spans_of(truth, known)), set(spans_of(answer, known))
        rows["accuracy"].append((sum(right for _, right in scored), len(scored)))
        rows["unseen_accuracy"].append((sum(unseen), len(unseen)))
        rows["f1"].append((2 * len(true & found), len(true) + len(found)))
    return {name: np.array(each) for name, each in rows.items() if np.any(each) and (name != "f1" or has_spans(known))}


def metrics(tally: dict[str, np.ndarray]) -> dict[str, Metric]:
    """Returns each metric with its 95 % interval, by resampling sentences."""
    return {name: bootstrap_ratio(*rows.T) for name, rows in tally.items()}


def comparison(model: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> str:
    """Returns in words whether another's tags of the same words are right less or more often than the model's."""
    ours, theirs = (tuple(each["accuracy"].T) for each in (model, other))
    return compared(ours, theirs, "accuracy", higher_is_better=True, statistic=ratio)
