"""Scores and baselines, against what is written out by hand."""

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from skimage.util.dtype import dtype_range

from pipelines.video.next_frames import baselines
from pipelines.video.next_frames.scoring import METRICS, best_baseline, metrics, score

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


def test_the_best_baseline_is_by_the_metric_s_own_direction() -> None:
    def of(scale: float) -> dict:
        return metrics({name: np.full((4, 2), scale) for name in METRICS})

    rows = {"model": of(9.0), "one": of(1.0), "two": of(2.0)}
    assert best_baseline(rows, "squared_error") == "one"
    assert best_baseline(rows, "ssim") == "two"


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
