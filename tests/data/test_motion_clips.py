"""The eight motions: each moves as its name says, and a single frame tells nothing about it."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sklearn.ensemble import RandomForestClassifier

import data
from data import motion_clips
from data.motion_clips import FRAMES, MOTIONS, SCALES, SIZE, SPEEDS, MotionClips, draw_clip, draw_poses


def clothes(images: int, seed: int = 0) -> np.ndarray:
    """Bright rectangles, one corner cut, with a dark border, as the pictures of clothes have."""
    random = np.random.default_rng(seed)
    pixels = np.zeros((images, 28, 28), np.uint8)
    for image in pixels:
        height, width = random.integers(8, 22, 2)
        image[3 : 3 + height, 4 : 4 + width] = random.integers(90, 255)
        image[3:7, 4:7] = 40
    return pixels


@pytest.fixture
def images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures in place of the package, others in each split."""
    parts = {split: clothes(50, seed) for seed, split in enumerate(("train", "validation", "test"))}
    monkeypatch.setattr(
        motion_clips, "fashion_images", lambda split: data.fashion_images.FashionImages(parts[split], [])
    )


@pytest.mark.parametrize("label", range(8))
def test_a_motion_changes_what_its_name_says_at_constant_speed(label: int) -> None:
    for seed in range(50):
        poses = draw_poses(label, np.random.default_rng(seed))
        circles = {"rows": SIZE, "columns": SIZE, "angles": 360.0, "scales": np.log(SCALES[1] / SCALES[0])}
        values = poses._replace(scales=np.log(poses.scales))._asdict()
        steps = {name: np.diff(value) for name, value in values.items()}
        # On a circle the step is the shortest way.
        steps = {name: (step + circles[name] / 2) % circles[name] - circles[name] / 2 for name, step in steps.items()}
        moving = ("columns", "columns", "rows", "rows", "angles", "angles", "scales", "scales")[label]
        low, high = SPEEDS[("shift", "shift", "turn", "zoom")[label // 2]]
        for name, step in steps.items():
            np.testing.assert_allclose(step, step[0], atol=1e-9)
            if name != moving:
                assert abs(step[0]) < 1e-9
        speed = steps[moving][0]
        assert low <= abs(speed) <= high
        assert (speed < 0) == (MOTIONS[label] in ("left", "up", "counterclockwise", "away"))


def test_the_picture_is_seen_in_its_pose() -> None:
    """A single bright dot, right of the middle, on a picture: where it is to be found is geometry."""
    dot = np.zeros((1, 28, 28), np.uint8)
    dot[0, 12:16, 21:25] = 255  # 9 pixels to the right of the middle
    for label in range(8):
        random = np.random.default_rng(label)
        clip = draw_clip(dot, label, np.random.default_rng(label))[..., 0].astype(float)
        random.integers(1)  # the choice of the picture
        poses = draw_poses(label, random)
        for frame, row, column, angle, scale in zip(clip, *poses, strict=True):
            turned = np.deg2rad(angle)  # clockwise: from right to down
            expected = row + 9 * scale * np.sin(turned), column + 9 * scale * np.cos(turned)
            for axis in (0, 1):
                # The mean on a circle, so that a dot over the joined sides is no exception.
                turn = np.exp(2j * np.pi * (np.arange(SIZE) + 0.5) / SIZE)
                mean = np.angle((frame.sum(axis=1 - axis) * turn).sum()) / (2 * np.pi) * SIZE
                assert abs((mean - expected[axis] + SIZE / 2) % SIZE - SIZE / 2) < 0.75


def test_poses_are_distributed_alike_in_all_classes_at_every_frame() -> None:
    """Each coordinate is uniform, and no two depend on each other: so are the joint distributions, in every class."""
    low, high = np.log(SCALES)
    for label in range(8):
        poses = np.array([draw_poses(label, np.random.default_rng((label, seed))) for seed in range(2000)])
        poses[:, 3] = np.log(poses[:, 3]) - low
        shares = poses / np.array([SIZE, SIZE, 360.0, high - low])[:, np.newaxis]  # (clips, 4, frames)
        for frame in (0, 1, FRAMES // 2, FRAMES - 1):
            values = shares[..., frame]
            for coordinate in values.T:
                assert stats.kstest(coordinate, "uniform").pvalue > 1e-5
            cells = np.minimum((values * 3).astype(int), 2) @ [27, 9, 3, 1]  # 81 of them
            assert stats.chisquare(np.bincount(cells, minlength=81)).pvalue > 1e-5


@pytest.mark.parametrize("frame", [0, FRAMES // 2])
def test_a_single_frame_stays_at_chance(frame: int) -> None:
    """A classifier that knows the frames of training by heart is right one time in eight on others."""
    pixels, labels = clothes(200), np.arange(2000) % 8
    clips = [draw_clip(pixels, label, np.random.default_rng((1, n)), frame + 1) for n, label in enumerate(labels)]
    flat = np.array([clip[frame, 1::3, 1::3, 0].ravel() for clip in clips])
    learned = RandomForestClassifier(60, random_state=0).fit(flat[:1000], labels[:1000])
    assert learned.score(flat[:1000], labels[:1000]) > 0.99
    right = int((learned.predict(flat[1000:]) == labels[1000:]).sum())
    assert stats.binomtest(right, 1000, 1 / 8).pvalue > 1e-4


def test_two_frames_tell_the_motion() -> None:
    """So that the test before says something: shifted to the side to which it moves, one frame is like the next."""
    pixels, labels = clothes(200), np.arange(200) % 2
    clips = [draw_clip(pixels, label, np.random.default_rng(n), 2)[..., 0] for n, label in enumerate(labels)]

    def likeness(shift: int) -> np.ndarray:
        return np.array([np.corrcoef(np.roll(one, shift, 1).ravel(), two.ravel())[0, 1] for one, two in clips])

    assert ((likeness(2) < likeness(-2)) == labels).mean() > 0.95


def test_prepared_clips_are_deterministic_balanced_and_of_their_own_images(images: None, tmp_path: Path) -> None:
    counts = {"train": 16, "validation": 8, "test": 24}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(motion_clips, "CLIPS", counts)
        builder = data.prepare(MotionClips(data_dir=tmp_path / "one"))
        again = data.prepare(MotionClips(data_dir=tmp_path / "two"))
    for split, clips in counts.items():
        examples = list(builder.as_dataset(split=split).as_numpy_iterator())
        assert np.bincount([each["label"] for each in examples]).tolist() == [clips // 8] * 8
        pixels = motion_clips.fashion_images(split).pixels
        for one, two in zip(examples, again.as_dataset(split=split).as_numpy_iterator(), strict=True):
            np.testing.assert_array_equal(one["video"], two["video"], strict=True)
            assert one["video"].shape == (FRAMES, SIZE, SIZE, 1)
        clip = draw_clip(pixels, 3, np.random.default_rng((motion_clips.SEEDS[split], 3)))
        assert any(np.array_equal(clip, each["video"]) for each in examples if each["label"] == 3)
    assert tuple(builder.info.features["label"].names) == MOTIONS
    assert len(set(motion_clips.SEEDS.values())) == 3
    assert builder.info.redistribution_info.license == "MIT"
