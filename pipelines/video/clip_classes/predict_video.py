"""Prints what a video shows, over its time."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tyro
from pydantic import Field
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines import commands, hints
from pipelines.configuration import ConfigurationError
from pipelines.counting import counted
from pipelines.subtitles import Cue, subrip
from pipelines.video.video_files import refuse_missing

if TYPE_CHECKING:
    from pipelines.video.clip_classes.predictor import Predictor, Stretch

NAMED = 3  # classes of the whole video


class Options(commands.AnswerOptions):
    """Options of the prediction."""

    video: tyro.conf.Positional[tuple[Path, ...]] = Field((), description="video files, or folders of frame images")
    overlap: float = Field(0.0, ge=0, lt=1, description="overlap of consecutive clips, as a share of a clip")
    output: Path | None = Field(None, description="folder for subtitles with the class of each stretch, VIDEO.srt")


def answer(options: Options, load: Callable[[], "Predictor"]) -> None:
    """Prints what each video shows."""
    if not options.video:
        raise ConfigurationError(
            "There is nothing to classify. Expected a video. Name it: "
            f"{hints.answer('predict-video', 'VIDEO', 'clip.mp4')}. Received: no file"
        )
    for path in options.video:
        refuse_missing(path)
    predictor, console = load(), Console()
    for path in options.video:
        found = predictor.classify_one(path, overlap=options.overlap)
        if options.output is not None:
            written = options.output / f"{path.stem}.srt"
            if written.exists():
                raise ConfigurationError(
                    "Subtitles of this name are there, and are not overwritten; expected none. Move them, or name "
                    f"another folder: --output. Received: {written}"
                )
            options.output.mkdir(parents=True, exist_ok=True)
            written.write_text(subtitles(found.stretches), encoding="utf-8")
            commands.report_done(f"Wrote {written}")
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


def subtitles(stretches: "Sequence[Stretch]") -> str:
    """Returns what is shown when as SubRip; stretches of one class that follow each other are one.

    >>> from pipelines.video.clip_classes.predictor import Stretch
    >>> print(subtitles([Stretch(0, 1.5, "run", {"run": 0.75}), Stretch(1.5, 3, "run", {"run": 0.25})]))
    1
    00:00:00,000 --> 00:00:03,000
    run (0.50)
    <BLANKLINE>
    """
    parts: list[list[Stretch]] = []
    for each in stretches:
        if parts and parts[-1][-1].label == each.label:
            parts[-1].append(each)
        else:
            parts.append([each])
    cues = []
    for number, part in enumerate(parts, 1):
        end = min(part[-1].end, parts[number][0].start) if number < len(parts) else part[-1].end
        sure = np.mean([each.probabilities[each.label] for each in part])
        cues.append(Cue(part[0].start, end, f"{part[0].label} ({sure:.2f})"))
    return subrip(cues)
