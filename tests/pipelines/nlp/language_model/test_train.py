"""Training: it learns, it moves every weight, its state goes on, and a kill changes nothing."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from pipelines.nlp.language_model import data, train
from pipelines.nlp.language_model.config import LanguageModelConfiguration
from pipelines.nlp.language_model.data import BOUNDARY
from pipelines.nlp.language_model.model import LanguageModel, State, flat
from pipelines.nlp.text_files import TextDataError
from pipelines.optimization import TrainingConfiguration, TrainingStep
from pipelines.runs import Run, RunError

Experiment = Callable[..., LanguageModelConfiguration]
REPOSITORY = Path(__file__).parents[4]


def stepper(model: LanguageModel, batch: dict[str, tf.Tensor], rate: float, steps: int) -> TrainingStep:
    specification = tf.nest.map_structure(tf.TensorSpec.from_tensor, batch)
    configuration = TrainingConfiguration(learning_rate=rate)
    return TrainingStep(model, partial(train.batch_loss, model), configuration, steps, specification)


def first_batch(sets: data.Sets, configuration: LanguageModelConfiguration) -> dict[str, tf.Tensor]:
    return next(iter(data.training_batches(sets.training, configuration.data, seed=0, epoch=0)))


def test_text_is_learned(trained_run: Run) -> None:
    """Better than what a character needs when only its frequency is known."""
    path = Path(trained_run.read_configuration(LanguageModelConfiguration).data.path)
    _, counts = np.unique(list(path.read_text(encoding="utf-8")), return_counts=True)
    shares = counts / counts.sum()
    best = min(row["validation_bits_per_character"] for row in trained_run.history())
    assert best < -(shares * np.log2(shares)).sum()
    assert trained_run.finished and trained_run.read_json("timing.json")["seconds"] > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "network",
    [
        {"dropout": 0.2, "embedding_dropout": 0.2, "context_dropout": 0.3, "weight_dropout": 0.2},
        {"recurrent": "lstm", "layers": 2, "recurrent_dropout": 0.2, "contexts": 0},
        {"recurrent": "min_gru", "layers": 2},
    ],
)
@pytest.mark.parametrize("mixed_precision", [False, True])
def test_one_step_moves_every_trainable_weight(
    experiment: Experiment, network: dict[str, object], mixed_precision: bool
) -> None:
    configuration = experiment(network=network, training={"mixed_precision": mixed_precision})
    sets, model, *_ = train.prepare(configuration)
    batch = first_batch(sets, configuration)
    before = [weight.numpy() for weight in model.trainable_variables]
    stepper(model, batch, 0.01, 10)(batch)
    for weight, old in zip(model.trainable_variables, before, strict=True):
        assert np.any(old != weight.numpy()), weight.path


@pytest.mark.slow
def test_a_batch_can_be_overfitted(experiment: Experiment) -> None:
    configuration = experiment(network={"units": 64, "width": 32, "contexts": 0}, data={"batch_size": 2})
    sets, model, *_ = train.prepare(configuration)
    batch = first_batch(sets, configuration)
    step = stepper(model, batch, 0.02, 150)
    first = float(train.batch_loss(model, batch, False))
    for _ in range(150):
        step(batch)
    assert float(train.batch_loss(model, batch, False)) < 0.1 * first


def test_windows_go_on_where_the_ones_before_ended(experiment: Experiment) -> None:
    """Every epoch reads the documents in another order; each part of a batch is one piece of text."""
    configuration = experiment()
    documents = [np.arange(3, 203, dtype=np.int32), np.arange(1000, 1150, dtype=np.int32)]
    batches = [
        list(data.training_batches(documents, configuration.data, seed=1, epoch=epoch).as_numpy_iterator())
        for epoch in (0, 0, 1)
    ]
    for batch, again in zip(batches[0], batches[1], strict=True):
        np.testing.assert_array_equal(batch["numbers"], again["numbers"])
    assert any(np.any(one["numbers"] != other["numbers"]) for one, other in zip(batches[0], batches[2], strict=True))
    seen = np.concatenate([batch["numbers"][:, :-1] for batch in batches[0]], axis=1)  # (rows, steps · window)
    for last, following in zip(batches[0], batches[0][1:], strict=False):
        np.testing.assert_array_equal(last["numbers"][:, -1], following["numbers"][:, 0])
    assert [bool(batch["begins"].all()) for batch in batches[0]] == [True] + [False] * (len(batches[0]) - 1)
    whole = "".join(map(chr, np.concatenate([[BOUNDARY], documents[0], [BOUNDARY], documents[1]] * 2)))
    other = "".join(map(chr, np.concatenate([[BOUNDARY], documents[1], [BOUNDARY], documents[0]] * 2)))
    for row in seen:
        assert "".join(map(chr, row)) in whole or "".join(map(chr, row)) in other


def test_state_goes_on_from_window_to_window(experiment: Experiment) -> None:
    configuration = experiment()
    sets, model, *_ = train.prepare(configuration)
    batches = list(data.training_batches(sets.training, configuration.data, 0, 0).take(2))
    for batch in batches:
        train.batch_loss(model, batch, True)
    carried = [weight.numpy() for weight in model.carried]
    whole = np.concatenate([batch["numbers"][:, :-1] for batch in batches], axis=1)
    _, state = model(whole)
    for found, expected in zip(carried, flat(state).values(), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)
    train.batch_loss(model, batches[0], True)  # which begins anew
    _, state = model(batches[0]["numbers"][:, :-1])
    for weight, expected in zip(model.carried, flat(state).values(), strict=True):
        np.testing.assert_allclose(weight.numpy(), expected, atol=1e-5)


@pytest.mark.slow
def test_a_seed_decides_every_weight_and_what_is_dropped(experiment: Experiment) -> None:
    configuration = experiment(network={"weight_dropout": 0.2, "dropout": 0.2, "context_dropout": 0.2})
    losses = []
    for seed in (0, 0, 1):
        sets, model, *_ = train.prepare(configuration.replace(seed=seed))
        losses.append(float(train.batch_loss(model, first_batch(sets, configuration), True)))
    assert losses[0] == losses[1] != losses[2]


def test_what_is_not_finite_is_not_carried(experiment: Experiment) -> None:
    model = train.prepare(experiment()).model
    state = model.initial_state(4)
    model.carry(State([[tf.fill(part.shape, np.nan) for part in layer] for layer in state.recurrent], state.recent))
    assert all(np.isfinite(weight.numpy()).all() for weight in model.carried)


def test_nothing_is_learned_from_other_splits(experiment: Experiment, text_file: Path, tmp_path: Path) -> None:
    """Other validation and test text, and vocabulary and batches are the same."""
    text = text_file.read_text(encoding="utf-8")
    cut = round(0.87 * len(text))
    other = tmp_path / "other.txt"
    other.write_text(text[:cut] + "".join(chr(0x4E00 + place % 5000) for place in range(len(text) - cut)), "utf-8")
    found = []
    for path in (text_file, other):
        configuration = experiment(data={"path": str(path)})
        sets = train.prepare(configuration).sets
        found.append((sets.subwords.to_json(), first_batch(sets, configuration)["numbers"].numpy()))
        assert sets.corpus.test[0].text.strip() != ""
    assert found[0][0] == found[1][0]
    np.testing.assert_array_equal(found[0][1], found[1][1])


def test_changed_text_is_refused_on_resume(experiment: Experiment, text_file: Path, tmp_path: Path) -> None:
    """Other words, so another vocabulary; nothing that was trained is lost."""
    changed = tmp_path / "changed.txt"
    changed.write_text(text_file.read_text(encoding="utf-8"), encoding="utf-8")
    configuration = experiment(data={"path": str(changed)})
    run = Run.create("nlp", "own-language-model", configuration, tmp_path / "runs")
    vocabulary = train.prepare(configuration).description["vocabulary"]
    run.write_json("description.json", {"vocabulary": vocabulary, "fingerprint": "of other text"})
    run.append_history({"epoch": 1})
    changed.write_text("Quite other words zebra quux \n" * 3000, encoding="utf-8")
    with pytest.raises(RunError, match=r"have changed.*start a new run.*Received: .*vocabulary: .* before, .* now"):
        train.train(run, configuration)
    assert run.read_json("description.json")["vocabulary"] == vocabulary


def test_what_is_refused_leaves_no_run_behind(experiment: Experiment, tmp_path: Path) -> None:
    configuration = experiment(data={"path": str(tmp_path / "missing.txt")})
    run = Run.create("nlp", "refused", configuration, tmp_path / "runs")
    with pytest.raises(TextDataError, match=r"missing.txt does not exist"):
        train.train(run, configuration)
    assert not run.folder.exists()


@pytest.mark.slow
def test_killed_and_resumed_equals_uninterrupted(
    text_file: Path, whole_and_resumed: Callable[[str, str, str], Run]
) -> None:
    """With the carried state and everything random on: order, places, dropout of all kinds."""
    changes = (
        f"--data.path {text_file} --data.batch_size 8 --data.window 32 --vocabulary.size 300 --network.units 8 "
        "--network.width 8 --network.contexts 32 --network.dropout 0.2 --network.embedding_dropout 0.1 "
        "--network.weight_dropout 0.2 --network.context_dropout 0.2 --training.epochs 3"
    )
    whole_and_resumed("language-model", "own-language-model", changes)


@pytest.mark.slow
def test_two_devices_train_as_one(experiment: Experiment, same_on_two_devices: Callable[..., None]) -> None:
    same_on_two_devices("language-model", experiment(data={"batch_size": 5, "window": 200}, training={"epochs": 1}))
