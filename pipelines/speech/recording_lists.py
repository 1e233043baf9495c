"""The user's own lists of recordings and their transcripts: JSON and tables."""

import csv
import io
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from data.files import plain_suffix, stated_delimiter
from pipelines.json_lines import JSON, json_object, parsed
from pipelines.speech.audio_files import SpeechDataError
from pipelines.speech.recording_entries import (
    AUDIO_SUFFIXES,
    COLUMNS,
    SHORT,
    SPLIT_NAMES,
    Entry,
    channels_of,
    columns_of,
    entry_of,
    entry_of_row,
    find_audio,
    notes_of,
    value_of,
)
from pipelines.speech.recording_rows import empty_list, rows_of
from pipelines.speech.unnamed_columns import NORMALISED, ORDINALS, are_twice, columns_without_names, place_of_recordings

DELIMITERS = "\t|;,"  # the rarest within texts first
RULE = re.compile(r"(?=.*[|+])[\s|+:-]*-[\s|+:-]*")  # between names and rows, in Markdown and printed tables
MAYBE_SPLITS = ("set", "fold", "usage")  # columns that are something else perhaps
NUMBER = re.compile(r"-?\d*\.?\d*")  # or nothing
TRIED = 10  # rows that are looked at to tell what they are


def read_list(path: Path) -> tuple[list[Entry], list[str]]:
    """Reads a list of recordings: JSON lines, one JSON text of all, or a table with commas, semicolons, tabs or bars.

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
    if lines[0][1].lstrip().startswith(("{", "[")) or plain_suffix(path) in JSON:
        objects = _without_lhotse(path, list(_objects(path, lines)))
        if not objects:
            raise empty_list(path)
        names = list(dict.fromkeys(name for _, values in objects for name in values))
        columns = columns_of(names)
        return _entries(path, [(row, values, json.dumps(values)) for row, values in objects], names, columns)
    found = _table(path, lines)
    if found[0] and all(entry.text.strip().lower().endswith(AUDIO_SUFFIXES) for entry in found[0]):
        raise SpeechDataError(
            f"{path} names recordings in the place of texts. Expected the text of each. Add a column of texts, or, "
            f"for Kaldi's wav.scp, give its folder. Received: {found[0][0].text!r}"
        )
    return found


def _entries(
    path: Path, rows: Sequence[tuple[str, Mapping[str, Any], str]], names: Sequence[str], columns: Mapping[str, str]
) -> tuple[list[Entry], list[str]]:
    """Returns what rows say: where each stands, its values by column, and how it is written."""
    channels = channels_of([value_of(values, columns, "channel") for _, values, _ in rows])
    splits = {value_of(values, columns, "split").lower() for _, values, _ in rows}
    are_others = columns.get("split", "").lower() in MAYBE_SPLITS and not splits <= {*SPLIT_NAMES, ""}
    others = ["channel"] * (channels[0] is None) + ["split"] * are_others
    columns = {part: name for part, name in columns.items() if part not in others}
    found = [
        entry_of_row(path.parent, values, columns, row, line, channel)
        for (row, values, line), channel in zip(rows, channels, strict=True)
    ]
    return found, notes_of(names, columns)


def _objects(path: Path, lines: list[tuple[str, str]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields where it stands, and the object, for each recording of JSON lines, or of one JSON text of all."""
    whole = _whole("\n".join(line for _, line in lines), path)
    if whole is None:
        for row, line in lines:
            yield from ((row, piece) for piece in _pieces(json_object(line, row, SpeechDataError)))
        return
    for number, each in enumerate(whole, start=1):
        if isinstance(each, list) and len(each) == 2 and all(isinstance(part, str) for part in each):
            each = dict(zip(("audio", "text"), each, strict=True))
        if not isinstance(each, dict):
            raise SpeechDataError(
                f"{path}, item {number}: expected an object for each recording. Correct it. "
                f"Received: {SHORT.repr(each)}"
            )
        yield from ((f"{path}, item {number}", piece) for piece in _pieces(each))


def _pieces(recording: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the pieces that an object lists of a recording, as in GigaSpeech, with its values; else it alone."""
    columns = columns_of(list(recording))
    lists = [
        name
        for name, each in recording.items()
        if isinstance(each, list)
        and each
        and all(isinstance(part, dict) and "text" in columns_of(list(part)) for part in each)
    ]
    if "text" in columns or "supervisions" in recording or len(lists) != 1:
        return [recording]
    of_whole = {lists[0], *(columns.get(part) for part in ("offset", "duration", "end"))}
    common = {name: each for name, each in recording.items() if name not in of_whole}
    return [{**common, **piece} for piece in recording[lists[0]]]


def named_columns(line: str, parts: Set[str], delimiters: str = DELIMITERS) -> tuple[str, list[str]]:
    """Returns what separates the columns that a line names, and their names; "" and none if it lacks a part."""
    for delimiter in delimiters:
        names = [name.strip() for name in _fields(line, delimiter)]
        if parts <= columns_of(names).keys():
            return delimiter, names
    return "", []


def has_names(path: Path) -> bool:
    """Whether the first row of a table names its columns."""
    return bool(named_columns(next(rows_of(path))[1], {"audio", "text"})[1])


def timed_rows(lines: list[tuple[str, str]]) -> list[tuple[str, dict[str, str]]]:
    """Returns the rows of a table of pieces of one recording, by column; none of a table that names no begin and text.

    Args:
        lines: where each stands, and the line.
    """
    delimiter, names = named_columns(lines[0][1], {"offset", "text"}) if lines else ("", [])
    if not names or "audio" in columns_of(names):
        return []
    return [(row, dict(zip(names, fields, strict=False))) for row, fields in _records(lines[1:], delimiter)]


def supervisions_of(recordings: Path) -> Path:
    """Returns where the texts lie of a list of recordings that Lhotse has written."""
    return recordings.with_name(recordings.name.replace("recordings", "supervisions"))


def _without_lhotse(path: Path, rows: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, dict[str, Any]]]:
    """Returns rows of Lhotse's recordings, supervisions or cuts as rows of an ordinary list, and others as they are."""
    first = rows[0][1] if rows else {}
    if "sources" in first:
        path = supervisions_of(path)
        rows = list(_objects(path, list(rows_of(path))))
    elif "recording_id" not in first and "supervisions" not in first:
        return rows
    recordings: dict[Any, Any] = {}
    if "supervisions" not in first:
        beside = path.with_name(path.name.replace("supervisions", "recordings"))
        recordings = {each.get("id"): each for _, each in _objects(beside, list(rows_of(beside)))}
    found = []
    for row, values in rows:
        for supervision in values.get("supervisions", [values]):
            recording = values.get("recording") or recordings.get(supervision.get("recording_id")) or {}
            sources = recording.get("sources", [])
            if len(sources) != 1 or sources[0].get("type") != "file":
                raise SpeechDataError(
                    f"{row}: expected a recording of one file. Write the audio to files, and name each in `sources` "
                    f"with the type file. Received: {SHORT.repr(sources or supervision.get('recording_id'))}"
                )
            channel = supervision.get("channel", 0)
            side = {"channel": "abcdefgh"[channel]} if isinstance(channel, int) and channel < 8 else {}
            begin = (values.get("start", 0) if "supervisions" in values else 0) + supervision.get("start", 0)
            is_whole = begin == 0 and supervision.get("duration", 0) >= recording.get("duration", math.inf) - 1e-2
            piece = {} if is_whole else {"offset": begin, "duration": supervision.get("duration")}
            speaker = {"speaker": supervision["speaker"]} if supervision.get("speaker") else {}
            found.append(
                (row, {"audio": sources[0].get("source"), "text": supervision.get("text"), **piece, **speaker, **side})
            )
    return found


def _whole(text: str, path: Path) -> list[Any] | None:
    """Returns the recordings of one JSON text: a list, the only list of objects in an object, or texts by recording."""
    try:
        value = parsed(text, str(path), SpeechDataError)
    except json.JSONDecodeError:
        return None
    if isinstance(value, list):
        return value
    is_lhotse = isinstance(value, dict) and {"sources", "supervisions", "recording_id"} & value.keys()
    if not isinstance(value, dict) or is_lhotse or {"audio", "text"} <= columns_of(list(value)).keys():
        return None  # the only line
    if len(pieces := _pieces(value)) > 1 and "audio" in columns_of(list(pieces[0])):
        return pieces
    lists = [each for each in value.values() if isinstance(each, list) and each and isinstance(each[0], dict)]
    if len(lists) == 1:
        return lists[0]
    if lists and len(lists) == len(value) and all(name.lower() in SPLIT_NAMES for name in value):
        return [{"split": name, **each} for name, rows in value.items() for each in rows]
    if not value or columns_of(list(value)):
        return None
    if all(isinstance(each, str) for each in value.values()):
        return [{"audio": name, "text": each} for name, each in value.items()]
    if all(isinstance(each, dict) for each in value.values()):
        return [{"audio": name, **each} for name, each in value.items()]
    return None


def _table(path: Path, lines: list[tuple[str, str]]) -> tuple[list[Entry], list[str]]:
    delimiters, lines = DELIMITERS, [each for each in lines if not RULE.fullmatch(each[1])]
    if not lines:
        raise empty_list(path)
    if (stated := stated_delimiter(lines[0][1])) and len(lines) > 1:
        delimiters, lines = stated, lines[1:]
    while lines[0][1].startswith("#") and len(lines) > 1 and not columns_of(re.split(f"[{delimiters}]", lines[0][1])):
        lines = lines[1:]  # a remark
    first = lines[0][1]
    delimiter, names = named_columns(first, {"audio", "text"}, delimiters)
    if names:
        return _table_with_names(path, lines[1:], delimiter, names, columns_of(names))
    name, _, text = first.partition(" ")
    if text and "\t" not in first and find_audio(path.parent, name.removesuffix(":")).is_file():  # as of VoxForge
        pairs = [(row, *line.strip().partition(" ")[::2]) for row, line in lines]
        pairs = [(row, name.removesuffix(":"), text) for row, name, text in pairs]
        found = [entry_of(path.parent, name, text, row, key=name) for row, name, text in pairs]
        return found, ["The list names no columns: the first word of a line is read as its recording."]
    delimiter = next((each for each in delimiters if each in first), "")
    if not delimiter or any(name.strip().lower() in COLUMNS["audio"] for name in first.split(delimiter)):
        raise SpeechDataError(
            f"{lines[0][0]}: expected a JSON object, names of columns such as path,text, or a recording and its text. "
            f"Name the columns of recordings ({', '.join(COLUMNS['audio'][:8])} …) and of texts "
            f"({', '.join(COLUMNS['text'][:4])} …). Received: {SHORT.repr(first)}"
        )
    records = [(row, fields) for row, fields in _records(lines, delimiter) if any(map(str.strip, fields))]
    if not records:
        raise empty_list(path)
    whole = len(records[0][1])
    place = place_of_recordings([fields for _, fields in records[:TRIED]])
    records = [(row, fields[place:] + fields[:place] * (len(fields) == place + 1)) for row, fields in records]
    named, *others = [fields[0].strip() for _, fields in records[:TRIED]]
    names = _fields(first, delimiter)[place:]
    are_names = re.fullmatch(r"[^\W\d]+( [^\W\d]+)*", named) and len(set(names)) == len(names)  # of another language
    is_listed = [find_audio(path.parent, each).is_file() for each in (named, *others)] if are_names and others else []
    if is_listed and not is_listed[0] and all(is_listed[1:]):
        columns = columns_of(names) | dict(zip(("audio", "text"), names, strict=False))
        return _table_with_names(path, lines[1:], delimiter, names, columns)
    text_at, speaker_at = columns_without_names([fields for _, fields in records])
    width = len(records[0][1])
    widths = (1, 2, width - 1) if delimiter == "|" or are_twice([fields for _, fields in records[:TRIED]]) else (1,)
    entries = []
    for row, fields in records:
        name, *texts = fields
        if not name.strip() or len(texts) not in widths or not texts:
            raise SpeechDataError(
                f"{row}: expected a recording and its text. Put a text that holds {delimiter!r} in quotes, or name the "
                f"columns in the first row. Received: {len(fields)} fields, {SHORT.repr(delimiter.join(fields))}"
            )
        speaker = fields[speaker_at] if speaker_at and len(fields) == 3 else ""
        text = fields[text_at if len(fields) == 3 else min(len(fields) - 1, NORMALISED)]
        entries.append(entry_of(path.parent, name.strip(), text, row, speaker=speaker.strip(), key=name.strip()))
    texts_at = NORMALISED if width > 3 else text_at % width
    speakers = f", the {ORDINALS[place + speaker_at]} as speakers" if speaker_at else ""
    named = (
        f"the {ORDINALS[place]} is read as recordings, the {ORDINALS[(place + texts_at) % whole]} as texts{speakers}"
    )
    return entries, [f"The list names no columns: {named}."]


def _table_with_names(
    path: Path, lines: list[tuple[str, str]], delimiter: str, names: list[str], columns: Mapping[str, str]
) -> tuple[list[Entry], list[str]]:
    if repeated := sorted({name for name in columns.values() if names.count(name) > 1}):
        raise SpeechDataError(f"{path}: expected each column once. Remove one. Received: {', '.join(repeated)} twice")
    rows = []
    for row, fields in _records(lines, delimiter):
        if not any(field.strip() for field in fields):
            continue  # a row of a spreadsheet in which nothing stands
        if len(fields) != len(names):
            raise SpeechDataError(
                f"{row}: expected {len(names)} fields, as in the first row. Put a text that holds {delimiter!r} in "
                f"quotes, or correct the row. Received: {len(fields)} fields, {SHORT.repr(delimiter.join(fields))}"
            )
        rows.append((row, dict(zip(names, fields, strict=True)), delimiter.join(fields)))
    if not rows:
        raise SpeechDataError(
            f"{path} is empty; expected one recording a row. Fill it. Received: names of columns alone"
        )
    return _entries(path, rows, names, columns)


def _records(lines: list[tuple[str, str]], delimiter: str) -> Iterator[tuple[str, list[str]]]:
    """Yields where it starts, and the fields, for each record; in quotes it may go over several lines."""
    if delimiter in "\t|":  # in which quotes are text, as Common Voice and LJSpeech have it
        yield from ((row, _fields(line, delimiter)) for row, line in lines)
        return
    reader = csv.reader(io.StringIO("\n".join(line for _, line in lines)), delimiter=delimiter, skipinitialspace=True)
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
        return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))
    fields = [field.strip() if delimiter == "|" else field for field in line.split(delimiter)]
    # Between bars, a text may be in quotes of its own, as in LJSpeech; its recording is not.
    in_all = delimiter == "\t" or all(_is_quoted(field) or NUMBER.fullmatch(field) for field in fields)
    return [
        field[1:-1].replace('""', '"') if _is_quoted(field) and (in_all or '""' in field[1:-1]) else field
        for field in fields
    ]


def _is_quoted(field: str) -> bool:
    """Whether a program has put quotes around a field, and doubled those inside it."""
    return len(field) > 1 and field[0] == field[-1] == '"' and '"' not in field[1:-1].replace('""', "")
