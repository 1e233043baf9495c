"""The predictor: the same answers from a run and its export, whole videos and streams, and what it refuses."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.configuration import ConfigurationError
from pipelines.run_files import plain
from pipelines.runs import Run
from pipelines.video.clip_classes.predictor import Predictor
from pipelines.video.frames import Timed, VideoDataError


@pytest.fixture(scope="module")
def both(trained_run: Run, loaded_both_ways: Callable[[Run], tuple[Any, Any]]) -> tuple[Predictor, Predictor]:
    """The predictors of the run and of its export."""
    return loaded_both_ways(trained_run)


def test_run_and_export_answer_alike(
    both: tuple[Predictor, Predictor], move: Callable, save_clip: Callable, tmp_path: Path
) -> None:
    """Ten frames a second to the right, then to the left; clips of six."""
    frames = np.concatenate([move(True, 12, 701), move(False, 15, 702)])
    path = save_clip(tmp_path / "both.avi", frames)
    given = [str(path), frames[..., np.newaxis], path.read_bytes()]
    answers = [predictor.classify(given, frame_rate=10.0) for predictor in both]
    for from_run, from_export in zip(*answers, strict=True):
        assert [part.label for part in from_run.stretches][:4] == ["right", "right", "left", "left"]
        assert from_run.stretches[1].start == pytest.approx(0.6)
        assert from_run.label == from_export.label
        for mine, theirs in zip(from_run.stretches, from_export.stretches, strict=True):
            assert mine.label == theirs.label
            assert mine.probabilities == pytest.approx(theirs.probabilities, abs=1e-5)
    file, array, content = answers[0]
    assert content == file
    assert file.probabilities == pytest.approx(array.probabilities, abs=1e-5)


def test_a_stream_ends_with_the_answer_of_the_whole_clip(both: tuple[Predictor, Predictor], move: Callable) -> None:
    frames = move(False, 6, 703)[..., np.newaxis]
    for predictor in both:
        stream = predictor.stream()
        with pytest.raises(VideoDataError, match="no frame"):
            stream.finish()
        for frame in frames:
            label, probabilities = stream.feed(frame)
        assert stream.finish() == (label, probabilities)
        for late in (lambda stream=stream: stream.feed(frames[0]), stream.finish):
            with pytest.raises(ConfigurationError, match=r"The stream has finished.*Open another one"):
                late()
        whole = predictor.classify(frames)
        assert label == whole.label
        assert probabilities == pytest.approx(whole.probabilities, abs=1e-5)


@pytest.mark.parametrize("overlap", [0.0, 0.5])
def test_a_clip_of_a_stream_is_known_with_its_last_frame(
    overlap: float, both: tuple[Predictor, Predictor], move: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answers are those of the same frames at once; nothing is read ahead."""
    frames, read = move(False, 15, 703)[..., np.newaxis], 0

    def come(name: str) -> Iterator[Timed]:
        nonlocal read
        for read, frame in enumerate(frames, 1):
            yield Timed((read - 1) / 25, frame, 1 / 25)

    monkeypatch.setattr("pipelines.video.clip_classes.predictor.live_frames", come)
    expected = both[0].classify(frames, overlap=overlap).stretches
    for predictor in both:
        found = []
        for stretch in predictor.follow("0", overlap):
            assert read == round(25 * stretch.end)
            found.append(stretch)
        for mine, theirs in zip(found, expected, strict=True):
            assert mine.label == theirs.label
            assert mine[:2] == pytest.approx(theirs[:2])
            assert mine.probabilities == pytest.approx(theirs.probabilities, abs=1e-5)


def test_arrays_that_are_no_frames_are_refused(both: tuple[Predictor, Predictor], tmp_path: Path) -> None:
    np.save(tmp_path / "two.npy", np.zeros((2, 6, 16, 16, 1), np.uint8))
    with pytest.raises(VideoDataError, match=r"two.npy holds several videos; expected one.* Received: 2 videos"):
        both[0].classify(tmp_path / "two.npy")
    with pytest.raises(VideoDataError, match=r"missing.npy does not exist; expected .* Received: nothing"):
        both[0].classify(tmp_path / "missing.npy")
    shapes = ((6, 16, 16), (6, 16, 16, 2), (6, 16, 0, 1))
    for wrong in (np.zeros((6, 16, 16, 1)), *(np.zeros(shape, np.uint8) for shape in shapes)):
        with pytest.raises(VideoDataError, match=r"Expected uint8 .* Received: "):
            both[0].classify(wrong)
    with pytest.raises(VideoDataError, match=r"Expected a path, .* or an array, .* Received: NoneType"):
        both[0].classify([None])
    with pytest.raises(VideoDataError, match=r"^The video (cannot|is)"):
        both[0].classify(b"RIFF")
    with pytest.raises(VideoDataError, match="shorter than a clip"):
        both[0].classify(np.zeros((3, 16, 16, 1), np.uint8))


def test_a_job_has_the_same_answers(
    both: tuple[Predictor, Predictor], move: Callable, save_clip: Callable, tmp_path: Path
) -> None:
    path = save_clip(tmp_path / "right.avi", move(True, 12, 701))
    (found,) = json.loads(json.dumps(plain(both[0].answers([str(path)]))))
    (expected,) = both[0].classify([str(path)])
    assert found["label"] == expected.label
    assert [each["label"] for each in found["stretches"]] == [each.label for each in expected.stretches]
