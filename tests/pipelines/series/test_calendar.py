"""Calendar features against Python's own calendar."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from pipelines.series.calendar import MONTH, calendar_features, future_times

MOMENTS = [datetime(2013, 12, 31, 23, 59, 59, tzinfo=UTC) + timedelta(hours=7919) * step for step in range(-40, 40)]
SECONDS = np.array([int(moment.timestamp()) for moment in MOMENTS])


def angles(cycle: str) -> np.ndarray:
    cosine, sine = calendar_features(tf.constant(SECONDS), [cycle]).numpy().T  # type: ignore[list-item]
    np.testing.assert_allclose(cosine**2 + sine**2, 1, atol=1e-5)
    return np.arctan2(sine, cosine) % (2 * np.pi) / (2 * np.pi)


def test_time_of_day() -> None:
    expected = [(each.hour * 3600 + each.minute * 60 + each.second) / 86_400 for each in MOMENTS]
    np.testing.assert_allclose(angles("day"), expected, atol=1e-5)


def test_week_begins_on_saturday() -> None:
    days = np.array([(each.weekday() + 2) % 7 for each in MOMENTS]) + angles("day")
    np.testing.assert_allclose(angles("week"), days / 7, atol=1e-5)


def test_year_begins_at_the_winter_solstice_and_is_mirrored_about_it() -> None:
    days = np.array(
        [(each - datetime(each.year - 1, 12, 22, tzinfo=UTC)) / timedelta(days=365.2425) for each in MOMENTS]
    )
    difference = (angles("year") - days + 0.5) % 1 - 0.5
    assert np.abs(difference).max() < 1.5 / 365
    mirrored = calendar_features(tf.constant(SECONDS), ["year_mirrored"]).numpy()[:, 0]
    np.testing.assert_allclose(mirrored, np.cos(2 * np.pi * angles("year")), atol=1e-4)


@pytest.mark.parametrize("cycles", [[], ["day"], ["day", "year_mirrored", "week"]])
def test_number_of_features(cycles: list[str]) -> None:
    features = calendar_features(tf.constant(SECONDS.reshape(8, 10)), cycles)  # type: ignore[arg-type]
    assert features.shape == (8, 10, sum(1 if cycle == "year_mirrored" else 2 for cycle in cycles))  # type: ignore[arg-type]


def test_future_times_of_a_clock() -> None:
    ahead = future_times(tf.constant([0, 100], tf.int64), 3, 10, "clock")
    assert ahead.numpy().tolist() == [[10, 20, 30], [110, 120, 130]]


def test_future_times_of_business_days_are_those_of_pandas() -> None:
    for day in range(7):
        last = pd.Timestamp("2013-03-01 15:30") + pd.Timedelta(days=day)
        ahead = future_times(
            tf.constant([last.value // 10**9 if last.unit == "ns" else int(last.timestamp())]), 12, 86_400, "business"
        )
        expected = pd.bdate_range(last + pd.Timedelta(days=1), periods=12, normalize=False)
        assert [pd.Timestamp(second, unit="s") for second in ahead.numpy()[0]] == list(expected), last


@pytest.mark.parametrize("months", [1, 3, 12])
def test_future_times_of_months_are_those_of_pandas(months: int) -> None:
    days = ("2023-01-30T06", "2024-02-10", "1999-12-01", "2024-02-28", "1960-05-07")
    lasts = pd.DatetimeIndex([pd.Timestamp(day) for day in days])
    seconds = tf.constant(lasts.as_unit("s").astype(np.int64).to_numpy())
    ahead = future_times(seconds, 14, months * MONTH, "month").numpy()
    for last, found in zip(lasts, ahead, strict=True):
        expected = [last + pd.DateOffset(months=months * step) for step in range(1, 15)]
        assert [pd.Timestamp(second, unit="s") for second in found] == expected
    ends = pd.date_range("2023-02-28", periods=15, freq=pd.offsets.MonthEnd(months))
    found = future_times(tf.constant([int(ends[0].timestamp())]), 14, months * MONTH, "month").numpy()[0]
    assert [pd.Timestamp(second, unit="s") for second in found] == list(ends[1:])
