"""Forecasts the frames that come next: a trained forecaster, from its run or its export."""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.files import as_path
from pipelines import commands
from pipelines.arguments import checked, in_range
from pipelines.hints import counted
from pipelines.predictors import BasePredictor
from pipelines.runs import Run
from pipelines.served import Served
from pipelines.video.frames import TOLERANCE, Frames, Timed, Video, VideoDataError, fitted, refuse_other
from pipelines.video.next_frames import moving_mnist
from pipelines.video.next_frames.baselines import copy_last
from pipelines.video.next_frames.config import NextFramesConfiguration
from pipelines.video.next_frames.model import load_model
from pipelines.video.next_frames.scoring import levels_of, metrics, score
from pipelines.video.next_frames.serving import signatures
from pipelines.video.recordings import decoding_of, other_rate, recorded
from pipelines.video.video_files import decode_timed, refuse_several

EXAMPLE = ("predict-video", "VIDEO", "clip.mp4")


SLOWEST = 4.0
"""Frames a second; videos with fewer are read from their beginning to find what is watched before a time."""


class Watched(NamedTuple):
    """What is watched of a video, uint8 (time, height, width, channel), what comes then, and the frames a second."""

    given: np.ndarray
    truth: np.ndarray
    rate: float


class Compared(NamedTuple):
    """A forecast beside what came.

    Attributes:
        watched: what was watched, and the truth, uint8 (length, height, width, channel).
        future: the forecast, as the truth.
        scores: by row, `model` and `copy last`, the means over the frames by metric, as an evaluation has them.
    """

    watched: Watched
    future: np.ndarray
    scores: dict[str, dict[str, float]]


class Predictor(BasePredictor):
    """Forecasts frames; stays ready for more."""

    def __init__(self, run: Run, model: Served) -> None:
        super().__init__(run, model)
        configuration = run.read_configuration(NextFramesConfiguration)
        self.decoding = decoding_of(run, configuration.data)
        if self.decoding.source == "moving_mnist":
            self.decoding = self.decoding.replace(layout=self.decoding.layout or moving_mnist.LAYOUT)
        self._levels = levels_of(configuration.thresholds, self.decoding.value_range)
        self._window = configuration.fss_window
        self._recordings = recorded(run)

    @checked
    def predict(
        self, videos: Video | Sequence[Video], length: int | None = None, item: int | None = None
    ) -> np.ndarray | list[np.ndarray]:
        """Returns the frames that come after a video, uint8 (length, height, width, channel), or after each of several.

        The last frames are watched, as many as in training; the rest of a file is decoded and forgotten.

        Args:
            videos: a file, as its path, as its content in bytes, or open for reading these; a folder of frame images;
                or an array, uint8 (time, height, width, 1 or 3) of any size; or a list of them.
            length: how many frames to forecast. Default: as many as in training.
            item: which video of a file that holds several (npy, npz, HDF5, NetCDF, Zarr, TIFF), from 0.

        Raises:
            VideoDataError: a video cannot be read, is too short, or is one of several, and none is named.
            ConfigurationError: the length is out of range.
        """
        length = self._length(length)
        if isinstance(videos, Video):
            return self.after(self.watched(videos, item=item).given, length)
        return [self.after(each.given, length) for each in [self.watched(video, item=item) for video in videos]]

    @checked
    def compare(self, video: Video, at: float, length: int | None = None, item: int | None = None) -> Compared:
        """Forecasts from a time within a video on, and scores the forecast against what comes then.

        Args:
            video: as of `predict`.
            at: seconds; what is shown before is watched.
            length: how many frames to forecast, at most; the video may end before. Default: as many as in training.
            item: as of `predict`.

        Raises:
            VideoDataError: the video cannot be read, shows too little before that time, or nothing after it.
            ConfigurationError: the time or the length is out of range.
        """
        in_range("at", at, 0)
        watched = self.watched(video, at, self._length(length), item)
        future = self.after(watched.given, len(watched.truth))
        given, came = (frames[np.newaxis].astype(np.float32) / 255 for frames in watched[:2])
        rows = {"model": future[np.newaxis].astype(np.float32) / 255, "copy last": copy_last(given, len(future))}
        scores = {}
        for name, forecast in rows.items():
            found = metrics(score(forecast, came, self._levels, self._window), self._levels)
            scores[name] = {metric: each.value for metric, each in found.items()}
        return Compared(watched, future, scores)

    def _length(self, length: int | None) -> int:
        if length is None:
            return self.decoding.future_frames
        in_range("length", length, 1)
        return length

    def watched(self, video: Video, at: float | None = None, length: int = 0, item: int | None = None) -> Watched:
        """Returns the last frames of a video, or those before a time and up to `length` from it on."""
        refuse_other(video)
        with as_path(video, "The video", VideoDataError) as given:
            return self._watched(given, at, length, item)

    def _watched(self, video: Frames, at: float | None, length: int, item: int | None) -> Watched:
        if item and isinstance(video, np.ndarray):
            raise VideoDataError(
                "item: an array is one video. Expected none; of a file that holds several, the path. Pass array[item]. "
                f"Received: item {item}"
            )
        if item is None and not isinstance(video, np.ndarray):
            refuse_several(Path(video), self.decoding, ", or which of them. Name it, such as item=0")
        wanted, name = self.decoding.watched_frames, "The array" if isinstance(video, np.ndarray) else str(video)
        ends = float("inf") if at is None else at
        given: deque[Timed] = deque(maxlen=wanted)
        truth: list[Timed] = []
        for start in self._starts(at):
            given.clear()
            truth.clear()
            # A start behind the end is no error: then all is read.
            with suppress(VideoDataError) if start else nullcontext():
                for each in self._timed(video, start, item or 0, wanted if at is None else 0):
                    if each.time < ends - min(TOLERANCE, each.duration / 4):
                        given.append(each)
                    else:
                        truth.append(each)
                    if at is not None and len(truth) == length:
                        break
            if len(given) == wanted:
                break
        if len(given) < wanted:
            place, remedy = ("", "Give a longer video") if at is None else (f" at {at:g} s", "Give a later time")
            raise VideoDataError(
                f"{name} is too short to forecast from{place}: the network watches {counted(wanted, 'frame')} before "
                f"it forecasts. {remedy}. Received: {counted(len(given), 'frame')}"
            )
        if at is not None and not truth:
            end = given[-1].time + given[-1].duration
            raise VideoDataError(
                f"{name} shows nothing from {at:g} s on that a forecast could be compared with; expected an earlier "
                f"time. Correct it. Received: a video that ends at {end:.6g} s"
            )
        rate = len(given) / (given[-1].time + given[-1].duration - given[0].time)
        if not isinstance(video, np.ndarray) and (note := other_rate(rate, self._recordings)):
            commands.report_done(f"Note: {name}: {note}")
        frames = [np.array([each.frame for each in part], np.uint8) for part in (given, truth)]
        return Watched(frames[0], frames[1].reshape(-1, *frames[0].shape[1:]), rate)

    def in_units(self, frames: np.ndarray) -> np.ndarray:
        """Returns frames, uint8, as float32 in the unit of the training's arrays; as they are if that had 8 bits."""
        if self.decoding.value_range is None:
            return frames
        low, high = self.decoding.value_range
        return (low + frames.astype(np.float32) * ((high - low) / 255)).astype(np.float32)

    def _starts(self, at: float | None) -> list[float]:
        """Seconds from which on a video is read: the last of them shows for certain what is watched."""
        if at is None:
            return [0.0]
        rate = self.decoding.frame_rate or SLOWEST  # whose clock ticks at the time itself
        return sorted({max(0.0, at - self.decoding.watched_frames / rate), 0.0}, reverse=True)

    def _timed(self, video: Frames, start: float, item: int, last: int) -> Iterator[Timed]:
        """The frames of a video from a start on; of an array, only the last, if that is not 0."""
        if not isinstance(video, np.ndarray):
            yield from decode_timed(video, start, float("inf"), item, self.decoding)
            return
        seconds = 1 / (self.decoding.frame_rate or self.decoding.image_rate)
        first = max(0, round(start / seconds), len(video) - last if last else 0)
        for place, frame in enumerate(fitted(video[first:], self.decoding), first):
            yield Timed(place * seconds, frame, seconds)

    def after(self, given: np.ndarray, length: int) -> np.ndarray:
        """Returns so many frames after those that `watched` returned."""
        if length == self.decoding.future_frames:
            return self._served("serving_default", frames=given[np.newaxis])["future"][0]
        return self._served("roll_out", frames=given[np.newaxis], length=[length])["future"][0]


def load(run: Run) -> Predictor:
    """Returns the predictor of a finished run."""
    return Predictor(run, Served(signatures(load_model(run), run.read_configuration(NextFramesConfiguration).data)))
