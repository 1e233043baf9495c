"""Series on regular time steps, the rows that they were made of, and what was repaired on the way."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np

from pipelines.series.calendar import COUNTED, time_zone


class SeriesDataError(ValueError):
    """Series that cannot be used; the message names file, row or series, and says what to do."""


class Columns(NamedTuple):
    """Names of a series' columns, in their order; `static` are those of them that tell series apart."""

    targets: tuple[str, ...]
    past: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    static: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """All of them."""
        return self.targets + self.past + self.known


class Series(NamedTuple):
    """One series on regular time steps.

    Attributes:
        name: its unique name.
        times: int64 (time,), seconds since 1970 UTC.
        values: float32 (time, columns): targets, then past covariates, then known ones; NaN where missing until
            `fill` was there.
        observed: bool (time, columns), False where a value is missing or was filled.
        levels: float64 (time, targets): the prices that log returns were made of, else None.
        offset: (targets,), what was taken away from the targets, so that single precision holds their changes; 0.0 if
            nothing was.
    """

    name: str
    times: np.ndarray
    values: np.ndarray
    observed: np.ndarray
    levels: np.ndarray | None = None
    offset: np.ndarray | float = 0.0

    def cut(self, first: int, end: int) -> "Series":
        """The steps from `first` to before `end`."""
        steps = slice(first, end)
        levels = None if self.levels is None else self.levels[steps]
        return Series(self.name, self.times[steps], self.values[steps], self.observed[steps], levels, self.offset)

    def with_offset(self, targets: np.ndarray) -> np.ndarray:
        """Returns values of targets (…, targets) as they were measured."""
        return targets + self.offset


class Repair(NamedTuple):
    """What was found in the data and what was done about it; nothing is changed without one.

    Attributes:
        series: the series, or "" for all.
        column: the column, or "" for whole rows.
        what: what was found and what was done.
        number: how many values, rows or columns.
        first: where first: a time or a row; "" if it says nothing.
    """

    series: str
    column: str
    what: str
    number: int
    first: str = ""


class Table(NamedTuple):
    """Rows of one series as they were found.

    Attributes:
        name: the series.
        times: int64 (rows,), seconds since 1970 UTC, in any order.
        values: float64 (rows, columns), NaN where missing.
        lines: int64 (rows,), where each row stands in its file.
        file: its file, or its data set.
        zone: of the times as they were written, as of `time_zone`; "" if they had none.
    """

    name: str
    times: np.ndarray
    values: np.ndarray
    lines: np.ndarray
    file: str
    zone: str = ""


def summary(repairs: Sequence[Repair]) -> list[str]:
    """One line for each kind of repair and column, however many series there are.

    >>> summary([Repair(name, "heat", "infinite values: taken as missing", 3, "line 4") for name in ("a", "b")])
    ['6 × infinite values: taken as missing (heat, 2 series, first a, line 4)']
    """
    kinds: dict[tuple[str, str], list[Repair]] = {}
    for repair in repairs:
        kinds.setdefault((repair.column, repair.what), []).append(repair)
    lines = []
    for (column, what), found in kinds.items():
        many = f"{len(found)} series, first" * (len(found) > 1)
        where = [column, f"{many} {found[0].series}".strip(), found[0].first]
        lines.append(f"{sum(repair.number for repair in found)} × {what} ({', '.join(filter(None, where))})")
    return lines


def time_text(seconds: int | np.integer, zone: str = "") -> str:
    """A time as text: in UTC, or as the clock of a zone shows it.

    >>> time_text(0), time_text(0, "Europe/Berlin")
    ('1970-01-01 00:00:00', '1970-01-01 01:00:00+01:00')
    """
    if zone == COUNTED:
        return str(int(seconds))
    moment = datetime.fromtimestamp(int(seconds), time_zone(zone) if zone else UTC)
    return (moment if zone else moment.replace(tzinfo=None)).isoformat(" ")
