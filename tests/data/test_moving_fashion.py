"""Moving-Fashion-MNIST: how the clothes move, and that the splits are made once and share no image."""

import numpy as np
import pytest

import data
from data import moving_fashion as module
from data.fashion_images import FashionImages
from data.moving_fashion import SIDE, SIZE, MovingFashion, bounced, draw_clip

DOT = np.zeros((1, SIDE, SIDE), np.uint8)
DOT[0, 0, 0] = 255  # the upper left corner of its image


@pytest.fixture
def few_clips(monkeypatch):
    """Splits whose images say in their brightness where they come from."""
    brightness = {"train": 50, "validation": 100, "test": 150}

    def images(split):
        return FashionImages(np.full((3, SIDE, SIDE), brightness[split], np.uint8), np.zeros(3, np.uint8))

    monkeypatch.setattr(module, "fashion_images", images)
    monkeypatch.setattr(module, "CLIPS", {"train": 3, "validation": 2, "test": 4})
    return brightness


def test_bouncing_is_what_a_step_by_step_simulation_does():
    random = np.random.default_rng(0)
    for _ in range(20):
        position, velocity, room = random.uniform(0, 36), random.uniform(-5, 5), 36.0
        start, towards, places = position, velocity, [position]
        for _ in range(40):
            position += towards
            if not 0 <= position <= room:
                position = -position if position < 0 else 2 * room - position
                towards = -towards
            places.append(position)
        np.testing.assert_allclose(bounced(start + velocity * np.arange(41), room), places, atol=1e-9)


def test_speeds_stay_between_two_and_five_pixels_a_frame(monkeypatch):
    monkeypatch.setattr(module, "OBJECTS", 1)
    speeds = []
    for number in range(200):
        clip = draw_clip(DOT, np.random.default_rng(number))
        frames, rows, columns = np.nonzero(clip[..., 0])
        assert frames.tolist() == list(range(20))  # seen in each frame, so never outside of it
        places = np.stack([rows, columns], axis=1)
        distance = np.abs(np.diff(places, axis=0))
        far_from_walls = ((places[:-1] > 5) & (places[:-1] < SIZE - SIDE - 5)).all(axis=1)
        speeds += np.linalg.norm(distance[far_from_walls], axis=1).tolist()
    rounding = np.sqrt(2)  # of both ends of a step to whole pixels
    assert 2 - rounding <= min(speeds) and max(speeds) <= 5 + rounding
    assert np.mean(speeds) == pytest.approx(3.5, abs=0.2)


def test_where_they_overlap_the_brighter_is_seen():
    images = np.stack([np.full((SIDE, SIDE), value, np.uint8) for value in (60, 200)])
    clips = np.stack([draw_clip(images, np.random.default_rng(number)) for number in range(30)])
    assert set(np.unique(clips)) == {0, 60, 200}
    both = [clip for clip in clips if {60, 200} <= set(np.unique(clip))]
    assert len(both) > 5
    for clip in both:
        assert ((clip == 200).sum(axis=(1, 2, 3)) == SIDE**2).all()  # never covered


def test_the_same_seed_draws_the_same_clip():
    images = np.random.default_rng(0).integers(256, size=(5, SIDE, SIDE), dtype=np.uint8)
    first, again, other = (draw_clip(images, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    np.testing.assert_array_equal(draw_clip(images, np.random.default_rng(1), frames=7), first[:7])


def test_splits_are_made_of_their_own_images_only(few_clips, tmp_path):
    builder = data.prepare(MovingFashion(data_dir=tmp_path))
    for split, number in module.CLIPS.items():
        clips = [each["image_sequence"] for each in builder.as_dataset(split=split).as_numpy_iterator()]
        assert len(clips) == number and {clip.shape for clip in clips} == {(20, SIZE, SIZE, 1)}
        assert {int(value) for clip in clips for value in np.unique(clip)} == {0, few_clips[split]}
    assert builder.info.redistribution_info.license == "MIT"


@pytest.mark.slow
def test_the_fixed_test_clips_are_as_hard_as_ever():
    """Recomputed here: all black, and the last input frame, are as wrong as other makers of such clips have found."""
    builder = data.prepare(MovingFashion())
    clips = [each["image_sequence"][..., 0] for each in builder.as_dataset(split="test").as_numpy_iterator()]
    frames = np.stack(clips).astype(np.float32) / 255
    black = np.square(frames[:, 10:]).sum(axis=(2, 3)).mean()
    copied = np.square(frames[:, 10:] - frames[:, 9:10]).sum(axis=(2, 3)).mean()
    assert black == pytest.approx(312, rel=0.03) and 350 < copied < 380
