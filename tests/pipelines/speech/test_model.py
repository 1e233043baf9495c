"""The network: padding, chunks, gradients, augmentation."""

import numpy as np
import pytest
import tensorflow as tf

from models.losses import ctc_loss
from pipelines.speech.augmentation import SpecAugment, SpecAugmentConfiguration, augment_audio
from pipelines.speech.config import AudioAugmentationConfiguration, SpeechConfiguration
from pipelines.speech.model import Recogniser, build

ALPHABET = (" ", "a", "b")


def recogniser(**network: object) -> Recogniser:
    sizes = {"units": 5, "layers": 2, "filters": 3, "subsampling": 4, "self_conditioning": True} | network
    return build(SpeechConfiguration().replace(network=sizes), ALPHABET)


@pytest.fixture
def audio() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, (2, 8000)).astype(np.float32)


@pytest.mark.parametrize("recurrent", ["simple_rnn", "lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_padding_changes_nothing(audio: np.ndarray, recurrent: str, bidirectional: bool) -> None:
    network = recogniser(recurrent=recurrent, bidirectional=bidirectional)
    padded = audio.copy()
    padded[0, 5000:] = 7.0  # whatever stands behind the end
    both = network(padded, tf.constant([5000, 8000]))
    alone = network(audio[:1, :5000], tf.constant([5000]))
    assert both.lengths.numpy().tolist() == [5000 // 320, 25]
    np.testing.assert_allclose(both.logits[0, : 5000 // 320], alone.logits[0], atol=1e-5)


def test_padding_changes_neither_loss_nor_gradient(audio: np.ndarray) -> None:
    network = recogniser()

    def loss_and_gradient(recording: np.ndarray) -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            read = network(recording, tf.constant([5000]))
            loss = ctc_loss(read.logits, read.lengths, [[1, 2, 2]], [3])
        return loss, tape.gradient(loss, [weight.value for weight in network.trainable_variables])

    loss, gradients = loss_and_gradient(audio[:1, :5000])
    padded_loss, padded_gradients = loss_and_gradient(audio[:1])
    np.testing.assert_allclose(loss, padded_loss, rtol=1e-5)
    for gradient, padded in zip(gradients, padded_gradients, strict=True):
        np.testing.assert_allclose(gradient, padded, atol=1e-4)
        assert np.any(gradient.numpy() != 0)


@pytest.mark.parametrize("recurrent", ["simple_rnn", "lstm", "gru"])
def test_chunks_equal_the_whole(audio: np.ndarray, recurrent: str) -> None:
    network = recogniser(recurrent=recurrent, bidirectional=False)
    whole = network(audio, tf.constant([8000, 8000])).logits
    state, parts = None, []
    for samples in (320, 640, 3200, 3840):
        start = sum(part.shape[1] for part in parts) * 320
        logits, _, state, _ = network(audio[:, start : start + samples], tf.constant([samples] * 2), state=state)
        parts.append(logits)
    np.testing.assert_allclose(tf.concat(parts, axis=1), whole, atol=1e-5)


@pytest.mark.parametrize("samples", [0, 1, 319, 320])
def test_the_shortest_recordings_have_no_frame_or_one(samples: int) -> None:
    result = recogniser()(tf.zeros((1, samples)), tf.constant([samples]))
    assert int(result.lengths[0]) == samples // 320
    assert np.all(np.isfinite(result.logits))


def test_normalisation_is_fitted_on_what_it_is_given() -> None:
    network = recogniser()
    assert not network.mean.numpy().any(), "nothing is drawn for it"
    recordings = np.random.default_rng(0).normal(0, 0.1, (3, 4000)).astype(np.float32)
    network.adapt(tf.data.Dataset.from_tensor_slices(recordings))
    features = network.log_mel(recordings).numpy().reshape(-1, 64)
    np.testing.assert_allclose(network.mean, features.mean(0), atol=1e-4)
    np.testing.assert_allclose(network.deviation, features.std(0), atol=1e-3)


def test_masks_stay_within_the_recording_and_their_widths() -> None:
    layer = SpecAugment(SpecAugmentConfiguration(frequency_masks=0, time_masks_a_second=2.0, time_width=7), seed=1)
    lengths = tf.constant([100, 400])
    masked = layer(tf.ones((2, 400, 8)), lengths, training=True).numpy() == 0
    assert masked.any(axis=(1, 2)).all()
    assert (masked == masked[:, :, :1]).all(), "a stretch covers all bands"
    assert not masked[0, 100:].any(), "nothing behind the end"
    assert masked[0, :, 0].sum() <= 2 * 7
    assert masked[1, :, 0].sum() <= 8 * 7
    np.testing.assert_array_equal(layer(tf.ones((2, 400, 8)), lengths), np.ones((2, 400, 8)))


def test_audio_augmentation_follows_from_its_seed() -> None:
    audio = np.sin(np.arange(8000) / 5).astype(np.float32) * 0.5
    changed = AudioAugmentationConfiguration(speed=0.2, noise_share=1.0)

    def augmented(seed: int) -> np.ndarray:
        return augment_audio(audio, 8000, changed, np.random.default_rng(seed))

    np.testing.assert_array_equal(augmented(3), augmented(3))
    lengths = [len(augmented(seed)) for seed in range(40)]
    assert 8000 / 1.21 < min(lengths) < 7500 < 8500 < max(lengths) < 8000 / 0.79
    assert all(np.abs(augmented(seed)).max() <= 1 for seed in range(5))
    unchanged = AudioAugmentationConfiguration(speed=0, gain_decibels=0, noise_decibels=0)
    np.testing.assert_array_equal(augment_audio(audio, 8000, unchanged, np.random.default_rng(0)), audio)


def test_a_draft_reaches_the_layers_above() -> None:
    network = recogniser(layers=3)
    audio, lengths = tf.random.stateless_normal((1, 8000), (0, 1)), tf.constant([8000])
    before = network(audio, lengths)
    assert [draft.shape for draft in before.drafts] == [before.logits.shape] * 2
    for conditioner in network.conditioners:
        conditioner.kernel.assign(tf.zeros_like(conditioner.kernel))
    after = network(audio, lengths)
    np.testing.assert_allclose(before.drafts[0], after.drafts[0], atol=1e-6)  # nothing lies below it
    assert np.abs(before.drafts[1] - after.drafts[1]).max() > 1e-3
    assert not recogniser(layers=3, self_conditioning=False)(audio, lengths).drafts


@pytest.mark.parametrize("recurrent", ["simple_rnn", "lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_recurrent_dropout_reaches_both_directions_in_training_alone(recurrent: str, bidirectional: bool) -> None:
    network = recogniser(recurrent=recurrent, bidirectional=bidirectional, recurrent_dropout=0.5, dropout=0.0)
    twin = recogniser(recurrent=recurrent, bidirectional=bidirectional, dropout=0.0)

    for layer, undropped in zip(network.recurrent, twin.recurrent, strict=True):
        hidden = tf.random.stateless_normal((1, 30, layer.weights[0].shape[0]), (0, 1))
        expected, *_ = undropped(hidden, training=True)
        read, *_ = layer(hidden, training=False)
        trained, *_ = layer(hidden, training=True)
        np.testing.assert_array_equal(read, undropped(hidden, training=False)[0])
        directions = np.split(np.abs(trained - expected)[0], 2 if bidirectional else 1, axis=-1)  # (time, units) each
        # The first step of a direction has no step before it from which anything could be dropped.
        assert directions[0][0].max() == 0 and directions[0][1:].max(axis=-1).min() > 0
        if bidirectional:
            assert directions[1][-1].max() == 0 and directions[1][:-1].max(axis=-1).min() > 0
        more = [layer(hidden, training=True)[0] for _ in range(5)]  # of five units, two masks may be equal by chance
        assert max(np.abs(again - trained).max() for again in more) > 1e-3, "another mask for each batch"
