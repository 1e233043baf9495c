"""Tells what a video shows: a trained classifier of clips, from its run or its export."""

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data.files import as_path
from pipelines import commands, served
from pipelines.arguments import checked, in_range
from pipelines.hints import counted
from pipelines.predictors import BasePredictor, BaseStream
from pipelines.preparation import description_of
from pipelines.runs import Run
from pipelines.served import Served
from pipelines.video.clip_classes.config import ClipClassesConfiguration
from pipelines.video.clip_classes.model import load_model
from pipelines.video.clip_classes.serving import signatures
from pipelines.video.frames import Frames, Timed, Video, VideoDataError, fitted, refuse_other, resample
from pipelines.video.live import live_frames
from pipelines.video.recordings import decoding_of, other_rate, recorded
from pipelines.video.video_files import decode_timed, refuse_several

EXAMPLE = ("predict-video", "VIDEO", "clip.mp4")


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


def events(stretches: Iterable[Stretch]) -> Iterator[Stretch]:
    """Yields what happens when: stretches of one class that follow each other are one, with their mean probabilities.

    Where stretches overlap, an event ends in the middle of what two of them share.

    >>> shown = [("run", 0, 2, 0.75), ("run", 1, 3, 0.25), ("walk", 2, 4, 0.5)]
    >>> list(events(Stretch(start, end, label, {label: sure}) for label, start, end, sure in shown))
    [Stretch(start=0, end=2.5, label='run', probabilities={'run': 0.5}), Stretch(start=2.5, end=4, label='walk', ...)]
    """
    event, count = None, 0
    for each in stretches:
        if event is not None and event.label == each.label:
            mean = {
                name: (count * before + each.probabilities[name]) / (count + 1)
                for name, before in event.probabilities.items()
            }
            event, count = event._replace(end=each.end, probabilities=mean), count + 1
            continue
        if event is not None:
            change = (event.end + each.start) / 2
            yield event._replace(end=change)
            each = each._replace(start=change)
        event, count = each, 1
    if event is not None:
        yield event


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

    def to_json(self) -> dict[str, Any]:
        """Returns the same with the events, as JSON holds them."""
        parts = {"events": events(self.stretches), "stretches": self.stretches}
        return self._asdict() | {name: [each._asdict() for each in found] for name, found in parts.items()}


class Predictor(BasePredictor):
    """Classifies videos; stays ready for more."""

    def __init__(self, run: Run, model: Served) -> None:
        super().__init__(run, model)
        self.decoding = decoding_of(run, run.read_configuration(ClipClassesConfiguration).data)
        self._recordings = recorded(run)
        self.classes: tuple[str, ...] = tuple(description_of(run, "classes.json", "classes")["classes"])

    @checked
    def classify(
        self, videos: Video | Sequence[Video], frame_rate: float = 0.0, overlap: float = 0.0
    ) -> Classification | list[Classification]:
        """Returns what a video shows, or what each of several shows.

        A video is read as in training, in clips, each from its own beginning; the last one may be shorter. A few frames
        are in memory, however long a file is.

        Args:
            videos: a file, as its path, as its content in bytes, or open for reading these; a folder of frame images;
                or an array, uint8 (time, height, width, 1 or 3) of any size; or a list of them.
            frame_rate: frames a second of arrays, for the times. Default: that of the training, or 25.
            overlap: overlap of consecutive clips, as a share of a clip, from 0 to less than 1.

        Raises:
            VideoDataError: a video cannot be read, or is shorter than a clip.
            ConfigurationError: the frame rate or the overlap is out of range.
        """
        in_range("frame_rate", frame_rate, 0)
        in_range("overlap", overlap, 0, below=1)
        if isinstance(videos, Video):
            return self.classify_one(videos, frame_rate, overlap)
        return [self.classify_one(video, frame_rate, overlap) for video in videos]

    def answers(self, files: Sequence[str]) -> list[dict[str, Any]]:
        """Returns the answers as JSON holds them."""
        return [self.classify_one(Path(file)).to_json() for file in files]

    def stream(self) -> "Stream":
        """Returns a stream that takes one frame at a time."""
        return Stream(self, self._served)

    def classify_one(self, video: Video, frame_rate: float = 0.0, overlap: float = 0.0) -> Classification:
        """Returns what one video shows; arguments as of `classify`."""
        refuse_other(video)
        with as_path(video, "The video", VideoDataError) as given:
            return self.of_stretches(list(self.stretches(given, frame_rate, overlap)))

    def of_stretches(self, stretches: list[Stretch]) -> Classification:
        """Returns what a video shows whose stretches are known."""
        lengths = [stretch.end - stretch.start for stretch in stretches]
        every = [list(stretch.probabilities.values()) for stretch in stretches]
        return Classification(*self.named(np.average(every, axis=0, weights=lengths)), stretches)

    def stretches(self, video: Frames, frame_rate: float = 0.0, overlap: float = 0.0) -> Iterator[Stretch]:
        """Yields what each clip of a video, a path or an array, shows as soon as it is read; see `classify`."""
        frames, name = self._frames(video, frame_rate)
        length = self.decoding.clip_frames
        step = max(1, round(length * (1 - overlap)))
        clip: list[Timed] = []
        new, whole = 0, 0
        for frame in frames:
            clip, new = [*clip, frame][-length:], new + 1
            if len(clip) == length and (not whole or new == step):
                yield self._stretch(clip)
                new, whole = 0, whole + 1
                if whole == 1 and not isinstance(video, np.ndarray):
                    self._report_other_rate(name, clip[-1].time - clip[0].time)
        if not whole:
            raise VideoDataError(
                f"{name} is shorter than a clip; expected {counted(length, 'frame')} at least. Give a longer one. "
                f"Received: {counted(len(clip), 'frame')}"
            )
        if new:  # what is left is a shorter clip, or the end of an overlapping one
            yield self._stretch(clip[-(new if step == length else length) :])

    def follow(self, name: str, overlap: float = 0.0, seconds: float = math.inf) -> Iterator[Stretch]:
        """Yields what each clip of a live stream shows, as soon as its last frame has come, by the network's `step`.

        They are those that `stretches` would yield of the same frames. Of the stream nothing is kept but the state.

        Args:
            name: a camera, an address or `-`, as of `live.live_frames`.
            overlap: as of `classify`.
            seconds: after which it ends.

        Raises:
            VideoDataError: it cannot be opened, or has no frame.
        """
        length = self.decoding.clip_frames
        step = max(1, round(length * (1 - overlap)))
        clips: deque[tuple[Timed, Stream]] = deque()  # the first frame of each that is not over
        number, whole, last = 0, 0, 0.0
        for number, frame in enumerate(resample(live_frames(name), self.decoding.frame_rate, end=seconds), 1):
            if (number - 1) % step == 0:
                clips.append((frame, self.stream()))
            for _, stream in clips:
                stream.feed(frame.frame)
            last = frame.time + frame.duration
            if number >= length and (number - length) % step == 0:
                first, stream = clips.popleft()
                yield Stretch(first.time, last, *stream.finish())
                whole += 1
                if whole == 1:
                    self._report_other_rate(name, frame.time - first.time)
        if not number:
            raise VideoDataError(f"{name} has no frame; expected some. Check what it sends. Received: 0 frames")
        if clips and (step == length or not whole):
            first, stream = clips.popleft()
            yield Stretch(first.time, last, *stream.finish())

    def _report_other_rate(self, name: str, seconds: float) -> None:
        """Reports that a first clip, from its first frame to its last one, was recorded at another rate."""
        rate = (self.decoding.clip_frames - 1) / seconds if seconds else 0.0
        if note := other_rate(rate, self._recordings):
            commands.report_done(f"Note: {name}: {note}")

    def _stretch(self, clip: Sequence[Timed]) -> Stretch:
        answer = self._served("serving_default", frames=np.stack([each.frame for each in clip])[np.newaxis])
        return Stretch(clip[0].time, clip[-1].time + clip[-1].duration, *self.named(answer["probabilities"][0]))

    def _frames(self, video: Frames, frame_rate: float) -> tuple[Iterator[Timed], str]:
        """Returns the frames of a video as the network reads them, and its name."""
        if isinstance(video, np.ndarray):
            seconds = 1 / (frame_rate or self.decoding.frame_rate or 25.0)
            frames = enumerate(fitted(video, self.decoding))
            return (Timed(number * seconds, frame, seconds) for number, frame in frames), "The array"
        remedy = ". Save each to a file of its own, or give a list of their arrays to `classify` in Python"
        refuse_several(Path(video), self.decoding, remedy)
        return decode_timed(video, 0.0, float("inf"), 0, self.decoding), str(video)

    def named(self, probabilities: np.ndarray) -> tuple[str, dict[str, float]]:
        """Returns the most probable class, and the probability of each by name."""
        return self.classes[int(np.argmax(probabilities))], dict(
            zip(self.classes, map(float, probabilities), strict=True)
        )


class Stream(BaseStream):
    """Follows a video one frame at a time."""

    def __init__(self, predictor: Predictor, model: Served) -> None:
        self._predictor = predictor
        self._stream = served.Stream(model)
        self._answer: tuple[str, dict[str, float]] | None = None

    @checked
    def feed(self, frame: np.ndarray) -> tuple[str, dict[str, float]]:
        """Takes a frame, uint8 (height, width, 1 or 3) of any size; returns the class so far and all probabilities.

        Raises:
            ConfigurationError: the stream has finished.
        """
        self._refuse_finished()
        (frame,) = fitted(frame[np.newaxis], self._predictor.decoding)
        self._answer = self._predictor.named(self._stream.step(frame=frame[np.newaxis])["probabilities"][0])
        return self._answer

    def finish(self) -> tuple[str, dict[str, float]]:
        """Returns the class and the probabilities after the last frame.

        Raises:
            VideoDataError: there was no frame.
            ConfigurationError: the stream has finished.
        """
        self._refuse_finished()
        if self._answer is None:
            raise VideoDataError("The stream has no frame. Expected one at least. Feed some first. Received: 0 frames")
        self._finished = True
        return self._answer


def load(run: Run) -> Predictor:
    """Returns the predictor of a finished run."""
    return Predictor(run, Served(signatures(load_model(run), run.read_configuration(ClipClassesConfiguration).data)))
