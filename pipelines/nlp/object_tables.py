"""The user's tables whose rows are objects: JSON, one or more a line, Parquet and Feather; nested columns, too."""

import datetime
import difflib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from data.splits import SPLIT_NAMES
from pipelines.json_lines import json_object, parsed_in_a_row
from pipelines.nlp.texts import SHORT, TextDataError
from unrolled_installation import check_libraries

PARQUET, FEATHER, ARROW_STREAM = b"PAR1", b"ARROW1", b"\xff\xff\xff\xff"
BINARY_TABLES = (PARQUET, FEATHER, ARROW_STREAM)
ROWS_AT_ONCE = 10_000  # that are taken out of a file


class Row(NamedTuple):
    """A row of a table: `where` it begins, such as `reviews.csv, line 3`, and its `values`, one for each column."""

    where: str
    values: tuple[str, ...]


Item = tuple[str, Mapping[str, Any]]  # where it is, and its values by name


def rows_of(
    items: Iterator[Item],
    path: Path,
    columns: Sequence[str],
    may_lack: Sequence[str],
    remedies: Mapping[str, str],
    may_be_absent: Sequence[str] = (),
    lists: Sequence[str] = (),
) -> Iterator[Row]:
    """Yields the rows of objects.

    Args:
        items: the objects.
        path: where they are from, for messages.
        columns: names of values; `translation.en` is the value `en` of the object `translation`.
        may_lack: columns that are "" where an object has none; one that all objects lack is an error.
        remedies: what to do about a column that is not there.
        may_be_absent: columns that all objects may lack.
        lists: columns that may hold lists of text and numbers, which are returned as JSON text.

    Raises:
        TextDataError: a value is missing, or neither text nor a number.
    """
    lacked = dict.fromkeys(may_lack, True)
    values: Mapping[str, Any] = {}
    for where, values in accepted(items):
        found = {column: value_at(values, column) for column in columns}
        found |= {column: json.dumps(found[column], ensure_ascii=False) for column in lists if _is_list(found[column])}
        lacked = {column: lacks and not _has(values, column) for column, lacks in lacked.items()}
        texts = (
            as_text(
                found[column], values, column, where, column in lacked, f"{remedies[column]}, add it, or remove the row"
            )
            for column in columns
        )
        yield Row(where, tuple(texts))
    for column, lacks in lacked.items():
        if lacks and column not in may_be_absent:  # misspelt, that is
            as_text(None, values, column, f"{path}, in every line", False, remedies[column])


def accepted(items: Iterator[Item]) -> Iterator[Item]:
    """Yields items without those that an annotator rejected or ignored in Prodigy, and reports how many that were."""
    left_out = 0
    for where, values in items:
        if "_input_hash" in values and values.get("answer") in ("reject", "ignore"):
            left_out += 1
        else:
            yield where, values
    if left_out:
        print(f"Note: left out what was rejected or ignored in Prodigy: {left_out}")


def json_items(path: Path, text: str, may_be_table: bool = True, columns: Sequence[str] = ()) -> Iterator[Item]:
    """Yields the objects of JSON lines, of a list, of the only list in an object, or of rows or columns by their names.

    The values of a list, in place of an object, have the numbers from 1 as names.

    Args:
        may_be_table: whether a single object may hold rows or columns, or is a row itself.
        columns: that rows have, by which those of an object are known.

    Raises:
        TextDataError: it is no JSON, or of another form.
    """
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if len(lines) > 1 and _is_whole(lines[0][1]) and _is_whole(lines[1][1]):
        for number, line in lines:
            yield json_line(line, f"{path}, line {number}")
        return
    only = f"{path}, line {lines[0][0]}" if len(lines) == 1 else str(path)
    values = parsed_in_a_row(text, only, TextDataError)
    value = values[0] if len(values) == 1 else values
    if isinstance(value, dict) and len(value) > 1 and all(name.lower() in SPLIT_NAMES for name in value):
        raise TextDataError(
            f"{path} holds several splits; expected the rows of one. Write each to a file, and give them as "
            f"--data.path, --data.validation and --data.test. Received: {', '.join(value)}"
        )
    rows = _unwrapped(value, columns) if may_be_table or isinstance(value, list) else [value]
    if rows and all(isinstance(each, list) for each in rows):
        rows = [_numbered(each) for each in rows]
    for number, each in enumerate(rows, start=1):
        if not isinstance(each, dict):
            raise TextDataError(
                f"{path}, row {number}: expected a JSON object in braces, with a name for each value. Correct it. "
                f"Received: {SHORT.repr(each)}"
            )
        yield only if len(lines) == 1 and value is each else f"{path}, row {number}", each


def json_line(line: str, where: str) -> Item:
    """Returns the object that a line of JSON lines holds, or the values of its list by their numbers."""
    is_list = line.lstrip().startswith("[") and _is_whole(line)
    return where, _numbered(json.loads(line)) if is_list else json_object(line, where, TextDataError)


def arrow_items(path: Path, content: bytes) -> Iterator[Item]:
    """Yields the rows of a Parquet or Feather file, or of a stream of Arrow.

    Numbers of classes become their names, where Hugging Face has written these into the file.

    Raises:
        TextDataError: the file is damaged.
    """
    check_libraries(["pyarrow"], "nlp")
    import pyarrow
    import pyarrow.feather
    import pyarrow.parquet

    try:
        source, number = pyarrow.BufferReader(content), 0
        if content.startswith(PARQUET):
            file = pyarrow.parquet.ParquetFile(source)
            batches, schema = file.iter_batches(ROWS_AT_ONCE), file.schema_arrow
        else:
            is_stream = content.startswith(ARROW_STREAM)
            table = pyarrow.ipc.open_stream(source).read_all() if is_stream else pyarrow.feather.read_table(source)
            batches, schema = table.to_batches(ROWS_AT_ONCE), table.schema
        classes = _classes((schema.metadata or {}).get(b"huggingface", b"{}"))
        for batch in batches:
            for values in batch.to_pylist():
                number += 1
                named = {column: _class_of(values[column], names) for column, names in classes if column in values}
                yield f"{path}, row {number}", values | named
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise TextDataError(
            f"{path} cannot be read; expected a whole Parquet or Feather file. Get it again. Received: {error}"
        ) from None


def _classes(description: bytes) -> list[tuple[str, list[str]]]:
    """Returns the columns that hold classes by their numbers, as Hugging Face describes them, with the names."""
    found = []
    for column, feature in json.loads(description).get("info", {}).get("features", {}).items():
        while isinstance(feature, list) or (isinstance(feature, dict) and "feature" in feature):  # in a list of them
            feature = feature[0] if isinstance(feature, list) else feature["feature"]
        if isinstance(feature, dict) and feature.get("_type") == "ClassLabel":
            found.append((column, feature["names"]))
    return found


def _class_of(value: Any, names: Sequence[str]) -> Any:
    """Returns the name of a class, or those in a list; -1 stands for none."""
    if isinstance(value, list):
        return [_class_of(each, names) for each in value]
    return value if not isinstance(value, int) else names[value] if 0 <= value < len(names) else None


def _is_whole(line: str) -> bool:
    """Whether a line is an object by itself, or looks like a damaged one; or is a list."""
    if line.lstrip().startswith("{"):
        return len(line.strip()) > 1
    try:
        return isinstance(json.loads(line), list)
    except json.JSONDecodeError:
        return False


def _numbered(values: Sequence[Any]) -> dict[str, Any]:
    return {str(number): each for number, each in enumerate(values, start=1)}


def _unwrapped(value: Any, names: Sequence[str]) -> Sequence[Any]:
    if isinstance(value, list):
        return value
    if not isinstance(value, dict):
        return [value]
    lists = [each for each in value.values() if isinstance(each, list) and each and isinstance(each[0], dict)]
    if len(lists) == 1:
        return lists[0]
    if {"columns", "data"} <= value.keys():  # pandas, orient="split"
        return [dict(zip(value["columns"], row, strict=False)) for row in value["data"]]
    if value and all(any(_has(each, name) for name in names) for each in value.values()):  # pandas, orient="index"
        return list(value.values())
    indexed = any(isinstance(value.get(name), dict) for name in names)
    columns = [
        list(each.values()) if _is_column(each, indexed) else each if isinstance(each, list) else []
        for each in value.values()
    ]
    if (
        columns
        and min(map(len, columns)) > 0
        and len(set(map(len, columns))) == 1
        and (len(columns) > 1 or len(columns[0]) > 1)
    ):
        return [dict(zip(value, row, strict=True)) for row in zip(*columns, strict=True)]
    return [value]


def _is_column(value: Any, indexed: bool) -> bool:
    """Whether an object has the values of a column by the numbers of their rows or, if `indexed`, by any names."""
    return isinstance(value, dict) and (indexed or all(name.isdecimal() for name in value))


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str | int | float) for each in value)


def value_at(values: Any, column: str, absent: Any = None) -> Any:
    """Returns the value of a column, `translation.en` that of a nested one."""
    if isinstance(values, Mapping) and column in values:
        return values[column]
    first, _, rest = column.partition(".")
    is_inside = rest and isinstance(values, Mapping) and first in values
    return value_at(values[first], rest, absent) if is_inside else absent


def _has(values: Any, column: str) -> bool:
    return value_at(values, column, absent=_has) is not _has


def as_text(value: Any, values: Mapping[str, Any], column: str, where: str, may_lack: bool, remedy: str) -> str:
    """Returns a value of a row as text.

    Raises:
        TextDataError: it is neither text nor a number, or no whole characters.
    """
    if may_lack and (value is None or (isinstance(value, float) and math.isnan(value))):
        return ""
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, Decimal | datetime.date | datetime.time | UUID):
        return str(value)
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        near = difflib.get_close_matches(column, values, n=1)
        meant = f"; did you mean {near[0]!r}?" if near and not _has(values, column) else "."
        raise TextDataError(
            f"{where}: expected text or a number under {column!r}{meant} {remedy}. "
            f"Received: {SHORT.repr(value) if _has(values, column) else ', '.join(_names(values))}"
        )
    try:
        value.encode()
    except UnicodeEncodeError:
        raise TextDataError(
            f"{where}: half of a surrogate pair stands for a character under {column!r}; expected both halves. "
            f"Correct it. Received: {SHORT.repr(value)}"
        ) from None
    return value


def _names(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The names of values, those of nested ones with dots."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _names(value, f"{prefix}{name}.")
        else:
            yield prefix + name
