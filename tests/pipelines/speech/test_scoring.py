"""Error rates against jiwer on the whole corpus and a dynamic program from the definition; what was confused."""

import itertools
import random
import re

import jiwer
import numpy as np
import pytest

from data.transcripts import normalise
from pipelines.speech import baselines
from pipelines.speech.config import SpeechConfiguration
from pipelines.speech.scoring import character_errors, comparison, confusions, error_rates, word_errors

SAID = ["press two now", "a", "příliš žluťoučký kůň", "don't stop", "one one one", "b b b b b b"]
WRITTEN = ["press to two now", "", "přiliš žluťoučky kůn", "dont stop it", "one one one", "c"]


def edit_distance(said: list[str], written: list[str]) -> int:
    """Wagner and Fischer 1974, one row of the table at a time."""
    row = list(range(len(written) + 1))
    for place, one in enumerate(said, start=1):
        diagonal, row[0] = row[0], place
        for column, other in enumerate(written, start=1):
            diagonal, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, diagonal + (one != other))
    return row[-1]


def test_counts_are_edit_distances() -> None:
    generator = random.Random(0)
    for _ in range(100):
        said, written = (
            " ".join("".join(generator.choices("ab", k=generator.randint(1, 3))) for _ in range(words))
            for words in (generator.randint(1, 5), generator.randint(0, 5))
        )
        assert word_errors(said, written) == (edit_distance(said.split(), written.split()), len(said.split()))
        assert character_errors(said, written) == (edit_distance(list(said), list(written)), len(said))


def test_rates_equal_those_of_jiwer_on_the_corpus() -> None:
    rates = error_rates(SAID, WRITTEN)
    assert list(rates) == ["wer", "cer"]
    assert rates["wer"].value == pytest.approx(jiwer.wer(SAID, WRITTEN))
    assert rates["cer"].value == pytest.approx(jiwer.cer(SAID, WRITTEN))
    for metric in rates.values():
        assert metric.low is not None
        assert metric.high is not None
        assert metric.low < metric.value < metric.high


def test_intervals_come_from_resampled_recordings() -> None:
    """Of two recordings there are only four resamplings: both, or one of them twice."""
    wer = error_rates(["a b c d", "e f"], ["a b c x", "x y"])["wer"]
    assert wer.value == 3 / 6
    assert (wer.low, wer.high) == (1 / 4, 2 / 2)
    assert error_rates(SAID, SAID)["cer"] == (0, 0, 0)


def test_a_comparison_says_who_is_better_and_how_sure_that_is() -> None:
    said = ["a b c d"] * 30
    good, bad = [*["a b c d"] * 20, *["a b c x"] * 10], ["a b x x"] * 30
    worse, better = comparison(said, good, bad), comparison(said, bad, good)
    assert re.fullmatch(
        r"significantly worse than the model: WER difference 0\.417 \[0\.\d+, 0\.\d+\], p ≤ 0\.002", worse
    )
    assert better.startswith("significantly better than the model: WER difference -0.417 [-0.")
    # As many errors, in other recordings: the interval holds 0.
    assert comparison(said, good, good[::-1]).startswith(
        "not significantly different from the model: WER difference 0.000"
    )
    assert comparison(said, good, good).endswith("p = 1.000")


def test_silence_has_a_rate_of_one() -> None:
    assert error_rates(SAID, [""] * len(SAID)) == {"wer": (1, 1, 1), "cer": (1, 1, 1)}


def test_confusions_are_all_character_errors() -> None:
    counted = confusions(SAID, WRITTEN)
    assert counted.total() == sum(character_errors(*pair)[0] for pair in zip(SAID, WRITTEN, strict=True))
    assert counted["í", "i"] == 1
    assert counted["ý", "y"] == 1
    assert counted["a", ""] == 1
    assert counted["'", ""] == 1
    assert all(said != written for said, written in counted)
    assert confusions(["abc"], ["abc"]) == {}
    for said, written in itertools.product(["ab", "ba", "aab"], ["", "b", "bb", "abab"]):
        assert confusions([said], [written]).total() == edit_distance(list(said), list(written))


def test_baselines_of_other_languages_leave_out_english_ones() -> None:
    silence = baselines.available(SpeechConfiguration().replace(data={"source": "manifest", "language": "cs"}))
    assert list(silence) == ["silence"]
    assert silence["silence"][1](np.ones(8000, np.float32)) == ""


def test_pocketsphinx_is_there_for_english_and_writes_words() -> None:
    pytest.importorskip("pocketsphinx")
    configuration = SpeechConfiguration().replace(data={"source": "manifest", "language": "en"})
    found = baselines.available(configuration)
    assert list(found) == ["silence", "pocketsphinx"]
    text = found["pocketsphinx"][1](np.random.default_rng(0).uniform(-0.5, 0.5, 8000).astype(np.float32))
    assert text == normalise(text, "en")
