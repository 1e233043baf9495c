"""Trains a forecaster of frames."""

from functools import partial

import numpy as np
import tensorflow as tf

from pipelines.hints import listed_problems
from pipelines.preparation import Prepared, prepared
from pipelines.runs import Run
from pipelines.training import fit
from pipelines.video.next_frames import data
from pipelines.video.next_frames.config import NextFramesConfiguration
from pipelines.video.next_frames.model import FrameForecaster, build
from pipelines.video.next_frames.network import each_frame
from pipelines.video.next_frames.scoring import METRICS, levels_of, score
from pipelines.video.recordings import RECORDINGS

SKIPPED = "skipped.json"  # names and reasons of the videos that are left out
WINDOW = 7  # pixels, of the structural similarity
C1, C2 = 0.01**2, 0.03**2  # of Wang et al., for pixels from 0 to 1
LOSS_SCALE = 100.0  # mean squared errors of pixels from 0 to 1 are small numbers


def train(run: Run, configuration: NextFramesConfiguration) -> None:
    """Trains the forecaster of a run, or resumes where it stopped, and writes everything into the run's folder."""
    sets, forecaster = prepared(run, configuration, prepare)
    seed, steps = configuration.seed, configuration.steps_per_epoch

    def batches(epoch: int) -> tf.data.Dataset:
        share = truth_share(configuration.scheduled_sampling_epochs, epoch)
        return data.training_batches(sets, configuration.data, seed, epoch, share)

    loss = partial(batch_loss, forecaster, configuration)
    functions = loss, batches, partial(validate, forecaster, sets, configuration.data)
    fit(run, forecaster, *functions, configuration.training, minimise="squared_error", steps_per_epoch=steps, seed=seed)
    run.finish()


def prepare(configuration: NextFramesConfiguration) -> Prepared[data.Sets, FrameForecaster]:
    """Returns the clips and an untrained forecaster, and prints what it learns from."""
    sets = data.load(configuration.data)
    levels_of(configuration.thresholds, sets.recordings.value_range)  # refused before an hour of training
    report(sets)
    if unused := configuration.network.unused:
        print(f"Settings that do not count with --network.head pixels: {', '.join(unused)}", flush=True)
    files = {SKIPPED: sets.skipped, RECORDINGS: sets.recordings}
    return Prepared(sets, build(configuration), {}, files, learned=sets.names("train"))


def batch_loss(
    forecaster: FrameForecaster, configuration: NextFramesConfiguration, batch: dict[str, tf.Tensor], training: bool
) -> tf.Tensor:
    """Returns the mean error of the future, squared and absolute, plus that of the next frames while watching."""
    watched = configuration.data.watched_frames
    frames = tf.cast(batch["frames"], tf.float32) / 255
    given, truth = frames[:, :watched], frames[:, watched:]
    forecasts = forecaster(given, future=truth.shape[1], truth=truth, truth_mask=batch["truth_mask"], training=training)
    errors = forecasts - frames[:, 1:]
    errors = tf.square(errors) + configuration.absolute_weight * tf.abs(errors)
    errors = tf.reduce_mean(errors, axis=(0, 2, 3, 4))  # (time − 1,)
    if configuration.similarity_weight:
        similarity = each_frame(structural_similarity, forecasts, frames[:, 1:])  # (batch, time − 1)
        errors += configuration.similarity_weight * (1 - tf.reduce_mean(similarity, axis=0))
    loss = tf.reduce_mean(errors[watched - 1 :])
    if watched > 1:
        loss += configuration.watched_weight * tf.reduce_mean(errors[: watched - 1])
    return LOSS_SCALE * loss


def structural_similarity(forecasts: tf.Tensor, truth: tf.Tensor) -> tf.Tensor:
    """Returns the mean structural similarity (batch,) of frames (batch, height, width, channels), from 0 to 1, as
    scikit-image has it.

    In uniform windows of 7 × 7 pixels, with means μ, variances σ² and the covariance σ_xy:

        (2 μ_x μ_y + C1) (2 σ_xy + C2) / ((μ_x² + μ_y² + C1) (σ_x² + σ_y² + C2))

    Wang et al. 2004, https://doi.org/10.1109/TIP.2003.819861.

    Returns:
        (batch,).
    """
    maps = tf.concat([forecasts, truth, forecasts**2, truth**2, forecasts * truth], axis=-1)
    x, y, xx, yy, xy = tf.split(_window_means(maps), 5, axis=-1)
    unbiased = WINDOW**2 / (WINDOW**2 - 1)
    variances, covariance = unbiased * (xx - x * x + yy - y * y), unbiased * (xy - x * y)
    similarity = (2 * x * y + C1) * (2 * covariance + C2) / ((x * x + y * y + C1) * (variances + C2))
    return tf.reduce_mean(similarity, axis=(1, 2, 3))


def _window_means(maps: tf.Tensor) -> tf.Tensor:
    """The means of maps (batch, rows, columns, channels) over all windows: as matrix products, several times faster
    than pooling, most of all its gradient."""
    maps = tf.transpose(maps, (0, 3, 1, 2))
    down, across = (
        tf.constant(sum(np.eye(size - WINDOW + 1, size, at) for at in range(WINDOW)) / WINDOW, maps.dtype)
        for size in maps.shape[2:]
    )
    return tf.transpose(tf.matmul(down, maps) @ tf.transpose(across), (0, 2, 3, 1))


def truth_share(epochs: int, epoch: int) -> float:
    """Probability of being shown the truth in an epoch (Bengio et al., "Scheduled sampling", 2015): it falls linearly.

    >>> [truth_share(4, epoch) for epoch in range(6)]
    [0.8, 0.6, 0.4, 0.2, 0.0, 0.0]
    """
    return max(0.0, 1 - (epoch + 1) / (epochs + 1)) if epochs else 0.0


def validate(forecaster: FrameForecaster, sets: data.Sets, configuration: data.DataConfiguration) -> dict[str, float]:
    """Returns the mean scores of the future frames of the validation split, or of some of its clips."""
    watched, found = configuration.watched_frames, []
    for clips in data.fixed_batches(sets, "validation", configuration.validated_clips):
        truth = clips[:, watched:].astype(np.float32) / 255
        found.append(score(forecaster.forecast(clips[:, :watched], truth.shape[1]), truth))
    return {metric: float(np.concatenate([each[metric] for each in found]).mean()) for metric in METRICS}


def report(sets: data.Sets) -> None:
    """Prints what is learned from, and names what was left out."""
    counts = ", ".join(f"{len(set(videos))} {split}" for split, videos in sets.videos.items())
    print(f"Videos: {counts}.")
    if sets.skipped:
        print(f"Left out: {len(sets.skipped)}{listed_problems(sets.skipped)}")
