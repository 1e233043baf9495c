"""Evaluates a trained forecaster of frames beside the baselines."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal

import numpy as np
import pydantic
from pydantic import Field

from pipelines import commands
from pipelines.comparison import compared_rows, comparison
from pipelines.evaluation import Evaluation
from pipelines.preparation import report_changed_data
from pipelines.runs import Run
from pipelines.video.next_frames import baselines, data
from pipelines.video.next_frames.baselines import Baseline
from pipelines.video.next_frames.config import NextFramesConfiguration, odd
from pipelines.video.next_frames.data import DataConfiguration, Split
from pipelines.video.next_frames.model import load_model
from pipelines.video.next_frames.report import Details, Example, write_next_frames_report
from pipelines.video.next_frames.scoring import HIGHER_IS_BETTER, Scores, by_horizon, levels_of, metrics, score

MEAN_OF = 200  # training clips whose mean frame is a baseline
EXAMPLES = 6  # clips of the report, evenly spread
COMPARED = ("squared_error", "ssim")


class EvaluationOptions(commands.RunOptions):
    """Options of the evaluation."""

    split: Literal["validation", "test"] = Field("test", description="split to evaluate")
    thresholds: tuple[float, ...] = Field(
        (), description="values in the data's own unit, for CSI, POD, FAR and FSS; default: those of the training"
    )
    fss_window: int = Field(0, ge=0, description="side of the squares of FSS, in pixels; 0: that of the training")

    @pydantic.field_validator("fss_window")
    @classmethod
    def _odd(cls, window: int) -> int:
        if window:
            odd(window)
        return window


def evaluate(run: Run, split: Split = "test", thresholds: Sequence[float] = (), fss_window: int = 0) -> Evaluation:
    """Forecasts a split with a run's forecaster and the baselines; writes table, films and page into its folder."""
    configuration = run.read_configuration(NextFramesConfiguration)
    forecaster, sets = load_model(run), data.load(configuration.data)
    report_changed_data(run, sets, sets.names("train"), sets.names(split))
    levels = levels_of(thresholds or configuration.thresholds, sets.recordings.value_range)
    window = fss_window or configuration.fss_window
    rows: dict[str, tuple[str, Baseline]] = {
        "model": ("", lambda frames, future: forecaster.forecast(np.rint(255 * frames).astype(np.uint8), future))
    }
    rows |= baselines.available(data.fixed_batches(sets, "train", MEAN_OF))

    details = _scored(rows, sets, split, configuration.data, partial(score, levels=levels, window=window))
    scores, block = details.scores, overlap(configuration.data)
    horizon = {name: by_horizon(found, levels) for name, found in scores.items()}
    details = details._replace(horizon=horizon, levels=levels, window=window)
    notes = {name: note for name, (note, _) in rows.items()}
    table = compared_rows(scores, lambda found: metrics(found, levels, block), _comparisons, notes)
    evaluation = Evaluation(split, len(sets.videos[split]), table)
    run.write_json(evaluation.file_name("horizon.json"), details.horizon)
    write_next_frames_report(run, evaluation, details)
    return evaluation


def overlap(configuration: DataConfiguration) -> int:
    """How many neighbouring clips share frames; the bootstrap draws so many together."""
    stride = configuration.clip_stride or configuration.clip_frames
    return -(-configuration.clip_frames // stride)


def _scored(
    rows: Mapping[str, tuple[str, Baseline]],
    sets: data.Sets,
    split: Split,
    configuration: DataConfiguration,
    judge: Callable[[np.ndarray, np.ndarray], Scores],
) -> Details:
    """Forecasts all clips of a split by all rows, some at a time, and keeps the scores, and the frames of some."""
    watched, future = configuration.watched_frames, configuration.future_frames
    parts: dict[str, list[Scores]] = {name: [] for name in rows}
    seconds = dict.fromkeys(rows, 0.0)
    total, examples, number = len(sets.videos[split]), [], 0
    shown = set(np.linspace(0, total - 1, min(EXAMPLES, total)).round().astype(int).tolist())
    for clips in data.fixed_batches(sets, split):
        frames = clips.astype(np.float32) / 255
        given, truth = frames[:, :watched], frames[:, watched:]
        forecasts = {}
        for name, (_, forecast) in rows.items():
            started = time.perf_counter()
            forecasts[name] = forecast(given, future)
            seconds[name] += time.perf_counter() - started
            parts[name].append(judge(forecasts[name], truth))
        for place in range(len(clips)):
            if number + place in shown:
                found = {name: each[place] for name, each in forecasts.items()}
                examples.append(Example(sets.videos[split][number + place], given[place], truth[place], found))
        number += len(clips)
        print(f"Forecast {number} of {total} clips", flush=True)
    scores = {
        name: {what: np.concatenate([each[what] for each in found]) for what in found[0]}
        for name, found in parts.items()
    }
    return Details(configuration, scores, sets.videos[split], examples, seconds["model"] / total)


def _comparisons(model: Scores, other: Scores) -> str:
    """Returns whether another row is worse than the model beyond chance, in words."""
    parts = []
    for metric in COMPARED:
        ours, theirs = (scores[metric].mean(axis=1) for scores in (model, other))
        parts.append(comparison(ours, theirs, metric.replace("_", " "), metric in HIGHER_IS_BETTER))
    return "; ".join(parts)
