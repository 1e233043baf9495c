"""The predictor: the same frames from a run and its export, of any length, one video or many."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.configuration import ConfigurationError
from pipelines.runs import Run
from pipelines.video.frames import VideoDataError
from pipelines.video.next_frames.model import load_model
from pipelines.video.next_frames.predictor import Predictor


@pytest.fixture(scope="module")
def both(trained_run: Run, loaded_both_ways: Callable[[Run], tuple[Any, Any]]) -> tuple[Predictor, Predictor]:
    """The predictors of the run and of its export."""
    return loaded_both_ways(trained_run)


def test_run_and_export_answer_as_the_network(
    both: tuple[Predictor, Predictor], trained_run: Run, drift: Callable, save_clip: Callable, tmp_path: Path
) -> None:
    clips = [drift(seed, 9) for seed in (600, 601)]
    path = save_clip(tmp_path / "one.avi", clips[0])
    network = load_model(trained_run)
    for length in (None, 7):
        watched = np.stack(clips)[:, -5:, :, :, np.newaxis]
        expected = np.rint(255 * network.forecast(watched, length or 3)).astype(np.uint8)
        for predictor in both:
            answers = predictor.predict([path, clips[1][..., np.newaxis]], length)
            for answer, frames in zip(answers, expected, strict=True):
                np.testing.assert_allclose(answer.astype(int), frames.astype(int), atol=1)  # where a half is rounded
            with path.open("rb") as file:
                for same in (str(path), path.read_bytes(), file):
                    np.testing.assert_array_equal(predictor.predict(same, length), answers[0])
    with pytest.raises(ConfigurationError, match=r"length: expected at least 1. Change it. Received: 0"):
        both[0].predict(str(path), length=0)


@pytest.mark.parametrize("kind", ["file", "array", "array of several"])
def test_what_comes_after_a_time_is_compared_as_far_as_it_goes(
    kind: str, both: tuple[Predictor, Predictor], drift: Callable, save_clip: Callable, tmp_path: Path
) -> None:
    """Five frames are watched, of files ten a second."""
    frames = drift(602, 60)[..., np.newaxis]
    video, rate = frames, 25.0
    if kind == "file":
        video, rate = save_clip(tmp_path / "a.avi", frames[..., 0]), 10.0
    elif kind == "array of several":
        video = tmp_path / "a.npy"
        np.save(video, np.stack([255 - frames, frames]))
    for predictor in both:
        compared = predictor.compare(video, at=57 / rate, length=6, item=1 if kind == "array of several" else None)
        np.testing.assert_array_equal(compared.watched.given, frames[52:57])
        np.testing.assert_array_equal(compared.watched.truth, frames[57:])
        np.testing.assert_array_equal(compared.future, predictor.predict(frames[:57], 3))
        assert compared.scores["copy last"]["mae"] == pytest.approx(
            np.abs(frames[57:].astype(float) - frames[56]).sum() / 255 / 3, rel=1e-5
        )
        assert compared.watched.rate == pytest.approx(rate)


def test_videos_that_cannot_be_read_are_refused(both: tuple[Predictor, Predictor], tmp_path: Path) -> None:
    np.save(tmp_path / "two.npy", np.zeros((2, 6, 16, 16, 1), np.uint8))
    for refused in (both[0].predict, lambda video: both[0].compare(video, at=0.2)):
        with pytest.raises(VideoDataError, match=r"two.npy holds several videos.* item=0. Received: 2 videos"):
            refused(tmp_path / "two.npy")
    with pytest.raises(VideoDataError, match=r"Expected uint8 .* Received: float64"):
        both[0].predict(np.zeros((6, 16, 16, 1)))
    with pytest.raises(VideoDataError, match=r"Expected a path, .* or an array, uint8 .* Received: list"):
        both[0].predict([[np.zeros((6, 16, 16, 1), np.uint8)]])
    with pytest.raises(VideoDataError, match=r"Pass array\[item\]. Received: item 1"):
        both[0].predict(np.zeros((6, 16, 16, 1), np.uint8), item=1)
    with pytest.raises(VideoDataError, match=r"too short.*Received: 2 frames"):
        both[0].predict(np.zeros((2, 16, 16, 1), np.uint8))
