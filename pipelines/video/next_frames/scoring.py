"""How wrong forecast frames are, as papers on Moving MNIST define it, and where thresholds are reached, as on radar."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from scipy.ndimage import uniform_filter
from skimage.metrics import structural_similarity

from pipelines.configuration import ConfigurationError
from pipelines.evaluation import Metric, bootstrap, ratio
from pipelines.video.frames import to_uint8

METRICS = ("squared_error", "mae", "ssim", "psnr", "ssim_openstl")
HIGHER_IS_BETTER = ("ssim", "psnr", "ssim_openstl")
SSIM_RANGES = {"ssim": 1.0, "ssim_openstl": 2.0}  # of the pixels, which the two constants of SSIM depend on
SKILLS = ("csi", "pod", "far", "fss")
OF_BYTES = (0.0, 255.0)  # black and white of videos of 8 bits, whose unit is that of their pixels
BEST_PSNR = 100.0  # dB, of frames that are equal, whose PSNR would be infinite

Scores: TypeAlias = dict[str, np.ndarray]  # of each metric, (clips, future)


def score(forecasts: np.ndarray, truth: np.ndarray, levels: Mapping[str, int] = {}, window: int = 1) -> Scores:
    """Scores each forecast frame against the truth, and counts where thresholds are reached, as of `exceedances`.

    - `squared_error`, `mae` (of the absolute error): with pixels from 0 to 1, summed over the frame (and its
      colours), as in PredRNN (Wang et al. 2017) and most papers since, where they are called MSE and MAE;
    - `ssim`: structural similarity (Wang et al. 2004) with scikit-image's defaults, that is, a uniform window of
      7 × 7 pixels, for a range of 1, the mean over the colours;
    - `psnr`: 10 log10(1 / mean squared error) of the frame, in dB, at most 100;
    - `ssim_openstl`: as `ssim`, for a range of 2, which scikit-image used to take for floats; so OpenSTL (Tan et al.
      2023) and the papers that compare with it have it. It is higher, most of all in darkness.

    Args:
        forecasts: (clips, future, height, width, channels), from 0 to 1.
        truth: likewise.
        levels: as `levels_of` returns them.
        window: side of the squares of FSS, in pixels, odd.

    Example:
        >>> black, white = np.zeros((1, 1, 8, 8, 1), np.float32), np.ones((1, 1, 8, 8, 1), np.float32)
        >>> {name: float(value[0, 0]) for name, value in score(black, white).items() if "ssim" not in name}
        {'squared_error': 64.0, 'mae': 64.0, 'psnr': 0.0}
        >>> {name: round(float(value[0, 0]), 3) for name, value in score(white, white).items()}
        {'squared_error': 0.0, 'mae': 0.0, 'psnr': 100.0, 'ssim': 1.0, 'ssim_openstl': 1.0}
    """
    squared = np.square(forecasts - truth, dtype=np.float64)
    frame = (2, 3, 4)
    errors = {
        "squared_error": squared.sum(axis=frame),
        "mae": np.abs(forecasts - truth).sum(axis=frame, dtype=np.float64),
        "psnr": np.minimum(BEST_PSNR, 10 * np.log10(1 / np.maximum(squared.mean(axis=frame), 1e-12))),
    }
    errors |= {name: _similarity(forecasts, truth, size) for name, size in SSIM_RANGES.items()}
    return errors | exceedances(forecasts, truth, levels, window)


def _similarity(forecasts: np.ndarray, truth: np.ndarray, data_range: float) -> np.ndarray:
    return np.array(
        [
            [structural_similarity(*pair, data_range=data_range, channel_axis=-1) for pair in zip(*clip, strict=True)]
            for clip in zip(forecasts, truth, strict=True)
        ]
    )


def metrics(scores: Scores, levels: Mapping[str, int] = {}, block: int = 1) -> dict[str, Metric]:
    """The means over clips and frames, and the skills at thresholds, with intervals from a bootstrap of clips.

    Args:
        scores: as `score` returns them.
        levels: as `levels_of` returns them.
        block: so many neighbouring clips overlap, and are drawn together.
    """
    means = {name: bootstrap(scores[name].mean(axis=1), block=block) for name in METRICS}
    return means | skills(scores, levels, block)


def by_horizon(scores: Scores, levels: Mapping[str, int]) -> Scores:
    """The metrics of all clips together, each (future,), one for each frame ahead."""
    means = {metric: scores[metric].mean(axis=0) for metric in METRICS}
    return means | {name: ratio(*parts, axis=0) for name, parts in ratios(scores, levels).items()}


def levels_of(thresholds: Sequence[float], value_range: tuple[float, float] | None) -> dict[str, int]:
    """Returns for each threshold, by its name, the pixel from which on it is reached.

    Args:
        value_range: the values of black and white. Default: 0 and 255.

    Raises:
        ConfigurationError: a threshold is not between black and white, or two mean the same pixel.

    >>> levels_of([20, 35.5], (0, 70))
    {'20': 73, '35.5': 129}
    """
    low, high = value_range or OF_BYTES
    levels = {f"{each:g}": int(to_uint8(np.array(each), (low, high))[0]) for each in thresholds}
    if wrong := [each for each in thresholds if not low < each <= high or not levels[f"{each:g}"]]:
        raise ConfigurationError(
            f"thresholds: expected values above {low:g} (black) and up to {high:g} (white), in the data's own unit. "
            f"Change them, or state the range: --data.value_range. Received: {', '.join(f'{each:g}' for each in wrong)}"
        )
    if len(set(levels.values())) < len(thresholds):
        raise ConfigurationError(
            f"thresholds: expected values that differ by a pixel's step, {(high - low) / 255:.3g}, at least. Leave "
            f"some out. Received: {', '.join(f'{each:g}' for each in thresholds)}"
        )
    return levels


def exceedances(forecasts: np.ndarray, truth: np.ndarray, levels: Mapping[str, int], window: int) -> Scores:
    """Counts in each forecast frame where thresholds are reached, by the threshold's name.

    - `hits_…`, `misses_…`, `false_alarms_…`: pixels that reach it in forecast and truth, in the truth, in the forecast
      only;
    - `fractions_…`, `fractions_error_…`: sums of p² + q² and of (p − q)², with p and q the shares of the pixels in the
      square around each pixel that reach it in forecast and truth; outside of the frame is nothing.

    Arguments as of `score`.
    """
    found: Scores = {}
    shown = [np.rint(255 * np.clip(each, 0, 1)) for each in (forecasts, truth)]
    for name, level in levels.items():
        predicted, actual = (each >= level for each in shown)
        counts = {"hits": predicted & actual, "misses": actual & ~predicted, "false_alarms": predicted & ~actual}
        size = (1, 1, window, window, 1)
        p, q = (uniform_filter(each.astype(np.float64), size, mode="constant") for each in (predicted, actual))
        counts |= {"fractions": p**2 + q**2, "fractions_error": (p - q) ** 2}
        found |= {f"{what}_{name}": each.sum(axis=(2, 3, 4), dtype=np.float64) for what, each in counts.items()}
    return found


def ratios(scores: Scores, levels: Mapping[str, int]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Returns numerators and denominators, (clips, future), of the skills at each threshold, such as `csi_35`.

    - CSI, the critical success index: hits / (hits + misses + false alarms);
    - POD, the probability of detection: hits / (hits + misses);
    - FAR, the false alarm ratio: false alarms / (hits + false alarms);
    - FSS, the fractions skill score: 1 − Σ (p − q)² / Σ (p² + q²) (Roberts and Lean, Monthly Weather Review 136, 2008).

    Counts are summed before they are divided, over all clips and frames that belong together.
    """
    found = {}
    for name in levels:
        hits, misses, alarms, fractions, error = (
            scores[f"{what}_{name}"] for what in ("hits", "misses", "false_alarms", "fractions", "fractions_error")
        )
        found[f"csi_{name}"] = hits, hits + misses + alarms
        found[f"pod_{name}"] = hits, hits + misses
        found[f"far_{name}"] = alarms, hits + alarms
        found[f"fss_{name}"] = fractions - error, fractions
    return found


def skills(scores: Scores, levels: Mapping[str, int], block: int = 1) -> dict[str, Metric]:
    """The skills over all clips and frames; not a number without any event. Arguments as of `metrics`."""
    found = {}
    for name, parts in ratios(scores, levels).items():
        sums = tuple(each.sum(axis=1) for each in parts)
        found[name] = bootstrap(sums, ratio, block=block) if sums[1].any() else Metric(np.nan)
    return found
