"""Making few recordings sound like many: speed, loudness and noise on the audio, masks on the features."""

import keras
import librosa
import numpy as np
import tensorflow as tf
from pydantic import Field

from pipelines.configuration import Configuration


class AudioAugmentationConfiguration(Configuration):
    """Changes to a recording before its features are computed; 0 turns each off."""

    speed: float = Field(
        0.15, ge=0, le=0.5, description="largest relative change of speed, which also changes the pitch"
    )
    gain_decibels: float = Field(6.0, ge=0, le=40, description="largest change of loudness")
    noise_decibels: float = Field(
        30.0, ge=0, description="signal-to-noise ratio of the quietest added noise; 0: no noise"
    )
    noise_share: float = Field(0.3, ge=0, le=1, description="share of recordings with added noise")


class SpecAugmentConfiguration(Configuration):
    """Masks over the normalised features; 0 masks turn each off."""

    frequency_masks: int = Field(2, ge=0, description="frequency masks in a recording")
    frequency_width: int = Field(12, ge=1, description="mel bands under the widest mask")
    time_masks_a_second: float = Field(0.8, ge=0, description="time masks in a second of a recording")
    time_width: int = Field(12, ge=1, description="frames under the longest mask")


def augment_audio(
    audio: np.ndarray, sample_rate: int, configuration: AudioAugmentationConfiguration, random: np.random.Generator
) -> np.ndarray:
    """Returns a recording (samples,) at another speed and loudness, with noise; the same for the same `random`.

    Speed perturbation as by Ko et al. 2015, https://doi.org/10.21437/Interspeech.2015-711.
    """
    if configuration.speed:
        rate = sample_rate * _speed(configuration, random)
        audio = librosa.resample(audio, orig_sr=rate, target_sr=sample_rate, res_type="soxr_mq")
    audio = audio * 10 ** (random.uniform(-1, 1) * configuration.gain_decibels / 20)
    if configuration.noise_decibels and random.random() < configuration.noise_share:
        colour = random.uniform(0, 0.95)  # from white noise to a rumble
        noise = random.standard_normal(audio.shape)
        noise = np.convolve(noise, colour ** np.arange(32), mode="same")
        level = 10 ** (-random.uniform(10, max(10.0, configuration.noise_decibels)) / 20)
        audio = audio + level * noise * (_root_mean_square(audio) / (_root_mean_square(noise) + 1e-9))
    return np.clip(audio, -1, 1).astype(np.float32)


def augmented_length(
    samples: int, sample_rate: int, configuration: AudioAugmentationConfiguration, random: np.random.Generator
) -> int:
    """Returns how long `augment_audio` makes a recording of so many samples, with the same `random`.

    >>> one = AudioAugmentationConfiguration(), np.random.default_rng(1)
    >>> other = AudioAugmentationConfiguration(), np.random.default_rng(1)
    >>> augmented_length(9000, 8000, *one) == len(augment_audio(np.zeros(9000, np.float32), 8000, *other))
    True
    """
    if not configuration.speed:
        return samples
    return int(np.ceil(samples * (float(sample_rate) / (sample_rate * _speed(configuration, random)))))  # as librosa


def _speed(configuration: AudioAugmentationConfiguration, random: np.random.Generator) -> float:
    return 1 + random.uniform(-configuration.speed, configuration.speed)


def _root_mean_square(audio: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(audio)))) if audio.size else 0.0


class SpecAugment(keras.layers.Layer):
    """Replaces random bands and stretches of features by their mean, 0, in training.

    Park et al. 2019, https://arxiv.org/abs/1904.08779; the number of stretches grows with the recording, as by Park et
    al. 2020, https://arxiv.org/abs/1912.05533.

    Args:
        configuration: how many masks, how wide.
        seed: of the masks.
    """

    def __init__(self, configuration: SpecAugmentConfiguration, seed: int = 0, frames_a_second: float = 100.0) -> None:
        super().__init__(name="spec_augment")
        self.configuration = configuration
        self.frames_a_second = frames_a_second
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, features: tf.Tensor, lengths: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns features (batch, frames, bands), of which `lengths` (batch,) frames count, masked if `training`."""
        if not training:
            return features
        configuration, shape = self.configuration, tf.shape(features)
        keep = tf.ones((shape[0], 1, 1), tf.bool)
        if configuration.frequency_masks:
            bands = tf.fill((shape[0], configuration.frequency_masks), shape[2])
            masked = self._masks(bands, configuration.frequency_width, shape[2])
            keep &= ~tf.reduce_any(masked, axis=1)[:, tf.newaxis, :]  # (batch, 1, bands)
        if configuration.time_masks_a_second:
            wanted = tf.cast(lengths, tf.float32) / self.frames_a_second * configuration.time_masks_a_second
            most = tf.cast(tf.math.ceil(tf.reduce_max(wanted)), tf.int32)
            stretches = tf.tile(tf.cast(lengths, tf.int32)[:, tf.newaxis], (1, most))
            masked = self._masks(stretches, configuration.time_width, shape[1])
            masked &= (tf.range(tf.cast(most, tf.float32)) < wanted[:, tf.newaxis])[..., tf.newaxis]
            keep &= ~tf.reduce_any(masked, axis=1)[:, :, tf.newaxis]  # (batch, frames, 1)
        return tf.where(keep, features, tf.zeros_like(features))

    def _masks(self, limits: tf.Tensor, width: int, size: tf.Tensor) -> tf.Tensor:
        """Masks (batch, masks, size), each at most `width` wide and within its limit (batch, masks)."""
        widths = keras.random.uniform(tf.shape(limits), 0, width + 1, seed=self.seed_generator)
        starts = keras.random.uniform(tf.shape(limits), 0, 1, seed=self.seed_generator)
        starts *= tf.maximum(tf.cast(limits, tf.float32) - widths, 0)
        index = tf.range(tf.cast(size, tf.float32))
        return (index >= tf.floor(starts)[..., tf.newaxis]) & (
            index < tf.floor(starts)[..., tf.newaxis] + tf.floor(widths)[..., tf.newaxis]
        )
