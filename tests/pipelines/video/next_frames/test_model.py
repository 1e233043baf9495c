"""The forecaster: causality, roll-outs, scheduled sampling, and that it can learn."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from pipelines.optimization import TrainingConfiguration, TrainingStep
from pipelines.video.next_frames.config import NextFramesConfiguration
from pipelines.video.next_frames.model import FrameForecaster, build
from pipelines.video.next_frames.train import batch_loss

NETWORKS: list[dict[str, Any]] = [
    {},
    {"recurrent": "spatiotemporal_lstm", "filters": (5,), "depth": 2},
    {"head": "pixels", "matching": (), "depth": 2},
    {"inertia": True, "stillness": 3.0, "flow": True},
]


def configuration(**network: Any) -> NextFramesConfiguration:
    sizes = {"patch": 4, "filters": (4, 5), "decoder_filters": 6, "reach": 2} | network
    data = {"source": "folder", "path": "clips", "height": 16, "width": 24, "clip_frames": 7, "future_frames": 3}
    return NextFramesConfiguration().replace(network=sizes, data=data | {"batch_size": 2})


def clips(colours: int = 1) -> tf.Tensor:
    return tf.random.stateless_uniform((2, 7, 16, 24, colours), (1, 2))


def some_batch() -> dict[str, tf.Tensor]:
    frames = tf.cast(255 * clips(), tf.uint8)
    return {"frames": frames, "truth_mask": tf.constant([[True, False, True], [False, False, False]])}


@pytest.mark.parametrize("network", NETWORKS)
def test_forecasts_are_frames(network: dict[str, Any]) -> None:
    forecasts = build(configuration(**network))(clips()[:, :4], future=3).numpy()
    assert forecasts.shape == (2, 6, 16, 24, 1)
    assert forecasts.min() >= 0 and forecasts.max() <= 1


@pytest.mark.parametrize("network", NETWORKS)
def test_no_forecast_sees_what_it_forecasts(network: dict[str, Any]) -> None:
    forecaster, frames = build(configuration(**network)), clips()
    changed = tf.concat([frames[:, :3], 1 - frames[:, 3:]], axis=1)
    before, after = (forecaster(each, future=1).numpy() for each in (frames, changed))
    np.testing.assert_allclose(before[:, :3], after[:, :3], atol=1e-6)  # of the second, third and fourth frame
    assert np.abs(before[:, 3:] - after[:, 3:]).max(axis=(0, 2, 3, 4)).min() > 1e-4


@pytest.mark.parametrize("network", NETWORKS)
def test_a_roll_out_is_watching_one_s_own_forecasts(network: dict[str, Any]) -> None:
    forecaster, frames = build(configuration(**network)), clips()[:, :4]
    whole = forecaster(frames, future=4)[:, -4:]
    for number in range(4):
        following = forecaster(frames, future=1)[:, -1:]
        np.testing.assert_allclose(following[:, 0], whole[:, number], atol=1e-5)
        frames = tf.concat([frames, following], axis=1)


def test_a_place_in_the_frame_is_seen_where_it_is_told() -> None:
    """Without coordinates what is in the middle of a large dark frame is forecast alike wherever it stands."""
    frames = np.zeros((2, 4, 64, 64, 1), np.float32)
    for clip, at in enumerate((28, 32)):
        frames[clip, :, at : at + 4, at : at + 4] = 0.8
    for coordinates in (False, True):
        chosen = configuration(coordinates=coordinates, filters=(4,))
        forecasts = build(chosen.replace(data={"height": 64, "width": 64}))(frames, future=1)[:, -1].numpy()
        alike = np.allclose(forecasts[0, 24:36, 24:36], forecasts[1, 28:40, 28:40], atol=1e-5)
        assert alike != coordinates


def test_an_untrained_network_with_inertia_lets_what_moves_step() -> None:
    """A picture that moves by two pixels a frame: the next one moved as far, but where it enters at the side."""
    texture = np.random.default_rng(0).uniform(size=(16, 40)).astype(np.float32)
    frames = np.stack([texture[np.newaxis, :, 2 * step : 2 * step + 24, np.newaxis] for step in range(5)], axis=1)
    errors = {}
    for inertia in (False, True):
        chosen = configuration(inertia=inertia, stillness=5.0, matching=(1, 3))
        forecast = build(chosen)(frames[:, :4], future=1)[:, -1].numpy()
        errors[inertia] = np.square(forecast - frames[:, 4])[:, 4:-4, 4:-8].mean()
    copied = np.square(frames[:, 3] - frames[:, 4])[:, 4:-4, 4:-8].mean()
    assert errors[True] < 0.2 * copied < errors[False]


def test_where_the_truth_is_shown_it_is_watched() -> None:
    forecaster, frames = build(configuration()), clips()
    given, truth = frames[:, :4], frames[:, 4:]
    every, none = tf.ones((2, 3), tf.bool), tf.zeros((2, 3), tf.bool)
    guided = forecaster(given, future=3, truth=truth, truth_mask=every)
    np.testing.assert_allclose(guided, forecaster(frames[:, :-1], future=1), atol=1e-5)
    alone = forecaster(given, future=3, truth=truth, truth_mask=none)
    np.testing.assert_allclose(alone, forecaster(given, future=3), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
def test_one_step_moves_every_weight(network: dict[str, Any]) -> None:
    chosen, batch = configuration(**network), some_batch()
    forecaster = build(chosen)
    before = [weight.numpy() for weight in forecaster.trainable_variables]
    step_of(forecaster, chosen, 0.01)(batch)
    for weight, old in zip(forecaster.trainable_variables, before, strict=True):
        assert np.any(old != weight.numpy()), weight.path


@pytest.mark.slow
def test_a_batch_can_be_overfitted() -> None:
    chosen = configuration(decoder_filters=24, filters=(12,))
    forecaster, batch = build(chosen), some_batch()
    batch["frames"] = tf.repeat(tf.repeat(batch["frames"][:, :, ::4, ::4], 4, axis=2), 4, axis=3)  # squares of noise
    step = step_of(forecaster, chosen, 0.01)
    first = float(batch_loss(forecaster, chosen, batch, False))
    for _ in range(150):
        step(batch)
    assert float(batch_loss(forecaster, chosen, batch, False)) < 0.5 * first


def test_training_and_use_are_one_network() -> None:
    forecaster, frames = build(configuration()), clips()[:, :4]
    trained = tf.function(lambda given: forecaster(given, future=3, training=True))(frames)
    np.testing.assert_allclose(trained, forecaster(frames, future=3), atol=1e-5)


@pytest.mark.parametrize("network", NETWORKS)
def test_mixed_precision_is_near_the_whole(network: dict[str, Any]) -> None:
    chosen = configuration(**network)
    whole = build(chosen)
    halved = build(chosen.replace(training={"mixed_precision": True}))
    halved.set_weights(whole.get_weights())
    frames = clips()[:, :4]
    np.testing.assert_allclose(halved(frames, future=3), whole(frames, future=3), atol=0.03)


def step_of(forecaster: FrameForecaster, chosen: NextFramesConfiguration, rate: float) -> TrainingStep:
    def loss(batch: dict[str, tf.Tensor], training: bool) -> tf.Tensor:
        return batch_loss(forecaster, chosen, batch, training)

    specification = tf.nest.map_structure(tf.TensorSpec.from_tensor, some_batch())
    return TrainingStep(forecaster, loss, TrainingConfiguration(learning_rate=rate), 1000, specification)
