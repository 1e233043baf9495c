"""The commands, as a user types them, on a small text: what they print, write and refuse."""

import io
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipelines import commands, train
from pipelines.errors import message_for_user
from pipelines.evaluation import Evaluation
from pipelines.nlp.language_model import report
from pipelines.nlp.language_model import train as learning
from pipelines.nlp.language_model.baselines import Costs
from pipelines.nlp.language_model.config import PRESETS, LanguageModelConfiguration
from pipelines.nlp.language_model.evaluate import bits_per_character, by_stretch, compared, costs
from pipelines.nlp.language_model.evaluate import evaluate as evaluate_run
from pipelines.nlp.language_model.model import load_model
from pipelines.nlp.language_model.scoring import score
from pipelines.nlp.subwords import Subwords
from pipelines.runs import Run, RunError
from pipelines.video.clip_classes import config as video


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


@pytest.mark.slow
def test_documents_that_the_run_learned_from_are_not_judged(
    experiment: Callable[..., LanguageModelConfiguration], text_file: Path, tmp_path: Path
) -> None:
    lines = {line for line in text_file.read_text(encoding="utf-8").splitlines() if len(line) > 60}
    (tmp_path / "lines.jsonl").write_text("".join(json.dumps({"text": line}) + "\n" for line in sorted(lines)))
    configuration = experiment(data={"path": str(tmp_path / "lines.jsonl")}, training={"epochs": 1})
    run = Run.create("nlp", "judged", configuration, tmp_path)
    learning.train(run, configuration)
    run.write_configuration(configuration.replace(data={"test_fraction": 0.4}))
    with pytest.raises(RunError, match=r"(?s)learned from are in the evaluated split now.*Received: \d+ examples of "):
        evaluate_run(run)


def test_training_says_what_it_learns_from_and_what_comes_next(
    text_file: Path, there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = (
        f"--data.path {text_file} --data.batch_size 2 --data.window 8 --vocabulary.size 300 --network.units 4 "
        "--network.width 4 --training.epochs 1"
    ).split()
    train.train(["language-model", "own-language-model", *options])
    printed = capsys.readouterr().out
    assert "Learning from 1 document of " in printed and " subwords of 300: " in printed
    assert f"Wrote {Run.latest('nlp').folder}" in printed and 'unrolled generate "In the beginning"' in printed
    assert len(list(there.glob("runs/nlp/own-language-model/2*"))) == 2
    message = refused(train.train, ["language-model", "own-language-model"], capsys)
    assert "--data.path my.txt" in message
    assert len(list(there.glob("runs/nlp/own-language-model/2*"))) == 2


def test_evaluation_writes_table_page_and_pictures(
    there: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "TEXTS", 3)
    commands.evaluate(["language-model"])
    printed = capsys.readouterr().out
    run = Run.latest("nlp")
    assert f"Wrote {run.folder}/evaluation.json and report.html" in printed and "unrolled generate" in printed
    assert f"Next: open {run.folder}/report.html in a browser" in printed
    evaluation = Evaluation.from_json(run.read_json("evaluation.json"))
    names = [
        "model",
        "model with neural cache",
        "model, dynamic evaluation",
        "model, dynamic evaluation, mixed with n-grams",
        "xz",
        "PPMd",
        "n-gram",
    ]
    assert [row.name for row in evaluation.rows] == names
    for row in evaluation.rows:
        assert 0 < row.metrics["bits_per_character"].value < 20 and row.notes
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    for part in (
        "Generated texts",
        "temperature 0.8, top-p 0.95",
        "real text of the split",
        "copied",
        "Documents",
    ):
        assert part in page
    assert {path.name for path in run.folder.glob("*.png")} == {"bits.png", "learning_curves.png"}
    found = run.read_json("samples.json")
    assert found["kinds"][0]["kind"] == report.REAL and len(found["kinds"]) == 1 + len(report.KINDS)
    commands.evaluate(["language-model", "--split", "validation", "--no_slow_baselines"])
    rows = run.read_json("evaluation-validation.json")["rows"]
    assert [row["name"] for row in rows] == ["model", "model with neural cache", "xz", "PPMd"]


def test_the_export_reaches_the_row_model(
    trained_run: Run, reaches_the_row_model: Callable[[Run], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "TEXTS", 3)
    reaches_the_row_model(trained_run)


def test_bits_are_those_of_the_scores(trained_run: Run) -> None:
    model = load_model(trained_run)
    subwords = model.subwords
    text = "“House rules” – 🙂 strictly. " * 100
    numbers = [subwords.encode([text]).values.numpy()]
    scored = score(model, numbers)
    found = costs(subwords, numbers, scored)
    assert found.characters.sum() == len(text)
    metric = bits_per_character(found)
    assert metric.value == pytest.approx(scored[0].nats.sum() / math.log(2) / len(text), rel=1e-6)


def generate(arguments: list[str]) -> None:
    commands.answer("generate", arguments)


def test_generate_prints_the_prompt_and_what_comes_next(there: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options, folder = ["--length", "20", "--seed", "3"], str(Run.latest("nlp").folder)
    generate(["The", "house 🙂", *options])
    printed, reported = capsys.readouterr()
    assert printed.startswith("The house 🙂") and len(printed) > len("The house 🙂\n")
    assert reported == f"Using {folder}\n"
    generate(["The house 🙂", *options, "--run", folder, "--format", "json"])
    found = json.loads(capsys.readouterr().out)
    assert found["prompt"] == "The house 🙂" and found["prompt"] + found["continuation"] + "\n" == printed
    generate(options)
    assert capsys.readouterr().out.strip()


def test_generate_prints_the_most_probable_text(there: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generate(["The house", "--beam", "3", "--length", "5"])
    printed = capsys.readouterr().out
    assert printed.startswith("The house")
    generate(["The house", "--beam", "3", "--length", "5", "--format", "json"])
    found = json.loads(capsys.readouterr().out)
    assert found["prompt"] + found["continuation"] + "\n" == printed and found["log_probability"] < 0


def test_generate_prints_several_texts_up_to_what_they_stop_at(there: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["The house", "--length", "20", "--seed", "3", "--format", "json"]
    generate([*options, "--samples", "3"])
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["seed"] for each in found] == [3, 4, 5] and len({each["continuation"] for each in found}) == 3
    whole = found[0]["continuation"]
    stop = whole[len(whole) // 2 :][:2]
    generate([*options, "--stop", stop])
    (found,) = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert found["continuation"] == whole[: whole.index(stop)]
    generate(["The house", "--beam", "3", "--length", "5", "--samples", "3", "--format", "json"])
    scores = [json.loads(line)["log_probability"] for line in capsys.readouterr().out.splitlines()]
    assert len(scores) == 3 and scores == sorted(scores, reverse=True)


def test_generate_reads_the_prompt_from_standard_input(
    there: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"One line\nThe caf\xc3\xa9\n")))
    generate(["-", "--length", "3", "--format", "json"])
    assert json.loads(capsys.readouterr().out)["prompt"] == "One line\nThe café"


def test_generate_explains_itself_without_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UNROLLED_RUNS", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as stopped:
        generate(["--help"])
    assert not stopped.value.code
    printed = capsys.readouterr().out
    for part in ("beginning of the text", "--run", "--format", "--length", "--top_p", "--seed", "--beam"):
        assert part in printed


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["A", "--beam", "2", "--top_k", "3"], "Leave out --beam"),
        (["A", "--beam", "2", "--samples", "3"], "Expected --beam of --samples at least"),
        (["A", "--stop", ""], "--stop: an empty string would end every text at once"),
        (["A", "--beam", "2", "--temperature", "0.5", "--seed", "3"], "Leave out --beam, or --temperature, --seed."),
        (["A", "--seed", str(2**31)], "seed: expected at most 2147483647"),
        (["caf\udce9"], "Text 1 is not UTF-8"),
        (["A", "--temperature", "-1"], "temperature: expected at least 0"),
        (["A", "--temprature", "1"], "Did you mean 'temperature'?"),
        (["A", "--run", "nowhere"], "There is no such folder"),
        (["A", "--format", "xml"], "format: expected 'text' or 'json'"),
    ],
)
def test_generate_refuses(there: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert message in refused(generate, arguments, capsys)


def test_generate_needs_a_language_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UNROLLED_RUNS", str(tmp_path))
    message = refused(generate, ["A"], capsys)
    assert "unrolled train language-model." in message
    run = Run.create("video", "motion-class", video.PRESETS["motion-class"], tmp_path)
    run.finish()
    assert "The model is of another task. Expected one of the task language-model" in refused(
        generate, ["A", "--run", str(run.folder)], capsys
    )


def test_vocabulary_of_a_run_is_kept(trained_run: Run) -> None:
    subwords = load_model(trained_run).subwords
    assert Subwords(trained_run.read_json("description.json")["vocabulary"]).pieces == subwords.pieces


def test_rows_are_compared_over_the_same_stretches() -> None:
    """Parts of other lengths, as subwords and bytes are; a total alone says nothing of chance."""
    random = np.random.default_rng(0)
    lengths = random.integers(0, 9, 60_000)
    model, total = Costs(random.uniform(1, 3, 60_000), lengths.astype(float)), int(lengths.sum())
    worse = Costs(np.full(total, 1.5), np.ones(total))
    ours, theirs = by_stretch(model, 5000), by_stretch(worse, 5000)
    assert ours[0].sum() == pytest.approx(model.bits.sum()) and ours[1].sum() == theirs[1].sum() == total
    assert abs(ours[1] - theirs[1]).max() < 9
    assert compared(model, worse).startswith("significantly worse than the model: bits per character difference 1.")
    assert compared(model, Costs(np.array([1e6]), np.array([float(total)]))) == ""


@pytest.mark.parametrize("old, new", [("--slow", "slow_baselines"), ("--no_slow", "no_slow_baselines")])
def test_old_options_of_the_evaluation_name_the_new_ones(
    there: Path, old: str, new: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"Write {new!r} instead" in refused(commands.evaluate, ["language-model", old], capsys)


def test_old_settings_are_read_and_refused_with_their_new_names(capsys: pytest.CaptureFixture[str]) -> None:
    configuration = PRESETS["language-model"].replace(vocabulary={"minimum_count": 7})
    old = configuration.to_json().replace('"minimum_count"', '"fewest"')
    assert old != configuration.to_json()
    assert LanguageModelConfiguration.from_json(old) == configuration
    message = refused(train.train, ["language-model", "--vocabulary.fewest", "7"], capsys)
    assert "Write 'vocabulary.minimum_count' instead" in message


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_whole(preset: str) -> None:
    configuration = PRESETS[preset]
    assert LanguageModelConfiguration.from_json(configuration.to_json()) == configuration
