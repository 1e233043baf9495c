"""The predictor: the same answers from a run and its export, one text or many, and what it refuses."""

import itertools
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
from pipelines.nlp.translation import train
from pipelines.nlp.translation.config import TranslationConfiguration
from pipelines.nlp.translation.predictor import Predictor, Translation, combined
from pipelines.runs import Run
from tests.pipelines.conftest import unlearned

TEXTS = ["Two and one.", "Nine, four, one and ten.", "", "never seen: 😀 אור ünïcode", "one one", " \t"]
NOTHING = Translation("", 0.0)


@pytest.fixture(scope="module")
def both(trained_run: Run, loaded_both_ways: Callable[[Run], tuple[Any, Any]]) -> tuple[Predictor, Predictor]:
    """The predictors of the run and of its export."""
    return loaded_both_ways(trained_run)


def assert_alike(first: list[Translation], second: list[Translation]) -> None:
    assert [each.text for each in first] == [each.text for each in second]
    np.testing.assert_allclose([each.score for each in first], [each.score for each in second], atol=1e-5)


def test_run_and_export_answer_alike(both: tuple[Predictor, Predictor]) -> None:
    from_run, from_export = (predictor.translate(TEXTS) for predictor in both)
    assert_alike(from_run, from_export)
    assert [each.text for each in from_run[:3]] == ["Dos y uno.", "Nueve, cuatro, uno y diez.", ""]
    assert from_run[2] == from_run[5] == NOTHING
    assert both[1].languages == ("source", "target")


@pytest.mark.parametrize("beam_width", [1, 4])
def test_other_beam_widths_answer_alike(both: tuple[Predictor, Predictor], beam_width: int) -> None:
    from_run, from_export = (predictor.translate(TEXTS, beam_width) for predictor in both)
    assert_alike(from_run, from_export)
    assert_alike(both[0].translate(TEXTS, beam_width=2), both[0].translate(TEXTS))


def test_a_wider_search_is_asked_for(both: tuple[Predictor, Predictor]) -> None:
    """What the network has never seen is where searches of different widths part."""
    texts = [f"{word} and {word} and never seen {word}" for word in ("one", "two", "three", "house", "sea")]
    found = {width: [each.score for each in both[0].translate(texts, width)] for width in (1, 8)}
    assert np.mean(found[8]) > np.mean(found[1])


def test_one_text_is_answered_like_many(both: tuple[Predictor, Predictor]) -> None:
    many = TEXTS * 12  # several batches, in an order that is not that of their lengths
    for predictor in both:
        one_by_one = [predictor.translate(text) for text in TEXTS]
        assert all(isinstance(each, Translation) for each in one_by_one)
        assert_alike(predictor.translate(many), one_by_one * 12)
        assert_alike(predictor.translate(pd.Series(TEXTS, index=range(6, 0, -1))), one_by_one)
        assert predictor.translate([]) == []


def test_alternatives_are_the_best_ones_first(both: tuple[Predictor, Predictor]) -> None:
    texts = ["Two and one.", "never seen {a} 77", ""]
    found = [predictor.alternatives(texts, 4, placeholders=False) for predictor in both]
    for one, two in zip(*found, strict=True):
        assert_alike(one, two)
        assert len({each.text for each in one}) == len(one) <= 4
        assert [each.score for each in one] == sorted((each.score for each in one), reverse=True)
    best = both[0].translate(texts, beam_width=4, placeholders=False)
    assert_alike([each[0] for each in found[0]], best)
    assert found[0][2][0] == NOTHING and len(found[0][0]) > 1
    for each in both[0].alternatives("never seen {a} 77", 3):
        assert "{a}" in each.text and "77" in each.text
    with pytest.raises(ConfigurationError, match=r"Expected 1 <= n_best.*Received: n_best 4 and beam_width 2"):
        both[0].alternatives("One.", 4, beam_width=2)
    for predictor in both:
        with pytest.raises(ConfigurationError, match=r"^beam_width: expected 1 at least.*Received: \[100000\]$"):
            predictor.translate("One.", beam_width=100_000)


def test_a_long_text_is_its_sentences(both: tuple[Predictor, Predictor]) -> None:
    sentences = ["Two and one.", "Nine, four, one and ten.", "One and two."] * 20
    alone = [each.text for each in both[0].translate(sentences[:3])]
    for predictor in both:
        predictor.maximum_words = 6
        found = predictor.translate("\n".join(sentences))
        several = predictor.alternatives("\n".join(sentences), 2, keep="Nine")
        predictor.maximum_words = 20
        assert found.text == "\n".join(alone * 20)
        assert several[0].text.splitlines()[2::3] == alone[2:] * 20
        assert len({each.text for each in several}) == 2 and all("Nine" in each.text for each in several)


def test_combined_alternatives_are_the_best_combinations() -> None:
    random = np.random.default_rng(0)
    parts = [[Translation(f"{score:.6f}", float(score)) for score in random.normal(size=3)] for _ in range(4)]
    expected = sorted(itertools.product(*parts), key=lambda path: -np.mean([each.score for each in path]))[:5]
    found = combined([(each, "\n") for each in parts], 5)
    assert [each.text for each in found] == ["\n".join(each.text for each in path) for path in expected]
    np.testing.assert_allclose([each.score for each in found], [np.mean([x.score for x in path]) for path in expected])


def test_attention_is_the_same_and_a_distribution(both: tuple[Predictor, Predictor]) -> None:
    first, second = (predictor.attention("Two and one.", "Dos y uno.") for predictor in both)
    np.testing.assert_allclose(first.weights, second.weights, atol=1e-5)
    assert first.weights.shape == (len(first.target), len(first.source))
    np.testing.assert_allclose(first.weights.sum(axis=1), 1, atol=1e-5)
    assert first[1:] == second[1:]
    assert "".join(first.source).strip() == "Two and one." and "".join(first.target).strip() == "Dos y uno."
    assert first.source[-1] == first.target[-1] == ""


def test_what_cannot_be_translated_is_refused(both: tuple[Predictor, Predictor]) -> None:
    for predictor in both:
        for wrong in (np.nan, None, b"one", 3):
            with pytest.raises(ConfigurationError, match=r"Text 2 is not a string. .* Received: "):
                predictor.translate(["One.", wrong])
        with pytest.raises(ConfigurationError, match="Text 1 is not UTF-8"):
            predictor.translate("caf\udce9")
        with pytest.raises(ConfigurationError, match=r"^beam_width: expected at least 1\..*Received: 0$"):
            predictor.translate("One.", beam_width=0)


@pytest.mark.parametrize("shared", [True, False])
def test_a_run_of_0_1_is_read(
    experiment: Callable[..., TranslationConfiguration], tmp_path: Path, train_tiny: Callable[..., Run], shared: bool
) -> None:
    configuration = experiment(shared_subwords=shared)
    with unlearned(train):
        run = train_tiny(configuration)
    expected = predictors.load(run.folder).translate(TEXTS[:2])
    old = Run.open(shutil.copytree(run.folder, tmp_path / "copies" / "nlp" / "old" / run.folder.name))
    description = old.read_json("description.json")
    del description["fingerprint"]
    assert description.keys() == ({"source"} if shared else {"source", "target"})
    (old.folder / "description.json").unlink()
    old.write_json("subwords.json", description)
    values = json.loads(configuration.to_json())
    del values["initialise"]
    values["data"]["longest"] = values["data"].pop("maximum_subwords")
    values["data"]["respelled"] = values["data"].pop("subword_regularisation")
    old.write_json("configuration.json", values)
    assert_alike(predictors.load(old.folder).translate(TEXTS[:2]), expected)
