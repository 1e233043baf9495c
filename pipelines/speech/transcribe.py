"""Transcribes recordings and live audio, with word times, to text, JSON or subtitles."""

import json
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

import soundfile
import tyro
from pydantic import Field
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines import commands, hints
from pipelines.configuration import ConfigurationError
from pipelines.hints import counted
from pipelines.speech import HOT_WORD_WEIGHT
from pipelines.speech.audio_files import SpeechDataError, examine
from pipelines.speech.given_recordings import Given, given_recordings, output_files
from pipelines.subtitles import subrip, webvtt

if TYPE_CHECKING:
    from pipelines.speech.live import LiveAudio
    from pipelines.speech.predictor import Predictor, Transcript

STANDARD_INPUT = Path("-")
SECONDS_BETWEEN_LINES = 10.0  # of progress, where standard error is no terminal


class Options(commands.AnswerOptions):
    """Options of the transcription."""

    audio: tyro.conf.Positional[tuple[Path, ...]] = Field(
        (),
        description="recordings or videos of any format that FFmpeg reads; folders of them; text files with one path "
        "per line; - for standard input",
    )
    format: Literal["text", "json", "srt", "vtt", "txt"] = Field(  # type: ignore[assignment]
        "text",
        description="text: with word times; txt: the text alone; json: one object per line; srt, vtt: subtitles",
    )
    output: Path | None = Field(
        None, description="folder for one file per recording, with the same name; txt without --format"
    )
    n_best: int = Field(1, ge=1, description="number of most probable texts to print (text and json)")
    hot_words: tuple[str, ...] = Field(
        (),
        description="likely words or phrases, such as names, with an optional weight in nats, Ada:8; "
        f"default weight: {HOT_WORD_WEIGHT:g}",
    )
    microphone: bool = Field(False, description="transcribe what the microphone hears until Ctrl-C")
    pcm: int | None = Field(
        None, ge=1000, description="standard input is raw: 16-bit samples, one channel, at this sample rate"
    )


def answer(options: Options, load: Callable[[], "Predictor"]) -> None:
    """Prints the transcript of each recording."""
    from pipelines.speech.live import microphone, standard_input  # and TensorFlow, which --help does without

    _refuse_bad_options(options)
    hot_words = _hot_words(options.hot_words)
    if options.microphone:
        lost = "Some audio was lost: the machine is too slow for it."
        predictor, audio = load(), microphone(lambda: commands.report_done(lost))
        commands.report_done("Listening. Ctrl-C ends it.")
        return _live("microphone", options.format, predictor, audio, hot_words)
    if STANDARD_INPUT not in options.audio:
        given = given_recordings(options.audio)
        if not any(each.path.exists() for each in given):
            examine(given[0].path, 1)  # which names what is missing, before the model is loaded
        return _recordings(options, load(), given, hot_words)
    begun, predictor = sys.stdin.buffer.read(12), load()
    is_wav = begun.startswith(b"RIFF")
    is_live = options.audio == (STANDARD_INPUT,) and options.n_best == 1 and options.output is None
    if is_live and predictor.streams and (options.pcm or is_wav):
        return _live("-", options.format, predictor, standard_input(sys.stdin.buffer, begun, options.pcm), hot_words)
    with TemporaryDirectory() as folder:
        received = Path(folder) / "standard-input"
        if options.pcm:
            audio = standard_input(sys.stdin.buffer, begun, options.pcm)
            with soundfile.SoundFile(received, "w", audio.rate, 1, "FLOAT", format="WAV") as file:
                for block in audio.blocks:
                    file.write(block)
        else:
            with received.open("wb") as file:
                file.write(begun)
                shutil.copyfileobj(sys.stdin.buffer, file)
        given = given_recordings([received if path == STANDARD_INPUT else path for path in options.audio])
        _recordings(options, predictor, given, hot_words)


def _of_standard_input(error: SpeechDataError, path: Path) -> str:
    """Returns what is wrong with standard input, of an error about the file that it was written to."""
    text = str(error).replace(str(path), "Standard input")
    return (
        text.replace(" Received:", " Raw samples need --pcm RATE. Received:") if "cannot be decoded" in text else text
    )


def _recordings(
    options: Options, predictor: "Predictor", given: Sequence[Given], hot_words: Mapping[str, float]
) -> None:
    """Answers each recording; those that cannot be used are named, and the others answered."""
    if options.output is None and options.format in ("srt", "vtt") and len(given) > 1:
        raise ConfigurationError(
            f"A file of subtitles belongs to one recording. Expected one with --format {options.format}. Name a folder "
            f"for the files: --output FOLDER; or use --format json. Received: {len(given)} recordings"
        )
    form = "txt" if options.output and options.format == "text" else options.format
    files = output_files(given, options.output, form) if options.output else [None] * len(given)
    progress = _Progress([each.path.name for each in given])
    answers = predictor.try_each([each.path for each in given], None, options.n_best, hot_words, progress)
    failed = 0
    for each, file, found in zip(given, files, answers, strict=True):
        progress.clear()
        name = "-" if each.path.name == "standard-input" else str(each.path)
        if isinstance(found, SpeechDataError):
            found = SpeechDataError(_of_standard_input(found, each.path) if name == "-" else str(found))
            if len(given) == 1:
                raise found
            failed += 1
            commands.report_done(f"Error: {found}")
            continue
        for note in found.notes:
            commands.report_done(f"{name}: {note}")
        if file is None:
            _print(name, found, form)
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(_written(name, found, form), encoding="utf-8")
            commands.report_done(f"Wrote {file}")
    done = f"{len(given) - failed} of {len(given)} recordings" if failed else counted(len(given), "recording")
    commands.report_done(f"Transcribed {done}")
    if failed:
        raise SystemExit(1)


def _live(name: str, form: str, predictor: "Predictor", audio: "LiveAudio", hot_words: Mapping[str, float]) -> None:
    """Prints each utterance as soon as it has ended; on a terminal also what is being said."""
    from pipelines.speech.live import listen
    from pipelines.speech.subtitles import cues

    progress = _Progress([name])
    number = 1  # of the next cue
    if form == "vtt":
        print(webvtt([]), end="", flush=True)
    for utterance in listen(predictor.stream(hot_words), audio, predictor.sample_rate, progress.say):
        progress.clear()
        start, end = utterance.words[0].start, utterance.words[-1].end
        match form:
            case "text":
                print(f"{start:8.2f} – {end:.2f} s  {utterance.text}", flush=True)
            case "srt":
                found = cues(utterance.words)
                print(subrip(found, number), end="", flush=True)
                number += len(found)
            case "vtt":
                print(webvtt(cues(utterance.words)).removeprefix(webvtt([])), end="", flush=True)
            case _:
                print(_written(name, utterance, form), end="", flush=True)
    progress.clear()


class _Progress:
    """Shows on standard error how far a recording is; on a terminal in one line, elsewhere now and then."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names, self._shown_at = names, time.monotonic()
        self._is_terminal = sys.stderr.isatty()

    def __call__(self, place: int, seconds: float) -> None:
        """Shows how many seconds of the recording at some place have been heard."""
        now = time.monotonic()
        if now - self._shown_at < (1.0 if self._is_terminal else SECONDS_BETWEEN_LINES):
            return
        self._shown_at = now
        number = f" ({place + 1} of {len(self._names)})" if len(self._names) > 1 else ""
        self._show(f"{self._names[place]}{number}: {seconds // 60:.0f}:{seconds % 60:02.0f} min transcribed")

    def say(self, text: str) -> None:
        """Shows what is being said, on a terminal."""
        if self._is_terminal:
            self._show(text[-shutil.get_terminal_size().columns + 2 :])

    def clear(self) -> None:
        """Makes room for an answer."""
        if self._is_terminal:
            self._show("")

    def _show(self, line: str) -> None:
        print(
            *([f"\r\x1b[K{line}"] if self._is_terminal else [line]),
            end="" if self._is_terminal else "\n",
            file=sys.stderr,
            flush=True,
        )


def _hot_words(options: Sequence[str]) -> dict[str, float]:
    """Returns hot words with their weights."""
    found: dict[str, float] = {}
    for word, weight in map(_with_weight, options):
        if found.setdefault(word, weight) != weight:
            raise ConfigurationError(
                f"A hot word has two weights. Expected one. Leave out one: --hot_words {word}:{weight:g}. "
                f"Received: {' '.join(options)}"
            )
    return found


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
    if options.n_best > 1 and options.output and options.format != "json":
        raise ConfigurationError(
            "A file of text holds one text. Expected --n_best 1 with --output. Use --format json for more. "
            f"Received: --n_best {options.n_best}"
        )
    if options.microphone and (options.audio or options.output or options.n_best > 1):
        raise ConfigurationError(
            "What the microphone hears is printed as it is said. Expected no recordings, --output or --n_best. Leave "
            f"them out. Received: {' '.join(map(str, options.audio)) or '--output or --n_best'}"
        )
    if not options.audio and not options.microphone:
        raise ConfigurationError(
            "There is nothing to transcribe. Expected at least one recording. Name it: "
            f"{hints.answer('transcribe', 'AUDIO', 'recording.wav')}. Received: no file"
        )
    if options.audio.count(STANDARD_INPUT) > 1:
        raise ConfigurationError(
            "Standard input holds one recording. Expected - once. Leave out the others. "
            f"Received: {options.audio.count(STANDARD_INPUT)} times"
        )
    if options.pcm and STANDARD_INPUT not in options.audio:
        raise ConfigurationError(
            "Raw samples come on standard input. Expected - beside --pcm. Type: transcribe - --pcm 16000 < FILE. "
            f"Received: --pcm {options.pcm} and no -"
        )


def _print(name: str, transcript: "Transcript", form: str) -> None:
    if form == "text":
        _print_table(name, transcript)
    else:
        print(_written(name, transcript, form), end="", flush=True)


def _written(name: str, transcript: "Transcript", form: str) -> str:
    """Returns a transcript in the format of a file."""
    from pipelines.speech.subtitles import srt, vtt

    match form:
        case "json":
            shown: dict[str, Any] = {"audio": name, "text": transcript.text, "confidence": transcript.confidence}
            shown["words"] = [word._asdict() for word in transcript.words]
            if transcript.alternatives:
                others = [{"text": each.text, "confidence": each.confidence} for each in transcript.alternatives]
                shown["alternatives"] = others
            return json.dumps(shown, ensure_ascii=False) + "\n"
        case "srt":
            return srt(transcript.words)
        case "vtt":
            return vtt(transcript.words)
    return transcript.text + "\n"


def _print_table(name: str, transcript: "Transcript") -> None:
    console = Console()
    head = Text.assemble((name, "bold"), f"  (confidence {transcript.confidence:.2f})")
    console.print(head, Text(transcript.text or "(no words)"), sep="\n", soft_wrap=True)
    table = Table("from (s)", "to (s)", "word", "confidence")
    for word in transcript.words:
        table.add_row(f"{word.start:.2f}", f"{word.end:.2f}", Text(word.text), f"{word.confidence:.2f}")
    if transcript.words:
        console.print(table)
    for other in transcript.alternatives:
        console.print(Text(f"or ({other.confidence:.2f}): {other.text or '(no words)'}"), soft_wrap=True)
