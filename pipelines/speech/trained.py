"""A trained recogniser and its decoder, as they lie in a run folder."""

from collections.abc import Collection, Iterator
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from models.decoding import CharacterLanguageModel, Hypothesis, beam_decode
from pipelines.checkpoints import load_trained
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

    def __call__(self, logits: np.ndarray, recogniser: Recogniser) -> Hypothesis:
        """Returns the best reading of the logits (frames, labels) that a recogniser gave."""
        return beam_decode(
            tf.nn.log_softmax(logits).numpy(),
            recogniser.alphabet,
            recogniser.frame_seconds,
            beam_width=self.beam_width,
            language_model=self.language_model,
            language_model_weight=self.language_model_weight,
            insertion_bonus=self.insertion_bonus,
        )[0]


class Transcribed(NamedTuple):
    """A recording with what the network made of it: `logits` (frames, labels) of its true length, and greedy text."""

    key: str
    text: str
    audio: np.ndarray
    logits: np.ndarray
    greedy: str


def transcribe_split(
    recogniser: Recogniser, source: Source, split: str, keys: Collection[str] | None = None
) -> Iterator[Transcribed]:
    """Runs the network over the recordings of a split, all or those of some keys, one batch at a time."""
    for batch in batches(source, split, recogniser.alphabet, keys):
        results = [tensor.numpy() for tensor in recogniser.read(batch["audio"], batch["audio_lengths"])]
        known = [batch[name].numpy() for name in ("key", "text", "audio", "audio_lengths")]
        for key, text, audio, samples, logits, frames, greedy in zip(*known, *results, strict=True):
            yield Transcribed(key.decode(), text.decode(), audio[:samples], logits[:frames], greedy.decode())


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
    language_model = None if decoder.language_model is None else decoder.language_model.to_dict()
    run.write_json("decoder.json", decoder._asdict() | {"language_model": language_model})


def load_decoder(run: Run) -> Decoder:
    """Reads `decoder.json`."""
    values = run.read_json("decoder.json")
    language_model = values.pop("language_model")
    return Decoder(language_model and CharacterLanguageModel.from_dict(language_model), **values)


def load_recogniser(run: Run) -> Recogniser:
    """Returns the recogniser of a finished run, with its trained weights.

    Raises:
        RunError: the run was not trained to its end, or its weights do not fit the recogniser.
    """

    def untrained() -> Recogniser:
        return build(run.read_configuration(SpeechConfiguration), tuple(run.read_json("alphabet.json")))

    return load_trained(run, untrained)
