"""The page that an evaluation of forecast frames writes: table, error by horizon, film strips, pictures."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from pipelines.evaluation import Evaluation
from pipelines.report import Picture, Section, Table, write_evaluation
from pipelines.runs import Run
from pipelines.video.frames import to_rgb
from pipelines.video.next_frames import pictures
from pipelines.video.next_frames.data import DataConfiguration
from pipelines.video.next_frames.scoring import METRICS, SKILLS, Scores

STRIPS = 3  # clips that are drawn as strips; all examples are in the film
MOVING = "optical flow"  # the baseline beside the model: it sees motion, and numbers tell little about how frames look
FILM_WIDTH = 220  # pixels of a picture in the films, about


class Example(NamedTuple):
    """A clip of the report: what was `given`, the `truth`, and the `forecasts` by row, from 0 to 1."""

    name: str
    given: np.ndarray
    truth: np.ndarray
    forecasts: dict[str, np.ndarray]


class Details(NamedTuple):
    """What the page shows beside the table."""

    configuration: DataConfiguration  # of the clips
    scores: dict[str, Scores]  # by row and metric, (clips, future)
    videos: list[str]  # name of the video that each clip is from
    examples: list[Example]  # some clips
    seconds: float  # that the model took for a clip
    horizon: Mapping[str, Scores] = {}  # the means by row and metric, (future,)
    levels: Mapping[str, int] = {}  # the pixel from which on each threshold is reached
    window: int = 1  # side of the squares of FSS


def write_next_frames_report(run: Run, evaluation: Evaluation, details: Details) -> None:
    """Writes `report.html`, its plots and films into the run's folder, for another split under names of its own."""
    film = example_film(details.examples, MOVING)
    moving = pictures.gif(film)
    (run.folder / evaluation.file_name("forecasts.gif")).write_bytes(moving)
    pictures.write_mp4(run.folder / evaluation.file_name("forecasts.mp4"), film)
    strips = []
    for name, each in {example.name: example for example in details.examples[:STRIPS]}.items():
        figure = pictures.strip(each.given, each.truth, {row: each.forecasts[row] for row in ("model", MOVING)})
        what = "the last frames that were given, what came, and what was forecast"
        strips.append(
            Picture(figure, f"{name}: {what}. In the error, what is too bright is red, what is too dark is blue.")
        )
    horizon = pictures.by_horizon(details.horizon, ("squared_error", "ssim"))
    horizon.savefig(run.folder / evaluation.file_name("horizon.png"), dpi=120)
    ahead = [
        Picture(horizon, "Mean over the clips, frame by frame."),
        Picture(pictures.by_horizon(details.horizon, ("mae", "psnr")), "The other two metrics."),
    ]
    for level in details.levels:
        figure = pictures.by_horizon(details.horizon, [f"{skill}_{level}" for skill in SKILLS])
        text = f"Where {level} is reached, in the data's own unit; a gap is where nothing reaches it."
        ahead.append(Picture(figure, text))
    shown = (
        f"What came, what was forecast, the baseline {MOVING}, and the error of the forecast; the first frames, with a "
        "bar below, were given. The same as forecasts.mp4."
    )
    sections = [
        Section("Films", [Picture(moving, shown)]),
        Section("Error by horizon", ahead),
        Section("Frame by frame", strips),
    ]
    above = explanation(details)
    write_evaluation(run, evaluation, "Next frames", "squared_error", [above, *of_videos(details)], sections)


def explanation(details: Details) -> str:
    """Returns what the columns of the table are."""
    configuration = details.configuration
    return (
        f"{configuration.watched_frames} frames of {configuration.height} × {configuration.width} pixels are given, "
        f"the next {configuration.future_frames} are forecast; the model takes {1000 * details.seconds:.0f} ms for a "
        "clip. Each number is a mean over all forecast frames. squared_error and mae (absolute) are summed over "
        "a frame, with pixels from 0 to 1, as MSE and MAE in papers on Moving MNIST; lower is better. ssim "
        "(scikit-image, windows of 7 × 7 pixels) and psnr (in dB, of each frame) are better if higher. The intervals "
        "come from a bootstrap of clips, drawn in blocks where they overlap. The squared error rewards a blurred "
        "forecast where it is uncertain what comes; SSIM does not. ssim_openstl takes the pixels' range for 2, as "
        f"OpenSTL does; compare it with papers that use OpenSTL, and ssim with others.{_of_thresholds(details)}"
    )


def _of_thresholds(details: Details) -> str:
    if not details.levels:
        return ""
    return (
        f" csi, pod, far and fss tell whether pixels reach {', '.join(details.levels)} (in the data's own unit) where "
        "they do in truth: hits / (hits + misses + false alarms), hits / (hits + misses), false alarms / (hits + false "
        f"alarms), and the fractions skill score in squares of {details.window} × {details.window} pixels. Counts are "
        "added up over all clips and frames first. far is better if lower."
    )


def of_videos(details: Details) -> list[Table]:
    """Returns a table with the results of each video, if there are few; clips that were drawn are no videos."""
    names = list(dict.fromkeys(details.videos))
    if len(names) == len(details.videos) or len(names) > 20:
        return []
    rows = []
    for name in names:
        clips = np.array([video == name for video in details.videos])
        for row in ("model", "copy last", MOVING):
            found = details.scores[row]
            rows.append([name, row, *(f"{found[metric][clips].mean():.4g}" for metric in METRICS)])
    return [Table(["video", "", *METRICS], rows, "The results of each video.")]


def example_film(examples: list[Example], baseline: str) -> np.ndarray:
    """Returns a film of examples, one below the other, uint8 (time, height, width, 3)."""
    shown = []
    for each in examples:
        scale = max(1, round(FILM_WIDTH / each.given.shape[2]))

        def whole(future: np.ndarray, each: Example = each) -> np.ndarray:
            return pictures.marked(to_rgb(np.concatenate([each.given, future])), len(each.given))

        error = pictures.error_rgb(each.forecasts["model"], each.truth)
        blank = np.full((len(each.given), *error.shape[1:]), 255, np.uint8)
        parts = {
            "truth": whole(each.truth),
            "model": whole(each.forecasts["model"]),
            baseline: whole(each.forecasts[baseline]),
            "error": np.concatenate([blank, error]),
        }
        shown.append(pictures.side_by_side(parts, scale))
    return np.concatenate(shown, axis=1)
