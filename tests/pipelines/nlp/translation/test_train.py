"""Training: it learns, it moves every weight, it resumes after a kill as if nothing had happened."""

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from pipelines import train as train_command
from pipelines.nlp.subwords import PADDING, Subwords
from pipelines.nlp.text_files import TextDataError
from pipelines.nlp.translation import data, predictor, train
from pipelines.nlp.translation.config import PRESETS, TranslationConfiguration
from pipelines.nlp.translation.model import Translator, load_model, source_numbers, target_numbers
from pipelines.optimization import TrainingConfiguration, TrainingStep
from pipelines.runs import Run, RunError

Experiment = Callable[..., TranslationConfiguration]
REPOSITORY = Path(__file__).parents[4]


def prepared(configuration: TranslationConfiguration) -> tuple[Translator, data.Encoded]:
    corpus, translator, *_ = train.prepare(configuration)
    return translator, train.encode(translator, corpus.pairs["train"], configuration.data)[0]


def optimizer_step(translator: Translator, batch: dict[str, tf.Tensor], smoothing: float, rate: float) -> TrainingStep:
    return TrainingStep(
        translator,
        partial(train.batch_loss, translator, smoothing),
        TrainingConfiguration(learning_rate=rate),
        300,
        tf.nest.map_structure(tf.TensorSpec.from_tensor, batch),
    )


def test_numbers_are_learned(trained_run: Run, experiment: Experiment) -> None:
    pairs = data.load(experiment().data).pairs["test"]
    translations = predictor.load(trained_run).translate([pair.source for pair in pairs])
    right = [translation.text == pair.target for translation, pair in zip(translations, pairs, strict=True)]
    assert np.mean(right) > 0.5


def test_a_score_is_that_of_the_translation(trained_run: Run) -> None:
    translator, texts = load_model(trained_run), ["Two and one.", "Nine, four, one and ten."]
    translations, scores = zip(*predictor.load(trained_run).translate(texts), strict=True)
    source = source_numbers(translator.source, tf.constant(texts))
    target = target_numbers(translator.target, tf.constant(translations))
    log_probabilities = tf.nn.log_softmax(translator.logits(translator(source, target[:, :-1]).hidden))
    truth = target[:, 1:]
    chosen = tf.where(truth != PADDING, tf.gather(log_probabilities, truth, batch_dims=2), 0.0)
    lengths = np.sum(truth != PADDING, axis=1)
    np.testing.assert_allclose(scores, np.sum(chosen, axis=1) / ((5 + lengths) / 6), rtol=1e-3)


def test_run_folder_holds_what_a_training_must_leave(trained_run: Run) -> None:
    assert trained_run.finished
    assert trained_run.read_json("timing.json")["seconds"] > 0
    assert {"loss", "validation_nats"} <= trained_run.history()[0].keys()
    assert trained_run.read_json("description.json").keys() == {"source", "fingerprint"}, "shared"
    assert trained_run.read_json("left_out.json") == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "network",
    [
        {"dropout": 0.2, "output_dropout": 0.2, "label_smoothing": 0.1, "compiled": True},
        {"recurrent": "lstm", "encoder_layers": 2, "decoder_layers": 1},
        {"members": 2},
    ],
)
def test_one_step_moves_every_trainable_weight(experiment: Experiment, network: dict[str, object]) -> None:
    configuration = experiment(network=network, shared_subwords=False)
    translator, encoded = prepared(configuration)
    batch = next(iter(data.training_batches(encoded, data.plan(encoded, 300), seed=0, epoch=0)))
    before = [weight.numpy() for weight in translator.trainable_variables]
    optimizer_step(translator, batch, 0.1, 0.01)(batch)
    for weight, old in zip(translator.trainable_variables, before, strict=True):
        assert np.any(old != weight.numpy()), weight.path


@pytest.mark.slow
def test_a_batch_can_be_overfitted(experiment: Experiment) -> None:
    translator, encoded = prepared(experiment())
    plans = [plan._replace(batches=1, size=4) for plan in data.plan(encoded, 300)[1:2]]
    batch = next(iter(data.training_batches(encoded, plans, seed=0, epoch=0)))
    step = optimizer_step(translator, batch, 0.0, 0.02)
    for _ in range(150):
        step(batch)
    assert float(train.batch_loss(translator, 0.0, batch, False)) < 0.05


def test_a_training_of_few_steps_is_hinted_at(experiment: Experiment, capsys: pytest.CaptureFixture[str]) -> None:
    train.hint_at_few_steps(2, experiment())
    printed = capsys.readouterr().out
    assert "6 training steps in 3 epochs" in printed
    assert "--data.batch_tokens (300)" in printed and "--training.epochs (3)" in printed
    train.hint_at_few_steps(200, experiment())
    assert not capsys.readouterr().out


def test_padding_changes_no_loss(experiment: Experiment) -> None:
    translator, encoded = prepared(experiment())
    batch = next(iter(data.training_batches(encoded, data.plan(encoded, 300), seed=0, epoch=0)))
    padded = {name: tf.pad(side, [[0, 0], [0, 6]], constant_values=PADDING) for name, side in batch.items()}
    losses = [float(train.batch_loss(translator, 0.1, each, False)) for each in (batch, padded)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_smoothed_loss_is_that_of_smoothed_labels(experiment: Experiment) -> None:
    translator, encoded = prepared(experiment())
    batch = next(iter(data.training_batches(encoded, data.plan(encoded, 300), seed=0, epoch=0)))
    truth = batch["target"][:, 1:].numpy()
    hidden = translator(batch["source"], batch["target"][:, :-1]).hidden
    log_probabilities = np.asarray(tf.nn.log_softmax(translator.logits(hidden)), np.float64)
    labels = 0.8 * np.eye(translator.target.size)[truth] + 0.2 / translator.target.size
    expected = -(labels * log_probabilities).sum(axis=-1)[truth != PADDING].mean()
    assert float(train.batch_loss(translator, 0.2, batch, False)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
def test_validation_is_the_mean_over_subwords(experiment: Experiment) -> None:
    translator, encoded = prepared(experiment())
    some = data.Encoded(encoded.source[:9], encoded.target[:9])
    total = count = 0.0
    for source, target in zip(*some, strict=True):
        batch = {"source": source[np.newaxis], "target": target[np.newaxis]}
        total += float(train.batch_loss(translator, 0.0, batch, False)) * (len(target) - 1)
        count += len(target) - 1
    assert train.validate(train.cross_entropy(translator), some)["nats"] == pytest.approx(total / count, rel=1e-4)


def test_nothing_learned_depends_on_the_test_split(experiment: Experiment, tmp_path: Path) -> None:
    """Other translations of the test pairs, and all that a training starts from is the same."""
    configuration = experiment()
    files = [tmp_path / "en.txt", tmp_path / "es.txt"]
    held_out = {pair.source for pair in data.load(configuration.data).pairs["test"]}
    sources = Path(configuration.data.source_path).read_text(encoding="utf-8").splitlines()
    targets = Path(configuration.data.target_path).read_text(encoding="utf-8").splitlines()
    files[0].write_text("".join(f"{line}\n" for line in sources), encoding="utf-8")
    lines = ("otra cosa" if source in held_out else target for source, target in zip(sources, targets, strict=True))
    files[1].write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    changed = experiment(data={"source_path": str(files[0]), "target_path": str(files[1])})

    before, after = train.prepare(configuration), train.prepare(changed)
    assert {pair.target for pair in after.sets.pairs["test"]} == {"otra cosa"}
    assert [pair[1:] for pair in after.sets.pairs["train"]] == [pair[1:] for pair in before.sets.pairs["train"]]
    assert after.description == before.description
    for weight, other in zip(before.model.variables, after.model.variables, strict=True):
        np.testing.assert_array_equal(weight, other, err_msg=weight.path)


@pytest.mark.slow
def test_killed_and_resumed_equals_uninterrupted(
    pair_files: tuple[Path, Path], whole_and_resumed: Callable[[str, str, str], Run]
) -> None:
    """With everything random on: order and dropout of both kinds."""
    changes = (
        f"--data.source_path {pair_files[0]} --data.target_path {pair_files[1]} --data.batch_tokens 1200 "
        "--subwords.size 330 --network.units 8 --network.attention_units 4 --network.encoder_layers 1 "
        "--network.decoder_layers 1 --network.no_compiled "
        "--training.epochs 3 --training.weight_average_decay 0.9"
    )
    whole_and_resumed("translation", "own-translation", changes)


def test_resuming_with_other_pairs_is_refused(experiment: Experiment, tmp_path: Path) -> None:
    configuration = experiment()
    run = Run.create("nlp", "other", configuration, tmp_path / "runs")
    run.write_json("description.json", {"source": Subwords.learn(["else"], configuration.subwords).to_json()})
    run.append_history({"epoch": 1})
    with pytest.raises(RunError, match=r"data have changed.*start a new run.*Received: source: .* before, .* now"):
        train.train(run, configuration)
    assert run.folder.exists()


def test_only_long_pairs_leave_no_run_behind(experiment: Experiment, tmp_path: Path) -> None:
    configuration = experiment(data={"maximum_subwords": 2})
    run = Run.create("nlp", "refused", configuration, tmp_path)
    with pytest.raises(TextDataError, match=r"longer than 2 subwords"):
        train.train(run, configuration)
    assert not run.folder.exists()


def test_what_is_refused_leaves_no_run_behind(experiment: Experiment, tmp_path: Path) -> None:
    configuration = experiment(data={"source_path": "missing.txt"})
    run = Run.create("nlp", "refused", configuration, tmp_path)
    with pytest.raises(TextDataError, match=r"missing\.txt"):
        train.train(run, configuration)
    assert not run.folder.exists()


def test_a_run_that_does_not_fit_is_refused(trained_run: Run, tmp_path: Path) -> None:
    copy = Run.open(shutil.copytree(trained_run.folder, tmp_path / "nlp" / "numbers" / "run"))
    values = copy.read_json("configuration.json")
    values["network"]["units"] += 2
    copy.write_json("configuration.json", values)
    with pytest.raises(RunError, match=r"do not fit the network.*Received: .*run"):
        load_model(copy)


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_whole(preset: str) -> None:
    configuration = PRESETS[preset]
    assert TranslationConfiguration.from_json(configuration.to_json()) == configuration
    assert configuration.task == "translation"


@pytest.mark.parametrize(
    ("part", "old", "new", "value"),
    [
        ("data", "longest", "maximum_subwords", 80),
        ("data", "respelled", "subword_regularisation", 0.1),
        ("search", "longest_ratio", "maximum_length_ratio", 3.0),
        ("search", "longest_more", "maximum_length_offset", 7),
    ],
)
def test_settings_of_0_1_are_read_and_refused_with_their_new_names(
    part: str, old: str, new: str, value: float, capsys: pytest.CaptureFixture[str]
) -> None:
    values = json.loads(PRESETS["translation"].to_json())
    del values[part][new]
    values[part][old] = value
    read = TranslationConfiguration.from_json(json.dumps(values))
    assert read == PRESETS["translation"].replace(**{part: {new: value}})
    with pytest.raises(SystemExit):
        train_command.train(["translation", f"--{part}.{old}", str(value)])
    assert f"The setting '{part}.{old}' has a new name. Expected '{part}.{new}'." in capsys.readouterr().err


@pytest.mark.slow
def test_two_devices_train_as_one(experiment: Experiment, same_on_two_devices: Callable[..., None]) -> None:
    network = {"word_dropout": 0.0, "decoder_layers": 1}
    same_on_two_devices("translation", experiment(network=network, training={"epochs": 1}))
