"""Tables written in many ways, drawn at random, are read as they were meant, or what is unclear is reported."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipelines.series.user_tables import TableConfiguration, read_tables

TIMES = {  # step: how its times are written
    "15min": ("%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%SZ", "%d.%m.%Y %H:%M", "%d-%b-%Y %H:%M", "%Y%m%d%H%M", "days"),
    "h": ("%Y/%m/%d %H:%M", "%Y-%m-%d %H.%M", "%d.%m.%y %H:%M", "%b %d, %Y %H:%M", "%Y%m%d %H:%M:%S", "seconds"),
    "D": ("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%b-%y", "%A, %d %B %Y", "%Y-%j", "days", "seconds"),
    "W": ("%Y-%m-%d", "%d.%m.%y", "%m-%d-%Y", "%d %B %Y", "%Y.%m.%d"),
    "MS": ("%Y-%m", "%b %Y", "%b-%y", "%m/%Y", "%YM%m", "%Y%m", "%d.%m.%Y"),
    "YS": ("%Y", "%Y-%m-%d"),
}
SIGNS = ((".", ""), (".", ","), (",", ""), (",", "."), (",", " "), (",", "\u00a0"), (".", "'"))  # decimal, thousands
MISSING = ("", "NA", "NaN", "n/a", "-", "null", "#N/A", "..")
NAMES = ("load", "wind speed", "Umsatz", "Sales (EUR)", "Température")


def _text_of(time: pd.Timestamp, how: str, decimal: str) -> str:
    if how == "seconds":
        return str(int(time.timestamp()))
    if how == "days":  # of Excel
        days = (time - pd.Timestamp("1899-12-30")) / pd.Timedelta(days=1)
        return f"{days:.9f}".rstrip("0").rstrip(".").replace(".", decimal)
    return time.strftime(how)


def _number(value: float, digits: int, decimal: str, thousands: str) -> str:
    whole, _, rest = f"{value:,.{digits}f}".partition(".")
    return whole.replace(",", thousands) + (decimal + rest) * bool(rest)


def _written(seed: int) -> tuple[bytes, pd.DatetimeIndex, np.ndarray, bool]:
    """A table as a file, its times and values (time, columns), and whether thousands may be decimals."""
    random = np.random.default_rng(seed)

    def one_of(choices: Sequence[Any]) -> Any:
        return choices[int(random.integers(len(choices)))]

    step = one_of(tuple(TIMES))
    how = one_of(TIMES[step])
    start = pd.Timestamp("1971-01-01") + pd.Timedelta(days=int(random.integers(15_000)))
    times = pd.date_range(start, periods=45, freq=step)
    if step == "15min":  # over several days, so that 05.04. is no month
        times = times[:1].append(times[1:] + pd.Timedelta(days=20))
    decimal, thousands = one_of(SIGNS)
    delimiter = one_of(",;\t|" if decimal == "." else ";\t|")
    quoted = random.random() < 0.3 or delimiter in (thousands or "-") or (delimiter == "," and "," in how)
    digits = [int(random.integers(4)) for _ in range(int(random.integers(1, 4)))]
    scales = [10.0 ** int(random.integers(6)) for _ in digits]
    values = np.stack(
        [np.round(scale * random.normal(3, 0.5, len(times)), each) for scale, each in zip(scales, digits, strict=True)],
        axis=1,
    )
    values[random.random(values.shape) < 0.05] = np.nan
    missing = one_of(MISSING)
    rows = [[one_of(("date", "time", "Datum", "ds")), *(f"{one_of(NAMES)}{number}" for number in range(len(digits)))]]
    for time, row in zip(times, values, strict=True):
        cells = zip(row, digits, strict=True)
        numbers = [missing if np.isnan(value) else _number(value, each, decimal, thousands) for value, each in cells]
        rows.append([_text_of(time, how, decimal), *numbers])
    lines = [delimiter.join(f'"{cell}"' if quoted else cell for cell in row) for row in rows]
    lines[:0] = one_of(((), (), ("# exported by a logger",), ("Report: station 7", "")))
    encoding = one_of(("utf-8", "utf-8-sig", "cp1252", "utf-16"))
    content = (one_of(("\n", "\r\n")).join(lines) + one_of(("\n", ""))).encode(encoding)
    unclear = 3 in digits if thousands == "" else any(each in (0, 3) for each in digits)
    return content, times, values, unclear


@pytest.mark.parametrize("seed", range(60))
def test_a_table_is_read_as_it_was_meant_or_reported(seed: int) -> None:
    content, times, values, unclear = _written(seed)
    (table,), _, repairs = read_tables(TableConfiguration(), io.BytesIO(content))
    np.testing.assert_array_equal(table.times, times.to_numpy("datetime64[s]").astype(np.int64))
    if unclear and any("thousands" in repair.what for repair in repairs):
        return
    np.testing.assert_allclose(table.values, values, rtol=1e-12)
