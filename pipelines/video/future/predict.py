"""Goes on with a video: `python -m pipelines.video.predict VIDEO… [--frames 20] [--run FOLDER]`."""

from collections import deque
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tyro
from pydantic import Field

from pipelines import commands
from pipelines.configuration import ConfigurationError
from pipelines.counting import counted
from pipelines.runs import Run
from pipelines.video.future import films
from pipelines.video.future.config import FutureConfiguration
from pipelines.video.future.trained import load_forecaster
from pipelines.video.messages import shown
from pipelines.video.video_files import VideoDataError, decode, rate_of

SHOWN_HEIGHT = 256  # pixels, about, of the films that are written


class PredictionOptions(commands.RunOptions):
    """Options of the forecast."""

    videos: tyro.conf.Positional[tuple[Path, ...]] = Field((), description="video files, or folders of frame images")
    frames: int = Field(0, ge=0, le=1000, description="how many to forecast; 0: as many as in training")
    output: Path = Field(Path("."), description="folder for the films; none that is there is overwritten")


class Continued(NamedTuple):
    """A video's last frames, `given`, and its `future`, uint8 (time, height, width, channels)."""

    path: Path
    given: np.ndarray
    future: np.ndarray


def predict(run: Run, options: PredictionOptions) -> list[Continued]:
    """Returns what a run's forecaster says comes after each video.

    Raises:
        VideoDataError: a video cannot be decoded, or is too short; nothing has been written then.
    """
    configuration = run.read_configuration(FutureConfiguration)
    decoding, watched = configuration.data, configuration.data.watched_frames
    endings = []
    for path in options.videos:
        frames = deque(decode(path, decoding), maxlen=watched)  # bounded memory, however long the video is
        if len(frames) < watched:
            raise VideoDataError(
                f"{path} is too short to go on with: the network watches {counted(watched, 'frame')} before it "
                f"forecasts. Give a longer video. Received: {counted(len(frames), 'frame')}"
            )
        endings.append(np.stack(frames))
    forecaster, future = load_forecaster(run), options.frames or decoding.future_frames
    continued = []
    for path, given in zip(options.videos, endings, strict=True):
        print(f"Forecasting {counted(future, 'frame')} after {path}", flush=True)
        frames_after = shown(forecaster.frames_after(given[np.newaxis], future), "Forecasting", future)
        forecast = np.concatenate(list(frames_after))  # (future, height, width, channels)
        continued.append(Continued(path, given, np.rint(255 * forecast).astype(np.uint8)))
    return continued


def film_name(path: Path) -> str:
    """Name of a video's films, without an ending.

    >>> film_name(Path("clips/one.second.mp4"))
    'one.second-future'
    """
    return f"{path.stem}-future"


def _film_paths(folder: Path, name: str) -> tuple[Path, Path]:
    return folder / f"{name}.mp4", folder / f"{name}.gif"


def film_of(continued: Continued) -> np.ndarray:
    """Returns the given frames, with a bar below, and then those that were forecast, enlarged, uint8 (…, 3)."""
    frames = films.to_rgb(np.concatenate([continued.given, continued.future]))
    scale = max(1, round(SHOWN_HEIGHT / frames.shape[1]))
    marked = films.marked(frames.repeat(scale, axis=1).repeat(scale, axis=2), len(continued.given))
    odd = [size % 2 for size in marked.shape[1:3]]
    return np.pad(marked, [(0, 0), (0, odd[0]), (0, odd[1]), (0, 0)], mode="edge")  # encoders take even sides only


def main(arguments: list[str]) -> None:
    options = commands.run_options(PredictionOptions, "video", "predict", arguments, __doc__ or "")
    if not options.videos:
        raise ConfigurationError(
            "A forecast needs a video. Name one: make predict-video VIDEO=clip.mp4. Received: no file"
        )
    names = [film_name(path) for path in options.videos]
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
    run = options.open("video")
    decoding, continued = run.read_configuration(FutureConfiguration).data, predict(run, options)
    options.output.mkdir(parents=True, exist_ok=True)
    for each in continued:
        film, rate = film_of(each), rate_of(each.path, decoding)
        mp4, gif = _film_paths(options.output, film_name(each.path))
        films.write_mp4(mp4, film, rate)
        gif.write_bytes(films.gif(film, rate))
        given = counted(len(each.given), "frame")
        print(f"{each.path}: {given} watched, with a bar below, then {len(each.future)} forecast")
        print(f"Wrote {mp4} and {gif}")
    print("Next: look at them in a browser or player; make export-video")


if __name__ == "__main__":
    commands.main(main)
