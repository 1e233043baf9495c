"""What a server runs: raw audio in, text with word times and confidence out, in stock TensorFlow operations."""

from functools import partial
from typing import Any

import tensorflow as tf

from models.decoding import greedy_decode
from pipelines.served import STREAMS, Signature, Tensors, cut, one_at_least, required
from pipelines.speech.audio_files import MAXIMUM_AMPLITUDE
from pipelines.speech.model import Recogniser
from pipelines.speech.wav import decode_wav

BEGUN = "\x01"  # stands in a stream's state for the text before


def signatures(recogniser: Recogniser) -> dict[str, Signature]:
    """Returns the functions to serve by name.

    `serving_default` takes `audio` (batch, samples) in −1 … 1 at the model's rate and the `lengths` (batch,) that
    count; `wav` takes the bytes of 16-bit PCM files. Both return `text`, `confidence`, `words`, `word_starts`,
    `word_ends` and `word_confidences`. `logits` takes what `serving_default` takes and returns what a beam search
    reads: `logits` (batch, frames, labels) and the `frames` (batch,) that count.

    A network of one direction also has `initial_state`, from any number for each of the `streams` (batch,), and
    `step`, from a chunk of `audio` and the state to the new state and the `text` that is new; a chunk is a multiple of
    a frame (`frame_samples`). Joined, the texts are that of the whole. `step_logits` also returns the `logits` of the
    chunk.
    """
    audio, lengths = tf.TensorSpec((None, None), tf.float32), tf.TensorSpec((None,), tf.int32)
    recordings = {"audio": audio, "lengths": lengths}
    found = {
        "serving_default": Signature(partial(transcribe, recogniser), recordings),
        "wav": Signature(
            lambda wav: transcribe(recogniser, *decode_wavs(wav, recogniser.features.sample_rate)),
            {"wav": tf.TensorSpec((None,), tf.string)},
        ),
        "logits": Signature(partial(logits, recogniser), recordings),
    }
    if recogniser.network.bidirectional:
        return found
    state = {
        name: tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype)
        for name, tensor in initial_state(recogniser, tf.constant([0])).items()
    }
    chunk = {"audio": audio, **state}
    return found | {
        "initial_state": Signature(partial(initial_state, recogniser), STREAMS),
        "step": Signature(lambda audio, **state: _without_logits(stream(recogniser, audio, state)), chunk),
        "step_logits": Signature(lambda audio, **state: stream(recogniser, audio, state), chunk),
    }


def logits(recogniser: Recogniser, audio: tf.Tensor, lengths: tf.Tensor) -> Tensors:
    """Returns the logits of audio (batch, samples), of which `lengths` (batch,) count, and how many frames count."""
    batch, samples = tf.shape(audio)[0], tf.shape(audio)[1]
    message = "lengths: expected one for each recording, from 0 to the samples of `audio`. Received:"
    fits = tf.equal(tf.shape(lengths)[0], batch) & tf.reduce_all((lengths >= 0) & (lengths <= samples))
    lengths = required(lengths, fits, message, lengths)
    counts = tf.sequence_mask(one_at_least(lengths), samples)
    audio = _checked(tf.where(counts, one_at_least(audio), 0.0))
    read = recogniser(audio, one_at_least(lengths))
    return cut({"logits": read.logits, "frames": read.lengths}, batch)


def transcribe(recogniser: Recogniser, audio: tf.Tensor, lengths: tf.Tensor) -> Tensors:
    """Transcribes audio (batch, samples), of which `lengths` (batch,) count, by the best label of each frame."""
    read = logits(recogniser, audio, lengths)
    return greedy_decode(read["logits"], read["frames"], recogniser.alphabet, recogniser.frame_seconds)._asdict()


def decode_wavs(wav: tf.Tensor, sample_rate: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns audio (batch, samples), padded, and lengths (batch,) of the bytes of 16-bit PCM files (batch,)."""
    recordings = tf.map_fn(
        lambda file: decode_wav(file, sample_rate),
        wav,
        fn_output_signature=tf.RaggedTensorSpec((None,), tf.float32, ragged_rank=0),
    )
    return recordings.to_tensor(), tf.cast(recordings.row_lengths(), tf.int32)


def initial_state(recogniser: Recogniser, streams: tf.Tensor) -> Tensors:
    """The state of streams (batch,) before their first chunk."""
    state = recogniser.initial_state(tf.shape(streams)[0])
    return flat(state) | {"last_label": tf.zeros_like(streams), "spelled": tf.fill(tf.shape(streams), "")}


def stream(recogniser: Recogniser, audio: tf.Tensor, state: Tensors) -> Tensors:
    """Takes a chunk (batch, samples) and the state; returns the new state, the new `text` and the `logits`."""
    batch, samples = tf.shape(audio)[0], tf.shape(audio)[1]
    frame_samples = recogniser.frame_samples
    message = f"Expected a chunk of {frame_samples} samples, or a multiple. Keep the rest for the next one. Received:"
    audio = _checked(required(audio, (samples % frame_samples == 0) & (samples > 0), message, samples))
    audio, state = one_at_least(audio), {name: one_at_least(tensor) for name, tensor in state.items()}
    lengths = tf.fill((tf.shape(audio)[0],), samples)
    logits, _, new_state, _ = recogniser(audio, lengths, state=nested(state, recogniser))
    labels = tf.argmax(logits, axis=-1, output_type=tf.int32)  # (batch, frames)
    with_last = tf.concat([state["last_label"][:, tf.newaxis], labels], axis=1)
    begins = tf.where(labels == with_last[:, :-1], 0, labels)  # a repeated label spells nothing
    characters = tf.gather(tf.constant(["", *recogniser.alphabet]), begins)
    text, spelled = _new_text(state["spelled"], tf.strings.reduce_join(characters, axis=1))
    answer = {"last_label": with_last[:, -1], "spelled": spelled, "text": text, "logits": logits}
    return cut(flat(new_state) | answer, batch)


def _new_text(before: tf.Tensor, characters: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the new text, and what to remember: whether there was any, and a space that waits for the next word."""
    joined = tf.strings.regex_replace(before + characters, " +", " ")
    joined = tf.strings.regex_replace(joined, "^ ", "")  # before the first word
    text = tf.strings.regex_replace(joined, f"^{BEGUN}| $", "")
    remembered = tf.strings.regex_replace(joined, r"(?s)^.*[^ ]( ?)$", BEGUN + r"\1")
    return text, remembered


def _checked(audio: tf.Tensor) -> tf.Tensor:
    """Refuses samples that are no numbers, and those of 16-bit integers that nobody has scaled."""
    peak = tf.reduce_max(tf.abs(tf.concat([[0.0], tf.reshape(audio, (-1,))], axis=0)))
    message = "audio: expected finite samples. Leave out NaN and infinity. Received samples that are none:"
    wrong = tf.math.count_nonzero(~tf.math.is_finite(audio), dtype=tf.int32)
    audio = required(audio, wrong == 0, message, wrong)
    message = "audio: expected samples from -1 to 1. Scale those of 16 bits by 1/32768. Received one of:"
    return required(audio, ~(peak > MAXIMUM_AMPLITUDE), message, peak)


def _without_logits(answer: Tensors) -> Tensors:
    return {name: tensor for name, tensor in answer.items() if name != "logits"}


def flat(state: dict[str, Any]) -> Tensors:
    """The network's state as named tensors, as a signature wants it."""
    convolutions = {f"convolution_{index}": tensor for index, tensor in enumerate(state["convolutions"])}
    recurrent = {
        f"recurrent_{layer}_{part}": tensor
        for layer, parts in enumerate(state["recurrent"])
        for part, tensor in enumerate(parts)
    }
    return {"audio_before": state["audio"]} | convolutions | recurrent


def nested(tensors: Tensors, recogniser: Recogniser) -> dict[str, Any]:
    """The network's state from its named tensors; inverse of `flat`."""
    parts = 2 if recogniser.network.recurrent == "lstm" else 1
    return {
        "audio": tensors["audio_before"],
        "convolutions": [tensors[f"convolution_{index}"] for index in range(len(recogniser.convolutions))],
        "recurrent": [
            [tensors[f"recurrent_{layer}_{part}"] for part in range(parts)]
            for layer in range(len(recogniser.recurrent))
        ],
    }
