"""What the classifier is compared with: the most frequent class, a single frame, and the mean of frames."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from pipelines.optimization import TrainingStep
from pipelines.progress import Display
from pipelines.video.clip_classes import data
from pipelines.video.clip_classes.config import ClipClassesConfiguration
from pipelines.video.clip_classes.model import PictureClassifier
from pipelines.video.clip_classes.scoring import by_video

MAJORITY = "majority"
PICTURES: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "single frame": lambda frames: frames[:, frames.shape[1] // 2],
    "mean of frames": lambda frames: tf.reduce_mean(tf.cast(frames, tf.float32), axis=1),
}
"""The one picture of clips (batch, time, height, width, channels) that a baseline looks at."""


def majority(sets: data.Sets, split: str) -> np.ndarray:
    """Returns for each video of a split the shares of the classes among the training clips, (videos, classes)."""
    counts = np.bincount(sets.splits["train"].labels, minlength=len(sets.classes))
    return np.tile(counts / counts.sum(), (len(sets.splits[split].keys), 1))


def fitted(name: str, configuration: ClipClassesConfiguration, sets: data.Sets) -> PictureClassifier:
    """Returns a baseline, trained on the same clips as the classifier, by `baseline_steps` steps."""
    shape = configuration.data.frame_shape
    classifier = PictureClassifier(configuration.network, shape, sets.classes, configuration.seed)
    classifier(tf.zeros((1, *shape), tf.uint8))

    def loss(batch: tuple[tf.Tensor, tf.Tensor], training: bool) -> tf.Tensor:
        logits = classifier(PICTURES[name](batch[0]), training=training)
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(batch[1], logits))

    steps = configuration.baseline_steps
    training = configuration.training.replace(weight_average_decay=0.0)  # the last weights are those that are kept
    batches = data.training_batches(sets, configuration.data, configuration.seed, epoch=0).take(steps)
    step = TrainingStep(classifier, loss, training, steps, batches.element_spec)
    print(f"Training the baseline {name}, {steps} steps", flush=True)
    with Display(steps) as display:
        for batch in batches:
            step(batch)
            display.advance()
    return classifier


def probabilities(
    name: str, classifier: PictureClassifier, examples: data.Examples, configuration: data.DataConfiguration
) -> np.ndarray:
    """Returns the probabilities that a fitted baseline gives the videos of a split, (videos, classes)."""
    read = tf.function(lambda frames: tf.nn.softmax(classifier(PICTURES[name](frames))), autograph=False)
    scores = np.concatenate([read(frames).numpy() for frames in data.batches(examples, configuration)])
    return by_video(examples, scores)[1]
