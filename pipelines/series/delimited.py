"""Delimited text as programs write it: the encoding, the delimiter, and which lines hold data are found."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from data.encodings import UnclearEncodingError, find_encoding
from data.files import stated_delimiter
from pipelines.series.numbers import with_ascii_digits
from pipelines.series.regular import Repair, SeriesDataError
from pipelines.series.table_heads import SAMPLE_LINES, first_row, is_value, names_of, shape_of

LONGEST_PREAMBLE = 50  # lines before the names of the columns
LAST_LINES = 5  # that may be sums and sources of the table
NAMES = {"cp1252": "Windows-1252"}  # of encodings, better known than Python's
DELIMITERS = ",;\t|^~\x01"
EMPTY = DELIMITERS + " "  # a line of these alone holds nothing
COMMENT = re.compile(r"\s*[\"']?(#|//|%)")
_ONE_CELL = re.compile(r'"(?:[^"]|"")*"')


class Delimited(NamedTuple):
    """A table of text.

    Attributes:
        frame: cells of text, NaN where empty; the index is the line in the file.
        names: of the columns as they were written, before any is renamed.
        repairs: what was left out.
        delimiter: between two cells.
    """

    frame: pd.DataFrame
    names: pd.Series
    repairs: list[Repair]
    delimiter: str


def decoded(content: bytes, file: str) -> tuple[str, list[Repair]]:
    """Returns a file's text; an encoding other than UTF-8 is found and reported, Windows-1252 where none is clear.

    Raises:
        FileError: the file holds no text.

    Example:
        >>> decoded("Wärme".encode("cp1252"), "loads.csv")[0]
        'Wärme'
    """
    try:
        encoding = find_encoding(content, file)
    except UnclearEncodingError:
        encoding = "cp1252"
    text = content.decode(encoding, "replace").removeprefix("\ufeff")
    repairs = []
    if text.endswith("\0") and (whole := text.rstrip("\0")):  # a logger without power leaves them
        what = f"zero bytes at the end of {file}: left out"
        repairs, text = [Repair("", "", what, len(text) - len(whole))], whole
    if "\0" in text[:1000]:
        raise ValueError("It is no text: it holds zero bytes")
    if encoding.startswith("utf") and "\ufffd" not in text:
        return text, repairs
    what = f"characters of {file} that are not UTF-8: read as {NAMES.get(encoding, encoding)}"
    return text, [*repairs, Repair("", "", what, sum(byte > 127 for byte in content))]


def _unquoted(lines: list[str]) -> list[str]:
    """Returns lines without the quotes of spreadsheets that took each line of a table for one cell.

    >>> _unquoted(['"time,load"', '"2024-01-01,5.0"', ""])
    ['time,load', '2024-01-01,5.0', '']
    """
    filled = [line.strip() for line in lines if line]
    if not re.search(r"[,;\t|]", "".join(filled[:1])) or not all(map(_ONE_CELL.fullmatch, filled)):
        return lines
    return [line.strip()[1:-1].replace('""', '"') if line else "" for line in lines]


def parse(text: str, file: str) -> Delimited:
    """Returns the table in a text. Titles, comments, rows of units and empty lines are left out and reported.

    Args:
        text: of the file.
        file: its name, for messages.

    Raises:
        ValueError: there is no table.

    Example:
        >>> table = parse("# Station 7\\ntime;load\\n;kW\\n2024-01-01;5,0\\n2024-01-02;6,5\\n", "loads.csv")
        >>> table.frame.to_dict("index")
        {4: {'time': '2024-01-01', 'load': '5,0'}, 5: {'time': '2024-01-02', 'load': '6,5'}}
        >>> [repair.what for repair in table.repairs]
        ['lines of comments in loads.csv: left out', 'lines of units in loads.csv: left out']
    """
    lines = [line if line.strip(EMPTY) else "" for line in with_ascii_digits(text).splitlines()]
    lines = _unquoted(lines)
    if not any(line.strip() for line in lines):
        raise SeriesDataError(
            f"{file} is empty; expected a line with the names of the columns, and a row for each time. Fill it, or "
            f"give another file. Received: {len(text)} characters"
        )
    comments = {number for number, line in enumerate(lines) if _is_comment(line, number)}
    sample = [line for number, line in enumerate(lines[: LONGEST_PREAMBLE + SAMPLE_LINES]) if number not in comments]
    delimiter, width = _layout(sample)
    rows = _rows(lines, comments, delimiter, LONGEST_PREAMBLE + SAMPLE_LINES)
    first = first_row(rows, width)
    titles = [number for number, cells in rows[:first] if any(cells)]
    names, more = names_of(rows[first:])
    if more == 0:
        names = _names_above(lines, comments, rows[first][0], delimiter, len(names)) or names
    used = rows[first : first + more]
    units = [number for number, _ in used[1:]]
    repairs = [
        Repair("", "", f"lines {what} in {file}: left out", len(numbers), f"line {numbers[0] + 1}")
        for what, numbers in (("of comments", sorted(comments)), ("of a title", titles), ("of units", units))
        if numbers
    ]
    start = rows[first + more][0] if first + more < len(rows) else len(lines)
    kept = [line if number not in comments else "" for number, line in enumerate(lines[start:], start)]
    frame = _frame(kept, delimiter, names, start + 1)
    frame = frame.loc[[line for line in frame.index if line - 1 not in comments]]
    frame, again = _without_names(frame, names, file)
    frame, repair = _without_footer(frame, file)
    named = [not name.startswith("Unnamed:") or frame.iloc[:, at].notna().any() for at, name in enumerate(names)]
    return Delimited(frame.loc[:, named], pd.Series(names)[named], repairs + again + repair, delimiter)


def _without_names(frame: pd.DataFrame, names: Sequence[str], file: str) -> tuple[pd.DataFrame, list[Repair]]:
    """Leaves out rows that are the names of the columns again, where files were put one below the other."""
    written = ["" if name.startswith("Unnamed:") else name for name in names]
    first = next((place for place, name in enumerate(written) if name), 0)
    likely = (
        np.flatnonzero((frame.iloc[:, first] == written[first]).to_numpy()) if frame.shape[1] > 1 else np.zeros(0, int)
    )
    again = [row for row in likely if frame.iloc[row].fillna("").tolist() == written]
    if not again:
        return frame, []
    what = f"lines of {file} that repeat the names of the columns: left out"
    return frame.drop(index=frame.index[again]), [Repair("", "", what, len(again), f"line {frame.index[again[0]]}")]


def _is_comment(line: str, number: int) -> bool:
    """Whether a line is a comment, or states the delimiter; `#,time,load` names a column of numbers of rows."""
    if number == 0 and re.match(r"[\"']?[#%][\"']?[,;\t|]", line.strip()):
        return False
    return bool(COMMENT.match(line) or stated_delimiter(line.lstrip()))


def _layout(lines: Sequence[str]) -> tuple[str, int]:
    """Returns the delimiter with which most lines have the same number of cells, and that number."""
    best = ("", 0, 0.0)
    for delimiter in [*DELIMITERS, " "]:
        counts = Counter(len(cells) for cells in _cells(lines, delimiter) if len(cells) > 1)
        if counts:
            width, many = max(counts.items(), key=lambda item: (item[1], item[0]))
            score = many / max(len([line for line in lines if line.strip()]), 1)
            # A decimal comma divides as regularly as a semicolon; dates and times hold spaces.
            better = score > best[2] + (0.2 if delimiter == " " else 0.05) or (delimiter in ";\t|" and score >= 0.9)
            if better and (delimiter != " " or best[2] < 0.5):
                best = (delimiter, width, score)
    return (best[0], best[1]) if best[0] else (",", 1)


def _cells(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    if delimiter == " ":
        return [line.split() for line in lines]
    found = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    return [[cell.strip() for cell in cells] for cells in _safely(found)]


def _safely(rows: Iterator[list[str]]) -> Iterator[list[str]]:
    while True:
        try:
            yield next(rows)
        except StopIteration:
            return
        except csv.Error:
            yield []


def _rows(lines: Sequence[str], comments: set[int], delimiter: str, maximum: int) -> list[tuple[int, list[str]]]:
    """Returns the first lines that are not empty as their number and cells."""
    numbers = [number for number, line in enumerate(lines[:maximum]) if number not in comments and line.strip()]
    return list(zip(numbers, (_cells([lines[number]], delimiter)[0] for number in numbers), strict=True))


def _names_above(lines: Sequence[str], comments: set[int], first: int, delimiter: str, width: int) -> list[str] | None:
    """Returns the names that the comment above a table holds, if it has as many cells as the table."""
    if not (above := [number for number in comments if number < first]):
        return None
    names = _cells([lines[max(above)].lstrip("#%/ ")], delimiter)[0]
    return names if len(names) == width and all(names) and not any(map(is_value, names)) else None


def _frame(lines: Sequence[str], delimiter: str, names: Sequence[str], first: int) -> pd.DataFrame:
    """Returns the cells of lines as text; the index counts the lines from the `first`."""
    numbers = [number for number, line in enumerate(lines) if line.strip()]
    full = [lines[number] for number in numbers]
    separator = r"\s+" if delimiter == " " else delimiter
    renamed = [f"{number} {name}" for number, name in enumerate(names)]  # pandas refuses the second of one name
    widths = (len(line.split()) if delimiter == " " else line.count(delimiter) + 1 for line in full)
    extra = [f"surplus {number}" for number in range(max(widths, default=0) - len(names))]
    frame = pd.read_csv(
        io.BytesIO("\n".join(full).encode()),  # a fourth of the memory of text
        sep=separator,
        header=None,
        names=renamed + extra,
        dtype=str,
        keep_default_na=False,
        na_values=[""],
        skipinitialspace=True,
        skip_blank_lines=False,
        index_col=False,
    )
    if len(frame) == len(numbers):  # else a cell holds a line break
        frame.index = pd.Index(numbers)
    _refuse_surplus(frame, len(renamed), first)
    frame = frame.iloc[:, : len(renamed)]
    blank = pd.DataFrame(index=pd.RangeIndex(len(lines)), columns=frame.columns, dtype=object)
    if len(frame) == len(numbers) and len(lines) != len(numbers):
        blank = blank.iloc[: max(numbers) + 1]
        frame = frame.reindex(blank.index)
    frame.columns = pd.Index(names)
    frame.index += first
    return frame


def _refuse_surplus(frame: pd.DataFrame, width: int, first: int) -> None:
    surplus = frame.iloc[:, width:].notna().any(axis=1).to_numpy()
    if surplus.any():
        row = int(np.argmax(surplus))
        found = int(frame.iloc[row].notna().to_numpy().nonzero()[0].max()) + 1
        raise SurplusError(width, found, int(frame.index[row]) + first)


class SurplusError(ValueError):
    """A line has more cells than there are columns."""

    def __init__(self, width: int, found: int, line: int) -> None:
        super().__init__(line)
        self.width, self.found, self.line = width, found, line


def _without_footer(frame: pd.DataFrame, file: str) -> tuple[pd.DataFrame, list[Repair]]:
    """Leaves out sums and sources below the table: last rows whose first cell is a word while all others' is not."""
    if len(frame) <= LAST_LINES or not frame.shape[1]:
        return frame, []
    filled = frame.iloc[-LONGEST_PREAMBLE:]
    filled = filled[filled.notna().any(axis=1)]
    first = filled.iloc[:, 0].astype(str)
    is_word = ~first.str.contains(r"\d", regex=True).to_numpy() & filled.iloc[:, 0].notna().to_numpy()
    alone = (filled.notna().sum(axis=1) == 1).to_numpy() & (frame.shape[1] > 1)
    if not len(filled) or not (is_word | alone)[-1]:
        return frame, []
    above = frame.iloc[: max(len(frame) - LAST_LINES, 1), 0].dropna().astype(str)
    body = bool((~above.str.contains(r"\d", regex=True)).any())
    is_row = first.map(is_value) | first.map(shape_of).isin(set(above.iloc[-LONGEST_PREAMBLE:].map(shape_of)))
    ends = alone if body else is_word | (alone & ~is_row.to_numpy())
    number = 0
    while number < len(filled) - 1 and ends[len(ends) - 1 - number] and (number < LAST_LINES or alone[-1 - number]):
        number += 1
    if not number:
        return frame, []
    line = filled.index[len(filled) - number]
    repair = Repair("", "", f"lines below the table of {file}: left out", number, f"line {line}: {first.loc[line]}")
    return frame.loc[: line - 1], [repair]
