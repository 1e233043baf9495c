"""The comparison with AutoETS: what is timed, and what is extrapolated and said to be."""

import numpy as np
import pytest

from benchmarks import series_backtest
from benchmarks.series_backtest import Times, measure
from pipelines.series.backtest import Forecasts, Task
from pipelines.series.data import Sets
from pipelines.series.regular import Columns, Series


def test_the_fits_of_some_origins_stand_for_all() -> None:
    times = Times(100, 2.0, 1.0, [0.5, 1.5])
    assert times.refitting == 100
    assert "would be 100 s (extrapolated), 50 times as long as the first backtest" in str(times)


def test_fits_are_spread_over_all_origins_and_see_nothing_later(monkeypatch: pytest.MonkeyPatch) -> None:
    models = pytest.importorskip("statsforecast.models")
    values = np.arange(60, dtype=np.float32)[:, np.newaxis]  # each value says its step
    series = Series("one", 3600 * np.arange(60), values, np.ones((60, 1), bool))
    sets = Sets([series], Columns(("value",)), 3600, [30], [40], [])
    task = Task(sets, [0], "test", 0, 2, (0.1, 0.5, 0.9), 1)
    seen, calls = [], []

    class Fitted:
        def __init__(self, season_length: int) -> None:
            assert season_length == 1

        def fit(self, known: np.ndarray) -> "Fitted":
            seen.append(known)
            return self

        def predict(self, horizon: int, level: list[int]) -> None:
            assert horizon == 2

    def backtest(forecaster: object, task: Task) -> Forecasts:
        calls.append(forecaster)
        return Forecasts(np.zeros((19, 2, 3)), np.zeros((19, 2)))

    monkeypatch.setattr(models, "AutoETS", Fitted)
    monkeypatch.setattr(series_backtest, "backtest", backtest)
    times = measure(None, task, 3)  # type: ignore[arg-type]
    assert len(calls) == 2
    assert times.origins == 19
    assert len(times.fits) == 3
    assert [known[-1] for known in seen] == [39, 39, 48, 57]  # the first is not timed
    assert all(known[0] == 0 for known in seen)
