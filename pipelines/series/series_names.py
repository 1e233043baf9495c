"""Which rows of a table belong to which series, by the columns that name these."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.series.regular import SeriesDataError

MOST_NAMING = 8  # columns, any two of which are tried as the names of series


def with_joined_series(frame: pd.DataFrame, columns: Sequence[str]) -> tuple[pd.DataFrame, str]:
    """The table and the column that names its series: of several, such as store and item, one that joins them."""
    if len(columns) < 2:
        return frame, "".join(columns)
    joined = _text_of(frame[columns[0]])
    for column in columns[1:]:
        joined = (joined + " " + _text_of(frame[column])).str.strip()
    name = " ".join(columns)
    return frame.drop(columns=list(columns)).assign(**{name: joined}), name


def series_names(frame: pd.DataFrame, column: str, path: Path) -> pd.Series:
    """Of each row the name of its series, which is the file's if no column says it."""
    if not column:
        return pd.Series(path.name.split(".")[0], frame.index)
    names = _text_of(frame[column])
    if (missing := names == "").any():
        raise SeriesDataError(
            f"{path}, line {frame.index[np.argmax(missing)]}: the row belongs to no series; expected a name in the "
            f"column {column!r}. Name it, or remove the row. Received: nothing"
        )
    return names


def _text_of(values: pd.Series) -> pd.Series:
    """Cells as names, "" where one is missing; whole numbers that became floats beside an empty cell stay whole."""
    if pd.api.types.is_float_dtype(values) and (values.dropna() % 1 == 0).all():
        values = values.astype("Int64")
    return values.astype(str).str.strip().where(values.notna(), "")


def refuse_several_series(frame: pd.DataFrame, seconds: np.ndarray, columns: Sequence[str], path: Path) -> None:
    """Refuses rows of which most share their time with others, and names the column that tells these apart."""
    if pd.Series(seconds).duplicated().mean() < 0.4:
        return
    few = [name for name in columns if 1 < frame[name].nunique() < len(frame)]
    for names in itertools.chain(zip(few, strict=True), itertools.combinations(few[:MOST_NAMING], 2)):
        apart = frame[list(names)].reset_index(drop=True).assign(time=seconds)
        if not apart.duplicated().any() and len(apart[list(names)].drop_duplicates()) < len(frame):
            named = list(map(repr, names))
            what = f"the column {named[0]} tells" if len(names) == 1 else f"the columns {' and '.join(named)} tell"
            shown = ", ".join(" ".join(map(str, each)) for each in frame[list(names)].drop_duplicates()[:4].to_numpy())
            raise SeriesDataError(
                f"{path} has several rows at most times, which {what} apart; expected one row a time in each "
                f"series. If they are series, name it: --data.series {' '.join(named)}. Received: {shown}"
            )
