"""Where the rows of a table begin, and what its columns are called: titles, names and units stand above them."""

import re
from collections.abc import Sequence

import numpy as np

from pipelines.series.time_formats import is_like_time

SAMPLE_LINES = 200  # that the layout is told from
_NUMBER = re.compile(r"[-+(]?\W{0,2}\d[\d.,' ]*(e[-+]?\d+)?\W{0,3}\)?", re.IGNORECASE)
_YEAR = re.compile(r"(1[5-9]|20|21)\d\d")
_PARTS = (
    ("year", "Y", _YEAR.pattern),
    ("month", "M", r"0?[1-9]|1[0-2]"),
    ("day", "D", r"0?[1-9]|[12]\d|3[01]"),
    ("hour", "h", r"[01]?\d|2[0-4]"),
)
FEWEST_STEPS = 2  # one after another, that show parts of a date
_TIME = re.compile(r"\d{1,4}[-/. ]\d{1,2}[-/. ]\d{1,4}.*|\d{1,2}:\d\d.*|\d{4}[-/ ]?[QMWqmw]\d{1,2}.*")

Rows = Sequence[tuple[int, list[str]]]  # the number of each line, and its cells


def first_row(rows: Rows, width: int) -> int:
    """Returns the place of the names: the first line of the table's width, or the one above it without an index."""
    wide = [place for place, (_, cells) in enumerate(rows) if len(cells) >= width]
    first = wide[0] if wide else 0
    if first and any(map(is_value, rows[first][1])):
        number, above = rows[first - 1]
        if number == rows[first][0] - 1 and len(above) == width - 1 and all(above):
            return first - 1
    # A title may have as many cells as the table, or more; an empty line below it tells.
    for place in range(first + 1, len(rows)):
        number, cells = rows[place]
        is_below = number - rows[place - 1][0] > 1 and len(cells) == width < len(rows[first][1])
        if is_below and not any(map(is_value, cells)):
            return place
    for place in wide[1:]:
        if rows[place][0] - rows[place - 1][0] > 1 and not any(map(is_value, rows[place][1])):
            return place
        if any(map(is_value, rows[place][1])):
            break
    return first


def names_of(rows: Rows) -> tuple[list[str], int]:
    """Returns the names of the columns, and how many lines stand before the data."""
    names = rows[0][1]
    width = max(len(cells) for _, cells in rows[:SAMPLE_LINES])
    if len(rows) > 1 and _is_data(names):
        dated = _dated([cells for _, cells in rows])
        return [*dated, *(_unnamed(number, names) for number in range(len(dated), len(names)))], 0
    more = 1
    # Units or a second level of names stand below the first: nothing there is a number or a time.
    while more < min(4, len(rows) - 1) and not any(map(is_value, rows[more][1])):
        shapes = [shape_of(cells[0]) for _, cells in rows[more : more + 2]]
        if shapes[0] == shapes[1] and "9" in shapes[0]:  # a time whose values are missing
            break
        if not any(map(is_value, rows[more + 1][1])) and more >= 3:
            break
        more += 1
    if more > 1 and not any(any(map(is_value, cells)) for _, cells in rows[more : more + 2]):
        more = 1  # a table of text: every line is a row
    times = [bool(cells) and is_like_time(cells[0]) for _, cells in rows]
    if any(times):  # years may stand above quarters and months
        times = [
            found or bool(cells and _YEAR.fullmatch(cells[0])) for found, (_, cells) in zip(times, rows, strict=True)
        ]
    if True in times[more:] and not any(times[:more]) and np.mean(times[times.index(True) :]) > 0.9:
        more = times.index(True)  # what statistical offices say of each column stands between
    levels = [cells for _, cells in rows[:more]]
    lacks = any(not name and below for name, below in zip(names[2:], levels[-1][2:], strict=False))
    if more > 1 and (lacks or len(set(filter(None, names))) < len([name for name in names if name])):
        for place in range(2, len(names)):  # a name above several columns, whose cells were merged
            names[place] = names[place] or names[place - 1] * bool(levels[-1][place : place + 1] > [""])
        names = [" ".join(filter(None, dict.fromkeys(parts))) for parts in zip(*levels, strict=False)]
    if len(names) == width - 1:  # the names of an index were left out
        sample = rows[more : more + SAMPLE_LINES]
        ends = all(len(cells) <= len(names) or not cells[-1] for _, cells in sample)
        if not ends and all(len(cells) == width for _, cells in sample):
            names = ["", *names]
    while names and not names[-1] and all(len(cells) < len(names) or not cells[len(names) - 1] for _, cells in rows):
        names = names[:-1]
    return [name or f"Unnamed: {number}" for number, name in enumerate(names)], more


def _dated(rows: Sequence[Sequence[str]]) -> list[str]:
    """Returns the parts of the time that the first columns of a table without names hold: year, month, day and hour.

    Most of its rows are one step after another.
    """
    width = max(map(len, rows))
    columns = list(zip(*(cells for cells in rows if len(cells) == width), strict=True))
    found: list[tuple[str, str]] = []
    for cells, (name, unit, pattern) in zip(columns, _PARTS, strict=False):
        if not all(re.fullmatch(pattern, cell) for cell in cells):
            break
        found.append((name, unit))
    while len(found) > 1:
        parts = np.array(columns[: len(found)]).astype(int) - [[1970], [1], [1], [0]][: len(found)]
        times = np.zeros(parts.shape[1], "datetime64[Y]")
        for part, (_, unit) in zip(parts, found, strict=True):
            times = times.astype(f"datetime64[{unit}]") + part
        steps = np.diff(np.unique(times)).astype(int)
        if len(steps) >= FEWEST_STEPS and (steps == 1).mean() > 0.9 and (np.diff(times).astype(int) >= 0).all():
            break
        found.pop()
    return [name for name, _ in found] if len(found) > 1 else []


def _unnamed(number: int, cells: Sequence[str]) -> str:
    """A name for a column of a table that begins with data."""
    is_first_time = _TIME.fullmatch(cells[number]) and not any(map(_TIME.fullmatch, cells[:number]))
    return "time" if is_first_time else f"column_{number + 1}"


def _is_data(cells: Sequence[str]) -> bool:
    """Whether a first line holds values already: a time and a number, and no word that could be a name."""
    filled = [cell for cell in cells if cell]
    times = sum(bool(_TIME.fullmatch(cell)) for cell in filled)
    numbers = sum(bool(_NUMBER.fullmatch(cell)) for cell in filled)
    years = sum(bool(_YEAR.fullmatch(cell)) for cell in filled)
    return bool(cells[0]) and times + numbers == len(filled) and numbers > 0 and years < len(filled) / 2


def is_value(cell: str) -> bool:
    """Whether a cell holds a number or a time."""
    return bool(_NUMBER.fullmatch(cell) or _TIME.fullmatch(cell))


def shape_of(cell: str) -> str:
    """Returns a cell with its digits and letters alike, so that times written in one way are one.

    Example:
        >>> shape_of("25-Feb-2014 09:45")
        '99-a-9999 99:99'
    """
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d", "9", cell))
