"""The predictor: the same answers from a run and its export, one text or many, and what it refuses."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipelines import predictors
from pipelines.configuration import ConfigurationError
from pipelines.nlp.sentiment import train
from pipelines.nlp.sentiment.classify import table_of
from pipelines.nlp.sentiment.config import SentimentConfiguration
from pipelines.nlp.sentiment.model import load_model, read_texts
from pipelines.nlp.sentiment.predictor import Classification, Predictor
from pipelines.runs import Run
from tests.pipelines.conftest import unlearned

TEXTS = ["so lovely a w1", "Awful w3 !", "", "😀 שלום فيلم", "w1 " * 500, "solid"]


@pytest.fixture(scope="module")
def both(trained_run: Run, loaded_both_ways: Callable[[Run], tuple[Any, Any]]) -> tuple[Predictor, Predictor]:
    """The predictors of the run and of its export."""
    return loaded_both_ways(trained_run)


def assert_alike(first: list[Classification], second: list[Classification]) -> None:
    for one, two in zip(first, second, strict=True):
        assert one.label == two.label
        assert one.probabilities == pytest.approx(two.probabilities, abs=1e-5)
        assert one.rating == pytest.approx(two.rating, abs=1e-4)


def test_run_and_export_answer_alike(both: tuple[Predictor, Predictor], trained_run: Run) -> None:
    from_run, from_export = (predictor.classify(TEXTS) for predictor in both)
    assert_alike(from_run, from_export)
    assert [from_run[number].label for number in (0, 1, 5)] == ["great", "bad", "fine"]
    probabilities, ratings = read_texts(load_model(trained_run), TEXTS)
    found = [list(each.probabilities.values()) for each in from_run]
    np.testing.assert_allclose(found, probabilities, atol=1e-5)
    np.testing.assert_allclose([each.rating for each in from_run], ratings, atol=1e-4)
    for each in from_run:
        assert list(each.probabilities) == ["bad", "fine", "great"]
        assert each.label == max(each.probabilities, key=each.probabilities.get)


def test_one_text_is_answered_like_many(both: tuple[Predictor, Predictor]) -> None:
    many = TEXTS * 30  # several batches, in an order that is not that of their lengths
    for predictor in both:
        one_by_one = [predictor.classify(text) for text in TEXTS]
        assert all(isinstance(each, Classification) for each in one_by_one)
        assert_alike(predictor.classify(many), one_by_one * 30)
        assert_alike(predictor.classify(pd.Series(TEXTS, index=range(6, 0, -1))), one_by_one)
        assert predictor.classify([]) == []


def test_a_long_text_is_read_whole(both: tuple[Predictor, Predictor]) -> None:
    first, second = "w1 " * 400, "superb " * 9
    for predictor in both:
        assert predictor.maximum_words is None
        whole, one, other = predictor.classify([first + second, first, second])
        assert whole.rating == pytest.approx((400 * one.rating + 9 * other.rating) / 409, abs=1e-4)
        many = predictor.classify([first * 40 + second, first * 40])  # more windows than are read at once
        assert many[1].rating == pytest.approx(one.rating, abs=1e-4)
        assert many[0].rating == pytest.approx((16000 * one.rating + 9 * other.rating) / 16009, abs=1e-4)


def test_what_is_no_text_is_refused(both: tuple[Predictor, Predictor]) -> None:
    for predictor in both:
        for wrong in (np.nan, None, b"good", 3):
            with pytest.raises(ConfigurationError, match=r"Text 2 is not a string. .* Received: "):
                predictor.classify(["good", wrong])
        with pytest.raises(ConfigurationError, match=r"Text 1 is not UTF-8\..*halves of surrogate pairs"):
            predictor.classify("caf\udce9")


@pytest.mark.slow
def test_without_ratings_there_is_none(
    experiment: Callable[..., SentimentConfiguration],
    tmp_path: Path,
    loaded_both_ways: Callable[[Run], tuple[Any, Any]],
) -> None:
    configuration = experiment(data={"rating": ""})
    run = Run.create("nlp", "unrated", configuration, tmp_path)
    with unlearned(train):
        train.train(run, configuration)
    for predictor in loaded_both_ways(run):
        answer = predictor.classify("superb")
        assert answer.rating is None
        table = table_of(["superb"], [answer])
        assert [column.header for column in table.columns] == ["text", "label", "probability"]


def test_a_run_of_0_1_is_read(
    both: tuple[Predictor, Predictor],
    trained_run: Run,
    tmp_path: Path,
    loaded_both_ways: Callable[[Run], tuple[Any, Any]],
) -> None:
    folder = tmp_path / "runs" / "nlp" / "opinions" / trained_run.folder.name
    shutil.copytree(trained_run.folder, folder)
    description = trained_run.read_json("description.json")
    del description["fingerprint"]
    (folder / "description.json").unlink()
    (folder / "vocabulary.json").write_text(json.dumps(description))
    configuration = trained_run.read_json("configuration.json")
    del configuration["initialise"]
    for part, old, new in (
        ("data", "longest", "maximum_words"),
        ("network", "fewest", "minimum_count"),
        ("pretraining", "fewest", "minimum_count"),
    ):
        configuration[part][old] = configuration[part].pop(new)
    (folder / "configuration.json").write_text(json.dumps(configuration))
    for predictor in (predictors.load(folder), loaded_both_ways(Run.open(folder))[1]):
        assert_alike(predictor.classify(TEXTS), both[0].classify(TEXTS))
