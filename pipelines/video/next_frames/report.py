"""The page that an evaluation of forecast frames writes: table, error by horizon, film strips, films."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from pipelines.evaluation import Evaluation, Metric
from pipelines.report import Picture, Section, Table, write_evaluation
from pipelines.runs import Run
from pipelines.video.frames import to_rgb
from pipelines.video.next_frames import films, pictures
from pipelines.video.next_frames.data import DataConfiguration
from pipelines.video.next_frames.scoring import METRICS, Scores, best_baseline
from pipelines.video.next_frames.verification import SKILLS

STRIPS = 3  # clips that are drawn as strips; all examples are in the film
MOVING = "optical flow"  # the baseline that sees motion
FILM_WIDTH = 220  # pixels of a picture in the films, about


class Example(NamedTuple):
    """A clip of the report: what was `given`, the `truth`, and the `forecasts` by row, from 0 to 1."""

    name: str
    given: np.ndarray
    truth: np.ndarray
    forecasts: dict[str, np.ndarray]


class Details(NamedTuple):
    """What the page shows beside the table.

    Attributes:
        configuration: of the clips.
        scores: by row and metric, (clips, future).
        videos: name of the video that each clip is from.
        examples: some clips.
        seconds: that the model took for a clip.
        horizon: the means by row and metric, (future,).
        levels: the pixel from which on each threshold is reached.
        window: side of the squares of FSS.
    """

    configuration: DataConfiguration
    scores: dict[str, Scores]
    videos: list[str]
    examples: list[Example]
    seconds: float
    horizon: Mapping[str, Scores] = {}
    levels: Mapping[str, int] = {}
    window: int = 1


def write_next_frames_report(run: Run, evaluation: Evaluation, details: Details) -> None:
    """Writes `report.html`, its plots and films into the run's folder, for another split under names of its own."""
    rows = {row.name: row.metrics for row in evaluation.rows}
    baseline = baseline_of(rows)
    film = example_film(details.examples, baseline)
    moving = films.gif(film)
    (run.folder / evaluation.file_name("forecasts.gif")).write_bytes(moving)
    films.write_mp4(run.folder / evaluation.file_name("forecasts.mp4"), film)
    ssim = {example.name: example for example in details.examples[:STRIPS]}
    strips = [
        Picture(
            pictures.strip(
                each.given, each.truth, {"model": each.forecasts["model"], baseline: each.forecasts[baseline]}
            ),
            f"{name}: the last frames that were given, what came, and what was forecast. In the error, what is too "
            "bright is red, what is too dark is blue.",
        )
        for name, each in ssim.items()
    ]
    horizon = pictures.by_horizon(details.horizon, ("squared_error", "ssim"))
    horizon.savefig(run.folder / evaluation.file_name("horizon.png"), dpi=120)
    write_evaluation(
        run,
        evaluation,
        "Next frames",
        "squared_error",
        [explanation(details), *of_videos(details)],
        [
            Section(
                "Films",
                [
                    Picture(
                        moving,
                        f"What came, what was forecast, the baseline {baseline}, and the error of the "
                        "forecast; the first frames, with a bar below, were given. The same as forecasts.mp4.",
                    )
                ],
            ),
            Section(
                "Error by horizon",
                [
                    Picture(horizon, "Mean over the clips, frame by frame."),
                    Picture(pictures.by_horizon(details.horizon, ("mae", "psnr")), "The other two metrics."),
                    *(
                        Picture(
                            pictures.by_horizon(details.horizon, [f"{skill}_{name}" for skill in SKILLS]),
                            f"Where {name} is reached, in the data's own unit; a gap is where nothing reaches it.",
                        )
                        for name in details.levels
                    ),
                ],
            ),
            Section("Frame by frame", strips),
        ],
    )


def baseline_of(rows: Mapping[str, Mapping[str, Metric]]) -> str:
    """Name of the baseline that is shown beside the model: the one that moves; else that of the least squared error.

    The numbers say little about how good a picture looks: in darkness nothing at all has a good SSIM.

    >>> black, copy = ({"squared_error": Metric(value)} for value in (1.0, 2.0))
    >>> baseline_of({"model": black, "black": black, "optical flow": copy})
    'optical flow'
    >>> baseline_of({"model": black, "copy last": copy, "black": black})
    'black'
    """
    return MOVING if MOVING in rows else best_baseline(rows, "squared_error")


def explanation(details: Details) -> str:
    """Says what the columns of the table are."""
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
            return films.marked(to_rgb(np.concatenate([each.given, future])), len(each.given))

        error = films.error_rgb(each.forecasts["model"], each.truth)
        blank = np.full((len(each.given), *error.shape[1:]), 255, np.uint8)
        parts = {
            "truth": whole(each.truth),
            "model": whole(each.forecasts["model"]),
            baseline: whole(each.forecasts[baseline]),
            "error": np.concatenate([blank, error]),
        }
        shown.append(films.side_by_side(parts, scale))
    return films.stacked(shown)
