"""Trains a speech recogniser."""

from functools import partial
from typing import Any

import tensorflow as tf

from models.losses import ctc_loss
from pipelines.configuration import ConfigurationError
from pipelines.hints import MAXIMUM_LISTED, listed, listed_problems
from pipelines.preparation import Prepared, prepared
from pipelines.runs import Run
from pipelines.speech import checks, data
from pipelines.speech.config import SpeechConfiguration
from pipelines.speech.decoder import fit_decoder, save_decoder
from pipelines.speech.language_models import report_own_words
from pipelines.speech.model import Recogniser, build
from pipelines.speech.phonemes import symbols_of
from pipelines.speech.readings import transcribe_split
from pipelines.speech.rules import settle
from pipelines.speech.scoring import error_rates
from pipelines.speech.transcripts import TRANSCRIPTS
from pipelines.training import fit

RECORDINGS_TO_ADAPT_TO = 2000  # enough for the mean of each mel band, however long the data
SKIPPED = "skipped.json"  # keys and reasons of the recordings that are left out


def train(run: Run, configuration: SpeechConfiguration) -> None:
    """Trains the recogniser of a run, or resumes where it stopped, and writes everything into the run's folder."""
    speech, recogniser = prepared(run, configuration, prepare)
    configuration = run.read_configuration(SpeechConfiguration)  # in which no setting is left open
    pronunciations = data.pronunciations_of(speech, configuration.network.phonemes)

    def training_batches(epoch: int) -> tf.data.Dataset:
        return data.training_batches(
            speech,
            configuration.data,
            configuration.augmentation,
            configuration.features.sample_rate,
            configuration.seed,
            epoch,
            configuration.training.epochs,
            pronunciations,
        )

    fit(
        run,
        recogniser,
        partial(batch_loss, recogniser, consistency=configuration.consistency),
        training_batches,
        partial(validate, recogniser, speech),
        configuration.training,
        minimise="cer",
        steps_per_epoch=configuration.steps_per_epoch,
        seed=configuration.seed,
    )
    save_decoder(run, fit_decoder(configuration, speech, recogniser))
    run.finish()


def prepare(configuration: SpeechConfiguration) -> Prepared[data.Speech, Recogniser]:
    """Returns the checked recordings and an untrained recogniser, its normalisation fitted on those of training."""
    if configuration.training.jit_compile:
        raise ConfigurationError(
            "training.jit_compile: the CTC loss cannot be compiled by XLA; the recurrent layers, where it pays, are "
            "compiled anyway. Leave it False. Received: True"
        )
    configuration, recordings = settle(configuration)
    speech = data.load(
        configuration.data,
        configuration.features.sample_rate,
        lambda samples: samples // configuration.frame_samples,
        recordings,
    )
    report(speech)
    report_own_words(configuration, speech)
    description = {"alphabet": speech.alphabet}
    if configuration.network.phonemes:
        description["phonemes"] = symbols_of(data.pronunciations_of(speech, configuration.network.phonemes))
        print(f"Phonemes of {configuration.network.phonemes}: {' '.join(description['phonemes'])}")
    recogniser = build(configuration, **description)
    keys = data.keys_of(speech.utterances["train"])
    first = speech.source.recordings("train", keys).take(RECORDINGS_TO_ADAPT_TO)
    recogniser.adapt(recording["audio"] for recording in first)
    files: dict[str, Any] = {SKIPPED: speech.skipped}
    if speech.transcripts is not None:
        files[TRANSCRIPTS] = speech.transcripts.report()
    settled = None if recordings is None else configuration
    return Prepared(
        speech,
        recogniser,
        description,
        files,
        configuration=settled,
        learned=data.identities(speech.utterances["train"]),
    )


def batch_loss(
    recogniser: Recogniser, batch: dict[str, tf.Tensor], training: bool, consistency: float = 0.0
) -> tf.Tensor:
    """Returns the mean CTC loss of a batch, in nats a recording: half of the labels, half of the mean draft.

    The first draft is compared with the phonemes, where the recogniser reads those.

    With `consistency` each recording is read twice in training, each time under masks and dropout of its own, and so
    much of what the two readings disagree on is added (Yao et al. 2025, https://arxiv.org/abs/2410.05101).
    """
    views = 2 if training and consistency else 1
    batch = {name: tf.concat([values] * views, axis=0) for name, values in batch.items()}
    read = recogniser(batch["audio"], batch["audio_lengths"], training=training)
    letters = batch["labels"], batch["label_lengths"]
    drafted = [letters] * len(read.drafts)
    if recogniser.phonemes:
        drafted[0] = batch["phonemes"], batch["phoneme_lengths"]

    def loss(logits: tf.Tensor, labels: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        return tf.reduce_mean(ctc_loss(logits, read.lengths, *labels))

    total = loss(read.logits, letters)
    if read.drafts:
        total = (total + sum(map(loss, read.drafts, drafted)) / len(read.drafts)) / 2
    return total + consistency * disagreement(read.logits, read.lengths) if views == 2 else total


def disagreement(logits: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    """Returns how far two readings of the same recordings are apart, in nats a recording.

    It is the Kullback-Leibler divergence of a reading's labels from those of the other, which is held fixed, summed
    over the frames that count; the mean of both directions.

    Args:
        logits: (2 · batch, frames, labels), the second half from the same recordings as the first.
        lengths: (2 · batch,) frames that count.
    """
    logits = tf.where(tf.sequence_mask(lengths, tf.shape(logits)[1])[..., tf.newaxis], logits, 0.0)
    logs = tf.nn.log_softmax(logits)
    other = tf.stop_gradient(tf.roll(logs, tf.shape(logs)[0] // 2, axis=0))
    return tf.reduce_mean(tf.reduce_sum(tf.exp(other) * (other - logs), axis=(1, 2)))


def validate(recogniser: Recogniser, speech: data.Speech) -> dict[str, float]:
    """Returns word and character error rate of the greedy texts of the validation split."""
    keys = data.keys_of(speech.utterances["validation"])
    recordings = transcribe_split(recogniser, speech.source, "validation", keys)
    references, texts = zip(*((recording.text, recording.greedy) for recording in recordings), strict=True)
    return {name: metric.value for name, metric in error_rates(references, texts).items()}


def report(speech: data.Speech) -> None:
    """Prints what is learned from, and names what is left out."""
    for note in speech.source.notes():
        print(note)
    counts = ", ".join(f"{len(utterances)} {split}" for split, utterances in speech.utterances.items())
    synthetic = f", {len(speech.pretraining_keys)} synthetic for training" if speech.pretraining else ""
    print(f"Recordings: {counts}{synthetic}. Alphabet: {''.join(speech.alphabet)!r}.")
    if speech.transcripts is not None:
        print(*speech.transcripts.lines(), sep="\n")
    if rare := checks.rare_characters(speech.utterances["train"]):
        print(f"Characters in one or two recordings, slips perhaps: {listed(rare, '; ')}.")
    if speech.skipped:
        more = f" (all of them in {SKIPPED})" if len(speech.skipped) > MAXIMUM_LISTED else ""
        print(f"Left out: {len(speech.skipped)}{more}{listed_problems(speech.skipped)}")
