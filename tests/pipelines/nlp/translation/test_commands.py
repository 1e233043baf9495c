"""What a user types: evaluation, translation, export; what they print and write, and what they refuse."""

import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines import tasks
from pipelines.nlp import evaluate as evaluate_command
from pipelines.nlp import export as export_command
from pipelines.nlp import translate
from pipelines.nlp.translation.config import TranslationConfiguration
from pipelines.nlp.translation.export import export_run, model_card
from pipelines.nlp.translation.trained import load_translator, translate_texts
from pipelines.runs import Run

Capture = pytest.CaptureFixture[str]
TEXTS = ["Two and one.", "Nine, four, one and ten.", "", "never seen: 😀 אור ünïcode", "one one"]


@pytest.fixture
def there(trained_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with the trained run as the latest."""
    monkeypatch.setenv("UNROLLED_RUNS", str(trained_run.folder.parents[2]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(arguments: list[str], capsys: Capture) -> str:
    with pytest.raises(Exception) as raised:
        translate.main(arguments)
    capsys.readouterr()
    message = str(raised.value)
    assert "Received: " in message
    return message


def test_a_text_is_translated(there: Path, capsys: Capture) -> None:
    translate.main(["Two and one.", "Three and four."])
    printed = capsys.readouterr()
    assert printed.out.splitlines() == ["Dos y uno.", "Tres y cuatro."]
    assert "Translated 2 texts with " in printed.err and "make export-nlp" in printed.err


def test_files_scores_and_pictures(there: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("out").mkdir()
    Path("texts.txt").write_text("Two and one.\n\nThree and four.\n", encoding="utf-8")
    options = [
        "--file",
        "texts.txt",
        "--output",
        "out/es.txt",
        "--scores",
        "--attention",
        "attention.png",
        "--beam_width",
        "1",
    ]
    translate.main(options)
    lines = Path("out/es.txt").read_text(encoding="utf-8").split("\n")
    assert [line.partition("\t")[2] for line in lines] == ["Dos y uno.", "", "Tres y cuatro.", ""]
    assert all(re.match(r"-?\d+\.\d\d\t", line) for line in lines[:3])
    assert Path("attention.png").read_bytes().startswith(b"\x89PNG")
    assert "Wrote out/es.txt, attention.png" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("Two and\u2028one.\n\nOne.\n".encode())))
    translate.main(["-"])
    assert len(capsys.readouterr().out.split("\n")) == 4, "lines end where those of a file do"


def test_bad_input_is_refused(there: Path, capsys: Capture) -> None:
    assert "nothing to translate" in refused([], capsys)
    assert "Received: an empty text" in refused(["  "], capsys)
    assert "missing.txt" in refused(["--file", "missing.txt"], capsys)
    assert "Leave the other out" in refused(["text", "--file", "missing.txt"], capsys)
    assert "no such run folder" in refused(["text", "--run", "nowhere"], capsys)
    assert "Text 2 is not UTF-8" in refused(["text", "caf\udce9"], capsys)
    Path("empty.txt").write_text("\n \n")
    assert "Received: empty.txt, empty" in refused(["--file", "empty.txt"], capsys)


def test_no_file_is_overwritten_and_no_folder_made(there: Path, capsys: Capture) -> None:
    Path("en.txt").write_text("One.\n")
    Path("link.txt").symlink_to("en.txt")
    for output in ("en.txt", "./en.txt", "link.txt"):
        assert "--output would overwrite --file" in refused(["--file", "en.txt", "--output", output], capsys)
    assert "--attention would overwrite --output" in refused(["One", "--output", "a", "--attention", "a"], capsys)
    assert "does not exist" in refused(["One", "--output", "mispelt/es.txt"], capsys)
    assert "is a folder" in refused(["One", "--output", str(there)], capsys)
    for option in ("--output", "--attention"):
        assert "is not overwritten" in refused(["One", option, "en.txt"], capsys)
    assert Path("en.txt").read_text() == "One.\n" and {path.name for path in there.iterdir()} == {"en.txt", "link.txt"}


def test_a_run_of_another_task_is_refused(trained_run: Run, tmp_path: Path, capsys: Capture) -> None:
    other = Run.open(shutil.copytree(trained_run.folder, tmp_path / "other"))
    other.write_json("configuration.json", {"task": "language_model"})
    message = refused(["text", "--run", str(other.folder)], capsys)
    assert "The run is of another task" in message and "of the task language model" in message and "\n" not in message


def test_without_a_run_the_training_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setenv("UNROLLED_RUNS", str(tmp_path))
    assert "make train-nlp PRESET=translation" in refused(["text"], capsys)


def test_evaluation_writes_table_page_and_pictures(there: Path, trained_run: Run, capsys: Capture) -> None:
    evaluate_command.main(["--run", str(trained_run.folder)])
    printed = capsys.readouterr().out
    assert f"Wrote {trained_run.folder}/evaluation.json, report.html and translations.json" in printed
    assert f"Next: open {trained_run.folder}/report.html in a browser" in printed and "make export-nlp" in printed
    content = trained_run.read_json("evaluation.json")
    assert content["split"] == "test"
    rows = {row["name"]: row["metrics"] for row in content["rows"]}
    assert list(rows) == ["model", "model, greedy", "word by word", "copy"]
    for metrics in rows.values():
        assert list(metrics) == ["bleu", "chrf"]
        for metric in metrics.values():
            assert metric["low"] <= metric["value"] <= metric["high"]
    assert rows["model"]["chrf"]["value"] > rows["word by word"]["chrf"]["value"] > rows["copy"]["chrf"]["value"]
    assert "nrefs:1|case:mixed" in content["rows"][0]["notes"]
    page = (trained_run.folder / "report.html").read_text(encoding="utf-8")
    assert "In the middle by chrF." in page and "BLEU by the length of the source." in page
    assert (trained_run.folder / "attention-1.png").exists()
    texts = trained_run.read_json("translations.json")
    assert len(texts) == content["examples"] and texts[0].keys() == {"where", "source", "target", "translation"}
    evaluate_command.main(["--run", str(trained_run.folder), "--split", "validation"])
    assert trained_run.read_json("evaluation-validation.json")["split"] == "validation"
    assert (trained_run.folder / "report-validation.html").exists()


def test_exported_equals_in_memory(
    trained_run: Run,
    experiment: Callable[..., TranslationConfiguration],
    tmp_path: Path,
    answer_elsewhere: Callable[..., Any],
) -> None:
    model = export_run(trained_run, tmp_path / "exports")
    assert model == tmp_path / "exports" / "nlp-numbers" / "1"
    program = "answer = sorted(signatures), [plain(ask('serving_default', {'text': texts})) for texts in request]"
    names, (together, backwards, alone, none) = answer_elsewhere(model, [TEXTS, TEXTS[::-1], TEXTS[1:2], []], program)
    assert names == ["serving_default"]
    translations, scores = translate_texts(load_translator(trained_run), TEXTS, experiment().search)
    assert together.keys() == {"translation", "score"}
    assert together["translation"] == translations
    np.testing.assert_allclose(together["score"], scores, rtol=1e-4)
    assert backwards["translation"] == translations[::-1]
    assert alone["translation"] == translations[1:2]
    assert translations[:3] == ["Dos y uno.", "Nueve, cuatro, uno y diez.", ""]
    assert none == {"translation": [], "score": []}


def test_export_says_what_it_wrote(there: Path, capsys: Capture) -> None:
    export_command.main([])
    printed = capsys.readouterr().out
    assert "Wrote exports/nlp-numbers/1 " in printed and "--model_name=nlp " in printed
    files = {path.name for path in (there / "exports" / "nlp-numbers" / "1").rglob("*")}
    assert {"saved_model.pb", "model_card.md", "tf_serving_warmup_requests"} <= files


def test_model_card_says_data_licence_metrics_and_limits(trained_run: Run, tmp_path: Path) -> None:
    copy = Run.open(shutil.copytree(trained_run.folder, tmp_path / "nlp" / "numbers" / "card"))
    (copy.folder / "evaluation.json").unlink(missing_ok=True)
    card = model_card(copy)
    assert "from source to target" in card and "The user's own pairs (en.txt, es.txt)" in card
    assert "Not evaluated; run make eval-nlp" in card
    rows = [{"name": "model", "metrics": {"bleu": {"value": 25.0, "low": 12.5, "high": 50.0}}}]
    copy.write_json("evaluation.json", {"split": "test", "examples": 6, "rows": rows})
    assert "| model | 25.00 [12.50, 50.00] |" in model_card(copy)
    for head in ("## Signature", "## Data and licence", "## Metrics", "## Limits"):
        assert head in card
    configuration = copy.read_configuration(TranslationConfiguration)
    copy.write_text("configuration.json", configuration.replace(data={"source": "bible_verses"}).to_json())
    assert "both public domain" in model_card(copy)


def test_the_task_of_the_run_is_found(trained_run: Run, there: Path) -> None:
    assert tasks.task_of(trained_run) == "translation"
    assert tasks.latest_run("nlp", "translation", "translation").folder == trained_run.folder
    assert json.loads((trained_run.folder / "configuration.json").read_text())["task"] == "translation"
