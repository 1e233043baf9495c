"""What a job of many inputs is asked: files, or the texts of a file, read as they are needed."""

import codecs
import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from data.files import UNPACKING_ERRORS, FileError, files_below, open_unpacked, plain_suffix, refuse_what_is_no_text
from pipelines.configuration import ConfigurationError
from pipelines.json_lines import LINES, json_object
from unrolled_installation import check_libraries

SAMPLE = 4096  # bytes by which a file that holds no text is told
PARQUET = ".parquet"
TABLES = (".csv", ".tsv", ".tab", ".json", ".feather", ".arrow", ".xlsx", ".ods")
ROWS_AT_ONCE = 1024  # of Parquet
FIRST_ROWS = 100  # of JSON lines, of which one has the columns, or the file is refused
TEXT = "text"  # the column of texts, unless another is named, and of a file that has a text a line


class Input(NamedTuple):
    """One input: its fields in the answer, and what the model is asked; None, if an `error` says why it cannot be."""

    fields: dict[str, Any]
    asked: str | None
    error: str = ""


def files_of(paths: Sequence[Path], but: Sequence[Path] = ()) -> Iterator[Input]:
    """Yields files once, those of folders in alphabetical order, without hidden ones and what belongs to the job."""
    seen = {os.path.abspath(path) for path in but}
    for path in paths:
        for each in sorted(files_below(path)) if path.is_dir() else [path]:
            place = Path(os.path.abspath(each))
            is_one = each.is_file() or (each.is_symlink() and not each.exists())  # which is answered with an error
            if not is_one or any(part.startswith(".") for part in each.relative_to(path).parts):
                continue
            if seen.isdisjoint(map(str, (place, *place.parents))):
                seen.add(str(place))
                yield Input({"file": str(each)}, str(each))


def texts_of(path: Path, columns: Sequence[str] = (TEXT,)) -> Iterator[Input]:
    """Returns the lines of a file of texts, or the texts of JSON lines or Parquet, whose other values the answer keeps.

    Blank texts are texts.

    Args:
        path: as above.
        columns: of the texts in JSON lines and Parquet; several are joined by a line break.

    Raises:
        ConfigurationError: the file is another table, no text in UTF-8, or has none of the columns.
        FileError: it is damaged, or holds no text.
    """
    if plain_suffix(path) in TABLES:
        raise ConfigurationError(
            "--workers does not support tables such as CSV. Expected texts, one per line, JSON lines, or Parquet. "
            f"Leave --workers out, or convert the file. Received: {path}"
        )
    if plain_suffix(path) == PARQUET:
        with _opened_parquet(path, lambda: 0) as file:
            _refuse_without(columns, [file.schema_arrow.names], path)
        return _rows_of_parquet(path, columns)
    with _damage_named(path, lambda: 0), open_unpacked(path) as lines:
        begin = lines.read(SAMPLE)
    if begin.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ConfigurationError(
            f"The file is not in UTF-8. Convert it: iconv -f UTF-16 -t UTF-8. Received: {path}, UTF-16"
        )
    refuse_what_is_no_text(begin, str(path))
    if plain_suffix(path) in LINES:
        _refuse_without(columns, _first_rows(path), path)
    return _texts(path, columns)


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


def _refuse_without(columns: Sequence[str], rows: Iterable[Iterable[str]], path: Path) -> None:
    """Refuses a file of which rows are there, but none has one of the columns; else each would have an error."""
    found = [list(row) for row in rows]
    names = dict.fromkeys(name for row in found for name in row)
    if found and names.keys().isdisjoint(columns):
        raise ConfigurationError(
            f"{path} has no column {' or '.join(columns)}. Expected the column of the texts. Name it: --column. "
            f"Received: {', '.join(names) or 'no column'}"
        )


def _first_rows(path: Path) -> list[dict[str, Any]]:
    """Returns those of the first rows that are objects; the others have their errors later."""
    rows = []
    with _damage_named(path, lambda: 0), open_unpacked(path) as lines:
        for number, line in enumerate(itertools.islice(lines, FIRST_ROWS), start=1):
            with suppress(ValueError):
                rows.append(_values_of(path, number, line))
    return rows


@contextmanager
def _opened_parquet(path: Path, read: Callable[[], int]) -> Iterator[Any]:
    pa, parquet = _arrow()
    try:
        with parquet.ParquetFile(path) as file:
            yield file
    except (pa.ArrowInvalid, OSError) as error:
        raise FileError(
            f"{path} cannot be read after row {read()}. Expected a whole Parquet file. Copy it again. Received: {error}"
        ) from error


def _rows_of_parquet(path: Path, columns: Sequence[str]) -> Iterator[Input]:
    number = 0
    with _opened_parquet(path, lambda: number) as file:
        for batch in file.iter_batches(ROWS_AT_ONCE):
            for values in batch.to_pylist():
                number += 1
                yield _input({"row": number}, values, columns, f"{path}, row {number}")


def _texts(path: Path, columns: Sequence[str]) -> Iterator[Input]:
    is_plain, number = plain_suffix(path) not in LINES, 0
    with _damage_named(path, lambda: number), open_unpacked(path) as lines:
        for number, line in enumerate(lines, start=1):
            place = {"line": number}
            try:
                values = _values_of(path, number, line)
            except ValueError as error:
                yield Input(place, None, str(error))
            else:
                yield _input(place, values, (TEXT,) if is_plain else columns, f"{path}, line {number}")


@contextmanager
def _damage_named(path: Path, read: Callable[[], int]) -> Iterator[None]:
    try:
        yield
    except UNPACKING_ERRORS as error:
        raise FileError(
            f"{path} cannot be read after line {read()}. Expected a whole file. Compress or copy it again. Received: "
            f"{type(error).__name__}: {error}"
        ) from error


def _values_of(path: Path, number: int, line: bytes) -> dict[str, Any]:
    """Returns what a line holds by column.

    Raises:
        ValueError: it is not UTF-8, or no object of JSON.
    """
    where = f"{path}, line {number}"
    try:
        text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{where} is not in UTF-8. Convert the file. Received: {error}") from error
    return json_object(text, where, ValueError) if plain_suffix(path) in LINES else {TEXT: text}


def _input(place: dict[str, Any], values: Mapping[str, Any], columns: Sequence[str], where: str) -> Input:
    fields, names = {**place, **values}, " or ".join(columns)
    found = [values[column] for column in columns if values.get(column) is not None]
    if wrong := [value for value in found if not isinstance(value, str)]:
        received = f"{wrong[0]!r:.200}"
    elif not found:
        received = "null" if set(columns) & set(values) else ", ".join(values) or "no column"
    else:
        return Input(fields, found[0] if len(found) == 1 else "\n".join(text for text in found if text.strip()))
    return Input(
        fields,
        None,
        f"{where}: expected text under {names}. Correct it, or name the column: --column. Received: {received}",
    )
