"""A classifier of clips on devices: a frame in, the probability of each class out."""

import numpy as np
import tensorflow as tf

from pipelines.devices import Ask, DeviceModel, followed, stepped
from pipelines.runs import Run
from pipelines.served import Tensors, arrays
from pipelines.video.clip_classes import data
from pipelines.video.clip_classes.config import ClipClassesConfiguration
from pipelines.video.clip_classes.model import load_model
from pipelines.video.clip_classes.scoring import by_video
from pipelines.video.clip_classes.serving import flat, nested


def device_model(run: Run) -> DeviceModel:
    """Returns the step of a run's classifier."""
    configuration, classifier = run.read_configuration(ClipClassesConfiguration).data, load_model(run)
    before = arrays(flat(classifier.initial_state(1)))

    def step(frame: tf.Tensor, **state: tf.Tensor) -> Tensors:
        found = classifier(frame[:, tf.newaxis], state=nested(classifier, state))
        return stepped({"probabilities": tf.nn.softmax(found.logits[:, -1])}, flat(found.state))

    def score(ask: Ask) -> float:
        examples = data.load(configuration).splits["test"]
        probabilities = []
        for clips in data.batches(examples, configuration):
            for clip in clips.numpy():
                *_, last = followed(ask, before, ({"frame": frame[np.newaxis]} for frame in clip))
                probabilities.append(last["probabilities"][0])
        labels, found = by_video(examples, np.stack(probabilities))
        return float((found.argmax(axis=1) == labels).mean())

    inputs = {"frame": tf.TensorSpec((1, *classifier.frame_shape), tf.uint8)}
    about = (
        f"A step takes `frame`, uint8 (1, {', '.join(map(str, classifier.frame_shape))}), already of that size, and "
        "returns `probabilities`, (1, classes) in the order above."
    )
    return DeviceModel(step, inputs, before, "accuracy", score, about)
