"""The user's tables of texts: named columns of CSV, TSV and JSON lines."""

import csv
import difflib
import io
import json
import reprlib
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.json_lines import json_object
from pipelines.nlp.text_files import TextDataError, plain_suffix, read_text

DELIMITERS = {"\t": "tab", "|": "vertical line", ";": "semicolon", ",": "comma"}  # the rarest within texts first
SAMPLE = 100  # rows that a delimiter is told from
JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
TAB_SUFFIXES = (".tsv", ".tab")
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 120


class Row(NamedTuple):
    """A row of a table: `where` it begins, such as `reviews.csv, line 3`, and its `values`, one for each column."""

    where: str
    values: tuple[str, ...]


def read_rows(path: Path | str, columns: Sequence[str], encoding: str = "", may_lack: Sequence[str] = ()) -> list[Row]:
    """Returns some columns of a table, as text, in the order in which they are named.

    CSV is read with its quotes, its delimiter is found, and said if it is no comma; a row of TSV is a line. The first
    row names the columns, unless they are given as numbers from 1: then it is data. JSON lines are objects, of which
    numbers and truth values become text. Blank lines do not count.

    Args:
        path: .csv, .tsv or .jsonl, also gzipped; the kind of a file with another ending is found.
        columns: the names of columns, or of JSON's keys; or their numbers, "1", "2".
        encoding: as of `read_text`.
        may_lack: columns without which a JSON line is a row, too: the value is "", as that of an empty cell is.

    Raises:
        TextDataError: the file cannot be read, has no rows or not these columns, or a row lacks one.
    """
    path = Path(path).expanduser()
    text = read_text(path, encoding)
    suffix = plain_suffix(path)
    if suffix in JSON_SUFFIXES or (suffix not in (".csv", *TAB_SUFFIXES) and text.lstrip().startswith("{")):
        rows = list(_json_rows(path, text, columns, may_lack))
    else:
        rows = list(_table_rows(path, text, columns, suffix))
    if not rows:
        raise TextDataError(
            f"{path} has no rows; expected at least one with {', '.join(columns)}. Fill it, or give another file. "
            f"Received: {len(text)} characters"
        )
    return rows


def _table_rows(path: Path, text: str, columns: Sequence[str], suffix: str) -> Iterator[Row]:
    numbered = all(column.isdecimal() and int(column) for column in columns)
    delimiter = "\t" if suffix in TAB_SUFFIXES else _delimiter(path, text, columns, numbered)
    names: list[str] = []
    for line, cells in _records(path, text, delimiter):
        if not names:
            names = [str(number + 1) for number in range(len(cells))] if numbered else [cell.strip() for cell in cells]
            places = _places(path, names, columns, delimiter)
            if not numbered:
                continue
            first = _SHORT.repr([cells[place] for place in places])
            print(f"{path}: the first row is data, {first}; if it names columns, give their names.", file=sys.stderr)
        where = f"{path}, line {line}"
        if len(cells) != len(names):
            raise TextDataError(
                f"{where}: expected {len(names)} columns, as in the first row: {', '.join(names)}. "
                f"{_remedy(path, delimiter)} or correct the row. "
                f"Received: {len(cells)} columns, {_SHORT.repr(cells)}"
            )
        yield Row(where, tuple(cells[place] for place in places))


def _delimiter(path: Path, text: str, columns: Sequence[str], numbered: bool) -> str:
    """The delimiter that gives the columns wanted, in all of the first rows alike; unless it is a comma it is said."""

    wanted = max(map(int, columns)) if numbered else len(columns)

    def fitness(delimiter: str) -> tuple[int, bool, bool, float, bool]:
        widths: list[int] = []
        named, damaged = 0, False
        try:
            for _, cells in islice(_records(path, text, delimiter), SAMPLE):
                named = named if widths else len({cell.strip() for cell in cells} & set(columns))
                widths.append(len(cells))
        except TextDataError:  # quotes that do not end before such a delimiter, say
            damaged = True
        width = widths[0] if widths else 0
        alike = widths.count(width) / (len(widths) + damaged) if widths else 0.0
        return 0 if numbered else named, width >= wanted, width > 1, alike, width == wanted

    fit = {delimiter: fitness(delimiter) for delimiter in DELIMITERS}
    best = max(fit, key=lambda delimiter: fit[delimiter])
    if best == "," or not fit[best][2]:
        return ","
    print(f"{path} is read with a {DELIMITERS[best]} between columns, as it seems.", file=sys.stderr)
    return best


def _records(path: Path, text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, with their lines, as the file's ending and the delimiter say they are written."""
    return _tab_records(text) if _has_plain_lines(path, delimiter) else _csv_records(path, text, delimiter)


def _remedy(path: Path, delimiter: str) -> str:
    """What is done about a text that holds what stands between columns."""
    if _has_plain_lines(path, delimiter):
        return "A row of TSV is one line, and no quotes hide a tab: write the table as .csv,"
    return f"Put a text that holds the delimiter, a {DELIMITERS[delimiter]} as it seems, in quotes,"


def _has_plain_lines(path: Path, delimiter: str) -> bool:
    return delimiter == "\t" and plain_suffix(path) != ".csv"


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


def _places(path: Path, names: Sequence[str], columns: Sequence[str], delimiter: str) -> list[int]:
    for column in columns:
        if names.count(column) > 1:
            raise TextDataError(
                f"{path} has more than one column {column!r}. Expected it once in the first row. Rename the others. "
                f"Received: the columns {_SHORT.repr(', '.join(names))}"
            )
        if column not in names:
            near = difflib.get_close_matches(column, names, n=1)
            raise TextDataError(
                f"{path} has no column {column!r}{f'; did you mean {near[0]!r}?' if near else '.'} Expected it in the "
                f"first row, in which a {DELIMITERS[delimiter]} is between columns, as it seems; or give numbers, "
                f"from 1, if the first row is data. Received: the columns {_SHORT.repr(', '.join(names))}"
            )
    return [names.index(column) for column in columns]


def _json_rows(path: Path, text: str, columns: Sequence[str], may_lack: Sequence[str]) -> Iterator[Row]:
    lacked = dict.fromkeys(may_lack, True)
    for line, content in enumerate(text.split("\n"), start=1):
        if content.strip():
            where = f"{path}, line {line}"
            values = json_object(content, where, TextDataError)
            lacked = {column: lacks and column not in values for column, lacks in lacked.items()}
            yield Row(where, tuple(_json_text(values, column, where, column in lacked) for column in columns))
    for column, lacks in lacked.items():
        if lacks:  # misspelt, that is
            _json_text(values, column, f"{path}, in every line", False)


def _json_text(values: dict[str, Any], column: str, where: str, may_lack: bool) -> str:
    value = values.get(column)
    if value is None and may_lack:
        return ""
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
