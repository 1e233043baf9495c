"""Evaluates a trained recogniser beside the baselines: `python -m pipelines.speech.evaluate [--run FOLDER]`."""

import time

from pydantic import Field

from pipelines import commands
from pipelines.evaluation import Evaluation, Row
from pipelines.runs import Run
from pipelines.speech import baselines, data
from pipelines.speech.config import SpeechConfiguration
from pipelines.speech.report import Details, write_speech_report
from pipelines.speech.scoring import error_rates
from pipelines.speech.trained import greedy_text, load_decoder, load_recogniser, transcribe_split


class EvaluationOptions(commands.RunOptions):
    """Options of the evaluation."""

    split: str = Field("test", pattern="^(train|validation|test)$", description="split to evaluate")


def evaluate(run: Run, split: str = "test") -> Evaluation:
    """Transcribes a split with a run's recogniser and the baselines; writes table, plots and page into its folder."""
    configuration = run.read_configuration(SpeechConfiguration)
    recogniser, decoder = load_recogniser(run), load_decoder(run)
    source = data.open_source(configuration.data, configuration.features.sample_rate)

    recordings, network_seconds = _timed(lambda: transcribe_split(recogniser, source, split))
    seconds = sum(len(recording.audio) for recording in recordings) / configuration.features.sample_rate
    references = [recording.text for recording in recordings]
    alphabet, frame_seconds = recogniser.alphabet, recogniser.frame_seconds
    beam = decoder._replace(language_model=None, insertion_bonus=0.0)
    decoders = {
        "model": (
            "beam search with language model",
            lambda recording: decoder(recording.logits, alphabet, frame_seconds).text,
        ),
        "beam": ("beam search alone", lambda recording: beam(recording.logits, alphabet, frame_seconds).text),
        "greedy": ("best label of each frame", lambda recording: greedy_text(recording, recogniser)),
    }
    rows, texts = [], {}
    for name, (note, decode) in decoders.items():
        texts[name], decoding_seconds = _timed(lambda decode=decode: [decode(recording) for recording in recordings])
        speed = (network_seconds + decoding_seconds) / seconds
        rows.append(Row(name, error_rates(references, texts[name]), notes=f"{note}; {speed:.3f} s a second of audio"))
    for name, transcribe in baselines.available(configuration.data.source, configuration.features.sample_rate).items():
        texts[name], taken = _timed(lambda transcribe=transcribe: [transcribe(one.audio) for one in recordings])
        rows.append(Row(name, error_rates(references, texts[name]), notes=f"{taken / seconds:.3f} s a second of audio"))

    evaluation = Evaluation(split, len(recordings), rows)
    run.write_json("evaluation.json" if split == "test" else f"evaluation-{split}.json", evaluation.to_json())
    run.write_json(f"transcripts-{split}.json", {"key": [one.key for one in recordings], "text": references, **texts})
    write_speech_report(run, evaluation, Details(recordings, texts["model"], recogniser, decoder))
    return evaluation


def _timed(work):
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started


def main(arguments: list[str]) -> None:
    options = commands.run_options(EvaluationOptions, "speech", "evaluate", arguments, __doc__ or "")
    run = options.open("speech")
    evaluate(run, options.split).print()
    print(f"Wrote {run.folder}/evaluation.json and {run.folder}/report.html (open it in a browser)")
    print('Next: make export-speech, or make transcribe AUDIO="recording.wav"')


if __name__ == "__main__":
    commands.main(main)
