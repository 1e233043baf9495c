"""From videos to batches: clips drawn anew in every epoch to learn from, fixed ones to validate and to test."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Self

import numpy as np
import pydantic
import tensorflow as tf
from pydantic import Field

import data
from data import moving_fashion
from data.fashion_images import fashion_images
from data.moving_fashion import MovingFashion
from pipelines.configuration import ConfigurationError
from pipelines.rows import make_batches, row_numbers
from pipelines.video import sources
from pipelines.video.clips import batch_clips, clips_of, read_clips
from pipelines.video.next_frames import moving_mnist
from pipelines.video.recordings import Recordings
from pipelines.video.sources import VideoConfiguration

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
AT_ONCE = 16  # clips that are evaluated together


class DataConfiguration(VideoConfiguration):
    """Which clips, and how much of each is watched before the rest is forecast."""

    source: Literal["moving_fashion", "folder", "csv", "real_clips", "moving_mnist", "ucf101"] = Field(
        "moving_fashion", description="clothes that drift and bounce, your own videos, or a video data set"
    )
    path: str = Field(
        "", description="folder of videos, list of path and optionally start, end, split, or Moving MNIST's own file"
    )
    colour: Literal["grey", "rgb"] = Field("grey", description="one channel or three")
    clip_frames: int = Field(20, ge=2, description="frames of a clip")
    future_frames: int = Field(10, ge=1, description="frames of a clip that are forecast from those before")
    batch_size: int = Field(8, ge=1, description="clips of a batch")
    crop: int = Field(0, ge=0, description="side of random training crops, in pixels; 0: whole frames")
    mirror: bool = Field(False, description="also train on mirrored clips")
    validated_clips: int = Field(64, ge=1, description="maximum clips in a validation")

    @property
    def watched_frames(self) -> int:
        """Frames of a clip that are given."""
        return self.clip_frames - self.future_frames

    @property
    def training_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of what is learned from."""
        return (self.crop, self.crop, self.channels) if self.crop else self.frame_shape

    @pydantic.model_validator(mode="after")
    def _fits(self) -> Self:
        if self.watched_frames < 1:
            raise ValueError(
                f"data.clip_frames must be more than data.future_frames, so that something is watched. Received: "
                f"{self.clip_frames} and {self.future_frames}"
            )
        if self.crop > min(self.height, self.width):
            raise ValueError(
                f"data.crop: expected at most the frame's shorter side, {min(self.height, self.width)}. "
                f"Received: {self.crop}"
            )
        fixed = (moving_fashion.SIZE, moving_fashion.SIZE, 1)
        if self.source == "moving_fashion" and (self.frame_shape != fixed or self.clip_frames > moving_fashion.FRAMES):
            raise ValueError(
                f"data.source moving_fashion has clips of {moving_fashion.FRAMES} grey frames of {fixed[0]} × "
                f"{fixed[1]} pixels: no more data.clip_frames, no other height, width or colour. Received: "
                f"{self.clip_frames} frames of {self.height} × {self.width}, {self.colour}"
            )
        return self


class Sets(NamedTuple):
    """Clips, uint8 (clip_frames, height, width, channels)."""

    draw: Callable[[np.random.Generator], np.ndarray]  # draws a clip to learn from
    batch_clips: int  # clips in a batch of training
    read: Callable[[Split], tf.data.Dataset]  # reads the fixed clips of a split, in their order
    videos: dict[Split, list[str]]  # of each split the name of the video that each fixed clip is from
    skipped: Sequence[tuple[str, str]] = ()  # name and reason of each video that was left out
    recordings: Recordings = Recordings()  # how the videos were recorded

    def names(self, split: Split) -> list[str]:
        """Returns the names of the videos of a split, each once."""
        return list(dict.fromkeys(self.videos[split]))


def load(configuration: DataConfiguration) -> Sets:
    """Opens the configured clips, prepared and decoded if that has not been done.

    Raises:
        ConfigurationError: the source needs a path, or has none.
        VideoDataError: videos cannot be used.
    """
    if configuration.source == "moving_fashion":
        return _moving_fashion(configuration)
    if configuration.source == "moving_mnist" and configuration.path:
        return _moving_mnist(configuration)
    return _videos(configuration)


def training_batches(
    sets: Sets, configuration: DataConfiguration, seed: int, epoch: int, truth_share: float = 0.0
) -> tf.data.Dataset:
    """Endless batches of an epoch, the same each time they are asked for.

    Args:
        truth_share: probability with which the network sees a true frame of the future.

    Returns:
        Dictionaries of `frames` uint8 (batch, clip_frames, height, width, channels), and `truth_mask` bool
        (batch, future_frames): where the network sees the truth instead of its forecast.
    """

    def draw(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        clips, masks = [], []
        for random in (np.random.default_rng((seed, epoch, *row)) for row in rows):
            clips.append(augmented(sets.draw(random), configuration, random))
            masks.append(random.uniform(size=configuration.future_frames) < truth_share)
        return np.stack(clips), np.stack(masks)

    def batch(rows: tf.Tensor) -> dict[str, tf.Tensor]:
        frames, truth_mask = tf.numpy_function(draw, [rows], (tf.uint8, tf.bool))
        shape = (rows.shape[0], configuration.clip_frames, *configuration.training_shape)
        return {
            "frames": tf.ensure_shape(frames, shape),
            "truth_mask": tf.ensure_shape(truth_mask, (rows.shape[0], configuration.future_frames)),
        }

    return make_batches(row_numbers(sets.batch_clips), batch)


def augmented(clip: np.ndarray, configuration: DataConfiguration, random: np.random.Generator) -> np.ndarray:
    """Returns a square of a clip, maybe mirrored; the same square of each frame."""
    if side := configuration.crop:
        row, column = (random.integers(size - side + 1) for size in clip.shape[1:3])
        clip = clip[:, row : row + side, column : column + side]
    return clip[:, :, ::-1] if configuration.mirror and random.integers(2) else clip


def fixed_batches(sets: Sets, split: Split, clips: int | None = None) -> Iterator[np.ndarray]:
    """Yields the fixed clips of a split, uint8 (batch, clip_frames, height, width, channels).

    Args:
        clips: at most so many, evenly spread over them all. Default: all.
    """
    total = len(sets.videos[split])
    chosen = np.unique(np.linspace(0, total - 1, min(clips or total, total)).round().astype(int))
    wanted = np.isin(np.arange(total), chosen)
    numbered = tf.data.Dataset.zip(tf.data.Dataset.from_tensor_slices(wanted), sets.read(split))
    batches = numbered.filter(lambda is_chosen, _: is_chosen).map(lambda _, clip: clip).batch(AT_ONCE)
    yield from batches.prefetch(2).as_numpy_iterator()


def _moving_fashion(configuration: DataConfiguration) -> Sets:
    sources.refuse_settings_of_files(configuration)
    builder = data.prepare(MovingFashion())
    pixels = fashion_images("train").pixels
    frames = configuration.clip_frames

    def read(split: Split) -> tf.data.Dataset:
        return builder.as_dataset(split=split, shuffle_files=False).map(lambda each: each["image_sequence"][:frames])

    videos = {split: [f"clip {number}" for number in range(clips)] for split, clips in moving_fashion.CLIPS.items()}
    return Sets(lambda random: moving_fashion.draw_clip(pixels, random, frames), configuration.batch_size, read, videos)


def _moving_mnist(configuration: DataConfiguration) -> Sets:
    """The user's own file of Moving MNIST."""
    sources.refuse_settings_of_files(configuration, but=("path", "layout"))
    shape = (moving_fashion.SIZE, moving_fashion.SIZE, 1)
    if configuration.frame_shape != shape:
        raise ConfigurationError(
            f"data: Moving MNIST has grey frames of {shape[0]} × {shape[1]} pixels. Leave --data.height, --data.width "
            f"and --data.colour as they are. Received: {configuration.frame_shape}"
        )
    frames = configuration.clip_frames
    draw, fixed = moving_mnist.clips(Path(configuration.path).expanduser(), configuration, frames)

    def read(split: Split) -> tf.data.Dataset:
        total, clip = fixed[split]
        return read_clips(clip, total, (frames, *shape))

    videos = {split: [f"clip {number}" for number in range(total)] for split, (total, _) in fixed.items()}
    return Sets(draw, configuration.batch_size, read, videos)  # type: ignore[arg-type]


def _videos(configuration: DataConfiguration) -> Sets:
    found = sources.open_source(configuration, labelled=False)
    fixed = {split: clips_of(found.splits[split], configuration) for split in SPLITS}
    # Any frame of the training videos may begin a clip.
    starts = clips_of(found.splits["train"], configuration.replace(clip_stride=1))

    def draw(random: np.random.Generator) -> np.ndarray:
        return starts[random.integers(len(starts))].read(configuration.clip_frames)

    def read(split: Split) -> tf.data.Dataset:
        clips, shape = fixed[split], (configuration.clip_frames, *configuration.frame_shape)
        return read_clips(lambda number: clips[number].read(shape[0]), len(clips), shape)

    size = batch_clips(configuration.batch_size, len(fixed["train"]))
    videos = {split: [clip.video.key for clip in clips] for split, clips in fixed.items()}
    return Sets(draw, size, read, videos, found.skipped, found.recordings)
