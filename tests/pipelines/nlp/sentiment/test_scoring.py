"""Scores against scikit-learn and the definitions; baselines learn from the training split alone."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.metrics import f1_score, log_loss

from pipelines.nlp.sentiment import baselines, data, evaluate
from pipelines.nlp.sentiment.config import SentimentConfiguration
from pipelines.nlp.sentiment.data import Sets
from pipelines.nlp.sentiment.scoring import Answers, Truth, calibration_error, comparison, metrics
from pipelines.nlp.sentiment.splitting import Example


@pytest.fixture
def answered() -> tuple[Answers, Truth]:
    random = np.random.default_rng(0)
    labels = random.integers(-1, 3, 200)
    probabilities = random.dirichlet(np.ones(3), 200)
    ratings = np.where(random.random(200) < 0.1, np.nan, labels + random.normal(0, 1, 200))
    predicted = ratings + random.normal(0, 1, 200)
    return Answers(probabilities.argmax(axis=1), probabilities, np.nan_to_num(predicted)), Truth(labels, ratings)


def test_metrics_are_those_of_scikit_learn(answered: tuple[Answers, Truth]) -> None:
    answers, truth = answered
    found = metrics(answers, truth, 3)
    known, rated = truth.labels >= 0, np.isfinite(truth.ratings)
    true, predicted = truth.labels[known], answers.labels[known]
    expected = {
        "accuracy": np.mean(true == predicted),
        "macro_f1": f1_score(true, predicted, average="macro"),
        "cross_entropy": log_loss(true, answers.probabilities[known]),
        "mae": np.mean(np.abs(answers.ratings - truth.ratings)[rated]),
        "rmse": np.sqrt(np.mean((answers.ratings - truth.ratings)[rated] ** 2)),
        "correlation": pearsonr(answers.ratings[rated], truth.ratings[rated])[0],
    }
    for name, value in expected.items():
        assert found[name].value == pytest.approx(value), name
        assert found[name].low < value < found[name].high
    assert metrics(Answers(answers.labels), truth, 3).keys() == {"accuracy", "macro_f1"}
    constant = metrics(answers._replace(ratings=np.ones(200)), truth, 3)
    assert "mae" in constant and "correlation" not in constant


def test_calibration_error_is_the_gap_of_each_bin() -> None:
    confidence, right = np.array([[0.95, 0.92, 0.55, 0.51]]), np.array([[1, 0, 1, 1]])
    expected = (abs(0.95 + 0.92 - 1) + abs(0.55 + 0.51 - 2)) / 4
    assert calibration_error(confidence, right, axis=1)[0] == pytest.approx(expected)
    assert calibration_error(np.array([[1.0, 1.0]]), np.array([[1, 1]]), axis=1)[0] == 0


def test_comparison_tells_better_worse_and_undecided() -> None:
    truth = Truth(np.zeros(60, int), np.full(60, np.nan))
    right, wrong = Answers(np.zeros(60, int)), Answers(np.ones(60, int))
    assert comparison(right, wrong, truth).startswith("significantly worse than the model")
    assert comparison(wrong, right, truth).startswith("significantly better than the model")
    half = Answers(np.arange(60) % 2)
    other = Answers((np.arange(60) + 1) % 2)
    assert comparison(half, other, truth).startswith("not significantly different from the model")


def test_baselines_learn_from_training_and_choose_on_validation(
    experiment: Callable[..., SentimentConfiguration],
) -> None:
    sets = data.load(experiment().data)
    texts = [example.text for example in sets.splits["test"]]
    true, _ = data.truth(sets.splits["test"], sets.labels)
    methods = baselines.available(sets)
    assert list(methods) == ["majority", "naive Bayes", "logistic regression"]
    changed = Sets(sets.splits | {"test": []}, sets.labels, [])
    for (name, (_, method)), (_, again) in zip(methods.items(), baselines.available(changed).values(), strict=True):
        answers = method(texts)
        np.testing.assert_array_equal(answers.labels, again(texts).labels)
        np.testing.assert_allclose(answers.probabilities.sum(axis=1), 1)
        np.testing.assert_array_equal(answers.probabilities.argmax(axis=1), answers.labels)
        accuracy = np.mean(answers.labels == true)
        assert accuracy < 0.6 if name == "majority" else accuracy > 0.7, name
    mean = np.mean([example.rating for example in sets.splits["train"]])
    np.testing.assert_allclose(methods["majority"][1](["x"]).ratings, [mean], rtol=1e-5)


def test_polar_baselines() -> None:
    words = {"bad": -2.0, "awful": -3.0, "good": 2.0, "great": 3.0}
    examples = [
        Example("", f"{word} {number}", "negative" if rating < 0 else "positive", rating)
        for number in range(12)
        for word, rating in words.items()
    ]
    sets = Sets(dict.fromkeys(("train", "validation", "test"), examples), ("negative", "positive"), [])
    methods = baselines.available(sets)
    assert {"VADER", "ridge regression"} <= methods.keys()
    for name in ("VADER", "ridge regression"):
        answers = methods[name][1](["great and good", "awful, bad"])
        np.testing.assert_array_equal(answers.labels, [1, 0])
        assert answers.ratings[0] > 1 > -1 > answers.ratings[1]
    assert baselines.polar_places(("positive", "neutral", "negative")) is None


def test_rows_of_other_sets_are_of_all_their_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = ("negative", "positive")
    examples = [Example("", "good", "positive", 1.0), Example("", "bad", "negative", -2.0), Example("", "so", "", 0.0)]
    monkeypatch.setattr(
        evaluate, "rated_snippets", lambda name: {"train": examples, "validation": examples[:1], "test": examples[1:]}
    )

    def always(label: int) -> baselines.Classify:
        return lambda texts: Answers(np.full(len(texts), label), ratings=np.zeros(len(texts)))

    methods = {"model": ("", always(1)), "majority": ("", always(0)), "logistic regression": ("", always(0))}
    rows = evaluate.out_of_domain_rows(methods, ["tweets", "products"], labels)
    assert [row.name for row in rows] == [
        *("model, tweets", "logistic regression, tweets", "model, products", "logistic regression, products"),
    ]
    assert rows[0].metrics["accuracy"].value == 0.5 and "all 6 texts of the set tweets" in rows[0].notes
    assert rows[0].metrics["mae"].value == pytest.approx((1 + 2 + 0 + 1 + 2 + 0) / 6)
    assert "than the model" in rows[1].notes or "from the model" in rows[1].notes


def test_where_most_texts_have_one_label_macro_f1_is_compared_too() -> None:
    true = np.array([0] * 190 + [1] * 10)
    truth = Truth(true, np.full(200, np.nan))
    found = comparison(Answers(np.zeros(200, int)), Answers(true), truth)
    accuracy, f1 = found.split("; ")
    assert accuracy.startswith("significantly better than the model: accuracy difference 0.050")
    difference = 1 - f1_score(true, np.zeros(200, int), average="macro", zero_division=0)
    assert f1.startswith(f"significantly better than the model: macro F1 difference {difference:.3f}")
    assert "F1" not in comparison(Answers(true), Answers(true), Truth(np.tile([0, 1], 100), truth.ratings))
