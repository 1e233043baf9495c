"""The README's commands on a small table; what a server does with the export, elsewhere."""

import gzip
import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipelines import commands, predictors, train
from pipelines.configuration import ConfigurationError
from pipelines.nlp.sentiment import evaluate
from pipelines.nlp.sentiment.config import SentimentConfiguration
from pipelines.nlp.sentiment.export import model_card
from pipelines.nlp.sentiment.model import load_model, read_texts
from pipelines.nlp.text_files import TextDataError
from pipelines.run_files import RunError
from pipelines.runs import Run

TEXTS = ["so lovely a w1", "Awful w3 !", "", "😀 שלום فيلم", "w1 " * 500, "solid"]


def classify(arguments: list[str]) -> None:
    commands.answer("classify", arguments)


def test_exported_equals_in_memory(
    trained_run: Run, export_once: Callable[[Run], Path], answer_elsewhere: Callable[..., Any]
) -> None:
    model = export_once(trained_run)
    classifier = load_model(trained_run)
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
    assert any(word in words.partition("Words against")[0] for word in ("superb", "lovely", "bright"))
    assert (trained_run.folder / "calibration.png").stat().st_size > 1000


def test_the_export_reaches_the_row_model(trained_run: Run, reaches_the_row_model: Callable[[Run], None]) -> None:
    reaches_the_row_model(trained_run)


def test_a_run_is_evaluated_on_another_file(
    trained_run: Run, tmp_path: Path, write_table: Callable[..., Path], make_opinions: Callable[..., list]
) -> None:
    rows = make_opinions(60, seed=7)
    table = write_table(tmp_path / "other.csv", rows)
    found = evaluate.evaluate(trained_run, data=str(table))
    classifier = load_model(trained_run)
    probabilities, _ = read_texts(classifier, [text for text, _, _ in rows])
    right = [classifier.labels[row.argmax()] == label for row, (_, label, _) in zip(probabilities, rows, strict=True)]
    assert found.rows[0].metrics["accuracy"].value == np.mean(right) and found.examples == 60
    assert (trained_run.folder / found.file_name("evaluation.json")).exists() and "other" in found.split
    table = write_table(tmp_path / "wrong.csv", [*rows, ("a text", "Bad", 1.0)])
    with pytest.raises(TextDataError, match=r"line 62: the classifier has no label 'Bad'.*Did you mean 'bad'.*1 text"):
        evaluate.evaluate(trained_run, data=str(table))


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
    with pytest.raises(RunError, match=r"Expected the labels bad, fine, great.*Received: x, y"):
        evaluate.evaluate(trained_run)


@pytest.fixture
def latest(trained_run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The trained run, as the latest."""
    monkeypatch.setenv("UNROLLED_RUNS", str(trained_run.folder.parents[2]))
    return trained_run


def test_labels_are_printed(latest: Run, capsys: pytest.CaptureFixture[str]) -> None:
    commands.answer("classify", ["--run", str(latest.folder), "--", "--help me", "so lovely", "w1 " * 500])
    printed = capsys.readouterr()
    assert "--help me" in printed.out and printed.out.count("w1") <= 100
    assert "only the first" not in printed.err, "texts are read whole"
    assert printed.err.startswith(f"Using {latest.folder}\n") and printed.err.endswith("Classified 3 texts\n")
    commands.answer("classify", ["superb"])
    printed = capsys.readouterr()
    assert re.search(r"superb +│ great +│ +[01]\.\d\d +│ +\d\.\d", printed.out)
    assert "Classified 1 text\n" in printed.err and "only the first" not in printed.err


def test_a_file_and_standard_input_have_a_text_a_line(
    latest: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content = "so lovely\n\nawful 😀\n \nsolid\n".encode()
    (tmp_path / "texts.txt.gz").write_bytes(gzip.compress(content))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    found = []
    for arguments in (["--file", str(tmp_path / "texts.txt.gz")], ["-"]):
        commands.answer("classify", [*arguments, "--format", "json"])
        printed = capsys.readouterr()
        assert "Note: 2 blank texts of 5, answered as well: 2, 4\n" in printed.err
        found.append([json.loads(line) for line in printed.out.splitlines()])  # nothing else is there
    assert found[0] == found[1]
    assert [each["text"] for each in found[0]] == ["so lovely", "", "awful 😀", " ", "solid"]
    assert [each["label"] for each in found[0][::2]] == ["great", "bad", "fine"]
    answers = predictors.load(latest.folder).classify(["", " "])
    for each, answer in zip(found[0][1::2], answers, strict=True):
        assert each["label"] == answer.label and each["probabilities"] == pytest.approx(answer.probabilities, abs=1e-5)
    for each in found[0]:
        assert each.keys() == {"text", "label", "probabilities", "rating", "labels"}
        assert each["labels"] == [each["label"]]
        assert sum(each["probabilities"].values()) == pytest.approx(1) and np.isfinite(each["rating"])


def test_a_table_keeps_its_columns_and_gets_the_answers(
    latest: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "in.csv"
    table.write_text('id;review;note\n1;so lovely;"a;b"\n2;;none\n3;awful;c\n', encoding="utf-8")
    commands.answer("classify", ["--file", str(table), "--output", str(tmp_path / "out.csv")])
    printed = capsys.readouterr()
    assert "1 row without text" in printed.err and "Classified 2 texts" in printed.err and not printed.out
    found = pd.read_csv(tmp_path / "out.csv", dtype={"id": str})
    assert found[["id", "review", "note"]].equals(pd.read_csv(table, sep=";", dtype={"id": str}))
    expected = predictors.load(latest.folder).classify(["so lovely", "awful"])
    assert found.predicted_label.tolist() == [expected[0].label, np.nan, expected[1].label]
    for label in ("bad", "fine", "great"):
        shares = found[f"probability_{label}"].tolist()
        assert shares[::2] == pytest.approx([each.probabilities[label] for each in expected], abs=1e-5)
    assert found.predicted_rating.tolist()[::2] == pytest.approx([each.rating for each in expected], abs=1e-3)
    commands.answer("classify", ["--file", str(table), "--format", "json"])
    texts = [json.loads(line)["text"] for line in capsys.readouterr().out.splitlines()]
    assert texts == ["so lovely", "", "awful"], "its texts, not its lines; a blank one is answered like any other"
    with pytest.raises(ConfigurationError, match=r"The file of --output exists"):
        commands.answer("classify", ["--file", str(table), "--output", str(tmp_path / "out.csv")])
    with pytest.raises(TextDataError, match=r"has no column 'body'"):
        commands.answer("classify", ["--file", str(table), "--column", "body", "--output", str(tmp_path / "b.csv")])
    assert not list(tmp_path.glob("b.csv*"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], 'There is no text.*unrolled classify "A good one!".*Received: no text'),
        (["--file", "empty.txt"], "There is no text.*Received: empty.txt, which is empty"),
        (["caf\udce9"], "Text 1 is not UTF-8"),
        (["--help me"], "goes last, after --. Received: '--help me'"),
        (["good", "--file", "texts.txt"], "Both texts and a file.*Received: 1 texts and texts.txt"),
        (["--file", "missing.txt"], "missing.txt does not exist"),
    ],
)
def test_bad_texts_are_refused_before_the_model_is_loaded(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("MAKELEVEL", raising=False)
    monkeypatch.chdir(tmp_path)
    Path("empty.txt").touch()
    monkeypatch.setattr(predictors, "find", lambda *_: pytest.fail("the model was loaded"))
    with pytest.raises((ConfigurationError, TextDataError, SystemExit)) as raised:
        commands.answer("classify", arguments)
    assert re.search(message, str(raised.value) + capsys.readouterr().err)


def test_the_latest_run_is_exported_and_answers(
    latest: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commands.export(["sentiment", "--folder", str(tmp_path / "exports")])
    folder = tmp_path / "exports" / "nlp-tiny"
    assert f"Wrote {folder / '1'} (SavedModel" in capsys.readouterr().out
    printed = []
    for arguments in (["so lovely", "awful"], ["so lovely", "awful", "--run", str(folder)]):
        commands.answer("classify", arguments)
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1] and "great" in printed[0]


@pytest.mark.slow
def test_commands_on_a_small_table(
    table: Path, there: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], refused: Callable
) -> None:
    monkeypatch.setenv("UNROLLED_RUNS", str(there / "runs"))
    data = ["--data.path", str(table), "--data.text", "review", "--data.label", "stars"]
    small = ["--network.units", "8", "--network.embedding", "8", "--network.pieces", "50", "--training.epochs", "1"]
    train.train(["sentiment", "own-sentiment", *data, *small, "--evaluate"])
    printed = capsys.readouterr().out
    assert "Learning one of the labels bad, fine, great from texts" in printed and "logistic regression" in printed
    for command, arguments, expected in (
        (commands.evaluate, ["sentiment", "--split", "validation"], "report-validation.html"),
        (classify, ["so lovely", "awful"], "Classified 2 texts"),
        (commands.export, ["sentiment"], "nlp-own-sentiment/1 (SavedModel"),
    ):
        command(arguments)
        assert expected in "".join(capsys.readouterr())
    for command, arguments, message in (
        (classify, [], "There is no text"),
        (train.train, ["sentiment", "own-sentiment"], "data.path: the source `own` reads texts of yours"),
        (train.train, ["sentiment", "own-sentiment", *data[:3], "revew", *data[4:]], "did you mean 'review'"),
    ):
        assert message in refused(command, arguments)
