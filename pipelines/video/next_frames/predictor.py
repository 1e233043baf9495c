"""Forecasts the frames that come next: a trained forecaster, from its run or its export."""

from collections import deque
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipelines.counting import counted
from pipelines.runs import Run
from pipelines.served import Served
from pipelines.video.next_frames.config import NextFramesConfiguration
from pipelines.video.next_frames.serving import signatures
from pipelines.video.next_frames.trained import load_model
from pipelines.video.video_files import VideoDataError, decode, fitted

EXAMPLE = ("predict-video", "VIDEO", "clip.mp4")

Video = Path | str | np.ndarray


class Predictor:
    """Forecasts frames; stays ready for more.

    Args:
        run: what the network was trained for.
        model: its signatures.
    """

    def __init__(self, run: Run, model: Served) -> None:
        self.decoding = run.read_configuration(NextFramesConfiguration).data
        self._served = model

    def predict(self, videos: Video | Sequence[Video], length: int = 0) -> np.ndarray | list[np.ndarray]:
        """Returns the frames that come after a video, uint8 (length, height, width, channel), or after each of several.

        The last frames are watched, as many as in training; the rest of a file is decoded and forgotten.

        Args:
            videos: a file, a folder of frame images, or an array, uint8 (time, height, width, 1 or 3) of any size; or a
                list of them.
            length: how many frames to forecast. Default: as many as in training.

        Raises:
            VideoDataError: a video cannot be read, or is too short.
        """
        if isinstance(videos, Path | str | np.ndarray):
            return self.after(self.watched(videos), length)
        return [self.after(given, length) for given in [self.watched(video) for video in videos]]

    def watched(self, video: Video) -> np.ndarray:
        """Returns the last frames of a video as the network watches them, uint8 (time, height, width, channel)."""
        watched = self.decoding.watched_frames
        if isinstance(video, np.ndarray):
            name, frames = "The array", deque(fitted(video[-watched:], self.decoding), maxlen=watched)
        else:
            name, frames = str(video), deque(decode(Path(video), self.decoding), maxlen=watched)
        if len(frames) < watched:
            raise VideoDataError(
                f"{name} is too short to forecast from: the network watches {counted(watched, 'frame')} before it "
                f"forecasts. Give a longer video. Received: {counted(len(frames), 'frame')}"
            )
        return np.stack(frames)

    def after(self, given: np.ndarray, length: int = 0) -> np.ndarray:
        """Returns the frames after those that `watched` returned; `length` as of `predict`."""
        if length in (0, self.decoding.future_frames):
            return self._served("serving_default", frames=given[np.newaxis])["future"][0]
        return self._served("roll_out", frames=given[np.newaxis], length=[length])["future"][0]


def load(run: Run) -> Predictor:
    """Returns the predictor of a finished run."""
    return Predictor(run, Served(signatures(load_model(run), run.read_configuration(NextFramesConfiguration).data)))
