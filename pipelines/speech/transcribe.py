"""Prints what recordings say, with word times: `python -m pipelines.speech.transcribe FILE… [--run FOLDER]`."""

from pathlib import Path

import numpy as np
import tensorflow as tf
import tyro
from pydantic import Field
from rich.console import Console
from rich.table import Table

from models.decoding import Hypothesis
from pipelines import commands
from pipelines.runs import Run
from pipelines.speech.audio_files import load_audio
from pipelines.speech.trained import load_decoder, load_recogniser


class TranscribeOptions(commands.RunOptions):
    """Options of the transcription."""

    audio: tyro.conf.Positional[tuple[Path, ...]] = Field((), description="recordings: wav, flac, ogg, mp3")


def transcribe(run: Run, paths: list[Path]) -> list[Hypothesis]:
    """Returns the best reading of each recording; every file is read before the network starts."""
    recogniser, decoder = load_recogniser(run), load_decoder(run)
    recordings = [load_audio(path, recogniser.features.sample_rate) for path in paths]
    hypotheses = []
    for audio in recordings:
        logits, frames, _ = recogniser(audio[np.newaxis], tf.constant([len(audio)]))
        hypotheses.append(decoder(logits[0, : int(frames[0])].numpy(), recogniser.alphabet, recogniser.frame_seconds))
    return hypotheses


def main(arguments: list[str]) -> None:
    options = commands.run_options(TranscribeOptions, "speech", "transcribe", arguments, __doc__ or "")
    run, console = options.open("speech"), Console()
    for path, hypothesis in zip(options.audio, transcribe(run, list(options.audio)), strict=True):
        console.print(
            f"[bold]{path}[/bold]  (confidence {hypothesis.confidence:.2f})\n{hypothesis.text}", highlight=False
        )
        table = Table("from (s)", "to (s)", "word", "confidence")
        for word in hypothesis.words:
            table.add_row(f"{word.start:.2f}", f"{word.end:.2f}", word.text, f"{word.confidence:.2f}")
        console.print(table)
    print(
        f"Transcribed {len(options.audio)} recordings with {run.folder}. Next: make export-speech, to serve this model."
    )


if __name__ == "__main__":
    commands.main(main)
