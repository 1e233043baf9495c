"""Clips: parts of videos, all of one length, and how they are read."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from pipelines.hints import counted
from pipelines.video.sources import Video, VideoConfiguration


class Clip(NamedTuple):
    """Some frames of a video, from `start` on."""

    video: Video
    start: int

    def read(self, frames: int) -> np.ndarray:
        """Returns the frames, uint8 (frames, height, width, channels)."""
        return self.video.shard.read(self.start, self.start + frames)


def batch_clips(wanted: int, clips: int) -> int:
    """Returns how many clips a batch has: as many as are wanted, but never more than there are, which is reported."""
    if wanted > clips:
        print(f"data.batch_size {wanted} is more than there is to learn from: {counted(clips, 'clip')} in a batch.")
    return min(wanted, clips)


def clips_of(videos: Iterable[Video], configuration: VideoConfiguration) -> list[Clip]:
    """Returns the clips of videos, in their order; what is left over at a video's end is in none."""
    length, stride = configuration.clip_frames, configuration.clip_stride or configuration.clip_frames
    return [Clip(video, start) for video in videos for start in range(0, video.shard.frames - length + 1, stride)]


def read_clips(read: Callable[[int], np.ndarray], clips: int, shape: tuple[int, ...]) -> tf.data.Dataset:
    """Returns so many clips, uint8, of a shape (frames, height, width, channels), read as they are consumed."""

    def clip(number: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(tf.numpy_function(read, [number], tf.uint8), shape)

    return tf.data.Dataset.range(clips).map(clip, num_parallel_calls=2, deterministic=True)
