"""Tells what a video shows: a trained classifier of clips, from its run or its export."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipelines import served
from pipelines.counting import counted
from pipelines.preparation import description_of
from pipelines.runs import Run
from pipelines.served import Served
from pipelines.video.clip_classes.config import ClipClassesConfiguration
from pipelines.video.clip_classes.serving import signatures
from pipelines.video.clip_classes.trained import load_model
from pipelines.video.video_files import VideoDataError, decode, fit, fitted, rate_of

EXAMPLE = ("predict-video", "VIDEO", "clip.mp4")

Video = Path | str | np.ndarray


class Stretch(NamedTuple):
    """What a part of a video shows.

    Attributes:
        start: seconds.
        end: seconds.
        label: the most probable class.
        probabilities: of each class by name.
    """

    start: float
    end: float
    label: str
    probabilities: dict[str, float]


class Classification(NamedTuple):
    """What a video shows.

    Attributes:
        label: the most probable class of the whole video.
        probabilities: of each class by name, the mean over the stretches.
        stretches: what each clip of the video shows, in the order of time.
    """

    label: str
    probabilities: dict[str, float]
    stretches: list[Stretch]


class Predictor:
    """Classifies videos; stays ready for more.

    Args:
        run: what the network was trained for.
        model: its signatures.
    """

    def __init__(self, run: Run, model: Served) -> None:
        self.decoding = run.read_configuration(ClipClassesConfiguration).data
        self.classes: tuple[str, ...] = tuple(description_of(run, "classes.json", "classes")["classes"])
        self._served = model

    def classify(
        self, videos: Video | Sequence[Video], frame_rate: float = 0.0
    ) -> Classification | list[Classification]:
        """Returns what a video shows, or what each of several shows.

        A video is read as in training, in clips, each from its own beginning; the last one may be shorter. A few frames
        are in memory, however long a file is.

        Args:
            videos: a file, a folder of frame images, or an array, uint8 (time, height, width, 1 or 3) of any size; or a
                list of them.
            frame_rate: frames a second of arrays, for the times. Default: that of the training, or 25.

        Raises:
            VideoDataError: a video cannot be read, or is shorter than a clip.
        """
        if isinstance(videos, Path | str | np.ndarray):
            return self.classify_one(videos, frame_rate)
        return [self.classify_one(video, frame_rate) for video in videos]

    def stream(self) -> "Stream":
        """Returns a stream that takes one frame at a time."""
        return Stream(self, self._served)

    def classify_one(self, video: Video, frame_rate: float = 0.0) -> Classification:
        """Returns what one video shows; arguments as of `classify`."""
        frames, rate, name = self._frames(video, frame_rate)
        length = self.decoding.clip_frames
        clip = list(islice(frames, length))
        if len(clip) < length:
            raise VideoDataError(
                f"{name} is shorter than a clip; expected {counted(length, 'frame')} at least. Give a longer one. "
                f"Received: {counted(len(clip), 'frame')}"
            )
        stretches: list[Stretch] = []
        while clip:
            start = length * len(stretches)
            answer = self._served("serving_default", frames=np.stack(clip)[np.newaxis])
            label, probabilities = self.named(answer["probabilities"][0])
            stretches.append(Stretch(start / rate, (start + len(clip)) / rate, label, probabilities))
            clip = list(islice(frames, length))
        lengths = [stretch.end - stretch.start for stretch in stretches]
        every = [list(stretch.probabilities.values()) for stretch in stretches]
        return Classification(*self.named(np.average(every, axis=0, weights=lengths)), stretches)

    def _frames(self, video: Video, frame_rate: float) -> tuple[Iterator[np.ndarray], float, str]:
        """Returns the frames of a video as the network reads them, how many there are a second, and its name."""
        if isinstance(video, np.ndarray):
            rate = frame_rate or self.decoding.frame_rate or 25.0
            return fitted(video, self.decoding), rate, "The array"
        path = Path(video)
        return iter(decode(path, self.decoding)), rate_of(path, self.decoding), str(path)

    def named(self, probabilities: np.ndarray) -> tuple[str, dict[str, float]]:
        """Returns the most probable class, and the probability of each by name."""
        return self.classes[int(np.argmax(probabilities))], dict(
            zip(self.classes, map(float, probabilities), strict=True)
        )


class Stream:
    """Follows a video one frame at a time.

    Args:
        predictor: whose stream it is.
        model: the signatures.
    """

    def __init__(self, predictor: Predictor, model: Served) -> None:
        self._predictor = predictor
        self._stream = served.Stream(model)
        self._answer: tuple[str, dict[str, float]] | None = None

    def feed(self, frame: np.ndarray) -> tuple[str, dict[str, float]]:
        """Takes a frame, uint8 (height, width, 1 or 3) of any size; returns the class so far and all probabilities."""
        fitted = fit(frame, self._predictor.decoding)
        self._answer = self._predictor.named(self._stream.step(frame=fitted[np.newaxis])["probabilities"][0])
        return self._answer

    def finish(self) -> tuple[str, dict[str, float]]:
        """Returns the class and the probabilities after the last frame.

        Raises:
            VideoDataError: there was no frame.
        """
        if self._answer is None:
            raise VideoDataError("The stream has no frame. Expected one at least. Feed some first. Received: 0 frames")
        return self._answer


def load(run: Run) -> Predictor:
    """Returns the predictor of a finished run."""
    return Predictor(run, Served(signatures(load_model(run))))
