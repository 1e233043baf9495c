"""A recording of the user's, or a piece of one, as a row of a list names it."""

import math
import os
import re
import reprlib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from data import splits
from data.column_names import plain_name
from data.files import files_below
from pipelines.speech.audio_files import SpeechDataError

SPLIT_NAMES = splits.SPLIT_NAMES | {"development": "validation"}
COLUMNS = {  # the names that people give them, the most telling first; case and spaces do not count
    "audio": ("audio_filepath", "wav_filename", "audio_file", "audio_path", "audio_filename", "audio_file_path",
              "file_name", "filename", "filepath", "file_path", "path", "file", "wav", "wav_path", "wav_file", "audio",
              "recording", "clip", "id", "utt_id", "utterance_id", "utteranceid", "feat", "source"),
    "text": ("text", "transcript", "sentence", "transcription", "normalized_text", "normalised_text", "text_normalized",
             "txt", "raw_text", "transcription_text", "transcripts", "sentences", "utterance", "phrase", "reference",
             "ground_truth", "wrd", "words", "word", "text_tn", "normalized_transcript", "normalized_transcription",
             "clean_text", "clean", "content", "prompt", "src_text", "tgt_text", "label",
             "display", "target"),
    "split": ("split", "subset", "partition", "set", "fold", "usage"),
    "speaker": ("speaker", "speaker_id", "client_id", "speaker_name", "spk", "spk_id", "user_id", "user",
                "speakerid", "worker_id", "speaker_label"),
    "offset": ("onset", "offset", "start", "start_time", "begin", "begin_time", "start_offset", "from", "xmin", "tmin"),
    "duration": ("duration", "dur"),  # times also with a unit behind
    "end": ("end", "end_time", "stop", "stop_time", "end_offset", "to", "xmax", "tmax", "offset"),
    "channel": ("channel", "channel_id", "channel_tag"),
}  # fmt: skip
UNIT = re.compile(
    r"_(?:(m(?:illi)?s(?:ec(?:ond)?s?)?|millis)|s(?:ec(?:ond)?s?)?)$"
)  # of time; the first is a thousandth
CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:[.,]\d+)?)")
SPAN = re.compile(r"(?=.*\d)(?:PT)?(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:[.,]\d+)?)S)?", re.IGNORECASE)  # ISO 8601
AUDIO_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".webm", ".mp4", ".mkv", ".mov",
                  ".avi", ".wma", ".amr", ".3gp", ".aif", ".aiff", ".au", ".caf", ".sph", ".w64", ".rf64")  # fmt: skip
TIMES = ("offset", "duration", "end")
FOLDERS = ("wavs", "clips", "audio", "wav")  # beside a list, where its recordings may lie
CHANNELS = {"left": 0, "l": 0, "right": 1, "r": 1} | {letter: place for place, letter in enumerate("abcdefgh")}
LARGEST_TREE = 500_000  # files that are looked at for recordings that do not lie where a list names them
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
        channel: the place of the only channel to read, from 0. None: the mean of all.
    """

    key: str
    path: Path
    text: str
    split: str = ""
    row: str = ""
    speaker: str = ""
    offset: float = 0.0
    duration: float | None = None
    channel: int | None = None


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
    channel: int | None = None,
) -> Entry:
    """Returns what a row says; a piece of a recording has its place in its key.

    Raises:
        SpeechDataError: the split has another name, or the recording is on the network.
    """
    if re.match(r"(?!file:)[a-z][a-z\d+.-]+://", name, re.IGNORECASE):
        raise SpeechDataError(
            f"{row}: expected a file, and the recording is an address on the network. Download it, and name the file. "
            f"Received: {name!r}"
        )
    if split and split.lower() not in SPLIT_NAMES:
        raise SpeechDataError(
            f"{row}: expected a `split` of train, validation, test in every row, or in none. Correct it. "
            f"Received: {split!r}"
        )
    is_piece = offset > 0 or duration is not None
    end = "" if duration is None else f"{offset + duration:g}"
    side = "" if channel is None else f"#{channel + 1}"
    key = key or (f"{name}@{offset:g}-{end}" if is_piece and offset > 0 else name) + side
    split = SPLIT_NAMES.get(split.lower(), "")
    return Entry(key, find_audio(folder, name), text, split, row, speaker, offset, duration, channel)


def find_audio(folder: Path, name: str) -> Path:
    """Returns where a recording lies that a list in a folder names, or where it should if it is nowhere.

    The name may be a `file:` address or percent-encoded, have variables of the environment or Windows's separators,
    and lack its ending; letters of the name may be composed otherwise, or differ in case, as may its ending. Of a path
    of another machine the end is looked for. What does not lie at its place may lie below the folder, if no other
    recording has its name, or be named from one of the two folders above.
    """
    name = re.sub(r"^\{\w+\}[/\\]?", "", name)  # of SpeechBrain, {data_root}/a.wav
    plain = unquote(urlsplit(name).path) if name.lower().startswith("file:") else os.path.expandvars(name)
    slashed = plain.replace("\\", "/")
    places = [folder, *(folder / sub for sub in FOLDERS), Path()]
    spellings = dict.fromkeys((plain, slashed, unquote(slashed), slashed.strip()))
    for each in spellings:
        for tail in _tails(each):
            for place in places:
                if found := file_at(place / tail.expanduser()):
                    return found
    for each in spellings:
        for place in folder.absolute().parents[:2]:
            if not Path(each).is_absolute() and (found := file_at(place / each)):
                return found
        if found := _names_below(folder, _modified(folder)).get(_folded(PurePosixPath(each).name)):
            return found
    return folder / Path(plain).expanduser()


def _tails(name: str) -> Iterator[Path]:
    """Yields a path and, of one from the root of a machine, its ends, the longest first."""
    yield Path(name)
    if name.startswith("/") or re.match("[A-Za-z]:", name):
        parts = PurePosixPath(name).parts
        yield from (Path(*parts[start:]) for start in range(1, len(parts)))


def file_at(path: Path) -> Path | None:
    """Returns the file of this name, or of one that differs in case, composition or the ending of an audio file."""
    if path.is_file():
        return path
    try:
        names = _names_in(path.parent, _modified(path.parent))
    except OSError:
        return None
    name = _folded(path.name)
    return names.get(name) or names.get(name.rpartition(".")[0] if name.endswith(AUDIO_SUFFIXES) else name)


def _modified(folder: Path) -> int:
    return folder.stat().st_mtime_ns if folder.is_dir() else 0


@lru_cache(256)
def _names_in(folder: Path, modified: int) -> dict[str, Path]:
    """Returns the files of a folder, which was modified then, by their names; recordings also without their endings."""
    files = [each for each in sorted(folder.iterdir()) if each.is_file()]
    names = {_folded(each.stem): each for each in reversed(files) if each.suffix.lower() in AUDIO_SUFFIXES}
    return names | {_folded(each.name): each for each in files}


@lru_cache(16)
def _names_below(folder: Path, modified: int) -> dict[str, Path]:
    """Returns recordings below a folder, modified then, by those names, with and without ending, of one alone."""
    found: dict[str, list[Path]] = {}
    for path in islice(files_below(folder), LARGEST_TREE):
        if path.suffix.lower() in AUDIO_SUFFIXES:
            for name in {path.name, path.stem}:
                found.setdefault(_folded(name), []).append(path)
    return {name: paths[0] for name, paths in found.items() if len(paths) == 1}


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def channels_of(names: Sequence[str]) -> list[int | None]:
    """Returns the places from 0 of channels named by numbers, from 0 or 1, or by letters; None where one has no place.

    >>> channels_of(["1", "2"]), channels_of(["0", "1"]), channels_of(["A", "right"]), channels_of(["phone"])
    ([0, 1], [0, 1], [0, 1], [None])
    """
    plain = [name.strip().lower() for name in names]
    first = 0 if "0" in plain else 1
    found = [int(each) - first if each.isdecimal() else CHANNELS.get(each) for each in plain]
    return [None] * len(found) if None in found else found


def piece_of(values: Mapping[str, Any], columns: Mapping[str, str], row: str) -> tuple[float, float | None]:
    """Returns the offset and duration that a row says, in seconds; None: to the end of the recording.

    Raises:
        SpeechDataError: they are no numbers, or negative.
    """
    numbers: dict[str, float] = {}
    for part in TIMES:
        value = values.get(columns[part]) if part in columns else None
        if value is None or value == "":
            continue
        unit = UNIT.search(plain_name(columns[part]))
        number = _seconds(value) / (1000 if unit and unit[1] else 1)
        if not math.isfinite(number) or number < 0:
            raise SpeechDataError(
                f"{row}: expected seconds, or hh:mm:ss, as `{columns[part]}`, 0 or more. Correct them, or leave them "
                f"out for the whole recording. Received: {value!r}"
            )
        numbers[part] = number
    offset, duration = numbers.get("offset", 0.0), numbers.get("duration")
    if duration is None and "end" in numbers:
        duration = numbers["end"] - offset  # one of 0 or less is refused with the recording, or left out
    return offset, duration


def _seconds(value: Any) -> float:
    """Returns a time in seconds, of a number, `hh:mm:ss`, `1.5s` or `PT1M1.5S`; NaN for what is none."""
    if clock := isinstance(value, str) and (CLOCK.fullmatch(value.strip()) or SPAN.fullmatch(value.strip())):
        return 3600 * int(clock[1] or 0) + 60 * int(clock[2] or 0) + float((clock[3] or "0").replace(",", "."))
    try:
        return math.nan if isinstance(value, bool) else float(str(value).replace(",", "."))
    except (TypeError, ValueError):
        return math.nan


def columns_of(names: Sequence[str]) -> dict[str, str]:
    """Returns which of the names stands for what; of several the one that tells most."""
    known = {plain_name(name): name for name in reversed(names)}
    timed = {UNIT.sub("", plain): name for plain, name in known.items()} | known
    of_part = {part: timed if part in TIMES else known for part in COLUMNS}
    found = {
        part: of_part[part][name] for part, each in COLUMNS.items() for name in reversed(each) if name in of_part[part]
    }
    if "end" in found and found["end"] == found.get("offset"):  # an offset is an end only behind an onset
        del found["end"]
    return found


def notes_of(names: Sequence[str], columns: Mapping[str, str]) -> list[str]:
    """Returns what was made of the columns."""
    others = [name for name in names if name and name not in columns.values()]
    used = ", ".join(f"{part} from `{name}`" for part, name in columns.items())
    return [f"Columns: {used}" + (f"; not used: {', '.join(others)}." if others else ".")]


def value_of(values: Mapping[str, Any], columns: Mapping[str, str], part: str) -> str:
    """Returns what a row has in the column that stands for a part; "" if there is none."""
    value = values.get(columns[part]) if part in columns else None
    return "" if value is None else str(value)


def entry_of_row(
    folder: Path,
    values: Mapping[str, Any],
    columns: Mapping[str, str],
    row: str,
    line: str,
    channel: int | None = None,
) -> Entry:
    """Returns what the values of a row say, by the names of their columns."""
    audio, text = (values.get(columns.get(part, usual)) for part, usual in (("audio", "path"), ("text", "text")))
    audio = audio.get("path") if isinstance(audio, Mapping) else audio  # as Hugging Face writes it
    text = str(text) if isinstance(text, int) and not isinstance(text, bool) else text
    text = "" if text is None and columns.get("text") in values else text  # empty, as pandas writes it
    for part, value in (("audio", audio), ("text", text)):
        if not isinstance(value, str) or (part == "audio" and not value.strip()):
            usual = {"audio": "audio_filepath", "text": "text"}[part]
            name = columns.get(part, usual)
            name = usual if name.lower().endswith("id") else name
            raise SpeechDataError(
                f"{row}: expected a string `{name}`. Add it, or remove the row. Received: {SHORT.repr(line)}"
            )
    speaker, split = (value_of(values, columns, part) for part in ("speaker", "split"))
    offset, duration = piece_of(values, columns, row)
    return entry_of(folder, str(audio), str(text), row, split, speaker, offset, duration, channel=channel)
