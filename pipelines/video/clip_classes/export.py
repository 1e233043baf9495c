"""Exports a classifier of clips as a SavedModel."""

from pathlib import Path

import numpy as np

from pipelines.exporting import WarmupRequest, export_signatures
from pipelines.model_cards import card, documented
from pipelines.runs import Run
from pipelines.video.clip_classes.config import ClipClassesConfiguration
from pipelines.video.clip_classes.model import Classifier, load_model
from pipelines.video.clip_classes.serving import signatures
from pipelines.video.recordings import RECORDINGS, recorded, stated_rate

SOURCES = {
    "motion_clips": "Images of Fashion-MNIST (MIT) under eight synthetic motions",
    "ucf101": "UCF101 (Soomro et al. 2012), split 1, as TensorFlow Datasets publishes it; its makers state no licence",
}
LIMITS = {
    "motion_clips": "It knows one picture on a dark ground under one motion at constant speed. The motion is "
    "synthetic: this is not a detector of motion in real video."
}


def export_run(run: Run, folder: Path | str = "exports") -> Path:
    """Writes `exports/video-<preset>/<version>/` and returns it."""
    classifier = load_model(run)
    data = run.read_configuration(ClipClassesConfiguration).data
    clip = np.zeros((1, data.clip_frames, *classifier.frame_shape), np.uint8)
    warmup = [
        WarmupRequest("serving_default", {"frames": clip}),
        WarmupRequest("padded", {"frames": clip, "lengths": [data.clip_frames]}),
        WarmupRequest("initial_state", {"streams": [0]}),
        WarmupRequest("step", {"frame": clip[:, 0]}),
    ]
    files = ("classes.json", RECORDINGS)  # the first, where runs of 0.1 have them
    functions = signatures(classifier, data)
    return export_signatures(run, classifier, functions, model_card(run, classifier), warmup, folder, files)


def model_card(run: Run, classifier: Classifier) -> str:
    """What a user of the exported model must know: input, data, licence, metrics, limits."""
    configuration = run.read_configuration(ClipClassesConfiguration)
    data, (height, width, channels) = configuration.data, classifier.frame_shape
    rate = stated_rate(data.frame_rate, recorded(run))
    limits = LIMITS.get(
        data.source, "It knows the classes, cameras and scenes of its training videos; others give more errors."
    )
    about = f"""
Frames of {height}×{width} pixels, {"grey" if channels == 1 else "RGB"}, to one of the classes
{", ".join(classifier.classes)}, which is their order in the probabilities. Learned from clips of {data.clip_frames}
frames, {rate}; give it as many. Pictures of other sizes are fitted by `{data.fit}`, as in training. It reads in one
direction, so it can follow a stream.

{documented(signatures)}
"""
    limits = f"{limits} The probabilities order the classes by how sure the network is; they are not calibrated."
    source = SOURCES.get(data.source, f"The user's own videos ({data.source})")
    return card(run, "What a clip shows", about, f"{source}.", "videos", limits)
