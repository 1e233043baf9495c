"""The commands as a user types them: what they print, what they write, and what they say when something is wrong."""

import base64
import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from pipelines import commands, train
from pipelines.runs import Run, RunError
from pipelines.video.next_frames import data, report
from pipelines.video.next_frames import evaluate as future_evaluate
from pipelines.video.next_frames.baselines import copy_last
from pipelines.video.next_frames.config import NextFramesConfiguration
from pipelines.video.next_frames.data import DataConfiguration
from pipelines.video.next_frames.model import load_model
from pipelines.video.next_frames.scoring import METRICS, score
from tests.pipelines.video.fixtures import with_swapped_splits

pytestmark = pytest.mark.usefixtures("there")

ROWS = ("black", "copy last")


def predict(arguments: list[str]) -> None:
    commands.answer("predict-video", arguments)


def frames_of(path: Path) -> np.ndarray:
    """The frames of a film, uint8 (time, height, width, 3)."""
    if path.suffix == ".gif":
        with Image.open(path) as film:
            found = []
            for number in range(film.n_frames):
                film.seek(number)
                found.append(np.asarray(film.convert("RGB")))
            return np.stack(found)
    capture, found = cv2.VideoCapture(str(path)), []
    while (read := capture.read())[0]:
        found.append(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB))
    return np.stack(found)


def test_videos_that_the_run_learned_from_are_not_judged(trained_run: Run, corpus: Path, tmp_path: Path) -> None:
    run = with_swapped_splits(trained_run, corpus, tmp_path)
    with pytest.raises(RunError, match=r"(?s)learned from are in the evaluated split now.*Received: 8 examples of 8"):
        future_evaluate.evaluate(run)


def test_training_says_what_it_wrote_and_what_comes_next(
    corpus: Path, there: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UNROLLED_RUNS", str(there / "runs"))  # the run of the other tests stays the latest
    options = (
        f"--data.source csv --data.path {corpus} --data.height 16 --data.width 16 --data.clip_frames 4 "
        "--data.future_frames 2 --data.batch_size 2 --network.head pixels --network.filters 3 --network.matching "
        "--training.epochs 1 --training.no_mixed_precision --steps_per_epoch 2 --scheduled_sampling_epochs 1"
    )
    train.train(["next-frames", "next-frames", *options.split()])
    printed, run = capsys.readouterr().out, Run.latest("video")
    assert "Videos: 8 train, 2 validation, 2 test." in printed
    assert "Settings that do not count with --network.head pixels: network.inertia\n" in printed
    assert f"Wrote {run.folder}" in printed
    assert "unrolled evaluate next-frames, unrolled export next-frames, unrolled predict-video clip.mp4" in printed
    assert run.read_json("configuration.json")["task"] == "next_frames"
    assert {"loss", *(f"validation_{metric}" for metric in METRICS)} <= run.history()[0].keys()


def test_evaluation_writes_table_page_and_film(trained_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    commands.evaluate(["next-frames"])
    printed = capsys.readouterr().out
    assert "Forecast 2 of 2 clips" in printed
    assert f"Wrote {trained_run.folder}/evaluation.json and report.html" in printed
    assert "unrolled export next-frames; unrolled predict-video clip.mp4" in printed

    content = trained_run.read_json("evaluation.json")
    assert (content["split"], content["examples"]) == ("test", 2)
    rows = {row["name"]: row for row in content["rows"]}
    assert list(rows) == ["model", "copy last", "mean frame", "mean of inputs", "black", "optical flow"]
    for row in content["rows"]:
        assert list(row["metrics"]) == ["squared_error", "mae", "ssim", "psnr", "ssim_openstl"]
        for metric in row["metrics"].values():
            assert metric["low"] <= metric["value"] <= metric["high"]
    assert "than" not in rows["model"].get("notes", "")
    notes = rows["copy last"]["notes"]
    for metric in ("squared error", "ssim"):
        assert re.search(rf"{metric} difference from the model \S+; 2 examples are too few", notes)

    # What the table says of the model and of a baseline is what they do with the clips of the test split.
    configuration = trained_run.read_configuration(NextFramesConfiguration)
    clips = np.concatenate(list(data.fixed_batches(data.load(configuration.data), "test")))
    truth, given = clips[:, 5:].astype(np.float32) / 255, clips[:, :5].astype(np.float32) / 255
    forecasts = {"model": load_model(trained_run).forecast(clips[:, :5], 3), "copy last": copy_last(given, 3)}
    for name, forecast in forecasts.items():
        expected = score(forecast, truth)
        horizon = trained_run.read_json("horizon.json")[name]
        for metric in METRICS:
            assert rows[name]["metrics"][metric]["value"] == pytest.approx(expected[metric].mean(), rel=1e-3)
            np.testing.assert_allclose(horizon[metric], expected[metric].mean(axis=0), rtol=1e-3)

    page = (trained_run.folder / "report.html").read_text(encoding="utf-8")
    for head in ("Results", "Films", "Error by horizon", "Frame by frame", "Training", "Configuration"):
        assert f"<h2>{head}</h2>" in page
    assert "the baseline optical flow" in page
    pictures = [base64.b64decode(each) for each in re.findall(r'src="data:image/png;base64,([^"]+)"', page)]
    assert len(pictures) == 6  # bars, two of the horizon, two strips, curves
    assert all(each.startswith(b"\x89PNG") for each in pictures)
    moving = base64.b64decode(re.findall(r'src="data:image/gif;base64,([^"]+)"', page)[0])
    assert moving == (trained_run.folder / "forecasts.gif").read_bytes()
    with Image.open(io.BytesIO(moving)) as film:
        size = film.height, film.width
    assert (trained_run.folder / "horizon.png").read_bytes().startswith(b"\x89PNG")
    film = frames_of(trained_run.folder / "forecasts.mp4")
    assert film.shape == (8, *size, 3)
    assert frames_of(trained_run.folder / "forecasts.gif").shape == film.shape


def test_the_export_reaches_the_row_model(trained_run: Run, reaches_the_row_model: Callable[[Run], None]) -> None:
    reaches_the_row_model(trained_run)


def test_evaluation_of_another_split_leaves_that_of_test(trained_run: Run, there: Path) -> None:
    run = Run.open(shutil.copytree(trained_run.folder, there / "video" / "drift" / "copy"))
    files = ("evaluation.json", "horizon.json", "report.html", "horizon.png", "forecasts.gif", "forecasts.mp4")
    for name in files:
        (run.folder / name).write_text("of the test split")
    commands.evaluate(["--split", "validation", "--run", str(run.folder), "--thresholds", "100"])
    assert {(run.folder / name).read_text() for name in files} == {"of the test split"}
    evaluation = run.read_json("evaluation-validation.json")
    assert evaluation["split"] == "validation"
    black, copy = (next(row["metrics"] for row in evaluation["rows"] if row["name"] == name) for name in ROWS)
    assert black["pod_100"]["value"] == 0 < copy["pod_100"]["value"] < 1 and black["far_100"]["value"] is None
    assert len(run.read_json("horizon-validation.json")["model"]["fss_100"]) == 3
    assert "validation split" in (run.folder / "report-validation.html").read_text(encoding="utf-8")
    for name in ("horizon-validation.json", "horizon-validation.png", "forecasts-validation.gif"):
        assert (run.folder / name).stat().st_size > 100
    assert len(frames_of(run.folder / "forecasts-validation.mp4")) == 8


@pytest.mark.parametrize(("stride", "overlapping"), [(0, 1), (8, 1), (5, 2), (1, 8)])
def test_overlapping_clips_are_drawn_together(stride: int, overlapping: int) -> None:
    configuration = DataConfiguration(source="folder", clip_frames=8, future_frames=3, clip_stride=stride)
    assert future_evaluate.overlap(configuration) == overlapping


def test_page_has_a_row_for_each_video_if_they_are_few() -> None:
    scores = {name: {metric: np.arange(8.0).reshape(4, 2) for metric in METRICS} for name in ("model", "copy last")}
    scores["optical flow"] = scores["model"]
    details = report.Details(DataConfiguration(), scores, ["a", "a", "b", "b"], [], 0.1)
    (table,) = report.of_videos(details)
    assert [row[:3] for row in table.rows[::3]] == [["a", "model", "1.5"], ["b", "model", "5.5"]]
    assert not report.of_videos(details._replace(videos=["a", "b", "c", "d"]))  # clips that were drawn


def test_prediction_writes_films_of_what_was_given_and_what_comes(
    trained_run: Run, there: Path, drift: Callable, save_clip: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = drift(700, 9)
    save_clip(there / "one.second [red].avi", frames)
    predict(["one.second [red].avi", "--frames", "4", "--output", "films/new"])
    printed, reported = capsys.readouterr()
    assert "\nForecasting 4 frames after one.second [red].avi" in reported
    assert "one.second [red].avi: 5 frames watched, with a bar below, then 4 forecast" in printed
    stem = "films/new/one.second [red]-future"
    assert f"Wrote {stem}.mp4 and {stem}.gif" in printed and "open the films" in reported
    given = frames[4:, ..., np.newaxis]
    expected = np.concatenate([given / 255, load_model(trained_run).forecast(given[np.newaxis], 4)[0]])
    for ending in ("mp4", "gif"):
        film = frames_of(there / f"{stem}.{ending}") / 255
        assert film.shape == (9, 256, 256, 3)
        pixels = film[:, 8:-16:16, 8::16].mean(axis=-1)  # the middle of each, but for the last row, where the bar is
        np.testing.assert_allclose(pixels, expected[:, :-1, :, 0], atol=0.12)
        bar = film[:, -4:]
        green = bar[..., 1] - bar[..., 0] > 0.3
        assert green[:5].all() and not green[5:].any()
    # Nine frames at ten a second are too short to be followed: they are shown in two seconds.
    assert "(4.5 frames a second, recorded at 10)" in printed
    with av.open(str(there / f"{stem}.mp4")) as film:
        stream = film.streams.video[0]
        assert stream.average_rate == 4.5
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")  # what browsers play
    content = (there / f"{stem}.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")  # and from its beginning
    with Image.open(there / f"{stem}.gif") as film:
        assert film.info["duration"] == pytest.approx(222, abs=10)
    with Image.open(there / f"{stem}.png") as strip:
        assert strip.size == (9 * 256 + 8 * 4, 256)


@pytest.mark.parametrize("ending", ["mp4", "gif"])
def test_a_film_that_is_there_is_not_overwritten(
    ending: str, there: Path, drift: Callable, save_clip: Callable, refused: Callable[..., str]
) -> None:
    save_clip(there / "a.avi", drift(0))
    (there / f"a-future.{ending}").write_text("mine")
    message = refused(predict, ["a.avi"])
    assert "not overwritten" in message and "--output films" in message and f"Received: a-future.{ending}" in message
    assert (there / f"a-future.{ending}").read_text() == "mine"
    assert len(list(there.glob("a-future.*"))) == 1


@pytest.mark.parametrize("option", [["--item", "0"], ["--layout", "THWC"], ["--variable", "rain"]])
def test_what_is_about_arrays_is_refused_of_others(
    option: list[str], there: Path, drift: Callable, save_clip: Callable, refused: Callable[..., str]
) -> None:
    save_clip(there / "a.avi", drift(0))
    message = refused(predict, ["a.avi", *option])
    assert f"{option[0]} is about arrays" in message and "Received: a.avi" in message


def test_many_frames_are_forecast_one_by_one(trained_run: Run, drift: Callable) -> None:
    """What a long forecast shows while it is made is what the network says of all frames at once."""
    forecaster, given = load_model(trained_run), drift(700, 9)[np.newaxis, :, :, :, np.newaxis]
    whole = forecaster(given.astype(np.float32) / 255, future=7)[:, -7:]
    after = forecaster.frames_after(given, 7)
    np.testing.assert_allclose(next(after), whole[:, 0], atol=1e-5)
    np.testing.assert_allclose(np.stack(list(after), axis=1), whole[:, 1:], atol=1e-4)


def test_prediction_goes_on_with_images_and_several_videos(
    there: Path, drift: Callable, save_clip: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    (there / "images").mkdir()
    for number, frame in enumerate(drift(700, 12)):
        cv2.imwrite(str(there / "images" / f"{number}.png"), frame)
    save_clip(there / "clip.avi", drift(701))
    predict(["images", "clip.avi"])
    assert capsys.readouterr().out.count("5 frames watched, with a bar below, then 3 forecast") == 2
    for name in ("images", "clip"):
        assert len(frames_of(there / f"{name}-future.mp4")) == len(frames_of(there / f"{name}-future.gif")) == 8


def test_a_forecast_within_a_video_is_scored_beside_what_came(
    trained_run: Run, there: Path, drift: Callable, save_clip: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = drift(700, 20)[..., np.newaxis]
    save_clip(there / "a.avi", frames[..., 0])
    predict(["a.avi", "--at", "0.9", "--frames", "4", "--format", "json"])
    answered = json.loads(capsys.readouterr().out)
    assert (answered["at"], answered["watched"], answered["forecast"]) == (0.9, 5, 4)
    forecast = load_model(trained_run).forecast(frames[np.newaxis, 4:9], 4)
    truth = frames[np.newaxis, 9:13].astype(np.float32) / 255
    copied = copy_last(frames[np.newaxis, 4:9].astype(np.float32) / 255, 4)
    for row, shown in (("model", forecast), ("copy last", copied)):
        for metric, values in score(shown, truth).items():
            assert answered["scores"][row][metric] == pytest.approx(values.mean(), rel=2e-2)
    film = frames_of(there / "a-at-0.9-future.mp4")
    assert len(film) == 9 and film.shape[2] > 4 * 200  # truth, forecast, copy and error beside each other
    assert (there / "a-at-0.9-future.png").read_bytes().startswith(b"\x89PNG")


def test_of_an_array_the_forecast_is_written_in_its_unit(
    trained_run: Run, there: Path, drift: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(there / "both.npy", np.stack([drift(1, 9), drift(2, 9)])[..., np.newaxis])
    predict(["both.npy"])
    expected = load_model(trained_run).forecast(drift(1, 9)[np.newaxis, 4:, :, :, np.newaxis], 3)[0]
    np.testing.assert_allclose(np.load(there / "both-future.npy"), np.rint(255 * expected), atol=1)
    assert "holds 2 videos, of which the first is forecast; --item names another" in capsys.readouterr().err


def test_what_cannot_be_predicted_is_named_and_nothing_is_written(
    there: Path, drift: Callable, save_clip: Callable, refused: Callable[..., str]
) -> None:
    whole = save_clip(there / "whole.avi", drift(0)).read_bytes()
    assert "Name one: unrolled predict-video clip.mp4" in refused(predict, [])
    message = refused(predict, ["whole.avi", "missing.mp4"])
    assert "missing.mp4 does not exist" in message and "Correct the path" in message
    (there / "zero.mp4").write_bytes(b"")
    (there / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(5000))
    (there / "cut.avi").write_bytes(whole[: len(whole) // 2])
    for name, said in (("zero.mp4", "is empty"), ("noise.mp4", "cannot be opened"), ("cut.avi", "truncated")):
        message = refused(predict, ["whole.avi", name])
        assert name in message and said in message and "Restore or convert it" in message
    save_clip(there / "short.avi", drift(0, 4))
    message = refused(predict, ["whole.avi", "short.avi"])
    assert "short.avi is too short" in message and "watches 5 frames" in message and "Give a longer video" in message
    assert "Received: 4 frames" in message
    message = refused(predict, ["whole.avi", "--at", "0.3"])
    assert "too short to forecast from at 0.3 s" in message and "Received: 3 frames" in message
    message = refused(predict, ["whole.avi", "--at", "2"])
    assert "shows nothing from 2 s on" in message and "Received: a video that ends at 1 s" in message
    save_clip(there / "other" / "whole.avi", drift(1))
    message = refused(predict, ["whole.avi", "other/whole.avi"])
    assert "would have one name" in message and "--output" in message and "whole-future" in message
    assert not list(there.rglob("*-future.*"))
