"""A trained recogniser, as it lies in a run folder, and what it makes of a split."""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from pipelines.preparation import built, description_of, trained_model
from pipelines.runs import Run
from pipelines.speech.config import SpeechConfiguration
from pipelines.speech.data import batches
from pipelines.speech.model import Recogniser
from pipelines.speech.sources import Source

ALPHABET = "alphabet.json"  # where runs of 0.1 have it


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


def build(configuration: SpeechConfiguration, alphabet: Sequence[str]) -> Recogniser:
    """Returns an untrained recogniser, its weights made."""
    recogniser = Recogniser(
        configuration.features, configuration.network, configuration.spec_augment, tuple(alphabet), configuration.seed
    )
    return built(recogniser, tf.zeros((1, recogniser.frame_samples)), tf.constant([recogniser.frame_samples]))


def load_model(run: Run) -> Recogniser:
    """Returns the recogniser of a finished run, with its trained weights.

    Raises:
        RunError: the run was not trained to its end, or its weights do not fit the recogniser.
    """
    return trained_model(run, run.read_configuration(SpeechConfiguration), build, ALPHABET, "alphabet")


def alphabet_of_run(run: Run) -> tuple[str, ...]:
    """Returns the characters that labels 1, 2, … of a run's recogniser stand for."""
    return tuple(description_of(run, ALPHABET, "alphabet")["alphabet"])
