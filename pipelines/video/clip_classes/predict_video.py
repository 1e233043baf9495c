"""Prints what a video shows, over its time."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tyro
from pydantic import Field
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines import commands, hints
from pipelines.configuration import ConfigurationError
from pipelines.counting import counted
from pipelines.video.clip_classes.predictor import Predictor
from pipelines.video.video_files import refuse_missing

NAMED = 3  # classes of the whole video


class Options(commands.AnswerOptions):
    """Options of the prediction."""

    video: tyro.conf.Positional[tuple[Path, ...]] = Field((), description="video files, or folders of frame images")


def answer(options: Options, load: Callable[[], Predictor]) -> None:
    """Prints what each video shows."""
    if not options.video:
        raise ConfigurationError(
            "There is nothing to look at. Expected a video. Name it: "
            f"{hints.answer('predict-video', 'VIDEO', 'clip.mp4')}. Received: no file"
        )
    for path in options.video:
        refuse_missing(path)
    predictor, console = load(), Console()
    for path in options.video:
        found = predictor.classify_one(path)
        if options.format == "json":
            stretches = [stretch._asdict() for stretch in found.stretches]
            commands.print_answers([{"video": str(path), **found._asdict(), "stretches": stretches}])
            continue
        table = Table("from (s)", "to (s)", "class", "probability")
        for stretch in found.stretches:
            shown = f"{stretch.probabilities[stretch.label]:.2f}"
            table.add_row(f"{stretch.start:.2f}", f"{stretch.end:.2f}", Text(stretch.label), shown)
        console.print(Text(str(path), "bold"), table, sep="\n", soft_wrap=True)
        classes = list(found.probabilities)
        best = np.argsort([-found.probabilities[name] for name in classes])[:NAMED]
        named = ", ".join(f"{classes[place]} {found.probabilities[classes[place]]:.2f}" for place in best)
        console.print(Text(f"The whole video: {named}"), soft_wrap=True)
    commands.report_done(f"Classified {counted(len(options.video), 'video')}")
