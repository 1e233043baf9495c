"""Log-mel features in the TensorFlow graph: the same code in training, streaming and the exported model.

A frame sees only samples at and before its own hop: the audio is preceded by `fft_size − hop` zeros, so that `n` hops
of samples give `n` frames, and a stream that remembers the last `fft_size − hop` samples computes the same frames as
the whole recording. On audio so preceded the result equals `librosa.feature.melspectrogram(center=False)`, in
logarithms.
"""

from typing import Annotated

import librosa
import numpy as np
import pydantic
import tensorflow as tf
from pydantic import Field

from pipelines.configuration import Configuration

FROM_DATA = -1
"""In place of a setting: it follows from the recordings, see `pipelines.speech.rules`."""

FLOOR = 1e-6  # of the mel power, about the noise of 16-bit audio; keeps digital silence finite


def or_from_data(least: float, most: float = float("inf")) -> pydantic.AfterValidator:
    """Returns a check of a number, which may be `FROM_DATA`."""

    def check(value: float) -> float:
        if value != FROM_DATA and not least <= value <= most:
            limit = "" if most == float("inf") else f" and at most {most:g}"
            raise ValueError(f"expected at least {least:g}{limit}, or {FROM_DATA} to follow from the recordings")
        return value

    return pydantic.AfterValidator(check)


class FeatureConfiguration(Configuration):
    """How audio becomes features."""

    sample_rate: Annotated[int, or_from_data(4000, 48000)] = Field(
        8000, description=f"samples a second; other rates are resampled; {FROM_DATA}: from the recordings"
    )
    hop_seconds: float = Field(0.010, gt=0.001, le=0.1, description="time between frames")
    window_seconds: float = Field(0.025, gt=0.002, le=0.2, description="duration of a frame")
    mel_bands: Annotated[int, or_from_data(8, 256)] = Field(
        64, description=f"frequency bands of a frame; {FROM_DATA}: from the recordings"
    )
    lowest_hertz: float = Field(60.0, ge=0, description="lower edge of the lowest band")

    @property
    def hop(self) -> int:
        """Samples between frames."""
        return round(self.sample_rate * self.hop_seconds)

    @property
    def window(self) -> int:
        """Samples under the window."""
        return round(self.sample_rate * self.window_seconds)

    @property
    def fft_size(self) -> int:
        """Samples in a Fourier transform: the power of two that holds the window."""
        return int(2 ** np.ceil(np.log2(self.window)))

    @property
    def context(self) -> int:
        """Samples before its hop that a frame sees."""
        return self.fft_size - self.hop


class LogMel(tf.Module):
    """Log-mel power spectrum.

    `feature[t, m] = log max(FLOOR, Σ_k M[m, k] |FFT(w ⊙ frame_t)[k]|²)` with a Hann window `w` and Slaney's mel filters
    `M` (Davis and Mermelstein 1980, https://doi.org/10.1109/TASSP.1980.1163420).

    Args:
        configuration: rates and sizes.

    Example:
        >>> import tensorflow as tf
        >>> from pipelines.speech.features import FeatureConfiguration, LogMel
        >>> LogMel(FeatureConfiguration())(tf.zeros((1, 8000))).shape
        TensorShape([1, 100, 64])
    """

    def __init__(self, configuration: FeatureConfiguration) -> None:
        super().__init__()
        self.configuration = configuration
        margin = configuration.fft_size - configuration.window
        window = librosa.filters.get_window("hann", configuration.window, fftbins=True)
        # NumPy's, not TensorFlow's: so they are constants of each graph, which converters read.
        self.window = np.pad(window, (margin // 2, margin - margin // 2)).astype(np.float32)
        filters = librosa.filters.mel(
            sr=configuration.sample_rate,
            n_fft=configuration.fft_size,
            n_mels=configuration.mel_bands,
            fmin=configuration.lowest_hertz,
        )
        self.filters = filters.T.astype(np.float32)  # (frequencies, mel bands)

    def __call__(self, audio: tf.Tensor, context: tf.Tensor | None = None) -> tf.Tensor:
        """Returns features (batch, samples // hop, mel bands) of audio (batch, samples).

        Args:
            audio: float32 (batch, samples) in −1 … 1.
            context: the `configuration.context` samples that came before (batch, context). None: silence.
        """
        if context is None:
            context = tf.zeros((tf.shape(audio)[0], self.configuration.context), audio.dtype)
        audio = tf.concat([context, audio], axis=1)
        frames = tf.signal.frame(audio, self.configuration.fft_size, self.configuration.hop)  # (batch, frames, fft)
        power = tf.square(tf.abs(tf.signal.rfft(frames * self.window)))
        return tf.math.log(tf.maximum(tf.tensordot(power, self.filters, 1), FLOOR))
