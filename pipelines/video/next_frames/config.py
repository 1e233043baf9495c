"""Presets of the task next frames."""

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

import pydantic
from pydantic import Field

from pipelines.commands import TrainingCommand
from pipelines.training import TrainingConfiguration
from pipelines.video.next_frames.data import DataConfiguration
from pipelines.video.next_frames.network import NetworkConfiguration


class NextFramesConfiguration(TrainingCommand):
    """Everything that a training to forecast frames depends on."""

    task: Literal["next_frames"] = "next_frames"
    RENAMED: ClassVar[Mapping[str, str]] = {"truth_epochs": "scheduled_sampling_epochs"}
    data: DataConfiguration = DataConfiguration()
    network: NetworkConfiguration = NetworkConfiguration()
    training: TrainingConfiguration = TrainingConfiguration()
    steps_per_epoch: int = Field(200, ge=1, description="batches between two validations")
    absolute_weight: float = Field(
        0.05,
        ge=0,
        description="weight of the absolute error in the loss, beside the squared error; it keeps dark areas dark",
    )
    similarity_weight: float = Field(
        0.08, ge=0, description="weight of the structural similarity in the loss, beside the squared error"
    )
    watched_weight: float = Field(1.0, ge=0, description="weight of the next-frame loss on the watched frames")
    scheduled_sampling_epochs: int = Field(
        0,
        ge=0,
        description="epochs of scheduled sampling, from true future frames to the network's own forecasts; 0: none",
    )
    thresholds: tuple[float, ...] = Field(
        (), description="values in the data's own unit; the evaluation scores where they are reached, by CSI and others"
    )
    fss_window: int = Field(9, ge=1, description="side of the squares of the fractions skill score, in pixels, odd")

    @pydantic.model_validator(mode="after")
    def _fits(self) -> Self:
        data, network = self.data, self.network
        odd(self.fss_window)
        if data.crop and network.recurrent == "spatiotemporal_lstm":
            raise ValueError(
                "data.crop: a spatiotemporal LSTM is made for one size of frames. Leave the crop out, or set "
                f"--network.recurrent conv_lstm. Received: {data.crop}"
            )
        if data.crop and network.coordinates:
            raise ValueError(
                "data.crop: what is learned from squares has no place in the frame. Leave the crop out, or set "
                f"--network.no_coordinates. Received: {data.crop}"
            )
        side = network.patch * 2 ** (len(network.filters) - 1)
        sizes = {"data.height": data.height, "data.width": data.width, "data.crop": data.crop}
        if wrong := [f"{name} {size}" for name, size in sizes.items() if size % side]:
            raise ValueError(
                f"Frames are cut into patches: expected multiples of {side}, which is network.patch times 2 for each "
                f"level after the first. Received: {', '.join(wrong)}"
            )
        return self


def odd(window: int) -> None:
    """Refuses a window without a middle.

    Raises:
        ValueError: it is even.
    """
    if window % 2 == 0:
        raise ValueError(f"fss_window: expected an odd number, so that a pixel is the middle. Received: {window}")


_NEXT_FRAMES = NextFramesConfiguration(
    network=NetworkConfiguration(inertia=True),
    similarity_weight=0.5,
    absolute_weight=0.1,
    steps_per_epoch=250,
    training=TrainingConfiguration(
        epochs=4,
        optimizer="muon",
        learning_rate=4e-3,
        gradient_clip_norm=1.0,
        weight_average_decay=0.99,
        mixed_precision=True,
    ),
)
_LARGE = _NEXT_FRAMES.replace(
    network={"filters": (64, 96), "movements": 3, "decoder_filters": 96},
    similarity_weight=0.1,
    steps_per_epoch=340,
    training={"epochs": 5},
)
_REAL_VIDEO = _NEXT_FRAMES.replace(
    network={"stillness": 7.0, "coordinates": False, "flow": True},
    similarity_weight=0.1,
    steps_per_epoch=100,
    training={"optimizer": "adamw"},
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
        "batch_size": 4,
    },
)

PRESETS = {"next-frames": _NEXT_FRAMES, "next-frames-large": _LARGE, "real-video": _REAL_VIDEO}
"""Named configurations, the default first.

- `next-frames`: the last ten of twenty frames of Moving-Fashion-MNIST; squared error 125, SSIM 0.729 (seed 0), 14
  minutes of processor time.
- `next-frames-large`: the same data, a network twice as wide, 1.7 times the steps; squared error 89, SSIM 0.750 (seed
  0), 30 minutes of processor time.
- `real-video`: the next frame of three real clips, of which the first part is learned from and the last is forecast;
  PSNR 35.1 dB beside 31.8 of the last frame, 3 minutes of processor time.
"""
