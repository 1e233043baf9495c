"""The README's commands on a small table; what a server does with the export, elsewhere."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.configuration import ConfigurationError
from pipelines.nlp import judge
from pipelines.nlp.sentiment import evaluate
from pipelines.nlp.sentiment.config import SentimentConfiguration
from pipelines.nlp.sentiment.export import export_run, model_card
from pipelines.nlp.sentiment.trained import load_classifier, read_texts
from pipelines.nlp.text_files import TextDataError
from pipelines.runs import Run

REPOSITORY = Path(__file__).parents[4]
TEXTS = ["so lovely a w1", "Awful w3 !", "", "😀 שלום فيلم", "w1 " * 500, "solid"]


def call(*arguments: str, runs: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"UNROLLED_RUNS": str(runs), "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_exported_equals_in_memory(trained_run: Run, tmp_path: Path, answer_elsewhere: Callable[..., Any]) -> None:
    model = export_run(trained_run, tmp_path / "exports")
    assert model == tmp_path / "exports" / "nlp-opinions" / "1"
    classifier = load_classifier(trained_run)
    probabilities, ratings = read_texts(classifier, TEXTS)
    program = "answer = [plain(ask('serving_default', {'text': texts})) for texts in request]"
    together, alone = answer_elsewhere(model, [TEXTS, TEXTS[:1]], program)
    np.testing.assert_allclose(together["probabilities"], probabilities, atol=1e-5)
    np.testing.assert_allclose(together["rating"], ratings, atol=1e-4)
    assert together["label"] == [classifier.labels[row.argmax()] for row in probabilities]
    assert together["label"][:2] == ["great", "bad"] and together["label"][5] == "fine"
    np.testing.assert_allclose(alone["probabilities"], probabilities[:1], atol=1e-5)
    card = model_card(trained_run, classifier)
    assert "0. bad\n1. fine\n2. great\n" in card and "the user's own texts" in card


def test_evaluation_writes_table_page_and_plots(trained_run: Run) -> None:
    evaluation = evaluate.evaluate(trained_run)
    assert [row.name for row in evaluation.rows] == ["model", "majority", "naive Bayes", "logistic regression"]
    assert evaluation.rows[0].metrics["accuracy"].value > 0.8 > evaluation.rows[1].metrics["accuracy"].value
    written = json.loads((trained_run.folder / "evaluation.json").read_text())
    assert written == evaluation.to_json()
    page = (trained_run.folder / "report.html").read_text()
    for title in ("Results", "Calibration", "Worst errors", "Words that decided", "Training", "Configuration"):
        assert f"<h2>{title}</h2>" in page
    assert "exactly 0" not in page and "another set" not in page, "the user's own texts"
    words = page.partition("Words that decided")[2]
    assert any(word in words.partition("They speak against it")[0] for word in ("superb", "lovely", "bright"))
    assert (trained_run.folder / "calibration.png").stat().st_size > 1000


def test_other_labels_are_not_evaluated(
    trained_run: Run,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    write_table: Callable[..., Path],
    make_opinions: Callable[..., list],
) -> None:
    texts = [(text, "xy"[number % 2], 1.0) for number, (text, _, _) in enumerate(make_opinions(80))]
    path = write_table(tmp_path / "other.csv", texts)
    original = Run.read_configuration

    def other(run: Run, kind: type) -> Any:
        configuration = original(run, kind)
        return configuration.replace(data={"path": str(path)}) if kind is SentimentConfiguration else configuration

    monkeypatch.setattr(Run, "read_configuration", other)
    with pytest.raises(TextDataError, match=r"Expected the labels bad, fine, great.*Received: x, y"):
        evaluate.evaluate(trained_run)


def test_judge_says_what_it_read(trained_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    judge.main(["--run", str(trained_run.folder), "--", "--help me", "so lovely", "w1 " * 500])
    printed = capsys.readouterr().out
    assert "--help me" in printed and printed.count("w1") <= 100
    assert "of the 500 words of text 3 the first 400 were read" in printed and "Judged 3 texts with" in printed
    judge.main(["fine", "--run", str(trained_run.folder)])
    assert "Judged 1 text with" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Expected at least one text"),
        ([""], "nothing to judge in an empty text.*Received: text 1 of 1"),
        (["good", " "], "Received: text 2 of 2"),
        (["caf\udce9"], "Text 1 is not UTF-8"),
        (["--help me"], "goes last, after --. Received: '--help me'"),
    ],
)
def test_judge_refuses(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises((ConfigurationError, SystemExit)) as raised:
        judge.main(arguments)
    assert re.search(message, str(raised.value) + capsys.readouterr().err)


@pytest.mark.slow
def test_commands_on_a_small_table(table: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    data = ["--data.path", str(table), "--data.text", "review", "--data.label", "stars"]
    small = ["--network.units", "8", "--network.embedding", "8", "--network.pieces", "50", "--training.epochs", "1"]
    trained = call("pipelines.nlp.train", "own-sentiment", *data, *small, "--evaluate", runs=runs, folder=tmp_path)
    assert trained.returncode == 0, trained.stderr
    assert "Learning bad, fine, great from texts" in trained.stdout and "logistic regression" in trained.stdout
    for command, wanted in (
        (("pipelines.nlp.evaluate", "--split", "validation"), "report-validation.html"),
        (("pipelines.nlp.judge", "so lovely", "awful"), "Judged 2 texts with"),
        (("pipelines.nlp.export",), "nlp-own-sentiment/1 (SavedModel"),
    ):
        done = call(*command, runs=runs, folder=tmp_path)
        assert done.returncode == 0, done.stderr
        assert wanted in done.stdout
    for command, message in (
        (("pipelines.nlp.judge",), "There is nothing to judge"),
        (("pipelines.nlp.train", "own-sentiment"), "data.path: texts of your own are wanted"),
        (("pipelines.nlp.train", "own-sentiment", *data[:3], "revew", *data[4:]), "did you mean 'review'"),
    ):
        done = call(*command, runs=runs, folder=tmp_path)
        assert done.returncode == 1 and message in done.stderr and "Traceback" not in done.stderr
