"""What a forecaster of frames is measured against: rules that anyone would try first."""

from collections.abc import Callable, Iterable
from functools import partial

import cv2
import numpy as np

Baseline = Callable[[np.ndarray, int], np.ndarray]  # frames from 0 to 1 and how many to forecast, to forecasts


def available(training_frames: Iterable[np.ndarray]) -> dict[str, tuple[str, Baseline]]:
    """Returns the baselines by name, with a note."""
    return {
        "copy last": ("the last frame stays", copy_last),
        "mean frame": ("of the training split, whatever is seen", partial(constant, mean_frame(training_frames))),
        "mean of inputs": ("of the frames that are given", mean_of_inputs),
        "black": ("nothing is ever seen", partial(constant, np.zeros((), np.float32))),
        "optical flow": ("goes on moving as in the last two frames (OpenCV, Farnebäck)", optical_flow),
    }


def copy_last(frames: np.ndarray, future: int) -> np.ndarray:
    """The last frame, again and again."""
    return np.repeat(frames[:, -1:], future, axis=1)


def mean_of_inputs(frames: np.ndarray, future: int) -> np.ndarray:
    """The mean of the frames that are given, again and again."""
    return np.repeat(frames.mean(axis=1, keepdims=True), future, axis=1)


def constant(frame: np.ndarray, frames: np.ndarray, future: int) -> np.ndarray:
    """The same frame (height, width, channels), whatever is seen."""
    return np.broadcast_to(frame, (len(frames), future, *frames.shape[2:])).astype(np.float32)


def optical_flow(frames: np.ndarray, future: int) -> np.ndarray:
    """Each pixel goes on as it moved between the last two frames (Farnebäck, "Two-frame motion estimation", 2003)."""
    if frames.shape[1] < 2:
        return copy_last(frames, future)
    return np.stack([_extrapolated(clip[-2], clip[-1], future) for clip in frames])


def mean_frame(batches: Iterable[np.ndarray]) -> np.ndarray:
    """Returns the mean over all frames, float32 (height, width, channels), of uint8 clips."""
    total, count = np.zeros(()), 0
    for clips in batches:
        total = total + clips.sum(axis=(0, 1), dtype=np.float64)
        count += clips.shape[0] * clips.shape[1]
    return np.asarray(total / (255 * count), np.float32)


def _extrapolated(before: np.ndarray, last: np.ndarray, future: int) -> np.ndarray:
    old, new = (_grey(frame) for frame in (before, last))
    # From each pixel of the last frame back to where it came from; so much farther on it is found the other way.
    nothing = np.zeros((*new.shape, 2), np.float32)
    flow = cv2.calcOpticalFlowFarneback(new, old, nothing, 0.5, 3, 15, 3, 5, 1.2, 0)  # OpenCV's usual parameters
    rows, columns = np.indices(new.shape, dtype=np.float32)
    shape = last.shape
    forecasts = [
        cv2.remap(
            np.ascontiguousarray(last, np.float32),
            columns + step * flow[..., 0],
            rows + step * flow[..., 1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        ).reshape(shape)
        for step in range(1, future + 1)
    ]
    return np.stack(forecasts)


def _grey(frame: np.ndarray) -> np.ndarray:
    """The frame as uint8 (height, width)."""
    return np.rint(255 * frame.mean(axis=-1)).astype(np.uint8)
