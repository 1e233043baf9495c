"""Small real audio files for the tests of speech recognition."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile


@pytest.fixture
def write_tone() -> Callable[..., Path]:
    """A function that writes a tone with some noise, of any format that the name's ending says."""

    def write(path: Path, seconds: float = 0.5, rate: int = 8000, hertz: float = 440.0, channels: int = 1) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        time = np.arange(round(seconds * rate)) / rate
        noise = np.random.default_rng(0).normal(scale=0.002, size=(time.size, channels))
        tone = 0.4 * np.sin(2 * np.pi * hertz * time)[:, np.newaxis] + noise  # (samples, channels)
        soundfile.write(path, tone.astype(np.float32), rate)
        return path

    return write
