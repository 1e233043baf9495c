"""What a server runs: frames in, the class and the probability of each class out, in stock TensorFlow operations."""

from functools import partial

import tensorflow as tf

from pipelines import served
from pipelines.served import STREAMS, Signature, Tensors, for_any_batch, required, specifications
from pipelines.video.clip_classes.model import Classifier, State
from pipelines.video.frames import DecodingConfiguration
from pipelines.video.serving import fitted


def signatures(classifier: Classifier, data: DecodingConfiguration) -> dict[str, Signature]:
    """Returns the functions to serve by name.

    `serving_default` takes `frames`, uint8 (batch, time, height, width, channel) of any size; `padded` also takes
    `lengths`, int32 (batch,), how many frames of each clip count. Both return `label`, a string (batch,), and
    `probabilities` (batch, classes).

    `initial_state` takes any number for each of the `streams`, int32 (batch,), and returns the state before the first
    frame; `step` takes `frame`, uint8 (batch, height, width, channel), and the state, and returns `label`,
    `probabilities` and the new state.

        model = tf.saved_model.load(folder)
        model.signatures["serving_default"](frames=tf.constant(frames))["label"]
    """
    # Of any size, so that the graph itself states what it expects.
    frames = tf.TensorSpec((None, None, None, None, None), tf.uint8)
    frame = tf.TensorSpec((None, None, None, None), tf.uint8)
    state = specifications(flat(classifier.initial_state(1)))
    return {
        "serving_default": Signature(partial(classify, classifier, data), {"frames": frames}),
        "padded": Signature(
            partial(classify, classifier, data), {"frames": frames, "lengths": tf.TensorSpec((None,), tf.int32)}
        ),
        "initial_state": Signature(lambda streams: flat(classifier.initial_state(tf.shape(streams)[0])), STREAMS),
        "step": Signature(
            for_any_batch(lambda frame, **state: stream(classifier, data, frame, state)), {"frame": frame, **state}
        ),
    }


def classify(
    classifier: Classifier, data: DecodingConfiguration, frames: tf.Tensor, lengths: tf.Tensor | None = None
) -> Tensors:
    """Classifies clips (batch, time, height, width, channel), of which `lengths` (batch,) frames count."""
    frames = fitted(frames, data)
    if lengths is None:
        return for_any_batch(lambda frames: _answer(classifier, classifier(frames).logits[:, -1]))(frames=frames)
    batch, time = tf.unstack(tf.shape(frames)[:2])
    fits = tf.reduce_all((lengths > 0) & (lengths <= time)) & (tf.shape(lengths)[0] == batch)
    message = "lengths: expected at least one frame of each clip, and none behind the end of `frames`. Received:"

    @for_any_batch
    def answer(frames: tf.Tensor, lengths: tf.Tensor) -> Tensors:
        lengths = tf.maximum(lengths, 1)
        logits = classifier(frames, lengths).logits  # (batch, time, classes)
        return _answer(classifier, tf.gather(logits, lengths - 1, batch_dims=1))

    return answer(frames=frames, lengths=required(lengths, fits, message, lengths))


def stream(classifier: Classifier, data: DecodingConfiguration, frame: tf.Tensor, state: Tensors) -> Tensors:
    """Takes a frame (batch, height, width, channel) and the state before it; returns the answer and the new state."""
    logits, new_state = classifier(fitted(frame[:, tf.newaxis], data), state=nested(classifier, state))
    return _answer(classifier, logits[:, -1]) | flat(new_state)


def _answer(classifier: Classifier, logits: tf.Tensor) -> Tensors:
    labels = tf.gather(tf.constant(classifier.classes), tf.argmax(logits, axis=-1))
    return {"label": labels, "probabilities": tf.nn.softmax(logits)}


def flat(state: State) -> Tensors:
    """The network's state as named tensors, as a signature wants it."""
    return {"last_frame": state.frame, "seen": state.seen} | served.flat(state.recurrent, "recurrent")


def nested(classifier: Classifier, tensors: Tensors) -> State:
    """The network's state from its named tensors; inverse of `flat`."""
    recurrent = served.nested(tensors, "recurrent", classifier.stack.initial_state(1))
    return State(tensors["last_frame"], tensors["seen"], recurrent)
