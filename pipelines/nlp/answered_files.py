"""Files answered row by row: all columns of a table, a model's answers beside them, in bounded memory."""

import codecs
import csv
import gzip
import io
import itertools
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, AnyStr, NamedTuple, cast

from data.encodings import SAMPLE, reported_encoding
from data.files import UNPACKING_ERRORS, open_unpacked, plain_suffix, read_bytes
from pipelines.configuration import ConfigurationError
from pipelines.json_lines import LINES
from pipelines.nlp.object_tables import BINARY_TABLES, arrow_items, as_text, json_items, json_line, value_at
from pipelines.nlp.text_files import FileConfiguration, TextDataError, decoded
from pipelines.nlp.text_tables import (
    TAB_SUFFIXES,
    TABLE_SUFFIXES,
    is_json,
    places_of,
    records,
    refuse_markup,
    table_form,
)

Row = tuple[str, dict[str, Any]]  # where it is, and its values by column
SHOWING = 1000  # lines beyond ASCII from which the encoding is told, where the beginning has none
END_OF_FILE = "\x1a"  # of DOS
ROWS_AT_ONCE = 512  # that are held in memory
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
    if plain_suffix(output) not in LINES and plain_suffix(source) not in (".csv", *TAB_SUFFIXES):
        # Rows of JSON may have different keys, and the first line of a table names all of them.
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
                if write is None:
                    heads = [*(names or block[0][1]), *(next(iter(answers.values()), None) or answer([""])[0])]
                    write = _writer(file, plain_suffix(output), heads)
                for place, (where, row) in enumerate(block):
                    write(_with_answer(row, answers.get(place, {}), where))
                count, blank = count + len(block), blank + len(block) - len(filled)
        if not count:
            raise TextDataError(f"{source} has no rows; expected at least one. Fill it. Received: an empty table")
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)
    return Answered(count, blank)


def _with_answer(row: Mapping[str, Any], answer: Mapping[str, Any], where: str) -> dict[str, Any]:
    if taken := sorted(set(answer) & set(row)):
        raise ConfigurationError(
            f"{where}: the columns to add are there already. Expected a table without them. Rename or remove them. "
            f"Received: {', '.join(taken)}"
        )
    return {**row, **answer}


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
            more = itertools.islice((line for line in file if not line.isascii()), SHOWING) if sample.isascii() else ()
            sample_of_encoding = b"\n".join([sample if b"\0" in sample else _whole_lines(sample), *more])
        if sample.startswith(BINARY_TABLES):
            yield from _objects(arrow_items(path, read_bytes(path)))
        elif columns and plain_suffix(path) == ".json":
            yield from _objects(json_items(path, decoded(read_bytes(path), str(path)), columns=columns))
        else:
            encoding = reported_encoding(sample_of_encoding, str(path))
            text = codecs.getincrementaldecoder(encoding)().decode(sample, final=len(sample) < SAMPLE)
            beginning = decoded(_whole_lines(text).encode(encoding), str(path), encoding)
            if columns and plain_suffix(path) not in LINES and is_json(path, beginning):
                yield from _objects(json_items(path, decoded(read_bytes(path), str(path), encoding), columns=columns))
                return
            end = "\n" if "\n" in text else None  # of lines; None: any
            with io.TextIOWrapper(cast(Any, open_unpacked(path)), encoding=encoding, newline=end) as file_of_text:
                lines = (line.replace("\r\n", "\n") for line in file_of_text if line != END_OF_FILE)
                yield from _of_lines(path, beginning, lines, columns)
    except UnicodeError as error:
        raise TextDataError(
            f"{path} changes its encoding. Expected one to its end. Convert it to UTF-8. Received: {error}"
        ) from None
    except UNPACKING_ERRORS as error:
        raise TextDataError(
            f"{path} cannot be unpacked; expected a whole file. Get it again. Received: {error}"
        ) from None


def _whole_lines(beginning: AnyStr) -> AnyStr:
    """The beginning of a file without the line that it cuts."""
    if len(beginning) < SAMPLE:
        return beginning
    end = beginning.rfind("\n" if isinstance(beginning, str) else b"\n")
    return beginning[: end + 1] or beginning


def _of_lines(path: Path, beginning: str, lines: Iterable[str], columns: Sequence[str]) -> Iterator[Row]:
    """The rows of a file that is read line by line, of which the beginning shows how it is written."""
    if not columns:
        refuse_markup(path, beginning)
        yield from ((f"{path}, line {number}", {TEXT: line.rstrip("\n")}) for number, line in enumerate(lines, start=1))
    elif plain_suffix(path) in LINES:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                where, values = json_line(line, f"{path}, line {number}")
                yield where, dict(values)
    else:
        files = FileConfiguration()
        numbered = all(column.isdecimal() and int(column) for column in columns)  # the first row is data
        form = table_form(path, beginning, columns, numbered, files)
        names: list[str] = []
        for number, cells in records(path, lines, form):
            if not names:
                numbers = [str(number + 1) for number in range(len(cells))]
                names = [cell.strip().removeprefix("\ufeff") for cell in cells]
                if numbered or names.count("") > 1:  # columns without a name have numbers
                    names = [
                        number if numbered else name or number for number, name in zip(numbers, names, strict=True)
                    ]
                places_of(path, names, columns, form, files, ())
                if repeated := sorted({name for name in names if names.count(name) > 1}):
                    raise TextDataError(
                        f"{path}: several columns have one name. Expected a name of its own for each. Rename them. "
                        f"Received: {', '.join(repeated)}"
                    )
                if not numbered:
                    continue
            if len(cells) != len(names):
                raise TextDataError(
                    f"{path}, line {number}: expected {len(names)} columns, as in the first row: {', '.join(names)}. "
                    f"Correct the row. Received: {len(cells)} columns"
                )
            yield f"{path}, line {number}", dict(zip(names, cells, strict=True))


def _objects(items: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[Row]:
    return ((where, dict(row)) for where, row in items)


def text_of(row: Mapping[str, Any], columns: Sequence[str], where: str) -> str:
    """Returns the text of a row, of several columns joined by a line break; "" where it has none.

    Raises:
        TextDataError: no such column is there, or a value is no text.
    """
    if all(value_at(row, column, absent=text_of) is text_of for column in columns):
        raise TextDataError(
            f"{where}: expected text under {', '.join(columns)}. Correct it, or name the column: --column. "
            f"Received: {', '.join(row)}"
        )
    remedy = "Correct it, or name the column: --column"
    texts = [as_text(value_at(row, column), row, column, where, True, remedy) for column in columns]
    return texts[0] if len(texts) == 1 else "\n".join(text for text in texts if text.strip())


def _opened(partial: Path, output: Path) -> io.TextIOWrapper:
    raw = gzip.GzipFile(partial, "wb") if output.suffix.lower() == ".gz" else partial.open("wb")
    # Half of a surrogate pair, which JSON may hold, is written as JSON escapes it.
    return io.TextIOWrapper(cast(Any, raw), encoding="utf-8", newline="", errors="backslashreplace")


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
