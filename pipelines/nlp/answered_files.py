"""Files answered row by row: all columns of a table, a model's answers beside them, in bounded memory."""

import csv
import gzip
import io
import itertools
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from data.encodings import SAMPLE, find_encoding
from data.files import UNPACKING_ERRORS, open_unpacked, plain_suffix, read_bytes
from pipelines.configuration import ConfigurationError
from pipelines.json_lines import json_object
from pipelines.nlp.object_tables import BINARY_TABLES, arrow_items, json_items
from pipelines.nlp.text_files import FileConfiguration, TextDataError, decoded
from pipelines.nlp.text_tables import JSON_SUFFIXES, TAB_SUFFIXES, TABLE_SUFFIXES, places_of, records, table_form
from pipelines.nlp.texts import SHORT

Row = tuple[str, dict[str, Any]]  # where it is, and its values by column
ROWS_AT_ONCE = 512  # that are held in memory
LINES = (".jsonl", ".ndjson")
WRITTEN = (".csv", *TAB_SUFFIXES, *LINES)
TEXT = "text"  # the column that the lines of a file without columns are


class Answered(NamedTuple):
    """How many `rows` were written, and how many of them were `blank`, without words, and have no answer."""

    rows: int
    blank: int


def is_table(path: Path) -> bool:
    """Whether a file has columns, by its name."""
    return plain_suffix(path) in TABLE_SUFFIXES


def answer_file(
    source: Path, output: Path, columns: Sequence[str], answer: Callable[[list[str]], Sequence[Mapping[str, Any]]]
) -> Answered:
    """Writes each row of a file, with all of its columns and a model's answer to its text, into another file.

    The output appears whole or not at all.

    Args:
        source: a table (.csv, .tsv, JSON, Parquet, Feather), or a text a line; packed or not.
        output: .csv, .tsv or .jsonl; packed if it ends in .gz.
        columns: of the texts; several are joined by a line break. None: the source has a text a line.
        answer: returns for each text the same columns to add.

    Raises:
        ConfigurationError: the output is of another kind, or a column to add is there already.
        TextDataError: the source cannot be read.
    """
    if plain_suffix(output) not in WRITTEN:
        raise ConfigurationError(
            f"--output: no table is written with such a name. Expected one of {', '.join(WRITTEN)}. Rename it. "
            f"Received: {str(output)!r}"
        )
    names: dict[str, None] = {}
    if plain_suffix(output) not in LINES and plain_suffix(source) in JSON_SUFFIXES:
        # Its rows may have different keys, and the first line of a table names all of them.
        names = dict.fromkeys(name for _, row in rows_of_file(source, columns) for name in row)
    count, blank = 0, 0
    partial = output.with_name(f"{output.name}.partial")
    try:
        with _opened(partial, output) as file:
            write: Callable[[Mapping[str, Any]], Any] | None = None
            rows = rows_of_file(source, columns)
            while block := list(itertools.islice(rows, ROWS_AT_ONCE)):
                texts = [text_of(row, columns or (TEXT,), where) for where, row in block]
                filled = [place for place, text in enumerate(texts) if text.strip()]
                answers = dict(zip(filled, answer([texts[place] for place in filled]), strict=True))
                for place, (where, row) in enumerate(block):
                    added = answers.get(place, {})
                    if taken := sorted(set(added) & set(row)):
                        raise ConfigurationError(
                            f"{where}: the columns to add are there already. Expected a table without them. Rename or "
                            f"remove them. Received: {', '.join(taken)}"
                        )
                    write = write or _writer(
                        file, plain_suffix(output), [*(names or row), *next(iter(answers.values()), {})]
                    )
                    write({**row, **added})
                count, blank = count + len(block), blank + len(block) - len(filled)
        if not count:
            raise TextDataError(f"{source} has no rows; expected at least one. Fill it. Received: an empty table")
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)
    return Answered(count, blank)


def rows_of_file(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    """Yields the rows of a file with all of their columns; few are in memory at a time.

    A list of JSON and a file of Feather are read at once.

    Args:
        path: as of `answer_file`.
        columns: that the table must have; none: each line of the file is a text, in the column `text`.

    Raises:
        TextDataError: the file cannot be read, or has no such column.
    """
    try:
        with open_unpacked(path) as file:
            sample = file.read(SAMPLE)
        if sample.startswith(BINARY_TABLES):
            yield from _objects(arrow_items(path, read_bytes(path)))
        elif columns and plain_suffix(path) == ".json":
            yield from _objects(json_items(path, decoded(read_bytes(path), str(path))))
        else:
            whole = sample if len(sample) < SAMPLE else sample[: sample.rfind(b"\n") + 1] or sample
            beginning = decoded(whole, str(path))  # which reports what is found
            encoding = find_encoding(whole, str(path))
            with io.TextIOWrapper(cast(Any, open_unpacked(path)), encoding=encoding) as lines:
                yield from _of_lines(path, beginning, lines, columns)
    except UnicodeError as error:
        raise TextDataError(
            f"{path} changes its encoding. Expected one to its end. Convert it to UTF-8. Received: {error}"
        ) from None
    except UNPACKING_ERRORS as error:
        raise TextDataError(
            f"{path} cannot be unpacked; expected a whole file. Get it again. Received: {error}"
        ) from None


def _of_lines(path: Path, beginning: str, lines: Iterable[str], columns: Sequence[str]) -> Iterator[Row]:
    """The rows of a file that is read line by line, of which the beginning shows how it is written."""
    if not columns:
        yield from ((f"{path}, line {number}", {TEXT: line.rstrip("\n")}) for number, line in enumerate(lines, start=1))
    elif plain_suffix(path) in LINES:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                where = f"{path}, line {number}"
                yield where, json_object(line, where, TextDataError)
    else:
        files = FileConfiguration()
        form = table_form(path, beginning, columns, False, files)
        names: list[str] = []
        for number, cells in records(path, lines, form):
            if not names:
                names = [cell.strip().removeprefix("\ufeff") for cell in cells]
                places_of(path, names, columns, form, files, ())
                if repeated := sorted({name for name in names if names.count(name) > 1}):
                    raise TextDataError(
                        f"{path}: several columns have one name. Expected a name of its own for each. Rename them. "
                        f"Received: {', '.join(repeated)}"
                    )
            elif len(cells) != len(names):
                raise TextDataError(
                    f"{path}, line {number}: expected {len(names)} columns, as in the first row: {', '.join(names)}. "
                    f"Correct the row. Received: {len(cells)} columns"
                )
            else:
                yield f"{path}, line {number}", dict(zip(names, cells, strict=True))


def _objects(items: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[Row]:
    return ((where, dict(row)) for where, row in items)


def text_of(row: Mapping[str, Any], columns: Sequence[str], where: str) -> str:
    """Returns the text of a row, of several columns joined by a line break; "" where it has none.

    Raises:
        TextDataError: no such column is there, or a value is no text.
    """
    values = [row.get(column) for column in columns]
    values = ["" if each is None or (isinstance(each, float) and math.isnan(each)) else each for each in values]
    wrong = [each for each in values if not isinstance(each, str | int | float)]
    if wrong or not set(columns) & set(row):
        raise TextDataError(
            f"{where}: expected text under {', '.join(columns)}. Correct it, or name the column: --column. "
            f"Received: {SHORT.repr(wrong[0]) if wrong else ', '.join(row)}"
        )
    return "\n".join(str(each) for each in values if str(each).strip())


def _opened(partial: Path, output: Path) -> io.TextIOWrapper:
    raw = gzip.GzipFile(partial, "wb") if output.suffix.lower() == ".gz" else partial.open("wb")
    return io.TextIOWrapper(cast(Any, raw), encoding="utf-8", newline="")


def _writer(file: io.TextIOWrapper, suffix: str, names: Sequence[str]) -> Callable[[Mapping[str, Any]], Any]:
    """Returns a function that writes a row: JSON keeps the kinds of values, a table has a cell for each."""
    if suffix in LINES:
        return lambda row: file.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")
    table = csv.DictWriter(file, names, delimiter="\t" if suffix in TAB_SUFFIXES else ",", lineterminator="\n")
    table.writeheader()
    return lambda row: table.writerow({name: _cell(value) for name, value in row.items()})


def _cell(value: Any) -> Any:
    is_nothing = value is None or (isinstance(value, float) and math.isnan(value))
    return (
        "" if is_nothing else json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict | bool) else value
    )
