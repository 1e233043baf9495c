"""Presets of the task clip classes."""

from typing import Literal

from pydantic import Field

from pipelines.commands import TrainingCommand
from pipelines.training import TrainingConfiguration
from pipelines.video.clip_classes.data import DataConfiguration
from pipelines.video.clip_classes.network import NetworkConfiguration


class ClipClassesConfiguration(TrainingCommand):
    """Everything that a training of a classifier of clips depends on."""

    task: Literal["clip_classes"] = Field("clip_classes", description="name of the task")
    data: DataConfiguration = DataConfiguration()
    network: NetworkConfiguration = NetworkConfiguration()
    training: TrainingConfiguration = TrainingConfiguration()
    steps_per_epoch: int = Field(100, ge=1, description="batches between two validations")
    baseline_steps: int = Field(400, ge=1, description="batches on which the baselines are trained in the evaluation")


_MOTION = ClipClassesConfiguration(
    training=TrainingConfiguration(epochs=3, learning_rate=2e-3, weight_decay=1e-2, weight_average_decay=0.99),
    steps_per_epoch=200,
)
_MOTION_LARGE = _MOTION.replace(
    network={"filters": 24, "features": 128, "units": 128, "layers": 2}, training={"epochs": 12}, steps_per_epoch=250
)
_OWN = _MOTION.replace(
    data={"source": "folder", "height": 64, "width": 64, "colour": "rgb"},
    network={"stages": 4, "dropout": 0.3},
    training={"epochs": 20, "learning_rate": 1e-3},
    steps_per_epoch=100,
)

PRESETS = {"motion-class": _MOTION, "motion-class-large": _MOTION_LARGE, "own-classes": _OWN}
"""Named configurations, the default first.

- `motion-class`: eight motions of small pictures; accuracy 0.986, 68 s of processor time (2 to 3 minutes on two busy
  CPU cores).
- `motion-class-large`: the same with a wider network and five times as many clips; accuracy 1.000, 10 minutes of
  processor time.
- `own-classes`: your own videos in class folders, `--data.path clips/`; or of a CSV, `--data.source csv`.
"""
