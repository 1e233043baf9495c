"""The user's own lists of recordings and what is said in them: JSON lines and tables."""

import codecs
import csv
import io
import math
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from data import splits
from pipelines.json_lines import json_object
from pipelines.speech.audio_files import SpeechDataError

SPLIT_NAMES = splits.SPLIT_NAMES | {"development": "validation"}
COLUMNS = {  # the names that people give them, the most telling first; the case does not count
    "audio": ("audio_filepath", "wav_filename", "audio_file", "audio_path", "file_name", "filename", "filepath",
              "file_path", "path", "file", "wav", "wav_path", "audio", "recording"),
    "text": ("text", "transcript", "sentence", "transcription", "normalized_text", "normalised_text", "raw_text"),
    "split": ("split", "subset", "partition"),
    "speaker": ("speaker", "speaker_id", "client_id", "speaker_name", "spk", "spk_id", "user_id", "user"),
    "offset": ("offset", "start", "start_time", "begin"),
    "duration": ("duration",),
    "end": ("end", "end_time", "stop"),
}  # fmt: skip
AUDIO_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".webm", ".mp4", ".mkv", ".mov",
                  ".avi", ".wma", ".amr", ".3gp", ".aif", ".aiff", ".au", ".caf", ".sph", ".w64", ".rf64")  # fmt: skip
FOLDERS = ("wavs", "clips", "audio", "wav")  # beside a list, where its recordings may lie
_BYTE_ORDER_MARKS = {  # the longer ones first: that of UTF-32 begins with that of UTF-16
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_SHORT = reprlib.Repr()
_SHORT.maxstring = 200


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


def read_list(path: Path) -> tuple[list[Entry], list[str]]:
    """Reads a list of recordings: a JSON object a line, or a table with commas, semicolons, tabs or bars.

    The first row of a table names the columns; without names there are two, a recording and its text. Paths are
    relative to the list, or to a folder `wavs`, `clips` or `audio` beside it.

    Args:
        path: the list.

    Returns:
        The recordings, and what was made of the columns.

    Raises:
        SpeechDataError: a row cannot be used; it is named.
    """
    lines = list(rows_of(path))
    is_json = lines[0][1].lstrip().startswith(("{", "[")) or path.suffix.lower() in (".jsonl", ".json")
    if is_json:
        objects = [(row, json_object(line, row, SpeechDataError), line) for row, line in lines]
        names = list(dict.fromkeys(name for _, values, _ in objects for name in values))
        columns = _columns(names)
        return [_entry(path.parent, values, columns, row, line) for row, values, line in objects], _notes(
            names, columns
        )
    return _table(path, lines)


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
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number) or number < 0 or (part != "offset" and number == 0):
            raise SpeechDataError(
                f"{row}: expected seconds as `{columns[part]}`: 0 or more, and more than 0 for a duration or end. "
                f"Correct them, or leave them out for the whole recording. Received: {value!r}"
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


def _columns(names: Sequence[str]) -> dict[str, str]:
    """Returns which of the names stands for what; of several the one that tells most."""
    known = {name.strip().lower(): name for name in reversed(names)}
    return {part: known[name] for part, each in COLUMNS.items() for name in reversed(each) if name in known}


def _notes(names: Sequence[str], columns: Mapping[str, str]) -> list[str]:
    others = [name for name in names if name not in columns.values()]
    used = ", ".join(f"{part} from `{name}`" for part, name in columns.items())
    return [f"Columns: {used}" + (f"; not used: {', '.join(others)}." if others else ".")]


def _entry(folder: Path, values: Mapping[str, Any], columns: Mapping[str, str], row: str, line: str) -> Entry:
    for part, usual in (("audio", "audio_filepath"), ("text", "text")):
        name = columns.get(part, usual)
        if not isinstance(values.get(name), str) or (part == "audio" and not values[name].strip()):
            raise SpeechDataError(
                f"{row}: expected a string `{name}`. Add it, or remove the row. Received: {_SHORT.repr(line)}"
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


def _table(path: Path, lines: list[tuple[str, str]]) -> tuple[list[Entry], list[str]]:
    first = lines[0][1]
    for delimiter in "\t|;,":
        names = [name.strip() for name in _fields(first, delimiter)]
        columns = _columns(names)
        if "audio" in columns and "text" in columns:
            return _table_with_names(path, lines[1:], delimiter, names, columns)
    delimiter = next((each for each in "\t|;," if each in first), "")
    if not delimiter or any(name.strip().lower() in COLUMNS["audio"] for name in first.split(delimiter)):
        raise SpeechDataError(
            f"{lines[0][0]}: expected a JSON object, names of columns such as path,text, or a recording and its text. "
            f"Name the columns of recordings ({', '.join(COLUMNS['audio'][:8])} …) and of texts "
            f"({', '.join(COLUMNS['text'][:4])} …). Received: {_SHORT.repr(first)}"
        )
    entries = []
    for row, fields in _records(lines, delimiter):
        name, *texts = fields
        if not name.strip() or len(texts) not in ((1, 2) if delimiter == "|" else (1,)):
            raise SpeechDataError(
                f"{row}: expected a recording and its text. Put a text that holds {delimiter!r} in quotes, or name the "
                f"columns in the first row. Received: {len(fields)} fields, {_SHORT.repr(delimiter.join(fields))}"
            )
        entries.append(entry_of(path.parent, name.strip(), texts[-1], row, key=name.strip()))
    return entries, ["The list names no columns: the first is read as recordings, the last as texts."]


def _table_with_names(
    path: Path, lines: list[tuple[str, str]], delimiter: str, names: list[str], columns: Mapping[str, str]
) -> tuple[list[Entry], list[str]]:
    if repeated := sorted({name for name in columns.values() if names.count(name) > 1}):
        raise SpeechDataError(f"{path}: expected each column once. Remove one. Received: {', '.join(repeated)} twice")
    entries = []
    for row, fields in _records(lines, delimiter):
        if len(fields) != len(names):
            raise SpeechDataError(
                f"{row}: expected {len(names)} fields, as in the first row. Put a text that holds {delimiter!r} in "
                f"quotes, or correct the row. Received: {len(fields)} fields, {_SHORT.repr(delimiter.join(fields))}"
            )
        entries.append(_entry(path.parent, dict(zip(names, fields, strict=True)), columns, row, delimiter.join(fields)))
    if not entries:
        raise SpeechDataError(
            f"{path} is empty; expected one recording a row. Fill it. Received: names of columns alone"
        )
    return entries, _notes(names, columns)


def _records(lines: list[tuple[str, str]], delimiter: str) -> Iterator[tuple[str, list[str]]]:
    """Yields where it starts, and the fields, for each record; in quotes it may go over several lines."""
    if delimiter in "\t|":  # in which quotes are text, as Common Voice and LJSpeech have it
        yield from ((row, _fields(line, delimiter)) for row, line in lines)
        return
    reader = csv.reader(io.StringIO("\n".join(line for _, line in lines)), delimiter=delimiter)
    start = 0
    try:
        for fields in reader:
            yield lines[start][0], fields
            start = reader.line_num
    except csv.Error as error:
        raise SpeechDataError(
            f"{lines[start][0]}: expected quotes in pairs. Correct the row. Received: {error}"
        ) from error


def _fields(line: str, delimiter: str) -> list[str]:
    if delimiter in ",;":
        return next(csv.reader([line], delimiter=delimiter))
    fields = line.split(delimiter)
    return [field[1:-1].replace('""', '"') if _is_quoted(field) and delimiter == "\t" else field for field in fields]


def _is_quoted(field: str) -> bool:
    """Whether a program has put quotes around a field, and doubled those inside it."""
    return len(field) > 1 and field[0] == field[-1] == '"' and '"' not in field[1:-1].replace('""', "")


def rows_of(path: Path) -> Iterator[tuple[str, str]]:
    """Yields where it stands, and the line, for each line of a UTF-8 text that is not blank."""
    if not path.is_file():
        kind = "is a folder" if path.is_dir() else "does not exist"
        raise SpeechDataError(
            f"{path} {kind}; expected a list of recordings. Correct the path. Received: {str(path)!r}"
        )
    content, found = path.read_bytes(), False
    encoding = _probable_encoding(content)
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        row = f"{path}, line {number}"
        try:
            text = line.decode("utf-8").rstrip("\r")
            if "\0" in text:  # what UTF-16 without a mark at its start makes of plain letters
                raise UnicodeDecodeError("utf-8", line, line.index(0), line.index(0) + 1, "a zero byte")
        except UnicodeDecodeError as error:
            raise SpeechDataError(
                f"{row} is not UTF-8. Convert the file, for instance with `iconv -f {encoding} -t UTF-8`. "
                f"Received: {line[max(0, error.start - 10) : error.end + 10]!r}"
            ) from error
        if text.strip():
            found = True
            yield row, text
    if not found:
        raise SpeechDataError(f"{path} is empty; expected one recording a row. Fill it. Received: {len(content)} bytes")


def _probable_encoding(content: bytes) -> str:
    """What bytes that are not UTF-8 are written in, by the name that iconv knows."""
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            return encoding
    if (zero := content.find(0)) >= 0:  # the empty half of a letter
        return "UTF-16LE" if zero % 2 else "UTF-16BE"
    return "WINDOWS-1252"
