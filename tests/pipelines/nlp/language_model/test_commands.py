"""The commands, as a user types them, on a small text: what they print, write and refuse."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.commands import message_for_user
from pipelines.evaluation import Evaluation
from pipelines.nlp import evaluate, export, generate, train
from pipelines.nlp.language_model import samples
from pipelines.nlp.language_model.config import PRESETS, LanguageModelConfiguration
from pipelines.nlp.language_model.evaluate import bits_per_character, costs
from pipelines.nlp.language_model.scoring import score
from pipelines.nlp.language_model.trained import load_language_model
from pipelines.nlp.subwords import Subwords
from pipelines.runs import Run


@pytest.fixture
def there(trained_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a folder of runs, in which there is one."""
    run = tmp_path / "runs/nlp/own-language-model/20240101-000000"
    shutil.copytree(trained_run.folder, run)
    monkeypatch.setenv("UNROLLED_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(command: Callable[[list[str]], None], arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What the user is told, whether by a message of the command or of its options."""
    try:
        command(arguments)
    except SystemExit as stopped:
        assert stopped.code
        return capsys.readouterr().err
    except Exception as error:
        message = message_for_user(error)
        assert message is not None
        return message
    raise AssertionError("not refused")


def test_training_says_what_it_learns_from_and_what_comes_next(
    text_file: Path, there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = (
        f"--data.path {text_file} --data.batch_size 2 --data.window 8 --vocabulary.size 300 --network.units 4 "
        "--network.width 4 --training.epochs 1"
    ).split()
    train.main(["own-language-model", *options])
    printed = capsys.readouterr().out
    assert "Learning from 1 document of " in printed and " subwords of 300: " in printed
    assert f"Wrote {Run.latest('nlp').folder}" in printed and 'make generate PROMPT="…"' in printed
    assert len(list(there.glob("runs/nlp/own-language-model/2*"))) == 2
    message = refused(train.main, ["own-language-model"], capsys)
    assert "--data.path my.txt" in message
    assert len(list(there.glob("runs/nlp/own-language-model/2*"))) == 2


def test_evaluation_writes_table_page_and_pictures(
    there: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "TEXTS", 3)
    evaluate.main([])
    printed = capsys.readouterr().out
    run = Run.latest("nlp")
    assert f"Wrote {run.folder}/evaluation.json and report.html" in printed and "make generate" in printed
    assert f"Next: open {run.folder}/report.html in a browser" in printed
    evaluation = Evaluation.from_json(run.read_json("evaluation.json"))
    names = ["model", "model with neural cache", "model, dynamic evaluation", "xz", "PPMd", "n-gram"]
    assert [row.name for row in evaluation.rows] == names
    for row in evaluation.rows:
        assert 0 < row.metrics["bits_per_character"].value < 20 and row.notes
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    for part in (
        "What it makes up",
        "temperature 0.8, top-p 0.95",
        "real text of the split",
        "copied",
        "The documents",
    ):
        assert part in page
    assert {path.name for path in run.folder.glob("*.png")} == {"bits.png", "learning_curves.png"}
    found = run.read_json("samples.json")
    assert found["kinds"][0]["kind"] == samples.REAL and len(found["kinds"]) == 1 + len(samples.KINDS)
    evaluate.main(["--split", "validation", "--no_slow"])
    rows = run.read_json("evaluation-validation.json")["rows"]
    assert [row["name"] for row in rows] == ["model", "model with neural cache", "xz", "PPMd"]


def test_bits_are_those_of_the_scores(trained_run: Run) -> None:
    model, subwords = load_language_model(trained_run)
    text = "“House rules” – 🙂 strictly. " * 100
    numbers = [subwords.encode([text]).values.numpy()]
    scored = score(model, numbers)
    found = costs(subwords, numbers, scored)
    assert found.characters.sum() == len(text)
    metric = bits_per_character(found)
    assert metric.value == pytest.approx(scored[0].nats.sum() / math.log(2) / len(text), rel=1e-6)


def test_generate_prints_the_prompt_and_what_comes_next(there: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--length", "20", "--seed", "3"]
    generate.main(["The", "house 🙂", *options])
    printed = capsys.readouterr().out
    assert printed.startswith("The house 🙂") and len(printed) > len("The house 🙂\n")
    generate.main(["The house 🙂", *options, "--run", str(Run.latest("nlp").folder)])
    assert capsys.readouterr().out == printed
    generate.main(["The house", "--beam", "3", "--length", "5"])
    assert capsys.readouterr().out.startswith("The house")
    generate.main(options)
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["A", "--beam", "2", "--top_k", "3"], "Leave out --beam"),
        (["A", "--beam", "2", "--temperature", "0.5", "--seed", "3"], "Leave out --beam, or --temperature, --seed."),
        (["A", "--seed", str(2**31)], "seed: input should be less than or equal to 2147483647"),
        (["caf\udce9"], "Text 1 is not UTF-8"),
        (["A", "--temperature", "-1"], "temperature: input should be greater than or equal to 0"),
        (["A", "--temprature", "1"], "Did you mean 'temperature'?"),
        (["A", "--run", "nowhere"], "There is no such run folder"),
    ],
)
def test_generate_refuses(there: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert message in refused(generate.main, arguments, capsys)


def test_generate_needs_a_language_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UNROLLED_RUNS", str(tmp_path))
    message = refused(generate.main, ["A"], capsys)
    assert "make train-nlp PRESET=language-model" in message
    run = Run.create("nlp", "sentiment", LanguageModelConfiguration(), tmp_path)
    configuration = json.loads((run.folder / "configuration.json").read_text())
    (run.folder / "configuration.json").write_text(json.dumps(configuration | {"task": "sentiment"}))
    run.finish()
    assert "The run is of another task. Expected one of the task language model" in refused(
        generate.main, ["A", "--run", str(run.folder)], capsys
    )


def test_export_says_what_it_wrote(there: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export.main([])
    printed = capsys.readouterr().out
    assert "Wrote exports/nlp-own-language-model/1 " in printed
    assert f"--model_name=nlp --model_base_path={there}/exports/nlp-own-language-model" in printed
    files = {path.name for path in (there / "exports/nlp-own-language-model/1").rglob("*")}
    assert {"saved_model.pb", "model_card.md", "tf_serving_warmup_requests"} <= files


def test_vocabulary_of_a_run_is_kept(trained_run: Run) -> None:
    _, subwords = load_language_model(trained_run)
    assert Subwords(trained_run.read_json("vocabulary.json")).pieces == subwords.pieces


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_whole(preset: str) -> None:
    configuration = PRESETS[preset]
    assert LanguageModelConfiguration.from_json(configuration.to_json()) == configuration
