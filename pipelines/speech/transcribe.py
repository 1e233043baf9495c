"""Prints what recordings say, with word times: `python -m pipelines.speech.transcribe FILE… [--run FOLDER]`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tyro
from pydantic import Field
from rich.console import Console
from rich.table import Table
from rich.text import Text

from models.decoding import Hypothesis
from pipelines import commands
from pipelines.configuration import ConfigurationError
from pipelines.runs import Run
from pipelines.speech.audio_files import load_audio
from pipelines.speech.config import SpeechConfiguration
from pipelines.speech.trained import load_decoder, load_recogniser


class TranscribeOptions(commands.RunOptions):
    """Options of the transcription."""

    audio: tyro.conf.Positional[tuple[Path, ...]] = Field((), description="recordings: wav, flac, ogg, mp3")


def transcribe(run: Run, paths: Sequence[Path]) -> list[Hypothesis]:
    """Returns the best reading of each recording; every file is read before the network starts."""
    sample_rate = run.read_configuration(SpeechConfiguration).features.sample_rate
    recordings = [load_audio(path, sample_rate) for path in paths]
    recogniser, decoder = load_recogniser(run), load_decoder(run)
    hypotheses = []
    for audio in recordings:
        logits, frames, _ = recogniser.read(audio[np.newaxis], [len(audio)])
        hypotheses.append(decoder(logits[0, : int(frames[0])].numpy(), recogniser))
    return hypotheses


def main(arguments: list[str]) -> None:
    options = commands.run_options(TranscribeOptions, "speech", "transcribe", arguments, __doc__ or "")
    if not options.audio:
        raise ConfigurationError(
            "There is nothing to transcribe. Expected at least one recording. Name them: make transcribe "
            'AUDIO="a.wav b.mp3". Received: no file'
        )
    run, console = options.open("speech"), Console()
    for path, hypothesis in zip(options.audio, transcribe(run, options.audio), strict=True):
        head = Text.assemble((str(path), "bold"), f"  (confidence {hypothesis.confidence:.2f})")
        console.print(head, Text(hypothesis.text or "(no words)"), sep="\n", soft_wrap=True)
        table = Table("from (s)", "to (s)", "word", "confidence")
        for word in hypothesis.words:
            table.add_row(f"{word.start:.2f}", f"{word.end:.2f}", Text(word.text), f"{word.confidence:.2f}")
        if hypothesis.words:
            console.print(table)
    print(
        f"Transcribed {len(options.audio)} recordings with {run.folder}\nNext: make export-speech, to serve this model"
    )


if __name__ == "__main__":
    commands.main(main)
