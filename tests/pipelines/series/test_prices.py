"""Log returns and measures of volatility: by their equations, and from the past only."""

import numpy as np
import pytest

from pipelines.series.prices import returns_of
from pipelines.series.regular import Columns, Series, SeriesDataError

COLUMNS = Columns(("adjusted",), ("Open", "High", "Low", "Close", "Volume", "mood"), ("earnings",))


def stock(steps: int = 60, seed: int = 0) -> Series:
    random = np.random.default_rng(seed)
    close = 100 * np.exp(random.normal(0, 0.02, steps).cumsum())
    opened = close * np.exp(random.normal(0, 0.01, steps))
    high, low = np.maximum(opened, close) * 1.01, np.minimum(opened, close) * 0.98
    volume = random.uniform(1e5, 1e6, steps)
    values = np.stack([close / 7, opened, high, low, close, volume, random.normal(size=steps), np.arange(steps) % 2], 1)
    values = values.astype(np.float32)
    return Series("A", 86400 * np.arange(steps), values, np.isfinite(values))


def test_returns_and_measures_follow_their_equations() -> None:
    before = stock()
    (after,), columns = returns_of([before], COLUMNS)
    assert columns == Columns(
        ("adjusted_log_return",),
        (
            "absolute_adjusted_log_return",
            "volatility_of_adjusted_log_return",
            "log_high_low",
            "log_close_open",
            "log_volume_change",
            "mood",
        ),
        ("earnings",),
    )
    adjusted, opened, high, low, close, volume, mood, earnings = before.values.astype(np.float64).T
    returns = np.log(adjusted[1:] / adjusted[:-1])
    powers = [0.94 ** np.arange(n)[::-1] for n in range(1, 60)]  # the weights of the first n returns
    volatility = [np.sqrt(np.average(returns[: len(each)] ** 2, weights=each)) for each in powers]
    changes = np.log(volume[1:] / volume[:-1])
    expected = np.stack(
        [returns, np.abs(returns), volatility, np.log(high / low)[1:], np.log(close / opened)[1:], changes], axis=1
    )
    np.testing.assert_allclose(after.values[1:, :6], expected, rtol=1e-4, atol=1e-7)
    np.testing.assert_array_equal(after.values[:, 6:], np.stack([mood, earnings], axis=1))
    assert np.isnan(after.values[0, [0, 1, 2, 5]]).all()
    np.testing.assert_array_equal(after.observed, np.isfinite(after.values))
    assert after.levels is not None
    np.testing.assert_array_equal(after.levels[:, 0], adjusted)


@pytest.mark.parametrize("step", [1, 30, 59])
def test_nothing_before_a_change_changes(step: int) -> None:
    before, other = stock(), stock(seed=1)
    changed = before._replace(values=np.concatenate([before.values[:step], other.values[step:]]))
    (one,), _ = returns_of([before], COLUMNS)
    (two,), _ = returns_of([changed], COLUMNS)
    np.testing.assert_array_equal(one.values[:step], two.values[:step])
    assert (one.values[step:, :6] != two.values[step:, :6]).any(axis=0).all()


def test_a_missing_price_leaves_two_returns_out_and_no_trade_is_missing() -> None:
    before = stock()
    before.values[10, 0] = np.nan
    before.values[20, 5] = 0
    (after,), _ = returns_of([before], COLUMNS)
    assert np.flatnonzero(np.isnan(after.values[:, 0])).tolist() == [0, 10, 11]
    assert np.flatnonzero(np.isnan(after.values[:, 5])).tolist() == [0, 20, 21]


def test_a_price_without_a_logarithm_is_named() -> None:
    before = stock()
    before.values[3, 1] = 0
    with pytest.raises(SeriesDataError, match=r"'Open' of the series 'A' at 1970-01-04 00:00:00 UTC.*Received: 0$"):
        returns_of([before], COLUMNS)
