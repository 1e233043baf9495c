"""The structural similarity that is learned from, against scikit-image's."""

import numpy as np
import pytest
import tensorflow as tf
from skimage.metrics import structural_similarity as reference

from pipelines.video.next_frames.losses import structural_similarity


@pytest.mark.parametrize("channels", [1, 3])
def test_similarity_is_that_of_scikit_image(channels: int) -> None:
    random = np.random.default_rng(0)
    truth = random.uniform(size=(3, 20, 24, channels)).astype(np.float32)
    forecasts = np.clip(truth + 0.2 * random.normal(size=truth.shape), 0, 1).astype(np.float32)
    truth[0, :10], forecasts[0, :8] = 0, 0  # darkness, whose variance is zero
    expected = [reference(*pair, data_range=1.0, channel_axis=-1) for pair in zip(forecasts, truth, strict=True)]
    np.testing.assert_allclose(structural_similarity(forecasts, truth), expected, atol=1e-4)
    np.testing.assert_allclose(structural_similarity(truth, truth), 1, atol=1e-5)


def test_its_gradient_is_finite_in_darkness() -> None:
    frames = tf.zeros((1, 9, 9, 1))
    with tf.GradientTape() as tape:
        tape.watch(frames)
        found = structural_similarity(frames, tf.zeros_like(frames))
    assert np.isfinite(tape.gradient(found, frames)).all()
