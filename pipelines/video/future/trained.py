"""A trained forecaster of frames, as it lies in a run folder."""

import keras
import tensorflow as tf

from pipelines.checkpoints import load_trained
from pipelines.runs import Run
from pipelines.video.future.config import FutureConfiguration
from pipelines.video.future.model import FrameForecaster


def build(configuration: FutureConfiguration) -> FrameForecaster:
    """Returns an untrained forecaster, its weights made."""
    keras.config.set_dtype_policy(configuration.training.dtype_policy)
    data = configuration.data
    forecaster = FrameForecaster(configuration.network, data.channels, configuration.seed)
    forecaster(tf.zeros((1, 1, *data.frame_shape)), future=1)
    return forecaster


def load_forecaster(run: Run) -> FrameForecaster:
    """Returns the forecaster of a finished run, with its trained weights.

    Raises:
        RunError: the run was not trained to its end, or its weights do not fit the forecaster.
    """
    configuration = run.read_configuration(FutureConfiguration)
    return load_trained(run, lambda: build(configuration))
