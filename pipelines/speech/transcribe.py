"""Prints what recordings say, with word times, as text, JSON or subtitles."""

import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

import tyro
from pydantic import Field
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines import commands, hints
from pipelines.configuration import ConfigurationError
from pipelines.counting import counted
from pipelines.speech import HOT_WORD_WEIGHT
from pipelines.speech.audio_files import examine

if TYPE_CHECKING:
    from pipelines.speech.predictor import Predictor, Transcript

STANDARD_INPUT = Path("-")


class Options(commands.AnswerOptions):
    """Options of the transcription."""

    audio: tyro.conf.Positional[tuple[Path, ...]] = Field(
        (), description="recordings or videos of any format that FFmpeg reads; - for standard input"
    )
    format: Literal["text", "json", "srt", "vtt", "txt"] = Field(  # type: ignore[assignment]
        "text",
        description="text: with word times; txt: the text alone; json: one object a line; srt, vtt: subtitles",
    )
    n_best: int = Field(1, ge=1, description="number of most probable texts to print (text and json)")
    hot_words: tuple[str, ...] = Field(
        (),
        description="likely words or phrases, such as names, with an optional weight in nats, Ada:8; "
        f"default weight: {HOT_WORD_WEIGHT:g}",
    )


def answer(options: Options, load: Callable[[], "Predictor"]) -> None:
    """Prints the transcript of each recording."""
    _refuse_bad_options(options)
    with TemporaryDirectory() as folder:
        received = Path(folder) / "standard-input"
        if STANDARD_INPUT in options.audio:
            received.write_bytes(sys.stdin.buffer.read())
        paths = [received if path == STANDARD_INPUT else path for path in options.audio]
        for path in paths:
            for note in examine(path, 1).notes:
                commands.report_done(f"{path}: {note}")
        hot_words = dict(map(_with_weight, options.hot_words))
        transcripts = load().transcribe_each(paths, n_best=options.n_best, hot_words=hot_words)
        for path, transcript in zip(options.audio, transcripts, strict=True):
            _print(path, transcript, options.format)
    commands.report_done(f"Transcribed {counted(len(options.audio), 'recording')}")


def _with_weight(hot_word: str) -> tuple[str, float]:
    """Splits a hot word from its weight."""
    word, colon, weight = hot_word.rpartition(":")
    if not colon:
        return hot_word, HOT_WORD_WEIGHT
    try:
        return word, float(weight)
    except ValueError:
        raise ConfigurationError(
            "The weight of a hot word is a number. Expected a word, or word:weight. Correct it: --hot_words Ada:8. "
            f"Received: {hot_word!r}"
        ) from None


def _refuse_bad_options(options: Options) -> None:
    if options.n_best > 1 and options.format not in ("text", "json"):
        raise ConfigurationError(
            f"The format {options.format} holds one text. Expected --n_best 1 with it. Use --format json for more. "
            f"Received: --n_best {options.n_best}"
        )
    if not options.audio:
        raise ConfigurationError(
            "There is nothing to transcribe. Expected at least one recording. Name it: "
            f"{hints.answer('transcribe', 'AUDIO', 'recording.wav')}. Received: no file"
        )
    if options.audio.count(STANDARD_INPUT) > 1:
        raise ConfigurationError(
            "Standard input holds one recording. Expected - once. Leave out the others. "
            f"Received: {options.audio.count(STANDARD_INPUT)} times"
        )
    if options.format in ("srt", "vtt") and len(options.audio) > 1:
        raise ConfigurationError(
            f"A file of subtitles belongs to one recording. Expected one with --format {options.format}. Transcribe "
            f"them one by one, or use --format json. Received: {len(options.audio)} recordings"
        )


def _print(path: Path, transcript: "Transcript", form: str) -> None:
    from pipelines.speech.subtitles import srt, vtt  # and TensorFlow, which --help does without

    match form:
        case "json":
            words = [word._asdict() for word in transcript.words]
            shown = {"text": transcript.text, "confidence": transcript.confidence, "words": words}
            if transcript.alternatives:
                others = [{"text": each.text, "confidence": each.confidence} for each in transcript.alternatives]
                shown["alternatives"] = others
            commands.print_answers([{"audio": str(path), **shown}])
        case "txt":
            print(transcript.text, flush=True)
        case "srt":
            print(srt(transcript.words), end="")
        case "vtt":
            print(vtt(transcript.words), end="")
        case _:
            _print_table(path, transcript)


def _print_table(path: Path, transcript: "Transcript") -> None:
    console = Console()
    head = Text.assemble((str(path), "bold"), f"  (confidence {transcript.confidence:.2f})")
    console.print(head, Text(transcript.text or "(no words)"), sep="\n", soft_wrap=True)
    table = Table("from (s)", "to (s)", "word", "confidence")
    for word in transcript.words:
        table.add_row(f"{word.start:.2f}", f"{word.end:.2f}", Text(word.text), f"{word.confidence:.2f}")
    if transcript.words:
        console.print(table)
    for other in transcript.alternatives:
        console.print(Text(f"or ({other.confidence:.2f}): {other.text or '(no words)'}"), soft_wrap=True)
