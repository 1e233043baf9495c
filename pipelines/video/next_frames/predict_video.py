"""Forecasts the next frames of a video and writes them as images, with --at beside the true frames."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tyro
from matplotlib.figure import Figure
from PIL import Image
from pydantic import Field

from pipelines import commands, hints, plots
from pipelines.configuration import ConfigurationError
from pipelines.hints import counted
from pipelines.run_files import plain
from pipelines.video import arrays
from pipelines.video.frames import to_rgb
from pipelines.video.image_files import stacks_in
from pipelines.video.next_frames import pictures
from pipelines.video.next_frames.baselines import copy_last
from pipelines.video.video_files import refuse_missing, videos_in

if TYPE_CHECKING:
    from pipelines.video.next_frames.predictor import Compared, Predictor

SHOWN_HEIGHT = 256  # pixels, about, of the films that are written
LEAST_SECONDS = 2.0  # a shorter film is shown slower
STILLS = 12  # frames of the strip, at most


class Options(commands.AnswerOptions):
    """Options of the forecast."""

    video: tyro.conf.Positional[tuple[Path, ...]] = Field((), description="video files, or folders of frame images")
    frames: int = Field(0, ge=0, le=1000, description="number of frames to forecast; 0: as many as in training")
    at: float | None = Field(
        None, ge=0, description="second at which the forecast starts, shown beside the true frames; default: the end"
    )
    item: int | None = Field(None, ge=0, description="number of the video in an array or a TIFF of several, from 0")
    layout: str = Field(
        "", pattern="^[NTHWCnthwc]*$", description="axes of an array, such as TNHW; default: those of the training data"
    )
    variable: str = Field("", description="name of the array in a file of several; default: that of the training data")
    output: Path = Field(Path("."), description="folder for the results; existing files are never overwritten")


def film_name(path: Path, at: float | None = None, item: int | None = None) -> str:
    """Name of a video's films, without an ending.

    >>> film_name(Path("clips/one.second.mp4")), film_name(Path("rain.npy"), 2.5, 7)
    ('one.second-future', 'rain-7-at-2.5-future')
    """
    which, place = "" if item is None else f"-{item}", "" if at is None else f"-at-{at:g}"
    return f"{path.stem}{which}{place}-future"


def outputs(options: Options, path: Path) -> dict[str, Path]:
    """Returns the files of a video: the films, a picture, and of an array the forecast in its own unit."""
    name = film_name(path, options.at, options.item)
    endings = ["mp4", "gif", "png"] + ["npy"] * arrays.is_array(path)
    return {ending: options.output / f"{name}.{ending}" for ending in endings}


def speed(frames: int, rate: float) -> float:
    """Returns how many frames a second a film shows: as recorded, or slower so that it can be followed.

    >>> speed(60, 25.0), speed(6, 25.0)
    (25.0, 3.0)
    """
    return min(rate, frames / LEAST_SECONDS)


def film_of(given: np.ndarray, future: np.ndarray) -> np.ndarray:
    """Returns given frames, with a bar below, and then those that were forecast, enlarged, uint8 (…, 3)."""
    frames = to_rgb(np.concatenate([given, future]))
    scale = max(1, round(SHOWN_HEIGHT / frames.shape[1]))
    return pictures.marked(frames.repeat(scale, axis=1).repeat(scale, axis=2), len(given))


def answer(options: Options, load: Callable[[], "Predictor"]) -> None:
    """Forecasts the frames after each video, or after a time within it, and writes the pictures."""
    _refuse(options)
    predictor = load()
    stated = {name: value for name in ("layout", "variable") if (value := getattr(options, name))}
    predictor.decoding = predictor.decoding.replace(**stated)
    for path in options.video:
        _report_several(path, options, predictor)
    item = options.item or 0
    length = options.frames or predictor.decoding.future_frames
    # Every video is read before any film is written.
    if options.at is None:
        endings = [predictor.watched(path, item=item) for path in options.video]
    else:
        compared = [predictor.compare(path, options.at, length, item) for path in options.video]
        endings = [each.watched for each in compared]
    options.output.mkdir(parents=True, exist_ok=True)
    for place, (path, watched) in enumerate(zip(options.video, endings, strict=True)):
        paths, answered = outputs(options, path), {"video": str(path), "watched": len(watched.given)}
        if options.at is None:
            commands.report_done(f"Forecasting {counted(length, 'frame')} after {path}")
            future = predictor.after(watched.given, length)
            film = film_of(watched.given, future)
            Image.fromarray(pictures.stills(film, STILLS)).save(paths["png"])
        else:
            future = compared[place].future
            film, strip = beside(path.name, compared[place])
            plots.save(strip, paths["png"])
            answered |= {"at": options.at, "scores": plain(compared[place].scores)}
        rate = speed(len(film), watched.rate)
        pictures.write_mp4(paths["mp4"], film, rate)
        paths["gif"].write_bytes(pictures.gif(film, rate))
        if "npy" in paths:
            np.save(paths["npy"], predictor.in_units(future))
        if options.format == "json":
            answered |= {"forecast": len(future), "films": [str(paths["mp4"]), str(paths["gif"])]}
            answered |= {"stills": str(paths["png"])} | ({"array": str(paths["npy"])} if "npy" in paths else {})
            commands.print_answers([answered])
        else:
            _print(path, options, paths, len(watched.given), len(future))
            if options.at is not None:
                _print_scores(compared[place], length)
            slower = f" ({rate:.3g} frames a second, recorded at {watched.rate:.3g})" if rate < watched.rate else ""
            print(f"Wrote {paths['mp4']} and {paths['gif']}{slower}, and stills of them, {paths['png']}")
    commands.report_done(
        f"Forecast {counted(len(options.video), 'video')}. Next: open the films in a browser or player"
    )


def _refuse(options: Options) -> None:
    """Refuses what cannot be forecast, or would overwrite a file, before a model is loaded."""
    if not options.video:
        example = hints.answer("predict-video", "VIDEO", "clip.mp4")
        raise ConfigurationError(f"A forecast needs a video. Name one: {example}. Received: no file")
    names = [film_name(path) for path in options.video]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ConfigurationError(
            "The films of two videos would have one name; expected videos of different names. Forecast them one by "
            f"one, each with an --output of its own. Received: {twice} twice"
        )
    written = [file for path in options.video for file in outputs(options, path).values()]
    if there := [str(path) for path in written if path.exists()]:
        raise ConfigurationError(
            "A film of this name is there, and is not overwritten; expected none. Move it, or name another folder: "
            f"--output films. Received: {', '.join(there)}"
        )
    for path in options.video:
        refuse_missing(path)
        named = [name for name in ("item", "layout", "variable") if getattr(options, name) not in (None, "")]
        if named and not arrays.is_array(path) and (named != ["item"] or not stacks_in(path)):
            raise ConfigurationError(
                f"--{named[0]} is about arrays of videos. Expected npy, npz, HDF5, NetCDF, Zarr, or TIFF with several "
                f"for --item. Leave it out, "
                f"or forecast the others in a command of their own. Received: {path}"
            )


def beside(name: str, compared: "Compared") -> tuple[np.ndarray, Figure]:
    """Returns a film and a strip of stills: what came, the forecast, the last frame that was given, and the errors."""
    given, truth, future = (
        each.astype(np.float32) / 255 for each in (compared.watched.given, compared.watched.truth, compared.future)
    )
    forecasts = {"model": future, "copy last": copy_last(given[np.newaxis], len(future))[0]}
    from pipelines.video.next_frames import report  # and TensorFlow, which --help does without

    film = report.example_film([report.Example(name, given, truth, forecasts)], "copy last")
    return film, pictures.strip(given, truth, forecasts)


def _report_several(path: Path, options: Options, predictor: "Predictor") -> None:
    """Reports that a file holds several videos, of which one is forecast."""
    if options.item is None and (several := videos_in(path, predictor.decoding)) > 1:
        commands.report_done(f"{path} holds {several} videos, of which the first is forecast; --item names another")


def _print(path: Path, options: Options, paths: dict[str, Path], watched: int, forecast: int) -> None:
    given = counted(watched, "frame")
    until = "" if options.at is None else f" before {options.at:g} s"
    print(f"{path}: {given} watched{until}, with a bar below, then {forecast} forecast")
    if "npy" in paths:
        print(f"Wrote {paths['npy']}, the forecast in the unit of the array, (time, height, width, channel)")


def _print_scores(compared: "Compared", length: int) -> None:
    came = len(compared.watched.truth)
    if came < length:
        print(f"The video ends after {counted(came, 'frame')} of {length}")
    for row, scores in compared.scores.items():
        print(f"{row}: {', '.join(f'{name} {value:.4g}' for name, value in scores.items())}")
