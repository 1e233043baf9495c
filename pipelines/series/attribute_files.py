"""Text files whose columns are declared by lines of `@attribute`: ARFF of Weka, and TSF of the Monash archive."""

import csv
import io
import re

import numpy as np
import pandas as pd

_ATTRIBUTE = re.compile(r"^\s*@attribute\s+('[^']*'|\"[^\"]*\"|\S+)", re.IGNORECASE | re.MULTILINE)
_DATA = re.compile(r"^\s*@data[ \t]*$", re.IGNORECASE | re.MULTILINE)
_STEP = re.compile(r"(?:(\d+)_)?(second|minute|hour)", re.IGNORECASE)
STEPS = {
    **{"yearly": {"years": 1}, "quarterly": {"months": 3}, "monthly": {"months": 1}, "weekly": {"weeks": 1}},
    **{"daily": {"days": 1}, "half_hourly": {"minutes": 30}, "minutely": {"minutes": 1}},
}
"""Steps of a TSF by the word behind `@frequency`; others are such as hourly or 10_minutes."""


def arff_to_delimited(text: str) -> str:
    """Returns an ARFF as delimited text, whose lines keep their numbers.

    Example:
        >>> arff_to_delimited("@relation x\\n@attribute time date\\n@attribute 'a b' numeric\\n@data\\n2024-01-01,5\\n")
        '\\n\\n\\ntime,a b\\n2024-01-01,5\\n'
    """
    before, after = _parts(text)
    head = io.StringIO()
    csv.writer(head, lineterminator="").writerow(_names(before))
    return "\n" * before.count("\n") + head.getvalue() + after


def frame_of_tsf(text: str) -> pd.DataFrame:
    """Returns a TSF with a row for each value; its `attrs` hold the column that names the series.

    Example:
        >>> head = "@attribute series_name string\\n@attribute start_timestamp date\\n@frequency monthly\\n@data\\n"
        >>> frame = frame_of_tsf(head + "T1:2015-01-01 00-00-00:5.5,?\\n")
        >>> frame["time"].dt.month.tolist(), frame["value"].tolist(), frame.attrs["series"]
        ([1, 2], [5.5, nan], 'series_name')
    """
    before, after = _parts(text)
    names = _names(before)
    frequency = re.search(r"^\s*@frequency\s+(\S+)", before, re.IGNORECASE | re.MULTILINE)
    parts = []
    for line in filter(None, map(str.strip, after.splitlines())):
        *attributes, values = line.split(":")
        numbers = pd.to_numeric(pd.Series(values.split(",")), errors="coerce").to_numpy(np.float64)
        columns = dict(zip(names, attributes, strict=True))
        start = columns.pop("start_timestamp", None)
        times = {} if start is None else {"time": _times(start, frequency[1] if frequency else "", len(numbers))}
        parts.append(pd.DataFrame({**columns, **times, "value": numbers}))
    frame = pd.concat(parts, ignore_index=True)
    frame.attrs["series"] = names[0]
    return frame


def _times(start: str, frequency: str, count: int) -> pd.DatetimeIndex:
    first = pd.to_datetime(start, format="%Y-%m-%d %H-%M-%S")
    if (step := STEPS.get(frequency.lower())) is None:
        if (match := _STEP.match(frequency)) is None:
            raise ValueError(f"@frequency is such as monthly or 10_minutes. Received: {frequency!r}")
        step = {f"{match[2].lower()}s": int(match[1] or 1)}
    return pd.date_range(first, periods=count, freq=pd.DateOffset(**step))


def _parts(text: str) -> tuple[str, str]:
    """What is above the line `@data`, and what is below it."""
    if (line := _DATA.search(text)) is None:
        raise ValueError("There is no line @data")
    return text[: line.start()], text[line.end() :]


def _names(head: str) -> list[str]:
    return [name.strip("'\"") for name in _ATTRIBUTE.findall(head)]
