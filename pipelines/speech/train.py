"""Trains a speech recogniser: `python -m pipelines.speech.train [PRESET] [--network.units 256 …]`."""

from itertools import product

import tensorflow as tf

from models.decoding import CharacterLanguageModel
from models.losses import ctc_loss
from pipelines import commands
from pipelines.runs import Run
from pipelines.speech import data
from pipelines.speech.config import PRESETS, SpeechConfiguration
from pipelines.speech.model import Recogniser
from pipelines.speech.scoring import error_rates
from pipelines.speech.trained import Decoder, build, greedy_text, save_decoder, transcribe_split
from pipelines.training import fit

LANGUAGE_MODEL_WEIGHTS = (0.2, 0.4, 0.6, 0.8, 1.0)
INSERTION_BONUSES = (0.0, 0.5, 1.0, 1.5)


def train(run: Run, configuration: SpeechConfiguration) -> None:
    """Trains the recogniser of a run, or goes on where it stopped, and writes everything into the run's folder."""
    speech, recogniser = prepare(configuration)
    run.write_json("alphabet.json", list(speech.alphabet))
    run.write_json("skipped.json", speech.skipped)

    def loss(batch: dict[str, tf.Tensor], training: bool) -> tf.Tensor:
        logits, lengths, _ = recogniser(batch["audio"], batch["audio_lengths"], training=training)
        return tf.reduce_mean(ctc_loss(logits, lengths, batch["labels"], batch["label_lengths"]))

    def training_batches(epoch: int) -> tf.data.Dataset:
        return data.training_batches(
            speech,
            configuration.data,
            configuration.augmentation,
            configuration.features.sample_rate,
            configuration.seed,
            epoch,
            configuration.training.epochs,
        )

    def validate() -> dict[str, float]:
        recordings = transcribe_split(recogniser, speech.source, "validation")
        texts = [greedy_text(recording, recogniser) for recording in recordings]
        rates = error_rates([recording.text for recording in recordings], texts)
        return {name: metric.value for name, metric in rates.items()}

    fit(
        run,
        recogniser,
        loss,
        training_batches,
        validate,
        configuration.training,
        monitor="cer",
        steps_per_epoch=configuration.steps_per_epoch,
        seed=configuration.seed,
    )
    save_decoder(run, fit_decoder(configuration, speech, recogniser))
    run.finish()


def prepare(configuration: SpeechConfiguration) -> tuple[data.Speech, Recogniser]:
    """Returns the checked recordings and an untrained recogniser whose normalisation is fitted on the training split."""
    frame_samples = configuration.features.hop * configuration.network.subsampling
    speech = data.load(configuration.data, configuration.features.sample_rate, lambda samples: samples // frame_samples)
    recogniser = build(configuration, speech.alphabet)
    recogniser.adapt(recording["audio"] for recording in speech.source.recordings("train"))
    return speech, recogniser


def fit_decoder(configuration: SpeechConfiguration, speech: data.Speech, recogniser: Recogniser) -> Decoder:
    """Returns a decoder: a language model of the training texts, its weight and bonus chosen on the validation split."""
    texts, weights = data.language_model_texts(speech, configuration.decoding.transcript_weight)
    language_model = CharacterLanguageModel(configuration.decoding.language_model_order).fit(
        texts, weights, speech.alphabet
    )
    recordings = transcribe_split(recogniser, speech.source, "validation")
    references = [recording.text for recording in recordings]
    alphabet, frame_seconds = recogniser.alphabet, recogniser.frame_seconds

    def error(decoder: Decoder) -> float:
        texts = [decoder(recording.logits, alphabet, frame_seconds).text for recording in recordings]
        return sum(metric.value for metric in error_rates(references, texts).values())

    candidates = [
        Decoder(language_model, weight, bonus, configuration.decoding.beam_width)
        for weight, bonus in product(LANGUAGE_MODEL_WEIGHTS, INSERTION_BONUSES)
    ]
    return min(candidates, key=error)


def main(arguments: list[str]) -> None:
    run, configuration = commands.training_run("speech", PRESETS, arguments, __doc__ or "")
    train(run, configuration)
    print(f"Wrote {run.folder}\nNext: make eval-speech, make export-speech, make transcribe AUDIO=recording.wav")


if __name__ == "__main__":
    commands.main(main)
