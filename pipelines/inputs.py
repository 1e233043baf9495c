"""What a job of many inputs is asked: files, or the texts of a file, read as they are needed."""

import codecs
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from data.files import UNPACKING_ERRORS, FileError, open_unpacked, plain_suffix, refuse_what_is_no_text
from pipelines.configuration import ConfigurationError
from pipelines.json_lines import json_object

SAMPLE = 4096  # bytes by which a file that holds no text is told
TABLES = (".csv", ".tsv", ".tab", ".json", ".parquet", ".feather", ".arrow", ".xlsx", ".ods")


class Input(NamedTuple):
    """One input: its fields in the answer, and what the model is asked; None, if an `error` says why it cannot be."""

    fields: dict[str, Any]
    asked: str | None
    error: str = ""


def files_of(paths: Sequence[Path], but: Sequence[Path] = ()) -> Iterator[Input]:
    """Yields files once, those of folders in alphabetical order, without hidden ones and what belongs to the job."""
    seen = {os.path.abspath(path) for path in but}
    for path in paths:
        for each in sorted(path.rglob("*")) if path.is_dir() else [path]:
            place = Path(os.path.abspath(each))
            is_one = each.is_file() or (each.is_symlink() and not each.exists())  # which is answered with an error
            if not is_one or any(part.startswith(".") for part in each.relative_to(path).parts):
                continue
            if seen.isdisjoint(map(str, (place, *place.parents))):
                seen.add(str(place))
                yield Input({"file": str(each)}, str(each))


def texts_of(path: Path) -> Iterator[Input]:
    """Returns the lines of a file of texts, or of JSON objects with a `text`, whose other names the answer keeps.

    Raises:
        ConfigurationError: the file is a table, or no text in UTF-8.
        FileError: it is damaged, or holds no text.
    """
    if plain_suffix(path) in TABLES:
        raise ConfigurationError(
            "A table is answered without --workers, as a table, or as JSON lines. Expected texts, one a line, or JSON "
            f"lines with a text. Leave --workers out, or convert the file. Received: {path}"
        )
    with _damage_named(path, lambda: 0), open_unpacked(path) as lines:
        begin = lines.read(SAMPLE)
    if begin.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ConfigurationError(
            f"The file is not in UTF-8. Expected that. Convert it: iconv -f UTF-16 -t UTF-8. Received: {path}, UTF-16"
        )
    refuse_what_is_no_text(begin, str(path))
    return _texts(path)


def _texts(path: Path) -> Iterator[Input]:
    number = 0
    with _damage_named(path, lambda: number), open_unpacked(path) as lines:
        for number, line in enumerate(lines, start=1):
            yield _text_of(path, number, line)


@contextmanager
def _damage_named(path: Path, read: Callable[[], int]) -> Iterator[None]:
    try:
        yield
    except UNPACKING_ERRORS as error:
        raise FileError(
            f"{path} cannot be read after line {read()}. Expected a whole file. Pack or copy it again. Received: "
            f"{type(error).__name__}: {error}"
        ) from error


def _text_of(path: Path, number: int, line: bytes) -> Input:
    fields: dict[str, Any] = {"line": number}
    try:
        text: Any = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        if plain_suffix(path) in (".jsonl", ".ndjson"):
            fields |= json_object(text, f"{path}, line {number}", ValueError)
            text = fields.get("text")
        else:
            fields["text"] = text
        wrong = "" if isinstance(text, str) and text.strip() else "there is no text"
    except ValueError as error:
        wrong = str(error)
    return Input(fields, None, wrong) if wrong else Input(fields, text)
