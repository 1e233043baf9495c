"""Log-mel features: against librosa, and in chunks against whole."""

import librosa
import numpy as np
import pytest
import tensorflow as tf

from pipelines.speech.features import FLOOR, FeatureConfiguration, LogMel


@pytest.fixture
def audio() -> np.ndarray:
    random = np.random.default_rng(0)
    tone = np.sin(np.cumsum(np.linspace(0.1, 1.5, 12000)))
    return (0.3 * tone + 0.01 * random.standard_normal(12000)).astype(np.float32)


@pytest.mark.parametrize(
    "configuration",
    [
        FeatureConfiguration(),
        FeatureConfiguration(sample_rate=16000, mel_bands=80, lowest_hertz=0.0),
        FeatureConfiguration(hop_seconds=0.0125, window_seconds=0.032),
    ],
)
def test_features_equal_librosas(configuration: FeatureConfiguration, audio: np.ndarray) -> None:
    features = LogMel(configuration)(audio[np.newaxis])[0].numpy()
    preceded = np.concatenate([np.zeros(configuration.context, np.float32), audio])
    power = librosa.feature.melspectrogram(
        y=preceded,
        sr=configuration.sample_rate,
        n_fft=configuration.fft_size,
        hop_length=configuration.hop,
        win_length=configuration.window,
        center=False,
        n_mels=configuration.mel_bands,
        fmin=configuration.lowest_hertz,
    )
    assert features.shape == (len(audio) // configuration.hop, configuration.mel_bands)
    np.testing.assert_allclose(features, np.log(np.maximum(power, FLOOR)).T, atol=1e-4)


def test_chunks_give_the_frames_of_the_whole(audio: np.ndarray) -> None:
    log_mel = LogMel(FeatureConfiguration())
    hop, context = log_mel.configuration.hop, log_mel.configuration.context
    whole = log_mel(audio[np.newaxis])
    frames, before = [], tf.zeros((1, context))
    for start in range(0, 12000, 3 * hop):
        chunk = audio[np.newaxis, start : start + 3 * hop]
        frames.append(log_mel(chunk, before))
        before = tf.concat([before, chunk], axis=1)[:, -context:]
    np.testing.assert_allclose(tf.concat(frames, axis=1), whole, atol=1e-5)


def test_silence_is_finite() -> None:
    np.testing.assert_allclose(LogMel(FeatureConfiguration())(tf.zeros((1, 800))), np.log(FLOOR), rtol=1e-6)
