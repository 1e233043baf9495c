"""Prints what a video shows, over its time: `python -m pipelines.video.predict VIDEO [--run FOLDER]`."""

from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tyro
from pydantic import Field
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines import commands
from pipelines.configuration import ConfigurationError
from pipelines.counting import counted
from pipelines.runs import Run
from pipelines.video.classification.config import ClassificationConfiguration
from pipelines.video.classification.trained import load_classifier
from pipelines.video.video_files import VideoDataError, decode, rate_of

NAMED = 3  # classes of the whole video


class PredictOptions(commands.RunOptions):
    """Options of the prediction."""

    video: tyro.conf.Positional[Path | None] = Field(None, description="video file, or folder of frame images")


class Answer(NamedTuple):
    """What a part of a video shows.

    Attributes:
        start: seconds.
        end: seconds.
        probabilities: (classes,).
    """

    start: float
    end: float
    probabilities: np.ndarray


def predict(run: Run, path: Path) -> tuple[tuple[str, ...], list[Answer]]:
    """Returns the classes, and what each clip of a video shows; a few frames are held in memory, however long it is.

    A video is judged as it was learned: in clips, each from its own beginning. The last one may be shorter.

    Raises:
        VideoDataError: the video cannot be read, or is shorter than a clip.
    """
    configuration = run.read_configuration(ClassificationConfiguration).data
    frames, length = decode(path, configuration), configuration.clip_frames
    clip = list(islice(frames, length))  # before the network is loaded: a bad file is refused at once
    if len(clip) < length:
        raise VideoDataError(
            f"{path} is shorter than a clip; expected {counted(length, 'frame')} at least. Give a longer one. "
            f"Received: {counted(len(clip), 'frame')}"
        )
    classifier, rate = load_classifier(run), rate_of(path, configuration)
    answers: list[Answer] = []
    while clip:
        start = length * len(answers)
        said = classifier.evidence(tf.constant(np.stack(clip)[np.newaxis]))[0, -1].numpy()
        answers.append(Answer(start / rate, (start + len(clip)) / rate, said))
        clip = list(islice(frames, length))
    return classifier.classes, answers


def main(arguments: list[str]) -> None:
    options = commands.run_options(PredictOptions, "video", "predict", arguments, __doc__ or "")
    if options.video is None:
        raise ConfigurationError(
            "There is nothing to look at. Expected a video. Name it: make predict-video VIDEO=clip.mp4. "
            "Received: no file"
        )
    run = options.open("video")
    classes, answers = predict(run, options.video)
    table = Table("from (s)", "to (s)", "class", "probability")
    for answer in answers:
        best = int(answer.probabilities.argmax())
        table.add_row(
            f"{answer.start:.2f}", f"{answer.end:.2f}", Text(classes[best]), f"{answer.probabilities[best]:.2f}"
        )
    console = Console()
    console.print(Text(str(options.video), "bold"), table, sep="\n", soft_wrap=True)
    lengths = [answer.end - answer.start for answer in answers]
    whole = np.average([answer.probabilities for answer in answers], axis=0, weights=lengths)
    named = ", ".join(f"{classes[place]} {whole[place]:.2f}" for place in np.argsort(-whole)[:NAMED])
    console.print(Text(f"The whole video: {named}"), soft_wrap=True)
    print(f"Looked at {counted(len(answers), 'clip')} with {run.folder}\nNext: make export-video, to serve this model")
