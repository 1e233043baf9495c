"""The network: padding, streams, gradients, the encoder of Keras."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipelines.configuration import ConfigurationError
from pipelines.video.clip_classes.config import ClipClassesConfiguration
from pipelines.video.clip_classes.model import Classifier, build
from pipelines.video.clip_classes.network import NetworkConfiguration, frame_encoder


def classifier(channels: int = 1, side: int = 8, **network: object) -> Classifier:
    sizes = {"filters": 3, "stages": 2, "features": 6, "units": 5, "layers": 2} | network
    colour = "rgb" if channels == 3 else "grey"
    configuration = ClipClassesConfiguration().replace(
        data={"height": side, "width": side, "colour": colour}, network=sizes
    )
    return build(configuration, ("a", "b", "c"))


def clips(channels: int = 1, side: int = 8, time: int = 7, batch: int = 2) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (batch, time, side, side, channels), np.uint8)


@pytest.mark.parametrize("recurrent", ["simple_rnn", "lstm", "gru", "min_gru", "min_lstm"])
@pytest.mark.parametrize("differences", [True, False])
def test_padding_changes_nothing(recurrent: str, differences: bool) -> None:
    network = classifier(recurrent=recurrent, differences=differences)
    frames = clips()
    padded = frames.copy()
    padded[0, 4:] = 200  # whatever stands behind the end
    both = network(padded, tf.constant([4, 7]))
    alone = network(frames[:1, :4])
    np.testing.assert_allclose(both.logits[0, :4], alone.logits[0], atol=1e-5)
    np.testing.assert_allclose(both.logits[1], network(frames[1:]).logits[0], atol=1e-5)
    # What a stream would go on from is the state after the last frame that counts.
    for one, other in zip(tf.nest.flatten(both.state), tf.nest.flatten(alone.state), strict=True):
        np.testing.assert_allclose(one[0], other[0], atol=1e-5)


@pytest.mark.parametrize("recurrent", ["simple_rnn", "lstm", "gru", "min_gru", "min_lstm"])
@pytest.mark.parametrize("differences", [True, False])
def test_frame_by_frame_equals_the_whole(recurrent: str, differences: bool) -> None:
    network = classifier(recurrent=recurrent, differences=differences)
    frames = clips()
    whole = network(frames).logits
    for sizes in ([1] * 7, [2, 1, 4], [7]):
        state, parts = None, []
        for part in np.split(frames, np.cumsum(sizes)[:-1], axis=1):
            judgement = network(part, state=state)
            parts.append(judgement.logits)
            state = judgement.state
        np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, atol=1e-5)


def test_no_frame_reaches_an_earlier_answer() -> None:
    network = classifier()
    frames = clips()
    changed = frames.copy()
    changed[:, 4:] = 255 - changed[:, 4:]
    before, after = network(frames).logits, network(changed).logits
    np.testing.assert_allclose(before[:, :4], after[:, :4], atol=1e-6)
    assert np.abs(before[:, 4:] - after[:, 4:]).max(axis=(0, 2)).min() > 1e-4


def test_padding_changes_no_gradient() -> None:
    network = classifier()
    frames = clips(batch=1)

    def gradients(clip: np.ndarray, lengths: list[int]) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(network(clip, tf.constant(lengths)).logits[:, :4] ** 2)
        return tape.gradient(loss, [weight.value for weight in network.trainable_variables])

    padded = frames.copy()
    padded[:, 4:] = 9
    for one, other in zip(gradients(frames[:, :4], [4]), gradients(padded, [4]), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
        assert np.any(one.numpy() != 0)


def test_a_clip_whose_frames_stand_still_shows_no_differences() -> None:
    """The differences of the first frame, and of frames that are alike, are zero: black input for those channels."""
    network = classifier()
    still = np.repeat(clips(time=1), 3, axis=1)
    seen = []
    encoder = network.encoder
    network.encoder = lambda shown, training: seen.append(shown) or encoder(shown, training=training)
    network(still)
    assert seen[0].shape == (6, 8, 8, 2)
    np.testing.assert_allclose(seen[0][..., 0].numpy().reshape(2, 3, 8, 8), still[..., 0] / 127.5 - 1, atol=1e-6)
    assert not np.any(seen[0][..., 1])


@pytest.mark.slow
def test_mobilenet_as_the_encoder(tmp_path: Path) -> None:
    network = classifier(channels=3, side=32, encoder="mobilenet_v2", differences=False, layers=1)
    frames = clips(channels=3, side=32, time=3)
    whole = network(frames).logits
    first = network(frames[:, :1])
    rest = network(frames[:, 1:], state=first.state)
    np.testing.assert_allclose(np.concatenate([first.logits, rest.logits], axis=1), whole, atol=1e-4)

    keras.utils.set_random_seed(5)
    pretrained = keras.applications.MobileNetV2(input_shape=(32, 32, 3), include_top=False, weights=None, pooling="avg")
    pretrained.save_weights(tmp_path / "mobilenet.weights.h5")
    sizes = NetworkConfiguration(
        encoder="mobilenet_v2", weights=str(tmp_path / "mobilenet.weights.h5"), differences=False
    )
    loaded = frame_encoder(sizes, (32, 32, 3), differences=False).layers[0]
    np.testing.assert_allclose(loaded(frames[0] / 127.5 - 1), pretrained(frames[0] / 127.5 - 1), atol=1e-5)


def test_wrong_encoders_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.weights.h5").write_bytes(b"bad")
    small = NetworkConfiguration(encoder="mobilenet_v2", differences=False)
    with pytest.raises(ConfigurationError, match=r"takes frames of three channels.*Received: 32×32 pixels of 1"):
        frame_encoder(small, (32, 32, 1), differences=False)
    with pytest.raises(ConfigurationError, match=r"no such file.*Received: 'missing'"):
        frame_encoder(small.replace(weights="missing"), (32, 32, 3), differences=False)
    with pytest.raises(ConfigurationError, match="holds no weights of MobileNetV2"):
        frame_encoder(small.replace(weights=str(tmp_path / "bad.weights.h5")), (32, 32, 3), differences=False)
    with pytest.raises(ConfigurationError, match="the convolutional encoder takes none"):
        frame_encoder(NetworkConfiguration(weights="some"), (32, 32, 3), differences=False)
