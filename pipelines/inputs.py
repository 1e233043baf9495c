"""What a job of many inputs is asked: files, or the texts of a file, read as they are needed."""

import codecs
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from data.files import UNPACKING_ERRORS, FileError, open_unpacked, plain_suffix, refuse_what_is_no_text
from pipelines.configuration import ConfigurationError
from pipelines.json_lines import json_object
from unrolled_installation import check_libraries

SAMPLE = 4096  # bytes by which a file that holds no text is told
LINES, PARQUET = (".jsonl", ".ndjson"), ".parquet"
TABLES = (".csv", ".tsv", ".tab", ".json", ".feather", ".arrow", ".xlsx", ".ods")
ROWS_AT_ONCE = 1024  # of Parquet


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


def texts_of(path: Path, column: str = "text") -> Iterator[Input]:
    """Returns the lines of a file of texts, or the texts of JSON lines or Parquet, whose other values the answer keeps.

    Args:
        path: as above.
        column: name of the texts in JSON lines and Parquet.

    Raises:
        ConfigurationError: the file is another table, no text in UTF-8, or Parquet without the column.
        FileError: it is damaged, or holds no text.
    """
    if plain_suffix(path) in TABLES:
        raise ConfigurationError(
            "A table is answered without --workers, as a table, or as JSON lines. Expected texts, one a line, JSON "
            f"lines with a text, or Parquet. Leave --workers out, or convert the file. Received: {path}"
        )
    if plain_suffix(path) == PARQUET:
        return _rows_of_parquet(path, column)
    with _damage_named(path, lambda: 0), open_unpacked(path) as lines:
        begin = lines.read(SAMPLE)
    if begin.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ConfigurationError(
            f"The file is not in UTF-8. Expected that. Convert it: iconv -f UTF-16 -t UTF-8. Received: {path}, UTF-16"
        )
    refuse_what_is_no_text(begin, str(path))
    return _texts(path, column)


def write_parquet(parts: Sequence[Path], output: Path) -> None:
    """Writes JSON lines of several files as Parquet; those of one file are in memory at a time.

    Raises:
        ConfigurationError: values of one name are of kinds that no column holds.
        OSError: the file cannot be written.
    """
    pa, parquet = _arrow()

    def table(path: Path, schema: Any = None) -> Any:
        return pa.Table.from_pylist([json.loads(line) for line in path.read_bytes().splitlines()], schema)

    try:
        schema = pa.schema([])
        for path in parts:
            schema = pa.unify_schemas([schema, table(path).schema], promote_options="permissive")
        with parquet.ParquetWriter(output, schema) as file:
            for path in parts:
                file.write_table(table(path, schema))
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise ConfigurationError(
            "The answers do not fit into the columns of Parquet. Expected values of one kind under a name. Name an "
            f"--output that ends in .jsonl: the parts stay, and nothing is answered again. Received: {error}"
        ) from error


def _arrow() -> tuple[Any, Any]:
    check_libraries(["pyarrow"], "nlp", "series")
    import pyarrow
    import pyarrow.parquet

    return pyarrow, pyarrow.parquet


def _rows_of_parquet(path: Path, column: str) -> Iterator[Input]:
    pa, parquet = _arrow()
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            if column not in file.schema_arrow.names:
                raise ConfigurationError(
                    f"{path} has no column {column!r}. Expected that of the texts. Name it: --column. "
                    f"Received: {', '.join(file.schema_arrow.names)}"
                )
            for batch in file.iter_batches(ROWS_AT_ONCE):
                for values in batch.to_pylist():
                    number += 1
                    yield _input({"row": number, **values}, values[column])
    except (pa.ArrowInvalid, OSError) as error:
        raise FileError(
            f"{path} cannot be read after row {number}. Expected a whole Parquet file. Copy it again. Received: {error}"
        ) from error


def _texts(path: Path, column: str) -> Iterator[Input]:
    number = 0
    with _damage_named(path, lambda: number), open_unpacked(path) as lines:
        for number, line in enumerate(lines, start=1):
            yield _text_of(path, number, line, column)


@contextmanager
def _damage_named(path: Path, read: Callable[[], int]) -> Iterator[None]:
    try:
        yield
    except UNPACKING_ERRORS as error:
        raise FileError(
            f"{path} cannot be read after line {read()}. Expected a whole file. Pack or copy it again. Received: "
            f"{type(error).__name__}: {error}"
        ) from error


def _text_of(path: Path, number: int, line: bytes, column: str) -> Input:
    fields: dict[str, Any] = {"line": number}
    try:
        text: Any = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        if plain_suffix(path) in LINES:
            fields |= json_object(text, f"{path}, line {number}", ValueError)
            text = fields.get(column)
        else:
            fields["text"] = text
    except ValueError as error:
        return Input(fields, None, str(error))
    return _input(fields, text)


def _input(fields: dict[str, Any], text: Any) -> Input:
    return Input(fields, text) if isinstance(text, str) and text.strip() else Input(fields, None, "there is no text")
