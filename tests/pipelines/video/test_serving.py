"""Exports fit frames of any size as training does."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines.video.frames import DecodingConfiguration, fit
from pipelines.video.serving import fitted


@pytest.mark.parametrize("how", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("size", [(16, 20), (48, 64), (33, 100), (100, 33), (10, 12), (17, 21), (1, 1)])
@pytest.mark.parametrize("colour", ["grey", "rgb"])
def test_the_graph_fits_as_training_does(how: str, size: tuple[int, int], colour: str) -> None:
    configuration = DecodingConfiguration(height=16, width=20, colour=colour, fit=how)
    frames = np.random.default_rng(0).integers(0, 256, (2, 3, *size, configuration.channels), np.uint8)
    found = tf.function(lambda clips: fitted(clips, configuration))(frames).numpy()
    expected = np.stack([[fit(frame, configuration) for frame in clip] for clip in frames])
    assert found.shape == expected.shape and found.dtype == np.uint8
    if how == "stretch" and (size[0] < 16) != (size[1] < 20):
        return  # OpenCV has a way of its own where one side grows and the other shrinks
    np.testing.assert_allclose(found.astype(int), expected, atol=1)
    assert (found != expected).mean() < 0.15  # OpenCV enlarges in fixed-point numbers
    empty = fitted(tf.zeros((0, 3, *size, configuration.channels), tf.uint8), configuration)
    assert empty.shape == (0, 3, *configuration.frame_shape)
