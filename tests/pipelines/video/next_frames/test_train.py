"""Training: it learns, it leaks nothing, it goes on after a kill as if nothing had happened."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from skimage.metrics import structural_similarity as reference

from pipelines.configuration import ConfigurationError
from pipelines.runs import Run
from pipelines.video.frames import VideoDataError
from pipelines.video.next_frames import data, train
from pipelines.video.next_frames.config import PRESETS, NextFramesConfiguration
from pipelines.video.next_frames.model import build, load_model

Configure = Callable[..., NextFramesConfiguration]


def test_drift_is_learned(trained_run: Run) -> None:
    configuration = trained_run.read_configuration(NextFramesConfiguration)
    sets = data.load(configuration.data)
    learned = train.validate(load_model(trained_run), sets, configuration.data)
    untrained = train.validate(build(configuration), sets, configuration.data)
    assert learned["squared_error"] < 0.7 * untrained["squared_error"]
    assert trained_run.finished and trained_run.read_json("timing.json")["seconds"] > 0


@pytest.mark.slow
def test_no_held_out_frame_is_learned_from(make_corpus: Callable, configure: Configure, tmp_path: Path) -> None:
    weights = []
    for seed in (0, 1):  # of the videos of validation and test
        path = make_corpus(tmp_path / f"videos{seed}", held_out_seed=seed)
        configuration = configure(path, steps_per_epoch=3, training={"epochs": 1})
        run = Run.create("video", f"held{seed}", configuration, tmp_path / "runs")
        train.train(run, configuration)
        weights.append(load_model(run).get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_resumed_equals_uninterrupted(
    corpus: Path, configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = configure(corpus, steps_per_epoch=4, training={"epochs": 2, "checkpoint_seconds": 0.0})
    whole, cut = (Run.create("video", name, configuration, tmp_path) for name in ("whole", "cut"))
    train.train(whole, configuration)
    validate, calls = train.validate, []

    def killed_in_the_second_epoch(*arguments: object) -> dict[str, float]:
        calls.append(1)
        if len(calls) == 3:  # the first comes before the training
            raise KeyboardInterrupt
        return validate(*arguments)

    monkeypatch.setattr(train, "validate", killed_in_the_second_epoch)
    with pytest.raises(KeyboardInterrupt):
        train.train(cut, configuration)
    train.train(cut, configuration)
    for one, other in zip(*(load_model(run).get_weights() for run in (whole, cut)), strict=True):
        np.testing.assert_array_equal(one, other)


def test_scheduled_sampling_ends() -> None:
    shares = [train.truth_share(3, epoch) for epoch in range(5)]
    assert shares == sorted(shares, reverse=True) and shares[0] < 1 and shares[3:] == [0, 0]
    assert train.truth_share(0, 0) == 0


@pytest.mark.slow
def test_squares_of_frames_can_be_learned_from(corpus: Path, configure: Configure, tmp_path: Path) -> None:
    configuration = configure(corpus, network={"coordinates": False}).replace(
        data={"crop": 8, "mirror": True}, steps_per_epoch=2, training={"epochs": 1}
    )
    run = Run.create("video", "squares", configuration, tmp_path)
    train.train(run, configuration)
    assert load_model(run).forecast(np.zeros((1, 5, 16, 16, 1), np.uint8), 2).shape == (1, 2, 16, 16, 1)
    with pytest.raises(ConfigurationError, match="spatiotemporal"):
        configuration.replace(network={"recurrent": "spatiotemporal_lstm"})
    with pytest.raises(ConfigurationError, match=r"network\.no_coordinates\. Received: 8"):
        configuration.replace(network={"coordinates": True})


def test_short_videos_are_named(corpus: Path, configure: Configure, tmp_path: Path) -> None:
    configuration = configure(corpus, data={"clip_frames": 11})
    run = Run.create("video", "short", configuration, tmp_path)
    with pytest.raises(VideoDataError, match=r"0\.avi: shorter than a clip: it has 10 frames, and a clip takes 11"):
        train.train(run, configuration)
    assert not run.folder.exists()  # else RESUME=1 would go on with it


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_whole(preset: str) -> None:
    configuration = PRESETS[preset]
    assert NextFramesConfiguration.from_json(configuration.to_json()) == configuration
    patch, levels = configuration.network.patch, len(configuration.network.filters)
    assert all(size % (patch * 2 ** (levels - 1)) == 0 for size in configuration.data.frame_shape[:2])


@pytest.mark.slow
def test_two_devices_train_as_one(experiment: Configure, same_on_two_devices: Callable[..., None]) -> None:
    same_on_two_devices("next-frames", experiment(training={"epochs": 1}, steps_per_epoch=4))


@pytest.mark.parametrize("channels", [1, 3])
def test_similarity_is_that_of_scikit_image(channels: int) -> None:
    random = np.random.default_rng(0)
    truth = random.uniform(size=(3, 20, 24, channels)).astype(np.float32)
    forecasts = np.clip(truth + 0.2 * random.normal(size=truth.shape), 0, 1).astype(np.float32)
    truth[0, :10], forecasts[0, :8] = 0, 0  # darkness, whose variance is zero
    expected = [reference(*pair, data_range=1.0, channel_axis=-1) for pair in zip(forecasts, truth, strict=True)]
    np.testing.assert_allclose(train.structural_similarity(forecasts, truth), expected, atol=1e-4)
    np.testing.assert_allclose(train.structural_similarity(truth, truth), 1, atol=1e-5)


def test_its_gradient_is_finite_in_darkness() -> None:
    frames = tf.zeros((1, 9, 9, 1))
    with tf.GradientTape() as tape:
        tape.watch(frames)
        found = train.structural_similarity(frames, tf.zeros_like(frames))
    assert np.isfinite(tape.gradient(found, frames)).all()
