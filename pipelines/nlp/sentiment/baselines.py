"""The baselines: the commonest label, VADER, naive Bayes, linear models of word pairs."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import MultinomialNB

from pipelines.nlp.sentiment.data import Sets, truth
from pipelines.nlp.sentiment.labels import is_labelled
from pipelines.nlp.sentiment.scoring import Answers, fit_thresholds, macro_f1

Classify = Callable[[Sequence[str]], Answers]

STRENGTHS = (1.0, 3.0, 10.0, 30.0)  # C of the logistic regression; the validation split decides
PENALTIES = (0.1, 0.3, 1.0, 3.0)  # alpha of the ridge regression; likewise
SMOOTHING = (0.1, 0.3, 1.0, 3.0)  # alpha of naive Bayes; likewise
WORD = r"(?u)\w+|[^\w\s]"  # a sign is a word too, as for the network
POLAR = ({"negative", "neg"}, {"positive", "pos"})
HIGHEST = 4.0  # of VADER's scale as of the rated snippets'; its compound score ends at 1


def available(sets: Sets) -> dict[str, tuple[str, Classify]]:
    """Returns the baselines that can run here, by name, with a note; they learn from the training split alone.

    Their hyperparameters are chosen on the validation split.
    """
    if not sets.labels:
        return {"mean": ("the mean rating", majority(sets)), "ridge regression": ridge_regression(sets)}
    note = "every label, always" if sets.multiple else "the commonest label, the mean rating"
    found: dict[str, tuple[str, Classify]] = {"majority": (note, majority(sets))}
    polar = None if sets.multiple else polar_places(sets.labels)
    if polar:
        try:
            found["VADER"] = ("rules and a lexicon, nothing learned", vader(polar))
        except ImportError:
            print("vaderSentiment is not installed; VADER is left out. Install the extra `peers` for it.")
    found["naive Bayes"] = naive_bayes(sets)
    found["logistic regression"] = logistic_regression(sets)
    if sets.rated and (polar or sets.multiple):
        found["ridge regression"] = ridge_regression(sets)
    return found


def polar_places(labels: Sequence[str]) -> tuple[int, int] | None:
    """Returns the places of negative and positive, if these are the two labels; else None.

    >>> polar_places(("neg", "pos"))
    (0, 1)
    """
    names = [label.lower() for label in labels]
    places = [next((place for place, name in enumerate(names) if name in words), None) for words in POLAR]
    return (places[0], places[1]) if len(names) == 2 and None not in places else None  # type: ignore[return-value]


def majority(sets: Sets) -> Classify:
    """Predicts the commonest label of the training split, with the shares of all, and the mean rating.

    Where texts have several labels, it predicts all of them: what has the best F1 without a look at the text.
    """
    labels, ratings = truth(sets.splits["train"], sets.labels)
    known = labels[is_labelled(labels)]
    counts = known.sum(axis=0) if sets.multiple else np.bincount(known, minlength=len(sets.labels))
    shares = counts / max(1, len(known))
    mean = np.nanmean(ratings) if sets.rated else np.nan

    def classify(texts: Sequence[str]) -> Answers:
        rated = np.full(len(texts), mean) if sets.rated else None
        return _answers(np.tile(shares, (len(texts), 1)), rated, 0.0 if sets.multiple else None)

    return classify


def vader(places: tuple[int, int]) -> Classify:
    """Predicts by the sign of VADER's compound score (Hutto and Gilbert 2014); 0, which is common, is negative.

    Raises:
        ImportError: vaderSentiment is not installed.
    """
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    analyser = SentimentIntensityAnalyzer()

    def classify(texts: Sequence[str]) -> Answers:
        scores = np.array([analyser.polarity_scores(text)["compound"] for text in texts])
        return Answers(np.where(scores > 0, places[1], places[0]), ratings=HIGHEST * scores)

    return classify


def naive_bayes(sets: Sets) -> tuple[str, Classify]:
    """Multinomial naive Bayes on counts of words and pairs of words."""
    vectors = CountVectorizer(ngram_range=(1, 2), token_pattern=WORD)
    return _chosen(sets, vectors, lambda alpha: MultinomialNB(alpha=alpha), SMOOTHING, "smoothing")


def logistic_regression(sets: Sets) -> tuple[str, Classify]:
    """Logistic regression on tf-idf of words and pairs of words."""
    vectors = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=WORD)
    return _chosen(sets, vectors, lambda c: LogisticRegression(C=c, max_iter=1000), STRENGTHS, "C")


def ridge_regression(sets: Sets) -> tuple[str, Classify]:
    """Ridge regression of the ratings on tf-idf; its sign is the label where that is negative or positive."""
    places = None if sets.multiple else polar_places(sets.labels)
    vectors = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=WORD)
    _, ratings = truth(sets.splits["train"], sets.labels)
    rated = np.isfinite(ratings)
    rows = vectors.fit_transform(np.array([example.text for example in sets.splits["train"]], object)[rated])
    validation = sets.splits["validation"]
    seen, (_, wanted) = vectors.transform([each.text for each in validation]), truth(validation, sets.labels)
    fitted = {alpha: Ridge(alpha=alpha).fit(rows, ratings[rated]) for alpha in PENALTIES}
    alpha = min(fitted, key=lambda each: np.nanmean((fitted[each].predict(seen) - wanted) ** 2))

    def classify(texts: Sequence[str]) -> Answers:
        found = fitted[alpha].predict(vectors.transform(texts))
        return Answers(None if places is None else np.where(found > 0, places[1], places[0]), ratings=found)

    return f"of the ratings, tf-idf of words and pairs; alpha {alpha:g} by validation", classify


def _chosen(
    sets: Sets, vectors: Any, model: Callable[[float], Any], choices: Sequence[float], name: str
) -> tuple[str, Classify]:
    """Fits a model for each choice and keeps the one with the highest accuracy on the validation split.

    Of several labels each has a model of its own, and the choice with the highest F1 is kept, with its thresholds.
    """
    labels, _ = truth(sets.splits["train"], sets.labels)
    rows = vectors.fit_transform([example.text for example in sets.splits["train"]])
    validation = sets.splits["validation"]
    seen, (wanted, _) = vectors.transform([each.text for each in validation]), truth(validation, sets.labels)
    known, held_out = is_labelled(labels), is_labelled(wanted)
    wrapped = (lambda choice: OneVsRestClassifier(model(choice))) if sets.multiple else model
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Label .* is present in all training examples")
        fitted = {choice: wrapped(choice).fit(rows[known], labels[known]) for choice in choices}
    shares = {choice: _probabilities(fitted[choice], seen[held_out], len(sets.labels)) for choice in choices}
    thresholds = {
        choice: fit_thresholds(shares[choice], wanted[held_out]) if sets.multiple else None for choice in choices
    }

    def quality(choice: float) -> float:
        answers = _answers(shares[choice], thresholds=thresholds[choice]).labels
        assert answers is not None
        if sets.multiple:
            return float(macro_f1(wanted[held_out], answers, axis=0))
        return float(np.mean(answers == wanted[held_out]))

    best = max(choices, key=quality)

    def classify(texts: Sequence[str]) -> Answers:
        found = _probabilities(fitted[best], vectors.transform(texts), len(sets.labels))
        return _answers(found, thresholds=thresholds[best])

    return f"words and pairs of words; {name} {best:g} by validation", classify


def _probabilities(model: Any, rows: Any, labels: int) -> np.ndarray:
    """Probabilities (texts, labels); of a single label of several, scikit-learn returns those of both answers."""
    found: np.ndarray = model.predict_proba(rows)  # the classes are 0, 1, …, all of them
    return found[:, -labels:]


def _answers(
    probabilities: np.ndarray, ratings: np.ndarray | None = None, thresholds: np.ndarray | float | None = None
) -> Answers:
    """Answers by the highest probability, or by thresholds where texts have several labels."""
    if not probabilities.shape[1]:
        return Answers(None, None, ratings)
    if thresholds is None:
        return Answers(probabilities.argmax(axis=1), probabilities, ratings)
    return Answers((probabilities >= thresholds).astype(np.int32), probabilities, ratings)
