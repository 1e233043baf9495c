"""From videos to labelled clips in batches: classes, splits, and clips drawn for training."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
import tensorflow as tf
from pydantic import Field

import data
from data import motion_clips
from data.fashion_images import fashion_images
from data.motion_clips import MOTIONS, SIZE, MotionClips, draw_clip
from pipelines.configuration import ConfigurationError
from pipelines.hints import counted, listed
from pipelines.rows import make_batches, row_numbers
from pipelines.video.clips import batch_clips, clips_of, read_clips
from pipelines.video.frames import VideoDataError
from pipelines.video.recordings import Recordings
from pipelines.video.sources import Video, VideoConfiguration, Videos, open_source, refuse_settings_of_files
from pipelines.video.video_folders import SPLITS

JUDGED_AT_ONCE = 64  # clips


class DataConfiguration(VideoConfiguration):
    """Which clips to learn from, and how they are batched."""

    source: Literal["motion_clips", "folder", "csv", "ucf101"] = Field(
        "motion_clips", description="built-in data set, your own videos in class folders or a CSV, or a public TFDS set"
    )
    height: int = Field(SIZE, ge=1, le=4096, description="size of a frame in pixels")
    width: int = Field(SIZE, ge=1, le=4096, description="size of a frame in pixels")
    colour: Literal["grey", "rgb"] = Field("grey", description="one channel or three")
    mirror: bool = Field(
        False, description="mirror half of the training clips; not if left and right distinguish classes"
    )
    balanced: bool = Field(False, description="draw all classes equally often in training")
    batch_size: int = Field(32, ge=1, description="clips in a batch")


class Examples(NamedTuple):
    """The clips of a split, in an order that never changes."""

    labels: np.ndarray  # int32 (clips,), places in the classes
    videos: np.ndarray  # int32 (clips,), which video each clip is of, a place in `keys`
    keys: list[str]  # names of the videos
    read: Callable[[int], np.ndarray]  # the frames of a clip by its number, uint8 (time, height, width, channels)


class Sets(NamedTuple):
    """All clips of a configuration."""

    classes: tuple[str, ...]  # their names
    splits: dict[str, Examples]  # the clips of train, validation and test
    draw: Callable[[np.random.Generator], tuple[np.ndarray, int]]  # draws a clip of training and its label
    batch_clips: int  # clips in a batch of training
    skipped: list[tuple[str, str]]  # key and reason of each video that is left out
    recordings: Recordings = Recordings()  # how the videos were recorded


def load(configuration: DataConfiguration) -> Sets:
    """Opens the clips and refuses what cannot be learned, by name, before training starts.

    Raises:
        ConfigurationError: a setting does not fit the source.
        VideoDataError: videos or labels cannot be used.
    """
    if configuration.source == "motion_clips":
        return _motions(configuration)
    return _videos(open_source(configuration), configuration)


def training_batches(sets: Sets, configuration: DataConfiguration, seed: int, epoch: int) -> tf.data.Dataset:
    """Endless batches of an epoch, the same each time they are asked for.

    Returns:
        Pairs of uint8 (batch, time, height, width, channels) and int32 (batch,), the labels.
    """

    def draw(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        clips, labels = zip(*(sets.draw(np.random.default_rng((seed, epoch, *row))) for row in rows), strict=True)
        return np.stack(clips), np.array(labels, np.int32)

    def batch(rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        clips, labels = tf.numpy_function(draw, [rows], (tf.uint8, tf.int32))
        shape = (rows.shape[0], configuration.clip_frames, *configuration.frame_shape)
        return tf.ensure_shape(clips, shape), tf.ensure_shape(labels, shape[:1])

    return make_batches(row_numbers(sets.batch_clips), batch)


def batches(examples: Examples, configuration: DataConfiguration) -> tf.data.Dataset:
    """The clips of a split, in order, in batches uint8 (batch, time, height, width, channels)."""
    shape = configuration.clip_frames, *configuration.frame_shape
    return read_clips(examples.read, len(examples.labels), shape).batch(JUDGED_AT_ONCE).prefetch(2)


def _motions(configuration: DataConfiguration) -> Sets:
    """The eight motions: endless clips to learn from, and those of the data set to be judged by."""
    if configuration.frame_shape != (SIZE, SIZE, 1) or configuration.clip_frames > motion_clips.FRAMES:
        raise ConfigurationError(
            f"data: the motion clips are grey, of {SIZE}×{SIZE} pixels and at most {motion_clips.FRAMES} frames. Leave "
            "--data.height, --data.width, --data.colour and --data.clip_frames as they are. Received: "
            f"{configuration.frame_shape} and {configuration.clip_frames} frames"
        )
    refuse_settings_of_files(configuration)
    if configuration.mirror or configuration.balanced:
        raise ConfigurationError(
            "data.mirror and data.balanced: the motion clips are drawn, all classes alike, and a mirror would make "
            "right of left. Leave them out, or set --data.source folder for your own videos. Received: "
            f"{configuration.mirror} and {configuration.balanced}"
        )
    builder, frames = data.prepare(MotionClips()), configuration.clip_frames
    splits = {}
    for split in SPLITS:
        clips = list(builder.as_dataset(split=split, shuffle_files=False).as_numpy_iterator())
        videos = np.stack([clip["video"][:frames] for clip in clips])
        labels = np.array([clip["label"] for clip in clips], np.int32)
        names = [f"{split}/{number}" for number in range(len(clips))]
        splits[split] = Examples(labels, np.arange(len(clips), dtype=np.int32), names, videos.__getitem__)
    pixels = fashion_images("train").pixels

    def draw(random: np.random.Generator) -> tuple[np.ndarray, int]:
        label = int(random.integers(len(MOTIONS)))
        return draw_clip(pixels, label, random, frames), label

    return Sets(MOTIONS, splits, draw, configuration.batch_size, [])


def _videos(videos: Videos, configuration: DataConfiguration) -> Sets:
    """Decoded videos: clips at random places to learn from, and all clips one after another to be judged by."""
    classes = _classes(videos)
    splits = {split: _examples(each, classes, configuration) for split, each in videos.splits.items()}
    learned, length = videos.splits["train"], configuration.clip_frames
    by_class = [[video for video in learned if video.label == label] for label in classes]

    def draw(random: np.random.Generator) -> tuple[np.ndarray, int]:
        drawn = by_class[random.integers(len(classes))] if configuration.balanced else learned
        video = drawn[random.integers(len(drawn))]
        start = int(random.integers(video.shard.frames - length + 1))
        clip = video.shard.read(start, start + length)
        if configuration.mirror and random.random() < 0.5:
            clip = clip[:, :, ::-1]
        return clip, classes.index(video.label)

    size = batch_clips(configuration.batch_size, len(splits["train"].labels))
    return Sets(classes, splits, draw, size, videos.skipped, videos.recordings)


def _examples(videos: Sequence[Video], classes: tuple[str, ...], configuration: DataConfiguration) -> Examples:
    clips = clips_of(videos, configuration)
    numbers = {video.key: number for number, video in enumerate(videos)}

    def read(number: int) -> np.ndarray:
        return clips[number].read(configuration.clip_frames)

    labels = np.array([classes.index(clip.video.label) for clip in clips], np.int32)
    return Examples(labels, np.array([numbers[clip.video.key] for clip in clips], np.int32), list(numbers), read)


def _classes(videos: Videos) -> tuple[str, ...]:
    """The classes of the training split; refuses videos that belong to none of them."""
    every = [(split, video) for split, each in videos.splits.items() for video in each]
    classes = tuple(sorted({video.label for video in videos.splits["train"]}))
    if len(classes) < 2:
        raise VideoDataError(
            "There is one class only, so there is nothing to tell apart; expected two or more with videos for "
            f"training. Add videos of other classes. Received: {classes[0]!r}"
        )
    if unknown := [f"{video.key} ({split}, {video.label})" for split, video in every if video.label not in classes]:
        raise VideoDataError(
            f"{counted(len(unknown), 'video')} of classes without any video for training; expected some of each. Add "
            "videos of the class (a hash of each one decides its split), or name those for training: a CSV file with a "
            f"column split. Received: {listed(unknown)}"
        )
    return classes
