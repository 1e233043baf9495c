"""Forecasts of totals and parts add up, and a series that is sure of itself hardly moves."""

from typing import Literal

import numpy as np
import pytest

from pipelines.configuration import ConfigurationError
from pipelines.series.ahead import Forecast
from pipelines.series.reconciliation import reconciled
from pipelines.series.regular import Series

NAMES = ("all", "land", "north", "south", "sea", "other")
SUMS = {"all": ("land", "sea"), "land": ("north", "south")}


def forecasts() -> list[Forecast]:
    random = np.random.default_rng(0)
    found = []
    for name in NAMES:
        history = Series(name, np.arange(5), np.zeros((5, 2), np.float32), np.ones((5, 2), bool))
        mean = random.normal(10, 3, (4, 2))
        width = random.uniform(0.5, 5, (4, 2, 1))
        quantiles = mean[..., np.newaxis] + width * np.array([-0.5, 0.1, 0.5])
        found.append(Forecast(history, np.arange(5, 9), quantiles, mean, paths=random.normal(10, 3, (6, 4, 2))))
    return found


@pytest.mark.parametrize("method", ["mint", "bottom_up"])
def test_means_add_up_and_everything_moves_with_them(method: Literal["mint", "bottom_up"]) -> None:
    before = forecasts()
    after = dict(zip(NAMES, reconciled(before, SUMS, method), strict=True))
    for total, parts in SUMS.items():
        np.testing.assert_allclose(after[total].mean, sum(after[part].mean for part in parts))
    for old, name in zip(before, NAMES, strict=True):
        new, move = after[name], after[name].mean - old.mean
        np.testing.assert_allclose(new.quantiles - old.quantiles, np.repeat(move[..., np.newaxis], 3, axis=-1))
        np.testing.assert_allclose(new.paths - old.paths, np.repeat(move[np.newaxis], 6, axis=0), atol=1e-12)
    joined = reconciled(before, {total: "+".join(parts) for total, parts in SUMS.items()}, method)
    np.testing.assert_array_equal([each.mean for each in joined], [after[name].mean for name in NAMES])
    for old, name in zip(before, NAMES, strict=True):
        move = after[name].mean - old.mean
        if name == "other" or (method == "bottom_up" and name not in SUMS):
            np.testing.assert_array_equal(move, 0)


def test_variances_weigh_as_in_least_squares() -> None:
    before = forecasts()
    after = dict(zip(NAMES, reconciled(before, SUMS), strict=True))
    summing = np.array([[1, 1, 1], [1, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])  # all, land, north, south, sea
    for step in range(4):
        for target in range(2):
            width = np.array([np.ptp(each.quantiles[step, target]) for each in before[:5]])
            said = np.array([each.mean[step, target] for each in before[:5]])
            lowest = np.linalg.lstsq(summing / width[:, np.newaxis], said / width, rcond=None)[0]
            found = [after[name].mean[step, target] for name in ("north", "south", "sea")]
            np.testing.assert_allclose(found, lowest)


@pytest.mark.parametrize(
    ("sums", "named"), [({"all": ("nowhere",)}, "'nowhere'"), ({"all": ("land",), "land": ("all",)}, "part of itself")]
)
def test_sums_that_cannot_be_are_refused(sums: dict[str, tuple[str, ...]], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        reconciled(forecasts(), sums)
