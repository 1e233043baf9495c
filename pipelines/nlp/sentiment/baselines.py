"""The baselines: the commonest label, VADER, naive Bayes, linear models of word pairs."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import MultinomialNB

from pipelines.nlp.sentiment.data import Sets, truth
from pipelines.nlp.sentiment.scoring import Answers

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
    found: dict[str, tuple[str, Classify]] = {"majority": ("the commonest label, the mean rating", majority(sets))}
    if polar := polar_places(sets.labels):
        try:
            found["VADER"] = ("rules and a lexicon, nothing learned", vader(polar))
        except ImportError:
            print("vaderSentiment is not installed; VADER is left out. Install the extra `peers` for it.")
    found["naive Bayes"] = naive_bayes(sets)
    found["logistic regression"] = logistic_regression(sets)
    if sets.rated and polar_places(sets.labels):
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
    """Predicts the commonest label of the training split, with the shares of all, and the mean rating."""
    labels, ratings = truth(sets.splits["train"], sets.labels)
    shares = np.bincount(labels[labels >= 0], minlength=len(sets.labels)) / max(1, (labels >= 0).sum())
    mean = np.nanmean(ratings) if sets.rated else np.nan

    def classify(texts: Sequence[str]) -> Answers:
        return _answers(np.tile(shares, (len(texts), 1)), np.full(len(texts), mean) if sets.rated else None)

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
    """Ridge regression of the ratings on tf-idf; its sign is the label."""
    places = polar_places(sets.labels)
    assert places is not None
    negative, positive = places
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
        return Answers(np.where(found > 0, positive, negative), ratings=found)

    return f"of the ratings, tf-idf of words and pairs; alpha {alpha:g} by validation", classify


def _chosen(
    sets: Sets, vectors: Any, model: Callable[[float], Any], choices: Sequence[float], name: str
) -> tuple[str, Classify]:
    """Fits a model for each choice and keeps the one with the highest accuracy on the validation split."""
    labels, _ = truth(sets.splits["train"], sets.labels)
    rows = vectors.fit_transform([example.text for example in sets.splits["train"]])
    validation = sets.splits["validation"]
    seen, (wanted, _) = vectors.transform([each.text for each in validation]), truth(validation, sets.labels)
    fitted = {choice: model(choice).fit(rows[labels >= 0], labels[labels >= 0]) for choice in choices}
    best = max(fitted, key=lambda choice: np.mean((fitted[choice].predict(seen) == wanted)[wanted >= 0]))

    def classify(texts: Sequence[str]) -> Answers:
        return _answers(fitted[best].predict_proba(vectors.transform(texts)))  # its classes are 0, 1, …, all of them

    return f"words and pairs of words; {name} {best:g} by validation", classify


def _answers(probabilities: np.ndarray, ratings: np.ndarray | None = None) -> Answers:
    return Answers(probabilities.argmax(axis=1), probabilities, ratings)
