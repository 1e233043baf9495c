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
import tensorflow as tf

from pipelines import commands, predictors
from pipelines.nlp.splits import SPLITS, Split
from pipelines.nlp.translation import data
from pipelines.nlp.translation.config import TranslationConfiguration
from pipelines.nlp.translation.export import model_card
from pipelines.nlp.translation.model import load_model, source_numbers, target_numbers
from pipelines.nlp.translation.pairs import Pair
from pipelines.nlp.translation.sources import DataConfiguration, read
from pipelines.runs import Run

Capture = pytest.CaptureFixture[str]
TEXTS = ["Two and one.", "Nine, four, one and ten.", "", "never seen: 😀 אור ünïcode", "one one"]


@pytest.fixture
def there(trained_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with the trained run as the latest."""
    monkeypatch.setenv("UNROLLED_RUNS", str(trained_run.folder.parents[2]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def translate(arguments: list[str]) -> None:
    commands.answer("translate", arguments)


def refused(arguments: list[str], capsys: Capture) -> str:
    with pytest.raises(Exception) as raised:
        translate(arguments)
    capsys.readouterr()
    message = str(raised.value)
    assert "Received: " in message
    return message


def test_a_text_is_translated(there: Path, capsys: Capture) -> None:
    translate(["Two and one.", "Three and four."])
    printed = capsys.readouterr()
    assert printed.out.splitlines() == ["Dos y uno.", "Tres y cuatro."]
    assert "Translated 2 texts\n" in printed.err


def test_json_has_one_object_a_line_and_nothing_else(there: Path, capsys: Capture) -> None:
    Path("texts.txt").write_text("Two and one.\n\nThree and four.\n", encoding="utf-8")
    translate(["--file", "texts.txt", "--format", "json"])
    printed = capsys.readouterr()
    answers = [json.loads(line) for line in printed.out.splitlines()]
    assert [each["source"] for each in answers] == ["Two and one.", "", "Three and four."]
    assert [each["translation"] for each in answers] == ["Dos y uno.", "", "Tres y cuatro."]
    assert answers[0]["score"] < 0 == answers[1]["score"]
    assert "Translated 3 texts\n" in printed.err
    translate(["--file", "texts.txt", "--format", "json", "--output", "answers.jsonl"])
    assert [json.loads(line) for line in Path("answers.jsonl").read_text(encoding="utf-8").splitlines()] == answers
    translate(["--file", "texts.txt", "--output", "named.jsonl"])  # the name states the format
    assert Path("named.jsonl").read_bytes() == Path("answers.jsonl").read_bytes()
    assert capsys.readouterr().out == ""


def test_an_export_translates(
    trained_run: Run, there: Path, capsys: Capture, export_once: Callable[[Run], Path]
) -> None:
    folder = export_once(trained_run).parent  # the newest version below it
    translate(["Two and one.", "--run", str(folder), "--beam_width", "3", "--attention", "attention.png"])
    assert capsys.readouterr().out.splitlines() == ["Dos y uno."]
    assert Path("attention.png").read_bytes().startswith(b"\x89PNG")


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
    translate(options)
    lines = Path("out/es.txt").read_text(encoding="utf-8").split("\n")
    assert [line.partition("\t")[2] for line in lines] == ["Dos y uno.", "", "Tres y cuatro.", ""]
    assert all(re.match(r"-?\d+\.\d\d\t", line) for line in lines[:3])
    assert Path("attention.png").read_bytes().startswith(b"\x89PNG")
    assert "Wrote out/es.txt, attention.png" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("Two and\u2028one.\n\nOne.\n".encode())))
    translate(["-"])
    assert len(capsys.readouterr().out.split("\n")) == 4, "lines end where those of a file do"


def test_a_table_keeps_its_columns_and_gets_translations(there: Path, capsys: Capture) -> None:
    Path("in.csv").write_text("id,text\n7,Two and one.\n8,\n", encoding="utf-8")
    translate(["--file", "in.csv", "--output", "out.csv"])
    rows = Path("out.csv").read_text(encoding="utf-8").splitlines()
    assert rows[0] == "id,text,translation,score"
    assert rows[1].startswith("7,Two and one.,Dos y uno.,-") and rows[2] == "8,,,"
    Path("lines.txt").write_text("Two and one.\n", encoding="utf-8")
    translate(["--file", "lines.txt", "--output", "lines.csv", "--keep", "Alice"])
    assert Path("lines.csv").read_text(encoding="utf-8").startswith("text,translation,score\nTwo and one.,Dos y uno.,-")
    assert "no text holds these terms to keep, as whole words: Alice\n" in capsys.readouterr().err
    translate(["Two and one.", "--n_best", "3", "--format", "json"])
    found = json.loads(capsys.readouterr().out)
    assert found["translation"] == "Dos y uno." and 1 <= len(found["alternatives"]) <= 2
    translate(["One.", "Two and one.", "--n_best", "2"])
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [number for number, *_ in lines] == sorted(number for number, *_ in lines) and lines[-1][0] == "2"
    assert all(re.fullmatch(r"-?\d+\.\d\d", score) for _, score, _ in lines)
    translate(["Two and {x} 77.", "--keep", "Two"])
    assert {"Two", "{x}", "77"} <= set(capsys.readouterr().out.strip().rstrip(".").split())


def test_bad_input_is_refused(there: Path, capsys: Capture) -> None:
    assert "There is no text" in refused([], capsys)
    assert "missing.txt" in refused(["--file", "missing.txt"], capsys)
    assert "Expected --output to end in .txt or .jsonl" in refused(["text", "--output", "a.csv"], capsys)
    assert not Path("a.csv").exists()
    assert "Leave the other out" in refused(["text", "--file", "missing.txt"], capsys)
    assert "no such folder" in refused(["text", "--run", "nowhere"], capsys)
    assert "Text 2 is not UTF-8" in refused(["text", "caf\udce9"], capsys)
    Path("empty.txt").touch()
    assert "Received: empty.txt, which is empty" in refused(["--file", "empty.txt"], capsys)


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
    other.write_json("configuration.json", {"task": "clip_classes"})
    other.write_json("versions.json", {**other.read_json("versions.json"), "pipeline": "video"})
    message = refused(["text", "--run", str(other.folder)], capsys)
    assert "The model is of another task" in message and "of the task clip-classes" in message and "\n" not in message


def test_without_a_run_the_training_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setenv("UNROLLED_RUNS", str(tmp_path))
    assert "unrolled train translation." in refused(["text"], capsys)


def test_evaluation_writes_table_page_and_pictures(there: Path, trained_run: Run, capsys: Capture) -> None:
    commands.evaluate(["translation", "--run", str(trained_run.folder)])
    printed = capsys.readouterr().out
    assert f"Wrote {trained_run.folder}/evaluation.json and report.html" in printed
    assert f"Next: open {trained_run.folder}/report.html in a browser" in printed
    assert 'unrolled export translation; unrolled translate "In the beginning"' in printed
    content = trained_run.read_json("evaluation.json")
    assert content["split"] == "test"
    rows = {row["name"]: row["metrics"] for row in content["rows"]}
    assert list(rows) == ["model", "model, kept", "model, greedy", "word by word", "copy"]
    for metrics in rows.values():
        assert list(metrics) == ["bleu", "chrf"]
        for metric in metrics.values():
            assert metric["low"] <= metric["value"] <= metric["high"]
    assert rows["model"]["chrf"]["value"] > rows["word by word"]["chrf"]["value"] > rows["copy"]["chrf"]["value"]
    notes = {row["name"]: row["notes"] for row in content["rows"]}
    assert "nrefs:1|case:mixed" in notes["model"] and "the model" not in notes["model"]
    assert "significantly worse than the model: BLEU difference -" in notes["copy"]
    assert all(row["minutes"] >= 0 for row in content["rows"])
    page = (trained_run.folder / "report.html").read_text(encoding="utf-8")
    assert "In the middle by chrF." in page and "BLEU by the length of the source." in page
    assert (trained_run.folder / "attention-1.png").exists()
    answers = trained_run.read_json("answers-test.json")
    assert answers.keys() == {"where", "source", "target", "translation"}
    assert {len(column) for column in answers.values()} == {content["examples"]}


def test_the_export_reaches_the_row_model(trained_run: Run, reaches_the_row_model: Callable[[Run], None]) -> None:
    reaches_the_row_model(trained_run)


def test_another_data_set_is_evaluated_under_a_name_of_its_own(
    there: Path, trained_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = {split: [Pair(f"verse {n}", "Two and one.", "Dos y uno.") for n in range(3)] for split in SPLITS}
    opened = []

    def read_embedded(configuration: DataConfiguration) -> dict[Split, list[Pair]]:
        opened.append(configuration.source)
        return pairs if configuration.source == "modern_pairs" else read(configuration)

    monkeypatch.setattr(data, "read", read_embedded)
    commands.evaluate(["--run", str(trained_run.folder), "--data", "modern_pairs"])
    assert opened == ["files", "modern_pairs"], "the baselines learn from the pairs of the training"
    content = trained_run.read_json("evaluation-test-modern_pairs.json")
    assert (content["split"], content["examples"]) == ("test-modern_pairs", 3)
    assert trained_run.read_json("answers-test-modern_pairs.json")["translation"] == ["Dos y uno."] * 3


def test_exported_equals_in_memory(
    trained_run: Run, export_once: Callable[[Run], Path], answer_elsewhere: Callable[..., Any]
) -> None:
    model = export_once(trained_run)
    requests = [("serving_default", {"text": texts}) for texts in (TEXTS, TEXTS[::-1], TEXTS[1:2], [])]
    requests += [("beam_search", {"text": TEXTS, "beam_width": [width] * len(TEXTS)}) for width in (2, 1)]
    requests.append(("attention", {"text": TEXTS[:2], "translation": ["Dos.", "Nueve y uno."]}))
    program = "answer = sorted(signatures), [plain(ask(*each)) for each in request]"
    names, answers = answer_elsewhere(model, requests, program)
    together, backwards, alone, none, by_beams, greedy, attention = answers
    assert names == ["attention", "beam_search", "serving_default"]
    translator, search = load_model(trained_run), trained_run.read_configuration(TranslationConfiguration).search

    def in_memory(beam_width: int) -> tuple[list[str], np.ndarray]:
        found = translator.translate(tf.constant(TEXTS), search.replace(beam_width=beam_width))
        return [text.decode() for text in found.text.numpy()], found.score.numpy()

    translations, scores = in_memory(2)
    assert together.keys() == {"translation", "score"}
    assert together["translation"] == translations
    np.testing.assert_allclose(together["score"], scores, rtol=1e-4)
    assert backwards["translation"] == translations[::-1]
    assert alone["translation"] == translations[1:2]
    assert translations[:3] == ["Dos y uno.", "Nueve, cuatro, uno y diez.", ""]
    assert none == {"translation": [], "score": []}
    for width, answer in ((2, by_beams), (1, greedy)):
        assert answer["translation"] == in_memory(width)[0]
        np.testing.assert_allclose(answer["score"], in_memory(width)[1], rtol=1e-4)
    source = source_numbers(translator.source, tf.constant(TEXTS[:2]))
    target = target_numbers(translator.target, tf.constant(["Dos.", "Nueve y uno."]))
    np.testing.assert_allclose(attention["weights"], translator(source, target[:, :-1]).weights, atol=1e-5)
    assert ["".join(pieces).strip() for pieces in attention["source"]] == TEXTS[:2]
    assert ["".join(pieces).strip() for pieces in attention["target"]] == ["Dos.", "Nueve y uno."]


def test_a_server_refuses_a_search_without_beams(
    trained_run: Run, export_once: Callable[[Run], Path], answer_elsewhere: Callable[..., Any]
) -> None:
    program = """
try:
    answer = plain(ask(*request))
except tf.errors.InvalidArgumentError as error:
    answer = str(error)
"""
    request = ("beam_search", {"text": TEXTS[:1], "beam_width": [0]})
    answer = answer_elsewhere(export_once(trained_run), request, program)
    assert "beam_width: expected 1 at least" in answer


def test_model_card_says_data_licence_metrics_and_limits(trained_run: Run, tmp_path: Path) -> None:
    copy = Run.open(shutil.copytree(trained_run.folder, tmp_path / "nlp" / "numbers" / "card"))
    (copy.folder / "evaluation.json").unlink(missing_ok=True)
    card = model_card(copy)
    assert "from source to target" in card and "The user's own pairs (en.txt, es.txt)" in card
    assert "Not evaluated. Run `unrolled evaluate translation`" in card
    rows = [{"name": "model", "metrics": {"bleu": {"value": 25.0, "low": 12.5, "high": 50.0}}}]
    copy.write_json("evaluation.json", {"split": "test", "examples": 6, "rows": rows})
    assert "| model | 25.00 [12.50, 50.00] |" in model_card(copy)
    for head in ("## Signatures", "## Data and licence", "## Metrics", "## Limits"):
        assert head in card
    configuration = copy.read_configuration(TranslationConfiguration)
    copy.write_text("configuration.json", configuration.replace(data={"source": "bible_verses"}).to_json())
    assert "both public domain" in model_card(copy)


def test_the_task_of_the_run_is_found(trained_run: Run, there: Path) -> None:
    assert predictors.task_of(trained_run).name == "translation"
    assert predictors.latest_run("translation").folder == trained_run.folder
    assert json.loads((trained_run.folder / "configuration.json").read_text())["task"] == "translation"
