"""The daily stock prices: columns, dates, and that an example is what the source says."""

import gzip
from pathlib import Path

import numpy as np
import pytest

import data
from data import daily_stocks
from data.daily_stocks import COLUMNS, DailyStocks, read_stocks

STOCKS = """\
Ticker,Date,Open,High,Low,Close,Volume,Adj Close
FB,2012-05-18,42.05,45,38,38.2318,573576400,38.2318
AAPL,2000-03-01,118.56,132.06,118.5,130.31,9616100,4.186663
FB,2012-05-21,36.53,36.66,33,34.03,168192700,34.03
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "package/bokeh_sampledata/_data"
    folder.mkdir(parents=True)
    with gzip.open(folder / "stocks.csv.gz", "wt") as file:
        file.write(STOCKS)
    monkeypatch.setattr(daily_stocks, "fetch", lambda package: tmp_path / "package")
    return folder / "stocks.csv.gz"


def test_read_stocks(package):
    apple, facebook = read_stocks(package)
    assert (apple.name, facebook.name) == ("AAPL", "FB")
    assert COLUMNS == ("adjusted_close", "open", "high", "low", "close", "volume")
    np.testing.assert_array_equal(apple.values, [[4.186663, 118.56, 132.06, 118.5, 130.31, 9616100]])
    days = np.array(["2012-05-18", "2012-05-21"], "datetime64[s]")
    np.testing.assert_array_equal(facebook.times, days.astype(np.int64))


def test_prepared_examples_are_the_prices(package, tmp_path):
    builder = data.prepare(DailyStocks(data_dir=tmp_path / "prepared"))
    examples = {each["name"].decode(): each for each in builder.as_dataset(split="series").as_numpy_iterator()}
    for stock in read_stocks(package):
        np.testing.assert_array_equal(examples[stock.name]["values"], stock.values, strict=True)
        np.testing.assert_array_equal(examples[stock.name]["times"], stock.times, strict=True)
    assert tuple(DailyStocks(data_dir=tmp_path / "prepared").info.metadata["columns"]) == COLUMNS


@pytest.mark.slow
def test_real_stocks():
    builder = data.prepare(DailyStocks())
    stocks = {each["name"].decode(): each for each in builder.as_dataset(split="series").as_numpy_iterator()}
    rows = {name: len(stock["times"]) for name, stock in stocks.items()}
    assert rows == {"AAPL": 3270, "FB": 196, "GOOG": 2148, "IBM": 3270, "MSFT": 3270}
    for stock in stocks.values():
        adjusted, opened, high, low, close, _ = stock["values"].T
        assert (low <= np.minimum(opened, close) + 1e-9).all() and (high >= np.maximum(opened, close) - 1e-9).all()
        # The close adjusted for splits and dividends moves as the close does, but for the few days that have one.
        assert np.isclose(np.diff(np.log(adjusted)), np.diff(np.log(close)), atol=1e-3).mean() > 0.97
        assert np.datetime64(int(stock["times"][-1]), "s") == np.datetime64("2013-03-01T00:00:00")
