"""Training: it learns, it moves every weight, it learns nothing of the test, it goes on after a kill."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from pipelines.optimization import TrainingConfiguration, TrainingStep
from pipelines.runs import Run, RunError
from pipelines.video.clip_classes import data, train
from pipelines.video.clip_classes.config import PRESETS, ClipClassesConfiguration
from pipelines.video.clip_classes.model import build, load_model
from pipelines.video.clip_classes.scoring import classify_split
from pipelines.video.frames import VideoDataError

Configure = Callable[..., ClipClassesConfiguration]
REPOSITORY = Path(__file__).parents[4]


def test_directions_are_learned(trained_run: Run) -> None:
    configuration = trained_run.read_configuration(ClipClassesConfiguration)
    classifier, sets = load_model(trained_run), data.load(configuration.data)
    for split, least in (("train", 0.95), ("validation", 0.85), ("test", 0.85)):
        classified = classify_split(classifier, sets.splits[split], configuration.data)
        assert (classified.probabilities.argmax(axis=1) == classified.labels).mean() >= least
        np.testing.assert_allclose(classified.probabilities.sum(axis=1), 1, atol=1e-5)
        # A video's answer is the mean of its two clips' last.
        np.testing.assert_allclose(
            classified.probabilities, classified.evidence[:, -1].reshape(-1, 2, 2).mean(1), atol=1e-6
        )


def test_run_folder_holds_what_a_training_must_leave(trained_run: Run) -> None:
    assert trained_run.finished
    assert trained_run.read_json("timing.json")["seconds"] > 0
    assert {"loss", "validation_cross_entropy", "validation_accuracy"} <= trained_run.history()[0].keys()
    assert trained_run.read_json("description.json")["classes"] == ["left", "right"]
    assert trained_run.read_json("skipped.json") == []
    assert trained_run.read_json("configuration.json")["task"] == "clip_classes"


def test_a_classifier_is_traced_once_for_all_validations(
    corpus: Path, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = configure(corpus)
    sets = data.load(configuration.data)
    classifier = build(configuration, sets.classes)
    traced = []
    call = classifier.call
    monkeypatch.setattr(classifier, "call", lambda *inputs, **options: traced.append(0) or call(*inputs, **options))
    for _ in range(4):
        train.validate(classifier, sets, configuration)
    assert len(traced) == 1


def step_of(configuration: ClipClassesConfiguration, steps: int) -> tuple:
    sets = data.load(configuration.data)
    classifier = build(configuration, sets.classes)
    batch = next(iter(data.training_batches(sets, configuration.data, seed=0, epoch=0)))

    def loss(batch: tuple[tf.Tensor, tf.Tensor], training: bool) -> tf.Tensor:
        return train.batch_loss(classifier, batch, training)

    specification = tf.nest.map_structure(tf.TensorSpec.from_tensor, batch)
    return (
        classifier,
        batch,
        TrainingStep(classifier, loss, TrainingConfiguration(learning_rate=0.01), steps, specification),
    )


@pytest.mark.parametrize(
    "network", [{"layers": 2, "dropout": 0.2}, {"recurrent": "lstm", "differences": False}, {"recurrent": "min_gru"}]
)
def test_one_step_moves_every_trainable_weight(corpus: Path, configure: Configure, network: dict[str, object]) -> None:
    classifier, batch, step = step_of(configure(corpus, network=network), 10)
    before = [weight.numpy() for weight in classifier.trainable_variables]
    step(batch)
    assert len(before) > 8
    for weight, old in zip(classifier.trainable_variables, before, strict=True):
        assert np.any(old != weight.numpy()), weight.path


@pytest.mark.slow
def test_mobilenet_is_trained_as_well(corpus: Path, configure: Configure) -> None:
    changes = {"height": 32, "width": 32, "colour": "rgb", "batch_size": 4}
    configuration = configure(corpus, data=changes, network={"encoder": "mobilenet_v2", "differences": False})
    classifier, batch, step = step_of(configuration, 10)
    before = [weight.numpy() for weight in classifier.variables]
    step(batch)
    moved = [np.any(old != weight.numpy()) for weight, old in zip(classifier.variables, before, strict=True)]
    names = [weight.path for weight, did in zip(classifier.variables, moved, strict=True) if not did]
    assert not [name for name in names if "seed" not in name and "moving" not in name], "weights"
    assert sum(did for weight, did in zip(classifier.variables, moved, strict=True) if "moving" in weight.path) > 50


def test_a_batch_can_be_overfitted(corpus: Path, configure: Configure) -> None:
    classifier, batch, step = step_of(configure(corpus, data={"batch_size": 8}), 150)
    batch = batch[0], tf.constant([0, 1] * 4)  # labels that do not fit the clips
    for _ in range(150):
        step(batch)
    assert float(train.batch_loss(classifier, batch, False)) < 0.35  # the first frame knows nothing
    assert np.array_equal(tf.argmax(classifier(batch[0]).logits[:, -1], -1), batch[1])


def test_the_loss_is_the_weighted_mean_over_the_frames(corpus: Path, configure: Configure) -> None:
    classifier, (frames, labels), _ = step_of(configure(corpus), 1)
    probabilities = tf.nn.softmax(classifier(frames).logits).numpy()  # (batch, time, classes)
    truth = np.take_along_axis(probabilities, labels.numpy()[:, np.newaxis, np.newaxis], axis=2)[..., 0]
    expected = np.average(-np.log(truth), axis=1, weights=np.arange(1, 7)).mean()
    assert float(train.batch_loss(classifier, (frames, labels), False)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_starting_from_a_run_with_other_classes_helps(
    trained_run: Run, make_corpus: Callable[..., Path], configure: Configure, tmp_path: Path, capsys: Any
) -> None:
    """The class "left" becomes "zurück", so that "right" is the first class and no longer the second."""
    path = make_corpus(tmp_path / "corpus", videos=12)
    path.write_text(path.read_text().replace(",left,", ",zurück,"))
    found = {}
    for initialise in (None, trained_run.folder):
        configuration = configure(path, initialise=initialise, steps_per_epoch=3, training={"epochs": 1})
        run = Run.create("video", "other", configuration, tmp_path / "runs")
        train.train(run, configuration)
        found[initialise] = run.history()[-1]["validation_cross_entropy"]
    printed = capsys.readouterr().out
    assert run.read_json("description.json")["classes"] == ["right", "zurück"]
    assert f"Took 13 of 13 weights from {trained_run.folder}. By name: 1 of 2 classes." in printed
    assert found[trained_run.folder] < 0.8 * found[None]


@pytest.mark.slow
def test_nothing_is_learned_of_the_test_split(
    make_corpus: Callable[..., Path], configure: Configure, weights: Callable[..., Any], tmp_path: Path
) -> None:
    """Other videos to be tested on: the same weights."""
    found = []
    for seed in (0, 1):
        path = make_corpus(tmp_path / f"corpus_{seed}", videos=12, held_out_seed=seed)
        if seed:  # the validation videos stay: they choose the epoch
            for number in (8, 9):
                (path.parent / f"{number}.avi").write_bytes((tmp_path / "corpus_0" / f"{number}.avi").read_bytes())
        configuration = configure(path, steps_per_epoch=5)
        run = Run.create("video", f"seed_{seed}", configuration, tmp_path / "runs")
        train.train(run, configuration)
        found.append((weights(run), (run.folder / "history.csv").read_text()))
        tested = data.load(configuration.data).splits["test"]
        found[-1] += (tested.read(0),)
    assert found[0][1] == found[1][1]
    assert not np.array_equal(found[0][2], found[1][2])
    for name, value in found[0][0].items():
        np.testing.assert_array_equal(value, found[1][0][name], err_msg=name)


@pytest.mark.slow
def test_killed_and_resumed_equals_uninterrupted(
    make_corpus: Callable[..., Path], tmp_path: Path, whole_and_resumed: Callable[[str, str, str], Run]
) -> None:
    changes = (
        f"--data.source csv --data.path {make_corpus(tmp_path / 'corpus', videos=12)} "
        "--data.height 16 --data.width 16 --data.colour grey "
        "--data.clip_frames 6 --data.mirror --network.filters 3 --network.stages 2 --network.units 6 "
        "--network.dropout 0.3 --steps_per_epoch 6 --training.epochs 3 --training.weight_average_decay 0.9"
    )
    whole_and_resumed("clip-classes", "own-classes", changes)


def test_resuming_with_other_classes_is_refused(corpus: Path, configure: Configure, tmp_path: Path) -> None:
    configuration = configure(corpus)
    run = Run.create("video", "other", configuration, tmp_path)
    run.write_json("description.json", {"classes": ["up", "down"]})
    run.append_history({"epoch": 1})
    with pytest.raises(RunError, match=r"have changed.*start a new.*Received: .*'up', 'down'.*'left', 'right'"):
        train.train(run, configuration)
    assert run.folder.exists()


def test_what_is_refused_leaves_no_run_behind(configure: Configure, tmp_path: Path) -> None:
    configuration = configure(tmp_path / "missing.csv")
    run = Run.create("video", "refused", configuration, tmp_path / "runs")
    with pytest.raises(VideoDataError, match=r"missing.csv does not exist"):
        train.train(run, configuration)
    assert not run.folder.exists()


def test_what_is_left_out_is_named(
    make_corpus: Callable[..., Path], configure: Configure, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = make_corpus(tmp_path / "corpus", videos=12)
    (path.parent / "2.avi").write_bytes(b"")
    with pytest.raises(VideoDataError, match=r"(?s)1 video cannot be used.*2.avi: list.csv, line 4: is empty"):
        data.load(configure(path).data)
    configuration = configure(path, data={"skip_unusable": True}, steps_per_epoch=2, training={"epochs": 1})
    run = Run.create("video", "skipping", configuration, tmp_path / "runs")
    train.train(run, configuration)
    printed = capsys.readouterr().out
    assert "Clips: 14 train of 7 videos, 4 validation of 2 videos, 4 test of 2 videos. Classes: left, right." in printed
    assert "Left out: 1\n  2.avi: list.csv, line 4: is empty" in printed
    assert run.read_json("skipped.json")[0][0] == "2.avi"


def test_presets_are_consistent() -> None:
    assert list(PRESETS) == ["motion-class", "motion-class-large", "own-classes"]
    for preset in PRESETS.values():
        build(preset, ("a", "b"))


def test_classes_that_a_split_lacks_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    def examples(*labels: int) -> data.Examples:
        keys = [f"{number}.mp4" for number in range(len(labels))]
        return data.Examples(np.array(labels), np.arange(len(labels)), keys, lambda number: np.zeros(()))

    splits = {"train": examples(0, 1, 2), "validation": examples(1, 2, 2), "test": examples(0)}
    train.report(data.Sets(("left", "right", "up"), splits, lambda random: (np.zeros(()), 0), 2, []))
    said = capsys.readouterr().out
    assert "Without a video in the validation split: left." in said
    assert "Without a video in the test split: right, up." in said
    assert "train split" not in said


@pytest.mark.slow
def test_two_devices_train_as_one(experiment: Configure, same_on_two_devices: Callable[..., None]) -> None:
    same_on_two_devices("clip-classes", experiment(network={"dropout": 0.0}, training={"epochs": 1}, steps_per_epoch=4))
