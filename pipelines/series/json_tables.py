"""Tables in JSON: rows, columns, the other forms that pandas writes, and answers of services such as Prometheus."""

import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from pipelines.json_lines import parsed, parsed_in_a_row
from pipelines.series.regular import SeriesDataError


def frame_of_json(text: str, file: str, kind: str) -> pd.DataFrame:
    """Returns the table in JSON; its `attrs` hold the column that names the series, where the JSON tells.

    Args:
        text: the JSON.
        file: where it is from, for messages.
        kind: the ending of its file, one of `JSON`.

    Raises:
        SeriesDataError: the text is no JSON, or an object in it names something twice.

    Example:
        >>> result = [{"metric": {"__name__": "up", "job": "a"}, "values": [[1700000000, "1"], [1700000060, "0"]]}]
        >>> answer = {"status": "success", "data": {"resultType": "matrix", "result": result}}
        >>> frame_of_json(json.dumps(answer), "up.json", ".json").values.tolist()
        [['up{job="a"}', 1700000000, '1'], ['up{job="a"}', 1700000060, '0']]
    """
    try:
        whole = parsed(text, file, SeriesDataError)
    except json.JSONDecodeError:
        whole = parsed_in_a_row(text, file, SeriesDataError)
    whole = [whole] if kind != ".json" and isinstance(whole, Mapping) else whole  # one line
    if not isinstance(whole, Mapping):
        return _of_rows(whole)
    if {"columns", "data"} <= whole.keys():
        frame = pd.DataFrame(whole["data"], whole.get("index"), whole["columns"])
    elif {"schema", "data"} <= whole.keys():
        frame = pd.DataFrame(whole["data"])
        key = whole["schema"].get("primaryKey", [])
        frame = frame.set_index(key).rename_axis([None if name == "index" else name for name in key]) if key else frame
    elif rows := _rows_in(whole):
        return _of_rows(rows)
    else:
        inner = [each for each in whole.values() if _is_table(each)]
        whole = inner[0] if len(inner) == 1 else whole
        rows = [row for row in whole.values() if isinstance(row, Mapping)]
        by_row = len(rows) == len(whole) > len(rows[0]) and all(row.keys() == rows[0].keys() for row in rows)
        frame = pd.DataFrame.from_dict(whole, orient="index") if by_row else pd.DataFrame(whole)
    if frame.index.dtype == object and all(re.fullmatch(r"\d+", str(key)) for key in frame.index):
        frame.index = pd.Index(frame.index.astype(np.int64))
    return frame


def _is_table(value: Any) -> bool:
    """Whether an object holds columns of equal length, or rows of equal names."""
    cells = list(value.values()) if isinstance(value, Mapping) else []
    are_columns = all(isinstance(each, list) and len(each) == len(cells[0]) > 1 for each in cells)
    are_rows = all(isinstance(each, Mapping) and each.keys() == cells[0].keys() for each in cells)
    return len(cells) > 1 and (are_columns or are_rows)


def _rows_in(answer: Mapping[str, Any]) -> list[Any]:
    """The rows in an answer of a service: the only ones under its names, beside what is said of them."""
    found = [each for each in answer.values() if isinstance(each, list) and each and isinstance(each[0], Mapping)]
    found = found or [rows for each in answer.values() if isinstance(each, Mapping) and (rows := _rows_in(each))]
    return found[0] if len(found) == 1 else []


def _of_rows(rows: Any) -> pd.DataFrame:
    """Rows as they are; of Prometheus, which has one for each series, a row for each of its samples."""
    frame = pd.DataFrame(rows)
    if "metric" in frame and frame["metric"].map(lambda cell: isinstance(cell, Mapping)).all():
        frame["metric"] = frame["metric"].map(_series_name)
        if "timestamps" in frame:  # of VictoriaMetrics
            frame = frame.rename(columns={"timestamps": "time", "values": "value"})
        elif "values" in frame:
            frame = frame.explode("values", ignore_index=True).dropna(subset="values", ignore_index=True)
            frame[["time", "value"]] = frame.pop("values").tolist()
        elif "value" in frame and isinstance(frame["value"].iloc[0], list):  # of a single time
            frame[["time", "value"]] = frame.pop("value").tolist()
        frame.attrs["series"] = "metric"
    return frame


def _series_name(labels: Mapping[str, str]) -> str:
    """The name of a series from its labels, as Prometheus writes it."""
    others = ",".join(f'{name}="{value}"' for name, value in labels.items() if name != "__name__")
    return f"{labels.get('__name__', '')}{{{others}}}" if others else labels.get("__name__", "value")
