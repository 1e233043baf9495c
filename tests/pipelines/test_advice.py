"""Advice on made-up histories and tables: what is said, and when nothing is said."""

import pytest

from pipelines.advice import Training, on_evaluation, on_training
from pipelines.evaluation import Evaluation, Metric, Row
from pipelines.metric_names import higher_is_better


def history(losses: list[float], metrics: list[float], name: str = "cer") -> list[dict[str, float]]:
    return [
        {"epoch": number, "loss": loss, "steps": 100.0, "skipped_steps": 0.0, f"validation_{name}": metric}
        for number, (loss, metric) in enumerate(zip(losses, metrics, strict=True), start=1)
    ]


def table(model: float, baseline: float, note: str = "", examples: int = 500, width: float = 0.02) -> Evaluation:
    interval = Metric(model, model - width / 2, model + width / 2)
    return Evaluation(
        "test", examples, [Row("model", {"wer": interval}), Row("naive", {"wer": Metric(baseline)}, None, note)]
    )


WORSE = "significantly worse than the model: WER difference 0.1, p ≤ 0.002"
EVEN = "not significantly different from the model: WER difference 0.01, p = 0.4"


def test_a_metric_that_still_falls_asks_for_more_epochs() -> None:
    (line,) = on_training(Training(history([3, 2, 1], [0.5, 0.4, 0.3]), epochs=3))
    assert "validation cer was still falling" in line and "25%" in line
    assert "--training.epochs 6" in line
    (line,) = on_training(Training(history([3, 2, 1], [0.5, 0.6, 0.7], "accuracy"), epochs=3))
    assert "validation accuracy was still rising" in line


def test_overfitting_is_named_with_its_epoch() -> None:
    (line,) = on_training(Training(history([3, 2, 1, 0.5], [0.5, 0.4, 0.45, 0.5]), epochs=4))
    assert line.startswith("After epoch 2 ") and "overfits" in line and "25%" in line


@pytest.mark.parametrize(
    "training",
    [
        Training([], 3),
        Training(history([1], [0.5]), 1),
        Training(history([3, 2, 1], [0.5, 0.4, 0.399]), 3),  # flat
        Training(history([3, 2, 1], [0.5, 0.4, 0.41]), 3),  # hardly worse
        Training(history([3, 2, 2.5], [0.5, 0.4, 0.6]), 3),  # the loss rises, too: no overfitting
        Training(history([3, 2, 1], [0.5, 0.4, 0.3]), 9),  # stopped early
        Training(history([3, 2], [0.5, float("nan")]), 2),
    ],
)
def test_where_nothing_is_wrong_nothing_is_said(training: Training) -> None:
    assert on_training(training) == []


def test_skipped_steps_and_waiting_are_named() -> None:
    rows = [row | {"skipped_steps": 5.0} for row in history([2, 1], [0.5, 0.5])]
    skipped, waiting = on_training(Training(rows, 2, waiting_share=0.5))
    assert skipped.startswith("10 of 200 steps") and "--training.learning_rate" in skipped
    assert "50%" in waiting


def test_the_best_baseline_decides_the_first_sentence() -> None:
    assert on_evaluation(table(0.2, 0.3, WORSE)) == [
        "The model is better than the best baseline, naive: wer 0.200 against 0.300."
    ]
    assert on_evaluation(table(0.3, 0.2))[0].startswith("A baseline is better here, naive: wer 0.200 against 0.300")
    assert "not significantly better than the best baseline, naive" in on_evaluation(table(0.2, 0.21, EVEN))[0]


def test_the_model_in_another_form_is_no_baseline() -> None:
    evaluation = table(0.3, 0.4, WORSE)
    rows = [*evaluation.rows, Row("greedy", {"wer": Metric(0.25)})]
    assert "greedy" in on_evaluation(evaluation._replace(rows=rows))[0]
    assert "naive" in on_evaluation(evaluation._replace(rows=rows), ["greedy"])[0]


def test_a_small_split_is_named() -> None:
    assert "5 examples, too few" in on_evaluation(table(0.2, 0.3, WORSE, examples=5))[1]
    assert "known only to 0.1 … 0.3" in on_evaluation(table(0.2, 0.3, WORSE, examples=50, width=0.2))[1]
    assert len(on_evaluation(table(0.2, 0.3, WORSE, examples=50))) == 1


def test_every_metric_has_a_direction() -> None:
    for name in ("accuracy", "macro_f1", "bleu", "chrf", "ssim", "psnr", "skill"):
        assert higher_is_better(name)
    for name in ("wer", "cer", "mae", "crps", "bits_per_character", "squared_error", "cross_entropy"):
        assert higher_is_better(name) is False


def test_an_evaluation_without_baselines_or_numbers_is_left_alone() -> None:
    assert on_evaluation(Evaluation("test", 500, [Row("model", {"wer": Metric(0.5)})])) == []
    assert on_evaluation(Evaluation("test", 500, [Row("model", {"wer": Metric(float("nan"))})])) == []
