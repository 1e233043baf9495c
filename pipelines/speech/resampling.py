"""Audio at another number of samples a second, of the whole or part by part."""

import librosa
import numpy as np
import soxr


def resample(audio: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """Returns audio (samples,) of `rate` samples a second with `wanted` samples a second, float32."""
    if rate == wanted or not audio.size:
        return audio.astype(np.float32, copy=False)
    return librosa.resample(audio.astype(np.float32), orig_sr=rate, target_sr=wanted, res_type="soxr_hq")


class Resampler:
    """Resamples audio that comes in parts as `resample` does the whole.

    Example:
        >>> resampler, audio = Resampler(16000, 8000), np.sin(np.arange(16000) / 9).astype(np.float32)
        >>> joined = np.concatenate([resampler(audio[:5000]), resampler(audio[5000:], is_last=True)])
        >>> bool(np.abs(joined - resample(audio, 16000, 8000)).max() < 1e-5)
        True
    """

    def __init__(self, rate: int, wanted: int) -> None:
        self._stream = None if rate == wanted else soxr.ResampleStream(rate, wanted, 1, dtype="float32")

    def __call__(self, audio: np.ndarray, is_last: bool = False) -> np.ndarray:
        """Returns what can be known (samples,) after the next part (samples,)."""
        audio = audio.astype(np.float32, copy=False)
        return audio if self._stream is None else self._stream.resample_chunk(audio, last=is_last)


def resampled_length(samples: int, rate: int, wanted: int) -> int:
    """Returns the length of what `resample` makes of so many samples.

    >>> resampled_length(16001, 16000, 8000)
    8001
    """
    return int(np.ceil(samples * (wanted / rate)))  # librosa rounds this very product up
