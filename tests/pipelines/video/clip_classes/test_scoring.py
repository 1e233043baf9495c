"""Scores: as scikit-learn computes them, with intervals that hold the truth."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, log_loss

from pipelines.video.clip_classes.scoring import comparison, confusions, metrics


@pytest.mark.parametrize("classes", [2, 5])
def test_scores_equal_those_of_scikit_learn(classes: int) -> None:
    random = np.random.default_rng(classes)
    labels = random.integers(0, classes, 300)
    probabilities = random.dirichlet(np.ones(classes), 300) + 0.3 * np.eye(classes)[labels]
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    said = probabilities.argmax(axis=1)
    found = metrics(labels, probabilities)
    assert found["accuracy"].value == pytest.approx(accuracy_score(labels, said))
    assert found["macro_f1"].value == pytest.approx(f1_score(labels, said, average="macro"))
    assert found["cross_entropy"].value == pytest.approx(log_loss(labels, probabilities))
    for metric in found.values():
        assert metric.low < metric.value < metric.high
    assert confusions(labels, probabilities).sum() == 300
    assert np.trace(confusions(labels, probabilities)) == (said == labels).sum()


def test_classes_that_are_nowhere_do_not_count() -> None:
    labels = np.array([0, 0, 1, 1])
    probabilities = np.eye(4)[[0, 0, 1, 0]]
    expected = f1_score(labels, [0, 0, 1, 0], average="macro")
    assert metrics(labels, probabilities)["macro_f1"].value == pytest.approx(expected)


def test_the_worse_is_said_to_be_worse() -> None:
    labels = np.arange(100) % 4
    wrong = np.where(np.arange(100) < 30, (labels + 1) % 4, labels)
    assert comparison(labels, labels, wrong).startswith(
        "significantly worse than the model: accuracy difference -0.300"
    )
    assert comparison(labels, wrong, labels).startswith("significantly better than the model")
    assert comparison(labels, wrong, wrong).startswith("not significantly different from the model")
