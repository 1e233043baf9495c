"""Evaluates a trained recogniser beside the baselines."""

from typing import Literal

import tensorflow as tf
from pydantic import Field

from pipelines import commands
from pipelines.comparison import compared_rows
from pipelines.configuration import Configuration
from pipelines.evaluation import Evaluation
from pipelines.preparation import report_changed_data
from pipelines.runs import Run
from pipelines.speech import baselines, data
from pipelines.speech.config import SpeechConfiguration, TextFiles
from pipelines.speech.decoder import Decoder, load_decoder, refit_decoder
from pipelines.speech.model import load_model
from pipelines.speech.readings import Reader, read_all, transcribe_split
from pipelines.speech.report import Details, write_speech_report
from pipelines.speech.scoring import comparison, rates_of_row

VARIANTS = ("beam", "greedy")
"""Rows that are the model in another form, and no baselines."""


class OwnWordsOptions(Configuration):
    """What a finished run gets a new language model from."""

    texts: TextFiles = Field(
        (), description="text files of your own or folders of them, from which the run learns another one"
    )
    arpa: str = Field("", description="ARPA file of words or characters")


class EvaluationOptions(commands.RunOptions):
    """Options of the evaluation."""

    split: Literal["train", "validation", "test"] = Field("test", description="split to evaluate")
    decoding: OwnWordsOptions = Field(
        OwnWordsOptions(), description="another language model, which the run keeps; the network stays"
    )


def evaluate(run: Run, split: str = "test", decoding: OwnWordsOptions | None = None) -> Evaluation:
    """Transcribes a split with a run's recogniser and the baselines; writes table, plots and page into its folder.

    Args:
        run: finished.
        split: train, validation or test.
        decoding: another language model for the run, fitted before.
    """
    configuration = run.read_configuration(SpeechConfiguration)
    recogniser = load_model(run)
    sample_rate = configuration.features.sample_rate
    speech = data.load(configuration.data, sample_rate, recogniser.label_frames)
    report_changed_data(run, speech, *(data.identities(speech.utterances[name]) for name in ("train", split)))
    if decoding and (decoding.texts or decoding.arpa):
        refit_decoder(run, configuration.replace(decoding=dict(decoding)), speech, recogniser)
    decoder = load_decoder(run)
    for key, reason in data.usable(speech.source, split, configuration.data)[1]:
        print(f"Left out: {key}: {reason}")

    recogniser.read(tf.zeros((1, recogniser.frame_samples)), [recogniser.frame_samples])  # traced before it is timed
    beam = decoder._replace(language_model=None, insertion_bonus=0.0)

    def decoded_by(decoder: Decoder) -> Reader:
        return lambda one: decoder(one.logits, recogniser.alphabet, recogniser.frame_seconds)[0].text

    ours: dict[str, tuple[str, Reader]] = {
        "model": ("beam search with language model", decoded_by(decoder)),
        "beam": ("beam search alone", decoded_by(beam)),
        "greedy": ("best label of each frame", lambda one: one.greedy),
    }
    others: dict[str, tuple[str, Reader]] = {
        name: (note, lambda one, transcribe=transcribe: transcribe(one.audio))  # type: ignore[misc]
        for name, (note, transcribe) in baselines.available(configuration).items()
    }
    readers = {name: read for name, (_, read) in (ours | others).items()}
    recordings = transcribe_split(recogniser, speech.source, split, data.keys_of(speech.utterances[split]))
    readings = read_all(recordings, readers, sample_rate)
    seconds = {
        name: (readings.reader_seconds[name] + (readings.network_seconds if name in ours else 0.0))
        / readings.audio_seconds
        for name in readers
    }
    rows = compared_rows(
        readings.texts,
        lambda texts: rates_of_row(readings.references, texts),
        lambda model, other: comparison(readings.references, model, other),
        {name: f"{note}; {seconds[name]:.3f} s a second of audio" for name, (note, _) in (ours | others).items()},
    )
    evaluation = Evaluation(split, len(readings.keys), rows)
    write_speech_report(run, evaluation, Details(readings, recogniser, decoder))
    return evaluation
