"""The predictor: the same texts and scores from a run and its export, alone, among others and streamed."""

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
from pipelines.nlp import batches
from pipelines.nlp.language_model.model import LanguageModel
from pipelines.nlp.language_model.predictor import Predictor, Score
from pipelines.nlp.language_model.scoring import score
from pipelines.nlp.subwords import Subwords
from pipelines.runs import Run

PROMPTS = ["The house", "", "🙂 שלום", "Errors say what happened, what was expected, how to fix it", "The house"]
TEXTS = ["", "A test that cannot fail is a defect.", "x 🙂👩‍👩‍👧 שלום\n\n", "the the the " * 60, "x"]


@pytest.fixture(scope="module")
def both(trained_run: Run, loaded_both_ways: Callable[[Run], tuple[Any, Any]]) -> tuple[Predictor, Predictor]:
    """The predictors of the run and of its export."""
    return loaded_both_ways(trained_run)


@pytest.mark.parametrize(
    "how", [{"no_repeat_ngram": 2}, {"temperature": 1.2, "top_k": 30, "top_p": 0.9, "repetition_penalty": 1.3}]
)
def test_run_and_export_generate_the_same_text(both: tuple[Predictor, Predictor], how: dict[str, Any]) -> None:
    """Whether prompts come alone, in a batch or streamed; only the seed decides."""
    from_run, from_export = (predictor.generate(PROMPTS, length=30, seed=7, **how) for predictor in both)
    assert from_run == from_export and len(set(from_run)) == 4 and from_run[0] == from_run[4]
    for predictor in both:
        assert [predictor.generate(prompt, length=30, seed=7, **how) for prompt in PROMPTS] == from_run
        streamed = [predictor.generate(prompt, length=30, seed=7, stream=True, **how) for prompt in PROMPTS]
        pieces = [list(each) for each in streamed]
        assert ["".join(each) for each in pieces] == from_run
        assert all(piece for each in pieces for piece in each) and max(map(len, pieces)) > 5
        assert predictor.generate(PROMPTS, length=30, seed=8, **how) != from_run


def test_a_longer_text_begins_with_the_shorter_one(both: tuple[Predictor, Predictor]) -> None:
    short, long = (both[0].generate("The house", length=length) for length in (10, 25))
    assert long.startswith(short.rstrip("\ufffd")) and len(long) > len(short)


def test_many_prompts_are_generated_batch_by_batch(
    both: tuple[Predictor, Predictor], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = both[0].generate(PROMPTS, length=8)
    monkeypatch.setattr(batches, "TEXTS_AT_ONCE", 2)
    assert both[0].generate(pd.Series(PROMPTS), length=8) == expected
    assert both[0].generate([], length=8) == []


def test_run_and_export_score_alike(
    both: tuple[Predictor, Predictor], language_model: tuple[LanguageModel, Subwords], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, subwords = language_model
    scored = score(model, [subwords.encode([text]).values.numpy() for text in TEXTS])
    monkeypatch.setattr(batches, "TEXTS_AT_ONCE", 2)
    from_run, from_export = (predictor.score(TEXTS) for predictor in both)
    for text, mine, theirs, oracle in zip(TEXTS, from_run, from_export, scored, strict=True):
        assert mine == pytest.approx(theirs, rel=1e-5, abs=1e-5)
        assert mine.log_probability == pytest.approx(-oracle.nats[:-1].sum(), rel=1e-4, abs=1e-3)
        assert mine.bits_per_character * len(text) == pytest.approx(-mine.log_probability / np.log(2), rel=1e-4)
        alone = both[0].score(text)
        assert isinstance(alone, Score) and alone == pytest.approx(mine, rel=1e-4, abs=1e-4)
    assert both[0].score([]) == []


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_stream_scores_like_the_whole_text(both: tuple[Predictor, Predictor], size: int) -> None:
    """Cut in the midst of words and of emoji that are joined."""
    for predictor in both:
        for text in TEXTS:
            stream = predictor.stream()
            added = [stream.feed(text[start : start + size]) for start in range(0, len(text), size)]
            assert all(each <= 0 for each in added)
            whole = stream.finish()
            assert whole == pytest.approx(predictor.score(text), rel=1e-4, abs=1e-3)
            for late in (lambda stream=stream: stream.feed("a"), stream.finish):
                with pytest.raises(ConfigurationError, match=r"The stream has finished.*Open another one"):
                    late()
            assert sum(added) >= whole.log_probability - 1e-6


def test_a_beam_finds_the_same_from_run_and_export(both: tuple[Predictor, Predictor]) -> None:
    from_run, from_export = (predictor.most_probable("The house", length=6, beam=3) for predictor in both)
    assert len(from_run) == 3
    for mine, theirs in zip(from_run, from_export, strict=True):
        assert mine.text == theirs.text
        assert mine.log_probability == pytest.approx(theirs.log_probability, abs=1e-5)
    assert from_run == sorted(from_run, key=lambda each: -each.log_probability)
    greedy = both[0].generate("The house", length=6, temperature=0.0)
    assert both[0].most_probable("The house", length=6, beam=1)[0].text == greedy


@pytest.mark.parametrize(
    "how, message",
    [
        ({"temperature": -1.0}, "temperature: expected at least 0"),
        ({"top_p": 0.0}, "top_p: expected more than 0"),
        ({"length": 0}, "length: expected at least 1"),
        ({"length": 10**9}, "length: expected at most 100000"),
        ({"samples": 10**9}, "samples: expected at least 1 and at most 1000"),
        ({"samples": 2, "stream": True}, "samples: expected at least 1 and at most 1"),
        ({"seed": 2**31}, "seed: expected at most 2147483647"),
        ({"prompt": "caf\udce9"}, "Text 1 is not UTF-8"),
        ({"prompt": ["a", None]}, "Text 2 is not a string. .* Received: None"),
        ({"prompt": ["a", "b"], "stream": True}, "One text at a time .* Received: 2 prompts"),
        ({"prompt": "caf\udce9", "stream": True}, "Text 1 is not UTF-8"),
    ],
)
def test_what_cannot_be_generated_is_refused(
    both: tuple[Predictor, Predictor], how: dict[str, Any], message: str
) -> None:
    for predictor in both:
        with pytest.raises(ConfigurationError, match=message):
            predictor.generate(**how)


def test_what_cannot_be_scored_is_refused(both: tuple[Predictor, Predictor]) -> None:
    for wrong in (b"bytes", np.nan, 3):
        with pytest.raises(ConfigurationError, match="Text 1 is not a string"):
            both[0].score([wrong])
        with pytest.raises(ConfigurationError, match=r"^text: expected str\..* Received: "):
            both[0].stream().feed(wrong)
    with pytest.raises(ConfigurationError, match=r"^beam: expected at least 1 and at most 1000\..* Received: 0$"):
        both[0].most_probable("a", length=5, beam=0)


def test_a_run_of_0_1_is_read(both: tuple[Predictor, Predictor], trained_run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "nlp" / "own-language-model" / trained_run.folder.name
    shutil.copytree(trained_run.folder, folder)
    vocabulary = trained_run.read_json("description.json")["vocabulary"]
    (folder / "description.json").unlink()
    (folder / "vocabulary.json").write_text(json.dumps(vocabulary))
    configuration = trained_run.read_json("configuration.json")
    del configuration["initialise"]
    configuration["vocabulary"]["fewest"] = configuration["vocabulary"].pop("minimum_count")
    (folder / "configuration.json").write_text(json.dumps(configuration))
    assert predictors.load(folder).generate("The house", length=10) == both[0].generate("The house", length=10)
