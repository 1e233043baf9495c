import io
import json
import math

import numpy as np
import pytest
import scipy.stats
from rich.console import Console

from pipelines import evaluation as module
from pipelines.comparison import paired_difference
from pipelines.evaluation import Evaluation, Metric, Row, bootstrap, bootstrap_ratio, ratio


def test_interval_holds_the_true_value_as_often_as_it_says():
    generator = np.random.default_rng(0)
    covered = 0
    for seed in range(400):
        words = generator.integers(1, 20, size=80)
        errors = generator.binomial(words, 0.3)
        metric = bootstrap_ratio(errors, words, samples=300, seed=seed, confidence=0.9)
        covered += metric.low <= 0.3 <= metric.high
    # Of 400 intervals, 360 ± 6 (one standard deviation) are right; a percentile interval is a little narrow.
    assert 335 <= covered <= 380


@pytest.mark.parametrize("statistic", ["mean", "ratio"])
def test_interval_equals_scipy(statistic):
    generator = np.random.default_rng(1)
    words = generator.integers(1, 20, size=200)
    errors = generator.binomial(words, 0.2)
    data, function = ((errors,), np.mean) if statistic == "mean" else ((errors, words), ratio)
    samples = 20_000
    mine = bootstrap(data, function, samples=samples, seed=2)
    peer = scipy.stats.bootstrap(
        data, function, n_resamples=samples, paired=True, vectorized=True, method="percentile", rng=3
    )
    width = peer.confidence_interval.high - peer.confidence_interval.low
    assert mine.low == pytest.approx(peer.confidence_interval.low, abs=0.03 * width)
    assert mine.high == pytest.approx(peer.confidence_interval.high, abs=0.03 * width)


def test_ratio_is_of_sums_and_a_seed_repeats_it():
    words = np.arange(1, 41)
    errors = words**2 % 7
    metric = bootstrap_ratio(errors, words, seed=5)
    assert metric.value == sum(errors.tolist()) / sum(range(1, 41))
    assert metric == bootstrap_ratio(errors, words, seed=5) == bootstrap((errors, words), ratio, seed=5)
    assert metric != bootstrap_ratio(errors, words, seed=6)


def test_a_statistic_of_several_numbers_an_example():
    """Per example a row of counts, as corpus BLEU needs them."""
    counts = np.random.default_rng(0).integers(1, 9, size=(50, 2))
    together = bootstrap(counts, lambda table, axis: table[..., 0].sum(axis) / table[..., 1].sum(axis))
    assert together == bootstrap_ratio(counts[:, 0], counts[:, 1])


def test_memory_is_bounded_by_resampling_in_parts(monkeypatch):
    largest = []

    def mean(values, axis):
        largest.append(values.size)
        return values.mean(axis=axis)

    monkeypatch.setattr(module, "RESAMPLED_NUMBERS", 1000)
    bootstrap(np.arange(300.0), mean, samples=50)
    assert max(largest) <= 1000
    assert sum(largest) == 51 * 300


def test_paired_difference_sees_what_the_noise_of_examples_hides():
    generator = np.random.default_rng(0)
    difficulty = generator.normal(size=200)
    difference, p = paired_difference(difficulty + 0.1 + 0.05 * generator.normal(size=200), difficulty)
    assert difference.low < 0.1 < difference.high
    assert p < 0.01
    noise = generator.normal(size=200)
    same, p_same = paired_difference(noise, noise[::-1])
    assert same.value == pytest.approx(0, abs=1e-12)
    assert p_same > 0.5


def test_p_values_are_uniform_without_a_difference():
    generator = np.random.default_rng(0)
    small = sum(
        paired_difference(*generator.normal(size=(2, 60)), samples=200, seed=seed)[1] < 0.1 for seed in range(300)
    )
    assert 15 <= small <= 50  # 30 ± 5 expected


def test_few_examples_and_resamplings_without_words():
    assert bootstrap([0.5]) == Metric(0.5)  # of one there is no telling
    metric = bootstrap_ratio([1, 0], [1, 0])  # a quarter of all resamplings have no words at all
    assert metric == Metric(1.0, 1.0, 1.0)


def test_errors_say_what_to_do():
    with pytest.raises(ValueError, match=r"at least one and equally many.*\[\(0,\)\]"):
        bootstrap([])
    with pytest.raises(ValueError, match=r"Received: shapes \[\(2,\), \(3,\)\]"):
        bootstrap_ratio([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="all references empty"):
        bootstrap_ratio([1, 2], [0, 0])


def test_json_has_the_shape_of_the_design():
    rows = [
        Row("model", {"wer": Metric(0.2, 0.1, 0.3), "cer": Metric(math.nan)}),
        Row("silence", {"wer": Metric(1.0, 1.0, 1.0)}, minutes=1.5, notes="says nothing"),
    ]
    evaluation = Evaluation("test", 7, rows)
    text = json.dumps(evaluation.to_json(), allow_nan=False)
    assert json.loads(text) == {
        "split": "test",
        "examples": 7,
        "rows": [
            {
                "name": "model",
                "metrics": {
                    "wer": {"value": 0.2, "low": 0.1, "high": 0.3},
                    "cer": {"value": None, "low": None, "high": None},
                },
            },
            {
                "name": "silence",
                "metrics": {"wer": {"value": 1.0, "low": 1.0, "high": 1.0}},
                "minutes": 1.5,
                "notes": "says nothing",
            },
        ],
    }
    back = Evaluation.from_json(text)
    assert back.rows[1] == rows[1]
    assert math.isnan(back.rows[0].metrics["cer"].value)


def test_table_shows_every_number_and_takes_names_literally():
    rows = [
        Row("model", {"wer": Metric(0.2, 0.1, 0.3)}),
        Row("[red]peer[/red]", {"mae": Metric(12345.6, 9.0, 20000.0)}),
    ]
    console = Console(width=120, record=True, file=io.StringIO())
    Evaluation("test", 7, rows).print(console)
    text = console.export_text()
    for expected in (
        "7 examples",
        "0.200 [0.100, 0.300]",
        "[red]peer[/red]",
        "12346 [9, 20000]",
        "wer",
        "mae",
    ):
        assert expected in text
    assert "minutes" not in text


def test_a_narrow_terminal_gets_several_tables_without_intervals_and_the_notes_below():
    names = ["wer", "cer", "mae", "coverage_80", "coverage_95", "bits_per_character"]
    rows = [Row("model", {name: Metric(0.2, 0.1, 0.3) for name in names}, notes="beam search " * 9)]
    console = Console(width=60, record=True, file=io.StringIO())
    Evaluation("test", 7, rows).print(console)
    text = console.export_text()
    assert text.count("0.200") == len(names)
    assert all(name in text for name in names)  # no head is cut
    assert "[0.100" not in text
    assert "report" in text  # where the intervals are
    assert text.index("model: beam") > text.rindex("0.200")


@pytest.mark.parametrize("examples", [2, 19, 20])
def test_intervals_of_few_examples_are_said_to_be_too_narrow(examples: int, capsys: pytest.CaptureFixture[str]) -> None:
    Evaluation("test", examples, [Row("model", {"wer": Metric(0.5, 0.4, 0.6)})]).print()
    assert ("too few for intervals" in capsys.readouterr().out) == (examples < 20)


def test_one_example_has_no_interval(capsys: pytest.CaptureFixture[str]) -> None:
    Evaluation("test", 1, [Row("model", {"wer": bootstrap([0.5])})]).print()
    assert " ".join(capsys.readouterr().out.split()).startswith("test split, 1 example ┏")
