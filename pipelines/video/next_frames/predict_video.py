"""Writes the frames that come after a video, as films."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import tyro
from PIL import Image
from pydantic import Field

from pipelines import commands, hints
from pipelines.configuration import ConfigurationError
from pipelines.counting import counted
from pipelines.video.next_frames import films
from pipelines.video.video_files import refuse_missing

if TYPE_CHECKING:
    from pipelines.video.next_frames.predictor import Predictor

SHOWN_HEIGHT = 256  # pixels, about, of the films that are written
LEAST_SECONDS = 2.0  # a shorter film is shown slower
STILLS = 12  # frames of the strip, at most


class Options(commands.AnswerOptions):
    """Options of the forecast."""

    video: tyro.conf.Positional[tuple[Path, ...]] = Field((), description="video files, or folders of frame images")
    frames: int = Field(0, ge=0, le=1000, description="number of frames to forecast; 0: as many as in training")
    output: Path = Field(Path("."), description="folder for the films; existing ones are never overwritten")


class Continued(NamedTuple):
    """A video's last frames, `given`, and its `future`, uint8 (time, height, width, channels)."""

    path: Path
    given: np.ndarray
    future: np.ndarray


def film_name(path: Path) -> str:
    """Name of a video's films, without an ending.

    >>> film_name(Path("clips/one.second.mp4"))
    'one.second-future'
    """
    return f"{path.stem}-future"


def _film_paths(folder: Path, name: str) -> tuple[Path, Path, Path]:
    return folder / f"{name}.mp4", folder / f"{name}.gif", folder / f"{name}.png"


def speed(frames: int, rate: float) -> float:
    """Returns how many frames a second a film shows: as recorded, or slower so that it can be followed.

    >>> speed(60, 25.0), speed(6, 25.0)
    (25.0, 3.0)
    """
    return min(rate, frames / LEAST_SECONDS)


def film_of(continued: Continued) -> np.ndarray:
    """Returns the given frames, with a bar below, and then those that were forecast, enlarged, uint8 (…, 3)."""
    frames = films.to_rgb(np.concatenate([continued.given, continued.future]))
    scale = max(1, round(SHOWN_HEIGHT / frames.shape[1]))
    return films.marked(frames.repeat(scale, axis=1).repeat(scale, axis=2), len(continued.given))


def answer(options: Options, load: Callable[[], "Predictor"]) -> None:
    """Forecasts the frames after each video, and writes the films."""
    if not options.video:
        example = hints.answer("predict-video", "VIDEO", "clip.mp4")
        raise ConfigurationError(f"A forecast needs a video. Name one: {example}. Received: no file")
    names = [film_name(path) for path in options.video]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ConfigurationError(
            "The films of two videos would have one name; expected videos of different names. Forecast them one by "
            f"one, each with an --output of its own. Received: {twice} twice"
        )
    written = [path for name in names for path in _film_paths(options.output, name)]
    if there := [str(path) for path in written if path.exists()]:
        raise ConfigurationError(
            "A film of this name is there, and is not overwritten; expected none. Move it, or name another folder: "
            f"--output films. Received: {', '.join(there)}"
        )
    for path in options.video:
        refuse_missing(path)
    predictor = load()
    endings = [
        predictor.watched_at_rate(path) for path in options.video
    ]  # every video is read before any film is written
    options.output.mkdir(parents=True, exist_ok=True)
    for path, (given, recorded) in zip(options.video, endings, strict=True):
        length = options.frames or predictor.decoding.future_frames
        commands.report_done(f"Forecasting {counted(length, 'frame')} after {path}")
        continued = Continued(path, given, predictor.after(given, length))
        film = film_of(continued)
        rate = speed(len(film), recorded)
        mp4, gif, png = _film_paths(options.output, film_name(path))
        films.write_mp4(mp4, film, rate)
        gif.write_bytes(films.gif(film, rate))
        Image.fromarray(films.stills(film, STILLS)).save(png)
        if options.format == "json":
            answered = {"video": str(path), "watched": len(given), "forecast": len(continued.future)}
            commands.print_answers([{**answered, "films": [str(mp4), str(gif)], "stills": str(png)}])
        else:
            watched = counted(len(given), "frame")
            print(f"{path}: {watched} watched, with a bar below, then {len(continued.future)} forecast")
            slower = f" ({rate:.3g} frames a second, recorded at {recorded:.3g})" if rate < recorded else ""
            print(f"Wrote {mp4} and {gif}{slower}, and stills of them, {png}")
    commands.report_done(
        f"Forecast {counted(len(options.video), 'video')}. Next: open the films in a browser or player"
    )
