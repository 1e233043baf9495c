"""Baselines: what they see, and that they can learn what is to be seen there."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipelines.video.clip_classes import baselines, data
from pipelines.video.clip_classes.config import ClipClassesConfiguration

Configure = Callable[..., ClipClassesConfiguration]


def test_one_sees_the_middle_frame_and_one_the_mean() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (3, 7, 4, 5, 2), np.uint8)
    np.testing.assert_array_equal(baselines.PICTURES["single frame"](frames), frames[:, 3])
    np.testing.assert_allclose(baselines.PICTURES["mean of frames"](frames), frames.mean(axis=1), rtol=1e-5)


def test_majority_is_the_shares_of_training(corpus: Path, configure: Configure) -> None:
    sets = data.load(configure(corpus).data)
    train = sets.splits["train"]._replace(labels=np.array([0, 1, 1, 1], np.int32))
    shares = baselines.majority(sets._replace(splits=sets.splits | {"train": train}), "test")
    np.testing.assert_allclose(shares, [[0.25, 0.75]] * 8)


@pytest.mark.parametrize("name", list(baselines.PICTURES))
def test_a_baseline_learns_what_a_picture_shows_and_not_what_it_hides(
    name: str, corpus: Path, configure: Configure
) -> None:
    """Whether the square moves right or left is in no picture; how bright the clip is, is in each."""
    configuration = configure(corpus, baseline_steps=120)
    sets = data.load(configuration.data)

    def draw(random: np.random.Generator) -> tuple[np.ndarray, int]:
        clip, _ = sets.draw(random)
        bright = int(random.integers(2))
        return clip // (1 if bright else 4), bright

    def read(number: int) -> np.ndarray:
        return sets.splits["test"].read(number) // (1 if number % 2 else 4)

    bright = sets.splits["test"]._replace(videos=np.arange(16), keys=list(map(str, range(16))), read=read)
    learned = baselines.fitted(name, configuration, sets._replace(draw=draw))
    said = baselines.probabilities(name, learned, bright, configuration.data)
    assert (said.argmax(axis=1) == np.arange(16) % 2).all()
    again = baselines.fitted(name, configuration, sets._replace(draw=draw))
    np.testing.assert_array_equal(baselines.probabilities(name, again, bright, configuration.data), said)
