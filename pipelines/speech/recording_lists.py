"""The user's own lists of recordings and what is said in them, in the formats that people have."""

import codecs
import reprlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from data.splits import assign_split
from pipelines.json_lines import json_object
from pipelines.speech.audio_files import SpeechDataError
from pipelines.speech.transcripts import Transcripts, normalised

SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}  # of the texts, where a list has no splits
SPLIT_NAMES = {name: name for name in SHARES} | dict.fromkeys(("dev", "valid", "val"), "validation")
_BYTE_ORDER_MARKS = {  # the longer ones first: that of UTF-32 begins with that of UTF-16
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_SHORT = reprlib.Repr()
_SHORT.maxstring = 200


class Entry(NamedTuple):
    """A recording in a file: key, path, normalised text, split, and the `row` of the list that says so."""

    key: str
    path: Path
    text: str
    split: str
    row: str = ""


def ljspeech_entries(folder: Path, language: str | Transcripts = "") -> list[Entry]:
    """Reads `metadata.csv` with rows `id|text` or `id|text|normalised text` beside `wavs/id.wav`."""
    entries = []
    for row, line in _rows(folder / "metadata.csv"):
        key, *texts = line.split("|")
        if not key or len(texts) not in (1, 2):
            raise SpeechDataError(
                f"{row}: expected id|text or id|text|normalised text. Correct it. Received: {_SHORT.repr(line)}"
            )
        text = normalised(texts[-1], language, row)
        entries.append(Entry(key, folder / "wavs" / f"{key}.wav", text, assign_split(text, SHARES), row))
    return entries


def librispeech_entries(folder: Path, language: str | Transcripts = "") -> list[Entry]:
    """Reads SUBSET/speaker/chapter/*.trans.txt with rows `id TEXT`, beside id.flac; SUBSET names a split."""
    entries = []
    for path in sorted(folder.glob("*/*/*/*.trans.txt")):
        subset = path.parts[-4]
        split = next((SPLIT_NAMES[name] for name in ("train", "dev", "test") if subset.startswith(name)), None)
        if split is None:
            raise SpeechDataError(
                f"{folder / subset} belongs to no split; expected names such as train-clean-100, dev-clean, "
                f"test-clean. Rename or remove it. Received: {subset!r}"
            )
        for row, line in _rows(path):
            key, _, text = line.strip().partition(" ")
            entries.append(Entry(key, path.with_name(f"{key}.flac"), normalised(text, language, row), split, row))
    if not entries:
        raise SpeechDataError(
            f"{folder} holds no transcripts; expected SUBSET/speaker/chapter/*.trans.txt. Give the folder "
            "that holds train-clean-100 and the like. "
            f"Received: {sorted(path.name for path in folder.glob('*'))[:10]}"
        )
    return entries


def manifest_entries(path: Path, language: str | Transcripts = "", split: str | None = None) -> list[Entry]:
    """Reads rows of JSON with `audio_filepath`, relative to the list, `text`, and in all or no rows `split`.

    Args:
        path: the list.
        language: see `normalised`.
        split: of all rows, whatever they say. None: as they say; if they do not, by a hash of the text.
    """
    entries, first_has_split = [], None
    for row, line in _rows(path):
        values = json_object(line, row, SpeechDataError)
        for name in ("audio_filepath", "text"):
            if not isinstance(values.get(name), str):
                raise SpeechDataError(
                    f"{row}: expected a string `{name}`. Add it, or remove the row. Received: {_SHORT.repr(line)}"
                )
        if values.get("offset"):
            raise SpeechDataError(
                f"{row}: a part of a recording cannot be read; expected one recording a file. Cut the "
                f"recording into files. Received: offset {values['offset']!r}"
            )
        has_split = values.get("split") is not None
        first_has_split = has_split if first_has_split is None else first_has_split
        text = normalised(values["text"], language, row)
        own_split = SPLIT_NAMES.get(str(values["split"])) if has_split else assign_split(text, SHARES)
        if split is None and (own_split is None or has_split != first_has_split):
            raise SpeechDataError(
                f"{row}: expected a `split` of {', '.join(SHARES)} in every row, or in none. Correct it. "
                f"Received: {values.get('split')!r}"
            )
        name = values["audio_filepath"]
        entries.append(Entry(name, path.parent / Path(name).expanduser(), text, split or str(own_split), row))
    return entries


def _rows(path: Path) -> Iterator[tuple[str, str]]:
    """Yields where it stands, and the line, for each line of a UTF-8 text that is not blank."""
    if not path.is_file():
        raise SpeechDataError(
            f"{path} does not exist; expected a list of recordings. Correct the path. Received: {path}"
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
