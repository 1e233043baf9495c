"""The commands as a user types them: what they print, what they write, and what they say when something is wrong."""

import base64
import html
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import jiwer
import numpy as np
import pytest
import soundfile

from pipelines import commands, train
from pipelines.evaluation import Evaluation
from pipelines.runs import Run, RunError
from pipelines.speech import user_recordings
from pipelines.speech.audio_files import Examined
from pipelines.speech.config import SpeechConfiguration
from pipelines.speech.evaluate import evaluate
from pipelines.speech.resampling import resample

pytestmark = pytest.mark.usefixtures("there")

Capture = pytest.CaptureFixture[str]

REPOSITORY = Path(__file__).parents[3]
Say = Callable[..., np.ndarray]


@pytest.fixture
def recording(there: Path, say: Say) -> Path:
    """ "ab cad", with a name that a terminal library could take for markup, at another rate and in stereo."""
    audio = resample(say("ab cad"), 8000, 16000)
    soundfile.write(there / "one [red].flac", np.stack([audio, audio], axis=1), 16000)
    return there / "one [red].flac"


def transcribe(arguments: list[str]) -> None:
    commands.answer("transcribe", arguments)


def test_evaluation_writes_table_transcripts_and_page(trained_run: Run, capsys: Capture) -> None:
    commands.evaluate(["speech"])
    printed = capsys.readouterr().out
    assert f"Wrote {trained_run.folder}/evaluation.json" in printed
    page = Path(re.search(r"open (\S+) in a browser", printed)[1])
    assert page.is_absolute() and page.samefile(trained_run.folder / "report.html")
    assert "unrolled export speech; unrolled transcribe recording.wav" in printed
    assert "silence" in printed

    content = trained_run.read_json("evaluation.json")
    assert content.keys() == {"split", "examples", "rows"}
    assert (content["split"], content["examples"]) == ("test", 6)
    assert [row["name"] for row in content["rows"]] == ["model", "beam", "greedy", "silence"]
    for row in content["rows"]:
        assert row["metrics"].keys() == {"wer", "cer"}
        for metric in row["metrics"].values():
            assert metric.keys() == {"value", "low", "high"}
            assert metric["low"] <= metric["value"] <= metric["high"]
        assert re.search(r"\d\.\d{3} s a second of audio", row["notes"])
    assert "the model" not in content["rows"][0]["notes"]
    assert "WER difference from the model" in content["rows"][-1]["notes"]
    assert "6 examples are too few to tell it from chance" in content["rows"][-1]["notes"]
    assert content["rows"][-1]["metrics"]["cer"] == {"value": 1.0, "low": 1.0, "high": 1.0}

    transcripts = trained_run.read_json("answers-test.json")
    assert transcripts.keys() == {"key", "text", "model", "beam", "greedy", "silence"}
    assert len(set(transcripts["key"])) == 6
    for row in Evaluation.from_json(content).rows:
        texts = transcripts[row.name]
        assert row.metrics["cer"].value == pytest.approx(jiwer.cer(transcripts["text"], texts))
        assert row.metrics["wer"].value == pytest.approx(jiwer.wer(transcripts["text"], texts))
    assert content["rows"][0]["metrics"]["cer"]["value"] < 0.2

    page = (trained_run.folder / "report.html").read_text(encoding="utf-8")
    for head in ("Results", "What the network hears", "Worst errors", "Training", "Configuration"):
        assert f"<h2>{head}</h2>" in page
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert len(pictures) == 3
    assert all(base64.b64decode(picture).startswith(b"\x89PNG") for picture in pictures)
    assert (trained_run.folder / "posteriors.png").read_bytes().startswith(b"\x89PNG")
    assert "&quot;mel_bands&quot;: 16" in page
    assert any(f"“{text}”" in html.unescape(page) for text in transcripts["text"]), "the recording that is drawn"


def test_the_export_reaches_the_row_model(trained_run: Run, reaches_the_row_model: Callable[[Run], None]) -> None:
    reaches_the_row_model(trained_run)


def test_recordings_that_were_learned_from_are_never_judged_as_new(
    trained_run: Run, corpus: Path, write_manifest: Callable[..., Path], tmp_path: Path
) -> None:
    """A list that has lost its test rows since the training, so that others are set aside."""
    rows = [json.loads(line) for line in corpus.read_text(encoding="utf-8").splitlines()]
    write_manifest(corpus.parent / "less.jsonl", [row for row in rows if row["split"] != "test"])
    shutil.copytree(trained_run.folder, tmp_path / "run")
    run = Run.open(tmp_path / "run")
    configuration = run.read_json("configuration.json")
    configuration["data"]["path"] = str(corpus.parent / "less.jsonl")
    run.write_json("configuration.json", configuration)
    with pytest.raises(RunError, match=r"data have changed.*in the evaluated split.*Received: \d example"):
        evaluate(run)
    assert evaluate(run, "validation").examples == 6


def test_evaluation_of_another_split_leaves_that_of_test(trained_run: Run, capsys: Capture) -> None:
    evaluate(trained_run)
    files = ("evaluation.json", "report.html", "posteriors.png", "answers-test.json")
    before = {name: (trained_run.folder / name).read_bytes() for name in files}
    commands.evaluate(["--split", "validation", "--run", str(trained_run.folder)])
    assert {name: (trained_run.folder / name).read_bytes() for name in files} == before
    assert b"test split" in before["report.html"]
    assert "validation split" in (trained_run.folder / "report-validation.html").read_text(encoding="utf-8")
    assert (trained_run.folder / "posteriors-validation.png").exists()
    assert trained_run.read_json("evaluation-validation.json")["split"] == "validation"
    assert len(trained_run.read_json("answers-validation.json")["key"]) == 6
    printed = capsys.readouterr().out
    assert "evaluation-validation.json" in printed
    assert f"open {trained_run.folder.resolve()}/report-validation.html" in printed
    with pytest.raises(SystemExit):
        commands.evaluate(["speech", "--split", "tests"])
    assert "Did you mean 'test'?" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        commands.evaluate(["speech", "--help"])
    assert "{train,validation,test}" in capsys.readouterr().out


def test_transcription_prints_text_and_word_times(recording: Path, capsys: Capture) -> None:
    transcribe([str(recording), str(recording)])
    printed, closing = capsys.readouterr()
    assert printed.count(f"{recording}  (confidence ") == 2
    assert "\nab cad\n" in printed
    words = re.findall(r"│ (\d\.\d\d) +│ (\d\.\d\d) +│ (\w+) +│ (\d\.\d\d) +│", printed)[:2]
    assert [word for _, _, word, _ in words] == ["ab", "cad"]
    times = [[float(start), float(end)] for start, end, *_ in words]
    np.testing.assert_allclose(times, [[0.0, 0.2], [0.3, 0.6]], atol=0.07)
    assert all(0.5 < float(confidence) <= 1 for *_, confidence in words)
    assert "Transcribed 2 recordings" in closing and "Transcribed" not in printed


def test_a_recording_shorter_than_a_frame_has_no_words(there: Path, capsys: Capture) -> None:
    soundfile.write(there / "click.wav", np.array([0.5, -0.5] * 20, np.float32), 8000)
    transcribe(["click.wav"])
    printed = capsys.readouterr().out
    assert "(no words)" in printed
    assert "from (s)" not in printed


def test_long_lines_are_not_broken(recording: Path, capsys: Capture) -> None:
    """Whoever pipes the text into another program gets it as it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "20")
        transcribe([str(recording)])
    assert str(recording) in capsys.readouterr().out


@pytest.mark.parametrize("content", [None, b"", b"no audio at all"])
def test_unusable_recordings_are_named(
    recording: Path, there: Path, content: bytes | None, refused: Callable[..., str]
) -> None:
    if content is not None:
        (there / "two.wav").write_bytes(content)
    message = refused(transcribe, [str(recording), "two.wav"])
    assert message.startswith("Error: two.wav ")
    assert message.splitlines()[1:] == ["Transcribed 1 of 2 recordings"], "the other one is answered"


@pytest.mark.parametrize("form", ["json", "txt"])
def test_other_programs_read_one_line_a_recording(recording: Path, form: str, capsys: Capture) -> None:
    transcribe([str(recording), str(recording), "--format", form])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    if form == "txt":
        assert lines == ["ab cad"] * 2
        return
    for answer in map(json.loads, lines):
        assert (answer["audio"], answer["text"]) == (str(recording), "ab cad")
        assert 0 < answer["confidence"] <= 1
        assert [word["text"] for word in answer["words"]] == ["ab", "cad"]
        assert answer["words"][1]["start"] == pytest.approx(0.3, abs=0.07)


def test_subtitles_are_of_one_recording(recording: Path, capsys: Capture, refused: Callable[..., str]) -> None:
    transcribe([str(recording), "--format", "srt"])
    assert re.fullmatch(r"1\n00:00:00,\d{3} --> 00:00:01,\d{3}\nab cad\n\n", capsys.readouterr().out)
    transcribe([str(recording), "--format", "vtt"])
    assert capsys.readouterr().out.startswith("WEBVTT\n\n00:00:00.")
    message = refused(transcribe, [str(recording), str(recording), "--format", "srt"])
    assert "belongs to one recording" in message and "Received: 2 recordings" in message


def test_folders_and_lists_have_a_file_for_each_recording(
    recording: Path, there: Path, capsys: Capture, refused: Callable[..., str]
) -> None:
    for name in ("talks/a.flac", "talks/deep/b.flac", "talks/deep/c.wav", "talks/.trash/d.flac", "talks/._a.flac"):
        (there / name).parent.mkdir(parents=True, exist_ok=True)
        (there / name).write_bytes(recording.read_bytes() if name.endswith("flac") else b"")
    (there / "talks" / "notes.md").write_text("no recording")
    (there / "names.txt").write_text(f"# remark\n\ntalks/a.flac\n{recording}\n")
    with pytest.raises(SystemExit) as stopped:
        transcribe(["talks", "--format", "srt", "--output", "out"])
    message = capsys.readouterr().err
    assert stopped.value.code == 1
    assert "talks/deep/c.wav is empty" in message and "Transcribed 2 of 3 recordings" in message
    assert sorted(path.relative_to(there / "out").as_posix() for path in (there / "out").rglob("*.*")) == [
        "a.srt",
        "deep/b.srt",
    ]
    transcribe(["names.txt", "--output", "texts"])
    assert (there / "texts" / "a.txt").read_text() == (there / "texts" / "one [red].txt").read_text() == "ab cad\n"
    before = (there / "texts" / "a.txt").stat().st_mtime_ns
    capsys.readouterr()
    assert "are not overwritten" in refused(transcribe, ["names.txt", "--output", "texts"])
    assert (there / "texts" / "a.txt").stat().st_mtime_ns == before
    assert "names.txt is a file" in refused(transcribe, ["talks", "--output", "names.txt/below"])
    for name in ("talk.srt", "answers.jsonl"):
        assert "--output names a folder" in refused(transcribe, ["talks", "--output", name])
    (there / "empty").mkdir()
    assert "names no recording" in refused(transcribe, ["empty"])
    assert "expected - beside" in refused(transcribe, ["names.txt", "--pcm", "8000"]).lower()


def test_standard_input_is_read(
    recording: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, refused: Callable[..., str]
) -> None:
    wav = io.BytesIO()
    soundfile.write(wav, *soundfile.read(recording), format="WAV")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(wav.getvalue())))
    transcribe(["-", str(recording), "--format", "json"])
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(answer["audio"], answer["text"]) for answer in answers] == [("-", "ab cad"), (str(recording), "ab cad")]
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"no audio")))
    assert "Error: Standard input cannot be decoded" in refused(transcribe, ["-"])
    assert "Expected - once" in refused(transcribe, ["-", "-"])


@pytest.mark.parametrize("form", ["text", "txt", "json"])
def test_transcription_ends_quietly_when_its_reader_has_enough(
    recording: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = os.pipe()
    os.close(reading)  # as `head` does
    with os.fdopen(writing, "w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        transcribe([str(recording), "--format", form])


def test_transcription_of_nothing_is_refused(capsys: Capture, refused: Callable[..., str]) -> None:
    assert "There is nothing to transcribe" in refused(transcribe, [])


@pytest.mark.parametrize("command", [transcribe, commands.evaluate, commands.export])
def test_a_bad_run_is_refused(
    command: Callable[[list[str]], None], recording: Path, there: Path, refused: Callable[..., str]
) -> None:
    files = [str(recording)] if command is transcribe else ["speech"]
    assert "no such folder" in refused(command, [*files, "--run", "nowhere"])
    assert "not a run" in refused(command, [*files, "--run", str(there)])
    unfinished = Run.create("speech", "tones", SpeechConfiguration(), there / "runs")
    message = refused(command, [*files, "--run", str(unfinished.folder)])
    assert re.search(r"no trained weights.*unrolled train speech tones --resume", message)


def test_training_refuses_bad_recordings_and_leaves_no_run(
    there: Path, say: Say, monkeypatch: pytest.MonkeyPatch, refused: Callable[..., str]
) -> None:
    monkeypatch.setenv("UNROLLED_RUNS", str(there / "runs"))
    soundfile.write(there / "a.wav", say("ab"), 8000)
    rows = [{"audio_filepath": "a.wav", "text": "ab " * 90, "split": split} for split in ("train", "dev", "test")]
    (there / "all.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = ["--data.source", "manifest", "--data.path", str(there / "all.jsonl"), "--data.pretraining", "none"]
    with pytest.warns(UserWarning, match="so the figures look better than they are"):
        message = refused(train.train, ["speech", *options])
    assert "a.wav: the transcript needs" in message
    assert not list((there / "runs").glob("*"))


def test_damage_found_late_is_a_message(
    trained_run: Run,
    corpus: Path,
    there: Path,
    monkeypatch: pytest.MonkeyPatch,
    refused: Callable[..., str],
) -> None:
    """A file that looks whole when the split is listed, and cannot be decoded in its turn, within TensorFlow."""
    monkeypatch.setattr(user_recordings, "examine", lambda *arguments: Examined(6400, []))
    (there / "damaged.wav").write_bytes(b"no audio")
    rows = [json.loads(line) for line in corpus.read_text().splitlines()]
    for row in rows:
        row["audio_filepath"] = str(corpus.parent / row["audio_filepath"])
    rows[5]["audio_filepath"] = str(there / "damaged.wav")  # of the test split
    (there / "all.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    configuration = trained_run.read_configuration(SpeechConfiguration)
    run = Run.create("speech", "tones", configuration.replace(data={"path": str(there / "all.jsonl")}), there / "runs")
    for name in ("description.json", "model.weights.h5", "decoder.json"):
        (run.folder / name).write_bytes((trained_run.folder / name).read_bytes())
    message = refused(commands.evaluate, ["--run", str(run.folder)])
    assert message.startswith(f"Error: {there / 'damaged.wav'} cannot be decoded")
    assert message.count("\n") == 1
    assert not (run.folder / "evaluation.json").exists()


def test_commands_run_as_modules_and_only_our_lines_are_seen(there: Path) -> None:
    command = [sys.executable, "-m", "pipelines", "transcribe", str(there / "missing.wav")]
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    environment["PYTHONPATH"] = str(REPOSITORY)
    done = subprocess.run(command, cwd=there, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: {there / 'missing.wav'} does not exist")
    assert done.stderr.count("\n") == 1
