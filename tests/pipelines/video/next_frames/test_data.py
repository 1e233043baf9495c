"""Batches: the same each time, of training videos only, squares and mirrors of whole clips."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data import moving_fashion
from data.fashion_images import FashionImages
from pipelines.configuration import ConfigurationError
from pipelines.video.next_frames import data
from pipelines.video.next_frames.config import PRESETS, NextFramesConfiguration
from pipelines.video.next_frames.data import DataConfiguration

Configure = Callable[..., NextFramesConfiguration]


def first(sets: data.Sets, configuration: DataConfiguration, batches: int = 2, **options: float) -> list[dict]:
    found = data.training_batches(sets, configuration, **{"seed": 0, "epoch": 0} | options)
    return list(found.take(batches).as_numpy_iterator())


def test_an_epoch_s_batches_are_the_same_each_time_and_no_other_epoch_s(corpus: Path, configure: Configure) -> None:
    configuration = configure(corpus).data
    sets = data.load(configuration)
    once, again, later, other = (
        first(sets, configuration),
        first(sets, configuration),
        first(sets, configuration, epoch=1),
        first(sets, configuration, seed=1),
    )
    for one, same, next_one, another in zip(once, again, later, other, strict=True):
        np.testing.assert_array_equal(one["frames"], same["frames"])
        assert (one["frames"] != next_one["frames"]).any() and (one["frames"] != another["frames"]).any()


def test_clips_are_windows_of_training_videos(corpus: Path, configure: Configure, drift: Callable) -> None:
    configuration = configure(corpus).data
    windows = {
        drift(seed)[start : start + 8].tobytes() for seed in range(8) for start in range(3)
    }  # the videos of training, whose seeds are their numbers
    sets = data.load(configuration)
    drawn = [clip.tobytes() for batch in first(sets, configuration, 10) for clip in batch["frames"]]
    assert set(drawn) <= windows and len(set(drawn)) > 10


def test_fixed_clips_are_each_read_once_in_their_order(corpus: Path, configure: Configure, drift: Callable) -> None:
    sets = data.load(configure(corpus, data={"clip_stride": 1}).data)
    clips = np.concatenate(list(data.fixed_batches(sets, "test")))
    expected = [drift(seed)[start : start + 8] for seed in (10, 11) for start in range(3)]
    np.testing.assert_array_equal(clips[..., 0], expected)
    assert len(sets.videos["test"]) == 6
    some = np.concatenate(list(data.fixed_batches(sets, "test", 3)))
    np.testing.assert_array_equal(some, clips[[0, 2, 5]])


def test_truth_is_shown_as_often_as_it_should(corpus: Path, configure: Configure) -> None:
    configuration = configure(corpus).data
    sets = data.load(configuration)
    for share in (0.0, 0.3, 1.0):
        shown = np.concatenate([each["truth_mask"] for each in first(sets, configuration, 60, truth_share=share)])
        assert shown.shape == (240, 3)
        assert shown.mean() == pytest.approx(share, abs=0.06)


def test_a_batch_has_no_more_clips_than_there_are(
    corpus: Path, configure: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    configuration = configure(corpus, data={"batch_size": 100_000}).data
    (batch,) = first(data.load(configuration), configuration, 1)
    assert batch["frames"].shape == (8, 8, 16, 16, 1) and batch["truth_mask"].shape == (8, 3)
    assert "data.batch_size 100000 is more than there is to learn from: 8 clips in a batch" in capsys.readouterr().out


def test_videos_need_neither_classes_nor_labels(
    configure: Configure, drift: Callable, save_clip: Callable, tmp_path: Path
) -> None:
    for number in range(4):
        save_clip(tmp_path / "clips" / f"{number}.avi", drift(number))
    (tmp_path / "list.csv").write_text("path\n" + "\n".join(f"clips/{number}.avi" for number in range(4)))
    for source, path in (("folder", tmp_path / "clips"), ("csv", tmp_path / "list.csv")):
        sets = data.load(configure(path, data={"source": source}).data)
        assert sum(map(len, sets.videos.values())) == 4 and all(sets.videos.values())


def test_squares_and_mirrors_are_the_same_in_each_frame() -> None:
    configuration = DataConfiguration(source="folder", height=16, width=24, crop=8, mirror=True)
    rows, columns = np.indices((16, 24))
    clip = np.repeat((16 * rows + columns)[np.newaxis, ..., np.newaxis], 5, axis=0)
    mirrored = 0
    for seed in range(40):
        found = data.augmented(clip, configuration, np.random.default_rng(seed))
        assert found.shape == (5, 8, 8, 1)
        assert (found == found[0]).all()
        step = np.unique(np.diff(found[0, :, :, 0], axis=1))
        assert step.tolist() in ([1], [-1])
        assert (np.diff(found[0, :, :, 0], axis=0) == 16).all()
        mirrored += step[0] == -1
    assert 10 < mirrored < 30


def test_moving_fashion_is_drawn_from_training_images(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UNROLLED_CACHE", str(tmp_path))  # these clips are nobody's data
    brightness = {"train": 50, "validation": 100, "test": 150}

    def images(split: str) -> FashionImages:
        return FashionImages(np.full((3, 28, 28), brightness[split], np.uint8), np.zeros(3, np.uint8))

    monkeypatch.setattr(moving_fashion, "fashion_images", images)
    monkeypatch.setattr(data, "fashion_images", images)
    monkeypatch.setattr(moving_fashion, "CLIPS", {"train": 2, "validation": 2, "test": 3})
    configuration = PRESETS["next-frames"].data.replace(clip_frames=6, future_frames=2)
    sets = data.load(configuration)
    assert set(np.unique(first(sets, configuration, 1)[0]["frames"])) == {0, 50}
    for split in data.SPLITS:
        clips = np.concatenate(list(data.fixed_batches(sets, split)))
        assert clips.shape == (len(sets.videos[split]), 6, 64, 64, 1)
        assert set(np.unique(clips)) == {0, brightness[split]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clip_frames": 5, "future_frames": 5}, "more than data.future_frames"),
        ({"clip_frames": 30}, "has clips of 20"),
        ({"colour": "rgb"}, "has clips of 20"),
        ({"crop": 65}, "shorter side, 64"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        DataConfiguration(**changes)
