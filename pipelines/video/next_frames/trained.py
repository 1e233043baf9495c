"""A trained forecaster of frames, as it lies in a run folder."""

import tensorflow as tf

from pipelines.preparation import built, trained_model
from pipelines.runs import Run
from pipelines.video.next_frames.config import NextFramesConfiguration
from pipelines.video.next_frames.model import FrameForecaster


def build(configuration: NextFramesConfiguration) -> FrameForecaster:
    """Returns an untrained forecaster, its weights made."""
    data = configuration.data
    forecaster = FrameForecaster(configuration.network, data.channels, configuration.seed)
    return built(forecaster, tf.zeros((1, 1, *data.frame_shape)), future=1)


def load_model(run: Run) -> FrameForecaster:
    """Returns the forecaster of a finished run, with its trained weights."""
    return trained_model(run, run.read_configuration(NextFramesConfiguration), build)
