"""Classifies the clips of a video, a camera or a stream, and prints the classes with their times."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import tyro
from pydantic import Field
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines import commands, hints, plots
from pipelines.configuration import ConfigurationError
from pipelines.hints import counted
from pipelines.progress import shown
from pipelines.subtitles import Cue, subrip
from pipelines.video.clip_classes import pictures
from pipelines.video.live import is_live
from pipelines.video.video_files import properties_of, refuse_missing

if TYPE_CHECKING:
    from pipelines.video.clip_classes.predictor import Classification, Predictor, Stretch

MAXIMUM_LISTED = 3  # classes of the whole video


class Options(commands.AnswerOptions):
    """Options of the prediction."""

    video: tyro.conf.Positional[tuple[str, ...]] = Field(
        (), description="video files, folders of frame images; or a camera (0), an address (rtsp://…), - for a pipe"
    )
    format: Literal["text", "json", "srt"] = Field(  # type: ignore[assignment]
        "text", description="text; json: one object per line, for streams one per segment; srt: subtitles"
    )
    overlap: float = Field(0.0, ge=0, lt=1, description="overlap of consecutive clips, as a share of a clip")
    seconds: float = Field(
        0.0, ge=0, description="seconds after which a camera or stream is closed; 0: at its end, or on Ctrl-C"
    )
    output: Path | None = Field(None, description="folder for VIDEO.srt, subtitles, and VIDEO.png, a picture of both")


def answer(options: Options, load: Callable[[], "Predictor"]) -> None:
    """Prints what each video shows."""
    if not options.video:
        raise ConfigurationError(
            "There is nothing to classify. Expected a video. Name it: "
            f"{hints.answer('predict-video', 'VIDEO', 'clip.mp4')}. Received: no file"
        )
    live = [name for name in options.video if is_live(name)]
    if live and (len(options.video) > 1 or options.output is not None):
        raise ConfigurationError(
            "A camera or a stream is followed alone, and printed. Expected one, and no --output. Follow each in a "
            f"process of its own. Received: {', '.join(options.video)}, --output {options.output}"
        )
    if options.format == "srt" and len(options.video) > 1:
        raise ConfigurationError(
            "Subtitles on standard output are those of one video. Expected one; for several, write files: --output "
            f"folder. Received: {', '.join(options.video)}"
        )
    if live:
        _follow(load(), live[0], options)
        return
    paths = [Path(name) for name in options.video]
    for path in paths:
        refuse_missing(path)
    files = _files(paths, options.output)
    predictor, console = load(), Console()
    for path in paths:
        found = predictor.of_stretches(list(_stretches(predictor, path, options.overlap)))
        if options.output is not None:
            options.output.mkdir(parents=True, exist_ok=True)
            files[path][0].write_text(subtitles(found.stretches), encoding="utf-8")
            plots.save(pictures.timeline(found.stretches, predictor.classes, path.name), files[path][1])
            commands.report_done(f"Wrote {files[path][0]} and {files[path][1]}")
        if options.format == "json":
            commands.print_answers([{"video": str(path), **found.to_json()}])
        elif options.format == "srt":
            print(subtitles(found.stretches), end="")
        else:
            _print(console, path, found)
    commands.report_done(f"Classified {counted(len(options.video), 'video')}")


def subtitles(stretches: "Iterable[Stretch]", first: int = 1) -> str:
    """Returns what is shown when as SubRip; stretches of one class that follow each other are one.

    >>> from pipelines.video.clip_classes.predictor import Stretch
    >>> print(subtitles([Stretch(0, 1.5, "run", {"run": 0.75}), Stretch(1.5, 3, "run", {"run": 0.25})]))
    1
    00:00:00,000 --> 00:00:03,000
    run (0.50)
    <BLANKLINE>
    """
    from pipelines.video.clip_classes.predictor import events

    return subrip(
        (
            Cue(each.start, each.end, f"{each.label} ({each.probabilities[each.label]:.2f})")
            for each in events(stretches)
        ),
        first,
    )


def _files(paths: Sequence[Path], folder: Path | None) -> dict[Path, tuple[Path, Path]]:
    """The subtitles and the picture of each video, none of which is there yet."""
    if folder is None:
        return {}
    files = {path: (folder / f"{path.stem}.srt", folder / f"{path.stem}.png") for path in paths}
    every = [file for both in files.values() for file in both]
    if there := [str(file) for file in every if file.exists() or every.count(file) > 1]:
        raise ConfigurationError(
            "Files of this name are there, or of two videos would have one, and are not overwritten; expected none. "
            f"Move them, or name another folder: --output. Received: {there[0]}"
        )
    return files


def _stretches(predictor: "Predictor", path: Path, overlap: float) -> "Iterable[Stretch]":
    """The stretches of a video, with a bar of progress on a terminal."""
    properties = properties_of(path, predictor.decoding)
    frames = properties.seconds * (predictor.decoding.frame_rate or properties.rate)
    total = frames / (predictor.decoding.clip_frames * (1 - overlap))
    return shown(predictor.stretches(path, overlap=overlap), f"Reading {path.name}", max(1, round(total)))


def _print(console: Console, path: Path, found: "Classification") -> None:
    """Prints when what happens, and what the whole video shows."""
    from pipelines.video.clip_classes.predictor import events

    table = Table("from (s)", "to (s)", "class", "probability")
    for each in events(found.stretches):
        table.add_row(f"{each.start:.2f}", f"{each.end:.2f}", Text(each.label), f"{each.probabilities[each.label]:.2f}")
    console.print(Text(str(path), "bold"), table, sep="\n", soft_wrap=True)
    classes = list(found.probabilities)
    best = np.argsort([-found.probabilities[name] for name in classes])[:MAXIMUM_LISTED]
    named = ", ".join(f"{classes[place]} {found.probabilities[classes[place]]:.2f}" for place in best)
    console.print(Text(f"The whole video: {named}"), soft_wrap=True)


def _follow(predictor: "Predictor", name: str, options: Options) -> None:
    """Prints what a stream shows as soon as it is known."""
    from pipelines.video.clip_classes.predictor import events

    stretches = predictor.follow(name, options.overlap, options.seconds or float("inf"))
    with suppress(KeyboardInterrupt):  # which is how one leaves a camera
        if options.format == "json":
            commands.print_answers({"video": name, **each._asdict()} for each in stretches)
        else:
            for number, each in enumerate(events(stretches), 1):
                if options.format == "srt":
                    print(subtitles([each], number), end="", flush=True)
                else:
                    sure = f"{each.probabilities[each.label]:.2f}"
                    print(f"{each.start:.2f} s to {each.end:.2f} s: {each.label} ({sure})", flush=True)
    commands.report_done(f"Followed {name}")
