"""Evaluates a trained recogniser beside the baselines: `python -m pipelines.speech.evaluate [--run FOLDER]`."""

from typing import Literal

import tensorflow as tf
from pydantic import Field

from pipelines import commands
from pipelines.evaluation import Evaluation, Row
from pipelines.runs import Run
from pipelines.speech import baselines, data
from pipelines.speech.config import SpeechConfiguration
from pipelines.speech.readings import Reader, read_all
from pipelines.speech.report import Details, write_speech_report
from pipelines.speech.scoring import comparison, error_rates
from pipelines.speech.trained import load_decoder, load_recogniser, transcribe_split


class EvaluationOptions(commands.RunOptions):
    """Options of the evaluation."""

    split: Literal["train", "validation", "test"] = Field("test", description="split to evaluate")


def evaluate(run: Run, split: str = "test") -> Evaluation:
    """Transcribes a split with a run's recogniser and the baselines; writes table, plots and page into its folder."""
    configuration = run.read_configuration(SpeechConfiguration)
    recogniser, decoder = load_recogniser(run), load_decoder(run)
    source = data.open_source(configuration.data, configuration.features.sample_rate)
    utterances, skipped = data.usable(source, split, configuration.data)
    for key, reason in skipped:
        print(f"Left out: {key}: {reason}")

    recogniser.read(tf.zeros((1, recogniser.frame_samples)), [recogniser.frame_samples])  # traced before it is timed
    beam = decoder._replace(language_model=None, insertion_bonus=0.0)
    ours: dict[str, tuple[str, Reader]] = {
        "model": ("beam search with language model", lambda one: decoder(one.logits, recogniser).text),
        "beam": ("beam search alone", lambda one: beam(one.logits, recogniser).text),
        "greedy": ("best label of each frame", lambda one: one.greedy),
    }
    others: dict[str, tuple[str, Reader]] = {
        name: (note, lambda one, transcribe=transcribe: transcribe(one.audio))  # type: ignore[misc]
        for name, (note, transcribe) in baselines.available(configuration).items()
    }
    readers = {name: read for name, (_, read) in (ours | others).items()}
    recordings = transcribe_split(recogniser, source, split, data.keys_of(utterances))
    readings = read_all(recordings, readers, configuration.features.sample_rate)

    rows = []
    for name, (note, _) in (ours | others).items():
        seconds = readings.reader_seconds[name] + (readings.network_seconds if name in ours else 0.0)
        notes = [note, f"{seconds / readings.audio_seconds:.3f} s a second of audio"]
        if name != "model":
            notes.append(comparison(readings.references, readings.texts["model"], readings.texts[name]))
        rows.append(Row(name, error_rates(readings.references, readings.texts[name]), notes="; ".join(notes)))

    evaluation = Evaluation(split, len(readings.keys), rows)
    transcripts = {"key": readings.keys, "text": readings.references, **readings.texts}
    run.write_json(evaluation.file_name("evaluation.json"), evaluation.to_json())
    run.write_json(f"transcripts-{split}.json", transcripts)
    write_speech_report(run, evaluation, Details(readings, recogniser, decoder))
    return evaluation


def main(arguments: list[str]) -> None:
    options = commands.run_options(EvaluationOptions, "speech", "evaluate", arguments, __doc__ or "")
    run = options.open("speech")
    evaluation = evaluate(run, options.split)
    evaluation.print()
    table, page = evaluation.file_name("evaluation.json"), evaluation.file_name("report.html")
    print(f"Wrote {run.folder}/{table}, transcripts-{options.split}.json and {page}")
    print(f'Next: open {run.folder / page} in a browser; make export-speech; make transcribe AUDIO="recording.wav"')


if __name__ == "__main__":
    commands.main(main)
