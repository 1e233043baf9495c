"""Presets of the task `future`."""

from typing import Literal

from pydantic import Field

from pipelines.tasks import TaskCommand
from pipelines.training import TrainingConfiguration
from pipelines.video.future.data import DataConfiguration
from pipelines.video.future.network import NetworkConfiguration


class FutureConfiguration(TaskCommand):
    """Everything that a training to forecast frames depends on."""

    task: Literal["future"] = "future"
    data: DataConfiguration = DataConfiguration()
    network: NetworkConfiguration = NetworkConfiguration()
    training: TrainingConfiguration = TrainingConfiguration()
    steps_per_epoch: int = Field(200, ge=1, description="batches between two validations")
    absolute_weight: float = Field(
        0.05, ge=0, description="weight of the absolute error in the loss, beside the squared: it keeps darkness dark"
    )
    similarity_weight: float = Field(
        0.08, ge=0, description="weight of the structural similarity in the loss, beside the squared error"
    )
    watched_weight: float = Field(
        1.0,
        ge=0,
        description="weight of the next frames forecast while the network watches, beside those of the future",
    )
    truth_epochs: int = Field(
        0,
        ge=0,
        description="scheduled sampling: in the first epochs the network is shown ever fewer true frames of the future "
        "instead of its own forecasts; 0: it sees its own from the start",
    )


_NEXT_FRAMES = FutureConfiguration(
    network=NetworkConfiguration(patch=8, filters=(64,)),
    training=TrainingConfiguration(
        epochs=4, learning_rate=4e-3, gradient_clip_norm=1.0, weight_average_decay=0.99, mixed_precision=True
    ),
)
_LARGE = _NEXT_FRAMES.replace(network={"filters": (48, 96)}, training={"epochs": 40})
_REAL_VIDEO = _NEXT_FRAMES.replace(
    data={
        "source": "real_clips",
        "height": 144,
        "width": 176,
        "colour": "rgb",
        "clip_frames": 6,
        "future_frames": 1,
        "clip_stride": 1,
        "crop": 64,
        "mirror": True,
    }
)

PRESETS = {"next-frames": _NEXT_FRAMES, "next-frames-large": _LARGE, "real-video": _REAL_VIDEO}
"""Named configurations, the default first."""
