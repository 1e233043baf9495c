"""The commands as a user types them: what they print, what they write, and what they say when something is wrong."""

import base64
import json
import re
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import av
import cv2
import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from pipelines import commands
from pipelines.evaluation import Evaluation, Metric, Row
from pipelines.runs import Run, RunError
from pipelines.video.clip_classes import data, pictures, report
from pipelines.video.clip_classes.config import ClipClassesConfiguration
from pipelines.video.clip_classes.evaluate import evaluate as evaluate_run
from pipelines.video.clip_classes.scoring import Classified
from tests.pipelines.video.fixtures import with_swapped_splits

pytestmark = pytest.mark.usefixtures("there")


def predict(arguments: list[str]) -> None:
    commands.answer("predict-video", arguments)


def test_videos_that_the_run_learned_from_are_not_judged(trained_run: Run, corpus: Path, tmp_path: Path) -> None:
    run = with_swapped_splits(trained_run, corpus, tmp_path)
    with pytest.raises(RunError, match=r"(?s)learned from are in the evaluated split now.*Received: 32 examples of 32"):
        evaluate_run(run)


def test_evaluation_writes_table_answers_and_page(trained_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    commands.evaluate(["clip-classes"])
    printed = capsys.readouterr().out
    assert f"Wrote {trained_run.folder}/evaluation.json" in printed
    assert "unrolled export clip-classes; unrolled predict-video clip.mp4" in printed
    assert "Training the baseline single frame, 20 steps" in printed

    content = trained_run.read_json("evaluation.json")
    assert (content["split"], content["examples"]) == ("test", 8)
    rows = {row["name"]: row for row in content["rows"]}
    assert list(rows) == ["model", "majority", "single frame", "mean of frames"]
    for row in content["rows"]:
        assert row["metrics"].keys() == {"accuracy", "macro_f1", "cross_entropy"}
        accuracy = row["metrics"]["accuracy"]
        assert accuracy["low"] <= accuracy["value"] <= accuracy["high"] and accuracy["low"] < accuracy["high"]
        assert row["metrics"]["macro_f1"]["low"] is None  # eight videos are too few to be resampled
    assert "than the model" not in rows["model"]["notes"]
    assert "accuracy difference from the model -" in rows["majority"]["notes"]
    assert rows["majority"]["metrics"]["accuracy"]["value"] == 0.5
    assert rows["majority"]["metrics"]["cross_entropy"]["value"] == pytest.approx(np.log(2))

    answers = trained_run.read_json("answers-test.json")
    assert answers.keys() == {"key", "label", "predicted", "probability", "confusions"}
    assert len(set(answers["key"])) == 8
    accuracy = rows["model"]["metrics"]["accuracy"]["value"]
    assert accuracy == pytest.approx(accuracy_score(answers["label"], answers["predicted"]))
    assert accuracy >= 0.85
    assert np.sum(answers["confusions"]) == 8

    page = (trained_run.folder / "report.html").read_text(encoding="utf-8")
    for head in (
        "Results",
        "Evidence over time",
        "Classes",
        "Classes taken for others",
        "Worst errors",
        "Left out",
        "Training",
    ):
        assert f"<h2>{head}</h2>" in page
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert len(pictures) == 7  # bars, three strips, accuracy over time, confusions, curves
    assert all(base64.b64decode(picture).startswith(b"\x89PNG") for picture in pictures)
    for name in ("evidence.png", "confusions.png"):
        assert (trained_run.folder / name).read_bytes().startswith(b"\x89PNG")
    assert "The motion is synthetic" not in page


def test_the_plots_name_every_line_beside_the_curves() -> None:
    evidence = np.random.default_rng(0).dirichlet(np.ones(3), 6)
    for classes in (3, 30):
        shown = np.concatenate([evidence, np.zeros((6, classes - 3))], axis=1)
        names = [chr(ord("a") + number) for number in range(classes)]
        figure = pictures.film_strip(np.zeros((6, 8, 8, 1), np.uint8), shown, 0, names, "title")
        figure.canvas.draw()
        axes = figure.axes[1]
        legend = axes.get_legend()
        said = {text.get_text() for text in legend.get_texts()}
        assert {"a (true)"} < said and ({"b", "c"} <= said if classes == 3 else "others" in said)
        assert legend.get_window_extent().x0 >= axes.get_window_extent().x1
        assert legend.get_window_extent().x1 <= figure.bbox.x1


def test_the_majority_of_the_plot_is_that_of_the_table(trained_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    draw = pictures.accuracy_over_time
    monkeypatch.setattr(pictures, "accuracy_over_time", lambda *inputs: drawn.append(inputs[2]) or draw(*inputs))
    rows = [Row(name, {"accuracy": Metric(value)}) for name, value in (("model", 1.0), ("majority", 0.375))]
    evaluation = Evaluation("test", 8, rows)
    sets = data.load(trained_run.read_configuration(ClipClassesConfiguration).data)
    labels = np.array([0, 1] * 4)
    classified = Classified(labels, np.full((8, 2), 0.5), np.full((16, 6, 2), 0.5))
    copy = Run.create("video", "copy", trained_run.read_configuration(ClipClassesConfiguration), Path("runs"))
    for row in trained_run.history():
        copy.append_history(row)
    report.write_classification_report(copy, evaluation, sets, classified)
    assert drawn == [0.375]


@pytest.mark.slow
def test_the_export_reaches_the_row_model(trained_run: Run, reaches_the_row_model: Callable[[Run], None]) -> None:
    reaches_the_row_model(trained_run)


@pytest.mark.slow
def test_evaluation_of_another_split_leaves_that_of_test(trained_run: Run) -> None:
    evaluate_run(trained_run)
    files = ("evaluation.json", "report.html", "evidence.png", "confusions.png", "answers-test.json")
    before = {name: (trained_run.folder / name).read_bytes() for name in files}
    commands.evaluate(["--split", "validation", "--run", str(trained_run.folder)])
    assert {name: (trained_run.folder / name).read_bytes() for name in files} == before
    assert trained_run.read_json("evaluation-validation.json")["split"] == "validation"
    assert "validation split" in (trained_run.folder / "report-validation.html").read_text(encoding="utf-8")


def test_the_clips_shown_are_the_surest_and_the_worst() -> None:
    probabilities = np.array([0.2, 0.9, 0.5, 0.99, 0.6])
    evidence = np.stack([probabilities, 1 - probabilities], axis=1)[:, np.newaxis]
    found = report.extremes(Classified(np.zeros(5), evidence[:, -1], evidence), np.zeros(5, int))
    assert found == {"Surest": 3, "In the middle": 4, "Worst": 0}


def test_prediction_prints_the_classes_over_time(
    trained_run: Run, there: Path, move: Callable, save_clip: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    """Twelve frames to the right, then twelve to the left and three more; ten a second, clips of six."""
    frames = np.concatenate([move(True, 12, 701), move(False, 15, 702)])
    path = save_clip(there / "one [red].avi", frames)
    commands.answer("predict-video", [str(path)])
    printed = capsys.readouterr().out
    assert "one [red].avi" in printed
    rows = re.findall(r"(\d\.\d\d) +│ +(\d\.\d\d) +│ +(\w+) +│ +(\d\.\d\d)", printed)
    assert [row[:3] for row in rows] == [("0.00", "1.20", "right"), ("1.20", "2.70", "left")]
    assert re.search(r"The whole video: (left|right) 0\.\d\d, ", printed)


def test_what_happens_when_is_written_as_json_subtitles_and_a_picture(
    trained_run: Run, there: Path, move: Callable, save_clip: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [save_clip(there / f"{name}.avi", move(name == "right", 18, 701)) for name in ("right", "left")]
    predict([*map(str, paths), "--overlap", "0.5", "--output", "said", "--format", "json"])
    for path, line in zip(paths, capsys.readouterr().out.splitlines(), strict=True):
        answered = json.loads(line)
        (event,) = answered["events"]
        assert (event["start"], event["end"], event["label"]) == (0, pytest.approx(1.8), path.stem)
        assert [each["start"] for each in answered["stretches"]] == pytest.approx([0, 0.3, 0.6, 0.9, 1.2])
        subtitles = (there / "said" / f"{path.stem}.srt").read_text()
        assert subtitles.startswith(f"1\n00:00:00,000 --> 00:00:01,800\n{path.stem} (")
        assert (there / "said" / f"{path.stem}.png").read_bytes().startswith(b"\x89PNG")
    predict([str(paths[0]), "--overlap", "0.5", "--format", "srt"])
    assert capsys.readouterr().out == (there / "said" / "right.srt").read_text()


@pytest.mark.slow
def test_a_stream_is_followed_as_it_comes(
    trained_run: Run, there: Path, move: Callable, save_clip: Callable, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, refused: Callable[..., str],
) -> None:  # fmt: skip
    """From standard input, an address and a camera the answers are those of the file."""
    path = save_clip(there / "both.avi", np.concatenate([move(True, 12, 701), move(False, 15, 702)]))
    with av.open(str(path)) as given, av.open(str(there / "both.mkv"), "w", options={"live": "1"}) as file:
        copy = file.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(given.streams.video[0]):
            if packet.dts is not None:
                packet.stream = copy
                file.mux(packet)
    predict([str(path), "--format", "json"])
    expected = json.loads(capsys.readouterr().out)["stretches"]

    def followed(arguments: list[str]) -> list[dict]:
        predict([*arguments, "--format", "json"])
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    with (there / "both.mkv").open("rb") as pipe:
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=pipe))
        piped = followed(["-"])
    handler = partial(SimpleHTTPRequestHandler, directory=str(there))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/both.mkv"
        fetched = followed([address])
        predict([address, "--seconds", "1.2"])
        assert re.fullmatch(r"0\.00 s to 1\.20 s: right \([01]\.\d\d\)\n", capsys.readouterr().out)
        server.shutdown()
    open_camera = cv2.VideoCapture
    monkeypatch.setattr(cv2, "VideoCapture", lambda number: open_camera(str(path)))
    filmed = followed(["0"])
    for found in (piped, fetched, filmed):
        assert [each["label"] for each in found] == [each["label"] for each in expected]
        for mine, theirs in zip(found, expected, strict=True):
            assert mine["probabilities"] == pytest.approx(theirs["probabilities"], abs=0.02)
    assert [each["start"] for each in piped] == pytest.approx([each["start"] for each in expected], abs=0.01)
    monkeypatch.setattr(cv2, "VideoCapture", lambda number: open_camera("nothing"))
    assert "The camera 0 cannot be read" in refused(predict, ["0"])
    assert "rtsp://127.0.0.1:9/x cannot be read" in refused(predict, ["rtsp://127.0.0.1:9/x"])
    assert "followed alone" in refused(predict, ["0", str(path)])


def test_what_cannot_be_predicted_is_named(
    there: Path, move: Callable, save_clip: Callable, refused: Callable[..., str]
) -> None:
    assert "There is nothing to classify" in refused(predict, [])
    assert "missing.avi does not exist" in refused(predict, ["missing.avi"])
    (there / "zero.mp4").write_bytes(b"")
    assert "zero.mp4 is empty" in refused(predict, ["zero.mp4"])
    save_clip(there / "short.avi", move(True, 4, 0))
    message = refused(predict, ["short.avi"])
    assert "short.avi is shorter than a clip; expected 6 frames" in message and "Received: 4 frames" in message


def test_evaluation_of_changed_classes_is_refused(trained_run: Run, corpus: Path, refused: Callable[..., str]) -> None:
    text = corpus.read_text()
    try:
        corpus.write_text(text.replace(",left,", ",up,"))
        assert "Expected the classes left, right" in refused(commands.evaluate, ["clip-classes"])
    finally:
        corpus.write_text(text)
