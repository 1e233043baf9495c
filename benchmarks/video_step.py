"""A training step of a frame forecaster, with ConvLSTM2D of `models` and of `keras.layers`, in one run.

`python -m benchmarks.video_step`: the two take turns, so that what else the machine does falls on both.
"""

import time
from functools import partial
from statistics import median
from typing import Any, NamedTuple
from unittest.mock import patch

import keras
import numpy as np
import tensorflow as tf
import tyro
from rich.console import Console
from rich.table import Table

from pipelines.optimization import TrainingConfiguration, TrainingStep
from pipelines.video.next_frames.config import PRESETS, NextFramesConfiguration
from pipelines.video.next_frames.model import build
from pipelines.video.next_frames.train import batch_loss

NETWORKS: dict[str, dict[str, Any]] = {
    "ConvLSTM": {"head": "pixels", "matching": (), "coordinates": False, "patch": 4, "filters": (64,), "depth": 2},
    "of the preset next-frames": {},
}
"""The plain encoder–forecaster of two layers, and what the preset adds to it, which is no recurrence."""


class KerasConvLSTM2D(keras.layers.ConvLSTM2D):
    """Keras's layer, with a single step for the frames that the network forecasts itself."""

    def step(self, inputs: Any, state: Any, training: bool = False) -> tuple[Any, Any]:
        """As `models.ConvLSTM2D.step`."""
        return self.cell(inputs, state, training=training)


LAYERS = {"models": None, "keras.layers": KerasConvLSTM2D}


class Measured(NamedTuple):
    """The median milliseconds of a step, on the clock and of all processors."""

    wall: float
    processor: float


def training_step(
    configuration: NextFramesConfiguration, layer: type | None
) -> tuple[TrainingStep, dict[str, tf.Tensor]]:
    """Returns the step of a network, with another ConvLSTM2D if one is given, and a batch."""
    if layer is None:
        forecaster = build(configuration)
    else:
        with patch("models.ConvLSTM2D", layer):
            forecaster = build(configuration)
    data = configuration.data
    shape = (data.batch_size, data.clip_frames, *data.frame_shape)
    frames = np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)
    batch = {"frames": tf.constant(frames), "truth_mask": tf.zeros((data.batch_size, data.future_frames), tf.bool)}
    specification = tf.nest.map_structure(tf.TensorSpec.from_tensor, batch)
    loss = partial(batch_loss, forecaster, configuration)
    return TrainingStep(forecaster, loss, TrainingConfiguration(), 1000, specification), batch


def measure(configuration: NextFramesConfiguration, rounds: int) -> dict[str, Measured]:
    """Times the steps of both layers in turn, after one that makes the graph."""
    steps = {name: training_step(configuration, layer) for name, layer in LAYERS.items()}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in steps}
    for number in range(rounds + 1):
        for name in list(steps)[:: 1 if number % 2 == 0 else -1]:
            step, batch = steps[name]
            wall, processor = time.perf_counter(), time.process_time()
            step(batch)
            step.means()  # waits for the step
            if number:
                times[name].append((time.perf_counter() - wall, time.process_time() - processor))
    return {name: Measured(*(1e3 * median(each) for each in zip(*taken, strict=True))) for name, taken in times.items()}


def main(rounds: int = 10, batch_size: int = 8, mixed_precision: bool = False) -> None:
    """Times a training step with either layer.

    Args:
        rounds: steps of each.
        batch_size: clips of a step.
        mixed_precision: compute in bfloat16.
    """
    table = Table("network", "layer", "ms", "times", "processor ms", "times")
    for name, network in NETWORKS.items():
        configuration = PRESETS["next-frames"].replace(
            network=network, data={"batch_size": batch_size}, training={"mixed_precision": mixed_precision}
        )
        keras.config.set_dtype_policy(configuration.training.dtype_policy)
        measured = measure(configuration, rounds)
        ours = measured["models"]
        for layer, taken in measured.items():
            ratios = (f"{one / other:.2f}" for one, other in zip(taken, ours, strict=True))
            wall, processor = (f"{value:.0f}" for value in taken)
            table.add_row(name, layer, wall, next(ratios), processor, next(ratios))
    Console().print(table)


if __name__ == "__main__":
    tyro.cli(main)
