"""Skills at thresholds, against counts by hand, one pixel after another."""

import numpy as np
import pytest

from pipelines.configuration import ConfigurationError
from pipelines.video.next_frames.verification import by_horizon, exceedances, levels_of, skills

WINDOW = 3


def drawn(seed: int, clips: int = 30) -> np.ndarray:
    """Frames (clips, 2, 6, 7, 1) from 0 to 1 in steps of a pixel."""
    return (np.random.default_rng(seed).integers(0, 256, (clips, 2, 6, 7, 1)) / 255).astype(np.float32)


def test_skills_are_those_that_are_counted_by_hand() -> None:
    forecasts, truth = drawn(0), drawn(1)
    levels = levels_of([32, 50], (0, 255 / 4))
    found = skills(exceedances(forecasts, truth, levels, WINDOW), levels)
    for threshold in (32, 50):
        said, came = (np.rint(255 * each[..., 0]) / 4 >= threshold for each in (forecasts, truth))
        hits = misses = alarms = 0
        error = reference = 0.0
        for place in np.ndindex(said.shape):
            hits += said[place] and came[place]
            misses += came[place] and not said[place]
            alarms += said[place] and not came[place]
            clip, frame, row, column = place
            rows = [each for each in range(row - 1, row + 2) if 0 <= each < 6]
            columns = [each for each in range(column - 1, column + 2) if 0 <= each < 7]
            p, q = (sum(each[clip, frame, y, x] for y in rows for x in columns) / 9 for each in (said, came))
            error, reference = error + (p - q) ** 2, reference + p**2 + q**2
        expected = {
            "csi": hits / (hits + misses + alarms),
            "pod": hits / (hits + misses),
            "far": alarms / (hits + alarms),
            "fss": 1 - error / reference,
        }
        for skill, value in expected.items():
            metric = found[f"{skill}_{threshold}"]
            assert metric.value == pytest.approx(value) and metric.low < value < metric.high


def test_a_forecast_that_is_right_and_one_that_is_near() -> None:
    truth, levels = np.zeros((3, 2, 12, 12, 1), np.float32), {"1": 200}
    truth[:, :, 4:6, 4:6] = 1
    right = skills(exceedances(truth, truth, levels, WINDOW), levels)
    assert {name: metric.value for name, metric in right.items()} == {"csi_1": 1, "pod_1": 1, "far_1": 0, "fss_1": 1}
    near = np.roll(truth, 2, axis=3)
    shares = [skills(exceedances(near, truth, levels, window), levels)["fss_1"].value for window in (1, 3, 5, 9)]
    assert shares[0] == 0 and shares == sorted(shares) and shares[-1] > 0.6
    late = np.concatenate([truth[:, :1], near[:, 1:]], axis=1)
    np.testing.assert_array_equal(by_horizon(exceedances(late, truth, levels, WINDOW), levels)["csi_1"], [1, 0])


def test_without_an_event_a_skill_is_unknown() -> None:
    levels = {"1": 200}
    found = skills(exceedances(drawn(0) * 0, drawn(0) * 0, levels, WINDOW), levels)
    assert all(np.isnan(metric.value) and metric.low is None for metric in found.values())


def test_a_threshold_is_a_value_of_the_data() -> None:
    assert levels_of([100, 255], None) == {"100": 100, "255": 255}
    assert levels_of([-20.0], (-30, 70)) == {"-20": 26}
    for thresholds in ([80], [0], [1e-6]):
        with pytest.raises(ConfigurationError, match=r"above 0 \(black\) and up to 70 \(white\).*Received"):
            levels_of(thresholds, (0, 70))
    with pytest.raises(ConfigurationError, match=r"differ by a pixel's step, 0\.275"):
        levels_of([35, 35.01], (0, 70))
