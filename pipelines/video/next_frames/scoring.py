"""How wrong forecast frames are, frame by frame, by the definitions that papers on Moving MNIST use."""

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from skimage.metrics import structural_similarity

from pipelines.evaluation import Metric, bootstrap

METRICS = ("squared_error", "mae", "ssim", "psnr", "ssim_openstl")
HIGHER_IS_BETTER = ("ssim", "psnr", "ssim_openstl")
SSIM_RANGES = {"ssim": 1.0, "ssim_openstl": 2.0}  # of the pixels, which the two constants of SSIM depend on
BEST_PSNR = 100.0  # dB, of frames that are equal, whose PSNR would be infinite

Scores: TypeAlias = dict[str, np.ndarray]  # of each metric, (clips, future)


def score(forecasts: np.ndarray, truth: np.ndarray) -> Scores:
    """Scores each forecast frame against the truth.

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
    return errors | {name: _similarity(forecasts, truth, size) for name, size in SSIM_RANGES.items()}


def _similarity(forecasts: np.ndarray, truth: np.ndarray, data_range: float) -> np.ndarray:
    return np.array(
        [
            [structural_similarity(*pair, data_range=data_range, channel_axis=-1) for pair in zip(*clip, strict=True)]
            for clip in zip(forecasts, truth, strict=True)
        ]
    )


def metrics(scores: Scores, block: int = 1) -> dict[str, Metric]:
    """The means over clips and frames, with intervals from a bootstrap of clips.

    Args:
        scores: as `score` returns them.
        block: so many neighbouring clips overlap, and are drawn together.
    """
    return {name: bootstrap(scores[name].mean(axis=1), block=block) for name in METRICS}


def best_baseline(rows: Mapping[str, Mapping[str, Metric]], metric: str, model: str = "model") -> str:
    """Name of the row, other than the model's, that is best by a metric.

    >>> rows = {"model": {"ssim": Metric(0.9)}, "black": {"ssim": Metric(0.5)}, "copy": {"ssim": Metric(0.6)}}
    >>> best_baseline(rows, "ssim")
    'copy'
    """
    others = [name for name in rows if name != model]
    choose = max if metric in HIGHER_IS_BETTER else min
    return choose(others, key=lambda name: rows[name][metric].value)
