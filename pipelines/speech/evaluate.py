"""Evaluates a trained recogniser beside the baselines: `python -m pipelines.speech.evaluate [--run FOLDER]`."""

import time
from collections.abc import Callable
from typing import TypeVar

import tensorflow as tf
from pydantic import Field

from pipelines import commands
from pipelines.evaluation import Evaluation, Row
from pipelines.runs import Run
from pipelines.speech import baselines, data
from pipelines.speech.config import SpeechConfiguration
from pipelines.speech.report import Details, write_speech_report
from pipelines.speech.scoring import error_rates
from pipelines.speech.trained import Transcribed, load_decoder, load_recogniser, transcribe_split

Reader = Callable[[Transcribed], str]
Result = TypeVar("Result")


class EvaluationOptions(commands.RunOptions):
    """Options of the evaluation."""

    split: str = Field("test", pattern="^(train|validation|test)$", description="split to evaluate")


def evaluate(run: Run, split: str = "test") -> Evaluation:
    """Transcribes a split with a run's recogniser and the baselines; writes table, plots and page into its folder."""
    configuration = run.read_configuration(SpeechConfiguration)
    recogniser, decoder = load_recogniser(run), load_decoder(run)
    source = data.open_source(configuration.data, configuration.features.sample_rate)
    utterances, skipped = data.usable(source, split, configuration.data)
    for key, reason in skipped:
        print(f"Left out: {key}: {reason}")

    recogniser.read(tf.zeros((1, recogniser.frame_samples)), [recogniser.frame_samples])  # traced before it is timed
    keys = data.keys_of(utterances)
    recordings, network_seconds = _timed(lambda: list(transcribe_split(recogniser, source, split, keys)))
    seconds = sum(len(recording.audio) for recording in recordings) / configuration.features.sample_rate
    references = [recording.text for recording in recordings]
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
    rows, texts = [], {}
    for name, (note, read) in (ours | others).items():
        texts[name], taken = _timed(lambda read=read: [read(recording) for recording in recordings])  # type: ignore[misc]
        speed = (taken + (network_seconds if name in ours else 0.0)) / seconds
        rows.append(Row(name, error_rates(references, texts[name]), notes=f"{note}; {speed:.3f} s a second of audio"))

    evaluation = Evaluation(split, len(recordings), rows)
    run.write_json(evaluation_name(split), evaluation.to_json())
    run.write_json(f"transcripts-{split}.json", {"key": [one.key for one in recordings], "text": references, **texts})
    write_speech_report(run, evaluation, Details(recordings, texts["model"], recogniser, decoder))
    return evaluation


def evaluation_name(split: str) -> str:
    """Name of the file that holds the table of a split; other pages and programs read that of the test split."""
    return "evaluation.json" if split == "test" else f"evaluation-{split}.json"


def _timed(work: Callable[[], Result]) -> tuple[Result, float]:
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started


def main(arguments: list[str]) -> None:
    options = commands.run_options(EvaluationOptions, "speech", "evaluate", arguments, __doc__ or "")
    run = options.open("speech")
    evaluate(run, options.split).print()
    print(f"Wrote {run.folder}/{evaluation_name(options.split)}, transcripts-{options.split}.json and report.html")
    print('Next: open report.html in a browser; make export-speech; make transcribe AUDIO="recording.wav"')


if __name__ == "__main__":
    commands.main(main)
