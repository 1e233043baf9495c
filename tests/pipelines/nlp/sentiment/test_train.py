"""Training: it learns, it moves every weight, it resumes after a kill as if nothing had happened."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from pipelines.nlp.sentiment import data, pretraining, train
from pipelines.nlp.sentiment.config import SentimentConfiguration
from pipelines.nlp.sentiment.model import load_model, read_texts
from pipelines.nlp.sentiment.pretraining import NextWords, texts_of
from pipelines.nlp.sentiment.words import RESERVED
from pipelines.nlp.text_files import TextDataError
from pipelines.optimization import TrainingConfiguration, TrainingStep
from pipelines.preparation import prepared
from pipelines.runs import Run, RunError
from tests.pipelines.conftest import unlearned

Experiment = Callable[..., SentimentConfiguration]


def take_step(
    model: Any, batch: dict[str, tf.Tensor], steps: int = 1, loss: Callable = train.batch_loss
) -> list[float]:
    """The losses on one batch after the first and the last of some steps."""
    batch_loss = partial(loss, model)
    specification = tf.nest.map_structure(tf.TensorSpec.from_tensor, batch)
    step = TrainingStep(model, batch_loss, TrainingConfiguration(learning_rate=0.02), 4 * steps, specification)
    losses = []
    for number in range(steps):
        step(batch)
        if number in (0, steps - 1):  # outside of a graph a loss takes longer than a step
            losses.append(float(batch_loss(batch, training=False)))
    return losses


def first_batch(configuration: SentimentConfiguration) -> tuple[Any, dict[str, tf.Tensor]]:
    sets, classifier, *_ = train.prepare(configuration)
    batches = data.training_batches(sets.splits["train"], sets.labels, classifier.words, 16, seed=0, epoch=0)
    return classifier, next(iter(batches))


def test_opinions_are_learned(trained_run: Run) -> None:
    configuration = trained_run.read_configuration(SentimentConfiguration)
    found = train.validate(load_model(trained_run), data.load(configuration.data))
    assert found["error"] < 0.2  # chance: two of three are wrong
    assert found["rating_error"] < 1.0  # the mean: about 1.7


def test_run_folder_holds_what_a_training_must_leave(trained_run: Run) -> None:
    assert trained_run.finished
    assert trained_run.read_json("timing.json")["seconds"] > 0
    expected = {"loss", "validation_cross_entropy", "validation_error", "validation_rating_error"}
    assert expected <= trained_run.history()[0].keys()
    description = trained_run.read_json("description.json")
    assert description["labels"] == ["bad", "fine", "great"] and "awful" in description["vocabulary"]
    temperature = trained_run.read_json("calibration.json")["temperature"]
    assert float(load_model(trained_run).temperature) == pytest.approx(temperature)


@pytest.mark.slow
@pytest.mark.parametrize(
    "network",
    [
        {"recurrent": "lstm", "layers": 2, "pooling": ("attention", "max", "mean")},
        {"members": 2, "bidirectional": False, "pieces": 0, "rating_weight": 0.0, "pooling": ("max",)},
    ],
)
def test_one_step_moves_every_trainable_weight(experiment: Experiment, network: dict[str, object]) -> None:
    classifier, batch = first_batch(experiment(network=network))
    before = [weight.numpy() for weight in classifier.trainable_variables]
    take_step(classifier, batch)
    for weight, old in zip(classifier.trainable_variables, before, strict=True):
        assert np.any(old != weight.numpy()), weight.path


@pytest.mark.slow
def test_one_batch_can_be_overfitted(experiment: Experiment) -> None:
    classifier, batch = first_batch(
        experiment(network={"word_dropout": 0.0, "embedding_dropout": 0.0, "recurrent_dropout": 0.0, "dropout": 0.0})
    )
    losses = take_step(classifier, batch, 80)
    assert losses[-1] < 0.05 < losses[0]
    encoded = classifier(batch["words"], batch["pieces"], batch["lengths"])[0]
    np.testing.assert_array_equal(tf.argmax(encoded.logits, axis=1), batch["label"])


@pytest.mark.slow
def test_killed_and_resumed_equals_uninterrupted(
    table: Path, whole_and_resumed: Callable[[str, str, str], Run]
) -> None:
    changes = (
        f"--data.path {table} --data.text review --data.label stars --data.rating score --data.batch_size 32 "
        "--network.units 8 --network.embedding 8 --network.pieces 50 --network.minimum_count 1 --network.members 1 "
        "--network.no_bidirectional --training.epochs 3 --training.weight_average_decay 0.9 "
        "--pretraining.texts training --pretraining.training.epochs 2"
    )
    whole_and_resumed("sentiment", "own-sentiment", changes)


@pytest.mark.slow
def test_resuming_with_other_texts_is_refused(
    experiment: Experiment, tmp_path: Path, make_opinions: Callable[..., list], write_table: Callable[..., Path]
) -> None:
    path = write_table(tmp_path / "a.csv", make_opinions(90))
    configuration = experiment(data={"path": str(path)})
    run = Run.create("nlp", "changed", configuration, tmp_path)
    with unlearned(train):
        train.train(run, configuration)
    write_table(path, [(f"{text} again", label, rating) for text, label, rating in make_opinions(90)])
    with pytest.raises(RunError, match=r"The data have changed since the run started.*Received: vocabulary: "):
        train.train(run, configuration)


def test_a_refused_training_leaves_no_run(experiment: Experiment, tmp_path: Path) -> None:
    configuration = experiment(data={"path": str(tmp_path / "missing.csv")})
    run = Run.create("nlp", "refused", configuration, tmp_path)
    with pytest.raises(TextDataError, match=r"missing\.csv does not exist"):
        train.train(run, configuration)
    assert not run.folder.exists()


@pytest.mark.slow
def test_pretraining_moves_what_reads_and_nothing_else(experiment: Experiment) -> None:
    classifier, batch = first_batch(experiment())
    reader = NextWords(classifier)
    reader(batch["words"], batch["pieces"], batch["lengths"])
    before = {weight.path: weight.numpy() for weight in classifier.trainable_variables}
    own = [weight.numpy() for weight in reader.trainable_variables]
    losses = take_step(reader, batch, 30, pretraining.batch_loss)
    assert losses[-1] < losses[0]
    for weight, old in zip(reader.trainable_variables, own, strict=True):
        assert np.any(old != weight.numpy()), weight.path
    for weight in classifier.trainable_variables:
        is_head = any(part in weight.path for part in ("attention", "query", "label", "rating"))
        assert np.array_equal(before[weight.path], weight.numpy()) == is_head, weight.path


@pytest.mark.slow
def test_the_loss_of_pretraining_is_that_of_the_next_word(experiment: Experiment) -> None:
    classifier, batch = first_batch(experiment(network={"pieces": 0}))
    reader = NextWords(classifier)
    found = float(reader(batch["words"], batch["pieces"], batch["lengths"]))
    member, (one,) = classifier.members[0], reader.readers
    embedding = member.embedding.embeddings.numpy()
    states = member.read(tf.constant(embedding[batch["words"].numpy()]), batch["lengths"])
    losses = []
    for row, length in enumerate(batch["lengths"].numpy()):
        numbers = batch["words"][row, :length].numpy()
        for direction, (state, projection) in enumerate(zip(states, one.projections, strict=True)):
            for place in range(length):
                target = place + (1 if direction == 0 else -1)
                if 0 <= target < length and numbers[target] >= RESERVED:
                    logits = embedding @ np.asarray(projection(state[row : row + 1, place]))[0]
                    losses.append(np.log(np.exp(logits).sum()) - logits[numbers[target]])
    assert found == pytest.approx(np.mean(losses), rel=1e-4)


@pytest.mark.slow
def test_the_seed_decides_the_weights(experiment: Experiment) -> None:
    first, _ = first_batch(experiment())
    again, _ = first_batch(experiment())
    other, _ = first_batch(experiment(seed=1))
    for one, two in zip(first.variables, again.variables, strict=True):
        np.testing.assert_array_equal(one, two)
    assert any(np.any(one.numpy() != two.numpy()) for one, two in zip(first.variables, other.variables, strict=True))


@pytest.mark.slow
def test_mixed_precision_trains(experiment: Experiment, tmp_path: Path) -> None:
    configuration = experiment(training={"mixed_precision": True})
    sets, classifier = prepared(Run.create("nlp", "mixed", configuration, tmp_path), configuration, train.prepare)
    assert classifier.members[0].compute_dtype == "bfloat16"
    batches = data.training_batches(sets.splits["train"], sets.labels, classifier.words, 16, seed=0, epoch=0)
    batch = next(iter(batches))
    assert np.isfinite(take_step(classifier, batch, 3)).all()
    assert read_texts(classifier, ["fine"])[0].dtype == np.float32
    reader = NextWords(classifier)
    reader(batch["words"], batch["pieces"], batch["lengths"])
    assert reader.readers[0].projections[0].compute_dtype == "bfloat16"
    assert np.isfinite(take_step(reader, batch, 3, pretraining.batch_loss)).all()


def test_unlabelled_texts_are_of_the_training_split_alone(experiment: Experiment) -> None:
    configuration = experiment(pretraining={"texts": ("training",)})
    sets = data.load(configuration.data)
    found = texts_of(configuration.pretraining, sets.splits["train"])
    assert {each.text for each in found} == {each.text for each in sets.splits["train"]}


@pytest.mark.slow
def test_two_devices_train_as_one(experiment: Experiment, same_on_two_devices: Callable[..., None]) -> None:
    same_on_two_devices(
        "sentiment",
        experiment(
            network={"word_dropout": 0.0, "embedding_dropout": 0.0, "recurrent_dropout": 0.0, "dropout": 0.0},
            data={"batch_size": 30},
            training={"epochs": 1},
        ),
    )
