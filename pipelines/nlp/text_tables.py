"""The user's tables of texts: named columns of CSV, TSV and JSON lines."""

import csv
import difflib
import io
import json
import reprlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.json_lines import json_object
from pipelines.nlp.text_files import TextDataError, plain_suffix, read_text

DELIMITERS = (",", ";", "\t", "|")
JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
TAB_SUFFIXES = (".tsv", ".tab")
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 120


class Row(NamedTuple):
    """A row of a table: `where` it begins, such as `reviews.csv, line 3`, and its `values`, one for each column."""

    where: str
    values: tuple[str, ...]


def read_rows(path: Path | str, columns: Sequence[str], encoding: str = "") -> list[Row]:
    """Returns some columns of a table, as text, in the order in which they are named.

    CSV is read with its quotes, its delimiter is found; a row of TSV is a line. The first row names the columns, unless
    they are given as numbers from 1: then it is data. JSON lines are objects, of which numbers and truth values become
    text. Blank lines do not count.

    Args:
        path: .csv, .tsv or .jsonl, also gzipped; the kind of a file with another ending is found.
        columns: the names of columns, or of JSON's keys; or their numbers, "1", "2".
        encoding: as of `read_text`.

    Raises:
        TextDataError: the file cannot be read, has no rows or not these columns, or a row lacks one.
    """
    path = Path(path).expanduser()
    text = read_text(path, encoding)
    suffix = plain_suffix(path)
    if suffix in JSON_SUFFIXES or (suffix not in (".csv", *TAB_SUFFIXES) and text.lstrip().startswith("{")):
        rows = list(_json_rows(path, text, columns))
    else:
        rows = list(_table_rows(path, text, columns, suffix))
    if not rows:
        raise TextDataError(
            f"{path} has no rows; expected at least one with {', '.join(columns)}. Fill it, or give another file. "
            f"Received: {len(text)} characters"
        )
    return rows


def _table_rows(path: Path, text: str, columns: Sequence[str], suffix: str) -> Iterator[Row]:
    first = next((line for line in text.split("\n") if line.strip()), "")
    delimiter = "\t" if suffix in TAB_SUFFIXES else _delimiter(first, columns)
    plain_lines = delimiter == "\t" and suffix != ".csv"
    records = _tab_records(text) if plain_lines else _csv_records(path, text, delimiter)
    numbered = all(column.isdecimal() and int(column) for column in columns)
    names: list[str] = []
    for line, cells in records:
        if not names:
            names = [str(number + 1) for number in range(len(cells))] if numbered else [cell.strip() for cell in cells]
            places = _places(path, names, columns)
            if not numbered:
                continue
        where = f"{path}, line {line}"
        if len(cells) != len(names):
            raise TextDataError(
                f"{where}: expected {len(names)} columns, as in the first row: {', '.join(names)}. Put a text that "
                f"holds the delimiter in quotes, or correct the row. Received: {len(cells)} columns, "
                f"{_SHORT.repr(cells)}"
            )
        yield Row(where, tuple(cells[place] for place in places))


def _delimiter(first_line: str, columns: Sequence[str]) -> str:
    """The delimiter that gives the columns wanted; if several or none do, the commonest one of the first line."""
    cells = {each: {cell.strip().strip('"') for cell in first_line.split(each)} for each in DELIMITERS}
    fitting = [each for each in DELIMITERS if set(columns) <= cells[each]] or DELIMITERS
    return max(fitting, key=lambda delimiter: first_line.count(delimiter))


def _csv_records(path: Path, text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))  # a text may be longer than what Python allows
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            received = _SHORT.repr(text.split("\n")[line - 1])
            raise TextDataError(
                f"{path}, line {line}: the row cannot be read: {error}. Expected a closing quote for each opening one, "
                f'and "" for a quote within quotes. Correct the row. Received: {received}'
            ) from None
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield line, cells


def _tab_records(text: str) -> Iterator[tuple[int, list[str]]]:
    for line, content in enumerate(text.split("\n"), start=1):
        if content.strip():
            yield line, [_unquoted(cell) for cell in content.split("\t")]


def _unquoted(cell: str) -> str:
    """A cell of TSV without the quotes that some programs put around it; others are text."""
    inner = cell[1:-1].replace('""', "")
    return cell[1:-1].replace('""', '"') if len(cell) > 1 and cell[0] == cell[-1] == '"' and '"' not in inner else cell


def _places(path: Path, names: Sequence[str], columns: Sequence[str]) -> list[int]:
    for column in columns:
        if names.count(column) != 1:
            near = difflib.get_close_matches(column, names, n=1)
            what = "has no column" if column not in names else "has more than one column"
            raise TextDataError(
                f"{path} {what} {column!r}{f'; did you mean {near[0]!r}?' if near else '.'} Expected it once in the "
                "first row; or give numbers, from 1, if the first row is data. Received: the columns "
                f"{_SHORT.repr(', '.join(names))}"
            )
    return [names.index(column) for column in columns]


def _json_rows(path: Path, text: str, columns: Sequence[str]) -> Iterator[Row]:
    for line, content in enumerate(text.split("\n"), start=1):
        if content.strip():
            where = f"{path}, line {line}"
            values = json_object(content, where, TextDataError)
            yield Row(where, tuple(_json_text(values, column, where) for column in columns))


def _json_text(values: dict[str, Any], column: str, where: str) -> str:
    value = values.get(column)
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if not isinstance(value, str):
        near = difflib.get_close_matches(column, values, n=1)
        meant = f"; did you mean {near[0]!r}?" if near and column not in values else "."
        raise TextDataError(
            f"{where}: expected text or a number under {column!r}{meant} Add it, or remove the row. "
            f"Received: {_SHORT.repr(value) if column in values else ', '.join(values)}"
        )
    try:
        value.encode()
    except UnicodeEncodeError:
        raise TextDataError(
            f"{where}: half of a surrogate pair stands for a character under {column!r}; expected both halves. "
            f"Correct it. Received: {_SHORT.repr(value)}"
        ) from None
    return value
