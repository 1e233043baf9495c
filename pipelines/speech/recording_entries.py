"""A recording of the user's, or a piece of one, as a row of a list names it."""

import math
import re
import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from data import splits
from pipelines.speech.audio_files import SpeechDataError

SPLIT_NAMES = splits.SPLIT_NAMES | {"development": "validation"}
COLUMNS = {  # the names that people give them, the most telling first; the case does not count
    "audio": ("audio_filepath", "wav_filename", "audio_file", "audio_path", "audio_filename", "audio_file_path",
              "file_name", "filename", "filepath", "file_path", "path", "file", "wav", "wav_path", "wav_file", "audio",
              "recording", "clip"),
    "text": ("text", "transcript", "sentence", "transcription", "normalized_text", "normalised_text", "text_normalized",
             "raw_text", "utterance", "phrase", "reference", "ground_truth", "label"),
    "split": ("split", "subset", "partition"),
    "speaker": ("speaker", "speaker_id", "client_id", "speaker_name", "spk", "spk_id", "user_id", "user"),
    "offset": ("offset", "start", "start_time", "begin"),
    "duration": ("duration",),
    "end": ("end", "end_time", "stop"),
}  # fmt: skip
AUDIO_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".webm", ".mp4", ".mkv", ".mov",
                  ".avi", ".wma", ".amr", ".3gp", ".aif", ".aiff", ".au", ".caf", ".sph", ".w64", ".rf64")  # fmt: skip
FOLDERS = ("wavs", "clips", "audio", "wav")  # beside a list, where its recordings may lie
SHORT = reprlib.Repr()
SHORT.maxstring = 200


class Entry(NamedTuple):
    """A recording, or a piece of one, in a file.

    Attributes:
        key: its unique name.
        path: of the file.
        text: what is said, as it is written or normalised.
        split: train, validation or test; "": the list does not tell.
        row: of the list that says so, for messages.
        speaker: "": unknown.
        offset: seconds before the piece.
        duration: seconds of the piece. None: to the end of the file.
    """

    key: str
    path: Path
    text: str
    split: str = ""
    row: str = ""
    speaker: str = ""
    offset: float = 0.0
    duration: float | None = None


def entry_of(
    folder: Path,
    name: str,
    text: str,
    row: str,
    split: str = "",
    speaker: str = "",
    offset: float = 0.0,
    duration: float | None = None,
    key: str = "",
) -> Entry:
    """Returns what a row says; a piece of a recording has its place in its key.

    Raises:
        SpeechDataError: the split has another name.
    """
    if split and split.lower() not in SPLIT_NAMES:
        raise SpeechDataError(
            f"{row}: expected a `split` of train, validation, test in every row, or in none. Correct it. "
            f"Received: {split!r}"
        )
    is_piece = offset > 0 or duration is not None
    end = "" if duration is None else f"{offset + duration:g}"
    key = key or (f"{name}@{offset:g}-{end}" if is_piece and offset > 0 else name)
    return Entry(
        key, find_audio(folder, name), text, SPLIT_NAMES.get(split.lower(), ""), row, speaker, offset, duration
    )


def find_audio(folder: Path, name: str) -> Path:
    """Returns where a recording lies that a list in a folder names, or where it should if it is nowhere."""
    places = [folder, *(folder / sub for sub in FOLDERS), Path()]
    endings = [""] if name.lower().endswith(AUDIO_SUFFIXES) else ["", *AUDIO_SUFFIXES]
    for each in dict.fromkeys((name, name.replace("\\", "/"))):
        for place in places:
            for ending in endings:
                found = place / Path(each + ending).expanduser()
                if found.is_file():
                    return found
    return folder / Path(name).expanduser()


def piece_of(values: Mapping[str, Any], columns: Mapping[str, str], row: str) -> tuple[float, float | None]:
    """Returns the offset and duration that a row says, in seconds; None: to the end of the recording.

    Raises:
        SpeechDataError: they are no numbers, negative, or the end comes before the start.
    """
    numbers: dict[str, float] = {}
    for part in ("offset", "duration", "end"):
        value = values.get(columns.get(part, ""))
        if value is None or value == "":
            continue
        number = _seconds(value)
        if not math.isfinite(number) or number < 0 or (part != "offset" and number == 0):
            raise SpeechDataError(
                f"{row}: expected seconds, or hh:mm:ss, as `{columns[part]}`: 0 or more, and more than 0 for a "
                f"duration or end. Correct them, or leave them out for the whole recording. Received: {value!r}"
            )
        numbers[part] = number
    offset, duration = numbers.get("offset", 0.0), numbers.get("duration")
    if duration is None and "end" in numbers:
        duration = numbers["end"] - offset
        if duration <= 0:
            raise SpeechDataError(
                f"{row}: expected an end after the start. Correct the row. Received: {offset:g} to {numbers['end']:g} s"
            )
    return offset, duration


def _seconds(value: Any) -> float:
    """Returns a time in seconds, of a number or `hh:mm:ss`; NaN for what is none."""
    clock = (
        re.fullmatch(r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:[.,]\d+)?)", value.strip()) if isinstance(value, str) else None
    )
    if clock:
        return 3600 * int(clock[1] or 0) + 60 * int(clock[2]) + float(clock[3].replace(",", "."))
    try:
        return math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return math.nan


def columns_of(names: Sequence[str]) -> dict[str, str]:
    """Returns which of the names stands for what; of several the one that tells most."""
    known = {name.strip().lower(): name for name in reversed(names)}
    return {part: known[name] for part, each in COLUMNS.items() for name in reversed(each) if name in known}


def notes_of(names: Sequence[str], columns: Mapping[str, str]) -> list[str]:
    """Returns what was made of the columns."""
    others = [name for name in names if name not in columns.values()]
    used = ", ".join(f"{part} from `{name}`" for part, name in columns.items())
    return [f"Columns: {used}" + (f"; not used: {', '.join(others)}." if others else ".")]


def entry_of_row(folder: Path, values: Mapping[str, Any], columns: Mapping[str, str], row: str, line: str) -> Entry:
    """Returns what the values of a row say, by the names of their columns."""
    for part, usual in (("audio", "audio_filepath"), ("text", "text")):
        name = columns.get(part, usual)
        if not isinstance(values.get(name), str) or (part == "audio" and not values[name].strip()):
            raise SpeechDataError(
                f"{row}: expected a string `{name}`. Add it, or remove the row. Received: {SHORT.repr(line)}"
            )
    speaker, split = (values.get(columns.get(part, "")) for part in ("speaker", "split"))
    offset, duration = piece_of(values, columns, row)
    return entry_of(
        folder,
        values[columns["audio"]],
        values[columns["text"]],
        row,
        "" if split is None else str(split),
        "" if speaker is None else str(speaker),
        offset,
        duration,
    )
