"""Columns of text as columns of ones and zeros, one for each word: what tells series apart, such as a city."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipelines.hints import listed
from pipelines.series.numbers import numbers_of
from pipelines.series.regular import Repair

MOST = 20  # categories of a column


class Categories(NamedTuple):
    """Columns of ones and zeros by their names, such as `city=Rome`, and the columns of text that they replace."""

    columns: dict[str, np.ndarray]
    replaced: list[str]


def one_hot(
    frame: pd.DataFrame,
    series: pd.Series,
    covariates: Sequence[str],
    named: Sequence[str],
    trained: Sequence[str] | None = None,
) -> tuple[Categories, list[Repair]]:
    """Returns a column for each category of what tells series apart, and of columns of text that are asked for.

    Args:
        frame: all columns, a row for each row of the table.
        series: the name of the series of each row.
        covariates: columns that are asked for as such.
        named: columns that have a use.
        trained: columns of a training, whose categories are then those that there are. Default: found.

    Example:
        >>> frame = pd.DataFrame({"city": ["Rome", "Rome", "Bonn", None]})
        >>> one_hot(frame, pd.Series(["a", "a", "b", "c"]), (), ())[0].columns["city=Rome"]
        array([ 1.,  1.,  0., nan])
    """
    found, repairs = Categories({}, []), []
    for name in map(str, frame.columns):
        column = frame[name]
        if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
            continue
        known = categories_of(name, trained or ())
        asked = name in covariates
        if not (known or asked or (trained is None and name not in named)) or not numbers_of(column).wrong.any():
            continue
        words = column.astype("string").str.strip()
        there = sorted(words.dropna().unique())
        each = words.groupby(series.to_numpy()).nunique()
        if not known and not asked and ((each > 1).any() or not 1 < len(there) < min(MOST + 1, max(len(each), 3))):
            continue
        if not known and len(there) > MOST:
            continue
        for word in there if not known else [one.removeprefix(f"{name}=") for one in known]:
            found.columns[f"{name}={word}"] = np.where(
                words.isna(), np.nan, (words == word).fillna(False).astype(float)
            )
        found.replaced.append(name)
        unknown = [word for word in there if known and f"{name}={word}" not in known]
        if unknown:
            what = f"categories that the training did not have ({listed(unknown)}): taken as none of them"
            repairs.append(Repair("", name, what, int(words.isin(unknown).sum())))
        elif not known:
            repairs.append(
                Repair("", name, f"column of text: read as {len(there)} categories ({listed(there)})", len(frame))
            )
    return found, repairs


def categories_of(column: str, names: Sequence[str]) -> tuple[str, ...]:
    """Returns the names of the columns that hold the categories of one."""
    return tuple(name for name in names if name.startswith(f"{column}="))
