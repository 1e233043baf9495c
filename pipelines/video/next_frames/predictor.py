"""Forecasts the frames that come next: a trained forecaster, from its run or its export."""

from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from pipelines import commands
from pipelines.arguments import checked, in_range
from pipelines.counting import counted
from pipelines.runs import Run
from pipelines.served import Served
from pipelines.video.frames import Timed, VideoDataError, fitted
from pipelines.video.next_frames.config import NextFramesConfiguration
from pipelines.video.next_frames.serving import signatures
from pipelines.video.next_frames.trained import load_model
from pipelines.video.recordings import decoding_of, other_rate, recorded
from pipelines.video.video_files import decode_timed

EXAMPLE = ("predict-video", "VIDEO", "clip.mp4")

Video = Path | str | np.ndarray


class Predictor:
    """Forecasts frames; stays ready for more.

    Args:
        run: what the network was trained for.
        model: its signatures.
    """

    def __init__(self, run: Run, model: Served) -> None:
        self.decoding = decoding_of(run, run.read_configuration(NextFramesConfiguration).data)
        self._recordings = recorded(run)
        self._served = model

    @checked
    def predict(self, videos: Video | Sequence[Video], length: int = 0) -> np.ndarray | list[np.ndarray]:
        """Returns the frames that come after a video, uint8 (length, height, width, channel), or after each of several.

        The last frames are watched, as many as in training; the rest of a file is decoded and forgotten.

        Args:
            videos: a file, a folder of frame images, or an array, uint8 (time, height, width, 1 or 3) of any size; or a
                list of them.
            length: how many frames to forecast. Default: as many as in training.

        Raises:
            VideoDataError: a video cannot be read, or is too short.
            ConfigurationError: the length is out of range.
        """
        in_range("length", length, 0)
        if isinstance(videos, Path | str | np.ndarray):
            return self.after(self.watched(videos), length)
        return [self.after(given, length) for given in [self.watched(video) for video in videos]]

    def watched(self, video: Video) -> np.ndarray:
        """Returns the last frames of a video as the network watches them, uint8 (time, height, width, channel)."""
        return self.watched_at_rate(video)[0]

    def watched_at_rate(self, video: Video) -> tuple[np.ndarray, float]:
        """Returns what `watched` returns, and how many of these frames are shown in a second."""
        watched = self.decoding.watched_frames
        if isinstance(video, np.ndarray):
            seconds = 1 / (self.decoding.frame_rate or self.decoding.image_rate)
            array = fitted(video[-watched:], self.decoding)
            name = "The array"
            timed: Iterator[Timed] = (Timed(place * seconds, frame, seconds) for place, frame in enumerate(array))
        else:
            name, timed = str(video), decode_timed(video, 0.0, float("inf"), 0, self.decoding)
        last = deque(timed, maxlen=watched)
        if len(last) < watched:
            raise VideoDataError(
                f"{name} is too short to forecast from: the network watches {counted(watched, 'frame')} before it "
                f"forecasts. Give a longer video. Received: {counted(len(last), 'frame')}"
            )
        rate = len(last) / (last[-1].time + last[-1].duration - last[0].time)
        if not isinstance(video, np.ndarray) and (note := other_rate(rate, self._recordings)):
            commands.report_done(f"Note: {name}: {note}")
        return np.stack([each.frame for each in last]), rate

    def after(self, given: np.ndarray, length: int = 0) -> np.ndarray:
        """Returns the frames after those that `watched` returned; `length` as of `predict`."""
        if length in (0, self.decoding.future_frames):
            return self._served("serving_default", frames=given[np.newaxis])["future"][0]
        return self._served("roll_out", frames=given[np.newaxis], length=[length])["future"][0]


def load(run: Run) -> Predictor:
    """Returns the predictor of a finished run."""
    return Predictor(run, Served(signatures(load_model(run), run.read_configuration(NextFramesConfiguration).data)))
