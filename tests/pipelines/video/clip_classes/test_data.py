"""Labelled clips: what is drawn for training, what is judged, and what is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data import fashion_images, motion_clips
from data.motion_clips import MOTIONS
from pipelines.configuration import ConfigurationError
from pipelines.video.clip_classes import data
from pipelines.video.clip_classes.config import ClipClassesConfiguration
from pipelines.video.clip_classes.data import DataConfiguration
from pipelines.video.frames import VideoDataError

Configure = Callable[..., ClipClassesConfiguration]


@pytest.fixture
def small_motions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The motions of noise, few of them, in a cache of their own."""
    monkeypatch.setenv("UNROLLED_CACHE", str(tmp_path))
    pixels = np.random.default_rng(0).integers(0, 256, (5, 28, 28), np.uint8)
    images = fashion_images.FashionImages(pixels, np.zeros(5, np.uint8))
    for module in (motion_clips, data):
        monkeypatch.setattr(module, "fashion_images", lambda split: images)
    monkeypatch.setattr(motion_clips, "CLIPS", {"train": 8, "validation": 8, "test": 16})


def test_examples_are_the_videos(corpus: Path, configure: Configure, move: Callable[..., np.ndarray]) -> None:
    configuration = configure(corpus).data
    sets = data.load(configuration)
    assert sets.classes == ("left", "right")
    assert {split: len(examples.keys) for split, examples in sets.splits.items()} == {
        "train": 32,
        "validation": 8,
        "test": 8,
    }
    for examples in sets.splits.values():
        read = np.concatenate(list(data.batches(examples, configuration).as_numpy_iterator()))
        assert len(read) == 2 * len(examples.keys)  # two clips of six frames in each video
        for number, clip in enumerate(read):
            key = examples.keys[examples.videos[number]]
            seed = int(key.partition(".")[0])
            frames = move(bool(seed % 2), 12, seed)
            np.testing.assert_array_equal(clip[..., 0], frames[6 * (number % 2) :][:6])
            assert examples.labels[number] == seed % 2


def test_training_clips_are_drawn_from_training_videos(
    corpus: Path, configure: Configure, move: Callable[..., np.ndarray]
) -> None:
    configuration = configure(corpus).data
    sets = data.load(configuration)
    known = {}
    for key in sets.splits["train"].keys:
        seed = int(key.partition(".")[0])
        frames = move(bool(seed % 2), 12, seed)
        known |= {frames[start : start + 6].tobytes(): (seed % 2, seed, start) for start in range(7)}
    drawn = set()
    for clips, labels in data.training_batches(sets, configuration, seed=0, epoch=0).take(20):
        for clip, label in zip(clips.numpy(), labels.numpy(), strict=True):
            found = known[clip.tobytes()]
            assert found[0] == label
            drawn.add(found[1:])
    assert len({seed for seed, _ in drawn}) == 32 and {start for _, start in drawn} == set(range(7))


def test_batches_are_a_function_of_seed_and_epoch(corpus: Path, configure: Configure) -> None:
    configuration = configure(corpus).data
    sets = data.load(configuration)

    def batches(seed: int, epoch: int) -> bytes:
        stream = data.training_batches(sets, configuration, seed, epoch).take(3)
        return b"".join(clips.numpy().tobytes() + labels.numpy().tobytes() for clips, labels in stream)

    assert batches(0, 0) == batches(0, 0)
    assert len({batches(seed, epoch) for seed in (0, 1) for epoch in (0, 1)}) == 4


def test_a_batch_has_no_more_clips_than_there_are(
    corpus: Path, configure: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    configuration = configure(corpus, data={"batch_size": 100_000}).data
    sets = data.load(configuration)
    clips, labels = next(iter(data.training_batches(sets, configuration, seed=0, epoch=0)))
    assert clips.shape == (64, 6, 16, 16, 1) and labels.shape == (64,)
    assert "data.batch_size 100000 is more than there is to learn from: 64 clips in a batch" in capsys.readouterr().out


def test_half_of_the_clips_are_mirrored(corpus: Path, configure: Configure) -> None:
    configuration = configure(corpus).data
    plain, mirrored = data.load(configuration), data.load(configuration.replace(mirror=True))
    as_they_are = 0
    for seed in range(200):
        clip, label = plain.draw(np.random.default_rng(seed))
        other, same = mirrored.draw(np.random.default_rng(seed))
        assert label == same
        assert np.array_equal(clip, other) or np.array_equal(clip[:, :, ::-1], other)
        as_they_are += np.array_equal(clip, other)
    assert 70 < as_they_are < 130


def test_motions_are_drawn_evenly_and_judged_as_prepared(small_motions: None) -> None:
    configuration = DataConfiguration(batch_size=8, clip_frames=5)
    sets = data.load(configuration)
    assert sets.classes == MOTIONS
    assert np.bincount(sets.splits["test"].labels).tolist() == [2] * 8
    (clips,) = data.batches(sets.splits["test"], configuration).as_numpy_iterator()
    assert clips.shape == (16, 5, 40, 40, 1)
    labels = np.concatenate(
        [labels for _, labels in data.training_batches(sets, configuration, 0, 0).take(100).as_numpy_iterator()]
    )
    assert np.abs(np.bincount(labels, minlength=8) - 100).max() < 45


@pytest.mark.parametrize("change", [{"height": 41}, {"colour": "rgb"}, {"clip_frames": 17}])
def test_motions_of_another_shape_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match=r"the motion clips are grey.*Received: \(4"):
        data.load(DataConfiguration(**change))


@pytest.mark.parametrize("change", [{"path": "clips"}, {"group": "g"}, {"mirror": True}, {"balanced": True}])
def test_motions_have_no_files_and_no_mirror(change: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match=r"needs no (path|group)|a mirror would make right of left.*Received"):
        data.load(DataConfiguration(**change))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ((",left,", ",right,"), r"There is one class only.*Received: 'right'"),
        (("8.avi,left,validation", "8.avi,up,validation"), r"1 video of classes without any video for train"),
        (("8.avi,left,validation", "8.avi,,validation"), r"csv, line 10 has no label; expected the class of the video"),
    ],
)
def test_labels_that_cannot_be_learned_are_refused(
    edit: tuple[str, str], message: str, corpus: Path, configure: Configure
) -> None:
    changed = corpus.with_name(f"changed_{len(edit[1])}.csv")
    changed.write_text(corpus.read_text().replace("\n8.avi", "\n8.avi").replace(*edit))
    with pytest.raises(VideoDataError, match=message):
        data.load(configure(changed).data)
