"""What is said of two rows: which is worse, and whether that may be chance."""

import numpy as np
import pytest

from pipelines.comparison import comparison, paired_difference
from pipelines.evaluation import ratio


@pytest.mark.parametrize(("higher_is_better", "verdict"), [(False, "worse"), (True, "better")])
def test_a_sure_difference_is_judged_by_the_direction_of_the_metric(higher_is_better: bool, verdict: str) -> None:
    model, other = np.zeros(20), np.ones(20)
    assert comparison(model, other, "x", higher_is_better).startswith(f"significantly {verdict} than the model: x")
    opposite = {"worse": "better", "better": "worse"}[verdict]
    assert comparison(other, model, "x", higher_is_better).startswith(f"significantly {opposite} than the model: x")


def test_chance_is_said_with_its_probability() -> None:
    model, other = np.random.default_rng(0).normal(size=(2, 50))
    difference, p = paired_difference(other, model)
    assert p > 0.05
    expected = f"not significantly different from the model: x difference {difference}, p = {p:.3f}"
    assert comparison(model, other, "x") == expected


def test_of_few_examples_nothing_is_claimed() -> None:
    """Three of six that go one way have a chance of one in four, as an exact test would say."""
    said = comparison(np.ones(6), np.array([1, 1, 1, 0, 0, 0]), "accuracy", higher_is_better=True)
    assert said == "accuracy difference from the model -0.500; 6 examples are too few to tell it from chance"
    assert "one example is too few" in comparison(
        (np.ones(1), np.ones(1)), (np.ones(1), np.ones(1)), "x", statistic=ratio
    )
