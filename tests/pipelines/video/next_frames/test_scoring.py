"""Scores and baselines, against what is written out by hand."""

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from skimage.util.dtype import dtype_range

from pipelines.configuration import ConfigurationError
from pipelines.video.next_frames import baselines
from pipelines.video.next_frames.scoring import (
    by_horizon,
    exceedances,
    levels_of,
    metrics,
    score,
    skills,
)

WINDOW = 3  # of FSS

RANGE_OF_FLOATS = dtype_range[np.float32][1] - dtype_range[np.float32][0]
"""What scikit-image took for the range when OpenSTL asked it for none."""


def test_scores_are_those_of_each_frame() -> None:
    random = np.random.default_rng(0)
    truth, forecasts = random.uniform(size=(2, 3, 2, 8, 9, 3)).astype(np.float32)
    found = score(forecasts, truth)
    for clip, frame in np.ndindex(3, 2):
        error = forecasts[clip, frame].astype(np.float64) - truth[clip, frame]
        assert found["squared_error"][clip, frame] == pytest.approx((error**2).sum(), rel=1e-5)
        assert found["mae"][clip, frame] == pytest.approx(np.abs(error).sum(), rel=1e-5)
        psnr = peak_signal_noise_ratio(truth[clip, frame], forecasts[clip, frame], data_range=1.0)
        assert found["psnr"][clip, frame] == pytest.approx(psnr, rel=1e-5)
        for name, data_range in (("ssim", 1.0), ("ssim_openstl", RANGE_OF_FLOATS)):
            similarity = structural_similarity(
                truth[clip, frame], forecasts[clip, frame], data_range=data_range, channel_axis=-1
            )
            assert found[name][clip, frame] == pytest.approx(similarity, rel=1e-5)
    mean = metrics(found)["squared_error"]
    assert mean.value == pytest.approx(found["squared_error"].mean())
    assert mean.low < mean.value < mean.high


def test_baselines_do_what_they_say() -> None:
    random = np.random.default_rng(0)
    frames = random.uniform(size=(2, 4, 16, 16, 1)).astype(np.float32)
    training = [random.integers(256, size=(3, 4, 16, 16, 1), dtype=np.uint8) for _ in range(2)]
    found = {name: rule(frames, 3) for name, (_, rule) in baselines.available(training).items()}
    assert {each.shape for each in found.values()} == {(2, 3, 16, 16, 1)}
    np.testing.assert_array_equal(found["copy last"], frames[:, [-1] * 3])
    np.testing.assert_allclose(found["mean of inputs"][:, 2], frames.mean(axis=1), atol=1e-6)
    np.testing.assert_allclose(found["mean frame"][1, 0], np.concatenate(training).mean(axis=(0, 1)) / 255, atol=1e-6)
    assert not found["black"].any()


def test_optical_flow_goes_on_with_a_steady_motion() -> None:
    rows, columns = np.indices((48, 48), dtype=np.float32)

    def blob(time: float) -> np.ndarray:
        return np.exp(-((rows - 16 - 2 * time) ** 2 + (columns - 20 - time) ** 2) / 72)[..., np.newaxis]

    frames = np.stack([blob(time) for time in range(4)])[np.newaxis]
    truth = np.stack([blob(time) for time in range(4, 7)])[np.newaxis]
    flow, copy = (np.abs(rule(frames, 3) - truth).sum() for rule in (baselines.optical_flow, baselines.copy_last))
    assert flow < 0.35 * copy
    np.testing.assert_array_equal(baselines.optical_flow(frames[:, :1], 2), baselines.copy_last(frames[:, :1], 2))


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
    np.testing.assert_array_equal(by_horizon(score(late, truth, levels, WINDOW), levels)["csi_1"], [1, 0])


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
