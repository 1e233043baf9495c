"""What recognisers write of a recording in JSON: the texts in it, and the times of their pieces."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from pipelines.json_lines import parsed_in_a_row
from pipelines.speech.audio_files import SpeechDataError
from pipelines.speech.recording_entries import columns_of, piece_of

Row = dict[str, Any]
Names = tuple[str, ...]
ALTERNATIVES = ("alternatives", "nBest")  # for the same piece, the best first
WHOLE: tuple[Names, ...] = (
    (),  # Whisper, AssemblyAI; Vosk, an object for each utterance
    ("results", "transcripts"),  # AWS
    ("results",),  # Google
    ("response", "results"),  # Google, of a long recording
    ("results", "channels"),  # Deepgram
    ("combinedRecognizedPhrases",),  # Azure
    ("combinedPhrases",),  # Azure, fast transcription
)
"""The names above the objects that together hold the whole text. Lists of pieces with times may have any name."""


def recognised_rows(text: str, where: str) -> tuple[list[Row], bool]:
    """Returns a row for each piece of a recording, or one with the text alone, or none; and whether they are words.

    Of several lists of pieces, such as segments and words, the one with the longest texts counts. Beside the whole
    text, a list that lacks most of it does not count, and one of single words only if each is a word of that text.
    Words are written as there, with punctuation.

    Args:
        text: the JSON.
        where: its name, for messages.

    Raises:
        SpeechDataError: it is no JSON.

    Example:
        >>> recognised_rows('{"text": "a b", "words": [{"word": "a", "start": 0, "end": 1}]}', "a.json")
        ([{'text': 'a b'}], False)
        >>> recognised_rows('{"text": "A.", "words": [{"word": "a", "start": 0, "end": 1}]}', "a.json")
        ([{'word': 'A.', 'start': 0, 'end': 1}], True)
    """
    tables: dict[Names, list[Row]] = {}
    for names, row in _rows(parsed_in_a_row(text, where, SpeechDataError), where):
        spoken = _text(row)
        if spoken and ("offset" in _columns(tuple(row)) or re.search(r"\w", spoken)):  # else a comma of AWS
            tables.setdefault(names, []).append(row)
    whole = next((tables[names] for names in WHOLE if names in tables), [])
    timed = [rows for names, rows in tables.items() if names not in WHOLE and _are_timed(rows)]
    most = max(map(_length, [whole, *timed]))
    timed = [rows for rows in timed if 2 * _length(rows) >= most]
    pieces = max(timed, key=lambda rows: _length(rows) / len(rows), default=[])
    if not whole or any(" " in _text(row) for row in pieces):
        return pieces, False
    if len(whole) > 1 and _are_timed(whole):
        return whole, False
    words = _as_written(pieces, _joined(whole)["text"].split())
    return (words, True) if words else ([_joined(whole)], False)


def _rows(
    value: Any, where: str, names: Names = (), above: Mapping[str, Any] | None = None
) -> Iterator[tuple[Names, Row]]:
    """Yields the names above each object in JSON, and its own values with those of its best alternative.

    An object also has the speaker and the channel of the one above it.
    """
    if isinstance(value, list):
        for place, each in enumerate(value):
            side = {"channel": place} if names[-1:] == ("channels",) else {}
            yield from _rows(each, where, names, {**(above or {}), **side})
    elif isinstance(value, dict):
        lists = [value[name] for name in ALTERNATIVES if isinstance(value.get(name), list)]
        others: list[Row] = [each for alternatives in lists for each in alternatives if isinstance(each, dict)]
        inner = {**others[0], **value} if others else value
        row = {**(above or {}), **{name: each for name, each in inner.items() if isinstance(each, str | int | float)}}
        yield names, {**row, **_times(inner, where, of_whole=names in WHOLE)}
        columns = _columns(tuple(row))
        common = {columns[part]: row[columns[part]] for part in ("speaker", "channel") if part in columns}
        for name, each in inner.items():
            if name not in ALTERNATIVES:
                yield from _rows(each, where, (*names, name), common)


def _times(piece: Row, where: str, of_whole: bool) -> Row:
    """Returns the begin and end of a piece that stand below it: in whisper.cpp's `offsets`, or those of its words.

    Words count only in an object that holds a part of the whole text.
    """
    if isinstance(below := piece.get("offsets"), dict):
        return {"start_ms": below.get("from"), "end_ms": below.get("to")}
    if not of_whole or "offset" in _columns(tuple(piece)):
        return {}
    for words in piece.values():
        if isinstance(words, list) and words and all(isinstance(each, dict) and _text(each) for each in words):
            ends = [piece_of(each, _columns(tuple(each)), where) for each in (words[0], words[-1])]
            (begin, _), (last, seconds) = ends
            if seconds is not None:  # Google leaves out a begin of 0
                return {"start_s": begin, "end_s": last + seconds}
    return {}


@lru_cache(1024)
def _columns(names: Names) -> dict[str, str]:
    return columns_of(names)


def _text(row: Row) -> str:
    text = row.get(_columns(tuple(row)).get("text", ""))
    return text.strip() if isinstance(text, str) else ""


def _length(rows: list[Row]) -> int:
    return sum(len(_text(row)) for row in rows)


def _are_timed(rows: list[Row]) -> bool:
    return all("offset" in _columns(tuple(row)) for row in rows)


def _as_written(words: list[Row], text: list[str]) -> list[Row]:
    """Returns words as they are written in a text; none if the text has others."""
    if len(words) != len(text):
        return []
    pairs = list(zip(words, text, strict=True))
    are_same = all(_text(row).lower() in word.lower() for row, word in pairs)
    return [{**row, _columns(tuple(row))["text"]: word} for row, word in pairs] if are_same else []


def _joined(rows: list[Row]) -> Row:
    speaker = _columns(tuple(rows[0])).get("speaker")
    return {"text": " ".join(map(_text, rows)), **({speaker: rows[0][speaker]} if speaker else {})}
