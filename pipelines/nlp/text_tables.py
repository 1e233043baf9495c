"""The user's tables of texts: named columns of CSV and TSV, JSON, Parquet and Feather."""

import csv
import difflib
import io
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from data.files import only_file, plain_suffix, read_bytes, stated_delimiter
from pipelines import hints
from pipelines.json_lines import JSON
from pipelines.nlp.object_tables import BINARY_TABLES, Item, Row, arrow_items, json_items, rows_of
from pipelines.nlp.text_files import FileConfiguration, TextDataError, decoded
from pipelines.nlp.texts import SHORT

__all__ = ["Row", "read_rows"]

DELIMITERS = {"\t": "tab", "|": "vertical line", ";": "semicolon", ",": "comma"}  # the rarest within texts first
MARKUP = {
    "an HTML page": r"<!doctype html|<html",
    "XML": r"<\?xml",
    "a file of subtitles": r"webvtt\b|\d+\s*\n\s*(\d+:)?\d+:\d+[,.]\d+\s*-->",
    "a file of brat": r"T\d+\t\S+ \d+ \d+",
    "a file of WebAnno or INCEpTION": "#FORMAT=WebAnno",
    "a PO file": r'(#.*\n|\s)*(msgctxt ".*\n)?msgid "',
}  # what is no text by the lines, by the pattern of its beginning
SAMPLE = 100  # rows that a delimiter is told from
TAB_SUFFIXES = (".tsv", ".tab")
LINE_WITHIN_QUOTES = re.compile(r'(?:^|\t)"[^"\t\n]*\n', re.MULTILINE)  # of a cell of TSV, perhaps
TABLE_SUFFIXES = (".csv", *TAB_SUFFIXES, *JSON, ".parquet", ".feather", ".arrow")


class TableForm(NamedTuple):
    """How a table is written: what is between columns, around cells, and before a quote; whether lines are plain.

    A quote may be `spaced`: after a space that does not belong to the cell.
    """

    delimiter: str
    quote: str
    escape: str
    plain: bool
    given: bool
    spaced: bool = False


def read_rows(
    path: Path | str,
    columns: Sequence[str],
    may_lack: Sequence[str] = (),
    files: FileConfiguration | None = None,
    may_be_absent: Sequence[str] = (),
    lists: Sequence[str] = (),
    content: bytes | None = None,
) -> list[Row]:
    """Returns some columns of a table, as text, in the order in which they are named.

    CSV is read with its quotes; its delimiter is found, and reported if it is no comma; a line `sep=;` names it. A row
    of TSV is a line. The first row names the columns, unless they are given as numbers from 1: then it is data. JSON
    is objects, in a list or one a line; numbers and truth values become text. Blank lines do not count.

    Args:
        path: .csv, .tsv, .jsonl, .json, .parquet or .feather, also packed; the kind of a file with another ending is
            found.
        columns: the names of columns, or of JSON's keys, `translation.en` for a nested one; or their numbers, "1", "2".
        may_lack: columns without which an object is a row, too: the value is "", as that of an empty cell is.
        files: how the file is written, where that is given. Default: found.
        may_be_absent: columns that the table may not have at all: the value is "" in each row.
        lists: columns in which JSON may have lists; they are returned as JSON text.
        content: of the file, where it is in an archive.

    Raises:
        TextDataError: the file cannot be read, has no rows or not these columns, or a row lacks one.
    """
    path, files = Path(path).expanduser(), files or FileConfiguration()
    content = read_bytes(path) if content is None else only_file(content, str(path)).content
    remedies = {column: _remedy_of_column(column, ["NAME"], files) for column in columns}

    def objects(items: Iterator[Item]) -> Iterator[Row]:
        return rows_of(items, path, columns, may_lack, remedies, may_be_absent, lists)

    if content.startswith(BINARY_TABLES):
        rows, text = list(objects(arrow_items(path, content))), ""
    else:
        text = decoded(content, str(path), files.encoding)
        suffix = plain_suffix(path)
        if is_json(path, text):
            if suffix not in JSON:
                print(f"{path} is read as JSON, as it seems.", file=sys.stderr)
            rows = list(objects(json_items(path, text, columns=columns))) if text.strip() else []
        else:
            refuse_markup(path, text)
            rows = list(_table_rows(path, text, columns, files, may_be_absent))
    if not rows:
        raise TextDataError(
            f"{path} has no rows; expected at least one with {', '.join(columns)}. Fill it, or give another file. "
            f"Received: {len(text)} characters"
        )
    return rows


def is_json(path: Path, text: str) -> bool:
    """Whether a file holds JSON, by its name, or by the beginning of its text where that states no other table."""
    suffix = plain_suffix(path)
    return suffix in JSON or (text.lstrip()[:1] in ("{", "[") and suffix not in (".csv", *TAB_SUFFIXES))


def refuse_markup(path: Path, text: str) -> None:
    """Refuses what only looks like lines of text or a table: HTML and XML, subtitles, and translations of gettext.

    Raises:
        TextDataError: it is such a document.
    """
    begin = text[:20_000].lstrip()
    kind = next((name for name, pattern in MARKUP.items() if re.match(pattern, begin, re.IGNORECASE)), "")
    if kind:
        raise TextDataError(
            f"{path} is {kind}; expected texts or a table. Write its texts to a .csv or .jsonl. "
            f"Received: {SHORT.repr(begin)}"
        )


def _table_rows(
    path: Path, text: str, columns: Sequence[str], files: FileConfiguration, may_be_absent: Sequence[str]
) -> Iterator[Row]:
    numbered = all(column.isdecimal() and int(column) for column in columns)
    form = table_form(path, text, columns, numbered, files)
    names: list[str] = []
    for line, cells in records(path, text, form):
        if not names:
            names = [str(number + 1) for number in range(len(cells))] if numbered else [cell.strip() for cell in cells]
            places = places_of(path, names, columns, form, files, may_be_absent)
            if not numbered:
                continue
            first = SHORT.repr([cells[place] for place in places if place is not None])
            print(f"{path}: the first row is data, {first}; if it names columns, give their names.", file=sys.stderr)
        where = f"{path}, line {line}"
        if len(cells) != len(names):
            raise TextDataError(
                f"{where}: expected {len(names)} columns, as in the first row: {', '.join(names)}. "
                f"{_remedy(form)} or correct the row. Received: {len(cells)} columns, {SHORT.repr(cells)}"
            )
        yield Row(where, tuple("" if place is None else cells[place] for place in places))


def table_form(path: Path, text: str, columns: Sequence[str], numbered: bool, files: FileConfiguration) -> TableForm:
    """Returns how a table is written, as given, as its first line or its ending states, or as it seems."""
    suffix, given = plain_suffix(path), files.delimiter
    if not given and (given := stated_delimiter(text.partition("\n")[0])):
        print(f"{path} is read with {given!r} between columns, as its first line states.", file=sys.stderr)
    delimiter = given or ("\t" if suffix in TAB_SUFFIXES else "")
    plain_quotes = files.quote == '"' and not files.escape
    escapes = [files.escape]
    if plain_quotes and '\\"' in text:
        escapes.append("\\")  # of programs that write \" for a quote within quotes
    if delimiter:
        forms = [TableForm(delimiter, files.quote, escape, False, bool(given)) for escape in escapes]
    else:
        forms = [TableForm(each, files.quote, escape, False, False) for escape in escapes for each in DELIMITERS]
    forms = [form._replace(spaced=bool(form.quote) and f"{form.delimiter} {form.quote}" in text) for form in forms]
    forms = [form._replace(plain=form.delimiter == "\t" and suffix != ".csv" and plain_quotes) for form in forms]
    if broken := [form for form in forms if form.plain and LINE_WITHIN_QUOTES.search(text)]:
        forms += [form._replace(plain=False) for form in broken]  # of programs that put quotes around such cells
    sample = None if broken or len(escapes) > 1 else SAMPLE
    fit = {form: _fitness(path, text, columns, numbered, form, sample) for form in forms}
    comma = next((form for form in forms if form.delimiter == ","), forms[0])
    best = max(fit, key=lambda form: fit[form])
    if not fit[best][2] and not delimiter:
        return comma
    if best.escape and not files.escape and not best.plain:
        print(f"{path} is read with a backslash before quotes within quotes, as it seems.", file=sys.stderr)
    if broken and best.delimiter == "\t" and not best.plain:
        print(f"{path} is read with quotes around cells that hold line breaks, as it seems.", file=sys.stderr)
    if best.delimiter != "," and not delimiter:
        print(f"{path} is read with a {DELIMITERS[best.delimiter]} between columns, as it seems.", file=sys.stderr)
    return best


def _fitness(
    path: Path, text: str, columns: Sequence[str], numbered: bool, form: TableForm, sample: int | None
) -> tuple[int, bool, bool, float, bool]:
    """How well a form gives the columns wanted, in all of the first rows alike."""
    wanted = max(map(int, columns)) if numbered else len(columns)
    widths: list[int] = []
    named, damaged = 0, False
    try:
        for _, cells in islice(records(path, text, form), sample):
            named = named if widths else len({cell.strip() for cell in cells} & set(columns))
            widths.append(len(cells))
    except TextDataError:  # such as quotes that do not end before such a delimiter
        damaged = True
    width = widths[0] if widths else 0
    alike = widths.count(width) / (len(widths) + damaged) if widths else 0.0
    return 0 if numbered else named, width >= wanted, width > 1, alike, width == wanted


def _named(form: TableForm) -> str:
    return DELIMITERS.get(form.delimiter, repr(form.delimiter))


def records(path: Path, lines: Iterable[str] | str, form: TableForm) -> Iterator[tuple[int, list[str]]]:
    """Yields the rows of a table, a text or its lines, that are not blank, with the numbers of their lines."""

    def without_separator_line() -> Iterator[str]:
        whole = io.StringIO(lines, newline="\n" if form.plain else "") if isinstance(lines, str) else lines
        for number, line in enumerate(whole):
            yield "\n" if number == 0 and stated_delimiter(line) else line

    return _tab_records(without_separator_line()) if form.plain else _csv_records(path, without_separator_line(), form)


def _remedy(form: TableForm) -> str:
    """What is done about a text that holds what stands between columns."""
    if form.plain:
        return "A row of TSV is one line, and no quotes hide a tab: write the table as .csv,"
    seems = "" if form.given else " as it seems,"
    return f"Put a text that holds the delimiter, a {_named(form)},{seems} in quotes,"


def _csv_records(path: Path, lines: Iterable[str], form: TableForm) -> Iterator[tuple[int, list[str]]]:
    csv.field_size_limit(2**31 - 1)  # a text may be longer than what Python allows
    row: list[str] = []

    def remembered() -> Iterator[str]:
        for line in lines:
            row.append(line)
            yield line

    reader = csv.reader(
        remembered(),
        delimiter=form.delimiter,
        quotechar=form.quote or None,
        quoting=csv.QUOTE_MINIMAL if form.quote else csv.QUOTE_NONE,
        escapechar=form.escape or None,
        strict=True,
        skipinitialspace=form.spaced and form.delimiter != " ",
    )
    while True:
        line = reader.line_num + 1
        row.clear()
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise TextDataError(
                f"{path}, line {line}: the row cannot be read: {error}. Expected a closing quote for each opening one, "
                f'and "" for a quote within quotes. Correct the row, or name what is before a quote, --data.escape; '
                f"if quotes belong to the texts, --data.quote ''. Received: {SHORT.repr(''.join(row[:1]).rstrip())}"
            ) from None
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield line, cells


def _tab_records(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    for line, content in enumerate(lines, start=1):
        if content.strip():
            yield line, [_unquoted(cell) for cell in content.rstrip("\n").split("\t")]


def _unquoted(cell: str) -> str:
    """A cell of TSV without the quotes that some programs put around it; others are text."""
    inner = cell[1:-1].replace('""', "")
    return cell[1:-1].replace('""', '"') if len(cell) > 1 and cell[0] == cell[-1] == '"' and '"' not in inner else cell


def _remedy_of_column(column: str, names: Sequence[str], files: FileConfiguration, option: str = "") -> str:
    """What to do about a column that is not there: which option names another one."""
    if option and column:
        return f"Name the right column, {hints.option(f'{option} {names[0]}')}"
    settings = dict(files)
    named = [name for name, value in settings.items() if column in (value if isinstance(value, tuple) else (value,))]
    option = named[0] if named and column else column if column in settings else ""
    return f"Name the right column, {hints.option(f'--data.{option} {names[0]}')}" if option else "Correct the name"


def places_of(
    path: Path,
    names: Sequence[str],
    columns: Sequence[str],
    form: TableForm,
    files: FileConfiguration,
    may_be_absent: Sequence[str],
    option: str = "",
) -> list[int | None]:
    """Returns the place of each column, None of one that is not there; `option` names columns on the command line."""
    for column in columns:
        if names.count(column) > 1:
            raise TextDataError(
                f"{path} has more than one column {column!r}. Expected it once in the first row. Rename the others. "
                f"Received: the columns {SHORT.repr(', '.join(names))}"
            )
        if column not in names and column not in may_be_absent:
            near = difflib.get_close_matches(column, names, n=1)
            remedy = _remedy_of_column(column, near or names, files, option)
            raise TextDataError(
                f"{path} has no column {column!r}{f'; did you mean {near[0]!r}?' if near else '.'} Expected it in the "
                f"first row, where a {_named(form)} seems to separate the columns. "
                f"{remedy}, or give numbers, from 1, if the first row is "
                f"data. Received: the columns {SHORT.repr(', '.join(names))}"
            )
    return [names.index(column) if column in names else None for column in columns]
