"""A trained recogniser and its decoder, as they lie in a run folder."""

from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from models.decoding import CharacterLanguageModel, Hypothesis, beam_decode, greedy_decode
from pipelines.runs import Run
from pipelines.speech.config import SpeechConfiguration
from pipelines.speech.data import batches
from pipelines.speech.model import Recogniser
from pipelines.speech.sources import Source


class Decoder(NamedTuple):
    """Beam search with a language model, and the two numbers that balance them, chosen on the validation split."""

    language_model: CharacterLanguageModel | None
    language_model_weight: float
    insertion_bonus: float
    beam_width: int

    def __call__(self, logits: np.ndarray, alphabet: tuple[str, ...], frame_seconds: float) -> Hypothesis:
        """Returns the best reading of logits (frames, labels)."""
        log_probabilities = tf.nn.log_softmax(logits).numpy()
        return beam_decode(
            log_probabilities,
            alphabet,
            frame_seconds,
            beam_width=self.beam_width,
            language_model=self.language_model,
            language_model_weight=self.language_model_weight,
            insertion_bonus=self.insertion_bonus,
        )[0]


class Transcribed(NamedTuple):
    """A recording with what the network made of it: `logits` (frames, labels) of its true length."""

    key: str
    text: str
    audio: np.ndarray
    logits: np.ndarray


def transcribe_split(recogniser: Recogniser, source: Source, split: str) -> list[Transcribed]:
    """Runs the network over all recordings of a split."""
    specification = [tf.TensorSpec((None, None), tf.float32), tf.TensorSpec((None,), tf.int32)]
    network = tf.function(lambda audio, lengths: recogniser(audio, lengths)[:2], input_signature=specification)
    transcribed = []
    for batch in batches(source, split, recogniser.alphabet):
        logits, frames = (tensor.numpy() for tensor in network(batch["audio"], batch["audio_lengths"]))
        rows = zip(batch["key"].numpy(), batch["text"].numpy(), batch["audio_lengths"].numpy(), strict=True)
        for row, (key, text, samples) in enumerate(rows):
            audio = batch["audio"][row, :samples].numpy()
            transcribed.append(Transcribed(key.decode(), text.decode(), audio, logits[row, : frames[row]]))
    return transcribed


def greedy_text(recording: Transcribed, recogniser: Recogniser) -> str:
    """The text of the best label of each frame."""
    lengths = [len(recording.logits)]
    transcript = greedy_decode(recording.logits[np.newaxis], lengths, recogniser.alphabet, recogniser.frame_seconds)
    return transcript.text[0].numpy().decode()


def build(configuration: SpeechConfiguration, alphabet: tuple[str, ...]) -> Recogniser:
    """Returns an untrained recogniser, its weights made."""
    keras.config.set_dtype_policy(configuration.training.dtype_policy)
    recogniser = Recogniser(
        configuration.features, configuration.network, configuration.spec_augment, alphabet, configuration.seed
    )
    recogniser(tf.zeros((1, recogniser.frame_samples)), tf.constant([recogniser.frame_samples]))
    return recogniser


def save_decoder(run: Run, decoder: Decoder) -> None:
    """Writes `decoder.json`."""
    if decoder.language_model is not None:
        run.write_json("decoder.json", decoder._asdict() | {"language_model": decoder.language_model.to_dict()})


def load_decoder(run: Run) -> Decoder:
    """Reads `decoder.json`."""
    values = run.read_json("decoder.json")
    return Decoder(**(values | {"language_model": CharacterLanguageModel.from_dict(values["language_model"])}))


def load_recogniser(run: Run) -> Recogniser:
    """Returns the recogniser of a finished run, with its trained weights."""
    recogniser = build(run.read_configuration(SpeechConfiguration), tuple(run.read_json("alphabet.json")))
    recogniser.load_weights(run.folder / "model.weights.h5")
    return recogniser
