"""What a server runs: raw audio in, text with word times and confidence out, in stock TensorFlow operations."""

from functools import partial
from typing import Any

import tensorflow as tf

from models.decoding import greedy_decode
from pipelines.served import Signature, Tensors
from pipelines.speech.model import Recogniser


def signatures(recogniser: Recogniser) -> dict[str, Signature]:
    """Returns the functions to serve by name.

    `serving_default` takes `audio` (batch, samples) in −1 … 1 at the model's rate and the `lengths` (batch,) that
    count; `wav` takes the bytes of 16-bit PCM files. Both return `text`, `confidence`, `words`, `word_starts`,
    `word_ends` and `word_confidences`. `logits` takes what `serving_default` takes and returns what a beam search
    reads: `logits` (batch, frames, labels) and the `frames` (batch,) that count.

    A network of one direction also has `initial_state`, from a batch size, and `step`, from a chunk of `audio` and the
    state to the new state and the `text` so far; a chunk is a multiple of a frame (`frame_samples`). `step_logits` also
    returns the `logits` of the chunk.
    """
    audio, lengths = tf.TensorSpec((None, None), tf.float32), tf.TensorSpec((None,), tf.int32)
    recordings = {"audio": audio, "lengths": lengths}
    found = {
        "serving_default": Signature(partial(transcribe, recogniser), recordings),
        "wav": Signature(
            lambda wav: transcribe(recogniser, *decode_wav(wav, recogniser.features.sample_rate)),
            {"wav": tf.TensorSpec((None,), tf.string)},
        ),
        "logits": Signature(partial(logits, recogniser), recordings),
    }
    if recogniser.network.bidirectional:
        return found
    state = {
        name: tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype)
        for name, tensor in initial_state(recogniser, tf.constant(1)).items()
    }
    chunk = {"audio": audio, **state}
    return found | {
        "initial_state": Signature(partial(initial_state, recogniser), {"batch": tf.TensorSpec((), tf.int32)}),
        "step": Signature(lambda audio, **state: _without_logits(stream(recogniser, audio, state)), chunk),
        "step_logits": Signature(lambda audio, **state: stream(recogniser, audio, state), chunk),
    }


def logits(recogniser: Recogniser, audio: tf.Tensor, lengths: tf.Tensor) -> Tensors:
    """Returns the logits of audio (batch, samples), of which `lengths` (batch,) count, and how many frames count."""
    read = recogniser(audio, lengths)
    return {"logits": read.logits, "frames": read.lengths}


def transcribe(recogniser: Recogniser, audio: tf.Tensor, lengths: tf.Tensor) -> Tensors:
    """Transcribes audio (batch, samples), of which `lengths` (batch,) count, by the best label of each frame."""
    read = recogniser(audio, lengths)
    return greedy_decode(read.logits, read.lengths, recogniser.alphabet, recogniser.frame_seconds)._asdict()


def decode_wav(wav: tf.Tensor, sample_rate: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns audio (batch, samples), padded, and lengths (batch,) of the bytes of 16-bit PCM files (batch,)."""

    def decode(file: tf.Tensor) -> tf.Tensor:
        audio, rate = tf.audio.decode_wav(file)  # (samples, channels)
        message = f"Expected {sample_rate} samples a second. Resample the recording before it is sent. Received:"
        with tf.control_dependencies([tf.debugging.Assert(tf.equal(rate, sample_rate), [message, rate])]):
            return tf.reduce_mean(audio, axis=1)

    lengths = tf.map_fn(lambda file: tf.size(decode(file)), wav, fn_output_signature=tf.int32)
    maximum = tf.reduce_max(tf.concat([lengths, [0]], axis=0))

    def decode_padded(file: tf.Tensor) -> tf.Tensor:
        audio = decode(file)
        return tf.pad(audio, [[0, maximum - tf.size(audio)]])

    return tf.map_fn(decode_padded, wav, fn_output_signature=tf.TensorSpec((None,), tf.float32)), lengths


def initial_state(recogniser: Recogniser, batch: tf.Tensor) -> Tensors:
    """The state of a stream before its first chunk."""
    state = recogniser.initial_state(batch)
    return _flat(state) | {"last_label": tf.zeros((batch,), tf.int32), "spelled": tf.fill((batch,), "")}


def stream(recogniser: Recogniser, audio: tf.Tensor, state: Tensors) -> Tensors:
    """Takes a chunk (batch, samples) and the state; returns the new state, the `text` so far and the `logits`."""
    samples = tf.shape(audio)[1]
    frame_samples = recogniser.frame_samples
    message = f"Expected a chunk of {frame_samples} samples, or a multiple. Keep the rest for the next one. Received:"
    fits = (samples % frame_samples == 0) & (samples > 0)
    with tf.control_dependencies([tf.debugging.Assert(fits, [message, samples])]):
        lengths = tf.fill((tf.shape(audio)[0],), samples)
    logits, _, new_state, _ = recogniser(audio, lengths, state=_nested(state, recogniser))
    labels = tf.argmax(logits, axis=-1, output_type=tf.int32)  # (batch, frames)
    with_last = tf.concat([state["last_label"][:, tf.newaxis], labels], axis=1)
    begins = tf.where(labels == with_last[:, :-1], 0, labels)  # a repeated label spells nothing
    characters = tf.gather(tf.constant(["", *recogniser.alphabet]), begins)
    spelled = tf.strings.join([state["spelled"], tf.strings.reduce_join(characters, axis=1)])
    text = tf.strings.strip(tf.strings.regex_replace(spelled, " +", " "))
    return _flat(new_state) | {"last_label": with_last[:, -1], "spelled": spelled, "text": text, "logits": logits}


def _without_logits(answer: Tensors) -> Tensors:
    return {name: tensor for name, tensor in answer.items() if name != "logits"}


def _flat(state: dict[str, Any]) -> Tensors:
    """The network's state as named tensors, as a signature wants it."""
    convolutions = {f"convolution_{index}": tensor for index, tensor in enumerate(state["convolutions"])}
    recurrent = {
        f"recurrent_{layer}_{part}": tensor
        for layer, parts in enumerate(state["recurrent"])
        for part, tensor in enumerate(parts)
    }
    return {"audio_before": state["audio"]} | convolutions | recurrent


def _nested(tensors: Tensors, recogniser: Recogniser) -> dict[str, Any]:
    """The network's state from its named tensors; inverse of `_flat`."""
    parts = 2 if recogniser.network.recurrent == "lstm" else 1
    return {
        "audio": tensors["audio_before"],
        "convolutions": [tensors[f"convolution_{index}"] for index in range(len(recogniser.convolutions))],
        "recurrent": [
            [tensors[f"recurrent_{layer}_{part}"] for part in range(parts)]
            for layer in range(len(recogniser.recurrent))
        ],
    }
